"""Reading order: boxes become lines, top to bottom, each left to right, also where the baseline slants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEEPEST = 45
"""Steepest baseline, in degrees."""
_DEGREES = np.arange(-STEEPEST, STEEPEST + 1, 3)
"""Baselines that are tried."""
_ANGLES = np.deg2rad(_DEGREES)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_STEEP = np.abs(_DEGREES) / 60
"""What each costs: of two that are as good the more level one is right."""


def reading_order(boxes: NDArray[np.int32]) -> list[list[int]]:
    """Put boxes into lines.

    Args:
        boxes: int32 [n, 4]; x, y, right, bottom.

    Returns:
        Indices of the boxes, one list a line, top to bottom, each left to right.
    """
    if len(boxes) < 2:
        return [[0]] * len(boxes)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    longer = np.sort((boxes[:, 2:] - boxes[:, :2]).max(axis=1))
    height = float(longer[(len(boxes) - 1) // 2] + longer[len(boxes) // 2]) / 2  # the median
    baseline = _baseline(centres, height)
    cos, sin = _COS[baseline], _SIN[baseline]
    along, across = (centres @ np.array([cos, sin])).tolist(), (centres @ np.array([-sin, cos])).tolist()
    lines: list[list[int]] = []
    last = -np.inf
    for i in sorted(range(len(boxes)), key=across.__getitem__):
        if across[i] - last > 0.6 * height:
            lines.append([])
        lines[-1].append(i)
        last = across[i]
    return [sorted(line, key=along.__getitem__) for line in lines]


def _baseline(centres: NDArray[np.float64], height: float) -> int:
    """Along which baseline the centres fall into the fewest and tightest lines; the level one if none is better."""
    across = centres[:, 1, None] * _COS
    across -= centres[:, 0, None] * _SIN
    across.sort(axis=0)
    gaps = across[1:] - across[:-1]
    gaps /= height
    breaks = gaps > 0.6
    lines = breaks.sum(axis=0)
    gaps[breaks] = 0
    return int((lines + gaps.sum(axis=0) + _STEEP).argmin())
