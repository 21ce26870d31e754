"""Every operator between a DequantizeLinear and a QuantizeLinear: the form in which all runtimes know an int8 network.

tf2onnx lets operators that only move values (the Reshape of Flatten, the Transpose between NHWC and NCHW) work on the
integers themselves. ONNX Runtime does not mind. OpenVINO does: it takes a QuantizeLinear and the DequantizeLinear right
after it for one operation, and where something stands between the two it computes what follows in floats, two to three
times as slowly. A pair of one scale on either side of a move gives back each integer, and both runtimes drop it.
"""

from __future__ import annotations

from typing import Any

from edgecnn.convert.onnxgraph import OnnxGraph
from edgecnn.convert.uint8 import MOVES

_PAIRED = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze"}
"""Moves around which ONNX Runtime drops the pair again (`DropQDQNodesRules`): it runs the same operators as before."""
_KEEPS_SCALE = MOVES | {"Clip"}
"""Operators on integers whose results have the scale of what they read."""


def pair_moves(model: Any) -> None:
    """Put each operator that moves integers between a DequantizeLinear and a QuantizeLinear.

    Args:
        model: `onnx.ModelProto` with uint8 activations, changed in place; a float graph stays as it is.
    """
    from onnx import helper

    graph = OnnxGraph(model.graph)
    moves = [node for node in model.graph.node if node.op_type in _PAIRED]
    scales = [_scale(graph, node) for node in moves]
    for node, scale in zip(moves, scales, strict=True):
        if scale is None:
            continue
        source, result = node.input[0], node.output[0]
        node.input[0], node.output[0] = f"{node.name}_real", f"{node.name}_moved"
        model.graph.node.extend(
            [
                helper.make_node("DequantizeLinear", [source, *scale], [node.input[0]], f"{node.name}_dequantize"),
                helper.make_node("QuantizeLinear", [node.output[0], *scale], [result], f"{node.name}_quantize"),
            ]
        )


def _scale(graph: OnnxGraph, move: Any) -> tuple[str, str] | None:
    """Scale and zero point of the integers that an operator moves; None where it moves floats."""
    node = graph.writer(move.input[0])
    while node is not None and node.op_type in _KEEPS_SCALE:
        node = graph.writer(node.input[0])
    if node is not None:
        return (node.input[1], node.input[2]) if node.op_type == "QuantizeLinear" else None
    # What comes from the graph's input has its scale where it is read.
    readers = graph.readers(move.output[0])
    while readers and readers[0].op_type in _KEEPS_SCALE:
        readers = graph.readers(readers[0].output[0])
    if readers and readers[0].op_type == "DequantizeLinear":
        return readers[0].input[1], readers[0].input[2]
    return None
