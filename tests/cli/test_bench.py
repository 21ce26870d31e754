from __future__ import annotations

import errno
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecnn.bench.history import History
from edgecnn.bench.lock import only_one
from edgecnn.bench.result import BenchResult, read_result
from edgecnn.cli import app

QUICK = ["--seconds", "0.05", "--no-start", "--runtime", "litert", "--precision", "int8"]
ROW = "small int8 litert 1"


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EDGECNN_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_tables_files_and_history(small_bundle: Path, tmp_path: Path) -> None:
    files = ["--out", tmp_path / "r.json", "--csv", tmp_path / "r.csv"]
    code, out, err = run("bench", small_bundle, *QUICK, *files, "--save", "--fail-on-regression", "1000000")
    assert code == 0, err
    assert "Latency of one inference" in out
    assert "nothing to compare with" in err
    stored = read_result(tmp_path / "r.json")
    assert [row.target.name for row in stored.rows] == ["small int8 litert 1T"]
    assert (tmp_path / "r.csv").read_text().count("\n") == 2
    with History() as history:
        assert history.result() == stored
    code, out, err = run("bench", small_bundle, *QUICK, "--fail-on-regression", "1000000")
    assert code == 0, err
    assert "Against earlier runs on this machine" in out
    code, out, _ = run("history", "--here", "small")
    assert code == 0
    assert out.count("litert") >= 1
    code, out, _ = run("history", "--json")
    assert json.loads(out)["bundle"] == "small"
    code, out, _ = run("history", "--run", "1")
    assert BenchResult.from_json(out) == stored
    code, out, err = run("report", "--out", tmp_path / "page.html", "--title", "Mine")
    assert code == 0, err
    assert "<h1>Mine</h1>" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "page.md").read_text().startswith("# Mine\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_nobody_can_read_is_stored_all_the_same(small_bundle: Path) -> None:
    code = "from edgecnn.cli import main; main()"
    command = [sys.executable, "-c", code, "bench", str(small_bundle), *QUICK, "--save", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=240)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "edgecnn: standard output: No space left on device"
    with History() as history:
        assert history.result().complete


def test_what_has_no_past_is_named(small_bundle: Path) -> None:
    assert run("bench", small_bundle, *QUICK, "--save")[0] == 0
    both = [*QUICK[:-1], "int8", "--precision", "float32", "--fail-on-regression", "1000000"]
    code, out, err = run("bench", small_bundle, *both)
    assert code == 0
    assert "Against earlier runs on this machine" in out
    assert "nothing to compare with: no complete run on this machine in the history: small float32 litert 1T" in err


def test_json_is_one_line_and_nothing_else(small_bundle: Path) -> None:
    code, out, _ = run("bench", small_bundle, *QUICK, "--json")
    assert code == 0
    assert out.count("\n") == 1
    assert BenchResult.from_json(out).complete


def test_a_regression_fails(small_bundle: Path, bench_result: Callable[..., BenchResult]) -> None:
    import dataclasses

    from edgecnn.bench.machine import read_machine

    past = dataclasses.replace(bench_result({ROW: [0.01] * 100}), machine=read_machine())
    with History(write=True) as history:
        for _ in range(3):
            history.add(past)
    code, out, err = run("bench", small_bundle, *QUICK, "--fail-on-regression", "5")
    assert code == 1
    assert "slower" in out
    assert "small int8 litert 1T is slower:" in err


def test_a_past_of_another_file_is_told(small_bundle: Path, bench_result: Callable[..., BenchResult]) -> None:
    import dataclasses

    from edgecnn.bench.machine import read_machine

    with History(write=True) as history:
        history.add(dataclasses.replace(bench_result({ROW: [1e6] * 100}), machine=read_machine()))
    code, _, err = run("bench", small_bundle, *QUICK, "--fail-on-regression", "5")
    assert code == 0
    assert "small int8 litert 1T: 1 of 1 earlier runs measured another file (its SHA-256 differs)" in err


def test_a_bundle_that_is_named_twice_is_measured_once(shipped: Path) -> None:
    tiny = shipped.parent / "tiny"
    also = shipped / ".." / "tiny"
    code, out, err = run("bench", tiny, also, tiny, *QUICK, "--json")
    assert code == 0, err
    assert [row["target"]["bundle"] for row in json.loads(out)["rows"]] == ["tiny"]
    assert err == (
        f"edgecnn: {also} is the same folder as {tiny}: measured once\nedgecnn: {tiny} is named twice: measured once\n"
    )


def test_two_bundles_of_one_name_are_wrong_usage(shipped: Path, tmp_path: Path) -> None:
    tiny = shipped.parent / "tiny"
    copy = shutil.copytree(tiny, tmp_path / "copy")
    code, out, err = run("bench", tiny, copy, *QUICK)
    assert (code, out) == (2, "")
    assert err == (
        f"edgecnn: bundles: expected different names, got 'tiny' from {tiny} and from {copy}; "
        "measure one after the other, or export one of them with another --name\n"
    )


def test_strict_fails_on_a_doubt(small_bundle: Path) -> None:
    few = ["--queries", "10", "--seconds", "0.0001"]
    code, out, err = run("bench", small_bundle, *QUICK[2:], *few, "--threads", "256", "--strict")
    assert code == 1
    assert "doubt: small int8 litert 256T: 256 threads on" in out
    assert re.search(r"^edgecnn: --strict: .*256 threads on", err, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--queries", "0"], 2, "queries: expected 1 to"),
        (["--seconds", "0"], 2, "seconds: expected more than 0"),
        (["--threads", "10000"], 2, "threads: expected 1 to 256, got 10000"),
        (["--threads", "0"], 2, "threads: expected 1 to 256, got 0"),
        (["--threads", "two"], 2, "--threads: expected numbers such as 1,2,4, got 'two'"),
        (["--fail-on-regression", "-5"], 2, "regression: expected a percentage"),
        (["--out", "/nonexistent/r.json"], 2, "--out: expected a file in a folder that is there"),
        (["--out", "/"], 2, "--out: expected a file in a folder that is there, got /"),
        (["--csv", "/proc/r.csv"], 2, "--csv: no file can be written in /proc"),
        (["--csv", "/nonexistent/r.csv"], 2, "--csv: expected a file in a folder that is there"),
        (["--end-to-end", "/nonexistent.png"], 1, "/nonexistent.png: cannot be read"),
        (["--save", "--db", "/dev/null/history.db"], 1, "the folder cannot be made"),
    ],
)
def test_bad_input_is_one_line(small_bundle: Path, arguments: list[str], code: int, message: str) -> None:
    found, out, err = run("bench", small_bundle, *QUICK, *arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err


def test_no_such_bundle_and_one_from_a_newer_version(small_bundle: Path, tmp_path: Path) -> None:
    code, _, err = run("bench", "nosuch")
    assert code == 1
    assert "nosuch: no such bundle" in err
    content = json.loads((small_bundle / "bundle.json").read_text())
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "bundle.json").write_text(json.dumps(content | {"schema": 99}))
    code, _, err = run("bench", tmp_path / "newer")
    assert code == 1
    assert "newer edgecnn" in err


