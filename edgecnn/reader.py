"""From a frame to readings: locate, preprocess, session, and what the net gives turned into labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from edgecnn.errors import ArgumentError
from edgecnn.preprocess import fit
from edgecnn.runtime.session import pixel_table
from edgecnn.spec import Frame, Locate, Precision, Reading, Runtime
from edgecnn.vision.decide import decide
from edgecnn.vision.locate import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.bundle import Bundle

Box = tuple[int, int, int, int]

MOST_AT_ONCE = 32
"""Digits in one call of a runtime that gains from it; bounds the memory of a scene full of candidates."""
Mark = Callable[[str], None]


def _unmarked(_stage: str) -> None:
    """Nobody times the stages."""


class Reader:
    """Reads frames with one artefact of a bundle. A context manager; used by one thread at a time.

    Args:
        bundle: What reads: its labels, its image, how it looks at a scene, when it rejects.
        runtime: What runs it.
        precision: Which of its artefacts; None takes int8 where there is one for the runtime, else float32.
        threads: Threads of the kernels.
        top: How many of the best classes a reading tells of, 1 or more.
        roi: x, y, width, height of the part of a frame that is looked at; None looks at all of it.

    Raises:
        ArgumentError: A value is out of range.
        BundleError: The artefact is absent or altered.
        MissingExtraError: The runtime is not installed.
        SessionError: The runtime cannot run it.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        runtime: Runtime = Runtime.LITERT,
        precision: Precision | None = None,
        threads: int = 1,
        top: int = 3,
        roi: Box | None = None,
    ) -> None:
        if top < 1:
            raise ArgumentError(f"top: expected 1 or more, got {top}")
        if roi is not None and (min(roi[:2]) < 0 or min(roi[2:]) < 1):
            raise ArgumentError(f"roi: expected x, y from 0 and width, height from 1, got {roi}")
        self.bundle = bundle
        self.runtime = runtime
        self.precision = precision or _best_precision(bundle, runtime)
        self.roi = roi
        self._top = min(top, len(bundle.labels))
        self._reject = None if bundle.reject.label is None else bundle.labels.index(bundle.reject.label)
        self._session = bundle.open(runtime, self.precision, threads=threads)
        self._table = pixel_table(bundle.image, self._session.input)
        # ONNX Runtime takes ten digits at once in 0.8 of the time of ten calls. LiteRT gains less than it pays: it
        # plans its memory anew whenever the number of digits changes.
        free = self._session.input.shape[0] == -1
        self._batch = MOST_AT_ONCE if free and runtime is Runtime.ONNX else 1

    def read(self, picture: Frame | NDArray[np.uint8], *, mark: Mark = _unmarked) -> tuple[Reading, ...]:
        """Read a picture.

        Args:
            picture: A frame, or uint8 [h, w, 3] BGR or [h, w] grey.
            mark: Called with "locate", "preprocess", "inference", "postprocess" as each is done, for a bench.

        Returns:
            Readings in reading order: lines top to bottom, each left to right. What the bundle rejects is left out.

        Raises:
            ArgumentError: dtype or shape is none of these, or `roi` lies outside of the picture.
            SessionError: The runtime failed.
        """
        pixels = picture.picture if isinstance(picture, Frame) else picture
        left, top, part = self._part(pixels)
        if self.bundle.locate is Locate.DIGITS:
            return self._digits(part, left, top, mark)
        fitted = fit(part, self.bundle.image)
        mark("locate")
        probabilities = self._classify(fitted[np.newaxis], mark)
        shown = self._shown(probabilities[0])
        box = (left, top, part.shape[1], part.shape[0])
        readings = self._named([probabilities[0].tolist()], [box], [0]) if shown else ()
        mark("postprocess")
        return readings

    def crop(self, picture: Frame | NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
        """Cut out what a reading was read from, as a data set for training wants it.

        Args:
            picture: The frame that was read.
            box: The reading's box.

        Returns:
            uint8 [28, 28] in MNIST's form where the bundle finds digits and one is found there again; else that part of
            the picture as it is.
        """
        pixels = picture.picture if isinstance(picture, Frame) else picture
        if self.bundle.locate is Locate.DIGITS:
            left, top, part = self._part(pixels)
            wanted = (box[0] - left, box[1] - top, box[2], box[3])
            best = max(locate(part), key=lambda candidate: overlap(candidate.box, wanted), default=None)
            if best is not None and overlap(best.box, wanted) > 0.5:
                return best.pixels
        x, y, width, height = box
        return pixels[max(y, 0) : max(y, 0) + height, max(x, 0) : max(x, 0) + width].copy()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _part(self, picture: NDArray[np.uint8]) -> tuple[int, int, NDArray[np.uint8]]:
        if self.roi is None:
            return 0, 0, picture
        x, y, width, height = self.roi
        part = picture[y : y + height, x : x + width]
        if 0 in part.shape:
            raise ArgumentError(f"roi: {self.roi} lies outside of a picture of {picture.shape[1]}x{picture.shape[0]}")
        return x, y, part

    def _digits(self, picture: NDArray[np.uint8], left: int, top: int, mark: Mark) -> tuple[Reading, ...]:
        """Read the digits of a scene whose left upper corner lies at a place of the frame."""
        found = locate(picture)
        mark("locate")

        def classify(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            return self._classify(pixels[..., np.newaxis], mark)

        digits = decide(found, classify, reject=self._reject, threshold=self.bundle.reject.threshold)
        boxes = [(x + left, y + top, w, h) for x, y, w, h in (digit.candidate.box for digit in digits)]
        readings = self._named([digit.probabilities for digit in digits], boxes, [digit.line for digit in digits])
        mark("postprocess")
        return readings

    def _classify(self, fitted: NDArray[np.uint8], mark: Mark) -> NDArray[np.float32]:
        """Probabilities [n, classes] of fitted pixels [n, height, width, channels]."""
        tensor, session = self._table.take(fitted), self._session
        mark("preprocess")
        step = self._batch
        outputs = [session.run(tensor[i : i + step]) for i in range(0, len(tensor), step)]
        mark("inference")
        together = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
        return self.bundle.probabilities(together, session)

    def _shown(self, probabilities: NDArray[np.float32]) -> bool:
        """Whether it is sure enough that it is one of the classes, whichever it is."""
        sure = probabilities.max() if self._reject is None else 1 - probabilities[self._reject]
        return bool(sure >= self.bundle.reject.threshold)

    def _named(
        self, probabilities: Sequence[list[float]], boxes: Sequence[Box], lines: Sequence[int]
    ) -> tuple[Reading, ...]:
        """Readings with their best classes."""
        labels, reject, top = self.bundle.labels, self._reject, self._top
        readings = []
        for values, box, line in zip(probabilities, boxes, lines, strict=True):
            order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
            best = tuple([(labels[i], values[i]) for i in order[: top + 1] if i != reject][:top])
            readings.append(Reading(*best[0], box, best, None, line))
        return tuple(readings)


def _best_precision(bundle: Bundle, runtime: Runtime) -> Precision:
    there = {artifact.precision for artifact in bundle.artifacts if artifact.format is runtime.file_format}
    return Precision.INT8 if Precision.INT8 in there or not there else Precision.FLOAT32


def text(readings: Sequence[Reading]) -> str:
    """Put readings together: labels of a line follow each other, lines are joined with "|".

    Args:
        readings: In reading order.

    Returns:
        Such as "123|45"; labels of more than one letter are parted by a blank. Empty without readings.
    """
    gap = "" if all([len(reading.label) == 1 for reading in readings]) else " "
    lines: dict[int, list[str]] = {}
    for reading in readings:
        lines.setdefault(reading.line, []).append(reading.label)
    return "|".join([gap.join(labels) for labels in lines.values()])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
