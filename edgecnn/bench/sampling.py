"""Timing calls: warm-up until it is stable, then rounds in which everything that is compared takes its turn."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.bench.statistics import Estimate, median_ratio
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Call = Callable[[], object]
Progress = Callable[[float, str], None]

WINDOW_SECONDS = 0.02
WINDOW_CALLS = 3
STABLE_WINDOWS = 4
STABLE_WITHIN = 0.03
SETTLE_SHARE = 0.02
SETTLE_CALLS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each row is measured.

    Attributes:
        seconds: Least measured time of a row.
        queries: Least number of timed queries of a row; rounds go on until both are reached.
        rounds: Into how many turns that is split.
        warm_up: Longest warm-up of a row in seconds.
        name: "quick", "thorough" (MLPerf's SingleStream rule) or "own".

    Raises:
        ArgumentError: A value is out of range.
    """

    seconds: float
    queries: int
    rounds: int
    warm_up: float
    name: str = "own"

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 86_400:
            raise ArgumentError(f"seconds: expected more than 0 and at most 86400 a row, got {self.seconds!r}")
        if not 1 <= self.queries <= 10_000_000:
            raise ArgumentError(f"queries: expected 1 to 10000000 a row, got {self.queries!r}")
        if not 1 <= self.rounds <= 1000:
            raise ArgumentError(f"rounds: expected 1 to 1000, got {self.rounds!r}")


QUICK = Plan(seconds=2.0, queries=10, rounds=10, warm_up=2.0, name="quick")
"""About two seconds a row: enough for a median within a few percent, too little for p99.9 of a slow net."""

THOROUGH = Plan(seconds=60.0, queries=1024, rounds=20, warm_up=10.0, name="thorough")
"""MLPerf Inference's rule for its SingleStream scenario: at least 1,024 queries and at least 60 seconds."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What it took until the medians of successive windows agreed.

    Attributes:
        queries: Calls made.
        seconds: Time taken.
        settled: Whether they agreed before the time was up.
    """

    queries: int
    seconds: float
    settled: bool


@dataclass
class Subject:
    """Something that is timed, and what was timed of it.

    Attributes:
        name: For people.
        call: One query.
        rounds: Microseconds of each finished turn, in order.
        seconds: Time spent in those turns.
        warm_up: Set once it is warm.
    """

    name: str
    call: Call
    rounds: list[NDArray[np.float32]] = field(default_factory=list)
    seconds: float = 0.0
    warm_up: WarmUp | None = None

    @property
    def queries(self) -> int:
        """Timed queries so far."""
        return sum(len(turn) for turn in self.rounds)

    @property
    def samples(self) -> NDArray[np.float32]:
        """Microseconds [n] of all turns in order."""
        return np.concatenate(self.rounds) if self.rounds else np.empty(0, np.float32)

    @property
    def medians(self) -> tuple[float, ...]:
        """Median of each turn in microseconds."""
        return tuple(float(np.median(turn)) for turn in self.rounds)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Python's cyclic collector would strike one query in hundreds with a pause that is none of the net's."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sample(call: Call, seconds: float, calls: int = 1) -> NDArray[np.float32]:
    """Time single calls one after the other, for at least `seconds` and at least `calls` of them.

    Only a monotonic clock is read, so that a step of the wall clock changes nothing. Float32 holds a query of 15 ms to
    1 ns and a minute of a 10 us net in 24 MB, which a small board can spare.

    Args:
        call: What is timed.
        seconds: Least time in all.
        calls: Least number of calls.

    Returns:
        Microseconds [n] in order.
    """
    clock, taken = time.perf_counter_ns, array("f")
    keep = taken.append
    with _no_collector():
        start = end = clock()
        deadline = start + int(seconds * 1e9)
        while end < deadline or len(taken) < calls:
            start = clock()
            call()
            end = clock()
            keep((end - start) * 1e-3)
    return np.frombuffer(taken, np.float32).copy()


def timer_overhead() -> float:
    """What `sample` reads for a call that does nothing, in microseconds: part of each of its figures."""
    return float(np.median(sample(lambda: None, 0.01, 1000)))


def warm_up(call: Call, limit: float) -> WarmUp:
    """Call until the medians of the last few windows agree within 3 %, or the time is up.

    Args:
        call: One query.
        limit: Longest time in seconds; but four windows of three calls are made of any net, however slow.
    """
    start = time.perf_counter()
    medians: list[float] = []
    queries = 0
    while True:
        window = sample(call, WINDOW_SECONDS, WINDOW_CALLS)
        queries += len(window)
        medians.append(float(np.median(window)))
        last = medians[-STABLE_WINDOWS:]
        if len(last) == STABLE_WINDOWS and max(last) - min(last) <= STABLE_WITHIN * min(last):
            return WarmUp(queries, time.perf_counter() - start, True)
        if len(medians) >= STABLE_WINDOWS and time.perf_counter() - start >= limit:
            return WarmUp(queries, time.perf_counter() - start, False)


def measure(subjects: Sequence[Subject], plan: Plan, progress: Progress | None = None) -> bool:
    """Warm all subjects up and time them in interleaved rounds: A B C, C B A, A B C, ...

    Every other round goes backwards, so that a machine that slows down steadily treats all alike. After each change of
    subject a few calls go untimed, for the caches that the other one has emptied.

    Args:
        subjects: What is timed; finished turns are kept in them, also when this is interrupted.
        plan: How long.
        progress: Called with the share done (0..1) and the name of what is measured.

    Returns:
        False when Ctrl-C ended it before the plan was fulfilled.

    Raises:
        KeyboardInterrupt: Ctrl-C came before every subject had one finished turn: there is nothing worth keeping.
    """
    tell = progress or (lambda share, name: None)
    turn = plan.seconds / plan.rounds
    least = -(-plan.queries // plan.rounds)
    gc.collect()
    try:
        for number, subject in enumerate(subjects):
            tell(0.1 * number / len(subjects), f"warming up {subject.name}")
            subject.warm_up = warm_up(subject.call, plan.warm_up)
        for number in range(plan.rounds):
            for place, subject in enumerate(subjects[:: 1 if number % 2 == 0 else -1]):
                tell(0.1 + 0.9 * (number + place / len(subjects)) / plan.rounds, subject.name)
                sample(subject.call, turn * SETTLE_SHARE, SETTLE_CALLS)
                taken = sample(subject.call, turn, least)
                subject.rounds.append(taken)
                subject.seconds += float(taken.sum(dtype=np.float64)) * 1e-6
    except KeyboardInterrupt:
        if not all(subject.rounds for subject in subjects):
            raise
        return False
    return True


def ratio(subject: Subject, base: Subject) -> Estimate:
    """How many times longer `subject` takes than `base`, from the rounds that both finished."""
    both = min(len(subject.rounds), len(base.rounds))
    return median_ratio(subject.medians[:both], base.medians[:both])
