"""alexnet: the net of A. Krizhevsky, I. Sutskever and G. Hinton (2012) in one column; 25,678,184 parameters."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Fill, Recipe, Schedule
from edgecnn.spec import ImageSpec


def build(*, shape: tuple[int, int, int], classes: int) -> Any:
    """Build it, see `net.Builder`."""
    keras = _tf.keras()
    layers = keras.layers
    x = image = keras.Input(shape, name="image")
    x = layers.Conv2D(96, 11, strides=4, activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = layers.Conv2D(256, 5, activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    for filters in (384, 384, 256):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(4096, activation="relu")(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="alexnet")


ALEXNET = Net(
    name="alexnet",
    image=ImageSpec(224, 224, 3),
    classes=1000,
    build=build,
    seed_recipe=Recipe(epochs=10, batch=32, held_out=None, keep_best=False),
    recipe=Recipe(
        epochs=20,
        batch=32,
        rate=3e-4,
        schedule=Schedule.ONE_CYCLE,
        patience=7,
        augmentation=Augmentation(rotation=10, shift=0.08, shear=5, zoom=0.1, fill=Fill.NEAREST),
    ),
    source="AlexNet without padding and without its two groups",
    parameters=25_678_184,
    macs=539_462_784,
    least=195,
)
