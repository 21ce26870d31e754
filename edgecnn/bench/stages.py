"""Picture in, reading out, split by stage, with the reader that `edgecnn run` uses."""

from __future__ import annotations

import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.bench.result import EndToEnd, Stage, Target
from edgecnn.bench.sampling import Plan, sample, warm_up
from edgecnn.bench.statistics import summarize
from edgecnn.bundle import Bundle
from edgecnn.pictures import decode, read_bytes
from edgecnn.reader import Reader
from edgecnn.vision.threads import opencv_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES = ("decode", "locate", "preprocess", "inference", "postprocess")
"""In the order in which they run. locate finds the objects and fits each to the network's size; preprocess makes the
tensor; postprocess makes labels and probabilities."""


class _Watch:
    """Adds up what passes between two marks."""

    def __init__(self) -> None:
        self.times: dict[str, array[float]] = {name: array("f") for name in STAGES}
        self._last = 0

    def start(self) -> None:
        self._last = time.perf_counter_ns()

    def mark(self, stage: str) -> None:
        now = time.perf_counter_ns()
        self.times[stage].append((now - self._last) * 1e-3)
        self._last = time.perf_counter_ns()


def end_to_end(target: Target, bundle: Bundle, picture: Path, plan: Plan) -> EndToEnd:
    """Read a picture again and again.

    Args:
        target: The artefact that reads.
        bundle: Its bundle.
        picture: A picture file; it is read from the disk once.
        plan: How long.

    Raises:
        DataError: The picture cannot be read.
        SessionError: The runtime failed.
    """
    data = read_bytes(picture)
    shape = decode(data, name=str(picture)).shape
    reader = Reader(bundle, runtime=target.runtime, precision=target.precision, threads=target.threads)
    with reader, opencv_threads(target.threads):
        watch = _Watch()

        def whole() -> int:
            return len(reader.read(decode(data)))

        def by_stage() -> None:
            watch.start()
            pixels = decode(data)
            watch.mark("decode")
            reader.read(pixels, mark=watch.mark)

        readings = whole()
        warm_up(whole, plan.warm_up)
        half = plan.seconds / 2
        total = sample(whole, half, plan.queries)
        sample(by_stage, half, plan.queries)
    return EndToEnd(
        target=target,
        picture=picture.name,
        width=shape[1],
        height=shape[0],
        readings=readings,
        total=summarize(total),
        stages=tuple(Stage(name, summarize(_array(times))) for name, times in watch.times.items() if len(times)),
    )


def _array(times: array[float]) -> NDArray[np.float32]:
    return np.frombuffer(times, np.float32)