def test_a_full_disk_does_not_lose_the_answer(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edgecnn.files.os.fsync", full)
    code, out, err = run("bench", small_bundle, *QUICK, "--out", tmp_path / "r.json")
    assert code == 1
    assert "Latency of one inference" in out
    assert "r.json: No space left on device; it was not written" in err
    assert list(tmp_path.glob("*r.json*")) == []


def test_a_second_bench_is_refused_before_it_measures(small_bundle: Path, state: Path) -> None:
    with only_one(state, wait=0, waiting=pytest.fail):
        code, out, err = run("bench", small_bundle, *QUICK)
    assert (code, out) == (1, "")
    assert "another bench is running" in err


def test_a_damaged_history_is_found_before_anything_is_measured(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "h.db").write_bytes(b"not a database, but something else entirely" * 100)
    code, out, err = run("bench", small_bundle, *QUICK, "--save", "--db", tmp_path / "h.db")
    assert (code, out) == (1, "")
    assert "damaged or no history" in err


def test_what_would_be_noticed_last_is_found_before_anything_is_measured(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn.cli.bench._here", pytest.fail)
    monkeypatch.setattr("edgecnn.cli.bench._there", pytest.fail)
    (tmp_path / "h.db").write_bytes(b"not a database, but something else entirely" * 100)
    (tmp_path / "text.jpg").write_text("no picture")
    for arguments, message in (
        (["--db", tmp_path / "h.db", "--fail-on-regression", "5"], "damaged or no history"),
        (["--end-to-end", tmp_path / "text.jpg"], "expected a JPEG, PNG, BMP or WebP picture"),
        (["--end-to-end", tmp_path / "absent.jpg", "--on", "pi@board"], "absent.jpg: cannot be read"),
    ):
        code, out, err = run("bench", shipped.parent / "tiny", *arguments)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert message in err


def test_ctrl_c_keeps_what_was_measured_and_marks_it(small_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    arguments = ["bench", small_bundle, *QUICK[2:], "--seconds", "600", "--out", out, "--save"]
    program = (
        "import os, signal, threading, sys\n"
        "from edgecnn.bench import sampling\n"
        "real, calls = sampling.sample, [0]\n"
        "def sample(*a):\n"
        "    calls[0] += 1\n"
        "    if calls[0] > 20: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(a[0], min(a[1], 0.01), *a[2:])\n"
        "sampling.sample = sample\n"
        "sys.argv = ['edgecnn'] + sys.argv[1:]\n"
        "from edgecnn.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "interrupted; the result is partial" in done.stderr
    found = read_result(out)
    assert not found.complete
    assert 1 <= len(found.rows[0].rounds) < 10
    with History() as history:
        assert not history.past()[0].complete


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.json"], 1, "absent.json: cannot be read"),
        ([], 1, "no history yet"),
        (["--out", "page.txt"], 2, "--out: expected a name that ends in .html"),
        (["--out", "/proc/page.html"], 2, "--out: no file can be written in /proc"),
        (["--out", "/nonexistent/page.html"], 2, "--out: expected a file in a folder that is there"),
        (["--out", "FOLDER/page.html"], 2, "--out: expected a file in a folder that is there, got "),
        (["--out", "FOLDER/twin.html"], 2, "--out: its Markdown twin "),
    ],
)
def test_report_of_nothing(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    for name in ("page.html", "twin.md"):
        (tmp_path / name).mkdir()
    found, out, err = run("report", *(word.replace("FOLDER", str(tmp_path)) for word in arguments))
    assert (found, out) == (code, "")
    assert message in err
