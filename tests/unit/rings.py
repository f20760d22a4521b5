"""Rings drawn from the closed form, whose every pixel is known: a product photo without a shop.

A point of the hoop at azimuth t from the visible top, radius r, axial offset a (towards the near
rim) shows at x = r sin t, y = r cos t sin e - a cos e. The outside is painted with a function of
(t, a), so that a test can ask the turned picture what it should see at any pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from anello.imaging.finger import FingerSite
from anello.imaging.hand import Finger
from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.turn import SAMPLE_RADIUS_MM

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ring_shape(**changes: object) -> RingShape:
    """A 3 mm wide, 1.5 mm thick band round a 17 mm finger, seen from 40 degrees."""
    values: dict[str, object] = {
        "centre_xy": np.array([250.0, 260.0]),
        "rotation_deg": 0.0,
        "inner_radius_px": 170.0,
        "outer_radius_px": 200.0,
        "band_width_px": 70.0,
        "elevation_deg": 40.0,
        "head_deg": 0.0,
        "contact_xy": np.array([[80.0, 286.8], [420.0, 286.8]]),
        "view": "three_quarter",
        "confidence": 1.0,
        "warnings": (),
    }
    return RingShape(**(values | changes))  # type: ignore[arg-type]


def finger_site(**changes: object) -> FingerSite:
    """A finger that points up the picture, 100 px wide."""
    axis = np.asarray(changes.pop("axis_xy", [0.0, -1.0]), np.float64)
    axis = axis / np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]])
    centre = np.asarray(changes.pop("centre_xy", [150.0, 150.0]), np.float64)
    width = float(changes.pop("width_px", 100.0))  # type: ignore[arg-type]
    along = np.linspace(-1.2, 1.2, 49)[:, None] * width * axis
    values: dict[str, object] = {
        "finger": Finger.RING,
        "location": 0.3,
        "centre_xy": centre,
        "axis_xy": axis,
        "across_xy": across,
        "left_xy": centre - across * width / 2,
        "right_xy": centre + across * width / 2,
        "width_px": width,
        "px_per_mm": width / (2 * SAMPLE_RADIUS_MM),
        "pitch_deg": 20.0,
        "roll_deg": 0.0,
        "confidence": 1.0,
        "left_edge_xy": centre + along - across * width / 2,
        "right_edge_xy": centre + along + across * width / 2,
        "edge_sigma_px": 0.7,
    }
    return FingerSite(**(values | changes))  # type: ignore[arg-type]


def photograph(shape: RingShape, paint: Paint, size: int = 520) -> Cutout:
    """The near half of the hoop's outside as the shop sees it: paint(t, a) in 0..255."""
    row, column = np.mgrid[0:size, 0:size].astype(np.float64)
    turn = np.radians(shape.rotation_deg)
    dx, dy = column - shape.centre_xy[0], row - shape.centre_xy[1]
    x = dx * np.cos(turn) + dy * np.sin(turn)
    y = dx * np.sin(turn) - dy * np.cos(turn)
    elevation = np.radians(shape.elevation_deg)
    g = np.sqrt(np.maximum(shape.outer_radius_px**2 - x**2, 0))
    a = (g * np.sin(elevation) - y) / np.cos(elevation)
    seen = (np.abs(x) <= shape.outer_radius_px) & (np.abs(a) <= shape.band_width_px / 2)
    rgb = np.clip(paint(np.arctan2(x, g), a), 0, 255).astype(np.uint8)
    return Cutout(rgb, (seen * 255).astype(np.uint8), None, "drawn", (), 1.0)


def finger_coordinates(layer: SimpleNamespace, site: FingerSite) -> tuple[np.ndarray, np.ndarray]:
    """x right and y towards the tip, px from the site's centre, of every pixel of a layer."""
    x0, y0, x1, y1 = layer.roi
    column, row = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
    dx, dy = column - site.centre_xy[0], row - site.centre_xy[1]
    x = dx * site.across_xy[0] + dy * site.across_xy[1]
    y = dx * site.axis_xy[0] + dy * site.axis_xy[1]
    return x, y
