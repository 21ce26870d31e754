"""LeakyReLU with the rounding of XNNPACK, so that ONNX Runtime gives LiteRT's integers.

XNNPACK multiplies int8 by factors of 1/256 (`positive_scale` and `negative_scale` in its qs8-vlrelu kernels), and
rounds ties up: y = zero + floor(x * round(256 * factor) / 256 + 1/2). For a slope of 0.1 that is 26/256, which moves a
good part of the outputs by one step. DequantizeLinear, LeakyRelu and QuantizeLinear with the exact factors would be
closer to the float network, but no longer the same network. So the ONNX file has the factors that XNNPACK uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.errors import ConversionError

_STEPS = 256
_TIE = 1e-6
"""Relative nudge that makes ONNX's ties-to-even fall up as XNNPACK's do; far below the 1/256 between two products."""


def match_leaky_relu(model: Any) -> None:
    """Give each quantized LeakyRelu the factors that XNNPACK uses.

    The QuantizeLinear after it gets the scale whose quotient with the input's scale is XNNPACK's rounded factor; the
    DequantizeLinear of the next operator keeps the true scale, so the integers mean what they meant.

    Args:
        model: `onnx.ModelProto`, changed in place.

    Raises:
        ConversionError: A LeakyRelu whose input is quantized has an output that is not.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    writers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        before = writers.get(node.input[0]) if node.op_type == "LeakyRelu" else None
        if before is None or before.op_type != "DequantizeLinear":
            continue
        after = [reader for reader in graph.node if node.output[0] in reader.input]
        if any(reader.output[0] == graph.output[0].name for reader in after):
            continue  # the scale of the output is read by others and must be the true one
        if [reader.op_type for reader in after] != ["QuantizeLinear"]:
            raise ConversionError(f"ONNX: expected a QuantizeLinear after LeakyRelu {node.name}, got {after}")
        source, result = (float(numpy_helper.to_array(constants[step.input[1]])) for step in (before, after[0]))
        slope = next((attribute.f for attribute in node.attribute if attribute.name == "alpha"), 0.01)
        positive = np.rint(_STEPS * source / result) / _STEPS * (1 + _TIE)
        negative = np.rint(_STEPS * source * slope / result) / _STEPS * (1 - _TIE)
        name = f"{node.name}_scale"
        graph.initializer.append(numpy_helper.from_array(np.asarray(source / positive, np.float32), name))
        after[0].input[1] = name
        node.ClearField("attribute")
        node.attribute.append(helper.make_attribute("alpha", float(negative / positive)))
