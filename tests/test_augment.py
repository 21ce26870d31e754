"""The stream of training batches: each picture once an epoch, chance by step alone, one affine warp."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn import _tf
from edgecnn.augment import seed_of, stream, warp
from edgecnn.data import ArraySplit
from edgecnn.errors import ArgumentError, DataError
from edgecnn.nets import Augmentation, Fill, Recipe
from edgecnn.preprocess import to_tensor
from edgecnn.spec import ImageSpec

IMAGE = ImageSpec(9, 7, 1, scale=0.5, offset=-3.0)


@pytest.fixture(scope="module")
def split() -> ArraySplit:
    """23 pictures; each can be told from its first pixel."""
    images = np.random.default_rng(0).integers(0, 256, (23, 9, 7), np.uint8)
    images[:, 0, 0] = np.arange(23)
    return ArraySplit(images, np.arange(23) % 5)


def collect(split, recipe, **options) -> list[tuple[np.ndarray, np.ndarray]]:
    options = {"seed": 7, **options}
    return [(x.numpy(), y.numpy()) for x, y in stream(split, IMAGE, recipe, **options).batches]


def numbers(batches) -> list[int]:
    """Which pictures, by their first pixel."""
    return [round((float(x[0, 0, 0]) + 3) / 0.5) for images, _ in batches for x in images]


def test_every_picture_once_an_epoch_in_an_order_of_its_own(split):
    batches = collect(split, Recipe(epochs=3, batch=5))
    assert [len(x) for x, _ in batches] == [5, 5, 5, 5, 3] * 3
    order = numbers(batches)
    epochs = [order[:23], order[23:46], order[46:]]
    assert all(sorted(epoch) == list(range(23)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert epochs[0] != list(range(23))


def test_tensors_are_those_of_preprocess(split):
    batches = collect(split, Recipe(epochs=1, batch=5))
    order = numbers(batches)
    tensors = np.concatenate([x for x, _ in batches])
    assert tensors.dtype == np.float32
    assert np.array_equal(tensors, to_tensor(split.pixels(order, IMAGE), IMAGE))
    assert np.array_equal(np.concatenate([y for _, y in batches]), split.labels[order])


@pytest.mark.parametrize("skip", [0, 1, 5, 7, 14])
def test_a_stream_that_starts_later_is_the_rest_of_the_whole_one(split, skip):
    recipe = Recipe(epochs=3, batch=5, augmentation=Augmentation(rotation=20, shift=0.1, shear=10, zoom=0.2))
    whole, rest = collect(split, recipe), collect(split, recipe, skip=skip)
    assert len(rest) == len(whole) - skip
    for (x, y), (x_rest, y_rest) in zip(whole[skip:], rest, strict=True):
        assert np.array_equal(x, x_rest)
        assert np.array_equal(y, y_rest)


def test_another_seed_is_another_order_and_other_warps(split):
    plain = Recipe(epochs=1, batch=23)
    assert numbers(collect(split, plain, seed=1)) != numbers(collect(split, plain, seed=2))
    images = np.tile(np.eye(9, 7, dtype=np.float32)[None, :, :, None], (4, 1, 1, 1))
    augmentation = Augmentation(rotation=30)
    first, again, other = (warp(images, seed_of(0, 2, step), augmentation).numpy() for step in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


class OnDemand:
    """The pictures of a split, as a folder gives them; picture 11 may be lost."""

    def __init__(self, split: ArraySplit, lost: bool) -> None:
        self._split, self._lost, self.labels = split, lost, split.labels

    def __len__(self) -> int:
        return len(self._split)

    def pixels(self, indices, image):
        if self._lost and 11 in indices:
            raise DataError("11.png has gone")
        return self._split.pixels(indices, image)


def test_pictures_on_demand_give_the_same_batches(split):
    recipe = Recipe(epochs=2, batch=5, augmentation=Augmentation(rotation=20))
    memory, demand = collect(split, recipe), collect(OnDemand(split, False), recipe)
    assert all(np.array_equal(a, b) for m, d in zip(memory, demand, strict=True) for a, b in zip(m, d, strict=True))


def test_a_picture_that_has_gone_tells_why(split):
    feed = stream(OnDemand(split, True), IMAGE, Recipe(epochs=1, batch=5), seed=7)
    with pytest.raises(_tf.tensorflow().errors.OpError):
        list(feed.batches)
    assert [str(failure) for failure in feed.failures] == ["11.png has gone"]


@pytest.mark.parametrize("seed", [-1, 2**31, 1.0, True])
def test_seeds_out_of_range(split, seed):
    with pytest.raises(ArgumentError, match=r"seed: expected a whole number from 0 to 2147483647, got"):
        stream(split, IMAGE, Recipe(epochs=1), seed=seed)


def sample(picture: np.ndarray, matrix: np.ndarray, nearest: bool) -> np.ndarray:
    """Bilinear sampling at matrix @ (x, y, 1), written out."""
    height, width = picture.shape
    result = np.zeros_like(picture)
    for y in range(height):
        for x in range(width):
            u, v, _ = matrix @ (x, y, 1)
            left, top = int(np.floor(u)), int(np.floor(v))
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(u - left - dx)) * (1 - abs(v - top - dy))
                    column, row = left + dx, top + dy
                    if nearest:
                        column, row = min(max(column, 0), width - 1), min(max(row, 0), height - 1)
                    if 0 <= column < width and 0 <= row < height:
                        result[y, x] += weight * picture[row, column]
    return result


@pytest.mark.parametrize("fill", list(Fill))
@pytest.mark.parametrize(
    "changes",
    [
        {"rotation": 25.0},
        {"shift": 0.3},
        {"shear": 20.0},
        {"zoom": 0.3},
        {"rotation": 25.0, "shift": 0.2, "shear": 20.0, "zoom": 0.3},
    ],
)
def test_a_warp_is_the_product_of_its_maps(changes, fill):
    tf = _tf.tensorflow()
    pictures = np.random.default_rng(1).random((6, 9, 7, 1), np.float32)
    seed = tf.constant([3, 4])
    warped = warp(pictures, seed, Augmentation(**changes, fill=fill)).numpy()
    chance = tf.random.stateless_uniform([6, 6], seed, -1.0, 1.0).numpy().astype(float)
    rotation, shear, shift, zoom = (changes.get(name, 0) for name in ("rotation", "shear", "shift", "zoom"))
    for index in range(6):
        angle, lean, zoom_x, zoom_y, x, y = chance[:, index] * ([rotation, shear, zoom, zoom, shift, shift])
        angle, lean = np.radians([angle, lean])
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        slant = np.array([[1, -np.sin(lean), 0], [0, np.cos(lean), 0], [0, 0, 1]])
        size = np.diag([1 + zoom_x, 1 + zoom_y, 1])
        middle, back = np.eye(3), np.eye(3)
        middle[:2, 2], back[:2, 2] = (3 + x * 7, 4 + y * 9), (-3, -4)
        expected = sample(pictures[index, :, :, 0], middle @ turn @ slant @ size @ back, fill is Fill.NEAREST)
        assert warped[index, :, :, 0] == pytest.approx(expected, abs=2e-4)


def test_no_change_changes_nothing():
    pictures = np.random.default_rng(1).random((3, 9, 7, 2), np.float32)
    assert np.array_equal(warp(pictures, seed_of(0, 1, 2), Augmentation()).numpy(), pictures)


def test_changes_are_even_around_none():
    dot = np.zeros((500, 21, 21, 1), np.float32)
    dot[:, 10, 10] = 1
    moved = warp(dot, seed_of(0, 1, 2), Augmentation(shift=0.2)).numpy()[..., 0]
    place = np.arange(21)
    for axis in (1, 2):
        centre = (moved.sum(axis=axis) * place).sum(axis=1) / moved.sum(axis=(1, 2)) - 10
        assert np.abs(centre).max() <= 4.2 + 1e-3
        assert np.abs(centre).max() > 3.8
        assert abs(centre.mean()) < 0.5
