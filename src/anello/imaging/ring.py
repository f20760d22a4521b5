"""The ring's shape in its product photo: hoop, elevation, contact points, head.

The hoop's own fit is in ``hoop_fit``; it cannot tell the two ends of the short axis apart, because
silhouette and hole are symmetric about the centre. The head, or the picture's own up, decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from anello.imaging import hoop as proxy
from anello.imaging.arrays import Bytes, Float64, Mask
from anello.imaging.color import srgb_to_linear
from anello.imaging.evidence import Clues
from anello.imaging.hoop_fit import (
    POOR_COST,
    USUAL_WIDTH_RATIO,
    Hoop,
    fit_hoop,
    fit_hoop_to_anchors,
    fit_silhouette,
    outline_of,
)
from anello.imaging.matting import Cutout
from anello.imaging.warp import downscaled

ViewClass = Literal["three_quarter", "face", "top", "side"]

LEAST_HEAD, CLEAR_HEAD = 0.012, 0.05
"""Share of the silhouette that must stick out of the hoop's to be a head, and to tell which side of
a good fit is up."""
BLUNT_ENDS, LONG_RING = 0.35, 1.9
"""Thickness of a top view's ends over its length, and length over breadth (standard deviations),
from which the long axis gives the line of the contact points."""
FIT_SIDE = 512
"""Long side of the copy that outlines are traced on, px; contours there are good to 0.1 px."""
LEAST_OPENING = 0.15
"""Size of an opening in pieces over the ring's own: less are the gaps of open-work."""
LEAST_PIECE = 0.2
"""Size of a piece of the opening, over the piece found first, to be taken for one."""
METAL_RATIO = (0.844, 0.02)
"""R_i / R_o of rings that last, mean and spread: 1.2 to 2.2 mm of metal round a finger of 17 mm."""
MEASURED_RATIO_SIGMA = 0.025
"""Error of the fitted R_i / R_o once its excess is taken off."""
RATIO_EXCESS, RATIO_EXCESS_CUT = 0.01, 0.04
"""What the fitted R_i / R_o is too large by: edges are rounded, so the opening is seen wider than
the bore and the silhouette narrower than the outermost circle; and a cut-out of our own eats a
little from both. Measured on the bench's product photos."""
GIVEN = ("alpha", "mask", "as-is")
"""Methods of a cut-out whose silhouette came with the picture."""
DOUBTFUL_COST = 1.3
"""Cost of a hoop's fit (see ``Hoop.cost``) from which it is in doubt."""
FAINT_ENDS = 0.24
"""Score below which the rim's ends as they were seen say nothing."""
ELSEWHERE, ENDS_SAY = 0.06, 0.5
"""Distance from a fit's contact points, over the opening's length, from which the fit gives way to
those that were seen; and what they count for beside it if they are nearer."""
NO_HOOP_COST = 3.3
"""Cost of ends that no hoop has."""
FROM_ABOVE_DEG = 10.0
"""Elevation up to which a ring without an opening is seen from above its head."""
ENDS_ALONE = 0.5
"""Confidence in a hoop that only its ends tell."""
OFF_ELEVATION_DEG = 8.0
"""How far such a fit's elevation may lie from the one that was seen, which is off by 4 degrees."""
NOT_ITS_OPENING = 2.5
"""Cost of a hoop's fit from which the opening is rather a gap beside the head."""
OFFSET_SIGMA, OFFSET_SIGMA_CUT = 0.004, 0.021
"""Error of half the width as a fit sees it, outer radii, where the silhouette is exact, and where
it was cut out here, with cameras that are near: the wide look wider and the slim slimmer."""
NEAR, OFF_RING = 0.15, 0.25
"""How far from a hoop's contact points, over the opening's length, others may lie and only correct
it; farther off, it is the hoop that is wrong. And how far from the ring anchors may lie, over their
distance: they are put by hand, and a cut-out may have lost an end."""
BESIDE = 0.7
"""Tangent of how far over or under a hoop's middle its head is that tells which side is up."""
CLEARLY_UP = 0.7
"""Cosine between the hoop's short axis and the way from its far to its near half as it was seen."""
EXCESS = 0.035
"""How far outside the fitted silhouette, outer radii, something sticks out."""
STONE_COLOUR = 0.45
"""Distance, log ratios, at which a colour is not the metal's: mirrored rooms stay below."""
STONE_SHARE = (0.03, 0.45)
"""Share of the band that stones of another colour take; more is a band set all round."""
STONE_SPREAD = 0.45
"""Standard deviation of their azimuth, radians, beyond which they are no one place."""
GUESSED = "no opening is seen: elevation and width of the band are guesses"
FROM_ABOVE = "no opening is seen: the ring is taken as photographed from straight above its head"
UNCLEAR = (
    "the hoop's outline is unclear (several rings, open-work or a large head); "
    "a three-quarter view of one ring, or anchor points, help"
)


