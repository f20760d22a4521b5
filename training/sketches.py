"""Rings drawn in a twentieth of a second: countless shapes, made-up shading, exact truth.

They teach what a hoop, its opening and its ends look like from anywhere, before and beside the
path-traced pictures of ``render.py``, which teach what light does to them. Surfaces are clouds of
points, nearest one seen; the geometry is the package's own (``anello.imaging.hoop_fit``).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from data import CACHE, FRONT, HEAD, REAR, Item
from numpy.typing import NDArray

Array = NDArray[np.float32]
Random = np.random.Generator

SIDE: Final = 384
"""Of the picture, px; the ring fills three quarters of it."""
METALS: Final = ((1.0, 0.78, 0.38), (1.0, 0.72, 0.58), (0.97, 0.97, 1.0), (0.25, 0.25, 0.28))
STONES: Final = (
    (1, 1, 1),
    (0.8, 0.05, 0.12),
    (0.08, 0.15, 0.7),
    (0.05, 0.5, 0.25),
    (0.05, 0.05, 0.06),
    (0.5, 0.75, 0.95),
    (0.9, 0.6, 0.1),
    (0.6, 0.2, 0.7),
    (0.9, 0.88, 0.82),
    (0.1, 0.6, 0.6),
)


@dataclass(eq=False)
class Cloud:
    """Points of surfaces in the hoop's frame (right, outwards at the head, along the axis)."""

    points: list[Array] = field(default_factory=list)
    normals: list[Array] = field(default_factory=list)
    colours: list[Array] = field(default_factory=list)
    labels: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(self, points: Any, normals: Any, colours: Any, label: Any) -> None:
        """A surface; ``colours`` are linear light, negative for metal of that tint."""
        n = len(points)
        self.points.append(np.asarray(points, np.float32))
        self.normals.append(np.asarray(normals, np.float32))
        self.colours.append(np.broadcast_to(np.asarray(colours, np.float32), (n, 3)))
        self.labels.append(np.broadcast_to(np.asarray(label, np.uint8), (n,)))


def sketch(rng: Random) -> Item:
    """A ring on white."""
    inner, thick = 1.0, rng.uniform(0.07, 0.22)
    width = (
        thick * np.exp(rng.uniform(np.log(0.8), np.log(5)))
        if rng.random() < 0.8
        else rng.uniform(0.1, 0.9)
    )
    metal = np.array(METALS[rng.choice(4, p=[0.32, 0.16, 0.44, 0.08])]) * rng.uniform(0.9, 1.05, 3)
    cloud = Cloud()
    _add_hoop(cloud, inner, thick, width, metal, rng)
    has_head = rng.random() < 0.75
    if has_head:
        _add_head(cloud, inner + thick, width, metal, rng)
    kind = rng.choice(["three-quarter", "top", "face-on", "side"], p=[0.66, 0.1, 0.14, 0.1])
    low, high = {"three-quarter": (14, 66), "top": (0, 12), "face-on": (72, 90), "side": (10, 60)}[
        kind
    ]
    elevation = np.deg2rad(rng.uniform(low, high))
    yaw = np.deg2rad(
        rng.normal(0, 14) if kind != "side" else rng.uniform(60, 180) * rng.choice([-1, 1])
    )
    return _drawn(cloud, inner, width, float(elevation), float(yaw), str(kind), has_head, rng)


# --- shapes --------------------------------------------------------------------------------------


