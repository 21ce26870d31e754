"""edgecnn as a user installs it: a real wheel, in real fresh environments, with no extra and with `[pi]` alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgecnn

ROOT = Path(edgecnn.__file__).parent.parent
CONSTRAINTS = ROOT / "tools" / "constraints.txt"
BUNDLE = ROOT / "models" / "digits"
PICTURE = ROOT / "models" / "samples" / "number.jpg"
UNREACHABLE = re.compile(
    r"ConnectionError|name resolution|Max retries|No matching distribution|ConnectTimeout|ProxyError"
)

BASE = {
    "edgecnn", "numpy", "typer", "rich",
    "annotated-doc", "click", "markdown-it-py", "mdurl", "pygments", "shellingham", "typing-extensions",
}  # fmt: skip
"""What the base install may bring: numpy, typer and rich, with what they need themselves."""

pytestmark = pytest.mark.timeout(900)


def pip(*arguments: str | Path, python: Path = Path(sys.executable)) -> None:
    """Run pip for an interpreter; where no package index can be reached the test skips, but never on CI."""
    command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=800)
    if ran.returncode == 0:
        return
    if UNREACHABLE.search(ran.stderr) and "CI" not in os.environ:
        pytest.skip(f"needs a package index: {ran.stderr.strip().splitlines()[-1]}")
    pytest.fail(f"pip {' '.join(map(str, arguments))}:\n{ran.stderr}")


def fresh_environment(folder: Path) -> Path:
    """An empty virtual environment; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=300)
    return folder / "bin" / "python"


def installed(python: Path) -> set[str]:
    code = "from importlib.metadata import distributions as d; print(*{x.metadata['Name'] for x in d()})"
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return {name.lower().replace("_", "-") for name in ran.stdout.split()}


def run(python: Path, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the environment's own `edgecnn`, away from the checkout and with nothing of it in the environment."""
    foreign = [name for name in os.environ if name.startswith(("PYTHON", "EDGECNN")) and name != "EDGECNN_STATE"]
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    command = [python.parent / "edgecnn", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=environment)


def assert_asks_for(ran: subprocess.CompletedProcess[str], extra: str) -> None:
    """One line on stderr that holds the pip command, and exit code 1."""
    assert (ran.returncode, ran.stdout) == (1, ""), ran.stderr
    assert re.fullmatch(rf"edgecnn: [^\n]*\bpip install 'edgecnn\[{extra}\]'[^\n]*\n", ran.stderr), ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy so that nothing is left in the tree."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "edgecnn", source / "edgecnn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--wheel-dir", out, source)
    return next(out.glob("edgecnn-*.whl"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interpreter of an environment with the base install."""
    python = fresh_environment(tmp_path_factory.mktemp("base"))
    pip("install", wheel, "-c", CONSTRAINTS, python=python)
    return python


@pytest.fixture(scope="module")
def board(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interpreter of an environment with `[pi]` alone, as on a board."""
    python = fresh_environment(tmp_path_factory.mktemp("pi"))
    pip("install", f"edgecnn[pi] @ {wheel.as_uri()}", "-c", CONSTRAINTS, python=python)
    return python


def test_the_wheel_holds_every_file_of_the_package(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("edgecnn/")}
    files = {path for path in (ROOT / "edgecnn").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert inside == {path.relative_to(ROOT).as_posix() for path in files}


def test_the_base_install_is_small(base):
    assert installed(base) <= BASE


def test_the_base_install_shows_its_help(base, tmp_path):
    ran = run(base, "--help", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "export" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["data", "optdigits"], "train"),
        (["train", "tiny", "--data", "optdigits"], "train"),
        (["export", BUNDLE, "--int8"], "train"),
        (["run", BUNDLE, PICTURE], "pi"),
        (["bench", BUNDLE], "pi"),
    ],
)
def test_without_an_extra_a_command_names_what_brings_it(base, tmp_path, arguments, extra):
    assert_asks_for(run(base, *arguments, cwd=tmp_path), extra)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["export", BUNDLE, "--int8"], "train"),
        (["run", BUNDLE, "http://127.0.0.1:1/", "--retries", "0", "--serve", "8080"], "serve"),
        (["run", BUNDLE, PICTURE, "--mqtt", "mqtt://localhost/digits"], "mqtt"),
        (["bench", BUNDLE, "--on", "pi@localhost"], "remote"),
        (["deploy", "pi@localhost", "--status"], "remote"),
    ],
)
def test_on_a_board_a_command_names_the_extra_that_it_needs(board, tmp_path, arguments, extra):
    assert_asks_for(run(board, *arguments, cwd=tmp_path), extra)
    assert list(tmp_path.iterdir()) == []


def test_a_board_has_nothing_of_the_workstation(board):
    workstation = {
        "tensorflow",
        "tf-keras",
        "keras",
        "tensorflow-model-optimization",
        "tf2onnx",
        "onnx",
        "scikit-learn",
    }
    assert installed(board) & workstation == set()
    assert {"opencv-python-headless"} == {name for name in installed(board) if name.startswith("opencv")}


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_a_board_reads_a_picture(board, tmp_path, runtime):
    ran = run(board, "run", BUNDLE, PICTURE, "--runtime", runtime, "--json", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    answer = json.loads(ran.stdout)
    assert answer["text"] == "31415|9265"
    assert len(answer["readings"]) == 9


def test_a_board_proves_a_bundle(board, tmp_path, data_dir):
    ran = run(board, "parity", BUNDLE, "--data-dir", data_dir, "--limit", "200", "--json", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert report["passed"]
    assert report["int8_equal"]["equal"] == report["int8_equal"]["total"] == 200


def test_opencv_and_its_headless_build_never_stay_together(tmp_path):
    """The swap of tools/setup.sh in a real environment, where importing cv2 is made to fail as without libGL."""
    python = fresh_environment(tmp_path / "venv")
    pip("install", "pip", "opencv-python", "-c", CONSTRAINTS, python=python)
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    block = packages / "block.pth"
    block.write_text("import sys; sys.modules['cv2'] = None\n")
    script = f"set -euo pipefail; VENV='{tmp_path}/venv'; source tools/setup.sh; VENV='{tmp_path}/venv'; settle_opencv"
    ran = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert ran.returncode == 0, ran.stderr
    assert "took its place" in ran.stderr
    assert {name for name in installed(python) if name.startswith("opencv")} == {"opencv-python-headless"}
    block.unlink()
    subprocess.run([python, "-c", "import cv2; cv2.getTickCount()"], check=True, timeout=120)
