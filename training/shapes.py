"""Meshes for rings and things, as arrays.

The ring's own frame, everywhere in this folder: x runs across the ring (u), y along its axis (a),
z from its centre to the head (g). The inner radius is 1. An angle on the hoop is counted from the
head: the point at angle t, radius r, axial offset s is (r sin t, s, r cos t).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

Float = NDArray[np.float64]
Int = NDArray[np.int64]

TAU = 2 * np.pi
SHARP_RAD = 0.6
"""Edges bent more than this are drawn sharp on smooth meshes."""


@dataclass(eq=False)
class Mesh:
    """A closed surface: (N, 3) points, (Q, 4) quads and (T, 3) triangles; facets or smooth."""

    points: Float
    quads: Int = field(default_factory=lambda: np.zeros((0, 4), int))
    triangles: Int = field(default_factory=lambda: np.zeros((0, 3), int))
    smooth: bool = True

    def moved(
        self, matrix: Float | None = None, shift: Sequence[float] | Float = (0, 0, 0)
    ) -> Mesh:
        """The mesh turned or scaled by (3, 3) ``matrix``, then shifted."""
        points = self.points if matrix is None else self.points @ np.asarray(matrix).T
        mesh = Mesh(points + np.asarray(shift), self.quads, self.triangles, self.smooth)
        return mesh.flipped() if matrix is not None and np.linalg.det(matrix) < 0 else mesh

    def flipped(self) -> Mesh:
        return Mesh(self.points, self.quads[:, ::-1], self.triangles[:, ::-1], self.smooth)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many (they keep their own surfaces); all smooth or all faceted."""
    starts = np.cumsum([0] + [len(m.points) for m in meshes])[:-1]
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.quads + k for m, k in zip(meshes, starts, strict=True)]),
        np.concatenate([m.triangles + k for m, k in zip(meshes, starts, strict=True)]),
        meshes[0].smooth,
    )


def outward(mesh: Mesh) -> Mesh:
    """The mesh with its normals outside (by the sign of its volume)."""
    p = mesh.points - mesh.points.mean(0)
    tris = np.concatenate([mesh.triangles, mesh.quads[:, :3], mesh.quads[:, [0, 2, 3]]])
    a, b, c = p[tris[:, 0]], p[tris[:, 1]], p[tris[:, 2]]
    return mesh if np.einsum("ij,ij->", a, np.cross(b, c)) >= 0 else mesh.flipped()


def grid(
    points: Float, closed_rows: bool, closed_columns: bool = True, smooth: bool = True
) -> Mesh:
    """A mesh over (N, K, 3) points; open ends of rows are capped with a fan."""
    n, k = points.shape[:2]
    rows = np.arange(n if closed_rows else n - 1)
    columns = np.arange(k if closed_columns else k - 1)
    i, j = np.meshgrid(rows, columns, indexing="ij")
    i2, j2 = (i + 1) % n, (j + 1) % k
    quads = np.stack([i * k + j, i2 * k + j, i2 * k + j2, i * k + j2], -1).reshape(-1, 4)
    flat = points.reshape(-1, 3)
    triangles = np.zeros((0, 3), int)
    if not closed_rows:
        ends = np.stack([points[0].mean(0), points[-1].mean(0)])
        j = np.arange(k)
        first = np.stack([np.full(k, n * k), j, (j + 1) % k], -1)
        last = np.stack([np.full(k, n * k + 1), (n - 1) * k + (j + 1) % k, (n - 1) * k + j], -1)
        triangles = np.concatenate([first, last])
        flat = np.concatenate([flat, ends])
    return outward(Mesh(flat, quads, triangles, smooth))


# --- around the hoop -----------------------------------------------------------------------------


def on_hoop(t: Float, r: Float | float, s: Float | float) -> Float:
    """Points at angle ``t``, radius ``r``, axial offset ``s``: (..., 3)."""
    t, r, s = np.broadcast_arrays(t, r, s)
    return np.stack([r * np.sin(t), s, r * np.cos(t)], -1).astype(float)


