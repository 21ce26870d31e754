"""Running the artefacts of one model side by side on a test set."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.bundle import Bundle, Head, Reference
from edgecnn.errors import ArgumentError
from edgecnn.parity.judge import Answers, base_of, equality_of, notes_of, reasons_of, row_of
from edgecnn.parity.pictures import Pictures
from edgecnn.parity.report import KERAS, Budget, ParityReport
from edgecnn.runtime.session import Session, dequantize, raw_pixel_outputs, softmax
from edgecnn.spec import ImageSpec, Precision, Runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_BYTES = 2**20
"""Pictures that are in memory at once."""
_NAMES = {Runtime.LITERT: "TFLite", Runtime.ONNX: "ONNX"}

Progress = Callable[[int, int], None]
"""Called with the pictures that are done and all of them."""


def compare_bundle(
    bundle: Bundle,
    pictures: Pictures,
    *,
    dataset: str,
    budget: Budget | None = None,
    limit: int | None = None,
    threads: int = 1,
    machine: str | None = None,
    progress: Progress | None = None,
) -> ParityReport:
    """`compare` all artefacts of a bundle with its stored Keras logits.

    Args:
        bundle: The bundle.
        pictures: The test set.
        dataset: What the pictures are, for the report.
        budget: What an artefact may lose.
        limit: Use only so many pictures, evenly spread.
        threads: Threads of each session.
        machine: What it runs on, for the report.
        progress: Called with the pictures that are done and all of them.

    Raises:
        ArgumentError: There is no picture, or a label or an option is out of range.
        BundleError: The bundle was altered.
        MissingExtraError: A runtime is not installed.
        SessionError: An artefact cannot be opened or run.
    """
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(bundle.open(runtime, artifact.precision, threads=threads))
            for artifact in bundle.artifacts
            for runtime in Runtime
            if runtime.file_format is artifact.format
        ]
        return compare(
            sessions,
            pictures,
            bundle.image,
            dataset=dataset,
            reference=bundle.reference(),
            head=bundle.head,
            budget=budget,
            limit=limit,
            machine=machine,
            progress=progress,
        )


def compare(
    sessions: Sequence[Session],
    pictures: Pictures,
    image: ImageSpec,
    *,
    dataset: str,
    reference: Reference | None = None,
    head: Head = Head.LOGITS,
    budget: Budget | None = None,
    limit: int | None = None,
    machine: str | None = None,
    progress: Progress | None = None,
) -> ParityReport:
    """Run artefacts on a test set, and compare them with the reference and with each other.

    Args:
        sessions: Artefacts of one model, one of each runtime and precision at most. They run in parallel.
        pictures: The test set.
        image: How a picture becomes a tensor.
        dataset: What the pictures are, for the report.
        reference: Logits of the Keras model. Where its pictures are not these, it is not used, and the report says so.
            Without it a float32 artefact takes its place.
        head: What the artefacts give. With SOFTMAX the probabilities are compared.
        budget: What an artefact may lose.
        limit: Use only so many pictures, evenly spread.
        machine: What it runs on, for the report.
        progress: Called with the pictures that are done and all of them.

    Raises:
        ArgumentError: There is no picture or no session, or a label or an option is out of range.
        SessionError: An artefact failed.
    """
    budget = Budget() if budget is None else budget
    _check_sessions(sessions)
    chosen = _chosen(len(pictures), limit)
    sessions = sorted(sessions, key=lambda each: (each.precision is Precision.INT8, each.runtime is Runtime.ONNX))
    raw, digest = _run(sessions, pictures, image, chosen, progress)
    answers = [_answers(session, outputs) for session, outputs in zip(sessions, raw, strict=True)]
    notes = []
    if reference is not None and reference.sha256 == digest:
        answers.insert(0, _keras(reference.logits[chosen], head))
    elif reference is not None:
        notes.append(
            f"the stored Keras logits are of other pictures ({reference.dataset}, {reference.split}): not used"
        )
    base = base_of(answers)
    if base is None:
        notes.append("no float reference: accuracy and agreement are not judged")
    elif not base.of_keras:
        notes.append(f"no Keras logits for these pictures: compared with {base.name}")
    labels = np.asarray(pictures.labels)[chosen]
    rows = tuple(row_of(one, base, labels) for one in answers)
    notes += notes_of(answers, rows, budget)
    equality = equality_of(answers)
    return ParityReport(
        rows=rows,
        reference=None if base is None else base.name,
        int8_equal=equality,
        dataset=dataset,
        images=len(chosen),
        available=len(pictures),
        images_sha256=digest,
        budget=budget,
        reasons=tuple(reasons_of(answers, rows, base, equality, budget)),
        notes=tuple(notes),
        machine=machine or f"{platform.machine()}, {platform.system()} {platform.release()}",
    )


def _answers(session: Session, outputs: NDArray[Any]) -> Answers:
    values = dequantize(outputs, session.output)
    return Answers(_name(session), session.precision, session.path.name, session.output, outputs, values)


def _keras(logits: NDArray[np.float32], head: Head) -> Answers:
    values = softmax(logits) if head is Head.SOFTMAX else logits
    return Answers(KERAS, Precision.FLOAT32, None, None, values, values)


def _check_sessions(sessions: Sequence[Session]) -> None:
    names = [_name(session) for session in sessions]
    if not names:
        raise ArgumentError("sessions: expected at least one")
    if len(set(names)) != len(names):
        raise ArgumentError(f"sessions: expected one of each runtime and precision, got {', '.join(names)}")
    if len({session.output.shape[1] for session in sessions}) != 1:
        raise ArgumentError(f"sessions: expected equal classes, got {[list(s.output.shape) for s in sessions]}")


def _name(session: Session) -> str:
    return f"{_NAMES[session.runtime]} {session.precision}"


def _chosen(available: int, limit: int | None) -> NDArray[np.int64]:
    """Indices of the pictures that are used: spread evenly, so that data sorted by class gives all classes."""
    if available < 1:
        raise ArgumentError("pictures: expected at least one")
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit: expected 1 or more, got {limit}")
    count = available if limit is None else min(limit, available)
    return np.arange(count, dtype=np.int64) * available // count


def _run(
    sessions: Sequence[Session],
    pictures: Pictures,
    image: ImageSpec,
    chosen: NDArray[np.int64],
    progress: Progress | None,
) -> tuple[list[NDArray[Any]], str]:
    """Outputs of each session, and the hash of all pictures, which must be looked at even when few of them are used."""
    parts: list[list[NDArray[Any]]] = [[] for _ in sessions]
    digest = hashlib.sha256()
    done = 0
    with ThreadPoolExecutor(min(len(sessions), _processors())) as pool:
        for start, pixels in _chunks(pictures, image):
            digest.update(np.ascontiguousarray(pixels).data)
            here = chosen[(chosen >= start) & (chosen < start + len(pixels))] - start
            used = pixels if len(here) == len(pixels) else pixels[here]
            results = [pool.submit(raw_pixel_outputs, session, used, image) for session in sessions]
            for part, result in zip(parts, results, strict=True):
                part.append(result.result())
            done += len(here)
            if progress is not None:
                progress(done, len(chosen))
    return [np.concatenate(part) for part in parts], digest.hexdigest()


def _chunks(pictures: Pictures, image: ImageSpec) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    size = max(1, _CHUNK_BYTES // (image.height * image.width * image.channels))
    for start in range(0, len(pictures), size):
        yield start, pictures.pixels(np.arange(start, min(start + size, len(pictures))), image)


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
