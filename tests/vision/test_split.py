"""Touching digits: the right cut is among the ways, and what the network says decides."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.vision.candidate import Candidate
from edgecnn.vision.decide import decide
from edgecnn.vision.locate import locate
from edgecnn.vision.split import split

NONE = 10


def whole(ink, box=None):
    return Candidate(box or (100, 50, ink.shape[1], ink.shape[0]), np.zeros((28, 28), np.uint8), 0, ink)


def bars(*places, height=60, joined=True):
    """Upright bars at columns, with a thin bridge from the first to the last where they are joined."""
    ink = np.zeros((height, places[-1] + 12), np.uint8)
    for x in places:
        ink[:, x : x + 10] = 255
    if joined:
        ink[height // 2 : height // 2 + 3, places[0] : places[-1] + 10] = 255
    return ink


def test_a_narrow_candidate_is_not_cut():
    assert split(whole(bars(0, height=60))) == []


def test_two_bars_are_cut_between_them():
    ways = split(whole(bars(0, 40)))
    assert ways
    first, second = ways[0]
    assert abs(first.ink.shape[1] + second.ink.shape[1] - 50) <= 3
    assert first.box[0] == 100 and second.box[0] > 100 + 10
    assert first.pixels.shape == second.pixels.shape == (28, 28)


def test_a_wide_candidate_is_cut_in_three_too():
    assert {len(way) for way in split(whole(bars(0, 40, 80)))} == {2, 3}


def test_boxes_of_parts_are_in_pixels_of_the_picture():
    ink = bars(0, 40)
    halved = whole(ink, (100, 50, ink.shape[1] // 2, ink.shape[0] // 2))
    for way in split(halved):
        for part in way:
            x, y, w, h = part.box
            assert x >= 100 and x + w <= 100 + ink.shape[1] // 2 + 1
            assert y >= 50 and y + h <= 50 + ink.shape[0] // 2 + 1


@pytest.mark.parametrize("seed", range(5))
def test_no_ink_is_lost_or_doubled(seed):
    rng = np.random.default_rng(seed)
    ink = np.zeros((60, 70), np.uint8)
    cv2.polylines(ink, [rng.integers(5, 55, (8, 2)).astype(np.int32)], False, 255, 4)
    for way in split(whole(ink)):
        assert sum(int(part.ink.sum()) for part in way) == int(ink.sum())


def answers(table):
    """A network that knows each candidate by the width of its ink in MNIST's form: [(least width, class)]."""

    def classify(pixels):
        result = np.full((len(pixels), 11), 0.001, np.float32)
        for row, digit in zip(result, pixels, strict=True):
            cols = np.nonzero(digit.max(axis=0) > 100)[0]
            width = 0 if not len(cols) else cols[-1] - cols[0] + 1
            row[next(label for least, label in table if width >= least)] = 0.99
        return result

    return classify


def two_joined(page):
    """Four upright strokes, the last two of which hang together by a thin line, like an H."""
    picture = page("111", tall=80, gap=1.0, pen=9)
    picture[100:103, 280:420] = 225
    cv2.line(picture, (340, 95), (385, 95), 0, 3)
    cv2.line(picture, (385, 60), (385, 140), 0, 9)
    cv2.line(picture, (340, 60), (340, 140), 0, 9)
    return picture


def test_a_candidate_that_is_no_digit_is_cut_where_digits_stand_beside_it(page):
    found = decide(locate(two_joined(page)), answers([(9, NONE), (0, 7)]), reject=NONE, threshold=0.5)
    assert len(found) == 4
    assert [d.candidate.box[0] for d in found] == sorted(d.candidate.box[0] for d in found)
    assert {d.line for d in found} == {0}


def test_a_letter_between_whose_stems_a_cut_would_pass_stays_whole(page):
    found = decide(locate(two_joined(page)), answers([(9, NONE), (0, 1)]), reject=NONE, threshold=0.5)
    assert len(found) == 2


@pytest.mark.parametrize(("sure", "digits"), [(0.98, 2), (0.995, 4)])
def test_a_stroke_beside_a_digit_must_be_surer(page, sure, digits):
    def classify(pixels):
        result = np.zeros((len(pixels), 11), np.float32)
        names = answers([(9, NONE), (0, 1)])(pixels).argmax(axis=1)
        names[np.nonzero(names == 1)[0][1::2]] = 7  # the right part of each cut
        result[np.arange(len(names)), names] = sure
        return result

    assert len(decide(locate(two_joined(page)), classify, reject=NONE, threshold=0.5)) == digits


def test_alone_it_is_a_letter_and_stays_whole():
    sheet = np.full((480, 640), 225, np.uint8)
    for x in (200, 245):
        cv2.line(sheet, (x, 200), (x, 280), 0, 9)
    cv2.line(sheet, (200, 240), (245, 240), 0, 4)
    assert decide(locate(sheet), answers([(9, NONE), (0, 1)]), reject=NONE, threshold=0.5) == []


def test_all_digit_classes_count_together(page):
    picture = page("17")
    unsure = np.zeros((2, 11), np.float32)
    unsure[:, [1, 7]], unsure[:, NONE] = 0.4, 0.2

    def classify(pixels):
        return np.resize(unsure, (len(pixels), 11))

    assert len(decide(locate(picture), classify, reject=NONE, threshold=0.75)) == 2
    assert decide(locate(picture), classify, reject=NONE, threshold=0.85) == []
    assert decide(locate(picture), lambda _: unsure[:, :10], reject=None, threshold=0.5) == []


def test_lines_are_made_of_what_remains(page):
    picture = page("123|456")
    found = locate(picture)

    def upper_only(pixels):
        result = np.zeros((len(pixels), 10), np.float32)
        result[:3, 5] = 1
        return result

    digits = decide(found, upper_only, reject=None, threshold=0.5)
    assert [d.line for d in digits] == [0, 0, 0]


def test_no_candidates_ask_the_network_nothing():
    def never(_):
        raise AssertionError

    assert decide([], never, reject=NONE, threshold=0.5) == []
