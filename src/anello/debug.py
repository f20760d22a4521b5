"""Pictures of what was measured and drawn, one a step, for people. Arrays in, arrays out.

All are (h, w, 3) uint8 sRGB. Blue is a left side, orange a right side, white an axis, green what is
well and red what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Roi
from anello.imaging.color import linear_to_srgb
from anello.imaging.hand import Hand, PoseCheck, finger_chain
from anello.options import Finger

if TYPE_CHECKING:
    from anello.library import Result
    from anello.pipeline import RingAnalysis, WornRing

Color: TypeAlias = tuple[int, int, int]

LEFT: Final[Color] = (60, 140, 255)
RIGHT: Final[Color] = (255, 150, 40)
AXIS: Final[Color] = (255, 255, 255)
GOOD: Final[Color] = (70, 200, 90)
BAD: Final[Color] = (230, 60, 60)

LONG_SIDE: Final = 1600
"""A drawing is no larger than this, px: enough to see a landmark, small enough to keep."""
CLOSE_UP: Final = 900
"""Long side of a close-up, px."""
_SUB: Final = 4
"""Bits of a pixel's fraction that are drawn."""


def draw_steps(result: Result) -> dict[str, Bytes]:
    """Every step of a try-on, by file name in the order of the steps."""
    steps = {"1-hand": draw_hand(result.report.hand.photo.pixels, *_hand_of(result))}
    for number, worn in enumerate(result.rings, 1):
        ring = f"ring{number}-" if len(result.rings) > 1 else ""
        photo = result.report.hand.photo.pixels
        steps |= {
            f"2-{ring}cutout": draw_cutout(worn.ring),
            f"3-{ring}site": draw_site(photo, worn),
            f"4-{ring}layer": draw_layer(worn),
            f"5-{ring}normals": draw_normals(worn),
            f"6-{ring}light": draw_light(photo, worn),
            f"7-{ring}shadow": draw_shadow(worn),
            f"8-{ring}result": _close_up(result.picture.pixels, _around(worn))[0],
        }
    return steps


def _hand_of(result: Result) -> tuple[Hand, Sequence[PoseCheck]]:
    return result.report.hand.hand, result.report.hand.checks


def draw_hand(photo: Bytes, hand: Hand | None, checks: Sequence[PoseCheck]) -> Bytes:
    """The photo with the hand's landmarks, and a line for each check."""
    canvas, scale = _shrunk(photo)
    if hand is not None:
        points = (hand.points_xy + 0.5) * scale - 0.5
        reach = float(np.hypot(*(points[9] - points[0])))
        for finger in Finger:
            _polyline(canvas, points[[0, *finger_chain(finger)]], AXIS, max(1, round(reach / 120)))
        for point in points:
            _dot(canvas, point, reach / 60, LEFT if hand.side == "left" else RIGHT)
    said = [(f"{check.name}: {check.value}", check.ok) for check in checks]
    if hand is None:
        said = [("no hand found", False)]
    _write_lines(canvas, said)
    return canvas


def draw_cutout(ring: RingAnalysis) -> Bytes:
    """The ring over a checkerboard; its rims, contact points and head as measured."""
    cutout, shape = ring.cutout, ring.shape
    alpha = cutout.alpha[..., None].astype(np.float32) / 255
    board = _checkerboard(cutout.alpha.shape[:2])
    canvas, scale = _shrunk(np.asarray(cutout.rgb * alpha + board * (1 - alpha) + 0.5, np.uint8))
    azimuth = np.linspace(-np.pi, np.pi, 181)

    def rim(radius: float, axial: float) -> Float64:
        points = shape.project(np.full_like(azimuth, radius), azimuth, np.full_like(azimuth, axial))
        return np.asarray(points * scale)

    half = shape.band_width_px / 2
    _polyline(canvas, rim(shape.inner_radius_px, half), LEFT, 2)
    _polyline(canvas, rim(shape.inner_radius_px, -half), LEFT, 1)
    _polyline(canvas, rim(shape.outer_radius_px, half), RIGHT, 2)
    _polyline(canvas, rim(shape.outer_radius_px, -half), RIGHT, 1)
    head = np.deg2rad([shape.head_deg])
    spoke = [
        shape.centre_xy[None] * scale,
        shape.project(np.array([shape.outer_radius_px]), head, np.zeros(1)) * scale,
    ]
    _polyline(canvas, np.vstack(spoke), GOOD, 2)
    for point, color in zip(shape.contact_xy, (LEFT, RIGHT), strict=True):
        _dot(canvas, point * scale, 7, color)
    words = f"{shape.view}, elevation {shape.elevation_deg:.1f}, rotation {shape.rotation_deg:.1f}"
    _write_lines(canvas, [(words, True), (f"confidence {shape.confidence:.2f}", True)])
    return canvas


