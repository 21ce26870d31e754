from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.bench.result import MAX_JSON_BYTES, BenchResult, Doubt, Throughput, read_result
from edgecnn.errors import MeasurementError

ROWS = {"digits int8 litert 1": [50.0, 51.0, 49.0] * 20, "digits float32 onnx 2": [90.0, 91.0] * 20}


@pytest.fixture
def result(bench_result: Callable[..., BenchResult]) -> BenchResult:
    made = bench_result(ROWS)
    count = Throughput(made.rows[0].target, 2, 8, None, 0.0, "the batch is fixed")
    return bench_result(ROWS, throughput=(count,), doubts=(Doubt("busy", "it was", None),), notes=("ünïcode <&>",))


def test_json_and_back(result: BenchResult, tmp_path: Path) -> None:
    assert BenchResult.from_json(result.to_json()) == result
    (tmp_path / "r.json").write_text(result.to_json(), encoding="utf-8")
    assert read_result(tmp_path / "r.json") == result


def broken(result: BenchResult, change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(result.to_json())
    change(data)
    with pytest.raises(MeasurementError) as caught:
        BenchResult.from_json(json.dumps(data), "r.json")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema=2), "r.json: expected schema 1 of a bench, got 2; update edgecnn"),
        (lambda d: d.pop("schema"), "r.json: expected schema 1 of a bench, got None; update edgecnn"),
        (lambda d: d.pop("machine"), "r.json: missing fields ['machine'], unknown fields []"),
        (lambda d: d.update(extra=1), "r.json: missing fields [], unknown fields ['extra']"),
        (
            lambda d: d["rows"][0]["latency"].update(mean="fast"),
            "r.json.rows[0].latency.mean: expected float, got 'fast'",
        ),
        (lambda d: d["rows"][0]["latency"].update(mean=None), "r.json.rows[0].latency.mean: expected float, got None"),
        (
            lambda d: d["rows"][0]["latency"].update(queries=True),
            ".rows[0].latency.queries: expected int, got True",
        ),
        (lambda d: d["rows"][0]["target"].update(runtime="tflite"), "expected one of ['litert', 'onnx'], got 'tflite'"),
        (lambda d: d.update(rows={}), "r.json.rows: expected list, got dict"),
        (lambda d: d.update(complete=1), "r.json.complete: expected bool, got 1"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(
    result: BenchResult, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    assert message in broken(result, change)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"schema": 1}', "[" * 100_000, '{"schema": 1e999}'])
def test_texts_that_are_no_result(text: str) -> None:
    with pytest.raises(MeasurementError):
        BenchResult.from_json(text)


def test_numbers_that_json_does_not_know_are_refused(result: BenchResult) -> None:
    text = result.to_json().replace('"timer_us": 0.06', '"timer_us": NaN')
    with pytest.raises(MeasurementError, match="timer_us: expected float, got nan"):
        BenchResult.from_json(text)


def test_files_that_are_no_result(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="cannot be read"):
        read_result(tmp_path / "absent.json")
    with pytest.raises(MeasurementError, match="cannot be read"):
        read_result(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(MeasurementError, match="expected the JSON of `edgecnn bench --out`, got no text"):
        read_result(tmp_path / "latin.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(MeasurementError, match="expected at most"):
        read_result(tmp_path / "huge.json")
