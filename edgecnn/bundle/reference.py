"""reference.npz: the logits of the Keras model on a test set, so that parity can be proven where there is no Keras."""

from __future__ import annotations

import hashlib
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import ArgumentError, BundleError

if TYPE_CHECKING:
    import zipfile

    from numpy.typing import NDArray

MAX_BYTES = 256 * 2**20
"""Largest reference.npz, and most that it may unpack to."""
_TEXT = 500
_MEMBERS = {"logits": "f", "labels": "i", "dataset": "U", "split": "U", "sha256": "U"}
"""Array -> the kind of its dtype."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Logits of the float Keras model, and on which pictures.

    Attributes:
        logits: float32 [n, classes], finite.
        labels: int64 [n], 0..classes-1.
        dataset: Name of the data set.
        split: Which part of it.
        sha256: `pixels_sha256` of the pictures, in the same order.

    Raises:
        ArgumentError: Shapes, dtypes or values are none of these.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    dataset: str
    split: str
    sha256: str

    def __post_init__(self) -> None:
        logits, labels = self.logits, self.labels
        if logits.dtype != np.float32 or logits.ndim != 2 or 0 in logits.shape:
            raise ArgumentError(f"reference logits: expected float32 [n, classes], got {logits.dtype} {logits.shape}")
        if not np.isfinite(logits).all():
            raise ArgumentError("reference logits: expected finite numbers, got NaN or infinity; the model is broken")
        if labels.dtype != np.int64 or labels.shape != logits.shape[:1]:
            raise ArgumentError(f"reference labels: expected int64 [{len(logits)}], got {labels.dtype} {labels.shape}")
        if labels.min() < 0 or labels.max() >= logits.shape[1]:
            raise ArgumentError(
                f"reference labels: expected 0..{logits.shape[1] - 1}, got {labels.min()}..{labels.max()}"
            )
        for name in ("dataset", "split"):
            text = getattr(self, name)
            if not text.isprintable() or not 1 <= len(text) <= _TEXT:
                raise ArgumentError(f"reference {name}: expected a printable text, got {text[:60]!r}")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ArgumentError(f"reference sha256: expected 64 hex digits, got {self.sha256[:80]!r}")


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Hash of pictures: of their values in order, not of how many there are at once or how they lie in memory.

    Args:
        pixels: uint8, fitted to the network's size.

    Returns:
        64 hex digits.
    """
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def dump(reference: Reference) -> bytes:
    """The bytes of reference.npz; equal references give equal bytes."""
    import zipfile  # here, and not above: reading a picture needs no reference

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _MEMBERS:
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(getattr(reference, name)), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def load(data: bytes) -> Reference:
    """Read reference.npz. Nothing is unpickled, and no array is made before its size is known.

    Raises:
        BundleError: It is damaged, too large, or holds something else.
    """
    import zipfile
    import zlib

    if len(data) > MAX_BYTES:
        raise BundleError(f"reference.npz: larger than {MAX_BYTES:,} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = _arrays(archive)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"reference.npz: damaged ({' '.join(str(error).split())[:120]})") from error
    try:
        return Reference(
            logits=arrays["logits"],
            labels=arrays["labels"],
            dataset=str(arrays["dataset"]),
            split=str(arrays["split"]),
            sha256=str(arrays["sha256"]),
        )
    except ArgumentError as error:
        raise BundleError(f"reference.npz: {error}") from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    members = {info.filename: info for info in archive.infolist()}
    if set(members) != {f"{name}.npy" for name in _MEMBERS} or len(members) != len(archive.infolist()):
        raise BundleError(f"reference.npz: expected the arrays {', '.join(_MEMBERS)}, got {len(members)} others")
    if sum(info.file_size for info in members.values()) > MAX_BYTES:
        raise BundleError(f"reference.npz: unpacks to more than {MAX_BYTES:,} bytes")
    return {name: _array(archive.read(members[f"{name}.npy"]), name) for name in _MEMBERS}


def _array(data: bytes, name: str) -> NDArray[Any]:
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name}: npy version other than 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind != _MEMBERS[name] or fortran or size != len(data) - file.tell():
        raise ValueError(f"{name}: {dtype} {shape} does not match its {len(data)} bytes")
    # frombuffer views the bytes, which cannot be written to; that suits a frozen value.
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape)
