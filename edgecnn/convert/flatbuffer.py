"""Editing of TFLite files: what a graph ends in, what its tensors are called, what is written beside it.

A .tflite file is a flatbuffer (schema: tensorflow/lite/schema/schema.fbs). It is unpacked into plain objects, edited,
and packed again. Every entrance ends in a TFLite file, so an edit is written once and holds for all of them.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import ConversionError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT = "image"
"""Name of the input in every artefact."""
LOGITS = "logits"
"""Name of the output in every artefact whose softmax is left to the outside."""
PROBABILITIES = "probabilities"
"""Name of the output in an artefact that holds its softmax."""
METADATA = "edgecnn"
"""Name of the metadata entry that holds labels and preprocessing as JSON."""

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16
"""Bytes; `force_align` of a buffer's data in the schema. XNNPACK reads weights in place and relies on it."""


def schema() -> Any:
    """The module of the flatbuffer's generated classes.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError as error:
        raise MissingExtraError("ai_edge_litert", "train") from error
    return schema_py_generated


class Graph:
    """A TFLite file taken apart.

    Args:
        content: The file's bytes.

    Attributes:
        model: The unpacked file, `schema().ModelT`.
        sub: Its only subgraph, `schema().SubGraphT`.

    Raises:
        ConversionError: It is no TFLite file, or it has more than one subgraph, input or output.
        MissingExtraError: ai-edge-litert is not installed.
    """

    def __init__(self, content: bytes) -> None:
        if content[4:8] != _IDENTIFIER:
            raise ConversionError(f"TFLite file: expected {_IDENTIFIER.decode()} at byte 4, got {content[4:8]!r}")
        self._schema = schema()
        try:
            self.model = self._schema.ModelT.InitFromPackedBuf(content, 0)
        except (struct.error, IndexError, ValueError, TypeError) as error:
            raise ConversionError(f"TFLite file: broken flatbuffer ({error})") from error
        if len(self.model.subgraphs or ()) != 1:
            raise ConversionError(f"TFLite file: expected 1 subgraph, got {len(self.model.subgraphs or ())}")
        self.sub = self.model.subgraphs[0]
        ends = (len(self.sub.inputs), len(self.sub.outputs))
        if ends != (1, 1):
            raise ConversionError(f"TFLite file: expected 1 input and 1 output, got {ends[0]} and {ends[1]}")
        self._names = {value: name for name, value in vars(self._schema.BuiltinOperator).items()}

    @property
    def input(self) -> Any:
        """The input tensor, `schema().TensorT`."""
        return self.sub.tensors[self.sub.inputs[0]]

    @property
    def output(self) -> Any:
        """The output tensor, `schema().TensorT`."""
        return self.sub.tensors[self.sub.outputs[0]]

    def kind(self, operator: Any) -> str:
        """Name of an operator in the schema, such as CONV_2D; a custom operator's own name."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            return str(code.customCode.decode())
        # Files of before 2020 keep the code in the one-byte field; newer ones repeat it there as far as it fits.
        return str(self._names[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def dtype(self, index: int) -> str:
        """Type of a tensor in the schema's words, such as FLOAT32."""
        return _type_names(self._schema)[self.sub.tensors[index].type]

    def producer(self, index: int) -> Any | None:
        """The operator that writes a tensor; None for inputs and constants."""
        return next((op for op in self.sub.operators if index in op.outputs), None)

    def consumers(self, index: int) -> list[Any]:
        """The operators that read a tensor."""
        return [op for op in self.sub.operators if index in op.inputs]

    def cut_quantized_ends(self) -> None:
        """Drop a QUANTIZE right after the input and a DEQUANTIZE right before the output: the ends become integers.

        Converters leave them in an int8 network that takes and gives float32.
        """
        while len(ops := self.consumers(self.sub.inputs[0])) == 1 and self.kind(ops[0]) == "QUANTIZE":
            self.sub.inputs = [int(ops[0].outputs[0])]
            self.sub.operators.remove(ops[0])
        while (op := self.producer(self.sub.outputs[0])) is not None and self.kind(op) == "DEQUANTIZE":
            self.sub.outputs = [int(op.inputs[0])]
            self.sub.operators.remove(op)

    def cut_softmax(self) -> bool:
        """Drop a final SOFTMAX, and the QUANTIZE or DEQUANTIZE after it: the graph then ends in logits.

        Returns:
            Whether there was one.
        """
        end, tail = self.sub.outputs[0], []
        while (op := self.producer(end)) is not None and self.kind(op) in ("QUANTIZE", "DEQUANTIZE", "SOFTMAX"):
            tail.append(op)
            end = int(op.inputs[0])
            if self.kind(op) == "SOFTMAX":
                self.sub.operators = [each for each in self.sub.operators if each not in tail]
                self.sub.outputs = [end]
                return True
        return False

    @property
    def ends_in_softmax(self) -> bool:
        """Whether the last operator that computes is a SOFTMAX."""
        op = self.producer(self.sub.outputs[0])
        while op is not None and self.kind(op) in ("QUANTIZE", "DEQUANTIZE"):
            op = self.producer(op.inputs[0])
        return op is not None and self.kind(op) == "SOFTMAX"

    def settle_reshapes(self) -> None:
        """Give each RESHAPE a constant shape where its output has at most one free size.

        Keras 3 computes the shape of Flatten from the batch at run time (SHAPE, STRIDED_SLICE, PACK), which keeps
        XNNPACK and ONNX Runtime from planning memory ahead; (-1, n) says the same.
        """
        for op in self.sub.operators:
            if self.kind(op) != "RESHAPE" or len(op.inputs) < 2 or self.producer(op.inputs[1]) is None:
                continue
            result = self.sub.tensors[op.outputs[0]]
            sizes = result.shape if result.shapeSignature is None else result.shapeSignature
            if sum(size == -1 for size in sizes) <= 1:
                op.inputs = [op.inputs[0], self._constant("shape", np.asarray(sizes, np.int32))]

    def _constant(self, name: str, values: NDArray[np.int32]) -> int:
        buffer = self._schema.BufferT(data=values.view(np.uint8))
        self.model.buffers.append(buffer)
        tensor = self._schema.TensorT()
        tensor.name, tensor.type, tensor.shape = name.encode(), self._schema.TensorType.INT32, list(values.shape)
        tensor.buffer = len(self.model.buffers) - 1
        self.sub.tensors.append(tensor)
        return len(self.sub.tensors) - 1

    def name_ends(self) -> None:
        """Call the input and the output by the names that they have in every artefact, in the signature too."""
        result = PROBABILITIES if self.ends_in_softmax else LOGITS
        self.input.name, self.output.name = INPUT.encode(), result.encode()
        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._named(INPUT, self.sub.inputs[0])]
        signature.outputs = [self._named(result, self.sub.outputs[0])]
        self.model.signatureDefs = [signature]

    def _named(self, name: str, index: int) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        return entry

    def describe(self, metadata: dict[str, Any]) -> None:
        """Write metadata as one JSON text under the name `METADATA`, in the place of what was there.

        The converter's own entry (versions of TensorFlow, a hash that changes from run to run) goes: the bundle says
        the versions, and equal models shall give equal files.
        """
        text = json.dumps(metadata, sort_keys=True, ensure_ascii=False).encode()
        self.model.buffers.append(self._schema.BufferT(data=np.frombuffer(text, np.uint8)))
        entry = self._schema.MetadataT()
        entry.name, entry.buffer = METADATA.encode(), len(self.model.buffers) - 1
        kept = [each for each in self.model.metadata or () if each.name == b"min_runtime_version"]
        self.model.metadata = [*kept, entry]

    def pack(self) -> bytes:
        """The file's bytes, without operators, tensors and buffers that nothing uses any more."""
        self._drop_unused()
        _align_buffers(self.model, self._schema)
        import flatbuffers

        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _drop_unused(self) -> None:
        sub, model = self.sub, self.model
        needed = {int(sub.outputs[0])}
        for op in reversed(sub.operators):  # a TFLite file lists its operators in the order of their execution
            if needed.intersection(map(int, op.outputs)):
                needed.update(int(i) for i in op.inputs if i >= 0)
        sub.operators = [op for op in sub.operators if needed.intersection(map(int, op.outputs))]
        used = sorted({int(i) for op in sub.operators for i in [*op.inputs, *op.outputs] if i >= 0} | {*sub.inputs})
        place = {old: new for new, old in enumerate(used)} | {-1: -1}
        for op in sub.operators:
            op.inputs, op.outputs = [place[int(i)] for i in op.inputs], [place[int(i)] for i in op.outputs]
        sub.tensors = [sub.tensors[i] for i in used]
        sub.inputs, sub.outputs = [place[int(i)] for i in sub.inputs], [place[int(i)] for i in sub.outputs]
        for signature in model.signatureDefs or ():
            for entry in [*signature.inputs, *signature.outputs]:
                entry.tensorIndex = place[int(entry.tensorIndex)]
        codes = sorted({int(op.opcodeIndex) for op in sub.operators})
        for op in sub.operators:
            op.opcodeIndex = codes.index(int(op.opcodeIndex))
        model.operatorCodes = [model.operatorCodes[i] for i in codes]  # the calibrator trips over unused ones
        holders = [*sub.tensors, *(model.metadata or ())]
        buffers = sorted({0} | {int(holder.buffer) for holder in holders})  # buffer 0 is the empty one, by convention
        moved = {old: new for new, old in enumerate(buffers)}
        for holder in holders:
            holder.buffer = moved[int(holder.buffer)]
        model.buffers, model.metadataBuffer = [model.buffers[i] for i in buffers], None


def read_metadata(content: bytes) -> dict[str, Any] | None:
    """The metadata that `Graph.describe` wrote; None where there is none.

    Raises:
        ConversionError: The file is broken.
    """
    graph = Graph(content)
    for entry in graph.model.metadata or ():
        if entry.name == METADATA.encode():
            value: dict[str, Any] = json.loads(bytes(graph.model.buffers[entry.buffer].data))
            return value
    return None


def _type_names(module: Any) -> dict[int, str]:
    return {value: name for name, value in vars(module.TensorType).items() if isinstance(value, int)}


def _align_buffers(model: Any, module: Any) -> None:
    """Make each buffer pack itself with the alignment that the schema asks for; the generated classes ignore it."""

    class AlignedBuffer(module.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:
            data = None
            if self.data is not None:
                content = np.asarray(self.data, np.uint8).tobytes()
                builder.Prep(_ALIGNMENT, len(content))
                data = builder.CreateByteVector(content)
            module.BufferStart(builder)
            if data is not None:
                module.BufferAddData(builder, data)
            return module.BufferEnd(builder)

    model.buffers = [AlignedBuffer(data=buffer.data) for buffer in model.buffers]
