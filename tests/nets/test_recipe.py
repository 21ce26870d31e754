"""Recipes: the seeds' own, what may be in one, and the course of the rate."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn import nets
from edgecnn.errors import ArgumentError
from edgecnn.nets import NETS, Augmentation, Optimizer, Recipe, Schedule
from edgecnn.nets.recipe import rates


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "optimizer", "scale", "offset", "held_out"),
    [
        ("tiny", 3, 32, "adam", 1 / 255, -0.5, 0),
        ("conv-64-32", 3, 32, "adam", 1, 0, 0),
        ("conv-32-64-64", 10, 200, "rmsprop", 1 / 255, 0, 0),
        ("conv-32-64-128", 20, 128, "adam", 1 / 255, 0, 0.2),
        ("conv-32-64-128-leaky", 20, 128, "adam", 1 / 255, 0, 0.2),
        ("alexnet-lite", 5, 64, "adam", 1 / 255, 0, 0),
    ],
)
def test_the_seeds_own_training(name, epochs, batch, optimizer, scale, offset, held_out):
    recipe = nets.recipe_of(NETS[name], "seed")
    assert (recipe.epochs, recipe.batch, recipe.optimizer) == (epochs, batch, optimizer)
    assert (recipe.scale, recipe.offset, recipe.held_out) == (scale, offset, held_out)
    assert (recipe.rate, recipe.schedule, recipe.keep_best) == (1e-3, Schedule.CONSTANT, False)
    if name != "alexnet-lite":
        assert recipe.augmentation is None


def test_the_seeds_augmentation():
    augmentation = nets.recipe_of(NETS["alexnet-lite"], "seed").augmentation
    assert augmentation is not None
    assert (augmentation.rotation, augmentation.shift, augmentation.zoom) == (8, 0.08, 0.08)


def test_our_recipe_is_the_one_of_the_nets_picture():
    for net in NETS.values():
        assert nets.recipe_of(net, "ours") is net.recipe
        assert (net.image.scale, net.image.offset) == (net.recipe.scale, net.recipe.offset)


def test_recipes_that_are_not_there():
    with pytest.raises(ArgumentError, match="recipe: digits is a net of our own and has no seed"):
        nets.recipe_of(NETS["digits"], "seed")
    with pytest.raises(ArgumentError, match="recipe: expected ours or seed, got 'theirs'"):
        nets.recipe_of(NETS["tiny"], "theirs")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number from 1 to 10000, got 0"),
        ({"epochs": True}, "epochs: .*got True"),
        ({"epochs": 1, "batch": 0}, "batch: .*got 0"),
        ({"epochs": 1, "patience": 0}, "patience: .*got 0"),
        ({"epochs": 1, "rate": 0}, "rate: expected a number from 1e-09 to 100, got 0"),
        ({"epochs": 1, "rate": float("nan")}, "rate: .*got nan"),
        ({"epochs": 1, "rate": "fast"}, "rate: .*got 'fast'"),
        ({"epochs": 1, "smoothing": 0.6}, "smoothing: .*got 0.6"),
        ({"epochs": 1, "held_out": 1.0}, "held_out: .*got 1.0"),
        ({"epochs": 1, "held_out": 0}, "held_out: with nothing held out there is no best epoch"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(ArgumentError, match=message):
        Recipe(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rotation": -1}, "augmentation rotation: expected a number from 0 to 180, got -1"),
        ({"shift": 1.5}, "augmentation shift: .*got 1.5"),
        ({"shear": 90}, "augmentation shear: .*got 90"),
        ({"zoom": 1}, "augmentation zoom: .*got 1"),
        ({"fill": "black"}, "augmentation fill: .*got 'black'"),
    ],
)
def test_augmentations_out_of_range(values, message):
    with pytest.raises(ArgumentError, match=message):
        Augmentation(**values)


def test_a_constant_rate():
    assert rates(Recipe(epochs=1, rate=0.5, optimizer=Optimizer.RMSPROP), 4).tolist() == [0.5] * 4


def test_one_cycle_rises_and_falls_to_nothing():
    course = rates(Recipe(epochs=1, rate=0.5, schedule=Schedule.ONE_CYCLE), 1000)
    assert course.dtype == np.float32
    assert course[0] == pytest.approx(0.5 / 25)
    assert np.argmax(course) in range(295, 305)
    assert course.max() == pytest.approx(0.5, rel=1e-3)
    assert (np.diff(course[:299]) > 0).all()
    assert (np.diff(course[302:]) < 0).all()
    assert course[-1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_cycle_of_few_steps(steps):
    course = rates(Recipe(epochs=1, rate=0.5, schedule=Schedule.ONE_CYCLE), steps)
    assert course.shape == (steps,)
    assert np.isfinite(course).all()
