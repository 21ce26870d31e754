"""What the repository holds and what it never holds."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import edgecnn

ROOT = Path(edgecnn.__file__).parent.parent
ALLOWED = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "edgecnn",
    "tools",
    "models",
    "tests",
    "benchmarks",
}
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file of the checkout that git knows."""
    ran = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if ran.returncode != 0:
        pytest.skip("needs a git checkout: this is a copy without its history")
    return [path for name in ran.stdout.split("\0") if name and (path := ROOT / name).exists()]


def test_the_top_level_holds_only_what_is_agreed(tracked):
    top = {path.relative_to(ROOT).parts[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} == ALLOWED


def test_no_file_is_over_12_megabytes(tracked):
    assert [path for path in tracked if path.stat().st_size > 12 * MEGABYTE] == []


def test_models_stay_within_40_megabytes(tracked):
    total = sum(path.stat().st_size for path in tracked if path.is_relative_to(ROOT / "models"))
    assert total <= 40 * MEGABYTE


def test_no_lock_file_and_no_address_of_a_package_index(tracked):
    locks = re.compile(r"(.*\.lock|.*-lock\.(json|yaml)|Pipfile.*|pip\.conf)", re.IGNORECASE)
    assert [path for path in tracked if locks.fullmatch(path.name)] == []
    address = re.compile(rb"py[p]i\.org|python[h]osted|index[-_]u[r]l|find[-]links|deb\.debi[a]n\.org")
    assert [path for path in tracked if path.suffix not in {".jpg", ".png"} and address.search(path.read_bytes())] == []


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "tools" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    names = [line.split("==")[0].lower().replace("_", "-") for line in pins]
    assert len(set(names)) == len(names)


def test_every_dependency_is_pinned_within_the_range_that_the_package_declares():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "tools" / "constraints.txt").read_text().splitlines()
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines if not line.startswith("#"))
    wanted = [
        *project["dependencies"],
        *(need for extra in project["optional-dependencies"].values() for need in extra),
    ]
    for need in map(Requirement, wanted):
        assert pins.get(need.name.lower().replace("_", "-")) in need.specifier, (
            f"{need} is not what constraints.txt pins"
        )


def test_version_is_the_same_in_package_project_and_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert project["version"] == edgecnn.__version__ == newest[1]


def test_nothing_but_the_command_line_prints_or_exits():
    said = re.compile(r"^\s*(print\(|sys\.exit|raise SystemExit)", re.MULTILINE)
    texts = {path: path.read_text() for path in (ROOT / "edgecnn").rglob("*.py") if path.parent.name != "cli"}
    # A file that is run as a process of its own speaks to the process that started it.
    rooms = {path: text for path, text in texts.items() if 'if __name__ == "__main__":' not in text}
    assert [path for path, text in rooms.items() if said.search(text)] == []
