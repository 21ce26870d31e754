"""Between one camera and many viewers: the loop leaves its newest observation here, viewers take what they can carry.

The loop's side is one assignment. Pictures are drawn and encoded on the viewers' side, once for all of them, at most
`RATE` times a second and only while somebody looks; so neither the number of viewers nor a slow one reaches the camera.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from edgecnn.live.moment import clock

if TYPE_CHECKING:
    from edgecnn.live.observation import Controls, Observation
    from edgecnn.sources import Source

RATE = 15
"""Pictures a second that viewers get at most."""
QUALITY = 80
"""JPEG quality of them."""
DEAD_SECONDS = 10.0
"""Without a frame for so long the camera counts as gone, even where its source does not say so."""
BOUNDARY = "frame"
"""What parts the pictures of a stream."""
SILENCE = 2.0
"""Seconds after which a stream repeats itself, so that both sides notice a dead connection."""


class Hub:
    """A sink that keeps the newest observation. All but `take`, `idle` and `close` belong to the server's thread.

    Args:
        about: What reads and where it looks, in a line for the page.

    Attributes:
        controls: The loop, for the page's button; None before there is one.
        source: Where its frames come from, which knows at once when it is lost; None before there is one.
        over: Whether no frame will come any more; the last one stays.
        ended: Whether streams end, too.
    """

    def __init__(self, about: str) -> None:
        self.about = about
        self.controls: Controls | None = None
        self.source: Source | None = None
        self.latest: Observation | None = None
        self.over = self.ended = False
        self.note: str | None = None
        self._moment = time.monotonic()

    def take(self, observation: Observation) -> None:
        """Keep an observation."""
        self.latest = observation
        self.note = None
        self._moment = time.monotonic()

    def idle(self) -> None:
        """Nothing is to be done without a frame."""

    def close(self) -> None:
        """Know that no frame will come any more; who looks keeps the last one."""
        self.over = True

    def end(self) -> None:
        """End all streams."""
        self.over = self.ended = True

    def tell(self, line: str) -> None:
        """Show a line about the source, such as that the camera was lost, until the next frame comes."""
        self.note = line

    @property
    def running(self) -> bool:
        """Whether frames are taken as they come; a visitor may have stopped that."""
        return not self.over and not (self.controls is not None and self.controls.paused)

    @property
    def silent_for(self) -> float:
        """Seconds since the last observation, or since the beginning or the last `resume`."""
        return time.monotonic() - self._moment

    @property
    def trouble(self) -> str | None:
        """Why there is no live picture, in a line that names no source; None when there is one or nobody wants one."""
        if self.over:
            return "the source has ended"
        if self.latest is None:
            return "no frame yet"
        if self.running and self.source is not None and self.source.lost:
            return "the camera is lost, and tried again"
        if self.running and self.silent_for > DEAD_SECONDS:
            return f"no frame for {self.silent_for:.0f} s"
        return None

    @property
    def reading(self) -> bool:
        """Whether frames come and are read."""
        return self.running and self.trouble is None

    def resume(self) -> None:
        """Take frames again; the time without any does not count."""
        if self.controls is not None:
            self._moment = time.monotonic()
            self.controls.resume()

    def message(self) -> dict[str, object]:
        """What the page is told: the newest observation and how the loop is doing."""
        seen, trouble = self.latest, self.trouble
        line: dict[str, object] = {"text": "", "readings": []} if seen is None else seen.as_json()
        film = seen is not None and seen.frame.video
        fresh = seen if self.reading and not film else None  # an old frame has neither age nor rate, nor has a film's
        return line | {
            "running": self.running,
            "age_ms": None if fresh is None else round(fresh.stats.age * 1000, 1),
            "fps": None if fresh is None else round(fresh.stats.rate, 1),
            "position": clock(seen.frame) if seen is not None and film else None,
            "dropped": 0 if seen is None else seen.stats.dropped,
            "note": trouble if self.over else self.note or trouble,
            "ended": self.over,
            "about": self.about,
        }


class Channel:
    """Gives each viewer the newest part, made once for all of them. Lives in the server's event loop.

    A slow viewer misses parts; it never waits for an old one, and nobody waits for it.

    Args:
        hub: Ends the streams when it has ended.
        maker: Gives a function that makes the newest part, for each time that somebody looks after nobody did. That
            function is called in a thread; None means that nothing is new.
        limit: Viewers at most.
    """

    def __init__(self, hub: Hub, maker: Callable[[], Callable[[], bytes | None]], limit: int) -> None:
        self.viewers = 0
        self._hub = hub
        self._maker = maker
        self._limit = limit
        self._part = b""
        self._number = 0
        self._fresh = asyncio.Event()
        self._producer: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether no further viewer is let in."""
        return self.viewers >= self._limit

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the newest part, again and again, until the hub has ended or the viewer leaves."""
        self.viewers += 1
        if self._producer is None:
            self._producer = asyncio.create_task(self._produce())
        seen = -1
        try:
            while True:
                if self._number == seen or not self._part:
                    await self._fresh.wait()
                ended, seen = self._hub.ended, self._number
                if self._part:
                    yield self._part
                if ended:
                    return
        finally:
            self.viewers -= 1
            if self.viewers == 0 and self._producer is not None:
                self._producer.cancel()
                self._producer, self._part = None, b""  # the next viewer wants a new picture, not this one

    async def _produce(self) -> None:
        """Make parts and wake the viewers: for each part, after a silence, and at the end."""
        make, told = self._maker(), time.monotonic()
        while True:
            part = await asyncio.to_thread(make)
            if part is not None:
                self._part = part
                self._number += 1
            if part is not None or self._hub.ended or time.monotonic() - told >= SILENCE:
                told = time.monotonic()
                self._fresh.set()
                self._fresh = asyncio.Event()
            await asyncio.sleep(1 / RATE)


class Pictures:
    """Makes parts of a `multipart/x-mixed-replace` stream: JPEG pictures with the overlay, each only once."""

    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._last: Observation | None = None

    def __call__(self) -> bytes | None:
        """The newest picture as a part with a JPEG file, or None when it has been made before."""
        import cv2

        observation = self._hub.latest
        if observation is None or observation is self._last:
            return None
        self._last = observation
        done, data = cv2.imencode(".jpg", observation.overlay(), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        return b"".join((head.encode(), data.tobytes(), b"\r\n")) if done else None


class Messages:
    """Makes the page's messages as server-sent events, each only once."""

    kind = "text/event-stream"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._last: dict[str, object] = {}

    def __call__(self) -> bytes | None:
        """The newest message as an event with JSON, or None when it has been made before."""
        message = self._hub.message()
        if message == self._last:
            return None
        self._last = message
        return f"data: {json.dumps(message)}\n\n".encode()
