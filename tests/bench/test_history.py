from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.bench import history as module
from edgecnn.bench.compare import changes
from edgecnn.bench.history import History
from edgecnn.bench.result import BenchResult
from edgecnn.errors import ArgumentError, MeasurementError

ROW = "digits int8 litert 1"
STEADY = [50.0, 50.2, 49.8, 50.1] * 100


@pytest.fixture
def result(bench_result: Callable[..., BenchResult]) -> BenchResult:
    return bench_result({ROW: STEADY, "digits float32 onnx 2": [90.0] * 200})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "history.db"


def store(path: Path, *results: BenchResult) -> None:
    with History(path, write=True) as history:
        for result in results:
            history.add(result)


def test_what_was_stored_comes_back(path: Path, result: BenchResult) -> None:
    store(path, result, dataclasses.replace(result, complete=False))
    with History(path) as history:
        assert history.result(1) == result
        assert history.result() == dataclasses.replace(result, complete=False)
        found = history.past()
    assert [(old.run, old.runtime, old.complete) for old in found] == [
        (2, "litert", False), (2, "onnx", False), (1, "litert", True), (1, "onnx", True),
    ]  # fmt: skip
    assert (found[2].median, found[2].runtime_version, found[3].runtime_version) == (
        pytest.approx(50, abs=0.2), "2.3.0", "1.32.0",
    )  # fmt: skip


def test_past_of_one_bundle_machine_target(path: Path, result: BenchResult) -> None:
    other = dataclasses.replace(result, machine=dataclasses.replace(result.machine, board="Raspberry Pi 4"))
    store(path, result, other)
    with History(path) as history:
        assert history.past(bundle="tiny") == []
        assert {old.run for old in history.past(machine=other.machine.key)} == {2}
        assert [old.runtime for old in history.past(target=result.rows[1].target)] == ["onnx", "onnx"]
        assert len(history.past(limit=3)) == 3


def test_no_such_run(path: Path, result: BenchResult) -> None:
    store(path)
    with History(path) as history:
        with pytest.raises(MeasurementError, match="it is empty"):
            history.result()
        with pytest.raises(MeasurementError, match="no run 7"):
            history.result(7)


def test_no_history_yet(path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"no history yet; run: edgecnn bench --save"):
        History(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 40, b"short"])
