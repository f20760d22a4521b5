"""Fit the hoop of a ring to the outlines of its silhouette and of its opening.

The hoop is a short cylinder, inner radius R_i, outer radius R_o, axial width w, seen from elevation
e (0 = at its head, 90 = through the hole). A point at azimuth t from the visible top, radius r,
axial offset s (positive on the camera's side) sits at

    x = r sin t        y_up = r cos t sin e - s cos e

so the outline is the hull of two R_o ellipses shifted by -+d, d = w/2 cos e, and the hole is what
two R_i ellipses shifted by -+d have in common. Both are symmetric about the centre.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
from scipy.optimize import least_squares

from anello.imaging.arrays import Float64, Mask
from anello.imaging.masks import box_of

Real: TypeAlias = float | Float64
"""One number, or one for each set of parameters."""

OUTLINE_POINTS, PADDED = 100, 4
"""Points kept of each outline; px around the mask in which it may be smooth."""
ROBUST_SCALE = 0.015
"""Outline residual, in outer radii, beyond which a point begins to count as head or damage."""
USUAL_THICKNESS_RATIO = (0.885, 0.05)
"""R_i / R_o of rings on sale, mean and spread: 1.4 to 3 mm of metal round a 17 mm finger."""
USUAL_WIDTH_RATIO = (0.32, 0.22)
"""w / R_o, mean and spread: bands of 2 to 8 mm."""
USUAL_ELEVATION_DEG = (45.0, 14.0)
"""Shop photographs, mean and spread."""
WHOLE_HOLE = 0.6
"""A hoop this small, of half the ring's box, was fitted to a piece of its hole."""
CLEAR_COST = 0.9
"""A fit this good needs no other start."""
POOR_COST = 1.7
"""Mean robust cost from which a silhouette says nothing about the hoop."""
FAIR_COST = 1.4
"""The same where half of the outlines may be left out."""
BELOW_HEAD, BELOW_ROUNDS, LEAST_BELOW = (0.2, 0.05), 2, 0.3
"""Heights over the hoop's centre, outer radii, up to which outlines are tried as a hoop's even
under a large head; how often they are chosen anew; and how much of either must be left."""
ROUNDING = 0.04
"""Outer radii by which each edge of a band is rounded: its outermost circle is that much nearer to
the middle than the opening's."""
LEAST_CROWN = 0.3
"""Share of a band's width that its outermost circles are apart at least."""
ENDS_SIGMA, ENDS_WEIGHT = 0.06, 3.0
"""Error of the rim's ends as a network sees them, outer radii, and what one counts for: points of
an outline that lie as far off."""

ANCHORED_STARTS_DEG, BELOW_ANCHORS = (15.0, 30.0, 45.0), 0.15
"""Elevations tried where the rim's ends are given and the usual fit is bad, and the height over
their line, in its halves, up to which outlines are heeded then."""

SAME = 0.005
"""Two starts that end this near to each other, and not badly, have found what there is."""
STEP = 1e-7
"""Of the forward differences; radians, outer radii and ratios are all about one."""

LEAST_OFFSET = 0.035
"""Half a band's width as it is seen, outer radii: slimmer, it is shoulders that the fit takes for a
lower view."""

_LOW = np.array([-np.inf, -np.inf, -np.inf, 0.05, 0.66, np.deg2rad(4), LEAST_OFFSET])
_HIGH = np.array([np.inf, np.inf, np.inf, 10.0, 0.97, np.deg2rad(88), 0.8])


