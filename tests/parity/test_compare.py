from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.bundle import BundleDraft, Head, Reference, pixels_sha256, write_bundle
from edgecnn.data import ArraySplit
from edgecnn.errors import ArgumentError, SessionError
from edgecnn.parity import Budget, compare, compare_bundle, relabelled
from edgecnn.runtime.session import Session, open_session, raw_pixel_outputs, softmax
from edgecnn.spec import Fit, Format, ImageSpec, Precision

IMAGE = ImageSpec(28, 28, 1, fit=Fit.DIGIT)
FILES = ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx")
NAMES = ["Keras float32", "TFLite float32", "ONNX float32", "TFLite int8", "ONNX int8"]
LOOSE = Budget(max_drop=5, min_agreement=90)


@pytest.fixture(scope="session")
def sessions(artifacts: Path) -> Iterator[list[Session]]:
    with ExitStack() as stack:
        yield [stack.enter_context(open_session(artifacts / name)) for name in FILES]


@pytest.fixture(scope="session")
def reference(test_set: dict[str, Any]) -> Reference:
    return Reference(test_set["logits"], test_set["labels"], "optdigits", "test", pixels_sha256(test_set["pixels"]))


def test_all_five_on_the_whole_test_set(
    sessions: list[Session], pictures: ArraySplit, reference: Reference, test_set: dict[str, Any]
) -> None:
    seen: list[tuple[int, int]] = []
    report = compare(
        sessions, pictures, IMAGE, dataset="optdigits test", reference=reference, budget=LOOSE,
        progress=lambda done, total: seen.append((done, total)), machine="a machine",
    )  # fmt: skip
    assert report.passed, report.reasons
    assert [row.name for row in report.rows] == NAMES
    assert (report.reference, report.images, report.available) == (NAMES[0], len(pictures), len(pictures))
    assert (report.dataset, report.machine, report.notes) == ("optdigits test", "a machine", ())
    assert report.images_sha256 == reference.sha256
    assert seen[-1] == (len(pictures), len(pictures))
    keras, _, _, tflite, onnx = report.rows
    assert keras.accuracy is not None
    assert keras.accuracy.correct == int((test_set["logits"].argmax(1) == test_set["labels"]).sum())
    assert keras.agreement is None
    for row in report.rows[1:3]:
        assert row.agreement is not None
        assert row.agreement.equal == len(pictures)
        assert row.max_difference is not None
        assert row.max_difference < 1e-3
        assert row.outputs_sha256 is None
    assert report.int8_equal is not None
    assert (report.int8_equal.equal, report.int8_equal.total) == (len(pictures), len(pictures))
    assert (report.int8_equal.outputs, report.int8_equal.largest) == (0, 0)
    assert tflite.outputs_sha256 is not None
    assert tflite.outputs_sha256 == onnx.outputs_sha256
    assert tflite.sqnr_db is not None
    assert tflite.sqnr_db > 15
    assert replace(tflite, name="", file="") == replace(onnx, name="", file="")


def test_the_order_of_the_sessions_does_not_matter(
    sessions: list[Session], pictures: ArraySplit, reference: Reference
) -> None:
    reports = [
        compare(order, pictures, IMAGE, dataset="x", reference=reference, limit=50)
        for order in (sessions, sessions[::-1])
    ]
    assert reports[0] == reports[1]


def test_json_is_plain_and_complete(sessions: list[Session], pictures: ArraySplit, reference: Reference) -> None:
    report = compare(sessions, pictures, IMAGE, dataset="x", reference=reference, limit=20, budget=LOOSE)
    content = report.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["passed"] is True
    assert content["rows"][3]["accuracy"]["total"] == 20
    assert content["int8_equal"]["equal"] == 20
    assert content["budget"] == {"max_drop": 5, "min_agreement": 90, "float_tolerance": 1e-4}


