"""The overlay: readable on any ground, never outside of the picture, the picture itself untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import ArgumentError
from edgecnn.spec import Reading
from edgecnn.vision.draw import PLATE, SURE, UNSURE, draw

STATUS = "30.0 fps  age 12 ms  dropped 3"


def has(picture, colour):
    return bool((picture.reshape(-1, 3) == colour).all(axis=1).any())


@pytest.mark.parametrize("level", [0, 128, 255])
def test_boxes_and_text_stand_out_on_any_ground(level):
    picture = np.full((480, 640, 3), level, np.uint8)
    drawn = draw(picture, [Reading("7", 0.97, (100, 100, 60, 90))], "7", STATUS)
    box = drawn[96:196, 96:166]
    assert has(box, SURE) and has(box, PLATE)
    light, dark = drawn[:60, :60].max(), drawn[:60, :60].min()
    assert light > 200 and dark < 60  # the number
    assert drawn[440:, :200].max() > 200 and drawn[440:, :200].min() < 60  # the status
    assert (picture == level).all()


def test_an_unsure_reading_has_another_colour():
    drawn = draw(np.zeros((480, 640, 3), np.uint8), [Reading("7", 0.6, (100, 100, 60, 90))])
    assert has(drawn, UNSURE) and not has(drawn, SURE)


def test_nothing_is_drawn_where_there_is_nothing_to_say():
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    drawn = draw(picture, [])
    assert np.array_equal(drawn, picture) and drawn is not picture


def test_grey_becomes_colour():
    assert draw(np.zeros((48, 64), np.uint8), []).shape == (48, 64, 3)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    box=st.tuples(*[st.integers(-200, 200)] * 2, *[st.integers(1, 400)] * 2),
    text=st.text("0123456789|", max_size=40),
)
def test_any_picture_and_any_box(size, box, text):
    drawn = draw(np.zeros((*size, 3), np.uint8), [Reading("9", 0.5, box)], text, STATUS)
    assert drawn.shape == (*size, 3)


@pytest.mark.parametrize("picture", [np.zeros((5, 5), np.float32), np.zeros((5, 5, 4), np.uint8)])
def test_other_pictures_are_refused(picture):
    with pytest.raises(ArgumentError, match="picture: expected uint8"):
        draw(picture, [])
