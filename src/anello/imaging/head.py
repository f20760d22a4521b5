"""The head of a ring: how high it stands over the hoop and how far it reaches along the finger.

One picture does not show where the top of the head ends and its upright wall begins. What makes
it decidable is that heads are nearly symmetric fore and aft: the near edge of the top is the mirror
image of its far edge, which is the silhouette. That leaves the height of the top as the one
unknown, and the widest row of the head tells it: it runs through the middle of the top.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Mask
from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.shoulders import WORKING_RADIUS, overhangs, upright_silhouette
from anello.imaging.view import View

MIN_EXCESS = 0.07
"""How far, in outer radii, the silhouette must leave the hoop's to be a head and not a bead."""

MIN_AREA = 0.01
"""Least area, in squared outer radii, of that excess."""

ASPECT_RANGE = (0.35, 1.05)
"""Axial over tangential half-extent of a head's crown: a stone set across, a stone set along."""

LONGEST = 1.5
"""The same, of all that is read as its top, claws and corners among it."""

PRONG = 0.07
"""Half-width, in outer radii, of what is too thin to be the head's outline."""

USUAL_HEIGHT = 1.2
"""Height of the top above the hoop's axis, in outer radii, where it can't be seen."""

LOWEST, TALLEST = 1.02, 1.6
"""Range of a top's height over the hoop's axis, outer radii: a flush signet, a tall solitaire."""

OVERHANG = 0.25
"""How far, in outer radii, a top may hang into the opening: where wires hide that, what is seen
below them is the band's inside."""

CLIFF = 0.10
"""Fall of the silhouette, in outer radii within CLIFF_RUN of them, that ends the crown: beside it a
lower part begins (the side stones of a three-stone ring, the shoulders)."""

CLIFF_RUN = 0.06

CORNER, LONE_CROWN = 0.25, 0.65
"""A crown narrower than the second share of its head has neighbours, each at its own height; one
narrower than the first is but a corner or a claw of the head."""

NEIGHBOUR_REACH = 0.8
"""Axial extent of such neighbours over the crown's: side stones are a little smaller."""

NEIGHBOUR_BLEND = 0.1
"""Half-width, in outer radii, over which one part's height passes into the next one's."""

GAP_REACH = 0.4
"""The same between neighbours, where the silhouette dips."""

NARROWEST = 0.1
"""Width of a head, in outer radii, below which it is a ripple of the silhouette."""

ASIDE_DEG = 30.0
"""Azimuth from which a head is turned aside: its top is levelled, and measured by its end away from
the viewer if that is to be seen, for beside the other end the wall is."""

END, BESIDE_HOOP, END_ABOVE = 0.06, 0.02, 1.08
"""How deep that end is, how far beside the hoop it lies at least, and how high, or it is a side
stone's; outer radii."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The decorated part above the hoop, in its own frame, pixels of the product photo.

    q : (N,) tangential coordinates, increasing. height : (N,) of the top above the hoop's axis.
    reach : (N,) axial half-extent of the top. middle : (N,) where the product photo shows the line
    halfway along it, y upwards from the hoop's centre.
    """

    q: Float
    height: Float
    reach: Float
    middle: Float

    @property
    def azimuth_range(self) -> tuple[float, float]:
        """Azimuths about the hoop's axis, from the head's middle, that the head covers. Radians."""
        first, last = np.arctan2(self.q[[0, -1]], self.height[[0, -1]])
        return float(first), float(last)


