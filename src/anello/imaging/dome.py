"""Fronts as wide as their hoop: wires, carved fronts, bands that are pierced or branch.

No plane and wall are in them, but parts at all heights. Yet a hand's camera looks at a ring from
nearly as high as most shops' cameras do, and there the way from one picture to the other hardly
depends on heights. At azimuth t and radius r a shop's camera at elevation e sees the axial place a
at y = r cos t sin e - a cos e; from elevation p the same place, taken for one at radius r', shows

    (r - r') cos t sin(e - p) / cos e

away from where it is: for a tenth of the hoop's radius and ten degrees, less than a fiftieth of it.
So one coarse surface does, a dome over the hoop, and the photo says where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Mask
from anello.imaging.head import Head
from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.shoulders import WORKING_RADIUS, silhouette_tops, upright_silhouette
from anello.imaging.view import READABLE_DEG, View

WIDE_HEAD, WIDE_OPEN_HEAD = 1.42, 1.0
"""Width of a head, outer radii, from which it is the hoop's whole front; the same with gaps."""

OPEN, WIRES = 0.02, 0.06
"""Share of a front's middle from which its gaps count, and from which it is little but wires."""

GROWN = 0.3
"""How much wider or thicker than the shank, outer radii, shoulders are from which a band is its own
head: a signet, a bombé, a stone that nothing tells from its shoulders."""

MIDDLE = 0.8
"""How far to each side of its middle the front is looked at for gaps, outer radii."""

STEEPEST_DEG, STEEPEST_OPEN_DEG = 33.0, 48.0
"""Elevation of the shop's camera up to which a hand's is near enough; the same for wires and for
pierced bands, of which nearly all is as high as the hoop."""

ASIDE_DEG = 30.0
"""How far a front may be turned aside from how the shop's camera saw it."""

STEP_DEG, FLAT, ROUND = 2.0, 3.0, 2.0
"""Azimuths from the head at which it is known, and the exponent of its superellipse, from side to
side of the hoop and as high as the head: tables are flat, wires and bands are round."""

NARROWS_DEG, ENDS_DEG = 50.0, 84.0
"""Where it begins to narrow towards the shank, and where only that is left: seen edge-on there, the
photo shows little of it."""

BESIDE = 0.03
"""How far past both edges of what the photo shows it is still read, outer radii: alpha ends it."""


@dataclass(frozen=True, slots=True, eq=False)
class Dome:
    """The front of a ring as one surface, product px.

    outer_radius : of the hoop. from_head : (N,) azimuth about its axis from the front's middle,
    radians, increasing. height : (N,) above that axis. far, near : (N,) from where to where along
    it the front reaches, towards the near rim.
    """

    outer_radius: float
    from_head: Float
    height: Float
    far: Float
    near: Float

    @property
    def width(self) -> float:
        """Along the axis, as if it reached as far both ways."""
        return 2 * float(max(self.near.max(), -self.far.min()))

    def opened(self, view: View) -> tuple[Float, Float]:
        """(N,) azimuths from the visible top, and heights, in the size and turn of a finger's view:
        a piece is let in behind, as in `Hoop.opened`."""
        larger = np.float32(1 + view.lift / self.outer_radius)
        azimuth = self.from_head / larger + np.float32(view.azimuth)
        return azimuth, self.height + np.float32(view.lift)

    def outline(self, view: View) -> tuple[Float, Float, Float]:
        """(N,) x, and y from and to which the front is seen there."""
        azimuth, height = self.opened(view)
        t, g = height * np.sin(azimuth), height * np.cos(azimuth)
        _, low = view.project(t, g, self.near)
        _, high = view.project(t, g, self.far)
        return t, low, high


@dataclass(frozen=True, slots=True, eq=False)
class DomeView:
    """What each sample sees: azimuths from the front's middle and from the visible top, height as
    in the product photo, a, and whether there is any front."""

    from_head: Float
    azimuth: Float
    height: Float
    a: Float
    visible: Mask


def see_dome(dome: Dome, view: View, x: Float, y: Float) -> DomeView:
    """Trace samples at x, y onto the front."""
    at, opened = dome.opened(view)
    t = np.maximum.accumulate(opened * np.sin(at))
    values = dome.from_head, at, dome.height, dome.near
    from_head, azimuth, height, near = (np.interp(x, t, v).astype(np.float32) for v in values)
    far = np.interp(x, t, dome.far, np.inf, np.inf)  # beside it there is none
    g = (height + np.float32(view.lift)) * np.cos(azimuth)
    a = (g * np.float32(np.sin(view.elevation)) - y) / np.float32(np.cos(view.elevation))
    return DomeView(from_head, azimuth, height, a, (a >= far) & (a <= near))


