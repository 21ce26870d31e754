"""Tables on terminals of several widths, and in pipes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from edgecnn.bench.history import Past
from edgecnn.bench.result import BenchResult
from edgecnn.cli import show
from edgecnn.report.bench import Table, past, tables

LONGEST = "conv-32-64-128"
"""The longest name of a shipped bundle."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`shown(table, 80)`: the lines of the table on a terminal of 80 columns; in a pipe when the width is None."""

    def lines(table: Table, width: int | None) -> list[str]:
        stream = io.StringIO() if width is None else Terminal()
        monkeypatch.setenv("COLUMNS", str(width or 80))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdout", stream)
        show.result_table(table)
        return [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()).splitlines()]

    return lines


def body(lines: list[str], rows: int) -> list[str]:
    """The rows below the rule, after a check that nothing is wrapped: one line for the heads, one for each row."""
    rule = next(at for at, line in enumerate(lines) if set(line) == {"─"})
    assert rule == 2, "title, heads, rule"
    return lines[rule + 1 : rule + 1 + rows]


TABLE = Table("t", ("artefact", "median", "p99", "std"), (("a", "1.00 us", "2.00 us", "3.00 us"),), "c", ("std", "p99"))


def test_a_wide_terminal_and_a_pipe_show_every_column(shown: Callable[..., list[str]]) -> None:
    for width in (None, 80, 35):
        assert shown(TABLE, width)[1:] == [
            "artefact   median      p99      std",
            "─" * 35,
            "a         1.00 us  2.00 us  3.00 us",
            "c",
        ]


def test_a_narrow_terminal_leaves_out_what_is_needed_least_and_names_it(shown: Callable[..., list[str]]) -> None:
    assert shown(TABLE, 34)[1:] == [
        "artefact   median      p99",
        "─" * 26,
        "a         1.00 us  2.00 us",
        "c",
        "not shown in 34 columns, but by",
        "--json: std",
    ]
    assert shown(TABLE, 20)[1:2] == ["artefact   median"]
    assert " ".join(shown(TABLE, 20)[5:]) == "not shown in 20 columns, but by --json: p99, std"


def test_only_the_longest_text_is_wrapped_and_no_letter_is_lost(shown: Callable[..., list[str]]) -> None:
    table = Table("t", ("net", "MACs", "source"), (("conv-32-64-128", "48,479,616", "a network of many words " * 3),))
    lines = shown(table, 48)
    assert lines[3].startswith("conv-32-64-128  48,479,616  a network of")
    assert " ".join(" ".join(line[28:] for line in lines[3:]).split()) == ("a network of many words " * 3).strip()
    letters = "".join("".join(line) for line in shown(table, 20)[3:])
    assert sorted(letters.replace(" ", "")) == sorted("".join(table.rows[0] or "").replace(" ", ""))


def rows_of(bundle: str) -> dict[str, list[float]]:
    kinds = (("float32", "litert"), ("int8", "litert"), ("float32", "onnx"), ("int8", "onnx"))
    return {f"{bundle} {precision} {runtime} 1": [118.0, 119.0] * 1500 for precision, runtime in kinds}


@pytest.mark.parametrize("bundle", ["tiny", "digits-live", LONGEST])
@pytest.mark.parametrize("width", [80, 120])
def test_bench_reads_well(
    shown: Callable[..., list[str]], bench_result: Callable[..., BenchResult], bundle: str, width: int
) -> None:
    for table in tables(bench_result(rows_of(bundle))):
        lines = shown(table, width)
        assert max(map(len, lines)) <= width
        rows = body(lines, 4)
        assert [row.split("T ")[0] for row in rows] == [name.removesuffix("T") for name in [r[0] for r in table.rows]]
    heads = shown(next(tables(bench_result(rows_of(bundle)))), width)[1]
    assert all(head in heads for head in ("artefact", "median", "p99 ", "x first row"))


def old(**fields: object) -> Past:
    values = dict(
        run=123, started="2026-11-30T19:59:07+00:00", tool="0.1.0", runtime_version="1.32.0", machine="f" * 64,
        machine_line="AMD EPYC, 2 cores", plan="quick", complete=True, doubts=16, bundle=LONGEST, sha256="0" * 64,
        runtime="litert", precision="float32", threads=1, median=160.0, low=154.0, high=164.0, p99=4350.0,
    )  # fmt: skip
    return Past(**(values | fields))  # type: ignore[arg-type]


def test_history_reads_well(shown: Callable[..., list[str]]) -> None:
    for width in (80, 120):
        lines = shown(past([old(), old(runtime="onnx", precision="int8")]), width)
        assert max(map(len, lines)) <= width
        first, second = body(lines, 2)
        assert f"{LONGEST} float32 litert 1T" in first and f"{LONGEST} int8 onnx 1T" in second
        assert "160 us" in first and "16 doubts" in first


def test_history_names_the_machine_of_each_row_where_there_are_several(shown: Callable[..., list[str]]) -> None:
    both = [old(bundle="tiny"), old(bundle="tiny", machine="a" * 64)]
    first, second = body(shown(past(both), 80), 2)
    assert "ffffff" in first and "aaaaaa" in second
    assert "ffffff" not in body(shown(past(both[:1]), 80), 1)[0]
