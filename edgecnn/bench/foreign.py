"""What came instead of a bench's result, in words: a user who named the wrong file wants to know which one it was."""

from __future__ import annotations

import json
from collections.abc import Iterable

NAMED = 5
"""Fields that are named."""
LONGEST = 32
"""Longest name of a field that is told whole."""


def unreadable(text: str, error: Exception) -> str:
    """Why a text is no JSON.

    Args:
        text: What should have been JSON.
        error: What `json.loads` raised for it.
    """
    if not text.strip():
        return "an empty file"
    if isinstance(error, RecursionError):
        return "JSON that is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return f"no JSON ({error})"
    if error.msg == "Extra data":
        return f"more than one JSON value (line {error.lineno})"
    if _breaks_off(text, error):
        return f"JSON that breaks off in line {text.rstrip().count(chr(10)) + 1}: the file is not whole"
    return f"no JSON (line {error.lineno}, column {error.colno})"


def _breaks_off(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the error is the end of the text: at most half a word such as `fals` or `-1.` comes after it."""
    rest = text[error.pos :].rstrip()
    ends = not rest or (len(rest) <= len("false") and rest[-1] not in "]}")
    return text.lstrip()[:1] in ("{", "[") and (ends or error.msg.startswith("Unterminated string"))


def something_else(data: object) -> str:
    """What parsed JSON is that is no result."""
    if isinstance(data, dict):
        return f"JSON of something else: an object {f'with {names(data)}' if data else 'without fields'}"
    kinds = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return f"JSON of something else: {kinds.get(type(data), 'null')}"


def names(found: Iterable[str]) -> str:
    """Names from a file that may hold anything, the first of them: "a, b, c, d, e and 7 more"."""
    every = [_shown(name) for name in found]
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def _shown(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."
