"""Ruled and squared paper: long thin straight lines are taken out of the ink, digits that cross them stay whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.ink import Ink

THICK = 7
"""Thickness from which a line is no ruling, in pixels."""
RUN = 12
"""Shortest run of a ruling along its axis, in pixels: it may slant by its thickness over this length."""
GAP, GAP_DOWN = 40, 10
"""Widest gap in a faint ruling, in pixels; less in an upright one, for a 1 may stand below another."""
ACROSS, DOWN = 0.4, 0.6
"""Share of the picture's width (height) from which a level (an upright) line is a ruling: a 1 may be tall."""


def without_rules(ink: Ink, pieces: NDArray[np.int32]) -> Ink:
    """Take rulings out of an ink map.

    Args:
        ink: The ink of a picture.
        pieces: int32 [n, 2]; width and height of each of its pieces, which tell at no cost whether to look at all.

    Returns:
        The same object if there are none, else a copy without them.
    """
    height, width = ink.mask.shape
    for upright, share in ((False, ACROSS * width), (True, DOWN * height)):
        along, across = (pieces[:, 1], pieces[:, 0]) if upright else (pieces[:, 0], pieces[:, 1])
        dashes = (along >= 3 * across) & (along >= RUN) & (across <= 2 * THICK)
        if along.max(initial=0) >= share or along[dashes].sum() >= share / 2:
            rules = _rules(ink.mask, upright)
            if rules is not None:
                ink = _erase(ink, rules, upright)
    return ink


def _kernel(along: int, across: int, upright: bool) -> NDArray[np.uint8]:
    return np.ones((along, across) if upright else (across, along), np.uint8)


def _rules(mask: NDArray[np.uint8], upright: bool) -> NDArray[np.uint8] | None:
    """Which pixels of a mask belong to rulings along one axis: uint8 of its shape, 255 or 0; None if there are none."""
    import cv2

    extent = mask.shape[0] if upright else mask.shape[1]
    least = (DOWN if upright else ACROSS) * extent
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _kernel(1, THICK, upright))
    runs = cv2.morphologyEx(cv2.subtract(mask, thick), cv2.MORPH_OPEN, _kernel(RUN, 1, upright))
    if cv2.countNonZero(runs) < least / 2:
        return None
    # Runs of one line lie end to end, a pixel higher or lower each: grown along the line they touch.
    gap = GAP_DOWN if upright else GAP
    grown = cv2.dilate(runs, _kernel(gap + 1, 5, upright))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(grown, connectivity=8, ltype=cv2.CV_16U)
    along, across = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    if upright:
        along, across = across, along
    is_rule = (along - gap >= least) & (across <= 6 + THICK + 0.12 * along)
    is_rule[0] = False
    if not is_rule.any():
        return None
    rules: NDArray[np.uint8] = cv2.bitwise_and(runs, (is_rule * np.uint8(255))[labels])
    return rules


def _erase(ink: Ink, rules: NDArray[np.uint8], upright: bool) -> Ink:
    """Remove rulings with their rim, but for the places where ink goes on at both sides of them."""
    import cv2

    wide = cv2.bitwise_and(cv2.dilate(rules, _kernel(1, 3, upright)), ink.mask)
    rest = cv2.subtract(ink.mask, wide)
    reach = THICK + 2
    far = (reach - 1, 0) if upright else (0, reach - 1)
    before = cv2.dilate(rest, _kernel(1, reach, upright), anchor=far)
    after = cv2.dilate(rest, _kernel(1, reach, upright), anchor=(0, 0))
    crossing = cv2.bitwise_and(cv2.bitwise_and(before, after), wide)
    gone = cv2.subtract(cv2.dilate(rules, _kernel(1, 5, upright)), cv2.bitwise_or(crossing, rest))
    kept = cv2.bitwise_not(gone)
    return replace(ink, map=cv2.bitwise_and(ink.map, kept), mask=cv2.bitwise_or(rest, crossing))
