"""What commands show, and where: answers on stdout, notes and progress on stderr; pipes carry nothing but answers."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgecnn.report.bench import Table

Update = Callable[..., None]
"""`update(done, total, text="")`: how far the work is. `total` 0 means that nobody knows it."""

_NUMBER = re.compile(r"[-+~<>=]{0,2} ?\d[\d.,]* ?\S{0,8}|-")
_GAP = 2
"""Spaces between two columns of a table."""
_LEAST_ROOM = 12
"""In fewer columns a text cannot be read well."""


def text(line: str = "") -> None:
    """Write a line of the answer to stdout."""
    typer.echo(line)


def note(line: str) -> None:
    """Write a line that is not the answer (a warning, what was assumed, what comes next) to stderr."""
    typer.echo(line, err=True)


def json_line(value: object) -> None:
    """Write a value to stdout as one line of JSON.

    Args:
        value: What JSON knows, and frozen dataclasses, enums, paths, numpy numbers and arrays within it.

    Raises:
        ValueError: A NaN or an infinity is in it; JSON has none.
        TypeError: Something else is in it.
    """
    typer.echo(json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, without importing numpy
        return value.tolist()
    raise TypeError(f"no JSON for {type(value).__name__}")


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    caption: str = "",
    spare: Sequence[str] = (),
) -> None:
    """Write a table to stdout.

    On a terminal that is too narrow, columns are left out first, and named; then the longest text is wrapped.

    Args:
        title: What it shows.
        columns: Heads, each of them once.
        rows: Cells, shown by `str`; None is shown as "-". A column that holds only numbers (with or without a unit) is
            aligned to the right.
        caption: What it was measured on, below the table.
        spare: Columns that can be left out, the least needed first; for commands whose --json has them.
    """
    console = _console(sys.stdout)
    texts = {head: ["-" if row[at] is None else str(row[at]) for row in rows] for at, head in enumerate(columns)}
    shown = _fitting(texts, spare, console.width)
    console.print(title, style="bold")
    console.print(_grid(shown, console.width))
    if caption:
        console.print(caption, style="dim")
    missing = [head for head in texts if head not in shown]
    if missing:
        console.print(f"not shown in {console.width} columns, but by --json: {', '.join(missing)}", style="dim")


def result_table(found: Table) -> None:
    """Write a table of results to stdout."""
    table(found.title, found.columns, found.rows, caption=found.caption, spare=found.spare)


def _grid(texts: dict[str, list[str]], width: int) -> Any:
    """The table itself. Only the longest text is wrapped, unless that leaves it no room: then every column may be."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid

    words = [head for head in texts if not _is_numeric(texts[head])]
    longest = max(words, key=lambda head: _width(head, texts), default=None)
    room = width - sum(_width(head, texts) + _GAP for head in texts if head != longest)
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for head, cells in texts.items():
        fixed = head != longest and room >= _LEAST_ROOM
        justify: Literal["left", "right"] = "right" if _is_numeric(cells) else "left"
        grid.add_column(head, justify=justify, overflow="fold", no_wrap=fixed)
    for row in zip(*texts.values(), strict=True):
        grid.add_row(*row)
    return grid


def _fitting(texts: dict[str, list[str]], spare: Sequence[str], width: int) -> dict[str, list[str]]:
    """The columns without as many of the spare ones as it takes to fit."""
    shown = dict(texts)
    for head in spare:
        if sum(_width(name, shown) + _GAP for name in shown) - _GAP <= width:
            break
        shown.pop(head, None)
    return shown


def _width(head: str, texts: dict[str, list[str]]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (head, *texts[head])))


def _is_numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)


def verdict(passed: bool, line: str) -> None:
    """Write a verdict to stdout: a word that is green or red on a terminal, and what it rests on."""
    console = _console(sys.stdout)
    console.print("PASSED" if passed else "FAILED", style="bold green" if passed else "bold red", end="  ")
    console.print(line)


@contextmanager
def progress(what: str) -> Iterator[Update]:
    """Show on stderr, when it is a terminal, how far the work is and how long it will take.

    Args:
        what: The work, in a few words.

    Yields:
        `update(done, total, text="")`, for the library's `progress` arguments.
    """
    if not sys.stderr.isatty():
        yield lambda done, total=0, text="": None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),  # what the others leave: on 80 columns the text matters more
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=_console(sys.stderr), transient=True, expand=True) as bar:
        task = bar.add_task(what, total=None, text="")

        def update(done: int, total: int = 0, text: str = "") -> None:
            bar.update(task, completed=done, total=total or None, text=text)

        yield update


def _console(stream: IO[str]) -> Console:
    """A console that takes texts as they are (a file may be called "[red]"), and never cuts what goes into a pipe."""
    from rich.console import Console

    options: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
    if not stream.isatty():
        options["width"] = 240
    return Console(file=stream, **options)
