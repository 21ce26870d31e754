"""Frames with their overlay as a video file or as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.files import output_folder, write_atomically
from edgecnn.live.moment import moment_name, plain_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn.live.observation import Observation

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""Endings of video files that are written, with the codec that every build of OpenCV has for them."""
MAX_REPEATS = 250
"""Most times that one frame of a camera is repeated to keep the time: a camera that was away for long left a gap."""


def save_sink(target: Path, rate: float | None) -> VideoFile | PictureFolder:
    """Make the sink for a path.

    Args:
        target: A video file (see `CODECS`), or a folder, which is made where it is absent.
        rate: Frames per second of a video source; None for a camera, whose frames come when they come.

    Raises:
        ArgumentError: The ending is another one, or nothing can be written there.
    """
    if target.suffix.lower() in CODECS:
        output_folder(target.parent, "save")
        return VideoFile(target, rate)
    if target.suffix and not target.is_dir():
        raise ArgumentError(f"save: expected a folder or a file that ends in {', '.join(CODECS)}, got {target}")
    output_folder(target, "save")
    return PictureFolder(target)


class VideoFile:
    """Writes frames into a video, under another name until it is whole.

    Args:
        target: The file.
        rate: Frames per second. None: 25, with frames repeated or left out so that the video keeps the camera's time.
    """

    def __init__(self, target: Path, rate: float | None) -> None:
        self._target = target
        self._partial = target.with_name(f".{target.stem}.part{target.suffix}")
        self._timed = rate is None
        self._rate = rate or 25.0
        self._writer: Any = None
        self._size = (0, 0)
        self._begin = 0.0
        self._written = 0

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
            repeats = min(max(due - self._written, 0), MAX_REPEATS)
            self._written = max(due, self._written)
        for _ in range(repeats):
            self._writer.write(picture)

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            self._partial.replace(self._target)

    def _open(self, picture: NDArray[np.uint8], when: float) -> None:
        import cv2

        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._size, self._begin = (picture.shape[1], picture.shape[0]), when
        codec = cv2.VideoWriter.fourcc(*CODECS[self._target.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._partial), cv2.CAP_FFMPEG, codec, self._rate, self._size)
        if not self._writer.isOpened():
            self._writer = None
            raise SourceError(f"save: cannot write the video {self._target} (folder writable? disk full?)")


class PictureFolder:
    """Writes a PNG of each picture; of a video or a camera one whenever the stable text changes.

    Args:
        folder: Where to; made where it is absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, observation: Observation) -> None:
        """Write the picture, where there is news."""
        if observation.tracked and not (observation.changed and observation.stable):
            return
        if observation.tracked:
            name = f"{moment_name(observation.frame)}-{plain_name(observation.stable)}.png"
        else:
            name = f"{observation.frame.index:05d}-{Path(observation.frame.source).stem}.png"
        write_png(self._folder / name, observation.overlay())

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: each file is whole."""


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, whole or not at all; the folder is made where it is absent."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, bytes(cv2.imencode(".png", picture)[1]))