def profile(kind: str, edge: float = 0.5, comfort: float = 0.12, n: int = 22) -> Float:
    """A band's section: (K, 2) of axial -1..1 and radial 0 (inside) .. 1 (outside)."""
    x = np.sin(np.linspace(-1, 1, n) * np.pi / 2)
    a = np.abs(x)
    top = {
        "flat": 1 - 0.10 * a**10,
        "court": edge + (1 - edge) * np.sqrt(np.maximum(0, 1 - 0.92 * x * x)),
        "half-round": np.sqrt(np.maximum(0, 1 - 0.985 * x * x)),
        "knife": edge + (1 - edge) * (1 - a) ** 0.9,
        "bevel": 1 - (1 - edge) * np.clip((a - 0.68) / 0.32, 0, 1),
        "concave": 0.72 + 0.28 * a**2,
        "step": np.where(a < 0.62, 1.0, 0.72),
        "groove": 1 - 0.28 * np.exp(-(((a - 0.5) / 0.07) ** 2)),
        "centre-groove": 1 - 0.35 * np.exp(-((x / 0.12) ** 2)),
        "channel": np.where(a < 0.66, 0.72, 1.0),
        "ribs": 0.82 + 0.18 * np.cos(x * np.pi * 5),
        "beaded": 0.8 + 0.2 * np.clip((a - 0.8) / 0.1, 0, 1),
    }[kind]
    y = np.sin(np.linspace(1, -1, 8) * np.pi / 2)
    inside = comfort * np.abs(y) ** 3
    outer = np.stack([x, np.maximum(top, comfort + 0.05)], -1)
    outer[[0, -1], 0] *= 0.97
    inner = np.stack([y * 0.96, inside], -1)
    return np.concatenate([outer, inner])


def swept(
    t: Float,
    section: Float,
    width: Float | float,
    thick: Float | float,
    shift: Float | float = 0.0,
    radius: Float | float = 1.0,
    closed: bool = True,
    relief: Callable[[Float, Float], Float] | None = None,
) -> Mesh:
    """A band: ``section`` carried around the hoop.

    width (whole), thick, shift (axial), radius (inner) are numbers or one a ``t``; ``relief`` adds
    height at (angle, axial offset) to the outer side.
    """
    s = section[None, :, 0] * np.reshape(width, (-1, 1)) / 2 + np.reshape(shift, (-1, 1))
    r = np.reshape(radius, (-1, 1)) + section[None, :, 1] * np.reshape(thick, (-1, 1))
    s, r = np.broadcast_arrays(s, r)
    angle = np.broadcast_to(t[:, None], (len(t), len(section)))
    s, r = [np.broadcast_to(v, angle.shape) for v in (s, r)]
    if relief is not None:
        outer = np.clip((section[None, :, 1] - 0.4) / 0.3, 0, 1) * (
            np.abs(section[None, :, 0]) < 0.98
        )
        r = r + relief(angle, s) * outer
    return grid(on_hoop(angle, r, s), closed)


def tube(
    path: Float, radius: Float | float, closed: bool = False, k: int = 10, flatten: float = 1.0
) -> Mesh:
    """A wire along (N, 3) ``path``; its section is round, or an ellipse flattened along r."""
    n = len(path)
    radius = np.broadcast_to(radius, (n,))
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    radial = path * [1, 0, 1]
    radial = np.where(np.linalg.norm(radial, axis=1, keepdims=True) < 1e-6, [[0, 0, 1.0]], radial)
    side = np.cross(ahead, radial)
    weak = np.linalg.norm(side, axis=1) < 0.25 * np.linalg.norm(radial, axis=1)
    if weak.mean() > 0.2:  # a spoke: any steady frame will do
        steady = np.array([0, 1.0, 0]) if abs(ahead[:, 1]).mean() < 0.8 else np.array([1.0, 0, 0])
        side = np.cross(ahead, steady)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    up = np.cross(side, ahead)
    a = np.arange(k) * TAU / k
    ring = (
        np.cos(a)[None, :, None] * side[:, None] + flatten * np.sin(a)[None, :, None] * up[:, None]
    )
    return grid(path[:, None] + radius[:, None, None] * ring, closed)


