"""What a terminal adds to the live loop of `edgecnn run`: a bar, lines for people, signals."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecnn.cli import show

if TYPE_CHECKING:
    from edgecnn.live import Live, Sink
    from edgecnn.live.sinks.save import Saver
    from edgecnn.sources import Source
    from edgecnn.web.server import Page


class Lines:
    """Tells people what a source has to say: on stderr, and on the page where there is one."""

    def __init__(self) -> None:
        self._page: Page | None = None
        self._last = ""

    def __call__(self, line: str) -> None:
        """Tell a line."""
        self._last = line
        show.note(f"edgecnn: {line}")
        if self._page is not None:
            self._page.tell(line)

    def show_on(self, page: Page) -> None:
        """Show lines on a page from now on, and the last one that was told before it was there."""
        self._page = page
        if self._last:
            page.tell(self._last)


class _Progress:
    """Tells a bar how many pictures are done."""

    def __init__(self, update: show.Update, source: Source) -> None:
        self._update = update
        self._source = source
        self._done = 0

    def take(self, observation: object) -> None:
        self._done += 1
        self._update(self._done + self._source.broken, self._source.total or 0)

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass


@contextmanager
def progress(source: Source) -> Iterator[list[Sink]]:
    """A bar for many pictures whose answers go into a file or a pipe; on a terminal the answers show the progress."""
    if source.live or (source.total or 0) < 2 or sys.stdout.isatty():
        yield []
        return
    with show.progress("reading") as update:
        yield [_Progress(update, source)]


@contextmanager
def saved(sink: Saver | None) -> Iterator[None]:
    """Tell at the end what was written for --save, however it came to the end."""
    try:
        yield
    finally:
        if sink is not None and sink.written:
            show.note(f"edgecnn: saved {sink.written}")


@contextmanager
def signals(live: Live) -> Iterator[Sequence[int]]:
    """End the loop cleanly on Ctrl-C and SIGTERM; a second Ctrl-C interrupts at once.

    Yields:
        Those that came.
    """
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        if came and number == signal.SIGINT:
            raise KeyboardInterrupt
        came.append(number)
        live.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stay(source: Source, came: Sequence[int]) -> None:
    """Keep the page of a video that has ended, until a signal comes."""
    show.note(f"edgecnn: {source.name} has ended; the page stays until Ctrl-C")
    while not came:
        time.sleep(0.1)
