"""Train a net on a data set into a run folder."""

from __future__ import annotations

from edgecnn.train.folder import MODEL, Config, Epoch, RunFolder
from edgecnn.train.parts import parts
from edgecnn.train.run import Tick
from edgecnn.train.saved import checked_model_file, load_model, load_weights, save_model
from edgecnn.train.training import TrainResult, image_for, train

__all__ = [
    "MODEL",
    "Config",
    "Epoch",
    "RunFolder",
    "Tick",
    "TrainResult",
    "checked_model_file",
    "image_for",
    "load_model",
    "load_weights",
    "parts",
    "save_model",
    "train",
]