@dataclass(frozen=True, slots=True, eq=False)
class Hoop:
    """A fitted hoop, px of the picture it was fitted in.

    x, y : centre. turn_rad : clockwise from the picture's up to the short axis. outer : R_o.
    ratio : R_i / R_o. offset : d of the module's text.
    cost : mean log(1 + (residual / scale)^2) of the outline points; below 0.7 the fit is good.
    """

    x: float
    y: float
    turn_rad: float
    outer: float
    ratio: float
    elevation_rad: float
    offset: float
    cost: float

    @property
    def width(self) -> float:
        """Axial width w, px."""
        return float(2 * self.offset / max(float(np.cos(self.elevation_rad)), 0.05))

    @property
    def ends_xy(self) -> Float64:
        """(2, 2) px, left and right ends of the near inner rim: the contact points."""
        along = self.right_xy
        down = np.array([-along[1], along[0]])
        middle = np.array([self.x, self.y]) + self.offset * down
        return np.asarray(middle + np.outer([-1, 1], self.outer * self.ratio * along))

    @property
    def right_xy(self) -> Float64:
        """(2,) unit vector 90 degrees clockwise from up."""
        return np.array([np.cos(self.turn_rad), np.sin(self.turn_rad)])

    def scaled(self, factor: float) -> Hoop:
        """The same hoop in a picture ``factor`` times as large (pixel centres are integers)."""
        return replace(
            self,
            x=(self.x + 0.5) * factor - 0.5,
            y=(self.y + 0.5) * factor - 0.5,
            outer=self.outer * factor,
            offset=self.offset * factor,
        )

    def moved(self, by_xy: tuple[float, float]) -> Hoop:
        return replace(self, x=self.x + by_xy[0], y=self.y + by_xy[1])

    def carried(self, before: Float64, after: Float64) -> Hoop:
        """The hoop as the similarity moves it that takes two points, (2, 2), to two others."""
        from_way, to_way = (xy[1] - xy[0] for xy in (before, after))
        factor = float(np.linalg.norm(to_way) / np.linalg.norm(from_way))
        turn = float(np.arctan2(to_way[1], to_way[0]) - np.arctan2(from_way[1], from_way[0]))
        cos, sin = np.cos(turn), np.sin(turn)
        from_middle = np.array([self.x, self.y]) - before.mean(0)
        x, y = after.mean(0) + factor * np.array([[cos, -sin], [sin, cos]]) @ from_middle
        return replace(
            self,
            x=float(x),
            y=float(y),
            turn_rad=float((self.turn_rad + turn + np.pi) % (2 * np.pi) - np.pi),
            outer=self.outer * factor,
            offset=self.offset * factor,
        )

    def to_own_frame(self, x: Float64, y: Float64) -> tuple[Float64, Float64]:
        """Along right and up from the centre, in outer radii."""
        dx, dy = (x - self.x) / self.outer, (y - self.y) / self.outer
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        return np.asarray(dx * cos + dy * sin), np.asarray(dx * sin - dy * cos)

    def outlines(self, inset: float) -> tuple[Float64, Float64]:
        """(n, 2) px, silhouette and hole, both moved by ``inset`` outer radii into the metal."""
        angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
        u, v = np.cos(angle), np.sin(angle)
        tilt, d = float(np.sin(self.elevation_rad)), self.offset / self.outer
        crown = crown_offset(d, self.elevation_rad)
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        way = np.stack([u * cos + v * sin, u * sin - v * cos], 1)
        middle = np.array([self.x, self.y])
        outside = hull_radius(u, v, 1.0, tilt, crown) - inset
        inside = hole_radius(u, v, self.ratio, tilt, d) + inset
        return middle + self.outer * outside[:, None] * way, (
            middle + self.outer * inside[:, None] * way
        )

    def excess(self, x: Float64, y: Float64) -> tuple[Float64, Float64]:
        """How far points lie outside the silhouette and inside the hole, outer radii (signed)."""
        u, v = self.to_own_frame(x, y)
        r = np.maximum(np.hypot(u, v), 1e-6)
        tilt, d = float(np.sin(self.elevation_rad)), self.offset / self.outer
        crown = crown_offset(d, self.elevation_rad)
        outside = r - hull_radius(u / r, v / r, 1.0, tilt, crown)
        inside = hole_radius(u / r, v / r, self.ratio, tilt, d) - r
        return outside, inside


