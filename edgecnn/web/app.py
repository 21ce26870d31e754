"""The routes: the page, the stream, the readings, a picture to be read, start and stop, health and metrics."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from importlib import resources
from typing import TYPE_CHECKING

from edgecnn.errors import EdgecnnError
from edgecnn.web.hub import Channel, Hub, Messages, Pictures

if TYPE_CHECKING:
    from prometheus_client import Metric
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from edgecnn.reader import Reader

MAX_BODY = 12 * 1024 * 1024
"""Largest picture file that is taken, bytes."""
MAX_PIXELS = 24_000_000
"""Largest picture that is decoded, width times height."""
BODY_SECONDS = 30
"""Time in which a picture has to arrive."""
VIEWERS = 16
"""Streams of pictures at once, and as many of readings."""
WAITING = 4
"""Pictures that may wait to be read at once."""
FORM = "application/x-www-form-urlencoded"

_PAGE = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}


class Desk:
    """Reads pictures that visitors send, with a reader of its own, one after the other."""

    def __init__(self, reader: Reader) -> None:
        self.read_count = 0
        self.waiting = 0
        self._reader = reader
        self._lock = threading.Lock()

    def read(self, data: bytes, moment: float) -> dict[str, object]:
        """Decode and read one picture.

        Args:
            data: The picture's file.
            moment: When it came, seconds since 1970.

        Returns:
            The same fields as a line of `edgecnn run --json`.

        Raises:
            DataError: It is no picture that can be read.
        """
        from edgecnn.live.observation import Observation, Stats
        from edgecnn.pictures import decode
        from edgecnn.reader import text
        from edgecnn.spec import Frame

        picture = decode(data, name="picture", max_pixels=MAX_PIXELS)
        with self._lock:
            readings = self._reader.read(picture)
            self.read_count += 1
            number = self.read_count - 1
        frame = Frame(picture, moment, number, "upload")
        stats = Stats(0.0, time.time() - moment, number + 1, 0)
        return Observation(frame, readings, text(readings), "", False, False, stats).as_json()


def build(hub: Hub, reader: Reader) -> Starlette:
    """Make the app, without its guard.

    Args:
        hub: Where the live loop leaves its observations.
        reader: For pictures that visitors send; used by one thread at a time.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route

    site = _Site(hub, reader)
    routes = [
        Route("/", site.page),
        Route("/page.css", site.page),
        Route("/page.js", site.page),
        Route("/stream.mjpg", site.stream),
        Route("/api/readings", site.readings),
        Route("/api/read", site.read, methods=["POST"]),
        Route("/api/start", site.start, methods=["POST"]),
        Route("/api/stop", site.stop, methods=["POST"]),
        Route("/healthz", site.health),
        Route("/metrics", site.metrics),
    ]
    return Starlette(routes=routes)


