"""`edgecnn export`: the answer, the exit code, and one line for each mistake."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edgecnn.bundle import read_bundle
from edgecnn.cli import app
from edgecnn.parity import Budget
from edgecnn.spec import Precision

LENIENT = ("--max-drop", "1", "--min-agreement", "98")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


@pytest.fixture(scope="module")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("export") / "out"
    return run(small_run, "--int8", "--data", "optdigits", "--out", out, *LENIENT), out


def test_the_answer(exported):
    result, out = exported
    assert result.exit_code == 0, result.output
    for row in ("Keras float32", "TFLite float32", "TFLite int8", "ONNX float32", "ONNX int8"):
        assert row in result.stdout
    assert "bit for bit, on 401 of 401 pictures" in result.stdout
    assert "PASSED" in result.stdout
    bundle = read_bundle(out)
    for artifact in bundle.artifacts:
        assert f"{artifact.bytes:,}" in result.stdout
        if artifact.precision is Precision.INT8:
            share = artifact.bytes / bundle.artifact(artifact.format, Precision.FLOAT32).bytes
            assert f"{artifact.bytes:,} {100 * share:.0f} %" in " ".join(result.stdout.split())
    assert f"bundle: {out}" in result.stdout


def test_what_it_says_beside_the_answer_is_on_stderr(exported):
    result, _ = exported
    assert "only 199 are held out" in result.stderr
    assert "held out" not in result.stdout
    assert "tensorflow" not in result.stderr.lower()


def test_json_and_a_failed_verdict(small_run, tmp_path, monkeypatch):
    # No two libraries sum floats in the same order: without a tolerance the verdict fails, whatever the model.
    monkeypatch.setattr("edgecnn.parity.Budget", partial(Budget, float_tolerance=0))
    out = tmp_path / "out"
    inverted = ("--pixels", "255..0", *LENIENT)
    result = run(small_run, "--int8", "--data", "optdigits", "--out", out, *inverted, "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["passed"], answer["bundle"], answer["parity"]["passed"]) == (False, None, False)
    assert set(answer["bytes"]) == {"tflite float32", "tflite int8", "onnx float32", "onnx int8"}
    assert "likely the range of the pixels" in answer["parity"]["notes"][-1]
    assert not out.exists()


def test_a_known_error_is_one_line(tmp_path):
    result = run(tmp_path / "nothing.keras", "--int8")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"edgecnn: {tmp_path}/nothing.keras: no such bundle; looked in ")
    assert "a model may also be a run folder, a .keras" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--pixels", "0-1"), 2, "expected BLACK..WHITE"),
        (("--qat", "2"), 2, "add --int8"),
        (("--out", "/proc/x/bundle"), 2, "edgecnn: out: /proc/x cannot be made"),
        (("--target", "coreml"), 2, "invalid value for '--target'"),
        (("--calibration", "0"), 2, "invalid value for '--calibration'"),
        (("--unknown",), 2, "no such option"),
        (("--name", ""), 2, "edgecnn: name: expected letters, digits, "),
        (("--name", "a/b"), 2, "the first a letter or digit, got 'a/b'"),
        (("--name", ".."), 2, "a letter or digit, got '..'"),
        (("--name", "x" * 81), 2, "edgecnn: name: expected"),
    ],
)
def test_wrong_options(arguments, code, message):
    result = run("net.keras", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
