"""LiteRT (formerly TensorFlow Lite) with its default kernels, which are XNNPACK's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgecnn.errors import ArgumentError, MissingExtraError, SessionError
from edgecnn.runtime.check import check_ends, check_threads, one_line, precision_of, read_artifact, spec_or_error
from edgecnn.runtime.quiet import without_greeting
from edgecnn.spec import Runtime, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

IDENTIFIER = b"TFL3"


class LiteRtSession:
    """An opened .tflite file; see `edgecnn.runtime.session.Session`.

    Args:
        path: The file.
        threads: Threads for the kernels, 1..256.
        content: The file's bytes when the caller has read and checked them; else they are read from `path`.

    Raises:
        ArgumentError: `threads` is out of range.
        MissingExtraError: ai-edge-litert is not installed.
        SessionError: The file is no TFLite model, or not one with one picture in and one row of classes out.
    """

    runtime = Runtime.LITERT

    def __init__(self, path: Path, *, threads: int = 1, content: bytes | None = None) -> None:
        check_threads(threads)
        content = read_artifact(path) if content is None else content
        if content[4:8] != IDENTIFIER:
            raise SessionError(f"{path}: not a TFLite model (no {IDENTIFIER.decode()} at byte 4)")
        interpreter, sources, results = _open(path, content, threads)
        if len(sources) != 1 or len(results) != 1:
            raise SessionError(f"{path}: expected 1 input and 1 output, got {len(sources)} and {len(results)}")
        self.path = path
        self.threads = threads
        self.input, self.output = _spec(path, sources[0]), _spec(path, results[0])
        check_ends(str(path), self.input, self.output)
        self.precision = precision_of(self.input, self.output)
        self._batch = 1
        self._source: int = sources[0]["index"]
        self._result: int = results[0]["index"]
        self._interpreter = interpreter
        self._set, self._invoke, self._get = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the artefact; see `Session.run`."""
        try:
            self._set(self._source, tensor)
            self._invoke()
            return self._get(self._result)  # type: ignore[no-any-return]  # LiteRT copies here
        except ValueError as error:
            # A net of 8 us feels every check; that the batch is another one is asked only when LiteRT has refused it.
            if not self._resized(tensor):
                raise self._refused(tensor, error) from error
        except RuntimeError as error:
            raise SessionError(f"{self.path}: {one_line(error)}") from error
        return self.run(tensor)

    def query(self, tensor: NDArray[Any]) -> Callable[[], NDArray[Any]]:
        """The runtime's own calls for one inference; see `Session.query`."""
        self.run(tensor)
        hand_over, invoke, fetch, source, result = self._set, self._invoke, self._get, self._source, self._result

        def call() -> NDArray[Any]:
            hand_over(source, tensor)
            invoke()
            return fetch(result)  # type: ignore[no-any-return]

        return call

    def close(self) -> None:
        """Free the interpreter; `run` raises SessionError from now on. Closing twice does nothing."""
        self._interpreter = None
        self._set = self._invoke = self._get = _closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _resized(self, tensor: NDArray[Any]) -> bool:
        """Plan for the batch of `tensor` when that is all that was wrong with it."""
        free, *sizes = self.input.shape
        batch, *own = tensor.shape or (0,)
        if free != -1 or batch < 1 or batch == self._batch or own != sizes or str(tensor.dtype) != self.input.dtype:
            return False
        self._interpreter.resize_tensor_input(self._source, tensor.shape, strict=True)
        self._interpreter.allocate_tensors()
        self._batch = batch
        return True

    def _refused(self, tensor: NDArray[Any], error: ValueError) -> ArgumentError:
        return ArgumentError(
            f"tensor: expected {self.input.dtype} {list(self.input.shape)}, "
            f"got {tensor.dtype} {list(tensor.shape)} ({one_line(error)})"
        )


def _closed(*_: Any) -> Any:
    raise SessionError("session: it was closed; open a new one")


def _open(path: Path, content: bytes, threads: int) -> tuple[Any, list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "ai_edge_litert":
            raise
        raise MissingExtraError("ai_edge_litert", "pi") from error
    try:
        with without_greeting():
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        return interpreter, interpreter.get_input_details(), interpreter.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise SessionError(f"{path}: LiteRT cannot open it: {one_line(error)}") from error


def _spec(path: Path, details: dict[str, Any]) -> TensorSpec:
    signature = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    shape = tuple(int(size) for size in signature)
    quantized = details["quantization_parameters"]
    if len(quantized["scales"]) > 1:
        raise SessionError(f"{path}: {details['name']} is quantized per channel; an input or output cannot be")
    one = (float(quantized["scales"][0]), int(quantized["zero_points"][0])) if len(quantized["scales"]) else None
    return spec_or_error(str(path), details["name"], shape, details["dtype"].__name__, one)
