"""JSON from outside, read strictly: bounded, no key twice, no NaN, every field taken once and with its type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from edgecnn.errors import BundleError

MAX_JSON_BYTES = 4 * 2**20
_MAX_DEPTH = 32
_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


def parse(data: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BundleError: It is none, is too large or too deep, names a key twice, or holds a value that is no JSON.
    """
    if len(data) > MAX_JSON_BYTES:
        raise BundleError(f"larger than {MAX_JSON_BYTES:,} bytes")
    try:
        content = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BundleError(f"not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise BundleError("nested too deeply") from error
    except ValueError as error:
        raise BundleError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleError(f"expected an object, got {type(content).__name__}")
    check_tree(content, "")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        raise BundleError(f"field {next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return content


def _no_constant(text: str) -> float:
    raise BundleError(f"holds {text}, which is no number")


def check_tree(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what JSON text could not bring back the same: NaN, infinity, half characters, other types, great depth.

    Raises:
        BundleError: One of these is in it.
    """
    if depth > _MAX_DEPTH:
        raise BundleError(f"{where[:80]}: nested deeper than {_MAX_DEPTH}")
    if isinstance(value, dict):
        for name, item in value.items():
            if type(name) is not str:
                raise BundleError(f"{where}: expected texts as names, got {name!r}")
            check_tree(name, where, depth + 1)
            check_tree(item, f"{where}.{name}" if where else name, depth + 1)
    elif isinstance(value, (list, tuple)):
        for at, item in enumerate(value):
            check_tree(item, f"{where}[{at}]", depth + 1)
    elif isinstance(value, str):
        if not _encodable(value):
            raise BundleError(f"{where}: {value[:40]!r} holds half of a character")
    elif type(value) is float:
        if not math.isfinite(value):
            raise BundleError(f"{where}: expected a finite number, got {value}")
    elif type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise BundleError(f"{where}: a whole number of more than 64 bits")
    elif value is not None and type(value) is not bool:
        raise BundleError(f"{where}: {type(value).__name__} is nothing that JSON knows")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


class Fields:
    """The fields of one JSON object, each taken once and with its type; the rest is an error."""

    def __init__(self, content: Any, where: str) -> None:
        self._where = where
        if not isinstance(content, dict):
            raise BundleError(f"{where}: expected an object, got {type(content).__name__}")
        self._rest = dict(content)

    def take(self, name: str, kind: type[_T]) -> _T:
        """The value, which must be of exactly this type."""
        value = self._get(name)
        if type(value) is not kind:
            raise BundleError(f"{self._path(name)}: expected {_KINDS[kind]}, got {short(value)}")
        return value

    def number(self, name: str) -> float:
        """A number as a float."""
        value = self._get(name)
        if type(value) not in (int, float):
            raise BundleError(f"{self._path(name)}: expected a number, got {short(value)}")
        return float(value)

    def optional(self, name: str, kind: type[_T]) -> _T | None:
        """The value, or None for null."""
        return self._rest.pop(name) if self._rest.get(name, 0) is None else self.take(name, kind)

    def optional_number(self, name: str) -> float | None:
        """A number as a float, or None for null."""
        return self._rest.pop(name) if self._rest.get(name, 0) is None else self.number(name)

    def choice(self, name: str, choices: type[_E]) -> _E:
        """A member of an enum."""
        value = self.take(name, str)
        if value not in [choice.value for choice in choices]:
            allowed = ", ".join(choices)
            raise BundleError(f"{self._path(name)}: expected one of {allowed}, got {short(value)}")
        return choices(value)

    def items(self, name: str) -> list[tuple[int, Any]]:
        """A list with its indices."""
        return list(enumerate(self.take(name, list)))

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        values = self.take(name, list)
        for at, value in enumerate(values):
            if type(value) is not str:
                raise BundleError(f"{self._path(name)}[{at}]: expected a text, got {short(value)}")
        return values

    def inner(self, name: str, read: Callable[[Fields], _T]) -> _T:
        """An object, read by a function that takes its fields."""
        return read(Fields(self._get(name), self._path(name)))

    def optional_inner(self, name: str, read: Callable[[Fields], _T]) -> _T | None:
        """An object, or None for null."""
        return self._rest.pop(name) if self._rest.get(name, 0) is None else self.inner(name, read)

    def finish(self) -> None:
        """Refuse the fields that nobody took."""
        if self._rest:
            raise BundleError(f"{self._path(min(self._rest))}: an unknown field")

    def _get(self, name: str) -> Any:
        if name not in self._rest:
            raise BundleError(f"{self._path(name)}: the field is missing")
        return self._rest.pop(name)

    def _path(self, name: str) -> str:
        return f"{self._where}.{short(name)[1:-1]}" if self._where else short(name)[1:-1]


_KINDS: dict[type, str] = {int: "a whole number", str: "a text", dict: "an object", list: "a list"}


def short(value: Any) -> str:
    """The value as a message shows it, of bounded length."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
