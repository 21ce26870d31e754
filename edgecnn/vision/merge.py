"""Put the pieces of one broken digit together: strokes that were written apart, and strokes that faded between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.candidate import Corners
    from edgecnn.vision.ink import Ink

REACH = 0.3
"""How far a piece may lie from what it joins, by the height of that."""
FAINT = 0.15
"""Share of the ink's typical level that still holds two pieces together, if they lie as parts of a digit do."""
DOT, FILLED = (0.08, 0.3), 0.6
"""Least and greatest side of a dot, by the height of what it is a dot of; least share of its box that it fills."""
FEW = 3
"""Up to so many large pieces do not tell how tall a digit is: two halves of one look as a digit above another."""


def merge(corners: Sequence[Corners], inked: Sequence[int], ink: Ink) -> list[list[int]]:
    """Find which pieces are one digit.

    A piece joins a larger one that is next to it if it lies over, under or within it and they are together no taller
    than a digit; if it is the flat hat of a 5 or the dot of a ?; or if faint ink leads from one to the other.

    Args:
        corners: x, y, right, bottom of each piece.
        inked: Pixels of ink of each.
        ink: The ink they were found in.

    Returns:
        Groups of pieces by number; every piece is in one.
    """
    if len(corners) < 2 or _apart(corners):  # as on most pages
        return [[i] for i in range(len(corners))]
    boxes = np.array(corners, np.int32)
    low, high = boxes[:, :2], boxes[:, 2:]
    size = high - low
    tall = size[:, 1].astype(np.float32)
    # Row: the piece that may join. Column: the piece that it may join, which is larger.
    gap = np.maximum(low[:, None], low[None]) - np.minimum(high[:, None], high[None])
    close = gap.max(axis=2) <= REACH * tall[None]
    area = size.prod(axis=1)
    later = np.arange(len(boxes))[:, None] > np.arange(len(boxes))
    larger = close & ((area[:, None] < area[None]) | ((area[:, None] == area[None]) & later))
    whole = np.sort(tall[tall >= 0.4 * tall.max()])
    usual = float(whole[3 * (len(whole) - 1) // 4])
    union = np.maximum(high[:, None], high[None]) - np.minimum(low[:, None], low[None])
    over = -gap[..., 0] >= 0.5 * np.minimum(size[:, None, 0], size[None, :, 0])
    fits = union[..., 1] <= np.maximum(1.5 * tall[None], 1.2 * usual)
    small = area[:, None] < 0.6 * area[None]
    plain = larger & over & fits & (gap[..., 1] <= 0.15 * tall[None]) & (small | (union[..., 1] <= 1.2 * usual))
    joins = plain | (larger & _hats(low, high, gap))
    filled = np.array(inked) >= FILLED * area
    if filled.any():
        joins |= larger & filled[:, None] & _dots(low, high)
    # What is wider is two digits, however plainly a faint ruling leads from one to the other.
    near = larger & (gap[..., 0] <= 0.05 * tall[None])
    single = (union <= np.array([1.0, 1.5]) * np.maximum(tall, usual)[None, :, None]).all(axis=2)
    if len(whole) <= FEW:
        single |= over & (union[..., 1] >= 1.4 * tall[None]) & (union[..., 0] <= 1.5 * union[..., 1])
    for i, j in np.argwhere(near & single & ~joins):
        joins[i, j] = _bridged(boxes[i], boxes[j], ink)
    return _groups(joins, gap.max(axis=2))


def _apart(corners: Sequence[Corners]) -> bool:
    """Whether no two pieces lie so near each other that they may be one digit."""
    placed = sorted(corners)
    widest = max([right - left for left, _, right, _ in placed], default=0)
    furthest = widest + REACH * max([bottom - top for _, top, _, bottom in placed], default=0)
    for number, (left, top, right, bottom) in enumerate(placed):
        tall = bottom - top
        for before, above, after, below in reversed(placed[:number]):
            if left - before > furthest:
                break  # so does what begins still further to the left
            reach = REACH * max(tall, below - above)
            if max(left - after, before - right, top - below, above - bottom) <= reach:
                return False
    return True


def _hats(low: NDArray[np.int32], high: NDArray[np.int32], gap: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which piece (row) may be the hat of which (column), as of a 5: flat, at its top, from its left edge to the right.

    `gap` is [n, n, 2]: the distance of two pieces across and down, below 0 where they overlap.
    """
    size = high - low
    tall = size[:, 1].astype(np.float32)
    flat = (size[:, 0] >= 1.3 * tall)[:, None] & (tall[:, None] <= 0.65 * tall[None])
    high_up = (low[:, None, 1] <= low[None, :, 1]) & (high[:, None, 1] <= (low[:, 1] + 0.4 * tall)[None])
    right = (low[:, None, 0] >= low[None, :, 0]) & (size[:, None, 0] <= 1.5 * tall[None])
    hats: NDArray[np.bool_] = flat & high_up & right & (gap <= [0.15, 0.3] * tall[None, :, None]).all(axis=2)
    return hats


def _dots(low: NDArray[np.int32], high: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which piece (row) may be a dot of which (column), as of ? and i: small, round, and above or below it."""
    size, middle = high - low, (low[:, 0] + high[:, 0]) / 2
    tall = size[None, :, 1]
    long, short = size.max(axis=1), size.min(axis=1)
    small = (long <= 2 * short)[:, None] & (long[:, None] <= DOT[1] * tall) & (short[:, None] >= DOT[0] * tall)
    within = (middle[:, None] >= low[None, :, 0]) & (middle[:, None] <= high[None, :, 0])
    aside = np.maximum(low[:, None, 1] - high[None, :, 1], low[None, :, 1] - high[:, None, 1])
    dots: NDArray[np.bool_] = small & within & (aside >= 0)
    return dots


def _bridged(first: NDArray[np.int32], second: NDArray[np.int32], ink: Ink) -> bool:
    """Whether faint ink leads from one piece to the other without a detour."""
    import cv2

    (left, top), (right, bottom) = np.minimum(first, second)[:2], np.maximum(first, second)[2:]
    window = ink.map[top:bottom, left:right]
    faint = cv2.threshold(window, max(FAINT * ink.level, ink.floor), 255, cv2.THRESH_BINARY)[1]
    labels = cv2.connectedComponents(faint, connectivity=8)[1]
    both = []
    for box in (first, second):
        part = (slice(box[1] - top, box[3] - top), slice(box[0] - left, box[2] - left))
        both.append(set(np.unique(labels[part][ink.mask[top:bottom, left:right][part] > 0]).tolist()))
    return bool(both[0] & both[1])


def _groups(joins: NDArray[np.bool_], distance: NDArray[np.int32]) -> list[list[int]]:
    """Each piece joins the nearest that it may; what joins one another is a group."""
    n = len(joins)
    root = list(range(n))
    target = np.where(joins, distance, np.iinfo(np.int32).max).argmin(axis=1)
    for i in np.nonzero(joins.any(axis=1))[0].tolist():
        root[i] = int(target[i])
    groups: dict[int, list[int]] = {}
    for i in range(n):
        top = i
        while root[top] != top:  # always towards a larger piece, so it ends
            top = root[top]
        groups.setdefault(top, []).append(i)
    return list(groups.values())
