"""The scripts of tools/: what CI checks, and the set-up on machines that lack one thing or another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.metadata import distributions
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"


def bash(script: str, *, cwd: Path = ROOT, timeout: int = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script that has sourced tools/setup.sh."""
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; source '{TOOLS}/setup.sh'; {script}"],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
    return path


READY = {"EDGECNN_READY": "1", "EDGECNN_VENV": sys.prefix}


@pytest.mark.timeout(600)
def test_check_is_clean():
    ran = subprocess.run(
        [TOOLS / "check"], env=os.environ | READY, capture_output=True, text=True, timeout=590, cwd=ROOT.parent
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("tools/check: all clean\n")


def test_check_names_what_failed(tmp_path):
    """On a copy with a file that is neither formatted nor typed, whose import points up."""
    shutil.copytree(ROOT / "edgecnn", tmp_path / "edgecnn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "edgecnn" / "errors.py").open("a") as file:
        file.write("import edgecnn.cli.show\ndef wrong(a) :\n    return a\n")
    ran = subprocess.run(
        [tmp_path / "tools" / "check"], env=os.environ | READY, capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == "tools/check: FAILED: ruff ruff mypy lint-imports"


def test_test_passes_arguments_on_and_ends_with_the_closing_line():
    command = [TOOLS / "test", "tests/test_repository.py", "-k", "constraints", "-p", "no:randomly"]
    ran = subprocess.run(command, env=os.environ | READY, capture_output=True, text=True, timeout=280, cwd="/")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout.splitlines()[-1]


def test_test_fails_when_a_test_fails():
    command = [TOOLS / "test", "--no-such-option-of-pytest"]
    ran = subprocess.run(command, env=os.environ | READY, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 4


def test_missing_system_packages_are_named(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "packages.txt").write_text(
        "# a remark\n\nbash bash-package\nno-such-program some-package\nlibc.so.6 libc-package\nlibno.so.9 libno\n"
    )
    ran = bash("missing_packages", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "some-package\nlibno\n")


def test_system_packages_need_root(tmp_path):
    executable(tmp_path / "bin" / "sudo", "exit 1")
    executable(tmp_path / "bin" / "id", "echo 1000")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "packages.txt").write_text("no-such-program some-package\n")
    ran = bash("install_packages; echo went on", cwd=tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert ran.returncode == 1
    assert (ran.stdout, ran.stderr) == ("", "edgecnn: this needs root; run: sudo apt-get install some-package\n")


def test_system_packages_are_installed_once_after_one_update(tmp_path):
    executable(tmp_path / "bin" / "sudo", f'echo "sudo $*" >>{tmp_path}/log; [ "$2" = true ] || shift; "$@"')
    executable(tmp_path / "bin" / "apt-get", f'echo "apt-get $1 ${{*: -2}}" >>{tmp_path}/log')
    executable(tmp_path / "bin" / "id", "echo 0")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "packages.txt").write_text("no-such-program one\nneither two\nbash three\n")
    stamp = tmp_path / "venv" / ".edgecnn-stamp"
    stamp.parent.mkdir()
    stamp.touch()
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    ran = bash("install_packages", cwd=tmp_path, PATH=path, EDGECNN_VENV=str(stamp.parent))
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "log").read_text() == "apt-get update update -qq\napt-get install one two\n"
    assert not stamp.exists(), "the set-up must look at OpenCV again: its libraries may be there now"


def test_a_failing_package_manager_stops_everything(tmp_path):
    executable(tmp_path / "bin" / "apt-get", "exit 100")
    executable(tmp_path / "bin" / "id", "echo 0")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "packages.txt").write_text("no-such-program one\n")
    ran = bash("install_packages; echo went on", cwd=tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert (ran.returncode, ran.stdout) == (100, "")


def test_no_python_that_is_new_enough(tmp_path):
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        executable(tmp_path / name, "exit 1")
    ran = bash("find_python", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "edgecnn: Python 3.11 or newer was not found; on Debian 12: apt-get install python3 python3-pip\n"
    )


FAKE_PYTHON = """
echo "$*" >>{log}
case "$*" in
  *"import cv2"*) {cv2} ;;
  "-c from importlib"*) echo 5.0.1 ;;
esac
"""


def test_setup_runs_once_and_again_only_when_something_changed(tmp_path):
    log = tmp_path / "log"
    executable(tmp_path / "venv" / "bin" / "python", FAKE_PYTHON.format(log=log, cv2=":"))
    (tmp_path / "tools").mkdir()
    for name in ("setup.sh", "constraints.txt"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]\n")

    def installs() -> int:
        log.unlink(missing_ok=True)
        ran = bash("prepare", cwd=tmp_path, EDGECNN_VENV=str(tmp_path / "venv"), EDGECNN_READY="")
        assert ran.returncode == 0, ran.stderr
        return log.read_text().count("install -e")

    assert [installs(), installs()] == [1, 0]
    project.write_text("[project]\nname = 'x'\n")
    assert [installs(), installs()] == [1, 0]
    with (tmp_path / "tools" / "constraints.txt").open("a") as file:
        file.write("one==1\n")
    assert [installs(), installs()] == [1, 0]


def test_a_setup_that_failed_is_not_taken_for_done(tmp_path):
    fails = "case \"$*\" in *'install -e'*) exit 1 ;; esac"
    python = executable(tmp_path / "venv" / "bin" / "python", fails)
    (tmp_path / "tools").mkdir()
    for name in ("setup.sh", "constraints.txt"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    (tmp_path / "pyproject.toml").touch()
    environment = {"EDGECNN_VENV": str(tmp_path / "venv"), "EDGECNN_READY": ""}
    assert bash("prepare; echo went on", cwd=tmp_path, **environment).stdout == ""
    executable(python, f'echo "$*" >>{tmp_path}/log')
    assert bash("prepare; echo went on", cwd=tmp_path, **environment).stdout == "went on\n"
    assert "install -e" in (tmp_path / "log").read_text()


def test_opencv_gives_way_to_its_headless_build_where_it_does_not_import(tmp_path):
    cv2 = "echo 'ImportError: libGL.so.1: cannot open shared object file' >&2; exit 1"
    log = tmp_path / "log"
    executable(tmp_path / "venv" / "bin" / "python", FAKE_PYTHON.format(log=log, cv2=cv2))
    ran = bash("settle_opencv", EDGECNN_VENV=str(tmp_path / "venv"))
    assert ran.returncode == 0, ran.stderr
    steps = [line for line in log.read_text().splitlines() if line.startswith("-m pip")]
    assert [step.split("--quiet")[0] for step in steps] == [
        "-m pip uninstall --yes opencv-python ",
        "-m pip install opencv-python-headless==5.0.1 ",
    ]
    assert ran.stderr == (
        "edgecnn: opencv-python 5.0.1 does not import here (ImportError: libGL.so.1: cannot open shared object file); "
        "opencv-python-headless 5.0.1 took its place\n"
    )


def test_only_one_opencv_is_installed():
    names = {(found.metadata["Name"] or "").lower() for found in distributions()}
    assert len(names & {"opencv-python", "opencv-python-headless", "opencv-contrib-python"}) == 1


def test_a_training_that_is_no_longer_here_stays_on_record(tmp_path):
    loader = SourceFileLoader("train_models", str(TOOLS / "train-models"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    old = [{"net": "tiny", "recipe": "ours", "seed": 0, "epochs": 1}, {"net": "digits", "recipe": "ours", "seed": 0}]
    new = [{"net": "tiny", "recipe": "ours", "seed": 0, "epochs": 2}]
    results = tmp_path / "training.json"
    assert module.recorded(results, new) == new
    results.write_text(json.dumps({"schema": 1, "trainings": old}))
    assert module.recorded(results, new) == [old[1], *new]
