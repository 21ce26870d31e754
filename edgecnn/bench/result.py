"""The answer of a bench: frozen, complete in itself, JSON and back.

Latencies are microseconds, memory and sizes are bytes, clocks are MHz, energies are millijoules, times of day are
ISO 8601 in UTC. A field is null where this machine does not tell or that part was not asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgecnn.bench.codec import decode, to_json
from edgecnn.bench.foreign import something_else, unreadable
from edgecnn.bench.machine import Conditions, Machine
from edgecnn.bench.sampling import Plan, WarmUp
from edgecnn.bench.statistics import Estimate, Summary
from edgecnn.errors import MeasurementError
from edgecnn.spec import Precision, Runtime

SCHEMA = 1
"""Version of the JSON; a reader refuses one that it does not know."""

MAX_JSON_BYTES = 64 * 2**20

_EXPECTED = "expected the JSON of a bench (edgecnn bench --out)"
_MARKS = frozenset({"schema", "plan", "machine", "rows"})
"""Fields by which the JSON of a bench, of any schema, is told from JSON of something else."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is about: one artefact, run by one runtime with a number of threads.

    Attributes:
        bundle: Name of the bundle.
        file: Name of the artefact in it.
        sha256: Its hash.
        bytes: Its size.
        runtime: What runs it.
        precision: Number format inside.
        threads: Threads that one inference may use.
    """

    bundle: str
    file: str
    sha256: str
    bytes: int
    runtime: Runtime
    precision: Precision
    threads: int

    @property
    def name(self) -> str:
        """For people: "digits int8 litert 1T"."""
        return target_name(self.bundle, self.precision, self.runtime, self.threads)


def target_name(bundle: str, precision: str, runtime: str, threads: int) -> str:
    """Name of a target for people: "digits int8 litert 1T"."""
    return f"{bundle} {precision} {runtime} {threads}T"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often an artefact is right, as its bundle says; measured at export, not here.

    Attributes:
        value: Share of right answers, 0..1.
        low: Lower end of the 95 % interval.
        high: Upper end of it.
        total: Number of pictures.
        data: The data set that it was measured on.
    """

    value: float
    low: float
    high: float
    total: int
    data: str


@dataclass(frozen=True, slots=True)
class Parity:
    """The parity verdict of a bundle, as it says; judged at export, not here.

    Attributes:
        bundle: Its name.
        passed: The verdict.
        data: The pictures that it was judged on.
        pictures: How many.
        equal: Pictures for which TFLite int8 and ONNX int8 give equal outputs, bit for bit.
        compared: Of how many.
        reasons: Why it failed.
    """

    bundle: str
    passed: bool
    data: str
    pictures: int
    equal: int | None
    compared: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """A fresh process that opens the artefact and runs it once; median of several such processes.

    Attributes:
        processes: How many were started.
        import_us: Importing the runtime.
        load_us: From the file to a session that is ready.
        first_us: The first inference.
        peak: Largest resident memory of the process, with Python, numpy and the runtime (maximum over the processes).
        net: By how much opening and running this artefact raised it.
    """

    processes: int
    import_us: float
    load_us: float
    first_us: float
    peak: int
    net: int


@dataclass(frozen=True, slots=True)
class Row:
    """Latency of one target: one query at a time, as MLPerf's SingleStream has it.

    Attributes:
        target: What was measured.
        latency: A query is: hand the input over, run, fetch the output.
        rounds: Median of each round.
        warm_up: What came before, untimed.
        ratio: How many times longer than the first row of the same run; null in the first.
        start: Import, load, first inference and memory.
        accuracy: From the bundle.
    """

    target: Target
    latency: Summary
    rounds: tuple[float, ...]
    warm_up: WarmUp
    ratio: Estimate | None
    start: Start | None
    accuracy: Accuracy | None


