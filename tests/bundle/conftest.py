from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edgecnn.bundle import Bundle, BundleDraft, Reference, Reject, pixels_sha256, write_bundle
from edgecnn.spec import Fit, Format, ImageSpec, Locate, Precision


@pytest.fixture(scope="session")
def draft(artifacts: Path) -> BundleDraft:
    """A draft with all four artefacts and a reference."""
    with np.load(artifacts / "test.npz") as arrays:
        test = dict(arrays)
    return BundleDraft(
        name="small",
        labels=tuple("0123456789"),
        image=ImageSpec(28, 28, 1, fit=Fit.DIGIT),
        artifacts={
            (kind, precision): (artifacts / f"{precision}.{kind}").read_bytes()
            for kind in Format
            for precision in Precision
        },
        locate=Locate.DIGITS,
        reject=Reject(threshold=0.5),
        reference=Reference(test["logits"], test["labels"], "optdigits", "test", pixels_sha256(test["pixels"])),
        net="small",
        recipe={"epochs": 6, "optimizer": "adam", "schedule": [1, 0.5, None]},
        measured={},
        versions={"numpy": np.__version__},
        about="A **small** net.",
        licence="CC0",
        created=datetime(2026, 11, 24, 12, 30, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def pristine(draft: BundleDraft, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundles") / "small", draft)


@pytest.fixture
def folder(pristine: Bundle, tmp_path: Path) -> Path:
    """A copy of the bundle's folder that a test may spoil."""
    return Path(shutil.copytree(pristine.path, tmp_path / "small"))
