"""What a bundle says of itself: accuracy and parity as they were measured at its export. It may say anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgecnn.bench.result import Accuracy, Parity
from edgecnn.bundle import Bundle


def accuracy_of(bundle: Bundle, file: str) -> Accuracy | None:
    """Top-1 accuracy of an artefact on a test set; None when the bundle does not tell.

    Args:
        bundle: The bundle.
        file: Name of the artefact in it.
    """
    parity = _mapping(bundle.measured.get("parity"))
    for row in _list(parity.get("rows")):
        found = _mapping(_mapping(row).get("accuracy"))
        if _mapping(row).get("file") == file and found:
            value, low, high = (_share(found.get(name)) for name in ("value", "low", "high"))
            total = found.get("total")
            if value is not None and low is not None and high is not None and type(total) is int:
                return Accuracy(value, low, high, total, str(parity.get("dataset", "")))
    return None


def parity_of(bundle: Bundle) -> Parity | None:
    """The parity verdict of a bundle; None when it does not tell."""
    parity = _mapping(bundle.measured.get("parity"))
    passed, images = parity.get("passed"), parity.get("images")
    if type(passed) is not bool or type(images) is not int:
        return None
    equality = _mapping(parity.get("int8_equal"))
    equal, total = equality.get("equal"), equality.get("total")
    both = type(equal) is int and type(total) is int
    return Parity(
        bundle=bundle.name,
        passed=passed,
        data=str(parity.get("dataset", "")),
        pictures=images,
        equal=equal if both else None,
        compared=total if both else None,
        reasons=tuple(str(reason) for reason in _list(parity.get("reasons"))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _share(value: Any) -> float | None:
    usable = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1
    return float(value) if usable else None
