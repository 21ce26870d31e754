"""Finding digits: light and dark, all sizes, shadows, edges, rulings, broken strokes, noise; what must not matter."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data import scenes
from edgecnn.errors import ArgumentError
from edgecnn.vision.locate import locate


def boxes(picture):
    return [c.box for c in locate(picture)]


def overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def same(found, wanted, least=0.8):
    """Whether the same places were found, in the same order."""
    return len(found) == len(wanted) and all(overlap(a, b) >= least for a, b in zip(found, wanted, strict=True))


def test_digits_come_in_reading_order_each_in_mnist_form(page):
    found = locate(page("31|59"))
    assert [c.line for c in found] == [0, 0, 1, 1]
    assert found[0].box[0] < found[1].box[0] and found[2].box[1] > found[0].box[1] + found[0].box[3]
    for candidate in found:
        assert candidate.pixels.shape == (28, 28) and candidate.pixels.dtype == np.uint8
        assert candidate.pixels.max() > 240 and not candidate.pixels[0].any()


def test_colour_and_grey_are_the_same(page):
    grey = page("2468")
    assert boxes(np.repeat(grey[..., None], 3, axis=2)) == boxes(grey)


@pytest.mark.parametrize("tall", [10, 14, 24, 60, 150, 300, 370])
def test_digits_of_12_to_450_pixels(page, tall):
    found = boxes(page("7", tall=tall, at=(150, 25)))
    assert len(found) == 1
    assert tall < found[0][3] < 2 + 1.25 * tall  # the pen has a width, the curve swings out


def test_light_on_dark_is_found_as_dark_on_light(page):
    picture = page("31|59")
    assert same(boxes(255 - picture), boxes(picture), 0.9)


@pytest.mark.parametrize("contrast", [0.25, 0.5, 1.0])
def test_faint_ink(page, contrast):
    picture = page("123")
    faint = (225 - (225 - picture.astype(float)) * contrast).astype(np.uint8)
    assert same(boxes(faint), boxes(picture))


@pytest.mark.parametrize("light", ["vignette", "gradient", "soft shadow", "hard shadow"])
def test_uneven_light_changes_nothing(page, light):
    picture = page("123|456")
    y, x = np.mgrid[0:480, 0:640]
    share = {
        "vignette": 1 - 0.7 * ((x - 320) ** 2 + (y - 240) ** 2) / (320**2 + 240**2),
        "gradient": 0.35 + 0.65 * x / 640,
        "soft shadow": 1 - 0.45 / (1 + np.exp(-(x + y - 500) / 40)),
        "hard shadow": np.where(x > 330, 0.6, 1.0),
    }[light]
    assert same(boxes((picture * share).astype(np.uint8)), boxes(picture), 0.75)


@pytest.mark.parametrize("cast", [(0.6, 0.9, 1.0), (1.0, 0.8, 0.55)])
def test_coloured_paper(page, cast):
    picture = page("40")
    coloured = (picture[..., None] * np.array(cast)).astype(np.uint8)
    assert same(boxes(coloured), boxes(picture))


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_paper_that_ends_on_a_dark_table_gives_no_digit(page, side):
    picture = page("123", at=(200, 200)).astype(float)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:480, 0:640]
    across = {"left": x, "right": 639 - x, "top": y, "bottom": 479 - y}[side]
    along = y if side in ("left", "right") else x
    table = across < 40 + 0.02 * along
    picture[table] = 35 + rng.normal(0, 4, int(table.sum()))
    assert same(boxes(np.clip(picture, 0, 255).astype(np.uint8)), boxes(page("123", at=(200, 200))))


def test_an_empty_page_has_nothing():
    rng = np.random.default_rng(0)
    for level in (0, 30, 128, 255):
        assert boxes(np.full((480, 640), level, np.uint8)) == []
        noisy = np.clip(level + rng.normal(0, 6, (480, 640)), 0, 255).astype(np.uint8)
        assert len(boxes(noisy)) <= 2


@pytest.mark.parametrize("sigma", [4, 10, 16])
def test_noise(page, sigma):
    picture = page("123|456")
    noisy = picture + np.random.default_rng(1).normal(0, sigma, picture.shape)
    assert same(boxes(np.clip(noisy, 0, 255).astype(np.uint8)), boxes(picture))


@pytest.mark.parametrize("slope", [0.0, 0.03, -0.05])
@pytest.mark.parametrize("thick", [1, 2, 3])
def test_ruled_paper_is_as_plain_paper(page, slope, thick):
    plain = page("123|456", tall=70)
    ruled = plain.copy()
    for y in range(20, 480, 45):
        cv2.line(ruled, (0, y), (639, round(y + slope * 640)), 150, thick, cv2.LINE_AA)
    ruled = np.minimum(ruled, plain)
    assert same(boxes(ruled), boxes(plain), 0.7)


def test_ruled_paper_under_bold_digits_is_as_plain_paper(page):
    plain = page("8888888", tall=130, gap=0.05, at=(20, 150), pen=18)
    ruled = plain.copy()
    for y in range(10, 480, 45):
        cv2.line(ruled, (0, y), (639, y), 150, 2, cv2.LINE_AA)
    assert same(boxes(np.minimum(ruled, plain)), boxes(plain), 0.7)


def test_squared_paper_is_as_plain_paper(page):
    plain = page("123|456", tall=70)
    squared = plain.copy()
    for y in range(20, 480, 40):
        cv2.line(squared, (0, y), (639, y), 160, 1)
    for x in range(10, 640, 40):
        cv2.line(squared, (x, 0), (x, 479), 160, 1)
    assert same(boxes(np.minimum(squared, plain)), boxes(plain), 0.7)


@pytest.mark.parametrize("digit", ["7", "5", "2"])
def test_the_bars_of_a_row_of_digits_are_no_ruling(page, digit):
    plain = boxes(page(digit * 11, tall=50, gap=0.35, pen=4))
    assert len(plain) == 11
    assert all(51 < h < 64 for _, _, _, h in plain)


def test_ones_below_each_other_are_no_ruling(page):
    assert len(boxes(page("1|1|1|1", tall=80, pitch=1.3, pen=5))) == 4


def test_a_digit_in_two_pieces_is_one(page):
    broken = page("285", tall=100, at=(150, 200))
    broken[250:255, 255:330] = 225  # the pen skipped in the 8
    assert len(boxes(broken)) == 3
    five = np.full((480, 640), 225, np.uint8)
    cv2.polylines(five, [np.array([[200, 150], [200, 190], [240, 190], [240, 240], [195, 240]])], False, 0, 5)
    cv2.line(five, (208, 145), (245, 143), 0, 5)  # the hat of a 5, written apart
    assert len(boxes(five)) == 1


@pytest.mark.parametrize("hat", [((232, 148), (279, 118)), ((240, 141), (335, 136)), ((238, 128), (290, 124))])
def test_the_hat_of_a_5_may_rise_reach_far_or_float(page, hat):
    five = page("1", at=(60, 130), tall=110)
    bowl = [[230, 158], [222, 190], [255, 190], [255, 240], [212, 240]]
    cv2.polylines(five, [np.array(bowl)], False, 0, 7)
    cv2.line(five, *hat, 0, 7)
    found = boxes(five)
    assert len(found) == 2
    assert found[1][1] < 140 and found[1][0] + found[1][2] > 280


def test_a_flat_stroke_far_above_is_no_hat(page):
    five = page("1", at=(60, 130), tall=110)
    cv2.polylines(five, [np.array([[230, 158], [222, 190], [255, 190], [255, 240], [212, 240]])], False, 0, 7)
    cv2.line(five, (232, 90), (300, 88), 0, 7)
    assert boxes(five)[1][1] > 140


def test_the_inside_of_a_digit_in_very_bold_strokes_is_ink(page):
    bold, usual = locate(page("8", tall=280, pen=70, at=(200, 100))), locate(page("8", tall=70, pen=18, at=(200, 100)))
    assert len(bold) == len(usual) == 1
    assert np.abs(bold[0].pixels.astype(int) - usual[0].pixels).mean() < 16
    light = locate(255 - page("8", tall=280, pen=70, at=(200, 100)))
    assert np.abs(light[0].pixels.astype(int) - usual[0].pixels).mean() < 16


def test_bold_digits_whose_hole_lies_where_the_ground_was_held_for_darkest_are_found(mnist):
    for digit in mnist.test.images[[7815, 2536, 8029]]:
        paper = np.full((480, 640), 220, np.float32)
        paper[100:380, 180:460] *= 1 - cv2.resize(digit, (280, 280), interpolation=cv2.INTER_CUBIC) / 300
        assert len(boxes(np.rint(paper).astype(np.uint8))) == 1


def test_a_dark_thing_on_the_paper_is_ground_for_what_is_written_on_it(page):
    desk = np.full((480, 640), 225, np.uint8)
    desk[200:420, 300:560] = np.maximum(255 - page("31", at=(60, 60)), 100)[:220, :260]
    assert len(boxes(desk)) == 2


def test_a_band_of_light_along_the_edge_of_the_paper_is_no_digit(page):
    plain = page("15", tall=60, at=(300, 330)).astype(np.float32)
    y, x = np.mgrid[0:480, 0:640]
    shadow = 1 - 0.55 / (1 + np.exp(-(y - 0.35 * x - 110) / 20))
    picture = plain * shadow * 0.8
    picture[x < 24 - 0.01 * y] = 14
    assert same(boxes(picture.astype(np.uint8)), boxes(plain.astype(np.uint8)), 0.7)


@pytest.mark.parametrize("digit", ["2", "5", "7", "4"])
def test_a_stroke_that_lies_on_a_ruling_stays(page, digit):
    plain = np.maximum(page(f"1{digit}1", tall=60, at=(60, 200), pen=4), 80)
    digits = boxes(plain)
    x, _, width, _ = digits[1]
    level = int((plain[:, x : x + width] < 100).sum(axis=1).argmax())  # where its flattest stroke lies
    ruled = plain.copy()
    for y in range(level % 50, 480, 50):
        cv2.line(ruled, (0, y), (639, y), 150, 3)
    assert same(boxes(np.minimum(ruled, plain)), digits, 0.93)


def test_a_digit_alone_whose_stroke_faded_in_the_middle_is_one(page):
    three = page("3", tall=120, at=(200, 150))
    whole = boxes(three)
    waist = three[200:212, 180:320]
    waist[waist < 180] = 180
    assert same(boxes(three), whole, 0.9)


def test_a_dot_belongs_to_what_it_is_a_dot_of_and_a_small_digit_is_no_dot(page):
    picture = page("1", tall=100, at=(100, 200))
    whole = boxes(picture)[0]
    cv2.circle(picture, (130, 340), 8, 0, -1)
    dotted = boxes(picture)
    assert len(dotted) == 1 and dotted[0][1] == whole[1] and dotted[0][1] + dotted[0][3] >= 347
    large = page("1", tall=250, at=(100, 60), pen=25)
    small = page("3", tall=50, at=(90, 330))
    assert len(boxes(np.minimum(large, small))) == 2


def test_neighbours_stay_out_of_a_crop(page):
    apart, close = page("47", gap=0.6), page("47", gap=0.2)
    for a, b in zip(locate(apart), locate(close), strict=True):
        assert np.abs(a.pixels.astype(int) - b.pixels).mean() < 3


def test_a_large_picture_is_reduced_and_boxes_stay_its_own(page):
    picture = page("123")
    large = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    found = boxes(large)
    assert same([tuple(v / 4 for v in box) for box in found], boxes(picture))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (5, 5), (28, 28), (3, 2000), (1, 9000), (9000, 1)])
def test_any_size_is_searched(size):
    rng = np.random.default_rng(2)
    assert isinstance(locate(rng.integers(0, 256, size, np.uint8)), list)
    assert isinstance(locate(rng.integers(0, 256, (*size, 3), np.uint8)), list)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((5, 5), np.float32), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5), np.uint8), np.zeros(5, np.uint8)],
)
def test_other_pictures_are_refused(picture):
    with pytest.raises(ArgumentError, match=r"picture: expected uint8 .* got"):
        locate(picture)


def test_the_picture_stays_as_it_is(page):
    picture = page("123")
    before = picture.copy()
    locate(picture)
    assert np.array_equal(picture, before)


@settings(max_examples=25)
@given(dx=st.integers(0, 120), dy=st.integers(0, 150))
def test_moving_the_writing_moves_the_boxes(dx, dy):
    picture = _written(0, 0)
    moved = _written(dx, dy)
    wanted = [(x + dx, y + dy, w, h) for x, y, w, h in boxes(picture)]
    found = boxes(moved)
    assert len(found) == 3
    assert np.abs(np.array(found) - np.array(wanted)).max() <= 1


@settings(max_examples=25)
@given(factor=st.floats(0.6, 1.9))
def test_scaling_the_picture_scales_the_boxes(factor):
    picture = _written(0, 0)
    scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert same([tuple(v / factor for v in box) for box in boxes(scaled)], boxes(picture), 0.8)


def _written(dx, dy):
    sheet = np.full((480, 640), 210, np.uint8)
    paths = ([[0, 0], [40, 0], [15, 70]], [[0, 0], [0, 70]], [[0, 10], [30, 0], [35, 25], [0, 70], [40, 70]])
    for i, path in enumerate(paths):
        points = np.array(path) + np.array([60 + 90 * i + dx, 60 + dy])
        cv2.polylines(sheet, [points.astype(np.int32)], False, 20, 7, cv2.LINE_AA)
    return sheet


def test_rendered_scenes_are_found_and_read_in_order(mnist):
    """Recall over scenes of MNIST digits; what is no digit is for the network."""
    found = true = ordered = 0
    for number in range(25):
        style = scenes.Style(letters=0, edge=0, ruled=0.3)
        scene = scenes.render(np.random.default_rng([11, number]), mnist.test.images, mnist.test.labels, style=style)
        wanted = [(x, y, r - x, b - y) for x, y, r, b in scene.boxes.tolist()]
        places = boxes(scene.picture)
        hits = [max(range(len(places)), key=lambda i: overlap(places[i], box), default=-1) for box in wanted]
        good = [i for i, box in zip(hits, wanted, strict=True) if i >= 0 and overlap(places[i], box) > 0.5]
        true += len(wanted)
        found += len(good)
        ordered += sum(a < b for a, b in pairwise(good)) + 1
    assert found >= 0.97 * true
    assert ordered >= 0.97 * found
