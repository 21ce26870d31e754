"""MNIST and Fashion-MNIST: found on this machine, or downloaded; 55,000 train, 5,000 validation, 10,000 test."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.data.download import Limits, Remote, download
from edgecnn.data.idx import read_idx
from edgecnn.data.npz import read_npz
from edgecnn.data.types import ArraySplit, Dataset
from edgecnn.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.data.types import Progress


@dataclass(frozen=True, slots=True)
class Part:
    """One of the four files of a data set.

    Attributes:
        name: Its name, without the suffix .gz.
        key: Its name in Keras' .npz file.
        shape: Sizes of the array in it.
        content: SHA-256 of the array's bytes.
        packed: The .gz file as its authors published it.
    """

    name: str
    key: str
    shape: tuple[int, ...]
    content: str
    packed: Remote


@dataclass(frozen=True, slots=True)
class Family:
    """One data set of the MNIST family.

    Attributes:
        name: Its name, which is also that of its sub-folder.
        raw: The sub-folder in which torchvision keeps it.
        labels: Names of its classes.
        credit: Who made it.
        parts: Training images, training labels, test images, test labels.
        mirrors: Servers that have its files.
        held_out: How many training images are for validation.
    """

    name: str
    raw: str
    labels: tuple[str, ...]
    credit: str
    parts: tuple[Part, Part, Part, Part]
    mirrors: tuple[str, ...]
    held_out: int = 5_000


def _part(stem: str, key: str, shape: tuple[int, ...], content: str, size: int, sha256: str) -> Part:
    return Part(stem, key, shape, content, Remote(f"{stem}.gz", size, sha256))


MNIST = Family(
    "mnist",
    "MNIST/raw",
    tuple("0123456789"),
    "MNIST (Y. LeCun, C. Cortes, C. Burges)",
    (
        _part(
            "train-images-idx3-ubyte",
            "x_train",
            (60_000, 28, 28),
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _part(
            "train-labels-idx1-ubyte",
            "y_train",
            (60_000,),
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _part(
            "t10k-images-idx3-ubyte",
            "x_test",
            (10_000, 28, 28),
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _part(
            "t10k-labels-idx1-ubyte",
            "y_test",
            (10_000,),
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
)
FASHION_MNIST = Family(
    "fashion-mnist",
    "FashionMNIST/raw",
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    "Fashion-MNIST (Zalando, MIT)",
    (
        _part(
            "train-images-idx3-ubyte",
            "x_train",
            (60_000, 28, 28),
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _part(
            "train-labels-idx1-ubyte",
            "y_train",
            (60_000,),
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _part(
            "t10k-images-idx3-ubyte",
            "x_test",
            (10_000, 28, 28),
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _part(
            "t10k-labels-idx1-ubyte",
            "y_test",
            (10_000,),
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)


FAMILIES = {family.name: family for family in (MNIST, FASHION_MNIST)}
"""The members of the family by name."""

_TEST_LABELS = frozenset(family.parts[-1].content for family in FAMILIES.values())
"""SHA-256 of the test labels of each member of the family."""


def load_family(
    family: Family,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Dataset:
    """Load MNIST or Fashion-MNIST.

    Args:
        family: Which one.
        data_dir: Folder to look in first, and to download to; else a download goes to the user's cache.
        seed: Shuffles the training images before the last of them are held out. Leave it at 0 unless another split is
            meant: whoever calibrates or compares must get the same one.
        progress: Told of a download.
        limits: How long a download may take.

    Returns:
        The data set; grey 28x28, light on black.

    Raises:
        ArgumentError: The seed is out of range, or EDGECNN_DATA names no folder.
        DataError: It is found nowhere and cannot be downloaded, or what was found is damaged or is not this data set.
    """
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed: expected 0 to {2**32 - 1}, got {seed}")
    arrays, where, digest = _arrays(family, data_dir, progress, limits)
    images, labels, test_images, test_labels = arrays
    # RandomState, because numpy promises that its stream never changes; that of default_rng may.
    order = np.random.RandomState(seed).permutation(len(images))
    train, held = order[: -family.held_out], order[-family.held_out :]
    return Dataset(
        name=family.name,
        labels=family.labels,
        train=ArraySplit(images[train], labels[train]),
        validation=ArraySplit(images[held], labels[held]),
        test=ArraySplit(test_images, test_labels),
        shape=(images.shape[1], images.shape[2], 1),
        source=f"{family.credit}, from {where}",
        sha256=digest,
    )


def places(family: Family, data_dir: Path | None) -> list[Path]:
    """The folders that are looked in, in this order: the family's own before one that may hold another member."""
    inside = (family.name, family.raw, ".")
    found = [root / name for root in _roots(data_dir) for name in inside]
    return [*dict.fromkeys([*found, _cache(family)])]


