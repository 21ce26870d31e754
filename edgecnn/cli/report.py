"""`edgecnn report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.cli import show
from edgecnn.errors import ArgumentError


def report(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RESULT.json...",
            help="Files of `edgecnn bench --out`, also from other machines.  [default: the newest run of the history]",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page; its Markdown twin ends in .md instead.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Head of the page.")] = "edgecnn bench report",
    run: Annotated[
        list[int] | None, typer.Option(min=1, help="Also this run of the history; may be repeated.", show_default=False)
    ] = None,
    db: Annotated[Path | None, typer.Option(help="File of the history.  [default: the user's own]")] = None,
) -> None:
    """Write results of bench as one page that explains itself: HTML and Markdown.

    Accuracy, size and latency in one table, plots, parity, the machine, the command that made it. The page needs
    nothing from outside and can be sent as it is.
    """
    from edgecnn.bench.history import History
    from edgecnn.bench.result import read_result
    from edgecnn.files import check_writable, write_atomically
    from edgecnn.report.markdown import to_markdown
    from edgecnn.report.page import to_html

    if out.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"--out: expected a name that ends in .html, got {out}")
    markdown = out.with_suffix(".md")
    if not out.parent.is_dir() or out.is_dir():
        raise ArgumentError(f"--out: expected a file in a folder that is there, got {out}")
    if markdown.is_dir():
        raise ArgumentError(
            f"--out: its Markdown twin {markdown} would take the place of a folder; choose another name"
        )
    check_writable(out.parent, "--out")
    found = [read_result(path) for path in results or []]
    if run or not found:
        with History(db) as history:
            found += [history.result(number) for number in run] if run else [history.result()]
    write_atomically(out, to_html(found, title=title).encode())
    write_atomically(markdown, to_markdown(found, title=title).encode())
    show.text(f"{out}\n{markdown}")
