"""A training from net and data to run folder; the same result however often it is interrupted."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
from dataclasses import replace

import numpy as np
import pytest

from edgecnn import _tf, nets
from edgecnn.data import Dataset, load
from edgecnn.errors import ArgumentError, DataError, ModelError
from edgecnn.metrics import accuracy
from edgecnn.nets import Recipe
from edgecnn.spec import Fit, ImageSpec
from edgecnn.train import RunFolder, image_for, load_model, parts, save_model, train
from edgecnn.train.loop import Loop, cross_entropy, logits, seed_weights
from tests.train.conftest import IMAGE, NET, RECIPE, part

TINY = nets.get("tiny")
QUICK = Recipe(epochs=1, batch=50, offset=-0.5)


def weights(folder):
    return load_model(folder / "model.keras").get_weights()


def same(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_run_folder_is_complete(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        "config.json",
        "history.json",
        "history.csv",
        "checkpoint",
        "tensorboard",
        "model.keras",
        "result.json",
        "summary.txt",
        "curves.png",
        "predictions.png",
        "samples.png",
    }
    for name in ("curves.png", "predictions.png", "samples.png"):
        assert (finished.folder / name).read_bytes().startswith(b"\x89PNG")
    assert not any(path.name.startswith(".") for path in finished.folder.rglob("*"))


def test_the_history_is_the_same_in_json_and_csv(finished):
    rows = json.loads((finished.folder / "history.json").read_text())["epochs"]
    with (finished.folder / "history.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == [1, 2]
    assert [{key: float(value) for key, value in row.items()} for row in table] == rows
    assert all(0 < row["loss"] < 10 and 0 <= row["validation_accuracy"] <= 1 and row["seconds"] > 0 for row in rows)


def test_the_configuration_holds_all_that_decides(finished, few):
    config = RunFolder(finished.folder).config()
    assert (config.net, config.seed, config.recipe, config.labels) == (NET.name, 5, RECIPE, few.labels)
    assert config.image == finished.image
    assert config.data["sha256"] == few.sha256
    assert (config.data["train"], config.data["validation"], config.data["test"]) == (300, 100, 100)
    assert config.versions["tensorflow"] == _tf.tensorflow().__version__


def test_the_result_is_what_the_model_reaches(finished, few):
    answers = logits(load_model(finished.folder / "model.keras"), few.test, finished.image)
    assert accuracy(answers, few.test.labels) == finished.test
    assert finished.validation is not None
    assert finished.validation.total == 100
    assert not finished.interrupted
    assert f"test: {finished.test.correct} of 100 right" in (finished.folder / "summary.txt").read_text()


def test_the_logs_are_those_of_tensorboard(finished):
    tf = _tf.tensorflow()
    (file,) = (finished.folder / "tensorboard").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[value.tag, event.step] = tf.make_ndarray(value.tensor).item()
    rows = json.loads((finished.folder / "history.json").read_text())["epochs"]
    for row in rows:
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "rate"):
            assert found[name, row["number"]] == pytest.approx(row[name])


def test_interrupted_and_resumed_is_uninterrupted(finished, few, tmp_path):
    ticks = []

    def interrupt(tick):
        ticks.append(tick)
        if len(ticks) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    first = train(NET, few, RECIPE, tmp_path / "run", seed=5, image=IMAGE, on_tick=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert first.interrupted
    assert first.test is None
    assert not (tmp_path / "run" / "result.json").exists()
    assert (tmp_path / "run" / "model.keras").exists()
    done = RunFolder(tmp_path / "run").read_checkpoint()
    assert done is not None
    second = train(NET, few, RECIPE, tmp_path / "run", seed=5, image=IMAGE, resume=True)
    assert same(weights(finished.folder), weights(second.folder))
    assert (second.validation, second.test, second.best) == (finished.validation, finished.test, finished.best)
    histories = [json.loads((r.folder / "history.json").read_text())["epochs"] for r in (finished, second)]
    for row in histories[0] + histories[1]:
        row.pop("seconds")
    assert histories[0] == histories[1]


def test_killed_between_epochs_and_resumed_is_uninterrupted(finished, few, tmp_path):
    def die(epoch):
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        train(NET, few, RECIPE, tmp_path / "run", seed=5, image=IMAGE, on_epoch=die)
    epochs = []
    second = train(NET, few, RECIPE, tmp_path / "run", seed=5, image=IMAGE, resume=True, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [2]
    assert same(weights(finished.folder), weights(second.folder))


def test_the_seed_decides(few, tmp_path):
    runs = [train(TINY, few, QUICK, tmp_path / str(n), seed=seed).folder for n, seed in enumerate((1, 1, 2))]
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_a_finished_run_is_only_read(finished, few):
    before = (finished.folder / "model.keras").read_bytes()
    untouched = {"resume": True, "on_tick": lambda tick: pytest.fail("trained")}
    again = train(NET, few, RECIPE, finished.folder, seed=5, image=IMAGE, **untouched)
    assert again == finished
    assert (finished.folder / "model.keras").read_bytes() == before


def test_global_generators_are_not_seeded(few, tmp_path):
    numbers = []
    for name in ("first", "second"):
        train(TINY, few, QUICK, tmp_path / name)
        numbers.append((random.random(), np.random.random(), _tf.tensorflow().random.uniform(()).numpy()))
    assert all(a != b for a, b in zip(*numbers, strict=True))


def test_patience_ends_it_and_the_best_weights_stay(few, tmp_path):
    recipe = replace(QUICK, epochs=30, patience=2, rate=0.3)  # so high a rate that it gets worse soon
    result = train(TINY, few, recipe, tmp_path / "run")
    rows = json.loads((result.folder / "history.json").read_text())["epochs"]
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    assert result.epochs == result.best + 2 < 30
    assert result.best == best["number"]
    assert result.validation.value == best["validation_accuracy"]


def test_last_weights_when_the_recipe_says_so(few, tmp_path):
    recipe = replace(QUICK, epochs=2, keep_best=False, held_out=0)
    result = train(TINY, few, recipe, tmp_path / "run")
    assert (result.best, result.validation) == (2, None)
    assert RunFolder(result.folder).config().data["train"] == 400
    rows = json.loads((result.folder / "history.json").read_text())["epochs"]
    assert rows[0]["validation_loss"] is None


def test_bfloat16_is_over_when_the_training_is(few, tmp_path):
    options = _tf.tensorflow().config.optimizer
    seen = []
    train(
        TINY,
        few,
        replace(QUICK, bfloat16=True),
        tmp_path / "run",
        on_tick=lambda tick: seen.append(dict(options.get_experimental_options())),
    )
    name = "auto_mixed_precision_onednn_bfloat16"
    assert seen[0][name]
    assert not options.get_experimental_options().get(name, False)


def test_weights_to_start_from(finished, few, tmp_path):
    still = replace(RECIPE, epochs=1, rate=1e-9)
    result = train(NET, few, still, tmp_path / "run", image=IMAGE, start=finished.folder / "model.keras")
    for before, after in zip(weights(finished.folder), weights(result.folder), strict=True):
        assert after == pytest.approx(before, abs=1e-6)
    with pytest.raises(ModelError, match="its weights do not fit the net"):
        train(TINY, few, QUICK, tmp_path / "other", start=finished.folder / "model.keras")


def test_a_loss_that_is_no_number_is_an_error(few, tmp_path):
    model = nets.build("tiny")
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    save_model(model, tmp_path / "nan.h5")
    with pytest.raises(ModelError, match=r"the loss is no longer a number in epoch 1, step 1; a lower rate may help"):
        train(TINY, few, QUICK, tmp_path / "run", start=tmp_path / "nan.h5")


def test_a_folder_is_streamed(colours, tmp_path):
    dataset = load(colours)
    image = ImageSpec(28, 28, 3, offset=-0.5)
    result = train(TINY, dataset, replace(QUICK, epochs=5, batch=8, rate=1e-2), tmp_path / "run", image=image)
    assert result.labels == ("blue", "green", "red")
    assert result.image.fit is Fit.CROP
    assert result.test.value == 1


def test_alexnet_learns_from_a_folder(colours, tmp_path):
    net = nets.get("alexnet")
    recipe = replace(net.recipe, epochs=1, batch=16)
    dataset = load(colours)
    image = replace(image_for(net, recipe, dataset), height=195, width=195)
    result = train(net, dataset, recipe, tmp_path / "run", image=image)
    assert load_model(result.folder / "model.keras").output_shape == (None, 3)
    assert (result.epochs, result.test.total) == (1, len(dataset.test))


def test_a_picture_that_goes_while_training_is_named(colours, tmp_path):
    dataset = load(colours)
    for file in (colours / "red").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"red"):
        train(TINY, dataset, replace(QUICK, batch=8), tmp_path / "run", image=ImageSpec(28, 28, 3, offset=-0.5))


def test_digits_are_fitted_as_digits_and_everything_else_is_cropped(few):
    assert image_for(TINY, QUICK, few).fit is Fit.DIGIT
    assert image_for(TINY, QUICK, replace(few, labels=tuple("abcdefghij"))).fit is Fit.CROP
    assert image_for(TINY, QUICK, replace(few, shape=None)).fit is Fit.CROP
    assert image_for(nets.get("alexnet"), QUICK, few).fit is Fit.CROP


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, ArgumentError, "seed: expected a whole number from 0 to 2147483647, got -1"),
        ({"image": ImageSpec(28, 28, 1)}, ArgumentError, "image: expected the recipe's scaling, got scale"),
        ({"image": ImageSpec(5, 5, 1, offset=-0.5)}, ModelError, "net tiny: expected a picture of at least 10x10"),
    ],
)
def test_what_does_not_fit(few, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        train(TINY, few, QUICK, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_empty_part_is_an_error(few, tmp_path):
    with pytest.raises(DataError, match="its validation part is empty"):
        train(TINY, replace(few, validation=part(few.validation, 0)), QUICK, tmp_path / "run")


def test_parts_of_the_seeds(few):
    everything, held = parts(few, Recipe(epochs=1, held_out=0, keep_best=False))
    assert (len(everything), held) == (400, None)
    learnt, held = parts(few, Recipe(epochs=1, held_out=0.2))
    assert (len(learnt), len(held)) == (320, 80)
    image = ImageSpec(28, 28, 1)
    whole = np.concatenate([split.pixels(np.arange(len(split)), image) for split in (few.train, few.validation)])
    divided = np.concatenate([split.pixels(np.arange(len(split)), image) for split in (learnt, held)])
    assert np.array_equal(whole, divided)
    assert np.array_equal(np.r_[learnt.labels, held.labels], np.r_[few.train.labels, few.validation.labels])


def test_parts_of_pictures_on_demand(colours):
    dataset: Dataset = load(colours)
    image = ImageSpec(8, 8, 3)
    learnt, held = parts(dataset, Recipe(epochs=1, held_out=0.25))
    whole = np.concatenate([s.pixels(np.arange(len(s)), image) for s in (dataset.train, dataset.validation)])
    count = len(whole)
    assert len(held) == round(count / 4)
    mixed = np.array([count - len(held) - 1, 0, 5])
    assert np.array_equal(learnt.pixels(mixed, image), whole[mixed])
    assert np.array_equal(held.pixels([0, 2], image), whole[[len(learnt), len(learnt) + 2]])


def test_cross_entropy_is_that_of_keras():
    rng = np.random.default_rng(0)
    answers, labels = rng.normal(0, 300, (50, 7)).astype(np.float32), rng.integers(0, 7, 50)
    loss = _tf.keras().losses.SparseCategoricalCrossentropy(from_logits=True)
    assert cross_entropy(answers, labels) == pytest.approx(float(loss(labels, answers)), rel=1e-6)


def test_label_smoothing_is_that_of_keras(few):
    tf, keras = _tf.tensorflow(), _tf.keras()
    model = nets.build("tiny")
    seed_weights(model, 0)
    pixels = few.train.pixels(np.arange(20), TINY.image)
    images, labels = tf.constant(pixels / np.float32(255) - np.float32(0.5)), tf.constant(few.train.labels[:20])
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = float(smoothed(tf.one_hot(labels, 10), model(images)))
    loop = Loop(model, replace(QUICK, smoothing=0.2), steps=1, seed=0)
    loop.step(images, labels)
    assert loop.totals()[0] == pytest.approx(expected, rel=1e-5)


def test_a_step_is_that_of_keras(few):
    """The same weights after the same batches as `Model.fit` gives."""
    tf, keras = _tf.tensorflow(), _tf.keras()
    ours = nets.build("tiny")
    seed_weights(ours, 3)
    theirs = keras.models.clone_model(ours)
    theirs.set_weights(ours.get_weights())
    theirs.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = few.train.pixels(np.arange(150), TINY.image) / np.float32(255) - np.float32(0.5)
    labels = few.train.labels[:150]
    theirs.fit(images, labels, batch_size=50, epochs=1, shuffle=False, verbose=0)
    loop = Loop(ours, replace(QUICK, rate=1e-3), steps=3, seed=0)
    for first in (0, 50, 100):
        loop.step(tf.constant(images[first : first + 50]), tf.constant(labels[first : first + 50]))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert a == pytest.approx(b, abs=1e-6)
