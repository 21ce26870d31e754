"""Small nets with random weights, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn import _tf
from edgecnn.convert import source, tflite

SHAPE = (16, 16, 1)


def conv(k: Any, x: Any, **options: Any) -> Any:
    return k.Conv2D(8, 3, **options)(x)


def dense(k: Any, x: Any) -> Any:
    return k.Dense(5)(k.Flatten()(x))


def plain(k: Any, x: Any) -> Any:
    x = k.ReLU()(k.BatchNormalization()(conv(k, x, use_bias=False)))
    return dense(k, conv(k, k.MaxPool2D()(x), padding="same", activation="relu"))


BODIES: dict[str, Callable[[Any, Any], Any]] = {
    "plain": plain,
    "max pooling with stride 1": lambda k, x: dense(k, k.MaxPool2D(3, 1)(conv(k, x, activation="relu"))),
    "dense layers": lambda k, x: k.Dense(5)(k.Dense(16, activation="relu")(k.Flatten()(x))),
    "leaky relu": lambda k, x: dense(k, k.LeakyReLU(0.1)(conv(k, k.LeakyReLU(0.3)(conv(k, x))))),
    "global average": lambda k, x: k.Dense(5)(k.GlobalAveragePooling2D()(conv(k, x, activation="relu"))),
    "average pooling": lambda k, x: dense(k, k.AveragePooling2D(3, 2, padding="same")(conv(k, x))),
    "odd width": lambda k, x: dense(k, k.Conv2D(8, (3, 2), activation="relu")(x)),
    "even filter": lambda k, x: dense(k, k.Conv2D(8, 4, padding="same", activation="relu")(x)),
    "wide filter": lambda k, x: dense(k, k.Conv2D(8, 7, padding="same")(x)),
    "strides": lambda k, x: dense(k, conv(k, x, strides=2, padding="same", activation="relu")),
    "dilation": lambda k, x: dense(k, conv(k, x, dilation_rate=2, activation="relu")),
    "padding": lambda k, x: dense(k, conv(k, k.ZeroPadding2D()(conv(k, x)))),
    "depthwise": lambda k, x: dense(k, k.DepthwiseConv2D(3, activation="relu")(conv(k, x))),
    "relu6": lambda k, x: dense(k, k.ReLU(6.0)(conv(k, k.Rescaling(20.0)(x)))),
    "branches": lambda k, x: dense(k, k.Concatenate()([y := conv(k, x), conv(k, y, padding="same")])),
    "residual": lambda k, x: dense(k, k.Add()([y := conv(k, x, activation="relu"), conv(k, y, padding="same")])),
    "sigmoid": lambda k, x: dense(k, conv(k, x, activation="sigmoid")),
    "nested": lambda k, x: dense(k, _tf.keras().Sequential([_tf.keras().Sequential([k.Conv2D(8, 3)]), k.ReLU()])(x)),
    "softmax": lambda k, x: k.Softmax()(plain(k, x)),
}
"""What the nets of these tests are made of; all but "softmax" end in logits."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `body` runs for each of `BODIES`."""
    if "body" in metafunc.fixturenames:
        metafunc.parametrize("body", list(BODIES))


@dataclass(frozen=True)
class Converted:
    """A net, and its TFLite files."""

    model: Any
    function: source.Function
    float32: bytes
    int8: bytes


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """float32 [48, 16, 16, 1]: smooth blobs, 0..1, as unlike noise as pictures are."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:16, 0:16]
    centres, widths = random.uniform(3, 13, (48, 2)), random.uniform(2, 5, 48)
    square = (rows - centres[:, :1, None]) ** 2 + (columns - centres[:, 1:, None]) ** 2
    return np.exp(-square / widths[:, None, None] ** 2).astype(np.float32)[..., None]


@pytest.fixture(scope="session")
def net() -> Callable[..., Any]:
    """`net(body)`: a functional tf_keras model of a name in `BODIES`, or of a function like those."""

    def make(body: str | Callable[[Any, Any], Any], shape: tuple[int, ...] = SHAPE) -> Any:
        keras = _tf.keras()
        keras.utils.set_random_seed(3)
        image = keras.Input(shape)
        model = keras.Model(image, (BODIES[body] if isinstance(body, str) else body)(keras.layers, image))
        random = np.random.default_rng(4)
        # Biases and the statistics of batch normalization begin at 0 and 1, which would hide how they are handled.
        for variable in model.variables:
            if len(variable.shape) == 1:
                variable.assign(variable + random.uniform(0.05, 0.3, variable.shape))
        return model

    return make


@pytest.fixture(scope="session")
def converted(net: Callable[..., Any], pictures: np.ndarray) -> Callable[[str], Converted]:
    """`converted(body)`: the net of a name in `BODIES` and its files, made once."""
    made: dict[str, Converted] = {}

    def make(body: str) -> Converted:
        if body not in made:
            model = net(body)
            function = source.trace(model, Path("net"))
            float32 = tflite.to_float(function.whole)
            made[body] = Converted(model, function, float32, tflite.to_int8(float32, pictures))
        return made[body]

    return make
