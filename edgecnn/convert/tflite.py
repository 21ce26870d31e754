"""TensorFlow function -> float TFLite -> int8 TFLite. The one road that every model takes.

Post-training quantization works on the float flatbuffer with the two steps that TFLiteConverter itself takes, its
calibrator and its MLIR quantizer, and gives the converter's own integers: operators, weights, scales and zero points
are equal bit for bit on all nets here (tests/convert/test_tflite.py holds it). It is done on the flatbuffer because
  - a .tflite file that somebody else made is quantized by the same code as a Keras model;
  - the softmax is cut off before, so nothing of it is calibrated;
  - a Sequential inside of a Sequential, at which the converter's int8 mode fails, converts;
  - a model is traced and converted once for float32 and int8, which halves the time.
A model of TFMOT's quantization-aware training holds its ranges itself, as fake quantization; TFLiteConverter turns
these into int8 without calibration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn import _tf
from edgecnn.convert.flatbuffer import INPUT, LOGITS, PROBABILITIES, Graph
from edgecnn.errors import ArgumentError, ConversionError, SessionError
from edgecnn.spec import Precision, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[int, int], None]

_INTEGERS = {"INT8", "INT16", "INT32", "INT64", "BOOL"}
_PER_CHANNEL = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Operators whose weights must have a scale for each output channel, and the axis of it."""


def to_float(function: Any, *, softmax: bool = False) -> bytes:
    """Convert a function of TensorFlow to float32.

    Args:
        function: Frozen ConcreteFunction, float32 [n, height, width, channels] -> [n, classes].
        softmax: Keep a final softmax inside; else the file ends in logits.

    Returns:
        A TFLite file with the input `image` and the output `logits` (or `probabilities`).

    Raises:
        ConversionError: TensorFlow refuses the model, or it needs operators that TFLite does not have.
    """
    tf = _tf.tensorflow()
    with _tf.quiet():
        return adopt(_convert(tf.lite.TFLiteConverter.from_concrete_functions([function])), softmax=softmax)


def to_int8_from_ranges(function: Any, *, softmax: bool = False) -> bytes:
    """Convert a function with fake quantization (a model of TFMOT) to full int8, with the ranges that are in it.

    Args:
        function: Frozen ConcreteFunction of the model.
        softmax: Keep a final softmax inside; else the file ends in logits.

    Returns:
        A TFLite file with int8 input and output.

    Raises:
        ConversionError: TensorFlow refuses the model, or ranges are missing, so that something stays float.
    """
    tf = _tf.tensorflow()
    with _tf.quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return adopt(_convert(converter), softmax=softmax)


def _convert(converter: Any) -> bytes:
    # ConverterError and the errors of MLIR's Python binding are RuntimeErrors or bare Exceptions of TensorFlow's own.
    from tensorflow.lite.python.convert import ConverterError

    try:
        return bytes(converter.convert())
    except (ConverterError, ValueError, RuntimeError, TypeError) as error:
        raise ConversionError(f"TensorFlow cannot convert the model to TFLite: {one_line(error)}") from error


def adopt(content: bytes, *, softmax: bool = False) -> bytes:
    """Bring any TFLite file to the form of ours: its ends cut, its reshapes constant, its tensors named.

    Args:
        content: A TFLite classifier, float32 or int8.
        softmax: Keep a final softmax inside.

    Returns:
        The TFLite file; the same bytes for the same content.

    Raises:
        ConversionError: It is no TFLite file with one input and one output.
    """
    graph = Graph(content)
    graph.cut_quantized_ends()
    if not softmax:
        graph.cut_softmax()
    graph.settle_reshapes()
    graph.name_ends()
    return graph.pack()


def to_int8(float_tflite: bytes, calibration: NDArray[np.float32], progress: Progress | None = None) -> bytes:
    """Quantize a float32 file to full int8: int8 input and output, int8 weights with a scale per channel, int32 biases.

    Args:
        float_tflite: A file of `adopt`'s form.
        calibration: float32 [n, height, width, channels] as the network takes them; their ranges set the scales.
        progress: Called with what is calibrated and n.

    Returns:
        A TFLite file of the same form.

    Raises:
        ArgumentError: `calibration` is empty, has another shape or holds a NaN or an infinity.
        ConversionError: The calibrator or the quantizer refuses the file.
    """
    shape = tuple(int(n) for n in Graph(float_tflite).input.shape)[1:]
    if calibration.dtype != np.float32 or calibration.shape[1:] != shape or not len(calibration):
        raise ArgumentError(
            f"calibration: expected float32 (n, {', '.join(map(str, shape))}), got {calibration.dtype} "
            f"{calibration.shape}"
        )
    if not np.isfinite(calibration).all():
        raise ArgumentError("calibration: expected finite numbers, got a NaN or an infinity")
    tf = _tf.tensorflow()
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize import calibrator

    def samples() -> Any:
        for index, sample in enumerate(calibration):
            if progress is not None:
                progress(index, len(calibration))
            yield [sample[None]]

    try:
        with _tf.quiet():
            observed = calibrator.Calibrator(calibrator.add_intermediate_tensors(float_tflite)).calibrate(samples)
            quantized = mlir_quantize(observed, input_data_type=tf.int8, output_data_type=tf.int8)
    except (ValueError, RuntimeError) as error:
        raise ConversionError(f"TensorFlow cannot quantize the model: {one_line(error)}") from error
    return adopt(bytes(quantized), softmax=True)  # whether there is a softmax was decided in the float file