def outline_of(mask: Mask) -> Float64 | None:
    """(n, 2) points evenly along the outer border of a mask's longest part, between pixels."""
    if not mask.any():
        return None
    x0, y0, x1, y1 = box_of(mask, 0)
    part = mask[y0:y1, x0:x1].astype(np.uint8) * 255
    padded = cv2.copyMakeBorder(part, *[PADDED] * 4, cv2.BORDER_CONSTANT)
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
    points = (longest + 0.5) / 2 - 0.5 - PADDED + np.array([x0, y0])
    return _evenly(points)


def _evenly(points: Float64) -> Float64:
    """(n, 2) points evenly along a closed line."""
    step = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    along = np.concatenate([[0.0], np.cumsum(step)])
    want = np.linspace(0, along[-1], OUTLINE_POINTS, endpoint=False)
    closed = np.vstack([points, points[:1]])
    return np.stack([np.interp(want, along, closed[:, k]) for k in (0, 1)], 1)


def fit_hoop(outline: Float64, hole: Float64, contacts: Float64 | None = None) -> Hoop | None:
    """Fit all seven parameters, from several starts around the hole's own ellipse.

    contacts : (2, 2) px, where the ends of the near inner rim may be; evidence, not a bound.
    """
    unit = float(np.ptp(outline, axis=0).max()) / 2
    hull = cv2.convexHull(hole.astype(np.float32))
    if len(hull) < 6 or unit < 4:
        return None
    (cx, cy), axes, angle = cv2.fitEllipseDirect(hull)
    major, minor = max(axes) / 2, min(axes) / 2
    if not np.isfinite([cx, cy, major, minor]).all() or minor < 1:
        return None
    # OpenCV's angle is that of the first axis; `up` is the short one.
    short = np.deg2rad(angle if axes[0] <= axes[1] else angle + 90)
    # The hole says where the hoop is: the silhouette may be mostly head.
    room = np.array([0.35 * major / unit, 0.35 * major / unit, np.pi / 5])
    ends = None if contacts is None else contacts / unit
    fits: list[tuple[float, Float64]] = []
    for start in _starts(outline, np.array([cx, cy]), major, minor, short + np.pi / 2, unit):
        low, high = _LOW.copy(), _HIGH.copy()
        low[:3], high[:3] = start[:3] - room, start[:3] + room
        low[3] = major / unit
        high[3] = max(1.8 * start[3], 1.1 * low[3])
        p, cost = _minimise(start, outline / unit, hole / unit, np.ones(7, bool), low, high, ends)
        agree = any(np.abs(p - q).max() < SAME for _, q in fits)
        settled = cost < CLEAR_COST or (agree and cost < POOR_COST)
        fits.append((cost, p))
        if settled:
            break
    cost, p = min(fits, key=lambda fit: fit[0])
    if cost < POOR_COST:
        return _hoop(p, unit, cost)
    # A hoop's silhouette is convex: a bite that the cut-out took from it is not the hoop's.
    whole = _evenly(cv2.convexHull(outline.astype(np.float32))[:, 0].astype(np.float64))
    for height in BELOW_HEAD:
        below, below_cost = _fit_below(height, p, whole / unit, hole / unit, room, ends)
        if below_cost < FAIR_COST:
            return _hoop(below, unit, below_cost)
    if major / 0.88 / unit > WHOLE_HOLE:
        # The silhouette is no hoop's (a large head, a pair): the hole alone, with the usual metal.
        tilt = np.arcsin(np.clip(minor / major + 0.12, 0.1, 0.98))
        outer = major / 0.88 / unit
        start = np.array([cx / unit, cy / unit, short + np.pi / 2, outer, 0.88, tilt, 0.12])
        free = np.array([True, True, True, True, False, True, False])
        low, high = _LOW.copy(), _HIGH.copy()
        low[:3], high[:3] = start[:3] - 0.6 * room, start[:3] + 0.6 * room
        low[3], high[3] = 0.95 * outer, 1.2 * outer
        p, _ = _minimise(start, None, hole / unit, free, low, high, ends)
        return _hoop(p, unit, cost)
    # Only a piece of the hole is seen: the silhouette is the better guide.
    wide = [fit for fit in fits if 0.8 < fit[1][3] < 1.3] or fits
    cost, p = min(wide, key=lambda fit: fit[0])
    return _hoop(p, unit, cost)


