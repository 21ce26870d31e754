"""What a training learns from, and what it holds out of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data import ArraySplit, Dataset, Split
from edgecnn.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from edgecnn.nets.recipe import Recipe
    from edgecnn.spec import ImageSpec


def parts(dataset: Dataset, recipe: Recipe) -> tuple[Split, Split | None]:
    """Divide all pictures but those of the test part.

    Args:
        dataset: The data set.
        recipe: Says by `held_out` how its training and validation parts are used.

    Returns:
        What is learnt from, and what is held out; None when nothing is.

    Raises:
        DataError: One of them would be empty.
    """
    training: Split = dataset.train
    held: Split | None = dataset.validation
    if recipe.held_out is not None:
        everything = _join(dataset.train, dataset.validation)
        count = len(everything) - round(recipe.held_out * len(everything))
        training = _choose(everything, np.arange(count))
        held = _choose(everything, np.arange(count, len(everything))) if recipe.held_out else None
    for name, split in (("training", training), ("validation", held)):
        if split is not None and not len(split):
            raise DataError(f"data set {dataset.name}: its {name} part is empty; it needs more pictures")
    return training, held


def _join(first: Split, second: Split) -> Split:
    if isinstance(first, ArraySplit) and isinstance(second, ArraySplit):
        images = np.concatenate([first.images, second.images])
        return ArraySplit(images, np.concatenate([first.labels, second.labels]))
    return _Joined(first, second)


def _choose(whole: Split, indices: NDArray[np.int64]) -> Split:
    if isinstance(whole, ArraySplit):
        return ArraySplit(whole.images[indices], whole.labels[indices])
    return _Chosen(whole, indices)


class _Joined:
    """The pictures of two splits, one after the other."""

    def __init__(self, first: Split, second: Split) -> None:
        self._first, self._second = first, second
        self.labels = np.concatenate([first.labels, second.labels])

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        wanted = np.asarray(indices, np.int64)
        out = np.empty((len(wanted), *image.shape), np.uint8)
        early = wanted < len(self._first)
        out[early] = self._first.pixels(wanted[early], image)
        out[~early] = self._second.pixels(wanted[~early] - len(self._first), image)
        return out


class _Chosen:
    """Some pictures of another split."""

    def __init__(self, whole: Split, indices: NDArray[np.int64]) -> None:
        self._whole, self._indices = whole, indices
        self.labels = whole.labels[indices]

    def __len__(self) -> int:
        return len(self._indices)

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        return self._whole.pixels(self._indices[np.asarray(indices, np.int64)], image)
