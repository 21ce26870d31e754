"""From candidates to digits: what the network calls no digit goes, touching digits are cut, the rest becomes lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.vision.doubt import settled
from edgecnn.vision.lines import reading_order
from edgecnn.vision.split import split

if TYPE_CHECKING:
    from edgecnn.vision.candidate import Candidate
    from edgecnn.vision.doubt import Classify

CERTAIN = 0.9
"""Least probability, of being a digit and of being its best class, for each part of a candidate that is cut."""
STROKE, SURE = 1, 0.99
"""The digit that is a bare stroke. Many a letter (H, N, R) is cut into such and something else: a cut that gives only
strokes proves no digits, and where one part is a stroke each must have this probability."""
NEIGHBOURS = 2
"""Least digits elsewhere in the picture before a candidate is cut: alone, a letter is more likely than two digits."""


@dataclass(slots=True, eq=False)
class Digit:
    """A digit that was found.

    Attributes:
        candidate: Where and what it looks like.
        line: Number of its line, from 0 at the top.
        probabilities: Of each class.
    """

    candidate: Candidate
    line: int
    probabilities: list[float]


def decide(candidates: Sequence[Candidate], classify: Classify, *, reject: int | None, threshold: float) -> list[Digit]:
    """Choose which candidates are digits.

    The classes of digits count together: what may be a 1 or a 7 is a digit still.

    Args:
        candidates: As `locate` gives them.
        classify: Gives the probabilities float32 [n, classes] for pixels uint8 [n, 28, 28].
        reject: Which class means "not a digit"; None if there is none, then the best class must reach the threshold.
        threshold: Least probability of being a digit, 0..1.

    Returns:
        Digits in reading order: lines top to bottom, each left to right.
    """
    if not candidates:
        return []
    pixels = np.array([c.pixels for c in candidates])
    probabilities = classify(pixels)
    if reject is not None:
        probabilities = settled(pixels, probabilities, classify, reject)
    rows = probabilities.tolist()
    good = [(max(row) if reject is None else 1 - row[reject]) >= threshold for row in rows]
    if all(good):  # Nothing goes, so the lines stay those that `locate` has found.
        return [Digit(c, c.line, row) for c, row in zip(candidates, rows, strict=True)]
    digits = [(c, row) for c, row, g in zip(candidates, rows, good, strict=True) if g]
    if reject is not None and len(digits) >= NEIGHBOURS:
        beside = [c.box for c, _ in digits]
        for candidate, is_digit in zip(candidates, good, strict=True):
            if not is_digit and _in_line(candidate, beside):
                digits += _cut(candidate, classify, reject, max(threshold, CERTAIN))
    boxes = [(x, y, x + w, y + h) for x, y, w, h in (c.box for c, _ in digits)]
    return [
        Digit(digits[i][0], line, digits[i][1]) for line, members in enumerate(reading_order(boxes)) for i in members
    ]


def _in_line(candidate: Candidate, digits: Sequence[tuple[int, int, int, int]]) -> bool:
    """Whether a candidate is as tall as the digits with these boxes usually are and stands at the height of one."""
    _, top, _, height = candidate.box
    usual = sorted(tall for _, _, _, tall in digits)[len(digits) // 2]
    if not 0.6 * usual <= height <= 1.6 * usual:
        return False
    middle = top + height / 2
    return any(abs(y + tall / 2 - middle) <= 0.5 * usual for _, y, _, tall in digits)


def _cut(
    candidate: Candidate, classify: Classify, reject: int, threshold: float
) -> list[tuple[Candidate, list[float]]]:
    """The parts of the best way to cut a candidate, if all of them are digits beyond doubt; else nothing."""
    ways = split(candidate)
    if not ways:
        return []
    parts = [part for way in ways for part in way]
    probabilities = classify(np.array([part.pixels for part in parts]))
    named = probabilities.copy()
    named[:, reject] = 0
    digits, strokes = named.max(axis=1).tolist(), (named.argmax(axis=1) == STROKE).tolist()
    best: list[tuple[Candidate, list[float]]] = []
    best_score, start = threshold, 0
    for way in ways:
        own = slice(start, start + len(way))
        score = min(digits[own])
        proven = not any(strokes[own]) or (score >= SURE and not all(strokes[own]))
        if proven and score >= best_score:
            best_score = score
            best = list(zip(way, probabilities[own].tolist(), strict=True))
        start = own.stop
    return best
