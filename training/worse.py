"""Ways in which photos reach a server worse than they were taken, to see what a method stands.

Each takes an (h, w, 3) sRGB picture and gives the worse one and the (2, 3) affine that says where
a point of the picture went, px.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from data import Picture
from numpy.typing import NDArray

Affine: TypeAlias = NDArray[np.float64]
Way: TypeAlias = Callable[[Picture], tuple[Picture, Affine]]

UNMOVED: Affine = np.eye(3)[:2]


def _in_place(change: Callable[[Picture], Picture]) -> Way:
    return lambda rgb: (np.asarray(change(rgb), np.uint8), UNMOVED)


def _compressed(rgb: Picture) -> Picture:
    coded = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _noisy(rgb: Picture) -> Picture:
    grain = np.random.default_rng(0).normal(0, 7, rgb.shape)
    return np.clip(rgb + grain, 0, 255).astype(np.uint8)


def _dark(rgb: Picture) -> Picture:
    return (rgb * 0.5).astype(np.uint8)


def _warm(rgb: Picture) -> Picture:
    return (rgb * np.array([0.9, 0.765, 0.54])).astype(np.uint8)


def _written_on(rgb: Picture) -> Picture:
    over = rgb.copy()
    height, width = rgb.shape[:2]
    for y in range(20, height, max(height // 5, 30)):
        thick = max(1, width // 500)
        cv2.putText(over, "SAMPLE OF A SHOP", (10, y), 0, width / 700, (200, 200, 200), thick)
    return over


def _resized(rgb: Picture, side: int) -> tuple[Picture, Affine]:
    scale = side / max(rgb.shape)
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.array([[scale, 0, 0], [0, scale, 0]]) + (
        np.array([[0, 0, 0.5 * scale - 0.5]])
    )


def _small(rgb: Picture) -> tuple[Picture, Affine]:
    return _resized(rgb, 220)


def _tiny_in_its_picture(rgb: Picture) -> tuple[Picture, Affine]:
    small, moved = _resized(rgb, 200)
    height, width = small.shape[:2]
    x, y = (1100 - width) // 2 - 150, (1100 - height) // 2 + 100
    around = (y, 1100 - height - y, x, 1100 - width - x)
    large = cv2.copyMakeBorder(small, *around, cv2.BORDER_REPLICATE)
    large = np.asarray(cv2.GaussianBlur(large, (0, 0), 25), np.uint8)
    large[y : y + height, x : x + width] = small
    return large, moved + np.array([[0, 0, x], [0, 0, y]])


def _turned(degrees: float) -> Way:
    def turn(rgb: Picture) -> tuple[Picture, Affine]:
        height, width = rgb.shape[:2]
        side = int(np.hypot(height, width))
        moved = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        moved[:, 2] += (side - width) / 2, (side - height) / 2
        border = cv2.BORDER_REPLICATE
        turned = cv2.warpAffine(rgb, moved, (side, side), borderMode=border)
        return np.asarray(turned, np.uint8), np.asarray(moved)

    return turn


def _mirrored(rgb: Picture) -> tuple[Picture, Affine]:
    moved = np.array([[-1.0, 0, rgb.shape[1] - 1], [0, 1, 0]])
    return np.ascontiguousarray(rgb[:, ::-1]), moved


WORSE: dict[str, Way] = {
    "compressed": _in_place(_compressed),
    "noisy": _in_place(_noisy),
    "dark": _in_place(_dark),
    "warm": _in_place(_warm),
    "written on": _in_place(_written_on),
    "small": _small,
    "tiny": _tiny_in_its_picture,
    "turned left": _turned(25),
    "turned right": _turned(-25),
    "mirrored": _mirrored,
}
