"""Is the bench right? Its median against a bare loop around the runtime's own calls.

    python benchmarks/bench_accuracy.py [BUNDLE ...] [--seconds 8] [--openings 10] [--rounds 8] [--out FILE]

The bare loop is what one would write: read the clock, set_tensor, invoke, get_tensor (or InferenceSession.run), read
the clock. Bench and bare loop take turns of a twentieth of a second, so that a busy machine slows both alike. Each
opens the file anew ten times: where the memory of an opened file happens to lie moves a net of 5 us by 5 %, which is
neither's fault. The ratio is the median over the openings' ratios, its interval resamples them. Exit code 1 when one
is off by more than 3 %.
Without a name all shipped bundles are compared. A net of 10 ms is too large to be shipped: `python
benchmarks/alexnet_bundle.py FOLDER` makes one; name FOLDER/alexnet beside the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.bench.machine import read_conditions, read_machine
from edgecnn.bench.queries import tensor_for
from edgecnn.bench.sampling import sample, timer_overhead, warm_up
from edgecnn.bench.statistics import median_ratio
from edgecnn.bundle import Bundle, find_bundle, read_bundle, shipped_bundles
from edgecnn.runtime.ort import EXACT
from edgecnn.spec import Artifact, Format, Runtime

ALLOWED = 0.03
LEAST = 10
"""Queries of a turn at least: the first one of a large net finds the caches cold."""


def bare_litert(path: Path, tensor: Any) -> Callable[[float], list[float]]:
    """A loop around LiteRT's own calls; returns microseconds."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]

    def loop(seconds: float) -> list[float]:
        times = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(times) < LEAST:
            start = time.perf_counter()
            interpreter.set_tensor(source, tensor)
            interpreter.invoke()
            interpreter.get_tensor(result)
            times.append((time.perf_counter() - start) * 1e6)
        return times

    return loop


def bare_onnx(path: Path, tensor: Any) -> Callable[[float], list[float]]:
    """A loop around ONNX Runtime's own call; returns microseconds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(*EXACT)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: tensor}

    def loop(seconds: float) -> list[float]:
        times = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(times) < LEAST:
            start = time.perf_counter()
            session.run(None, feed)
            times.append((time.perf_counter() - start) * 1e6)
        return times

    return loop


def opening(
    bundle: Bundle, artifact: Artifact, seconds: float, rounds: int, first: str
) -> tuple[list[float], list[float]]:
    """Open an artefact for both and measure it in turns; medians in microseconds, of the bench and of the loop."""
    tflite = artifact.format is Format.TFLITE
    runtime = Runtime.LITERT if tflite else Runtime.ONNX
    with bundle.open(runtime, artifact.precision) as session:
        tensor = tensor_for(session, bundle.image)
        query = session.query(tensor)
        bare = (bare_litert if tflite else bare_onnx)(bundle.file(artifact), tensor)
        if first == "tool":
            warm_up(query, 0.2)
            bare(0.05)
        else:
            bare(0.05)
            warm_up(query, 0.2)
        tool, loop = [], []
        for number in range(rounds):
            for who in ("tool", "loop") if (number % 2 == 0) == (first == "tool") else ("loop", "tool"):
                if who == "tool":
                    tool.append(float(np.median(sample(query, seconds / rounds / 2, LEAST))))
                else:
                    loop.append(float(np.median(bare(seconds / rounds / 2))))
    return tool, loop


def compare(bundle: Bundle, artifact: Artifact, seconds: float, openings: int, rounds: int) -> dict[str, Any]:
    """Measure one artefact both ways."""
    tool, loop = [], []
    for number in range(openings):
        first = ("tool", "loop")[number % 2]
        both = opening(bundle, artifact, seconds / openings, rounds, first)
        tool.append(float(np.median(both[0])))
        loop.append(float(np.median(both[1])))
    ratio = median_ratio(tool, loop)
    return {
        "bundle": bundle.name,
        "artefact": artifact.file,
        "bench_us": float(np.median(tool)),
        "bare_us": float(np.median(loop)),
        "ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "passed": abs(ratio.value - 1) <= ALLOWED,
    }


def main() -> None:
    """Compare every artefact of the bundles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--openings", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    timer = timer_overhead()
    print(f"{read_machine().line}\nthe timing loop takes {timer:.3f} us")
    rows = []
    for name in options.bundles or shipped_bundles():
        bundle = read_bundle(find_bundle(name))
        for artifact in bundle.artifacts:
            row = compare(bundle, artifact, options.seconds, options.openings, options.rounds)
            rows.append(row)
            print(
                f"{row['artefact']:32} bench {row['bench_us']:10.2f} us   bare loop {row['bare_us']:10.2f} us   "
                f"ratio {row['ratio']:.3f} ({row['low']:.3f}..{row['high']:.3f})   {'ok' if row['passed'] else 'OFF'}"
            )
    if options.out:
        machine, load = read_machine().line, read_conditions().load
        content = {"machine": machine, "load_at_end": load, "timer_us": timer, "allowed": ALLOWED, "rows": rows}
        options.out.write_text(json.dumps(content, indent=2) + "\n")
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


if __name__ == "__main__":
    main()
