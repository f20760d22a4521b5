"""The sRGB transfer function and luminance."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float

REC709_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Share of each linear sRGB primary in luminance (IEC 61966-2-1)."""


def _eotf(encoded: NDArray[Any]) -> NDArray[Any]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


_LINEAR_OF_BYTE = _eotf(np.arange(256) / 255).astype(np.float32)
# 12 bits are enough to hit the nearest of 256 codes in the steep dark part: the smallest step
# between two codes there is 1 / (255 * 12.92) = 1 / 3295, so 16 bits leave a wide margin.
_BYTE_LEVELS = 65535
_CODES = np.arange(256)
_BYTE_OF_LINEAR = np.searchsorted(
    _eotf((_CODES[1:] - 0.5) / 255), np.arange(_BYTE_LEVELS + 1) / _BYTE_LEVELS, side="right"
).astype(np.uint8)


def srgb_to_linear(encoded: Bytes) -> Float:
    """Linear light in [0, 1] of 8-bit sRGB, any shape. IEC 61966-2-1 EOTF."""
    return np.asarray(cv2.LUT(encoded, _LINEAR_OF_BYTE), np.float32)


def linear_to_srgb(linear: Float) -> Bytes:
    """8-bit sRGB, rounded to the nearest code, of linear light; outside [0, 1] is clipped."""
    level = np.clip(linear, 0, 1) * np.float32(_BYTE_LEVELS) + np.float32(0.5)
    return np.asarray(_BYTE_OF_LINEAR.take(level.astype(np.uint16)))


def luminance(linear: Float) -> Float:
    """Y of linear RGB: (..., 3) -> (...)."""
    return linear @ REC709_LUMINANCE
