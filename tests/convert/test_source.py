"""Opening of Keras files and SavedModels: what they compute, and what they are refused for."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgecnn import _tf
from edgecnn.convert import source, tflite, untrusted
from edgecnn.errors import ModelError
from edgecnn.spec import Precision


def save(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .h5 is legacy, the model was not compiled
        model.save(path)
    return path


@pytest.fixture(scope="module")
def keras3() -> Any:
    return pytest.importorskip("keras", reason="keras is not installed; pip install 'edgecnn[train]'")


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "saved"])
def test_a_model_of_tf_keras(net, pictures, tmp_path, name):
    model = net("plain")
    path = save(model, tmp_path / name)
    opened = source.open_saved_model(path) if path.is_dir() else source.trace(source.open_keras(path), path)
    assert (opened.shape, opened.classes, opened.batch, opened.ranges) == ((16, 16, 1), 5, None, None)
    np.testing.assert_allclose(opened.logits(pictures), model.predict(pictures, verbose=0), atol=1e-5)


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "saved"])
def test_a_model_of_keras_3(keras3, pictures, tmp_path, name):
    layers = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input((16, 16, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax"),
        ]
    )
    path = tmp_path / name
    with _tf.quiet():
        model.export(path, verbose=False) if name == "saved" else model.save(path)
        probabilities = model.predict(pictures, verbose=0)
    opened = source.open_saved_model(path) if path.is_dir() else source.trace(source.open_keras(path), path)
    rows = opened.logits(pictures)
    shares = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, probabilities, atol=1e-5)
    graph = tflite.Graph(tflite.to_float(opened.whole))
    assert "SHAPE" not in {graph.kind(op) for op in graph.sub.operators}, "the shape of Flatten must be a constant"
    tflite.check(tflite.to_int8(graph.pack(), pictures), Precision.INT8)


@pytest.fixture(scope="module")
def trained_for_int8(net, pictures) -> Any:
    """A model of TFMOT, trained for a few steps so that its ranges are those of the pictures."""
    tfmot = _tf.tfmot()
    with _tf.quiet():
        model = tfmot.quantization.keras.quantize_model(net("plain"))
        model.compile("sgd", _tf.keras().losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(pictures, np.arange(len(pictures)) % 5, batch_size=16, epochs=3, verbose=0)
    return model


@pytest.mark.parametrize("name", ["net.h5", "saved"])
def test_a_model_of_quantization_aware_training_becomes_int8_from_its_own_ranges(
    trained_for_int8, pictures, tmp_path, name
):
    path = save(trained_for_int8, tmp_path / name)
    opened = source.open_saved_model(path) if path.is_dir() else source.trace(source.open_keras(path), path)
    int8 = tflite.to_int8_from_ranges(opened.ranges)
    image, _ = tflite.check(int8, Precision.INT8)
    quantizer = trained_for_int8.layers[1]
    low, high = (float(v) for v in quantizer.weights[:2])
    assert image.scale == pytest.approx((high - low) / 255, rel=1e-3)
    float32 = tflite.Graph(tflite.to_float(opened.whole))
    assert not {"QUANTIZE", "DEQUANTIZE"} & {float32.kind(op) for op in float32.sub.operators}
    assert not np.array_equal(opened.logits(pictures), trained_for_int8.predict(pictures, verbose=0))


def test_keras_files_of_quantization_aware_training_are_named(trained_for_int8, tmp_path):
    with pytest.raises(ModelError, match=r"save the model as \.h5 or as a SavedModel"):
        source.open_keras(save(trained_for_int8, tmp_path / "net.keras"))


def test_logits_of_a_softmax_model_for_training(net, pictures):
    model = net("softmax")
    bare = source.ending_in_logits(model)
    np.testing.assert_allclose(
        bare.predict(pictures, verbose=0), source.trace(model, Path("net")).logits(pictures), atol=1e-5
    )
    dense = net(lambda k, x: k.Dense(5, activation="softmax")(k.Flatten()(x)))
    assert source.ending_in_logits(dense).layers[-1].activation.__name__ == "linear"
    plain = net("plain")
    assert source.ending_in_logits(plain) is plain


@pytest.mark.parametrize(("first", "scales"), [("Rescaling", True), ("Conv2D", False)])
def test_a_model_that_scales_its_pixels_is_known(net, first, scales):
    body = (lambda k, x: k.Dense(5)(k.Flatten()(k.Rescaling(1 / 255)(x)))) if scales else "plain"
    assert source.trace(net(body), Path("net")).scales_itself is scales


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((256,), lambda k, x: k.Dense(5)(x), "put a Reshape layer in front"),
        ((None, None, 1), lambda k, x: k.Dense(5)(k.GlobalAveragePooling2D()(x)), "fixed size"),
        ((16, 16, 4), lambda k, x: k.Dense(5)(k.Flatten()(x)), "1 or 3 channels"),
        ((16, 16, 1), lambda k, x: [k.Dense(5)(k.Flatten()(x)), k.Dense(2)(k.Flatten()(x))], "1 input and 1 output"),
        ((16, 16, 1), lambda k, x: k.Conv2D(4, 3)(x), r"expected an output \[n, classes\]"),
        ((16, 16, 1), lambda k, x: k.Dense(1)(k.Flatten()(x)), "2 classes at least"),
    ],
)
def test_other_networks_are_one_line(net, shape, layers, message):
    with pytest.raises(ModelError, match=message):
        source.trace(net(layers, shape), Path("net"))


def test_two_inputs_are_one_line():
    keras = _tf.keras()
    one, two = keras.Input((16, 16, 1)), keras.Input((16, 16, 1))
    body = keras.layers.Dense(5)(keras.layers.Flatten()(keras.layers.Add()([one, two])))
    with pytest.raises(ModelError, match="1 input and 1 output, got 2 and 1"):
        source.trace(keras.Model([one, two], body), Path("net"))


@pytest.fixture
def archive(net, tmp_path) -> Callable[..., Path]:
    """`archive(change)`: a .keras file whose configuration went through `change`."""

    def make(change: Callable[[dict[str, Any]], None], **members: bytes) -> Path:
        whole = save(net("plain"), tmp_path / "whole.keras")
        changed = tmp_path / "changed.keras"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
            config = json.loads(old.read("config.json"))
            change(config)
            new.writestr("config.json", json.dumps(config))
            new.writestr("metadata.json", old.read("metadata.json"))
            new.writestr("model.weights.h5", members.get("weights", old.read("model.weights.h5")))
        return changed

    return make


def first_layer(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["config"]["layers"][1].update(values)


LAMBDA = {"class_name": "Lambda", "config": {"function": ["4wAAAAA=", None, None]}, "module": "keras.layers"}


@pytest.mark.parametrize(
    "values",
    [
        LAMBDA,
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
        {"class_name": "run", "module": "subprocess"},
        {"class_name": "TorchModuleWrapper", "module": "keras.layers"},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/tmp/other"}},
        {"class_name": "Conv2D", "module": "keras.utils.get_file"},
        {"class_name": "TFOpLambda", "module": "keras.layers", "config": {"function": "io.write_file"}},
    ],
    ids=lambda values: values["class_name"],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_file_that_names_code_is_refused(archive, values, deep, monkeypatch):
    path = archive(first_layer(config={"name": "x", "activation": values}) if deep else first_layer(**values))
    monkeypatch.setattr(_tf, "keras", lambda: pytest.fail("the file reached Keras"))
    with pytest.raises(ModelError, match=r"runs code of its own|calls the function"):
        source.open_keras(path)


def test_a_lambda_in_an_h5_file_is_refused(net, tmp_path, monkeypatch):
    path = save(net("plain"), tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1].update(LAMBDA)
        file.attrs["model_config"] = json.dumps(config)
    monkeypatch.setattr(_tf, "keras", lambda: pytest.fail("the file reached Keras"))
    with pytest.raises(ModelError, match=r"Lambda of keras\.layers runs code"):
        source.open_keras(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(archive, monkeypatch):
    path = archive(lambda config: None, weights=bytes(4 << 20))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(untrusted, "MAX_BYTES", 1 << 20)
    with pytest.raises(ModelError, match="unpacks to"):
        source.open_keras(path)


def test_arrays_larger_than_their_file_are_refused(net, tmp_path):
    path = save(net("plain"), tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("huge", (1 << 40,), np.float32, chunks=(1024,))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ModelError, match="its arrays are"):
        source.open_keras(path)


def test_arrays_in_other_files_are_refused(net, tmp_path):
    path = save(net("plain"), tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/x")
    with pytest.raises(ModelError, match="link to elsewhere"):
        source.open_keras(path)
    with h5py.File(path, "r+") as file:
        del file["elsewhere"]
        file.create_dataset("outside", (8,), np.uint8, external=[("/etc/hostname", 0, 8)])
    with pytest.raises(ModelError, match="lies in another file"):
        source.open_keras(path)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_broken_files_are_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        source.open_keras(tmp_path / name)


def test_weights_alone_are_named(net, tmp_path):
    net("plain").save_weights(tmp_path / "net.h5")
    with pytest.raises(ModelError, match="only weights"):
        source.open_keras(tmp_path / "net.h5")


def test_a_saved_model_that_writes_files_is_refused(tmp_path):
    tf = _tf.tensorflow()
    written = tmp_path / "written"

    class Spy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 1), tf.float32)])
        def __call__(self, image: Any) -> Any:
            tf.io.write_file(str(written), "x")
            return tf.reduce_mean(image, [1, 2]) * tf.ones((1, 5))

    spy = Spy()
    with _tf.quiet():
        tf.saved_model.save(spy, str(tmp_path / "saved"), signatures=spy.__call__)
    with pytest.raises(ModelError, match="WriteFile reaches outside"):
        source.open_saved_model(tmp_path / "saved")
    assert not written.exists()


def test_a_broken_saved_model_is_one_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 50)
    with pytest.raises(ModelError, match="not a SavedModel"):
        source.open_saved_model(tmp_path)
