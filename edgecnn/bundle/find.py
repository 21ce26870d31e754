"""Finding a bundle by its folder or by its name."""

from __future__ import annotations

import os
from pathlib import Path

from edgecnn.bundle.types import JSON
from edgecnn.errors import BundleError, did_you_mean

_DEFAULT = "digits"


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a bundle.

    Args:
        name_or_path: A folder, or the name of a shipped bundle, which is looked for in each folder of the variable
            EDGECNN_MODELS, in ./models, and in models/ of the checkout that edgecnn runs from.

    Raises:
        BundleError: There is none; the message says where it was looked for and which names there are.
    """
    if not str(name_or_path):
        raise BundleError("bundle: expected a folder or a name, got an empty text")
    path = Path(name_or_path)
    if (path / JSON).is_file():
        return path
    if path.is_dir():
        raise BundleError(f"{path}: no bundle (no {JSON} in it)")
    if str(name_or_path) == path.name:
        for folder in _model_folders():
            if (folder / path / JSON).is_file():
                return folder / path
    if path.is_file():
        raise BundleError(f"{path}: expected a bundle's folder or name, got a file{_instead(path)}")
    looked = ", ".join(str(folder) for folder in _model_folders())
    names = shipped_bundles()
    raise BundleError(
        f"{path}: no such bundle; looked in {looked}; there are: {', '.join(names) or 'none'}"
        f"{did_you_mean(str(path), names) if str(path) == path.name else ''}"
    )


def _instead(file: Path) -> str:
    """What to name rather than this file."""
    if (file.parent / JSON).is_file():
        return f"; its bundle is {file.parent}"
    return "; edgecnn export makes a bundle of a model" if file.suffix in (".keras", ".h5", ".tflite") else ""


def shipped_bundles() -> tuple[str, ...]:
    """Names that `find_bundle` knows, sorted."""
    return tuple(sorted({file.parent.name for folder in _model_folders() for file in folder.glob(f"*/{JSON}")}))


def default_bundle() -> str:
    """Name of the bundle that commands take when none is named."""
    return _DEFAULT


def _model_folders() -> list[Path]:
    named = [Path(text) for text in os.environ.get("EDGECNN_MODELS", "").split(os.pathsep) if text]
    folders = [*named, Path("models"), Path(__file__).resolve().parents[2] / "models"]
    once: dict[Path, Path] = {}
    for folder in folders:  # in the checkout ./models and the checkout's are one
        once.setdefault(folder.resolve(), folder)
    return list(once.values())
