"""Reasons not to trust a measurement, found in the measurement itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecnn.bench.machine import Conditions, Machine, describe_throttling
from edgecnn.bench.result import Doubt, Row

BUSY_SHARE = 0.10
"""Of one core, that other processes may use before the machine counts as busy."""
STOLEN_SHARE = 0.02
CLOCK_CHANGE = 0.05
SPREAD = 0.25
DRIFT = 0.10
TIMER_SHARE = 0.03
FEW_QUERIES = 100
PRECISE = 0.05


def machine_doubts(
    machine: Machine, before: Conditions, after: Conditions, *, own_seconds: float, seconds: float
) -> tuple[Doubt, ...]:
    """Was the machine throttled, busy, or did its clock change?

    Args:
        machine: What was measured on.
        before: Its state before.
        after: Its state after.
        own_seconds: CPU time that this process and its children spent in between.
        seconds: How long that was.
    """
    return tuple(_machine(machine, before, after, own_seconds, seconds))


def _machine(machine: Machine, before: Conditions, after: Conditions, own: float, seconds: float) -> Iterator[Doubt]:
    # "Since boot" bits that were already set before say nothing about this run; new ones do.
    bits = (after.throttled or 0) & ~((before.throttled or 0) & 0xF0000)
    if bits:
        yield Doubt("throttled", f"the board says: {describe_throttling(bits)}", None)
    if before.busy is not None and after.busy is not None and seconds > 0:
        others = (after.busy - before.busy - own) / seconds
        if others > BUSY_SHARE:
            text = f"other processes used {others:.0%} of a core meanwhile (expected at most {BUSY_SHARE:.0%})"
            yield Doubt("busy", text, None)
    if before.stolen is not None and after.stolen is not None and seconds > 0:
        stolen = (after.stolen - before.stolen) / seconds / machine.cores
        if stolen > STOLEN_SHARE:
            yield Doubt("stolen", f"the hypervisor took {stolen:.1%} of the processors for other machines", None)
    if before.clock_mhz and after.clock_mhz:
        first, last = max(before.clock_mhz), max(after.clock_mhz)
        # A governor that saves power clocks up under load: that is what the warm-up is for. Down is throttling.
        if last < first * (1 - CLOCK_CHANGE):
            yield Doubt("clock", f"the clock fell from {first:.0f} to {last:.0f} MHz", None)


def row_doubts(rows: Sequence[Row], timer_us: float) -> tuple[Doubt, ...]:
    """Is a row's own spread, drift or count such that its figure may be off?

    Args:
        rows: What was measured.
        timer_us: What the timing loop reads for an empty call.
    """
    return tuple(doubt for row in rows for doubt in _row(row, timer_us))


def _row(row: Row, timer_us: float) -> Iterator[Doubt]:
    name, latency = row.target.name, row.latency
    median = latency.p50.value
    if not row.warm_up.settled:
        text = f"the warm-up did not settle within {row.warm_up.seconds:.1f} s ({row.warm_up.queries} queries)"
        yield Doubt("warm-up", text, name)
    if latency.queries < FEW_QUERIES:
        yield Doubt("few", f"{latency.queries} queries only; --thorough takes 1,024", name)
    if latency.p90 is not None and latency.p90.value > median * (1 + SPREAD):
        text = f"p90 is {latency.p90.value / median - 1:.0%} above the median (expected at most {SPREAD:.0%})"
        yield Doubt("spread", text, name)
    elif latency.p50.low is not None and latency.p50.high is not None:
        width = (latency.p50.high - latency.p50.low) / median
        if width > 2 * PRECISE:
            yield Doubt("spread", f"the median is known to ±{width / 2:.0%} only (expected ±{PRECISE:.0%})", name)
    if len(row.rounds) > 1 and min(row.rounds) > 0:
        drift = max(row.rounds) / min(row.rounds)
        if drift > 1 + DRIFT:
            text = f"the slowest round's median is {drift:.3g} x the quickest's (expected at most {1 + DRIFT:.2f})"
            yield Doubt("drift", text, name)
    if median > 0 and timer_us > TIMER_SHARE * median:
        text = f"the timing loop itself takes {timer_us / median:.0%} of it ({timer_us:.2f} us)"
        yield Doubt("timer", text, name)
