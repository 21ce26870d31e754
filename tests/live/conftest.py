"""A reader, and sources and sinks that do what a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bundle import read_bundle
from edgecnn.live import Live, Observation, Tracker
from edgecnn.reader import Reader
from edgecnn.sources import Source
from edgecnn.spec import Frame

LONG = 60
"""Seconds in which anything happens on the slowest machine."""


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)


class Frames(Source):
    """Gives pictures one after the other, of a video thirty a second; None is a moment without a frame."""

    def __init__(self, pictures: Sequence[np.ndarray | None], *, live: bool = False, rate: float | None = 30) -> None:
        super().__init__("film")
        self.live = live
        self.rate = rate
        self.total = None if live else len(pictures)
        self._pictures = iter(enumerate(pictures))
        self.closed = False

    def poll(self, timeout: float) -> Frame | None:
        index, picture = next(self._pictures, (0, None))
        if index == 0 and picture is None:
            self.ended = True
        if picture is None:
            return None
        video = not self.live and self.rate is not None
        return Frame(picture, index / 30 if video else time.time(), index, self.name, video)

    def close(self) -> None:
        self.closed = True


class Notes:
    """A sink that keeps what it takes; may wait before it, or fail."""

    def __init__(self, gate: threading.Event | None = None, error: BaseException | None = None) -> None:
        self.taken: list[Observation] = []
        self.idled = 0
        self.closed = 0
        self._gate = gate
        self._error = error

    def take(self, observation: Observation) -> None:
        if self._gate is not None:
            self._gate.wait(LONG)
        if self._error is not None:
            raise self._error
        self.taken.append(observation)

    def idle(self) -> None:
        self.idled += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def reader(small_bundle: Path) -> Iterator[Reader]:
    with Reader(read_bundle(small_bundle)) as opened:
        yield opened


@pytest.fixture
def observe(reader: Reader) -> Callable[..., list[Observation]]:
    """What the loop observes in pictures."""

    def run(pictures: Sequence[np.ndarray], *, tracked: bool = True, stable: float = 0.1) -> list[Observation]:
        notes = Notes()
        source = Frames(pictures, rate=30 if tracked else None)
        Live(source, reader, [notes], Tracker() if tracked else None, stable=stable).run()
        return notes.taken

    return run
