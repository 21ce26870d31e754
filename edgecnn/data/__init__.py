"""Data sets: one file for each source of pictures; `load` gives any of them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.data import optdigits
from edgecnn.data.mnist import FASHION_MNIST, MNIST, load_family
from edgecnn.data.types import ArraySplit, Dataset, Skipped, Split
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMES", "ArraySplit", "Dataset", "Skipped", "Split", "load"]

NAMES = ("mnist", "fashion-mnist", "optdigits")
"""What `load` knows by name."""


def load(name: str, *, data_dir: Path | None = None, seed: int = 0) -> Dataset:
    """Load a data set.

    Args:
        name: One of `NAMES`.
        data_dir: Folder to look in before EDGECNN_DATA and the Keras cache.
        seed: Of the split into training and validation.

    Raises:
        ArgumentError: The name is not known.
        DataError: The data set is absent or damaged.
    """
    for family in (MNIST, FASHION_MNIST):
        if name == family.name:
            return load_family(family, data_dir=data_dir, seed=seed)
    if name == optdigits.NAME:
        return optdigits.load_optdigits(seed=seed)
    raise ArgumentError(f"data: expected one of {', '.join(NAMES)}, got {name!r}")
