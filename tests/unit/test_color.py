"""The sRGB transfer function against IEC 61966-2-1 itself, and L*a*b* against published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.imaging.color import linear_to_srgb, luminance, srgb_to_linear
from anello.imaging.ground import bytes_to_lab

CODES = np.arange(256, dtype=np.uint8)


def eotf(value: float) -> float:
    """IEC 61966-2-1, written out."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def test_every_code_has_its_light() -> None:
    wanted = [eotf(code / 255) for code in range(256)]
    np.testing.assert_allclose(srgb_to_linear(CODES), wanted, rtol=1e-6)
    assert srgb_to_linear(CODES).dtype == np.float32


def test_every_code_comes_back() -> None:
    np.testing.assert_array_equal(linear_to_srgb(srgb_to_linear(CODES)), CODES)


def test_half_light_is_code_188() -> None:
    assert linear_to_srgb(np.array([0.5], np.float32))[0] == 188


@given(st.floats(0, 1, width=32))
def test_the_nearest_code_is_chosen(light: float) -> None:
    """Nearest in codes, but for the rounding of 16-bit levels right at the border of two."""
    encoded = 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
    code = int(linear_to_srgb(np.array([light], np.float32))[0])
    assert abs(code - encoded) <= 0.53


@pytest.mark.parametrize(("light", "code"), [(-1, 0), (0, 0), (1, 255), (1.5, 255), (1e9, 255)])
def test_light_out_of_range_is_clipped(light: float, code: int) -> None:
    assert linear_to_srgb(np.array([[light]], np.float32)).tolist() == [[code]]


def test_luminance_of_the_primaries() -> None:
    primaries = np.eye(3, dtype=np.float32)[None]
    np.testing.assert_allclose(luminance(primaries), [[0.2126, 0.7152, 0.0722]], rtol=1e-6)
    assert luminance(np.ones((4, 5, 3), np.float32)) == pytest.approx(np.ones((4, 5)))


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colours(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    """To the rounding of 8-bit Lab: half a unit in a*, b*, 0.2 in L*."""
    seen = bytes_to_lab(np.full((2, 3, 3), rgb, np.uint8))
    assert seen.shape == (2, 3, 3)
    np.testing.assert_allclose(seen, np.broadcast_to(lab, (2, 3, 3)), atol=0.6)