def fit_dome(cutout: Cutout, shape: RingShape, head: Head | None) -> Dome | None:
    """The front of a ring whose head is nearly as wide as its hoop, or of a pierced band; None of
    others, of pairs, of bands that swerve, and where the photo's view is too steep, or shows no
    opening."""
    is_pair = cutout.clues is not None and cutout.clues.view == "pair"
    if is_pair or cutout.opening is None or shape.view != "three_quarter" or shape.hoop.swerves:
        return None
    if _width(head, shape) < WIDE_OPEN_HEAD or shape.elevation_deg > STEEPEST_OPEN_DEG:
        return None
    scale = WORKING_RADIUS / shape.outer_radius_px
    coverage, x, y = upright_silhouette(cutout, shape, scale)
    hole = replace(cutout, alpha=np.where(cutout.opening, np.uint8(255), np.uint8(0)))
    opening, _, _ = upright_silhouette(hole, shape, scale)
    top = np.nan_to_num(silhouette_tops(coverage, x[0]))
    rim = _rim(opening > 127, x[0], shape, scale)
    front = (y < top) & (y > rim) & (np.abs(x) < MIDDLE * WORKING_RADIUS)
    gaps = float((coverage[front] < 128).mean()) if front.any() else 0.0
    wires = OPEN if head is None else WIRES
    steepest = STEEPEST_OPEN_DEG if gaps >= wires else STEEPEST_DEG
    is_whole = gaps >= OPEN or _is_grown(head, shape)
    if not is_whole or shape.elevation_deg > steepest:
        return None
    flat = head is not None and gaps < OPEN
    level = shape.outer_radius_px if head is None else float(np.median(head.height))
    surface = level, FLAT if flat else ROUND
    return _between(x[0] / scale, rim / scale, top / scale, surface, shape)


def _width(head: Head | None, shape: RingShape) -> float:
    """Of a head, outer radii; a band without one may be a front, too."""
    return np.inf if head is None else float(np.ptp(head.q)) / shape.outer_radius_px


def _is_grown(head: Head | None, shape: RingShape) -> bool:
    """Whether the head is as wide as its hoop or, without one, the shoulders as large as a head."""
    if head is not None:
        return _width(head, shape) >= WIDE_HEAD
    outer, reach = shape.hoop.largest
    wider, thicker = 2 * reach - shape.band_width_px, outer - shape.outer_radius_px
    return max(wider, thicker) > GROWN * shape.outer_radius_px


def _rim(opening: Mask, x: Float, shape: RingShape, scale: float) -> Float64:
    """(N,) y of the opening's upper edge at x, working px; straight on to the hoop's sides where
    none is seen."""
    half = shape.band_width_px * scale / 2
    side = -half * np.cos(np.radians(shape.elevation_deg))
    bore = np.abs(x) < shape.inner_radius_px * scale
    seen = np.flatnonzero(opening.any(0) & bore)
    y = opening.shape[0] // 2 - opening[:, seen].argmax(0).astype(np.float32)
    y = cv2.medianBlur(y.reshape(1, -1), 5)[0] if seen.size else y
    sides = [-WORKING_RADIUS, WORKING_RADIUS]
    edge = np.interp(x, np.insert(sides, 1, x[seen]), np.insert([side, side], 1, y))
    return np.asarray(edge, np.float64)


def _between(
    x: Float, rim: Float64, top: Float64, surface: tuple[float, float], shape: RingShape
) -> Dome:
    """The dome over what a product photo shows at x, from y to y. surface : its height and the
    exponent of its superellipse."""
    shop, outer = View.of_product(shape), shape.outer_radius_px
    from_head = np.radians(np.arange(-ENDS_DEG, ENDS_DEG + 1, STEP_DEG))
    level, power = surface
    across, up = np.abs(np.sin(from_head)) / outer, np.cos(from_head) / level
    height = (across**power + up**power) ** (-1 / power)
    readable = np.radians(READABLE_DEG)
    azimuth = np.clip(from_head + shop.azimuth, -readable, readable)
    t, g = height * np.sin(azimuth), height * np.cos(azimuth)
    far, near = (
        (g * np.sin(shop.elevation) - np.interp(t, x, y)) / np.cos(shop.elevation)
        for y in (top + BESIDE * outer, rim - BESIDE * outer)
    )
    narrowed = (np.degrees(np.abs(from_head)) - NARROWS_DEG) / (ENDS_DEG - NARROWS_DEG)
    left, shank = 1 - np.clip(narrowed, 0, 1), shape.band_width_px / 2
    far, near = left * far - (1 - left) * shank, left * near + (1 - left) * shank
    known = (v.astype(np.float32) for v in (from_head, height, far, near))
    return Dome(outer, *known)
