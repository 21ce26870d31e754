"""A bench's result as tables: for the terminal, for CSV, for the pages. Nothing is computed here but texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgecnn.bench.compare import Change
from edgecnn.bench.history import Past
from edgecnn.bench.machine import Machine
from edgecnn.bench.result import BenchResult, Profile, Row
from edgecnn.bench.statistics import Estimate

OTHER_FILE = "other file: not the artefact that the newest run of that name measured, by its SHA-256, which --json has"
ARTEFACT = "artefact"
"""Head of the column that holds the name of a target: "digits int8 litert 1T"."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in words.

    Attributes:
        title: What it shows.
        columns: Heads.
        rows: Cells; None is "not known here".
        caption: What it was measured on.
        spare: Columns that a narrow terminal can do without, the least needed first.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    caption: str = ""
    spare: tuple[str, ...] = ()


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


def interval(low: float | None, high: float | None) -> str | None:
    """Two durations: "18.7..18.8 us", "998 us..1.02 ms"."""
    first, last = duration(low), duration(high)
    if first is None or last is None:
        return None
    number, unit = first.split()
    return f"{number if last.endswith(f' {unit}') else first}..{last}"


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
        columns=(ARTEFACT, *heads),
        rows=tuple((row.target.name, *_latency(row)) for row in result.rows),
        caption=f"{machine_line(result.machine)}\n{plan_line(result)}\nThe timing loop takes {result.timer_us:.2f} us, "
        "which is in every figure.",
        spare=("std", "mean", "max", "min", "p99.9", "queries", "p90", "interval"),
    )


def starts(result: BenchResult) -> Table:
    """Load time, first inference and memory of a fresh process."""
    return Table(
        title="Start: a fresh process that opens the artefact and runs it once",
        columns=(ARTEFACT, "file", "import", "load", "first", "memory", "own"),
        rows=tuple(
            (
                row.target.name,
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
        caption="first: the first inference; memory: the whole process with Python and numpy, at its peak; own: what "
        "the artefact added to it; median of the processes, of memory the most",
        spare=("import",),
    )


def throughput(result: BenchResult) -> Table:
    """Inferences per second by streams and batch."""
    table = Table(
        title="Throughput",
        columns=(ARTEFACT, "streams", "batch", "pictures/s", "note"),
        rows=tuple(
            (
                part.target.name,
                str(part.streams),
                str(part.batch),
                None if part.per_second is None else f"{part.per_second:,.0f}",
                part.note or None,
            )
            for part in result.throughput
        ),
        caption="streams: sessions at the same time, a thread each; batch: pictures in one call",
    )
    return dense(table)


def energy(result: BenchResult) -> Table:
    """Energy of an inference."""
    return Table(
        title="Energy",
        columns=(ARTEFACT, "an inference", "above idle", "power", "idle"),
        rows=tuple(
            (
                part.target.name,
                f"{part.per_query:.4g} mJ",
                f"{part.above_idle:.4g} mJ",
                f"{part.watts:.2f} W",
                f"{part.idle_watts:.2f} W",
            )
            for part in result.energy
        ),
        caption="; ".join(dict.fromkeys(part.sensor for part in result.energy)),
    )


def end_to_end(result: BenchResult) -> Table:
    """Picture in, reading out: median of each stage, and of all of them measured as one."""
    names = tuple(dict.fromkeys(stage.name for part in result.end_to_end for stage in part.stages))
    found = [{stage.name: stage.latency.p50.value for stage in part.stages} for part in result.end_to_end]
    pictures = dict.fromkeys(f"{p.picture}, {p.width}x{p.height} pixels" for p in result.end_to_end)
    return Table(
        title="End to end: picture in, reading out",
        columns=(ARTEFACT, *names, "all", "p99", "readings"),
        rows=tuple(
            (
                part.target.name,
                *(duration(medians.get(name)) for name in names),
                duration(part.total.p50.value),
                duration(part.total.p99.value if part.total.p99 else None),
                str(part.readings),
            )
            for part, medians in zip(result.end_to_end, found, strict=True)
        ),
        caption=f"{'; '.join(pictures)}; medians; all is measured as one, without marks between the stages",
        spare=("p99", "readings", "preprocess", "postprocess"),
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
        columns=(ARTEFACT, "now", "before", "runs", "now / before", "verdict"),
        rows=tuple(
            (
                change.target.name,
                duration(change.now),
                duration(change.before),
                str(change.runs),
                times(change.ratio),
                "slower" if change.regressed else "within",
            )
            for change in found
        ),
        spare=("runs",),
    )


def past(found: Sequence[Past]) -> Table:
    """What was measured before, the newest first."""
    machines = {old.machine: old.machine_line for old in found}
    newest: dict[tuple[str, str, str], str] = {}
    for old in found:
        newest.setdefault(_artefact(old), old.sha256)
    notes = [OTHER_FILE] if any(old.sha256 != newest[_artefact(old)] for old in found) else []
    columns = ("run", "started (UTC)", ARTEFACT, "median", "interval", "p99", "plan", "edgecnn", "runtime's", "machine")
    return Table(
        title="Latencies measured before",
        columns=(*columns, "remarks"),
        rows=tuple(
            (
                str(old.run),
                old.started[:16].replace("T", " "),
                old.name,
                duration(old.median),
                interval(old.low, old.high),
                duration(old.p99),
                old.plan,
                old.tool,
                old.runtime_version,
                old.machine[:6],
                ", ".join(_remarks(old, newest[_artefact(old)])) or None,
            )
            for old in found
        ),
        caption="\n".join([*(f"{key[:6]}: {line}" for key, line in machines.items()), *notes]),
        spare=("edgecnn", "runtime's", "plan", *(() if len(machines) > 1 else ("machine",)), "p99", "interval"),
    )


def machine_line(machine: Machine) -> str:
    """The machine and the versions in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items() if name != "edgecnn")
    return f"{machine.line}; Python {machine.python}, {versions}"


CSV = (
    *("bundle", "precision", "runtime", "threads"),
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
                *(target.bundle, target.precision, target.runtime, target.threads),
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


def _latency(row: Row) -> tuple[str | None, ...]:
    latency = row.latency
    tails = (duration(tail.value) if tail else None for tail in (latency.p90, latency.p99, latency.p99_9))
    return (
        duration(latency.p50.value),
        interval(latency.p50.low, latency.p50.high),
        *tails,
        duration(latency.mean),
        duration(latency.std),
        duration(latency.min),
        duration(latency.max),
        f"{latency.queries:,}",
        times(row.ratio),
    )


def _artefact(old: Past) -> tuple[str, str, str]:
    return (old.bundle, old.precision, old.runtime)


def _remarks(old: Past, newest: str) -> Iterator[str]:
    if old.sha256 != newest:
        yield "other file"
    if not old.complete:
        yield "interrupted"
    if old.doubts:
        yield f"{old.doubts} doubt{'s' if old.doubts > 1 else ''}"
