"""The ring's shape in its product photo: hoop, elevation, contact points, head.

The hoop is a short cylinder, inner radius R_i, outer radius R_o, axial width w, seen from elevation
e (0 = at its head, 90 = through the hole). A point at azimuth t from the visible top, radius r,
axial offset s (positive on the camera's side) sits at

    x = r sin t        y_up = r cos t sin e - s cos e

so the outline is the hull of two R_o ellipses shifted by -+d, d = w/2 cos e, and the hole is what
two R_i ellipses shifted by -+d have in common. Both are symmetric about the centre: the head, or
the decoration, decides which end of the short axis is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.optimize import least_squares

from anello.imaging.arrays import Bytes, Float64, Mask
from anello.imaging.matting import Cutout

View = Literal["three_quarter", "face", "top", "side"]

FIT_SIDE = 512
"""Long side of the copy that outlines are traced on, px; contours there are good to 0.1 px."""
OUTLINE_POINTS = 240
"""Points kept of each outline."""
ROBUST_SCALE = 0.015
"""Outline residual, in outer radii, beyond which a point begins to count as head or damage."""
USUAL_THICKNESS_RATIO = (0.885, 0.05)
"""R_i / R_o of rings on sale, mean and spread: 1.4 to 3 mm of metal round a 17 mm finger."""
USUAL_WIDTH_RATIO = (0.32, 0.22)
"""w / R_o, mean and spread: bands of 2 to 8 mm."""
USUAL_ELEVATION_DEG = (45.0, 14.0)
"""Shop photographs, mean and spread."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Hoop:
    """The fitted parameters, on the reduced copy (px there); ``offset`` is d of the module text."""

    x: float
    y: float
    turn_rad: float
    outer: float
    ratio: float
    elevation_rad: float
    offset: float

    @classmethod
    def from_vector(cls, p: Float64, unit: float) -> _Hoop:
        x, y, turn, outer, ratio, elevation, offset = (float(v) for v in p)
        return cls(
            x * unit, y * unit, turn, outer * unit, ratio, elevation, offset * outer * unit
        )

    @property
    def width(self) -> float:
        return 2 * self.offset / max(float(np.cos(self.elevation_rad)), 0.05)


def fit_ring(cutout: Cutout, anchors: Float64 | None = None) -> RingShape | None:
    """The hoop of a cut-out ring, or None if there is none.

    anchors : (2, 2) px, the two inner contact points; they override centre, rotation and scale.
    """
    scale = min(1.0, FIT_SIDE / max(cutout.alpha.shape))
    solid, opening = _reduced_masks(cutout, scale)
    if not solid.any():
        return None
    warnings: list[str] = []
    outline = _outline(solid)
    if outline is None:
        return None
    if anchors is not None:
        given = (np.asarray(anchors, np.float64).reshape(2, 2) + 0.5) * scale - 0.5
        hoop, cost = _fit_to_anchors(outline, opening, given)
    elif opening is None:
        return _without_opening(solid, scale)
    else:
        hoop, cost = _fit_hoop(outline, opening)
    hoop, head_deg, head_share = _orient(hoop, solid)
    confidence = float(np.clip(1.05 - 8 * cost, 0.05, 1.0)) * cutout.confidence
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
    return solid, _outline(hole & ~solid)