@dataclass(frozen=True, slots=True)
class Throughput:
    """Inferences per second when as much as possible is asked for.

    Attributes:
        target: What was measured; its threads are those of each stream.
        streams: Sessions that ran at the same time, each in its own thread.
        batch: Pictures in one call.
        per_second: Pictures per second of all streams together.
        seconds: How long it was measured.
        note: Why there is no number, when `per_second` is null.
    """

    target: Target
    streams: int
    batch: int
    per_second: float | None
    seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of picture in, reading out."""

    name: str
    latency: Summary


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """Picture in, reading out, split by stage.

    Attributes:
        target: The artefact that read.
        picture: Name of the picture.
        width: Its width in pixels.
        height: Its height.
        readings: How many readings it gave.
        total: All stages together, measured as one.
        stages: Each of them.
    """

    target: Target
    picture: str
    width: int
    height: int
    readings: int
    total: Summary
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one inference.

    Attributes:
        target: What ran.
        sensor: What was read, and what it covers.
        per_query: Millijoules an inference, what the idle machine takes included.
        above_idle: Millijoules an inference above what the idle machine takes.
        watts: Mean power while it ran.
        idle_watts: Mean power while nothing ran.
        queries: Inferences made.
        seconds: How long.
    """

    target: Target
    sensor: str
    per_query: float
    above_idle: float
    watts: float
    idle_watts: float
    queries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a profile.

    Attributes:
        name: As the runtime calls it.
        kind: Type of the operation.
        calls: How often it ran per inference.
        mean: Mean microseconds per inference.
        share: Of the sum over all operations, 0..1; null where the operations are too short to be told apart.
    """

    name: str
    kind: str
    calls: float
    mean: float
    share: float | None


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of an inference goes.

    Attributes:
        target: What ran.
        source: What counted.
        runs: Inferences profiled.
        total: Microseconds per inference, profiling included.
        operations: In the order in which they run.
        note: What a reader should know.
    """

    target: Target
    source: str
    runs: int
    total: float
    operations: tuple[Operation, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason not to trust a figure.

    Attributes:
        code: Short name: throttled, busy, stolen, clock, threads, alone, spread, drift, warm-up, few, timer,
            interrupted.
        text: One line: what was seen, what was expected.
        target: Name of the row, or null when all are meant.
    """

    code: str
    text: str
    target: str | None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All that one bench measured, and on what.

    Attributes:
        schema: `SCHEMA`.
        tool: Version of edgecnn that measured.
        command: Command line that made it; empty when it was called from Python.
        started: Time of day when it began.
        seconds: How long it took, by a monotonic clock.
        complete: False when it was interrupted; the rows then hold what was measured until then.
        plan: How long each row was measured.
        machine: What it was measured on.
        before: Its state before.
        after: Its state after.
        timer_us: What the timing loop reads for an empty call; contained in every latency.
        rows: Latencies.
        parity: Verdicts of the bundles.
        throughput: Inferences per second.
        end_to_end: Picture in, reading out.
        energy: Energy of an inference.
        profiles: Time of each operation.
        doubts: Reasons not to trust it; none is the best answer.
        notes: What was asked for and cannot be had on this machine, with the reason.
    """

    schema: int
    tool: str
    command: str
    started: str
    seconds: float
    complete: bool
    plan: Plan
    machine: Machine
    before: Conditions
    after: Conditions
    timer_us: float
    rows: tuple[Row, ...]
    parity: tuple[Parity, ...]
    throughput: tuple[Throughput, ...]
    end_to_end: tuple[EndToEnd, ...]
    energy: tuple[Energy, ...]
    profiles: tuple[Profile, ...]
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """The JSON text."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str, where: str = "result") -> BenchResult:
        """Read what `to_json` wrote.

        Raises:
            MeasurementError: It is no such text, or of another schema.
        """
        expected = f"{where}: {_EXPECTED}"
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MeasurementError(f"{expected}, got {unreadable(text, error)}") from error
        if not isinstance(data, dict) or not data.keys() >= _MARKS:
            raise MeasurementError(f"{expected}, got {something_else(data)}")
        schema = data["schema"]
        if type(schema) is int and schema > SCHEMA:
            newer = f"one of a newer edgecnn (schema {schema}, this one reads {SCHEMA}); update edgecnn"
            raise MeasurementError(f"{expected}, got {newer}")
        if schema != SCHEMA:
            raise MeasurementError(f"{expected}, got one of the unknown schema {schema!r:.40}")
        result = decode(cls, data, f"{where}: result")
        if not result.rows:
            raise MeasurementError(f"{where}: result.rows: expected at least one, got none")
        return result


def read_result(path: Path) -> BenchResult:
    """Read a result file.

    Raises:
        MeasurementError: It is absent, too large, or not the JSON of a bench.
    """
    try:
        if path.is_dir():
            raise MeasurementError(f"{path}: {_EXPECTED}, got a folder")
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise MeasurementError(f"{path}: expected at most {MAX_JSON_BYTES} bytes, got {size}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MeasurementError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MeasurementError(f"{path}: {_EXPECTED}, got no text") from error
    return BenchResult.from_json(text, str(path))
