"""A page that is being served, with a loop's observations put in by the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edgecnn.live.observation import Observation, Stats
from edgecnn.spec import Frame, Reading

pytest.importorskip("uvicorn", reason="uvicorn is not installed; pip install 'edgecnn[serve]'")


@dataclass
class Loop:
    """Stands for the live loop where only its buttons matter."""

    paused: bool = False
    calls: list[str] = field(default_factory=list)

    def pause(self) -> None:
        self.paused = True
        self.calls.append("pause")

    def resume(self) -> None:
        self.paused = False
        self.calls.append("resume")

    def stop(self) -> None:
        self.calls.append("stop")


@dataclass
class Camera:
    """Stands for a source where only whether it is lost matters."""

    lost: bool = False


def observation(index: int = 0, text: str = "7", side: int = 96, *, video: bool = False) -> Observation:
    picture = np.full((side, side, 3), 40 + index % 200, np.uint8)
    readings = tuple(Reading(label, 0.9, (10 + 20 * i, 10, 18, 30), ((label, 0.9),)) for i, label in enumerate(text))
    frame = Frame(picture, index / 25 if video else time.time(), index, "test", video)
    return Observation(frame, readings, text, text, False, True, Stats(30.0, 0.01, index + 1, 2))


@pytest.fixture(scope="session")
def reader(shipped: Path):
    from edgecnn.bundle import read_bundle
    from edgecnn.reader import Reader

    with Reader(read_bundle(shipped)) as opened:
        yield opened


@pytest.fixture
def serve(reader) -> Iterator[Callable]:
    """`serve(token=...)` gives a page on a free port of loopback; all are closed at the end."""
    from edgecnn.web.server import Page, claim

    pages = []

    def start(address: str = "127.0.0.1:0", token: str | None = None) -> Page:
        page = Page(claim(address, token), reader, "digits, int8, LiteRT; test")
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.close()
