"""One way to write a graph down: order and names follow from what the graph computes, from nothing else."""

from __future__ import annotations

from typing import Any

from edgecnn import __version__


def canonical(model: Any) -> None:
    """Write an ONNX model anew, so that models that compute the same in the same way are equal byte for byte.

    Nodes come in the order in which a walk back from the output, through the inputs of each node in their order, leaves
    them: each after what it reads. Nodes and tensors are numbered in that order, equal constants become one and are
    listed in the order of their first use, attributes are sorted by name. Only the zero points of weights stay apart:
    OpenVINO computes in floats where a convolution shares them with a dense layer.

    Args:
        model: `onnx.ModelProto` with one input and one output, changed in place.
    """
    from onnx import TensorProto

    graph = model.graph
    nodes = _walk(graph)
    names = {"": "", graph.input[0].name: graph.input[0].name, graph.output[0].name: graph.output[0].name}
    constants: dict[bytes, Any] = {}
    given = {tensor.name: tensor for tensor in graph.initializer}
    for number, node in enumerate(nodes):
        node.name = f"{number:03d}_{node.op_type}"
        dequantizes_weights = node.op_type == "DequantizeLinear" and node.input[0] in given
        for place, name in enumerate(node.input):
            own = f"{number:03d}.{place}"
            if place == 2 and dequantizes_weights and given[name].data_type == TensorProto.INT8:
                node.input[place] = _constant(given[name], own, constants, apart=True)
                continue
            if name not in names:
                names[name] = _constant(given[name], own, constants)
            node.input[place] = names[name]
        for place, name in enumerate(node.output):
            names.setdefault(name, f"{number:03d}:{place}")
            node.output[place] = names[name]
        attributes = sorted(node.attribute, key=lambda attribute: str(attribute.name))
        node.ClearField("attribute")
        node.attribute.extend(attributes)
        node.ClearField("doc_string")
    _replace(graph.node, nodes)
    _replace(graph.initializer, list(constants.values()))
    for value in (graph.input[0], graph.output[0]):
        batch = value.type.tensor_type.shape.dim[0]
        if not batch.HasField("dim_value"):
            batch.dim_param = "batch"
    graph.ClearField("value_info")
    graph.name, model.doc_string, graph.doc_string = "edgecnn", "", ""
    model.producer_name, model.producer_version = "edgecnn", __version__
    used = {node.domain for node in nodes}
    _replace(model.opset_import, [entry for entry in model.opset_import if entry.domain in used])


def _walk(graph: Any) -> list[Any]:
    producers = {name: node for node in graph.node for name in node.output}
    nodes: list[Any] = []
    done: set[int] = set()
    stack = [(producers[graph.output[0].name], False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            nodes.append(node)
            continue
        stack.append((node, True))
        stack.extend((producers[name], False) for name in reversed(node.input) if name in producers)
    return nodes


def _constant(tensor: Any, name: str, constants: dict[bytes, Any], *, apart: bool = False) -> str:
    from onnx import numpy_helper

    # Written anew, because the same values can stand in a tensor as raw bytes or as a list of numbers.
    copy = numpy_helper.from_array(numpy_helper.to_array(tensor))
    key = name.encode() if apart else copy.SerializeToString(deterministic=True)
    if key not in constants:
        copy.name = name
        constants[key] = copy
    return str(constants[key].name)


def _replace(field: Any, values: list[Any]) -> None:
    kept = [type(value)() for value in values]
    for copy, value in zip(kept, values, strict=True):
        copy.CopyFrom(value)
    del field[:]
    field.extend(kept)
