"""What a model file may not be, found out before any framework opens it.

Keras files can name Python to run (Lambda layers, functions of any module), SavedModels can hold operators that read
and write files, archives can unpack to terabytes. Here the description is read as data, and what is not plainly a
network of ordinary layers is refused. That is stricter than Keras' own safe mode, which does not cover .h5 files.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecnn.errors import ModelError

MAX_BYTES = 2 * 2**30
"""Largest model file, and most that an archive or its arrays may unpack to: twenty times AlexNet."""
_MAX_TEXT = 64 * 2**20
_MAX_MEMBERS = 10_000

_MODULES = re.compile(
    r"(tf_)?keras(\.(src\.)?(layers|initializers|regularizers|constraints|losses|optimizers|metrics|activations|"
    r"engine\.(functional|sequential)|models\.(functional|sequential|model)|dtype_policies|random)\b[\w.]*)?"
    r"|tensorflow_model_optimization\.python\.core\.quantization\.keras\.[\w.]+"
)
_FORBIDDEN = re.compile(r"\w*lambda\w*|function|(torch|jax|flax|tfsm)\w*", re.IGNORECASE)
"""Classes of Keras that hold Python code, or load another file."""
_SYMBOLS = re.compile(r"(math|nn|__operators__)\.\w+|(tf\.)?(reshape|transpose|concat|expand_dims|squeeze|pad|cast)")
"""Functions of TensorFlow that a functional model of tf_keras may call (TFOpLambda): arithmetic, nothing else."""

_VARIABLES = {
    "AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp", "Assert", "DisableCopyOnRead", "If",
    "PartitionedCall", "Placeholder", "RandomStandardNormal", "RandomUniform", "ReadVariableOp",
    "StatefulPartitionedCall", "VarHandleOp", "VarIsInitializedOp", "While",
}  # fmt: skip
"""What a network does with its own variables, while it is trained too: a SavedModel of tf_keras holds that as well."""
_SAVING = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "StaticRegexFullMatch"}
"""Every SavedModel has these for its own variables; what they write ends in `.index` or `.data-...`."""
_FILES = {"ReadFile", "MatchingFiles", "ImmutableConst"}
"""Operators without a state that reach files."""


def read_keras_archive(path: Path) -> tuple[str, dict[str, Any]]:
    """Check a .keras file and read its description.

    Returns:
        Version of the Keras that wrote it, and its configuration.

    Raises:
        ModelError: It is no .keras file, unpacks to too much, names Python code, or points out of itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > _MAX_MEMBERS or size > MAX_BYTES:
                raise ModelError(f"{path}: unpacks to {size:,} bytes in {len(members)} files; at most {MAX_BYTES:,}")
            version = str(_member(archive, "metadata.json", path)["keras_version"])
            config = _member(archive, "config.json", path)
            weights = io.BytesIO(archive.read("model.weights.h5"))
    except (zipfile.BadZipFile, KeyError, OSError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: not a .keras file: {error}") from error
    _check_arrays(weights, path)
    check_config(config, path)
    return version, config


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    with archive.open(name) as file:
        text = file.read(_MAX_TEXT + 1)  # what the directory says about the size is not believed
    if len(text) > _MAX_TEXT:
        raise ModelError(f"{path}: {name} is larger than {_MAX_TEXT:,} bytes")
    return _object(text, f"{path}: {name}")


def _object(text: bytes | str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{what} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{what}: expected an object, got {type(value).__name__}")
    return value


def read_h5(path: Path) -> tuple[str, dict[str, Any]]:
    """Check a whole model in an .h5 file and read its description.

    Returns:
        Version of the Keras that wrote it, and its configuration.

    Raises:
        ModelError: It is no .h5 file, holds weights alone, is too large, names Python code, or points out of itself.
    """
    import h5py

    _check_arrays(path, path)
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ModelError(f"{path}: holds no network, only weights; save the whole model")
        version, config = file.attrs.get("keras_version", "2"), file.attrs["model_config"]
    config = _object(config, f"{path}: its configuration")
    check_config(config, path)
    return str(version.decode() if isinstance(version, bytes) else version), config


def _check_arrays(source: Path | io.BytesIO, path: Path) -> None:
    """Check that an HDF5 file holds all its arrays itself, and that they are not larger than they may be."""
    import h5py

    try:
        with h5py.File(source, "r") as file:
            for name, link in _links(file):
                if not isinstance(link, h5py.HardLink):
                    raise ModelError(f"{path}: {name} is a link to elsewhere")
            sizes: list[int] = []

            def visit(name: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise ModelError(f"{path}: {name} lies in another file")
                    sizes.append(int(item.nbytes))

            file.visititems(visit)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: broken HDF5 file: {error}") from error
    if sum(sizes) > MAX_BYTES:
        raise ModelError(f"{path}: its arrays are {sum(sizes):,} bytes large; at most {MAX_BYTES:,}")


def _links(group: Any) -> Iterator[tuple[str, Any]]:
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        yield f"{group.name}/{name}", link
        if isinstance(link, h5py.HardLink) and isinstance(group[name], h5py.Group):
            yield from _links(group[name])


def check_config(config: dict[str, Any], path: Path) -> None:
    """Check that a network's configuration names layers of Keras and nothing that runs code of its own.

    Raises:
        ModelError: It does; the message names what.
    """
    stack: list[Any] = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
            _check_object(value, path)


def _check_object(value: dict[str, Any], path: Path) -> None:
    name, module = value.get("class_name"), value.get("module")
    if name is None:
        return
    if name in ("TFOpLambda", "SlicingOpLambda"):
        symbol = value.get("config", {}).get("function", "__operators__.getitem")
        if not _SYMBOLS.fullmatch(str(symbol)):
            raise ModelError(f"{path}: calls the function {symbol!r}; only arithmetic of TensorFlow may be called")
        return
    if _FORBIDDEN.fullmatch(str(name)) or (module is not None and not _MODULES.fullmatch(str(module))):
        raise ModelError(
            f"{path}: {name} of {module or 'a custom object'} runs code of its own, which edgecnn does not load; "
            "use built-in layers only"
        )


def check_saved_model(folder: Path) -> None:
    """Check that a SavedModel computes and does nothing else.

    Raises:
        ModelError: Its description is broken or too large, or an operator has effects outside of the network.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > MAX_BYTES:
        raise ModelError(f"{folder}: {size:,} bytes large; at most {MAX_BYTES:,}")
    try:
        description = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except (DecodeError, OSError) as error:
        raise ModelError(f"{folder}: not a SavedModel: {error}") from error
    for graph in description.meta_graphs:
        check_graph(graph.graph_def, folder, allowed=_VARIABLES | _SAVING)


def check_graph(graph: Any, path: Path, *, allowed: frozenset[str] | set[str] = frozenset({"Placeholder"})) -> None:
    """Check that a graph's operators have no effect outside of it.

    Args:
        graph: A `GraphDef`.
        path: Where it came from, for the message.
        allowed: Operators with a state that may be in it.

    Raises:
        ModelError: One does, or is not known to TensorFlow.
    """
    from tensorflow.python.framework import op_def_registry

    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    for operator in sorted({node.op for node in nodes} - allowed - functions):
        known = op_def_registry.get(operator)
        if known is None or known.is_stateful or operator in _FILES:
            raise ModelError(f"{path}: the operator {operator} reaches outside of the network; edgecnn does not run it")
