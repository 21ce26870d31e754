"""Reading order: boxes become lines, top to bottom, each left to right, also where the baseline slants."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.metrics import median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.candidate import Corners

BREAK = 0.6
"""Distance across the baseline, in heights, from which the next box is on another line."""
STEEPEST = 45
"""Steepest baseline, in degrees."""
_DEGREES = np.arange(-STEEPEST, STEEPEST + 1, 3)
"""Baselines that are tried."""
_ANGLES = np.deg2rad(_DEGREES)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_STEEP = np.abs(_DEGREES) / 60
"""What each costs: of two that are as good the more level one is right."""


def reading_order(boxes: Sequence[Corners]) -> list[list[int]]:
    """Put boxes into lines.

    Args:
        boxes: x, y, right, bottom of each.

    Returns:
        Indices of the boxes, one list a line, top to bottom, each left to right.
    """
    if len(boxes) < 2:
        return [[0]] * len(boxes)
    centres = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in boxes]
    height = median([max(right - left, bottom - top) for left, top, right, bottom in boxes])
    level = _level_line(centres, height)
    if level:
        return [level]
    baseline = _baseline(np.array(centres), height)
    cos, sin = float(_COS[baseline]), float(_SIN[baseline])
    along, across = [x * cos + y * sin for x, y in centres], [y * cos - x * sin for x, y in centres]
    lines: list[list[int]] = []
    last = float("-inf")
    for i in sorted(range(len(boxes)), key=across.__getitem__):
        if across[i] - last > BREAK * height:
            lines.append([])
        lines[-1].append(i)
        last = across[i]
    return [sorted(line, key=along.__getitem__) for line in lines]


def _level_line(centres: Sequence[tuple[float, float]], height: float) -> list[int]:
    """The order of boxes that are one line on whatever baseline is best, as on most pages; empty if that is not plain.

    With no break the level baseline costs less than a line, so the best one has no break either. And what lies further
    to the right than above or below comes later on all baselines, for none is steeper than 45 degrees.
    """
    heights = [y for _, y in centres]
    if max(heights) - min(heights) > BREAK * height:
        return []
    order = sorted(range(len(centres)), key=centres.__getitem__)
    placed = [centres[i] for i in order]
    plain = all([x - before > abs(y - last) for (before, last), (x, y) in pairwise(placed)])
    return order if plain else []


def _baseline(centres: NDArray[np.float64], height: float) -> int:
    """Along which baseline the centres fall into the fewest and tightest lines; the level one if none is better."""
    across = centres[:, 1, None] * _COS
    across -= centres[:, 0, None] * _SIN
    across.sort(axis=0)
    gaps = across[1:] - across[:-1]
    gaps /= height
    breaks = gaps > BREAK
    gaps[breaks] = 0
    cost = np.add.reduce(gaps, axis=0)
    cost += np.add.reduce(breaks, axis=0)
    cost += _STEEP
    return int(cost.argmin())
