"""`edgecnn export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show
from edgecnn.spec import Fit, Target

if TYPE_CHECKING:
    from edgecnn.pipeline import ExportOptions, ExportResult


def export(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Name of a shipped bundle, a run folder, a .keras (Keras 2 or 3), .h5 or .tflite file, or a "
            "SavedModel. [default: the best shipped digit model]",
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Make int8 artefacts beside the float32 ones.")] = False,
    target: Annotated[Target, typer.Option(help="Formats that the bundle gets.")] = Target.BOTH,
    softmax: Annotated[
        bool, typer.Option("--softmax", help="Keep the softmax inside; else they end in logits.")
    ] = False,
    calibration: Annotated[int, typer.Option(min=1, help="Held-out pictures that set the scales of int8.")] = 500,
    qat: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="EPOCHS",
            help="Train on for int8 first, with TFMOT and the model's own data set. Worth its time only where the "
            "verdict fails without it, or int8 loses more than you like: the shipped nets do without.",
        ),
    ] = 0,
    data: Annotated[
        str | None,
        typer.Option(help="Data set to calibrate and judge with: a name or a folder. [default: the model's own]"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder where data sets are looked for first.")
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK..WHITE",
            help="What the model takes for a black and a white pixel, such as 0..1 or -1..1. [default: what the model "
            "says; else what fits best on validation pictures]",
        ),
    ] = None,
    fit: Annotated[Fit | None, typer.Option(help="How a picture is brought to the model's size.")] = None,
    max_drop: Annotated[float, typer.Option(min=0, max=100, help="Largest loss of top-1, in percentage points.")] = 0.5,
    min_agreement: Annotated[
        float,
        typer.Option(min=0, max=100, help="Least share of pictures that get the float model's class, in percent."),
    ] = 99.5,
    keep_failed: Annotated[bool, typer.Option("--keep-failed", help="Write the bundle also when it fails.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle. [default: exports/NAME]")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle: letters, digits, . _ - [default: the model's]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")] = False,
) -> None:
    """Make a proven bundle of a trained model: TFLite and ONNX, float32 and int8.

    Every artefact is run on the whole test set and compared with the model. Exit code 1, and no bundle, when int8 loses
    more than the budget allows or the two int8 files differ in a single output.
    """
    from edgecnn.convert.pixels import parse_range
    from edgecnn.parity import Budget
    from edgecnn.pipeline import ExportOptions

    options = ExportOptions(
        model=model,
        int8=int8,
        target=target,
        softmax=softmax,
        calibration=calibration,
        qat=qat,
        data=data,
        data_dir=data_dir,
        pixels=None if pixels is None else parse_range(pixels),
        fit=fit,
        budget=Budget(max_drop, min_agreement),
        keep_failed=keep_failed,
        out=out,
        name=name,
    )
    result = _export(options)
    if json:
        _tell_json(result)
    else:
        _tell(result)
    if not result.report.passed:
        raise typer.Exit(1)


def _export(options: ExportOptions) -> ExportResult:
    from edgecnn.pipeline import export

    with show.progress("export") as update:
        return export(options, lambda stage, done, total: update(done, total, stage))


def _tell_json(result: ExportResult) -> None:
    bundle = result.bundle
    show.json_line(
        {
            "name": result.name,
            "bundle": None if bundle is None else str(bundle.path),
            "passed": result.report.passed,
            "bytes": {f"{kind} {precision}": size for (kind, precision), size in result.sizes.items()},
            "notes": list(result.notes),
            "seconds": result.seconds,
            "parity": result.report.to_json(),
        }
    )


def _tell(result: ExportResult) -> None:
    from edgecnn.bundle import share_of_float32
    from edgecnn.cli.parity import show_parity

    for line in result.notes:
        show.note(line)
    show_parity(result.report, result.name)
    rows = [
        (kind, precision, f"{size:,}", share_of_float32(result.sizes, kind, precision))
        for (kind, precision), size in sorted(result.sizes.items())
    ]
    show.table("artefacts", ("format", "precision", "bytes", "of float32"), rows)
    if result.bundle is not None:
        show.text(f"bundle: {result.bundle.path}")
    else:
        show.text("no bundle was written; --keep-failed would write it")
