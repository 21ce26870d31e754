"""Which pictures calibrate, which range pixels have, what an artefact says of itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecnn.convert import calibration, identity, pixels
from edgecnn.errors import ArgumentError, DataError, ModelError
from edgecnn.spec import Fit, ImageSpec, Locate


def test_calibration_takes_as_many_of_each_class_as_can_be():
    labels = np.repeat([0, 1, 2], [500, 40, 7])
    chosen = calibration.choose(labels, 60)
    assert np.bincount(labels[chosen]).tolist() == [27, 26, 7]
    assert (np.diff(chosen) > 0).all()


def test_calibration_takes_all_when_there_are_too_few():
    assert calibration.choose(np.array([1, 0, 1]), 500).tolist() == [0, 1, 2]


def test_calibration_is_the_same_for_the_same_seed_and_another_for_another():
    labels = np.arange(1000) % 10
    first, second, third = (calibration.choose(labels, 100, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_calibration_without_pictures_is_one_line():
    with pytest.raises(DataError, match="no pictures"):
        calibration.choose(np.zeros(0, np.int64), 5)
    with pytest.raises(ArgumentError, match="1 picture or more"):
        calibration.choose(np.zeros(3, np.int64), 0)


@pytest.mark.parametrize(
    ("labels", "classes", "wanted", "expected"),
    [
        (np.arange(500) % 10, 10, 500, []),
        (np.arange(300) % 10, 10, 500, ["only 300 are held out"]),
        (np.arange(50) % 10, 10, 50, ["50 pictures are few"]),
        (np.arange(200) % 10, 12, 200, ["2 of 12 classes have no picture"]),
        (np.repeat([0, 1], [150, 50]), 2, 200, ["not balanced, 50 to 150"]),
    ],
)
def test_doubts_about_a_calibration(labels, classes, wanted, expected):
    lines = calibration.doubts(labels, classes, wanted)
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))


@pytest.mark.parametrize(
    ("text", "ends"),
    [("0..1", (0, 1)), ("-1..1", (-1, 1)), ("0..255", (0, 255)), ("1..0", (1, 0)), (".5..1", (0.5, 1))],
)
def test_range_of_pixels(text, ends):
    low, high = pixels.parse_range(text)
    assert (low, high) == ends
    scale, offset = pixels.scale_offset(low, high)
    assert (offset, 255 * scale + offset) == pytest.approx(ends)


@pytest.mark.parametrize("text", ["", "1", "0-1", "0..", "..1", "a..b", "0..inf", "nan..1", "1..1", "0..1..2"])
def test_other_ranges_are_one_line(text):
    with pytest.raises(ArgumentError, match=r"expected BLACK\.\.WHITE"):
        pixels.parse_range(text)


@pytest.mark.parametrize(("low", "high"), pixels.USUAL)
def test_the_range_that_a_net_was_trained_with_is_found(low, high):
    """The net tells dark from light pictures, and only when they come in its range."""
    bright = np.random.default_rng(0).integers(0, 256, 200).astype(np.uint8)
    pictures = np.broadcast_to(bright[:, None, None, None], (200, 2, 2, 1)).copy()
    width = high - low

    def logits(tensors: np.ndarray) -> np.ndarray:
        place = (tensors[:, 0, 0, 0] - low) / width
        inside = (tensors.min() >= low - width / 1000) & (tensors.max() > low + width / 2)
        right = (place > 0.5) if inside & (tensors.max() <= high + width / 1000) else np.zeros(len(tensors), bool)
        return np.stack([~right, right], axis=1).astype(np.float32)

    trials = pixels.try_ranges(logits, pictures, (bright > 127).astype(np.int64))
    assert (trials[0].low, trials[0].high) == (low, high)
    assert trials[0].accuracy is not None
    assert trials[0].accuracy.value == 1


def test_a_range_that_gives_no_numbers_comes_last():
    def logits(tensors: np.ndarray) -> np.ndarray:
        wild = np.full((len(tensors), 2), np.nan, np.float32)
        return wild if tensors.max() <= 1 else np.tile(np.float32([0, 1]), (len(tensors), 1))

    trials = pixels.try_ranges(logits, np.full((8, 2, 2, 1), 255, np.uint8), np.zeros(8, np.int64))
    assert (trials[0].high, trials[-1].accuracy) == (255, None)
    assert str(trials[-1]).endswith("NaN")


def test_identity_goes_into_an_artefact_and_comes_back():
    image = ImageSpec(28, 28, 1, scale=2 / 255, offset=-1.0, fit=Fit.DIGIT)
    known = identity.Identity("net", ("null", "één"), image, Locate.DIGITS)
    values = json.loads(identity.to_text(known))
    assert identity.from_metadata(values, "x") == known
    assert values["image"] == {
        "height": 28,
        "width": 28,
        "channels": 1,
        "scale": 2 / 255,
        "offset": -1.0,
        "fit": "digit",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2"),
        ({"image": {"height": 28}}, "metadata is broken"),
        ({"image": 3}, "metadata is broken"),
        ({"locate": "nowhere"}, "metadata is broken"),
        ({"labels": None}, "metadata is broken"),
    ],
)
def test_broken_metadata_is_one_line(change, message):
    values = identity.to_metadata(identity.Identity("net", ("a", "b"), ImageSpec(8, 8, 1), Locate.WHOLE))
    with pytest.raises(ModelError, match=message):
        identity.from_metadata({**values, **change}, "file")
