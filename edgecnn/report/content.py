"""What a report says, apart from how it looks: the HTML and the Markdown page say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecnn.bench.machine import Conditions, describe_throttling
from edgecnn.bench.result import BenchResult, Parity, Row
from edgecnn.report.bench import ARTEFACT, Table, dense, duration, interval, machine_line, size, times

TITLE = "edgecnn bench report"


def overview(result: BenchResult) -> Table:
    """Accuracy x size x latency, one row a target."""
    heads = ("median", "top-1", "size", "interval of the median", "p99", "first inference", "memory", "x first row")
    table = Table(
        title="Accuracy, size and latency",
        columns=(ARTEFACT, *heads),
        rows=tuple(_overview(row) for row in result.rows),
        caption=" ".join((_accuracy_caption(result.rows), "Latency of one inference; intervals are 95 %.")).strip(),
    )
    return dense(table)


def _overview(row: Row) -> tuple[str | None, ...]:
    target, latency, start = row.target, row.latency, row.start
    right = row.accuracy
    return (
        target.name,
        duration(latency.p50.value),
        None if right is None else f"{100 * right.value:.2f} % ({100 * right.low:.2f}..{100 * right.high:.2f})",
        size(target.bytes),
        interval(latency.p50.low, latency.p50.high),
        duration(latency.p99.value) if latency.p99 else None,
        duration(start.first_us) if start else None,
        size(start.peak or None) if start else None,
        times(row.ratio),
    )


def _accuracy_caption(rows: Sequence[Row]) -> str:
    on = dict.fromkeys(f"{row.accuracy.data}, {row.accuracy.total:,} pictures" for row in rows if row.accuracy)
    return f"Top-1 as the bundle says, measured at its export on {'; '.join(on)}." if on else ""


def comparison(results: Sequence[BenchResult]) -> Table:
    """Medians of several results side by side, by target."""
    found = [{row.target.name: row.latency.p50.value for row in result.rows} for result in results]
    names = dict.fromkeys(name for medians in found for name in medians)
    return Table(
        title="Medians side by side",
        columns=(ARTEFACT, *(heading(number, result) for number, result in enumerate(results, 1))),
        rows=tuple((name, *(duration(medians.get(name)) for medians in found)) for name in names),
    )


def heading(number: int, result: BenchResult) -> str:
    """Name of a result among several."""
    machine = result.machine
    return f"{number}. {machine.board or machine.cpu}, {result.started[:10]}"


def headline(result: BenchResult) -> str:
    """The result in a sentence or two."""
    quickest = min(result.rows, key=lambda row: row.latency.p50.value)
    sentences = [f"Quickest: {quickest.target.name}, {duration(quickest.latency.p50.value)} an inference."]
    known = [(row.accuracy.value, -row.latency.p50.value, row) for row in result.rows if row.accuracy]
    if known:
        share, _, best = max(known, key=lambda item: item[:2])
        sentences.append(f"Most accurate: {best.target.name}, {100 * share:.2f} %, {duration(best.latency.p50.value)}.")
    return " ".join(sentences)


def trust(result: BenchResult) -> Iterator[str]:
    """Why not to trust it, a line each; one line that nothing was found otherwise."""
    if not result.doubts:
        yield "No reason to doubt it was found: not throttled, not busy, clock and medians steady."
    about: dict[str | None, list[str]] = {}
    for doubt in result.doubts:
        about.setdefault(doubt.target, []).append(doubt.text)
    for target, texts in about.items():
        yield f"{target}: {'; '.join(texts)}" if target else "; ".join(texts)
    yield from result.notes


def parity_line(parity: Parity) -> str:
    """A bundle's verdict in a line."""
    line = f"{parity.bundle}: {'passed' if parity.passed else 'FAILED'} on {parity.pictures:,} pictures ({parity.data})"
    if parity.equal is not None and parity.compared is not None:
        line += f"; TFLite int8 and ONNX int8 equal bit for bit on {parity.equal:,} of {parity.compared:,}"
    return "; ".join((line, *parity.reasons))


def facts(result: BenchResult) -> Table:
    """The machine, and its state before and after."""
    machine, before, after = result.machine, result.before, result.after
    rows = [
        ("machine", machine_line(machine)),
        ("kernel", machine.kernel),
        ("governor", before.governor),
        ("clock", _pair(before, after, "clock_mhz", lambda clocks: f"{max(clocks):.0f} MHz")),
        ("temperature", _pair(before, after, "temperature", lambda degrees: f"{degrees:.1f} °C")),
        ("throttling", _pair(before, after, "throttled", lambda bits: describe_throttling(bits) or "none")),
        ("load", _pair(before, after, "load", lambda load: f"{load:.2f}")),
        ("free memory", _pair(before, after, "available", size)),
        ("timing loop", f"{result.timer_us:.2f} us, contained in every latency"),
        ("measured", f"{result.started} for {result.seconds:.0f} s with edgecnn {result.tool}"),
    ]
    return Table("What it was measured on", ("", ""), tuple(row for row in rows if row[1] is not None))


def _pair(before: Conditions, after: Conditions, name: str, say: object) -> str | None:
    values = [getattr(conditions, name) for conditions in (before, after)]
    if not callable(say) or any(value is None for value in values):
        return None
    first, last = (say(value) for value in values)
    return str(first) if first == last else f"{first} before, {last} after"
