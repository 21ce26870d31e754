"""The one door to TensorFlow, tf_keras and TFMOT: sets the environment first, says what to install if one is missing."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from edgecnn.errors import MissingExtraError, ModelError


def _prepare() -> None:
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise ModelError("tensorflow was imported before edgecnn: set TF_USE_LEGACY_KERAS=1 in the environment first")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT works on tf_keras models only
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def _load(name: str) -> Any:
    _prepare()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name:
            raise
        raise MissingExtraError(name, "train") from error


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
