"""Checks of values that several commands take."""

from __future__ import annotations

import math

import typer


def finite(value: float | None) -> float | None:
    """Refuse nan and infinities, which pass typer's ranges (nan is less than nothing); a callback of options."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"expected a finite number, got {value}")
    return value
