"""Frozen dataclasses to JSON and back. What comes back is checked field by field: a file may come from anywhere."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from enum import Enum
from typing import Any, TypeVar

from edgecnn.bench.foreign import names
from edgecnn.errors import MeasurementError

T = TypeVar("T")
MAX_ITEMS = 100_000
"""Longest list that is read."""


def encode(value: object) -> Any:
    """Turn a dataclass into what `json` writes: dicts, lists, texts, finite numbers, None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def to_json(value: object, *, indent: int | None = 2) -> str:
    """JSON text of a dataclass; NaN and infinity, which JSON does not know, raise ValueError."""
    return json.dumps(encode(value), indent=indent, ensure_ascii=False, allow_nan=False)


def decode(kind: type[T], data: object, where: str = "result") -> T:
    """Build a dataclass from parsed JSON.

    Args:
        kind: The dataclass; its fields may be dataclasses, enums, tuples of one kind, dicts of text keys, numbers,
            texts, booleans, and any of these or None.
        data: What `json.loads` gave.
        where: Name of the value, for the message.

    Raises:
        MeasurementError: A field is missing, unknown or of another type.
    """
    return typing.cast("T", _decode(kind, data, where))


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (only,) = (argument for argument in arguments if argument is not type(None))
        return _decode(only, data, where)
    if origin is tuple:
        items = _expect(data, list, where)
        if len(items) > MAX_ITEMS:
            raise MeasurementError(f"{where}: expected at most {MAX_ITEMS} items, got {len(items)}")
        return tuple(_decode(arguments[0], item, f"{where}[{at}]") for at, item in enumerate(items))
    if origin is dict:
        pairs = _expect(data, dict, where).items()
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in pairs}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = {member.value: member for member in kind}
        if not isinstance(data, str) or data not in known:
            raise MeasurementError(f"{where}: expected one of {sorted(known)}, got {data!r}")
        return known[data]
    return _plain(kind, data, where)


def _dataclass(kind: Any, data: Any, where: str) -> Any:
    values = _expect(data, dict, where)
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    missing = [name for name in known if name not in values]
    unknown = [name for name in values if name not in known]
    if missing or unknown:
        wrong = ((missing, "missing"), (unknown, "unknown"))
        raise MeasurementError(f"{where}: {'; '.join(_fields(found, what) for found, what in wrong if found)}")
    return kind(**{name: _decode(hints[name], values[name], f"{where}.{name}") for name in known})


def _fields(found: list[str], what: str) -> str:
    return f"the field{'s' if len(found) > 1 else ''} {names(found)} {'are' if len(found) > 1 else 'is'} {what}"


def _plain(kind: Any, data: Any, where: str) -> Any:
    if kind is float and type(data) in (int, float) and math.isfinite(data):
        return float(data)
    if kind is not float and type(data) is kind:
        return data
    raise MeasurementError(f"{where}: expected {getattr(kind, '__name__', kind)}, got {data!r:.60}")


def _expect(data: Any, kind: type, where: str) -> Any:
    if not isinstance(data, kind):
        raise MeasurementError(f"{where}: expected {kind.__name__}, got {type(data).__name__}")
    return data