# --- small bodies --------------------------------------------------------------------------------


def ball(radius: float = 1.0, at: Sequence[float] | Float = (0, 0, 0), n: int = 10) -> Mesh:
    """A sphere."""
    lat = np.linspace(0.02, np.pi - 0.02, n)
    lon = np.arange(2 * n) * TAU / (2 * n)
    points = np.stack(
        [
            np.sin(lat)[:, None] * np.cos(lon),
            np.sin(lat)[:, None] * np.sin(lon),
            np.cos(lat)[:, None] + 0 * lon,
        ],
        -1,
    )
    return grid(points * radius + np.asarray(at), False)


def lathe(profile_rz: Float, n: int = 64, smooth: bool = True) -> Mesh:
    """A body of revolution around z from (K, 2) radius and height, bottom to top."""
    a = np.arange(n) * TAU / n
    r, z = profile_rz[:, 0], profile_rz[:, 1]
    points = np.stack([r[:, None] * np.cos(a), r[:, None] * np.sin(a), z[:, None] + 0 * a], -1)
    return grid(points, False, True, smooth)


def box(size: Sequence[float], at: Sequence[float] = (0, 0, 0), bevel: float = 0.06) -> Mesh:
    """A box with bevelled edges (a superellipsoid would be rounder than boxes are)."""
    half = np.asarray(size, float) / 2
    b = bevel * half.min()
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    points = []
    for axis in range(3):
        inset = np.full(3, b)
        inset[axis] = 0
        points.append(corners * (half - inset))
    return hull(np.concatenate(points), at)


