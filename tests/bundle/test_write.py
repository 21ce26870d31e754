from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.bundle import BundleDraft, Head, Reject, read_bundle, share_of_float32, write_bundle
from edgecnn.errors import BundleError
from edgecnn.files import sha256
from edgecnn.spec import Format, ImageSpec, Precision

TFLITE_INT8 = (Format.TFLITE, Precision.INT8)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def one(draft: BundleDraft, **changes: Any) -> BundleDraft:
    """The draft with its smallest artefact only."""
    return replace(draft, artifacts={TFLITE_INT8: draft.artifacts[TFLITE_INT8]}, **changes)


def test_a_bundle_holds_what_the_issue_says(draft: BundleDraft, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "a" / "small", draft)
    assert bundle == read_bundle(tmp_path / "a" / "small")
    assert names(tmp_path / "a") == {"small"}
    assert names(bundle.path) == {
        "bundle.json", "labels.txt", "README.md", "reference.npz",
        "small-float32.tflite", "small-int8.tflite", "small-float32.onnx", "small-int8.onnx",
    }  # fmt: skip
    content = json.loads((bundle.path / "bundle.json").read_text())
    assert content["schema"] == 1
    assert content["image"] == {
        "height": 28, "width": 28, "channels": 1, "scale": 1 / 255, "offset": 0.0, "fit": "digit",
    }  # fmt: skip
    assert content["created"] == "2026-11-24T12:30:00+00:00"
    for artifact in content["artifacts"]:
        data = (bundle.path / artifact["file"]).read_bytes()
        assert (artifact["bytes"], artifact["sha256"]) == (len(data), sha256(data))
        assert set(artifact["input"]) == {"name", "shape", "dtype", "scale", "zero_point"}
    assert (bundle.path / "labels.txt").read_text() == "".join(f"{n}\n" for n in range(10))


def test_equal_drafts_give_equal_files(draft: BundleDraft, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, draft)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_labels_of_any_script(draft: BundleDraft, tmp_path: Path) -> None:
    labels = ("größe", "数字", "a b", "|", "<b>", "🙂", "6", "7", "8", "9")
    bundle = write_bundle(tmp_path / "x", one(draft, labels=labels, reference=None))
    assert read_bundle(bundle.path).labels == labels
    assert (bundle.path / "labels.txt").read_text(encoding="utf-8").splitlines() == list(labels)


def test_a_bundle_is_replaced(draft: BundleDraft, tmp_path: Path) -> None:
    write_bundle(tmp_path / "x", draft)
    bundle = write_bundle(tmp_path / "x", one(draft, name="other", reference=None))
    assert names(bundle.path) == {"bundle.json", "labels.txt", "README.md", "other-int8.tflite"}
    assert names(tmp_path) == {"x"}


def test_a_folder_that_is_no_bundle_is_left_alone(draft: BundleDraft, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="exists and is no bundle, so it is not replaced"):
        write_bundle(tmp_path, draft)
    assert names(tmp_path) == {"thesis.txt"}
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="file: exists and is no folder, so it is not replaced"):
        write_bundle(tmp_path / "file", one(draft))
    (tmp_path / "empty").mkdir()
    assert write_bundle(tmp_path / "empty", one(draft)).name == "small"


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "a/b"},
        "name: expected letters, digits, '.', '_', '-', at most 80, the first a letter or digit, got 'a/b'",
    ),
    ({"name": ""}, "name: expected letters, digits"),
    ({"labels": tuple("012345678")}, "expected reference logits of 9 classes, got 10"),
    ({"labels": tuple("012345678"), "reference": None}, "output: expected 9 classes as there are labels, got"),
    ({"labels": ("0",) * 10}, "labels: '0' occurs twice"),
    ({"image": ImageSpec(27, 28, 1)}, "input: expected the image's"),
    ({"image": ImageSpec(28, 28, 3)}, "input: expected the image's"),
    ({"reject": Reject("x", 0.5)}, "reject label: expected one of the labels"),
    ({"reject": Reject(None, -0.1)}, "reject threshold"),
    ({"measured": {"a": float("nan")}}, "measured.a: expected a finite number, got nan"),
    ({"measured": {"a": [np.float32(1)]}}, r"measured.a\[0\]: float32 is nothing that JSON knows"),
    ({"recipe": {1: 2}}, "recipe: expected texts as names, got 1"),
    ({"versions": {"a": b"1"}}, "versions.a: bytes is nothing that JSON knows"),
    ({"artifacts": {}}, "artifacts: expected at least one"),
    ({"artifacts": {TFLITE_INT8: b"garbage"}}, "draft small: small-int8.tflite: not a TFLite model"),
    ({"recipe": {"long": "x" * (5 * 2**20)}}, "at most 4,194,304 bytes"),
]


