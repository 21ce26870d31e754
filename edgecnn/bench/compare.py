"""Is it slower than it was? A change counts when it is larger than allowed and larger than the noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.bench.history import History, Past
from edgecnn.bench.result import BenchResult, Row, Target
from edgecnn.bench.statistics import Estimate, relative_error
from edgecnn.errors import ArgumentError

REMEMBERED = 10
"""So many earlier runs are compared with; what is older may have been another house."""
ENOUGH = 3
"""From so many earlier runs on, their spread says how much a figure moves from run to run."""
Z = 1.96
UNKNOWN_ERROR = 0.05
"""Relative standard deviation that is assumed where neither an interval nor earlier runs tell."""


@dataclass(frozen=True, slots=True)
class Change:
    """A latency against what it was on the same machine.

    Attributes:
        target: What was measured.
        now: Median now, in microseconds.
        before: Median over the earlier runs' medians.
        runs: How many earlier runs there were, at most ten.
        other_files: How many of them measured another artefact of the same name, by its hash.
        ratio: now / before; its interval holds the error of both and, from three runs on, how much the earlier runs
            differ among themselves.
        regressed: Whether it is slower by more than what is allowed, and certainly slower at all.
    """

    target: Target
    now: float
    before: float
    runs: int
    other_files: int
    ratio: Estimate
    regressed: bool


def changes(history: History, result: BenchResult, *, percent: float, before: int | None = None) -> tuple[Change, ...]:
    """Compare each row of a result with earlier complete runs of the same target on the same machine.

    Args:
        history: Where the earlier runs are.
        result: What was measured now.
        percent: By how many percent a row may be slower.
        before: Number of the run that `result` was stored as, so that it is not compared with itself.

    Returns:
        One change per row that has a past.

    Raises:
        ArgumentError: `percent` is negative or not finite.
        MeasurementError: The history is locked or damaged.
    """
    check_percent(percent)
    found = []
    for row in result.rows:
        past = [
            old
            for old in history.past(target=row.target, machine=result.machine.key, limit=10 * REMEMBERED)
            if old.complete and (before is None or old.run < before)
        ][:REMEMBERED]
        if past:
            found.append(_change(row, past, percent))
    return tuple(found)


def check_percent(percent: float) -> None:
    """Raise ArgumentError unless it is a percentage that a row may be slower by."""
    if not (math.isfinite(percent) and percent >= 0):
        raise ArgumentError(f"regression: expected a percentage of 0 or more, got {percent!r}")


def _change(row: Row, past: Sequence[Past], percent: float) -> Change:
    now, old = row.latency.p50.value, statistics.median(run.median for run in past)
    ratio = now / old
    errors = [_error(run) for run in past]
    between = statistics.stdev(math.log(run.median) for run in past) if len(past) >= ENOUGH else max(errors)
    error = relative_error(row.latency.p50)
    spread = math.hypot(UNKNOWN_ERROR if error is None else error, between)
    low, high = ratio * math.exp(-Z * spread), ratio * math.exp(Z * spread)
    return Change(
        target=row.target,
        now=now,
        before=old,
        runs=len(past),
        other_files=sum(run.sha256 != row.target.sha256 for run in past),
        ratio=Estimate(ratio, low, high),
        regressed=ratio > 1 + percent / 100 and low > 1,
    )


def _error(run: Past) -> float:
    error = relative_error(Estimate(run.median, run.low, run.high))
    return UNKNOWN_ERROR if error is None else error
