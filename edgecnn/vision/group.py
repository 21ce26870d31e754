"""Connected ink becomes pieces, pieces that belong together become blobs: what may be one digit each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.vision.merge import merge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.ink import Ink

SMALLEST = 10
"""Shortest longer side of a digit, in pixels."""
MOST = 400
"""Most pieces that are looked at, the largest first: what has more is texture."""


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """Pieces of ink and how they were put together.

    Attributes:
        labels: uint16 or int32 [h, w]; number of the piece that a pixel belongs to, 0 is paper.
        boxes: int32 [n, 4]; x, y, right, bottom of each blob, the last two exclusive.
        members: Numbers of the pieces of each blob.
    """

    labels: NDArray[Any]
    boxes: NDArray[np.int32]
    members: list[list[int]]


def blobs(ink: Ink) -> Blobs:
    """Find what may be a digit in an ink map."""
    import cv2

    # 16-bit labels are found in a third of the time; there are never more pieces than ink pixels.
    narrow = cv2.countNonZero(ink.mask) < 65535
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        ink.mask, connectivity=8, ltype=cv2.CV_16U if narrow else cv2.CV_32S
    )
    numbers = np.arange(1, len(stats))
    good = _plausible(stats[1:], labels)
    if ink.blind is not None:
        unread = np.bincount(labels[ink.blind > 0], minlength=len(stats))[1:]
        good &= unread <= 0.5 * stats[1:, cv2.CC_STAT_AREA]
    kept = numbers[good]
    if len(kept) > MOST:
        kept = kept[np.argsort(-stats[kept, cv2.CC_STAT_AREA], kind="stable")[:MOST]]
    boxes = stats[kept, :4].astype(np.int32)
    boxes[:, 2:] += boxes[:, :2]
    groups = merge(boxes, ink)
    if len(groups) < len(boxes):
        boxes = np.stack([np.concatenate([boxes[g, :2].min(axis=0), boxes[g, 2:].max(axis=0)]) for g in groups])
    large = np.nonzero((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= SMALLEST)[0]
    return Blobs(labels, boxes[large], [kept[groups[i]].tolist() for i in large])


def _plausible(stats: NDArray[np.int32], labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pieces may be a digit or a part of one: not a speck, not cut off by the picture's edge, not its frame."""
    height, width = labels.shape
    w, h, area = stats.T[2:]
    longer = np.maximum(w, h)
    edge = np.bincount(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]), minlength=len(stats) + 1)[
        1:
    ]
    good: NDArray[np.bool_] = (
        (area >= 6) & (longer >= 4) & (edge <= 0.1 * longer) & (w < 0.9 * width) & (h < 0.98 * height)
    )
    return good
