"""Connected ink becomes pieces, pieces that belong together become blobs: what may be one digit each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.metrics import median
from edgecnn.vision.merge import merge
from edgecnn.vision.pieces import Pieces, find_pieces
from edgecnn.vision.rules import without_rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.candidate import Corners
    from edgecnn.vision.ink import Ink

LEAST, SHORTEST = 6, 4
"""Least pixels, and shortest longer side, of what is no speck."""
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

Piece = tuple[int, int, int, int, int, int]
"""Number of a piece of ink, its corners, its pixels."""

_WIDER = np.ones((WIDER, WIDER), np.uint8)


@dataclass(slots=True, eq=False)
class Blobs:
    """Pieces of ink and how they were put together.

    Attributes:
        ink: The ink, without rulings.
        pieces: All of them, specks too.
        boxes: x, y, right, bottom of each blob, the last two exclusive.
        members: Numbers of the pieces of each blob.
    """

    ink: Ink
    pieces: Pieces
    boxes: list[Corners]
    members: list[list[int]]


def blobs(ink: Ink) -> Blobs:
    """Find what may be a digit in an ink map."""
    found = find_pieces(ink.mask)
    ruled = ink
    ink = without_rules(ruled, found)
    if ink is not ruled:
        found = find_pieces(ink.mask)
    pieces = _plausible(ink, found)
    if len(pieces) > MOST:
        pieces = sorted(pieces, key=lambda piece: -piece[5])[:MOST]
    numbers = [piece[0] for piece in pieces]
    corners = [piece[1:5] for piece in pieces]
    groups = merge(corners, [piece[5] for piece in pieces], ink)
    if len(groups) < len(pieces):
        corners = [_around([corners[i] for i in group]) for group in groups]
    good = _digit_like(corners)
    return Blobs(ink, found, [corners[i] for i in good], [[numbers[k] for k in groups[i]] for i in good])


def _plausible(ink: Ink, found: Pieces) -> list[Piece]:
    """What may be a digit or a part of one: no speck, not cut off by the edge, not where all is blind."""
    import cv2

    height, width = ink.mask.shape
    (left, top), labels, kinds = found.corner, found.labels, len(found.stats)
    pieces: list[Piece] = []
    cut_off = False
    for number, inner, upper, w, h, area in _large(found.stats):
        if area < LEAST or max(w, h) < SHORTEST or w >= 0.9 * width or h >= 0.98 * height:
            continue
        x, y = left + inner, top + upper
        # How far it is from the nearer edge: at the sides, and at the top or the bottom.
        beside, above = min(x, width - x - w), min(y, height - y - h)
        if (beside < MARGIN and h > 3 * w) or (above < MARGIN and w > 3 * h):
            continue  # a sliver of what lies beyond the picture
        cut_off = cut_off or not beside or not above
        pieces.append((number, x, y, x + w, y + h, area))
    if cut_off:
        ends = (top + labels.shape[0] == height, left + labels.shape[1] == width)
        lines = (not top, labels[0]), (ends[0], labels[-1]), (not left, labels[:, 0]), (ends[1], labels[:, -1])
        on_edge = np.bincount(np.concatenate([line for is_edge, line in lines if is_edge]), minlength=kinds).tolist()
        pieces = [piece for piece in pieces if on_edge[piece[0]] <= 0.1 * _longer(piece)]
    if ink.blind is not None and pieces:
        unread = np.bincount(labels[found.part_of(ink.blind) > 0], minlength=kinds).tolist()
        # What lies along a step of the ground is what its estimate left of the step.
        near = np.bincount(labels[found.part_of(cv2.dilate(ink.blind, _WIDER)) > 0], minlength=kinds).tolist()
        pieces = [p for p in pieces if unread[p[0]] <= UNREAD * p[5] and near[p[0]] <= ALONG * _longer(p)]
    return pieces


def _large(stats: NDArray[np.int32]) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Number, x, y, width, height and area of pieces, without specks where there are many pieces.

    Arrays sort them out; a few pieces cost less one by one.
    """
    numbers = range(len(stats)) if len(stats) <= MOST else (stats[:, 4] >= LEAST).nonzero()[0].tolist()
    rows = stats.tolist() if len(stats) <= MOST else stats[numbers].tolist()
    return ((number, *row) for number, row in zip(numbers, rows, strict=True) if number)


def _longer(piece: Piece) -> int:
    _, left, top, right, bottom, _ = piece
    return max(right - left, bottom - top)


def _around(boxes: Sequence[Corners]) -> Corners:
    """The box around boxes."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _digit_like(boxes: Sequence[Corners]) -> list[int]:
    """Which boxes have the size of a digit; a thin line that is far taller than all else is the edge of something."""
    sizes = [(right - left, bottom - top) for left, top, right, bottom in boxes]
    good = [i for i, (w, h) in enumerate(sizes) if max(w, h) >= SMALLEST and w <= WIDEST * h]
    if len(good) >= 4:
        most = TALLEST * median([sizes[i][1] for i in good])
        good = [i for i in good if sizes[i][1] <= most or sizes[i][0] > 0.3 * sizes[i][1]]
    return good
