"""Save and load a model: .keras, .h5, or its weights alone."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from edgecnn import _tf
from edgecnn.errors import ArgumentError, ModelError

SUFFIXES = (".weights.h5", ".h5", ".keras")
"""How a model's file may end: its weights alone, a whole model in the older form, a whole model."""


def save_model(model: Any, path: Path) -> None:
    """Save a model, whole or not at all.

    Args:
        model: A `tf_keras.Model`.
        path: Ends in .weights.h5 (weights alone), .h5 or .keras (whole model).

    Raises:
        ArgumentError: It ends in something else.
        ModelError: The disk is full, or the folder is absent or cannot be written.
    """
    kind = checked_model_file(path)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".save-", dir=path.parent) as folder,
            _tf.quiet(),
        ):  # .h5 is called legacy
            temporary = Path(folder) / f"model{kind}"
            if kind == ".weights.h5":
                model.save_weights(temporary)
            elif kind == ".h5":
                model.save(temporary, save_format="h5", include_optimizer=False)
            else:
                model.save(temporary, save_format="keras")
            temporary.replace(path)
    except OSError as error:  # h5py's own have no strerror
        raise ModelError(f"{path} cannot be written: {error.strerror or ' '.join(str(error).split())[:200]}") from error


def load_model(path: Path) -> Any:
    """Load a whole model that `save_model` saved.

    Raises:
        ArgumentError: The file's name ends in something else.
        ModelError: The file is absent or broken.
    """
    if checked_model_file(path) == ".weights.h5":
        raise ArgumentError(f"model: {path} holds weights alone; load them into a net with load_weights")
    return _opened(path, lambda: _tf.keras().models.load_model(path, compile=False, safe_mode=True))


def load_weights(model: Any, path: Path) -> None:
    """Put the weights of a saved model, or of a file of weights, into a model.

    Args:
        model: A `tf_keras.Model`; changed.
        path: What `save_model` wrote, in any of its three forms.

    Raises:
        ArgumentError: The file's name ends in something else.
        ModelError: The file is absent or broken, or its weights do not fit.
    """
    if checked_model_file(path) == ".weights.h5":
        _opened(path, lambda: model.load_weights(path))
        return
    weights = load_model(path).get_weights()
    expected, got = [w.shape for w in model.get_weights()], [w.shape for w in weights]
    if expected != got:
        raise ModelError(f"{path}: its weights do not fit the net: expected shapes {expected}, got {got}")
    model.set_weights(weights)


def checked_model_file(path: Path) -> str:
    """The suffix of a model's file, one of `SUFFIXES`.

    Raises:
        ArgumentError: The name ends in something else.
    """
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise ArgumentError(f"model file: expected a name that ends in {', '.join(SUFFIXES)}, got {path}")


def _opened(path: Path, action: Any) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file")
    try:
        return action()
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
