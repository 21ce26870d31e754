"""Results kept in an SQLite file, so that today's can be compared with last month's.

One row in `runs` per bench, with its whole JSON; one row in `latencies` per target, for queries. A run is stored in one
transaction: a full disk, a lock or a pulled plug leaves the file as it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgecnn.bench.lock import state_folder
from edgecnn.bench.result import BenchResult, Target, target_name
from edgecnn.errors import MeasurementError

FILE = "history.db"
APPLICATION = 0x65636E6E
"""SQLite's application id of our files: "ecnn"."""
VERSION = 1
LOCK_SECONDS = 10.0

_TABLES = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  started TEXT NOT NULL,
  tool TEXT NOT NULL,
  versions TEXT NOT NULL,
  machine TEXT NOT NULL,
  machine_line TEXT NOT NULL,
  plan TEXT NOT NULL,
  complete INTEGER NOT NULL,
  doubts INTEGER NOT NULL,
  result TEXT NOT NULL
);
CREATE TABLE latencies (
  run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  bundle TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  runtime TEXT NOT NULL,
  precision TEXT NOT NULL,
  threads INTEGER NOT NULL,
  median REAL NOT NULL,
  low REAL,
  high REAL,
  p99 REAL
);
CREATE INDEX latencies_by_target ON latencies (bundle, runtime, precision, threads);
"""


@dataclass(frozen=True, slots=True)
class Past:
    """A latency that was measured before; times are microseconds.

    Attributes:
        run: Number of the run.
        started: When, ISO 8601 in UTC.
        tool: Version of edgecnn.
        runtime_version: Version of the runtime.
        machine: Key of the machine.
        machine_line: The machine in one line.
        plan: "quick", "thorough" or "own".
        complete: Whether the run was not interrupted.
        doubts: How many reasons there were not to trust the run.
        bundle: Name of the bundle.
        sha256: Hash of the artefact.
        runtime: What ran it.
        precision: Number format inside.
        threads: Threads of an inference.
        median: Median.
        low: Lower end of its interval.
        high: Upper end of it.
        p99: 99th percentile.
    """

    run: int
    started: str
    tool: str
    runtime_version: str
    machine: str
    machine_line: str
    plan: str
    complete: bool
    doubts: int
    bundle: str
    sha256: str
    runtime: str
    precision: str
    threads: int
    median: float
    low: float | None
    high: float | None
    p99: float | None

    @property
    def name(self) -> str:
        """For people, as `Target.name`: "digits int8 litert 1T"."""
        return target_name(self.bundle, self.precision, self.runtime, self.threads)


def history_path(named: Path | None = None) -> Path:
    """The file that is named, else the user's own history."""
    return state_folder() / FILE if named is None else named


