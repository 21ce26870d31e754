"""A bench from its beginning to its end: which rows there are, and in which order everything is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edgecnn import __version__
from edgecnn.bench import sampling
from edgecnn.bench.doubts import machine_doubts, row_doubts
from edgecnn.bench.energy import find_sensor, measure_energy
from edgecnn.bench.machine import Conditions, Machine, read_conditions, read_machine
from edgecnn.bench.probe import probe
from edgecnn.bench.profile import profile
from edgecnn.bench.proven import accuracy_of, parity_of
from edgecnn.bench.queries import tensor_for
from edgecnn.bench.result import (
    SCHEMA,
    BenchResult,
    Doubt,
    EndToEnd,
    Energy,
    Profile,
    Row,
    Start,
    Target,
    Throughput,
)
from edgecnn.bench.sampling import QUICK, Plan, Progress, Subject, WarmUp
from edgecnn.bench.stages import end_to_end
from edgecnn.bench.statistics import summarize
from edgecnn.bench.throughput import count_streams
from edgecnn.bundle import Bundle
from edgecnn.errors import ArgumentError, BundleError, MeasurementError
from edgecnn.runtime.session import Session
from edgecnn.spec import Precision, Runtime

MAX_THREADS = 256
BATCH = 8
"""Pictures in one call when throughput with a batch is counted."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured.

    Attributes:
        plan: How long each row is measured.
        runtimes: Of these runtimes ...
        precisions: ... the artefacts of these precisions ...
        threads: ... with each of these numbers of threads.
        start: Whether fresh processes are started for load time, first inference and memory.
        throughput: Whether inferences per second are counted, too.
        picture: A picture to read from end to end, split by stage.
        energy: Whether the energy of an inference is measured, too.
        profile: Whether the time of each operation is measured, too.

    Raises:
        ArgumentError: A list is empty, or a number of threads is out of range.
    """

    plan: Plan = QUICK
    runtimes: tuple[Runtime, ...] = tuple(Runtime)
    precisions: tuple[Precision, ...] = tuple(Precision)
    threads: tuple[int, ...] = (1,)
    start: bool = True
    throughput: bool = False
    picture: Path | None = None
    energy: bool = False
    profile: bool = False

    def __post_init__(self) -> None:
        for name in ("runtimes", "precisions", "threads"):
            if not getattr(self, name):
                raise ArgumentError(f"{name}: expected at least one, got none")
        for threads in self.threads:
            if not 1 <= threads <= MAX_THREADS:
                raise ArgumentError(f"threads: expected 1 to {MAX_THREADS}, got {threads}")


@dataclass(frozen=True, slots=True)
class Case:
    """A target with what it is measured on.

    Attributes:
        target: What it is.
        bundle: Where it comes from.
        session: The opened artefact.
    """

    target: Target
    bundle: Bundle
    session: Session

    @property
    def path(self) -> Path:
        """The artefact."""
        return self.bundle.path / self.target.file

    def open(self) -> Session:
        """Another session of the same target."""
        return self.bundle.open(self.target.runtime, self.target.precision, threads=self.target.threads)


@dataclass
class _Record:
    """What has been measured so far, so that Ctrl-C loses none of it."""

    machine: Machine
    before: Conditions
    after: Conditions
    rows: tuple[Row, ...] = ()
    throughput: list[Throughput] = field(default_factory=list)
    end_to_end: list[EndToEnd] = field(default_factory=list)
    energy: list[Energy] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True


def bench(
    bundles: Sequence[Bundle], options: Options, *, command: str = "", progress: Progress | None = None
) -> BenchResult:
    """Measure every artefact x runtime x number of threads of some bundles, interleaved.

    Args:
        bundles: What is measured.
        options: What is measured of them, and for how long.
        command: The command line, for the record.
        progress: Called with the share done (0..1) and what is being done.

    Returns:
        The result; `complete` is False when Ctrl-C ended it after at least one round of every row.

    Raises:
        ArgumentError: Two bundles have one name.
        BundleError: A bundle has none of the wanted artefacts.
        SessionError: An artefact cannot be opened or run.
        MeasurementError: A fresh process failed.
        KeyboardInterrupt: Ctrl-C came before there was anything worth keeping.
    """
    tell = progress or (lambda share, text: None)
    started, clock = datetime.now(UTC), time.perf_counter()
    conditions = read_conditions()
    record = _Record(read_machine(), conditions, conditions)
    with ExitStack() as stack:
        cases = list(_open(bundles, options, stack))
        timer = sampling.timer_overhead()
        starts = [_start(case, options, tell) for case in cases]
        _measure_rows(record, cases, starts, options, tell)
        record.doubts += row_doubts(record.rows, timer)
        if record.complete:
            with _keeping(record):
                _measure_extras(record, cases, options, tell)
    if not record.complete:
        record.doubts.append(Doubt("interrupted", "interrupted: what is here was measured until then", None))
    tell(1.0, "done")
    return BenchResult(
        schema=SCHEMA,
        tool=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        complete=record.complete,
        plan=options.plan,
        machine=record.machine,
        before=record.before,
        after=record.after,
        timer_us=timer,
        rows=record.rows,
        parity=tuple(parity for bundle in bundles if (parity := parity_of(bundle))),
        throughput=tuple(record.throughput),
        end_to_end=tuple(record.end_to_end),
        energy=tuple(record.energy),
        profiles=tuple(record.profiles),
        doubts=tuple(record.doubts),
        notes=tuple(record.notes),
    )


def check_names(bundles: Sequence[Bundle]) -> None:
    """Raise ArgumentError where two bundles have one name: rows and the history tell bundles apart by it."""
    found: dict[str, Bundle] = {}
    for bundle in bundles:
        first = found.get(bundle.name)
        if first is not None:
            raise ArgumentError(
                f"bundles: expected different names, got {bundle.name!r} from {first.path} and from {bundle.path}; "
                "measure one after the other, or export one of them with another --name"
            )
        found[bundle.name] = bundle


def _open(bundles: Sequence[Bundle], options: Options, stack: ExitStack) -> Iterator[Case]:
    check_names(bundles)
    for bundle in bundles:
        wanted = [
            (runtime, artifact)
            for runtime in options.runtimes
            for artifact in bundle.artifacts
            if artifact.format is runtime.file_format and artifact.precision in options.precisions
        ]
        if not wanted:
            there = ", ".join(f"{artifact.format} {artifact.precision}" for artifact in bundle.artifacts)
            raise BundleError(f"{bundle.path}: no artefact of the wanted runtime and precision; it holds {there}")
        for runtime, artifact in wanted:
            for threads in options.threads:
                target = Target(
                    bundle=bundle.name,
                    file=artifact.file,
                    sha256=artifact.sha256,
                    bytes=artifact.bytes,
                    runtime=runtime,
                    precision=artifact.precision,
                    threads=threads,
                )
                session = stack.enter_context(bundle.open(runtime, artifact.precision, threads=threads))
                yield Case(target, bundle, session)


def _start(case: Case, options: Options, tell: Callable[[float, str], None]) -> Start | None:
    if not options.start:
        return None
    tell(0.0, f"fresh processes for {case.target.name}")
    return probe(case.path, case.target.threads)


def _measure_rows(
    record: _Record, cases: Sequence[Case], starts: Sequence[Start | None], options: Options, tell: Progress
) -> None:
    subjects = [
        Subject(case.target.name, case.session.query(tensor_for(case.session, case.bundle.image))) for case in cases
    ]
    record.before = read_conditions()
    own, clock = _own_seconds(), time.perf_counter()
    record.complete = sampling.measure(subjects, options.plan, tell)
    seconds, own = time.perf_counter() - clock, _own_seconds() - own
    record.after = read_conditions()
    record.rows = tuple(
        Row(
            target=case.target,
            latency=summarize(subject.samples),
            rounds=subject.medians,
            warm_up=subject.warm_up or WarmUp(0, 0.0, False),
            ratio=None if subject is subjects[0] else sampling.ratio(subject, subjects[0]),
            start=start,
            accuracy=accuracy_of(case.bundle, case.target.file),
        )
        for case, subject, start in zip(cases, subjects, starts, strict=True)
    )
    record.doubts += machine_doubts(record.machine, record.before, record.after, own_seconds=own, seconds=seconds)
    usable = record.machine.usable
    record.doubts += [
        Doubt("threads", f"{case.target.threads} threads on {usable} processors", case.target.name)
        for case in cases
        if case.target.threads > usable
    ]


def _measure_extras(record: _Record, cases: Sequence[Case], options: Options, tell: Progress) -> None:
    seconds = options.plan.seconds
    for case in cases:
        name = case.target.name
        if options.throughput:
            tell(1.0, f"throughput of {name}")
            _count(record, case, seconds)
        if options.picture is not None:
            tell(1.0, f"end to end with {name}")
            record.end_to_end.append(end_to_end(case.target, case.bundle, options.picture, options.plan))
        if options.profile:
            tell(1.0, f"operations of {name}")
            try:
                record.profiles.append(profile(case.target, case.path))
            except MeasurementError as error:
                record.notes.append(str(error))
    if options.energy:
        sensor, reason = find_sensor()
        if sensor is None:
            record.notes.append(reason)
            return
        for case in cases:
            tell(1.0, f"energy of {case.target.name}")
            call = case.session.query(tensor_for(case.session, case.bundle.image))
            record.energy.append(measure_energy(case.target, call, sensor, seconds))


def _count(record: _Record, case: Case, seconds: float) -> None:
    """One stream, one stream with a batch, and as many streams as the target's threads leave processors for."""
    image = case.bundle.image
    record.throughput.append(count_streams(case.target, [case.session], image, seconds=seconds))
    record.throughput.append(count_streams(case.target, [case.session], image, seconds=seconds, batch=BATCH))
    number = record.machine.usable // case.target.threads
    if number > 1:
        with ExitStack() as stack:
            opened = [stack.enter_context(case.open()) for _ in range(number)]
            record.throughput.append(count_streams(case.target, opened, image, seconds=seconds))


@contextmanager
def _keeping(record: _Record) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        record.complete = False


def _own_seconds() -> float:
    """CPU time of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
