"""How far two pictures, colours or masks are apart. For tests and benchmarks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Float64, Mask

PSNR_OF_EQUAL_DB = 100.0
"""Returned for identical pictures, where the formula is infinite."""


def delta_e_2000(lab_1: NDArray[np.floating], lab_2: NDArray[np.floating]) -> Float64:
    """CIEDE2000 colour difference of CIE L*a*b* arrays (..., 3) -> (...), kL = kC = kH = 1.

    Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30 (2005).
    """
    L1, a1, b1 = np.moveaxis(np.asarray(lab_1, np.float64), -1, 0)
    L2, a2, b2 = np.moveaxis(np.asarray(lab_2, np.float64), -1, 0)
    C7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    G = 0.5 * (1 - np.sqrt(C7 / (C7 + 25.0**7)))
    a1, a2 = a1 * (1 + G), a2 * (1 + G)
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360

    neutral = C1 * C2 == 0
    dh = np.where(neutral, 0, (h2 - h1 + 180) % 360 - 180)
    # An exact half turn is ambiguous: the paper keeps the sign of h2 - h1.
    dh = np.where((dh == -180) & (h2 > h1), 180.0, dh)
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(dh) / 2)
    dL, dC = L2 - L1, C2 - C1

    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    total = h1 + h2
    wraps = np.abs(h1 - h2) > 180
    h = np.where(wraps, np.where(total < 360, total + 360, total - 360), total) / 2
    h = np.where(neutral, total, h)
    T = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    SL = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    SC, SH = 1 + 0.045 * C, 1 + 0.015 * C * T
    RC = 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    RT = -RC * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    l, c, hh = dL / SL, dC / SC, dH / SH  # noqa: E741 (the paper's terms)
    return np.asarray(np.sqrt(np.maximum(l * l + c * c + hh * hh + RT * c * hh, 0)))


def psnr(a: Bytes, b: Bytes, where: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit pictures, over ``where`` if given."""
    error = (a.astype(np.float32) - b.astype(np.float32)) ** 2
    mse = float((error if where is None else error[where]).mean())
    return PSNR_OF_EQUAL_DB if mse == 0 else float(10 * np.log10(255**2 / mse))


def ssim(a: Float, b: Float, sigma: float = 1.5) -> Float:
    """Structural similarity map of two (h, w) luma pictures in [0, 255].

    Wang et al., "Image quality assessment", IEEE TIP 13 (2004): 11 x 11 Gaussian window.
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(x: Float) -> Float:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), sigma), np.float32)

    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(a * a) - mean_a**2
    var_b = mean(b * b) - mean_b**2
    cov = mean(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return np.asarray(likeness / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)), np.float32)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks; 1 when both are empty."""
    union = int(np.count_nonzero(a | b))
    return 1.0 if union == 0 else int(np.count_nonzero(a & b)) / union
