"""Which numbers a network takes for pixels, when its file does not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.metrics import Accuracy, accuracy, is_finite
from edgecnn.preprocess import to_tensor
from edgecnn.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
"""Ranges that networks are trained with, the most usual first."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a network does when pixels come in one range.

    Attributes:
        low: Value of a black pixel.
        high: Value of a white pixel.
        accuracy: Top-1 on the pictures of the trial; None when the network gave NaN or infinity.
    """

    low: float
    high: float
    accuracy: Accuracy | None

    def __str__(self) -> str:
        share = "NaN" if self.accuracy is None else f"{100 * self.accuracy.value:.1f} %"
        return f"{self.low:g}..{self.high:g} {share}"


def parse_range(text: str) -> tuple[float, float]:
    """Read a range such as "0..1" or "-1..1": the values of a black and of a white pixel.

    Raises:
        ArgumentError: It is something else.
    """
    low, dots, high = text.partition("..")
    try:
        ends = float(low), float(high)
    except ValueError:
        dots = ""
        ends = (0.0, 0.0)
    if not dots or not np.isfinite(ends).all() or ends[0] == ends[1]:
        raise ArgumentError(f"pixels: expected BLACK..WHITE such as 0..1, -1..1 or 0..255, got {text!r}")
    return ends


def scale_offset(low: float, high: float) -> tuple[float, float]:
    """Factor and offset that bring pixels of 0..255 to a range."""
    return (high - low) / 255, low


def try_ranges(
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> tuple[Trial, ...]:
    """Run a network with each of the usual ranges.

    Args:
        logits: Runs it, float32 [n, height, width, channels] -> [n, classes].
        pixels: uint8 [n, height, width, channels], not of the test set.
        labels: int64 [n].

    Returns:
        A trial for each range, the best first; of equals the more usual one.
    """
    trials = []
    for low, high in USUAL:
        scale, offset = scale_offset(low, high)
        height, width, channels = pixels.shape[1:]
        image = ImageSpec(height, width, channels, scale=scale, offset=offset)
        rows = logits(to_tensor(pixels, image))
        trials.append(Trial(low, high, accuracy(rows, labels) if is_finite(rows).all() else None))
    return tuple(sorted(trials, key=lambda trial: -1 if trial.accuracy is None else trial.accuracy.value, reverse=True))
