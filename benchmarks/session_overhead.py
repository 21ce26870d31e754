"""What `Session.run` adds to the runtimes' own calls, for each artefact of a few bundles.

    python benchmarks/session_overhead.py [BUNDLE ...] [--rounds 2000] [--json]

Bare is what their manuals show: set_tensor, invoke, get_tensor of LiteRT, `InferenceSession.run` of ONNX Runtime, on
the same file with the same options. Both run interleaved in one process (A B, B A, ...), so a busy machine slows both
alike; the ratio is the median of the ratios of neighbours. Exit code 1 when a ratio is above its target.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from edgecnn.bundle import Bundle, find_bundle, read_bundle
from edgecnn.runtime.ort import EXACT
from edgecnn.spec import Artifact, Format, Runtime

TARGET = 1.05
"""Largest ratio, also for nets of 8 us."""
SLICE = 0.0003
"""Seconds of one side of one round: long against the timer, short against the scheduler's turns."""


def bare(bundle: Bundle, artifact: Artifact, tensor: Any) -> Callable[[], Any]:
    """One inference by the runtime's own calls."""
    path = str(bundle.file(artifact))
    if artifact.format is Format.TFLITE:
        interpreter = Interpreter(path, num_threads=1)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        result = interpreter.get_output_details()[0]["index"]

        def litert() -> Any:
            interpreter.set_tensor(source, tensor)
            interpreter.invoke()
            return interpreter.get_tensor(result)

        return litert
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry(*EXACT)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, wanted = session.get_inputs()[0].name, [session.get_outputs()[0].name]

    def ort() -> Any:
        return session.run(wanted, {name: tensor})[0]

    return ort


def timed(call: Callable[[], Any], count: int) -> float:
    """Microseconds of one call, mean over `count`."""
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count * 1e6


def measure(bundle: Bundle, artifact: Artifact, rounds: int) -> dict[str, Any]:
    """Median microseconds of both and the median ratio."""
    runtime = Runtime.LITERT if artifact.format is Format.TFLITE else Runtime.ONNX
    dtype = artifact.input.dtype
    noise = np.random.default_rng(0)
    shape = (1, *artifact.input.shape[1:])
    tensor = noise.random(shape, np.float32) if dtype == "float32" else noise.integers(0, 100, shape).astype(dtype)
    with bundle.open(runtime, artifact.precision) as session:
        own, other = (lambda: session.run(tensor)), bare(bundle, artifact, tensor)
        if not np.array_equal(own(), other()):
            sys.exit(f"{artifact.file}: the session and the bare call do not give the same")
        count = max(1, round(SLICE / (timed(other, 20) / 1e6)))
        pairs = []
        for number in range(rounds):
            order = (own, other) if number % 2 else (other, own)
            times = [timed(call, count) for call in order]
            pairs.append(tuple(times if number % 2 else reversed(times)))
    ratio = statistics.median(a / b for a, b in pairs)
    return {
        "bundle": bundle.name,
        "artefact": f"{artifact.format} {artifact.precision}",
        "session_us": round(statistics.median(a for a, _ in pairs), 3),
        "bare_us": round(statistics.median(b for _, b in pairs), 3),
        "ratio": round(ratio, 4),
        "passed": ratio <= TARGET,
    }


def main() -> int:
    """Measure and show; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", default=["tiny", "digits"])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bundles = [read_bundle(find_bundle(name)) for name in options.bundles]
    rows = [measure(bundle, artifact, options.rounds) for bundle in bundles for artifact in bundle.artifacts]
    machine = f"{platform.processor() or platform.machine()}, {platform.platform()}, 1 thread, {options.rounds} rounds"
    if options.json:
        print(json.dumps({"machine": machine, "target": TARGET, "rows": rows}))
    else:
        print(f"{'bundle':<20}{'artefact':<18}{'session us':>12}{'bare us':>10}{'ratio':>8}   target <= {TARGET}")
        for row in rows:
            print(
                f"{row['bundle']:<20}{row['artefact']:<18}{row['session_us']:>12.2f}{row['bare_us']:>10.2f}"
                f"{row['ratio']:>8.3f}   {'ok' if row['passed'] else 'MISSED'}"
            )
        print(machine)
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
