"""Find the digits of a scene and cut each out in MNIST's form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.preprocess import centre_digits
from edgecnn.vision.candidate import Candidate
from edgecnn.vision.group import Blobs, blobs
from edgecnn.vision.ink import ink_maps
from edgecnn.vision.lines import reading_order
from edgecnn.vision.pieces import rim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.candidate import Corners

_BYTE = np.dtype(np.uint8)

RIM = 0.15
"""Share of the ink's typical level from which the soft rim of a stroke belongs to it."""
LARGEST = 1280
"""Longer side to which a larger picture is reduced before it is searched, in pixels."""


def locate(picture: NDArray[np.uint8]) -> list[Candidate]:
    """Find what may be digits in a scene, dark on light or light on dark.

    Args:
        picture: uint8 [h, w, 3] BGR or [h, w] grey.

    Returns:
        Candidates in reading order: lines top to bottom, each left to right. Some are no digits:
        that is for the network to say.

    Raises:
        ArgumentError: dtype or shape is none of these.
    """
    import cv2

    if picture.dtype != _BYTE or not (picture.ndim == 2 or picture.shape[2:] == (3,)) or 0 in picture.shape:
        raise ArgumentError(f"picture: expected uint8 [h, w] or [h, w, 3], got {picture.dtype} {picture.shape}")
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    zoom = min(1.0, LARGEST / max(grey.shape))
    if zoom < 1:
        size = (max(1, round(grey.shape[1] * zoom)), max(1, round(grey.shape[0] * zoom)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    found = [blobs(ink) for ink in ink_maps(grey)]
    inks = [ink for one in found for ink in cut(one)]
    if not inks:
        return []
    pixels = centre_digits(inks)
    corners = [box for one in found for box in one.boxes]
    boxes = [(left, top, right - left, bottom - top) for left, top, right, bottom in corners]
    if zoom < 1:
        boxes = [(round(x / zoom), round(y / zoom), round(w / zoom), round(h / zoom)) for x, y, w, h in boxes]
    return [
        Candidate(boxes[i], pixels[i], line, inks[i])
        for line, indices in enumerate(reading_order(corners))
        for i in indices
    ]


def cut(found: Blobs) -> list[NDArray[np.uint8]]:
    """The ink of each blob: its own pixels and their soft rim, without its neighbours.

    Args:
        found: The blobs of an ink map.

    Returns:
        uint8 [h, w] each, the blob's box and a margin for the rim.
    """
    return [_cut(found, box, members) for box, members in zip(found.boxes, found.members, strict=True)]


def _cut(found: Blobs, box: Corners, members: list[int]) -> NDArray[np.uint8]:
    """The ink of the blob with this box and these pieces."""
    import cv2

    left, top, right, bottom = box
    around = rim(right - left, bottom - top)
    left, top, right, bottom = max(left - around, 0), max(top - around, 0), right + around, bottom + around
    window = (slice(top, bottom), slice(left, right))
    labels = found.pieces.part(left, top, right, bottom)
    first, *others = members
    own = cv2.compare(labels, first, cv2.CMP_EQ)
    for other in others:
        cv2.bitwise_or(own, cv2.compare(labels, other, cv2.CMP_EQ), dst=own)
    # Its own ink and the paper near it; what is foreign stays out.
    near = cv2.subtract(cv2.dilate(own, _square(2 * around + 1)), found.ink.mask[window])
    near = cv2.bitwise_or(near, own, dst=near)
    result = cv2.bitwise_and(found.ink.map[window], near)
    # Without the empty part of the margin: what is left fills the fine grid on which the digit is measured.
    x, y, w, h = cv2.boundingRect(cv2.threshold(result, RIM * found.ink.level, 255, cv2.THRESH_BINARY, dst=near)[1])
    whole: NDArray[np.uint8] = result[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1]
    return whole


@cache
def _square(side: int) -> NDArray[np.uint8]:
    """All of a square, as OpenCV wants the reach of a dilation; a side is at most a tenth of a picture's."""
    return np.ones((side, side), np.uint8)