def _roots(data_dir: Path | None) -> list[Path]:
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    return [*(root for root in (data_dir, _environment()) if root is not None), keras]


def _environment() -> Path | None:
    """The folder of EDGECNN_DATA; None where it is not set. A mistyped one must not become a download."""
    named = os.environ.get("EDGECNN_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ArgumentError(f"EDGECNN_DATA: expected a folder that is there, got {named!r}; correct or unset it")
    return folder


def _absent(family: Family, data_dir: Path | None) -> str:
    """That it is not here, short: the folders that are looked in, without the names below them."""
    shown = dict.fromkeys(_short(path) for path in (*_roots(data_dir), _cache(family)))
    return f"{family.name} is not here (looked in {', '.join(shown)})"


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def find_files(family: Family, data_dir: Path | None) -> list[Path]:
    """The files of a member of the family on this machine, to carry them to another.

    Args:
        family: Which one.
        data_dir: Folder to look in first.

    Returns:
        Its four IDX files, or its one .npz file.

    Raises:
        ArgumentError: EDGECNN_DATA names no folder.
        DataError: It is in none of the places; nothing is downloaded.
    """
    for folder in places(family, data_dir):
        npz = folder / f"{family.name}.npz"
        if files := _idx_files(family, folder) or ([npz] if npz.is_file() else []):
            return files
    raise DataError(f"{_absent(family, data_dir)}; run first: edgecnn data {family.name}")


def _cache(family: Family) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgecnn" / family.name


def _arrays(
    family: Family, data_dir: Path | None, progress: Progress | None, limits: Limits | None
) -> tuple[list[NDArray[np.uint8]], Path, str]:
    """The four arrays, verified, where they are from, and the hash of all."""
    for folder in places(family, data_dir):
        if (found := _read(family, folder)) is not None:
            return found
    target = data_dir / family.name if data_dir is not None else _cache(family)
    try:
        for part in family.parts:
            if _present(target, part) is None:
                download(part.packed, family.mirrors, target, progress=progress, limits=limits)
    except DataError as error:
        embedded = ", or take the embedded digits: --data optdigits" if family.labels == tuple("0123456789") else ""
        raise DataError(
            f"{_absent(family, data_dir)}, and {error}; name the folder of its four .gz files by --data-dir "
            f"or EDGECNN_DATA{embedded}"
        ) from error
    found = _read(family, target)
    if found is None:
        raise DataError(f"{target}: the files of {family.name} were taken away while they were loaded; try again")
    return found


def _read(family: Family, folder: Path) -> tuple[list[NDArray[np.uint8]], Path, str] | None:
    """The same of one folder; None where the data set is not in it."""
    files = _idx_files(family, folder)
    if files:
        arrays = [read_idx(path, part.shape) for path, part in zip(files, family.parts, strict=True)]
        return arrays, folder, _verify(family, arrays, files)
    npz = folder / f"{family.name}.npz"
    if npz.is_file():
        arrays = [read_npz(npz, part.key, part.shape) for part in family.parts]
        return arrays, npz, _verify(family, arrays, [npz] * len(arrays))
    return None


def _idx_files(family: Family, folder: Path) -> list[Path]:
    """The four files in a folder; empty where they are not all there, or are those of another member of the family.

    All members call their files the same, so a folder of MNIST is no damaged Fashion-MNIST. The test labels tell.
    """
    found = [_present(folder, part) for part in family.parts]
    files = [path for path in found if path is not None]
    if len(files) < len(found):
        return []
    if folder.name == family.name:
        return files
    labels = family.parts[-1]
    others = _TEST_LABELS - {labels.content}
    return [] if _digest(read_idx(files[-1], labels.shape)) in others else files


def _digest(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(array.data).hexdigest()


def _present(folder: Path, part: Part) -> Path | None:
    candidates = (folder / part.packed.name, folder / part.name)
    return next((path for path in candidates if path.is_file()), None)


def _verify(family: Family, arrays: list[NDArray[np.uint8]], paths: list[Path]) -> str:
    """The hash of the data set; the same whether it came from .gz files or from .npz."""
    hashes = [_digest(array) for array in arrays]
    for got, part, path in zip(hashes, family.parts, paths, strict=True):
        if got != part.content:
            raise DataError(
                f"{path}: this is not the {family.name} that was published (SHA-256 {got[:12]}..., expected "
                f"{part.content[:12]}...); for pictures of your own use a folder with one sub-folder for each class"
            )
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