def draw_site(photo: Bytes, worn: WornRing) -> Bytes:
    """A close-up of the finger: silhouettes, axis, the place and width of the ring."""
    site = worn.site
    canvas, to_canvas = _close_up(photo, _around(worn, 1.8))
    _polyline(canvas, to_canvas(site.left_edge_xy), LEFT, 2)
    _polyline(canvas, to_canvas(site.right_edge_xy), RIGHT, 2)
    ends = np.array([-1.0, 1.0])[:, None] * site.axis_xy * site.width_px + site.centre_xy
    _polyline(canvas, to_canvas(ends), AXIS, 1)
    sides = to_canvas(np.vstack([site.left_xy, site.right_xy]))
    _polyline(canvas, sides, AXIS, 2)
    for point, color in zip(sides, (LEFT, RIGHT), strict=True):
        _dot(canvas, point, 6, color)
    attitude = f"pitch {site.pitch_deg:.1f}, roll {site.roll_deg:.1f}"
    width = f"{site.finger.name.lower()} at {site.location:.2f}: {site.width_px:.1f} px wide"
    _write_lines(
        canvas, [(width, True), (attitude, True), (f"confidence {site.confidence:.2f}", True)]
    )
    return canvas


def draw_layer(worn: WornRing) -> Bytes:
    """The ring as drawn for this finger, in the hand's light, over a checkerboard."""
    layer = worn.layer
    board = (_checkerboard(layer.alpha.shape) / 255) ** 2
    shown = layer.color + (1 - layer.alpha[..., None]) * np.asarray(board, np.float32)
    return _enlarged(linear_to_srgb(np.clip(shown, 0, 1)))


def draw_normals(worn: WornRing) -> Bytes:
    """Where the ring's surface faces: red right, green down, blue towards the viewer."""
    coded = (worn.layer.normal * 0.5 + 0.5) * worn.layer.alpha[..., None]
    return _enlarged(np.asarray(np.clip(coded, 0, 1) * 255 + 0.5, np.uint8))


def draw_shadow(worn: WornRing) -> Bytes:
    """What the skin's light is multiplied by."""
    return _enlarged(np.asarray(np.clip(worn.shadow, 0, 1) * 255 + 0.5, np.uint8))


def draw_light(photo: Bytes, worn: WornRing) -> Bytes:
    """A matte ball in the light that was found, beside the finger it was read from."""
    canvas, _ = _close_up(photo, _around(worn, 1.8))
    light = worn.light
    radius = min(canvas.shape[:2]) // 6
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32) / radius
    inside = x * x + y * y <= 1
    normal = np.dstack([x, y, np.sqrt(np.clip(1 - x * x - y * y, 0, 1))])
    facing = np.clip(normal @ np.asarray(light.direction_xyz, np.float32), 0, 1)
    lit = light.ambient + (1 - light.ambient) * facing
    ball = linear_to_srgb(np.clip(0.8 * lit[..., None] * light.colour * light.level, 0, 1))
    corner = canvas[8 : 9 + 2 * radius, -9 - 2 * radius : -8]
    corner[inside] = ball[inside]
    x_dir, y_dir, z_dir = light.direction_xyz
    words = f"light from x {x_dir:.2f}, y {y_dir:.2f}, z {z_dir:.2f}"
    more = (
        f"level {light.level:.2f}, ambient {light.ambient:.2f}, confidence {light.confidence:.2f}"
    )
    _write_lines(canvas, [(words, True), (more, True)])
    return canvas


