from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from edgecnn.bench.result import BenchResult
from edgecnn.bench.statistics import Estimate
from edgecnn.report.bench import CSV, Table, dense, duration, interval, size, tables, times, to_csv


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (None, None), (0.0, "0.00 us"), (7.615, "7.62 us"), (9.996, "10.0 us"), (99.96, "100 us"), (999.6, "1.00 ms"),
        (4315.0, "4.32 ms"), (999_600.0, "1.00 s"), (61_250_000.0, "61.2 s"),
    ],
)  # fmt: skip
def test_durations(microseconds: float | None, text: str | None) -> None:
    assert duration(microseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, None), (5976, "5,976 B"), (52_300, "52.3 kB"), (102_700_000, "102.7 MB"), (8 * 10**9, "8.0 GB")],
)
def test_sizes(count: int | None, text: str | None) -> None:
    assert size(count) == text


def test_intervals() -> None:
    assert interval(18.7, 18.8) == "18.7..18.8 us"
    assert interval(998.0, 1020.0) == "998 us..1.02 ms"
    assert interval(None, 1020.0) is None


def test_ratios() -> None:
    assert times(None) is None
    assert times(Estimate(0.5, None, None)) == "0.50"
    assert times(Estimate(0.5, 0.45, 0.55)) == "0.50 (0.45..0.55)"


def test_a_column_that_holds_nothing_is_left_out() -> None:
    table = Table("t", ("a", "b", "c"), (("1", None, None), ("2", None, "3")))
    assert dense(table) == Table("t", ("a", "c"), (("1", None), ("2", "3")))


def test_tables_and_csv_hold_every_row(bench_result: Callable[..., BenchResult]) -> None:
    result = bench_result({"digits int8 litert 1": [50.0] * 2000, "digits float32 onnx 2": [90.0, 91.0] * 5})
    latencies, starts = tables(result)
    assert [row[:2] for row in latencies.rows] == [
        ("digits int8 litert 1T", "50.0 us"), ("digits float32 onnx 2T", "90.0 us"),
    ]  # fmt: skip
    assert "Raspberry Pi 5" in latencies.caption
    assert "--thorough" in latencies.caption
    assert len(starts.rows) == 2
    assert all(len(row) == len(table.columns) for table in (latencies, starts) for row in table.rows)
    heads, first, second = csv.reader(io.StringIO(to_csv(result)))
    assert tuple(heads) == CSV
    assert float(dict(zip(heads, first, strict=True))["p99_9_us"]) == 50
    assert dict(zip(heads, second, strict=True))["p99_us"] == ""
