"""What the live loop hands to its sinks: a frame with what was read in it, and how the loop is doing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from edgecnn.live.moment import clock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn.spec import Frame, Reading

_DRAWING = threading.Lock()
"""Two sinks that want an overlay at once get the same one."""


@dataclass(frozen=True, slots=True)
class Stats:
    """How the loop is doing.

    Attributes:
        rate: Frames per second over the last second or so; 0 before the second frame, also after a gap.
        age: Seconds from the capture of the frame to its readings; for pictures and videos from when they were decoded.
        frames: Frames read so far.
        dropped: Frames of the source that were passed over because a newer one was there.
    """

    rate: float
    age: float
    frames: int
    dropped: int


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A frame with what was read in it. Sinks share it and change nothing in it.

    Attributes:
        frame: The frame.
        readings: What was read, in reading order.
        text: The readings put together, such as "123|45".
        stable: The text that has been the same for a while; empty when there is none, and for pictures.
        changed: Whether `stable` became what it is with this frame.
        tracked: Whether frames are followed, so that readings have tracks; False for pictures.
        stats: How the loop is doing.
        roi: x, y, width, height of the part of the frame that was looked at; None when that was all of it.
    """

    frame: Frame
    readings: tuple[Reading, ...]
    text: str
    stable: str
    changed: bool
    tracked: bool
    stats: Stats
    roi: tuple[int, int, int, int] | None = None
    _drawn: list[NDArray[np.uint8]] = field(default_factory=list, init=False, repr=False)

    def overlay(self) -> NDArray[np.uint8]:
        """The frame with boxes, labels and text, of a video with the position, of a camera with how the loop is doing.

        Drawn when first asked for, then shared.

        Returns:
            uint8 [h, w, 3] BGR; of a small frame `edgecnn.vision.draw.zoom` times as large. Not to be written to.
        """
        from edgecnn.vision.draw import draw

        with _DRAWING:
            if not self._drawn:
                self._drawn.append(draw(self.frame.picture, self.readings, self.text, self._status(), self.roi))
            return self._drawn[0]

    def _status(self) -> str:
        """What the overlay tells beside the readings: of a video how fast it was read means nothing to who sees it."""
        if self.frame.video:
            return clock(self.frame)
        if not self.tracked:
            return ""
        rate = f"{self.stats.rate:.1f} fps  " if self.stats.rate > 0 else ""
        return f"{rate}age {self.stats.age * 1000:.0f} ms  dropped {self.stats.dropped}"

    def as_json(self) -> dict[str, object]:
        """The observation as JSON knows it: one line of `edgecnn run --json`."""
        readings: list[dict[str, object]] = []
        for reading in self.readings:
            one: dict[str, object] = {
                "label": reading.label,
                "probability": round(reading.probability, 4),
                "box": list(reading.box),
            }
            if len(reading.top) > 1:
                one["top"] = [[label, round(probability, 4)] for label, probability in reading.top]
            if self.tracked:
                one["track"] = reading.track
            readings.append(one)
        line: dict[str, object] = {
            "source": self.frame.source,
            "frame": self.frame.index,
            "time": round(self.frame.time, 3),
            "readings": readings,
            "text": self.text,
        }
        if self.tracked:
            line |= {"stable": self.stable, "changed": self.changed, "age_ms": round(self.stats.age * 1000, 1)}
        return line


class Controls(Protocol):
    """What a sink with buttons may do to the loop, from any thread."""

    @property
    def paused(self) -> bool:
        """Whether no frame is taken."""

    def pause(self) -> None:
        """Take no frame until `resume`."""

    def resume(self) -> None:
        """Take frames again."""

    def stop(self) -> None:
        """End the loop after the current frame."""


class Sink(Protocol):
    """Takes what the loop observes."""

    def take(self, observation: Observation) -> None:
        """Take one observation. What takes long belongs into `Detached`."""

    def idle(self) -> None:
        """Called some times a second while there is no frame: a window wants its keys read."""

    def close(self) -> None:
        """Finish what was begun and give back what is held."""
