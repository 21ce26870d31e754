"""Download of a file whose size and hash are known beforehand: bounded in bytes and in time, all or nothing."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgecnn.errors import DataError
from edgecnn.files import write_atomically

if TYPE_CHECKING:
    import http.client
    from collections.abc import Sequence
    from pathlib import Path

    from edgecnn.data.types import Progress

CONNECT_SECONDS = 5.0
"""Until a server has answered: look-up of its name, connection, encryption and headers together."""
STALL_SECONDS = 10.0
"""Longest wait for the next bytes."""
TOTAL_SECONDS = 600.0
"""For one file from one server."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a download may take, in seconds: until the answer, between two pieces, and in total."""

    connect: float = CONNECT_SECONDS
    stall: float = STALL_SECONDS
    total: float = TOTAL_SECONDS


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on servers.

    Attributes:
        name: Its name, which follows the address of each server.
        size: Bytes.
        sha256: Its hash.
    """

    name: str
    size: int
    sha256: str


def download(
    remote: Remote,
    mirrors: Sequence[str],
    folder: Path,
    *,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Path:
    """Download a file from the first server that has it.

    Args:
        remote: What to download.
        mirrors: Addresses of folders on servers, http or https, each ending in a slash; tried in this order.
        folder: Where the file goes, under its own name; made if it is absent.
        progress: Told of the bytes.
        limits: How long it may take.

    Returns:
        The file, complete and with the right hash.

    Raises:
        DataError: No server gives it, or it cannot be written; each reason once, with its servers.
    """
    import http.client  # only here, as 40 ms of every other start would go into it

    failures: dict[str, list[str]] = {}
    for mirror in mirrors:
        try:
            data = _fetch(mirror + remote.name, remote, progress, limits or Limits())
        except (DataError, OSError, http.client.HTTPException) as error:
            failures.setdefault(_reason(error), []).append(str(urlsplit(mirror).hostname))
            continue
        path = folder / remote.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
        return path
    told = "; ".join(f"{', '.join(hosts)}: {reason}" for reason, hosts in failures.items())
    raise DataError(f"{remote.name} could not be downloaded ({told})")


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)  # urllib wraps what the socket said
    if isinstance(inner, OSError):
        error = inner
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split()).lower() if isinstance(error, OSError) else " ".join(text.split())


def _fetch(url: str, remote: Remote, progress: Progress | None, limits: Limits) -> bytes:
    """The bytes at an address, verified."""
    deadline = time.monotonic() + limits.total
    data = bytearray()
    with _open(url, limits) as response:
        if response.length != remote.size:  # None where the server does not say
            raise DataError(f"expected {remote.size:,} bytes, offered {response.length}")
        while len(data) < remote.size:
            # read1 gives what one packet brought; read would wait for more and could not see the deadline.
            piece = response.read1(min(_CHUNK, remote.size - len(data)))
            if not piece:
                raise DataError(f"the connection ended after {len(data):,} of {remote.size:,} bytes")
            data += piece
            if time.monotonic() > deadline:
                raise DataError(f"only {len(data):,} of {remote.size:,} bytes came in {limits.total:g} s")
            if progress is not None:
                progress(len(data), remote.size, f"downloading {remote.name}")
    found = hashlib.sha256(data).hexdigest()
    if found != remote.sha256:
        raise DataError(f"the hash is wrong (SHA-256 {found[:12]}..., expected {remote.sha256[:12]}...)")
    return bytes(data)


def _open(url: str, limits: Limits) -> http.client.HTTPResponse:
    """Open an address in a thread, because nothing else limits the look-up of a name, or headers that trickle in."""
    import http.client
    import urllib.error
    import urllib.request

    answers: queue.Queue[http.client.HTTPResponse | Exception] = queue.Queue()
    given_up = threading.Event()

    def work() -> None:
        request = urllib.request.Request(url, headers={"User-Agent": "edgecnn", "Accept-Encoding": "identity"})
        try:
            response = urllib.request.urlopen(request, timeout=limits.stall)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            answers.put(error)
            return
        answers.put(response)
        if given_up.is_set():
            response.close()

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=limits.connect)
    except queue.Empty:
        given_up.set()
        raise DataError(f"no answer in {limits.connect:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
