"""Opening of Keras files and SavedModels as frozen functions of TensorFlow."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn import _tf
from edgecnn.convert.tflite import one_line
from edgecnn.convert.untrusted import check_graph, check_saved_model, read_h5, read_keras_archive
from edgecnn.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A network as a frozen function of TensorFlow: its weights are constants in the graph.

    Attributes:
        whole: ConcreteFunction, float32 [n, height, width, channels] -> [n, classes], the float network.
        head: The same, cut before a final softmax.
        ranges: The network with the fake quantization of quantization-aware training in it; None when it has none.
        shape: (height, width, channels).
        classes: How many outputs it has.
        batch: Pictures that it takes at once; None when that is free.
        scales_itself: Whether its first layer is Keras' Rescaling, which brings pixels of 0..255 to another range.
    """

    whole: Any
    head: Any
    ranges: Any | None
    shape: tuple[int, int, int]
    classes: int
    batch: int | None
    scales_itself: bool

    def logits(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network in TensorFlow.

        Args:
            tensors: float32 [n, height, width, channels].

        Returns:
            float32 [n, classes]; NaN and infinities are handed on.
        """
        tf = _tf.tensorflow()
        step = self.batch or _CHUNK
        rows = [self.head(tf.constant(tensors[at : at + step])) for at in range(0, len(tensors), step)]
        rows = [row[0] if isinstance(row, list | tuple) else row for row in rows]
        return np.concatenate([row.numpy() for row in rows]).astype(np.float32)


def open_keras(path: Path) -> Any:
    """Load a .keras or .h5 file with the Keras that wrote it: tf_keras for version 2, Keras for version 3.

    Raises:
        MissingExtraError: That Keras is not installed.
        ModelError: The file is broken, holds no whole model, or would run code of its own.
    """
    read = read_h5 if path.suffix.lower() in (".h5", ".hdf5") else read_keras_archive
    version, config = read(path)
    keras = _keras3() if version.split(".")[0] == "3" else _tf.keras()
    quantized = "'QuantizeWrapper" in str(config)
    if quantized and read is read_keras_archive:
        raise ModelError(f"{path}: TFMOT cannot load its own .keras files; save the model as .h5 or as a SavedModel")
    scope = _tf.tfmot().quantization.keras.quantize_scope() if quantized else nullcontext()
    try:
        with _tf.quiet(), scope:
            return keras.models.load_model(str(path), compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, MemoryError, IndexError) as error:
        raise ModelError(f"{path}: Keras {version} model cannot be loaded: {one_line(error)}") from error


def _keras3() -> Any:
    import os

    os.environ["KERAS_BACKEND"] = "tensorflow"  # a user's configuration may name another one
    _tf.tensorflow()
    try:
        with _tf.quiet():
            import keras
    except ModuleNotFoundError as error:
        raise MissingExtraError("keras", "train") from error
    return keras


def trace(model: Any, path: Path) -> Function:
    """Make a frozen function of a Keras model, as it infers.

    Args:
        model: A model of tf_keras or of Keras 3.
        path: Where it came from, for messages.

    Raises:
        ModelError: It does not take one picture and give one row of classes.
    """
    tf = _tf.tensorflow()
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{path}: expected a model with 1 input and 1 output, got {len(inputs)} and {len(outputs)}")
    spec = tf.TensorSpec(_picture_shape(tuple(inputs[0].shape), path), tf.float32)
    with _tf.quiet():
        traced = tf.function(lambda picture: model(picture, training=False), autograph=False)
        function = traced.get_concrete_function(spec)
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    scaling = bool(layers) and type(layers[0]).__name__ == "Rescaling"
    return _frozen(function, path, scaling)


def ending_in_logits(model: Any) -> Any:
    """A tf_keras model without its final softmax; the model itself when it has none.

    Args:
        model: A functional or sequential `tf_keras.Model`; not changed.
    """
    keras = _tf.keras()
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if type(last).__name__ != "Softmax" and getattr(activation, "__name__", "") != "softmax":
        return model

    def clone(layer: Any) -> Any:
        if layer is not last:
            return type(layer).from_config(layer.get_config())
        if type(layer).__name__ == "Softmax":
            return keras.layers.Activation("linear", name=layer.name)
        return type(layer).from_config({**layer.get_config(), "activation": "linear"})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def open_saved_model(folder: Path) -> Function:
    """Load the serving function of a SavedModel.

    Raises:
        ModelError: It is broken, has effects outside of itself, or does not take one picture and give one row of
            classes.
    """
    tf = _tf.tensorflow()
    check_saved_model(folder)
    try:
        with _tf.quiet():
            loaded = tf.saved_model.load(str(folder))
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(f"{folder}: SavedModel cannot be loaded: {one_line(error)}") from error
    signatures = dict(loaded.signatures)
    function = signatures.get("serving_default") or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    if function is None:
        raise ModelError(f"{folder}: expected the signature serving_default, got {', '.join(signatures) or 'none'}")
    return _frozen(function, folder, False)


def _frozen(function: Any, path: Path, scaling: bool) -> Function:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with _tf.quiet():
        whole = convert_variables_to_constants_v2(function)
        check_graph(whole.graph.as_graph_def(), path)
        if len(whole.inputs) != 1 or len(whole.outputs) != 1:
            ends = f"{len(whole.inputs)} and {len(whole.outputs)}"
            raise ModelError(f"{path}: expected a model with 1 input and 1 output, got {ends}")
        source, result = whole.inputs[0], whole.outputs[0]
        batch, height, width, channels = _picture_shape(tuple(source.shape), path)
        if source.dtype.name != "float32" or result.dtype.name != "float32":
            raise ModelError(f"{path}: expected float32 in and out, got {source.dtype.name} and {result.dtype.name}")
        if result.shape.rank != 2 or result.shape[1] is None or result.shape[1] < 2:
            raise ModelError(f"{path}: expected an output [n, classes] with 2 classes at least, got {result.shape}")
        plain = _without_fake_quantization(whole)
        head = plain.prune(plain.inputs[0], _before_softmax(plain.outputs[0]))
    ranges = None if plain is whole else whole
    return Function(plain, head, ranges, (int(height), int(width), int(channels)), int(result.shape[1]), batch, scaling)


def _without_fake_quantization(function: Any) -> Any:
    """The float network inside a network of quantization-aware training; the function itself when it is another one.

    It is what the float artefacts are made of, and what the int8 ones are compared with.
    """
    tf = _tf.tensorflow()
    graph = function.graph.as_graph_def()
    fake = [node for node in graph.node if node.op.startswith("FakeQuantWithMinMax")]
    if not fake:
        return function
    for node in fake:
        node.op = "Identity"
        del node.input[1:]
        node.attr.clear()
        node.attr["T"].type = tf.float32.as_datatype_enum
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    ends = [imported.graph.get_tensor_by_name(end.name) for end in (function.inputs[0], function.outputs[0])]
    return imported.prune(*ends)


def _picture_shape(shape: tuple[Any, ...], path: Path) -> tuple[Any, ...]:
    if len(shape) != 4:
        raise ModelError(
            f"{path}: expected an input [n, height, width, channels], got {list(shape)}; "
            "if pictures go in flat, put a Reshape layer in front"
        )
    if None in shape[1:] or shape[3] not in (1, 3):
        raise ModelError(f"{path}: expected an input of fixed size with 1 or 3 channels, got {list(shape)}")
    return shape


def _before_softmax(tensor: Any) -> Any:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor.op.inputs[0] if tensor.op.type == "Softmax" else tensor
