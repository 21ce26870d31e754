from __future__ import annotations

import ast
import dataclasses
import re
import typing
from pathlib import Path

from edgecnn.bench.result import BenchResult

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "edgecnn" / "bench" / "README.md").read_text(encoding="utf-8")


def fields(kind: object, found: set[str]) -> set[str]:
    """Names of all fields of a dataclass and of those within it."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        for name, hint in typing.get_type_hints(kind).items():
            found.add(name)
            fields(hint, found)
    for inner in typing.get_args(kind):
        fields(inner, found)
    return found


def test_every_field_of_the_json_is_documented() -> None:
    missing = {name for name in fields(BenchResult, set()) if f"`{name}`" not in TEXT}
    assert missing == set()


def test_every_doubt_is_documented() -> None:
    codes = set()
    for path in (ROOT / "edgecnn" / "bench" / "doubts.py", ROOT / "edgecnn" / "bench" / "measure.py",
                 ROOT / "edgecnn" / "cli" / "bench.py"):  # fmt: skip
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Doubt":
                codes.add(ast.literal_eval(node.args[0]))
    assert len(codes) > 8
    assert codes == set(re.findall(r"^\| ([a-z-]+) \| (?!holds|meaning)", TEXT, re.MULTILINE)) - {"code"}
