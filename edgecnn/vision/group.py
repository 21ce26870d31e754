"""Connected ink becomes pieces, pieces that belong together become blobs: what may be one digit each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.vision.merge import merge
from edgecnn.vision.rules import without_rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.ink import Ink

SMALLEST = 10
"""Shortest longer side of a digit, in pixels."""
WIDEST = 3
"""Width by height from which a piece is a line; three digits that touch are narrower."""
MARGIN = 5
"""Width of the picture's margin in which a line along it is no digit, in pixels."""
UNREAD = 0.2
"""Share of a piece that may lie where nothing can be read."""
WIDER, ALONG = 7, 1.5
"""Pixels of a piece in a blind place widened by this square, by its longer side, from which it lies along that."""
TALLEST = 2.2
"""Height of a thin line, by the median of all heights, from which it is no 1."""
MOST = 400
"""Most pieces that are looked at, the largest first: what has more is texture."""


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """Pieces of ink and how they were put together.

    Attributes:
        ink: The ink, without rulings.
        labels: uint16 or int32 [h, w]; number of the piece that a pixel belongs to, 0 is paper.
        boxes: int32 [n, 4]; x, y, right, bottom of each blob, the last two exclusive.
        members: Numbers of the pieces of each blob.
    """

    ink: Ink
    labels: NDArray[Any]
    boxes: NDArray[np.int32]
    members: list[list[int]]


def blobs(ink: Ink) -> Blobs:
    """Find what may be a digit in an ink map."""
    labels, stats = _pieces(ink)
    ruled = ink
    ink = without_rules(ruled, labels, stats)
    if ink is not ruled:
        labels, stats = _pieces(ink)
    kept = _plausible(ink, labels, stats).nonzero()[0]
    if len(kept) > MOST:
        kept = kept[np.argsort(-stats[kept, 4], kind="stable")[:MOST]]
    boxes = stats[kept, :4]
    boxes[:, 2:] += boxes[:, :2]
    groups = merge(boxes, stats[kept, 4], ink)
    if len(groups) < len(boxes):
        boxes = np.stack([np.concatenate([boxes[g, :2].min(axis=0), boxes[g, 2:].max(axis=0)]) for g in groups])
    good = _digit_like(boxes).nonzero()[0]
    pieces = kept.tolist()
    return Blobs(ink, labels, boxes[good], [[pieces[k] for k in groups[i]] for i in good.tolist()])


def _pieces(ink: Ink) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Connected ink: a label for each pixel, and x, y, width, height, area of each label; 0 is what is not ink."""
    import cv2

    # 16-bit labels are found in a third of the time; there are never more pieces than ink pixels.
    kind = cv2.CV_16U if cv2.countNonZero(ink.mask) < 65535 else cv2.CV_32S
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8, ltype=kind)
    return labels, stats


def _plausible(ink: Ink, labels: NDArray[Any], stats: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which pieces may be a digit or a part of one: no speck, not cut off by the edge, not where all is blind."""
    import cv2

    height, width = labels.shape
    x, y, w, h, area = stats.T
    longer = np.maximum(w, h)
    good: NDArray[np.bool_] = (area >= 6) & (longer >= 4)
    good[0] = False
    # How far it is from the nearer edge: at the sides, and at the top or the bottom.
    beside, above = np.minimum(x, width - x - w), np.minimum(y, height - y - h)
    if (good & (np.minimum(beside, above) == 0)).any():
        edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        good &= np.bincount(edges, minlength=len(stats)) <= 0.1 * longer
    good &= (w < 0.9 * width) & (h < 0.98 * height)
    sliver = ((beside < MARGIN) & (h > 3 * w)) | ((above < MARGIN) & (w > 3 * h))
    good &= ~sliver  # of what lies beyond the picture
    if ink.blind is not None:
        good &= np.bincount(labels[ink.blind > 0], minlength=len(stats)) <= UNREAD * area
        # What lies along a step of the ground is what its estimate left of the step.
        near = cv2.dilate(ink.blind, np.ones((WIDER, WIDER), np.uint8)) > 0
        good &= np.bincount(labels[near], minlength=len(stats)) <= ALONG * longer
    return good


def _digit_like(boxes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which boxes have the size of a digit; a thin line that is far taller than all else is the edge of something."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    good: NDArray[np.bool_] = (np.maximum(width, height) >= SMALLEST) & (width <= WIDEST * height)
    if np.count_nonzero(good) >= 4:
        ranked = np.sort(height[good])
        usual = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2  # the median
        if ranked[-1] > TALLEST * usual:
            good &= (height <= TALLEST * usual) | (width > 0.3 * height)
    return good