def describe(content: bytes, metadata: dict[str, Any]) -> bytes:
    """The file with metadata in it; see `Graph.describe`."""
    graph = Graph(content)
    graph.describe(metadata)
    return graph.pack()


def ends_in_softmax(content: bytes) -> bool:
    """Whether the last operator that computes is a softmax."""
    return Graph(content).ends_in_softmax


def precision_of(content: bytes) -> Precision:
    """Number format in which a file computes: INT8 when any operator reads or writes int8.

    Raises:
        ConversionError: It is no TFLite file of ours.
    """
    graph = Graph(content)
    types = {graph.dtype(i) for op in graph.sub.operators for i in _tensors(op)}
    return Precision.INT8 if types & {"INT8", "UINT8"} else Precision.FLOAT32


def check(content: bytes, precision: Precision) -> tuple[TensorSpec, TensorSpec]:
    """Reopen a converted file and check that it is what it shall be.

    Args:
        content: The file.
        precision: What it shall compute in.

    Returns:
        Its input and output.

    Raises:
        ConversionError: LiteRT does not open it; names, shapes or dtypes are others; a constant is NaN or infinite; an
            int8 file has an operator that reads or writes floats, or a convolution without a scale per channel.
    """
    from edgecnn.runtime.session import open_session

    try:
        with open_session(Path("converted.tflite"), content=content) as session:
            source, result = session.input, session.output
    except SessionError as error:
        raise ConversionError(f"the converted TFLite file does not open: {error}") from error
    check_ends("TFLite", source, result, precision)
    graph = Graph(content)
    if precision is Precision.INT8:
        _check_integers(graph)
    for op in graph.sub.operators:
        _check_operator(graph, op, precision)
    return source, result


def check_ends(what: str, source: TensorSpec, result: TensorSpec, precision: Precision) -> None:
    """Check the ends of a converted file.

    Raises:
        ConversionError: A name or a dtype is not what every artefact of ours has.
    """
    dtypes = ("float32",) if precision is Precision.FLOAT32 else ("int8", "uint8")
    for tensor, names in ((source, (INPUT,)), (result, (LOGITS, PROBABILITIES))):
        if tensor.name not in names or tensor.dtype not in dtypes:
            raise ConversionError(
                f"converted {what} file: expected {' or '.join(names)} of {' or '.join(dtypes)}, "
                f"got {tensor.name} of {tensor.dtype}"
            )


def _tensors(op: Any) -> list[int]:
    return [int(i) for i in [*op.inputs, *op.outputs] if i >= 0]


def _check_integers(graph: Graph) -> None:
    floats = {
        graph.kind(op) for op in graph.sub.operators if any(graph.dtype(i) not in _INTEGERS for i in _tensors(op))
    }
    computing = sorted(floats - {"QUANTIZE", "DEQUANTIZE"}) or sorted(floats)
    if computing:
        raise ConversionError(
            f"int8: TFLite computes {', '.join(computing)} of this model in floats; replace it by a layer that has an "
            "int8 form (ReLU, LeakyReLU, PReLU, sigmoid, tanh and swish have one)"
        )


def _check_operator(graph: Graph, op: Any, precision: Precision) -> None:
    kind = graph.kind(op)
    for index in _tensors(op):
        tensor, dtype = graph.sub.tensors[index], graph.dtype(index)
        where = f"converted TFLite file: {kind} {tensor.name.decode(errors='replace')}"
        if precision is Precision.FLOAT32 and dtype in ("INT8", "UINT8", "FLOAT16"):
            raise ConversionError(f"{where}: expected float32 only in a float network, got {dtype}")
        data = graph.model.buffers[tensor.buffer].data
        if dtype == "FLOAT32" and data is not None and not np.isfinite(np.asarray(data).view("<f4")).all():
            raise ConversionError(f"{where}: a weight is NaN or infinite; the model is broken")
        scale = None if tensor.quantization is None else tensor.quantization.scale
        if scale is not None and not (np.isfinite(scale).all() and (np.asarray(scale) > 0).all()):
            raise ConversionError(f"{where}: expected positive finite scales, got {np.asarray(scale).min()}")
    if precision is Precision.INT8 and kind in _PER_CHANNEL:
        weights = graph.sub.tensors[op.inputs[1]]
        channels, scales = weights.shape[_PER_CHANNEL[kind]], len(weights.quantization.scale)
        if scales != channels:
            raise ConversionError(f"converted TFLite file: {kind}: expected {channels} scales, got {scales}")


def one_line(error: BaseException) -> str:
    """The message of another library's error on one line, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
