"""Damaged files: the right picture or one line, never another error, never a hang, never half a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import DataError
from edgecnn.pictures import decode
from edgecnn.pictures.exif import orientation
from tests.pictures.conftest import encoded

FILES = {
    "JPEG": encoded("JPEG"),
    "grey JPEG": encoded("JPEG", "L"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "JPEG with restarts": encoded("JPEG", restart_marker_blocks=2),
    "PNG": encoded("PNG"),
    "palette PNG": encoded("PNG", "P", transparency=3),
    "RGBA PNG": encoded("PNG", "RGBA"),
    "BMP": encoded("BMP"),
    "palette BMP": encoded("BMP", "P"),
    "WebP": encoded("WEBP"),
    "WebP with alpha": encoded("WEBP", "RGBA", lossless=True),
}
SMALL = 1_000_000
"""Pixels: a byte changed in a header must not make the test machine fill its memory."""

names = st.sampled_from(sorted(FILES))


def outcome(data: bytes) -> np.ndarray | str:
    try:
        picture = decode(data, max_pixels=SMALL)
    except DataError as error:
        assert "\n" not in str(error)
        return str(error)
    assert picture.dtype == np.uint8
    assert picture.ndim == 2 or picture.shape[2] == 3
    assert picture.size
    return picture


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused_and_nothing_is_written_to_stderr(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = FILES[name]
    for length in {*range(0, len(data), max(1, len(data) // 150)), *range(len(data) - 12, len(data))}:
        assert isinstance(outcome(data[:length]), str), f"cut after {length} of {len(data)} bytes"
    assert capfd.readouterr() == ("", "")


@settings(max_examples=150, deadline=None)
@given(names, st.data())
def test_changed_bytes(name: str, data: st.DataObject) -> None:
    changed = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    outcome(bytes(changed))


@settings(max_examples=150, deadline=None)
@given(names, st.data())
def test_a_piece_taken_out_or_put_in(name: str, data: st.DataObject) -> None:
    whole = FILES[name]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    outcome(whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\x40\0\0\0WEBPVP8X", b""]),
    st.binary(max_size=300),
)
def test_any_bytes_behind_a_magic(magic: bytes, rest: bytes) -> None:
    outcome(magic + rest)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=120))
def test_any_exif_gives_an_orientation(magic: bytes, rest: bytes) -> None:
    assert 1 <= orientation(magic + rest) <= 8


def test_a_hole_in_the_pixels_of_a_png_is_found() -> None:
    data = bytearray(FILES["PNG"])
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(8)
    assert "check sum of IDAT" in str(outcome(bytes(data)))


def test_a_jpeg_filled_up_with_zeros_as_a_broken_copy_leaves_it_is_refused() -> None:
    data = FILES["JPEG"]
    assert "ends too early" in str(outcome(data[: len(data) // 2] + bytes(len(data) // 2)))


def test_a_jpeg_with_another_file_in_its_middle_is_refused() -> None:
    data = FILES["JPEG"]
    middle = len(data) - 60
    assert "among the pixels" in str(outcome(data[:middle] + FILES["grey JPEG"][:400] + data[middle:]))