@dataclass(frozen=True, slots=True, eq=False)
class RingShape:
    """A hoop as seen in a product photo.

    centre_xy : (2,) px, middle of the hoop's axis, halfway between the rims.
    rotation_deg : clockwise angle from the picture's up to ``up``, the visible top's direction.
    inner_radius_px, outer_radius_px, band_width_px : unforeshortened, px of the product photo.
    elevation_deg : 0 looks at the visible top edge-on, 90 through the hole.
    head_deg : azimuth of the head about the axis from the visible top, positive towards right.
    contact_xy : (2, 2) px, left and right ends of the front inner rim.
    confidence : 0 to 1.
    shoulders : how the band grows towards the head; None if it hardly does.
    fitted : the hoop as it fits the outlines of silhouette and opening, px; None if it was not.
    """

    centre_xy: Float64
    rotation_deg: float
    inner_radius_px: float
    outer_radius_px: float
    band_width_px: float
    elevation_deg: float
    head_deg: float
    contact_xy: Float64
    view: ViewClass
    confidence: float
    warnings: tuple[str, ...]
    shoulders: proxy.Shoulders | None = None
    fitted: Hoop | None = None

    @property
    def top_seen(self) -> float:
        """How squarely a head's top is seen: 1 from straight above, 0 from its side."""
        head, elevation = np.deg2rad([self.head_deg, self.elevation_deg])
        return float(np.cos(head) * np.cos(elevation))

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

    @property
    def hoop(self) -> proxy.Hoop:
        """As the proxy of the turn has it."""
        radii = self.inner_radius_px, self.outer_radius_px
        return proxy.Hoop(
            *radii, self.band_width_px, self.shoulders, float(np.deg2rad(self.head_deg))
        )

    def project(self, radius: Float64, azimuth_rad: Float64, axial: Float64) -> Float64:
        """(..., 2) picture points of points on the hoop."""
        tilt = np.deg2rad(self.elevation_deg)
        x = np.asarray(radius * np.sin(azimuth_rad))
        y = np.asarray(radius * np.cos(azimuth_rad) * np.sin(tilt) - axial * np.cos(tilt))
        moved: Float64 = self.centre_xy + x[..., None] * self.right_xy + y[..., None] * self.up_xy
        return moved


def fit_ring(cutout: Cutout) -> RingShape | None:
    """The hoop of a cut-out ring, or None if there is none."""
    traced = _traced(cutout)
    if traced is None:
        return None
    found = _fit(traced)
    if found is None or (not traced.holes and found.cost > POOR_COST):
        return _by_ends(traced, cutout) or _without_opening(traced.solid, traced.scale)
    return _by_outlines(traced, found, cutout)


