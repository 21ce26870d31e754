"""The embedded digits: always there, always the same, in MNIST's form."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edgecnn.data import Dataset, load
from edgecnn.errors import MissingExtraError
from edgecnn.spec import Fit, ImageSpec

DIGIT = ImageSpec(28, 28, 1, fit=Fit.DIGIT)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("optdigits")


def everything(dataset: Dataset) -> np.ndarray:
    return np.concatenate([split.pixels(range(len(split)), DIGIT) for split in dataset.splits.values()])


def test_the_split(digits: Dataset) -> None:
    assert [len(split) for split in digits.splits.values()] == [1197, 199, 401]
    for counts in zip(*digits.counts().values(), strict=True):
        assert counts[1] in (19, 20)
        assert counts[2] in (39, 40, 41)
    assert digits.labels == tuple("0123456789")


def test_the_form_is_that_of_mnist(digits: Dataset) -> None:
    images = everything(digits)[..., 0]
    assert images.shape == (1797, 28, 28)
    rows, cols = images.max(axis=2) > 60, images.max(axis=1) > 60
    span = np.maximum(
        27 - rows[:, ::-1].argmax(axis=1) - rows.argmax(axis=1), 27 - cols[:, ::-1].argmax(axis=1) - cols.argmax(axis=1)
    )
    assert 18 <= np.median(span) + 1 <= 22
    assert span.max() + 1 <= 26
    place = np.arange(28)
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    for axis in (1, 2):
        centre = (images.sum(axis=axis) @ place) / mass
        assert np.abs(centre - 13.5).max() < 2
        assert abs(np.median(centre) - 13.5) < 0.75
    assert np.median(images.reshape(1797, -1).max(axis=1)) > 230


def test_the_classes_can_be_told_apart(digits: Dataset) -> None:
    """The nearest training image names at least 95 % of the test digits: labels and images belong together."""
    train, test = (
        split.pixels(range(len(split)), DIGIT).reshape(len(split), -1).astype(np.float32) / 255
        for split in (digits.train, digits.test)
    )
    distance = (train**2).sum(axis=1) - 2 * test @ train.T
    nearest = digits.train.labels[distance.argmin(axis=1)]
    assert (nearest == digits.test.labels).mean() > 0.95


def test_it_is_the_same_each_time_and_the_seed_moves_the_split(digits: Dataset) -> None:
    again, other = load("optdigits"), load("optdigits", seed=1)
    assert np.array_equal(everything(again), everything(digits))
    assert again.sha256 == other.sha256 == digits.sha256
    assert not np.array_equal(other.test.pixels(range(100), DIGIT), digits.test.pixels(range(100), DIGIT))


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if isinstance(finder, type)])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(MissingExtraError, match=r"pip install 'edgecnn\[train\]'"):
        load("optdigits")
