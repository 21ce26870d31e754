"""The programs in benchmarks/ that compare latencies: that they run, and compare what they say. No time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bundle import find_bundle, read_bundle
from edgecnn.spec import Format, Precision

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import bench_accuracy
import int8_onnx
import peers


@pytest.fixture
def without_openvino(monkeypatch):
    """OpenVINO is not among the packages of the tests."""
    monkeypatch.setattr(peers, "_openvino", lambda path, tensor: lambda seconds: 50.0)
    monkeypatch.setattr(peers, "_benchmark_app", lambda path, shape, folder: lambda seconds: 0.001)


BOTH = [
    "OpenVINO",
    "OpenVINO benchmark_app",
    "bare ai_edge_litert",
    "bare onnxruntime",
    "edgecnn litert",
    "edgecnn onnx",
]


@pytest.mark.parametrize(
    ("name", "float32", "int8"),
    [("tiny", BOTH, sorted([*BOTH, "quantize_static"])), ("alexnet-lite", [], BOTH)],
)
def test_peers_run_what_a_bundle_has(without_openvino, name, float32, int8):
    pytest.importorskip("onnx", reason="quantize_static needs onnx, which the extra `train` installs")
    rows = peers.compare(read_bundle(find_bundle(name)), rounds=5, seconds=0.002)
    for precision, expected in ((Precision.FLOAT32, float32), (Precision.INT8, int8)):
        assert sorted(row.who for row in rows if row.precision is precision) == expected
    assert all(row.ratio == 1 for row in rows if row.who == row.compared_with)


def test_where_a_peer_is_quicker_the_record_says_why(without_openvino):
    rows = peers.compare(read_bundle(find_bundle("alexnet-lite")), rounds=5, seconds=0.002)
    (line,) = (line for line in peers.quicker(rows) if line.startswith("OpenVINO benchmark_app"))
    assert "is quicker than edgecnn onnx on alexnet-lite int8" in line
    assert peers.REASONS["OpenVINO benchmark_app"] in line


def test_int8_onnx_measures_all_in_every_round():
    folder = find_bundle("tiny")
    files = {
        "one": folder / "tiny-int8.onnx",
        "other": folder / "tiny-float32.onnx",
        "third": folder / "tiny-int8.tflite",
    }
    medians = int8_onnx.measure(files, seconds=0.05, rounds=6)
    assert {name: len(values) for name, values in medians.items()} == dict.fromkeys(files, 6)
    assert all(np.isfinite(values).all() and min(values) > 0 for values in medians.values())


@pytest.mark.parametrize("form", list(Format))
def test_bench_accuracy_compares_the_bench_with_a_bare_loop(form):
    bundle = read_bundle(find_bundle("tiny"))
    artifact = bundle.artifact(form, Precision.INT8)
    row = bench_accuracy.compare(bundle, artifact, seconds=0.1, openings=5, rounds=2)
    assert (row["bundle"], row["artefact"]) == ("tiny", artifact.file)
    assert min(row["bench_us"], row["bare_us"]) > 0
    assert row["low"] <= row["ratio"] <= row["high"]