def _add_hoop(
    cloud: Cloud, inner: float, thick: float, width: float, metal: Any, rng: Random
) -> None:
    """One band, or two or three strands; perhaps wider at the head; perhaps set with stones."""
    strands = 1 if rng.random() < 0.72 else int(rng.integers(2, 4))
    turns = rng.choice([0, 0, 1, 2, 4, 8, 14])
    spread = width * rng.uniform(0.2, 0.6)
    flare = rng.uniform(-0.3, 1.4) if rng.random() < 0.5 else 0.0
    narrow = rng.uniform(1.5, 6)
    power = rng.uniform(1.6, 8)
    ripple, waves = (
        (rng.uniform(0.05, 0.35), int(rng.integers(12, 90))) if rng.random() < 0.2 else (0.0, 1)
    )
    for k in range(strands):
        own = width if strands == 1 else width * rng.uniform(0.25, 0.55)
        t, phi = np.meshgrid(
            np.linspace(-np.pi, np.pi, 1100, endpoint=False),
            _section_angles(own, thick),
            indexing="ij",
        )
        at_head = np.exp(narrow * (np.cos(t) - 1))
        half = own / 2 * (1 + flare * at_head) * (1 + ripple * np.sin(waves * t))
        deep = thick / 2 * (1 + 0.3 * flare * at_head)
        cos, sin = np.cos(phi), np.sin(phi)
        out = np.sign(cos) * np.abs(cos) ** (2 / np.where(cos > 0, power, 6))
        along = np.sign(sin) * np.abs(sin) ** (2 / power)
        radius = inner + deep * (1 + out)
        axial = half * along
        if strands > 1:
            phase = 2 * np.pi * k / strands
            open_up = at_head if turns == 0 else 1.0
            place = (k - (strands - 1) / 2) if turns == 0 else np.cos(turns * t + phase)
            axial = axial + spread * place * open_up
            if turns:
                radius = radius + 0.5 * thick * np.sin(turns * t + phase)
        points = np.stack([radius * np.sin(t), radius * np.cos(t), axial], -1)
        normals = _normals(points)
        label = np.where(np.abs(t) < np.pi / 2, FRONT, REAR)
        tint = metal if k == 0 or rng.random() < 0.7 else np.array(METALS[rng.integers(4)])
        cloud.add(points.reshape(-1, 3), normals.reshape(-1, 3), -tint, label.ravel())
    if rng.random() < 0.3:
        reach = rng.uniform(0.3, np.pi)
        size = min(0.4 * width, rng.uniform(0.04, 0.09))
        rows = int(rng.integers(1, 1 + max(1, int(width / (2.4 * size)))))
        for row in range(rows):
            s = (row - (rows - 1) / 2) * 2.1 * size
            for t0 in np.arange(-reach, reach, 2.1 * size / (inner + thick)):
                place = np.array([np.sin(t0), np.cos(t0), 0]) * (inner + thick * 1.02) + [0, 0, s]
                label = FRONT if abs(t0) < np.pi / 2 else REAR
                _add_stone(
                    cloud,
                    place,
                    np.array([np.sin(t0), np.cos(t0), 0]),
                    size,
                    STONES[0],
                    label,
                    rng,
                    9,
                )


def _section_angles(width: float, thick: float) -> Array:
    n = int(np.clip(2 * (width + thick) * 140, 40, 260))
    return np.linspace(0, 2 * np.pi, n, endpoint=False).astype(np.float32)


def _normals(points: Any) -> Any:
    along = np.roll(points, -1, 0) - np.roll(points, 1, 0)
    around = np.roll(points, -1, 1) - np.roll(points, 1, 1)
    normal = np.cross(around, along)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    return normal


def _add_head(cloud: Cloud, outer: float, width: float, metal: Any, rng: Random) -> None:
    """One large stone or a plate, with prongs, a halo or neighbours."""
    size = rng.uniform(0.16, 0.55) if rng.random() < 0.7 else rng.uniform(0.5, 0.95)
    lift = rng.uniform(0.0, 0.35)
    stone = STONES[0] if rng.random() < 0.4 else STONES[rng.integers(len(STONES))]
    up = np.array([0.0, 1.0, 0.0])
    centre = np.array([0.0, outer + lift, 0.0])
    stretch = np.array([1.0, 1.0]) if rng.random() < 0.5 else rng.uniform(0.7, 1.3, 2)
    corner = 2.0 if rng.random() < 0.6 else rng.uniform(2.5, 9)
    kind = rng.random()
    if kind < 0.12:
        _add_stone(
            cloud, centre, up, size, -metal, HEAD, rng, 80, stretch, corner, smooth=True
        )  # a signet
    elif kind < 0.3:
        _add_stone(cloud, centre, up, size, stone, HEAD, rng, 80, stretch, 2.0, smooth=True)
    else:
        _add_stone(cloud, centre, up, size, stone, HEAD, rng, 80, stretch, corner)
    _add_wall(cloud, centre, size, stretch, corner, outer, metal, rng)
    if rng.random() < 0.45:
        n, small = int(rng.integers(8, 26)), size * rng.uniform(0.14, 0.25)
        for a in np.arange(n) * 2 * np.pi / n:
            at = centre + (size + small) * np.array(
                [stretch[0] * np.cos(a), 0, stretch[1] * np.sin(a)]
            )
            _add_stone(cloud, at, up, small, STONES[0], HEAD, rng, 16)
    if rng.random() < 0.7:
        n = int(rng.choice([4, 6, 8]))
        thin = size * rng.uniform(0.08, 0.16)
        for a in np.arange(n) * 2 * np.pi / n + rng.uniform(0, 1):
            side = np.array([stretch[0] * np.cos(a), 0, stretch[1] * np.sin(a)]) * size
            for down in np.linspace(0, lift + 0.5 * size, 14):
                at = centre + side * (1 - 0.35 * down / (lift + size)) + [0, 0.3 * size - down, 0]
                _add_stone(cloud, at, up, thin, -metal, HEAD, rng, 10, smooth=True)
    if rng.random() < 0.25:
        for way in (-1, 1):
            t = way * (size * 1.7) / outer
            at = np.array([np.sin(t), np.cos(t), 0]) * (outer + 0.7 * lift)
            axis = np.array([np.sin(t), np.cos(t), 0])
            _add_stone(cloud, at, axis, size * 0.65, stone, HEAD, rng, 50)


