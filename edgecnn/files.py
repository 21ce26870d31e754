"""Files that are complete or absent: written under a temporary name in the same folder, synced, then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecnn.errors import ArgumentError

_CHUNK = 1 << 20


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, also after a power cut, sees all of the old bytes or all of the new ones.

    Args:
        path: Where to write; its folder must exist. A symbolic link is replaced, not followed.
        data: The whole content.

    Raises:
        OSError: The folder is absent or read-only, or the disk is full; the old file is then untouched.
    """
    import tempfile  # here, and not above: reading a picture writes no file

    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())  # mkstemp makes files that only their owner can read
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def sha256(source: Path | bytes) -> str:
    """SHA-256 of a file, read in pieces, or of bytes.

    Returns:
        64 lower-case hex digits.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    with Path(source).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def output_folder(path: Path, argument: str) -> None:
    """Make a folder that a user named for output, before the work whose results shall go there.

    Args:
        path: The folder; those above it are made, too.
        argument: Which argument named it, for the message.

    Raises:
        ArgumentError: It cannot be made, or no file can be written in it.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{argument}: {path} cannot be made: {(error.strerror or str(error)).lower()}") from error
    check_writable(path, argument)


def check_writable(folder: Path, argument: str) -> None:
    """Find out, before the work, whether its results can be written in a folder that a user named.

    A file without a name is made there, because permissions do not tell all: root, /proc, a full disk.

    Args:
        folder: The folder.
        argument: Which argument named it, for the message.

    Raises:
        ArgumentError: No file can be written in it.
    """
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ArgumentError(f"{argument}: no file can be written in {folder}: {why}") from error


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """Fill a new folder beside `target`, and put it in the place of `target` only when the block ends without an error.

    A folder cannot be renamed over one that holds files, so the old one steps aside first and is removed after the new
    one stands; if that second step fails the old one comes back. Every way out of the block but success, Ctrl-C
    included, removes the new folder and leaves the old one as it was.

    Args:
        target: Where the folder shall be; its parent is made when absent.

    Yields:
        The empty temporary folder, on the same file system as `target`.

    Raises:
        NotADirectoryError: `target` exists and is not a folder, or is a symbolic link.
        OSError: The parent is read-only, or the disk is full.
    """
    import shutil
    import tempfile

    target = Path(os.path.abspath(target))  # noqa: PTH100 - Path.resolve would follow a link at the end
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise NotADirectoryError(f"{target} exists and is not a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent))
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        for path in sorted(fresh.rglob("*")):
            _sync_folder(path) if path.is_dir() else _sync_file(path)
        _sync_folder(fresh)
        _swap(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _sync_folder(target.parent)


def _swap(fresh: Path, target: Path) -> None:
    import shutil
    import tempfile

    if not target.exists():
        fresh.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".old", dir=target.parent))
    target.rename(aside)  # over an empty folder, which POSIX allows
    try:
        fresh.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    """The process's umask, read without changing it where Linux tells it (os.umask would race with other threads)."""
    with suppress(OSError), Path("/proc/self/status").open() as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last; a file system that cannot sync a folder is left alone."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
