"""TFLite -> ONNX, with the TFLite file's own integers.

tf2onnx translates; three things are then put right. ONNX Runtime fuses int8 networks to integer kernels on x86 only
when the activations are uint8, so every activation becomes uint8 (zero point + 128, same scale: the same real values).
Operators that move integers get the pair of dequantize and quantize around them by which OpenVINO knows an int8
network. And tf2onnx keeps either of two equal nodes, from run to run, so the graph is written anew in an order and with
names that follow from the graph alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from edgecnn import _tf
from edgecnn.convert.canonical import canonical
from edgecnn.convert.grey_conv import widen_grey_conv
from edgecnn.convert.pairs import pair_moves
from edgecnn.convert.rounding import clamp_integers, match_average_pool, match_global_average, match_leaky_relu
from edgecnn.convert.tflite import check_ends, one_line
from edgecnn.convert.uint8 import use_uint8
from edgecnn.errors import ConversionError, MissingExtraError, SessionError
from edgecnn.spec import Precision, TensorSpec

OPSET = 15
"""Version of the ONNX operators; 13 is the first with a scale per channel, newer ones bring nothing for a CNN."""


def to_onnx(tflite: bytes, metadata: dict[str, str] | None = None) -> bytes:
    """Translate a TFLite file.

    Args:
        tflite: A file of `edgecnn.convert.tflite.adopt`'s form, float32 or int8.
        metadata: Texts for `metadata_props`.

    Returns:
        An ONNX file with the same input and output names, NHWC, and a free batch where the TFLite file has one. An int8
        file takes and gives uint8. The same bytes for the same TFLite file, in every process.

    Raises:
        ConversionError: tf2onnx does not know an operator, or an integer operator cannot be brought to uint8.
        MissingExtraError: tf2onnx is not installed.
    """
    model = _translate(tflite)
    match_leaky_relu(model)
    use_uint8(model)
    match_average_pool(model)
    match_global_average(model)
    clamp_integers(model)
    widen_grey_conv(model)
    pair_moves(model)
    canonical(model)
    for key, value in sorted((metadata or {}).items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString(deterministic=True))


def _translate(tflite: bytes) -> Any:
    _tf.tensorflow()
    try:
        with _tf.quiet():
            import tf2onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("tf2onnx", "train") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite)
        try:
            with _tf.quiet():
                model, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
        # tf2onnx has no error type of its own: an operator that it cannot translate surfaces as any of these.
        except (ValueError, RuntimeError, KeyError, IndexError, TypeError, AttributeError, AssertionError) as error:
            raise ConversionError(f"tf2onnx cannot translate the TFLite file: {one_line(error)}") from error
    return model


def check(content: bytes, precision: Precision) -> tuple[TensorSpec, TensorSpec]:
    """Reopen a translated file and check that it is what it shall be.

    Args:
        content: The file.
        precision: What it shall compute in.

    Returns:
        Its input and output.

    Raises:
        ConversionError: onnx's full check or ONNX Runtime refuses it; names, shapes or dtypes are others; an operator
            of an int8 file reads floats that are not those of integers.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from edgecnn.runtime.session import open_session

    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, DecodeError) as error:
        raise ConversionError(f"onnx.checker refuses the converted ONNX file: {one_line(error)}") from error
    try:
        with open_session(Path("converted.onnx"), content=content) as session:
            source, result = session.input, session.output
    except SessionError as error:
        raise ConversionError(f"the converted ONNX file does not open: {error}") from error
    check_ends("ONNX", source, result, precision)
    if precision is Precision.INT8:
        _check_integers(model.graph)
    return source, result


def _check_integers(graph: Any) -> None:
    """Check that floats come from a DequantizeLinear alone, so that a runtime can fuse them away, and none goes out."""
    from onnx import TensorProto

    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    fused: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            fused.update(node.output)
        elif node.op_type != "QuantizeLinear":
            if floats.intersection(node.input) and not fused.intersection(node.input):
                raise ConversionError(f"converted ONNX file: {node.op_type} {node.name} computes on floats of its own")
            fused.update(node.output if fused.intersection(node.input) else ())
    if graph.output[0].name in fused:
        raise ConversionError("converted ONNX file: expected integers at the output, got floats")
