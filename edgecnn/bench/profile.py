"""Where the time of an inference goes, operation by operation, as each runtime counts it itself."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.bench.litert_profile import MAX_SECONDS, WARM_UP
from edgecnn.bench.queries import random_pixels
from edgecnn.bench.result import Operation, Profile, Target
from edgecnn.errors import MeasurementError
from edgecnn.runtime.ort import EXACT
from edgecnn.spec import Runtime

SECONDS = 300
MAX_RUNS = 500
TRIM = 0.05
"""Share of the slowest runs of an operation that is left out: an interruption of 50 us falls on one operation only."""

CLEAR = 1.0
"""Microseconds of an average operation from which on shares are told: below, rounding decides them."""

NOTE = (
    "the runtime counts whole microseconds, rounded down: an operation below 1 us reads as 0; "
    "counting slows the inference down, so compare shares, and take latencies from the rows"
)

Timed = list[tuple[str, str, list[float]]]
"""Name, kind and microseconds of each run, in the order in which the operations ran."""


def profile(target: Target, path: Path) -> Profile:
    """Run an artefact with its runtime's profiler on.

    Args:
        target: What it is.
        path: The artefact.

    Raises:
        MeasurementError: The profiler is not to be had in this version of the runtime, or it failed.
    """
    if target.runtime is Runtime.LITERT:
        total, timed = _litert(path, target.threads)
        source = "XNNPACK's operator profiler, through LiteRT's C interface (compiled model)"
    else:
        total, timed = _onnx(path, target.threads)
        source = "ONNX Runtime's profiler"
    means = [_trimmed(times) for _, _, times in timed]
    whole = sum(means)
    clear = whole >= len(means) * CLEAR
    return Profile(
        target=target,
        source=source,
        runs=len(total),
        total=float(np.median(total)),
        operations=tuple(
            Operation(
                name=name, kind=kind, calls=len(times) / len(total), mean=mean, share=mean / whole if clear else None
            )
            for (name, kind, times), mean in zip(timed, means, strict=True)
        ),
        note=NOTE,
    )


def _trimmed(times: list[float]) -> float:
    ordered = sorted(times)
    return float(np.mean(ordered[: max(1, len(ordered) - int(len(ordered) * TRIM))]))


def _litert(path: Path, threads: int) -> tuple[list[float], Timed]:
    command = [sys.executable, "-m", "edgecnn.bench.litert_profile", str(path), str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasurementError(f"{path}: the profiling process failed: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        died = "" if done.returncode == 1 else f"the profiling process ended with {done.returncode}: "
        raise MeasurementError(f"{path}: {died}{last}")
    answer = json.loads(done.stdout.splitlines()[-1])
    named = enumerate(answer["operations"])
    return answer["total_us"], [(f"{at}: {name}", name.split(" (")[0], times) for at, (name, times) in named]


def _onnx(path: Path, threads: int) -> tuple[list[float], Timed]:
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="edgecnn-profile-") as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_profiling = True
        options.add_session_config_entry(*EXACT)
        options.profile_file_prefix = str(Path(folder) / "ort")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        source = session.get_inputs()[0]
        dtype = {"tensor(int8)": "int8", "tensor(uint8)": "uint8"}.get(source.type, "float32")
        feed = {source.name: random_pixels((1, *source.shape[1:]), dtype)}
        total: list[float] = []
        deadline = time.perf_counter() + MAX_SECONDS
        while len(total) < 2 * WARM_UP or (len(total) < MAX_RUNS + WARM_UP and time.perf_counter() < deadline):
            before = time.perf_counter()
            session.run(None, feed)
            total.append((time.perf_counter() - before) * 1e6)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return total[WARM_UP:], _onnx_operations(events, len(total))


def _onnx_operations(events: list[dict[str, Any]], runs: int) -> Timed:
    """Events of category "Node" that are a kernel; those of the warm-up are the first ones of each node."""
    found: dict[str, tuple[str, list[float]]] = {}
    for event in events:
        name = event.get("name", "")
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            kind = str(event.get("args", {}).get("op_name", "?"))
            found.setdefault(name.removesuffix("_kernel_time"), (kind, []))[1].append(float(event["dur"]))
    return [(name, kind, times[len(times) * WARM_UP // runs :]) for name, (kind, times) in found.items()]
