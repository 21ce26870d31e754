"""MNIST and Fashion-MNIST: found on this machine, or downloaded; 55,000 train, 5,000 validation, 10,000 test."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data.idx import read_idx
from edgecnn.data.types import ArraySplit, Dataset
from edgecnn.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 28
PARTS = (
    ("train-images-idx3-ubyte", (60_000, SIDE, SIDE)),
    ("train-labels-idx1-ubyte", (60_000,)),
    ("t10k-images-idx3-ubyte", (10_000, SIDE, SIDE)),
    ("t10k-labels-idx1-ubyte", (10_000,)),
)
"""The four files of the family without their suffix, and the shape of each."""


@dataclass(frozen=True, slots=True)
class Family:
    """One data set of the MNIST family.

    Attributes:
        name: Its name, which is also that of its sub-folder.
        labels: Names of its ten classes.
        credit: Who made it.
        content: SHA-256 of the bytes after the header of each of the four files, in the order of `PARTS`.
    """

    name: str
    labels: tuple[str, ...]
    credit: str
    content: tuple[str, str, str, str]


MNIST = Family(
    "mnist",
    tuple("0123456789"),
    "MNIST (Y. LeCun, C. Cortes, C. Burges)",
    (
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
)
FASHION_MNIST = Family(
    "fashion-mnist",
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    "Fashion-MNIST (Zalando, MIT)",
    (
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
)


def load_family(family: Family, *, data_dir: Path | None = None, seed: int = 0, validation: int = 5_000) -> Dataset:
    """Load MNIST or Fashion-MNIST.

    Args:
        family: Which one.
        data_dir: Folder to look in first.
        seed: Shuffles the 60,000 training images before the last of them are held out. Leave it at 0 unless another
            split is meant: whoever calibrates or compares must get the same one.
        validation: How many are held out, 1..59,999.

    Returns:
        The data set; grey 28x28, light on black.

    Raises:
        ArgumentError: `validation` is out of range.
        DataError: It is found nowhere, or what was found is damaged or is not this data set.
    """
    total = PARTS[0][1][0]
    if not 1 <= validation < total:
        raise ArgumentError(f"validation: expected 1 to {total - 1} pictures, got {validation}")
    files, folder = _find(family, data_dir)
    arrays = [read_idx(path, shape) for path, (_, shape) in zip(files, PARTS, strict=True)]
    digest = _verify(family, arrays, [str(path) for path in files])
    images, labels, test_images, test_labels = arrays
    # RandomState, because numpy promises that its stream never changes; that of default_rng may.
    order = np.random.RandomState(seed).permutation(total)
    train, held = order[:-validation], order[-validation:]
    return Dataset(
        name=family.name,
        labels=family.labels,
        train=ArraySplit(images[train], labels[train]),
        validation=ArraySplit(images[held], labels[held]),
        test=ArraySplit(test_images, test_labels),
        shape=(SIDE, SIDE, 1),
        source=f"{family.credit}, from {folder}",
        sha256=digest,
    )


def places(family: Family, data_dir: Path | None) -> list[Path]:
    """The folders that are looked in, in this order."""
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    roots = [root for root in (data_dir, _environment()) if root is not None]
    found = [folder for root in roots for folder in (root, root / family.name)]
    return [*dict.fromkeys([*found, keras / family.name])]


def _environment() -> Path | None:
    value = os.environ.get("EDGECNN_DATA")
    return Path(value).expanduser() if value else None


def _find(family: Family, data_dir: Path | None) -> tuple[list[Path], Path]:
    looked = places(family, data_dir)
    for folder in looked:
        files = [next((p for p in (folder / f"{part}.gz", folder / part) if p.is_file()), None) for part, _ in PARTS]
        present = [path for path in files if path is not None]
        if len(present) == len(PARTS):
            return present, folder
    raise DataError(
        f"{family.name} is not on this machine: looked in {', '.join(map(str, looked))}; "
        "put its four .gz files into one of them, or use the embedded digits: optdigits"
    )


def _verify(family: Family, arrays: list[NDArray[np.uint8]], names: list[str]) -> str:
    hashes = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
    for got, expected, name in zip(hashes, family.content, names, strict=True):
        if got != expected:
            raise DataError(
                f"{name}: its content is not that of {family.name} (SHA-256 {got[:12]}..., not {expected[:12]}...); "
                "for pictures of your own use a folder with one sub-folder a class"
            )
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
