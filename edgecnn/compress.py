"""Quantization-aware training: TFMOT's fake quantization in the graph, and a fine-tuning for the integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn import _tf
from edgecnn.augment import checked_seed, stream
from edgecnn.errors import ArgumentError, ModelError
from edgecnn.metrics import accuracy
from edgecnn.nets import Augmentation, Recipe, Schedule
from edgecnn.train import Tick
from edgecnn.train.loop import Loop, cross_entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.data import Dataset
    from edgecnn.spec import ImageSpec

_DECAY = 0.999
"""By how much TFMOT's moving averages keep their old value at each step."""
_SETTLING = 512
"""Training pictures that the ranges are first taken from."""


def qat(
    model: Any,
    dataset: Dataset,
    image: ImageSpec,
    *,
    epochs: int = 1,
    batch: int = 128,
    rate: float = 2e-4,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    on_tick: Callable[[Tick], None] | None = None,
) -> Any:
    """Make a float model ready for int8 and fine-tune it.

    Weights are quantized for each channel and activations for each tensor, TFMOT's default scheme of 8 bits. The best
    weights by validation are kept, those before the first epoch included. Dropout is left out: it would double the
    ranges that are learnt, and a few epochs at a low rate do not overfit. Of a layer that a ReLU layer follows directly
    TFMOT leaves the weights unquantized while it trains; they are quantized by the conversion alone.

    Args:
        model: A functional or sequential `tf_keras.Model` that ends in logits, not compiled or otherwise; not changed.
        dataset: What it learns from.
        image: The model's picture.
        epochs: Times that every training picture is seen, 1 or more.
        batch: Pictures a step.
        rate: Peak of the learning rate's one cycle.
        augmentation: Random changes to the training pictures; None for none.
        seed: Of the order and the warps.
        on_tick: Called a few times a second.

    Returns:
        A `tf_keras.Model` with TFMOT's wrappers; convert it with its own ranges.

    Raises:
        ArgumentError: A value is out of range.
        ModelError: It is no tf_keras model, its picture is another one, TFMOT does not know one of its layers, or the
            loss is no longer a number.
        MissingExtraError: TFMOT is not installed.
    """
    checked_seed(seed)
    recipe = Recipe(
        epochs=epochs,
        batch=batch,
        rate=rate,
        schedule=Schedule.ONE_CYCLE,
        scale=image.scale,
        offset=image.offset,
        augmentation=augmentation,
    )
    if not len(dataset.train) or not len(dataset.validation):
        raise ArgumentError(f"data set {dataset.name}: expected training and validation pictures, one of them is empty")
    quantized = quantizable(model)
    if tuple(quantized.input_shape[1:]) != image.shape:
        raise ModelError(f"qat: expected a model for pictures {image.shape}, got one for {quantized.input_shape[1:]}")
    settle(quantized, stream(dataset.train, image, recipe, seed=seed).batches)
    _tune(quantized, dataset, image, recipe, seed, on_tick)
    return quantized


def quantizable(model: Any) -> Any:
    """A copy of a model with TFMOT's fake quantization in it and without dropout; its ranges are not set yet.

    Raises:
        ModelError: It is no tf_keras model, or TFMOT does not know one of its layers.
    """
    keras, tfmot = _tf.keras(), _tf.tfmot()
    if not isinstance(model, keras.Model) or not getattr(model, "_is_graph_network", False):
        kind = f"{type(model).__module__.split('.')[0]} {type(model).__name__}"
        raise ModelError(
            f"qat: expected a functional or sequential model of tf_keras, got {kind}; train it with edgecnn"
        )

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] = 0.0
        return type(layer).from_config(config)

    with _tf.quiet():
        plain = keras.models.clone_model(model, clone_function=clone)
        plain.set_weights(model.get_weights())
        try:
            return tfmot.quantization.keras.quantize_model(plain)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"qat: TFMOT refuses the model: {' '.join(str(error).split())[:300]}") from error


def settle(model: Any, batches: Any) -> None:
    """Set the ranges of the activations to what they are on some pictures.

    TFMOT starts every range at -6 to 6 and moves it by a thousandth a step, so a short training would quantize with
    wrong ranges. Here each pass shows, from how far an average moved, what it moved towards, and it is put there. A
    range is right once those before it are; so there are as many passes as layers.

    Args:
        model: What `quantizable` gave; changed.
        batches: `tf.data.Dataset` of (pictures, labels).
    """
    tf = _tf.tensorflow()
    parts, count = [], 0
    for images, _ in batches:
        parts.append(images)
        count += images.shape[0]
        if count >= _SETTLING:
            break
    images = tf.concat(parts, axis=0)[:_SETTLING]
    averages = [v for v in model.non_trainable_variables if v.name.split(":")[0].endswith(("_min", "_max"))]
    others = [v for v in model.variables if not any(v is average for average in averages)]
    kept = [v.numpy() for v in others]
    observe = tf.function(lambda: model(images, training=True), autograph=False)
    observe()  # ranges of weights are not averages: they are set by the first pass, and the next ones leave them
    for _ in range(len(model.layers)):
        before = [average.numpy() for average in averages]
        observe()
        for average, old in zip(averages, before, strict=True):
            average.assign(old + (average.numpy() - old) / (1 - _DECAY))
    for variable, value in zip(others, kept, strict=True):
        variable.assign(value)  # the means of batch normalization have moved too


def _tune(
    model: Any, dataset: Dataset, image: ImageSpec, recipe: Recipe, seed: int, on_tick: Callable[[Tick], None] | None
) -> None:
    """Train it, and leave in it the weights that were best on validation."""
    import time

    steps = -(-len(dataset.train) // recipe.batch)
    loop = Loop(model, recipe, steps=steps * recipe.epochs, seed=seed)
    feed = stream(dataset.train, image, recipe, seed=seed)
    best, weights = _merit(loop, dataset, image), loop.weights()
    began = ticked = time.monotonic()
    for done, (images, labels) in enumerate(feed.batches, start=1):
        loop.step(images, labels)
        epoch, step = divmod(done - 1, steps)
        now = time.monotonic()
        if on_tick is not None and (now - ticked > 0.2 or step == steps - 1):
            ticked = now
            left = (now - began) / done * (steps * recipe.epochs - done)
            on_tick(Tick(epoch + 1, recipe.epochs, step + 1, steps, *loop.totals(), left))
        if step == steps - 1:
            merit = _merit(loop, dataset, image)
            if merit > best:
                best, weights = merit, loop.weights()
            loop.start_epoch()
    model.set_weights(weights)


def _merit(loop: Loop, dataset: Dataset, image: ImageSpec) -> tuple[float, float]:
    """Validation accuracy, and where that is equal minus the loss."""
    logits: NDArray[np.float32] = loop.logits(dataset.validation, image)
    if not np.isfinite(logits).all():
        raise ModelError("qat: the net's answers are no longer numbers; a lower rate may help")
    labels = dataset.validation.labels
    return accuracy(logits, labels).value, -cross_entropy(logits, labels)
