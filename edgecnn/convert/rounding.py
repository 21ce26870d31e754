"""Operators of int8 networks, written so that ONNX Runtime gives LiteRT's integers, and by its integer kernels.

LeakyReLU. XNNPACK multiplies int8 by factors of 1/256 (`positive_scale`, `negative_scale` in its qs8-vlrelu kernels),
and rounds ties up: y = zero + floor(x * round(256 * factor) / 256 + 1/2). A slope of 0.1 becomes 26/256, which moves
a good part of the outputs by one step. DequantizeLinear, LeakyRelu and QuantizeLinear with the exact factors would be
closer to the float network, but no longer the same network. So the ONNX file has the factors that XNNPACK uses.

Average pooling. TFLite averages the int8 integers and rounds ties away from 0 (reference_integer_ops::AveragePool);
ONNX averages real values and rounds ties to even. An average does not depend on where zero lies, so the ONNX file puts
it at int8's 0, and has a scale that lifts ties off the middle.

Global average. Both libraries multiply the sum of the n integers by one float32, XNNPACK by (input / output) / n, ONNX
Runtime by input / (output * n) (MlasQLinearGlobalAveragePoolNchw). The two products may lie on either side of a tie.
The ONNX file has the scale next to the true one with which ONNX Runtime comes to XNNPACK's factor.

ReLU. ONNX Runtime takes it into the convolution before it only where the quantized range begins at 0. Ranges that
were learnt by quantization-aware training seldom do: the convolution would then be computed in floats. TFLite clamps
integers, so the ONNX file does the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgecnn.convert.onnxgraph import OnnxGraph
from edgecnn.errors import ConversionError

_STEPS = 256
_INT8_ZERO = 128
"""What int8's 0 is in uint8."""
_LEAKY_TIE = 1e-6
"""Relative nudge that makes ONNX's ties-to-even fall up as XNNPACK's do; far below the 1/256 between two products."""
_NEIGHBOURS = 8
"""How many float32 numbers on either side of the true scale are tried."""
_AVERAGE_TIE = 6e-5
"""Likewise away from 0. It must show on 0.5 after ONNX Runtime has added 128 to it in float32, where a step is 1.5e-5,
and must not carry 127.49 (the nearest that an average of 64 pixels comes to a tie) over the middle."""


def match_leaky_relu(model: Any) -> None:
    """Give each quantized LeakyRelu the factors that XNNPACK uses.

    The QuantizeLinear after it gets the scale whose quotient with the input's scale is XNNPACK's rounded factor; the
    DequantizeLinear of the next operator keeps the true scale, so the integers mean what they meant.

    Args:
        model: `onnx.ModelProto`, changed in place.

    Raises:
        ConversionError: A LeakyRelu whose input is quantized has an output that is not.
    """
    from onnx import helper

    graph = OnnxGraph(model.graph)
    for node in [node for node in model.graph.node if node.op_type == "LeakyRelu"]:
        before, after = graph.writer(node.input[0]), graph.only_reader(node.output[0], "QuantizeLinear")
        if before is None or before.op_type != "DequantizeLinear":
            continue
        if after is None:
            raise ConversionError(f"ONNX: expected a QuantizeLinear after LeakyRelu {node.name}")
        if after.output[0] == model.graph.output[0].name:
            continue  # the scale of the output is read by others and must be the true one
        source, result = float(graph.value(before.input[1])), float(graph.value(after.input[1]))
        slope = next((attribute.f for attribute in node.attribute if attribute.name == "alpha"), 0.01)
        positive = np.rint(_STEPS * source / result) / _STEPS * (1 + _LEAKY_TIE)
        negative = np.rint(_STEPS * source * slope / result) / _STEPS * (1 - _LEAKY_TIE)
        after.input[1] = graph.add(f"{node.name}_scale", np.asarray(source / positive, np.float32))
        node.ClearField("attribute")
        node.attribute.append(helper.make_attribute("alpha", float(negative / positive)))


