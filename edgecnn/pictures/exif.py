"""The one thing that is read from EXIF data: which way up the picture is (Exif 2.32, tag 0x0112)."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_FORMATS = {3: "H", 4: "I"}
"""TIFF types in which the value is met: SHORT, as the standard says, and LONG, as some software writes it."""


def orientation(exif: bytes) -> int:
    """The orientation that EXIF data gives.

    Args:
        exif: The TIFF structure, without "Exif" in front; any bytes.

    Returns:
        1..8; 1 (upright) where it gives none or is damaged: that makes no picture unreadable.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
            if tag == _ORIENTATION and kind in _FORMATS:
                (value,) = struct.unpack_from(f"{order}{_FORMATS[kind]}", exif, entry + 8)
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
