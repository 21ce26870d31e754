"""What benchmarks/live.py counts as bare calls: those that a frame makes, each with what it was given then."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edgecnn.spec import Frame

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "live.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmarks_live", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their own names
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


class Fake:
    """A reader whose frames hand over to the runtime what OpenCV gave: whole, as views, and changed since."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []
        self._session = SimpleNamespace(run=lambda tensor: self.given.append(tensor.copy()))

    def read(self, frame):
        run = self._session.run
        grey = cv2.cvtColor(frame.picture, cv2.COLOR_BGR2GRAY)
        run(grey)
        run(grey[1::2, 3:9].T)
        level, mask = cv2.threshold(grey, 100, 255, cv2.THRESH_BINARY)
        run(mask)
        grey[0] = 7  # between the calls, where no call is
        run(cv2.blur(grey, (3, 3)))
        cv2.bitwise_not(mask, dst=mask)
        run(mask)
        run(cv2.merge([mask, mask[::-1].copy()]))
        own = np.full((4, 4), 9, np.uint8)
        cv2.add(own, 1, dst=own)
        run(own)
        return level


def test_the_bare_calls_are_those_of_the_frames_with_the_same_inputs(benchmark):
    rng = np.random.default_rng(0)
    frames = [Frame(rng.integers(0, 256, (20, 30, 3), np.uint8), 0.0, i, "test") for i in range(2)]
    reader, replayed = Fake(), []
    functions = {name: getattr(cv2, name) for name in ("cvtColor", "blur", "threshold")}
    with benchmark.recorded(reader, lambda tensor: replayed.append(tensor.copy())) as tape:
        assert [reader.read(frame) for frame in frames] == [100, 100]
    assert {name: getattr(cv2, name) for name in functions} == functions
    assert not replayed
    for play, frame in zip(tape.frames, frames, strict=True):
        play(frame.picture)
    assert dict(tape.counts) == {"OpenCV": 2 * 6, "runtime": 2 * 7}
    assert len(replayed) == len(reader.given) == 14
    assert all(np.array_equal(a, b) for a, b in zip(replayed, reader.given, strict=True))


def test_bare_calls_take_what_the_earlier_ones_give(benchmark):
    reader, replayed = Fake(), []
    with benchmark.recorded(reader, lambda tensor: replayed.append(tensor.copy())) as tape:
        reader.read(Frame(np.zeros((20, 30, 3), np.uint8), 0.0, 0, "test"))
    tape.frames[0](np.full((20, 30, 3), 200, np.uint8))
    assert (replayed[0] == 200).all() and replayed[0].shape == (20, 30)
    assert (replayed[1] == 200).all() and replayed[1].shape == (6, 10)
    assert (replayed[3] != 200).all()  # what was changed between the calls is what it was then
