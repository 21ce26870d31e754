"""What a data set is: three splits of pictures with labels, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.preprocess import fit
from edgecnn.spec import Fit, ImageSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Progress(Protocol):
    """Told how far a long work has come, for a bar or a line."""

    def __call__(self, done: int, total: int, text: str, /) -> None:
        """Say that `done` of `total` are done; `text` is a few words for people."""
        ...


class Split(Protocol):
    """A part of a data set: pictures that are given on demand, and their labels."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [n], an index into `Dataset.labels` for each picture; read-only."""
        ...

    def __len__(self) -> int:
        """How many pictures there are."""
        ...

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        """Pictures brought to a network's size by `preprocess.fit`.

        Args:
            indices: Whole numbers [k], 0..n-1, in any order, repeated or none at all.
            image: The network's image.

        Returns:
            uint8 [k, height, width, channels], a copy; RGB order for 3 channels.

        Raises:
            ArgumentError: An index is out of range.
            DataError: A picture can no longer be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was found but not used, and why.

    Attributes:
        file: Its path.
        reason: One line for people.
    """

    file: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Pictures of named classes, split into three parts that share no picture.

    Attributes:
        name: Name for reports, such as "mnist" or the folder's name.
        labels: Names of the classes; a label is an index into them.
        train: What a net learns from.
        validation: Held out of training: early stop, choice of weights, calibration.
        test: Used once, at the end.
        shape: (height, width, channels) of the pictures as they are; None where they differ.
        source: What it is and where it was found, for reports.
        sha256: Hash of every picture and label, independent of the form of the files.
        skipped: Pictures that could not be used.
        ignored: How many files were no pictures at all.
    """

    name: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    shape: tuple[int, int, int] | None
    source: str
    sha256: str
    skipped: tuple[Skipped, ...] = ()
    ignored: int = 0

    @property
    def splits(self) -> dict[str, Split]:
        """The three parts by name, in the order of their use."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Pictures of each class, in the order of `labels`, for each split by name."""
        return {
            name: tuple(int(n) for n in np.bincount(split.labels, minlength=len(self.labels)))
            for name, split in self.splits.items()
        }


def checked_indices(indices: ArrayLike, count: int) -> NDArray[np.int64]:
    """Indices as int64 [k].

    Raises:
        ArgumentError: They are not whole numbers from 0 to count - 1 in one dimension.
    """
    array = np.asarray(indices)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ArgumentError(f"indices: expected whole numbers in one dimension, got {array.dtype} {array.shape}")
    if array.min() < 0 or array.max() >= count:
        raise ArgumentError(f"indices: expected 0 to {count - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


class ArraySplit:
    """Pictures of one size in memory.

    Args:
        images: uint8 [n, h, w] grey or [n, h, w, 3] BGR; kept, not copied.
        labels: Whole numbers [n], not negative.

    Raises:
        ArgumentError: dtype, shape or a label is none of these.
    """

    def __init__(self, images: NDArray[np.uint8], labels: ArrayLike) -> None:
        form = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
        if images.dtype != np.uint8 or not form or 0 in images.shape[1:]:
            raise ArgumentError(f"images: expected uint8 [n, h, w] or [n, h, w, 3], got {images.dtype} {images.shape}")
        array = np.asarray(labels)
        if array.shape != (len(images),) or (array.size and (array.dtype.kind not in "iu" or array.min() < 0)):
            raise ArgumentError(f"labels: expected {len(images)} whole numbers from 0, got {array.dtype} {array.shape}")
        self.images = images
        self._labels = array.astype(np.int64)
        self._labels.flags.writeable = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [n]; read-only."""
        return self._labels

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.images)

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        """Pictures brought to a network's size, see `Split.pixels`."""
        chosen = self.images[checked_indices(indices, len(self))]
        out = np.empty((len(chosen), *image.shape), np.uint8)
        same = self._unchanged(chosen, image)
        if same.any():  # thousands at once: one call of `fit` for each would take seconds
            out[same, :, :, 0] = chosen[same]
        for i in np.flatnonzero(~same):
            out[i] = fit(chosen[i], image)
        return out

    @staticmethod
    def _unchanged(pictures: NDArray[np.uint8], image: ImageSpec) -> NDArray[np.bool_]:
        """Which pictures `preprocess.fit` gives back as they are: bool [n]."""
        grey = pictures.ndim == 3 and image.channels == 1 and pictures.shape[1:] == (image.height, image.width)
        if not grey or not len(pictures):
            return np.zeros(len(pictures), np.bool_)
        if image.fit is Fit.CROP:
            return np.ones(len(pictures), np.bool_)
        sides = (pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1])
        border = np.concatenate(sides, axis=1)
        return np.asarray((border < 128).mean(axis=1) > 0.5)  # more than half dark: the median is dark
