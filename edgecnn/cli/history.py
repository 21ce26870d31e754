"""`edgecnn history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show
from edgecnn.errors import MeasurementError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence


def history(
    bundle: Annotated[
        str | None, typer.Argument(metavar="BUNDLE", help="Only this one: its name or its folder.", show_default=False)
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Only what was measured on this machine.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many rows, the newest.")] = 40,
    run: Annotated[
        int | None, typer.Option(min=1, help="Print the whole JSON of this run.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each row.")] = False,
    db: Annotated[Path | None, typer.Option(help="File of the history.  [default: the user's own]")] = None,
) -> None:
    """Show what was measured before, over versions and machines.

    What `edgecnn bench --save` has kept, the newest first. Compare only rows of one machine; a run that was interrupted
    or that raised doubts says so.
    """
    from edgecnn.bench.history import History
    from edgecnn.bench.machine import read_machine
    from edgecnn.report.bench import past

    with History(db) as opened:
        if run is not None:
            show.json_line(opened.result(run))
            return
        known = opened.bundles()
        name = None if bundle is None else _name(bundle, known)
        machine = read_machine().key if here else None
        found = opened.past(bundle=name, machine=machine, limit=limit)
        if not found:
            raise MeasurementError(f"{opened.path}: {_nothing(known, name, here)}" if known else opened.emptiness())
    if json:
        for old in found:
            show.json_line(old)
        return
    show.result_table(past(found))


def _name(bundle: str, known: Sequence[str]) -> str:
    """The name that a bundle is recorded by; the bundle itself may be gone."""
    if bundle in known or not Path(bundle).is_dir():
        return bundle
    from edgecnn.bundle import find_bundle, read_bundle

    return read_bundle(find_bundle(bundle), verify=False).name


def _nothing(known: Sequence[str], name: str | None, here: bool) -> str:
    """That nothing was found, and what could be."""
    wanted = "no run" if name is None else f"no run of {name!r}"
    there = f"there are: {', '.join(known)}"
    if here:
        return f"{wanted} on this machine; without --here {there}"
    return f"{wanted}; {there}{did_you_mean(name or '', known)}"
