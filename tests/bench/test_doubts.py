from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.bench.doubts import machine_doubts, row_doubts
from edgecnn.bench.machine import Conditions
from edgecnn.bench.result import BenchResult
from edgecnn.bench.sampling import WarmUp

STEADY = (50 + np.random.default_rng(0).normal(scale=0.3, size=2000)).tolist()
ROW = "digits int8 litert 1"


@pytest.fixture
def judged(bench_result: Callable[..., BenchResult]) -> Callable[..., dict[str, str]]:
    calm = bench_result({ROW: STEADY})

    def judge(after: dict[str, object] | None = None, before: dict[str, object] | None = None, own: float = 10.0):  # type: ignore[no-untyped-def]
        first = dataclasses.replace(calm.before, **(before or {}))  # type: ignore[arg-type]
        last = dataclasses.replace(calm.after, busy=110.0, **(after or {}))  # type: ignore[arg-type]
        return {d.code: d.text for d in machine_doubts(calm.machine, first, last, own_seconds=own, seconds=10.0)}

    return judge


def test_a_calm_machine_raises_none(judged: Callable[..., dict[str, str]]) -> None:
    assert judged() == {}


def test_throttled_meanwhile(judged: Callable[..., dict[str, str]]) -> None:
    assert "under-voltage now" in judged({"throttled": 0x10001})["throttled"]


def test_throttled_long_ago_is_no_doubt(judged: Callable[..., dict[str, str]]) -> None:
    assert judged({"throttled": 0x50000}, {"throttled": 0x50000}) == {}
    assert "throttled since boot" in judged({"throttled": 0x50000}, {"throttled": 0x10000})["throttled"]


def test_busy_with_others(judged: Callable[..., dict[str, str]]) -> None:
    assert judged(own=7.0)["busy"].startswith("other processes used 30% of a core")
    assert judged(own=9.5) == {}


def test_stolen_by_the_hypervisor(judged: Callable[..., dict[str, str]]) -> None:
    assert "12.5%" in judged({"stolen": 5.0})["stolen"]


def test_a_clock_that_falls(judged: Callable[..., dict[str, str]]) -> None:
    assert judged({"clock_mhz": (1800.0,)})["clock"] == "the clock fell from 2400 to 1800 MHz"
    assert judged({"clock_mhz": (2400.0,)}, {"clock_mhz": (600.0,)}) == {}


def test_a_machine_that_tells_nothing_raises_none(bench_result: Callable[..., BenchResult]) -> None:
    mute = Conditions(None, None, None, None, None, None, None, None)
    machine = bench_result({ROW: STEADY}).machine
    assert machine_doubts(machine, mute, mute, own_seconds=1.0, seconds=1.0) == ()


def codes(result: BenchResult, timer: float = 0.06) -> list[str]:
    return [doubt.code for doubt in row_doubts(result.rows, timer)]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (STEADY, []),
        (STEADY[:60], ["few"]),
        (STEADY[:1000] + [value * 1.5 for value in STEADY[:1000]], ["spread", "drift"]),
        ([value * 2 if at % 5 == 0 else value for at, value in enumerate(STEADY)], ["spread"]),
        ([value * 1.2 if at >= 1800 else value for at, value in enumerate(STEADY)], ["drift"]),
    ],
)
def test_rows(bench_result: Callable[..., BenchResult], samples: list[float], expected: list[str]) -> None:
    assert codes(bench_result({ROW: samples})) == expected


def test_a_timer_that_weighs(bench_result: Callable[..., BenchResult]) -> None:
    assert codes(bench_result({ROW: STEADY}), timer=2.0) == ["timer"]


def test_a_warm_up_that_did_not_settle(bench_result: Callable[..., BenchResult]) -> None:
    result = bench_result({ROW: STEADY})
    row = dataclasses.replace(result.rows[0], warm_up=WarmUp(5, 2.0, False))
    assert codes(dataclasses.replace(result, rows=(row,))) == ["warm-up"]