def _fit_below(
    height: float,
    start: Float64,
    outline: Float64,
    hole: Float64,
    room: Float64,
    ends: Float64 | None,
) -> tuple[Float64, float]:
    """Fit what lies below a head too large to be an outlier; heads are up in the picture."""
    p = start.copy()
    p[2] += np.pi if np.cos(p[2]) < 0 else 0.0
    low, high = _LOW.copy(), _HIGH.copy()
    low[:3], high[:3] = p[:3] - room, p[:3] + room
    low[3], high[3] = 0.7 * p[3], 1.4 * p[3]
    cost = np.inf
    for _ in range(BELOW_ROUNDS):
        lower = [points[_height(points, p) < height] for points in (outline, hole)]
        if min(len(points) for points in lower) < LEAST_BELOW * OUTLINE_POINTS:
            return p, np.inf
        p, cost = _minimise(p, lower[0], lower[1], np.ones(7, bool), low, high, ends)
    return p, cost


def _height(points: Float64, p: Float64) -> Float64:
    """How far up from a hoop's centre points lie, outer radii."""
    x, y, turn, outer = p[:4]
    return np.asarray(
        ((points[:, 0] - x) * np.sin(turn) - (points[:, 1] - y) * np.cos(turn)) / outer
    )


def _starts(
    outline: Float64, centre: Float64, major: float, minor: float, turn: float, unit: float
) -> list[Float64]:
    """Starts from the hole's ellipse, and one from the outline's: a head may hide half the hole."""
    starts = []
    for d in (0.08, 0.3):
        tilt = np.arcsin(np.clip(minor / major + d, 0.1, 0.98))
        starts.append(np.array([*(centre / unit), turn, major / 0.88 / unit, 0.88, tilt, d]))
    middle, axes, angle = cv2.fitEllipseDirect(outline.astype(np.float32))
    long, short = max(axes) / 2, min(axes) / 2
    if np.isfinite([*middle, long, short]).all() and long < 2 * unit:
        turn = np.deg2rad(angle if axes[0] <= axes[1] else angle + 90) + np.pi / 2
        tilt = np.arcsin(np.clip(short / long - 0.12, 0.1, 0.98))
        starts.append(np.array([*(np.array(middle) / unit), turn, long / unit, 0.88, tilt, 0.12]))
    return starts


def fit_silhouette(outline: Float64) -> Hoop | None:
    """A hoop whose hole is not seen, from its (convex) silhouette and what is usual."""
    unit = float(np.ptp(outline, axis=0).max()) / 2
    (cx, cy), axes, angle = cv2.fitEllipseDirect(outline.astype(np.float32))
    major, minor = max(axes) / 2, min(axes) / 2
    if not np.isfinite([cx, cy, major, minor]).all() or minor < 1:
        return None
    turn = np.deg2rad(angle if axes[0] <= axes[1] else angle + 90) + np.pi / 2
    # Half the short side is R_o sin e + d; where the hole is hidden R_i sin e < d.
    d = 0.52 * minor / major
    tilt = np.clip(minor / major - d, 0.1, 0.9)
    start = np.array([cx / unit, cy / unit, turn, major / unit, 0.9, np.arcsin(tilt), d])
    free = np.array([True, True, True, True, False, False, True])
    p, cost = _minimise(start, outline / unit, None, free)
    return _hoop(p, unit, cost)