@pytest.mark.parametrize(("changes", "match"), WRONG, ids=[match for _, match in WRONG])
def test_a_draft_that_contradicts_itself_writes_nothing(
    draft: BundleDraft, tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    write_bundle(tmp_path / "x", one(draft))
    before = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
    with pytest.raises(BundleError, match=match) as caught:
        write_bundle(tmp_path / "x", replace(one(draft), **changes))
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == before
    assert names(tmp_path) == {"x"}


def test_a_full_disk_leaves_the_old_bundle(draft: BundleDraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write_bundle(tmp_path / "x", one(draft))
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "bundle.json":
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BundleError, match=r"x: cannot be written: No space left on device"):
        write_bundle(tmp_path / "x", draft)
    assert read_bundle(tmp_path / "x") == old
    assert names(tmp_path) == {"x"}


def test_a_softmax_inside_is_not_applied_again(draft: BundleDraft, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "x", one(draft, head=Head.SOFTMAX, reference=None))
    assert read_bundle(bundle.path).head is Head.SOFTMAX
    with bundle.open() as session:
        scale, zero_point = session.output.scale, session.output.zero_point
        assert scale is not None
        assert zero_point is not None
        outputs = np.arange(zero_point, zero_point + 10).clip(-128, 127).astype(np.int8).reshape(1, 10)
        expected = ((outputs.astype(float) - zero_point) * scale).clip(0, 1)
        np.testing.assert_allclose(bundle.probabilities(outputs, session), expected, rtol=1e-6)
    assert "The outputs are probabilities." in (bundle.path / "README.md").read_text()


PARITY = {
    "rows": [
        {
            "name": "Keras float32",
            "accuracy": {"value": 0.9958, "low": 0.9943, "high": 0.9969},
            "agreement": None,
        },
        {
            "name": "TFLite int8",
            "accuracy": {"value": 0.9959, "low": 0.9944, "high": 0.997},
            "agreement": {"value": 0.9991},
        },
        {"name": "ONNX int8", "accuracy": None, "agreement": None},
    ],
    "int8_equal": {"equal": 10000, "total": 10000},
    "images": 10000,
    "dataset": "mnist test",
    "machine": "a Pi 4",
}


def test_the_card_says_what_the_bundle_is(draft: BundleDraft, tmp_path: Path) -> None:
    recipe = {
        "epochs": 6,
        "rate": 0.1 + 0.2,
        "keep_best": True,
        "held_out": None,
        "augmentation": {"rotation": 10, "fill": "black"},
        "steps": [3, 5.0],
    }
    made = write_bundle(tmp_path / "x", one(draft, measured={"parity": PARITY}, recipe=recipe))
    sizes = {artifact.file: artifact.bytes for artifact in made.artifacts}
    card = (made.path / "README.md").read_text()
    assert "held_out" not in card, "what was not set is not told"
    for line in (
        "# small",
        "A **small** net.",
        "| Keras float32 | 99.58 % | 99.43 .. 99.69 % | - |",
        "| TFLite int8 | 99.59 % | 99.44 .. 99.70 % | 99.91 % |",
        "| ONNX int8 | NaN or infinity | - | - |",
        "Measured on 10,000 pictures of mnist test that it was not trained on.",
        "bit for bit, on 10,000 of 10,000. Machine: a Pi 4.\n",
        f"| `small-int8.tflite` | {sizes['small-int8.tflite']:,} | - | int8 | int8 |",
        "`tensor = pixel * 0.00392156862745098 + 0.0`",
        "edgecnn run small picture.png",
        "Readings below a probability of 0.50 are not shown.",
        "| recipe: epochs | 6 |",
        "| recipe: rate | 0.3 |",
        "| recipe: keep_best | yes |",
        "| recipe: augmentation | rotation 10, fill black |",
        "| recipe: steps | 3, 5 |",
        "CC0",
    ):
        assert line in card, line


def test_sizes_are_compared_with_float32_of_the_same_format() -> None:
    sizes = {(Format.TFLITE, Precision.FLOAT32): 1000, (Format.TFLITE, Precision.INT8): 316}
    sizes[Format.ONNX, Precision.INT8] = 350
    shares = [share_of_float32(sizes, *key) for key in sizes]
    assert shares == [None, "32 %", None]


def test_the_card_of_a_bare_bundle(draft: BundleDraft, tmp_path: Path) -> None:
    bare = BundleDraft(
        "bare",
        draft.labels,
        draft.image,
        {(Format.ONNX, Precision.INT8): draft.artifacts[(Format.ONNX, Precision.INT8)]},
    )
    card = (write_bundle(tmp_path / "x", bare).path / "README.md").read_text()
    assert "Not measured." in card
    assert "Not stated." in card
    assert "edgecnn run bare picture.png --runtime onnx" in card