def at_anchors(shape: RingShape, cutout: Cutout, anchors: Float64) -> RingShape | None:
    """The hoop with its contact points where a client has put them, which decides its centre,
    rotation and scale; None if they don't lie on the ring.

    shape : as it was fitted without them, which tells the rest where it is sure and lies near.
    anchors : (2, 2) px.
    """
    traced = _traced(cutout)
    if traced is None:
        return None
    given, free_ends = ((xy + 0.5) * traced.scale - 0.5 for xy in (anchors, shape.contact_xy))
    ring = np.argwhere(traced.solid)[:, ::-1]
    off = max(float(np.linalg.norm(ring - point, axis=1).min()) for point in given)
    if off > OFF_RING * float(np.linalg.norm(given[1] - given[0])):
        return None
    ends = _left_to_right(given, shape.right_xy)
    is_sure = UNCLEAR not in shape.warnings and FROM_ABOVE not in shape.warnings
    if not is_sure or _apart(ends, free_ends) > NEAR:
        return _by_anchors(traced, given, cutout)
    hoop = _hoop_of(shape).scaled(traced.scale).carried(free_ends, ends)
    head_deg = _head_deg(hoop, traced.rgb, traced.solid)
    return _shape(hoop, ends, head_deg, traced.scale, shape.confidence, shape.warnings)


def _fit(traced: _Traced) -> Hoop | None:
    """The hoop that fits the outlines best, which side of it is up not yet known."""
    if traced.holes:
        ends = traced.clues.contacts_xy
        fits = [fit_hoop(traced.outline, hole, ends) for hole in traced.holes]
        return min((fit for fit in fits if fit), key=lambda fit: fit.cost, default=None)
    return fit_silhouette(traced.outline) if _is_convex(traced.solid) else None


def _by_anchors(traced: _Traced, anchors: Float64, cutout: Cutout) -> RingShape:
    """The hoop at contact points that were given, whatever the outlines say."""
    found, clues = _fit(traced), traced.clues
    usual = None if found is None else _turned_up(found, traced.solid, clues)
    ends = _left_to_right(anchors, None if usual is None else usual.right_xy)
    hoop = _with_usual_metal(
        _fit_to_ends(ends, clues.elevation_deg, usual, traced.outline, traced.holes)
    )
    hoop = _with_likely_width(hoop, cutout.method in GIVEN)
    head_deg = _head_deg(hoop, traced.rgb, traced.solid)
    return _shape(hoop, ends, head_deg, traced.scale, cutout.confidence, ())


def _by_outlines(traced: _Traced, found: Hoop, cutout: Cutout) -> RingShape | None:
    """The hoop as the outlines say, or, where they are in doubt, as the rim's ends do."""
    holes, solid, clues = traced.holes, traced.solid, traced.clues
    hoop = _turned_up(found, solid, clues)
    confidence = float(np.clip(1.05 - 0.24 * hoop.cost, 0.05, 1.0)) * cutout.confidence
    warnings: tuple[str, ...] = () if holes else (GUESSED,)
    seen = _ends_seen(clues, hoop)
    at_ends = None
    if seen is not None and _apart(seen, hoop.ends_xy) > ELSEWHERE:
        at_ends = _at_ends(seen, clues.elevation_deg, hoop, traced.outline, holes)
    fitted = hoop.scaled(1 / traced.scale) if holes and at_ends is None else None
    if at_ends is not None:
        hoop, ends_xy = _with_usual_metal(at_ends), at_ends.ends_xy
    elif hoop.cost > NOT_ITS_OPENING:
        return _without_opening(solid, traced.scale)
    else:
        if hoop.cost > POOR_COST:
            warnings += (UNCLEAR,)
        # Of the opening as it is seen, which its rounded edges make wider than the bore.
        ends_xy = hoop.ends_xy if seen is None else _ends_by_both(hoop, seen, bool(holes))
        hoop = _with_likely_metal(hoop, cutout.method in GIVEN)
    hoop = _with_likely_width(hoop, cutout.method in GIVEN)
    head_deg = _head_deg(hoop, traced.rgb, solid)
    shape = _shape(hoop, ends_xy, head_deg, traced.scale, confidence, warnings)
    return replace(shape, fitted=fitted)


