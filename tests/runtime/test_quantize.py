from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecnn.errors import ArgumentError
from edgecnn.preprocess import to_tensor
from edgecnn.runtime.session import dequantize, pixel_table, quantize, quantized_softmax, softmax
from edgecnn.spec import ImageSpec, TensorSpec

RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


@st.composite
def specs(draw: st.DrawFn) -> TensorSpec:
    dtype = draw(st.sampled_from(["int8", "uint8"]))
    scale = draw(st.floats(np.float32(1e-6), 1e3, width=32))
    return TensorSpec("t", (1, 4), dtype, float(scale), draw(st.integers(*RANGES[dtype])))


VALUES = hnp.arrays(np.float32, 8, elements=st.floats(-3e5, 3e5, width=32))


@given(VALUES, specs())
@example(np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e30, -1e30], np.float32), TensorSpec("t", (1, 4), "int8", 1.0, 0))
def test_quantize_rounds_the_float32_quotient_half_to_even_and_saturates(values: Any, spec: TensorSpec) -> None:
    low, high = RANGES[spec.dtype]
    assert spec.scale is not None
    assert spec.zero_point is not None
    kept = values.copy()
    q = quantize(values, spec)
    assert q.dtype == spec.dtype
    np.testing.assert_array_equal(values, kept)
    for value, got in zip(values, q.tolist(), strict=True):
        quotient = Fraction(float(np.float32(value) / np.float32(spec.scale)))
        assert got == min(max(round(quotient) + spec.zero_point, low), high)


@given(specs())
def test_every_integer_comes_back(spec: TensorSpec) -> None:
    low, high = RANGES[spec.dtype]
    every = np.arange(low, high + 1).astype(spec.dtype)
    np.testing.assert_array_equal(quantize(dequantize(every, spec), spec), every)


@given(VALUES, specs())
def test_the_error_is_half_a_step(values: Any, spec: TensorSpec) -> None:
    low, high = RANGES[spec.dtype]
    assert spec.scale is not None
    assert spec.zero_point is not None
    inside = np.clip(values, (low - spec.zero_point) * spec.scale, (high - spec.zero_point) * spec.scale)
    error = np.abs(dequantize(quantize(values, spec), spec).astype(float) - inside)
    assert (error <= spec.scale * 0.5001 + np.abs(inside) * 1e-6).all()


@given(VALUES, specs())
def test_quantize_is_what_onnx_runtime_computes(values: Any, spec: TensorSpec) -> None:
    session = _quantize_linear(spec)
    np.testing.assert_array_equal(quantize(values, spec), session.run(None, {"x": values})[0])


def _quantize_linear(spec: TensorSpec) -> Any:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.INT8 if spec.dtype == "int8" else TensorProto.UINT8
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8])],
        [helper.make_tensor_value_info("y", kind, [8])],
        [
            numpy_helper.from_array(np.array(spec.scale, np.float32), "s"),
            numpy_helper.from_array(np.array(spec.zero_point, spec.dtype), "z"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@given(
    st.floats(1e-3, 2),
    st.floats(-2, 2),
    st.one_of(specs(), st.just(TensorSpec("t", (1, 4), "float32"))),
    hnp.arrays(np.uint8, (2, 3, 4, 3)),
)
def test_the_table_is_the_long_way_round(scale: float, offset: float, spec: TensorSpec, pixels: Any) -> None:
    image = ImageSpec(3, 4, 3, scale=scale, offset=offset)
    expected = quantize(to_tensor(pixels, image), spec)
    got = pixel_table(image, spec)[pixels]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_infinity_saturates_and_nan_is_an_error() -> None:
    spec = TensorSpec("t", (1, 4), "uint8", 0.1, 7)
    assert quantize(np.array([np.inf, -np.inf], np.float32), spec).tolist() == [255, 0]
    with pytest.raises(ArgumentError, match="NaN"):
        quantize(np.array([0, np.nan], np.float32), spec)


def test_a_float_tensor_passes_as_a_copy() -> None:
    spec = TensorSpec("t", (1, 4), "float32")
    values = np.array([1.5, -2], np.float32)
    for function in (quantize, dequantize):
        result = function(values, spec)
        np.testing.assert_array_equal(result, values)
        assert not np.shares_memory(result, values)


def test_other_dtypes_are_refused() -> None:
    spec = TensorSpec("t", (1, 4), "int8", 0.1, 0)
    with pytest.raises(ArgumentError, match="expected float32, got float64"):
        quantize(np.zeros(3), spec)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="t: expected int8, got uint8"):
        dequantize(np.zeros(3, np.uint8), spec)


@given(hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32)))
def test_softmax_is_a_distribution_in_the_order_of_the_logits(logits: Any) -> None:
    kept = logits.copy()
    p = softmax(logits)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert ((p >= 0) & (p <= 1)).all()
    for row, probabilities in zip(logits, p, strict=True):
        assert probabilities[row.argmax()] == probabilities.max()
    np.testing.assert_array_equal(logits, kept)
    # 1000 added to float32 logits may round them; in float64 it does not.
    np.testing.assert_allclose(softmax(logits.astype(np.float64) + 1000), p, atol=1e-6)


@given(st.data(), specs())
def test_the_table_gives_the_softmax_of_the_real_values(data: st.DataObject, spec: TensorSpec) -> None:
    q = data.draw(hnp.arrays(np.dtype(spec.dtype), (3, 5)))
    kept = q.copy()
    assert spec.scale is not None and spec.zero_point is not None
    p = quantized_softmax(q, spec.scale)
    assert p.dtype == np.float32
    real = (q.astype(np.float64) - spec.zero_point) * np.float32(spec.scale)
    np.testing.assert_allclose(p, softmax(real), rtol=1e-6, atol=1e-30)
    np.testing.assert_array_equal(q, kept)


def test_softmax_of_known_logits() -> None:
    np.testing.assert_allclose(softmax(np.log(np.array([1.0, 2.0, 7.0]))), [0.1, 0.2, 0.7], atol=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_softmax_of_a_broken_model_is_an_error(value: float) -> None:
    with pytest.raises(ArgumentError, match="NaN or infinity"):
        softmax(np.array([1, value], np.float32))
