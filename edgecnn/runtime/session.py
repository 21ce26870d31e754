"""What an opened artefact can do, and the arithmetic at its two ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from edgecnn.errors import ArgumentError, SessionError
from edgecnn.preprocess import to_tensor
from edgecnn.spec import Format, ImageSpec, Precision, Runtime, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 128
"""Tensors that are quantized together in `raw_outputs`; bounds the memory, changes no value."""
_PIXELS = 256

Progress = Callable[[int, int], None]
"""Called with what is done and the total."""


class Session(Protocol):
    """An opened artefact. A session is used by one thread at a time; several sessions run at the same time.

    Attributes:
        path: The file that was opened.
        runtime: What runs it.
        threads: Threads of the kernels.
        precision: INT8 when the input or the output holds integers, else FLOAT32.
        input: [batch, height, width, channels]; a batch of -1 is free.
        output: [batch, classes].
    """

    path: Path
    runtime: Runtime
    threads: int
    precision: Precision
    input: TensorSpec
    output: TensorSpec

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the artefact.

        Args:
            tensor: [1, height, width, channels] in the dtype of `input`; [n, ...] with n >= 1 where the batch is free.
                LiteRT plans its memory anew whenever n changes, which costs about as much as opening the file.

        Returns:
            [n, classes] in the dtype of `output`: a new array that nobody else writes to.

        Raises:
            ArgumentError: Shape or dtype is not the input's.
            SessionError: The session is closed, or the runtime failed.
        """
        ...

    def query(self, tensor: NDArray[Any]) -> Callable[[], NDArray[Any]]:
        """The runtime's own calls for one inference of `tensor`, bound together without our checks: what a bench times.

        Args:
            tensor: As `run` takes it; it is run once, so that what cannot be run is found here. Not changed later.

        Returns:
            A function that hands the tensor over, runs, and gives the output that `run` would. Not for use after
            `close`, nor after a `run` with another batch.

        Raises:
            ArgumentError: Shape or dtype is not the input's.
            SessionError: The session is closed, or the runtime failed.
        """
        ...

    def close(self) -> None:
        """Free what the runtime holds; `run` raises SessionError from now on. Closing twice does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_session(path: Path, *, threads: int = 1, content: bytes | None = None) -> Session:
    """Open an artefact with the runtime for its suffix.

    Args:
        path: A .tflite or .onnx file.
        threads: Threads of the kernels, 1..256.
        content: The file's bytes when the caller has read and checked them; else they are read from `path`.

    Raises:
        ArgumentError: `threads` is out of range.
        MissingExtraError: The runtime is not installed.
        SessionError: The suffix is another one, or the file is broken or not a classifier of pictures.
    """
    path = Path(path)
    suffix = path.suffix.lower().removeprefix(".")
    if suffix == Format.TFLITE:
        from edgecnn.runtime.litert import LiteRtSession

        return LiteRtSession(path, threads=threads, content=content)
    if suffix == Format.ONNX:
        from edgecnn.runtime.ort import OrtSession

        return OrtSession(path, threads=threads, content=content)
    raise SessionError(f"{path}: expected a .tflite or .onnx file, got the suffix {path.suffix!r}")


def quantize(tensor: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Turn real values into the integers of a quantized tensor: round(value / scale) + zero_point, saturated.

    The arithmetic is ONNX's QuantizeLinear to the bit: a division in float32, ties to even. It is done here for both
    runtimes and on every machine, so that an artefact gets the same integers everywhere. (TFLite's own QUANTIZE
    multiplies by 1/scale in XNNPACK and rounds ties away from zero in its reference kernel; it is not used.)

    Args:
        tensor: float32, any shape.
        spec: The tensor's own scale and zero point. For a float32 spec the values come back as they are.

    Returns:
        New array of the spec's dtype and of the same shape; infinite values saturate.

    Raises:
        ArgumentError: `tensor` is not float32, or holds a NaN.
    """
    if tensor.dtype != np.float32:
        raise ArgumentError(f"tensor: expected float32, got {tensor.dtype}")
    if spec.scale is None or spec.zero_point is None:
        return tensor.copy()
    low, high = (-128, 127) if spec.dtype == "int8" else (0, 255)
    steps = tensor / np.float32(spec.scale)
    np.rint(steps, out=steps)
    # Saturating before the zero point is added keeps all sums exact in float32.
    np.clip(steps, low - spec.zero_point, high - spec.zero_point, out=steps)
    steps += np.float32(spec.zero_point)
    if np.isnan(steps).any():
        raise ArgumentError("tensor: holds a NaN, which no integer stands for")
    return steps.astype(spec.dtype)


