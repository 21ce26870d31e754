"""`edgecnn parity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from edgecnn.bundle import Bundle
    from edgecnn.parity import ParityReport


def parity(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Its folder, or the name of a shipped one.")],
    data: Annotated[
        str | None,
        typer.Option(help="Data set: a name or a folder. [default: that of the stored Keras logits]"),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder in which the data set is looked for first."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only so many pictures, evenly spread.")] = None,
    max_drop: Annotated[float, typer.Option(min=0, max=100, help="Largest loss of top-1, in percentage points.")] = 0.5,
    min_agreement: Annotated[
        float, typer.Option(min=0, max=100, help="Least share of pictures that get the reference's class, in percent.")
    ] = 99.5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each artefact; all artefacts run at once.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")] = False,
) -> None:
    """Prove that a bundle's artefacts answer as the model that they were made from.

    Runs every artefact on the whole test set and compares it with the stored logits of the Keras model: accuracy,
    agreement, flipped pictures, logits; and the two int8 files with each other, bit for bit. Exit code 1 when the
    budget is exceeded. Needs no TensorFlow.
    """
    from edgecnn.bench.machine import read_machine
    from edgecnn.bundle import find_bundle, read_bundle
    from edgecnn.data import labels_of, load
    from edgecnn.parity import Budget, check_labels, compare_bundle, relabelled

    opened = read_bundle(find_bundle(bundle), verify=False)
    budget, name = Budget(max_drop, min_agreement), data or _default_data(opened)
    check_labels(labels_of(name), opened.labels)
    dataset = load(name, data_dir=data_dir)
    with show.progress("parity") as update:
        report = compare_bundle(
            opened,
            relabelled(dataset.test, dataset.labels, opened.labels),
            dataset=f"{dataset.name} test",
            budget=budget,
            limit=limit,
            threads=threads,
            machine=read_machine().line,
            progress=update,
        )
    if json:
        show.json_line({"bundle": opened.name, **report.to_json()})
    else:
        show_parity(report, opened.name)
    if not report.passed:
        raise typer.Exit(1)


def show_parity(report: ParityReport, name: str) -> None:
    """Show a report as a table with its verdict; `edgecnn export` shows it too."""
    from edgecnn.report.parity import COLUMNS, SPARE, describe

    words = describe(report, name)
    show.table(words.title, COLUMNS, words.rows, caption=words.caption, spare=SPARE)
    for line in words.lines:
        show.text(line)
    show.verdict(report.passed, words.verdict)
    for reason in report.reasons:
        show.text(f"- {reason}")


def _default_data(bundle: Bundle) -> str:
    from edgecnn.data import NAMES

    stored = bundle.reference()
    if stored is not None and stored.dataset in NAMES:
        return stored.dataset
    raise ArgumentError(f"--data: the bundle {bundle.name} does not say; expected one of {', '.join(NAMES)}")
