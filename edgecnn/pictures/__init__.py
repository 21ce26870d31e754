"""Picture files become arrays here and nowhere else: JPEG, PNG, BMP and WebP, from anywhere, trusted by nobody.

The header is read before anything is decoded, so a file that promises a picture too large costs nothing. A file that
ends too early, or whose pixels are damaged as far as the decoder notices, is refused; OpenCV alone would give it as a
picture that is grey or shifted from there on.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError, DataError, MissingExtraError
from edgecnn.pictures.damage import listened
from edgecnn.pictures.header import Header, read_header

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MAX_BYTES", "MAX_PIXELS", "SUFFIXES", "decode", "is_picture", "read", "read_bytes", "shown"]

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded by default: width times height."""
MAX_BYTES = 256 * 1024 * 1024
"""Largest file that is read."""
SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp"))
"""Endings, in lower case, of the files that are taken for pictures."""


def is_picture(path: Path) -> bool:
    """Whether the name of a file says that it is a picture of a kind that can be read; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def shown(name: Path | str) -> str:
    """A name as it may be printed: a line break, a terminal's command or a broken byte in it is spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


def read(path: Path, *, max_pixels: int = MAX_PIXELS, listen: bool = True) -> NDArray[np.uint8]:
    """Read a picture file, see `decode`.

    Args:
        path: A regular file.
        max_pixels: Largest width times height that is accepted.
        listen: As in `decode`.

    Raises:
        DataError: It is no regular file, cannot be read, is larger than `MAX_BYTES` or is refused by `decode`.
    """
    return decode(read_bytes(path), name=str(path), max_pixels=max_pixels, listen=listen)


def read_bytes(path: Path) -> bytes:
    """The bytes of a picture file, at most `MAX_BYTES` of them.

    Raises:
        DataError: It is no regular file, cannot be read or is larger.
    """
    name = shown(path)
    try:
        # The kind comes first: opening a pipe would wait for a writer for ever.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{name}: expected a picture file, got {'a folder' if path.is_dir() else 'a special file'}")
        if found.st_size > MAX_BYTES:
            raise DataError(f"{name}: expected at most {MAX_BYTES // 2**20} MiB, got more; make the picture smaller")
        with path.open("rb") as file:
            # No more than there was, for a file may grow; and `read` sets aside as much memory as it is asked for.
            return file.read(found.st_size)
    except ValueError as error:  # a name with a zero byte in it
        raise DataError(f"{name}: no such file") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {(error.strerror or str(error)).lower()}") from error


def decode(
    data: bytes, *, name: str = "picture", max_pixels: int = MAX_PIXELS, listen: bool = True
) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, BMP or WebP picture.

    Args:
        data: The whole file.
        name: What errors call it.
        max_pixels: Largest width times height that is accepted.
        listen: Refuse a JPEG whose pixels are damaged, see `damage.py`. JPEGs are then decoded one at a time; many
            threads that decode files which were looked at before leave it out.

    Returns:
        uint8 [h, w] where the file is grey, else [h, w, 3] BGR, as OpenCV has it; upright (its EXIF orientation is
        applied), transparent parts over white, 16 bits brought to 8, of an animation the first frame.

    Raises:
        ArgumentError: `max_pixels` is not positive.
        DataError: It is not one of these formats, ends too early, is damaged or too large.
        MissingExtraError: OpenCV is not installed.
    """
    name = shown(name)
    if max_pixels < 1:
        raise ArgumentError(f"max_pixels: expected at least 1, got {max_pixels}")
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: expected at most {MAX_BYTES // 2**20} MiB, got {len(data) / 2**20:.0f} MiB")
    try:
        header = read_header(data)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if header.width * header.height > max_pixels:
        raise DataError(
            f"{name}: expected at most {max_pixels / 1e6:g} megapixels, got {header.width} x {header.height}; "
            "make the picture smaller"
        )
    damage = None
    if listen and header.kind == "JPEG":
        picture, damage = listened(lambda: _pixels(data, header))
    else:
        picture = _pixels(data, header)
    if picture is None or picture.shape[:2] != (header.height, header.width):
        raise DataError(f"{name}: the {header.kind} data is damaged; save the picture again")
    if damage is not None:
        raise DataError(f"{name}: the JPEG data is damaged ({damage}); copy or save the picture again")
    return _upright(picture, header.orientation)


def _cv2() -> ModuleType:
    try:
        import cv2
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise MissingExtraError("cv2", "pi") from error
    module: ModuleType = cv2
    return module


def _pixels(data: bytes, header: Header) -> NDArray[np.uint8] | None:
    """Decoded pixels over white and in 8 bits, not yet turned upright; None where OpenCV gives up."""
    import numpy as np

    cv2 = _cv2()
    whole = header.alpha or header.deep or header.transparent_grey is not None
    colour = cv2.IMREAD_COLOR if header.grey is False else cv2.IMREAD_ANYCOLOR
    flags = cv2.IMREAD_UNCHANGED if whole else colour | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if picture is None:
        return None
    if header.transparent_grey is not None and picture.ndim == 2:
        picture[picture == header.transparent_grey] = np.iinfo(picture.dtype).max
    if picture.dtype == np.uint16:
        picture = cv2.convertScaleAbs(picture, alpha=1 / 257)
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = _over_white(picture, grey=header.grey is True)
    return np.asarray(picture, np.uint8)


def _over_white(picture: NDArray[np.uint8], *, grey: bool) -> NDArray[np.uint8]:
    cv2 = _cv2()
    alpha = cv2.extractChannel(picture, 3)
    colour = cv2.extractChannel(picture, 0) if grey else cv2.cvtColor(picture, cv2.COLOR_BGRA2BGR)
    darkness = cv2.bitwise_not(colour)
    share = alpha if grey else cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    mixed: NDArray[np.uint8] = cv2.bitwise_not(cv2.multiply(darkness, share, scale=1 / 255))
    return mixed


def _upright(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation of 1..8 (Exif 2.32, tag 0x0112)."""
    if orientation == 1:
        return picture
    cv2 = _cv2()
    if orientation in (5, 6, 7, 8):  # rows and columns are exchanged
        picture = cv2.transpose(picture)
    # After the exchange 6 lacks a mirror left to right, 8 one top to bottom and 7 both.
    mirror = {2: 1, 6: 1, 4: 0, 8: 0, 3: -1, 7: -1}.get(orientation)
    return picture if mirror is None else cv2.flip(picture, mirror)
