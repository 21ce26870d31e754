"""Reading order: lines top to bottom, left to right, also where they slant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.vision import lines
from edgecnn.vision.lines import reading_order


def rows(counts, *, tall=40, step=60, pitch=90, degrees=0.0, jitter=0.0, seed=0):
    """Boxes of lines of digits, turned about the origin: int32 [n, 4]."""
    rng = np.random.default_rng(seed)
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centres = [[100 + step * i, 100 + pitch * row] for row, count in enumerate(counts) for i in range(count)]
    centres = np.array(centres) @ matrix.T + rng.normal(0, jitter, (sum(counts), 2)) + 500
    half = np.array([tall * 0.3, tall * 0.5])
    return np.rint(np.concatenate([centres - half, centres + half], axis=1)).astype(np.int32)


def expected(counts):
    ends = np.cumsum(counts)
    return [list(range(end - count, end)) for end, count in zip(ends, counts, strict=True)]


@pytest.mark.parametrize("counts", [[1], [3], [7, 7], [8, 5, 8, 4], [2, 1]])
def test_level_lines(counts):
    assert reading_order(rows(counts)) == expected(counts)


@pytest.mark.parametrize("degrees", [-35, -20, -8, 8, 20, 35])
@pytest.mark.parametrize("counts", [[6], [6, 6], [5, 7, 4]])
def test_slanted_lines(degrees, counts):
    assert reading_order(rows(counts, degrees=degrees)) == expected(counts)


def test_nothing_has_no_lines():
    assert reading_order(np.zeros((0, 4), np.int32)) == []


def test_two_digits_one_below_the_other_are_two_lines():
    assert reading_order(rows([1, 1])) == [[0], [1]]


def test_a_tall_digit_belongs_to_its_line():
    boxes = rows([5, 5])
    boxes[2, 1] -= 15
    boxes[2, 3] += 25  # a 9 with a long tail
    assert reading_order(boxes) == expected([5, 5])


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(3, 8), min_size=1, max_size=4),
    degrees=st.floats(-12, 12),
    seed=st.integers(0, 2**31),
)
def test_order_holds_for_any_hand(counts, degrees, seed):
    boxes = rows(counts, degrees=degrees, jitter=2.5, seed=seed)
    assert reading_order(boxes) == expected(counts)


@settings(max_examples=60)
@given(order=st.permutations(range(11)), dx=st.integers(-500, 500), dy=st.integers(-500, 500))
def test_neither_the_order_of_the_boxes_nor_their_place_matters(order, dx, dy):
    boxes = rows([6, 5], degrees=5)
    shuffled = (boxes + np.array([dx, dy, dx, dy]))[list(order)].astype(np.int32)
    assert [[order[i] for i in line] for line in reading_order(shuffled)] == reading_order(boxes)


@settings(max_examples=60)
@given(boxes=st.lists(st.tuples(*[st.integers(0, 600)] * 2, *[st.integers(1, 300)] * 2), max_size=30))
def test_every_box_is_read_once(boxes):
    table = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.int32).reshape(-1, 4)
    assert sorted(i for line in reading_order(table) for i in line) == list(range(len(boxes)))


BOXES = st.lists(
    st.tuples(*[st.integers(0, 600), st.integers(0, 60)], *[st.integers(8, 60)] * 2), min_size=2, max_size=9
)


@settings(max_examples=300)
@given(boxes=BOXES)
def test_what_is_plainly_one_line_is_the_line_that_the_search_finds(boxes):
    corners = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    quick = reading_order(corners)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_level_line", lambda *_: [])
        assert reading_order(corners) == quick
