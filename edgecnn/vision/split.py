"""Digits that touch: ways to cut a candidate, for the network to choose from."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.preprocess import centre_digits
from edgecnn.vision.candidate import Candidate

if TYPE_CHECKING:
    from numpy.typing import NDArray

NARROWEST = 0.55
"""Width by height from which a candidate may be two digits."""
SLANTS = (-0.35, 0.0, 0.35)
"""Slants of a cut: columns to the left for each row further down."""
CUTS = 4
"""Most cuts that are tried."""


def split(candidate: Candidate) -> list[tuple[Candidate, ...]]:
    """Ways to cut a candidate into two digits, or three where it is wide.

    Args:
        candidate: As `locate` gives it.

    Returns:
        The parts of each way, left to right; no way where the candidate is too narrow.
    """
    height, width = candidate.ink.shape
    if width < NARROWEST * height:
        return []
    cuts = _cuts(candidate.ink)
    ways = [[cut] for cut in cuts]
    if width >= 1.4 * height:
        ways += [[a, b] for i, a in enumerate(cuts) for b in cuts[i + 1 :] if abs(a[0] - b[0]) >= 0.3 * height]
    pieces: list[NDArray[np.uint8]] = []
    corners: list[tuple[int, int]] = []
    for way in ways:
        for ink, corner in _parts(candidate.ink, sorted(way)):
            pieces.append(ink)
            corners.append(corner)
    pixels = centre_digits(pieces) if pieces else np.zeros((0, 28, 28), np.uint8)
    parts = [
        Candidate(_box(candidate, piece, corner), fitted, candidate.line, piece)
        for piece, corner, fitted in zip(pieces, corners, pixels, strict=True)
    ]
    result, start = [], 0
    for way in ways:
        result.append(tuple(parts[start : start + len(way) + 1]))
        start += len(way) + 1
    return result


def _cuts(ink: NDArray[np.uint8]) -> list[tuple[float, float]]:
    """The cuts through the least ink: where each crosses half height, and its slant."""
    import cv2

    height, width = ink.shape
    sums = []
    for slant in SLANTS:
        shear = np.array([[1, slant, -slant * (height - 1) / 2], [0, 1, 0]], np.float32)
        upright = cv2.warpAffine(ink, shear, (width, height)) if slant else ink
        sums.append(cv2.reduce(upright, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F))
    amounts = cv2.blur(np.concatenate(sums), (3, 1))
    # Valleys between a fifth and four fifths of the width.
    first, end = max(1, ceil(0.2 * width)), min(width - 1, floor(0.8 * width) + 1)
    inner = amounts[:, first:end]
    valley = (inner <= amounts[:, first - 1 : end - 1]) & (inner < amounts[:, first + 1 : end + 1])
    rows, columns = valley.nonzero()
    found = zip(inner[valley].tolist(), (first + columns).tolist(), rows.tolist(), strict=True)
    cuts: list[tuple[float, float]] = []
    for _, column, row in sorted(found):
        slant = SLANTS[row]
        if all(abs(column - other) >= 0.12 * height or slant != tilt for other, tilt in cuts) and len(cuts) < CUTS:
            cuts.append((column, slant))
    return cuts


def _parts(ink: NDArray[np.uint8], cuts: list[tuple[float, float]]) -> list[tuple[NDArray[np.uint8], tuple[int, int]]]:
    """Ink between cuts, each in its own box with the left upper corner of that."""
    import cv2

    rows, columns = np.arange(ink.shape[0])[:, None], np.arange(ink.shape[1])[None]
    side = np.zeros(ink.shape, np.uint8)
    for column, slant in cuts:
        side += columns > column - slant * (rows - (ink.shape[0] - 1) / 2)
    parts = []
    for number in range(len(cuts) + 1):
        part = ink * (side == number)
        x, y, width, height = cv2.boundingRect(part)
        parts.append((part[y : y + max(height, 1), x : x + max(width, 1)], (x, y)))
    return parts


def _box(whole: Candidate, piece: NDArray[np.uint8], corner: tuple[int, int]) -> tuple[int, int, int, int]:
    """Box of a part in the picture."""
    x, y, w, h = whole.box
    down, across = h / whole.ink.shape[0], w / whole.ink.shape[1]
    return (
        x + round(corner[0] * across),
        y + round(corner[1] * down),
        max(1, round(piece.shape[1] * across)),
        max(1, round(piece.shape[0] * down)),
    )
