from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.bundle import Bundle, read_bundle
from edgecnn.errors import ArgumentError, BundleError
from edgecnn.spec import Format, Precision, Runtime

INT8 = "small-int8.tflite"


def edited(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def message(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_is_read(pristine: Bundle) -> None:
    bundle = read_bundle(pristine.path)
    assert bundle == pristine
    assert bundle == read_bundle(pristine.path, verify=False)
    assert bundle.labels == tuple("0123456789")
    assert bundle.recipe == {"epochs": 6, "optimizer": "adam", "schedule": [1, 0.5, None]}
    assert [artifact.file for artifact in bundle.artifacts] == [
        "small-float32.tflite", INT8, "small-float32.onnx", "small-int8.onnx",
    ]  # fmt: skip


def test_every_artefact_opens(pristine: Bundle) -> None:
    for runtime in Runtime:
        for precision in Precision:
            with pristine.open(runtime, precision, threads=2) as session:
                artifact = pristine.artifact(runtime, precision)
                assert artifact is pristine.artifact(runtime.file_format, precision)
                assert session.path == pristine.file(artifact)
                assert (session.runtime, session.precision, session.threads) == (runtime, precision, 2)
                assert (session.input, session.output) == (artifact.input, artifact.output)
    with pytest.raises(ArgumentError, match="threads"):
        pristine.open(threads=0)


def test_an_absent_artefact_lists_what_is_there(folder: Path) -> None:
    edited(folder, lambda content: content["artifacts"].pop(1))
    bundle = read_bundle(folder)
    with pytest.raises(BundleError, match="no tflite int8 artefact; it holds tflite float32, onnx float32, onnx int8"):
        bundle.open()


def test_the_reference_comes_back(pristine: Bundle, artifacts: Path) -> None:
    stored = pristine.reference()
    assert stored is not None
    with np.load(artifacts / "test.npz") as arrays:
        np.testing.assert_array_equal(stored.logits, arrays["logits"])
        np.testing.assert_array_equal(stored.labels, arrays["labels"])
    assert (stored.dataset, stored.split) == ("optdigits", "test")


def test_a_bundle_without_a_reference(folder: Path) -> None:
    edited(folder, lambda content: content.update(reference=None))
    (folder / "reference.npz").unlink()
    assert read_bundle(folder).reference() is None


def test_probabilities_are_those_of_the_outputs(pristine: Bundle) -> None:
    with pristine.open() as session:
        p = pristine.probabilities(session.run(np.zeros((1, 28, 28, 1), np.int8)), session)
    assert p.shape == (1, 10)
    assert p.sum() == pytest.approx(1)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, data: bytes) -> Callable[[Path], int]:
    return lambda folder: (folder / name).write_bytes(data)


def flip(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return spoil


def append(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"\n")

    return spoil


def link(name: str, target: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        outside = folder.parent / "outside"
        outside.write_bytes((folder / name).read_bytes())
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return spoil


def pipe(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def directory(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


DAMAGE: list[tuple[Callable[[Path], Any], str]] = [
    (remove("bundle.json"), "bundle.json: missing from the bundle"),
    (remove("labels.txt"), "labels.txt: missing from the bundle"),
    (remove(INT8), f"{INT8}: missing from the bundle"),
    (remove("reference.npz"), "reference.npz: missing from the bundle"),
    (flip(INT8), f"{INT8}: altered; its hash is not the one of bundle.json"),
    (flip("small-float32.onnx"), "small-float32.onnx: altered; its hash is not the one of bundle.json"),
    (flip("reference.npz"), "reference.npz: altered; its hash is not the one of bundle.json"),
    (append(INT8), f"{INT8}: altered; expected "),
    (write("small-int8.onnx", b""), "small-int8.onnx: altered; expected "),
    (append("labels.txt"), "labels.txt: altered; its lines are not the labels of bundle.json"),
    (write("labels.txt", b"0\n" * 10), "labels.txt: altered; its lines are not the labels of bundle.json"),
    (link(INT8, "../outside"), f"{INT8}: a link that leaves the bundle"),
    (link("bundle.json", "../outside"), "bundle.json: a link that leaves the bundle"),
    (link("labels.txt", "/etc/hostname"), "labels.txt: a link that leaves the bundle"),
    (link(INT8, INT8), f"{INT8}: "),
    (link(INT8, "absent"), f"{INT8}: missing from the bundle"),
    (pipe(INT8), f"{INT8}: no plain file"),
    (pipe("bundle.json"), "bundle.json: no plain file"),
    (directory("labels.txt"), "labels.txt: no plain file"),
    (write("bundle.json", b""), "bundle.json: not JSON"),
    (write("bundle.json", b"{}"), "bundle.json: schema: the field is missing"),
    (write("bundle.json", b"[]"), "bundle.json: expected an object, got list"),
    (write("bundle.json", b'{"schema": 1, "schema": 1}'), "bundle.json: field 'schema' occurs twice"),
    (write("bundle.json", b'{"schema": 2}'), "bundle.json: schema: expected 1, got 2; it was written by a newer"),
    (write("bundle.json", b'{"schema": 0}'), "bundle.json: schema: expected 1, got 0"),
    (write("bundle.json", b'{"schema": true}'), "bundle.json: schema: expected a whole number, got True"),
    (write("bundle.json", b'{"schema": NaN}'), "bundle.json: holds NaN, which is no number"),
    (write("bundle.json", b'{"a": -Infinity}'), "bundle.json: holds -Infinity, which is no number"),
    (write("bundle.json", b'{"a": 1e999}'), "bundle.json: a: expected a finite number, got inf"),
    (write("bundle.json", b'{"a": ' + b"9" * 30 + b"}"), "bundle.json: a: a whole number of more than 64 bits"),
    (write("bundle.json", b'{"a": ' + b"9" * 9999 + b"}"), "bundle.json: not JSON: "),
    (write("bundle.json", b'{"a": "\\ud800"}'), "holds half of a character"),
    (write("bundle.json", b'{"\\udfff": 1}'), "holds half of a character"),
    (write("bundle.json", b'{"a": "\xff"}'), "bundle.json: not UTF-8 (byte 7)"),
    (write("bundle.json", b"\xef\xbb\xbf{}"), "bundle.json: not JSON"),
    (write("bundle.json", b'{"a":' * 40 + b"1" + b"}" * 40), "nested deeper than 32"),
    (write("bundle.json", b'{"a":' + b"[" * 200_000), "bundle.json: nested too deeply"),
    (write("bundle.json", b" " * (4 * 2**20 + 1)), "bundle.json: larger than 4,194,304 bytes"),
]


@pytest.mark.parametrize(("spoil", "expected"), DAMAGE, ids=[expected for _, expected in DAMAGE])
def test_damage_is_one_line(folder: Path, spoil: Callable[[Path], Any], expected: str) -> None:
    spoil(folder)
    line = message(folder)
    assert line.startswith(str(folder))
    assert expected in line
    assert len(line) < 500


def test_an_absent_folder_is_one_line(tmp_path: Path) -> None:
    assert message(tmp_path / "nothing") == f"{tmp_path / 'nothing'}: no such bundle"


def test_a_link_within_the_bundle_is_fine(folder: Path) -> None:
    (folder / INT8).rename(folder / "stored")
    (folder / INT8).symlink_to("stored")
    with read_bundle(folder).open() as session:
        assert session.precision is Precision.INT8


def test_a_bundle_behind_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("small")
    assert read_bundle(tmp_path / "current").name == "small"


def test_what_is_opened_is_checked_even_when_reading_did_not(folder: Path) -> None:
    bundle = read_bundle(folder, verify=False)
    flip(INT8)(folder)
    flip("reference.npz")(folder)
    with pytest.raises(BundleError, match="altered"):
        bundle.open()
    with pytest.raises(BundleError, match="altered"):
        bundle.reference()
    assert read_bundle(folder, verify=False) == bundle


FIELDS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda c: c.pop("head"), "head: the field is missing"),
    (lambda c: c.update(more=1), "more: an unknown field"),
    (lambda c: c.update(name="../x"), "name: expected letters"),
    (lambda c: c.update(name=3), "name: expected a text, got 3"),
    (lambda c: c.update(name=""), "name: expected letters"),
    (lambda c: c.update(labels="0123456789"), "labels: expected a list, got '0123456789'"),
    (lambda c: c["labels"].__setitem__(0, 0), "labels[0]: expected a text, got 0"),
    (lambda c: c["labels"].__setitem__(0, "1"), "labels: '1' occurs twice"),
    (lambda c: c["labels"].__setitem__(0, "a\nb"), "labels: expected printable texts"),
    (lambda c: c["labels"].__setitem__(0, " "), "labels: expected printable texts"),
    (lambda c: c["labels"].__setitem__(0, "x" * 201), "labels: expected printable texts"),
    (lambda c: c["labels"].append("10"), "output: expected 11 classes as there are labels, got [10]"),
    (lambda c: c["labels"].clear(), "labels: expected at least 2, got 0"),
    (lambda c: c["image"].update(height=0), "image height: expected a whole number from 1 to 4096, got 0"),
    (lambda c: c["image"].update(height=28.0), "image.height: expected a whole number, got 28.0"),
    (lambda c: c["image"].update(width=27), "input: expected the image's [28, 27, 1], got [28, 28, 1]"),
    (lambda c: c["image"].update(scale=0), "image scale: expected a number other than 0"),
    (lambda c: c["image"].update(scale="1/255"), "image.scale: expected a number, got '1/255'"),
    (lambda c: c["image"].update(offset=None), "image.offset: expected a number, got None"),
    (lambda c: c["image"].update(fit="stretch"), "image.fit: expected one of digit, crop, got 'stretch'"),
    (lambda c: c["image"].update(mean=1), "image.mean: an unknown field"),
    (lambda c: c["image"].pop("fit"), "image.fit: the field is missing"),
    (lambda c: c.update(image=None), "image: expected an object, got NoneType"),
    (lambda c: c.update(locate=None), "locate: expected a text, got None"),
    (lambda c: c.update(head="both"), "head: expected one of logits, softmax, got 'both'"),
    (lambda c: c["reject"].update(label="x"), "reject label: expected one of the labels, got 'x'"),
    (lambda c: c["reject"].update(threshold=1.5), "reject threshold: expected a number from 0 to 1, got 1.5"),
    (lambda c: c["reject"].update(threshold=True), "reject.threshold: expected a number, got True"),
    (lambda c: c.update(artifacts=[]), "artifacts: expected at least one"),
    (lambda c: c.update(artifacts={}), "artifacts: expected a list, got {}"),
    (lambda c: c["artifacts"].append(3), "artifacts[4]: expected an object, got int"),
    (lambda c: c["artifacts"].append(c["artifacts"][0]), "artifacts: two have the same file"),
    (lambda c: c["artifacts"][0].update(precision="int8"), "two have the same format and precision (tflite int8)"),
    (lambda c: c["artifacts"][0].update(format="onnx"), "expected the suffix .onnx"),
    (lambda c: c["artifacts"][0].update(format="pb"), "artifacts[0].format: expected one of tflite, onnx, got 'pb'"),
    (lambda c: c["artifacts"][0].update(file="../a.tflite"), "artefact file: expected a plain file name"),
    (lambda c: c["artifacts"][0].update(file="/etc/a.tflite"), "artefact file: expected a plain file name"),
    (lambda c: c["artifacts"][0].update(file="a/b.tflite"), "artefact file: expected a plain file name"),
    (lambda c: c["artifacts"][0].update(file=".tflite"), "artefact file: expected a plain file name"),
    (lambda c: c["artifacts"][0].update(bytes=-1), "bytes: expected a positive number, got -1"),
    (lambda c: c["artifacts"][0].update(sha256="0" * 63), "sha256: expected 64 hex digits"),
    (lambda c: c["artifacts"][0].update(sha256="0" * 64), "altered; its hash"),
    (lambda c: c["artifacts"][0].pop("input"), "artifacts[0].input: the field is missing"),
    (lambda c: c["artifacts"][0]["input"].update(shape=[1, 28, "28", 1]), "shape: expected (1 or -1, sizes...)"),
    (lambda c: c["artifacts"][0]["input"].update(shape=[]), "shape: expected (1 or -1, sizes...)"),
    (lambda c: c["artifacts"][0]["input"].update(dtype="float16"), "dtype: expected one of"),
    (lambda c: c["artifacts"][0]["input"].update(scale=1), "float32 has no scale and no zero point"),
    (lambda c: c["artifacts"][1]["input"].update(scale=0), "scale: expected a positive number, got 0.0"),
    (lambda c: c["artifacts"][1]["input"].update(zero_point=128), "zero point: expected -128..127 for int8, got 128"),
    (lambda c: c["artifacts"][1]["input"].update(zero_point=1.5), "zero_point: expected a whole number, got 1.5"),
    (lambda c: c["artifacts"][1]["output"].update(shape=[1, 9]), "output: expected 10 classes"),
    (lambda c: c["reference"].update(file="labels.txt"), "reference: expected the file 'reference.npz'"),
    (lambda c: c["reference"].update(sha256="f" * 64), "reference.npz: altered"),
    (lambda c: c.update(net=3), "net: expected a text, got 3"),
    (lambda c: c.update(recipe=[]), "recipe: expected an object, got []"),
    (lambda c: c.update(versions={"numpy": 2}), "versions: expected a text for each package"),
    (lambda c: c.update(created="yesterday"), "created: expected a time such as"),
    (lambda c: c.update(created="2026-11-24T12:30:00"), "created: expected a time in UTC"),
    (lambda c: c.update(created="2026-11-24T12:30:00+01:00"), "created: expected a time in UTC"),
    (lambda c: c.update({"a\nb": 1}), "an unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), FIELDS, ids=[expected for _, expected in FIELDS])
def test_a_wrong_field_is_one_line(folder: Path, change: Callable[[dict[str, Any]], Any], expected: str) -> None:
    edited(folder, change)
    line = message(folder)
    assert expected in line
    assert len(line) < 500


def test_an_artefact_that_is_not_what_bundle_json_says_is_refused(folder: Path) -> None:
    edited(folder, lambda content: content["artifacts"][1]["input"].update(scale=0.5))
    bundle = read_bundle(folder)
    with pytest.raises(BundleError, match=r"bundle\.json says the input is .*scale=0\.5.* but the file has"):
        bundle.open()
    assert bundle.artifact(Format.TFLITE).input.scale == 0.5
