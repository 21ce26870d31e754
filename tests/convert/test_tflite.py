"""Keras -> float32 and int8 TFLite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn import _tf
from edgecnn.convert import source, tflite
from edgecnn.convert.flatbuffer import Graph, read_metadata
from edgecnn.errors import ArgumentError, ConversionError
from edgecnn.runtime.session import logits, open_session
from edgecnn.spec import Precision


def structure(content: bytes) -> list:
    """Operators with the type, shape, quantization and value of what they read and write; without names."""
    graph = Graph(content)

    def tensor(index: int) -> tuple:
        one = graph.sub.tensors[index]
        quantized = one.quantization
        scale = None if quantized is None or quantized.scale is None else quantized.scale.tobytes()
        zero = None if quantized is None or quantized.zeroPoint is None else quantized.zeroPoint.tobytes()
        data = graph.model.buffers[one.buffer].data
        return one.type, tuple(one.shape), scale, zero, None if data is None else bytes(data)

    return [
        (graph.kind(op), [tensor(i) for i in op.inputs if i >= 0], [tensor(i) for i in op.outputs])
        for op in graph.sub.operators
    ]


@pytest.mark.parametrize("name", ["plain", "leaky relu", "max pooling with stride 1"])
def test_integers_are_those_of_the_public_converter(converted, pictures, name):
    net, tf = converted(name), _tf.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(net.model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with _tf.quiet():
        public = converter.convert()
    assert structure(net.int8) == structure(public)


def test_float_file_answers_as_keras(converted, pictures):
    net = converted("plain")
    expected = net.model.predict(pictures, verbose=0)
    with open_session(Path("net.tflite"), content=net.float32) as session:
        np.testing.assert_allclose(logits(session, pictures), expected, atol=1e-5)
    np.testing.assert_allclose(net.function.logits(pictures), expected, atol=1e-6)


def test_ends_have_the_same_names_in_every_file(converted):
    net = converted("plain")
    for content, precision in ((net.float32, Precision.FLOAT32), (net.int8, Precision.INT8)):
        image, result = tflite.check(content, precision)
        assert (image.name, image.shape, result.name, result.shape) == ("image", (-1, 16, 16, 1), "logits", (-1, 5))
        assert image.dtype == result.dtype == precision.value


def test_int8_has_a_scale_for_each_filter(converted):
    graph = Graph(converted("plain").int8)
    convolutions = [op for op in graph.sub.operators if graph.kind(op) == "CONV_2D"]
    assert [len(graph.sub.tensors[op.inputs[1]].quantization.scale) for op in convolutions] == [8, 8]


@pytest.mark.parametrize("keep", [False, True])
def test_softmax_is_cut_or_kept(net, pictures, keep):
    model = net("softmax")
    function = source.trace(model, Path("net"))
    float32 = tflite.to_float(function.whole, softmax=keep)
    int8 = tflite.to_int8(float32, pictures)
    for content in (float32, int8):
        assert tflite.ends_in_softmax(content) is keep
        assert Graph(content).output.name == (b"probabilities" if keep else b"logits")
    probabilities = model.predict(pictures, verbose=0)
    with open_session(Path("net.tflite"), content=float32) as session:
        rows = logits(session, pictures)
    shares = rows if keep else np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, probabilities, atol=1e-5)
    assert np.exp(function.logits(pictures)).sum(axis=1).std() > 1e-3, "the reference must be logits"


def test_softmax_of_an_int8_file_is_cut_with_what_follows(net, pictures):
    float32 = tflite.to_float(source.trace(net("softmax"), Path("net")).whole, softmax=True)
    whole = tflite.to_int8(float32, pictures)
    kinds = [Graph(whole).kind(op) for op in Graph(whole).sub.operators]
    cut = tflite.adopt(whole)
    assert kinds[-1] == "SOFTMAX"
    assert [Graph(cut).kind(op) for op in Graph(cut).sub.operators] == kinds[:-1]
    tflite.check(cut, Precision.INT8)


def test_float_ends_of_an_int8_file_are_cut(net, pictures):
    tf = _tf.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(net("plain"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
    with _tf.quiet():
        content = converter.convert()
    assert {"QUANTIZE", "DEQUANTIZE"} < {Graph(content).kind(op) for op in Graph(content).sub.operators}
    assert tflite.precision_of(content) is Precision.INT8
    adopted = tflite.adopt(content)
    image, result = tflite.check(adopted, Precision.INT8)
    assert (image.dtype, result.dtype) == ("int8", "int8")


def test_metadata_is_read_back_and_replaced(converted):
    content = converted("plain").int8
    assert read_metadata(content) is None
    once = tflite.describe(content, {"labels": ["å", "b"]})
    twice = tflite.describe(once, {"labels": ["c"]})
    assert (read_metadata(once), read_metadata(twice)) == ({"labels": ["å", "b"]}, {"labels": ["c"]})
    assert "å".encode() not in twice
    assert tflite.check(twice, Precision.INT8) == tflite.check(content, Precision.INT8)


def test_weights_lie_where_kernels_may_read_them_in_place(converted):
    from ai_edge_litert import schema_py_generated as schema

    content = converted("plain").float32
    model = schema.Model.GetRootAs(content)
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    offsets = [b.DataAsNumpy().__array_interface__["data"][0] - start for b in buffers if b.DataLength()]
    assert len(offsets) > 4
    assert [offset % 16 for offset in offsets] == [0] * len(offsets)


def test_conversion_of_the_same_is_the_same(converted):
    content = converted("plain").int8
    assert tflite.adopt(content) == content


def test_a_layer_without_int8_form_is_named(net, pictures):
    model = net(lambda k, x: k.Dense(5)(k.Flatten()(k.ELU()(k.Conv2D(4, 3)(x)))))
    int8 = tflite.to_int8(tflite.to_float(source.trace(model, Path("net")).whole), pictures)
    with pytest.raises(ConversionError, match="computes ELU of this model in floats"):
        tflite.check(int8, Precision.INT8)


def test_weights_that_are_no_numbers_are_refused(net):
    model = net("plain")
    model.layers[-1].kernel.assign(np.full(model.layers[-1].kernel.shape, np.nan))
    with pytest.raises(ConversionError, match="NaN or infinite"):
        tflite.check(tflite.to_float(source.trace(model, Path("net")).whole), Precision.FLOAT32)


def test_float_is_no_int8_and_the_other_way_round(converted):
    net = converted("plain")
    with pytest.raises(ConversionError, match="expected image of int8"):
        tflite.check(net.float32, Precision.INT8)
    with pytest.raises(ConversionError, match="expected image of float32"):
        tflite.check(net.int8, Precision.FLOAT32)


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (np.zeros((0, 16, 16, 1), np.float32), "expected float32"),
        (np.zeros((3, 8, 16, 1), np.float32), "expected float32"),
        (np.zeros((3, 16, 16, 1)), "expected float32"),
        (np.full((3, 16, 16, 1), np.nan, np.float32), "finite"),
    ],
)
def test_calibration_pictures_are_checked(converted, calibration, message):
    with pytest.raises(ArgumentError, match=message):
        tflite.to_int8(converted("plain").float32, calibration)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0\0\0\0TFL3" + b"\xff" * 64, b"\x10\0\0\0TFL3" + bytes(64)])
def test_garbage_is_one_line(content):
    with pytest.raises(ConversionError, match="TFLite file"):
        Graph(content)
