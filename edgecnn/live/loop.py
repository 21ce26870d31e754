"""The live loop: source -> frame -> reader -> tracker -> observation -> sinks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecnn.live.observation import Observation, Sink, Stats
from edgecnn.live.track import Steady, Tracker
from edgecnn.reader import text

if TYPE_CHECKING:
    from edgecnn.reader import Reader
    from edgecnn.sources import Source
    from edgecnn.spec import Frame

GAP = 1.0, 5
"""Seconds, and mean intervals on top, without a frame after which the rate begins anew: the camera was away."""
TICK = 0.05
"""Seconds after which sinks are called when no frame comes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a loop did.

    Attributes:
        frames: Frames read.
        dropped: Frames of the source passed over because a newer one was there.
        broken: Pictures, or ends of a video, that could not be read.
        seconds: How long it ran.
    """

    frames: int
    dropped: int
    broken: int
    seconds: float


class Live:
    """Reads what a source gives, one frame after the other, and hands it to the sinks.

    `run` belongs to one thread; `pause`, `resume` and `stop` may be called from any.

    Args:
        source: Where frames come from; the caller closes it.
        reader: Reads them; the caller closes it.
        sinks: Take what was read, in this order; the loop closes them.
        tracker: Follows what was read from frame to frame; None for pictures, which have nothing to do with each other.
        stable: Seconds for which a text must have been the same to count as stable.
        rate: Frames per second to play at, for a video that somebody looks at; None goes as fast as it can.
        step: Whether to pause after each frame, for pictures that somebody looks at.
    """

    def __init__(
        self,
        source: Source,
        reader: Reader,
        sinks: Sequence[Sink] = (),
        tracker: Tracker | None = None,
        *,
        stable: float = 0.5,
        rate: float | None = None,
        step: bool = False,
    ) -> None:
        self.source = source
        self.reader = reader
        self.sinks = list(sinks)
        self._tracker = tracker
        self._steady = Steady(stable)
        self._rate = rate
        self._step = step
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._frames = 0
        self._times: deque[float] = deque(maxlen=32)

    @property
    def paused(self) -> bool:
        """Whether no frame is taken."""
        return not self._go.is_set()

    def pause(self) -> None:
        """Take no frame until `resume`."""
        self._go.clear()

    def resume(self) -> None:
        """Take frames again."""
        self._go.set()

    def stop(self) -> None:
        """End the loop after the current frame."""
        self._stop.set()

    def run(self) -> Summary:
        """Read until the source has ended or `stop` is called.

        Returns:
            What was done.

        Raises:
            SourceError: The source gives no frames and has been given up.
            ArgumentError: The reader cannot read such frames.
        """
        began = time.perf_counter()
        try:
            while not self._stop.is_set() and (self.paused or not self.source.ended):
                frame = self._next()
                if frame is None:
                    for sink in self.sinks:
                        sink.idle()
                else:
                    self._observe(frame)
        finally:
            _close_all(self.sinks)
        return Summary(self._frames, self.source.dropped, self.source.broken, time.perf_counter() - began)

    def _next(self) -> Frame | None:
        if self.paused:
            self._go.wait(TICK)
            return None
        if self._rate and self._times:
            early = self._times[-1] + 1 / self._rate - time.perf_counter()
            if early > 0:
                time.sleep(min(early, TICK))
            if early > TICK:
                return None
        return self.source.poll(TICK)

    def _observe(self, frame: Frame) -> None:
        self._keep(time.perf_counter())
        readings = self.reader.read(frame)
        if self._tracker is not None:
            readings = self._tracker.update(readings, frame.time)
        together = text(readings)
        changed = self._tracker is not None and self._steady.update(together, frame.time)
        self._frames += 1
        stable, tracked = self._steady.text, self._tracker is not None
        roi = self.reader.roi
        observation = Observation(frame, readings, together, stable, changed, tracked, self._stats(frame), roi)
        if self._step:
            self.pause()
        for sink in self.sinks:
            sink.take(observation)

    def _keep(self, now: float) -> None:
        """Keep when a frame was taken."""
        times = self._times
        if len(times) > 1 and now - times[-1] > GAP[0] + GAP[1] * (times[-1] - times[0]) / (len(times) - 1):
            times.clear()
        times.append(now)

    def _stats(self, frame: Frame) -> Stats:
        span = self._times[-1] - self._times[0]
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        # The wall clock of a board may jump when it finds a time server: an age is never negative.
        age = max(0.0, time.time() - frame.time) if self.source.live else time.perf_counter() - self._times[-1]
        return Stats(rate, age, self._frames, self.source.dropped)


def _close_all(sinks: Sequence[Sink]) -> None:
    """Close every sink, also when one of them fails."""
    if sinks:
        try:
            sinks[0].close()
        finally:
            _close_all(sinks[1:])
