"""digits: our own net and the default everywhere; convolutions with batch normalization, 40,346 parameters."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.nets.net import Net
from edgecnn.nets.recipe import Augmentation, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec


def build(*, shape: tuple[int, int, int], classes: int, width: int = 16, name: str = "digits") -> Any:
    """Build it, see `net.Builder`.

    Args:
        shape: Height, width and channels of the input.
        classes: How many logits it gives.
        width: Filters of the first convolutions; the later ones have two and four times as many.
        name: Name of the model.
    """
    keras = _tf.keras()
    layers = keras.layers

    def convolve(x: Any, filters: int, kernel: int, padding: str = "same") -> Any:
        # No bias: the normalization that follows has one.
        x = layers.Conv2D(filters, kernel, padding=padding, use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    x = image = keras.Input(shape, name="image")
    for filters in (width, 2 * width):
        x = convolve(convolve(x, filters, 3), filters, 3)
        x = layers.MaxPooling2D(2)(x)
    x = convolve(x, 4 * width, 3, "valid")
    x = convolve(x, 4 * width, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name=name)


DIGITS = Net(
    name="digits",
    image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
    classes=10,
    build=build,
    seed_recipe=None,
    recipe=Recipe(
        epochs=40,
        rate=5e-3,
        schedule=Schedule.ONE_CYCLE,
        patience=15,
        augmentation=Augmentation(rotation=10, shift=0.1, shear=10, zoom=0.12),
    ),
    source="our own",
    parameters=40_346,
    macs=5_192_576,
    least=12,
)
