"""The stream of training batches: shuffled, loaded and augmented inside tf.data, one affine warp a picture.

Chance is a pure function of (seed, epoch) for the order and of (seed, step) for the warps, so a stream that starts in
the middle gives what an uninterrupted one gives there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecnn import _tf
from edgecnn.data import ArraySplit
from edgecnn.errors import ArgumentError, EdgecnnError
from edgecnn.nets.recipe import Fill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn.data import Split
    from edgecnn.nets.recipe import Augmentation, Recipe
    from edgecnn.spec import ImageSpec

MAX_SEED = 2**31 - 1
"""Largest seed."""

_ORDER, _WARP = 1, 2
"""Keep the chance of the order apart from that of the warps."""


def checked_seed(seed: int) -> int:
    """The seed, if it is one.

    Raises:
        ArgumentError: It is no whole number from 0 to 2147483647.
    """
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise ArgumentError(f"seed: expected a whole number from 0 to {MAX_SEED}, got {seed!r}")
    return seed


def seed_of(seed: int, kind: int, number: Any) -> Any:
    """A seed for stateless random operations: int32 [2], different for each kind and number."""
    tf = _tf.tensorflow()
    return tf.random.experimental.stateless_fold_in(tf.constant([seed, kind], tf.int32), number)


def warp(images: Any, seed: Any, augmentation: Augmentation) -> Any:
    """Change each picture of a batch by an affine map of its own, drawn at random.

    Rotation, shear, zoom and shift become one matrix, so a picture is sampled once (bilinear), not four times.

    Args:
        images: float32 [n, height, width, channels] of any range.
        seed: int32 [2]; the same seed gives the same maps.
        augmentation: How far each change may go.

    Returns:
        float32 [n, height, width, channels].
    """
    tf = _tf.tensorflow()
    count = tf.shape(images)[0]
    height, width = (tf.cast(side, tf.float32) for side in (images.shape[1], images.shape[2]))
    chance = tf.unstack(tf.random.stateless_uniform([6, count], seed, -1.0, 1.0))
    radians = 3.141592653589793 / 180
    angle = chance[0] * (augmentation.rotation * radians)
    shear = chance[1] * (augmentation.shear * radians)
    zoom_x, zoom_y = 1 + chance[2] * augmentation.zoom, 1 + chance[3] * augmentation.zoom
    cos, sin = tf.cos(angle), tf.sin(angle)
    # Rotation times shear times zoom, from a place in the result to the place in the picture that it shows.
    a, b = cos * zoom_x, (-cos * tf.sin(shear) - sin * tf.cos(shear)) * zoom_y
    c, d = sin * zoom_x, (-sin * tf.sin(shear) + cos * tf.cos(shear)) * zoom_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    move_x = middle_x - a * middle_x - b * middle_y + chance[4] * (augmentation.shift * width)
    move_y = middle_y - c * middle_x - d * middle_y + chance[5] * (augmentation.shift * height)
    zero = tf.zeros_like(a)
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, move_x, c, d, move_y, zero, zero], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT" if augmentation.fill is Fill.BLACK else "NEAREST",
    )
    return tf.ensure_shape(result, images.shape)


@dataclass
class Stream:
    """The training batches in their order.

    Attributes:
        batches: `tf.data.Dataset` of (float32 [n, height, width, channels], int64 [n]).
        failures: Why a picture could not be loaded: tf.data itself passes only a text on.
    """

    batches: Any
    failures: list[EdgecnnError] = field(default_factory=list)


def stream(split: Split, image: ImageSpec, recipe: Recipe, *, seed: int, skip: int = 0) -> Stream:
    """All batches of a whole training, from a step on.

    Pictures in memory are gathered by TensorFlow itself; others are loaded on demand, some batches ahead.

    Args:
        split: What is learnt from, not empty.
        image: The network's picture.
        recipe: Epochs, batch size and augmentation.
        seed: 0..2147483647.
        skip: Steps that are already done.

    Returns:
        The stream; the last batch of an epoch holds what is left.

    Raises:
        ArgumentError: The seed is out of range.
    """
    checked_seed(seed)
    tf = _tf.tensorflow()
    count = len(split)
    steps = -(-count // recipe.batch)
    result = Stream(None)
    fetch = _fetcher(split, image, result.failures)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def of_epoch(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed_of(seed, _ORDER, epoch))
        indices = tf.data.Dataset.from_tensor_slices(order).batch(recipe.batch)
        return tf.data.Dataset.zip((tf.data.Dataset.range(epoch * steps, (epoch + 1) * steps), indices))

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def load(step: Any, indices: Any) -> Any:
        pixels, labels = fetch(indices)
        pixels = tf.cast(pixels, tf.float32)
        if recipe.augmentation is not None:
            pixels = warp(pixels, seed_of(seed, _WARP, step), recipe.augmentation)
        return pixels * image.scale + image.offset, labels

    plan = tf.data.Dataset.range(skip // steps, recipe.epochs).flat_map(of_epoch).skip(skip % steps)
    result.batches = plan.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    return result


def _fetcher(split: Split, image: ImageSpec, failures: list[EdgecnnError]) -> Any:
    """A function from int32 indices [n] to uint8 pixels [n, height, width, channels] and int64 labels [n]."""
    import numpy as np

    tf = _tf.tensorflow()
    labels = tf.constant(split.labels)
    if isinstance(split, ArraySplit):
        pixels = tf.constant(split.pixels(np.arange(len(split)), image))
        return lambda indices: (tf.gather(pixels, indices), tf.gather(labels, indices))

    def read(indices: NDArray[np.int32]) -> NDArray[np.uint8]:
        try:
            return split.pixels(indices, image)
        except EdgecnnError as error:
            failures.append(error)
            raise

    def fetch(indices: Any) -> Any:
        pixels = tf.numpy_function(read, [indices], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, (None, *image.shape)), tf.gather(labels, indices)

    return fetch
