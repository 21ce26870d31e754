"""edgecnn's artefacts side by side with what people use, in one interleaved run.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -e '.[pi]' onnx openvino
    /tmp/peers/bin/python benchmarks/peers.py [BUNDLE ...] [--rounds 12] [--seconds 0.25] [--out FILE]

Each net is run by: edgecnn (what `edgecnn bench` times); a bare loop around ai_edge_litert and one around onnxruntime,
each opened as its manual shows; ONNX Runtime's own int8 file (`quantize_static` of the float ONNX: QDQ, QUInt8
activations, QInt8 weights, per channel); OpenVINO on the same ONNX files, called from Python; and OpenVINO's
benchmark_app, a program of its own (it counts inference alone, without filling the input). One thread each; OpenVINO
computes in float32, as the others do, and not in bfloat16, which it prefers where the processor has it.

The rows take turns, one round after the other, forwards and backwards; benchmark_app runs once in each round for a
second, beside nothing else. A ratio is peer / edgecnn with the same precision and the same kind of file (edgecnn with
the ONNX file for OpenVINO): the median over the rounds' ratios with its 95 % interval; above 1 edgecnn is quicker.
quantize_static's scales come from random pictures; time does not depend on them. A bundle without a float32 ONNX file
(of the two large nets only int8 is shipped) has no row of quantize_static; `edgecnn export NAME --int8 --out FOLDER`
makes a full one. Where a peer is quicker by more than 3 %, the answer and FILE say so, and why.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bench_accuracy import LEAST, bare_litert, bare_onnx
from int8_onnx import quantize_static

from edgecnn.bench.machine import read_conditions, read_machine
from edgecnn.bench.queries import tensor_for
from edgecnn.bench.sampling import sample
from edgecnn.bench.statistics import median_ratio
from edgecnn.bundle import Bundle, find_bundle, read_bundle, shipped_bundles
from edgecnn.runtime.session import open_session
from edgecnn.spec import Precision, Runtime

Turn = Callable[[float], float]
"""Runs for so many seconds and gives the median in microseconds."""

QUICKER = 0.97
"""A peer is called quicker when the whole interval of its ratio lies below."""
REASONS = {
    "OpenVINO benchmark_app": "it counts inference alone, without the input's copy and without Python (some 3 us of a "
    "call of ONNX Runtime), and its convolutions are oneDNN's, compiled for this processor (those of conv-64-32 int8 "
    "take 30 us, ONNX Runtime's QLinearConv 42 us, by both profilers)",
    "OpenVINO": "its convolutions are compiled for this very processor (oneDNN, AVX-512); a call of it from Python "
    "costs some 80 us, so this shows on large nets only",
}
"""Why a peer is quicker where it is, by what the profilers show (edgecnn bench --profile; benchmark_app -pc)."""


@dataclass
class Subject:
    """One way to run one net.

    Attributes:
        who: What runs it.
        precision: Number format.
        base: The subject of edgecnn that it is compared with.
        turn: Runs it.
        medians: One of each round.
    """

    who: str
    precision: Precision
    base: str
    turn: Turn
    medians: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line of the answer; times are microseconds, the ratio is peer / edgecnn."""

    net: str
    precision: str
    who: str
    median: float
    compared_with: str
    ratio: float
    low: float | None
    high: float | None


def subjects(bundle: Bundle, folder: Path) -> Iterator[Subject]:
    """Everything that runs a bundle's artefacts; quantize_static's file too, where the bundle has its source."""
    files = {(a.format, a.precision): a for a in bundle.artifacts}
    for precision in Precision:
        for runtime in Runtime:
            artifact = files.get((runtime.file_format, precision))
            if artifact is None:
                continue
            path, name = bundle.file(artifact), f"edgecnn {runtime}"
            session = open_session(path)
            tensor = tensor_for(session, bundle.image)
            yield Subject(name, precision, name, _sampled(session.query(tensor)))
            if runtime is Runtime.LITERT:
                yield Subject("bare ai_edge_litert", precision, name, _median(bare_litert(path, tensor)))
                continue
            yield Subject("bare onnxruntime", precision, name, _median(bare_onnx(path, tensor)))
            yield Subject("OpenVINO", precision, name, _openvino(path, tensor))
            yield Subject("OpenVINO benchmark_app", precision, name, _benchmark_app(path, tensor.shape, folder))
            if precision is Precision.FLOAT32 and (runtime.file_format, Precision.INT8) in files:
                quantized = folder / f"{bundle.name}-quantize_static.onnx"
                pictures = np.random.default_rng(0).random((8, *tensor.shape[1:]), np.float32)
                quantize_static(path, quantized, pictures)
                yield Subject("quantize_static", Precision.INT8, name, _median(bare_onnx(quantized, tensor)))