def _by_ends(traced: _Traced, cutout: Cutout) -> RingShape | None:
    """The hoop with the rim's ends as they were seen, where outlines tell none; None if it fits
    them badly, or the ring was seen from above."""
    clues = traced.clues
    seen = _ends_seen(clues, None)
    if seen is None or clues.elevation_deg is None or clues.elevation_deg < FROM_ABOVE_DEG:
        return None
    # Either side of them may be up.
    tried = [
        _at_ends(ends, clues.elevation_deg, None, traced.outline, traced.holes)
        for ends in (seen, seen[::-1])
    ]
    fair = [hoop for hoop in tried if hoop is not None and hoop.cost < POOR_COST]
    if not fair:
        return None
    hoop = _with_usual_metal(min(fair, key=lambda hoop: hoop.cost))
    ends_xy = hoop.ends_xy
    hoop = _with_likely_width(hoop, cutout.method in GIVEN)
    head_deg = _head_deg(hoop, traced.rgb, traced.solid)
    confidence = ENDS_ALONE * cutout.confidence
    return _shape(hoop, ends_xy, head_deg, traced.scale, confidence, (GUESSED,))


def _ends_seen(clues: Clues, hoop: Hoop | None) -> Float64 | None:
    """(2, 2) px, the rim's ends as they were seen, left and right of up; None if hardly."""
    if clues.contacts_xy is None or clues.contact_score < FAINT_ENDS:
        return None
    return _left_to_right(clues.contacts_xy, None if hoop is None else hoop.right_xy)


def _apart(ends: Float64, others: Float64) -> float:
    """How far contact points lie from others, over the opening's length."""
    length = float(np.linalg.norm(others[1] - others[0]))
    return float(np.linalg.norm(ends - others, axis=1).max()) / length


def _ends_by_both(hoop: Hoop, seen: Float64, has_opening: bool) -> Float64:
    """(2, 2) px, the contact points of a fit that heeds those that were seen near its own."""
    fitted = hoop.ends_xy
    apart = _apart(seen, fitted)
    if not has_opening:  # a silhouette alone doesn't tell where they are
        return seen if hoop.cost < POOR_COST and apart < NEAR else fitted
    return fitted + ENDS_SAY * (seen - fitted) if apart <= ELSEWHERE else fitted


def _at_ends(
    ends: Float64,
    elevation_deg: float | None,
    hoop: Hoop | None,
    outline: Float64,
    holes: list[Float64],
) -> Hoop | None:
    """The hoop with the rim's ends as they were seen, if there is one."""
    fit = _fit_to_ends(ends, elevation_deg, hoop, outline, holes)
    return fit if fit.cost <= NO_HOOP_COST else None


def _fit_to_ends(
    ends: Float64,
    elevation_deg: float | None,
    hoop: Hoop | None,
    outline: Float64,
    holes: list[Float64],
) -> Hoop:
    """The hoop that fits best of those with these ends, and hardly another elevation than seen."""
    fit = fit_hoop_to_anchors(outline, holes[0] if holes else None, ends, hoop)
    if elevation_deg is not None:
        seen_rad, off = np.deg2rad([elevation_deg, OFF_ELEVATION_DEG])
        if abs(fit.elevation_rad - seen_rad) > off:
            fit = replace(fit, elevation_rad=float(seen_rad))
    return fit


def _left_to_right(ends: Float64, right_xy: Float64 | None) -> Float64:
    """The two points so that the second lies to a hoop's right of the first; to the picture's where
    there is no hoop, or one that lies quite differently."""
    way = ends[1] - ends[0]
    right = np.array([1.0, 0.0])
    if right_xy is not None and abs(way @ right_xy) > 0.5 * float(np.hypot(*way)):
        right = right_xy
    return ends if way @ right >= 0 else ends[::-1].copy()


