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

_COLUMNS, _ROWS, _PROFILE = 61, 32, 49
"""Size of the table, and points around the cross-section; the columns have a middle one."""


@dataclass(frozen=True, slots=True)
class Hoop:
    """Radii and axial width, all in one unit."""

    inner_radius: float
    outer_radius: float
    width: float

    def profile(self) -> tuple[Float64, Float64]:
        """r, a around the outside of the cross-section, from the far skin to the near skin."""
        angle = np.linspace(-np.pi / 2, np.pi / 2, _PROFILE)
        power = 2 / ROUNDNESS
        a = self.width / 2 * np.sign(angle) * np.abs(np.sin(angle)) ** power
        thickness = self.outer_radius - self.inner_radius
        r = self.inner_radius + thickness * np.cos(angle).clip(0) ** power
        return r, a


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
    return HoopView(r, a, np.arctan2(x, g), normal, visible)


def _columns(hoop: Hoop, elevation: float) -> tuple[Float, Float, Float]:
    """For columns evenly spaced in azimuth: (rows, columns, 4) of g, a and the normal's axial and
    radial parts, evenly spaced from the near silhouette (row 0) to the far one; and y of both."""
    r, a = hoop.profile()
    slope_r, slope_a = np.gradient(r), np.gradient(a)
    length = np.hypot(slope_r, slope_a)
    along, outward = -slope_r / length, slope_a / length
    # Left and right of the middle column are alike.
    half = _COLUMNS // 2 + 1
    beta = np.linspace(-pi / 2, 0, half)
    surface = np.zeros((_ROWS, half, 4), np.float32)
    bottom, top = np.zeros(half, np.float32), np.zeros(half, np.float32)
    for k, t in enumerate(-hoop.outer_radius * np.sin(beta) * (1 - 1e-6)):
        there = np.flatnonzero(r >= t)
        g = np.sqrt(np.maximum(r[there] ** 2 - t**2, 0))
        run, g = (there, g) if t < hoop.inner_radius else _around(there, g)
        y = g * np.sin(elevation) - a[run] * np.cos(elevation)
        first = int(y.argmax())
        last = first + int(y[first:].argmin())
        seen = slice(last, first - 1 if first else None, -1)
        bottom[k], top[k] = y[last], y[first]
        at = np.linspace(bottom[k], top[k], _ROWS)
        columns = (g, a[run], along[run], outward[run])
        for c, values in enumerate(columns):
            surface[:, k, c] = np.interp(at, y[seen], values[seen])
    mirrored = (np.concatenate([bottom, bottom[-2::-1]]), np.concatenate([top, top[-2::-1]]))
    return np.concatenate([surface, surface[:, -2::-1]], axis=1), *mirrored


def _around(there: np.ndarray, g: Float64) -> tuple[np.ndarray, Float64]:
    """Continue the run onto the far half, where the blob of this column closes beyond the skin."""
    back = there[::-1]
    return np.concatenate([there, back]), np.concatenate([g, -g[::-1]])