# --- canvases ------------------------------------------------------------------------------------


def _shrunk(pixels: Bytes) -> tuple[Bytes, float]:
    """A copy to draw on, no larger than LONG_SIDE; and its scale."""
    scale = min(1.0, LONG_SIDE / max(pixels.shape[:2]))
    if scale == 1:
        return pixels.copy(), 1.0
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _enlarged(pixels: Bytes) -> Bytes:
    scale = CLOSE_UP / max(pixels.shape[:2])
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=mode), np.uint8)


def _around(worn: WornRing, widths: float = 1.3) -> Roi:
    """The box of so many finger widths each way from the ring's place."""
    x, y = (round(float(v)) for v in worn.site.centre_xy)
    reach = max(8, round(widths * worn.site.width_px))
    return x - reach, y - reach, x + reach, y + reach


def _close_up(pixels: Bytes, roi: Roi) -> tuple[Bytes, Any]:
    """The box enlarged, and the function from points of the photo to points of the close-up."""
    height, width = pixels.shape[:2]
    x0, y0 = max(0, min(roi[0], width - 1)), max(0, min(roi[1], height - 1))
    x1, y1 = min(width, max(roi[2], x0 + 1)), min(height, max(roi[3], y0 + 1))
    canvas = _enlarged(pixels[y0:y1, x0:x1])
    scale = np.array([canvas.shape[1] / (x1 - x0), canvas.shape[0] / (y1 - y0)])

    def to_canvas(points_xy: Float64) -> Float64:
        return np.asarray((points_xy - np.array([x0, y0]) + 0.5) * scale - 0.5)

    return canvas, to_canvas


def _checkerboard(size: tuple[int, int]) -> Float:
    """(h, w, 3) light and dark grey squares, 0 to 255."""
    row, column = np.indices(size) // 16
    return np.repeat(np.where((row + column) % 2, 205, 165)[..., None], 3, 2).astype(np.float32)


def _polyline(canvas: Bytes, points_xy: Float64, color: Color, thickness: int) -> None:
    if not np.isfinite(points_xy).all():
        return
    fixed = np.round(np.asarray(points_xy) * 2**_SUB).astype(np.int32)
    cv2.polylines(canvas, [fixed[:, None]], False, color, thickness, cv2.LINE_AA, _SUB)


def _dot(canvas: Bytes, point_xy: Float64, radius: float, color: Color) -> None:
    if not np.isfinite(point_xy).all():
        return
    x, y = (round(float(v) * 2**_SUB) for v in point_xy)
    cv2.circle(canvas, (x, y), round(max(2.0, radius) * 2**_SUB), color, -1, cv2.LINE_AA, _SUB)


def _write_lines(canvas: Bytes, lines: Sequence[tuple[str, bool]]) -> None:
    """Words on a darkened panel in the upper left corner."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, max(0.45, min(canvas.shape[:2]) / 1400)
    step, thickness = round(30 * size), max(1, round(1.4 * size))
    texts = [words.encode("ascii", "replace").decode() for words, _ in lines]
    width = max((cv2.getTextSize(text, font, size, thickness)[0][0] for text in texts), default=0)
    panel = canvas[: step * len(lines) + round(14 * size), : width + round(20 * size)]
    panel[:] = panel // 3
    for at, (text, (_, good)) in enumerate(zip(texts, lines, strict=True), 1):
        place = (round(10 * size), at * step)
        cv2.putText(canvas, text, place, font, size, AXIS if good else BAD, thickness, cv2.LINE_AA)