def dequantize(q: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Turn what an artefact gives into real values: scale * (q - zero_point), in float32 as the kernels do it.

    Args:
        q: Array of the spec's dtype, any shape.
        spec: The tensor's own scale and zero point. For a float32 spec the values come back as they are.

    Returns:
        New float32 array of the same shape.

    Raises:
        ArgumentError: `q` has another dtype.
    """
    if q.dtype != spec.dtype:
        raise ArgumentError(f"{spec.name}: expected {spec.dtype}, got {q.dtype}")
    if spec.scale is None or spec.zero_point is None:
        return q.astype(np.float32)
    real: NDArray[np.float32] = q - np.float32(spec.zero_point)
    real *= np.float32(spec.scale)
    return real


def pixel_table(image: ImageSpec, spec: TensorSpec) -> NDArray[Any]:
    """The input value of each of the 256 pixel values: `table[pixels]` is `quantize(to_tensor(pixels))`, but faster.

    Args:
        image: How a pixel becomes a tensor.
        spec: The artefact's input.

    Returns:
        Array [256] of the spec's dtype.
    """
    every = np.arange(_PIXELS, dtype=np.uint8).reshape(_PIXELS, 1, 1, 1)
    one = ImageSpec(1, 1, 1, scale=image.scale, offset=image.offset)
    return quantize(to_tensor(every, one), spec).reshape(_PIXELS)


def raw_outputs(session: Session, tensors: NDArray[np.float32], progress: Progress | None = None) -> NDArray[Any]:
    """Run an artefact on tensors, one after the other as a device does.

    Args:
        session: The opened artefact.
        tensors: float32 [n, height, width, channels], real values; quantized here where the artefact needs it.
        progress: Called from time to time with what is done and n.

    Returns:
        [n, classes] in the dtype of the output.

    Raises:
        ArgumentError: Shape or dtype is wrong, or a value is NaN.
        SessionError: The runtime failed.
    """
    if tensors.ndim != 4 or tensors.shape[1:] != session.input.shape[1:]:
        raise ArgumentError(
            f"tensors: expected [n, {', '.join(map(str, session.input.shape[1:]))}], got {list(tensors.shape)}"
        )
    inputs = (quantize(tensors[at : at + _CHUNK], session.input) for at in range(0, len(tensors), _CHUNK))
    return _run_all(session, inputs, len(tensors), progress)


def raw_pixel_outputs(
    session: Session, pixels: NDArray[np.uint8], image: ImageSpec, progress: Progress | None = None
) -> NDArray[Any]:
    """`raw_outputs` for fitted pixels: the same values with a quarter of the memory.

    Args:
        session: The opened artefact.
        pixels: uint8 [n, height, width, channels] as `preprocess.fit` gives them.
        image: How a pixel becomes a tensor.
        progress: Called from time to time with what is done and n.

    Returns:
        [n, classes] in the dtype of the output.

    Raises:
        ArgumentError: Shape or dtype is wrong, or the artefact takes another size than `image` says.
        SessionError: The runtime failed.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or not pixels.shape[1:] == image.shape == session.input.shape[1:]:
        raise ArgumentError(
            f"pixels: expected uint8 [n, {', '.join(map(str, session.input.shape[1:]))}], "
            f"got {pixels.dtype} {list(pixels.shape)} for an image of {list(image.shape)}"
        )
    table = pixel_table(image, session.input)
    inputs = (table[pixels[at : at + _CHUNK]] for at in range(0, len(pixels), _CHUNK))
    return _run_all(session, inputs, len(pixels), progress)


def _run_all(session: Session, inputs: Iterator[NDArray[Any]], total: int, progress: Progress | None) -> NDArray[Any]:
    outputs = np.empty((total, session.output.shape[1]), session.output.dtype)
    done = 0
    for chunk in inputs:
        for at in range(len(chunk)):
            outputs[done] = session.run(chunk[at : at + 1])[0]
            done += 1
        if progress is not None:
            progress(done, total)
    return outputs


def logits(session: Session, tensors: NDArray[np.float32], progress: Progress | None = None) -> NDArray[np.float32]:
    """`raw_outputs` as real values.

    Returns:
        float32 [n, classes].

    Raises:
        ArgumentError: Shape or dtype is wrong, or a value is NaN.
        SessionError: The runtime failed.
    """
    return dequantize(raw_outputs(session, tensors, progress), session.output)


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Probabilities of the classes along the last axis, computed in float64.

    Args:
        logits: Floats [..., classes].

    Returns:
        float32 of the same shape; each row sums to 1 within float32.

    Raises:
        ArgumentError: A value is NaN or infinite: that is a broken model, not a probability.
    """
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise ArgumentError("logits: expected finite numbers, got NaN or infinity; the model is broken")
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities


def quantized_softmax(q: NDArray[Any], scale: float) -> NDArray[np.float32]:
    """The softmax of dequantized logits by a table: how much less than the best a class has is one of 256 numbers.

    Args:
        q: int8 or uint8 [n, classes].
        scale: Of the quantized output; its zero point changes nothing.

    Returns:
        float32 [n, classes]; each row sums to 1 within float32.
    """
    # After an inference, on cold caches, lists of a few digits' logits cost no more than arrays, one digit's less.
    table = _exponentials(scale)
    rows = []
    for logits in q.tolist():
        best = max(logits)
        exponentials = [table[best - one] for one in logits]
        whole = sum(exponentials)
        rows.append([one / whole for one in exponentials])
    return np.array(rows, np.float32).reshape(q.shape)


@lru_cache(maxsize=16)
def _exponentials(scale: float) -> list[float]:
    """The exponentials of 0, -scale, -2 scale, ... -255 scale."""
    return np.exp(np.arange(256) * -float(np.float32(scale))).tolist()  # type: ignore[no-any-return]