def _add_stone(
    cloud: Cloud,
    centre: Any,
    up: Any,
    size: float,
    colour: Any,
    label: int,
    rng: Random,
    n: int,
    stretch: Any = (1.0, 1.0),
    corner: float = 2.0,
    smooth: bool = False,
) -> None:
    """A body of revolution about ``up``, faceted or smooth."""
    a, h = np.meshgrid(
        np.linspace(0, 2 * np.pi, 3 * n, endpoint=False),
        np.linspace(-np.pi / 2, np.pi / 2, 2 * n),
        indexing="ij",
    )
    cos, sin = np.cos(a), np.sin(a)
    x = np.sign(cos) * np.abs(cos) ** (2 / corner) * np.cos(h) * stretch[0]
    z = np.sign(sin) * np.abs(sin) ** (2 / corner) * np.cos(h) * stretch[1]
    y = np.sin(h) * (0.55 if smooth else 0.45)
    if not smooth:
        y = np.minimum(y, 0.3)
    side = np.array([up[1], -up[0], 0.0])
    axial = np.array([0.0, 0.0, 1.0])
    points = centre + size * (x[..., None] * side + y[..., None] * up + z[..., None] * axial)
    normal = x[..., None] * side + 1.8 * y[..., None] * up + z[..., None] * axial
    normal = normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6)
    tint = np.asarray(colour, np.float64)
    if smooth or tint[0] < 0:
        shade = (
            tint
            if tint[0] < 0
            else tint * (0.25 + 0.5 * np.clip(normal @ [0.4, 0.8, 0.4], 0, 1))[..., None]
        )
        cloud.add(
            points.reshape(-1, 3),
            normal.reshape(-1, 3),
            np.broadcast_to(shade, points.shape).reshape(-1, 3),
            label,
        )
        return
    # Facets: cells of angle, height and place, each with a light of its own.
    cells = rng.uniform(-1, 1, (7, 3)) * (rng.uniform(2, 10) if n > 20 else 4.5)
    local = np.stack([x, y, z], -1)
    code = np.floor(local @ cells.T / 1.6).astype(np.int64) @ np.array(
        [1, 7, 31, 101, 307, 701, 1511]
    )
    light = np.abs(np.sin(code * 12.9898) * 43758.5453) % 1
    light = np.where(light < 0.35, 0.05 + 0.4 * light, light) ** 1.3
    glint = (light > 0.88)[..., None]
    glow = rng.uniform(0, 0.5)
    shade = np.where(glint, 1.0, (glow + (1 - glow) * light[..., None]) * (0.12 + 0.95 * tint))
    cloud.add(points.reshape(-1, 3), normal.reshape(-1, 3), shade.reshape(-1, 3), label)


def _add_wall(
    cloud: Cloud,
    centre: Any,
    size: float,
    stretch: Any,
    corner: float,
    outer: float,
    metal: Any,
    rng: Random,
) -> None:
    """What carries a stone: a cone from the hoop to its girdle, perhaps only a part of it."""
    foot = rng.uniform(0.35, 0.95)
    windows = int(rng.choice([0, 0, 4, 6, 10]))
    a, h = np.meshgrid(
        np.linspace(0, 2 * np.pi, 300, endpoint=False), np.linspace(0, 1, 70), indexing="ij"
    )
    wide = size * (foot + (1 - foot) * h) * rng.uniform(0.85, 1.08)
    cos, sin = np.cos(a), np.sin(a)
    x = np.sign(cos) * np.abs(cos) ** (2 / corner) * stretch[0] * wide
    z = np.sign(sin) * np.abs(sin) ** (2 / corner) * stretch[1] * wide
    y = outer - 0.05 + h * (centre[1] - outer + 0.05)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    normal = np.stack([cos, np.full_like(a, -0.3), sin], -1).reshape(-1, 3)
    keep = np.ones(len(points), bool)
    if windows:
        keep = ((np.cos(windows * a) > -0.2) | (h > 0.8)).ravel()
    cloud.add(points[keep], normal[keep], -metal, HEAD)


