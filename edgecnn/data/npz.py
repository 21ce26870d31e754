"""Arrays out of a .npz file, such as Keras' mnist.npz: sizes checked before anything is unpacked, no pickles."""

from __future__ import annotations

import math
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray


def read_npz(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read one array of unsigned bytes.

    Args:
        path: The .npz file.
        name: The array's name in it.
        shape: The sizes that it must have.

    Returns:
        uint8 array of that shape; read-only.

    Raises:
        DataError: The file cannot be read, is damaged, or the array is absent or has another type or shape.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            return _array(member, shape)
    except KeyError:
        raise DataError(f"{path}: expected an array {name!r} in it, found none") from None
    # ValueError: it is no array; RuntimeError: it is encrypted, or packed in a way that zipfile does not know.
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: array {name!r} cannot be read ({error}); delete the file to load it anew") from error


def _array(member: IO[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array format {version}")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    found, by_columns, dtype = read_header(member)
    if found != shape or dtype != np.uint8 or by_columns:
        raise ValueError(f"expected uint8 {shape}, got {dtype} {found}")
    size = math.prod(shape)
    data = member.read(size + 1)  # one more than expected: at the end of the member its check sum is verified
    if len(data) != size:
        raise ValueError(f"expected {size:,} bytes, got {'more' if len(data) > size else f'{len(data):,}'}")
    return np.frombuffer(data, np.uint8).reshape(shape)
