"""The one door to TensorFlow, tf_keras and TFMOT: sets the environment first, says what to install if one lacks."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgecnn.errors import MissingExtraError, ModelError


def _prepare() -> None:
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise ModelError("tensorflow was imported before edgecnn: set TF_USE_LEGACY_KERAS=1 in the environment first")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT works on tf_keras models only
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings and what is written to stderr in the block, by C++ code too, which asks no logger.

    TensorFlow tells about missing GPUs, deprecated converters and the values of its flags there; what goes wrong comes
    as an exception. EDGECNN_DEBUG=1 in the environment shows everything.
    """
    if os.environ.get("EDGECNN_DEBUG") == "1":
        yield
        return
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _load(name: str) -> Any:
    _prepare()
    try:
        if name in sys.modules:
            return sys.modules[name]
        with quiet():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name:
            raise
        raise MissingExtraError(name, "train") from error


def check_installed() -> None:
    """Check that the extra `train` is installed; imports nothing of it.

    Raises:
        MissingExtraError: A package of it is not installed.
    """
    for name in ("tensorflow", "tf_keras", "tensorflow_model_optimization", "tf2onnx", "onnx"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(name, "train")


def tensorflow() -> Any:
    """The tensorflow module.

    Raises:
        MissingExtraError: It is not installed.
        ModelError: It was imported before the environment could be set.
    """
    return _load("tensorflow")


def keras() -> Any:
    """The tf_keras module (Keras 2), in which every net here is built.

    Raises:
        MissingExtraError: It is not installed.
    """
    return _load("tf_keras")


def tfmot() -> Any:
    """The tensorflow_model_optimization module.

    Raises:
        MissingExtraError: It is not installed.
    """
    return _load("tensorflow_model_optimization")
