"""The overlay: readable on any ground, never outside of the picture, the picture itself untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import ArgumentError
from edgecnn.spec import Reading
from edgecnn.vision import draw as module
from edgecnn.vision.draw import PLATE, SURE, UNSURE, WHITE, draw, scaled, zoom
from edgecnn.vision.place import Ground, label_boxes

STATUS = "30.0 fps  age 12 ms  dropped 3"


@pytest.fixture
def written(monkeypatch):
    """Every text that is drawn with the left, top, right and bottom edge of its plate."""
    texts = []
    write = module._write

    def note(canvas, plate, spot, colour):
        x, y, wide, tall = spot
        texts.append((plate.text, (x, y, x + wide, y + tall)))
        write(canvas, plate, spot, colour)

    monkeypatch.setattr(module, "_write", note)
    return texts


def overlap(one, other):
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])


def digits(text, x=30, y=100, step=90, width=50, height=80):
    return [Reading(label, 0.97, (x + i * step, y, width, height)) for i, label in enumerate(text)]


def visible(drawn, picture, readings):
    """The least share of a box that is as it was."""
    times = zoom(picture)
    same = (drawn == picture.repeat(times, 0).repeat(times, 1)).all(axis=2)
    boxes = (scaled(reading.box, times) for reading in readings)
    return min(same[y : y + h, x : x + w].mean() for x, y, w, h in boxes)


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


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("roi", [(100, 80, 200, 150), (0, 0, 640, 480), (500, 400, 900, 900)])
def test_the_region_is_framed_around_what_is_read_and_nothing_in_it_changes(level, roi):
    picture = np.full((480, 640, 3), level, np.uint8)
    drawn = draw(picture, [], roi=roi)
    changed = np.argwhere((drawn != level).any(axis=2))
    assert has(drawn, WHITE if level != 255 else PLATE) and has(drawn, PLATE if level != 24 else WHITE)
    assert len(changed) < 3 * 2 * (480 + 640), "thin"
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    x, y, w, h = roi
    assert max(abs(left - x), abs(top - y), abs(right - min(x + w, 640)), abs(bottom - min(y + h, 480))) <= 4
    assert (drawn[y + 5 : min(y + h, 480) - 5, x + 5 : min(x + w, 640) - 5] == level).all()


def test_an_unsure_reading_has_another_colour():
    drawn = draw(np.zeros((480, 640, 3), np.uint8), [Reading("7", 0.6, (100, 100, 60, 90))])
    assert has(drawn, UNSURE) and not has(drawn, SURE)


def test_nothing_is_drawn_where_there_is_nothing_to_say():
    picture = np.random.default_rng(0).integers(0, 256, (248, 264, 3), np.uint8)
    drawn = draw(picture, [])
    assert np.array_equal(drawn, picture) and drawn is not picture


def test_grey_becomes_colour():
    assert draw(np.zeros((248, 264), np.uint8), []).shape == (248, 264, 3)


@pytest.mark.parametrize(
    ("height", "width", "times"),
    [(28, 28, 8), (199, 640, 2), (200, 200, 1), (480, 640, 1), (48, 640, 3), (3, 17_000, 1), (1, 1, 200)],
)
def test_a_small_picture_is_enlarged_by_a_whole_number_its_pixels_as_they_are(height, width, times):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    drawn = draw(picture, [])
    assert zoom(picture) == times and drawn.shape == (height * times, width * times, 3)
    assert (drawn.reshape(height, times, width, times, 3) == picture[:, None, :, None]).all()


def test_a_digit_of_mnist_s_size_stays_visible_under_a_label_and_a_number_that_can_be_read(written):
    picture = np.full((28, 28), 200, np.uint8)
    reading = Reading("7", 0.97, (4, 4, 20, 20))
    drawn = draw(picture, [reading], "7", roi=(2, 2, 24, 24))
    x, y, width, height = scaled(reading.box, 8)
    assert (drawn[y : y + height, x : x + width] == 200).all()
    assert has(drawn[y - 2 : y, x : x + width], SURE) and has(drawn[16 - 3 : 16, 20:200], WHITE)
    assert [text for text, _ in written] == ["7", "7 97%"]
    assert all(bottom - top >= 14 for _, (_, top, _, bottom) in written)


FREE = {"upper left": (0, 0), "upper right": (420, 0), "lower left": (0, 380), "lower right": (420, 380)}


@pytest.mark.parametrize("free", FREE)
def test_the_number_and_the_status_hide_no_box_while_there_is_room(free, written):
    picture = np.full((480, 640, 3), 200, np.uint8)
    boxes = [(x + 10, y + 20, 200, 75) for name, (x, y) in FREE.items() if name != free]
    readings = [Reading("1", 0.97, box) for box in [*boxes, (280, 30, 80, 60)]]
    drawn = draw(picture, readings, "1111", "0:00:01.64")
    assert visible(drawn, picture, readings) == 1
    x, y = FREE[free]
    assert overlap(dict(written)["1111"], (x, y, x + 220, y + 100))


def test_a_small_picture_stays_visible():
    picture = np.full((60, 120, 3), 200, np.uint8)
    readings = digits("507", 10, 14, 36, 28, 32)
    assert visible(draw(picture, readings, "507", "0:00:01.64"), picture, readings) == 1


def test_the_number_hides_the_least_where_it_has_to_hide_something(written):
    picture = np.full((480, 640, 3), 200, np.uint8)
    readings = [Reading("8", 0.97, (-20, -20, 680, 470))]
    draw(picture, readings, "8")
    assert dict(written)["8"][3] > 450, "below, where a rim is free"


@pytest.mark.parametrize("step", [55, 60, 75, 100])
@pytest.mark.parametrize("y", [0, 12, 100, 398])
def test_labels_of_neighbours_do_not_overlap(step, y, written):
    readings = digits("53107", step=step, y=y)
    picture = np.full((480, 640, 3), 200, np.uint8)
    drawn = draw(picture, readings, "53107", STATUS)
    assert visible(drawn, picture, readings) == 1
    spots = [spot for _, spot in written]
    assert len(spots) == 7
    assert not any(overlap(one, other) for i, one in enumerate(spots) for other in spots[:i])


@pytest.mark.parametrize(
    ("readings", "labels"),
    [
        (digits("12", 30, 100, 40, 30), ["1 97%", "2 97%"]),  # one above, one below
        (digits("1234", 30, 100, 60, 55), ["1 97%", "2 97%", "3 97%", "4 97%"]),
        (digits("123", 40, 0, 40, 30), ["1 97%", "2", "3 97%"]),  # only below is room
        (digits("123", 0, 0, 28, 22), ["1", "2", "3 97%"]),
        (digits("12", 30, 100, 40, 30) + digits("3", 30, 200, 40, 30), ["1 97%", "2 97%", "3 97%"]),
    ],
)
def test_the_probability_is_left_out_only_where_there_is_no_room_for_it(readings, labels, written):
    picture = np.zeros((480, 640, 3), np.uint8)
    drawn = draw(picture, readings)
    assert [text for text, _ in written] == labels
    assert visible(drawn, picture, readings) == 1


def test_a_label_that_made_room_for_another_one_goes_where_it_is_whole():
    lower, upper = (100, 100, 30, 30), (120, 40, 20, 39)
    walls = [(60, 0, 57, 80), (117, 0, 26, 37), (143, 0, 100, 80)]  # the upper one has room below alone
    labels = label_boxes([lower, upper], [((50, 15), (15, 15))] * 2, Ground([lower, upper, *walls]), (300, 300), 3)
    assert [label.spot for label in labels] == [(97, 133, 50, 15), (117, 82, 50, 15)]


def test_a_label_hides_no_frame_of_another_box(written):
    readings = [Reading("0", 1.0, (72, 350, 22, 24)), Reading("7", 1.0, (105, 347, 18, 35))]
    draw(np.zeros((594, 410, 3), np.uint8), readings)
    x, y, w, h = readings[1].box
    assert not overlap(dict(written)["0 100%"], (x - 3, y - 3, x + w + 3, y + h + 3))


def test_a_reading_of_a_whole_picture_keeps_its_probability(written):
    draw(np.zeros((480, 640, 3), np.uint8), [Reading("cat", 0.97, (0, 0, 640, 480))])
    assert [text for text, _ in written] == ["cat 97%"]


@pytest.mark.parametrize(("height", "least", "most"), [(60, 14, 30), (200, 14, 30), (480, 30, 60), (1440, 90, 180)])
def test_the_number_is_as_large_as_the_picture_allows(height, least, most, written):
    draw(np.zeros((height, 2 * height, 3), np.uint8), [], "507")
    ((_, (_, top, _, bottom)),) = written
    assert least <= bottom - top <= most


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    box=st.tuples(*[st.integers(-200, 200)] * 2, *[st.integers(1, 400)] * 2),
    text=st.text("0123456789|", max_size=40),
)
def test_any_picture_and_any_box(size, box, text):
    drawn = draw(
        np.zeros((*size, 3), np.uint8), [Reading("9", 0.5, box)], text, STATUS, roi=(size[1] // 2, 0, 200, size[0])
    )
    times = zoom(np.zeros(size, np.uint8))
    assert drawn.shape == (size[0] * times, size[1] * times, 3)


@pytest.mark.parametrize("picture", [np.zeros((5, 5), np.float32), np.zeros((5, 5, 4), np.uint8)])
def test_other_pictures_are_refused(picture):
    with pytest.raises(ArgumentError, match="picture: expected uint8"):
        draw(picture, [])
