"""What every source is: something that gives frames, each with its time, and that can be closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from edgecnn.spec import Frame

MAX_PIXELS = 64_000_000
"""Largest frame that a source gives, in pixels: a broken stream may announce any size."""

Notify = Callable[[str], None]
"""Takes one line for people about the source: a picture that is broken, a camera that is lost or is back."""


def silent(line: str) -> None:
    """Take a line and do nothing with it."""


class Source(ABC):
    """Gives frames one after the other. A context manager; `close` may be called from any thread and more than once.

    Attributes:
        name: What the frames come from, for people; never holds a password.
        live: Whether frames arrive by themselves (a camera, a stream). A live source gives the newest frame and counts
            those that it dropped; any other gives every frame.
        total: How many frames will come, where that is known.
        rate: Frames per second that a video was recorded with; None for all else.
        dropped: Frames that nobody took before a newer one came.
        broken: Pictures or ends of a video that could not be read and were passed over.
        ended: Whether no frame will come any more.
        lost: Whether a camera or a stream is away now, and is tried again.
    """

    live = False

    def __init__(self, name: str, notify: Notify = silent) -> None:
        self.name = name
        self.total: int | None = None
        self.rate: float | None = None
        self.dropped = 0
        self.broken = 0
        self.ended = False
        self.lost = False
        self._notify = notify

    @abstractmethod
    def poll(self, timeout: float) -> Frame | None:
        """Give the next frame.

        Args:
            timeout: How long to wait for it at most, in seconds. Only a live source lets one wait.

        Returns:
            The frame, or None when none came in that time or when the source has `ended`.

        Raises:
            SourceError: The source gives no frames and has been given up.
        """

    @abstractmethod
    def close(self) -> None:
        """End the source and give back what it holds."""

    def reads(self, path: Path) -> bool:
        """Whether this is, or would be when the same is opened again, one of the files that are read."""
        return False

    def __iter__(self) -> Iterator[Frame]:
        while not self.ended:
            frame = self.poll(0.5)
            if frame is not None:
                yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how fast a lost camera is tried again: after first, first * 2, first * 4 ... seconds.

    Attributes:
        attempts: Tries in a row before giving up; 0 gives up at once, None never does.
        first: Seconds before the first try.
        longest: The most seconds between two tries.
        healthy: Seconds that a camera must have worked for its earlier failures to be forgotten.
        absent: Whether a camera that is not there to begin with is tried again like one that was lost; else that is an
            error at once, since a name is rather mistyped than early.

    Raises:
        ArgumentError: A value is negative.
    """

    attempts: int | None = 10
    first: float = 0.5
    longest: float = 15.0
    healthy: float = 5.0
    absent: bool = False

    def __post_init__(self) -> None:
        for name in ("attempts", "first", "longest", "healthy"):
            if (getattr(self, name) or 0) < 0:
                raise ArgumentError(f"retry {name}: expected 0 or more, got {getattr(self, name)!r}")

    def delay(self, attempt: int) -> float:
        """Seconds to wait before try number `attempt`, which counts from 1."""
        return float(min(self.longest, self.first * 2.0 ** min(attempt - 1, 30)))


@dataclass(frozen=True, slots=True)
class CameraMode:
    """What is asked of a camera; it may give something near to it.

    Attributes:
        width: Columns of a frame, 16..8192.
        height: Rows of a frame, 16..8192.
        rate: Frames per second, above 0 and up to 1000.

    Raises:
        ArgumentError: A value is out of range.
    """

    width: int = 640
    height: int = 480
    rate: float = 30.0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            if not 16 <= getattr(self, name) <= 8192:
                raise ArgumentError(f"camera {name}: expected 16 to 8192 pixels, got {getattr(self, name)}")
        if not 0 < self.rate <= 1000:
            raise ArgumentError(f"camera rate: expected above 0 and up to 1000 frames/s, got {self.rate}")
