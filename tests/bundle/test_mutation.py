"""Whatever happens to bundle.json: it reads as a bundle that keeps its word, or it is a BundleError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.bundle import Bundle, schema
from edgecnn.bundle.types import JSON
from edgecnn.errors import BundleError

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def text(pristine: Bundle) -> bytes:
    return (pristine.path / JSON).read_bytes()


def reads_or_refuses(data: bytes) -> None:
    try:
        description = schema.load(data)
    except BundleError as error:
        assert str(error)
        return
    assert schema.load(schema.dump(description)) == description


@given(data=st.data())
@settings(max_examples=150)
def test_any_value_in_any_place(text: bytes, data: st.DataObject) -> None:
    content = json.loads(text)
    at: Any = content
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.integers(0, 3)) == 0:
            break
        at = at[key]
    what = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "remove":
        del at[key]
    elif what == "add" and isinstance(at, dict):
        at[data.draw(st.text(max_size=8))] = data.draw(ANY)
    else:
        at[key] = data.draw(ANY)
    reads_or_refuses(json.dumps(content).encode("utf-8", "surrogatepass"))


@given(data=st.data())
@settings(max_examples=150)
def test_any_bytes_in_any_place(text: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    reads_or_refuses(text[:start] + data.draw(st.binary(max_size=20)) + text[end:])


@given(st.binary(max_size=200))
def test_any_bytes_at_all(data: bytes) -> None:
    with pytest.raises(BundleError):
        schema.load(data)


def test_the_unchanged_text_reads(text: bytes) -> None:
    assert schema.dump(schema.load(text)) == text
