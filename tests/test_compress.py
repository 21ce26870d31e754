"""Quantization-aware training: every net is understood, ranges are right from the start, int8 keeps the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn import _tf, nets
from edgecnn.augment import stream
from edgecnn.compress import qat, quantizable, settle
from edgecnn.convert.source import trace
from edgecnn.convert.tflite import to_int8_from_ranges
from edgecnn.data import ArraySplit, Dataset, load
from edgecnn.errors import ArgumentError, ModelError
from edgecnn.metrics import accuracy
from edgecnn.nets import NETS, Recipe, Schedule
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import logits as answers_of
from edgecnn.runtime.session import open_session
from edgecnn.spec import Fit, ImageSpec
from edgecnn.train.loop import Loop, logits, seed_weights

DIGITS = nets.get("digits")
IMAGE = ImageSpec(28, 28, 1, fit=Fit.DIGIT)


@pytest.fixture(scope="module")
def few() -> Dataset:
    whole = load("optdigits")

    def part(split, count: int) -> ArraySplit:
        return ArraySplit(split.images[:count], split.labels[:count])

    return replace(
        whole, train=part(whole.train, 1000), validation=part(whole.validation, 150), test=part(whole.test, 300)
    )


@pytest.fixture(scope="module")
def trained(few: Dataset):
    """`digits`, trained for some seconds: about 95 % right."""
    model = nets.build("digits")
    seed_weights(model, 0)
    # 630 steps: the means of batch normalization need some hundreds.
    recipe = Recipe(epochs=10, batch=16, rate=5e-3, schedule=Schedule.ONE_CYCLE)
    loop = Loop(model, recipe, steps=630, seed=0)
    for images, labels in stream(few.train, IMAGE, recipe, seed=0).batches:
        loop.step(images, labels)
    assert accuracy(logits(model, few.test, IMAGE), few.test.labels).value > 0.8
    return model


def ranges(model) -> dict[str, float]:
    found = {v.name: v.numpy() for v in model.non_trainable_variables if v.name.endswith(("_min:0", "_max:0"))}
    return {name: float(value) for name, value in found.items() if value.ndim == 0}


@pytest.mark.parametrize("name", NETS)
def test_every_net_is_understood(name):
    """Each layer that computes has its fake quantization, weights for each channel, and int8 comes out."""
    least = NETS[name].least
    image = replace(NETS[name].image, height=least, width=least, fit=Fit.CROP)
    _tf.keras().utils.set_random_seed(0)
    model = nets.build(name, classes=4, image=image)
    quantized = quantizable(model)
    convolutions = [layer for layer in model.layers if isinstance(layer, _tf.keras().layers.Conv2D)]
    channels = [v.shape for v in quantized.variables if v.name.endswith("/kernel_min:0") and v.shape != ()]
    assert channels == [(layer.filters,) for layer in convolutions]
    if name == "alexnet":
        return  # 21 million weights: converting them takes as long as all the other tests here
    pictures = np.random.default_rng(0).random((8, *image.shape), np.float32) - np.float32(0.5)
    settle(quantized, _tf.tensorflow().data.Dataset.from_tensors((pictures, np.zeros(8, np.int64))))
    content = to_int8_from_ranges(trace(quantized, Path(name)).ranges)
    with open_session(Path(f"{name}.tflite"), content=content) as session:
        assert (session.input.dtype, session.output.dtype) == ("int8", "int8")
        assert session.output.shape[1] == 4
        close = np.abs(answers_of(session, pictures) - quantized(pictures, training=False).numpy()).max()
        assert close <= 8 * session.output.scale, "every layer rounds, and an untrained net's logits are small"


def test_the_ranges_are_those_of_the_pictures_before_the_first_step(trained, few):
    quantized = quantizable(trained)
    before = logits(quantized, few.test, IMAGE)
    settle(quantized, stream(few.train, IMAGE, Recipe(epochs=1, batch=100), seed=0).batches)
    found = ranges(quantized)
    entrance = [value for name, value in found.items() if name.startswith("quantize_layer")]
    assert entrance == pytest.approx([0, 1], abs=1e-3)
    activations = _tf.keras().Model(trained.input, [layer.output for layer in trained.layers if "re_lu" in layer.name])
    pictures = to_tensor(few.train.pixels(np.arange(len(few.train)), IMAGE), IMAGE)
    highest = [float(np.max(values)) for values in activations(pictures, training=True)]
    learnt = [value for name, value in found.items() if "re_lu" in name and name.endswith("max:0")]
    assert learnt == pytest.approx(highest, rel=0.35)  # from half of the pictures, which batch normalization sees alone
    right = accuracy(logits(trained, few.test, IMAGE), few.test.labels).value
    assert accuracy(logits(quantized, few.test, IMAGE), few.test.labels).value >= right - 0.02
    assert not np.array_equal(before, logits(quantized, few.test, IMAGE))


def test_settling_moves_nothing_but_ranges(trained, few):
    quantized = quantizable(trained)
    others = [v for v in quantized.variables if not v.name.endswith(("_min:0", "_max:0"))]
    before = [v.numpy() for v in others]
    settle(quantized, stream(few.train, IMAGE, Recipe(epochs=1), seed=0).batches)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, others, strict=True))


def test_fine_tuned_and_converted(trained, few):
    original = trained.get_weights()
    ticks = []
    tuned = qat(trained, few, IMAGE, epochs=2, batch=50, on_tick=ticks.append)
    assert all(np.array_equal(a, b) for a, b in zip(original, trained.get_weights(), strict=True))
    assert (ticks[-1].epoch, ticks[-1].epochs, ticks[-1].step, ticks[-1].steps) == (2, 2, 20, 20)
    with open_session(
        Path("digits.tflite"), content=to_int8_from_ranges(trace(tuned, Path("digits")).ranges)
    ) as session:
        integers = answers_of(session, to_tensor(few.test.pixels(np.arange(300), IMAGE), IMAGE))
    simulated = logits(tuned, few.test, IMAGE)
    assert (integers.argmax(axis=1) == simulated.argmax(axis=1)).mean() >= 0.98
    right = accuracy(logits(trained, few.test, IMAGE), few.test.labels).value
    assert accuracy(integers, few.test.labels).value >= right - 0.02


def test_the_best_by_validation_is_kept(trained, few):
    """With a rate that destroys the net, what is kept is what it was before."""
    tuned = qat(trained, few, IMAGE, epochs=1, batch=50, rate=10.0)
    before = accuracy(logits(trained, few.validation, IMAGE), few.validation.labels).value
    assert accuracy(logits(tuned, few.validation, IMAGE), few.validation.labels).value >= before - 0.03


def test_dropout_is_left_out():
    quantized = quantizable(nets.build("conv-32-64-128", image=ImageSpec(8, 8, 1)))
    rates = [layer.layer.rate for layer in quantized.layers if "dropout" in layer.name]
    assert rates == [0.0, 0.0]


def test_what_cannot_be_quantized(few):
    keras = _tf.keras()
    picture = keras.Input((28, 28, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(picture))
    unknown = keras.Model(
        picture, keras.layers.Dense(10)(keras.layers.GaussianNoise(0.1)(keras.layers.Lambda(lambda v: 2 * v)(x)))
    )
    with pytest.raises(ModelError, match=r"qat: TFMOT refuses the model: .*[Ll]ambda"):
        qat(unknown, few, IMAGE)
    with pytest.raises(ModelError, match="qat: expected a functional or sequential model of tf_keras, got builtins"):
        qat(object(), few, IMAGE)
    with pytest.raises(
        ModelError, match=r"qat: expected a model for pictures \(28, 28, 1\), got one for \(12, 12, 1\)"
    ):
        qat(nets.build("tiny", image=ImageSpec(12, 12, 1)), few, IMAGE)
    with pytest.raises(ArgumentError, match="epochs: expected a whole number from 1"):
        qat(nets.build("tiny"), few, IMAGE, epochs=0)
    empty = replace(few, validation=ArraySplit(few.test.images[:0], few.test.labels[:0]))
    with pytest.raises(ArgumentError, match="expected training and validation pictures, one of them is empty"):
        qat(nets.build("tiny"), empty, IMAGE)
