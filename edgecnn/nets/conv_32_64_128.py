"""conv-32-64-128: three convolutions, one pooling, a dense layer of 128, dropout; 2,076,554 parameters; also leaky."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec


def build(*, shape: tuple[int, int, int], classes: int, leak: float = 0.0) -> Any:
    """Build it, see `net.Builder`.

    Args:
        shape: Height, width and channels of the input.
        classes: How many logits it gives.
        leak: Slope of the activations below zero; 0 is ReLU.
    """
    keras = _tf.keras()
    layers = keras.layers

    # ReLU goes into the layer before it: TFMOT does not quantize the weights in front of a ReLU layer of its own.
    inner = None if leak else "relu"

    def leaking(y: Any) -> Any:
        return layers.LeakyReLU(leak)(y) if leak else y

    x = image = keras.Input(shape, name="image")
    for filters in (32, 64, 128):
        x = leaking(layers.Conv2D(filters, 3, activation=inner)(x))
    x = layers.Dropout(0.5)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = leaking(layers.Dense(128, activation=inner)(x))
    x = layers.Dropout(0.5)(x)
    name = "conv_32_64_128_leaky" if leak else "conv_32_64_128"
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name=name)


CONV_32_64_128 = Net(
    name="conv-32-64-128",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=Recipe(epochs=20, batch=128, held_out=0.2, keep_best=False),
    recipe=Recipe(
        epochs=10,
        rate=1.5e-3,
        schedule=Schedule.ONE_CYCLE,
        patience=5,
        augmentation=Augmentation(rotation=10, shift=0.08, shear=10, zoom=0.1),
        bfloat16=True,
    ),
    source="a Keras CNN on MNIST with dropout, 20 epochs and a validation split of 0.2",
    parameters=2_076_554,
    macs=48_479_616,
    least=8,
)

CONV_32_64_128_LEAKY = replace(
    CONV_32_64_128,
    name="conv-32-64-128-leaky",
    build=partial(build, leak=0.1),
    source="the same, with LeakyReLU of slope 0.1",
)
