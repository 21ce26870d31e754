"""A small data set and one finished training of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn import nets
from edgecnn.data import ArraySplit, Dataset, load
from edgecnn.nets import Augmentation, Recipe
from edgecnn.spec import ImageSpec
from edgecnn.train import TrainResult, train

NET = nets.get("conv-32-64-128")
"""It has dropout, and is trained with augmentation here: all kinds of chance."""
IMAGE = ImageSpec(14, 14, 1)
"""Half of the digits' size: a quarter of the work."""
RECIPE = Recipe(epochs=2, batch=64, augmentation=Augmentation(rotation=10, shift=0.05, shear=5, zoom=0.1))


def part(split, count: int) -> ArraySplit:
    return ArraySplit(split.images[:count], split.labels[:count])


@pytest.fixture(scope="session")
def few() -> Dataset:
    """300 real digits to learn from, 100 to validate, 100 to test."""
    whole = load("optdigits")
    return replace(
        whole, train=part(whole.train, 300), validation=part(whole.validation, 100), test=part(whole.test, 100)
    )


@pytest.fixture(scope="session")
def finished(few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A training that nothing interrupted."""
    return train(NET, few, RECIPE, tmp_path_factory.mktemp("train") / "run", seed=5, image=IMAGE)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A folder of 3 classes with 16 colour pictures each, told apart by their colour."""
    import cv2

    rng = np.random.default_rng(0)
    for channel, name in enumerate(("blue", "green", "red")):
        (tmp_path / "colours" / name).mkdir(parents=True)
        for number in range(16):
            picture = rng.integers(0, 60, (210, 240, 3), np.uint8)
            picture[..., channel] += 180
            cv2.imwrite(str(tmp_path / "colours" / name / f"{number}.jpg"), picture)
    return tmp_path / "colours"