def test_a_file_that_is_something_else(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for write in (False, True):
        with pytest.raises(MeasurementError, match="damaged or no history"):
            History(path, write=write)
    assert path.read_bytes() == content


def test_a_database_of_another_program(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE runs (id)")
    database.close()
    with pytest.raises(MeasurementError, match="expected a history of edgecnn, got another file"):
        History(path, write=True)


def test_a_newer_history(path: Path) -> None:
    store(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(MeasurementError, match="newer edgecnn \\(version 99\\); update"):
        History(path)


def test_a_damaged_page(path: Path, result: BenchResult) -> None:
    store(path, *[result] * 20)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(MeasurementError, match="damaged"), History(path) as history:
        history.past()


def test_locked_by_another(path: Path, result: BenchResult, monkeypatch: pytest.MonkeyPatch) -> None:
    store(path, result)
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(MeasurementError, match="another program has locked it"):
        store(path, result)
    other.execute("ROLLBACK")
    other.close()
    store(path, result)


def test_a_writer_that_is_killed_leaves_the_file_as_it_was(path: Path, result: BenchResult) -> None:
    store(path, result)
    program = """import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("DELETE FROM runs")
os._exit(9)"""
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == 9
    with History(path) as history:
        assert history.result() == result


FULL = """
import resource, sys
from pathlib import Path
from edgecnn.bench.history import History
from edgecnn.bench.result import read_result
from edgecnn.errors import MeasurementError
path, result = Path(sys.argv[1]), read_result(Path(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 4096, resource.RLIM_INFINITY))
try:
    with History(path, write=True) as history:
        for _ in range(50):
            history.add(result)
except MeasurementError as error:
    print(error)
"""


def test_a_full_disk_stores_nothing_half(path: Path, result: BenchResult, tmp_path: Path) -> None:
    store(path, result)
    (tmp_path / "r.json").write_text(result.to_json())
    done = subprocess.run(
        [sys.executable, "-c", FULL, path, tmp_path / "r.json"], capture_output=True, text=True, check=False
    )
    assert "the disk is full or failed" in done.stdout, done.stderr
    with History(path) as history:
        for old in history.past():
            assert history.result(old.run) == result
    store(path, result)


def test_a_read_only_file_can_be_read(path: Path, result: BenchResult) -> None:
    store(path, result)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with History(path) as history:
            assert history.result() == result
        if os.geteuid() != 0:  # root may write to every file
            with pytest.raises(MeasurementError, match="cannot be written"):
                store(path, result)
    finally:
        path.parent.chmod(0o755)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MeasurementError, match="the folder cannot be made"):
        History(tmp_path / "file" / "history.db", write=True)
    for write in (False, True):
        with pytest.raises(MeasurementError, match="expected the file of a history, got a folder; name a file in it"):
            History(tmp_path, write=write)


def scaled(result: BenchResult, make: Callable[..., BenchResult], factor: float) -> BenchResult:
    return make({ROW: [value * factor for value in STEADY]})


@pytest.mark.parametrize(
    ("factor", "percent", "regressed"),
    [(1.0, 5, False), (1.04, 5, False), (1.08, 5, True), (1.08, 10, False), (0.5, 5, False)],
)
def test_slower_than_allowed(
    path: Path, bench_result: Callable[..., BenchResult], factor: float, percent: float, regressed: bool
) -> None:
    usual = bench_result({ROW: STEADY})
    store(path, usual, usual, usual)
    with History(path) as history:
        (change,) = changes(history, scaled(usual, bench_result, factor), percent=percent)
    assert change.regressed == regressed
    assert change.runs == 3
    assert change.ratio.value == pytest.approx(factor, rel=0.01)


def test_a_change_within_the_noise_of_earlier_runs_is_none(
    path: Path, bench_result: Callable[..., BenchResult]
) -> None:
    usual = bench_result({ROW: STEADY})
    store(path, *(scaled(usual, bench_result, factor) for factor in (0.9, 1.1, 1.0, 0.85, 1.15)))
    with History(path) as history:
        (change,) = changes(history, scaled(usual, bench_result, 1.1), percent=5)
    assert not change.regressed
    assert change.ratio.low is not None
    assert change.ratio.low < 1


def test_only_complete_runs_of_this_machine_count(path: Path, bench_result: Callable[..., BenchResult]) -> None:
    usual = bench_result({ROW: STEADY})
    slow = scaled(usual, bench_result, 10)
    elsewhere = dataclasses.replace(slow, machine=dataclasses.replace(slow.machine, board="Raspberry Pi 3"))
    store(path, usual, dataclasses.replace(slow, complete=False), elsewhere, slow)
    with History(path) as history:
        (change,) = changes(history, usual, percent=5, before=4)
        assert (change.runs, change.before) == (1, pytest.approx(50, abs=0.2))
        assert changes(history, bench_result({"tiny int8 litert 1": STEADY}), percent=5) == ()


@pytest.mark.parametrize("percent", [-1.0, float("nan"), float("inf")])
def test_a_percentage_that_is_none(path: Path, result: BenchResult, percent: float) -> None:
    store(path)
    with History(path) as history, pytest.raises(ArgumentError, match="regression: expected a percentage"):
        changes(history, result, percent=percent)


def test_earlier_runs_of_another_file_are_counted(path: Path, bench_result: Callable[..., BenchResult]) -> None:
    now = bench_result({ROW: STEADY})
    target = dataclasses.replace(now.rows[0].target, sha256="1" * 64)
    before = dataclasses.replace(now, rows=(dataclasses.replace(now.rows[0], target=target),))
    store(path, before, before, now)
    with History(path) as history:
        (change,) = changes(history, now, percent=5)
        assert (change.runs, change.other_files) == (3, 2)
