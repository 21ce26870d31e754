"""The IDX format of the MNIST family (http://yann.lecun.com/exdb/mnist): big-endian header, then the bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

_UINT8 = 8
"""IDX code of the element type "unsigned byte"."""


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not.

    No more is unpacked than the expected shape holds, so a file that promises or holds more cannot fill the memory.

    Args:
        path: The file.
        shape: The sizes that it must have.

    Returns:
        uint8 array of that shape.

    Raises:
        DataError: The file cannot be read, is damaged or has another type or shape.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _parse(file, shape, path)
            with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
                return _parse(unzipped, shape, path)
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise DataError(
            f"{path}: expected an IDX file, could not read it ({error}); delete it to load it anew"
        ) from error


def _parse(file: BinaryIO | gzip.GzipFile, shape: tuple[int, ...], path: Path) -> NDArray[np.uint8]:
    header = file.read(4 + 4 * len(shape))
    expected = struct.pack(f">BBBB{len(shape)}I", 0, 0, _UINT8, len(shape), *shape)
    if header[:4] != expected[:4]:
        raise DataError(
            f"{path}: expected an IDX file (magic {expected[:4].hex()}), got {header[:4].hex() or 'nothing'}"
        )
    if header != expected:
        found = struct.unpack(f">{len(shape)}I", header[4:]) if len(header) == len(expected) else "a cut header"
        raise DataError(f"{path}: expected shape {shape}, got {found}")
    size = math.prod(shape)
    data = file.read(size + 1)
    if len(data) != size:
        found = "more" if len(data) > size else f"{len(data):,}"
        raise DataError(f"{path}: expected {size:,} bytes after the header, got {found}; delete it to load it anew")
    return np.frombuffer(data, np.uint8).reshape(shape)
