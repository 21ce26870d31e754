"""`edgecnn data`: what is in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from edgecnn.data import Dataset

_NAMED = 10
"""Skipped pictures that are named; --json names all."""


def data(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER",
            help="mnist, fashion-mnist, optdigits (always there), digits-live, or a folder of class folders.",
        ),
    ],
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Look for MNIST in this folder first, and download it to there.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE.png", help="Draw a few pictures of each class to this file.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the split.")] = 0,
    validation: Annotated[
        float | None, typer.Option("--validation", help="Share of a folder for validation (0.15 when left out).")
    ] = None,
    test: Annotated[
        float | None, typer.Option("--test", help="Share of a folder for the test (0.15 when left out).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of the table.")] = False,
) -> None:
    """Show what is in a data set: classes, splits, where it is from.

    Of a folder every picture is read once: what is broken, empty, too large or in two classes is counted and named, and
    is used nowhere. Each class is split by itself; copies of a picture stay in one split.
    """
    from edgecnn.data import load

    if sheet is not None:
        _check(sheet)
    with show.progress(f"data {name}") as progress:
        dataset = load(name, data_dir=data_dir, seed=seed, validation=validation, test=test, progress=progress)
    if sheet is not None:
        _draw(dataset, sheet)
    if as_json:
        show.json_line(_facts(dataset, sheet))
        return
    _table(dataset)
    _name_skipped(dataset)
    if sheet is not None:
        show.note(f"contact sheet: {sheet}")


def _check(sheet: Path) -> None:
    """Refuse a sheet that could not be written, before a data set is loaded for it."""
    from edgecnn.files import check_writable

    if sheet.suffix.lower() != ".png":
        raise ArgumentError(f"--sheet: expected a name that ends in .png, got {str(sheet)!r}")
    if not sheet.parent.is_dir() or sheet.is_dir():
        raise ArgumentError(f"--sheet: expected a file in a folder that is there, got {str(sheet)!r}")
    check_writable(sheet.parent, "--sheet")


def _draw(dataset: Dataset, sheet: Path) -> None:
    import cv2

    from edgecnn.data.sheet import contact_sheet
    from edgecnn.files import write_atomically

    _, encoded = cv2.imencode(".png", contact_sheet(dataset))
    write_atomically(sheet, encoded.tobytes())


def _table(dataset: Dataset) -> None:
    counts = dataset.counts()
    rows = [
        [label, *(f"{counts[split][i]:,}" for split in counts), f"{sum(counts[split][i] for split in counts):,}"]
        for i, label in enumerate(dataset.labels)
    ]
    sums = [sum(counts[split]) for split in counts]
    rows.append(["all", *(f"{n:,}" for n in sums), f"{sum(sums):,}"])
    if dataset.shape is None:
        shape = "pictures of different sizes"
    else:
        height, width, channels = dataset.shape
        shape = f"{width} x {height} pixels, {'grey' if channels == 1 else 'colour'}"
    caption = f"{dataset.source}\n{shape}\nSHA-256 {dataset.sha256}"
    show.table(dataset.name, ["class", *counts, "all"], rows, caption=caption)


def _name_skipped(dataset: Dataset) -> None:
    if dataset.ignored:
        show.note(f"ignored {dataset.ignored:,} files that are no pictures")
    if dataset.skipped:
        show.note(f"skipped {len(dataset.skipped):,}:")
    for skipped in dataset.skipped[:_NAMED]:
        show.note(f"  {skipped.file}: {skipped.reason}")
    if len(dataset.skipped) > _NAMED:
        show.note(f"  and {len(dataset.skipped) - _NAMED:,} more, which --json names")


def _facts(dataset: Dataset, sheet: Path | None) -> dict[str, object]:
    return {
        "name": dataset.name,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "shape": dataset.shape,
        "labels": dataset.labels,
        "counts": dataset.counts(),
        "ignored": dataset.ignored,
        "skipped": dataset.skipped,
        "sheet": sheet,
    }