def match_average_pool(model: Any) -> None:
    """Give each quantized AveragePool the rounding of TFLite.

    Args:
        model: `onnx.ModelProto` with uint8 activations, changed in place.
    """
    graph = OnnxGraph(model.graph)
    for node, before, after in _quantized(model, graph, "AveragePool"):
        centre = graph.add(f"{node.name}_zero_point", np.asarray(_INT8_ZERO, np.uint8))
        scale = np.asarray(graph.value(before.input[1]) * (1 - _AVERAGE_TIE), np.float32)
        before.input[2] = after.input[2] = centre
        after.input[1] = graph.add(f"{node.name}_scale", scale)


def match_global_average(model: Any) -> None:
    """Give each quantized GlobalAveragePool the factor of XNNPACK.

    The operators beside it keep the true scales; a pool whose input or output is also the graph's, or has other
    readers, is left as it is.

    Args:
        model: `onnx.ModelProto`, changed in place.
    """
    from onnx import shape_inference

    graph = OnnxGraph(model.graph)
    known = shape_inference.infer_shapes(model).graph.value_info
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in known}
    for node, before, after in _quantized(model, graph, "GlobalAveragePool"):
        count = np.float32(np.prod(shapes.get(node.input[0], [0])[2:]))
        true = np.float32(graph.value(before.input[1])), np.float32(graph.value(after.input[1]))
        source, result = _scales_with_factor(*true, count) if count else true
        before.input[1] = graph.add(f"{node.name}_source_scale", np.asarray(source, np.float32))
        after.input[1] = graph.add(f"{node.name}_scale", np.asarray(result, np.float32))


def _scales_with_factor(source: np.float32, result: np.float32, count: np.float32) -> tuple[np.float32, np.float32]:
    """Two scales next to the true ones with which ONNX Runtime's factor is XNNPACK's.

    One of them alone does not always reach it, for the quotient of float32 numbers skips some. Where both together do
    not either (one pair in some hundred), the true ones come back, and parity tells whether a tie is parted.
    """
    wanted = source / result / count
    for near in _neighbours(source):
        for other in _neighbours(result):
            if near / (other * count) == wanted:
                return near, other
    return source, result


def _neighbours(value: np.float32) -> list[np.float32]:
    """A float32 and those beside it, the nearest first."""
    found = [value]
    up = down = value
    for _ in range(_NEIGHBOURS):
        up, down = np.nextafter(up, np.float32(np.inf)), np.nextafter(down, np.float32(0))
        found += [up, down]
    return found


def clamp_integers(model: Any) -> None:
    """Where a quantized range does not begin at 0, put the ReLU behind the quantization, as a Clip of uint8.

    Args:
        model: `onnx.ModelProto` with uint8 activations, changed in place.
    """
    from onnx import helper

    graph = OnnxGraph(model.graph)
    for node in [node for node in model.graph.node if node.op_type == "Relu"]:
        after = graph.only_reader(node.output[0], "QuantizeLinear")
        if after is None or graph.value(after.input[2]) == 0:
            continue
        result, unclamped = after.output[0], f"{after.output[0]}_unclamped"
        after.input[0], after.output[0] = node.input[0], unclamped
        model.graph.node.append(
            helper.make_node("Clip", [unclamped, after.input[2]], [result], f"{node.name}_integers")
        )
        model.graph.node.remove(node)


def _quantized(model: Any, graph: OnnxGraph, operator: str) -> Iterator[tuple[Any, Any, Any]]:
    """Each such node with the DequantizeLinear before and the QuantizeLinear after it, where both are its alone.

    A node whose input or output is also the graph's, or has other readers, is left out.
    """
    for node in [node for node in model.graph.node if node.op_type == operator]:
        before, after = graph.writer(node.input[0]), graph.only_reader(node.output[0], "QuantizeLinear")
        if before is None or before.op_type != "DequantizeLinear" or after is None:
            continue
        if after.output[0] != model.graph.output[0].name and len(graph.readers(before.output[0])) == 1:
            yield node, before, after
