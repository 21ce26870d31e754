"""What comes out of whole picture files, against Pillow."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import ArgumentError, DataError
from edgecnn.pictures import MAX_PIXELS, decode, is_picture, read, shown
from edgecnn.pictures.exif import orientation
from edgecnn.pictures.header import read_header
from tests.pictures.conftest import Image, encoded, expected, scene

WHOLE = {
    "grey JPEG": encoded("JPEG", "L"),
    "colour JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "JPEG with restarts": encoded("JPEG", restart_marker_blocks=2),
    "JPEG, 4:4:4": encoded("JPEG", subsampling=0),
    "CMYK JPEG": encoded("JPEG", "CMYK"),
    "JPEG with a comment": encoded("JPEG", comment=b"\xff\xd9 no end"),
    "grey PNG": encoded("PNG", "L"),
    "colour PNG": encoded("PNG"),
    "1-bit PNG": encoded("PNG", "1"),
    "16-bit PNG": encoded("PNG", "I;16"),
    "palette PNG": encoded("PNG", "P"),
    "palette PNG, 2 bits": encoded("PNG", "P", bits=2),
    "palette PNG, one colour transparent": encoded("PNG", "P", transparency=7),
    "grey PNG, one grey transparent": encoded(
        "PNG", "L", transparency=int(np.asarray(Image.fromarray(scene()).convert("L"))[20, 30])
    ),
    "colour PNG, one colour transparent": encoded("PNG", transparency=(250, 20, 30)),
    "RGBA PNG": encoded("PNG", "RGBA"),
    "grey PNG with alpha": encoded("PNG", "LA"),
    "grey BMP": encoded("BMP", "L"),
    "colour BMP": encoded("BMP"),
    "1-bit BMP": encoded("BMP", "1"),
    "palette BMP": encoded("BMP", "P"),
    "WebP": encoded("WEBP"),
    "lossless WebP": encoded("WEBP", lossless=True),
    "WebP with alpha": encoded("WEBP", "RGBA", lossless=True, exact=True),
    "lossy WebP with alpha": encoded("WEBP", "RGBA"),
    "1x1 PNG": encoded("PNG", size=(1, 1)),
    "1x1 JPEG": encoded("JPEG", size=(1, 1)),
    "1x1 BMP": encoded("BMP", size=(1, 1)),
    "1x1 WebP": encoded("WEBP", size=(1, 1)),
    "very wide PNG": encoded("PNG", size=(1, 5000)),
    "very tall JPEG": encoded("JPEG", size=(5000, 1)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_looks_as_pillow_shows_it(name: str) -> None:
    picture = decode(WHOLE[name])
    want = expected(WHOLE[name])
    assert picture.dtype == np.uint8
    assert picture.shape == want.shape
    assert np.abs(picture - want).max() <= (2 if "CMYK" in name or "JPEG" in name else 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_exif_orientation_is_undone(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(kind, exif=exif)
    picture = decode(data)
    assert picture.shape == ((40, 56, 3) if turn < 5 else (56, 40, 3))
    assert np.abs(picture - expected(data)).max() <= 2


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
    for kind in ("WEBP", "PNG"):
        data = encoded(kind, save_all=True, append_images=frames[1:], lossless=True)
        assert np.abs(decode(data) - scene()[..., ::-1].astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["colour JPEG", "colour PNG", "WebP"])
def test_what_follows_the_picture_is_ignored(name: str) -> None:
    # Phones append a video or a second picture.
    assert np.array_equal(decode(WHOLE[name] + b"\xff\xd8 more" * 100), decode(WHOLE[name]))


def test_a_32_bit_bmp_is_opaque_whatever_its_fourth_byte() -> None:
    rows = np.zeros((2, 3, 4), np.uint8)
    rows[..., :3] = (10, 20, 30)
    header = struct.pack("<2sIHHI", b"BM", 54 + rows.size, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, 3, -2, 1, 32, 0, 0, 0, 0, 0, 0
    )
    assert np.array_equal(decode(header + rows.tobytes()), rows[..., :3])


def test_deep_colour_with_alpha_is_mixed_with_white() -> None:
    pixels = np.array([[[0, 0, 0, 65535], [0, 0, 0, 0], [65535, 0, 0, 32768]]], ">u2")
    data = _png(3, 1, depth=16, colour=6, rows=[b"\0" + pixels.tobytes()])
    assert np.abs(decode(data)[0] - np.array([[0, 0, 0], [255, 255, 255], [127, 127, 255]])).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_a_picture_may_be_exactly_as_large_as_the_bound(kind: str) -> None:
    data = encoded(kind)
    assert decode(data, max_pixels=40 * 56).shape == (40, 56, 3)
    with pytest.raises(DataError, match="56 x 40; make the picture smaller"):
        decode(data, max_pixels=40 * 56 - 1)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, *, depth: int = 8, colour: int = 0, rows: list[bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + body + _chunk(b"IEND", b"")


def _webp(chunk: bytes, body: bytes) -> bytes:
    inner = b"WEBP" + chunk + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def _resized_jpeg(width: int, height: int) -> bytes:
    data = bytearray(encoded("JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def _bmp(width: int, height: int, bits: int = 24, packing: int = 0) -> bytes:
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, packing, 0, 0, 0, 0, 0
    )


BOMBS = {
    "PNG 30,000 x 30,000": _png(30_000, 30_000, rows=[b"\0"]),
    "PNG with the largest sides": _png(2**31 - 1, 2**31 - 1, rows=[b"\0"]),
    "JPEG 30,000 x 30,000": _resized_jpeg(30_000, 30_000),
    "BMP 30,000 x 30,000, run lengths": _bmp(30_000, 30_000, 8, 1),
    "WebP 16,384 x 16,384, lossless": _webp(b"VP8L", struct.pack("<BI", 0x2F, 0x0FFFFFFF) + bytes(10)),
    "WebP with a canvas of 2^24 x 2^24": _webp(b"VP8X", bytes(4) + b"\xff" * 6),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_that_promises_too_much_is_refused_before_decoding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match="expected at most 64 megapixels, got"):
        decode(BOMBS[name])


REFUSED = {
    "nothing": (b"", "the file is empty"),
    "text": (b"hello, I am no picture", "expected a JPEG, PNG, BMP or WebP picture, got something else"),
    "GIF": (encoded("GIF", "P"), "got a GIF"),
    "TIFF": (encoded("TIFF"), "got a TIFF"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(40), "got a HEIC"),
    "AVIF": (b"\0\0\0\x18ftypavif" + bytes(40), "got an AVIF"),
    "SVG": (b'<?xml version="1.0"?><svg/>', "got an SVG"),
    "web page": (b"<!DOCTYPE html><html>404</html>", "got a web page"),
    "PDF": (b"%PDF-1.7", "got a PDF"),
    "PNG of 0 x 0": (_png(0, 0, rows=[b""]), "expected at least 1 x 1 pixels"),
    "PNG of 5 x 0": (_png(5, 0, rows=[b""]), "expected at least 1 x 1 pixels, got 5 x 0"),
    "JPEG of 0 rows": (_resized_jpeg(5, 0), "expected at least 1 x 1 pixels"),
    "BMP of 0 columns": (_bmp(0, 5), "expected at least 1 x 1 pixels"),
    "BMP of -5 columns": (_bmp(-5, 5), "expected at least 1 x 1 pixels|too early"),
    "BMP of 3 bits": (_bmp(5, 5, 3), "3 bits a pixel in packing 0"),
    "BMP without its pixels": (_bmp(5, 5), "the BMP file ends too early"),
    "PNG magic alone": (b"\x89PNG\r\n\x1a\n", "the PNG file ends too early"),
    "JPEG magic alone": (b"\xff\xd8\xff", "the JPEG file ends too early"),
    "BMP magic alone": (b"BM", "the BMP file ends too early"),
    "WebP magic alone": (b"RIFF\4\0\0\0WEBP", "the WebP file"),
    "PNG of an impossible depth": (_png(1, 1, depth=3, rows=[b"\0\0"]), "colour type 0 with 3 bits"),
    "PNG with too few rows": (_png(5, 5, rows=[b"\0" + bytes(5)] * 2), "PNG data is damaged"),
    "JPEG of two ends": (b"\xff\xd8\xff\xd9", "no picture in it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_gets_one_line(name: str) -> None:
    data, text = REFUSED[name]
    with pytest.raises(DataError, match=text) as caught:
        decode(data, name="a.png")
    assert str(caught.value).startswith("a.png: ")
    assert "\n" not in str(caught.value)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = encoded("JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : data.rindex(b"\xff\xd9")]
    with pytest.raises(DataError, match="more than 100 scans"):
        decode(data[: data.rindex(b"\xff\xd9")] + scan * 200 + b"\xff\xd9")


def test_a_png_of_endless_chunks_is_refused() -> None:
    data = _png(1, 1, rows=[b"\0\0"])
    with pytest.raises(DataError, match="more than 100000 chunks"):
        decode(data[:-12] + _chunk(b"teXt", b"") * 100_001 + data[-12:])


def test_a_damaged_remark_in_a_png_does_not_spoil_it() -> None:
    data = _png(1, 1, rows=[b"\0\x07"])
    remark = bytearray(_chunk(b"tEXt", b"note\0hello"))
    remark[-1] ^= 1
    assert decode(data[:33] + bytes(remark) + data[33:]).tolist() == [[7]]


def _without(data: bytes, kind: bytes) -> bytes:
    """A PNG with its first chunk of a kind taken out."""
    start = data.index(kind) - 4
    (length,) = struct.unpack_from(">I", data, start)
    return data[:start] + data[start + 12 + length :]


@pytest.mark.parametrize(
    ("kind", "text"), [(b"IHDR", "no header"), (b"PLTE", "no pixels in it"), (b"IDAT", "no pixels in it")]
)
def test_a_png_that_lacks_a_part_is_refused_in_silence(
    kind: bytes, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=text):
        decode(_without(WHOLE["palette PNG"], kind))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [_webp(b"VP8 ", bytes(20)), _webp(b"VP8L", bytes(20)), _webp(b"VP8Z", bytes(20))])
def test_a_webp_without_a_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match=r"the WebP file is damaged \((no key frame|no signature|chunk b'VP8Z')\)"):
        decode(data)


def test_webp_finds_the_orientation_behind_a_chunk_of_odd_length() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded("WEBP", exif=exif)
    odd = b"ABCD\3\0\0\0xyz\0"
    grown = data[:4] + struct.pack("<I", len(data) - 8 + len(odd)) + data[8:30] + odd + data[30:]
    assert read_header(grown).orientation == 6


def test_what_opencv_cannot_do_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    def refuse(*_: object) -> None:
        raise cv2.error("no")

    for answer in (refuse, lambda *_: None, lambda *_: np.zeros((3, 3), np.uint8)):
        monkeypatch.setattr(cv2, "imdecode", answer)
        with pytest.raises(DataError, match="the JPEG data is damaged"):
            decode(WHOLE["colour JPEG"])


def test_bytes_beyond_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.pictures.MAX_BYTES", 100)
    with pytest.raises(DataError, match="expected at most 0 MiB, got 0 MiB"):
        decode(WHOLE["colour JPEG"])


def test_max_pixels_must_be_positive() -> None:
    with pytest.raises(ArgumentError, match="max_pixels: expected at least 1, got 0"):
        decode(WHOLE["grey PNG"], max_pixels=0)
    assert MAX_PIXELS == 64_000_000


@pytest.mark.parametrize(
    ("exif", "turn"),
    [
        (b"", 1),
        (b"II*\0\x08\0\0\0", 1),
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 6),
        (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 8),
        (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x05", 5),
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", 1),
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0", 1),
        (b"II*\0\xff\xff\xff\xff", 1),
        (b"II*\0\x08\0\0\0\xff\xff", 1),
    ],
)
def test_orientation_out_of_raw_exif(exif: bytes, turn: int) -> None:
    assert orientation(exif) == turn


def test_read_names_the_file_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("I am a text")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in {
        "text.png": "expected a JPEG, PNG, BMP or WebP picture",
        "folder.png": "expected a picture file, got a folder",
        "empty.png": "the file is empty",
        "absent.png": "cannot be read: no such file or directory",
        "pipe.png": "expected a picture file, got a special file",
    }.items():
        with pytest.raises(DataError, match=reason) as caught:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read(Path("zero\0byte.png"))
    with pytest.raises(DataError, match="got a special file"):
        read(Path("/dev/zero"))


def test_a_file_beyond_the_bound_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.bmp"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no room
    with pytest.raises(DataError, match="expected at most 256 MiB, got more"):
        read(path)


def test_read_gives_what_decode_gives(tmp_path: Path) -> None:
    path = tmp_path / "ä 1.jpeg"
    path.write_bytes(WHOLE["colour JPEG"])
    assert np.array_equal(read(path), decode(WHOLE["colour JPEG"]))


def test_a_name_cannot_break_the_line_or_command_the_terminal() -> None:
    assert shown("a\nb\x1b[2J\udcff ü.png") == "a\\nb\\x1b[2J\\udcff ü.png"
    with pytest.raises(DataError) as caught:
        decode(b"", name="a\nb")
    assert str(caught.value) == "a\\nb: the file is empty"


@pytest.mark.parametrize(
    ("name", "answer"),
    [("a.JPG", True), ("a.jpeg", True), ("a.png", True), ("a.webp", True), ("a.bmp", True), ("a.gif", False),
     ("a", False), ("png", False), (".png", False), ("._a.png", False), ("a.png.txt", False)],
)  # fmt: skip
def test_is_picture_goes_by_the_name(name: str, answer: bool) -> None:
    assert is_picture(Path("x") / name) is answer


def test_threads_may_decode_at_once() -> None:
    want = decode(WHOLE["colour JPEG"])
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(30):
            if not np.array_equal(decode(WHOLE["colour JPEG"]), want):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_header_is_read_without_decoding() -> None:
    header = read_header(WHOLE["progressive JPEG"])
    assert (header.kind, header.width, header.height, header.grey) == ("JPEG", 56, 40, False)
