"""Latency of edgecnn's int8 ONNX against ONNX Runtime's own quantizer, float ONNX and TFLite, on all six nets.

    python benchmarks/int8_onnx.py [NET ...] [--seconds 2.0] [--rounds 9] [--json]

The peer is `onnxruntime.quantization.quantize_static` (QDQ, QUInt8 activations, QInt8 weights, per channel) of the
same float ONNX file. Weights are random: time does not depend on them. One thread. The artefacts take turns of a few
milliseconds, so a busy machine slows all alike; ratios are medians over rounds of the ratios of a round's medians.
Exit code 1 when edgecnn's int8 ONNX takes more than 1.05 x the peer, or, above 5 million multiplications, more than
half of float ONNX.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import _tf, nets
from edgecnn.bench.machine import read_machine
from edgecnn.convert import onnx, source, tflite
from edgecnn.runtime.session import open_session, quantize

PEER, FLOAT = 1.05, 0.5
LARGE = 5_000_000
"""Multiplications from which int8 must take at most half of float ONNX."""
SEEDS = ("tiny", "conv-64-32", "conv-32-64-64", "conv-32-64-128", "alexnet-lite", "alexnet")


@dataclass(frozen=True)
class Row:
    """Median microseconds of one net's artefacts.

    Attributes:
        net: Its name.
        macs: Its multiplications.
        tflite_float32: TFLite float32.
        tflite_int8: TFLite int8.
        onnx_float32: ONNX float32.
        onnx_int8: edgecnn's int8 ONNX.
        quantize_static: The peer.
        to_peer: edgecnn's int8 ONNX over the peer.
        to_float: edgecnn's int8 ONNX over float ONNX.
        passed: Whether both are within their targets.
    """

    net: str
    macs: int
    tflite_float32: float
    tflite_int8: float
    onnx_float32: float
    onnx_int8: float
    quantize_static: float
    to_peer: float
    to_float: float
    passed: bool


def artefacts(name: str, folder: Path) -> dict[str, Path]:
    """Convert a net with random weights; the file of each artefact."""
    net = nets.get(name)
    model = nets.build(name)
    function = source.trace(model, Path(name))
    calibration = np.random.default_rng(0).random((8, *net.image.shape), np.float32)
    float32 = tflite.to_float(function.whole)
    int8 = tflite.to_int8(float32, calibration)
    contents = {
        "tflite_float32.tflite": float32,
        "tflite_int8.tflite": int8,
        "onnx_float32.onnx": onnx.to_onnx(float32),
        "onnx_int8.onnx": onnx.to_onnx(int8),
    }
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    files = {Path(file).stem: folder / file for file in contents}
    files["quantize_static"] = folder / "quantize_static.onnx"
    quantize_static(files["onnx_float32"], files["quantize_static"], calibration)
    return files


def quantize_static(float32: Path, result: Path, calibration: np.ndarray[Any, Any]) -> None:
    """The peer: what ONNX Runtime's documentation recommends for x86."""
    import onnxruntime.quantization as ort

    class Reader(ort.CalibrationDataReader):
        def __init__(self) -> None:
            self.samples = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            sample = next(self.samples, None)
            return None if sample is None else {"image": sample[None]}

    prepared = result.with_name("prepared.onnx")
    ort.shape_inference.quant_pre_process(str(float32), str(prepared), skip_symbolic_shape=True)
    ort.quantize_static(
        str(prepared),
        str(result),
        Reader(),
        quant_format=ort.QuantFormat.QDQ,
        activation_type=ort.QuantType.QUInt8,
        weight_type=ort.QuantType.QInt8,
        per_channel=True,
    )


def measure(files: dict[str, Path], seconds: float, rounds: int) -> dict[str, list[float]]:
    """Run all artefacts in turn; medians in microseconds, one for each round."""
    sessions = {name: open_session(path) for name, path in files.items()}
    shape = next(iter(sessions.values())).input.shape[1:]
    picture = np.random.default_rng(1).random((1, *shape), np.float32)
    inputs = {name: quantize(picture, session.input) for name, session in sessions.items()}
    for name, session in sessions.items():
        for _ in range(3):
            session.run(inputs[name])
    medians: dict[str, list[float]] = {name: [] for name in sessions}
    slice_seconds = seconds / rounds / len(sessions)
    for _ in range(rounds):
        times: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(4):  # turns of a round
            for name, session in sessions.items():
                run, tensor, until = session.run, inputs[name], time.perf_counter() + slice_seconds / 4
                while True:
                    began = time.perf_counter()
                    run(tensor)
                    ended = time.perf_counter()
                    times[name].append(ended - began)
                    if ended > until:
                        break
        for name, values in times.items():
            medians[name].append(statistics.median(values) * 1e6)
    return medians


def compare(name: str, seconds: float, rounds: int) -> Row:
    """Convert, measure and judge one net."""
    with tempfile.TemporaryDirectory() as folder:
        medians = measure(artefacts(name, Path(folder)), seconds, rounds)

    def ratio(other: str) -> float:
        return statistics.median(a / b for a, b in zip(medians["onnx_int8"], medians[other], strict=True))

    macs = nets.get(name).macs
    to_peer, to_float = ratio("quantize_static"), ratio("onnx_float32")
    passed = to_peer <= PEER and (macs <= LARGE or to_float <= FLOAT)
    values = {key: round(statistics.median(times), 1) for key, times in medians.items()}
    return Row(name, macs, **values, to_peer=round(to_peer, 3), to_float=round(to_float, 3), passed=passed)


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(SEEDS), help="names of nets")
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, for each net")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    _tf.tensorflow()
    rows = [compare(name, options.seconds, options.rounds) for name in options.nets]
    machine = read_machine().line
    if options.json:
        print(json.dumps({"machine": machine, "threads": 1, "rows": [asdict(row) for row in rows]}))
    else:
        print(f"Median microseconds, 1 thread, {options.rounds} rounds, {machine}, Python {platform.python_version()}")
        print("| net | MMAC | TFLite f32 | TFLite int8 | ONNX f32 | ONNX int8 | quantize_static | to it | to f32 | |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")
        for row in rows:
            times = (row.tflite_float32, row.tflite_int8, row.onnx_float32, row.onnx_int8, row.quantize_static)
            cells = " | ".join(f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in times)
            verdict = "ok" if row.passed else "MISSED"
            print(
                f"| {row.net} | {row.macs / 1e6:.1f} | {cells} | {row.to_peer:.2f} | {row.to_float:.2f} | {verdict} |"
            )
    return int(not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
