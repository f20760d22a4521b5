"""The shoulders of a ring: how its band grows wider and thicker towards the head, or swerves.

In a three-quarter photo the opening's upper edge is the near edge of the band and the silhouette is
its far edge. At azimuth t from the visible top and elevation e they lie at

    y_near = R_i cos t sin e - h cos e        y_far = R cos t sin e + h cos e

so the first tells the half-width h there, and with it the second the outer radius R. Rings are
nearly the same on both sides of their head; what only one side has is taken for a part of the head.

A wishbone or a wave is as wide as its shank all the way, but its middle line leaves the hoop's
plane: both edges are off by as much, and the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Mask
from anello.imaging.hoop import Shoulders

if TYPE_CHECKING:
    from anello.imaging.matting import Cutout
    from anello.imaging.ring import RingShape

WORKING_RADIUS = 100.0
"""Outer radius, px, at which silhouettes are looked at: heads need no finer detail."""

STEP_DEG, FARTHEST_DEG = 3.0, 75.0
"""Azimuths at which the band is measured; beyond, its edges run along the line of sight."""

CLEAR_DEG = 58.0
"""Azimuth from which what is measured counts less and less."""

SEEN_BORE, SEEN_CROWN = 0.04, 0.04
"""Outer radii by which rounded edges let the opening look wider than the bore, and the silhouette
narrower than the band."""

WIDEST, THICKEST = 0.6, 0.38
"""Half-width, and rise over the shank, beyond which a shoulder is none; outer radii."""

HARDLY_TELLS_DEG, TELLS_DEG = 22.0, 27.0
"""Elevation up to which a silhouette does not tell thicker from wider, and from which it does."""

STEEPEST_RISE, STEEPEST_WIDENING, RUN_DEG = 0.6, 0.5, 9.0
"""Growth in thickness and in half-width, outer radii per radian over a run, beyond which it is less
and less a shoulder's, and from twice as much a head's own flank or the gallery under it."""

LEAST_CHANGE = 0.035
"""Outer radii by which width or thickness must grow, or it may be the fit's own error."""

LEAST_SWERVE = 0.1
"""Outer radii by which a band's middle line must leave the hoop's plane to be no misfit."""

KEEPS_WIDTH, SEEN_AS_WIDE = 0.07, 0.8
"""Outer radii within which a band that swerves is as wide as its shank, and over which share of the
clear azimuths: a head is wider."""


