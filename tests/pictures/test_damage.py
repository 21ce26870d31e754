"""Damaged files: the right picture or one line, never another error, never a hang, never half a picture."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.errors import DataError
from edgecnn.pictures import decode
from edgecnn.pictures.damage import PADDING, listened
from edgecnn.pictures.exif import orientation
from tests.pictures.conftest import encoded
from tests.sources.conftest import descriptors

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


LARGE = {name: encoded("JPEG", size=(480, 640), **options) for name, options in {
    "plain": {}, "fine": {"quality": 97}, "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 4}
}.items()}  # fmt: skip


def pixels_of(data: bytes) -> int:
    """Where the last scan of a JPEG begins."""
    start = data.rindex(b"\xff\xda")
    return start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")


@pytest.mark.parametrize("harm", ["lost", "zeroed"])
@pytest.mark.parametrize("name", LARGE)
def test_a_sector_of_a_jpeg_that_is_lost_or_zeroed_is_noticed_and_named(
    name: str, harm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """That is how a bad card or a broken copy looks. libjpeg's own line never reaches the terminal."""
    data, found = LARGE[name], 0
    places = range(pixels_of(data), len(data) - 600, max(1, (len(data) - 600 - pixels_of(data)) // 20))
    for at in places:
        rest = data[at + 512 :]
        said = outcome(data[:at] + (rest if harm == "lost" else bytes(512) + rest))
        assert isinstance(outcome(data), np.ndarray)
        found += isinstance(said, str) and "damaged" in said
    assert found >= 0.6 * len(places), f"{found} of {len(places)}"
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_that_is_filled_up_a_little_is_no_damage(capfd: pytest.CaptureFixture[str]) -> None:
    data = FILES["JPEG"]
    few, many = (data[:-2] + bytes(count) + data[-2:] for count in (PADDING, PADDING + 200))
    assert np.array_equal(outcome(few), outcome(data))
    assert "extraneous bytes before marker 0xd9)" in str(outcome(many))
    assert capfd.readouterr() == ("", "")


def test_what_others_write_to_stderr_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        os.write(2, b"Corrupt JPEG data: bad Huffman code\nfrom elsewhere\n")
        return 7

    assert listened(work) == (7, "bad Huffman code")
    assert listened(lambda: 8) == (8, None)
    assert capfd.readouterr().err == "from elsewhere\n"
    with pytest.raises(ZeroDivisionError):
        listened(lambda: 1 // 0)
    os.write(2, b"still there\n")
    assert capfd.readouterr().err == "still there\n"


def test_threads_are_told_their_own_damage_and_no_descriptor_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    data = LARGE["plain"]
    at = pixels_of(data) + 100
    spoiled = data[:at] + data[at + 512 :]
    before, wrong = descriptors(), []

    def work(number: int) -> None:
        for _ in range(20):
            damaged = isinstance(outcome(spoiled if number % 2 else data), str)
            if damaged != bool(number % 2):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert descriptors() == before
    assert capfd.readouterr() == ("", "")


def test_a_process_without_stderr_decodes_all_the_same() -> None:
    stderr = os.dup(2)
    os.close(2)
    try:
        decoded = decode(FILES["JPEG"])
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    assert decoded.shape == (40, 56, 3)


def test_without_listening_the_picture_comes_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    data = LARGE["plain"]
    at = pixels_of(data) + 100
    assert decode(data[:at] + data[at + 512 :], listen=False).shape == (480, 640, 3)
    assert "Corrupt JPEG data" in capfd.readouterr().err
