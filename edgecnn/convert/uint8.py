"""Activations from int8 to uint8: zero point + 128, same scale, and so the same real values."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.errors import ConversionError

_SHIFT = 128
MOVES = {
    "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat", "Slice", "Split", "Gather",
    "Expand", "Tile", "Max", "Min", "Pad", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
"""Operators that give back values which they got, so that adding 128 before or after them is the same."""


def use_uint8(model: Any) -> None:
    """Rewrite the int8 activations of a graph, its input and output included; weights and biases stay as they are.

    An activation is what a QuantizeLinear writes, what is read from the graph's input, and what operators that only
    move values make of these. A float graph stays untouched.

    Args:
        model: `onnx.ModelProto`, changed in place.

    Raises:
        ConversionError: An operator computes on int8 in a way that a shift by 128 would change.
    """
    from onnx import TensorProto

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    moved = {value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.INT8}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero_point = constants.get(node.input[2]) if len(node.input) > 2 else None
            if node.input[0] in constants or zero_point is None or zero_point.data_type != TensorProto.INT8:
                continue
            node.input[2] = _shifted(graph, constants, node.input[2])
            moved.update(node.output if node.op_type == "QuantizeLinear" else ())
        elif moved.intersection(node.input):
            _shift_operator(graph, constants, node)
            moved.update(node.output)
    for value in [*graph.input, *graph.output]:
        if value.name in moved:
            value.type.tensor_type.elem_type = TensorProto.UINT8
    graph.ClearField("value_info")  # the types written there were those of before


def _shift_operator(graph: Any, constants: dict[str, Any], node: Any) -> None:
    from onnx import TensorProto

    if node.op_type not in MOVES:
        raise ConversionError(
            f"ONNX: {node.op_type} computes on int8 itself; expected it between dequantize and quantize"
        )
    if node.op_type == "Pad" and (len(node.input) < 3 or not node.input[2]):
        raise ConversionError("ONNX: Pad of an int8 tensor: expected the value to pad with, got none")
    for place, name in enumerate(node.input):
        if name in constants and constants[name].data_type == TensorProto.INT8:
            node.input[place] = _shifted(graph, constants, name)


def _shifted(graph: Any, constants: dict[str, Any], name: str) -> str:
    """Name of a constant that is `name` + 128 as uint8; it is made when it is not there yet."""
    from onnx import numpy_helper

    shifted = f"{name}_uint8"
    if shifted not in constants:
        values = numpy_helper.to_array(constants[name]).astype(np.int16) + _SHIFT
        graph.initializer.append(numpy_helper.from_array(values.astype(np.uint8), shifted))
        constants[shifted] = graph.initializer[-1]
    return shifted
