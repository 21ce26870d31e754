"""Rounding that ONNX Runtime and LiteRT share; whole networks are compared in test_onnx.py and test_pipeline.py."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.convert import rounding

SCALES = st.floats(2**-13, 1, width=32).map(np.float32)


def factors_agree(source: np.float32, result: np.float32, count: np.float32) -> bool:
    near, other = rounding._scales_with_factor(source, result, count)
    return bool(near / (other * count) == source / result / count)


@given(SCALES, SCALES, st.integers(1, 4096).map(np.float32))
def test_scales_stay_next_to_the_true_ones(source, result, count):
    near, other = rounding._scales_with_factor(source, result, count)
    assert abs(near - source) <= rounding._NEIGHBOURS * np.spacing(source)
    assert abs(other - result) <= rounding._NEIGHBOURS * np.spacing(result)
    assert factors_agree(source, result, count) or (near, other) == (source, result)


def test_nearly_all_scales_reach_the_other_library_s_factor():
    numbers = np.random.default_rng(0)
    scales = numbers.uniform(1e-3, 1, (2000, 2)).astype(np.float32)
    counts = numbers.integers(1, 4096, 2000).astype(np.float32)
    reached = sum(factors_agree(*pair, count) for pair, count in zip(scales, counts, strict=True))
    assert reached >= 0.99 * 2000


def test_a_tie_that_the_two_orders_of_division_part():
    source, result, count = np.float32(0.028000997379422188), np.float32(0.013849250972270966), np.float32(25)
    total = np.float32(847)
    assert np.rint(total * (source / (result * count))) == 68
    assert np.rint(total * (source / result / count)) == 69
    near, other = rounding._scales_with_factor(source, result, count)
    assert np.rint(total * (near / (other * count))) == 69
