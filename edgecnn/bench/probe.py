"""A fresh process that opens an artefact and runs it once: import, load, first inference and memory, all cold.

    python -m edgecnn.bench.probe ARTEFACT THREADS

Run as a program it writes one line of JSON. In a process that has already opened a session none of this can be seen:
libraries are loaded, kernels are packed, and the peak of the memory is somebody else's.
"""

from __future__ import annotations

import importlib
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from edgecnn.bench.result import Start
from edgecnn.errors import MeasurementError
from edgecnn.spec import Runtime

PROCESSES = 3
SECONDS = 300
MODULES = {Runtime.LITERT: "ai_edge_litert.interpreter", Runtime.ONNX: "onnxruntime"}
_FIELDS = ("import_us", "load_us", "first_us", "peak", "net")


def probe(path: Path, threads: int, *, processes: int = PROCESSES) -> Start:
    """Start fresh processes and reduce what they say.

    Args:
        path: The artefact.
        threads: Threads of an inference.
        processes: How many, one after the other; 1 or more.

    Raises:
        MeasurementError: A process failed or did not end in five minutes.
    """
    answers = [_ask(path, threads) for _ in range(processes)]
    median = {name: statistics.median(answer[name] for answer in answers) for name in _FIELDS[:3]}
    return Start(
        processes=processes,
        import_us=median["import_us"],
        load_us=median["load_us"],
        first_us=median["first_us"],
        peak=int(max(answer["peak"] for answer in answers)),
        net=int(statistics.median(answer["net"] for answer in answers)),
    )


def _ask(path: Path, threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", "edgecnn.bench.probe", str(path), str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasurementError(f"{path}: the fresh process for its first inference failed: {error}") from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or set(answer) != set(_FIELDS):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"{path}: the fresh process ended with {done.returncode}: {last}")
    return {name: float(answer[name]) for name in _FIELDS}


def measure_start(path: Path, threads: int) -> dict[str, float]:
    """Open and run an artefact in this process, which should be fresh.

    Returns:
        Microseconds `import_us`, `load_us`, `first_us`; bytes `peak`, `net` (0 where the system does not tell).
    """
    from edgecnn.bench.queries import tensor_for
    from edgecnn.runtime.session import open_session

    runtime = Runtime.LITERT if path.suffix.lower() == ".tflite" else Runtime.ONNX
    times = [time.perf_counter()]
    importlib.import_module(MODULES[runtime])
    times.append(time.perf_counter())
    before = _memory("VmRSS")
    with open_session(path, threads=threads) as session:
        times.append(time.perf_counter())
        tensor = tensor_for(session)
        start = time.perf_counter()
        session.run(tensor)
        first = time.perf_counter() - start
    peak = _memory("VmHWM")
    return {
        "import_us": (times[1] - times[0]) * 1e6,
        "load_us": (times[2] - times[1]) * 1e6,
        "first_us": first * 1e6,
        "peak": peak,
        "net": max(0, peak - before),
    }


def _memory(field: str) -> int:
    # Not getrusage: its maximum is inherited from the process that started this one.
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    match = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else 0


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_start(Path(sys.argv[1]), int(sys.argv[2]))) + "\n")
