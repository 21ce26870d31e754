"""Reasons and notes come from what an artefact is, never from what its row is called."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.parity import Budget
from edgecnn.parity.judge import Answers, base_of, equality_of, notes_of, reasons_of, row_of
from edgecnn.spec import Precision, TensorSpec

LABELS = np.arange(400) % 4


def answers(name: str, precision: Precision, values: np.ndarray, *, keras: bool = False) -> Answers:
    """Answers of Keras or of an artefact; of an int8 artefact, whose output has steps of 1."""
    values = values.astype(np.float32)
    if precision is Precision.INT8:
        spec = TensorSpec("out", (1, 4), "int8", 1.0, 0)
        return Answers(name, precision, "file", spec, values.astype(np.int8), values)
    spec = TensorSpec("out", (1, 4), "float32", None, None)
    return Answers(name, precision, None if keras else "file", None if keras else spec, values, values)


def right() -> np.ndarray:
    return np.eye(4)[LABELS] * 10


def wrong_in(count: int) -> np.ndarray:
    values = right()
    values[:count] = np.roll(values[:count], 1, axis=1)
    return values


def judged(*all_of_them: Answers) -> tuple[list[str], list[str]]:
    base, budget = base_of(all_of_them), Budget()
    rows = [row_of(one, base, LABELS) for one in all_of_them]
    reasons = reasons_of(all_of_them, rows, base, equality_of(all_of_them), budget)
    return list(reasons), list(notes_of(all_of_them, rows, budget))


@pytest.mark.parametrize("names", [("a", "b", "c"), ("same", "same", "same"), ("x int8", "y float32", "Keras float32")])
def test_names_decide_nothing(names) -> None:
    keras = answers(names[0], Precision.FLOAT32, right(), keras=True)
    off = answers(names[1], Precision.FLOAT32, right() * 1.001)
    int8 = answers(names[2], Precision.INT8, right() * 12)
    assert base_of([int8, off, keras]) is keras
    assert base_of([int8, off]) is off
    reasons, _ = judged(keras, off, int8)
    assert reasons == [f"{names[1]}: logits differ from {names[0]} by 0.01, at most 0.001 is allowed"]


def test_two_int8_files_that_differ_are_named_as_they_are() -> None:
    a, b = answers("A", Precision.INT8, right()), answers("B", Precision.INT8, wrong_in(1))
    reasons, _ = judged(answers("K", Precision.FLOAT32, right(), keras=True), a, b)
    assert reasons[-1].startswith("A and B: outputs are equal on 399 of 400 pictures, all are wanted")


@pytest.mark.parametrize(("precision", "helps"), [(Precision.INT8, True), (Precision.FLOAT32, False)])
def test_qat_is_said_to_help_int8_alone(precision: Precision, helps: bool) -> None:
    few = answers("few", precision, wrong_in(4))  # 99.0 %, the interval holds 99.5 %
    reasons, notes = judged(answers("K", Precision.FLOAT32, right(), keras=True), few)
    assert any("agrees with K on 99.00 %" in reason for reason in reasons)
    (note,) = notes
    assert note.startswith("few: 400 pictures are too few to decide") and ("--qat" in note) is helps
