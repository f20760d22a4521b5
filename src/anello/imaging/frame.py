"""Coordinates on the finger, for every pixel of a region of the hand photo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Float, Float64, Roi
from anello.imaging.finger import FingerSite


@dataclass(frozen=True, slots=True, eq=False)
class FingerFrame:
    """The finger as a cylinder, laid over a region.

    across : (h, w) distance from the middle line in half widths; -1 and 1 on the silhouettes.
    along : (h, w) px from the ring's centre along the finger, positive towards the tip.
    normal : (h, w, 3) unit normal of the cylinder, x right, y down, z towards the viewer; beyond
        the silhouettes the silhouette's own, lying in the picture.
    """

    across: Float
    along: Float
    normal: Float


def finger_frame(site: FingerSite, roi: Roi) -> FingerFrame:
    """Finger coordinates of the pixels in ``roi``. Roll does not matter: a cylinder is round."""
    across, along = finger_coordinates(site, roi)
    axis = np.asarray(site.axis_xy, np.float32)
    side = np.asarray(site.across_xy, np.float32)
    return FingerFrame(
        across, along, _cylinder_normal(across, axis, side, np.radians(site.pitch_deg))
    )


def finger_coordinates(site: FingerSite, roi: Roi) -> tuple[Float, Float]:
    """across and along of the `FingerFrame` of ``roi``."""
    x0, y0, x1, y1 = roi
    dx = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(site.centre_xy[0])
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(site.centre_xy[1])
    axis = np.asarray(site.axis_xy, np.float32)
    side = np.asarray(site.across_xy, np.float32) / np.float32(site.width_px / 2)
    return dx * side[0] + dy * side[1], dx * axis[0] + dy * axis[1]


def scaled(site: FingerSite, roi: Roi, scale: float) -> tuple[FingerSite, Roi]:
    """The same site in a region resized by ``scale`` (pixel areas), which starts at 0, 0."""
    x0, y0, x1, y1 = roi
    size = max(round((x1 - x0) * scale), 1), max(round((y1 - y0) * scale), 1)

    def moved(xy: Float64) -> Float64:
        return np.asarray((np.asarray(xy) - (x0, y0) + 0.5) * scale - 0.5)

    small = replace(
        site,
        centre_xy=moved(site.centre_xy),
        left_xy=moved(site.left_xy),
        right_xy=moved(site.right_xy),
        left_edge_xy=moved(site.left_edge_xy),
        right_edge_xy=moved(site.right_edge_xy),
        width_px=site.width_px * scale,
        px_per_mm=site.px_per_mm * scale,
        edge_sigma_px=site.edge_sigma_px * scale,
    )
    return small, (0, 0, *size)


def _cylinder_normal(across: Float, axis: Float, side: Float, pitch_rad: float) -> Float:
    u = np.clip(across, -1, 1)
    out = np.sqrt(1 - u * u)
    rise, towards = np.float32(np.sin(pitch_rad)), np.float32(np.cos(pitch_rad))
    x, y = (u * side[k] + out * (axis[k] * rise) for k in range(2))
    return np.asarray(cv2.merge([x, y, out * towards]), np.float32)


PHALANGES = tuple((4 * finger + k, 4 * finger + k + 1) for finger in range(5) for k in (1, 2, 3))
"""Pairs of landmarks (MediaPipe's 21) with a free phalanx between them, thumb first."""

FINGER_BREADTH = np.array([1.12, 1.0, 1.0, 0.95, 0.84])
"""Breadth of thumb to little finger over the index finger's (hand anthropometry, DIN 33402-2)."""

PHALANX_BREADTH = np.array([1.0, 0.92, 0.82])
"""Breadth along a finger, from its root, over that of the first free phalanx."""

_PALM = (0, 1, 2, 5, 9, 13, 17)


def phalanx_widths(width_px: float, finger: int) -> Float64:
    """(15,) px across each of PHALANGES, from the measured width of one finger (0..4)."""
    unit = width_px / FINGER_BREADTH[finger]
    return np.asarray((unit * FINGER_BREADTH[:, None] * PHALANX_BREADTH[None, :]).ravel())


def hand_outline(points_xy: Float64, site: FingerSite, roi: Roi) -> Float:
    """(h, w) in [0, 1]: roughly where the hand is, generous by a tenth of a finger, soft-edged."""
    x0, y0, x1, y1 = roi
    drawn = np.zeros((y1 - y0, x1 - x0), np.uint8)
    points = np.round((np.asarray(points_xy) - (x0, y0)) * 16).astype(np.int32)
    widths = phalanx_widths(site.width_px, int(site.finger))
    for (a, b), width in zip(PHALANGES, widths, strict=True):
        thickness = max(1, round(1.2 * width))
        cv2.line(drawn, _point(points[a]), _point(points[b]), 255, thickness, cv2.LINE_AA, 4)
    palm = cv2.convexHull(points[list(_PALM)])
    cv2.fillConvexPoly(drawn, palm, 255, cv2.LINE_AA, 4)
    hull = palm.reshape(-1, 2)
    for a, b in zip(hull, np.roll(hull, 1, axis=0), strict=True):
        cv2.line(drawn, _point(a), _point(b), 255, max(1, round(site.width_px)), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(drawn, (0, 0), max(0.06 * site.width_px, 0.5))
    return np.asarray(soft, np.float32) / np.float32(255)


def _point(xy: NDArray[np.int32]) -> tuple[int, int]:
    return int(xy[0]), int(xy[1])