# --- outlines ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Traced:
    """The ring on the reduced copy, which is ``scale`` times as large.

    rgb, solid : (h, w, 3) colours and (h, w) mask.
    outline : (n, 2) px, of the silhouette.
    holes : what may be the opening: outlines (n, 2) of the one found and, where a head parts it in
        two, of all that is enclosed.
    """

    rgb: Bytes
    solid: Mask
    outline: Float64
    holes: list[Float64]
    clues: Clues
    scale: float


def _traced(cutout: Cutout) -> _Traced | None:
    """The outlines of a cut-out; None if there are none."""
    scale = min(1.0, FIT_SIDE / max(cutout.alpha.shape))
    rgb, alpha = cutout.rgb, cutout.alpha
    if scale < 1:
        size = (round(alpha.shape[1] * scale), round(alpha.shape[0] * scale))
        rgb, alpha = downscaled(rgb, size), downscaled(alpha, size)
    solid = alpha > 127
    outline = outline_of(solid) if solid.any() else None
    if outline is None:
        return None
    holes = [] if cutout.opening is None else _holes(cutout.opening, solid)
    clues = (cutout.clues or Clues(None)).in_crop((0.0, 0.0), scale)
    return _Traced(rgb, solid, outline, holes, clues, scale)


def _holes(opening: Mask, solid: Mask) -> list[Float64]:
    """Outlines of what may be the hoop's hole."""
    height, width = solid.shape
    near = downscaled(255 * opening.astype(np.uint8), (width, height))
    hole = cv2.dilate(near, np.ones((3, 3), np.uint8)) > 127
    hole &= ~solid
    candidates = [outline_of(hole), _outline_of_all_enclosed(solid, int(np.count_nonzero(hole)))]
    return [outline for outline in candidates if outline is not None]


