"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgecnn.errors import ArgumentError, MissingExtraError, SessionError
from edgecnn.runtime.check import check_ends, check_threads, one_line, precision_of, read_artifact, spec_or_error
from edgecnn.runtime.onnxfile import quantization
from edgecnn.spec import Runtime, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8"}
EXACT = ("session.x64quantprecision", "1")
"""Session entry without which ONNX Runtime adds pairs of uint8 x int8 products in 16 bits on x86 CPUs with AVX2 but no
VNNI: sums saturate, and an int8 artefact gives other outputs there than anywhere else. With it they are right, in up to
1.6 times the time; on other CPUs it changes nothing (onnxruntime_session_options_config_keys.h)."""
_QUIET = 4
"""ONNX Runtime's severity "fatal": what goes wrong comes as an exception, so nothing is written to stderr beside it."""


class OrtSession:
    """An opened .onnx file; see `edgecnn.runtime.session.Session`.

    Args:
        path: The file.
        threads: Threads inside one operation, 1..256.
        content: The file's bytes when the caller has read and checked them; else they are read from `path`.

    Raises:
        ArgumentError: `threads` is out of range.
        MissingExtraError: onnxruntime is not installed.
        SessionError: The file is no ONNX model, or not one with one picture in and one row of classes out.
    """

    runtime = Runtime.ONNX

    def __init__(self, path: Path, *, threads: int = 1, content: bytes | None = None) -> None:
        check_threads(threads)
        content = read_artifact(path) if content is None else content
        scales = quantization(content, str(path))
        session, self._errors = _open(path, content, threads)
        sources, results = session.get_inputs(), session.get_outputs()
        if len(sources) != 1 or len(results) != 1:
            raise SessionError(f"{path}: expected 1 input and 1 output, got {len(sources)} and {len(results)}")
        self.path = path
        self.threads = threads
        self.input, self.output = _spec(path, sources[0], scales), _spec(path, results[0], scales)
        check_ends(str(path), self.input, self.output)
        self.precision = precision_of(self.input, self.output)
        self._source: str = sources[0].name
        self._results: list[str] = [results[0].name]
        self._run = session.run

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the artefact; see `Session.run`."""
        try:
            return self._run(self._results, {self._source: tensor})[0]  # type: ignore[no-any-return]
        except self._errors as error:
            if str(tensor.dtype) != self.input.dtype or not self._fits(tensor.shape):
                raise ArgumentError(
                    f"tensor: expected {self.input.dtype} {list(self.input.shape)}, "
                    f"got {tensor.dtype} {list(tensor.shape)}"
                ) from error
            raise SessionError(f"{self.path}: {one_line(error)}") from error

    def query(self, tensor: NDArray[Any]) -> Callable[[], NDArray[Any]]:
        """The runtime's own calls for one inference; see `Session.query`."""
        self.run(tensor)
        run, results, feed = self._run, self._results, {self._source: tensor}

        def call() -> NDArray[Any]:
            return run(results, feed)[0]  # type: ignore[no-any-return]

        return call

    def close(self) -> None:
        """Free the session; `run` raises SessionError from now on. Closing twice does nothing."""
        self._run = _closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 4 and shape[1:] == self.input.shape[1:] and self.input.shape[0] in (-1, shape[0])


def _closed(*_: Any) -> Any:
    raise SessionError("session: it was closed; open a new one")


def _open(path: Path, content: bytes, threads: int) -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as native
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "onnxruntime":
            raise
        raise MissingExtraError("onnxruntime", "pi") from error
    # Its exceptions share no base class but Exception, and new versions add some.
    every = vars(native).values()
    kinds = [kind for kind in every if isinstance(kind, type) and issubclass(kind, Exception)]
    errors: tuple[type[Exception], ...] = (*kinds, ValueError, RuntimeError)
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(_QUIET)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(*EXACT)
    try:
        # Its fallback prints to stdout, and retries with the same provider.
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            _ = (tensor.name, tensor.shape, tensor.type)  # decoded here: a name that is no UTF-8 is refused too
    except errors as error:
        raise SessionError(f"{path}: ONNX Runtime cannot open it: {one_line(error)}") from error
    return session, errors


def _spec(path: Path, tensor: Any, scales: dict[str, tuple[float, int]]) -> TensorSpec:
    batch, *sizes = tensor.shape or [None]
    shape = (batch if isinstance(batch, int) else -1, *(size if isinstance(size, int) else 0 for size in sizes))
    if 0 in shape[1:]:
        raise SessionError(f"{path}: {tensor.name} has a free size other than the batch: {tensor.shape}")
    dtype = _DTYPES.get(tensor.type, tensor.type)
    return spec_or_error(str(path), tensor.name, shape, dtype, scales.get(tensor.name))
