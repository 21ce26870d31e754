"""What importing edgecnn brings in: the device half knows no TensorFlow, no room pays for a package before its use."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import edgecnn

ROOT = Path(edgecnn.__file__).parent.parent

WORKSTATION = {
    "tensorflow",
    "tf_keras",
    "keras",
    "tensorflow_model_optimization",
    "tf2onnx",
    "onnx",
    "sklearn",
    "matplotlib",
}
"""What the extra `train` brings and a board does not have."""
HEAVY = WORKSTATION | {"cv2", "onnxruntime", "ai_edge_litert", "starlette", "uvicorn", "paho", "asyncssh", "scipy"}
"""Imported where they are used, never when a room is imported."""

IMPORT_ALL = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused}:
            raise ImportError(f"{{name}} is refused in this test")

sys.meta_path.insert(0, Refuse())
import edgecnn
for room in {rooms}:
    module = importlib.import_module(room)
    for inner in pkgutil.walk_packages(getattr(module, "__path__", []), room + "."):
        importlib.import_module(inner.name)
print(len([name for name in sys.modules if name.startswith("edgecnn.")]))
"""


def device_rooms() -> list[str]:
    """The rooms that pyproject.toml's contract declares to be of the device half."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(contract["source_modules"] for contract in contracts if contract["type"] == "forbidden")


def all_rooms() -> list[str]:
    folder = ROOT / "edgecnn"
    return sorted(
        f"edgecnn.{path.stem}" for path in folder.iterdir() if path.stem[:2] != "__" and path.suffix != ".typed"
    )


def import_all(rooms: list[str], refused: set[str]) -> int:
    """Import rooms with all that is in them, in a fresh interpreter in which some packages cannot be imported."""
    code = IMPORT_ALL.format(rooms=rooms, refused=refused)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


def test_the_device_half_imports_nothing_of_the_workstation():
    assert import_all(device_rooms(), WORKSTATION) > len(device_rooms())


def test_no_room_imports_a_heavy_package_before_it_is_used():
    assert import_all(all_rooms(), HEAVY) > len(all_rooms())


def test_every_room_is_of_one_half():
    workstation = {"_tf", "augment", "compress", "convert", "data", "models", "nets", "pipeline", "train"}
    undecided = set(all_rooms()) - set(device_rooms()) - {f"edgecnn.{room}" for room in (*workstation, "cli")}
    assert undecided == set(), "add the room to the contract in pyproject.toml, or to this list"


def test_what_a_refused_package_does():
    with pytest.raises(AssertionError, match="numpy is refused"):
        import_all(["edgecnn.preprocess"], {"numpy"})
