from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import ArraySplit


@pytest.fixture(scope="session")
def test_set(artifacts: Path) -> dict[str, Any]:
    with np.load(artifacts / "test.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def pictures(test_set: dict[str, Any]) -> ArraySplit:
    return ArraySplit(test_set["pixels"][..., 0], test_set["labels"])
