"""Grounds: what lies under and behind a ring. Names are split between training and validation."""

from __future__ import annotations

import colorsys
from typing import Any

import cv2
import numpy as np
from materials import Nodes, matt
from shapes import Float, Mesh, box, tube

Rng = np.random.Generator

TRAINING: dict[str, float] = {
    "white-lit": 23,
    "white-cut": 21,
    "white-gloss": 9,
    "near-white": 9,
    "grey": 5,
    "colour": 4,
    "flat-colour": 3,
    "gradient": 4,
    "blobs": 1.5,
    "paper": 3,
    "velvet": 3,
    "granite": 2,
    "marble": 2.5,
    "oak": 2,
    "concrete": 2,
    "box": 3,
    "cushion": 2,
    "black-gloss": 3,
    "mirror": 3.5,
    "silk": 2,
    "sand": 1.5,
    "checked": 1,
}
VALIDATION: dict[str, float] = {
    "white-sweep": 40,
    "white-flat": 14,
    "mint-paper": 8,
    "linen": 8,
    "slate": 8,
    "walnut": 8,
    "terrazzo": 7,
    "dusk-gradient": 7,
}
LAID_BEHIND: dict[str, float] = {"white-cut": 6, "flat-colour": 1, "gradient": 1}
FLAT = ("white-cut", "flat-colour", "gradient", "blobs", "white-flat", "dusk-gradient")
"""Laid behind the cut-out ring after rendering."""
WHITE = ("white-lit", "white-cut", "white-gloss", "near-white", "white-sweep", "white-flat")
BURNT = ("white-lit", "white-gloss", "white-sweep")
"""Exposed until the ground is the picture's white."""


