"""The user's own pictures: a folder with one sub-folder for each class, decoded on demand."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from edgecnn.data.stratify import LEAST, stratify
from edgecnn.data.types import Dataset, Skipped, checked_indices
from edgecnn.errors import ArgumentError, DataError
from edgecnn.pictures import decode, is_picture, read, read_bytes, shown
from edgecnn.preprocess import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from edgecnn.data.types import Progress
    from edgecnn.spec import ImageSpec

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

VALIDATION, TEST = 0.15, 0.15
"""Shares of all pictures that are held out by default."""
MAX_FILES = 1_000_000
"""Most files that are looked at, so that a wrong path such as / ends with a line and not after an hour."""
_FOREIGN = frozenset((".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".tga"))
_PARTS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))
_THREADS = min(4, os.cpu_count() or 1)  # each may hold one picture of the largest size


class FolderSplit:
    """Pictures in files, read and decoded each time that they are asked for.

    Args:
        paths: The files.
        labels: Whole numbers [n], not negative.

    Raises:
        ArgumentError: There are not as many labels as files.
    """

    def __init__(self, paths: Sequence[Path], labels: ArrayLike) -> None:
        self.paths = tuple(paths)
        self._labels = np.array(labels, np.int64)
        if self._labels.shape != (len(self.paths),):
            raise ArgumentError(f"labels: expected {len(self.paths)}, one for each file, got {self._labels.shape}")
        self._labels.flags.writeable = False

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [n]; read-only."""
        return self._labels

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.paths)

    def pixels(self, indices: ArrayLike, image: ImageSpec) -> NDArray[np.uint8]:
        """Pictures brought to a network's size, see `Split.pixels`; decoded in a few threads."""
        chosen = checked_indices(indices, len(self)).tolist()
        out = np.empty((len(chosen), *image.shape), np.uint8)

        def place(rows: range) -> None:
            for row in rows:
                out[row] = fit(read(self.paths[chosen[row]], listen=False), image)  # damage was looked for before

        # One share for each thread, not one picture: handing over a small picture costs as much as decoding it.
        deque(_in_threads(place, [range(start, len(chosen), _THREADS) for start in range(_THREADS)]), maxlen=0)
        return out


@dataclass(frozen=True, slots=True)
class _Checked:
    """A picture that was read and decoded once: its hash and shape, or why it cannot be used."""

    path: Path
    label: int
    digest: str = ""
    shape: tuple[int, int, int] | None = None
    reason: str = ""


def load_folder(
    path: Path,
    *,
    seed: int = 0,
    validation: float = VALIDATION,
    test: float = TEST,
    progress: Progress | None = None,
) -> Dataset:
    """Load a folder with one sub-folder of pictures for each class.

    Every picture is read and decoded once, so that training cannot stumble over a broken one hours later. Pictures in
    folders inside a class belong to the class. Links to folders are followed for a class itself but not inside of it;
    hidden files, and files that are no pictures, are ignored. Copies of a picture stay in one split; a picture that is
    in two classes is used in neither.

    Args:
        path: The folder.
        seed: Of the split.
        validation: Share of each class for validation, above 0.
        test: Share of each class for the test, above 0; both together below 1.
        progress: Told of the pictures that were checked.

    Raises:
        ArgumentError: A share is out of range.
        DataError: There are fewer than two classes, or too few different pictures of a class.
    """
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise ArgumentError(f"validation, test: expected shares above 0, together below 1, got {validation}, {test}")
    folders = classes(path)
    labels = tuple(folder.name for folder in folders)
    found, skipped, ignored = _walk(path, folders)
    checked = _check(found, progress)
    usable, unusable = _without_conflicts(checked, labels)
    skipped += unusable
    try:
        parts = _split(usable, labels, (validation, test), seed)
    except DataError as error:
        raise DataError(f"{shown(path)}: {error}{_because(skipped, usable, path, labels)}") from None
    train, held, tested = (FolderSplit([usable[i].path for i in p], [usable[i].label for i in p]) for p in parts)
    shapes = {picture.shape for picture in usable}
    lines = sorted(f"{labels[picture.label]}\0{picture.digest}\n" for picture in usable)
    return Dataset(
        name=path.resolve().name,  # as `data.name_of` has it
        labels=labels,
        train=train,
        validation=held,
        test=tested,
        shape=shapes.pop() if len(shapes) == 1 else None,
        source=f"{len(usable):,} pictures in {len(labels)} classes, from {shown(path)}",
        sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        skipped=tuple(skipped),
        ignored=ignored,
    )


