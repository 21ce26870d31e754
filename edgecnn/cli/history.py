"""`edgecnn history`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.cli import show


def history(
    bundle: Annotated[str | None, typer.Argument(metavar="BUNDLE", help="Only this one.", show_default=False)] = None,
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
        found = opened.past(bundle=bundle, machine=read_machine().key if here else None, limit=limit)
    if json:
        for old in found:
            show.json_line(old)
        return
    show.result_table(past(found))