class _Site:
    """One method a route."""

    def __init__(self, hub: Hub, reader: Reader) -> None:
        self._hub = hub
        self._desk = Desk(reader)
        self._pictures = Channel(hub, lambda: Pictures(hub), VIEWERS)
        self._messages = Channel(hub, lambda: Messages(hub), VIEWERS)
        self._scrape = _metrics(hub, self._desk, self._pictures)

    async def page(self, request: Request) -> Response:
        from starlette.responses import Response

        name = request.url.path.strip("/") or "page.html"
        return Response((resources.files("edgecnn.web") / name).read_bytes(), media_type=_PAGE[name])

    async def stream(self, request: Request) -> Response:
        return _streaming(self._pictures, Pictures.kind)

    async def readings(self, request: Request) -> Response:
        return _streaming(self._messages, Messages.kind)

    async def read(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        if self._desk.waiting >= WAITING:
            return _line(503, "other pictures are being read; try again in a moment")
        moment = time.time()
        self._desk.waiting += 1
        try:
            data = await asyncio.wait_for(_body(request), BODY_SECONDS)
            if data is None:
                return _line(413, f"picture: expected at most {MAX_BODY // 1024**2} MB")
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if _is_form(kind, data):
                url = request.url.replace(query="")
                return _line(
                    415,
                    f"picture: expected the picture itself as the body, got a form ({kind}); "
                    f"send it by: curl --data-binary @photo.jpg {url}",
                )
            return JSONResponse(await asyncio.to_thread(self._desk.read, data, moment))
        except TimeoutError:
            return _line(408, f"picture: expected all of it within {BODY_SECONDS} s")
        except EdgecnnError as error:
            return _line(422, str(error))
        finally:
            self._desk.waiting -= 1

    async def start(self, request: Request) -> Response:
        return self._control(True)

    async def stop(self, request: Request) -> Response:
        return self._control(False)

    def _control(self, run: bool) -> Response:
        controls = self._hub.controls
        if controls is None or self._hub.over:
            return _line(409, "the source has ended")
        (self._hub.resume if run else controls.pause)()
        return _line(200, "started" if run else "stopped")

    async def health(self, request: Request) -> Response:
        trouble = self._hub.trouble
        if trouble is not None:
            return _line(503, trouble)
        return _line(200, "ok" if self._hub.running else "stopped by a visitor")

    async def metrics(self, request: Request) -> Response:
        from starlette.responses import Response

        content, kind = self._scrape()
        return Response(content, media_type=kind)


def _line(status: int, line: str) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(line, status)


def _streaming(channel: Channel, kind: str) -> Response:
    from starlette.responses import StreamingResponse

    if channel.full:
        return _line(503, f"{VIEWERS} viewers are here already; close one")
    return StreamingResponse(channel.parts(), media_type=kind)


def _is_form(kind: str, data: bytes) -> bool:
    """Whether a body is a form. `curl --data-binary` calls a picture one, too, so there a field is looked for."""
    return kind.startswith("multipart/") or (kind == FORM and data.isascii() and b"=" in data)


async def _body(request: Request) -> bytes | None:
    """The request's body, or None when it is larger than `MAX_BODY`, whatever its headers say."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _metrics(hub: Hub, desk: Desk, pictures: Channel) -> Callable[[], tuple[bytes, str]]:
    """A function that gives the metrics in Prometheus' text format, and its media type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

    class Live(Collector):
        def collect(self) -> Iterable[Metric]:
            seen = hub.latest
            frames, dropped, rate, age = (
                (0, 0, 0.0, 0.0)
                if seen is None
                else (seen.stats.frames, seen.stats.dropped, seen.stats.rate, seen.stats.age)
            )
            yield CounterMetricFamily("edgecnn_frames", "Frames read.", value=frames)
            yield CounterMetricFamily(
                "edgecnn_frames_dropped", "Frames for which a newer one was there.", value=dropped
            )
            yield CounterMetricFamily("edgecnn_uploads", "Pictures read for visitors.", value=desk.read_count)
            yield GaugeMetricFamily("edgecnn_frames_per_second", "Frames read per second.",
                                    value=rate if hub.reading else 0.0)  # fmt: skip
            yield GaugeMetricFamily("edgecnn_frame_age_seconds", "From capture to reading, newest frame.", value=age)
            yield GaugeMetricFamily("edgecnn_silence_seconds", "Since the newest frame.", value=hub.silent_for)
            yield GaugeMetricFamily("edgecnn_readings", "Readings in the newest frame.",
                                    value=0 if seen is None else len(seen.readings))  # fmt: skip
            yield GaugeMetricFamily("edgecnn_running", "1 while frames come and are read.", value=float(hub.reading))
            yield GaugeMetricFamily("edgecnn_viewers", "Viewers of the stream.", value=pictures.viewers)

    registry = CollectorRegistry()
    registry.register(Live())
    return lambda: (generate_latest(registry), CONTENT_TYPE_LATEST)
