"""Data sets: one file for each source of pictures; `load` gives any of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.data import folder, live, optdigits
from edgecnn.data.mnist import FAMILIES, FASHION_MNIST, MNIST, load_family
from edgecnn.data.types import ArraySplit, Dataset, Progress, Skipped, Split
from edgecnn.errors import ArgumentError, did_you_mean

if TYPE_CHECKING:
    import os

__all__ = ["NAMES", "ArraySplit", "Dataset", "Progress", "Skipped", "Split", "labels_of", "load", "name_of"]

NAMES = (MNIST.name, FASHION_MNIST.name, optdigits.NAME, live.NAME)
"""What `load` knows by name; anything else is the path of a folder."""


def name_of(name: str | os.PathLike[str]) -> str:
    """The name that a data set will have, told without loading it.

    Args:
        name: As for `load`.
    """
    return str(name) if name in NAMES else Path(name).expanduser().resolve().name


def labels_of(name: str | os.PathLike[str]) -> tuple[str, ...]:
    """The classes that a data set will have, told without loading it, which takes minutes for some.

    Args:
        name: As for `load`.

    Raises:
        ArgumentError: The name is not known.
        DataError: It is a folder that is no data set.
    """
    for family in FAMILIES.values():
        if name == family.name:
            return family.labels
    if name in (optdigits.NAME, live.NAME):
        return optdigits.LABELS if name == optdigits.NAME else (*MNIST.labels, live.NONE)
    return tuple(found.name for found in folder.classes(_folder(name)))


def _folder(name: str | os.PathLike[str]) -> Path:
    path = Path(name).expanduser()
    if not str(name) or not path.is_dir():
        raise ArgumentError(
            f"data: expected {', '.join(NAMES)} or a folder with one sub-folder a class, got {str(name)!r}"
            f"{did_you_mean(str(name), NAMES)}"
        )
    return path


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load a data set.

    Args:
        name: One of `NAMES`, or the path of a folder with one sub-folder for each class (write ./mnist for a folder
            that is called like one of them).
        data_dir: Folder where the MNIST family is looked for first and downloaded to; it has to be there.
        seed: Of the split, 0..2^32-1. The same seed gives the same split wherever it is asked for.
        validation: Share for validation, of a folder only; the others have a split of their own.
        test: Share for the test, of a folder only.
        progress: Told of a download or of the pictures that were checked.

    Raises:
        ArgumentError: The name is not known, or an option is out of range or means nothing for this data set.
        DataError: The data set is absent, damaged or too small.
        MissingExtraError: A package that it needs is not installed.
    """
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed: expected 0 to {2**32 - 1}, got {seed}")
    if data_dir is not None and not Path(data_dir).is_dir():
        raise ArgumentError(f"data_dir: expected a folder that is there, got {str(data_dir)!r}")
    if name in NAMES and (validation, test) != (None, None):
        raise ArgumentError(f"validation, test: {name} has a split of its own; leave them out")
    for family in (MNIST, FASHION_MNIST):
        if name == family.name:
            return load_family(family, data_dir=data_dir, seed=seed, progress=progress)
    if name == optdigits.NAME:
        return optdigits.load_optdigits(seed=seed)
    if name == live.NAME:
        return live.load_live(data_dir=data_dir, seed=seed, progress=progress)
    return folder.load_folder(
        _folder(name),
        seed=seed,
        validation=folder.VALIDATION if validation is None else validation,
        test=folder.TEST if test is None else test,
        progress=progress,
    )
