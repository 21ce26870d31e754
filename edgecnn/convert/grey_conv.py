"""The first convolution of a grey picture, for ONNX Runtime's integer kernels.

These gather the pixels under the filter with one copy for each filter row and output pixel. With one channel a copy
is of a few bytes, and the first convolution, a thirtieth of the work, takes a third of the time. So `b` neighbouring
columns become `b` channels: a filter then sees whole blocks of columns, and gives `b` output pixels at once as `b`
times as many channels, which is the same memory under another shape. The weights that a pixel does not have are
zeros; every sum keeps its value, and so the network its integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.convert.onnxgraph import OnnxGraph

_BLOCKS = (4, 2)
"""Columns in a block, the better first: it must divide the picture's width and the result's."""


def widen_grey_conv(model: Any) -> None:
    """Rewrite the first convolution where it is one of a single channel with stride 1; else leave the graph as it is.

    Args:
        model: `onnx.ModelProto` with uint8 activations, changed in place.
    """
    from onnx import TensorProto, helper

    if model.graph.input[0].type.tensor_type.elem_type != TensorProto.UINT8:
        return
    graph = OnnxGraph(model.graph)
    found = _first_conv(graph)
    if found is None:
        return
    reshape, conv, quantizer = found
    height, width = (size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:3])
    weights, *biases = [graph.writer(name) for name in conv.input[1:]]
    kernel = graph.value(weights.input[0])
    top, left, bottom, right = next((list(a.ints) for a in conv.attribute if a.name == "pads"), [0, 0, 0, 0])
    rows = height + top + bottom - kernel.shape[2] + 1
    columns = width + left + right - kernel.shape[3] + 1
    block = next((b for b in _BLOCKS if width % b == 0 and columns % b == 0), None)
    if block is None:
        return
    wide, before = _widened(kernel, left, block)
    after = columns // block - width // block - before + wide.shape[3] - 1
    _repeat(graph, weights, block, conv.name, wide)
    for bias in biases:
        _repeat(graph, bias, block, f"{conv.name}_bias", np.tile(graph.value(bias.input[0]), block))
    conv.ClearField("attribute")
    for key, value in (("kernel_shape", list(wide.shape[2:])), ("pads", [top, before, bottom, after])):
        conv.attribute.append(helper.make_attribute(key, value))
    graph.set_shape(reshape, [-1, height, width // block, block])
    _lead_through(graph, conv.name, reshape, quantizer, [-1, rows, columns, kernel.shape[0]])


def _lead_through(graph: OnnxGraph, name: str, reshape: Any, quantizer: Any, shape: list[int]) -> None:
    """Put the blocks' columns among the channels before the convolution, and the pixels back in their rows after it."""
    from onnx import helper

    source, result = reshape.output[0], quantizer.output[0]
    blocks, wide, rows_last, pixels = (f"{name}_{what}" for what in ("blocks", "wide", "rows", "pixels"))
    for reader in graph.readers(source):
        reader.input[0] = blocks
    quantizer.output[0] = wide
    sizes = graph.add(f"{name}_shape", np.asarray(shape, np.int64))
    graph.graph.node.extend(
        [
            helper.make_node("Transpose", [source], [blocks], f"{name}_in", perm=[0, 3, 1, 2]),
            helper.make_node("Transpose", [wide], [rows_last], f"{name}_out", perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [rows_last, sizes], [pixels], f"{name}_flat"),
            helper.make_node("Transpose", [pixels], [result], f"{name}_back", perm=[0, 3, 1, 2]),
        ]
    )


def _first_conv(graph: OnnxGraph) -> tuple[Any, Any, Any] | None:
    """Reshape, Conv and QuantizeLinear of image -> Reshape [-1, 1, h, w] -> DequantizeLinear -> Conv (-> Relu) -> Q."""
    chain, name = [], graph.graph.input[0].name
    for operator in ("Reshape", "DequantizeLinear", "Conv"):
        node = graph.only_reader(name, operator)
        if node is None:
            return None
        chain.append(node)
        name = node.output[0]
    reshape, _, conv = chain
    if list(graph.value(reshape.input[1]))[:2] != [-1, 1]:
        return None
    options = {a.name: list(a.ints) if a.ints else a.i for a in conv.attribute}
    if options.get("group", 1) != 1 or {*options.get("strides", [1]), *options.get("dilations", [1])} != {1}:
        return None
    relu = graph.only_reader(conv.output[0], "Relu")
    quantizer = graph.only_reader((relu or conv).output[0], "QuantizeLinear")
    return None if quantizer is None else (reshape, conv, quantizer)


def _widened(kernel: NDArray[np.int8], pad: int, block: int) -> tuple[NDArray[np.int8], int]:
    """Weights for blocks of columns, and the blocks to pad on the left.

    Args:
        kernel: int8 [filters, 1, height, width].
        pad: Columns to pad on the left.
        block: Columns in a block.

    Returns:
        int8 [block * filters, block, height, blocks under the filter], and how many blocks to pad on the left.
    """
    filters, _, height, width = kernel.shape
    left = -(-pad // block)
    blocks = (block - 1 + width - 1 - pad) // block + left + 1
    wide = np.zeros((block, filters, block, height, blocks), np.int8)
    for pixel in range(block):
        for column in range(width):
            at = pixel + column - pad + left * block
            wide[pixel, :, at % block, :, at // block] = kernel[:, 0, :, column]
    return wide.reshape(block * filters, block, height, blocks), left


def _repeat(graph: OnnxGraph, dequantizer: Any, block: int, name: str, values: NDArray[Any]) -> None:
    """Give a DequantizeLinear new values, and its scale and zero point for each channel `block` times over."""
    dequantizer.input[0] = graph.add(f"{name}_values", values)
    for place, what in ((1, "scales"), (2, "zero_points")):
        old = graph.value(dequantizer.input[place])
        if old.ndim:
            dequantizer.input[place] = graph.add(f"{name}_{what}", np.tile(old, block))
