"""From outputs to rows and reasons. Nothing is run here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.metrics import accuracy, agreement, flips, is_finite, max_abs_difference, sqnr_db
from edgecnn.parity.report import Budget, Equality, Row
from edgecnn.spec import Precision, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one model or artefact gave.

    Attributes:
        name: Name of its row, for people.
        precision: Its number format.
        file: File name of the artefact; None for Keras.
        output: The artefact's output; None for Keras.
        raw: [n, classes] as the file gives them.
        values: float32 [n, classes], the same as real values.
    """

    name: str
    precision: Precision
    file: str | None
    output: TensorSpec | None
    raw: NDArray[Any]
    values: NDArray[np.float32]

    @property
    def of_keras(self) -> bool:
        """Whether the Keras model gave them, not an artefact."""
        return self.output is None


def base_of(answers: Sequence[Answers]) -> Answers | None:
    """With what the others are compared: Keras, else the first float32 artefact. None when none is finite."""
    floats = [one for one in answers if one.precision is Precision.FLOAT32]
    floats.sort(key=lambda one: not one.of_keras)
    return next((one for one in floats if is_finite(one.values).all()), None)


def row_of(one: Answers, base: Answers | None, labels: NDArray[np.int64]) -> Row:
    """The row of a report.

    Raises:
        ArgumentError: A label is no class of the model.
    """
    digest = _outputs_sha256(one.raw)
    bad = len(one.values) - int(is_finite(one.values).sum())
    if bad:
        return Row(one.name, one.file, bad, None, outputs_sha256=digest)
    right = accuracy(one.values, labels)
    if base is None or one is base:
        return Row(one.name, one.file, 0, right, outputs_sha256=digest)
    return Row(
        name=one.name,
        file=one.file,
        bad=0,
        accuracy=right,
        agreement=agreement(base.values, one.values),
        flips=flips(base.values, one.values, labels),
        max_difference=max_abs_difference(base.values, one.values),
        sqnr_db=sqnr_db(base.values, one.values),
        outputs_sha256=digest,
    )


def equality_of(answers: Sequence[Answers]) -> Equality | None:
    """How alike the two int8 artefacts are; None unless there are two."""
    pair = [(one.output, one.raw) for one in _int8(answers) if one.output is not None]
    if len(pair) != 2:
        return None
    (one, a), (two, b) = pair
    total, classes = a.shape
    if _step(one) != _step(two):
        return Equality(0, total, total * classes, None)
    if one.scale is None:
        different = a.view(np.uint32) != b.view(np.uint32)
        return Equality(int((~different.any(axis=1)).sum()), total, int(different.sum()), None)
    distance = np.abs(_signed(a).astype(np.int16) - _signed(b).astype(np.int16))
    return Equality(int((distance == 0).all(axis=1).sum()), total, int((distance > 0).sum()), int(distance.max()))


def reasons_of(
    answers: Sequence[Answers], rows: Sequence[Row], base: Answers | None, equality: Equality | None, budget: Budget
) -> Iterator[str]:
    """Why the artefacts fail, a line each; `rows` are those of `answers`, in their order."""
    right = next((row.accuracy for one, row in zip(answers, rows, strict=True) if one is base), None)
    for one, row in zip(answers, rows, strict=True):
        if row.bad:
            yield f"{row.name}: NaN or infinity in the outputs of {row.bad:,} pictures"
        elif base is not None and right is not None and one is not base:
            yield from _losses(one, row, base, right.correct, budget)
    if equality is not None and equality.equal < equality.total:
        by = f", the largest difference is {equality.largest}" if equality.largest is not None else ""
        names = " and ".join(one.name for one in _int8(answers))
        yield (
            f"{names}: outputs are equal on {equality.equal:,} of {equality.total:,} pictures, "
            f"all are wanted (single outputs that differ: {equality.outputs:,}{by})"
        )


def notes_of(answers: Sequence[Answers], rows: Sequence[Row], budget: Budget) -> Iterator[str]:
    """What one should know about reasons, a line each: an agreement that fails by chance or for good, nobody knows."""
    wanted = budget.min_agreement / 100
    for one, row in zip(answers, rows, strict=True):
        found = row.agreement
        if found is not None and found.value < wanted <= found.high:
            helps = "more pictures, --qat, a longer training" if one.precision is Precision.INT8 else "more pictures"
            yield (
                f"{row.name}: {found.total:,} pictures are too few to decide, the 95 % interval of its agreement is "
                f"{100 * found.low:.2f}..{100 * found.high:.2f} %; what helps: {helps}"
            )


def _int8(answers: Sequence[Answers]) -> list[Answers]:
    return [one for one in answers if one.precision is Precision.INT8 and not one.of_keras]


def _losses(one: Answers, row: Row, base: Answers, correct: int, budget: Budget) -> Iterator[str]:
    if row.accuracy is None or row.agreement is None or row.max_difference is None:
        return
    total = row.accuracy.total
    drop = 100 * (correct - row.accuracy.correct)
    if drop > budget.max_drop * total:
        yield (
            f"{row.name}: top-1 falls by {drop / total:.2f} points against {base.name}, "
            f"at most {budget.max_drop:g} are allowed"
        )
    if 100 * row.agreement.equal < budget.min_agreement * total:
        yield (
            f"{row.name}: agrees with {base.name} on {100 * row.agreement.value:.2f} % of the pictures, "
            f"at least {budget.min_agreement:g} % are wanted"
        )
    most = budget.float_tolerance * max(1.0, float(np.abs(base.values).max()))
    if one.precision is Precision.FLOAT32 and row.max_difference > most:
        yield f"{row.name}: logits differ from {base.name} by {row.max_difference:.3g}, at most {most:.3g} is allowed"


def _step(spec: TensorSpec) -> tuple[float | None, int]:
    """Scale and zero point of the output as int8; equal steps mean that equal integers are equal values."""
    return spec.scale, (spec.zero_point or 0) - (128 if spec.dtype == "uint8" else 0)


def _signed(outputs: NDArray[Any]) -> NDArray[np.int8]:
    """Integer outputs as int8. A uint8 is the int8 + 128, which is the same bits but for the highest."""
    return outputs if outputs.dtype == np.int8 else (outputs ^ np.uint8(128)).view(np.int8)


def _outputs_sha256(outputs: NDArray[Any]) -> str | None:
    if outputs.dtype.kind == "f":
        return None
    return hashlib.sha256(np.ascontiguousarray(_signed(outputs)).data).hexdigest()
