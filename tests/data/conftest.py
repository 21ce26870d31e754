"""A small member of the MNIST family, as files, and a server that misbehaves on request."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn.data.download import Remote
from edgecnn.data.mnist import Family, Part

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@dataclass(frozen=True)
class Small:
    """A family of 40 training and 20 test images, its arrays and its packed files."""

    family: Family
    arrays: tuple[NDArray[np.uint8], ...]
    files: dict[str, bytes]

    def write(self, folder: Path) -> Path:
        """Write the four .gz files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Small:
    """The small family; home, caches and environment are empty."""
    for name, value in {"HOME": "home", "XDG_CACHE_HOME": "cache", "KERAS_HOME": "keras"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    rng = np.random.RandomState(7)
    arrays = []
    for count in (40, 20):
        arrays += [rng.randint(0, 256, (count, 28, 28)), np.arange(count) % 10]
    arrays = [array.astype(np.uint8) for array in arrays]
    files = {f"{stem}.gz": gzip.compress(idx(array), mtime=0) for stem, array in zip(STEMS, arrays, strict=True)}
    parts = [
        Part(
            stem,
            key,
            array.shape,
            hashlib.sha256(array.tobytes()).hexdigest(),
            remote(f"{stem}.gz", files[f"{stem}.gz"]),
        )
        for stem, key, array in zip(STEMS, ("x_train", "y_train", "x_test", "y_test"), arrays, strict=True)
    ]
    family = Family("small", "Small/raw", tuple("0123456789"), "Small (nobody)", (*parts,), (), held_out=10)  # type: ignore[arg-type]
    return Small(family, tuple(arrays), files)


def remote(name: str, data: bytes) -> Remote:
    """What is known beforehand about a file."""
    return Remote(name, len(data), hashlib.sha256(data).hexdigest())


@dataclass
class Server:
    """A web server on this machine.

    Attributes:
        address: Its address, ending in a slash.
        files: What it has, by name.
        fault: How it misbehaves.
        asked: The names that were asked for.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    asked: list[str] = field(default_factory=list)
    leave: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is stopped when the test ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            state.asked.append(name)
            data = state.files.get(name)
            if state.fault == "silent":
                state.leave.wait(30)
                return
            if state.fault == "trickling headers":
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: ":
                    if state.leave.wait(0.1):
                        return
                    self.wfile.write(bytes([byte]))
                state.leave.wait(30)
                return
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            if state.fault != "no length":
                self.send_header("Content-Length", str(len(data) + 1000 * (state.fault == "too large")))
            self.end_headers()
            self._send(data)

        def _send(self, data: bytes) -> None:
            if state.fault == "wrong bytes":
                data = bytes([data[0] ^ 1]) + data[1:]
            if state.fault in ("cut", "stall"):
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                if state.fault == "stall":
                    state.leave.wait(30)
                return
            if state.fault == "trickle":
                for byte in data:
                    if state.leave.wait(0.05):
                        return
                    self.wfile.write(bytes([byte]))
                return
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client has left, as it should
                self.close_connection = True

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{web.server_port}/")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.leave.set()
        web.shutdown()
        thread.join()
        web.server_close()
