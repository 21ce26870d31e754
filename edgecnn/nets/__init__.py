"""Nets: one file for each builder of an untrained network. `NETS` can be read without TensorFlow."""

from __future__ import annotations

from typing import Any

from edgecnn import _tf
from edgecnn.errors import ArgumentError, ModelError, did_you_mean
from edgecnn.nets.alexnet import ALEXNET
from edgecnn.nets.alexnet_lite import ALEXNET_LITE
from edgecnn.nets.conv_32_64_64 import CONV_32_64_64
from edgecnn.nets.conv_32_64_128 import CONV_32_64_128, CONV_32_64_128_LEAKY
from edgecnn.nets.conv_64_32 import CONV_64_32
from edgecnn.nets.digits import DIGITS
from edgecnn.nets.digits_live import DIGITS_LIVE
from edgecnn.nets.net import Builder, Net, count_macs
from edgecnn.nets.recipe import Augmentation, Fill, Optimizer, Recipe, Schedule
from edgecnn.nets.tiny import TINY
from edgecnn.spec import ImageSpec

__all__ = [
    "MAX_CLASSES",
    "NETS",
    "Augmentation",
    "Builder",
    "Fill",
    "Net",
    "Optimizer",
    "Recipe",
    "Schedule",
    "build",
    "count_macs",
    "get",
    "recipe_of",
]

MAX_CLASSES = 100_000
"""Most classes that a net may have."""

_ALL = (
    DIGITS,
    DIGITS_LIVE,
    TINY,
    CONV_64_32,
    CONV_32_64_64,
    CONV_32_64_128,
    CONV_32_64_128_LEAKY,
    ALEXNET_LITE,
    ALEXNET,
)

NETS: dict[str, Net] = {net.name: net for net in _ALL}
"""Every net by name: our own first, then the seeds."""


def get(name: str) -> Net:
    """A net by its name.

    Raises:
        ArgumentError: There is none of this name.
    """
    if name not in NETS:
        raise ArgumentError(f"net: expected one of {', '.join(NETS)}, got {name!r}{did_you_mean(name, NETS)}")
    return NETS[name]


def recipe_of(net: Net, name: str) -> Recipe:
    """A net's recipe by name.

    Args:
        net: The net.
        name: "ours" or "seed".

    Raises:
        ArgumentError: There is no such recipe.
    """
    if name == "ours":
        return net.recipe
    if name != "seed":
        raise ArgumentError(f"recipe: expected ours or seed, got {name!r}")
    if net.seed_recipe is None:
        raise ArgumentError(f"recipe: {net.name} is a net of our own and has no seed; expected ours")
    return net.seed_recipe


def build(name: str, *, classes: int | None = None, image: ImageSpec | None = None) -> Any:
    """Build an untrained network.

    Args:
        name: A key of `NETS`.
        classes: How many logits it gives; None for the net's own number.
        image: The picture that it takes; None for the net's own.

    Returns:
        A `tf_keras.Model` in the functional API: float32 [n, height, width, channels] to float32 logits [n, classes].

    Raises:
        ArgumentError: There is no such net, or `classes` is out of range.
        ModelError: The picture is too small for the net's layers.
        MissingExtraError: tf_keras is not installed.
    """
    net = get(name)
    classes = net.classes if classes is None else classes
    image = net.image if image is None else image
    if type(classes) is not int or not 2 <= classes <= MAX_CLASSES:
        raise ArgumentError(f"classes: expected a whole number from 2 to {MAX_CLASSES}, got {classes!r}")
    if min(image.height, image.width) < net.least:
        raise ModelError(
            f"net {name}: expected a picture of at least {net.least}x{net.least} pixels, "
            f"got {image.height}x{image.width}; take larger pictures or another net"
        )
    with _tf.quiet():  # the first network of a process makes TensorFlow tell that it found no GPU
        return net.build(shape=image.shape, classes=classes)
