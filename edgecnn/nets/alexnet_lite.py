"""alexnet-lite: AlexNet's order of layers at the size of MNIST; 1,676,266 parameters."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Fill, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec


def build(*, shape: tuple[int, int, int], classes: int) -> Any:
    """Build it, see `net.Builder`."""
    keras = _tf.keras()
    layers = keras.layers
    x = image = keras.Input(shape, name="image")
    for _ in range(2):
        x = layers.Conv2D(32, 3, activation="relu")(x)
        x = layers.MaxPooling2D(3, strides=1)(x)
    for _ in range(2):
        x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="alexnet_lite")


ALEXNET_LITE = Net(
    name="alexnet-lite",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=Recipe(
        epochs=5,
        batch=64,
        # The tutorial's shear_range=0.3 is in degrees: next to nothing, and here as it was.
        augmentation=Augmentation(rotation=8, shift=0.08, shear=0.3, zoom=0.08, fill=Fill.NEAREST),
        held_out=0,
        keep_best=False,
    ),
    recipe=Recipe(
        epochs=10,
        rate=1.5e-3,
        schedule=Schedule.ONE_CYCLE,
        patience=5,
        augmentation=Augmentation(rotation=10, shift=0.08, shear=10, zoom=0.1),
        bfloat16=True,
    ),
    source="a small AlexNet for MNIST with ImageDataGenerator",
    parameters=1_676_266,
    macs=21_675_136,
    least=15,
)
