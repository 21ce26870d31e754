"""Test pictures as parity takes them, with the labels of the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.spec import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TOLD = 12
"""Labels that a message names."""


class Pictures(Protocol):
    """Pictures with labels, given on demand; a split of `edgecnn.data` is one."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Whole numbers [n], an index into the bundle's labels each."""
        ...

    def __len__(self) -> int:
        """How many pictures there are."""
        ...

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        """uint8 [k, height, width, channels], fitted to the network's size."""
        ...


class _Relabelled:
    """Pictures with other numbers for the same classes."""

    def __init__(self, pictures: Pictures, labels: NDArray[np.int64]) -> None:
        self._pictures = pictures
        self._labels = labels

    @property
    def labels(self) -> NDArray[np.int64]:
        return self._labels

    def __len__(self) -> int:
        return len(self._pictures)

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        return self._pictures.pixels(indices, image)


def relabelled(pictures: Pictures, names: Sequence[str], wanted: Sequence[str]) -> Pictures:
    """Pictures whose labels count in the bundle's classes.

    Args:
        pictures: The test set.
        names: Its classes: its labels are indices into them.
        wanted: The bundle's classes, which may be in another order, and more.

    Returns:
        The same pictures, with indices into `wanted` as labels.

    Raises:
        ArgumentError: The bundle does not know a class of the test set.
    """
    check_labels(names, wanted)
    if tuple(names) == tuple(wanted):
        return pictures
    numbers = np.array([wanted.index(name) for name in names], np.int64)
    return _Relabelled(pictures, numbers[np.asarray(pictures.labels)])


def check_labels(names: Sequence[str], wanted: Sequence[str]) -> None:
    """Find out, before a test set is loaded, whether a bundle can be judged with it.

    Args:
        names: The classes of the test set.
        wanted: The bundle's classes, which may be in another order, and more.

    Raises:
        ArgumentError: The bundle does not know a class of the test set.
    """
    unknown = [name for name in names if name not in wanted]
    if unknown:
        lacking = "has none" if len(unknown) == len(names) else f"has not: {_listed(unknown)}"
        raise ArgumentError(
            f"data: expected labels that the bundle has, which are {_listed(wanted)}; the data's are {_listed(names)}, "
            f"of which the bundle {lacking}"
        )


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _TOLD} more" if len(labels) > _TOLD else ""
    return ", ".join(labels[:_TOLD]) + more