def test_a_limit_spreads_over_all_pictures(
    sessions: list[Session], pictures: ArraySplit, reference: Reference, test_set: dict[str, Any]
) -> None:
    report = compare(sessions[1:2], pictures, IMAGE, dataset="x", reference=reference, limit=7)
    assert (report.images, report.available) == (7, len(pictures))
    assert report.reference == NAMES[0]  # the stored logits are still found
    chosen = [n * len(pictures) // 7 for n in range(7)]
    expected = raw_pixel_outputs(sessions[1], test_set["pixels"][chosen], IMAGE)
    keras, tflite = report.rows
    assert keras.accuracy is not None
    assert keras.accuracy.correct == int((test_set["logits"][chosen].argmax(1) == test_set["labels"][chosen]).sum())
    assert tflite.agreement is not None
    assert tflite.agreement.equal == int((expected.argmax(1) == test_set["logits"][chosen].argmax(1)).sum())
    more = compare(sessions[1:2], pictures, IMAGE, dataset="x", limit=10**6)
    assert more.images == len(pictures)


def test_without_keras_a_float_artefact_takes_its_place(sessions: list[Session], pictures: ArraySplit) -> None:
    report = compare(sessions, pictures, IMAGE, dataset="x", limit=40, budget=LOOSE)
    assert report.reference == "TFLite float32"
    assert report.notes == ("no Keras logits for these pictures: compared with TFLite float32",)
    assert [row.agreement is None for row in report.rows] == [True, False, False, False]
    only_onnx = compare(sessions[2:], pictures, IMAGE, dataset="x", limit=40, budget=LOOSE)
    assert only_onnx.reference == "ONNX float32"


def test_without_any_float_only_equality_is_judged(sessions: list[Session], pictures: ArraySplit) -> None:
    report = compare([sessions[1], sessions[3]], pictures, IMAGE, dataset="x", limit=40)
    assert report.passed
    assert report.reference is None
    assert report.notes == ("no float reference: accuracy and agreement are not judged",)
    assert all(row.accuracy is not None and row.agreement is None for row in report.rows)
    assert report.int8_equal is not None
    alone = compare([sessions[1]], pictures, IMAGE, dataset="x", limit=40)
    assert alone.int8_equal is None


def test_logits_of_other_pictures_are_not_used(
    sessions: list[Session], pictures: ArraySplit, reference: Reference
) -> None:
    other = ArraySplit(pictures.images[::-1], pictures.labels[::-1])
    report = compare(sessions[:2], other, IMAGE, dataset="x", reference=reference, budget=LOOSE)
    assert report.reference == "TFLite float32"
    assert report.notes[0] == "the stored Keras logits are of other pictures (optdigits, test): not used"


@pytest.mark.parametrize(("wrong", "told"), [(0, False), (1, True), (20, False)])
def test_few_pictures_do_not_decide(
    sessions: list[Session], pictures: ArraySplit, reference: Reference, wrong: int, told: bool
) -> None:
    """Of 100 pictures one that differs may be chance, twenty are not; none needs no excuse."""
    some = ArraySplit(pictures.images[:100], pictures.labels[:100])
    logits = reference.logits[:100].copy()
    logits[:wrong] = -logits[:wrong]  # another class is the highest
    stored = replace(reference, logits=logits, labels=some.labels, sha256=pixels_sha256(some.images))
    report = compare(sessions[:1], some, IMAGE, dataset="x", reference=stored, budget=Budget(5, 99.5))
    assert report.passed == (wrong == 0)
    start = "TFLite float32: 100 pictures are too few to decide, the 95 % interval of its agreement is 94.55..99.82 %"
    assert [note.startswith(start) for note in report.notes] == [True] * told


def test_another_preprocessing_is_seen(sessions: list[Session], pictures: ArraySplit, reference: Reference) -> None:
    wrong = replace(IMAGE, scale=1.0)
    report = compare(sessions[:1], pictures, wrong, dataset="x", reference=reference, limit=50)
    assert not report.passed
    assert any("logits differ from Keras float32" in reason for reason in report.reasons)


class Altered:
    """A session whose outputs are changed on the way out."""

    def __init__(self, session: Session, change: Any) -> None:
        self._session = session
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, tensor: Any) -> Any:
        return self._change(self._session.run(tensor))


