"""Sources that give every frame: pictures, folders, patterns, standard input, and video files."""

from __future__ import annotations

import fnmatch
import glob
import sys
import time
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import DataError, SourceError
from edgecnn.sources.base import MAX_PIXELS, Notify, Source, silent
from edgecnn.sources.opencv import be_quiet, open_capture
from edgecnn.spec import Frame

if TYPE_CHECKING:
    from typing import BinaryIO

VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mkv", ".webm", ".avi", ".mov", ".mpg", ".mpeg", ".ts", ".mjpeg", ".h264"))
MAX_STDIN = 1 << 28
"""Most bytes that are taken from standard input: 256 MiB."""


class PictureSource(Source):
    """Gives pictures in the order asked for. One that is broken is told to `notify`, counted and passed over.

    Args:
        paths: Files to read; "-" stands for one picture on `stdin`.
        notify: Takes a line for each broken picture.
        stdin: Where "-" reads from.
        named: Files, folders and patterns that the paths come from; None when the files themselves were named.

    Attributes:
        paths: The files to read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        notify: Notify = silent,
        stdin: BinaryIO | None = None,
        named: Sequence[str] | None = None,
    ) -> None:
        super().__init__(str(paths[0]) if len(paths) == 1 else f"{len(paths)} pictures", notify)
        self.total = len(paths)
        self.paths = tuple(paths)
        self._named = [str(path) for path in paths] if named is None else list(named)
        self._stdin = stdin
        self._frames = self._read(paths)

    def poll(self, timeout: float) -> Frame | None:
        """Read the next picture that can be read."""
        frame = next(self._frames, None)
        if frame is None:
            self.ended = True
        return frame

    def close(self) -> None:
        """Read no further."""
        self.ended = True
        self._frames.close()

    def reads(self, path: Path) -> bool:
        """Whether this is one of the pictures, or would be one when the same is opened again."""
        path = path.resolve()
        return any(_names(text, path, several=len(self._named) > 1) for text in self._named)

    def _read(self, paths: Sequence[Path]) -> Generator[Frame, None, None]:
        from edgecnn import pictures

        for index, path in enumerate(paths):
            try:
                if str(path) == "-":
                    picture, when = pictures.decode(_bounded(self._stdin or sys.stdin.buffer)), time.time()
                else:
                    picture, when = pictures.read(path), path.stat().st_mtime
            except (DataError, OSError) as error:
                self.broken += 1
                line = str(error)
                self._notify(line if str(path) in line else f"{path}: {line}")
                continue
            yield Frame(picture, when, index, str(path))


def _bounded(stdin: BinaryIO) -> bytes:
    data = stdin.read(MAX_STDIN + 1)
    if len(data) > MAX_STDIN:
        raise DataError(f"standard input: more than {MAX_STDIN >> 20} MiB")
    return data


def _names(text: str, path: Path, *, several: bool) -> bool:
    """Whether a file, a folder or a pattern names a picture, which need not be there yet."""
    named = Path(text)
    if named.is_dir():
        return path.is_relative_to(named.resolve())
    if named.is_file():
        # Several files are most likely what a shell made of a pattern, and would make again.
        alike = several and (named.parent.resolve(), named.suffix) == (path.parent, path.suffix)
        return alike or named.resolve() == path
    parts = named.parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    start = Path(*parts[:fixed]).resolve()
    return fixed < len(parts) and path.is_relative_to(start) and _match(parts[fixed:], path.relative_to(start).parts)


def _match(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a pattern matches a path, both in parts; ** stands for any number of folders."""
    if not pattern or not parts:
        return not parts and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _match(pattern[1:], parts) or _match(pattern, parts[1:])
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _match(pattern[1:], parts[1:])


class VideoSource(Source):
    """Gives every frame of a video file.

    A frame's time is its position, in seconds from the beginning of the video: when it was captured, the file does not
    tell, since its own time changes with each copy.

    Args:
        path: The file.
        notify: Takes a line when the file breaks off before its end.

    Raises:
        SourceError: It cannot be opened, or its frames are too large.
    """

    def __init__(self, path: Path, notify: Notify = silent) -> None:
        super().__init__(str(path), notify)
        try:
            path.stat()
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
        import cv2

        be_quiet()
        self._capture = open_capture(str(path), "CAP_FFMPEG", {})
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{path}: expected a video that FFmpeg can read; it is something else or broken")
        width, height = (self._capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MAX_PIXELS:
            self._capture.release()
            raise SourceError(f"{path}: frames of {width:g}x{height:g} pixels are too large")
        rate, count = self._capture.get(cv2.CAP_PROP_FPS), round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._rate = self.rate = rate if 0 < rate < 1000 else 30.0
        self.total = count if count > 0 else None
        self._index = 0
        self._position = 0.0
        self._told = partial(self._capture.get, cv2.CAP_PROP_POS_MSEC)

    def poll(self, timeout: float) -> Frame | None:
        """Decode the next frame."""
        if self.ended:
            return None
        ok, picture = self._capture.read()
        if not ok or picture is None:
            self.ended = True
            # What a container says of its length is rounded; a real break loses more than that. At a changing rate
            # `total` may be too large, but it tells the length.
            if self.total and max(self._index, self._position * self._rate + 1) < self.total * 0.98 - 2:
                self.broken += 1
                self._notify(f"{self.name}: breaks off after {self._index} of {self.total} frames")
            elif not self._index:
                self.broken += 1
                self._notify(f"{self.name}: holds no frame that can be read")
            return None
        frame = Frame(picture, self._next_position(), self._index, self.name, video=True)
        self._index += 1
        return frame

    def _next_position(self) -> float:
        """Where the last decoded frame lies. A phone records at a changing rate, so the file is asked first."""
        told = self._told() / 1000  # 0 in what has no times, such as .h264
        self._position = max(self._position, told if told > 0 else self._index / self._rate)
        return self._position

    def reads(self, path: Path) -> bool:
        """Whether this is the video."""
        return path.resolve() == Path(self.name).resolve()

    def close(self) -> None:
        """Close the file."""
        self.ended = True
        self._capture.release()
