"""Keeps one line of LiteRT off stderr.

LiteRT writes "INFO: Created TensorFlow Lite XNNPACK delegate for CPU." to file descriptor 2, once a process, and its
Python package has no switch for that. Programs that read our stderr take every line there for a problem.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LINE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
_lock = threading.Lock()
_seen = False


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hold back what is written to stderr in the block, and pass on all of it but the one line.

    Once the line has come, the block runs as it is.
    """
    global _seen
    if _seen:
        yield
        return
    with _lock:
        try:
            stderr = os.dup(2)
        except OSError:  # closed: nobody reads it
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                held.seek(0)
                lines = held.read().splitlines(keepends=True)
                rest = [line for line in lines if line.strip() != _LINE]
                _seen = _seen or len(rest) < len(lines)  # another thread may have waited for the lock
                if rest:
                    os.write(2, b"".join(rest))
