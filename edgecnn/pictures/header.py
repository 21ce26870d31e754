"""What the header of a picture file says, and whether the file is all there. Nothing is decoded."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from edgecnn.errors import DataError
from edgecnn.pictures.exif import orientation

MAX_CHUNKS = 100_000
"""Most chunks or segments that are walked through; a 64-megapixel PNG in pieces of 8 kB has 30,000."""
MAX_SCANS = 100
"""Most scans of a JPEG; each costs a pass over the whole picture, and encoders write about ten."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file promises.

    Attributes:
        kind: "JPEG", "PNG", "BMP" or "WebP".
        width: Columns in the file, at least 1.
        height: Rows in the file, at least 1.
        grey: The file holds one channel, alpha aside; None where that depends on a palette.
        alpha: It holds transparency that a decoder gives as a fourth channel.
        deep: It holds 16 bits a channel.
        transparent_grey: The grey, in the decoded picture's range, that stands for "transparent".
        orientation: EXIF orientation, 1..8.
    """

    kind: str
    width: int
    height: int
    grey: bool | None = False
    alpha: bool = False
    deep: bool = False
    transparent_grey: int | None = None
    orientation: int = 1


def read_header(data: bytes) -> Header:
    """Read the header of a picture and check that the file is complete.

    Raises:
        DataError: The format is another, the file ends too early, or what it says is impossible. The message does not
            name the file.
    """
    for kind, magic, parse in _PARSERS:
        if magic.match(data):
            try:
                header = parse(data)
            except struct.error:  # there are fewer bytes than a field has
                raise _truncated(kind) from None
            if header.width < 1 or header.height < 1:
                raise DataError(f"expected at least 1 x 1 pixels, got {header.width} x {header.height}")
            return header
    raise DataError(_unknown(data))


def _truncated(kind: str) -> DataError:
    return DataError(f"the {kind} file ends too early; copy or save it again")


def _damaged(kind: str, what: str) -> DataError:
    return DataError(f"the {kind} file is damaged ({what}); copy or save it again")


_FOREIGN = (
    (re.compile(rb"GIF8[79]a"), "a GIF"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), "a TIFF (or a camera's raw file)"),
    (re.compile(rb".{4}ftyp(?:avi[fs])", re.DOTALL), "an AVIF"),
    (re.compile(rb".{4}ftyp(?:hei|hev|mif1|msf1)", re.DOTALL), "a HEIC"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000"),
    (re.compile(rb"%PDF-"), "a PDF"),
    (re.compile(rb"\s*<(?:\?xml|svg|!doctype svg)", re.IGNORECASE), "an SVG"),
    (re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE), "a web page"),
)


def _unknown(data: bytes) -> str:
    if not data:
        return "the file is empty"
    found = next((name for magic, name in _FOREIGN if magic.match(data)), "something else")
    return f"expected a JPEG, PNG, BMP or WebP picture, got {found}; convert it, for instance to PNG"


# JPEG (ITU-T T.81): segments of a marker and a length, then scans, in which FF is followed by 00 or is a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7\x01])")
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BETWEEN_SCANS = frozenset((0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)))


def _jpeg(data: bytes) -> Header:
    frame: tuple[int, int, int] | None = None
    turn, scans, position = 1, 0, 2
    for _ in range(MAX_CHUNKS):
        match = _MARKER.search(data, position)
        if match is None:
            raise _truncated("JPEG")
        marker, position = match[1][0], match.end()
        if marker == _EOI:
            break
        if scans and marker not in _BETWEEN_SCANS:
            raise _damaged("JPEG", f"marker {marker:02X} among the pixels")
        (length,) = struct.unpack_from(">H", data, position)
        segment = data[position + 2 : position + length]
        if length < 2 or len(segment) != length - 2:
            raise _truncated("JPEG")
        if marker in _SOF and frame is None:
            _, *frame_sizes = struct.unpack_from(">BHHB", segment)
            frame = (frame_sizes[0], frame_sizes[1], frame_sizes[2])
        elif marker == _APP1 and segment.startswith(b"Exif\0\0") and turn == 1:
            turn = orientation(segment[6:])
        elif marker == _SOS:
            scans += 1
        if scans > MAX_SCANS:
            raise _damaged("JPEG", f"more than {MAX_SCANS} scans")
        position += length
    else:
        raise _damaged("JPEG", f"more than {MAX_CHUNKS} segments")
    if frame is None or not scans:
        raise _damaged("JPEG", "no picture in it")
    height, width, channels = frame
    return Header("JPEG", width, height, grey=channels == 1, orientation=turn)


# PNG (ISO/IEC 15948): chunks of a length, a type, the data and a CRC.
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def _png(data: bytes) -> Header:
    seen: dict[bytes, bytes] = {}
    position = 8
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (crc,) = struct.unpack_from(">I", data, end)
        # Only a critical chunk (capital first letter) that is damaged spoils the picture.
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[position + 4 : end]) != crc:
            raise _damaged("PNG", f"check sum of {kind.decode('ascii', 'replace')}")
        if not seen and (kind != b"IHDR" or length != 13):
            raise _damaged("PNG", "no header")
        if kind not in seen:
            seen[kind] = data[position + 8 : end] if kind in (b"IHDR", b"tRNS", b"eXIf") else b""
        if kind == b"IEND":
            break
        position = end + 4
    else:
        raise _damaged("PNG", f"more than {MAX_CHUNKS} chunks")
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", seen[b"IHDR"])
    if depth not in _DEPTHS.get(colour, ()) or methods[:2] != [0, 0] or methods[2] > 1:
        raise _damaged("PNG", f"colour type {colour} with {depth} bits")
    if b"IDAT" not in seen or (colour == 3 and b"PLTE" not in seen):
        raise _damaged("PNG", "no pixels in it")
    transparent = seen.get(b"tRNS", b"")
    return Header(
        "PNG",
        width,
        height,
        grey=colour in (0, 4),
        alpha=colour in (4, 6) or (bool(transparent) and colour in (2, 3)),
        deep=depth == 16,
        transparent_grey=_transparent_grey(transparent, depth) if colour == 0 else None,
        orientation=orientation(seen.get(b"eXIf", b"")),
    )


def _transparent_grey(chunk: bytes, depth: int) -> int | None:
    if len(chunk) != 2:
        return None
    value = int(struct.unpack(">H", chunk)[0])
    if value >= 1 << depth:
        return None
    return value * 255 // ((1 << depth) - 1) if depth < 8 else value  # a decoder spreads 1, 2 and 4 bits over 0..255


# BMP: a file header of 14 bytes, one of several image headers, a palette, rows from the bottom up.
_PACKINGS = {0: (1, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), 3: (16, 32)}
"""Bits a pixel for each packing that is decoded: none, two kinds of run lengths, bit fields."""


def _bmp(data: bytes) -> Header:
    start, size = struct.unpack_from("<II", data, 10)
    if size == 12:  # the OS/2 form
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    elif size >= 40:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise _damaged("BMP", f"a header of {size} bytes")
    height = abs(height)  # negative: the top row comes first
    if bits not in _PACKINGS.get(packing, ()):
        raise _damaged("BMP", f"{bits} bits a pixel in packing {packing}")
    if start < 14 + size:
        raise _damaged("BMP", "the pixels overlap the header")
    row = (width * bits + 31) // 32 * 4
    run_lengths = packing in (1, 2)  # compressed, so its length is not known before it is decoded
    if not run_lengths and start + row * height > len(data):
        raise _truncated("BMP")
    return Header("BMP", width, height, grey=None if bits <= 8 else False)


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise _truncated("WebP")
    kind = data[12:16]
    if kind == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise _damaged("WebP", "no key frame")
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        signature, bits = struct.unpack_from("<BI", data, 20)
        if signature != 0x2F:
            raise _damaged("WebP", "no signature")
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, alpha=bool(bits >> 28 & 1))
    if kind == b"VP8X":
        flags, low_width, high_width, low_height, high_height = struct.unpack_from("<B3xHBHB", data, 20)
        return Header(
            "WebP",
            (high_width << 16 | low_width) + 1,
            (high_height << 16 | low_height) + 1,
            alpha=bool(flags & 0x10),
            orientation=_webp_orientation(data) if flags & 0x08 else 1,
        )
    raise _damaged("WebP", f"chunk {kind!r}")


def _webp_orientation(data: bytes) -> int:
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            return 1
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            return orientation(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
    return 1


_PARSERS: tuple[tuple[str, re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    ("JPEG", re.compile(rb"\xff\xd8\xff"), _jpeg),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    ("WebP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
    ("BMP", re.compile(rb"BM"), _bmp),
)
