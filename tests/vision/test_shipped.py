"""The shipped live reader on photographs and rendered scenes. The benchmarks measure the same on many more."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn import pictures
from edgecnn.bundle import read_bundle
from edgecnn.data import live, scenes
from edgecnn.reader import Reader, text

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))
from readers import Matches, edit_distance, tutorial  # noqa: E402

BUNDLE = ROOT / "models" / "digits-live"


@pytest.fixture(scope="module")
def bundle():
    if not (BUNDLE / "bundle.json").is_file():
        pytest.skip("needs models/digits-live, which tools/train-models digits-live makes")
    return read_bundle(BUNDLE)


@pytest.fixture(scope="module")
def reader(bundle):
    with Reader(bundle) as reader:
        yield reader


def test_it_knows_what_is_no_digit(bundle):
    assert bundle.labels == (*"0123456789", live.NONE)
    assert bundle.reject.label == live.NONE and 0.05 <= bundle.reject.threshold <= 0.99
    measured = bundle.measured["reject"]
    assert measured["digits_kept"] > 0.99 and measured["others_passed"] < 0.05


def test_the_sample_with_its_flagged_1s_is_read(reader):
    assert text(reader.read(pictures.read(ROOT / "models" / "samples" / "number.jpg"))) == "31415|9265"


def test_photographs_are_read(photos, bundle, reader):
    wrong = webcam = characters = theirs = 0
    with (photos / "labels.csv").open(newline="") as file:
        labels = list(csv.DictReader(file))
    read = tutorial(bundle)
    for label in labels:
        picture = pictures.read(photos / label["file"])
        distance = edit_distance(text(reader.read(picture)), label["digits"])
        wrong += distance
        webcam += distance if label["file"].startswith("webcam") else 0
        theirs += edit_distance(text(read(picture)), label["digits"])
        characters += len(label["digits"].replace("|", ""))
    assert webcam == 0
    assert wrong <= 0.05 * characters
    assert theirs > 5 * wrong


def test_scenes_are_read(mnist, reader):
    letters, found = live.unseen_letters(), Matches()
    for number in range(40):
        scene = scenes.render(np.random.default_rng([31, number]), mnist.test.images, mnist.test.labels, letters)
        found.add(reader.read(scene.picture), scene.boxes, scene.labels)
    assert found.f1 > 0.96
    assert found.right > 0.965 * found.true


def test_empty_scenes_have_no_readings(reader):
    none, style = np.zeros((0, 28, 28), np.uint8), replace(scenes.Style(), letters=0)
    frames = [scenes.render(np.random.default_rng([32, i]), none, np.zeros(0, np.int64), (), style) for i in range(40)]
    assert sum(len(reader.read(frame.picture)) for frame in frames) <= 2


def test_touching_digits_are_told_apart(mnist, reader):
    """Pairs that touch, beside digits that stand alone: in most of them both are read."""
    rng, right, total = np.random.default_rng(5), 0, 0
    for _ in range(30):
        picks = rng.integers(0, len(mnist.test), 5)
        inks = [mnist.test.images[i][:, mnist.test.images[i].max(axis=0) > 0] for i in picks]
        page = np.zeros((28, 150), np.uint8)
        x = 4
        for ink, gap in zip(inks, (6, 6, -2, 6, 6), strict=True):
            window = page[:, x : x + ink.shape[1]]
            np.maximum(window, ink, out=window)
            x += ink.shape[1] + gap
        picture = np.full((480, 640), 220, np.uint8)
        large = np.kron(page, np.ones((4, 4), np.uint8))
        picture[200:312, 20:620] -= (large * 0.8).astype(np.uint8)
        right += edit_distance(text(reader.read(picture)), "".join(str(mnist.test.labels[i]) for i in picks)) == 0
        total += 1
    assert right >= 0.5 * total


def test_edit_distance():
    assert edit_distance("", "") == 0
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("12|3", "123") == 1
