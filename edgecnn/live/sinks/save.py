"""Frames with their overlay as a video file, as one picture, or as pictures in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.files import output_folder, write_atomically
from edgecnn.live.moment import moment_name, plain_name
from edgecnn.sources.recorded import PictureSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn.live.observation import Observation
    from edgecnn.sources import Source

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""Endings of video files that are written, with the codec that every build of OpenCV has for them."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings of picture files that are written."""
PICTURE_RATE = 1.0
"""Frames per second of a video that is made of pictures: the times of their files say nothing about it."""
MAX_REPEATS = 250
"""Most times that one frame of a camera is repeated to keep the time: a camera that was away for long left a gap."""


def save_sink(target: Path, source: Source) -> Saver:
    """Make the sink for a path.

    Args:
        target: A video file (see `CODECS`); for a source of one picture a picture file (see `PICTURES`); or a folder,
            which is made where it is absent.
        source: Where the frames come from.

    Raises:
        ArgumentError: The ending is another one, nothing can be written there, or it would be read as a source.
    """
    suffix = target.suffix.lower()
    folder = not suffix or target.is_dir()
    paths = source.paths if isinstance(source, PictureSource) else ()
    if any(map(source.reads, [target / _name(0, path) for path in paths[:1]] if folder else [target])):
        what = "a folder outside of what is read" if folder else "another file than what is read"
        raise ArgumentError(f"save: expected {what}, got {target}, which the next run would read as a source")
    if folder:
        output_folder(target, "save")
        return PictureFolder(target)
    if suffix in CODECS:
        output_folder(target.parent, "save")
        return VideoFile(target, None if source.live else source.rate or PICTURE_RATE)
    expected = f"expected a folder or a file that ends in {', '.join(CODECS)}"
    if suffix not in PICTURES:
        raise ArgumentError(f"save: {expected}, for one picture also {', '.join(PICTURES)}, got {target}")
    if source.live or source.rate is not None or source.total != 1:
        raise ArgumentError(f"save: {expected} for more than one picture, got {target} for {source.name}")
    output_folder(target.parent, "save")
    return PictureFile(target)


class VideoFile:
    """Writes frames into a video, under another name until it is whole.

    Args:
        target: The file.
        rate: Frames per second. None: 25, with frames repeated or left out so that the video keeps the camera's time.

    Attributes:
        written: What is there now, for people; empty while the video is not whole.
    """

    def __init__(self, target: Path, rate: float | None) -> None:
        self.written = ""
        self._target = target
        self._partial = target.with_name(f".{target.stem}.part{target.suffix}")
        self._timed = rate is None
        self._rate = rate or 25.0
        self._writer: Any = None
        self._size = (0, 0)
        self._begin = 0.0
        self._due = 0
        self._frames = 0

    def take(self, observation: Observation) -> None:
        """Write the frame."""
        picture = observation.overlay()
        if self._writer is None:
            self._open(picture, observation.frame.time)
        if (picture.shape[1], picture.shape[0]) != self._size:
            import cv2

            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA).astype(picture.dtype, copy=False)
        repeats = 1
        if self._timed:
            due = round((observation.frame.time - self._begin) * self._rate) + 1
            repeats = min(max(due - self._due, 0), MAX_REPEATS)
            self._due = max(due, self._due)
        for _ in range(repeats):
            self._writer.write(picture)
        self._frames += repeats

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            self._partial.replace(self._target)
            self.written = f"{self._target}, {_count(self._frames, 'frame')}"

    def _open(self, picture: NDArray[np.uint8], when: float) -> None:
        import cv2

        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._size, self._begin = (picture.shape[1], picture.shape[0]), when
        codec = cv2.VideoWriter.fourcc(*CODECS[self._target.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._partial), cv2.CAP_FFMPEG, codec, self._rate, self._size)
        if not self._writer.isOpened():
            self._writer = None
            raise SourceError(f"save: cannot write the video {self._target} (folder writable? disk full?)")


class PictureFile:
    """Writes the picture, whole or not at all.

    Args:
        target: The file; its ending tells the format.

    Attributes:
        written: What is there now, for people; empty before the picture came.
    """

    def __init__(self, target: Path) -> None:
        self.written = ""
        self._target = target

    def take(self, observation: Observation) -> None:
        """Write the picture."""
        write_picture(self._target, observation.overlay())
        self.written = str(self._target)

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: the file is whole."""


class PictureFolder:
    """Writes a PNG of each picture; of a video or a camera one for each new stable text that is not empty.

    Args:
        folder: Where to; made where it is absent.

    Attributes:
        written: What is there now, for people; empty before the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self.written = ""
        self._folder = folder
        self._pictures = 0

    def take(self, observation: Observation) -> None:
        """Write the picture, where there is news."""
        if observation.tracked and not (observation.changed and observation.stable):
            return
        if observation.tracked:
            name = f"{moment_name(observation.frame)}-{plain_name(observation.stable)}.png"
        else:
            name = _name(observation.frame.index, Path(observation.frame.source))
        write_picture(self._folder / name, observation.overlay())
        self._pictures += 1
        self.written = f"{_count(self._pictures, 'picture')} in {self._folder}{os.sep}"

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: each file is whole."""


Saver = VideoFile | PictureFile | PictureFolder
"""Each says in `written` what is there now."""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _name(index: int, path: Path) -> str:
    """Of a picture in a folder."""
    return f"{index:05d}-{path.stem}.png"


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, whole or not at all; the folder is made where it is absent.

    Raises:
        ArgumentError: This format cannot hold a picture of that size, or this OpenCV cannot write it.
    """
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix.lower(), picture) if cv2.haveImageWriter(path.name) else (False, b"")
    if not done:
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise ArgumentError(f"save: {size} pixels cannot be written as {path.suffix} here; .png can, got {path}")
    write_atomically(path, bytes(data))
