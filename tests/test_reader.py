"""From a frame to readings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bundle import Bundle, BundleDraft, Reject, read_bundle, write_bundle
from edgecnn.errors import ArgumentError, BundleError, SessionError
from edgecnn.preprocess import to_tensor
from edgecnn.reader import MOST_AT_ONCE, Reader, overlap, text
from edgecnn.runtime.session import logits, softmax
from edgecnn.spec import Fit, Format, Frame, ImageSpec, Locate, Precision, Reading, Runtime
from edgecnn.vision.locate import locate


@pytest.fixture
def digits(small_bundle) -> Bundle:
    return read_bundle(small_bundle)


@pytest.fixture
def whole(digits) -> Bundle:
    return replace(digits, locate=Locate.WHOLE)


@pytest.mark.parametrize("runtime", list(Runtime))
@pytest.mark.parametrize("precision", list(Precision))
def test_every_digit_of_a_scene_is_read_where_it_is(digits, scene, runtime, precision):
    picture = scene("1204|56789|3")
    with Reader(digits, runtime=runtime, precision=precision) as reader:
        readings = reader.read(picture)
    assert text(readings) == "1204|56789|3"
    for reading in readings:
        x, y, width, height = reading.box
        assert picture[y : y + height, x : x + width].min() < 100, "no ink in the box"
        assert reading.label == reading.top[0][0] and reading.probability == reading.top[0][1] > 0.5
        assert len(reading.top) == 3 and reading.track is None
    assert [reading.line for reading in readings] == [0] * 4 + [1] * 5 + [2]


def test_probabilities_are_those_of_the_bare_session(digits, scene):
    picture = scene("271")
    pixels = np.stack([candidate.pixels for candidate in locate(picture)])[..., None]
    for runtime in Runtime:
        with digits.open(runtime, Precision.INT8) as session:
            expected = softmax(logits(session, to_tensor(pixels, digits.image)))
        with Reader(digits, runtime=runtime, top=10) as reader:
            for reading, row in zip(reader.read(picture), expected, strict=True):
                every = {label: p for label, p in zip(digits.labels, row.tolist(), strict=True)}
                assert dict(reading.top) == pytest.approx(every, rel=1e-6)


def test_both_runtimes_read_the_same(digits, scene):
    picture = scene("0123456")
    with Reader(digits, runtime=Runtime.LITERT) as first, Reader(digits, runtime=Runtime.ONNX) as second:
        assert first.read(picture) == second.read(picture)


def test_more_digits_than_one_call_takes_are_read_alike(digits, scene):
    picture = scene("|".join(["0123456789"] * 5), zoom=2)
    with Reader(digits) as first, Reader(digits, runtime=Runtime.ONNX) as second:
        readings = second.read(picture)
        assert len(readings) == 50 > MOST_AT_ONCE
        assert first.read(picture) == readings


def test_a_grey_picture_a_frame_and_an_empty_sheet(digits, scene):
    picture = scene("42")
    with Reader(digits) as reader:
        assert text(reader.read(picture[..., 0])) == "42"
        assert reader.read(Frame(picture, 0.0, 0, "x")) == reader.read(picture)
        assert reader.read(scene("")) == ()


def test_a_whole_picture_is_one_object(whole, artifacts):
    with np.load(artifacts / "test.npz", allow_pickle=False) as stored:
        pixels, keras = stored["pixels"][:40], stored["logits"][:40]
    with Reader(whole, precision=Precision.FLOAT32, top=2) as reader:
        readings = [reader.read(one[..., 0]) for one in pixels]
    assert all(len(found) == 1 and found[0].box == (0, 0, 28, 28) for found in readings)
    assert [int(found[0].label) for found in readings] == keras.argmax(1).tolist()
    assert all(len(found[0].top) == 2 for found in readings)


def test_a_region_is_looked_at_alone_and_boxes_stay_those_of_the_frame(digits, whole, scene):
    picture = scene("12|34")
    with Reader(digits, roi=(0, 140, 640, 200)) as reader:
        lower = reader.read(picture)
    with Reader(digits) as reader:
        everything = reader.read(picture)
    assert text(lower) == "34"
    assert all(overlap(a.box, b.box) > 0.8 for a, b in zip(lower, everything[2:], strict=True))
    with Reader(whole, roi=(30, 30, 84, 84)) as reader:
        (reading,) = reader.read(picture)
    assert (reading.label, reading.box) == ("1", (30, 30, 84, 84))


def test_a_region_outside_of_the_frame_is_an_error_and_one_that_reaches_over_is_cut(whole, scene):
    with Reader(whole, roi=(700, 0, 10, 10)) as reader, pytest.raises(ArgumentError, match=r"roi: .* 640x480"):
        reader.read(scene("1"))
    with Reader(whole, roi=(600, 400, 500, 500)) as reader:
        assert reader.read(scene("1"))[0].box == (600, 400, 40, 80)


def test_what_the_bundle_rejects_is_no_reading(digits, scene):
    picture = scene("17")
    with Reader(replace(digits, reject=Reject(label="7", threshold=0.5))) as reader:
        assert text(reader.read(picture)) == "1"
    with Reader(replace(digits, reject=Reject(threshold=1.0))) as reader:
        assert all(reading.probability == 1 for reading in reader.read(picture))


def test_int8_is_taken_where_there_is_one(digits, artifacts, tmp_path):
    with Reader(digits) as reader:
        assert reader.precision is Precision.INT8
    files = {(Format.ONNX, Precision.FLOAT32): (artifacts / "float32.onnx").read_bytes()}
    image = ImageSpec(28, 28, 1, fit=Fit.DIGIT)
    only = write_bundle(tmp_path / "only", BundleDraft("only", tuple("0123456789"), image, files))
    with Reader(only, runtime=Runtime.ONNX) as reader:
        assert reader.precision is Precision.FLOAT32
    with pytest.raises(BundleError, match="it holds onnx float32"):
        Reader(only)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"top": 0}, "top"), ({"roi": (-1, 0, 5, 5)}, "roi"), ({"roi": (0, 0, 0, 5)}, "roi"), ({"threads": 0}, "threads")],
)
def test_arguments_out_of_range_are_refused(digits, arguments, says):
    with pytest.raises(ArgumentError, match=says):
        Reader(digits, **arguments)


@pytest.mark.parametrize("picture", [np.zeros((0, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5))])
def test_what_is_no_picture_is_refused(digits, whole, picture):
    for bundle in (digits, whole):
        with Reader(bundle) as reader, pytest.raises(ArgumentError, match="picture"):
            reader.read(picture)


def test_a_closed_reader_reads_no_more(digits, scene):
    reader = Reader(digits)
    reader.close()
    with pytest.raises(SessionError):
        reader.read(scene("1"))


def test_a_crop_is_what_was_read(digits, whole, scene):
    picture = scene("507")
    with Reader(digits) as reader:
        reading = reader.read(picture)[1]
        crop = reader.crop(picture, reading.box)
    assert crop.shape == (28, 28)
    with Reader(whole) as reader:
        assert reader.read(crop)[0].label == "0"
        assert np.array_equal(reader.crop(picture, (40, 30, 50, 60)), picture[30:90, 40:90])
    with Reader(digits) as reader:  # nothing is found there any more
        assert reader.crop(scene(""), (40, 30, 50, 60)).shape == (60, 50, 3)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([], ""), ([["1", "2"], ["3"]], "12|3"), ([["cat"]], "cat"), ([["cat", "dog"], ["cow"]], "cat dog|cow")],
)
def test_readings_are_put_together(lines, expected):
    readings = [Reading(label, 1.0, (0, 0, 1, 1), line=number) for number, line in enumerate(lines) for label in line]
    assert text(readings) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (1, 0, 2, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 2, 2), 0),
        ((0, 0, 4, 4), (1, 1, 2, 2), 0.25),
    ],
)
def test_overlap(first, second, expected):
    assert overlap(first, second) == overlap(second, first) == pytest.approx(expected)


def test_the_bundle_s_folder_is_left_as_it_is(small_bundle, digits, scene):
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in small_bundle.iterdir()}

    before = state()
    with Reader(digits) as reader:
        reader.read(scene("8"))
    assert state() == before
