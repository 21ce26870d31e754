"""Checks that both runtimes share: what an opened file must look like before anybody may run it."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import ArgumentError, SessionError
from edgecnn.spec import Precision, TensorSpec

MAX_BYTES = 512 * 2**20
"""Largest artefact that is opened: five times the 102 MB of AlexNet."""
MAX_THREADS = 256
MAX_CLASSES = 100_000


def read_artifact(path: Path) -> bytes:
    """Read a file that a runtime will open, once, so that what was checked is what runs.

    Raises:
        SessionError: It is absent, unreadable, empty or larger than `MAX_BYTES`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SessionError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise SessionError(f"{path}: the file is empty")
    if len(data) > MAX_BYTES:
        raise SessionError(f"{path}: larger than {MAX_BYTES:,} bytes, which is the most that is opened")
    return data


def check_threads(threads: int) -> None:
    """Check a number of threads.

    Raises:
        ArgumentError: It is not a whole number of 1..256.
    """
    if type(threads) is not int or not 1 <= threads <= MAX_THREADS:
        raise ArgumentError(f"threads: expected a whole number from 1 to {MAX_THREADS}, got {threads!r}")


def check_ends(name: str, source: TensorSpec, result: TensorSpec) -> None:
    """Check the input and the output of an opened artefact.

    Args:
        name: The file, for the message.
        source: Its input, which must be [batch, height, width, 1 or 3].
        result: Its output, which must be [batch, classes] with at least two classes.

    Raises:
        SessionError: They are something else.
    """
    if len(source.shape) != 4 or source.shape[3] not in (1, 3):
        raise SessionError(
            f"{name}: expected an input [batch, height, width, 1 or 3], got {list(source.shape)} ({source.name})"
        )
    if len(result.shape) != 2 or not 2 <= result.shape[1] <= MAX_CLASSES:
        raise SessionError(f"{name}: expected an output [batch, classes], got {list(result.shape)} ({result.name})")


def precision_of(source: TensorSpec, result: TensorSpec) -> Precision:
    """Number format at the ends of the artefact: int8 when the input or the output holds integers."""
    return Precision.FLOAT32 if source.dtype == result.dtype == "float32" else Precision.INT8


def spec_or_error(
    name: str,
    tensor: str,
    shape: tuple[int, ...],
    dtype: str,
    quantization: tuple[float, int] | None,
) -> TensorSpec:
    """Make a `TensorSpec` of what a runtime says about a tensor.

    Raises:
        SessionError: It is nothing that edgecnn can run.
    """
    scale, zero_point = quantization if quantization and dtype != "float32" else (None, None)
    try:
        return TensorSpec(tensor, shape, dtype, scale, zero_point)
    except ArgumentError as error:
        raise SessionError(f"{name}: {error}") from error


def one_line(error: BaseException) -> str:
    """The message of another library's error, on one line and of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
