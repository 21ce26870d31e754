"""Latency of edgecnn's int8 ONNX against ONNX Runtime's own quantizer, float ONNX and TFLite, on all six nets.

    python benchmarks/int8_onnx.py [NET ...] [--seconds 2.0] [--rounds 10] [--json]

The peer is `onnxruntime.quantization.quantize_static` (QDQ, QUInt8 activations, QInt8 weights, per channel) of the
same float ONNX file. Weights and biases are random: time does not depend on them. One thread. The artefacts take turns
of a few milliseconds, so a busy machine slows all alike. What a neighbour leaves in the caches is not counted: the
first run of each turn is left out, and who follows whom changes from round to round. Each round opens the files anew:
where their memory happens to lie moves AlexNet by 5 %. Ratios are medians over rounds of the ratios of a round's
medians, with their 95 % intervals. Exit code 1 when edgecnn's int8 ONNX takes more than 1.05 x the peer, or, above 5
million multiplications, more than half of float ONNX.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import _tf, nets
from edgecnn.bench.machine import read_conditions, read_machine
from edgecnn.bench.statistics import Estimate, median_ratio
from edgecnn.convert import onnx, source, tflite
from edgecnn.runtime.session import open_session, quantize

PEER, FLOAT = 1.05, 0.5
LARGE = 5_000_000
"""Multiplications from which int8 must take at most half of float ONNX."""
TURNS = 4
"""Turns of each artefact in a round."""
LEAST = 4
"""Runs that a turn counts at least."""
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
        peer_interval: 95 % interval of `to_peer`; None below 5 rounds.
        float_interval: Likewise of `to_float`.
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
    peer_interval: tuple[float, float] | None
    float_interval: tuple[float, float] | None
    passed: bool


def artefacts(name: str, folder: Path) -> dict[str, Path]:
    """Convert a net with random weights; the file of each artefact."""
    net = nets.get(name)
    model = nets.build(name)
    random = np.random.default_rng(0)
    for variable in model.variables:
        if len(variable.shape) == 1:  # biases of 0 would be left out by the converters, and no trained net has them
            variable.assign(variable + random.uniform(0.01, 0.1, variable.shape))
    function = source.trace(model, Path(name))
    calibration = random.random((8, *net.image.shape), np.float32)
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
    medians: dict[str, list[float]] = {name: [] for name in files}
    for number in range(rounds):
        names = list(files)[number % len(files) :] + list(files)[: number % len(files)]
        if number % 2:
            names.reverse()
        for name, value in _round({name: files[name] for name in names}, seconds / rounds / len(files)).items():
            medians[name].append(value)
    return medians


def _round(files: dict[str, Path], seconds: float) -> dict[str, float]:
    """Open the artefacts and run each for so many seconds; medians in microseconds."""
    sessions = {name: open_session(path) for name, path in files.items()}
    shape = next(iter(sessions.values())).input.shape[1:]
    picture = np.random.default_rng(1).random((1, *shape), np.float32)
    inputs = {name: quantize(picture, session.input) for name, session in sessions.items()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for name, session in sessions.items():
        for _ in range(3):
            session.run(inputs[name])
    for _ in range(TURNS):
        for name, session in sessions.items():
            run, tensor, turn = session.run, inputs[name], times[name]
            run(tensor)  # brings its weights back into the caches
            count, ended = len(turn) + LEAST, time.perf_counter()
            until = ended + seconds / TURNS
            while len(turn) < count or ended < until:
                began = time.perf_counter()
                run(tensor)
                ended = time.perf_counter()
                turn.append(ended - began)
    for session in sessions.values():
        session.close()
    return {name: statistics.median(values) * 1e6 for name, values in times.items()}


def compare(name: str, seconds: float, rounds: int) -> Row:
    """Convert, measure and judge one net."""
    with tempfile.TemporaryDirectory() as folder:
        medians = measure(artefacts(name, Path(folder)), seconds, rounds)
    macs = nets.get(name).macs
    to_peer, to_float = (median_ratio(medians["onnx_int8"], medians[n]) for n in ("quantize_static", "onnx_float32"))
    return Row(
        name,
        macs,
        **{key: round(statistics.median(times), 1) for key, times in medians.items()},
        to_peer=round(to_peer.value, 3),
        to_float=round(to_float.value, 3),
        peer_interval=_ends(to_peer),
        float_interval=_ends(to_float),
        passed=to_peer.value <= PEER and (macs <= LARGE or to_float.value <= FLOAT),
    )


def _ends(estimate: Estimate) -> tuple[float, float] | None:
    return None if estimate.low is None or estimate.high is None else (round(estimate.low, 3), round(estimate.high, 3))


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(SEEDS), help="names of nets")
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, for each net")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    _tf.tensorflow()
    machine, load = read_machine(), read_conditions().load
    rows = [compare(name, options.seconds, options.rounds) for name in options.nets]
    if options.json:
        setting = {"machine": machine.line, "versions": machine.versions, "load": [load, read_conditions().load]}
        setting |= {"threads": 1, "rounds": options.rounds, "seconds": options.seconds}
        print(json.dumps({**setting, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(f"Median microseconds, 1 thread, {options.rounds} rounds, {machine.line}")
        print("| net | MMAC | TFLite f32 | TFLite int8 | ONNX f32 | ONNX int8 | quantize_static | to it | to f32 | |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")
        for row in rows:
            print(_line(row))
    return int(not all(row.passed for row in rows))


def _line(row: Row) -> str:
    times = (row.tflite_float32, row.tflite_int8, row.onnx_float32, row.onnx_int8, row.quantize_static)
    cells = [f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in times]
    for ratio, interval in ((row.to_peer, row.peer_interval), (row.to_float, row.float_interval)):
        cells.append(f"{ratio:.2f}" + (f" ({interval[0]:.2f}..{interval[1]:.2f})" if interval else ""))
    return f"| {row.net} | {row.macs / 1e6:.1f} | {' | '.join(cells)} | {'ok' if row.passed else 'MISSED'} |"


if __name__ == "__main__":
    sys.exit(main())