def _outline(mask: Mask) -> Float64 | None:
    """(n, 2) points evenly along the outer border of a mask's largest part, between pixels."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8) * 255, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    # Twice as large and blurred: the contour runs between ring and ground, not on ring pixels.
    smooth = cv2.GaussianBlur(cv2.resize(padded, None, fx=2, fy=2), (0, 0), 1.5)
    contours, _ = cv2.findContours(
        (smooth > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not contours:
        return None
    longest = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    if len(longest) < 24:
        return None
    points = (longest + 0.5) / 2 - 0.5 - 2
    step = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    along = np.concatenate([[0.0], np.cumsum(step)])
    want = np.linspace(0, along[-1], OUTLINE_POINTS, endpoint=False)
    closed = np.vstack([points, points[:1]])
    return np.stack([np.interp(want, along, closed[:, k]) for k in (0, 1)], 1)


# --- the model ------------------------------------------------------------------------------------


def _ray(
    sx: Float64, sy: Float64, half_x: float, half_y: float, shift: float
) -> Float64:
    """Distance along each unit ray from the centre to the far side of a shifted ellipse."""
    a = (sx / half_x) ** 2 + (sy / half_y) ** 2
    b = shift * sy / half_y**2
    c = (shift / half_y) ** 2 - 1
    return np.asarray((b + np.sqrt(np.maximum(b * b - a * c, 0))) / a)


def _hole_radius(sx: Float64, sy: Float64, radius: float, tilt: float, d: float) -> Float64:
    half = max(radius * tilt, 1e-4)
    return np.minimum(_ray(sx, sy, radius, half, d), _ray(sx, sy, radius, half, -d))


def _hull_radius(sx: Float64, sy: Float64, radius: float, tilt: float, d: float) -> Float64:
    half = max(radius * tilt, 1e-4)
    ends = np.maximum(_ray(sx, sy, radius, half, d), _ray(sx, sy, radius, half, -d))
    # Between the two ellipses the hull's sides are straight, |x| = R for |y| < d.
    side = radius / np.maximum(np.abs(sx), 1e-6)
    return np.where(np.abs(sy) * side < d, side, ends)


def _residuals(p: Float64, outline: Float64, hole: Float64 | None) -> Float64:
    """Radial misfit of both outlines in outer radii, then the weak priors. p: see _Hoop; px = 1."""
    x, y, turn, outer, ratio, elevation, offset = p
    up = np.array([np.sin(turn), -np.cos(turn)])
    right = np.array([np.cos(turn), np.sin(turn)])
    tilt = float(np.sin(elevation))
    parts = []
    for points, radius, model in (
        (outline, 1.0, _hull_radius),
        (hole, ratio, _hole_radius),
    ):
        if points is None:
            continue
        delta = (points - (x, y)) / outer
        u, v = delta @ right, delta @ up
        r = np.maximum(np.hypot(u, v), 1e-6)
        parts.append(r - model(u / r, v / r, radius, tilt, offset))
    width = 2 * offset / max(float(np.cos(elevation)), 0.05)
    prior = np.array(
        [
            (ratio - USUAL_THICKNESS_RATIO[0]) / USUAL_THICKNESS_RATIO[1],
            (width - USUAL_WIDTH_RATIO[0]) / USUAL_WIDTH_RATIO[1],
            (np.rad2deg(elevation) - USUAL_ELEVATION_DEG[0]) / USUAL_ELEVATION_DEG[1],
        ]
    )
    parts.append(prior * ROBUST_SCALE * 1.0)
    return np.concatenate(parts)


LOW = np.array([-np.inf, -np.inf, -np.inf, 0.05, 0.55, np.deg2rad(3), 0.005])
HIGH = np.array([np.inf, np.inf, np.inf, 10.0, 0.98, np.deg2rad(89), 0.9])


def _minimise(
    start: Float64, outline: Float64, hole: Float64 | None, free: Mask
) -> tuple[Float64, float]:
    """Robust least squares over the free parameters. Returns them and the mean robust cost."""
    start = np.clip(start, LOW + 1e-4, HIGH - 1e-4)

    def misfit(q: Float64) -> Float64:
        p = start.copy()
        p[free] = q
        return _residuals(p, outline, hole)

    found = least_squares(
        misfit,
        start[free],
        bounds=(LOW[free], HIGH[free]),
        loss="cauchy",
        f_scale=ROBUST_SCALE,
        max_nfev=40,
        x_scale="jac",
    )
    p = start.copy()
    p[free] = found.x
    residual = _residuals(p, outline, hole)
    cost = np.log1p((residual / ROBUST_SCALE) ** 2).mean()
    return p, float(cost)


def _fit_hoop(outline: Float64, hole: Float64) -> tuple[_Hoop, float]:
    """Fit from several starts around the hole's own ellipse."""
    unit = float(np.ptp(outline, axis=0).max()) / 2
    (cx, cy), axes, angle = cv2.fitEllipse(cv2.convexHull(hole.astype(np.float32)))
    major, minor = max(axes) / 2, min(axes) / 2
    # OpenCV's angle is that of the first axis; `up` is the short one.
    short = np.deg2rad(angle if axes[0] <= axes[1] else angle + 90)
    turn = short + np.pi / 2
    best: tuple[float, Float64] | None = None
    for d in (0.06, 0.2, 0.4):
        tilt = np.clip(minor / major + d, 0.1, 0.98)
        start = np.array(
            [cx / unit, cy / unit, turn, major / 0.88 / unit, 0.88, np.arcsin(tilt), d]
        )
        p, cost = _minimise(start, outline / unit, hole / unit, np.ones(7, bool))
        if best is None or cost < best[0]:
            best = cost, p
    assert best is not None
    return _Hoop.from_vector(best[1], unit), best[0] * 0.03


