"""`edgecnn nets` and `edgecnn train`: the list, a run from the command line, and one line for each mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edgecnn.cli import app
from edgecnn.nets import NETS
from edgecnn.train import RunFolder, load_model


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """One epoch of `tiny` on the embedded digits, from the command line."""
    folder = tmp_path_factory.mktemp("cli")
    files = [option for name in ("a.keras", "a.h5", "a.weights.h5") for option in ("--save", folder / name)]
    result = run(
        "train",
        "tiny",
        "--data",
        "optdigits",
        "--epochs",
        "1",
        "--out",
        folder / "run",
        "--seed",
        "4",
        *files,
        "--json",
    )
    return folder, result


def test_the_list_of_nets() -> None:
    result = run("nets")
    assert result.exit_code == 0
    for net in NETS.values():
        line = next(line for line in result.stdout.splitlines() if line.split()[:1] == [net.name])
        assert f"{net.parameters:,}" in line
        assert f"{net.macs:,}" in line
        assert net.source in line


def test_the_list_for_programs() -> None:
    result = run("nets", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["net"] for row in rows] == list(NETS)
    assert {row["net"]: row["parameters"] for row in rows}["tiny"] == 2674
    assert all(row["recipe"]["epochs"] >= 1 for row in rows)


def test_a_training(trained: tuple[Path, Result]) -> None:
    folder, result = trained
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["net"], answer["epochs"], answer["test"]["total"]) == ("tiny", 1, 401)
    assert answer["folder"] == str(folder / "run")
    assert "epoch 1: loss " in result.stderr
    config = RunFolder(folder / "run").config()
    assert (config.seed, config.recipe.epochs, config.data["name"]) == (4, 1, "optdigits")


def test_the_model_is_saved_where_it_was_asked_for(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    assert load_model(folder / "a.keras").count_params() == load_model(folder / "a.h5").count_params() == 2674
    assert (folder / "a.weights.h5").stat().st_size > 2674 * 4


def test_a_finished_run_again(trained: tuple[Path, Result]) -> None:
    folder, first = trained
    arguments = ("train", "tiny", "--data", "optdigits", "--epochs", "1", "--out", folder / "run", "--seed", "4")
    again = run(*arguments, "--resume", "--json")
    assert again.stdout == first.stdout
    shown = run(*arguments, "--resume")
    assert "tiny on optdigits" in shown.stdout
    assert "weights of epoch 1 of 1" in shown.stdout
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("edgecnn: out: ")
    assert "add --resume to go on with it" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("lenet",), 2, "edgecnn: net: expected one of digits, "),
        (("tiny", "--data", "no/such/folder"), 2, "edgecnn: data: expected mnist, fashion-mnist, optdigits"),
        (("digits", "--recipe", "seed"), 2, "edgecnn: recipe: digits is a net of our own and has no seed"),
        (("tiny", "--save", "/nonexistent/a.keras"), 2, "edgecnn: --save: expected a file in a folder that is there"),
        (("tiny", "--save", "/proc/a.keras"), 2, "edgecnn: --save: no file can be written in /proc"),
        (("tiny", "--data-dir", __file__), 2, "edgecnn: invalid value for '--data-dir': Directory '"),
        (("tiny", "--data", "optdigits", "--epochs", "0"), 2, "edgecnn: epochs: expected a whole number from 1"),
        (("tiny", "--data", "optdigits", "--rate", "-1"), 2, "edgecnn: rate: expected a number from"),
        (("tiny", "--data", "optdigits", "--size", "28"), 2, "edgecnn: size: expected WIDTHxHEIGHT such as 224x224"),
        (
            ("tiny", "--data", "optdigits", "--size", "8x8"),
            1,
            "edgecnn: net tiny: expected a picture of at least 10x10",
        ),
        (("tiny", "--data", "optdigits", "--channels", "2"), 2, "edgecnn: image channels: expected 1 or 3, got 2"),
        (("tiny", "--data", "optdigits", "--start", "gone.keras"), 1, "edgecnn: gone.keras: there is no such file"),
        (("tiny", "--data", "optdigits", "--save", "model.pb"), 2, "edgecnn: model file: expected a name that ends in"),
        (("tiny", "--data", "optdigits", "--out", "/proc/x"), 2, "edgecnn: out: /proc/x cannot be made: no such file"),
        (
            ("tiny", "--data", "optdigits", "--epochs", "1", "--resume"),
            2,
            "edgecnn: --resume: expected a run in runs/tiny-optdigits-ours-0, there is none; to begin one leave out --",
        ),
        (
            ("tiny", "--data", ".", "--seed", "3", "--resume", "--out", "mine"),
            2,
            "edgecnn: --resume: expected a run in mine, there is none",
        ),
        (("tiny", "--data", "optdigits", "--seed", "-1"), 2, "edgecnn: seed: expected a whole number from 0"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[str, ...], code: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", *arguments)
    assert result.exit_code == code
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = ["train", "tiny", "--data", "optdigits", "--epochs", "10000", "--patience", "10000", "--out", "run"]
    command = [sys.executable, "-c", "from edgecnn.cli import main; main()", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 240
        while not (tmp_path / "run" / "history.csv").exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "to go on, repeat the command with --resume" in stderr.splitlines()[-1]
    assert load_model(tmp_path / "run" / "model.keras").count_params() == 2674
    assert not (tmp_path / "run" / "result.json").exists()
