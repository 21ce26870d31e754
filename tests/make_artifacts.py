"""Makes the artefacts that many tests open: a small convolutional net, trained for seconds on the embedded digits.

Run as `python make_artifacts.py FOLDER`, in a process of its own: TensorFlow stays out of the tests' process. Writes
float32.tflite, int8.tflite, float32.onnx, int8.onnx and test.npz (pixels, labels, Keras logits).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import _tf
from edgecnn.convert.onnx import to_onnx
from edgecnn.data import load
from edgecnn.preprocess import to_tensor
from edgecnn.spec import Fit, ImageSpec

IMAGE = ImageSpec(28, 28, 1, fit=Fit.DIGIT)


def main(folder: Path) -> None:
    keras = _tf.keras()
    data = load("optdigits")
    train, test = (part.pixels(np.arange(len(part)), IMAGE) for part in (data.train, data.test))
    x = to_tensor(train, IMAGE)
    keras.utils.set_random_seed(1)
    source = keras.Input((28, 28, 1))
    flow = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(source)
    flow = keras.layers.Conv2D(16, 3, activation="relu")(flow)
    flow = keras.layers.MaxPool2D()(flow)
    model = keras.Model(source, keras.layers.Dense(10)(keras.layers.Flatten()(flow)))
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, data.train.labels, epochs=6, batch_size=32, verbose=0)

    (folder / "float32.tflite").write_bytes(_convert(model, None))
    (folder / "int8.tflite").write_bytes(_convert(model, x[:200]))
    for precision in ("float32", "int8"):
        (folder / f"{precision}.onnx").write_bytes(to_onnx((folder / f"{precision}.tflite").read_bytes()))
    logits = model.predict(to_tensor(test, IMAGE), verbose=0).astype(np.float32)
    np.savez(folder / "test.npz", pixels=test, labels=data.test.labels, logits=logits)


def _convert(model: Any, calibration: Any) -> bytes:
    tf = _tf.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:

        def samples() -> Iterator[list[Any]]:
            for at in range(len(calibration)):
                yield [calibration[at : at + 1]]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


if __name__ == "__main__":
    main(Path(sys.argv[1]))