def fit_hoop_to_anchors(
    outline: Float64, hole: Float64 | None, anchors: Float64, usual: Hoop | None
) -> Hoop:
    """Centre, rotation and scale from the two contact points (2, 2), left and right of up; the rest
    from the outlines, starting at the ``usual`` fit without anchors. Where they fit it badly, from
    what of them lies below the head, and from several elevations."""
    fit = _anchored(outline, hole, anchors, usual, None)
    if fit.cost < CLEAR_COST:
        return fit
    below = [
        None if points is None else points[_over_anchors(points, anchors) < BELOW_ANCHORS]
        for points in (outline, hole)
    ]
    if below[0] is None or len(below[0]) < LEAST_BELOW * OUTLINE_POINTS:
        return fit
    if below[1] is not None and len(below[1]) < LEAST_BELOW * OUTLINE_POINTS:
        below[1] = None
    fits = [
        _anchored(below[0], below[1], anchors, usual, np.deg2rad(elevation_deg))
        for elevation_deg in ANCHORED_STARTS_DEG
    ]
    return min(fits, key=lambda hoop: hoop.cost)


def _over_anchors(points: Float64, anchors: Float64) -> Float64:
    """(n,) how far up from the line of the anchors points lie, over half its length."""
    along = anchors[1] - anchors[0]
    across = (points - anchors[0]) @ np.array([along[1], -along[0]])
    return np.asarray(2 * across / max(float(along @ along), 1e-9))


def _anchored(
    outline: Float64,
    hole: Float64 | None,
    anchors: Float64,
    usual: Hoop | None,
    elevation_rad: float | None,
) -> Hoop:
    """One such fit, from the usual elevation or the one given."""
    left, right = anchors
    half = max(float(np.linalg.norm(right - left)) / 2, 1e-3)
    middle = (left + right) / 2
    along = (right - left) / (2 * half)
    turn = float(np.arctan2(along[1], along[0]))
    up = np.array([np.sin(turn), -np.cos(turn)])
    free = np.array([False, False, False, False, True, True, True])
    p = np.array([0, 0, turn, 1, 0.88, np.deg2rad(45), 0.12])
    if usual is not None:
        p[4:] = usual.ratio, usual.elevation_rad, usual.offset / usual.outer
    if elevation_rad is not None:
        p[5] = elevation_rad
    cost = 1.0
    # The anchors lie on the front rim, d below the centre, and R_o = R_i / ratio: settles in a few.
    for _ in range(4):
        p[3] = 1 / p[4]
        p[:2] = (middle + up * p[6] * p[3] * half) / half
        p, cost = _minimise(p, outline / half, None if hole is None else hole / half, free)
    p[3] = 1 / p[4]
    p[:2] = (middle + up * p[6] * p[3] * half) / half
    return _hoop(p, half, cost)


def hole_radius(sx: Float64, sy: Float64, radius: Real, tilt: Real, d: Real) -> Float64:
    """Length of unit rays from the centre to the hole's outline."""
    half = np.maximum(radius * tilt, 1e-4)
    return _ray(sx, sy, radius, half, np.where(sy < 0, d, -d))


def hull_radius(sx: Float64, sy: Float64, radius: Real, tilt: Real, d: Real) -> Float64:
    """Length of unit rays from the centre to the silhouette's outline."""
    half = np.maximum(radius * tilt, 1e-4)
    # By symmetry the farther of the two ellipses is the one shifted the ray's own way.
    ends = _ray(sx, sy, radius, half, np.where(sy < 0, -d, d))
    # Between the two ellipses the hull's sides are straight, |x| = R for |y| < d.
    side = radius / np.maximum(np.abs(sx), 1e-6)
    return np.where(np.abs(sy) * side < d, side, ends)


def crown_offset(d: Real, elevation: Real) -> Float64:
    """Shift of the outermost circles, where that of the opening's is d; outer radii."""
    return np.maximum(d - ROUNDING * np.cos(elevation), LEAST_CROWN * np.asarray(d))