# --- the picture ---------------------------------------------------------------------------------


def _drawn(
    cloud: Cloud,
    inner: float,
    width: float,
    elevation: float,
    yaw: float,
    view: str,
    has_head: bool,
    rng: Random,
) -> Item:
    points, normals = np.concatenate(cloud.points), np.concatenate(cloud.normals)
    camera = _camera(elevation, yaw)
    seen, facing = points @ camera.T, normals @ camera.T
    low, high = seen[:, :2].min(0), seen[:, :2].max(0)
    scale = 0.76 * SIDE / float((high - low).max())
    middle = (low + high) / 2
    x = (SIDE - 1) / 2 + (seen[:, 0] - middle[0]) * scale
    y = (SIDE - 1) / 2 - (seen[:, 1] - middle[1]) * scale
    ids = np.full(SIDE * SIDE, -1, np.int64)
    order = np.argsort(seen[:, 2])
    for dx, dy in ((0, 0), (0.5, 0.5), (-0.5, 0.5)):
        cell = np.round(y + dy).astype(np.int64) * SIDE + np.round(x + dx).astype(np.int64)
        back = _nearest(cell, order)
        closer = (back >= 0) & ((ids < 0) | (seen[back, 2] > seen[ids, 2] + 0.02))
        ids[closer] = back[closer]
    solid = (ids >= 0).reshape(SIDE, SIDE)
    shown = ids[ids >= 0]
    rgb = np.ones((SIDE * SIDE, 3), np.float32)
    rgb[ids >= 0] = _shaded(facing[shown], np.concatenate(cloud.colours)[shown], points[shown], rng)
    parts = np.zeros(SIDE * SIDE, np.uint8)
    parts[ids >= 0] = np.concatenate(cloud.labels)[ids[ids >= 0]]
    coded = np.round(255 * np.clip(rgb.reshape(SIDE, SIDE, 3), 0, 1) ** (1 / 2.2)).astype(np.uint8)
    alpha = cv2.GaussianBlur(solid.astype(np.float32) * 255, (0, 0), 0.6).round().astype(np.uint8)
    ends = inner * np.array([[-1.0, 0, 0], [1, 0, 0]]) + [0, 0, width / 2]
    contacts = _placed(ends @ camera_without_yaw(elevation).T, scale, middle)
    opening = _opening(solid, inner, camera, scale, middle)
    # Of a hoop seen on its edge the ends are no more than the edges of the band.
    known = np.rad2deg(elevation) > 12
    where = [np.flatnonzero(parts == HEAD)]
    head = (
        np.array([[(where[0] % SIDE).mean(), (where[0] // SIDE).mean()]])
        if has_head and where[0].size
        else np.zeros((0, 2))
    )
    return Item(
        rgb=coded,
        alpha=alpha,
        parts=parts.reshape(SIDE, SIDE),
        opening=opening,
        contacts_xy=contacts.astype(np.float32) if known else np.zeros((0, 2), np.float32),
        head_xy=head.astype(np.float32),
        view=view,
        elevation_deg=float(np.rad2deg(elevation)),
        meta={"sketch": True},
    )


def _camera(elevation: float, yaw: float) -> Any:
    """(3, 3) picture's right, up and towards the camera, from the hoop's frame turned by yaw."""
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return camera_without_yaw(elevation) @ turn


def camera_without_yaw(elevation: float) -> Any:
    """The same of a hoop whose head is on top."""
    sin, cos = np.sin(elevation), np.cos(elevation)
    return np.array([[1, 0, 0], [0, sin, -cos], [0, cos, sin]])


def _placed(seen: Any, scale: float, middle: Any) -> Any:
    return np.stack(
        [
            (SIDE - 1) / 2 + (seen[:, 0] - middle[0]) * scale,
            (SIDE - 1) / 2 - (seen[:, 1] - middle[1]) * scale,
        ],
        1,
    )


def _nearest(cell: Any, order: Any) -> Any:
    """For every cell the index of the last of its points in ``order``, -1 for none."""
    ids = np.full(SIDE * SIDE, -1, np.int64)
    ids[cell[order].clip(0, SIDE * SIDE - 1)] = order
    return ids


def _opening(solid: Any, inner: float, camera: Any, scale: float, middle: Any) -> Any:
    """What is enclosed and lies within the inner circle."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~solid).astype(np.uint8), connectivity=4
    )
    t = np.linspace(0, 2 * np.pi, 90)
    circle = inner * np.stack([np.sin(t), np.cos(t), 0 * t], 1)
    within = np.zeros(solid.shape, np.uint8)
    cv2.fillConvexPoly(
        within, np.round(_placed(circle @ camera.T, scale, middle)).astype(np.int32), 1
    )
    outside = labels[0, 0]
    inside = np.bincount(labels[within > 0], minlength=count) > 0.4 * stats[:, cv2.CC_STAT_AREA]
    inside &= stats[:, cv2.CC_STAT_AREA] > 30
    inside[outside] = False
    inside[labels[solid]] = False
    return np.where(inside[labels], 255, 0).astype(np.uint8)


def _shaded(facing: Any, colours: Any, points: Any, rng: Random) -> Any:
    """Linear light: metal mirrors a made-up studio, stones bring their own colours."""
    facing = facing * np.sign(facing[:, 2:3] + 1e-9)
    rough = rng.normal(0, 1, 3) * rng.uniform(0, 0.25)
    wobble = np.sin(points @ rng.normal(0, 14, (3, 3))) @ rng.normal(0, 0.05, (3, 3))
    facing = facing + (wobble + rough * 0.05 if rng.random() < 0.5 else 0)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    mirror = 2 * facing[:, 2:3] * facing - np.array([0, 0, 1.0])
    light = np.full(len(facing), rng.uniform(0.02, 0.6))
    for _ in range(int(rng.integers(3, 9))):
        way = rng.normal(0, 1, 3) * [1, 1, 0.8]
        way /= np.linalg.norm(way)
        soft = np.exp(rng.uniform(np.log(0.008), np.log(0.25)))
        step = 1 / (1 + np.exp(-np.clip((mirror @ way - rng.uniform(0.1, 0.9)) / soft, -30, 30)))
        light += rng.uniform(-0.5, 1.0) * step
    inward = np.hypot(points[:, 0], points[:, 1]) < 1.02
    light = np.where(inward, light * rng.uniform(0.4, 1.0), light).clip(0.0, 1.3)
    metal = light[:, None] * np.abs(colours) + 0.25 * np.clip(light - 0.9, 0, 1)[:, None]
    return np.where(colours[:, :1] < 0, metal, colours).astype(np.float32)


# --- shards, as render.py writes them ------------------------------------------------------------

PER_SHARD, SEED = 32, 4


def write_shard(number: int, folder: Any) -> None:
    """One file of sketches; the same number gives the same file."""
    path = folder / f"sketch-{number:05d}.npz"
    if path.exists():
        return
    items = [sketch(np.random.default_rng((SEED, number, k))) for k in range(PER_SHARD)]
    arrays: dict[str, Any] = {}
    for name, field_name in (
        ("image", "rgb"),
        ("alpha", "alpha"),
        ("parts", "parts"),
        ("opening", "opening"),
    ):
        pictures = [getattr(item, field_name) for item in items]
        pictures = [p[..., ::-1] if p.ndim == 3 else p for p in pictures]
        coded = [cv2.imencode(".png", picture)[1].ravel() for picture in pictures]
        arrays[f"{name}_bytes"] = np.concatenate(coded)
        arrays[f"{name}_offsets"] = np.cumsum([0, *(len(code) for code in coded)])
    metas = [
        {
            "contact_xy": item.contacts_xy.tolist() or None,
            "head_xy": item.head_xy[0].tolist() if len(item.head_xy) else None,
            "view": item.view,
            "elevation_deg": item.elevation_deg,
            "sketch": True,
        }
        for item in items
    ]
    part = path.with_suffix(".part.npz")
    np.savez(part, meta=np.array([json.dumps(meta) for meta in metas]), **arrays)
    part.replace(path)


def main() -> None:
    """Draw what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=48)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="for several processes at once")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    CACHE.mkdir(parents=True, exist_ok=True)
    for number in range(options.first, options.shards, options.every):
        write_shard(number, CACHE)


if __name__ == "__main__":
    main()