def _sampled(query: Callable[[], object]) -> Turn:
    return lambda seconds: float(np.median(sample(query, seconds, LEAST)))


def _median(loop: Callable[[float], list[float]]) -> Turn:
    return lambda seconds: float(np.median(loop(seconds)))


def _openvino(path: Path, tensor: Any) -> Turn:
    import openvino

    model = openvino.Core().read_model(path)
    model.reshape(list(tensor.shape))
    settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.infer([tensor])
    return _sampled(lambda: request.infer([tensor]))


def _benchmark_app(path: Path, shape: tuple[int, ...], folder: Path) -> Turn:
    program = Path(sys.executable).with_name("benchmark_app")
    size = ",".join(map(str, shape))
    settings = ["-d", "CPU", "-hint", "none", "-api", "sync", "-nstreams", "1", "-nthreads", "1", "-t", "1"]
    settings += ["-shape", f"[{size}]", "-infer_precision", "f32"]

    def turn(_: float) -> float:
        done = subprocess.run(
            [program, "-m", path.resolve(), *settings], capture_output=True, text=True, check=True, cwd=folder
        )
        found = re.search(r"Median:\s+([\d.]+) (us|ms)", done.stdout)
        if found is None:
            sys.exit(f"benchmark_app says no median: {done.stdout[-500:]}")
        return float(found.group(1)) * (1e3 if found.group(2) == "ms" else 1)

    return turn


def compare(bundle: Bundle, rounds: int, seconds: float) -> list[Row]:
    """Run one net everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        every = list(subjects(bundle, Path(folder)))
        for subject in every:
            if "benchmark_app" not in subject.who:
                subject.turn(seconds)  # warm
        for number in range(rounds):
            for subject in every[:: 1 if number % 2 == 0 else -1]:
                if sys.stderr.isatty():
                    print(f"\r{bundle.name}: round {number + 1} of {rounds}, {subject.who:24}", end="", file=sys.stderr)
                subject.medians.append(subject.turn(seconds))
        if sys.stderr.isatty():
            print(file=sys.stderr)
    bases = {(subject.who, subject.precision): subject for subject in every}
    rows = []
    for subject in every:
        ratio = median_ratio(subject.medians, bases[subject.base, subject.precision].medians)
        middle = float(np.median(subject.medians))
        rows.append(
            Row(bundle.name, subject.precision, subject.who, middle, subject.base, ratio.value, ratio.low, ratio.high)
        )
    return rows


def show(rows: list[Row]) -> None:
    """Print the rows, and where a peer is quicker and why."""
    for row in rows:
        interval = "" if row.low is None else f" ({row.low:.2f}..{row.high:.2f})"
        own = row.who == row.compared_with
        ratio = "" if own else f"{row.ratio:6.2f} x {row.compared_with}{interval}"
        print(f"{row.net:16} {row.precision:8} {row.who:24} {row.median:10.1f} us  {ratio}")
    for line in quicker(rows):
        print(line)


def quicker(rows: list[Row]) -> list[str]:
    """Where a peer is quicker, and why; a line each peer."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.high is not None and row.high < QUICKER:
            quickest = min(other.median for other in rows if other.who.startswith("edgecnn") and same(other, row))
            places.setdefault((row.who, row.compared_with), []).append(
                f"{row.net} {row.precision}, {1 / row.ratio:.2f} x "
                f"({row.median:.1f} us; the quickest row of edgecnn there {quickest:.1f} us)"
            )
    return [
        f"{who} is quicker than {than} on {'; '.join(where)}. Why: "
        f"{REASONS.get(who, 'no reason known; edgecnn bench --profile shows both')}."
        for (who, than), where in places.items()
    ]


def same(one: Row, other: Row) -> bool:
    """Whether two rows are about the same net with the same precision."""
    return (one.net, one.precision) == (other.net, other.precision)


def main() -> None:
    """Run every bundle everywhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    from importlib.metadata import version

    machine, before = read_machine(), read_conditions()
    rows: list[Row] = []
    for name in options.bundles or shipped_bundles():
        found = compare(read_bundle(find_bundle(name)), options.rounds, options.seconds)
        rows += found
        show(found)
    if options.out:
        content = {
            "machine": machine.line,
            "versions": {**machine.versions, "openvino": version("openvino")},
            "load": [before.load, read_conditions().load],
            "rounds": options.rounds,
            "seconds": options.seconds,
            "rows": [asdict(row) for row in rows],
            "quicker": quicker(rows),
        }
        options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
