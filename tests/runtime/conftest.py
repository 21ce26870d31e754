from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Make = Callable[..., bytes]


def quantized_model(
    *,
    dtype: type = np.uint8,
    shape: Sequence[Any] = ("n", 2, 2, 1),
    output: Sequence[Any] = ("n", 4),
    scale: Any = 0.5,
    zero_point: int = 3,
    constants: str = "raw",
) -> bytes:
    """An ONNX model that flattens its integers: input -> Reshape -> DequantizeLinear -> QuantizeLinear -> output."""
    kind = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}[dtype]
    point = np.array(zero_point, dtype)
    if constants == "raw":
        tensors = [numpy_helper.from_array(np.array(scale, np.float32), "s"), numpy_helper.from_array(point, "z")]
    else:
        tensors = [
            helper.make_tensor("s", TensorProto.FLOAT, [], [scale]),
            helper.make_tensor("z", kind, [1] if constants == "list" else [], [zero_point]),
        ]
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("DequantizeLinear", ["flat", "s", "z"], ["real"]),
        helper.make_node("QuantizeLinear", ["real", "s", "z"], ["y"]),
    ]
    if constants == "nodes":
        nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors] + nodes
        tensors = []
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, output)],
        [*tensors, numpy_helper.from_array(np.array([-1, 4], np.int64), "shape")],
    )
    return save(graph)


def float_model(*, shape: Sequence[Any] = (1, 2, 2, 1), output: Sequence[Any] = (1, 4)) -> bytes:
    """An ONNX model that flattens its picture."""
    sizes = [size if isinstance(size, int) else -1 for size in output]
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(np.array(sizes, np.int64), "shape")],
    )
    return save(graph)


def save(graph: Any) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def make_quantized() -> Make:
    return quantized_model


@pytest.fixture
def make_float() -> Make:
    return float_model
