"""What `locate` finds: a place in a picture that may be a digit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Corners = tuple[int, int, int, int]
"""x, y, right, bottom of a box in pixels; the last two exclusive."""


@dataclass(slots=True, eq=False)
class Candidate:
    """What may be a digit.

    Attributes:
        box: x, y, width, height in pixels of the picture.
        pixels: uint8 [28, 28], light on black, in MNIST's form.
        line: Number of its line, from 0 at the top.
        ink: uint8 [h, w], its ink alone as it was found, with a margin; what `pixels` was made from.
    """

    box: tuple[int, int, int, int]
    pixels: NDArray[np.uint8]
    line: int
    ink: NDArray[np.uint8]
