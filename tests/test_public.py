"""The public names: what is promised is there, is found by tools, and costs nothing before it is used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import edgecnn


@pytest.mark.parametrize("name", edgecnn.__all__)
def test_a_public_name_is_what_its_room_defines(name):
    (room,) = (room for room, names in edgecnn._HOMES.items() if name in names)
    value = getattr(edgecnn, name)
    assert value is getattr(importlib.import_module(f"edgecnn.{room}"), name)
    assert value.__doc__
    assert name in dir(edgecnn)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(edgecnn.__file__).read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert seen == {name: f"edgecnn.{room}" for room, names in edgecnn._HOMES.items() for name in names}
    assert sorted(seen) == edgecnn.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'edgecnn' has no attribute 'nothing'"):
        _ = edgecnn.nothing


def test_importing_edgecnn_imports_no_room():
    code = "import sys, edgecnn; print([m for m in sys.modules if m.startswith(('edgecnn.', 'numpy'))])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "[]\n"


def test_star_import_gives_all_public_names():
    namespace: dict[str, object] = {}
    exec("from edgecnn import *", namespace)
    assert set(edgecnn.__all__) <= set(namespace)
