"""Reads from an .onnx file what ONNX Runtime does not tell: how its input and output are quantized.

A board has no `onnx` package, so the few protobuf fields are read here. The field numbers are those of onnx.proto3
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), the wire format that of
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from edgecnn.errors import SessionError

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_LAYOUT = {1: "<f", 2: "<B", 3: "<b"}
"""TensorProto.DataType float32, uint8 and int8, and how raw_data holds one."""

_SHAPE_ONLY = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity"}
_Value = int | memoryview


class _BrokenError(Exception):
    """The bytes are no protobuf message."""


@dataclass(slots=True)
class _Graph:
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    constants: dict[str, memoryview] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    """Output -> input of the operations that only change the shape."""
    steps: list[tuple[str, list[str], str]] = field(default_factory=list)
    """Operation, inputs and output of each QuantizeLinear and DequantizeLinear."""


def quantization(data: bytes, name: str) -> dict[str, tuple[float, int]]:
    """Scale and zero point of each graph input that feeds a DequantizeLinear and each output of a QuantizeLinear.

    Args:
        data: The whole .onnx file.
        name: The file, for the message.

    Returns:
        Tensor name -> (scale, zero point), per-tensor quantization only; empty for a float model.

    Raises:
        SessionError: It is no ONNX model, or its weights are in other files, which are never followed.
    """
    try:
        graphs = [value for number, value in _fields(memoryview(data)) if number == 7 and not isinstance(value, int)]
        if len(graphs) != 1:
            raise SessionError(f"{name}: not an ONNX model (no graph in it)")
        return _ends(_graph(graphs[0], name))
    except (_BrokenError, UnicodeDecodeError, struct.error) as error:
        raise SessionError(f"{name}: not an ONNX model (broken protobuf)") from error


def _ends(graph: _Graph) -> dict[str, tuple[float, int]]:
    produced: dict[str, tuple[float, int]] = {}
    found: dict[str, tuple[float, int]] = {}
    for operation, inputs, output in graph.steps:
        if len(inputs) != 3 or not {inputs[1], inputs[2]} <= graph.constants.keys():
            continue
        scale, zero_point = _scalar(graph.constants[inputs[1]]), _scalar(graph.constants[inputs[2]])
        if scale is None or zero_point is None:
            continue
        if operation == "QuantizeLinear":
            produced[output] = (float(scale), int(zero_point))
        elif (origin := _origin(graph, inputs[0])) in graph.inputs:
            found[origin] = (float(scale), int(zero_point))
    for output in graph.outputs:
        if (origin := _origin(graph, output)) in produced:
            found[output] = produced[origin]
    return found


def _origin(graph: _Graph, name: str) -> str:
    """The tensor whose values `name` has, seen through the operations that only change the shape."""
    for _ in range(len(graph.same) + 1):  # a broken file may go in a circle
        if name not in graph.same:
            break
        name = graph.same[name]
    return name


def _fields(message: memoryview) -> Iterator[tuple[int, _Value]]:
    """Field numbers and values of a message: an int for numbers, the bytes for everything else."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _LEN:
            size, at = _varint(message, at)
        elif kind in (_I64, _I32):
            size = 8 if kind == _I64 else 4
        else:
            raise _BrokenError
        if at + size > end:
            raise _BrokenError
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise _BrokenError
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _BrokenError


def _graph(message: memoryview, name: str) -> _Graph:
    graph = _Graph()
    for number, value in _fields(message):
        if isinstance(value, int):
            continue
        if number == 1:
            _node(value, graph, name)
        elif number == 5:
            graph.constants[_text(value, 8)] = _inside(value, name)
        elif number == 11:
            graph.inputs.add(_text(value, 1))
        elif number == 12:
            graph.outputs.add(_text(value, 1))
    return graph


def _node(message: memoryview, graph: _Graph, name: str) -> None:
    operation, inputs, outputs = "", [], []
    tensors = []
    for number, value in _fields(message):
        if isinstance(value, int):
            continue
        if number == 1:
            inputs.append(str(value, "utf-8"))
        elif number == 2:
            outputs.append(str(value, "utf-8"))
        elif number == 4:
            operation = str(value, "utf-8")
        elif number == 5:
            tensors += [tensor for key, tensor in _fields(value) if key == 5 and not isinstance(tensor, int)]
    for tensor in tensors:
        _inside(tensor, name)
    if operation == "Constant" and len(tensors) == 1 and outputs:
        graph.constants[outputs[0]] = tensors[0]
    if operation in ("QuantizeLinear", "DequantizeLinear") and inputs and outputs:
        graph.steps.append((operation, inputs, outputs[0]))
    if operation in _SHAPE_ONLY and inputs and outputs:
        graph.same[outputs[0]] = inputs[0]


def _inside(tensor: memoryview, name: str) -> memoryview:
    """The tensor, when its values are in the file itself: a path in a model could reach any file of the machine."""
    if any(number == 13 or (number == 14 and value) for number, value in _fields(tensor)):
        raise SessionError(f"{name}: keeps weights in other files, which is not supported; save it as one file")
    return tensor


def _text(message: memoryview, wanted: int) -> str:
    texts = [
        str(value, "utf-8") for number, value in _fields(message) if number == wanted and not isinstance(value, int)
    ]
    return texts[-1] if texts else ""


def _scalar(tensor: memoryview) -> float | None:
    """Value of a TensorProto that holds one float32, int8 or uint8 number; None for any other."""
    kind, size = 0, 1
    raw: memoryview | None = None
    numbers: list[float] = []
    for number, value in _fields(tensor):
        if number == 1:
            size *= math.prod(_integers(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 4 and not isinstance(value, int):
            numbers += struct.unpack(f"<{len(value) // 4}f", value)
        elif number == 5:  # int32_data, where a negative number is a varint of its two's complement in 64 bits
            numbers += [n - 2**64 if n >= 2**63 else n for n in _integers(value)]
        elif number == 9 and not isinstance(value, int):
            raw = value
    if size != 1 or kind not in _LAYOUT:
        return None
    if raw is not None:
        numbers = list(struct.unpack(_LAYOUT[kind], raw))
    return numbers[0] if len(numbers) == 1 else None


def _integers(value: _Value) -> list[int]:
    """The numbers of a repeated integer field, which may be packed."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers
