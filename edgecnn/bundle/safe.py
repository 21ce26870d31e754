"""Files of a folder that came from somebody else: plain files inside of it, of the right size and hash."""

from __future__ import annotations

import stat
from pathlib import Path

from edgecnn.errors import BundleError
from edgecnn.files import sha256


def check_file(folder: Path, name: str, size: int | None) -> None:
    """Check that a file of the bundle is a plain file inside of it, and of a size where that is known.

    Raises:
        BundleError: It is something else.
    """
    path = folder / name
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve(strict=True)):
            raise BundleError(f"{path}: a link that leaves the bundle")
        status = path.stat()
    except FileNotFoundError as error:
        what = "no such bundle" if not folder.is_dir() else "missing from the bundle"
        raise BundleError(f"{path if folder.is_dir() else folder}: {what}") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, on Python 3.11 and 3.12
        raise BundleError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path}: no plain file")
    if size is not None and status.st_size != size:
        raise BundleError(f"{path}: altered; expected {size:,} bytes, got {status.st_size:,}")


def check_hash(folder: Path, name: str, size: int, digest: str) -> None:
    """Check that a file of the bundle has the size and the hash that bundle.json says.

    Raises:
        BundleError: It is absent, unsafe or altered.
    """
    check_file(folder, name, size)
    try:
        found = sha256(folder / name)
    except OSError as error:
        raise BundleError(f"{folder / name}: cannot be read: {error.strerror}") from error
    if found != digest:
        raise _altered(folder / name)


def verified(folder: Path, name: str, size: int, digest: str) -> bytes:
    """Bytes of a file of the bundle, which have the size and the hash that bundle.json says.

    Raises:
        BundleError: It is absent, unsafe or altered.
    """
    content = bounded(folder, name, size)
    if sha256(content) != digest:
        raise _altered(folder / name)
    return content


def bounded(folder: Path, name: str, most: int) -> bytes:
    """Bytes of a file of the bundle; of one that is longer than `most` one byte more, which is enough to see that.

    Raises:
        BundleError: It is absent or unsafe.
    """
    check_file(folder, name, None)
    try:
        with (folder / name).open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise BundleError(f"{folder / name}: cannot be read: {error.strerror}") from error


def _altered(path: Path) -> BundleError:
    return BundleError(f"{path}: altered; its hash is not the one of bundle.json")