def nan_for_bright(outputs: Any) -> Any:
    return np.where(outputs.argmax() == 3, np.nan, outputs).astype(np.float32)


def one_step(outputs: Any) -> Any:
    changed = outputs.copy()
    changed[0, 4] ^= 1
    return changed


@pytest.mark.parametrize("number", [0, 2])
def test_nan_fails(sessions: list[Session], pictures: ArraySplit, reference: Reference, number: int) -> None:
    spoiled: list[Any] = list(sessions)
    spoiled[number] = Altered(sessions[number], nan_for_bright)
    report = compare(spoiled, pictures, IMAGE, dataset="x", reference=reference, budget=LOOSE)
    row = next(row for row in report.rows if row.file == FILES[number])
    assert row.bad > 0
    assert row.accuracy is None
    assert row.agreement is None
    assert report.reasons == (f"{row.name}: NaN or infinity in the outputs of {row.bad} pictures",)
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["passed"] is False


def test_nan_everywhere_fails_without_a_reference(sessions: list[Session], pictures: ArraySplit) -> None:
    spoiled: list[Any] = [Altered(sessions[0], lambda outputs: outputs * np.float32(np.inf)), sessions[1]]
    report = compare(spoiled, pictures, IMAGE, dataset="x", limit=30)
    assert report.reference is None
    assert report.reasons[0] == "TFLite float32: NaN or infinity in the outputs of 30 pictures"


@pytest.mark.parametrize("number", [1, 3])
def test_one_differing_output_fails(
    sessions: list[Session], pictures: ArraySplit, reference: Reference, number: int
) -> None:
    spoiled: list[Any] = list(sessions)
    spoiled[number] = Altered(sessions[number], one_step)
    report = compare(spoiled, pictures, IMAGE, dataset="x", reference=reference, limit=40, budget=LOOSE)
    assert report.reasons == (
        "TFLite int8 and ONNX int8: outputs are equal on 0 of 40 pictures, all are wanted "
        "(single outputs that differ: 40, the largest difference is 1)",
    )
    hashes = [row.outputs_sha256 for row in report.rows[3:]]
    assert hashes[0] != hashes[1]


def test_other_steps_are_not_equal(sessions: list[Session], pictures: ArraySplit) -> None:
    other: Any = Altered(sessions[3], lambda outputs: outputs)
    other.output = replace(sessions[3].output, scale=0.125)
    report = compare([sessions[1], other], pictures, IMAGE, dataset="x", limit=5)
    assert report.int8_equal is not None
    assert (report.int8_equal.equal, report.int8_equal.largest) == (0, None)
    assert not report.passed


def test_what_is_worse_than_the_budget_fails_with_every_reason(
    sessions: list[Session], pictures: ArraySplit, reference: Reference
) -> None:
    # Every output moves one class on: wrong wherever Keras is right.
    spoiled: list[Any] = [Altered(session, lambda outputs: np.roll(outputs, 1)) for session in sessions]
    report = compare(spoiled, pictures, IMAGE, dataset="x", reference=reference)
    assert len(report.reasons) == 4 * 2 + 2
    assert any(reason.startswith("ONNX int8: top-1 falls by ") for reason in report.reasons)
    assert any(reason.startswith("TFLite int8: agrees with Keras float32 on ") for reason in report.reasons)
    assert any(reason.startswith("ONNX float32: logits differ from Keras float32 by ") for reason in report.reasons)
    assert report.rows[1].flips is not None
    assert report.rows[1].flips.p_value < 1e-6


