"""tiny: two convolutions without an activation and one dense layer; 2,674 parameters."""

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
    for _ in range(2):
        x = layers.Conv2D(8, 3)(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="tiny")


TINY = Net(
    name="tiny",
    image=ImageSpec(28, 28, 1, scale=1 / 255, offset=-0.5, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=Recipe(epochs=3, batch=32, offset=-0.5, held_out=0, keep_best=False),
    recipe=Recipe(
        epochs=30,
        rate=1e-2,
        schedule=Schedule.ONE_CYCLE,
        patience=12,
        offset=-0.5,
        augmentation=Augmentation(rotation=5, shift=0.04, shear=5, zoom=0.05),
    ),
    source="a CNN trained with plain numpy, then with Keras: 8 filters, pooling, softmax",
    parameters=2_674,
    macs=120_368,
    least=10,
)
