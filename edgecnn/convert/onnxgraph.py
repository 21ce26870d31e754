"""What editors of an ONNX graph ask: who writes a tensor, who reads it, what a constant holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OnnxGraph:
    """Looks at a graph, and adds constants to it.

    Args:
        graph: `onnx.GraphProto`.

    Attributes:
        graph: The same; editors change it.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}

    def writer(self, name: str) -> Any:
        """The node that writes a tensor; None for inputs and constants."""
        return next((node for node in self.graph.node if name in node.output), None)

    def readers(self, name: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.graph.node if name in node.input]

    def only_reader(self, name: str, operator: str) -> Any | None:
        """The one node that reads a tensor, when it is of this kind; None when it is not, or others read it too."""
        readers = self.readers(name)
        if len(readers) != 1 or readers[0].op_type != operator or name in {end.name for end in self.graph.output}:
            return None
        return readers[0]

    def value(self, name: str) -> NDArray[Any]:
        """What a constant holds."""
        from onnx import numpy_helper

        return numpy_helper.to_array(self._constants[name])  # type: ignore[no-any-return]

    def add(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Add a constant, unless it is there; its name."""
        from onnx import numpy_helper

        if name not in self._constants:
            self.graph.initializer.append(numpy_helper.from_array(value, name))
            self._constants[name] = self.graph.initializer[-1]
        return name

    def set_shape(self, reshape: Any, shape: list[int]) -> None:
        """Give a Reshape another shape."""
        import numpy as np

        reshape.input[1] = self.add(f"{reshape.name}_shape", np.asarray(shape, np.int64))
