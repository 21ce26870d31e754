"""Splits in memory, against `preprocess.fit` one picture at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data import ArraySplit, Dataset
from edgecnn.data.types import checked_indices
from edgecnn.errors import ArgumentError
from edgecnn.preprocess import fit
from edgecnn.spec import Fit, ImageSpec

SPECS = [
    ImageSpec(28, 28, 1),
    ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    ImageSpec(20, 31, 1),
    ImageSpec(28, 28, 3),
    ImageSpec(40, 12, 3),
]


@given(st.sampled_from(SPECS), st.integers(0, 2**32 - 1), st.sampled_from([0, 100, 200]), st.booleans())
def test_pixels_are_those_of_fit(spec: ImageSpec, seed: int, base: int, colour: bool) -> None:
    rng = np.random.RandomState(seed)
    images = rng.randint(base, base + 56, (4, 28, 28, 3) if colour else (4, 28, 28)).astype(np.uint8)
    images[0, 4:9, 4:9] = 255 - base
    split = ArraySplit(images, [0, 1, 2, 3])
    got = split.pixels([3, 0, 0], spec)
    assert got.dtype == np.uint8
    assert np.array_equal(got, np.stack([fit(images[i], spec) for i in (3, 0, 0)]))


@given(st.integers(0, 2**32 - 1))
def test_a_border_about_half_dark_is_judged_as_fit_judges_it(seed: int) -> None:
    rng = np.random.RandomState(seed)
    images = np.where(rng.rand(6, 28, 28) < 0.5, 127, 128).astype(np.uint8)
    spec = ImageSpec(28, 28, 1, fit=Fit.DIGIT)
    got = ArraySplit(images, np.zeros(6, int)).pixels(range(6), spec)
    assert np.array_equal(got, np.stack([fit(image, spec) for image in images]))


def test_a_border_exactly_half_dark() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[:, 14:] = 255  # of the border's 112 pixels 56 are dark
    image[10:18, 4:9] = 200
    spec = ImageSpec(28, 28, 1, fit=Fit.DIGIT)
    assert np.array_equal(ArraySplit(image[None], [0]).pixels([0], spec)[0], fit(image, spec))


@pytest.mark.parametrize("spec", SPECS)
def test_no_indices_give_no_pictures(spec: ImageSpec) -> None:
    split = ArraySplit(np.zeros((2, 28, 28), np.uint8), [0, 1])
    assert split.pixels([], spec).shape == (0, *spec.shape)


def test_pixels_are_a_copy() -> None:
    images = np.zeros((1, 28, 28), np.uint8)
    split = ArraySplit(images, [0])
    split.pixels([0], SPECS[0])[:] = 9
    assert not images.any()


def test_labels_are_read_only_and_int64() -> None:
    given_labels = np.array([1, 0], np.uint8)
    split = ArraySplit(np.zeros((2, 3, 3), np.uint8), given_labels)
    given_labels[0] = 7
    assert split.labels.tolist() == [1, 0]
    assert split.labels.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 5


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((2, 3, 3)), [0, 1], "images: expected uint8"),
        (np.zeros((2, 3), np.uint8), [0, 1], "images: expected uint8"),
        (np.zeros((2, 3, 3, 4), np.uint8), [0, 1], "images: expected uint8"),
        (np.zeros((2, 0, 3), np.uint8), [0, 1], "images: expected uint8"),
        (np.zeros((2, 3, 3), np.uint8), [0], "labels: expected 2 whole numbers"),
        (np.zeros((2, 3, 3), np.uint8), [0, -1], "labels: expected 2 whole numbers"),
        (np.zeros((2, 3, 3), np.uint8), [0.5, 1], "labels: expected 2 whole numbers"),
        (np.zeros((2, 3, 3), np.uint8), [[0], [1]], "labels: expected 2 whole numbers"),
    ],
)
def test_what_is_no_split(images: np.ndarray, labels: list[object], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        ArraySplit(images, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("indices", [[5], [-1], [0.0], [[0]], 3, [True], ["0"]])
def test_indices_out_of_range_or_of_another_kind(indices: object) -> None:
    with pytest.raises(ArgumentError, match="indices: expected"):
        checked_indices(indices, 5)  # type: ignore[arg-type]


def test_indices_of_any_whole_number_type() -> None:
    assert checked_indices(np.array([4, 0], np.uint8), 5).tolist() == [4, 0]
    assert checked_indices(range(2), 5).dtype == np.int64


def test_counts_name_every_class_also_an_empty_one() -> None:
    split = ArraySplit(np.zeros((3, 2, 2), np.uint8), [0, 2, 2])
    dataset = Dataset("d", ("a", "b", "c"), split, split, split, (2, 2, 1), "s", "h")
    assert dataset.counts() == {"train": (1, 0, 2), "validation": (1, 0, 2), "test": (1, 0, 2)}