def upright_silhouette(
    cutout: Cutout, shape: RingShape, scale: float, shear: float = 0.0
) -> tuple[Bytes, Float, Float]:
    """Coverage, 0 to 255, with the hoop's visible top upwards, and x right, y up of its pixels;
    sheared, y is that much more a pixel to the right."""
    extent = int(2.6 * WORKING_RADIUS)
    turn_rad = np.radians(shape.rotation_deg)
    down = np.array([-np.sin(turn_rad), np.cos(turn_rad)]) / scale
    right = np.array([np.cos(turn_rad), np.sin(turn_rad)]) / scale + shear * down
    photo_from_upright = np.column_stack([right, down, shape.centre_xy - extent * (right + down)])
    side = 2 * extent + 1
    # Means, not single pixels, so that it tells where in a pixel an edge runs.
    run = 2 * int(1 / scale / 2) + 1
    small = cv2.warpAffine(
        cv2.blur(cutout.alpha, (run, run)),
        photo_from_upright,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    row, column = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.asarray(small, np.uint8), column - extent, extent - row


def overhangs(coverage: Bytes) -> Float64:
    """(n,) how far above the middle of each column's highest pixel, half covered at least, the edge
    runs: where coverage falls through a half."""
    first = np.maximum((coverage > 127).argmax(0), 1)
    column = np.arange(coverage.shape[1])
    inside = coverage[first, column].astype(np.float64)
    outside = coverage[first - 1, column].astype(np.float64)
    return np.asarray((inside - 127.5) / np.maximum(inside - outside, 1.0), np.float64)


def fit_shoulders(cutout: Cutout, shape: RingShape) -> Shoulders | None:
    """How the band of a cut-out ring grows towards its head; None where it hardly does, or where
    the photo's view does not tell."""
    if shape.view in ("top", "face"):
        return None
    scale = WORKING_RADIUS / shape.outer_radius_px
    coverage, _, _ = upright_silhouette(cutout, shape, scale)
    solid = coverage > 127
    # The same angles serve from the visible top and, further down, from the head.
    from_head = azimuth = np.radians(np.arange(-FARTHEST_DEG, FARTHEST_DEG + 1, STEP_DEG))
    shank = shape.band_width_px * scale / 2
    half = _half_widths(solid, azimuth, shape, scale)
    middle = _swerve(coverage, azimuth, half, shape, scale)
    if middle is not None:
        middle = np.interp(from_head + np.radians(shape.head_deg), azimuth, middle)
        same = np.ones_like(middle)
        return Shoulders(
            from_head, WORKING_RADIUS / scale * same, shank / scale * same, middle / scale
        )
    both = from_head[:, None] * [1, -1] + np.radians(shape.head_deg)
    half = _agreed(np.interp(both, azimuth, half, left=np.nan, right=np.nan))
    half = _smooth(_filled(half, from_head, shank))
    half = _without_head(half, STEEPEST_WIDENING)
    half = np.clip(half, shank, max(WIDEST * WORKING_RADIUS, shank))
    known = np.clip(
        (FARTHEST_DEG - np.degrees(np.abs(from_head))) / (FARTHEST_DEG - CLEAR_DEG), 0, 1
    )
    half = shank + known * (half - shank)
    outer = np.full(half.shape, WORKING_RADIUS)
    told = np.clip((shape.elevation_deg - HARDLY_TELLS_DEG) / (TELLS_DEG - HARDLY_TELLS_DEG), 0, 1)
    if told > 0:
        outer = _outer_radii(coverage, from_head, both, half, shape)
    outer = WORKING_RADIUS + told * known * (_smooth(outer) - WORKING_RADIUS)
    grown = max(float(half.max()) - shank, float(outer.max()) - WORKING_RADIUS)
    if grown < LEAST_CHANGE * WORKING_RADIUS:
        return None
    return Shoulders(from_head, outer / scale, half / scale, np.zeros_like(half))


def _half_widths(solid: Mask, azimuth: Float64, shape: RingShape, scale: float) -> Float64:
    """(N,) half-width by the opening's upper edge, working px; NaN where that is not seen."""
    se, ce = np.sin(np.radians(shape.elevation_deg)), np.cos(np.radians(shape.elevation_deg))
    bore = shape.inner_radius_px * scale + SEEN_BORE * WORKING_RADIUS
    middle = solid.shape[0] // 2
    half = np.full(azimuth.shape, np.nan)
    for k, (t, g) in enumerate(zip(bore * np.sin(azimuth), bore * np.cos(azimuth), strict=True)):
        above = solid[: middle + 1, middle + round(float(t))][::-1]
        if above.any() and not above[0]:
            half[k] = (g * se - (float(above.argmax()) - 0.5)) / ce
    return half


def _swerve(
    coverage: Bytes, azimuth: Float64, near: Float64, shape: RingShape, scale: float
) -> Float64 | None:
    """(N,) how far the band's middle line lies towards the near rim, working px; None where both
    edges do not say so. near : (N,) where the near edge lies."""
    se, ce = np.sin(np.radians(shape.elevation_deg)), np.cos(np.radians(shape.elevation_deg))
    shank = shape.band_width_px * scale / 2
    x = WORKING_RADIUS * np.sin(azimuth)
    y = silhouette_tops(coverage, x)
    far = (y - WORKING_RADIUS * np.cos(azimuth) * se) / ce + SEEN_CROWN * WORKING_RADIUS
    middle, half = (near - far) / 2, (near + far) / 2
    as_wide = np.abs(half - shank) < KEEPS_WIDTH * WORKING_RADIUS
    middle = np.where(as_wide, middle, 0.0)
    clear = np.abs(azimuth) < np.radians(CLEAR_DEG)
    least = LEAST_SWERVE * WORKING_RADIUS
    if as_wide[clear].mean() < SEEN_AS_WIDE or np.abs(middle[clear]).max() < least:
        return None
    known = (FARTHEST_DEG - np.degrees(np.abs(azimuth))) / (FARTHEST_DEG - CLEAR_DEG)
    return np.asarray(_smooth(middle) * np.clip(known, 0, 1), np.float64)


def silhouette_tops(coverage: Bytes, x: Float64) -> Float64:
    """(N,) y of the silhouette above the hoop's middle at x; NaN where there is none."""
    centre = coverage.shape[0] // 2
    columns = coverage[: centre + 1, centre + np.round(x).astype(int)]
    solid = columns > 127
    return np.where(solid.any(0), centre - solid.argmax(0) + overhangs(columns), np.nan)


def _outer_radii(
    coverage: Bytes, from_head: Float64, both: Float64, half: Float64, shape: RingShape
) -> Float64:
    """(N,) outer radius by the silhouette, up to where the head's own flank begins, working px."""
    se, ce = np.sin(np.radians(shape.elevation_deg)), np.cos(np.radians(shape.elevation_deg))
    t = np.arange(-1.5 * WORKING_RADIUS, 1.5 * WORKING_RADIUS + 1)
    top = silhouette_tops(coverage, t)
    crown = np.maximum(half - SEEN_CROWN * WORKING_RADIUS, 0.3 * half)
    found = np.full(both.shape, np.nan)
    for side in range(2):
        at = both[:, side]
        # Where on the silhouette a given azimuth shows depends on the radius there: a fixed point.
        radius = np.full(at.shape, WORKING_RADIUS)
        for _ in range(6):
            x = radius * np.sin(at)
            y = np.interp(x, t, top)
            rise = (y - crown * ce) / (np.cos(at) * se)
            radius = 0.5 * radius + 0.5 * np.clip(rise, 0.9 * WORKING_RADIUS, 1.5 * WORKING_RADIUS)
        # Next to what is not seen, the silhouette is another part's.
        unseen = (~(np.abs(at) < np.radians(FARTHEST_DEG)) | ~np.isfinite(radius)).astype(np.uint8)
        near_unseen = cv2.dilate(unseen.reshape(1, -1), np.ones((1, 5), np.uint8))[0] > 0
        found[:, side] = np.where(near_unseen, np.nan, radius)
    agreed = _agreed(found)
    seen = np.isfinite(agreed) & (np.abs(from_head) < np.radians(CLEAR_DEG))
    if not seen.any():
        return np.full(half.shape, WORKING_RADIUS)
    agreed = np.interp(from_head, from_head[seen], agreed[seen])
    agreed = _without_head(agreed, STEEPEST_RISE)
    return np.clip(agreed, WORKING_RADIUS, (1 + THICKEST) * WORKING_RADIUS)


def _agreed(sides: Float64) -> Float64:
    """(N,) the lesser of both sides, or the one that is seen."""
    return np.asarray(np.fmin(sides[:, 0], sides[:, 1]))


def _filled(half: Float64, from_head: Float64, shank: float) -> Float64:
    """What is not seen lies between what is, and the shank at both ends."""
    seen = np.isfinite(half)
    seen[[0, -1]] = True
    known = np.where(np.isfinite(half), half, shank)[seen]
    return np.asarray(np.interp(from_head, from_head[seen], known), np.float64)


def _without_head(values: Float64, steepest: float) -> Float64:
    """What grows gently from both sides inwards, less of what grows more steeply, and level where
    it grows twice as steeply as it may: the head."""
    middle, run = len(values) // 2, round(RUN_DEG / STEP_DEG)
    steepest *= WORKING_RADIUS * np.radians(RUN_DEG)
    sides = []
    for side in (values[: middle + 1], values[: middle - 1 : -1]):
        gentle = np.clip(2 - (side[run:] - side[:-run]) / steepest, 0, 1)
        taken = np.minimum.accumulate(np.pad(gentle, (0, run - 1), mode="edge"))
        sides.append(side[0] + np.append(0, np.cumsum(np.diff(side) * taken)))
    return np.concatenate([sides[0], sides[1][-2::-1]])


def _smooth(values: Float64) -> Float64:
    """Without spikes and steps."""
    row = values.astype(np.float32).reshape(1, -1)
    row = cv2.medianBlur(cv2.copyMakeBorder(row, 1, 1, 2, 2, cv2.BORDER_REPLICATE), 3)[1:2, 2:-2]
    return np.asarray(cv2.blur(row, (3, 1), borderType=cv2.BORDER_REPLICATE)[0], np.float64)
