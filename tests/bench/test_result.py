from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.bench.result import MAX_JSON_BYTES, BenchResult, Doubt, Throughput, read_result
from edgecnn.errors import MeasurementError

ROWS = {"digits int8 litert 1": [50.0, 51.0, 49.0] * 20, "digits float32 onnx 2": [90.0, 91.0] * 20}
EXPECTED = "r.json: expected the JSON of a bench (edgecnn bench --out)"


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
        (lambda d: d.update(schema=2), f"{EXPECTED}, got one of a newer edgecnn (schema 2, this one reads 1); update"),
        (lambda d: d.update(schema="1"), f"{EXPECTED}, got one of the unknown schema '1'"),
        (lambda d: d.update(schema=0), f"{EXPECTED}, got one of the unknown schema 0"),
        (lambda d: d.pop("schema"), f"{EXPECTED}, got JSON of something else: an object with tool, command, started, "),
        (lambda d: d.pop("machine"), f"{EXPECTED}, got JSON of something else: an object with "),
        (lambda d: d.pop("seconds"), "r.json: result: the field seconds is missing"),
        (lambda d: d.update(extra=1), "r.json: result: the field extra is unknown"),
        (lambda d: d.update(rows=[]), "r.json: result.rows: expected at least one, got none"),
        (
            lambda d: d["rows"][0]["latency"].update(mean="fast"),
            "r.json: result.rows[0].latency.mean: expected float, got 'fast'",
        ),
        (
            lambda d: d["rows"][0]["latency"].update(mean=None),
            "r.json: result.rows[0].latency.mean: expected float, got None",
        ),
        (
            lambda d: d["rows"][0]["latency"].update(queries=True),
            ".rows[0].latency.queries: expected int, got True",
        ),
        (lambda d: d["rows"][0]["target"].update(runtime="tflite"), "expected one of ['litert', 'onnx'], got 'tflite'"),
        (lambda d: d.update(rows={}), "r.json: result.rows: expected list, got dict"),
        (lambda d: d.update(complete=1), "r.json: result.complete: expected bool, got 1"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(
    result: BenchResult, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    assert message in broken(result, change)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "an empty file"),
        (" \n", "an empty file"),
        ("name,median\ndigits,16.9\n", "no JSON (line 1, column 1)"),
        ('{"schema": 1,\n "tool": "0.1", oops}', "no JSON (line 2, column 17)"),
        ('{"a": 1}\n{"a": 2}\n', "more than one JSON value (line 2)"),
        ("[1, 2]", "JSON of something else: a list"),
        ("7", "JSON of something else: a number"),
        ("null", "JSON of something else: null"),
        ('"text"', "JSON of something else: a text"),
        ("{}", "JSON of something else: an object without fields"),
        (
            '{"schema": 1, "name": "digits", "labels": []}',
            "JSON of something else: an object with schema, name, labels",
        ),
        ('{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}', "JSON of something else: an object with a, b, c, d, e and 1 more"),
        ("[" * 100_000, "JSON that is nested too deeply"),
        ('{"' + "x" * 500 + '\\n": 1}', "JSON of something else: an object with " + "x" * 29 + "..."),
    ],
)
def test_what_came_instead_of_a_result_is_told(tmp_path: Path, text: str, got: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(MeasurementError) as caught:
        read_result(tmp_path / "r.json")
    assert str(caught.value) == f"{tmp_path}/{EXPECTED}, got {got}"


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_that_breaks_off_says_so(result: BenchResult, tmp_path: Path, share: float) -> None:
    text = result.to_json()
    (tmp_path / "r.json").write_text(text[: int(share * len(text))])
    with pytest.raises(MeasurementError, match=r"got JSON that breaks off in line \d+: the file is not whole$"):
        read_result(tmp_path / "r.json")


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
    with pytest.raises(MeasurementError, match=r"expected the JSON of a bench.*, got a folder$"):
        read_result(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(MeasurementError, match=r"expected the JSON of a bench.*, got no text$"):
        read_result(tmp_path / "latin.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(MeasurementError, match="expected at most"):
        read_result(tmp_path / "huge.json")
