"""What the metal mirrors: surroundings as a picture of all directions, drawn with arrays."""

from __future__ import annotations

import numpy as np
from shapes import TAU, Float

Rng = np.random.Generator

HEIGHT = 128
"""Rows of the picture; twice as many columns."""

TRAINING = {
    "tent": 3.0,
    "softboxes": 3.0,
    "window": 2.0,
    "overhead": 1.5,
    "hard": 2.0,
    "strips": 1.0,
    "room": 1.0,
    "catalogue": 3.0,
}
EVEN = ("tent", "overhead", "catalogue")
"""Without small bright lamps."""


def directions() -> Float:
    """(H, 2H, 3) unit vectors of Blender's equirectangular picture, bottom row first."""
    v = (np.arange(HEIGHT) + 0.5) / HEIGHT
    u = (np.arange(2 * HEIGHT) + 0.5) / (2 * HEIGHT)
    lat, lon = np.pi * (v - 0.5)[:, None], -TAU * (u - 0.5)[None, :]
    return np.stack(
        [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon], -1
    )


def surroundings(rng: Rng, kind: str, up: Float, towards: Float) -> Float:
    """(H, 2H, 3) linear light. ``up``: the ground's normal; ``towards``: to the camera."""
    d = directions()
    side = np.cross(up, towards)
    side = side / max(1e-6, np.linalg.norm(side)) if np.linalg.norm(side) > 0.05 else _any(up)
    ahead = np.cross(side, up)  # along the ground, towards the camera
    height = d @ up
    picture = np.zeros((*d.shape[:2], 3))

    def direction(azimuth: float, elevation: float) -> Float:
        a, e = np.radians(azimuth), np.radians(elevation)
        return np.cos(e) * (np.cos(a) * ahead + np.sin(a) * side) + np.sin(e) * up

    def panel(
        azimuth: float,
        elevation: float,
        width: float,
        tall: float,
        soft: float = 0.05,
        turn: float = 0.0,
        bars: int = 0,
    ) -> Float:
        c = direction(azimuth, elevation)
        right = np.cross(up, c)
        right = right / np.linalg.norm(right) if np.linalg.norm(right) > 0.05 else side
        over = np.cross(c, right)
        depth = d @ c
        x, y = (d @ right) / np.maximum(depth, 1e-3), (d @ over) / np.maximum(depth, 1e-3)
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        inside = np.minimum(width - np.abs(x), tall - np.abs(y))
        mask = np.clip(inside / soft + 0.5, 0, 1) * (depth > 0.02)
        for k in range(bars):
            at = (k + 1) / (bars + 1) * 2 - 1
            mask = mask * (np.abs(x - at * width) > 0.03 * width + 0.012)
            mask = mask * (np.abs(y - at * tall) > 0.03 * tall + 0.012)
        return mask[..., None]

    def tint(spread: float = 0.08) -> Float:
        warm = rng.normal() * spread
        return np.array([1 + warm, 1.0, 1 - warm])

    def boxes(n: int, low: float, high: float, big: float = 0.6) -> None:
        nonlocal picture
        for _ in range(n):
            m = panel(
                rng.uniform(-180, 180),
                rng.uniform(5, 85),
                rng.uniform(0.12, big),
                rng.uniform(0.15, big * 1.4),
                rng.uniform(0.01, 0.25),
                rng.uniform(0, 3),
            )
            picture = picture * (1 - m) + m * rng.uniform(low, high) * tint()

    def cards(n: int, level: float = 0.03) -> None:
        nonlocal picture
        for _ in range(n):
            m = panel(
                rng.uniform(-180, 180),
                rng.uniform(-15, 70),
                rng.uniform(0.04, 0.35),
                rng.uniform(0.2, 1.4),
                rng.uniform(0.01, 0.2),
                rng.uniform(-0.4, 0.4),
            )
            picture = picture * (1 - m) + m * level * rng.uniform(0.3, 2)

    grade = 0.5 + 0.5 * height[..., None]
    if kind == "tent":
        picture[:] = rng.uniform(0.5, 1.0) * (rng.uniform(0.4, 0.9) + (1 - grade) * 0 + 0.4 * grade)
        boxes(int(rng.integers(1, 4)), 1.5, 4.0, 0.9)
        cards(int(rng.integers(1, 6)))
    elif kind == "softboxes":
        picture[:] = rng.uniform(0.06, 0.4) * tint()
        boxes(int(rng.integers(2, 5)), 3, 10)
        cards(int(rng.integers(0, 4)))
    elif kind == "window":
        picture[:] = rng.uniform(0.15, 0.4) * (0.4 + 0.6 * grade) * tint(0.15)
        az, bars = rng.choice([-1, 1]) * rng.uniform(40, 140), int(rng.integers(0, 3))
        m = panel(
            az, rng.uniform(15, 50), rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.1), 0.03, bars=bars
        )
        picture = picture * (1 - m) + m * rng.uniform(5, 11) * tint(0.1)
        boxes(int(rng.integers(0, 2)), 0.8, 1.5, 0.8)
        cards(int(rng.integers(0, 4)))
    elif kind == "overhead":
        picture[:] = 0.1 + rng.uniform(1, 3) * np.clip(grade - rng.uniform(0.2, 0.6), 0, 1) ** 1.5
        picture *= tint()
        cards(int(rng.integers(1, 5)))
    elif kind == "hard":
        picture[:] = rng.uniform(0.15, 0.5) * (0.5 + 0.5 * grade) * tint()
        boxes(int(rng.integers(0, 3)), 0.8, 2.5, 0.6)
        cards(int(rng.integers(0, 4)))
        size = rng.uniform(0.03, 0.12)
        m = panel(rng.uniform(-150, 150), rng.uniform(25, 75), size, size, 0.02)
        picture = picture + m * rng.uniform(1.2, 3) / (4 * size * size) * tint(0.1)
    elif kind == "strips":
        picture[:] = rng.uniform(0.02, 0.1)
        for _ in range(int(rng.integers(3, 8))):
            m = panel(
                rng.uniform(-180, 180),
                rng.uniform(-5, 80),
                rng.uniform(0.04, 0.2),
                rng.uniform(0.5, 1.5),
                0.03,
                rng.uniform(-0.5, 0.5),
            )
            picture = picture * (1 - m) + m * rng.uniform(2, 8) * tint()
    elif kind == "catalogue":  # black and white, as CAD renders like it
        picture[:] = 0.3 + 0.6 * grade
        for _ in range(int(rng.integers(5, 11))):
            m = panel(
                rng.uniform(-180, 180),
                rng.uniform(-20, 80),
                rng.uniform(0.15, 0.8),
                rng.uniform(0.2, 0.9),
                rng.uniform(0.02, 0.5),
                rng.uniform(0, 3),
            )
            level = rng.uniform(0.005, 0.08) if rng.random() < 0.5 else rng.uniform(0.9, 3)
            picture = picture * (1 - m) + m * level
        m = np.exp(-(((height - rng.uniform(-0.1, 0.25)) / rng.uniform(0.08, 0.3)) ** 2))[..., None]
        picture = picture * (1 - rng.uniform(0.5, 0.97) * m)
        boxes(1, 2, 4, 0.7)
    else:  # a room: patches of all kinds of light
        picture[:] = 0.25 * tint(0.2)
        for _ in range(14):
            m = panel(
                rng.uniform(-180, 180),
                rng.uniform(-30, 80),
                rng.uniform(0.1, 0.7),
                rng.uniform(0.1, 0.9),
                rng.uniform(0.02, 0.4),
                rng.uniform(0, 3),
            )
            colour = np.clip(1 + rng.normal(size=3) * 0.2, 0.3, 2)
            picture = picture * (1 - m) + m * np.exp(rng.normal() * 1.1 - 1) * colour
        boxes(1, 4, 9)
    if rng.random() < 0.35:  # the camera and who holds it
        c = towards / np.linalg.norm(towards)
        r = rng.uniform(0.05, 0.3)
        m = np.clip((d @ c - np.cos(r)) / 0.02 + 0.5, 0, 1)[..., None]
        picture = picture * (1 - m) + m * 0.03
    return np.maximum(picture, 0)


def _any(n: Float) -> Float:
    other = np.array([1.0, 0, 0]) if abs(n[0]) < 0.9 else np.array([0, 1.0, 0])
    s = np.cross(n, other)
    return s / np.linalg.norm(s)
