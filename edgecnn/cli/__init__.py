"""The command line: one file a command; each parses, calls and shows. Only here are things printed, exit codes chosen.

A command NAME is one line in `COMMANDS` and the function `NAME` in `edgecnn/cli/NAME.py` (or, when it has commands of
its own, the `typer.Typer` called NAME). Its module is imported when it is called, so the help of all is as quick as the
help of one.

Exit codes: 0 done, 1 a known error or a failed verdict, 2 wrong usage, whoever noticed it: typer or the library, as an
`ArgumentError`. 130 interrupted; but Ctrl-C is how one ends the reading of a camera, so that is 0 once there was a
frame. Each is told in one line. Whatever else is raised is a fault of ours and keeps its traceback; EDGECNN_DEBUG=1 in
the environment shows the traceback of known errors too.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from edgecnn import __version__
from edgecnn.errors import ArgumentError, EdgecnnError, StageError

COMMANDS: dict[str, str] = {
    "data": "Show what is in a data set: classes, splits, where it is from.",
    "nets": "List the nets: parameters, multiplications, picture, where each comes from.",
    "train": "Train a net on a data set into a run folder.",
    "export": "Make a proven bundle of a trained model: TFLite and ONNX, float32 and int8.",
    "parity": "Prove that a bundle's artefacts answer as the model that they were made from.",
    "run": "Read pictures, a video, a camera or a stream with a bundle.",
    "bench": "Measure latency, throughput, memory and energy of bundles on this machine.",
    "history": "Show what was measured before, over versions and machines.",
    "report": "Write results of bench as one page that explains itself: HTML and Markdown.",
    "deploy": "Let a bundle read a board's camera as a service, with its page.",
}
"""Every command with its line of help, in the help's order. The docstring of a command opens with the same line."""

MARKUP: Literal["markdown"] = "markdown"
"""How help texts are read: paragraphs flow, and [brackets] are text (as rich's own markup they would vanish)."""

_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
"""What the system answers when a disk is full or a file is not ours to touch: no fault of the program."""

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What typer raises for wrong usage; by its address, which depends on the version of typer, it cannot be imported."""


def load(name: str) -> Any:
    """Import a command's module and make its command.

    Args:
        name: A key of `COMMANDS`.

    Returns:
        The command as typer builds it, with the one line of help of `COMMANDS`.
    """
    entry = getattr(importlib.import_module(f"edgecnn.cli.{name}"), name)
    if not isinstance(entry, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(entry)
        entry = single
    entry.rich_markup_mode = MARKUP
    command = typer.main.get_command(entry)
    command.name = name
    return command


class _LazyCommand(TyperCommand):
    """Stands in the help for a command, and becomes that command when it is called."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return load(str(self.name)).make_context(*args, **kwargs)


class _Commands(TyperGroup):
    """All commands, and the one table of what becomes of an exception."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, line in COMMANDS.items():
            self.add_command(_LazyCommand(name, help=line))

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    """Make of a known exception its line on stderr and its exit code."""
    try:
        yield
    except (EdgecnnError, OSError, KeyboardInterrupt, _UsageError) as error:
        line, code = _verdict(error)
        if line is None or os.environ.get("EDGECNN_DEBUG") == "1":
            raise
        typer.echo(f"edgecnn: {line}", err=True)
        raise typer.Exit(code) from None


def _verdict(error: BaseException) -> tuple[str | None, int]:
    """The line and the exit code of an exception; no line when it is none of the known ones."""
    if isinstance(error, EdgecnnError):
        cause = error.cause if isinstance(error, StageError) else error
        return " ".join(str(error).split()), 2 if isinstance(cause, ArgumentError) else 1
    if isinstance(error, _UsageError):
        return _usage(error), 2
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT and error.filename is not None:
        return f"{error.filename}: {error.strerror}", 1
    return None, 1


def _usage(error: Any) -> str | None:
    """What typer says of wrong usage in the form of our own errors; None where it shows the whole help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return None
    words = " ".join(error.format_message().split()).removesuffix(".")
    command = "edgecnn" if error.ctx is None else error.ctx.command_path
    return f"{words[:1].lower()}{words[1:]}{'' if words.endswith('?') else '.'} See: {command} --help"


app = typer.Typer(
    name="edgecnn",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgecnn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """From a Keras CNN to proven int8 TFLite and ONNX, and to a camera that reads digits, on a small board."""


def main() -> None:
    """The program `edgecnn`."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # a broken picture gets our one line, not OpenCV's four
    try:
        try:
            app(prog_name="edgecnn")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has gone, as in `edgecnn nets | head -1`. Python's own flush at exit would complain again.
        _close_stdout()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        print(f"edgecnn: standard output: {error.strerror}", file=sys.stderr)
        _close_stdout()
        sys.exit(1)


def _close_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