def test_an_artefact_that_gives_probabilities(
    sessions: list[Session], pictures: ArraySplit, reference: Reference
) -> None:
    inside: list[Any] = [Altered(sessions[0], softmax)]
    report = compare(inside, pictures, IMAGE, dataset="x", reference=reference, head=Head.SOFTMAX)
    assert report.passed, report.reasons
    assert not compare(inside, pictures, IMAGE, dataset="x", reference=reference).passed


def test_a_failure_in_one_session_ends_the_comparison(sessions: list[Session], pictures: ArraySplit) -> None:
    def fail(outputs: Any) -> Any:
        raise SessionError("broken")

    spoiled: list[Any] = [*sessions[:3], Altered(sessions[3], fail)]
    with pytest.raises(SessionError, match="broken"):
        compare(spoiled, pictures, IMAGE, dataset="x")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"limit": 0}, "limit: expected 1 or more, got 0"),
        ({"pictures": ArraySplit(np.zeros((0, 28, 28), np.uint8), [])}, "pictures: expected at least one"),
        ({"sessions": []}, "sessions: expected at least one"),
        ({"pictures": ArraySplit(np.zeros((2, 28, 28), np.uint8), [0, 10])}, r"labels: expected 0\.\.9, got 0\.\.10"),
        ({"image": ImageSpec(14, 14, 1)}, "pixels: expected uint8"),
    ],
)
def test_bad_arguments_are_one_line(
    sessions: list[Session], pictures: ArraySplit, options: dict[str, Any], match: str
) -> None:
    given = {"sessions": sessions[:1], "pictures": pictures, "image": IMAGE, "dataset": "x", **options}
    with pytest.raises(ArgumentError, match=match):
        compare(given.pop("sessions"), given.pop("pictures"), given.pop("image"), **given)


def test_two_of_a_kind_are_refused(sessions: list[Session], pictures: ArraySplit) -> None:
    with pytest.raises(ArgumentError, match="expected one of each runtime and precision, got TFLite float32, TFLite"):
        compare([sessions[0], sessions[0]], pictures, IMAGE, dataset="x")


@pytest.mark.parametrize("values", [{"max_drop": -1}, {"min_agreement": 101}, {"float_tolerance": float("nan")}])
def test_an_impossible_budget_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(values))}: expected a number from 0 to"):
        Budget(**values)


def test_labels_in_another_order_and_more_of_them(pictures: ArraySplit) -> None:
    names = tuple("0123456789")
    assert relabelled(pictures, names, names) is pictures
    wanted = ("none", *reversed(names))
    moved = relabelled(pictures, names, wanted)
    assert len(moved) == len(pictures)
    assert [wanted[n] for n in moved.labels[:20]] == [names[n] for n in pictures.labels[:20]]
    np.testing.assert_array_equal(moved.pixels([3], IMAGE), pictures.pixels([3], IMAGE))
    with pytest.raises(
        ArgumentError, match=r"which are 0, 1; the data's are 0, 1, 2, 3, .*, of which .* has not: 2, 3"
    ):
        relabelled(pictures, names, ("0", "1"))


def test_a_bundle_is_compared_with_what_it_stores(
    artifacts: Path, pictures: ArraySplit, reference: Reference, tmp_path: Path
) -> None:
    draft = BundleDraft(
        name="small",
        labels=tuple("0123456789"),
        image=IMAGE,
        artifacts={
            (Format.TFLITE, Precision.INT8): (artifacts / "int8.tflite").read_bytes(),
            (Format.ONNX, Precision.INT8): (artifacts / "int8.onnx").read_bytes(),
        },
        reference=reference,
    )
    report = compare_bundle(write_bundle(tmp_path / "x", draft), pictures, dataset="optdigits test", budget=LOOSE)
    assert report.passed, report.reasons
    assert [row.name for row in report.rows] == ["Keras float32", "TFLite int8", "ONNX int8"]
    assert report.machine
