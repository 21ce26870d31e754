"""Opening of whatever a user calls a model: a shipped name, a run folder, a Keras file, a SavedModel, a .tflite."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.bundle import Bundle, default_bundle, find_bundle, read_bundle
from edgecnn.bundle.types import JSON
from edgecnn.convert import flatbuffer, source, tflite
from edgecnn.convert.identity import Identity, from_metadata
from edgecnn.errors import BundleError, ConversionError, ModelError, SessionError
from edgecnn.runtime.check import read_artifact
from edgecnn.runtime.session import logits, open_session
from edgecnn.spec import Format, Precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RUN = "config.json"
_KERAS = (".keras", ".h5", ".hdf5")


class Kind(StrEnum):
    """What a model was opened from."""

    KERAS = "Keras"
    SAVED_MODEL = "SavedModel"
    TFLITE = "TFLite"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An opened model: either a function of TensorFlow or the content of a .tflite file.

    Attributes:
        path: What was opened.
        kind: What it was opened from.
        identity: What is known of it.
        shape: (height, width, channels) of its input.
        classes: How many outputs it has.
        function: The network in TensorFlow; None for a .tflite file.
        keras: The Keras model, which can be trained; None for other kinds.
        content: The .tflite file, as it came; None for other kinds.
        bundle: The bundle that it was found by; None when it was not.
    """

    path: Path
    kind: Kind
    identity: Identity
    shape: tuple[int, int, int]
    classes: int
    function: source.Function | None = None
    keras: Any | None = None
    content: bytes | None = None
    bundle: Bundle | None = None

    @property
    def precision(self) -> Precision:
        """INT8 when it is a .tflite file that computes in int8."""
        return Precision.FLOAT32 if self.content is None else tflite.precision_of(self.content)

    @property
    def logits(self) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """Runs it: float32 [n, height, width, channels] -> float32 [n, classes], before any softmax."""
        if self.function is not None:
            return self.function.logits
        content = tflite.adopt(self.content or b"")

        def run(tensors: NDArray[np.float32]) -> NDArray[np.float32]:
            with open_session(self.path.with_suffix(".tflite"), content=content) as session:
                return logits(session, tensors)

        return run


def open_model(where: str | Path | None = None) -> Model:
    """Open a model.

    Args:
        where: Name or folder of a bundle, a run folder of `edgecnn train`, a .keras file of Keras 2 or 3, an .h5 file,
            the folder of a SavedModel, or a .tflite file; None for the best shipped digit model. Of a bundle the
            trained file NAME.keras beside its folder is taken, or else its float32 TFLite artefact.

    Returns:
        The opened model; nothing in the file was executed.

    Raises:
        MissingExtraError: A package is not installed.
        ModelError: There is none, it is broken, it would run code of its own, or it is not a classifier of pictures.
    """
    path = Path(default_bundle() if where is None else where)
    if (path / _RUN).is_file() and not (path / JSON).is_file():
        return _open_run(path)
    if (path / "saved_model.pb").is_file():
        function = source.open_saved_model(path)
        return Model(path, Kind.SAVED_MODEL, Identity(_name(path)), function.shape, function.classes, function)
    if path.suffix.lower() in _KERAS and path.is_file():
        return _open_keras(path, Identity(_name(path)))
    if path.suffix.lower() == ".tflite" and path.is_file():
        return _open_tflite(path)
    if path.is_file():
        raise ModelError(f"{path}: expected a file that ends in {', '.join(_KERAS)} or .tflite")
    return _open_bundle(path)


def _open_keras(path: Path, identity: Identity) -> Model:
    keras = source.open_keras(path)
    return of_keras(keras, path, identity)


def of_keras(keras: Any, path: Path, identity: Identity) -> Model:
    """A Keras model that is in memory, as a `Model`.

    Args:
        keras: A model of tf_keras or of Keras 3.
        path: Where it came from.
        identity: What is known of it.

    Raises:
        ModelError: It is not a classifier of pictures.
    """
    function = source.trace(keras, path)
    return Model(path, Kind.KERAS, identity, function.shape, function.classes, function, keras)


def _open_run(folder: Path) -> Model:
    from edgecnn.train import MODEL, RunFolder

    config = RunFolder(folder).config()
    recipe = {**asdict(config.recipe), "seed": config.seed, "data": config.data["name"]}
    identity = Identity(config.net, config.labels, config.image, None, config.net, recipe, config.data["name"])
    if not (folder / MODEL).is_file():
        raise ModelError(f"{folder}: its training has no model yet (no {MODEL} in it)")
    return _open_keras(folder / MODEL, identity)


def _open_bundle(where: Path) -> Model:
    try:
        folder = find_bundle(where)
        bundle = read_bundle(folder)
    except BundleError as error:
        also = "a model may also be a run folder, a .keras, .h5 or .tflite file, or a SavedModel"
        raise ModelError(f"{error} ({also})") from error
    recipe = dict(bundle.recipe)
    identity = Identity(bundle.name, bundle.labels, bundle.image, bundle.locate, bundle.net, recipe, _data_of(bundle))
    trained = folder.parent / f"{folder.name}.keras"
    if trained.is_file():
        return replace(_open_keras(trained, identity), bundle=bundle)
    try:
        file = bundle.file(bundle.artifact(Format.TFLITE, Precision.FLOAT32))
    except BundleError as error:
        raise ModelError(f"{folder}: neither {trained.name} beside it nor a float32 TFLite file in it") from error
    return replace(_open_tflite(file), identity=identity, bundle=bundle)


def _data_of(bundle: Bundle) -> str | None:
    stored = bundle.reference()
    return None if stored is None else stored.dataset


def _open_tflite(path: Path) -> Model:
    try:
        content = read_artifact(path)
        # LiteRT verifies the flatbuffer before anything here walks through it.
        with open_session(path, content=content) as session:
            shape, classes = session.input.shape[1:], session.output.shape[1]
        values = flatbuffer.read_metadata(content)
    except (SessionError, ConversionError) as error:
        raise ModelError(str(error)) from error
    identity = Identity(_name(path)) if values is None else from_metadata(values, str(path))
    return Model(path, Kind.TFLITE, identity, (shape[0], shape[1], shape[2]), classes, content=content)


def _name(path: Path) -> str:
    """A name for a bundle, made of a file's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(path.suffix)).strip("-._")
    return name[:80] or "model"
