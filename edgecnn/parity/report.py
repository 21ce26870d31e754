"""What a comparison gives: rows, a verdict, and what both rest on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from edgecnn.errors import ArgumentError
from edgecnn.metrics import Accuracy, Agreement, Flips

KERAS = "Keras float32"
"""Name of the row of the Keras model."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an artefact may lose.

    Attributes:
        max_drop: Largest loss of top-1 accuracy against the reference, in percentage points.
        min_agreement: Least share of pictures that get the reference's class, in percent.
        float_tolerance: Largest |logit difference| between a float32 artefact and the reference, as a share of the
            reference's largest |logit| (of 1 where that is less). Both compute the same sums in another order.

    Raises:
        ArgumentError: A value is out of range.
    """

    max_drop: float = 0.5
    min_agreement: float = 99.5
    float_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        for name, high in (("max_drop", 100), ("min_agreement", 100), ("float_tolerance", 1)):
            value = getattr(self, name)
            if not 0 <= value <= high:
                raise ArgumentError(f"{name}: expected a number from 0 to {high}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Row:
    """What one model or artefact does on the test set.

    Attributes:
        name: "Keras float32", "TFLite int8", ...
        file: File name of the artefact; None for Keras.
        bad: Pictures for which an output is NaN or infinite. With any, nothing else is computed.
        accuracy: Top-1 accuracy.
        agreement: With the reference. None, as the following ones, for the reference itself and where there is none.
        flips: Pictures whose class changed against the reference, by direction.
        max_difference: Largest |logit difference| to the reference.
        sqnr_db: Signal to noise ratio of the logits against the reference in decibels; None too when they are equal.
        outputs_sha256: Hash of the integer outputs, uint8 shifted to int8: equal on every machine that computes the
            same. None for float32 outputs, which depend on the order of sums.
    """

    name: str
    file: str | None
    bad: int
    accuracy: Accuracy | None
    agreement: Agreement | None = None
    flips: Flips | None = None
    max_difference: float | None = None
    sqnr_db: float | None = None
    outputs_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Equality:
    """How alike the two int8 artefacts are.

    Attributes:
        equal: Pictures for which all outputs are equal, bit for bit.
        total: All pictures.
        outputs: Single outputs that differ.
        largest: The largest difference, in steps of the output; None when the two do not have the same steps.
    """

    equal: int
    total: int
    outputs: int
    largest: int | None


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The verdict and what it rests on.

    Attributes:
        rows: The reference first.
        reference: Name of the row that the others are compared with; None when there is nothing to compare with.
        int8_equal: The two int8 artefacts against each other; None unless both are there.
        dataset: What the pictures are.
        images: How many of them were used.
        available: How many there are.
        images_sha256: Hash of all pictures that there are, as the network sees them.
        budget: What was allowed.
        reasons: Why it failed, a line each; empty when it passed.
        notes: What one should know about the verdict, a line each.
        machine: What it ran on.
    """

    rows: tuple[Row, ...]
    reference: str | None
    int8_equal: Equality | None
    dataset: str
    images: int
    available: int
    images_sha256: str
    budget: Budget
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    machine: str

    @property
    def passed(self) -> bool:
        """Whether there is no reason to fail it."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The report as JSON knows it; "passed" first."""
        return {"passed": self.passed, **_plain(dataclasses.asdict(self))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
