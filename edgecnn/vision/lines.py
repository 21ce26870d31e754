"""Reading order: boxes become lines, top to bottom, each left to right, also where the baseline slants."""

from __future__ import annotations

from itertools import pairwise
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
    angle = _slant(centres, height)
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = centres @ np.array([cos, sin]), centres @ np.array([-sin, cos])
    order = across.argsort(kind="stable")
    breaks = np.nonzero(np.diff(across[order]) > 0.6 * height)[0] + 1
    lines = [order[start:end] for start, end in pairwise((0, *breaks.tolist(), len(order)))]
    return [line[along[line].argsort(kind="stable")].tolist() for line in lines]


def _slant(centres: NDArray[np.float64], height: float) -> float:
    """Angle, in radians, along which the centres fall into the fewest and tightest lines; level if none is better."""
    across = centres[:, 1, None] * _COS
    across -= centres[:, 0, None] * _SIN
    across.sort(axis=0)
    gaps = np.diff(across, axis=0)
    gaps /= height
    breaks = gaps > 0.6
    lines = breaks.sum(axis=0)
    gaps[breaks] = 0
    cost = lines + gaps.sum(axis=0) + np.abs(_DEGREES) / 60
    return float(_ANGLES[cost.argmin()])
