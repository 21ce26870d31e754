"""Scenes, letters, clutter and the data set made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Dataset, clutter, glyphs, labels_of, live, load, scenes, strokes
from edgecnn.data.types import ArraySplit
from edgecnn.errors import ArgumentError
from edgecnn.vision.candidate import Candidate

QUIET = scenes.Style(letters=0, blur=0, noise=0, grain=0, shade=0, ruled=0, shadow=0, light=0, edge=0)


@pytest.fixture(scope="module")
def part():
    """Written digits in MNIST's form: no data set is needed."""
    from edgecnn.preprocess import centre_digits

    rng = np.random.default_rng(0)
    labels = np.arange(60) % 10
    inks = [strokes.draw(strokes.DIGITS[digit][0], rng, pen=9) for digit in labels]
    return ArraySplit(centre_digits(inks), labels)


def test_every_form_can_be_written():
    rng = np.random.default_rng(1)
    digits = [form for forms in strokes.DIGITS.values() for form in forms]
    for form in [*strokes.LETTERS.values(), *strokes.SIGNS.values(), *digits]:
        ink = strokes.draw(form, rng, pen=6)
        assert ink.dtype == np.uint8 and ink.max() == 255
        assert not (ink[0].any() or ink[-1].any() or ink[:, 0].any() or ink[:, -1].any())


def test_a_rounded_path_runs_through_its_points():
    points = np.array([[0, 0], [4, 0], [4, 4], [0, 8.0]])
    curve = strokes.round_corners(points, pieces=5)
    assert len(curve) == 16
    assert np.allclose(curve[::5], points)


@pytest.mark.parametrize("font", glyphs.FONTS + glyphs.HELD + glyphs.UNSEEN)
def test_every_font_prints(font):
    for character in glyphs.letters(font)[::7] + glyphs.DIGITS[::4]:
        ink = glyphs.glyph(font, character)
        assert ink.max() == 255 and min(ink.shape) > 8
        with pytest.raises(ValueError, match="read-only"):
            ink[0, 0] = 1


def test_a_font_that_is_not_there_is_told():
    with pytest.raises(ArgumentError, match=r"font: expected one of DejaVuSans, .* got 'Wingdings'"):
        glyphs.glyph("Wingdings", "A")


def test_letters_are_those_that_a_font_has():
    assert glyphs.letters("DejaVuSans") == glyphs.LETTERS
    assert set(glyphs.LETTERS) - set(glyphs.letters("cmr10")) == set("<>{}~")


def test_what_is_measured_with_is_not_learnt_from():
    assert len({*glyphs.FONTS, *glyphs.HELD, *glyphs.UNSEEN}) == sum(
        map(len, (glyphs.FONTS, glyphs.HELD, glyphs.UNSEEN))
    )
    assert not {form[0] for form in strokes.LETTERS if len(form) == 1} & set("IOSZlioqsz")
    assert not set(glyphs.LETTERS) & set("0123456789IOSZlioqsz")


@pytest.mark.parametrize("kind", clutter.KINDS, ids=lambda kind: kind.__name__)
def test_clutter_has_ink(kind):
    rng = np.random.default_rng(2)
    for _ in range(20):
        ink = kind(rng)
        assert ink.dtype == np.uint8 and ink.ndim == 2 and ink.max() > 100


def test_a_scene_is_what_its_seed_says(part):
    one, other, different = (scenes.render(np.random.default_rng(seed), part.images, part.labels) for seed in (5, 5, 6))
    assert np.array_equal(one.picture, other.picture) and one.text == other.text
    assert not np.array_equal(one.picture, different.picture)


def test_a_scenes_truth_is_where_its_ink_is(part):
    for seed in range(8):
        scene = scenes.render(np.random.default_rng(seed), part.images, part.labels, style=QUIET)
        assert scene.picture.shape == (480, 640, 3)
        assert len(scene.boxes) == len(scene.labels) == len(scene.text.replace("|", ""))
        assert scene.text.replace("|", "") == "".join(map(str, scene.labels))
        ink = scene.picture.max(axis=2) < 0.9 * scene.picture.max()
        outside = ink.copy()
        for x, y, right, bottom in np.rint(scene.boxes).astype(int):
            assert ink[y:bottom, x:right].any()
            outside[max(y - 2, 0) : bottom + 2, max(x - 2, 0) : right + 2] = False
        assert outside.sum() <= 0.02 * ink.sum()


