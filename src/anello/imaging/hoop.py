"""The hoop: a band of rounded cross-section bent around the finger, and what a camera sees of it.

Frame and projection as in ``turn``: t sideways, g towards the visible top, a along the hoop's axis
towards the near rim; x = t, y = g sin e - a cos e. Cut by a plane of constant t the near half of
the hoop is one convex blob, so each column of the picture runs once over it, from the far
silhouette to the near one: a table of those runs answers for every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Mask

ROUNDNESS = 3.0
"""Exponent of the cross-section's superellipse: 2 is a court band, large is a flat one."""

_COLUMNS, _ROWS = 61, 32
"""Size of the table; the columns have a middle one."""

_PROFILE, _AZIMUTHS = 33, 91
"""Points around the cross-section, and around the near half of the hoop."""


@dataclass(frozen=True, slots=True, eq=False)
class Shoulders:
    """How the band grows towards the head, or swerves there, in the hoop's unit.

    from_head : (N,) azimuth about the hoop's axis from the head, radians, from one side to the
    other. outer_radius, half_width : (N,) of the band there. middle : (N,) how far its middle line
    lies towards the near rim.
    """

    from_head: Float64
    outer_radius: Float64
    half_width: Float64
    middle: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Hoop:
    """Radii and axial width of the shank, all in one unit; its shoulders, if the band has any, and
    the head's azimuth from the visible top, radians."""

    inner_radius: float
    outer_radius: float
    width: float
    shoulders: Shoulders | None = None
    head_azimuth: float = 0.0

    def opened(self, lift: float, head_azimuth: float) -> Hoop:
        """In another size, by ``lift`` larger in radius, and turned about its axis. A piece is let
        in behind: what lies near the head stays as it is."""
        shoulders = self.shoulders
        if shoulders is not None:
            shoulders = Shoulders(
                shoulders.from_head / (1 + lift / self.outer_radius),
                shoulders.outer_radius + lift,
                shoulders.half_width,
                shoulders.middle,
            )
        radii = self.inner_radius + lift, self.outer_radius + lift
        return Hoop(*radii, self.width, shoulders, head_azimuth)

    @property
    def swerves(self) -> bool:
        """Whether its middle line leaves its plane."""
        return self.shoulders is not None and bool(self.shoulders.middle.any())

    @property
    def largest(self) -> tuple[float, float]:
        """Outer radius, and reach along the axis from the hoop's plane, where they are greatest."""
        outer, half, middle = self.grown(np.linspace(-pi / 2, pi / 2, _AZIMUTHS))
        return float(outer.max()), float((half + np.abs(middle)).max())

    def profile(self) -> tuple[Float64, Float64]:
        """Around the outside of the cross-section, from the far skin to the near skin: how far out
        of the metal, 0 to 1, and how far along the axis, -1 to 1."""
        angle = np.linspace(-np.pi / 2, np.pi / 2, _PROFILE)
        power = 2 / ROUNDNESS
        along = np.sign(angle) * np.abs(np.sin(angle)) ** power
        return np.cos(angle).clip(0) ** power, along

    def grown(self, azimuth: Float64) -> tuple[Float64, Float64, Float64]:
        """Outer radius, half-width and middle line at azimuths from the visible top."""
        level = np.zeros_like(azimuth)
        if self.shoulders is None:
            return self.outer_radius + level, self.width / 2 + level, level
        at, from_head = self.shoulders.from_head, azimuth - self.head_azimuth
        outer, half = self.shoulders.outer_radius, self.shoulders.half_width
        shank = self.outer_radius, self.width / 2
        return (
            np.interp(from_head, at, outer, shank[0], shank[0]),
            np.interp(from_head, at, half, shank[1], shank[1]),
            np.interp(from_head, at, self.shoulders.middle, 0, 0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class HoopView:
    """What each sample sees: r, a, azimuth from the visible top (beyond a quarter turn: the far
    half), the normal's parts along t, g, a, and whether there is any hoop."""

    r: Float
    a: Float
    azimuth: Float
    normal_tga: tuple[Float, Float, Float]
    visible: Mask


def see_hoop(hoop: Hoop, elevation: float, x: Float, y: Float) -> HoopView:
    """Trace samples at x, y onto the near half of the hoop and, beyond the finger, its near face.

    elevation : of the camera out of the hoop's plane, radians.
    """
    surface, bottom, top = _columns(hoop, elevation)
    column = np.arcsin(np.clip(x / hoop.outer_radius, -1, 1)) / pi + 0.5
    column *= _COLUMNS - 1
    before = np.minimum(column.astype(np.int32), _COLUMNS - 2)
    part = column - before.astype(np.float32)
    low = bottom[before] + part * np.diff(bottom)[before]
    high = top[before] + part * np.diff(top)[before]
    row = (y - low) / np.maximum(high - low, 1e-3)
    # OpenCV is quick only where all four neighbours exist: one more row and column, and no sample
    # beyond them.
    table = cv2.copyMakeBorder(surface, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    at_row = np.clip(row, 0, 1) * (_ROWS - 1)
    g, a, along, outward = cv2.split(cv2.remap(table, column, at_row, cv2.INTER_LINEAR))
    r = np.sqrt(x * x + g * g)  # np.hypot guards against overflow, five times slower
    outward /= r
    normal = (outward * x, outward * g, along)
    visible = (np.abs(x) < hoop.outer_radius) & (row >= 0) & (row <= 1)
    # Right to 0.01 degrees, forty times as fast as NumPy's; half a turn off for -pi to pi.
    azimuth = cv2.phase(-g, -x) - np.float32(pi)
    return HoopView(r, a, azimuth, normal, visible)


def _columns(hoop: Hoop, elevation: float) -> tuple[Float, Float, Float]:
    """For columns evenly spaced in azimuth: (rows, columns, 4) of g, a and the normal's axial and
    radial parts, evenly spaced from the near silhouette (row 0) to the far one; and y of both."""
    t = hoop.outer_radius * np.sin(np.linspace(-pi / 2, pi / 2, _COLUMNS)) * (1 - 1e-6)
    run, there = _runs(hoop, t)
    y = run[..., 0] * np.sin(elevation) - run[..., 1] * np.cos(elevation)
    place = np.arange(y.shape[1])
    far = np.where(there, y, -np.inf).argmax(1)
    seen = there & (place >= far[:, None])
    near = np.where(seen, y, np.inf).argmin(1)
    seen &= place <= near[:, None]
    column = np.arange(_COLUMNS)
    bottom, top = y[column, near], y[column, far]
    at = np.linspace(bottom, top, _ROWS, axis=1)
    # Along the run y falls, so as many points lie above a row as come before it.
    above = (seen[:, :, None] & (y[:, :, None] > at[:, None, :])).sum(1)
    before = np.clip(far[:, None] + above - 1, far[:, None], near[:, None])
    after = np.minimum(before + 1, near[:, None])
    upper, lower = (np.take_along_axis(y, k, 1) for k in (before, after))
    part = np.clip((upper - at) / np.maximum(upper - lower, 1e-9), 0, 1)[..., None]
    surface = run[column[:, None], before] * (1 - part) + run[column[:, None], after] * part
    table = np.ascontiguousarray(surface.transpose(1, 0, 2), np.float32)
    return table, bottom.astype(np.float32), top.astype(np.float32)


def _runs(hoop: Hoop, t: Float64) -> tuple[Float64, Mask]:
    """Around the cross-section at each ``t``, from the far skin to the near one: (columns, n, 4) of
    g, a and the normal's axial and radial parts, and (columns, n) how much of that there is."""
    out, axial = hoop.profile()
    azimuth = np.linspace(-pi / 2, pi / 2, _AZIMUTHS)
    outer, half, middle = hoop.grown(azimuth)
    r = hoop.inner_radius + out[:, None] * (outer - hoop.inner_radius)
    a = axial[:, None] * half + middle
    slope_r, slope_a = np.gradient(r, axis=0), np.gradient(a, axis=0)
    length = np.maximum(np.hypot(slope_r, slope_a), 1e-9)
    facts = np.stack([r * np.cos(azimuth), a, -slope_r / length, slope_a / length], -1)
    t_at = np.maximum.accumulate(r * np.sin(azimuth), axis=1)
    place = np.stack([np.interp(t, row, np.arange(_AZIMUTHS)) for row in t_at])
    before = np.minimum(place.astype(np.intp), _AZIMUTHS - 2)
    part, profile = (place - before)[..., None], np.arange(_PROFILE)[:, None]
    near_half = facts[profile, before] * (1 - part) + facts[profile, before + 1] * part
    near_half = near_half.transpose(1, 0, 2)
    # Beyond the skin a column goes on to the far half, where its blob closes.
    both = np.concatenate([near_half, near_half[:, ::-1] * [-1, 1, 1, 1]], axis=1)
    first = (np.abs(t) > t_at[:, -1:]).T[:, : _PROFILE // 2].sum(1)[:, None]
    n = _PROFILE - 2 * first
    k = np.arange(2 * _PROFILE)[None]
    index = np.where(k < n, first + k, _PROFILE + first + k - n)
    there = k < np.where(np.abs(t)[:, None] < hoop.inner_radius, n, 2 * n)
    index = np.minimum(index, 2 * _PROFILE - 1)[..., None]
    return np.take_along_axis(both, np.broadcast_to(index, (*index.shape[:2], 4)), 1), there
