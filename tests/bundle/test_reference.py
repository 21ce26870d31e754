from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.bundle import reference
from edgecnn.bundle.reference import Reference, pixels_sha256
from edgecnn.errors import ArgumentError, BundleError

GOOD: dict[str, Any] = {
    "logits": np.arange(6, dtype=np.float32).reshape(2, 3),
    "labels": np.array([0, 2]),
    "dataset": "mnist",
    "split": "test",
    "sha256": "0" * 64,
}


def packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **{**GOOD, **arrays})
    return buffer.getvalue()


def test_it_comes_back_and_equal_ones_have_equal_bytes() -> None:
    data = reference.dump(Reference(**GOOD))
    assert data == reference.dump(Reference(**GOOD))
    back = reference.load(data)
    np.testing.assert_array_equal(back.logits, GOOD["logits"])
    np.testing.assert_array_equal(back.labels, GOOD["labels"])
    assert (back.dataset, back.split, back.sha256) == ("mnist", "test", "0" * 64)
    with np.load(io.BytesIO(data)) as plain:  # it is an ordinary .npz for everybody else
        np.testing.assert_array_equal(plain["logits"], GOOD["logits"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"logits": np.zeros((2, 3))}, "expected float32"),
        ({"logits": np.zeros(2, np.float32)}, "expected float32"),
        ({"logits": np.zeros((0, 3), np.float32), "labels": np.zeros(0, np.int64)}, "expected float32"),
        ({"logits": np.full((2, 3), np.nan, np.float32)}, "NaN or infinity"),
        ({"labels": np.array([0])}, r"expected int64 \[2\]"),
        ({"labels": np.array([0, 3])}, r"expected 0\.\.2, got 0\.\.3"),
        ({"labels": np.array([-1, 0])}, r"expected 0\.\.2"),
        ({"dataset": ""}, "dataset: expected a printable text"),
        ({"split": "a\nb"}, "split: expected a printable text"),
        ({"sha256": "x"}, "sha256: expected 64 hex digits"),
    ],
)
def test_values_are_checked_when_made_and_when_read(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        Reference(**{**GOOD, **change})
    with pytest.raises(BundleError, match=match):
        reference.load(packed(**change))


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in GOOD:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                for _ in range(60):
                    member.write(bytes(2**20))
    return buffer.getvalue()


def lying_header() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**3)})
    archive = io.BytesIO(packed())
    out = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for name in GOOD:
            content = buffer.getvalue() + bytes(8) if name == "logits" else old.read(f"{name}.npy")
            new.writestr(f"{name}.npy", content)
    return out.getvalue()


def with_member(name: str) -> bytes:
    out = io.BytesIO(packed())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(name, b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "damaged"),
        (b"garbage" * 100, "damaged"),
        (packed()[:-30], "damaged"),
        (bomb(), "unpacks to more than"),
        (lying_header(), "does not match its"),
        (with_member("../../evil"), "expected the arrays"),
        (packed(logits=np.array([object()])), "damaged"),
        (packed(labels=np.array(["0", "2"])), "damaged"),
    ],
    ids=["empty", "garbage", "cut", "bomb", "lying header", "one more", "pickle", "texts"],
)
def test_hostile_files_are_one_line(data: bytes, match: str) -> None:
    with pytest.raises(BundleError, match=match) as caught:
        reference.load(data)
    assert "\n" not in str(caught.value)


@given(st.data())
@settings(max_examples=200)
def test_any_damage_is_a_bundle_error_or_reads(data: st.DataObject) -> None:
    content = bytearray(reference.dump(Reference(**GOOD)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        reference.load(bytes(content))
    except BundleError as error:
        assert "\n" not in str(error)


def test_the_hash_is_that_of_the_values() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(2, 4, 6, 1)
    assert pixels_sha256(pixels) == pixels_sha256(np.asfortranarray(pixels))
    assert pixels_sha256(pixels) != pixels_sha256(pixels[::-1])
