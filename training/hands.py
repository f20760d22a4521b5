"""Hands drawn in a hundredth of a second: what people upload in a ring's place.

A hand is the round tops of tapered capsules, smoothly joined, lit from one side, with creases,
nails and skin of any tone; open, folded to a fist or a few fingers close up, perhaps with a watch.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Random = np.random.Generator

SKIN: Final = ((0.78, 0.52, 0.40), (0.56, 0.31, 0.20), (0.30, 0.15, 0.09), (0.07, 0.035, 0.022))
"""From fair to dark, linear light."""
FINGERS: Final = ((-0.42, 0.95, 0.78), (-0.14, 1.0, 0.95), (0.14, 0.97, 0.9), (0.4, 0.88, 0.7))
"""Knuckle across and along from the wrist, length; in lengths of the palm."""


def drawn_hand(ground: Array, rng: Random) -> Array:
    """(s, s, 3) linear light: a hand over the ground, its shadow beside it."""
    size = ground.shape[0]
    capsules = _close_up(rng) if rng.random() < 0.25 else _whole(rng)
    place = _placed(capsules, size, rng)
    height, nearest, along = _relief(capsules, place, size, rng)
    cover = np.clip(height / 1.5, 0, 1)[..., None]
    skin = _skin(height, nearest, along, capsules, rng)
    if rng.random() < 0.3 and capsules[0, 4] > 0.3:
        skin = _with_watch(skin, capsules, place, rng)
    dark = cv2.GaussianBlur(cover, (0, 0), size * rng.uniform(0.01, 0.06))[..., None]
    shift = np.float32([[1, 0, rng.normal(0, 0.03) * size], [0, 1, rng.normal(0, 0.03) * size]])
    dark = cv2.warpAffine(dark, shift, (size, size))[..., None] * rng.uniform(0, 0.8)
    return np.asarray(cover * skin + (1 - cover) * ground * (1 - dark), np.float32)


def _whole(rng: Random) -> Array:
    """(n, 6) capsules x0, y0, x1, y1, radius at either end: forearm, palm, fingers, thumb."""
    folded = rng.random() < 0.3
    parts = [[0.0, -1.6, 0.0, 0.0, rng.uniform(0.36, 0.5), rng.uniform(0.3, 0.36)]]
    spread = rng.uniform(-0.04, 0.28)
    for k, (x, y, length) in enumerate(FINGERS):
        parts.append([0.45 * x, 0.1, x, y - 0.05, 0.27, 0.21])
        away = spread * (k - 1.5) + rng.normal(0, 0.06)
        curl = rng.uniform(0.75, 1.25) if folded else rng.uniform(0, 0.45)
        length *= rng.uniform(0.85, 1.15)
        radius, bend = 0.15 * rng.uniform(0.9, 1.1), 0.0
        for share in (0.45, 0.3, 0.25):
            bend += curl
            reach = share * length * np.cos(bend)  # towards the camera and back: only shorter
            end = (x + reach * np.sin(away), y + reach * np.cos(away))
            parts.append([x, y, *end, radius, radius * 0.92])
            (x, y), radius = end, radius * 0.92
    way = rng.uniform(0.2, 1.1)
    parts.append([-0.2, 0.15, -0.55, 0.45, 0.25, 0.2])
    x, y = -0.55, 0.45
    for length, radius in ((0.38, 0.17), (0.32, 0.16)):
        end = (x - length * np.sin(way), y + length * np.cos(way))
        parts.append([x, y, *end, radius, radius * 0.9])
        x, y = end
        way -= rng.uniform(-0.2, 0.6)
    return np.array(parts, np.float32)


def _close_up(rng: Random) -> Array:
    """One to four fingers, cut by the frame."""
    parts, x = [], 0.0
    for _ in range(int(rng.integers(1, 5))):
        radius, lean = 0.16 * rng.uniform(0.85, 1.15), rng.normal(0, 0.08)
        y, top = rng.uniform(-0.4, 0.0), rng.uniform(0.7, 1.2)
        for low, high in ((0.0, 0.4), (0.4, 0.72), (0.72, 1.0)):
            a, b = (y + (top - y) * share for share in (low, high))
            parts.append([x + lean * a, a, x + lean * b, b, radius, radius * 0.94])
            radius *= 0.94
        x += radius * rng.uniform(2.0, 2.6)
    return np.array(parts, np.float32)


def _placed(capsules: Array, size: int, rng: Random) -> NDArray[np.float64]:
    """(2, 3) picture-from-hand: any way round, cut by the frame or small in it."""
    low = np.minimum(capsules[1:, 0:2], capsules[1:, 2:4]).min(0)
    high = np.maximum(capsules[1:, 0:2], capsules[1:, 2:4]).max(0)
    scale = size * np.exp(rng.uniform(np.log(0.3), np.log(1.5))) / float((high - low).max() + 0.3)
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.6 else rng.choice([0, np.pi])
    flip = np.diag([rng.choice([-1.0, 1.0]), 1.0])
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ flip
    target = size * (0.5 + rng.normal(0, 0.1, 2))
    return np.column_stack([linear, target - linear @ ((low + high) / 2)])


def _relief(
    capsules: Array, place: NDArray[np.float64], size: int, rng: Random
) -> tuple[Array, NDArray[np.intp], Array]:
    """Height over the ground, px; the capsule that is seen; where along it, 0 to 1."""
    scale = float(np.hypot(*place[:, 0]))
    start = capsules[:, 0:2] @ place[:, :2].T + place[:, 2]
    end = capsules[:, 2:4] @ place[:, :2].T + place[:, 2]
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    step = (end - start).astype(np.float32)
    x = cols - start[:, 0, None, None].astype(np.float32)
    y = rows - start[:, 1, None, None].astype(np.float32)
    sx, sy = step[:, 0, None, None], step[:, 1, None, None]
    along = np.clip((x * sx + y * sy) / (sx**2 + sy**2 + 1e-3), 0, 1)
    radius = scale * (capsules[:, 4, None, None] * (1 - along) + capsules[:, 5, None, None] * along)
    left = np.clip(radius**2 - (x - along * sx) ** 2 - (y - along * sy) ** 2, 0, None)
    heights = np.sqrt(left)
    soft = scale * rng.uniform(0.01, 0.04) + 0.3
    joined = soft * np.log(np.exp(np.clip(heights / soft, 0, 60)).sum(0)) - soft * np.log(
        len(capsules)
    )
    nearest = heights.argmax(0)
    picked = np.take_along_axis(along, nearest[None], 0)[0]
    return np.where(heights.max(0) > 0, np.maximum(joined, 0), 0), nearest, picked


def _skin(
    height: Array, nearest: NDArray[np.intp], along: Array, capsules: Array, rng: Random
) -> Array:
    """(s, s, 3) linear light."""
    size = len(height)
    tone = rng.uniform(0, len(SKIN) - 1)
    k = min(int(tone), len(SKIN) - 2)
    base = np.array(SKIN[k]) * (k + 1 - tone) + np.array(SKIN[k + 1]) * (tone - k)
    base = base * np.exp(rng.normal(0, 0.08, 3))
    rough = height.copy()
    # Creases where the phalanges meet, and what skin is like everywhere.
    crease = np.exp(-(((np.abs(along - 0.5) - 0.5) / 0.05) ** 2)) * (nearest > 0)
    rough -= crease * rng.uniform(0, 1.2)
    for cell in (2, 5, 14):
        coarse = rng.normal(0, 1, (size // cell + 2,) * 2).astype(np.float32)
        rough += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) * (
            rng.uniform(0, 0.05) * cell
        )
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(rough, (0, 0), 0.8))
    way, low = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.0)
    light = np.array([np.cos(way), np.sin(way), low]) / np.hypot(1, low)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(height)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lit = np.clip(normal @ light, 0, 1) * rng.uniform(0.4, 0.9) + rng.uniform(0.15, 0.5)
    shine = np.clip(normal @ (light + [0, 0, 1]) / np.linalg.norm(light + [0, 0, 1]), 0, 1) ** 30
    skin = base * lit[..., None] + (shine * rng.uniform(0, 0.25))[..., None]
    nail = np.zeros((size, size), np.float32)
    if rng.random() < 0.6:
        tips = np.flatnonzero(np.arange(len(capsules)) % 4 == 0)[1:]
        nail = (
            np.isin(nearest, tips) & (along > 0.35) & (along < 0.98) & (normal[..., 2] > 0.75)
        ) * 1.0
        nail = cv2.GaussianBlur(nail.astype(np.float32), (0, 0), 0.7)
    colour = rng.uniform(0, 1, 3) if rng.random() < 0.3 else base * 0.6 + [0.35, 0.25, 0.22]
    skin += nail[..., None] * (colour * lit[..., None] - skin) * rng.uniform(0.4, 1)
    if rng.random() < 0.15:
        skin = np.repeat(skin.mean(-1, keepdims=True), 3, -1)
    return np.asarray(skin, np.float32)


def _with_watch(skin: Array, capsules: Array, place: NDArray[np.float64], rng: Random) -> Array:
    """A strap across the forearm, or a bangle, with a dial or without."""
    canvas = np.ascontiguousarray(skin)
    scale = float(np.hypot(*place[:, 0]))
    across = place[:, 0] / scale * rng.choice([-1, 1])
    down = place[:, 1] / scale
    middle = place @ [0.0, rng.uniform(-0.7, -0.25), 1.0]
    reach, wide = 0.6 * scale, rng.uniform(0.03, 0.2) * scale
    colour = rng.uniform(0, 1) * rng.uniform(0.6, 1, 3)
    bow = rng.uniform(-0.1, 0.1) * scale
    t = np.linspace(-1, 1, 24)[:, None]
    path = middle + t * reach * across + bow * (1 - t**2) * down
    for share, gain in ((1.0, 0.55), (0.7, 1.0), (0.2, 1.5)):
        line = np.round(path * 16).astype(np.int32)
        thick = max(1, int(2 * wide * share))
        cv2.polylines(
            canvas, [line], False, [float(v) for v in colour * gain], thick, cv2.LINE_AA, 4
        )
    if rng.random() < 0.7:
        dial = rng.uniform(0.2, 0.36) * scale
        centre = tuple(int(v) for v in middle + bow * down)
        for share in (1.0, 0.85):
            tint = [float(v) for v in rng.uniform(0, 1) * rng.uniform(0.7, 1, 3)]
            cv2.circle(canvas, centre, max(1, int(dial * share)), tint, -1, cv2.LINE_AA)
        for _ in range(int(rng.integers(0, 5))):
            end = tuple(int(v) for v in middle + rng.normal(0, 0.4, 2) * dial)
            cv2.line(canvas, centre, end, [float(rng.random())] * 3, 1, cv2.LINE_AA)
    return canvas
