"""conv-32-64-64: three padded convolutions with pooling between, a dense layer of 64; 257,162 parameters."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Optimizer, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec


def build(*, shape: tuple[int, int, int], classes: int) -> Any:
    """Build it, see `net.Builder`."""
    keras = _tf.keras()
    layers = keras.layers
    x = image = keras.Input(shape, name="image")
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for _ in range(2):
        x = layers.MaxPooling2D(2)(x)
        x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="conv_32_64_64")


CONV_32_64_64 = Net(
    name="conv-32-64-64",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=Recipe(epochs=10, batch=200, optimizer=Optimizer.RMSPROP, held_out=0, keep_best=False),
    recipe=Recipe(
        epochs=20,
        rate=2e-3,
        schedule=Schedule.ONE_CYCLE,
        patience=10,
        augmentation=Augmentation(rotation=10, shift=0.08, shear=10, zoom=0.1),
    ),
    source="a Keras CNN on MNIST with three convolutions and RMSprop",
    parameters=257_162,
    macs=5_846_144,
    least=4,
)