def hull(points: Float, at: Sequence[float] | Float = (0, 0, 0)) -> Mesh:
    """The faceted convex hull of (N, 3) points."""
    found = ConvexHull(points)
    used = np.unique(found.simplices)
    index = np.full(len(points), -1)
    index[used] = np.arange(len(used))
    tris = index[found.simplices]
    kept = points[used]
    a, b, c = (kept[tris[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    turn = np.einsum("ij,ij->i", normal, found.equations[:, :3]) < 0
    tris[turn] = tris[turn][:, ::-1]
    return Mesh(kept + np.asarray(at), triangles=tris, smooth=False)


# --- outlines of stones and plates ---------------------------------------------------------------

OUTLINES = (
    "round",
    "oval",
    "pear",
    "marquise",
    "cushion",
    "square",
    "emerald",
    "hexagon",
    "trillion",
    "heart",
)


def outline(kind: str, n: int = 48) -> Float:
    """(n, 2) points of a stone's outline from above, about 1 from the centre, x the long way."""
    a = np.arange(n) * TAU / n
    c, s = np.cos(a), np.sin(a)
    power = {"cushion": 3.6, "square": 14.0, "emerald": 9.0}.get(kind)
    if kind == "round":
        p = np.stack([c, s], -1)
    elif kind == "oval":
        p = np.stack([1.18 * c, 0.85 * s], -1)
    elif kind == "marquise":
        p = np.stack([1.45 * c, 0.72 * s * np.abs(s) ** 0.45], -1)
    elif kind == "pear":
        p = np.stack([1.15 * c + 0.1, 0.82 * s * (1 - 0.55 * (c + 1) / 2 * (c > -1))], -1)
        p[:, 1] *= 1.15
    elif kind == "hexagon":
        p = _polygon(6, a)
    elif kind == "trillion":
        r = 1 - 0.16 * np.cos(3 * a + np.pi) - 0.02
        p = np.stack([r * c, r * s], -1)
    elif kind == "heart":
        p = (
            np.stack(
                [
                    16 * np.sin(a) ** 3,
                    13 * c - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a),
                ],
                -1,
            )
            / 15.0
        )
        p = p[:, ::-1] * [-1, 1]
    elif kind == "emerald":
        p = np.array(
            [
                [1.2, 0.5],
                [0.95, 0.82],
                [-0.95, 0.82],
                [-1.2, 0.5],
                [-1.2, -0.5],
                [-0.95, -0.82],
                [0.95, -0.82],
                [1.2, -0.5],
            ]
        )
        p = _resampled(p, n)
    else:
        r = (np.abs(c) ** power + np.abs(s) ** power) ** (-1 / power) * 0.9
        p = np.stack([r * c, r * s], -1)
    return p


def _polygon(sides: int, a: Float) -> Float:
    half = np.pi / sides
    r = np.cos(half) / np.cos((a % (2 * half)) - half)
    return np.stack([r * np.cos(a), r * np.sin(a)], -1)


def _resampled(corners: Float, n: int) -> Float:
    loop = np.concatenate([corners, corners[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))])
    at = np.linspace(0, length[-1], n, endpoint=False)
    return np.stack([np.interp(at, length, loop[:, i]) for i in range(2)], -1)


def at_angle(shape: Float, angle: Float) -> Float:
    """The outline's points at the polar angles given: (len(angle), 2)."""
    a = np.arctan2(shape[:, 1], shape[:, 0])
    order = np.argsort(a)
    a, p = a[order], shape[order]
    a = np.concatenate([a - TAU, a, a + TAU])
    p = np.concatenate([p, p, p])
    angle = (np.asarray(angle) + np.pi) % TAU - np.pi
    return np.stack([np.interp(angle, a, p[:, i]) for i in range(2)], -1)


def plate(
    shape: Float, height: float, bevel: float = 0.1, top_scale: float = 1.0, dome: float = 0.0
) -> Mesh:
    """A slab with that outline from z = 0 to ``height``, its upper edge bevelled or domed."""
    b = min(bevel, 0.9 * height)
    levels = [
        (0.86, 0.0),
        (1.0, 0.0),
        (1.0, 0.0),
        (top_scale, height - b),
        (top_scale, height - b),
        (top_scale - b, height),
        (top_scale - b, height),
        (0.5, height + dome * 0.75),
        (0.05, height + dome),
    ]
    return grid(
        np.stack([np.column_stack([shape * k, np.full(len(shape), z)]) for k, z in levels]), False
    )


def collar(
    shape: Float, low: float, high: float, outer: float, inner: float, foot: float = 0.9
) -> Mesh:
    """A wall around that outline (a bezel): scales ``inner`` to ``outer``, z low to high."""
    levels = [
        (inner * foot, low),
        (outer * foot, low),
        (outer, high - 0.04),
        (outer * 0.985, high),
        (inner * 1.01, high),
        (inner, high - 0.03),
    ]
    return grid(
        np.stack([np.column_stack([shape * k, np.full(len(shape), z)]) for k, z in levels]), True
    )


def stone(kind: str, crown: float = 0.32, pavilion: float = 0.75, table: float = 0.56) -> Mesh:
    """A faceted stone of that outline: girdle at z = 0, table at ``crown``, culet at -pavilion."""
    shape = outline(kind)
    step = kind == "emerald"
    if step or kind == "square":
        levels = [
            (table, crown),
            ((1 + table) / 2, crown * 0.72),
            (1, 0.03),
            (1, -0.03),
            (0.72, -0.42 * pavilion),
            (0.38, -0.8 * pavilion),
        ]
        corners = outline(kind, 48)
        if step:
            corners = np.array(
                [
                    [1.2, 0.5],
                    [0.95, 0.82],
                    [-0.95, 0.82],
                    [-1.2, 0.5],
                    [-1.2, -0.5],
                    [-0.95, -0.82],
                    [0.95, -0.82],
                    [1.2, -0.5],
                ]
            )
        else:
            corners = np.array([[0.9, 0.9], [-0.9, 0.9], [-0.9, -0.9], [0.9, -0.9]])
        points = [np.column_stack([corners * k, np.full(len(corners), z)]) for k, z in levels]
        keel = 0.35 if step else 0.0
        points.append(np.array([[keel, 0, -pavilion], [-keel, 0, -pavilion]]))
        if not step:  # a princess has chevrons, not steps
            mids = np.array([[0.9, 0], [0, 0.9], [-0.9, 0], [0, -0.9]])
            points.append(np.column_stack([mids * 0.8, np.full(4, crown * 0.55)]))
        return hull(np.concatenate(points))
    if kind == "heart":
        levels = [
            (0.02, crown),
            (table, crown),
            (0.82, crown * 0.6),
            (1, 0.03),
            (1, -0.03),
            (0.5, -0.5 * pavilion),
            (0.02, -pavilion),
        ]
        few = outline(kind, 20)
        mesh = grid(
            np.stack([np.column_stack([few * k, np.full(len(few), z)]) for k, z in levels[::-1]]),
            False,
        )
        return Mesh(mesh.points, mesh.quads, mesh.triangles, smooth=False)
    n = 8
    a = np.arange(n) * TAU / n
    girdle = at_angle(shape, np.arange(4 * n) * TAU / (4 * n))
    rows = [
        (at_angle(shape, a) * table, crown),
        (at_angle(shape, a + np.pi / n) * (0.35 + 0.65 * (1 + table) / 2 * 1.03), crown * 0.62),
        (girdle, 0.03),
        (girdle, -0.03),
        (at_angle(shape, a + np.pi / n) * 0.55, -0.47 * pavilion),
        (np.zeros((1, 2)), -pavilion),
    ]
    return hull(np.concatenate([np.column_stack([p, np.full(len(p), z)]) for p, z in rows]))


def dome(shape: Float, height: float, base: float = 0.15, power: float = 2.2) -> Mesh:
    """A cabochon over that outline, z from -base to ``height``."""
    k = np.cos(np.linspace(0, np.pi / 2 - 0.04, 10)) ** (2 / power)
    z = np.sin(np.linspace(0, np.pi / 2 - 0.04, 10)) ** (2 / power) * height
    k = np.concatenate([[0.7, 1.0], k])
    z = np.concatenate([[-base, -base], z])
    return grid(
        np.stack(
            [
                np.column_stack([shape * a, np.full(len(shape), b)])
                for a, b in zip(k, z, strict=True)
            ]
        ),
        False,
    )


# --- placing -------------------------------------------------------------------------------------


def turn_z(angle: float) -> Float:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def seat(t: float, s: float = 0.0, tilt: float = 0.0) -> Float:
    """(3, 3): z to the hoop's outward normal at angle ``t``, x along the hoop, y along the axis.

    ``tilt`` leans z towards the axis.
    """
    out = np.array([np.sin(t), 0, np.cos(t)])
    along = np.array([np.cos(t), 0, -np.sin(t)])
    axis = np.array([0, 1.0, 0])
    out, axis = (np.cos(tilt) * out + np.sin(tilt) * axis, np.cos(tilt) * axis - np.sin(tilt) * out)
    return np.stack([along, axis, out], 1)


def placed(
    mesh: Mesh,
    t: float,
    r: float,
    s: float = 0.0,
    size: float | Float = 1.0,
    turn: float = 0.0,
    tilt: float = 0.0,
) -> Mesh:
    """A body with z up, of that size, seated on the hoop at angle t, radius r, axial offset s."""
    matrix = seat(t, s, tilt) @ turn_z(turn) @ np.diag(np.broadcast_to(size, 3))
    return mesh.moved(matrix, on_hoop(np.array(t), r, s))
