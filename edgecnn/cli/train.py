"""`edgecnn train`: train a net on a data set into a run folder."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.cli import show
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from edgecnn.data import Dataset
    from edgecnn.metrics import Accuracy
    from edgecnn.nets import Net, Recipe
    from edgecnn.spec import ImageSpec
    from edgecnn.train import Epoch, TrainResult

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class RecipeName(StrEnum):
    """Which of a net's two recipes."""

    OURS = "ours"
    SEED = "seed"


def train(
    net: Annotated[str, typer.Argument(metavar="NET", help="Its name, see `edgecnn nets`.")] = "digits",
    data: Annotated[str, typer.Option(help="mnist, fashion-mnist, optdigits, or a folder of class folders.")] = "mnist",
    recipe: Annotated[RecipeName, typer.Option(help="Our training, or that of the net's tutorial.")] = RecipeName.OURS,
    epochs: Annotated[int | None, typer.Option(help="Epochs instead of the recipe's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures a step instead of the recipe's.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate (of one cycle: its peak).")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without a better validation.")] = None,
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Random changes, as the recipe says.")] = True,
    bfloat16: Annotated[
        bool | None, typer.Option("--bfloat16/--float32", help="Round products to bfloat16 where the processor can.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size of the net's picture.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order, augmentation and dropout.")] = 0,
    start: Annotated[Path | None, typer.Option(help="Saved model or weights to start from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [runs/NET-DATA-RECIPE-SEED]")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder; there has to be one.")
    ] = False,
    save: Annotated[
        list[Path] | None, typer.Option(help="Save the model here too: .keras, .h5 or .weights.h5; repeatable.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder where data sets are looked for first.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")] = False,
) -> None:
    """Train a net on a data set into a run folder."""
    from edgecnn import nets
    from edgecnn.data import load, name_of
    from edgecnn.files import check_writable
    from edgecnn.train import RunFolder, checked_model_file

    for file in save or []:
        checked_model_file(file)
        if file.is_dir() or not file.parent.is_dir():
            raise ArgumentError(f"--save: expected a file in a folder that is there, got {file}")
        check_writable(file.parent, "--save")
    chosen = nets.get(net)
    changes: dict[str, Any] = {"epochs": epochs, "batch": batch, "rate": rate, "patience": patience}
    changes["bfloat16"] = bfloat16
    plan = replace(
        nets.recipe_of(chosen, recipe.value), **{name: value for name, value in changes.items() if value is not None}
    )
    if not augment:
        plan = replace(plan, augmentation=None)
    folder = out or Path("runs") / f"{chosen.name}-{name_of(data)}-{recipe.value}-{seed}"
    if resume and not RunFolder(folder).begun:
        raise ArgumentError(f"--resume: expected a run in {folder}, there is none; to begin one leave out --resume")
    dataset = load(data, data_dir=data_dir)
    if dataset.skipped:
        show.note(f"skipped {len(dataset.skipped):,} pictures; `edgecnn data {data}` says which and why")
    image = _image(chosen, plan, dataset, size, channels)
    result = _train(chosen, dataset, plan, folder, seed=seed, image=image, start=start, resume=resume)
    if result.interrupted:
        show.note(
            f"stopped in epoch {result.epochs + 1}; the best so far is {folder / 'model.keras'}; "
            "to go on, repeat the command with --resume"
        )
        raise typer.Exit(INTERRUPTED)
    _save(folder, save or [])
    _tell(result, dataset, json)


def _image(net: Net, recipe: Recipe, dataset: Dataset, size: str | None, channels: int | None) -> ImageSpec:
    from edgecnn.spec import Fit
    from edgecnn.train import image_for

    image = image_for(net, recipe, dataset)
    if size is not None:
        width, _, height = size.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise ArgumentError(f"size: expected WIDTHxHEIGHT such as 224x224, got {size!r}")
        image = replace(image, width=int(width), height=int(height))
    if channels is not None:
        image = replace(image, channels=channels, fit=image.fit if channels == 1 else Fit.CROP)
    return image


def _train(net: Net, dataset: Dataset, recipe: Recipe, out: Path, **options: Any) -> TrainResult:
    """Train, and show how far it is: a bar on a terminal, a line an epoch elsewhere."""
    from edgecnn.train import Tick, train

    with show.progress(net.name) as update:

        def on_tick(tick: Tick) -> None:
            text = f"epoch {tick.epoch}/{tick.epochs} loss {tick.loss:.4f} accuracy {100 * tick.accuracy:.2f} %"
            update((tick.epoch - 1) * tick.steps + tick.step, tick.epochs * tick.steps, text)

        def on_epoch(epoch: Epoch) -> None:
            line = f"epoch {epoch.number}: loss {epoch.loss:.4f}, accuracy {100 * epoch.accuracy:.2f} %"
            if epoch.validation_accuracy is not None:
                line += f", validation {epoch.validation_loss:.4f}, {100 * epoch.validation_accuracy:.2f} %"
            show.note(f"{line}, {epoch.seconds:.1f} s")

        return train(net, dataset, recipe, out, on_tick=on_tick, on_epoch=on_epoch, **options)


def _save(folder: Path, files: list[Path]) -> None:
    from edgecnn.train import MODEL, load_model, save_model

    if files:
        model = load_model(folder / MODEL)
        for file in files:
            save_model(model, file)


def _tell(result: TrainResult, dataset: Dataset, json: bool) -> None:
    if json:
        show.json_line(result)
        return

    def percent(value: Accuracy | None) -> str | None:
        return None if value is None else f"{100 * value.value:.2f} % ({100 * value.low:.2f} to {100 * value.high:.2f})"

    show.table(
        f"{result.net} on {dataset.name}",
        ("part", "pictures", "right"),
        [
            (name, value.total if value else None, percent(value))
            for name, value in (("validation", result.validation), ("test", result.test))
        ],
        caption=f"weights of epoch {result.best} of {result.epochs}, {result.seconds:.0f} s; 95 % intervals; "
        f"run folder {result.folder}",
    )
