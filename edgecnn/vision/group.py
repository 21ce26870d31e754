"""Connected ink becomes pieces, pieces that belong together become blobs: what may be one digit each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
    kept = numbers[_plausible(stats[1:], labels)]
    if len(kept) > MOST:
        kept = kept[np.argsort(-stats[kept, cv2.CC_STAT_AREA], kind="stable")[:MOST]]
    boxes = stats[kept, :4].astype(np.int32)
    boxes[:, 2:] += boxes[:, :2]
    boxes, members = _merge(boxes, kept)
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    large = np.nonzero(sizes >= SMALLEST)[0]
    return Blobs(labels, boxes[large], [members[i] for i in large])


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


def _merge(boxes: NDArray[np.int32], kept: NDArray[np.int64]) -> tuple[NDArray[np.int32], list[list[int]]]:
    """Join pieces of one broken digit: a smaller one that lies over, under or within a larger one and next to it."""
    n = len(boxes)
    members = [[int(k)] for k in kept]
    if n < 2:
        return boxes, members
    low, high = boxes[:, :2], boxes[:, 2:]
    size = high - low
    gap = np.maximum(low[:, None], low[None]) - np.minimum(high[:, None], high[None])  # [n, n, 2]; negative: overlap
    union = np.maximum(high[:, None], high[None]) - np.minimum(low[:, None], low[None])
    tall = size[:, 1].astype(np.float32)
    near = gap.max(axis=2) <= 0.15 * tall[None]
    over = -gap[..., 0] >= 0.5 * np.minimum(size[:, None, 0], size[None, :, 0])
    grows = union[..., 1] <= 1.5 * tall[None]
    smaller = (size[:, None].max(axis=2) < 0.8 * size[None].max(axis=2)) & (
        size.prod(axis=1)[:, None] < 0.6 * size.prod(axis=1)[None]
    )
    joins = near & over & grows & smaller
    if not joins.any():
        return boxes, members
    into = np.where(joins.any(axis=1), np.where(joins, gap.max(axis=2), np.inf).argmin(axis=1), np.arange(n))
    boxes, gone = boxes.copy(), set()
    for i in np.argsort(size.max(axis=1), kind="stable"):
        j = int(into[i])
        if j != i:
            boxes[j, :2] = np.minimum(boxes[j, :2], boxes[i, :2])
            boxes[j, 2:] = np.maximum(boxes[j, 2:], boxes[i, 2:])
            members[j] += members[i]
            gone.add(int(i))
    stay = [i for i in range(n) if i not in gone]
    return boxes[stay], [members[i] for i in stay]
