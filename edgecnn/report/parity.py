"""A parity report as a table for people. Nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.parity import Equality, ParityReport, Row

COLUMNS = ("", "top-1", "95 % interval", "agrees", "flipped", "lost", "gained", "max |diff|", "SQNR")
SPARE = ("SQNR", "max |diff|")
"""Columns that a narrow terminal can do without, the least needed first."""

_FLIPS = "\nflipped = lost + gained + right neither before nor after"


@dataclass(frozen=True, slots=True)
class ParityText:
    """A parity report in words.

    Attributes:
        title: Head of the table.
        rows: Cells below `COLUMNS`.
        caption: What it was measured on, and what the columns of flips add up to.
        lines: What else there is to say, a line each: equality of the int8 files, notes.
        verdict: The verdict in one line.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    caption: str
    lines: tuple[str, ...]
    verdict: str


def describe(report: ParityReport, name: str) -> ParityText:
    """Put a parity report into words.

    Args:
        report: The report.
        name: Name of the bundle or the model.
    """
    of = "" if report.images == report.available else f" of {report.available:,}, evenly spread"
    equality = () if report.int8_equal is None else (_equality(report.int8_equal),)
    against = f", all against {report.reference}" if report.reference else ""
    return ParityText(
        title=f"Parity of {name}{against}",
        rows=tuple(_cells(row) for row in report.rows),
        caption=f"{report.images:,} pictures{of}: {report.dataset}; {report.machine}{_FLIPS if against else ''}",
        lines=(*equality, *report.notes),
        verdict=_verdict(report),
    )


def _verdict(report: ParityReport) -> str:
    if not report.passed:
        return f"{len(report.reasons)} reason{'s' if len(report.reasons) > 1 else ''}"
    if report.reference is None:
        return "nothing that was judged is wrong"
    budget = report.budget
    return f"drop at most {budget.max_drop:g} points, agreement at least {budget.min_agreement:g} %"


def _equality(equality: Equality) -> str:
    return (
        f"int8: TFLite and ONNX give equal outputs, bit for bit, on {equality.equal:,} of {equality.total:,} pictures"
    )


def _cells(row: Row) -> tuple[str, ...]:
    if row.accuracy is None:
        return (row.name, f"NaN or inf in {row.bad:,}", *["-"] * (len(COLUMNS) - 2))
    right = row.accuracy
    cells = (row.name, f"{100 * right.value:.2f} %", f"{100 * right.low:.2f}..{100 * right.high:.2f}")
    if row.agreement is None or row.flips is None or row.max_difference is None:
        return (*cells, *["-"] * (len(COLUMNS) - 3))
    noise = "-" if row.sqnr_db is None else f"{row.sqnr_db:.1f} dB"
    return (
        *cells,
        f"{100 * row.agreement.value:.2f} %",
        f"{row.flips.total:,}",
        f"{row.flips.lost:,}",
        f"{row.flips.gained:,}",
        f"{row.max_difference:.3g}",
        noise,
    )