def _outline_of_all_enclosed(solid: Mask, opening_px: int) -> Float64 | None:
    """The hull of what the ring encloses, where that is two pieces and no open-work. A
    hoop's hole is convex, so the hull gives back what a head covers in its middle."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~solid).astype(np.uint8))
    height, width = solid.shape
    pieces = np.zeros(solid.shape, np.bool_)
    n_pieces = 0
    for k in range(1, count):
        x, y, w, h, area = stats[k]
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        if inside and area > LEAST_PIECE * opening_px:
            pieces |= labels == k
            n_pieces += 1
    if n_pieces != 2 or np.count_nonzero(pieces) < LEAST_OPENING * np.count_nonzero(solid):
        return None
    hull = cv2.convexHull(cv2.findNonZero(pieces.astype(np.uint8)))
    whole = cv2.fillConvexPoly(np.zeros(solid.shape, np.uint8), hull, 1)
    return outline_of(whole > 0)


# --- up, head -------------------------------------------------------------------------------------


def _turned_up(hoop: Hoop, solid: Mask, clues: Clues | None = None) -> Hoop:
    """``up`` towards a clear head or the near half of the band, else upwards in the picture."""
    found = _sticking_out(hoop, solid)
    # What sticks out of a poor fit is more often the rest of a reflection than a head.
    if found is not None and found[1] > CLEAR_HEAD and hoop.cost < DOUBTFUL_COST:
        (u, v), _ = found
        tells = abs(v) > BESIDE * abs(u) * np.sin(hoop.elevation_rad)
        if tells or clues is None or clues.up_xy is None:
            return _turned(hoop, v < 0)
    if clues is not None and clues.up_xy is not None:
        along = float(clues.up_xy @ [np.sin(hoop.turn_rad), -np.cos(hoop.turn_rad)])
        if abs(along) > CLEARLY_UP:
            return _turned(hoop, along < 0)
    return _turned(hoop, bool(np.cos(hoop.turn_rad) < 0))


def _turned(hoop: Hoop, flip: bool) -> Hoop:
    """The hoop, or the same with its other side up; -180 to 180 degrees."""
    turn = hoop.turn_rad + (np.pi if flip else 0)
    return replace(hoop, turn_rad=float((turn + np.pi) % (2 * np.pi) - np.pi))


def _head_deg(hoop: Hoop, rgb: Bytes, solid: Mask) -> float:
    """Azimuth of the head from the visible top: of what sticks out, else of what is of another
    colour than the metal; 0 where neither tells."""
    found = _sticking_out(hoop, solid)
    if found is not None and found[0][1] > 0:
        (u, v), _ = found
        return float(np.rad2deg(np.arctan2(u, v / np.sin(hoop.elevation_rad))))
    return _decoration_deg(hoop, rgb, solid)


def _sticking_out(hoop: Hoop, solid: Mask) -> tuple[tuple[float, float], float] | None:
    """Centre, in the hoop's frame, and share of the ring's area of what leaves its silhouette."""
    within, _ = hoop.outlines(-0.8 * EXCESS)
    beyond = solid.astype(np.uint8)
    cv2.fillPoly(beyond, [np.round(within).astype(np.int32)], 0)
    found = cv2.findNonZero(beyond)
    if found is None:
        return None
    x, y = np.ascontiguousarray(found.reshape(-1, 2).T, np.float64)
    outside, _ = hoop.excess(x, y)
    excess = outside > EXCESS
    share = float(excess.sum()) / max(1, int(np.count_nonzero(solid)))
    if share <= LEAST_HEAD:
        return None
    u, v = hoop.to_own_frame(x[excess], y[excess])
    weight = outside[excess]
    return (float(np.average(u, weights=weight)), float(np.average(v, weights=weight))), share


def _decoration_deg(hoop: Hoop, rgb: Bytes, solid: Mask) -> float:
    """Azimuth of stones set into the band, by their colour."""
    rows, cols = np.nonzero(solid)
    u, v = hoop.to_own_frame(cols.astype(np.float64), rows.astype(np.float64))
    toward = np.sqrt(np.maximum(1 - u**2, 0))
    along = (toward * np.sin(hoop.elevation_rad) - v) / max(float(np.cos(hoop.elevation_rad)), 0.1)
    on_band = (np.abs(u) < 0.95) & (np.abs(along) * hoop.outer < 0.5 * hoop.width)
    if np.count_nonzero(on_band) < 100:
        return 0.0
    other = _off_metal(rgb[rows[on_band], cols[on_band]]) > STONE_COLOUR
    share = float(other.mean())
    if not STONE_SHARE[0] < share < STONE_SHARE[1]:
        return 0.0
    azimuth = np.arcsin(u[on_band][other])
    if float(azimuth.std()) > STONE_SPREAD:
        return 0.0
    return float(np.rad2deg(np.median(azimuth)))


def _off_metal(rgb: Bytes) -> Float64:
    """(n,) distance of each colour, in (log R/G, log B/G), from what the ring's metal can show: its
    own colour times a nearly neutral room lies between neutral and somewhat beyond it."""
    linear = srgb_to_linear(rgb).astype(np.float64) + 0.02
    ratios = np.log(linear[:, [0, 2]] / linear[:, 1:2])
    typical = np.median(ratios, axis=0)
    length = float(np.hypot(*typical))
    axis = typical / max(length, 1e-6)
    along = np.clip(ratios @ axis, 0, 1.8 * length + 0.05)
    return np.asarray(np.hypot(*(ratios - along[:, None] * axis).T))


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
    ratio = METAL_RATIO[0]
    across = (points - middle) @ np.array([-np.sin(turn), np.cos(turn)])
    offsets = (points - middle) @ along_xy
    at_ends = (offsets < low + 0.12 * 2 * outer) | (offsets > high - 0.12 * 2 * outer)
    seat = float(np.median(across[at_ends]))
    centre = middle + along_xy * (low + high) / 2 + np.array([-np.sin(turn), np.cos(turn)]) * seat
    hoop = Hoop(
        float(centre[0]), float(centre[1]), turn, outer, ratio, np.deg2rad(3.0), thick_px / 2, 1.0
    )
    return _shape(hoop, hoop.ends_xy, 0.0, scale, 0.4, (FROM_ABOVE,))


def _end_thickness(centred: Float64, turn_rad: float) -> float:
    """Extent across, of the thicker of the two ends of a shape, over its length."""
    along = centred @ np.array([np.cos(turn_rad), np.sin(turn_rad)])
    across = centred @ np.array([-np.sin(turn_rad), np.cos(turn_rad)])
    length = float(np.ptp(along))
    reach = 0.12 * length
    ends = (along < along.min() + reach, along > along.max() - reach)
    return max(float(np.ptp(across[end])) for end in ends) / length


def _with_usual_metal(hoop: Hoop) -> Hoop:
    """The hoop with its bore and the usual R_i / R_o: outlines that fit no hoop don't tell it."""
    bore = hoop.outer * hoop.ratio
    return replace(hoop, outer=bore / METAL_RATIO[0], ratio=METAL_RATIO[0])