def fit_head(cutout: Cutout, shape: RingShape) -> Head | None:
    """Find the head of the cut-out ring; None for a band without one.

    A point of the head at tangential q, height h and axial s is seen at
    x = q cos a + h sin a, y = (h cos a - q sin a) sin e + s cos e. With y + x tan a sin e for y,
    that is h sin e / cos a + s cos e: however far the head is turned aside (a), the middle of its
    top is a level line, as if it faced the viewer. Heads that are turned little are left as they
    are, for below a level top more of their wall would be seen.
    """
    scale = WORKING_RADIUS / shape.outer_radius_px
    view = View.of_product(shape)
    if shape.view == "top":
        coverage, x, y = upright_silhouette(cutout, shape, scale)
        return _seen_from_above(coverage > 127, x[0], y[:, 0], shape, scale)
    se, ce = np.sin(view.elevation), np.cos(view.elevation)
    c, s = np.cos(view.azimuth), np.sin(view.azimuth)
    is_aside = abs(view.azimuth) > np.radians(ASIDE_DEG)
    shear = s / c * se if is_aside else 0.0
    coverage, x, y = upright_silhouette(cutout, shape, scale, shear)
    alpha = coverage > 127
    columns = _head_columns(alpha, x, y, shape, scale, shear)
    if columns is None:
        return None
    rise, slope = c * se + s * shear, c * shear - s * se
    top = _fit_top(coverage, x[0], y, columns, shape, scale, rise)
    # Less of the wall gives a higher top, and that less of the wall: settled after four.
    for _ in range(4 if is_aside else 0):
        columns = _without_wall(columns, x[0], top.height * s)
        top = _fit_top(coverage, x[0], y, columns, shape, scale, rise)
    lo, hi = columns
    q = (x[0, lo : hi + 1] - top.height * s) / c
    middle = top.middle + slope * q
    height = np.full_like(q, top.height)
    if top.has_neighbours:
        run = 2 * round(NEIGHBOUR_BLEND * WORKING_RADIUS) + 1
        beside = top.line - NEIGHBOUR_REACH * top.reach * ce
        beside[top.crown] = middle[top.crown]
        lower = (middle - cv2.blur(beside.reshape(1, -1), (run, 1))[0]) / rise
        height = np.maximum(top.height - lower, WORKING_RADIUS)
        middle = middle - (top.height - height) * rise
    reach = (top.line - middle) / ce
    inside = np.flatnonzero(reach > 0)
    if len(inside) == 0 or np.ptp(q[inside]) < NARROWEST * WORKING_RADIUS:
        return None
    first, last = inside[0], inside[-1]
    if top.has_neighbours:
        # Between two parts the silhouette may dip below the line: their near edges stay.
        reach[first:last] = np.maximum(reach[first:last], GAP_REACH * top.reach)
    kept = slice(first, last + 1)
    middle -= shear * x[0, lo : hi + 1]
    # Through the hole a pixel of height is many of length.
    reach = np.clip(reach, 0, LONGEST * np.ptp(q[kept]) / 2)
    return Head(*((v[kept] / scale).astype(np.float32) for v in (q, height, reach, middle)))


@dataclass(frozen=True, slots=True, eq=False)
class _Top:
    """The top of a head, working px.

    line : (n,) y of its far edge, column by column. crown : columns of its highest part.
    has_neighbours : whether there are lower ones. middle : y of the crown's middle. reach,
    height : as in ``Head``, of the crown.
    """

    line: Float64
    crown: slice
    has_neighbours: bool
    middle: float
    reach: float
    height: float


def _fit_top(
    coverage: Bytes,
    x: Float,
    y: Float,
    columns: tuple[int, int],
    shape: RingShape,
    scale: float,
    rise: float,
) -> _Top:
    """The top between two columns of a silhouette, in which what stands higher by 1 is seen higher
    by ``rise``."""
    view = View.of_product(shape)
    c, ce = np.cos(view.azimuth), np.cos(view.elevation)
    lo, hi = columns
    alpha = coverage > 127
    line = _tops(alpha, y)[lo : hi + 1] + overhangs(coverage[:, lo : hi + 1])
    crown = _crown(line)
    share = (crown[1] - crown[0]) / (hi - lo)
    has_neighbours = CORNER < share < LONE_CROWN
    if not has_neighbours:
        crown = (0, hi - lo)
    rows, peak = _crown_widths(alpha[:, lo : hi + 1], y[:, 0], crown)
    half_width = max(float(rows.max()) / 2, 1.0) / c
    middle_depth = float(np.flatnonzero(rows >= 0.94 * rows.max()).mean())
    reach = float(np.clip(middle_depth / ce, *(np.array(ASPECT_RANGE) * half_width)))
    near_rim = shape.inner_radius_px * rise - shape.band_width_px / 2 * ce
    reach = min(
        reach,
        _longest_reach(alpha, y[:, 0], (lo + crown[0], lo + crown[1]), view.elevation),
        (peak - near_rim * scale + OVERHANG * WORKING_RADIUS) / (2 * ce),
    )
    end = _outer_end(alpha, x, y[:, 0], columns, view.azimuth)
    if end is not None and end > END_ABOVE * WORKING_RADIUS * rise:
        reach = max((peak - end) / ce, 0.0)
    lowest, tallest = LOWEST * WORKING_RADIUS, TALLEST * WORKING_RADIUS
    if peak - reach * ce < lowest * rise:
        reach = max((peak - lowest * rise) / ce, 0.0)
    middle = peak - reach * ce
    height = float(np.clip(middle / rise, lowest, tallest))
    return _Top(line, slice(crown[0], crown[1] + 1), has_neighbours, middle, reach, height)


