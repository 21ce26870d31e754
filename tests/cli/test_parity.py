from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgecnn.bundle import BundleDraft, Reference, pixels_sha256, write_bundle
from edgecnn.cli import app
from edgecnn.spec import Fit, Format, ImageSpec, Precision

RUNNER = CliRunner()
LOOSE = ("--max-drop", "5", "--min-agreement", "90")


def make_bundle(artifacts: Path, folder: Path, turn: int = 0) -> Path:
    """A bundle with all four artefacts, whose stored Keras logits are turned by so many classes."""
    with np.load(artifacts / "test.npz") as arrays:
        test = dict(arrays)
    logits = np.roll(test["logits"], turn, axis=1)
    draft = BundleDraft(
        name="small",
        labels=tuple("0123456789"),
        image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
        artifacts={
            (kind, precision): (artifacts / f"{precision}.{kind}").read_bytes()
            for kind in Format
            for precision in Precision
        },
        reference=Reference(logits, test["labels"], "optdigits", "test", pixels_sha256(test["pixels"])),
    )
    return write_bundle(folder / "small", draft).path


@pytest.fixture(scope="session")
def bundle(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(artifacts, tmp_path_factory.mktemp("cli"))


def test_a_table_with_its_verdict(bundle: Path) -> None:
    result = RUNNER.invoke(app, ["parity", str(bundle), *LOOSE])
    assert result.exit_code == 0, result.output
    for text in (
        "Parity of small, all against Keras float32",
        "Keras float32",
        "ONNX int8",
        "SQNR",
        "pictures: optdigits test",
        "flipped = lost + gained + right neither before nor after",
        "equal outputs, bit for bit, on 401 of 401 pictures",
        "PASSED  drop at most 5 points, agreement at least 90 %",
    ):
        assert text in result.stdout, result.stdout


def test_json_is_one_line(bundle: Path) -> None:
    result = RUNNER.invoke(app, ["parity", str(bundle), "--json", "--limit", "30", *LOOSE])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert (content["bundle"], content["passed"], content["images"]) == ("small", True, 30)
    assert content["reference"] == "Keras float32"


def test_a_failed_verdict_is_exit_code_1_with_its_reasons(artifacts: Path, tmp_path: Path) -> None:
    wrong = make_bundle(artifacts, tmp_path, turn=1)
    for option in ((), ("--json",)):
        result = RUNNER.invoke(app, ["parity", str(wrong), *option])
        assert result.exit_code == 1
        assert result.stderr == ""
        for name in ("TFLite float32", "ONNX float32", "TFLite int8", "ONNX int8"):
            assert f"{name}: agrees with Keras float32 on 0.00 % of the pictures" in result.stdout
    assert json.loads(result.stdout)["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("nothing",), 1, "edgecnn: nothing: no such bundle; looked in "),
        (("--limit", "0"), 2, "edgecnn: invalid value for '--limit'"),
        (("--max-drop", "-1"), 2, "edgecnn: invalid value for '--max-drop'"),
        (("--min-agreement", "101"), 2, "edgecnn: invalid value for '--min-agreement'"),
        (("--threads", "10000"), 2, "edgecnn: threads: expected a whole number from 1 to 256, got 10000"),
        (("--data", "zzz"), 2, "edgecnn: data: expected "),
        (("--data", "mnist", "--data-dir", "/nonexistent/x"), 2, "does not exist"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    bundle: Path, arguments: tuple[str, ...], code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (("http_proxy", "http://127.0.0.1:9"), ("https_proxy", "http://127.0.0.1:9")):
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("urllib.request._opener", None)  # it would remember the proxies for the tests that follow
    named = [] if arguments[0] == "nothing" else [str(bundle)]
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    result = RUNNER.invoke(app, ["parity", *named, *arguments])
    assert result.exit_code == code, result.output
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("command", [("parity", "digits"), ("export", "digits")])
def test_labels_are_compared_before_a_data_set_is_made(
    command: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn.data.live.load_live", lambda **_: pytest.fail("made, which takes minutes"))
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    result = RUNNER.invoke(app, [*command, "--data", "digits-live"])
    assert result.exit_code == 2, result.output
    assert "data: expected labels that the bundle has" in result.stderr and result.stderr.count("\n") == 1


def test_a_spoiled_bundle_is_one_line(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "small"))
    with (copy / "small-int8.onnx").open("ab") as file:
        file.write(b"x")
    result = RUNNER.invoke(app, ["parity", str(copy)])
    assert result.exit_code == 1
    assert "small-int8.onnx: altered" in result.stderr


def test_a_bundle_that_does_not_say_its_data(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "small"))
    content = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**content, "reference": None}))
    result = RUNNER.invoke(app, ["parity", str(copy)])
    assert result.exit_code == 2
    assert "--data: the bundle small does not say; expected one of mnist" in result.stderr
    named = RUNNER.invoke(app, ["parity", str(copy), "--data", "optdigits", *LOOSE])
    assert named.exit_code == 0, named.output
    assert "all against TFLite float32" in named.stdout
    assert "no Keras logits for these pictures" in named.stdout


CODE = """
import sys
from edgecnn.cli import app
app(["parity", sys.argv[1], "--limit", "5", "--max-drop", "100", "--min-agreement", "0"], standalone_mode=False)
heavy = {"tensorflow", "keras", "tf_keras", "onnx", "tf2onnx", "matplotlib"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_it_needs_no_tensorflow(bundle: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, str(bundle)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