def test_letters_keep_clear_of_digits(part):
    letters = [strokes.draw(strokes.LETTERS["A"], np.random.default_rng(0))]
    style = replace(QUIET, letters=8, perspective=0.0)
    for seed in range(6):
        scene = scenes.render(np.random.default_rng(seed), part.images, part.labels, letters, style)
        for x, y, right, bottom in scene.others:
            apart = (scene.boxes[:, 0] > right) | (scene.boxes[:, 2] < x)
            apart |= (scene.boxes[:, 1] > bottom) | (scene.boxes[:, 3] < y)
            assert apart.all()


def test_without_digits_there_is_no_truth(part):
    scene = scenes.render(np.random.default_rng(0), part.images[:0], part.labels[:0], style=QUIET)
    assert scene.text == "" and scene.boxes.shape == (0, 4)


def test_what_a_camera_sees_stays_recognisable(part):
    rng = np.random.default_rng(3)
    for digit in part.images[:20]:
        seen = live.as_seen(rng, digit)
        assert seen.dtype == np.uint8 and min(seen.shape) >= 3 and seen.max() > 100


def test_digits_that_have_grown_together_are_wider_than_one(part):
    from edgecnn.preprocess import centre_digit

    rng = np.random.default_rng(4)
    widths = [np.nonzero(centre_digit(live.grown_together(rng, part)).max(axis=0) > 60)[0] for _ in range(20)]
    assert np.median([w[-1] - w[0] for w in widths]) >= 16


def test_candidates_get_their_true_names(part):
    named = wrong = 0
    for seed in range(6):
        scene = scenes.render(np.random.default_rng(seed), part.images, part.labels, style=QUIET)
        pixels, labels = live.labelled_candidates(scene)
        assert pixels.shape == (len(labels), 28, 28)
        named += (labels != live.NOT_A_DIGIT).sum()
        wrong += (labels == live.NOT_A_DIGIT).sum()
    assert named > 10 * wrong


def test_a_box_between_two_is_left_out(part, monkeypatch):
    scene = scenes.render(np.random.default_rng(1), part.images, part.labels, style=QUIET)
    x, y, right, bottom = scene.boxes[0].tolist()
    half = Candidate((int(x), int(y), int(right - x) // 2, int(bottom - y)), part.images[0], 0, part.images[0])
    monkeypatch.setattr(live, "locate", lambda _: [half])
    pixels, labels = live.labelled_candidates(scene)
    assert pixels.shape == (0, 28, 28) and labels.shape == (0,)


def test_a_split_holds_what_its_amounts_say(part):
    others = ArraySplit(part.images[:4], part.labels[:4])
    amounts = live.Amounts(7, 2, 6, 5, 4, 3, 9, 2, 1)
    split = live.make_split(part, others, amounts, seed=[1], fonts=glyphs.FONTS)
    again = live.make_split(part, others, amounts, seed=[1], fonts=glyphs.FONTS)
    assert np.array_equal(split.images, again.images) and np.array_equal(split.labels, again.labels)
    assert np.array_equal(split.images[:60], part.images)
    drawn = split.labels[60:]
    assert (drawn[:20] < live.NOT_A_DIGIT).all() and (drawn[20:38] == live.NOT_A_DIGIT).all()
    assert set(drawn[7:9]) <= set(others.labels.tolist())
    assert len(drawn) > 38


def test_labels_are_known_before_it_is_made(mnist: Dataset, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = live.Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0)
    monkeypatch.setattr(live, "TRAIN", nothing)
    monkeypatch.setattr(live, "HELD", nothing)
    assert labels_of("digits-live") == load("digits-live", data_dir=data_dir).labels
    assert labels_of("mnist") == mnist.labels
