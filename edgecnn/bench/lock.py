"""One bench at a time: two at once would each measure the other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecnn.errors import MeasurementError

FILE = "bench.lock"
POLL_SECONDS = 0.2


def state_folder() -> Path:
    """Where the history and the lock lie: EDGECNN_STATE, else the user's state folder (XDG base directories)."""
    named = os.environ.get("EDGECNN_STATE")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(named) if named else Path(base) / "edgecnn"


@contextmanager
def only_one(folder: Path | None = None, *, wait: float, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock of benches; the kernel lets it go when this process ends, however it ends.

    Args:
        folder: Where the lock lies; made when absent.
        wait: How many seconds to wait for another bench; 0 does not wait.
        waiting: Called once with a line for people when there is something to wait for.

    Yields:
        False where nothing can be locked (a read-only home, Windows): the bench runs, and another one is not noticed.

    Raises:
        MeasurementError: Another bench is still running when the time is up.
    """
    handle = _open(state_folder() if folder is None else folder)
    if handle is None:
        yield False
        return
    try:
        _take(handle, wait, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield True
    finally:
        os.close(handle)


def _open(folder: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _take(handle: int, wait: float, waiting: Callable[[str], None]) -> None:
    import fcntl  # Windows has none, and gets not so far

    deadline = time.monotonic() + wait
    told = False
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "?"
        if time.monotonic() >= deadline:
            raise MeasurementError(
                f"another bench is running (process {holder}); wait for it, or let this one wait: --wait SECONDS"
            )
        if not told:
            waiting(f"waiting for another bench (process {holder})")
            told = True
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
