from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecnn.bench.history import History
from edgecnn.bench.result import BenchResult
from edgecnn.cli import app

STEADY = [50.0, 50.2, 49.8, 50.1] * 100


@pytest.fixture
def db(tmp_path: Path, bench_result: Callable[..., BenchResult]) -> Path:
    """A history of one run of digits and tiny, on a machine that is not this one."""
    path = tmp_path / "history.db"
    with History(path, write=True) as history:
        history.add(bench_result({"digits int8 litert 1": STEADY, "tiny int8 litert 1": STEADY}))
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["history", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("json", [[], ["--json"]])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NOSUCH"], "no run of 'NOSUCH'; there are: digits, tiny"),
        (["digit"], "no run of 'digit'; there are: digits, tiny; did you mean 'digits'?"),
        (["--here"], "no run on this machine; without --here there are: digits, tiny"),
        (["digits", "--here"], "no run of 'digits' on this machine; without --here there are: digits, tiny"),
    ],
)
def test_what_was_not_measured_is_an_error_that_says_what_was(
    db: Path, arguments: list[str], message: str, json: list[str]
) -> None:
    assert run(*arguments, *json, "--db", db) == (1, "", f"edgecnn: {db}: {message}\n")


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History(path, write=True):
        pass
    for arguments in ([], ["digits"], ["--json"]):
        assert run(*arguments, "--db", path) == (1, "", f"edgecnn: {path}: it is empty; run: edgecnn bench --save\n")


def test_a_folder_stands_for_the_bundle_in_it(db: Path, shipped: Path) -> None:
    code, out, err = run(shipped, "--db", db)
    assert (code, err) == (0, "")
    assert "digits int8 litert 1T" in out and "tiny" not in out


def other_file(result: BenchResult) -> BenchResult:
    """The same rows, measured with other artefacts."""
    rows = [dataclasses.replace(row, target=dataclasses.replace(row.target, sha256="1" * 64)) for row in result.rows]
    return dataclasses.replace(result, rows=tuple(rows))


def test_what_was_measured_with_another_file_says_so(tmp_path: Path, bench_result: Callable[..., BenchResult]) -> None:
    digits = bench_result({"digits int8 litert 1": STEADY, "digits int8 litert 2": STEADY})
    tiny = bench_result({"tiny int8 litert 1": STEADY})
    path = tmp_path / "history.db"
    with History(path, write=True) as history:
        for result in (other_file(digits), digits, tiny, digits):
            history.add(result)
    code, out, _ = run("--db", path)
    assert code == 0
    told = {line.split()[0]: "other file" in line for line in out.splitlines() if " litert " in line}
    assert told == {"4": False, "3": False, "2": False, "1": True}
    assert "other file: not the artefact that the newest run of that name measured" in out
    code, out, _ = run("--db", path, "tiny")
    assert "other file" not in out
    code, out, _ = run("--db", path, "--json")
    assert [json.loads(line)["sha256"][0] for line in out.splitlines()] == list("0000011")
