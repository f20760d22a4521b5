"""The ring's shape in its product photo: hoop, elevation, contact points, head.

The hoop's own fit is in ``hoop_fit``; it cannot tell the two ends of the short axis apart, because
silhouette and hole are symmetric about the centre. The head, or the picture's own up, decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from anello.imaging.arrays import Float64, Mask
from anello.imaging.hoop_fit import (
    POOR_COST,
    Hoop,
    fit_hoop,
    fit_hoop_to_anchors,
    fit_silhouette,
    outline_of,
)
from anello.imaging.matting import Cutout

View = Literal["three_quarter", "face", "top", "side"]

USUAL_RATIO = 0.885
"""R_i / R_o taken where the hole is not seen (about 1 mm to 2.5 mm of metal)."""
LEAST_HEAD, CLEAR_HEAD = 0.012, 0.07
"""Share of the silhouette that must stick out of the hoop's to be a head: on the upper side of the
picture, and on the lower one."""
BLUNT_ENDS, LONG_RING = 0.35, 1.9
"""Thickness of a top view's ends over its length, and length over breadth (standard deviations),
from which the long axis gives the line of the contact points."""
FIT_SIDE = 512
"""Long side of the copy that outlines are traced on, px; contours there are good to 0.1 px."""


@dataclass(frozen=True, slots=True, eq=False)
class RingShape:
    """A hoop as seen in a product photo.

    centre_xy : (2,) px, middle of the hoop's axis, halfway between the rims.
    rotation_deg : clockwise angle from the picture's up to ``up``, the visible top's direction.
    inner_radius_px, outer_radius_px, band_width_px : unforeshortened, px of the product photo.
    elevation_deg : 0 looks at the visible top edge-on, 90 through the hole.
    head_deg : azimuth of the head about the axis from the visible top, positive towards right.
    contact_xy : (2, 2) px, left and right ends of the front inner rim; None if no hoop is seen.
    confidence : 0 to 1.
    """

    centre_xy: Float64
    rotation_deg: float
    inner_radius_px: float
    outer_radius_px: float
    band_width_px: float
    elevation_deg: float
    head_deg: float
    contact_xy: Float64 | None
    view: View
    confidence: float
    warnings: tuple[str, ...]

    @property
    def up_xy(self) -> Float64:
        """(2,) unit vector to the visible top, picture coordinates (y down)."""
        turn = np.deg2rad(self.rotation_deg)
        return np.array([np.sin(turn), -np.cos(turn)])

    @property
    def right_xy(self) -> Float64:
        """(2,) unit vector 90 degrees clockwise from ``up_xy``."""
        turn = np.deg2rad(self.rotation_deg)
        return np.array([np.cos(turn), np.sin(turn)])

    def project(self, radius: Float64, azimuth_rad: Float64, axial: Float64) -> Float64:
        """(..., 2) picture points of points on the hoop."""
        tilt = np.deg2rad(self.elevation_deg)
        x = np.asarray(radius * np.sin(azimuth_rad))
        y = np.asarray(radius * np.cos(azimuth_rad) * np.sin(tilt) - axial * np.cos(tilt))
        moved: Float64 = self.centre_xy + x[..., None] * self.right_xy + y[..., None] * self.up_xy
        return moved


def fit_ring(cutout: Cutout, anchors: Float64 | None = None) -> RingShape | None:
    """The hoop of a cut-out ring, or None if there is none.

    anchors : (2, 2) px, the two inner contact points; they override centre, rotation and scale.
    """
    scale = min(1.0, FIT_SIDE / max(cutout.alpha.shape))
    solid, opening = _reduced_masks(cutout, scale)
    if not solid.any():
        return None
    warnings: list[str] = []
    outline = outline_of(solid)
    if outline is None:
        return None
    if anchors is not None:
        given = (np.asarray(anchors, np.float64).reshape(2, 2) + 0.5) * scale - 0.5
        found: Hoop | None = fit_hoop_to_anchors(outline, opening, given)
    elif opening is None and _is_convex(solid):
        found = fit_silhouette(outline)
        warnings.append("no opening is seen: elevation and width of the band are guesses")
    elif opening is None:
        return _without_opening(solid, scale)
    else:
        found = fit_hoop(outline, opening)
    if found is None:
        return _without_opening(solid, scale)
    if found.cost > POOR_COST:
        warnings.append(
            "the hoop's outline is unclear (several rings, open-work or a large head); "
            "a three-quarter view of one ring, or anchor points, help"
        )
    hoop, head_deg, _ = _orient(found, solid)
    confidence = float(np.clip(1.05 - 0.24 * hoop.cost, 0.05, 1.0)) * cutout.confidence
    return _shape(hoop, head_deg, scale, confidence, tuple(warnings), anchors)


# --- outlines ------------------------------------------------------------------------------------


def _reduced_masks(cutout: Cutout, scale: float) -> tuple[Mask, Float64 | None]:
    """The ring as a mask, and its opening's outline (n, 2), on the reduced copy."""
    alpha = cutout.alpha
    if scale < 1:
        alpha = np.asarray(
            cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    solid = alpha > 127
    if cutout.opening is None:
        return solid, None
    height, width = alpha.shape
    near = cv2.resize(
        cutout.opening.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA
    )
    hole = cv2.dilate(near, np.ones((3, 3), np.uint8)) > 127
    return solid, outline_of(hole & ~solid)


# --- up, head -------------------------------------------------------------------------------------


def _orient(hoop: Hoop, solid: Mask) -> tuple[Hoop, float, float]:
    """Turn ``up`` towards the head; its azimuth in degrees; its share of the ring's area."""
    rows, cols = np.nonzero(solid)
    x, y = cols.astype(np.float64), rows.astype(np.float64)
    u, v = hoop.to_own_frame(x, y)
    outside, _ = hoop.excess(x, y)
    tilt = float(np.sin(hoop.elevation_rad))
    excess = outside > 0.035
    share = float(excess.sum()) / max(1, rows.size)
    flip = bool(np.cos(hoop.turn_rad) < 0)
    head = 0.0
    if share > LEAST_HEAD:
        weight = outside[excess]
        centre_u = float(np.average(u[excess], weights=weight))
        centre_v = float(np.average(v[excess], weights=weight))
        # What sticks out below is more often the rest of a reflection than a head.
        if (centre_v < 0) == flip or (share > CLEAR_HEAD and hoop.cost < POOR_COST):
            flip = centre_v < 0
            sign = -1 if flip else 1
            head = float(np.rad2deg(np.arctan2(sign * centre_u, sign * centre_v / tilt)))
    turn = hoop.turn_rad + (np.pi if flip else 0)
    turn = float((turn + np.pi) % (2 * np.pi) - np.pi)
    return replace(hoop, turn_rad=turn), head, share


# --- views without an opening ------------------------------------------------------------------


def _is_convex(solid: Mask) -> bool:
    """Whether a silhouette is that of a plain wide band rather than a head between two ends."""
    points = cv2.findNonZero(solid.astype(np.uint8))
    return float(solid.sum()) > 0.95 * float(cv2.contourArea(cv2.convexHull(points)))


def _without_opening(solid: Mask, scale: float) -> RingShape | None:
    """A ring seen from straight above its head: the band runs out to both sides.

    The line of the contact points is the direction whose two ends are thinnest, or the long axis.
    """
    rows, cols = np.nonzero(solid)
    points = np.stack([cols, rows], 1).astype(np.float64)
    points = points[:: max(1, len(points) // 20000)]
    middle = points.mean(0)
    turns = np.deg2rad(np.arange(-90.0, 90.0, 3.0))
    thinness = [_end_thickness(points - middle, turn) for turn in turns]
    turn = float(turns[int(np.argmin(thinness))])
    spread, axes = np.linalg.eigh(np.cov((points - middle).T))
    if min(thinness) > BLUNT_ENDS or spread[1] > LONG_RING**2 * spread[0]:
        # No end is thin, or the ring is mostly band: its long axis says more.
        turn = float(np.arctan(axes[1, 1] / axes[0, 1])) if axes[0, 1] else np.pi / 2
    along_xy = np.array([np.cos(turn), np.sin(turn)])
    along = (points - middle) @ along_xy
    low, high = float(along.min()), float(along.max())
    outer = (high - low) / 2
    thick_px = 2 * outer * min(_end_thickness(points - middle, turn), 0.5)
    ratio = USUAL_RATIO
    across = (points - middle) @ np.array([-np.sin(turn), np.cos(turn)])
    offsets = (points - middle) @ along_xy
    at_ends = (offsets < low + 0.12 * 2 * outer) | (offsets > high - 0.12 * 2 * outer)
    seat = float(np.median(across[at_ends]))
    centre = middle + along_xy * (low + high) / 2 + np.array([-np.sin(turn), np.cos(turn)]) * seat
    hoop = Hoop(
        float(centre[0]), float(centre[1]), turn, outer, ratio, np.deg2rad(3.0), thick_px / 2, 1.0
    )
    note = "no opening is seen: the ring is taken as photographed from straight above its head"
    return _shape(hoop, 0.0, scale, 0.4, (note,), None)


def _end_thickness(centred: Float64, turn_rad: float) -> float:
    """Extent across, of the thicker of the two ends of a shape, over its length."""
    along = centred @ np.array([np.cos(turn_rad), np.sin(turn_rad)])
    across = centred @ np.array([-np.sin(turn_rad), np.cos(turn_rad)])
    length = float(np.ptp(along))
    reach = 0.12 * length
    ends = (along < along.min() + reach, along > along.max() - reach)
    return max(float(np.ptp(across[end])) for end in ends) / length


def _shape(
    hoop: Hoop,
    head_deg: float,
    scale: float,
    confidence: float,
    warnings: tuple[str, ...],
    anchors: Float64 | None,
) -> RingShape:
    """Back to the full photo's pixels."""
    elevation = float(np.rad2deg(hoop.elevation_rad))
    view: View = "three_quarter"
    if elevation > 72:
        view = "face"
    elif elevation < 12:
        view = "top"
    elif abs(head_deg) > 60:
        view = "side"
    shape = RingShape(
        centre_xy=(np.array([hoop.x, hoop.y]) + 0.5) / scale - 0.5,
        rotation_deg=float(np.rad2deg(hoop.turn_rad)),
        inner_radius_px=hoop.outer * hoop.ratio / scale,
        outer_radius_px=hoop.outer / scale,
        band_width_px=hoop.width / scale,
        elevation_deg=elevation,
        head_deg=head_deg,
        contact_xy=None,
        view=view,
        confidence=confidence,
        warnings=warnings,
    )
    quarter = np.deg2rad(np.array([-90.0, 90.0]))
    inner = np.full(2, shape.inner_radius_px)
    contact = shape.project(inner, quarter, np.full(2, shape.band_width_px / 2))
    return replace(shape, contact_xy=contact)
