"""What lies around a place on the finger, as the metal of a ring there mirrors it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Roi
from anello.imaging.color import luminance
from anello.imaging.finger import FingerSite

PX_PER_FINGER = 12
"""Pixels across the finger at which its surroundings are kept: a mirror as small and as curved as a
ring shows no detail."""

SOFTNESS = 1.0
"""Sigma of the blur over them, in those pixels."""

REACH = 0.3
"""How far from the ring the things lie that a ray along the picture meets, in finger widths: its
own finger's skin, the gap, and the flank of the next finger. Read off path-traced scenes."""

BRIGHTEST = np.float32(0.55)
"""Luminance at which the surroundings end: a ground that is white is cut out or burnt out, and a
ring would be lost in front of its own mirror image."""

_ROW = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Surround:
    """The photo around a place, small and blurred.

    radiance : (h, w, 3) linear light. origin_xy : where in the photo its first pixel begins.
    px : (2,) width and height of its pixels in pixels of the photo. reach_px : REACH in those.
    """

    radiance: Float
    origin_xy: Float64
    px: Float64
    reach_px: float

    def along(self, ray: Float, xy: Float) -> Float:
        """(n, 3) radiance that rays meet which start at the ring. ray : (n, 3) unit, x right, y
        down, z towards the viewer. xy : (n, 2) where they start, px of the photo."""
        origin, px = (v.astype(np.float32) for v in (self.origin_xy - 0.5, self.px))
        at = (xy + np.float32(self.reach_px) * ray[:, :2] - origin) / px - np.float32(0.5)
        # OpenCV takes no row as long as a large ring has pixels.
        x, y = (np.resize(at[:, k], (-(-len(at) // _ROW), _ROW)) for k in range(2))
        seen = cv2.remap(self.radiance, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen.reshape(-1, 3)[: len(at)], np.float32)


def see_surround(patch: Float, site: FingerSite, roi: Roi) -> Surround:
    """The surroundings of ``site``. patch : (h, w, 3) linear light of ``roi``."""
    height, width = patch.shape[:2]
    reduced = min(PX_PER_FINGER / site.width_px, 1.0)
    size = max(round(width * reduced), 1), max(round(height * reduced), 1)
    small = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
    small *= (BRIGHTEST / np.maximum(luminance(small), BRIGHTEST))[..., None]
    radiance = np.asarray(cv2.GaussianBlur(small, (0, 0), SOFTNESS), np.float32)
    px = np.array([width, height]) / size
    return Surround(radiance, np.array(roi[:2], np.float64), px, REACH * site.width_px)
