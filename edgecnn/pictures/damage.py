"""What libjpeg knows of damage inside the pixels of a JPEG, and tells nobody but stderr.

A JPEG has no check sum. Where its pixels are damaged the decoder goes on as well as it can, writes one line to stderr,
and OpenCV returns the picture as if nothing were wrong. So that line is listened to. It tells of nearly every lost or
zeroed sector; a flipped bit mostly gives other pixels in a file that is still a good JPEG, which nobody can tell.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PADDING = 16
"""Bytes behind the last pixel that are no damage: some cameras fill up to an even length."""
_LINE = re.compile(rb"Corrupt JPEG data: ([^\n]*)\n?")
_PADDED = re.compile(rb"(\d+) extraneous bytes before marker 0xd9")
_ALONE = threading.Lock()
"""There is one stderr a process: of two pictures decoded at once nobody could say whose line it is."""


def listened(decode: Callable[[], Result]) -> tuple[Result, str | None]:
    """Decode a JPEG, and hear what libjpeg says meanwhile.

    What others write to stderr in that time comes a moment later. Where the system is not Linux or the process has no
    stderr, nothing is heard.

    Args:
        decode: Decodes it, by OpenCV.

    Returns:
        What `decode` returned, and the damage in libjpeg's words; None where it found none.
    """
    with _ALONE:
        try:
            stderr = os.dup(2)
        except OSError:
            return decode(), None
        try:
            ear = os.memfd_create("stderr")
        except (OSError, AttributeError):
            os.close(stderr)
            return decode(), None
        try:
            os.dup2(ear, 2)
            try:
                result = decode()
            finally:
                os.dup2(stderr, 2)
            heard = os.pread(ear, os.fstat(ear).st_size, 0)
            others = _LINE.sub(b"", heard)
            if others:
                os.write(2, others)
        finally:
            os.close(ear)
            os.close(stderr)
    return result, _damage(heard)


def _damage(heard: bytes) -> str | None:
    for words in _LINE.findall(heard):
        padded = _PADDED.fullmatch(words)
        if padded is None or int(padded[1]) > PADDING:
            return str(words.decode("ascii", "replace"))
    return None