def _outer_end(
    alpha: Mask, x: Float, y: Float, columns: tuple[int, int], azimuth: float
) -> float | None:
    """y of the end of a top that is turned aside, where no wall is seen, so that its middle line
    runs through it; None of a top that is not, or whose end lies before the hoop."""
    depth, side = round(END * WORKING_RADIUS), 1 if azimuth > 0 else -1
    first, last = columns
    outer = last if azimuth > 0 else first
    stands_out = side * x[outer] > (1 + END + BESIDE_HOOP) * WORKING_RADIUS
    if abs(azimuth) < np.radians(ASIDE_DEG) or not stands_out:
        return None
    inner = outer - side * depth
    end = alpha[:, min(inner, outer) : max(inner, outer) + 1]
    return float(np.mean(y[np.nonzero(end)[0]]))


def _without_wall(columns: tuple[int, int], x: Float, middle: float) -> tuple[int, int]:
    """Of a head turned aside the side towards the viewer shows the wall below the top, too: it ends
    as far from the middle, x, as the other side does."""
    lo, hi = columns
    if middle > 0:
        lo = max(lo, int(np.searchsorted(x, 2 * middle - x[hi])))
    else:
        hi = min(hi, int(np.searchsorted(x, 2 * middle - x[lo])))
    return (lo, hi) if hi - lo > 2 * PRONG * WORKING_RADIUS else columns


def _longest_reach(alpha: Mask, y: Float, columns: tuple[int, int], elevation: float) -> float:
    """The top must end above what opens below it."""
    quarter = (columns[1] - columns[0]) // 4
    middle = alpha[:, columns[0] + quarter : columns[1] - quarter + 1].astype(np.uint8)
    side = 2 * round(PRONG * WORKING_RADIUS) + 1
    solid = cv2.morphologyEx(middle, cv2.MORPH_CLOSE, np.ones((side, 1), np.uint8)) > 0
    first = solid.argmax(0)
    below = np.arange(len(y))[:, None] > first
    opens = (below & ~solid).argmax(0)
    depth = np.median(y[first] - y[opens])
    return float(depth / (2 * np.cos(elevation)))


def _seen_from_above(
    alpha: Mask, x: Float, y: Float, shape: RingShape, scale: float
) -> Head | None:
    """The head of a ring photographed straight at its top: its outline is all there is to see."""
    tops = _tops(alpha, y[:, None])
    bottoms = -_tops(alpha[::-1], -y[::-1, None])
    reach = np.where(alpha.any(0), np.maximum(tops, -bottoms), 0)
    tilt = np.radians(shape.elevation_deg)
    rim = np.sqrt(np.maximum(WORKING_RADIUS**2 - x**2, 0)) * np.sin(tilt)
    band = rim + shape.band_width_px * scale / 2 * np.cos(tilt)
    wide = np.flatnonzero(reach > band + MIN_EXCESS / 2 * WORKING_RADIUS)
    if len(wide) < 2 * PRONG * WORKING_RADIUS:
        return None
    kept = slice(wide[0], wide[-1] + 1)
    q = (x[kept] / scale).astype(np.float32)
    height = np.full_like(q, USUAL_HEIGHT * shape.outer_radius_px)
    # The photo's alpha ends the top on both sides; the fitted reach only has to be long enough.
    return Head(q, height, (reach[kept] / scale).astype(np.float32), np.zeros_like(q))


