"""XNNPACK's own times per operation, through LiteRT's C interface: its Python interface has no profiler.

    python -m edgecnn.bench.litert_profile ARTEFACT THREADS

The C interface is not stable between versions, so it is only spoken to in versions that it was tested with, and in a
process of its own: a mistake there ends that process and not the bench. Run as a program it writes one line of JSON.

Declarations: github.com/google-ai-edge/LiteRT, litert/c/{litert_common,litert_environment,litert_options,
litert_opaque_options,litert_model,litert_compiled_model,litert_tensor_buffer,litert_profiler,litert_profiler_event}.h.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from edgecnn.bench.queries import random_pixels
from edgecnn.errors import MeasurementError

TESTED = ("2.3.",)
"""Versions of ai-edge-litert whose C interface is the one declared here."""

CPU = 1
DELEGATE_OPERATION = 1 << 2 | 1 << 3
TFLITE_OPERATION = 1 << 1
INT8, UINT8, FLOAT32 = 9, 3, 1
WRITE = 1
WARM_UP = 20
MAX_EVENTS = 8000
"""The profiler's buffer holds 10,240 events and overwrites the oldest."""
MAX_SECONDS = 2.0

_Handle = ctypes.c_void_p
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Layout(ctypes.Structure):
    _fields_ = (("rank_bits", ctypes.c_uint), ("sizes", ctypes.c_int32 * 8), ("strides", ctypes.c_uint32 * 8))


class _Type(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("index", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


class _Library:
    """libLiteRt.so; each call checks the status that it returns."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def __call__(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name, None)
        if function is None:
            raise MeasurementError(f"profile: this LiteRT has no {name}")
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status != 0:
            raise MeasurementError(f"profile: {name} failed with status {status}")

    def handle(self, name: str, *arguments: Any) -> _Handle:
        """Call a function whose last argument is where it puts a handle."""
        result = _Handle()
        self(name, *arguments, ctypes.byref(result))
        return result


def profile_file(path: Path, threads: int) -> dict[str, Any]:
    """Run an artefact with XNNPACK's profiler on.

    Returns:
        `runs`: number of inferences; `total_us`: each inference; `operations`: [name, microseconds of each run], in
        the order in which they ran.

    Raises:
        MeasurementError: The version of LiteRT is not a tested one, or a call of it failed.
    """
    version = metadata.version("ai-edge-litert")
    if not version.startswith(TESTED):
        raise MeasurementError(
            f"profile: LiteRT's profiler is known to this edgecnn in {', '.join(TESTED)}x only, got {version}"
        )
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None or not found.submodule_search_locations:
        raise MeasurementError("profile: ai_edge_litert is not installed")
    library = _Library(Path(found.submodule_search_locations[0]) / "libLiteRt.so")
    # Nothing is destroyed: the process ends when its answer is written.
    environment = library.handle("LiteRtCreateEnvironment", 0, None)
    model = library.handle("LiteRtCreateModelFromFile", environment, str(path).encode())
    options = library.handle("LiteRtCreateOptions")
    library("LiteRtSetOptionsHardwareAccelerators", options, CPU)
    keep = [
        _add_option(library, options, b"runtime_options_string", b"enable_profiling = true\n"),
        _add_option(library, options, b"xnnpack", f"num_threads = {threads}\n".encode()),
    ]
    compiled = library.handle("LiteRtCreateCompiledModel", environment, model, options)
    profiler = library.handle("LiteRtCompiledModelGetProfiler", compiled)
    subgraph = library.handle("LiteRtGetModelSubgraph", model, ctypes.c_size_t(0))
    inputs = (_Handle * 1)(_buffer(library, environment, compiled, subgraph, "Input"))
    outputs = (_Handle * 1)(_buffer(library, environment, compiled, subgraph, "Output"))
    one, none = ctypes.c_size_t(1), ctypes.c_size_t(0)

    def run() -> None:
        library("LiteRtRunCompiledModel", compiled, none, one, inputs, one, outputs)

    for _ in range(WARM_UP):
        run()
    library("LiteRtStartProfiler", profiler)
    total = _timed(run, lambda: _count(library, profiler))
    library("LiteRtStopProfiler", profiler)
    answer = {"runs": len(total), "total_us": total, "operations": _operations(library, profiler, len(total))}
    del keep
    return answer


def _add_option(library: _Library, options: _Handle, name: bytes, text: bytes) -> object:
    payload, nothing = ctypes.create_string_buffer(text), _FREE(lambda pointer: None)
    option = library.handle("LiteRtCreateOpaqueOptions", name, ctypes.cast(payload, _Handle), nothing)
    library("LiteRtAddOpaqueOptions", options, option)
    return payload, nothing  # LiteRT keeps pointers to both


def _buffer(library: _Library, environment: _Handle, compiled: _Handle, subgraph: _Handle, end: str) -> _Handle:
    none = ctypes.c_size_t(0)
    tensor = library.handle(f"LiteRtGetSubgraph{end}", subgraph, none)
    kind = _Type()
    library("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
    kind.layout.sizes[0] = 1  # a free batch is -1
    needed = library.handle(f"LiteRtGetCompiledModel{end}BufferRequirements", compiled, none, none)
    buffer = library.handle("LiteRtCreateManagedTensorBufferFromRequirements", environment, ctypes.byref(kind), needed)
    if end == "Input":
        shape = tuple(kind.layout.sizes[: kind.layout.rank_bits & 0x7F])
        data = random_pixels(shape, {INT8: "int8", UINT8: "uint8", FLOAT32: "float32"}[kind.element]).tobytes()
        address = ctypes.c_void_p()
        library("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), WRITE)
        ctypes.memmove(address, data, len(data))
        library("LiteRtUnlockTensorBuffer", buffer)
    return buffer


def _timed(run: Callable[[], None], events: Callable[[], int]) -> list[float]:
    total: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() - start < MAX_SECONDS:
        before = time.perf_counter()
        run()
        total.append((time.perf_counter() - before) * 1e6)
        if len(total) * (events() / len(total) + 1) > MAX_EVENTS:
            break
    return total


def _count(library: _Library, profiler: _Handle) -> int:
    number = ctypes.c_int()
    library("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(number))
    return number.value


def _operations(library: _Library, profiler: _Handle, runs: int) -> list[tuple[str, list[int]]]:
    number = _count(library, profiler)
    events = (_Event * number)()
    library("LiteRtGetProfilerEvents", profiler, number, events)
    found: dict[tuple[int, int, str], list[int]] = {}
    for event in events:
        if event.kind & (DELEGATE_OPERATION | TFLITE_OPERATION):
            name = event.tag.decode("utf-8", "replace")
            found.setdefault((event.kind, event.index, name), []).append(event.elapsed_us)
    return [(name, times) for (_, _, name), times in found.items() if len(times) == runs]


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(profile_file(Path(sys.argv[1]), int(sys.argv[2]))) + "\n")
    except MeasurementError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