def classes(path: Path) -> list[Path]:
    """The sub-folders of a data set that are classes, by name.

    Raises:
        DataError: There are fewer than two, or they are parts of a data set, or one has a name that cannot be shown.
    """
    try:
        entries = sorted(path.iterdir(), key=lambda entry: entry.name)
        found = [entry for entry in entries if _is_class(entry)]
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no such folder"
        raise DataError(f"{shown(path)}: expected a folder with one sub-folder for each class: {reason}") from error
    if len(found) < 2:
        loose = sum(is_picture(entry) for entry in entries)
        raise DataError(
            f"{shown(path)}: expected at least 2 sub-folders, one for each class with its pictures in it, "
            f"got {len(found)}" + (f" and {loose} pictures beside them" if loose else "")
        )
    for entry in found:
        if not entry.name.isprintable():
            raise DataError(f"{shown(entry)}: a class is named by its folder; use printable characters only")
    if _PARTS.issuperset(entry.name.lower() for entry in found) and not any(map(_holds_pictures, found)):
        raise DataError(
            f"{shown(path)}: expected one sub-folder for each class, got {', '.join(e.name for e in found)}; "
            "edgecnn splits by itself: put the pictures of each class into one folder"
        )
    return found


def _holds_pictures(folder: Path) -> bool:
    try:
        return any(is_picture(entry) for entry in folder.iterdir())
    except OSError:
        return False


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and not _hidden(entry.name) and not _is_loop(entry)


def _is_loop(entry: Path) -> bool:
    """Whether an entry of the data set's folder links back to that folder or to one that it is in."""
    return entry.is_symlink() and entry.parent.resolve().is_relative_to(entry.resolve())


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _walk(root: Path, classes: list[Path]) -> tuple[list[tuple[Path, int]], list[Skipped], int]:
    """All pictures with the index of their class, what is skipped unread, and how many files are no pictures."""
    found: list[tuple[Path, int]] = []
    skipped: list[Skipped] = []
    loose = sorted(entry for entry in root.iterdir() if not entry.is_dir())
    skipped += [Skipped(shown(entry), "it is in no class's folder") for entry in loose if is_picture(entry)]
    ignored = len(loose) - len(skipped)
    for label, folder in enumerate(classes):
        for path in _files(folder, skipped):
            if is_picture(path):
                found.append((path, label))
            elif path.suffix.lower() in _FOREIGN and not _hidden(path.name):
                skipped.append(Skipped(shown(path), f"{path.suffix[1:].upper()} is not read; convert it to PNG"))
            else:
                ignored += 1
            if len(found) + len(skipped) + ignored > MAX_FILES:
                raise DataError(
                    f"{shown(root)}: expected at most {MAX_FILES:,} files, got more; is it the right folder?"
                )
    return found, skipped, ignored


def _files(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(shown(Path(error.filename)), f"cannot be opened: {(error.strerror or '').lower()}"))

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        inside = Path(parent)
        for name in [name for name in folders if (inside / name).is_symlink()]:
            skipped.append(Skipped(shown(inside / name), "a link to a folder inside a class; put the pictures there"))
        folders[:] = sorted(name for name in folders if not _hidden(name))
        yield from (inside / name for name in sorted(files))


def _check(found: list[tuple[Path, int]], progress: Progress | None) -> list[_Checked]:
    """Read, hash and decode every picture once, in threads; the order is kept."""

    def check(item: tuple[Path, int]) -> _Checked:
        path, label = item
        try:
            data = read_bytes(path)
            picture = decode(data, name=shown(path))
        except DataError as error:
            return _Checked(path, label, reason=str(error).removeprefix(f"{shown(path)}: "))
        shape = (picture.shape[0], picture.shape[1], 1 if picture.ndim == 2 else 3)
        return _Checked(path, label, hashlib.sha256(data).hexdigest(), shape)

    checked = []
    for result in _in_threads(check, found):
        checked.append(result)
        if progress is not None:
            progress(len(checked), len(found), "checking pictures")
    return checked


def _in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """The results in the order of the items; few are under way at once, and none are started after an error."""
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 4 * _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _without_conflicts(checked: list[_Checked], labels: tuple[str, ...]) -> tuple[list[_Checked], list[Skipped]]:
    """Take out the broken pictures, and those that are in more than one class."""
    classes: dict[str, set[int]] = defaultdict(set)
    for picture in checked:
        classes[picture.digest].add(picture.label)
    usable, skipped = [], []
    for picture in checked:
        reason = picture.reason
        others = classes[picture.digest] - {picture.label}
        if not reason and others:
            reason = f"the same picture is also in {', '.join(labels[other] for other in sorted(others))}"
        if reason:
            skipped.append(Skipped(shown(picture.path), reason))
        else:
            usable.append(picture)
    return usable, skipped


def _split(
    usable: list[_Checked], labels: tuple[str, ...], shares: tuple[float, float], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(picture.digest, len(numbers)) for picture in usable]
    classes = np.array([picture.label for picture in usable], np.int64)
    return stratify(classes, np.array(groups, np.int64), labels, shares, seed)


def _because(skipped: list[Skipped], usable: list[_Checked], root: Path, labels: tuple[str, ...]) -> str:
    """How many pictures of the classes that are too small could not be used, with one for an example."""
    different = {(picture.label, picture.digest) for picture in usable}
    sizes = np.bincount([label for label, _ in different], minlength=len(labels))
    short = tuple(shown(root / name) + os.sep for name, size in zip(labels, sizes, strict=True) if size < LEAST)
    lost = [one for one in skipped if one.file.startswith(short)]
    return f"; {len(lost)} could not be used, such as {lost[0].file} ({lost[0].reason})" if lost else ""
