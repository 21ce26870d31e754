"""`edgecnn bench`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show, values
from edgecnn.errors import ArgumentError
from edgecnn.spec import Precision, Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecnn.bench.compare import Change
    from edgecnn.bench.measure import Options
    from edgecnn.bench.result import BenchResult, Doubt
    from edgecnn.bench.sampling import Plan
    from edgecnn.bundle import Bundle


def bench(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(metavar="BUNDLE...", help="Folders of bundles, or names of shipped ones.  [default: digits]"),
    ] = None,
    runtime: Annotated[list[Runtime] | None, typer.Option(help="Only with this runtime; may be repeated.")] = None,
    precision: Annotated[list[Precision] | None, typer.Option(help="Only this precision; may be repeated.")] = None,
    threads: Annotated[str, typer.Option(metavar="N,...", help="Numbers of threads, such as 1,2,4.")] = "1",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="MLPerf's SingleStream rule: at least 1,024 queries and 60 s a row.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(help="Time of a row.  [default: 2; thorough: 60]")] = None,
    queries: Annotated[int | None, typer.Option(help="Least queries a row.  [default: 10; thorough: 1024]")] = None,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="Count inferences per second, with a batch and on all processors, too.")
    ] = False,
    end_to_end: Annotated[
        Path | None, typer.Option(metavar="PICTURE", help="Read this picture, too, and split the time by stage.")
    ] = None,
    energy: Annotated[bool, typer.Option("--energy", help="Measure the energy of an inference, too.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Show the time of each operation, too.")] = False,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start fresh processes for load time, first inference, memory.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file, for `report`.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the latencies as CSV to this file.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Add the result to the history.")] = False,
    db: Annotated[Path | None, typer.Option(help="File of the history.  [default: the user's own]")] = None,
    fail_on_regression: Annotated[
        float | None,
        typer.Option(metavar="PERCENT", help="Exit 1 when a row is slower than before by more, beyond the noise."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when there is a reason to doubt the result.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, callback=values.finite, help="Seconds to wait for another bench to end.")
    ] = 0,
    on: Annotated[
        str | None, typer.Option(metavar="[USER@]BOARD", help="Measure on this board, over SSH, not here.")
    ] = None,
) -> None:
    """Measure latency, throughput, memory and energy of bundles on this machine.

    Every artefact x runtime x number of threads is a row; the rows take turns, so that a machine that changes its pace
    treats all alike. The machine is part of the result, and so is every reason to doubt it.
    """
    from edgecnn import pictures
    from edgecnn.bench.measure import Options, check_names
    from edgecnn.bundle import default_bundle, find_bundle, read_bundle
    from edgecnn.files import check_writable

    options = Options(
        plan=_plan(thorough, seconds, queries),
        runtimes=tuple(dict.fromkeys(runtime or Runtime)),
        precisions=tuple(dict.fromkeys(precision or Precision)),
        threads=_numbers(threads),
        start=start,
        throughput=throughput,
        picture=end_to_end,
        energy=energy,
        profile=profile,
    )
    for name, file in (("--out", out), ("--csv", csv)):
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise ArgumentError(f"{name}: expected a file in a folder that is there, got {file}")
        if file is not None:
            check_writable(file.parent, name)
    opened = [read_bundle(folder) for folder in _once([find_bundle(name) for name in bundles or [default_bundle()]])]
    check_names(opened)
    ledger = _Ledger(db, save, fail_on_regression)
    ledger.check()
    if end_to_end is not None:
        data = pictures.read_bytes(end_to_end)
        if on is None:  # a board decodes it itself, and OpenCV may be there alone
            pictures.decode(data, name=str(end_to_end))
    command = shlex.join(["edgecnn", *sys.argv[1:]])
    result = _here(opened, options, command, wait) if on is None else _there(on, opened, options, command)
    written = _write(result, out, csv)
    changes: tuple[Change, ...] = ()
    try:  # stored first: who reads the answer may have gone; shown whatever the history says
        changes = ledger.book(result)
    finally:
        if json:
            show.json_line(result)
        else:
            _show(result, changes, fail_on_regression)
    slower = any(change.regressed for change in changes)
    if strict and result.doubts:
        doubts = "; ".join(_told(doubt) for doubt in result.doubts)
        show.note(f"edgecnn: --strict: {doubts}")
    if not result.complete:
        show.note("edgecnn: interrupted; the result is partial and marked as such")
        raise typer.Exit(130)
    if slower or not written or (strict and result.doubts):
        raise typer.Exit(1)


def _once(folders: Sequence[Path]) -> list[Path]:
    """The folders without those that are named again: to measure one beside itself tells nothing."""
    first: dict[Path, Path] = {}
    for folder in folders:
        named = first.setdefault(folder.resolve(), folder)
        if named is not folder:
            again = "named twice" if named == folder else f"the same folder as {named}"
            show.note(f"edgecnn: {folder} is {again}: measured once")
    return list(first.values())


def _here(bundles: list[Bundle], options: Options, command: str, wait: float) -> BenchResult:
    from edgecnn.bench.lock import only_one
    from edgecnn.bench.measure import bench as measure
    from edgecnn.bench.result import Doubt

    with only_one(wait=wait, waiting=show.note) as alone, show.progress("bench") as update:
        result = measure(
            bundles,
            options,
            command=command,
            progress=lambda share, text: update(round(100 * share), 100, text),
        )
    if alone:
        return result
    unlocked = Doubt("alone", "no lock could be taken: another bench would not have been noticed", None)
    return replace(result, doubts=(*result.doubts, unlocked))


def _there(board: str, bundles: list[Bundle], options: Options, command: str) -> BenchResult:
    from edgecnn.remote.bench import bench_on

    return bench_on(board, bundles, options, command=command, progress=lambda line: show.note(f"edgecnn: {line}"))


def _plan(thorough: bool, seconds: float | None, queries: int | None) -> Plan:
    from edgecnn.bench.sampling import QUICK, THOROUGH

    plan = THOROUGH if thorough else QUICK
    if seconds is None and queries is None:
        return plan
    return replace(
        plan,
        seconds=plan.seconds if seconds is None else seconds,
        queries=plan.queries if queries is None else queries,
        name="own",
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise ArgumentError(f"--threads: expected numbers such as 1,2,4, got {text!r}") from error


def _write(result: BenchResult, out: Path | None, csv: Path | None) -> bool:
    """Write the files that were asked for; False when one could not be, which must not lose the rest of the answer."""
    from edgecnn.files import write_atomically
    from edgecnn.report.bench import to_csv

    for path, text in ((out, result.to_json() + "\n"), (csv, to_csv(result))):
        try:
            if path is not None:
                write_atomically(path, text.encode())
        except OSError as error:
            show.note(f"edgecnn: {path}: {error.strerror}; it was not written")
            return False
    return True


def _show(result: BenchResult, changes: Sequence[Change], percent: float | None) -> None:
    from edgecnn.report.bench import changes as compared
    from edgecnn.report.bench import tables

    for table in tables(result):
        show.result_table(table)
        show.text()
    for line in result.notes:
        show.text(line)
    for doubt in result.doubts:
        show.text(f"doubt: {_told(doubt)}")
    if changes and percent is not None:
        show.result_table(compared(changes, percent))


def _told(doubt: Doubt) -> str:
    return f"{doubt.target}: {doubt.text}" if doubt.target else doubt.text


@dataclass(frozen=True)
class _Ledger:
    """What the options say about the history: store in it, compare with it, or neither."""

    db: Path | None
    save: bool
    percent: float | None

    def check(self) -> None:
        """Find out before anything is measured that the history cannot be used."""
        from edgecnn.bench.compare import check_percent
        from edgecnn.bench.history import History, history_path

        if self.percent is not None:
            check_percent(self.percent)
        if self.save or (self.percent is not None and history_path(self.db).exists()):
            with History(self.db, write=self.save):
                pass

    def book(self, result: BenchResult) -> tuple[Change, ...]:
        """Store the result and compare it with its past.

        Returns:
            A change for each row that has a past; none where no comparison was asked for.
        """
        from edgecnn.bench import compare
        from edgecnn.bench.history import History, history_path

        if not self.save and (self.percent is None or not history_path(self.db).is_file()):
            if self.percent is not None:
                show.note(f"{history_path(self.db)}: no history yet, nothing to compare with; keep results with --save")
            return ()
        with History(self.db, write=self.save) as history:
            run = history.add(result) if self.save else None
            if run is not None:
                show.note(f"saved as run {run} in {history.path}")
            if self.percent is None:
                return ()
            found = compare.changes(history, result, percent=self.percent, before=run)
        known = {change.target for change in found}
        new = [row.target.name for row in result.rows if row.target not in known]
        if new:
            show.note(f"nothing to compare with: no complete run on this machine in the history: {', '.join(new)}")
        for change in found:
            if change.other_files:
                show.note(
                    f"{change.target.name}: {change.other_files} of {change.runs} earlier runs measured another file "
                    "(its SHA-256 differs)"
                )
            if change.regressed:
                show.note(f"edgecnn: {change.target.name} is slower: {change.ratio.value:.2f} x what it was")
        return found
