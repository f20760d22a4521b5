"""The cut-out ring, ready to be read from at any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Float64
from anello.imaging.color import srgb_to_linear
from anello.imaging.matting import Cutout

Level: TypeAlias = NDArray[np.uint16]

FULL = 65535
"""Code of 1.0 in a level: 16 bits keep linear light's dark end, and half of float32's memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A pyramid of (h, w, 4) premultiplied linear light, each level half the size of the last."""

    levels: tuple[Level, ...]

    def at_scale(self, scale: float) -> tuple[Level, Float64]:
        """The smallest level still finer than samples ``1 / scale`` px apart, and the (2,) factors
        from pixels of the cut-out to pixels of it (pixel edges, not centres)."""
        depth = int(np.clip(np.floor(-np.log2(max(scale, 1e-3))), 0, len(self.levels) - 1))
        height, width = self.levels[0].shape[:2]
        level = self.levels[depth]
        return level, np.array([level.shape[1] / width, level.shape[0] / height])


def make_texture(cutout: Cutout) -> Texture:
    """Prefilter a cut-out: premultiplied, in linear light, by box averages (INTER_AREA)."""
    alpha = cutout.alpha.astype(np.float32) / np.float32(255)
    linear = cv2.split(srgb_to_linear(cutout.rgb))
    premultiplied = cv2.merge([*(channel * alpha for channel in linear), alpha])
    whole = cv2.multiply(premultiplied, (FULL,) * 4, dtype=cv2.CV_16U)
    levels = [np.asarray(whole, np.uint16)]
    while min(levels[-1].shape[:2]) >= 64:
        height, width = levels[-1].shape[:2]
        half = ((width + 1) // 2, (height + 1) // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return Texture(tuple(levels))
