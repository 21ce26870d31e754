"""The whole training: from a net and a data set to a run folder."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgecnn
from edgecnn import nets
from edgecnn.augment import checked_seed
from edgecnn.errors import ArgumentError
from edgecnn.files import sha256
from edgecnn.metrics import Accuracy, accuracy, wilson
from edgecnn.spec import Fit, ImageSpec
from edgecnn.train.folder import MODEL, SCHEMA, Config, Epoch, RunFolder
from edgecnn.train.loop import logits, seed_weights
from edgecnn.train.parts import parts
from edgecnn.train.plots import curves, predictions, samples
from edgecnn.train.run import Run, Tick
from edgecnn.train.saved import load_weights, save_model

if TYPE_CHECKING:
    from edgecnn.data import Dataset, Split
    from edgecnn.nets import Net, Recipe

PACKAGES = ("tensorflow", "tf_keras", "numpy")
"""What the result depends on, beside this program."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came out of a training.

    Attributes:
        folder: The run folder.
        net: Name of the net.
        image: The picture that the model takes.
        labels: Names of its classes.
        epochs: How many were done.
        best: The epoch whose weights the model has; 0 when none was finished.
        validation: Accuracy of the model on what was held out; None when nothing was.
        test: Accuracy of the model on the test part; None when interrupted, or when there is no such part.
        seconds: Time of all epochs.
        interrupted: Whether Ctrl-C ended it; it can be resumed then.
    """

    folder: Path
    net: str
    image: ImageSpec
    labels: tuple[str, ...]
    epochs: int
    best: int
    validation: Accuracy | None
    test: Accuracy | None
    seconds: float
    interrupted: bool


def train(
    net: Net,
    dataset: Dataset,
    recipe: Recipe,
    out: Path,
    *,
    seed: int = 0,
    image: ImageSpec | None = None,
    start: Path | None = None,
    resume: bool = False,
    on_tick: Callable[[Tick], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> TrainResult:
    """Train a net on a data set, choose its weights on the validation part, and judge them once on the test part.

    Ctrl-C ends it after the step that runs; all is kept, and `resume` gives what an uninterrupted run would have given.
    A second Ctrl-C ends at once, and the run resumes from its last epoch.

    Args:
        net: What is trained.
        dataset: What it learns from; the net gets as many classes as it has labels.
        recipe: How.
        out: Run folder; must be new or empty unless `resume`.
        seed: Of weights, order, warps and dropout, 0..2147483647.
        image: The picture that the net takes; None for `image_for`. Its scaling must be the recipe's.
        start: Saved model or weights to start from, instead of random weights.
        resume: Go on with the run in `out` if one is there; a finished one is only read.
        on_tick: Called a few times a second.
        on_epoch: Called after each epoch.

    Returns:
        What came out; everything else is in the run folder.

    Raises:
        ArgumentError: A value is out of range, or the run folder holds something else.
        DataError: A part of the data set is empty, or a picture can no longer be read.
        ModelError: The net does not fit the picture, `start` does not fit the net, the loss is no longer a number, or
            the run folder can no longer be written.
        OSError: The run folder cannot be made.
    """
    checked_seed(seed)
    image = image_for(net, recipe, dataset) if image is None else image
    if (image.scale, image.offset) != (recipe.scale, recipe.offset):
        raise ArgumentError(f"image: expected the recipe's scaling, got scale {image.scale}, offset {image.offset}")
    training, held = parts(dataset, recipe)
    model = nets.build(net.name, classes=len(dataset.labels), image=image)
    seed_weights(model, seed)
    if start is not None:
        load_weights(model, start)
    config = Config(
        net=net.name,
        image=image,
        labels=dataset.labels,
        recipe=recipe,
        seed=seed,
        start=None if start is None else sha256(start),
        data=_describe(dataset, training, held),
        versions=_versions(),
        machine={"system": platform.platform(), "processor": platform.processor() or platform.machine()},
    )
    folder = RunFolder(out)
    resumed = folder.begin(config, resume=resume)
    if resumed and (stored := folder.result()) is not None:
        return _finished(folder, config, stored)
    run = Run(model, training, held, config, folder, on_tick=on_tick, on_epoch=on_epoch)
    if resumed:
        run.restore()
    else:
        samples(training, image, dataset.labels, out / "samples.png")
    return _finish(run, dataset, run.go())


def image_for(net: Net, recipe: Recipe, dataset: Dataset) -> ImageSpec:
    """The picture that a net takes when it is trained on a data set.

    Args:
        net: Gives size and channels.
        recipe: Gives the scaling.
        dataset: Digits in MNIST's form are fitted as digits, everything else is cropped.

    Returns:
        The picture.
    """
    digits = dataset.shape == (28, 28, 1) and dataset.labels[:10] == tuple("0123456789") and net.image.channels == 1
    return replace(net.image, scale=recipe.scale, offset=recipe.offset, fit=Fit.DIGIT if digits else Fit.CROP)


def _describe(dataset: Dataset, training: Split, held: Split | None) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "source": dataset.source,
        "train": len(training),
        "validation": 0 if held is None else len(held),
        "test": len(dataset.test),
    }


def _versions() -> dict[str, str]:
    own = {"edgecnn": edgecnn.__version__, "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in PACKAGES}


def _finish(run: Run, dataset: Dataset, interrupted: bool) -> TrainResult:
    """Save the best weights, judge them, draw."""
    config, folder = run.config, run.folder
    run.model.set_weights(run.best)
    save_model(run.model, folder.path / MODEL)
    judged: dict[str, Accuracy | None] = {"validation": None, "test": None}
    if run.held is not None:
        judged["validation"] = accuracy(logits(run.model, run.held, config.image), run.held.labels)
    if len(dataset.test) and not interrupted:
        answers = logits(run.model, dataset.test, config.image)
        judged["test"] = accuracy(answers, dataset.test.labels)
        predictions(dataset.test, answers, config.image, config.labels, folder.path / "predictions.png")
    if run.history:
        curves(run.history, f"{config.net} on {dataset.name}", folder.path / "curves.png")
    values = {
        "epochs": len(run.history),
        "best": run.best_epoch,
        "seconds": round(sum(epoch.seconds for epoch in run.history), 1),
        **{name: value and {"correct": value.correct, "total": value.total} for name, value in judged.items()},
    }
    folder.write_text("summary.txt", _summary(run, values))
    if not interrupted:
        folder.write_json("result.json", {"schema": SCHEMA, **values})
    return replace(_finished(folder, config, values), interrupted=interrupted)


def _finished(folder: RunFolder, config: Config, values: dict[str, Any]) -> TrainResult:
    """The result in the form in which `result.json` has it, as a TrainResult."""
    judged: dict[str, Accuracy | None] = {"validation": None, "test": None}
    for name in judged:
        if values[name] is not None:
            correct, total = values[name]["correct"], values[name]["total"]
            judged[name] = Accuracy(correct, total, correct / total, *wilson(correct, total))
    return TrainResult(
        folder=folder.path,
        net=config.net,
        image=config.image,
        labels=config.labels,
        epochs=values["epochs"],
        best=values["best"],
        validation=judged["validation"],
        test=judged["test"],
        seconds=values["seconds"],
        interrupted=False,
    )


def _summary(run: Run, values: dict[str, Any]) -> str:
    """The layers as Keras lists them, and what came out."""
    lines: list[str] = []
    run.model.summary(print_fn=lines.append, line_length=100)
    config = run.config
    data = f"{config.data['name']}: {config.data['train']} to learn from, {config.data['validation']} held out"
    lines += [
        f"multiplications with accumulation a picture: {nets.count_macs(run.model):,}",
        f"data: {data}, {config.data['test']} for the test",
        f"recipe: {config.recipe}",
        f"seed: {config.seed}",
        f"epochs: {values['epochs']}, weights of epoch {values['best']}, {values['seconds']} s",
    ]
    for name in ("validation", "test"):
        if values[name] is not None:
            correct, total = values[name]["correct"], values[name]["total"]
            lines.append(f"{name}: {correct} of {total} right, {100 * correct / total:.2f} %")
    return "\n".join(lines) + "\n"
