"""edgecnn: from a Keras CNN to proven int8 TFLite and ONNX on a Raspberry-Pi-class board.

The public names are imported when they are first used: `import edgecnn` costs nothing, and a board without TensorFlow
has all that it can run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.bundle import Bundle, find_bundle, read_bundle
    from edgecnn.errors import EdgecnnError
    from edgecnn.parity import Budget, ParityReport, compare, compare_bundle
    from edgecnn.pipeline import ExportOptions, ExportResult, export
    from edgecnn.reader import Reader
    from edgecnn.runtime.session import open_session
    from edgecnn.spec import Frame, ImageSpec, Precision, Reading, Runtime

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Bundle",
    "EdgecnnError",
    "ExportOptions",
    "ExportResult",
    "Frame",
    "ImageSpec",
    "ParityReport",
    "Precision",
    "Reader",
    "Reading",
    "Runtime",
    "compare",
    "compare_bundle",
    "export",
    "find_bundle",
    "open_session",
    "read_bundle",
]

_HOMES = {
    "bundle": ("Bundle", "find_bundle", "read_bundle"),
    "errors": ("EdgecnnError",),
    "parity": ("Budget", "ParityReport", "compare", "compare_bundle"),
    "pipeline": ("ExportOptions", "ExportResult", "export"),
    "reader": ("Reader",),
    "runtime.session": ("open_session",),
    "spec": ("Frame", "ImageSpec", "Precision", "Reading", "Runtime"),
}
"""Room -> the public names that live in it."""


def __getattr__(name: str) -> Any:
    for room, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"edgecnn.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'edgecnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
