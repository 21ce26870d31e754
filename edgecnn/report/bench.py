"""A bench's result as tables: for the terminal, for CSV, for the pages. Nothing is computed here but texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgecnn.bench.compare import Change
from edgecnn.bench.history import Past
from edgecnn.bench.machine import Machine
from edgecnn.bench.result import BenchResult, Profile, Row, Target
from edgecnn.bench.statistics import Estimate

TARGET = ("bundle", "precision", "runtime", "threads")


@dataclass(frozen=True, slots=True)
class Table:
    """A table in words.

    Attributes:
        title: What it shows.
        columns: Heads.
        rows: Cells; None is "not known here".
        caption: What it was measured on.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    caption: str = ""


def dense(table: Table) -> Table:
    """The table without the columns that hold nothing."""
    kept = [at for at in range(len(table.columns)) if any(row[at] is not None for row in table.rows)]
    return replace(
        table,
        columns=tuple(table.columns[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in table.rows),
    )


def duration(microseconds: float | None) -> str | None:
    """Three digits that matter, with a unit: "7.62 us", "4.31 ms", "1.20 s"."""
    if microseconds is None:
        return None
    for limit, factor, unit in ((999.5, 1.0, "us"), (999_500.0, 1e3, "ms"), (float("inf"), 1e6, "s")):
        if microseconds < limit:
            value = microseconds / factor
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return None


def size(count: int | None) -> str | None:
    """Bytes with a unit: "5,976 B", "52.3 kB", "102.7 MB"."""
    if count is None:
        return None
    if count < 10_000:
        return f"{count:,} B"
    for limit, factor, unit in ((1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if count < limit:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def times(ratio: Estimate | None) -> str | None:
    """A ratio with its interval: "0.80 (0.79..0.81)"."""
    if ratio is None:
        return None
    return f"{ratio.value:.2f}" + ("" if ratio.low is None else f" ({ratio.low:.2f}..{ratio.high:.2f})")


def plan_line(result: BenchResult) -> str:
    """How long was measured, and whether that was the quick way."""
    plan, text = result.plan, ""
    if plan.name == "quick":
        text = " This is the quick way: --thorough gives tails that can be believed."
    elif plan.name == "thorough":
        text = " MLPerf's SingleStream rule: at least 1,024 queries and 60 s a row."
    rows = f"{plan.name}: {plan.seconds:g} s and at least {plan.queries:,} queries a row in {plan.rounds} rounds"
    return f"{rows}, rows interleaved; intervals are 95 %.{text}"


def tables(result: BenchResult) -> Iterator[Table]:
    """Every table of a result, the latencies first; those without rows are left out."""
    every = (latencies(result), starts(result), throughput(result), end_to_end(result), energy(result))
    yield from (table for table in every if table.rows)
    yield from (operations(profile) for profile in result.profiles)


def latencies(result: BenchResult) -> Table:
    """The median with its interval, tails, and the ratio to the first row."""
    heads = ("median", "interval", "p90", "p99", "p99.9", "mean", "std", "min", "max", "queries", "x first row")
    return Table(
        title="Latency of one inference: input handed over, run, output fetched",
        columns=(*TARGET, *heads),
        rows=tuple((*_target(row.target), *_latency(row)) for row in result.rows),
        caption=f"{machine_line(result.machine)}\n{plan_line(result)}\nThe timing loop takes {result.timer_us:.2f} us, "
        "which is in every figure.",
    )


def starts(result: BenchResult) -> Table:
    """Load time, first inference and memory of a fresh process."""
    return Table(
        title="Start: a fresh process that opens the artefact and runs it once",
        columns=(*TARGET, "file", "import", "load", "first inference", "peak memory", "of which the artefact"),
        rows=tuple(
            (
                *_target(row.target),
                size(row.target.bytes),
                duration(row.start.import_us),
                duration(row.start.load_us),
                duration(row.start.first_us),
                size(row.start.peak or None),
                size(row.start.net or None),
            )
            for row in result.rows
            if row.start is not None
        ),
        caption="median of the processes, memory: the most; peak memory is the whole process with Python and numpy",
    )


def throughput(result: BenchResult) -> Table:
    """Inferences per second by streams and batch."""
    return Table(
        title="Throughput",
        columns=(*TARGET, "streams", "batch", "pictures/s", "note"),
        rows=tuple(
            (
                *_target(part.target),
                str(part.streams),
                str(part.batch),
                None if part.per_second is None else f"{part.per_second:,.0f}",
                part.note or None,
            )
            for part in result.throughput
        ),
        caption="streams: sessions at the same time, a thread each; batch: pictures in one call",
    )


def energy(result: BenchResult) -> Table:
    """Energy of an inference."""
    return Table(
        title="Energy",
        columns=(*TARGET, "an inference", "above idle", "power", "idle", "sensor"),
        rows=tuple(
            (
                *_target(part.target),
                f"{part.per_query:.4g} mJ",
                f"{part.above_idle:.4g} mJ",
                f"{part.watts:.2f} W",
                f"{part.idle_watts:.2f} W",
                part.sensor,
            )
            for part in result.energy
        ),
    )


def end_to_end(result: BenchResult) -> Table:
    """Picture in, reading out: median of each stage, and of all of them measured as one."""
    names = tuple(dict.fromkeys(stage.name for part in result.end_to_end for stage in part.stages))
    found = [{stage.name: stage.latency.p50.value for stage in part.stages} for part in result.end_to_end]
    pictures = dict.fromkeys(f"{p.picture}, {p.width}x{p.height} pixels" for p in result.end_to_end)
    return Table(
        title="End to end: picture in, reading out",
        columns=(*TARGET, *names, "all", "p99", "readings"),
        rows=tuple(
            (
                *_target(part.target),
                *(duration(medians.get(name)) for name in names),
                duration(part.total.p50.value),
                duration(part.total.p99.value if part.total.p99 else None),
                str(part.readings),
            )
            for part, medians in zip(result.end_to_end, found, strict=True)
        ),
        caption=f"{'; '.join(pictures)}; medians; all is measured as one, without marks between the stages",
    )


def operations(profile: Profile) -> Table:
    """Where the time of an inference goes."""
    return Table(
        title=f"Operations: {profile.target.name}",
        columns=("operation", "kind", "mean", "share"),
        rows=tuple(
            (op.name, op.kind, f"{op.mean:.1f} us", None if op.share is None else f"{op.share:.1%}")
            for op in profile.operations
        ),
        caption=f"{profile.source}, {profile.runs} inferences of {duration(profile.total)} each; {profile.note}",
    )


def changes(found: Sequence[Change], percent: float) -> Table:
    """Now against what it was on the same machine."""
    return Table(
        title=f"Against earlier runs on this machine; slower by more than {percent:g} % and than the noise fails",
        columns=(*TARGET, "now", "before", "runs", "now / before", "verdict"),
        rows=tuple(
            (
                *_target(change.target),
                duration(change.now),
                duration(change.before),
                str(change.runs),
                times(change.ratio),
                "slower" if change.regressed else "within",
            )
            for change in found
        ),
    )


def past(found: Sequence[Past]) -> Table:
    """What was measured before, the newest first."""
    machines = {old.machine: old.machine_line for old in found}
    columns = ("run", "started (UTC)", *TARGET, "median", "interval", "p99", "plan", "edgecnn", "runtime's", "machine")
    return Table(
        title="Latencies measured before",
        columns=(*columns, "remarks"),
        rows=tuple(
            (
                str(old.run),
                old.started[:16].replace("T", " "),
                old.bundle,
                old.precision,
                old.runtime,
                str(old.threads),
                duration(old.median),
                None if old.low is None or old.high is None else f"{duration(old.low)}..{duration(old.high)}",
                duration(old.p99),
                old.plan,
                old.tool,
                old.runtime_version,
                old.machine[:6],
                ", ".join(_remarks(old)) or None,
            )
            for old in found
        ),
        caption="\n".join(f"{key[:6]}: {line}" for key, line in machines.items()),
    )


def machine_line(machine: Machine) -> str:
    """The machine and the versions in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items() if name != "edgecnn")
    return f"{machine.line}; Python {machine.python}, {versions}"


CSV = (
    *TARGET,
    *("file", "sha256", "bytes", "queries", "mean_us", "std_us", "min_us", "max_us"),
    *("p50_us", "p50_low_us", "p50_high_us", "p90_us", "p99_us", "p99_9_us"),
    *("ratio", "ratio_low", "ratio_high", "import_us", "load_us", "first_us", "peak_bytes", "net_bytes"),
    *("accuracy", "accuracy_of", "plan", "complete", "started", "machine"),
)
"""Columns of the CSV file: times in microseconds, ratio to the first row."""


def to_csv(result: BenchResult) -> str:
    """The rows as CSV; a cell is empty where there is nothing to say."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV)
    for row in result.rows:
        target, latency, start = row.target, row.latency, row.start
        tails = [tail.value if tail else None for tail in (latency.p90, latency.p99, latency.p99_9)]
        ratio = [row.ratio.value, row.ratio.low, row.ratio.high] if row.ratio else [None] * 3
        cold = [start.import_us, start.load_us, start.first_us, start.peak, start.net] if start else [None] * 5
        right = [row.accuracy.value, row.accuracy.data] if row.accuracy else [None] * 2
        writer.writerow(
            (
                *_target(target),
                *(target.file, target.sha256, target.bytes, latency.queries),
                *(latency.mean, latency.std, latency.min, latency.max),
                *(latency.p50.value, latency.p50.low, latency.p50.high, *tails),
                *ratio,
                *cold,
                *right,
                *(result.plan.name, result.complete, result.started, result.machine.line),
            )
        )
    return text.getvalue()


def _target(target: Target) -> tuple[str, str, str, str]:
    return (target.bundle, str(target.precision), str(target.runtime), str(target.threads))


def _latency(row: Row) -> tuple[str | None, ...]:
    latency = row.latency
    low, high = duration(latency.p50.low), duration(latency.p50.high)
    tails = (duration(tail.value) if tail else None for tail in (latency.p90, latency.p99, latency.p99_9))
    return (
        duration(latency.p50.value),
        f"{low}..{high}" if low and high else None,
        *tails,
        duration(latency.mean),
        duration(latency.std),
        duration(latency.min),
        duration(latency.max),
        f"{latency.queries:,}",
        times(row.ratio),
    )


def _remarks(old: Past) -> Iterator[str]:
    if not old.complete:
        yield "interrupted"
    if old.doubts:
        yield f"{old.doubts} doubt{'s' if old.doubts > 1 else ''}"