def colour(
    rng: Rng,
    saturation: tuple[float, float] = (0.15, 0.9),
    value: tuple[float, float] = (0.2, 0.95),
) -> tuple[float, float, float]:
    """A linear colour."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return tuple(c**2.2 for c in rgb)


def surface(rng: Rng, name: str) -> Any:
    """The material of a ground that is rendered; object coordinates, z is its normal."""
    base = {
        "white-lit": (0.85,) * 3,
        "white-sweep": (0.85,) * 3,
        "white-gloss": (0.85,) * 3,
        "near-white": tuple(
            np.array([1, 1, 1]) * rng.uniform(0.6, 0.8) * (1 + rng.normal(size=3) * 0.03)
        ),
        "grey": (float(rng.uniform(0.08, 0.5)),) * 3,
        "colour": colour(rng),
        "paper": colour(rng, (0.0, 0.45), (0.6, 0.95)),
        "mint-paper": (0.52, 0.75, 0.62),
        "velvet": colour(rng, (0.3, 1), (0.05, 0.5)),
        "cushion": colour(rng, (0.0, 0.5), (0.1, 0.95)),
        "box": colour(rng, (0.0, 0.6), (0.03, 0.95)),
        "silk": colour(rng, (0.0, 0.7), (0.3, 0.95)),
        "linen": (0.62, 0.55, 0.45),
        "black-gloss": (0.008,) * 3,
        "mirror": (0.9,) * 3,
        "sand": (0.6, 0.46, 0.3),
        "concrete": (0.35,) * 3,
        "checked": colour(rng, (0, 0.5), (0.6, 1)),
    }.get(name, (0.5, 0.5, 0.5))
    rough = {
        "white-gloss": rng.uniform(0.05, 0.3),
        "black-gloss": rng.uniform(0.02, 0.2),
        "mirror": rng.uniform(0.0, 0.12),
        "silk": 0.35,
    }.get(name, rng.uniform(0.5, 0.95))
    n, shader = matt(
        name,
        base,
        float(rough),
        metallic=1.0 if name == "mirror" else 0.0,
        specular=0.5 if name in ("white-gloss", "black-gloss", "silk") else 0.2,
        sheen=1.0 if name in ("velvet", "cushion", "silk") else 0.0,
    )
    if name == "white-gloss":
        shader.inputs["Coat Weight"].default_value = float(rng.uniform(0, 0.6))
    where = n.add("TexCoord").outputs["Object"]
    size = float(rng.uniform(0.6, 1.6))
    if name in ("paper", "mint-paper", "concrete", "sand", "velvet", "cushion", "box"):
        scale = {"concrete": 2.0, "sand": 25.0}.get(name, 14.0) * size
        noise = n.add("TexNoise", Vector=where, Scale=scale, Detail=5.0)
        k = {"paper": 0.1, "mint-paper": 0.1, "sand": 0.8, "concrete": 0.15}.get(name, 0.3)
        n.link(n.bump(noise.outputs[0], k), shader.inputs["Normal"])
        if name in ("concrete", "sand", "velvet"):
            _speckle(n, shader, noise.outputs[0], base, 0.6, 1.15)
    elif name in ("linen", "checked"):
        waves = [
            n.add(
                "TexWave",
                Vector=where,
                Scale=9.0 * size,
                bands_direction=d,
                Distortion=0.6,
                Detail=1.0,
            )
            for d in "XY"
        ]
        both = n.add("Math", operation="MULTIPLY")
        for k, w in enumerate(waves):
            n.link(w.outputs["Fac"], both.inputs[k])
        _speckle(n, shader, both.outputs[0], base, 0.45, 1.1)
        n.link(n.bump(both.outputs[0], 0.5), shader.inputs["Normal"])
    elif name in ("granite", "terrazzo"):
        cells = n.add("TexVoronoi", Vector=where, Scale=(9.0 if name == "granite" else 2.6) * size)
        tone = float(rng.uniform(0.1, 0.7))
        bw = n.add("RGBToBW")
        n.link(cells.outputs["Color"], bw.inputs[0])
        n.link(
            n.ramp(
                bw.outputs[0],
                (0.2, (tone * 0.4,) * 3),
                (0.5, (tone, tone * 0.97, tone * 0.93)),
                (0.8, (min(1, tone * 1.5),) * 3),
            ),
            shader.inputs["Base Color"],
        )
        shader.inputs["Roughness"].default_value = float(rng.uniform(0.15, 0.5))
    elif name in ("marble", "slate"):
        noise = n.add("TexNoise", Vector=where, Scale=0.7 * size, Detail=8.0, Distortion=1.5)
        light, dark = (
            ((0.85, 0.84, 0.82), (0.35, 0.35, 0.37))
            if name == "marble"
            else ((0.09, 0.1, 0.11), (0.03, 0.035, 0.04))
        )
        if name == "marble" and rng.random() < 0.25:
            light, dark = (0.03, 0.03, 0.03), (0.4, 0.38, 0.35)
        n.link(
            n.ramp(noise.outputs[0], (0.42, light), (0.495, dark), (0.55, light)),
            shader.inputs["Base Color"],
        )
        shader.inputs["Roughness"].default_value = float(rng.uniform(0.1, 0.4))
    elif name in ("oak", "walnut"):
        long = n.add(
            "Mapping",
            Vector=where,
            Scale=(0.12, 1.6, 1.0),
            Rotation=(0, 0, float(rng.uniform(0, 3))),
        )
        noise = n.add(
            "TexNoise", Vector=long.outputs[0], Scale=5.0 * size, Detail=6.0, Distortion=0.6
        )
        a, b = (
            ((0.5, 0.3, 0.14), (0.22, 0.11, 0.05))
            if name == "oak"
            else ((0.16, 0.08, 0.04), (0.05, 0.025, 0.012))
        )
        if name == "oak" and rng.random() < 0.3:
            a, b = (0.7, 0.65, 0.58), (0.45, 0.4, 0.34)
        n.link(n.ramp(noise.outputs[0], (0.35, b), (0.65, a)), shader.inputs["Base Color"])
        n.link(n.bump(noise.outputs[0], 0.2), shader.inputs["Normal"])
    return n.material


def _speckle(n: Nodes, shader: Any, value: Any, base: Any, low: float, high: float) -> None:
    n.link(
        n.ramp(
            value,
            (0.3, tuple(c * low for c in base)),
            (0.7, tuple(min(1.0, c * high) for c in base)),
        ),
        shader.inputs["Base Color"],
    )


def sweep(rng: Rng, name: str, low: bool) -> Mesh:
    """The floor, z = 0, rising to a wall behind (y > 0) when the camera is ``low``."""
    if name == "silk":
        x, y = np.meshgrid(np.linspace(-14, 14, 150), np.linspace(-14, 14, 150), indexing="ij")
        h = np.zeros(x.shape)
        for _ in range(9):
            k, p = rng.normal(size=2) * rng.choice([0.5, 0.9, 1.6]), rng.uniform(0, 6)
            h += 0.16 / (0.4 + np.hypot(*k)) * np.sin(k[0] * x + k[1] * y + p + np.sin(0.5 * x + p))
        h = (h - h.max()) * (1 - np.exp(-(x * x + y * y) / 4) * 0.85)
        return _sheet(np.stack([x, y, h], -1))
    far = rng.uniform(6, 22) if low else 60.0
    bend = rng.uniform(2, 5)
    a = np.linspace(0, np.pi / 2, 14)
    y = np.concatenate([[-60, -20], far - bend + bend * np.sin(a), [far]])
    z = np.concatenate([[0, 0], bend - bend * np.cos(a), [60]])
    x = np.array([-60, 0, 60.0])
    points = np.stack(
        [
            np.broadcast_to(x[None], (len(y), 3)),
            np.broadcast_to(y[:, None], (len(y), 3)),
            np.broadcast_to(z[:, None], (len(y), 3)),
        ],
        -1,
    )
    return _sheet(points)


def _sheet(points: Float) -> Mesh:
    n, k = points.shape[:2]
    i, j = np.meshgrid(np.arange(n - 1), np.arange(k - 1), indexing="ij")
    quads = np.stack([i * k + j, (i + 1) * k + j, (i + 1) * k + j + 1, i * k + j + 1], -1)
    mesh = Mesh(points.reshape(-1, 3), quads.reshape(-1, 4))
    a, b, c = (mesh.points[mesh.quads[0, q]] for q in range(3))
    return mesh if np.cross(b - a, c - a)[2] > 0 else mesh.flipped()


def slot(rng: Rng, low: float, half_width: float, boxed: bool) -> list[Mesh]:
    """Rolls of a cushion on both sides of a standing ring (its axis is y), tops at z = ``low``."""
    radius = float(rng.uniform(0.5, 1.1))
    gap = half_width + 0.02
    rolls = []
    for sign in (-1, 1):
        for k in range(3 if boxed else 2):
            y = sign * (gap + radius * (1 + 2 * k))
            x = np.linspace(-2.4, 2.4, 24)
            sag = 0.06 * np.sin(x * 2 + k)
            end = np.clip((2.4 - np.abs(x)) / 0.6, 0.15, 1) ** 0.5
            path = np.column_stack([x, 0 * x + y, low - radius + 0 * sag])
            rolls.append(tube(path, radius * (0.25 + 0.75 * end), k=20))
    if boxed:
        reach, wall = 2.6, 0.25
        deep = gap + 6 * radius + 0.1
        top = low + float(rng.uniform(-0.3, 0.25))
        for sign in (-1, 1):
            rolls.append(box((wall, 2 * deep, 3), (sign * reach, 0, top - 1.5)))
            rolls.append(box((2 * reach, wall, 3), (0, sign * deep, top - 1.5)))
    return rolls


def cushion(rng: Rng, low: float) -> Mesh:
    """A pillow with its top at z = ``low``."""
    u, v = np.meshgrid(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50), indexing="ij")
    h = ((1 - u**4) * (1 - v**4)) ** 0.5
    h = h + 0.02 * np.sin(7 * u + 3 * v) + 0.02 * np.sin(9 * v - 4 * u)
    size, tall = rng.uniform(2.6, 4.5), rng.uniform(0.7, 1.4)
    dent = 0.1 * np.exp(-(u * u + v * v) * size**2 / 1.5)
    z = low + (h - h[24:26, 24:26].mean()) * tall - dent + 0.05
    return _sheet(np.stack([u * size, v * size, z], -1))


def flat_picture(rng: Rng, name: str, width: int, height: int) -> Float:
    """(H, W, 3) *encoded* sRGB in [0, 1]: a ground laid behind the cut-out ring."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    if name in ("white-cut", "white-flat"):
        return np.ones((height, width, 3))
    first, second = (np.array(colour(rng, (0, 0.8), (0.15, 1.0))) ** (1 / 2.2) for _ in range(2))
    if name == "dusk-gradient":
        first, second = np.array([0.83, 0.76, 0.80]), np.array([0.35, 0.37, 0.5])
    if name == "flat-colour":
        return np.broadcast_to(first, (height, width, 3)).copy()
    if name == "blobs":
        small = rng.random((int(rng.integers(3, 9)), int(rng.integers(3, 9)), 3)) ** 1.2
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        keep = rng.uniform(0.15, 0.7)
        return np.clip(first * (1 - keep) + picture * keep, 0, 1)
    if rng.random() < 0.4:  # most gradients of shops are light
        first = 1 - (1 - first) * 0.15
        second = 1 - (1 - second) * 0.35
    if rng.random() < 0.5:
        a = rng.uniform(0, 6.28)
        t = np.cos(a) * (x - 0.5) + np.sin(a) * (y - 0.5) + 0.5
    else:
        t = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7)) * 1.4
    t = np.clip(t, 0, 1)[..., None]
    picture = first * (1 - t) + second * t
    return np.clip(picture + rng.normal(size=(height, width, 1)) * 0.004, 0, 1)