def _tops(alpha: Mask, y: Float) -> Float64:
    """y of the highest pixel of each column; far below where there is none."""
    found = alpha.any(0)
    return np.asarray(np.where(found, y[alpha.argmax(0), 0], y.min()), np.float64)


def _head_columns(
    alpha: Mask, x: Float, y: Float, shape: RingShape, scale: float, shear: float
) -> tuple[int, int] | None:
    """First and last column of the part that rises out of the hoop's silhouette."""
    r_o = WORKING_RADIUS
    se, ce = np.sin(np.radians(shape.elevation_deg)), np.cos(np.radians(shape.elevation_deg))
    azimuth = np.linspace(-np.pi / 2, np.pi / 2, 181)
    outer, half, middle = (v * scale for v in shape.hoop.grown(azimuth))

    def rim(over: float) -> Float:
        radius = outer + over * r_o
        across = np.maximum.accumulate(radius * np.sin(azimuth))
        y = radius * np.cos(azimuth) * se + (half - middle) * ce + shear * across
        return np.asarray(np.maximum(np.interp(x[0], across, y, 0, 0), 0))

    upper = slice(0, len(y) // 2 + 1)  # the rim is never lower than the middle
    rises = alpha[upper] & (y[upper] > rim(MIN_EXCESS))
    count, _, stats, _ = cv2.connectedComponentsWithStats(rises.astype(np.uint8))
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if stats[best, cv2.CC_STAT_AREA] < MIN_AREA * r_o**2:
        return None
    lo = int(stats[best, cv2.CC_STAT_LEFT])
    hi = lo + int(stats[best, cv2.CC_STAT_WIDTH]) - 1
    # Out to where the silhouette is back on the hoop's own.
    above = (_tops(alpha, y) - rim(0) > 0.03 * r_o) & (np.abs(x[0]) < 1.6 * r_o)
    while lo > 0 and above[lo - 1]:
        lo -= 1
    while hi < x.shape[1] - 1 and above[hi + 1]:
        hi += 1
    return lo, hi


def _crown(tops: Float64) -> tuple[int, int]:
    """First and last column, around the peak, before the silhouette falls off a cliff."""
    run = max(1, round(CLIFF_RUN * WORKING_RADIUS))
    fall = CLIFF * WORKING_RADIUS
    prong = round(PRONG * WORKING_RADIUS)
    without_prongs = np.ones((1, 2 * prong + 1), np.uint8)
    tops = cv2.morphologyEx(tops.reshape(1, -1), cv2.MORPH_OPEN, without_prongs)[0]
    peak = int(tops.argmax())
    lo = hi = peak
    while lo > 0 and tops[lo] - tops[max(lo - run, 0)] < fall:
        lo -= 1
    while hi < len(tops) - 1 and tops[hi] - tops[min(hi + run, len(tops) - 1)] < fall:
        hi += 1
    return lo, hi


def _crown_widths(alpha: Mask, y: Float, crown: tuple[int, int]) -> tuple[Float64, float]:
    """Width of the crown row by row from its first row down, to where it would be longer than wide;
    and y of that first row. Prongs don't count."""
    body = alpha[:, crown[0] : crown[1] + 1].astype(np.uint8)
    side = 2 * round(PRONG * WORKING_RADIUS) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opened = cv2.morphologyEx(body, cv2.MORPH_OPEN, disc)
    body = opened if opened.any() else body
    first = int(np.flatnonzero(body.any(1))[0])
    widths = body[first:].sum(1).astype(np.float64)
    deepest = np.arange(len(widths)) > 2 * ASPECT_RANGE[1] * np.maximum.accumulate(widths)
    end = int(deepest.argmax()) if deepest.any() else len(widths)
    return widths[: max(end, 1)], float(y[first])
