"""Pixels to tensors: MNIST's own form from any ink, whole pictures of any size, the network's numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecnn.errors import ArgumentError
from edgecnn.preprocess import centre_digit, centre_digits, fit, to_tensor
from edgecnn.spec import Fit, ImageSpec

DIGIT = ImageSpec(28, 28, 1, fit=Fit.DIGIT)


def stroke(size: int = 120, pen: int = 14) -> np.ndarray:
    """A 2: light ink on black, uint8 [size, size]."""
    points = np.array([[0.2, 0.3], [0.4, 0.12], [0.7, 0.15], [0.75, 0.4], [0.2, 0.85], [0.8, 0.85]]) * size
    ink = np.zeros((size, size), np.uint8)
    cv2.polylines(ink, [np.rint(points).astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return ink


def extent(digit: np.ndarray) -> tuple[int, int]:
    """Rows and columns between the outermost ink of at least half strength."""
    rows, cols = np.nonzero(digit.max(axis=1) > 127)[0], np.nonzero(digit.max(axis=0) > 127)[0]
    return int(rows[-1] - rows[0] + 1), int(cols[-1] - cols[0] + 1)


def mass(digit: np.ndarray) -> tuple[float, float]:
    y, x = np.mgrid[0:28, 0:28]
    return float((digit * y).sum() / digit.sum()), float((digit * x).sum() / digit.sum())


@pytest.mark.parametrize("size", [24, 40, 120, 450, 900])
@pytest.mark.parametrize("shape", [(1.0, 1.0), (1.0, 0.4), (0.4, 1.0)])
def test_ink_fills_the_box_and_its_mass_is_in_the_middle(size, shape):
    ink = cv2.resize(stroke(size, max(3, size // 9)), None, fy=shape[0], fx=shape[1], interpolation=cv2.INTER_AREA)
    digit = centre_digit(ink)
    assert digit.shape == (28, 28) and digit.dtype == np.uint8
    assert max(extent(digit)) in (18, 19, 20, 21)
    assert all(abs(centre - 14) <= 0.6 for centre in mass(digit))
    assert digit.max() >= 250


def test_the_aspect_is_kept():
    ink = np.zeros((100, 100), np.uint8)
    ink[10:90, 40:60] = 255
    assert extent(centre_digit(ink)) == (20, 5)


@pytest.mark.parametrize("level", [40, 90, 255])
def test_faint_ink_becomes_full(level):
    faint = (stroke() * (level / 255)).astype(np.uint8)
    assert np.abs(centre_digit(faint).astype(int) - centre_digit(stroke())).mean() < 6


@pytest.mark.parametrize("pen", [1, 2, 4])
def test_a_thin_pen_is_widened_to_what_mnist_has(pen):
    area = centre_digit(stroke(200, pen)).sum() / 255
    usual = centre_digit(stroke(200, 24)).sum() / 255
    assert 0.6 * usual < area < 1.3 * usual


def test_no_ink_is_black_and_no_digits_are_none():
    assert not centre_digit(np.zeros((30, 12), np.uint8)).any()
    assert centre_digits([]).shape == (0, 28, 28)


def test_many_at_once_are_as_one_by_one():
    inks = [stroke(size, max(2, size // 10)) for size in range(20, 320, 2)]
    together = centre_digits(inks * 4)  # more than fit into one sheet
    assert np.array_equal(together[: len(inks)], np.stack([centre_digit(ink) for ink in inks]))
    assert np.array_equal(together[: len(inks)], together[-len(inks) :])


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))))
def test_any_picture_becomes_a_digit_shaped_one(ink):
    digit = centre_digit(ink)
    assert digit.shape == (28, 28)
    assert digit.any() or ink.max() <= 60


@pytest.mark.parametrize("way", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_mnist_enlarged_comes_back(mnist, way):
    originals = mnist.test.images[:300]
    back = []
    for i, digit in enumerate(originals):
        large = cv2.resize(digit, None, fx=3 + i % 6, fy=3 + i % 6, interpolation=way)
        rows, cols = np.nonzero(large.max(axis=1) > 10)[0], np.nonzero(large.max(axis=0) > 10)[0]
        back.append(large[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    levels = np.abs(centre_digits(back).astype(int) - originals).mean()
    assert levels < 3.6


def test_a_picture_in_mnist_form_stays_as_it_is(mnist):
    for digit in mnist.test.images[:50]:
        assert np.array_equal(fit(digit, DIGIT)[..., 0], digit)


def test_dark_on_light_is_the_same_digit_as_light_on_dark():
    light = stroke()
    dark = 255 - light
    assert np.array_equal(fit(light, DIGIT), fit(dark, DIGIT))
    assert np.array_equal(fit(np.repeat(dark[..., None], 3, axis=2), DIGIT), fit(dark, DIGIT))


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (28, 28), (480, 640)])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_any_size_fits(size, channels):
    picture = np.full(size if channels is None else (*size, channels), 77, np.uint8)
    for spec in (DIGIT, ImageSpec(8, 8, 1, fit=Fit.DIGIT), ImageSpec(20, 30, 3), ImageSpec(30, 20, 1)):
        assert fit(picture, spec).shape == spec.shape


def test_crop_keeps_the_middle_and_the_colours_in_rgb_order():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = (10, 20, 30)
    fitted = fit(picture, ImageSpec(20, 20, 3))
    assert (fitted.reshape(-1, 3) == (30, 20, 10)).all()


def test_tensor_is_scale_and_offset():
    spec = ImageSpec(2, 3, 1, scale=2 / 255, offset=-1.0)
    pixels = np.array([0, 51, 102, 153, 204, 255], np.uint8).reshape(1, 2, 3, 1)
    tensor = to_tensor(pixels, spec)
    assert tensor.dtype == np.float32
    assert np.allclose(tensor.ravel(), [-1, -0.6, -0.2, 0.2, 0.6, 1], atol=1e-6)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((5, 5), np.float32), np.zeros((5, 5, 2), np.uint8), np.zeros((0, 5), np.uint8), np.zeros(5, np.uint8)],
)
def test_other_pictures_are_refused(picture):
    with pytest.raises(ArgumentError, match=r"picture: expected uint8 .* got"):
        fit(picture, DIGIT)


@pytest.mark.parametrize("pixels", [np.zeros((1, 28, 28), np.uint8), np.zeros((1, 28, 28, 1), np.int32)])
def test_other_pixels_are_refused(pixels):
    with pytest.raises(ArgumentError, match="pixels: expected uint8"):
        to_tensor(pixels, DIGIT)
