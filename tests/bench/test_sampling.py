from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.bench import sampling
from edgecnn.bench.sampling import QUICK, THOROUGH, Plan, Subject, measure, ratio, sample, timer_overhead, warm_up
from edgecnn.errors import ArgumentError


class Clock:
    """A clock that only calls move: what is timed is what they cost, to the nanosecond."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        monkeypatch.setattr(sampling.time, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(sampling.time, "perf_counter", lambda: self.now / 1e9)

    def call(self, *microseconds: float) -> Callable[[], None]:
        costs = iter(microseconds[:-1])

        def run() -> None:
            self.now += int(next(costs, microseconds[-1]) * 1000)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_samples_are_what_the_calls_cost(clock: Clock) -> None:
    taken = sample(clock.call(5, 7, 9, 8), 0, 6)
    assert taken.tolist() == [5, 7, 9, 8, 8, 8]


def test_both_time_and_calls_are_reached(clock: Clock) -> None:
    assert len(sample(clock.call(100), 0.01, 1)) == 100
    assert len(sample(clock.call(100_000), 0.01, 7)) == 7


def test_warm_up_ends_when_the_medians_agree(clock: Clock) -> None:
    slow_at_first = [400.0] * 50 + [200.0] * 100 + [100.0]
    found = warm_up(clock.call(*slow_at_first), 10)
    assert found.settled
    # one window while it is slow, then windows until four in a row agree
    assert 0.1 < found.seconds < 0.2
    assert found.queries > 150 + 3 * 200


def test_warm_up_that_does_not_settle_ends_in_time(clock: Clock) -> None:
    costs = [1000.0 * 1.01**n for n in range(600)]
    found = warm_up(clock.call(*costs), 0.5)
    assert not found.settled
    assert 0.5 <= found.seconds < 0.7


def test_a_slow_net_settles_too_however_short_the_limit(clock: Clock) -> None:
    found = warm_up(clock.call(500_000), 2.0)
    assert found.settled
    assert found.queries == 12


def test_rounds_are_interleaved_there_and_back(clock: Clock) -> None:
    order: list[str] = []
    subjects = [Subject(name, clock.call(1000)) for name in "ABC"]
    assert measure(subjects, Plan(0.3, 1, 3, 0.1), lambda share, name: order.append(name))
    assert order[3:] == ["A", "B", "C", "C", "B", "A", "A", "B", "C"]
    assert [len(subject.rounds) for subject in subjects] == [3, 3, 3]
    assert subjects[0].seconds == pytest.approx(0.3, rel=0.05)


def test_a_pace_that_all_share_cancels_in_the_ratio(clock: Clock) -> None:
    pace = [1.0]

    def call(microseconds: float) -> Callable[[], None]:
        def run() -> None:
            clock.now += int(microseconds * pace[0] * 1000)
            pace[0] *= 1.0005  # the machine gets slower and slower

        return run

    first, second = Subject("first", call(100)), Subject("second", call(300))
    measure([first, second], Plan(0.2, 1, 20, 0.01))
    found = ratio(second, first)
    assert found.value == pytest.approx(3, rel=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 3 < found.high


def test_least_number_of_queries(clock: Clock) -> None:
    subject = Subject("slow", clock.call(200_000))
    measure([subject], Plan(0.1, 1024, 20, 0.1))
    assert subject.queries >= 1024


def test_the_thorough_plan_is_mlperfs() -> None:
    assert (THOROUGH.seconds, THOROUGH.queries) == (60, 1024)
    assert QUICK.seconds == 2


def test_ctrl_c_keeps_finished_rounds(clock: Clock) -> None:
    left = [120]

    def call() -> None:
        clock.now += 1_000_000
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    subject = Subject("cut", call)
    assert not measure([subject], Plan(1.0, 1, 100, 0.01))
    assert 1 <= len(subject.rounds) < 100
    assert len(subject.samples) == subject.queries


def test_ctrl_c_before_there_is_anything(clock: Clock) -> None:
    def call() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure([Subject("cut", call)], Plan(1.0, 1, 10, 0.01))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seconds": 0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"queries": 0}, "queries"),
        ({"rounds": 0}, "rounds"),
    ],
)
def test_plans_that_measure_nothing(change: dict[str, float], word: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{word}: expected"):
        Plan(**{"seconds": 1.0, "queries": 1, "rounds": 1, "warm_up": 1.0, **change})  # type: ignore[arg-type]


def test_the_collector_is_off_while_it_counts_and_on_again() -> None:
    seen: list[bool] = []
    sample(lambda: seen.append(gc.isenabled()), 0, 2)
    assert seen == [False, False]
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        sample(lambda: 1 / 0, 0, 1)
    assert gc.isenabled()


def test_a_wall_clock_that_steps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: -(10**18))
    taken = sample(lambda: time.sleep(0.001), 0.02, 3)
    assert taken.min() >= 1000


def test_the_loop_itself_costs_next_to_nothing() -> None:
    assert 0 < timer_overhead() < 5
    taken = sample(lambda: None, 0.01, 1000)
    assert taken.dtype == np.float32
