"""Reading order: boxes become lines, top to bottom, each left to right, also where the baseline slants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEEPEST = 45
"""Steepest baseline, in degrees."""


def reading_order(boxes: NDArray[np.int32]) -> list[list[int]]:
    """Put boxes into lines.

    Args:
        boxes: int32 [n, 4]; x, y, right, bottom.

    Returns:
        Indices of the boxes, one list a line, top to bottom, each left to right.
    """
    if not len(boxes):
        return []
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    height = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    angle = _slant(centres, height)
    along = centres @ np.array([np.cos(angle), np.sin(angle)])
    across = centres @ np.array([-np.sin(angle), np.cos(angle)])
    order = np.argsort(across, kind="stable")
    breaks = np.nonzero(np.diff(across[order]) > 0.6 * height)[0] + 1
    return [line[np.argsort(along[line], kind="stable")].tolist() for line in np.split(order, breaks)]


def _slant(centres: NDArray[np.float64], height: float) -> float:
    """Angle, in radians, along which the centres fall into the fewest and tightest lines; level if none is better."""
    degrees = np.arange(-STEEPEST, STEEPEST + 1, 3)
    angles = np.deg2rad(degrees)
    across = np.sort(np.outer(centres[:, 1], np.cos(angles)) - np.outer(centres[:, 0], np.sin(angles)), axis=0)
    gaps = np.diff(across, axis=0) / height
    lines = (gaps > 0.6).sum(axis=0)
    spread = np.where(gaps > 0.6, 0, gaps).sum(axis=0)
    cost = lines + spread + np.abs(degrees) / 60
    return float(angles[int(np.argmin(cost))])
