"""Inferences per second: several sessions at the same time, or several pictures in one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from edgecnn.bench.queries import tensor_for
from edgecnn.bench.result import Target, Throughput
from edgecnn.bench.sampling import warm_up
from edgecnn.errors import EdgecnnError
from edgecnn.runtime.session import Session
from edgecnn.spec import ImageSpec

FIXED = "the batch is fixed at 1 in this file"


def count_streams(
    target: Target, opened: Sequence[Session], image: ImageSpec, *, seconds: float, batch: int = 1
) -> Throughput:
    """Run sessions at the same time, each in its own thread, and count.

    Both runtimes let Python's lock go while they infer, so threads do run side by side.

    Args:
        target: What the sessions are.
        opened: One session per stream.
        image: How a pixel becomes a tensor.
        seconds: How long to count, after a warm-up.
        batch: Pictures in one call.

    Raises:
        SessionError: An inference failed; all streams are stopped.
    """
    if batch > 1 and opened[0].input.shape[0] != -1:
        return Throughput(target, len(opened), batch, None, 0.0, FIXED)
    calls = [session.query(tensor_for(session, image, batch=batch)) for session in opened]
    for call in calls:
        warm_up(call, min(1.0, seconds))
    counted, elapsed = _count(calls, seconds)
    return Throughput(target, len(opened), batch, counted * batch / elapsed, elapsed, "")


def _count(calls: Sequence[Callable[[], object]], seconds: float) -> tuple[int, float]:
    counts = [0] * len(calls)
    failures: list[EdgecnnError | RuntimeError | ValueError] = []
    stop = threading.Event()
    gate = threading.Barrier(len(calls) + 1)

    def work(number: int) -> None:
        call, done = calls[number], 0
        gate.wait()
        try:
            while done == 0 or not stop.is_set():
                call()
                done += 1
        except (EdgecnnError, RuntimeError, ValueError) as error:
            failures.append(error)
            stop.set()
        counts[number] = done

    workers = [threading.Thread(target=work, args=(n,), name=f"edgecnn-stream-{n}") for n in range(len(calls))]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    try:
        stop.wait(seconds)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    elapsed = time.perf_counter() - start  # with the last inference of each stream, which is counted too
    if failures:
        raise failures[0]
    return sum(counts), elapsed
