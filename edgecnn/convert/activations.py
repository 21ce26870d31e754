"""Activations of int8 networks, written so that ONNX Runtime gives LiteRT's integers, and by its integer kernels.

LeakyReLU. XNNPACK multiplies int8 by factors of 1/256 (`positive_scale` and `negative_scale` in its qs8-vlrelu kernels),
and rounds ties up: y = zero + floor(x * round(256 * factor) / 256 + 1/2). For a slope of 0.1 that is 26/256, which moves a
good part of the outputs by one step. DequantizeLinear, LeakyRelu and QuantizeLinear with the exact factors would be closer
to the float network, but no longer the same network. So the ONNX file has the factors that XNNPACK uses.

ReLU. ONNX Runtime takes it into the convolution before it only where the quantized range begins at 0. Ranges that were
learnt by quantization-aware training seldom do: the convolution would then be computed in floats. TFLite clamps integers,
so the ONNX file does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 256
_TIE = 1e-6
"""Relative nudge that makes ONNX's ties-to-even fall up as XNNPACK's do; far below the 1/256 between two products."""


class _Graph:
    """Who writes and who reads a tensor, and the values of constants."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._writers = {name: node for node in graph.node for name in node.output}

    def writer(self, name: str) -> Any | None:
        return self._writers.get(name)

    def readers(self, name: str) -> list[Any]:
        return [node for node in self.graph.node if name in node.input]

    def value(self, name: str) -> NDArray[Any]:
        from onnx import numpy_helper

        return numpy_helper.to_array(self._constants[name])  # type: ignore[no-any-return]

    def add(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def quantizer(self, node: Any) -> Any | None:
        """The one QuantizeLinear that reads a node's output; None when something else does too."""
        readers = self.readers(node.output[0])
        return readers[0] if [reader.op_type for reader in readers] == ["QuantizeLinear"] else None


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

    graph = _Graph(model.graph)
    for node in [node for node in model.graph.node if node.op_type == "LeakyRelu"]:
        before, after = graph.writer(node.input[0]), graph.quantizer(node)
        if before is None or before.op_type != "DequantizeLinear":
            continue
        if after is None:
            raise ConversionError(f"ONNX: expected a QuantizeLinear after LeakyRelu {node.name}")
        if after.output[0] == model.graph.output[0].name:
            continue  # the scale of the output is read by others and must be the true one
        source, result = float(graph.value(before.input[1])), float(graph.value(after.input[1]))
        slope = next((attribute.f for attribute in node.attribute if attribute.name == "alpha"), 0.01)
        positive = np.rint(_STEPS * source / result) / _STEPS * (1 + _TIE)
        negative = np.rint(_STEPS * source * slope / result) / _STEPS * (1 - _TIE)
        after.input[1] = graph.add(f"{node.name}_scale", np.asarray(source / positive, np.float32))
        node.ClearField("attribute")
        node.attribute.append(helper.make_attribute("alpha", float(negative / positive)))


def clamp_integers(model: Any) -> None:
    """Where a quantized range does not begin at 0, put the ReLU behind the quantization: a Clip of uint8 at zero's integer.

    Args:
        model: `onnx.ModelProto` with uint8 activations, changed in place.
    """
    from onnx import helper

    graph = _Graph(model.graph)
    for node in [node for node in model.graph.node if node.op_type == "Relu"]:
        after = graph.quantizer(node)
        if after is None or graph.value(after.input[2]) == 0:
            continue
        result, unclamped = after.output[0], f"{after.output[0]}_unclamped"
        after.input[0], after.output[0] = node.input[0], unclamped
        model.graph.node.append(
            helper.make_node("Clip", [unclamped, after.input[2]], [result], f"{node.name}_integers")
        )
        model.graph.node.remove(node)