class History:
    """An open history. A context manager.

    Args:
        path: The file; the user's own history when it is None.
        write: Whether it is made when absent, and may be added to.

    Raises:
        MeasurementError: It is absent (unless `write`), locked for ten seconds, unreadable, damaged, no history, or of
            a newer version.
    """

    def __init__(self, path: Path | None = None, *, write: bool = False) -> None:
        self.path = history_path(path)
        if self.path.is_dir():
            raise MeasurementError(
                f"{self.path}: expected the file of a history, got a folder; name a file in it, such as "
                f"{self.path / FILE}"
            )
        with self._errors():
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            elif not self.path.is_file():
                raise MeasurementError(f"{self.path}: no history yet; run: edgecnn bench --save")
            mode = "rwc" if write else "ro"
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            self._database = sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)
        try:
            with self._errors():
                self._database.execute("PRAGMA foreign_keys = ON")
                self._check(write)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, result: BenchResult) -> int:
        """Store a result, all or nothing.

        Returns:
            Number of the run.

        Raises:
            MeasurementError: The disk is full, or the file is locked, read-only or damaged.
        """
        run = (
            result.started,
            result.tool,
            json.dumps(result.machine.versions),
            result.machine.key,
            result.machine.line,
            result.plan.name,
            int(result.complete),
            len(result.doubts),
            result.to_json(),
        )
        with self._errors(), self._transaction():
            places = ", ".join("?" * len(run))
            columns = "started, tool, versions, machine, machine_line, plan, complete, doubts, result"
            cursor = self._database.execute(f"INSERT INTO runs ({columns}) VALUES ({places})", run)
            number = int(cursor.lastrowid or 0)
            self._database.executemany(
                "INSERT INTO latencies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, *_latency(row)) for row in result.rows],
            )
        return number

    def past(
        self, *, bundle: str | None = None, machine: str | None = None, target: Target | None = None, limit: int = 1000
    ) -> list[Past]:
        """Latencies that were measured before, the newest first.

        Args:
            bundle: Only of this bundle.
            machine: Only on the machine with this key.
            target: Only of this runtime, precision, number of threads and bundle; the artefact may be another one.
            limit: At most so many.

        Raises:
            MeasurementError: The file is locked or damaged.
        """
        wanted: dict[str, Any] = {}
        if target is not None:
            names = ("bundle", "runtime", "precision", "threads")
            wanted = {f"latencies.{name}": getattr(target, name) for name in names}
        if bundle is not None:
            wanted["latencies.bundle"] = bundle
        if machine is not None:
            wanted["runs.machine"] = machine
        where = " AND ".join(f"{column} = ?" for column in wanted) or "1"
        query = (
            "SELECT id, started, tool, versions, machine, machine_line, plan, complete, doubts,"
            " bundle, sha256, runtime, precision, threads, median, low, high, p99"
            f" FROM latencies JOIN runs ON runs.id = latencies.run WHERE {where}"
            " ORDER BY id DESC, latencies.rowid LIMIT ?"
        )
        with self._errors():
            return [_past(row) for row in self._database.execute(query, (*wanted.values(), limit))]

    def bundles(self, *, machine: str | None = None) -> tuple[str, ...]:
        """Names of the bundles of which there are latencies, sorted.

        Args:
            machine: Only on the machine with this key.

        Raises:
            MeasurementError: The file is locked or damaged.
        """
        where, values = ("WHERE machine = ?", (machine,)) if machine is not None else ("", ())
        query = f"SELECT DISTINCT bundle FROM latencies JOIN runs ON runs.id = latencies.run {where} ORDER BY bundle"
        with self._errors():
            return tuple(name for (name,) in self._database.execute(query, values))

    def result(self, run: int | None = None) -> BenchResult:
        """A whole result as it was stored.

        Args:
            run: Its number; the newest when it is None.

        Raises:
            MeasurementError: There is no such run, or the file is locked or damaged.
        """
        with self._errors():
            where, values = ("WHERE id = ?", (run,)) if run is not None else ("ORDER BY id DESC LIMIT 1", ())
            found = self._database.execute(f"SELECT result FROM runs {where}", values).fetchone()
        if found is None:
            raise MeasurementError(f"{self.path}: no run {run}" if run is not None else self.emptiness())
        return BenchResult.from_json(found[0], f"{self.path} run {run or 'newest'}")

    def emptiness(self) -> str:
        """What to tell where there is no run at all."""
        return f"{self.path}: it is empty; run: edgecnn bench --save"

    def _check(self, write: bool) -> None:
        application = self._database.execute("PRAGMA application_id").fetchone()[0]
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if application == APPLICATION and version > VERSION:
            raise MeasurementError(f"{self.path}: written by a newer edgecnn (version {version}); update this one")
        if application == APPLICATION:
            return
        tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != 0 or tables or not write:
            raise MeasurementError(f"{self.path}: expected a history of edgecnn, got another file; name one with --db")
        with self._transaction():
            for statement in _TABLES.split(";"):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # SQLite has already rolled back when the disk was full
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise MeasurementError(f"{self.path}: {_advice(error)}") from error
        except OSError as error:
            raise MeasurementError(f"{self.path}: the folder cannot be made: {error.strerror}") from error


def _advice(error: sqlite3.DatabaseError) -> str:
    text = str(error)
    if "locked" in text:
        return f"another program has locked it for {LOCK_SECONDS:.0f} s; try again when that has ended"
    if "readonly" in text or "unable to open" in text:
        return f"it cannot be written ({text}); name another file with --db"
    if "full" in text or "disk I/O" in text:
        return f"the disk is full or failed ({text}); nothing was stored"
    return f"it is damaged or no history of edgecnn ({text}); move it away, or name another file with --db"


def _latency(row: Any) -> tuple[Any, ...]:
    target, median = row.target, row.latency.p50
    p99 = row.latency.p99.value if row.latency.p99 else None
    names = (target.bundle, target.sha256, str(target.runtime), str(target.precision), target.threads)
    return (*names, median.value, median.low, median.high, p99)


def _past(row: Sequence[Any]) -> Past:
    values = list(row)
    versions = json.loads(values[3])
    package = {"litert": "ai-edge-litert", "onnx": "onnxruntime"}.get(values[11], "")
    values[3] = str(versions.get(package, "?"))
    values[7] = bool(values[7])
    return Past(*values)
