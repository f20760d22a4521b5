"""The head of a ring: how high it stands over the hoop and how far it reaches along the finger.

One picture does not show where the top of the head ends and its upright wall begins. What makes it
decidable is that heads are nearly symmetric fore and aft: the near edge of the top is the mirror
image of its far edge, which is the silhouette. That leaves the height of the top as the one unknown.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Float, Mask
from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.turn import Head, product_view

WORKING_RADIUS = 140.0
"""Outer radius, px, at which the silhouette is looked at: a head needs no finer detail."""

MIN_EXCESS = 0.07
"""How far, in outer radii, the silhouette must leave the hoop's to be a head and not a bead."""

MIN_AREA = 0.02
"""Least area, in squared outer radii, of that excess."""

ASPECT_RANGE = (0.35, 1.05)
"""Axial over tangential half-extent of a head: a row of stones, a stone longer than wide."""


PRONG = 0.07
"""Half-width, in outer radii, of what is too thin to be the head's outline."""

JOIN = 1.3
"""Growth of width from one row to the next that only a neighbouring part can cause."""


def fit_head(cutout: Cutout, shape: RingShape) -> Head | None:
    """Find the head of the cut-out ring; None for a band without one."""
    scale = WORKING_RADIUS / shape.outer_radius_px
    alpha, x, y = _upright(cutout, shape, scale)
    r_o, half = WORKING_RADIUS, shape.band_width_px * scale / 2
    view = product_view(shape)
    excess = alpha & ~_hoop_silhouette(x, y, r_o + MIN_EXCESS * r_o, half, view.elevation)
    excess &= y > 0
    columns = _largest(excess, MIN_AREA * r_o**2)
    if columns is None:
        return None

    tops = np.where(alpha.any(0), y[alpha.argmax(0), 0], -np.inf)
    lo, hi = columns
    lo, hi = _to_shoulders(tops, x[0], lo, hi, r_o, half, view.elevation)
    peak, crown = _crown(alpha[:, lo : hi + 1], y[:, 0])
    se, ce = np.sin(view.elevation), np.cos(view.elevation)
    half_width = float(crown.max()) / 2
    middle_depth = float(np.flatnonzero(crown >= 0.94 * crown.max()).mean())
    reach = np.clip(middle_depth / ce, *(np.array(ASPECT_RANGE) * half_width))
    height = max((peak - reach * ce) / se, 1.02 * r_o) / np.cos(view.azimuth)

    c, s = np.cos(view.azimuth), np.sin(view.azimuth)
    q = (x[0, lo : hi + 1] - height * s) / c
    middle = (height * c - q * s) * se
    reach_at = np.maximum((tops[lo : hi + 1] - middle) / ce, 0)
    keep = np.flatnonzero(reach_at > 0)
    if len(keep) < 3:
        return None
    inside = slice(keep[0], keep[-1] + 1)
    return Head(
        height=float(height / scale),
        q=(q[inside] / scale).astype(np.float32),
        reach=(reach_at[inside] / scale).astype(np.float32),
    )


def _upright(cutout: Cutout, shape: RingShape, scale: float) -> tuple[Mask, Float, Float]:
    """The silhouette with the hoop's visible top upwards, and x right, y up of its pixels."""
    extent = int(2.6 * WORKING_RADIUS)
    turn_rad = np.radians(shape.rotation_deg)
    right = np.array([np.cos(turn_rad), np.sin(turn_rad)]) / scale
    down = np.array([-np.sin(turn_rad), np.cos(turn_rad)]) / scale
    photo_from_upright = np.column_stack([right, down, shape.centre_xy - extent * (right + down)])
    side = 2 * extent + 1
    small = cv2.warpAffine(
        cutout.alpha,
        photo_from_upright,
        (side, side),
        flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP,
    )
    row, column = np.mgrid[0:side, 0:side].astype(np.float32)
    return small > 127, column - extent, extent - row


def _hoop_silhouette(x: Float, y: Float, radius: float, half: float, elevation: float) -> Mask:
    """Inside the hull of the two outer rims: the sweep of an ellipse along the projected axis."""
    rim = np.sqrt(np.maximum(radius**2 - x**2, 0)) * np.sin(elevation)
    return (np.abs(x) <= radius) & (np.abs(y) <= rim + half * np.cos(elevation))


def _largest(mask: Mask, min_area: float) -> tuple[int, int] | None:
    """First and last column of the largest connected part."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if stats[best, cv2.CC_STAT_AREA] < min_area:
        return None
    left = int(stats[best, cv2.CC_STAT_LEFT])
    return left, left + int(stats[best, cv2.CC_STAT_WIDTH]) - 1


def _to_shoulders(
    tops: NDArray[np.float64], x: Float, lo: int, hi: int, r_o: float, half: float, elevation: float
) -> tuple[int, int]:
    """Widen the column range until the silhouette is back on the hoop's own."""
    rim = np.sqrt(np.maximum(r_o**2 - x**2, 0)) * np.sin(elevation) + half * np.cos(elevation)
    above = (tops - rim > 0.03 * r_o) & (np.abs(x) < 1.6 * r_o)
    while lo > 0 and above[lo - 1]:
        lo -= 1
    while hi < len(x) - 1 and above[hi + 1]:
        hi += 1
    return lo, hi


def _crown(alpha: Mask, y: Float) -> tuple[float, NDArray[np.int64]]:
    """The head's highest part, row by row: y of its first row, and the widths of the run of pixels
    below the peak, down to where it would be twice as deep as wide or where neighbours join it (the
    side stones of a three-stone ring, the shoulders of a bezel)."""
    prong = int(2 * PRONG * WORKING_RADIUS) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (prong, prong))
    body = cv2.morphologyEx(alpha.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0
    rows = np.flatnonzero((body if body.any() else alpha).any(1))
    body = body if body.any() else alpha
    first = int(rows[0])
    run = body[first]
    widths: list[int] = []
    for row in body[first:]:
        grown = _runs_touching(row, run)
        width = int(grown.sum())
        if width == 0 or len(widths) > ASPECT_RANGE[1] * max(widths, default=width) * 2:
            break
        joined = widths and width > JOIN * widths[-1]
        if joined and widths[-1] > 3 * prong:
            break
        widths.append(width)
        run = grown
    return float(y[first]), np.array(widths)


def _runs_touching(row: Mask, above: Mask) -> Mask:
    """The runs of a row that touch the run above it."""
    label = np.cumsum(np.diff(row.astype(np.int8), prepend=0) == 1) * row
    touched = np.unique(label[above & row])
    return np.isin(label, touched[touched > 0])
