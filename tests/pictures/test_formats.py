"""Rarer forms of PNG and BMP, written here byte by byte with the pixels known."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn.errors import DataError
from edgecnn.pictures import decode
from tests.pictures.conftest import scene

RANDOM = np.random.RandomState(3)
PALETTE = RANDOM.randint(0, 256, (256, 3)).astype(np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *extra: bytes, interlaced: bool = False) -> bytes:
    header = struct.pack(">IIBBBBB", size[1], size[0], depth, colour, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + pixels + chunk(b"IEND", b"")


def packed(values: NDArray[np.integer], depth: int) -> bytes:
    """Rows of small values, several in a byte, each row after its filter byte."""
    bits = (values[..., None] >> np.arange(depth)[::-1]) & 1
    return b"".join(b"\0" + np.packbits(row.reshape(-1)).tobytes() for row in bits)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_png_of_few_bits(depth: int) -> None:
    values = RANDOM.randint(0, 2**depth, (5, 11))
    grey = values * 255 // (2**depth - 1)
    rows = packed(values, depth)
    assert np.array_equal(decode(png((5, 11), depth, 0, rows)), grey)
    transparent = chunk(b"tRNS", struct.pack(">H", 1))
    assert np.array_equal(decode(png((5, 11), depth, 0, rows, transparent)), np.where(values == 1, 255, grey))
    colours = chunk(b"PLTE", PALETTE[: 2**depth].tobytes())
    want = PALETTE[values][..., ::-1]
    assert np.array_equal(decode(png((5, 11), depth, 3, rows, colours)), want)
    clear = chunk(b"tRNS", b"\0")
    assert np.array_equal(
        decode(png((5, 11), depth, 3, rows, colours, clear)), np.where(values[..., None] == 0, 255, want)
    )


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits(colour: int, channels: int) -> None:
    values = RANDOM.randint(0, 65536, (5, 7, channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    parts = values[..., : 3 if channels > 2 else 1].astype(np.float64) / 257
    opaque = values[..., -1:] / 65535 if channels in (2, 4) else np.ones((5, 7, 1))
    want = (255 - (255 - parts) * opaque)[..., ::-1]
    got = decode(png((5, 7), 16, colour, rows))
    # Rounded, not cut off; with alpha, colour, alpha and their product are each rounded by up to half a level.
    assert np.abs(got.reshape(want.shape) - want).max() <= (1.51 if channels in (2, 4) else 0.51)
    if channels in (1, 3):
        clear = decode(png((5, 7), 16, colour, rows, chunk(b"tRNS", values[2, 2].tobytes()))).reshape(want.shape)
        want[2, 2] = 255
        assert np.abs(clear - want).max() <= 1.01


@pytest.mark.parametrize("channels", [1, 3])
def test_an_interlaced_png(channels: int) -> None:
    picture = scene(13, 11)[..., :channels]
    rows = b""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    for top, left, down, right in passes:  # Adam7
        rows += b"".join(b"\0" + row.tobytes() for row in picture[top::down, left::right])
    got = decode(png((13, 11), 8, 0 if channels == 1 else 2, rows, interlaced=True))
    assert np.array_equal(got.reshape(picture.shape), picture[..., ::-1])


def bmp(
    width: int, height: int, bits: int, packing: int, pixels: bytes, *, head: int = 40, between: bytes = b""
) -> bytes:
    start = 14 + head + len(between)
    fields = struct.pack("<IiiHHIIiiII", head, width, height, 1, bits, packing, len(pixels), 0, 0, len(between) // 4, 0)
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, start) + fields + bytes(head - 40) + between + pixels


BGR0 = np.concatenate([PALETTE[:, ::-1], np.zeros((256, 1), np.uint8)], axis=1).tobytes()
ROWS = RANDOM.randint(0, 256, (3, 4, 3)).astype(np.uint8)


def test_a_bmp_from_the_top_down_and_with_a_long_header() -> None:
    assert np.array_equal(decode(bmp(4, -3, 24, 0, ROWS.tobytes())), ROWS)
    assert np.array_equal(decode(bmp(4, 3, 24, 0, ROWS.tobytes(), head=124)), ROWS[::-1])


def test_a_bmp_of_os2_is_in_colour() -> None:
    data = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, 4, 3, 1, 24) + ROWS.tobytes()
    assert np.array_equal(decode(data), ROWS[::-1])


def test_a_bmp_of_16_bits() -> None:
    values = RANDOM.randint(0, 65536, (3, 4))
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    got = decode(bmp(4, -3, 16, 3, values.astype("<u2").tobytes(), between=masks))
    want = np.stack([(values & 31) * 255 / 31, (values >> 5 & 63) * 255 / 63, (values >> 11) * 255 / 31], axis=-1)
    assert np.abs(got - want).max() <= 8  # OpenCV shifts and does not spread


def test_a_bmp_of_run_lengths() -> None:
    runs = b"".join(bytes((4, i, 4, i + 9, 0, 0)) for i in range(6)) + b"\0\1"
    want = np.stack([PALETTE[[i] * 4 + [i + 9] * 4] for i in reversed(range(6))])[..., ::-1]
    assert np.array_equal(decode(bmp(8, 6, 8, 1, runs, between=BGR0)), want)
    for end in range(4, len(runs) - 6, 5):
        with pytest.raises(DataError, match="the BMP data is damaged"):
            decode(bmp(8, 6, 8, 1, runs[:end], between=BGR0))


@pytest.mark.parametrize(("bits", "packing"), [(24, 1), (8, 2), (24, 3), (24, 4), (24, 5), (8, 11)])
def test_a_bmp_in_a_packing_that_does_not_go_with_its_bits(
    bits: int, packing: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=f"{bits} bits a pixel in packing {packing}"):
        decode(bmp(4, 3, bits, packing, ROWS.tobytes()))
    assert capfd.readouterr().err == ""


def test_a_bmp_whose_pixels_begin_in_its_header() -> None:
    data = bytearray(bmp(4, 3, 24, 0, ROWS.tobytes()))
    data[10:14] = bytes(4)
    with pytest.raises(DataError, match="the pixels overlap the header"):
        decode(bytes(data))
