"""conv-64-32: two convolutions and one dense layer, without pooling; 203,434 parameters."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec


def build(*, shape: tuple[int, int, int], classes: int) -> Any:
    """Build it, see `net.Builder`."""
    keras = _tf.keras()
    layers = keras.layers
    x = image = keras.Input(shape, name="image")
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="conv_64_32")


CONV_64_32 = Net(
    name="conv-64-32",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=Recipe(epochs=3, batch=32, scale=1.0, held_out=0, keep_best=False),
    recipe=Recipe(
        epochs=10,
        rate=2e-3,
        schedule=Schedule.ONE_CYCLE,
        patience=5,
        augmentation=Augmentation(rotation=8, shift=0.06, shear=8, zoom=0.08),
        bfloat16=True,
    ),
    source="a first Keras CNN on MNIST: 64 and 32 filters on pixels of 0..255",
    parameters=203_434,
    macs=11_190_528,
    least=5,
)
