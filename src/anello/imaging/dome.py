"""Fronts as wide as their hoop: wires, carved fronts, bands that branch around their stones.

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

WIDE_HEAD = 1.42
"""Width of a head, outer radii, from which it is the hoop's whole front."""

STEEPEST_DEG = 30.0
"""Elevation of the shop's camera up to which a hand's is near enough."""

ASIDE_DEG = 30.0
"""How far a front may be turned aside from how the shop's camera saw it."""

STEP_DEG, FLATNESS = 2.0, 3.0
"""Azimuths from the head at which it is known, and the exponent of its superellipse, from side to
side of the hoop and as high as the head: 2 is round, large is flat."""

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
    """The front of a ring whose head is as wide as its hoop; None of others, of pairs, and where
    the photo's view is too steep, or shows no opening."""
    is_pair = cutout.clues is not None and cutout.clues.view == "pair"
    if shape.view != "three_quarter" or shape.elevation_deg > STEEPEST_DEG or is_pair:
        return None
    if head is None or cutout.opening is None:
        return None
    if np.ptp(head.q) < WIDE_HEAD * shape.outer_radius_px:
        return None
    scale = WORKING_RADIUS / shape.outer_radius_px
    coverage, x, _ = upright_silhouette(cutout, shape, scale)
    hole = replace(cutout, alpha=np.where(cutout.opening, np.uint8(255), np.uint8(0)))
    opening = upright_silhouette(hole, shape, scale)[0] > 127
    from_head = np.radians(np.arange(-ENDS_DEG, ENDS_DEG + 1, STEP_DEG))
    level = float(np.median(head.height)) * scale
    across, up = np.abs(np.sin(from_head)) / WORKING_RADIUS, np.cos(from_head) / level
    height = (across**FLATNESS + up**FLATNESS) ** (-1 / FLATNESS)

    shop = View.of_product(shape)
    readable = np.radians(READABLE_DEG)
    azimuth = np.clip(from_head + shop.azimuth, -readable, readable)
    t, g = height * np.sin(azimuth), height * np.cos(azimuth)
    shank = shape.band_width_px * scale / 2
    beside = BESIDE * WORKING_RADIUS
    top = np.interp(t, x[0], np.nan_to_num(silhouette_tops(coverage, x[0]))) + beside
    rim = np.interp(t, *_rim(opening, shape, scale)) - beside
    far, near = ((g * np.sin(shop.elevation) - y) / np.cos(shop.elevation) for y in (top, rim))
    narrowed = (np.degrees(np.abs(from_head)) - NARROWS_DEG) / (ENDS_DEG - NARROWS_DEG)
    left = 1 - np.clip(narrowed, 0, 1)
    far, near = left * far - (1 - left) * shank, left * near + (1 - left) * shank
    lengths = (v / scale for v in (height, far, near))
    known = (v.astype(np.float32) for v in (from_head, *lengths))
    return Dome(shape.outer_radius_px, *known)


def _rim(opening: Mask, shape: RingShape, scale: float) -> tuple[Float64, Float64]:
    """x right, y up of the opening's upper edge, from one end of the hoop to the other, working px;
    straight on to the hoop's sides where no opening is seen."""
    half = shape.band_width_px * scale / 2
    side = -half * np.cos(np.radians(shape.elevation_deg))
    middle = opening.shape[0] // 2
    bore = int(shape.inner_radius_px * scale)
    columns = np.arange(middle - bore, middle + bore + 1)
    columns = columns[opening[:, columns].any(0)]
    y = middle - opening[:, columns].argmax(0).astype(np.float32)
    y = cv2.medianBlur(y.reshape(1, -1), 5)[0] if columns.size else y
    return (
        np.concatenate([[-WORKING_RADIUS], columns - float(middle), [WORKING_RADIUS]]),
        np.concatenate([[side], y, [side]]),
    )
