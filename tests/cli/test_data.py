"""`edgecnn data`: the table, the JSON, the contact sheet, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgecnn.cli import app
from edgecnn.data import load


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(5):
            picture = np.random.RandomState(10 * number + i).randint(0, 256, (20 + i, 30, 3)).astype(np.uint8)
            assert cv2.imwrite(str(root / name / f"{i}.png"), picture)
    return root


def test_the_table_has_every_class_and_the_sums() -> None:
    result = run("optdigits")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["7", "119", "20", "40", "179"] in lines
    assert ["all", "1,197", "199", "401", "1,797"] in lines
    assert "28 x 28 pixels, grey" in result.stdout
    assert load("optdigits").sha256 in result.stdout
    assert result.stderr == ""


def test_json_is_one_line_with_everything(pets: Path) -> None:
    (pets / "cat" / "broken.jpg").write_text("x")
    (pets / "cat" / "notes.txt").write_text("x")
    result = run(pets, "--json", "--seed", "3", "--validation", "0.3", "--test", "0.3")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    facts = json.loads(result.stdout)
    assert facts["labels"] == ["cat", "dog"]
    assert facts["counts"] == {"train": [1, 1], "validation": [2, 2], "test": [2, 2]}
    assert facts["shape"] is None
    assert facts["ignored"] == 1
    assert [Path(one["file"]).name for one in facts["skipped"]] == ["broken.jpg"]
    assert facts["sha256"] == load(pets).sha256


def test_what_was_skipped_is_named_on_stderr_and_the_rest_counted(pets: Path) -> None:
    for i in range(12):
        (pets / "cat" / f"broken {i:02}.jpg").write_text("x")
    result = run(pets)
    assert result.exit_code == 0
    assert "skipped 12:" in result.stderr
    assert "broken 09.jpg: expected a JPEG, PNG, BMP or WebP picture" in result.stderr
    assert "broken 10.jpg" not in result.stderr
    assert "and 2 more, which --json names" in result.stderr
    assert "broken" not in result.stdout


def test_the_sheet_is_a_png(pets: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = run(pets, "--sheet", sheet)
    assert result.exit_code == 0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] > 2 * 56
    assert f"contact sheet: {sheet}" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"pets", "sheet.png"}


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "absent/sheet.png", "folder.png"])
def test_a_sheet_that_cannot_be_written_is_told_before_the_work(name: str, pets: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    result = run(tmp_path / "no such data", "--sheet", tmp_path / name)
    assert result.exit_code == 2
    assert result.stderr.startswith("edgecnn: --sheet: expected")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["optdigits", "--sheet", "/proc/x.png"], "--sheet: no file can be written in /proc"),
        (["cifar"], "data: expected mnist, fashion-mnist, optdigits"),
        (["optdigits", "--test", "0.5"], "optdigits has a split of its own"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], text: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["optdigits", "--seed", "-1"], ["optdigits", "--nothing"], ["a", "b"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_mnist_by_the_environment(mnist: object) -> None:
    result = run("mnist", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["shape"] == [28, 28, 1]