def _hoop(p: Float64, unit: float, cost: float) -> Hoop:
    x, y, turn, outer, ratio, elevation, offset = (float(v) for v in p)
    return Hoop(
        x * unit, y * unit, turn, outer * unit, ratio, elevation, offset * outer * unit, cost
    )


def _ray(sx: Float64, sy: Float64, half_x: Real, half_y: Real, shift: Real) -> Float64:
    """Distance along each unit ray from the centre to the far side of a shifted ellipse."""
    a = (sx / half_x) ** 2 + (sy / half_y) ** 2
    b = shift * sy / half_y**2
    c = (shift / half_y) ** 2 - 1
    return np.asarray((b + np.sqrt(np.maximum(b * b - a * c, 0))) / a)


def _residuals(
    p: Float64, outline: Float64 | None, hole: Float64 | None, ends: Float64 | None = None
) -> Float64:
    """Radial misfit of both outlines in outer radii, that of the rim's ends, then the weak priors.

    p : (..., 7) sets of parameters; one row of residuals for each.
    """
    x, y, turn, outer, ratio, elevation, offset = np.moveaxis(p[..., None], -2, 0)
    sin, cos = np.sin(turn), np.cos(turn)
    tilt = np.sin(elevation)
    parts = []
    for points, radius, d, model in (
        (outline, 1.0, crown_offset(offset, elevation), hull_radius),
        (hole, ratio, offset, hole_radius),
    ):
        if points is None:
            continue
        dx, dy = (points[:, 0] - x) / outer, (points[:, 1] - y) / outer
        u, v = dx * cos + dy * sin, dx * sin - dy * cos
        r = np.maximum(np.sqrt(u * u + v * v), 1e-6)
        parts.append(r - model(u / r, v / r, radius, tilt, d))
    if ends is not None:
        dx, dy = (ends[:, 0] - x) / outer, (ends[:, 1] - y) / outer
        u, v = dx * cos + dy * sin, dx * sin - dy * cos
        level = v[..., :1] - v[..., 1:]
        far = np.abs(u) - ratio
        parts.append(ENDS_WEIGHT * ROBUST_SCALE / ENDS_SIGMA * np.concatenate([far, level], -1))
    width = 2 * offset / np.maximum(np.cos(elevation), 0.05)
    for value, (mean, spread) in (
        (ratio, USUAL_THICKNESS_RATIO),
        (width, USUAL_WIDTH_RATIO),
        (np.rad2deg(elevation), USUAL_ELEVATION_DEG),
    ):
        parts.append(ROBUST_SCALE * (value - mean) / spread)
    return np.concatenate(parts, axis=-1)


def _minimise(
    start: Float64,
    outline: Float64 | None,
    hole: Float64 | None,
    free: Mask,
    low: Float64 = _LOW,
    high: Float64 = _HIGH,
    ends: Float64 | None = None,
) -> tuple[Float64, float]:
    """Robust least squares over the free parameters. Returns them and the mean robust cost."""
    start = np.clip(start, low + 1e-4, high - 1e-4)

    def misfit(q: Float64) -> Float64:
        p = start.copy()
        p[free] = q
        return _residuals(p, outline, hole, ends)

    def slope(q: Float64) -> Float64:
        """Forward differences of all parameters in one call."""
        steps = STEP * np.diag(np.ones_like(q))
        p = np.tile(start, (q.size + 1, 1))
        p[:, free] = np.vstack([q, q + steps])
        values = _residuals(p, outline, hole, ends)
        return np.asarray((values[1:] - values[0]).T / STEP)

    found = least_squares(
        misfit,
        start[free],
        jac=slope,
        bounds=(low[free], high[free]),
        loss="cauchy",
        f_scale=ROBUST_SCALE,
        max_nfev=30,
        ftol=1e-4,
        xtol=1e-4,
        x_scale="jac",
    )
    p = start.copy()
    p[free] = found.x
    residual = _residuals(p, outline, hole)
    return p, float(np.log1p((residual / ROBUST_SCALE) ** 2).mean())
