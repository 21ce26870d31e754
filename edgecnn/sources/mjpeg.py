"""Cut a stream of JPEG files that follow each other into single files."""

from __future__ import annotations

import re

MAX_BYTES = 1 << 25
"""Largest JPEG that is waited for: 32 MiB."""
_SOI = b"\xff\xd8"
_START = _SOI + b"\xff"
"""How a file starts: the marker SOI and the first byte of the next marker."""
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
"""A marker inside entropy-coded data: FF and neither a stuffed 0 nor a restart (ITU-T T.81, B.1.1.2)."""


class JpegSplitter:
    """Takes pieces of a stream as they come and gives whole JPEG files back; what is no JPEG is passed over."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = len(_SOI)
        self._in_scan = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Take a piece of the stream.

        Args:
            piece: The next bytes, any number of them.

        Returns:
            The files that are whole now, oldest first.
        """
        self._data += piece
        files = []
        while (file := self._next()) is not None:
            files.append(file)
        if len(self._data) > MAX_BYTES:
            self._restart(2)
        return files

    def _restart(self, skip: int) -> None:
        """Look for the next start of a file behind the first `skip` bytes."""
        found = self._data.find(_START, skip)
        keep = found if found >= 0 else max(skip, len(self._data) - len(_START) + 1)
        del self._data[: min(keep, len(self._data))]
        self._at, self._in_scan = len(_SOI), False

    def _next(self) -> bytes | None:
        if not self._data.startswith(_START):
            self._restart(0)
        if not self._data.startswith(_START):
            return None
        while self._at + 4 <= len(self._data) or (self._in_scan and self._at < len(self._data)):
            end = self._scan() if self._in_scan else self._segment()
            if end is None:
                return None
            if end:
                file = bytes(self._data[:end])
                del self._data[:end]
                self._at, self._in_scan = len(_SOI), False
                return file
            if not self._data.startswith(_START):
                return None
        return None

    def _segment(self) -> int | None:
        """Step over one marker segment. 0: go on; None: more bytes are needed."""
        marker, code = self._data[self._at], self._data[self._at + 1]
        if marker != 0xFF or code in (0x00, 0xD8):
            self._restart(2)  # It was no JPEG.
            return 0
        if code == 0xFF:  # Fill bytes may stand before a marker.
            self._at += 1
            return 0
        if code == 0xD9:
            return self._at + 2
        length = int.from_bytes(self._data[self._at + 2 : self._at + 4], "big")
        if self._at + 2 + length > len(self._data):
            return None
        self._at += 2 + length
        self._in_scan = code == 0xDA
        return 0

    def _scan(self) -> int | None:
        """Step over entropy-coded data. 0: a further segment follows; None: more bytes are needed."""
        found = _MARKER.search(self._data, self._at)
        if found is None:
            self._at = max(self._at, len(self._data) - 1)
            return None
        self._at = found.end() - 2
        self._in_scan = False
        return found.end() if found[1] == b"\xd9" else 0
