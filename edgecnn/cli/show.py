"""What commands show, and where: answers on stdout, notes and progress on stderr; pipes carry nothing but answers."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Update = Callable[..., None]
"""`update(done, total, text="")`: how far the work is. `total` 0 means that nobody knows it."""

_NUMBER = re.compile(r"[-+~<>=]{0,2} ?\d[\d.,]* ?\S{0,8}|-")


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


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
    """Write a table to stdout.

    Args:
        title: What it shows.
        columns: Heads.
        rows: Cells, shown by `str`; None is shown as "-". A column that holds only numbers (with or without a unit) is
            aligned to the right.
        caption: What it was measured on, below the table.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    grid = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(columns):
        numeric = bool(cells) and all(_NUMBER.fullmatch(row[number]) for row in cells)
        grid.add_column(head, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*row)
    console = _console(sys.stdout)
    console.print(grid)
    if caption:
        console.print(caption, style="dim")


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