def _with_likely_metal(hoop: Hoop, given: bool) -> Hoop:
    """The hoop with R_i / R_o, and with it R_i, by what was measured and by what metal needs to be,
    weighted by their variances. given : the silhouette is exact, not cut out here."""
    measured = hoop.ratio - (RATIO_EXCESS if given else RATIO_EXCESS_CUT)
    own, usual = 1 / MEASURED_RATIO_SIGMA**2, 1 / METAL_RATIO[1] ** 2
    ratio = (own * measured + usual * METAL_RATIO[0]) / (own + usual)
    return replace(hoop, ratio=ratio)


def _with_likely_width(hoop: Hoop, given: bool) -> Hoop:
    """The hoop with w by what was measured and by what bands are, as above: seen through the hole
    little of it is left."""
    cosine = max(float(np.cos(hoop.elevation_rad)), 0.05)
    own = (cosine / 2 / (OFFSET_SIGMA if given else OFFSET_SIGMA_CUT)) ** 2
    usual = 1 / USUAL_WIDTH_RATIO[1] ** 2
    width = (own * hoop.width + usual * USUAL_WIDTH_RATIO[0] * hoop.outer) / (own + usual)
    return replace(hoop, offset=width * cosine / 2)


def _hoop_of(shape: RingShape) -> Hoop:
    """The hoop of a shape, as it would fit the full photo."""
    elevation = float(np.deg2rad(shape.elevation_deg))
    return Hoop(
        x=float(shape.centre_xy[0]),
        y=float(shape.centre_xy[1]),
        turn_rad=float(np.deg2rad(shape.rotation_deg)),
        outer=shape.outer_radius_px,
        ratio=shape.inner_radius_px / shape.outer_radius_px,
        elevation_rad=elevation,
        offset=shape.band_width_px * float(np.cos(elevation)) / 2,
        cost=0.0,
    )


def _shape(
    hoop: Hoop,
    ends_xy: Float64,
    head_deg: float,
    scale: float,
    confidence: float,
    warnings: tuple[str, ...],
) -> RingShape:
    """Back to the full photo's pixels."""
    elevation = float(np.rad2deg(hoop.elevation_rad))
    view: ViewClass = "three_quarter"
    if elevation > 72:
        view = "face"
    elif elevation < 12:
        view = "top"
    elif abs(head_deg) > 60:
        view = "side"
    return RingShape(
        centre_xy=(np.array([hoop.x, hoop.y]) + 0.5) / scale - 0.5,
        rotation_deg=float(np.rad2deg(hoop.turn_rad)),
        inner_radius_px=hoop.outer * hoop.ratio / scale,
        outer_radius_px=hoop.outer / scale,
        band_width_px=hoop.width / scale,
        elevation_deg=elevation,
        head_deg=head_deg,
        contact_xy=(ends_xy + 0.5) / scale - 0.5,
        view=view,
        confidence=confidence,
        warnings=warnings,
    )