def _fit_to_anchors(
    outline: Float64, hole: Float64 | None, anchors: Float64
) -> tuple[_Hoop, float]:
    """Centre, rotation and scale from the two contact points; the rest from the outlines."""
    left, right = anchors
    half = float(np.linalg.norm(right - left)) / 2
    middle = (left + right) / 2
    along = (right - left) / max(2 * half, 1e-6)
    turn = float(np.arctan2(along[1], along[0]))
    up = np.array([np.sin(turn), -np.cos(turn)])
    free = np.array([False, False, False, False, True, True, True])
    p = np.array([0, 0, turn, 0, 0.88, np.deg2rad(45), 0.12])
    cost = 1.0
    # The anchors lie on the front rim, d below the centre; R_o follows from R_i. Both settle fast.
    for _ in range(4):
        p[3] = half / p[4] / half
        p[:2] = (middle + up * p[6] * half / p[4]) / half
        p, cost = _minimise(p, outline / half, None if hole is None else hole / half, free)
    p[3] = 1 / p[4]
    p[:2] = (middle + up * p[6] * half / p[4]) / half
    return _Hoop.from_vector(p, half), cost * 0.03


# --- up, head -------------------------------------------------------------------------------------


def _orient(hoop: _Hoop, solid: Mask) -> tuple[_Hoop, float, float]:
    """Turn ``up`` towards the head; its azimuth in degrees; its share of the ring's area."""
    rows, cols = np.nonzero(solid)
    up = np.array([np.sin(hoop.turn_rad), -np.cos(hoop.turn_rad)])
    right = np.array([np.cos(hoop.turn_rad), np.sin(hoop.turn_rad)])
    dx, dy = (cols - hoop.x) / hoop.outer, (rows - hoop.y) / hoop.outer
    u, v = dx * right[0] + dy * right[1], dx * up[0] + dy * up[1]
    r = np.maximum(np.hypot(u, v), 1e-6)
    tilt = float(np.sin(hoop.elevation_rad))
    d = hoop.offset / hoop.outer
    outside = r - _hull_radius(u / r, v / r, 1.0, tilt, d)
    excess = outside > 0.035
    share = float(excess.sum()) / max(1, rows.size)
    flip = bool(np.cos(hoop.turn_rad) < 0)
    head = 0.0
    if share > 0.012:
        weight = outside[excess]
        centre_u = float(np.average(u[excess], weights=weight))
        centre_v = float(np.average(v[excess], weights=weight))
        flip = centre_v < 0
        sign = -1 if flip else 1
        head = float(np.rad2deg(np.arctan2(sign * centre_u, sign * centre_v / tilt)))
    turn = hoop.turn_rad + (np.pi if flip else 0)
    turn = float((turn + np.pi) % (2 * np.pi) - np.pi)
    turned = _Hoop(
        hoop.x, hoop.y, turn, hoop.outer, hoop.ratio, hoop.elevation_rad, hoop.offset
    )
    return turned, head, share


# --- views without an opening ----------------------------------------------------------------------


def _without_opening(solid: Mask, scale: float) -> RingShape | None:
    """A ring seen from straight above its head: the band runs out to both sides.

    The line of the contact points is the direction whose two ends are thinnest.
    """
    rows, cols = np.nonzero(solid)
    points = np.stack([cols, rows], 1).astype(np.float64)
    middle = points.mean(0)
    best: tuple[float, float, float, float, float] | None = None
    for turn in np.deg2rad(np.arange(-90, 90, 3)):
        along = (points - middle) @ np.array([np.cos(turn), np.sin(turn)])
        across = (points - middle) @ np.array([-np.sin(turn), np.cos(turn)])
        low, high = along.min(), along.max()
        length = high - low
        thick = []
        for near in (along < low + 0.12 * length, along > high - 0.12 * length):
            thick.append(float(np.ptp(across[near])))
        score = max(thick) / length
        if best is None or score < best[0]:
            best = score, float(turn), float(low), float(high), float(np.mean(thick))
    assert best is not None
    _, turn, low, high, thick_px = best
    along_xy = np.array([np.cos(turn), np.sin(turn)])
    outer = (high - low) / 2
    ratio = USUAL_THICKNESS_RATIO[0]
    across = (points - middle) @ np.array([-np.sin(turn), np.cos(turn)])
    offsets = (points - middle) @ along_xy
    ends = (offsets < low + 0.12 * 2 * outer) | (offsets > high - 0.12 * 2 * outer)
    seat = float(np.median(across[ends]))
    centre = middle + along_xy * (low + high) / 2 + np.array([-np.sin(turn), np.cos(turn)]) * seat
    hoop = _Hoop(
        float(centre[0]), float(centre[1]), turn, outer, ratio, np.deg2rad(3.0), thick_px / 2
    )
    note = "no opening is seen: the ring is taken as photographed from straight above its head"
    return _shape(hoop, 0.0, scale, 0.4, (note,), None)


def _shape(
    hoop: _Hoop,
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
    return RingShape(
        **{**{name: getattr(shape, name) for name in RingShape.__slots__}, "contact_xy": contact}
    )
