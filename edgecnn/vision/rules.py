"""Ruled and squared paper: long thin straight lines are taken out of the ink, digits that cross them stay whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.vision.ink import Ink
    from edgecnn.vision.pieces import Pieces

THICK = 7
"""Thickness from which a line is no ruling, in pixels."""
RUN = 12
"""Shortest run of pixels of a ruling along its axis: it may slant by its thickness over this length."""
STEEP = 0.1
"""Greatest slope of a ruling."""
ACROSS, DOWN = 0.4, 0.6
"""Share of the picture's width (height) that a level (an upright) ruling spans: a 1 may be tall."""
FAINT = 0.25
"""Share of the ink's typical level from which a pixel may belong to a ruling, which is fainter than the digits."""
VOTES = 0.2
"""Share of the picture's width (height) that pixels of a ruling make up when pushed together: it may be faint."""
COVER, ALONE, PLAIN = 0.7, 0.5, 0.5
"""A line is a ruling if it covers this share of its span, or if this share of its pixels hangs on no digit: the bars
of a row of 7s do neither. Where bold digits stand on it, it need cover the paper between them only, but `PLAIN` of its
span."""
DARKER = 1.5
"""Least ratio of the ink's typical level to a ruling's from which the level tells them apart."""
MOST = 60
"""Most lines that are looked at."""


def without_rules(ink: Ink, pieces: Pieces) -> Ink:
    """Take rulings out of an ink map.

    Args:
        ink: The ink of a picture.
        pieces: Its pieces; their sizes tell at no cost whether to look at all.

    Returns:
        The same object if there are none, else a copy without them.
    """
    import cv2

    height, width = ink.mask.shape
    least = (ACROSS * width, DOWN * height)
    # Across the page and down it, as a level and an upright ruling go. Lists: most pages have a handful of pieces.
    sides = pieces.stats[1:, 2].tolist(), pieces.stats[1:, 3].tolist()
    if all([sum(along) < span / 4 for along, span in zip(sides, least, strict=True)]):
        return ink  # however its pieces lie
    whole = ink
    for along, across, span, upright in zip(sides, sides[::-1], least, (False, True), strict=True):
        thin = [a >= 3 * c and c <= 2 * THICK for a, c in zip(along, across, strict=True)]
        dashed = sum(compress(along, thin))
        if dashed < span / 4 and not any([a >= span / 2 and a >= 1.5 * c for a, c in zip(along, across, strict=True)]):
            continue
        labels, loose = pieces.everywhere(ink.mask.shape), np.array([True, *thin])
        _, faint = cv2.threshold(whole.map, max(FAINT * ink.level, ink.floor), 255, cv2.THRESH_BINARY)
        lines = np.ascontiguousarray(faint.T) if upright else faint
        rules = _rules(lines, labels.T if upright else labels, loose, span)
        if rules is not None:
            mask, levels = (np.ascontiguousarray(m.T) if upright else m for m in (ink.mask, ink.map))
            kept, gone = _parted(mask, rules, _strong(levels, rules, ink.level))
            kept, gone = (kept.T, gone.T) if upright else (kept, gone)
            ink = replace(ink, map=np.where(gone, 0, ink.map).astype(np.uint8), mask=np.ascontiguousarray(kept))
    return ink


def _rules(
    mask: NDArray[np.uint8], labels: NDArray[Any], loose: NDArray[np.bool_], least: float
) -> NDArray[np.uint8] | None:
    """Which pixels of a mask, faint ink included, belong to level rulings: uint8, 255 or 0; None if there are none."""
    import cv2

    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((THICK, 1), np.uint8))
    # A run goes on through what is thick: between bold digits that stand close a ruling shows for a few pixels only.
    runs = cv2.subtract(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, RUN), np.uint8)), thick)
    votes = round(VOTES * mask.shape[1])
    if cv2.countNonZero(runs) < votes:
        return None
    low, high = np.pi / 2 - STEEP, np.pi / 2 + STEEP
    lines = cv2.HoughLines(runs, 1, np.pi / 720, votes, min_theta=low, max_theta=high)
    if lines is None:
        return None
    rules = np.zeros_like(mask)
    for rho, theta in lines[:MOST].reshape(-1, 2).tolist():
        # y at the left and at the right end; both are inside of OpenCV's range, for the line is nearly level
        ends = [round((rho - x * np.cos(theta)) / np.sin(theta)) for x in (0, mask.shape[1] - 1)]
        band = np.zeros_like(mask)
        cv2.line(band, (0, ends[0]), (mask.shape[1] - 1, ends[1]), 255, 3)
        on = cv2.bitwise_and(runs, band)
        if _is_ruling(on, cv2.bitwise_and(cv2.subtract(mask, runs), band), labels, loose, least):
            rules |= on
            runs = cv2.subtract(runs, on)
    return rules if rules.any() else None


def _is_ruling(
    on: NDArray[np.uint8], beside: NDArray[np.uint8], labels: NDArray[Any], loose: NDArray[np.bool_], least: float
) -> bool:
    """Whether the pixels along a line are one: long enough, and without gaps or loose from all digits.

    Args:
        on: Pixels that may be the line, 255 or 0.
        beside: Other ink on the line, 255 or 0: digits that stand on it.
        labels: [h, w]; which piece of ink each pixel belongs to, 0 is none.
        loose: Which of these pieces hang on no digit.
        least: Least span, in pixels.
    """
    columns = np.nonzero(on.max(axis=0))[0]
    if not len(columns):
        return False
    span = int(columns[-1] - columns[0]) + 1
    if span < least:
        return False
    if len(columns) >= PLAIN * span:
        hidden = beside[:, columns[0] : columns[-1] + 1].max(axis=0) > 0
        hidden[columns - columns[0]] = False
        if len(columns) >= COVER * (span - np.count_nonzero(hidden)):
            return True
    return bool(loose[labels[on > 0]].mean() >= ALONE)


def _strong(levels: NDArray[np.uint8], rules: NDArray[np.uint8], level: float) -> NDArray[np.uint8] | None:
    """Where ink is nearer to the digits' level than to that of the rulings: 255, else 0; None if they are too alike."""
    import cv2

    ruling = float(np.median(levels[rules > 0]))
    if level < DARKER * ruling:
        return None
    strong: NDArray[np.uint8] = cv2.threshold(levels, (ruling + level) / 2, 255, cv2.THRESH_BINARY)[1]
    return strong


def _parted(
    mask: NDArray[np.uint8], rules: NDArray[np.uint8], strong: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The mask without level rulings, and what is gone with its rim.

    Of the ink on a ruling stays what goes on at both sides, and what is `strong`: the foot of a 2, a flat hat.
    """
    import cv2

    wide = cv2.bitwise_and(cv2.dilate(rules, np.ones((3, 1), np.uint8)), mask)
    rest = cv2.subtract(mask, wide)
    reach = np.ones((THICK + 2, 1), np.uint8)
    before = cv2.dilate(rest, reach, anchor=(0, THICK + 1))
    after = cv2.dilate(rest, reach, anchor=(0, 0))
    stays = cv2.bitwise_and(before, after)
    if strong is not None:
        stays |= strong
    kept = cv2.bitwise_or(rest, cv2.bitwise_and(stays, wide))
    gone = cv2.subtract(cv2.dilate(rules, np.ones((5, 1), np.uint8)), kept) > 0
    return kept, gone
