"""Ring designs with more air than metal, of many wires and small stones: what is a gap and what is
metal as white as the ground is hardest to tell in those. Each is a function as in designs.py.
"""

from __future__ import annotations

import designs
import numpy as np
from designs import Piece, Ring, Rng, between, chance, cut_of, pave, pick, setting, shank, signed
from shapes import (
    TAU,
    Float,
    Mesh,
    ball,
    collar,
    joined,
    on_hoop,
    outline,
    placed,
    plate,
    profile,
    stone,
    swept,
    tube,
    turn_z,
)


def rope(path: Float, thick: float, turns: int) -> Mesh:
    """Two wires wound about a closed path, (N, 3), that lies flat; ``turns`` times around."""
    n = 12 * turns
    at, given = np.arange(n) * len(path) / n, np.arange(len(path))
    centre = np.stack([np.interp(at, given, v, period=len(path)) for v in path.T], -1)
    ahead = np.roll(centre, -1, 0) - np.roll(centre, 1, 0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    side = np.cross(ahead, [0, 0, 1.0])
    a = (np.arange(n) * TAU / 12)[:, None]
    wires = [
        tube(
            centre + 0.5 * thick * (np.cos(a + half) * side + np.sin(a + half) * [0, 0, 1.0]),
            0.62 * thick,
            True,
            6,
        )
        for half in (0, np.pi)
    ]
    return joined(wires)


def paved_plate(rng: Rng, cut: str, size: float) -> list[Piece]:
    """A framed plate of that outline full of small stones, in white metal more often than not."""
    shape = outline(cut)
    metal = "metal2" if chance(rng, 0.6) else "metal"
    small = size * between(rng, 0.16, 0.3)
    rows = np.arange(-size, size, 2.05 * small)
    x, y = (v.ravel() for v in np.meshgrid(rows, rows))
    reach = np.interp(
        np.arctan2(y, x), np.arctan2(*shape.T[::-1]), np.hypot(*shape.T) * size, period=TAU
    )
    inside = np.hypot(x, y) < reach - 0.8 * small
    gem = stone("round", table=0.5)
    items = [
        Piece(plate(shape * size, 0.08 * size, 0.02), metal, True),
        Piece(collar(shape * size, -0.3 * size, 0.16 * size, 1.06, 0.92), metal, True),
    ]
    if inside.any():
        gems = [
            gem.moved(np.eye(3) * small * 0.95, (a, b, 0.1 * size))
            for a, b in zip(x[inside], y[inside], strict=True)
        ]
        items.append(Piece(joined(gems), "small", True))
    return items


def bent(mesh: Mesh, radius: float) -> Mesh:
    """What lies on the plane z = 0, laid on the hoop: x goes around it at that radius."""
    points = on_hoop(mesh.points[:, 0] / radius, radius + mesh.points[:, 2], mesh.points[:, 1])
    return Mesh(points, mesh.quads, mesh.triangles, mesh.smooth)


def woven_head(rng: Rng) -> Ring:
    """Loops of wire or rope that cross over and under each other, and plates of stones in them."""
    ring = Ring(stones="clear")
    _, thick = shank(rng, ring, between(rng, 0.25, 0.6), taper=between(rng, 0.2, 0.7))
    reach, wire = between(rng, 0.55, 0.95), between(rng, 0.03, 0.06)
    loops, lobes = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    narrow, top = between(rng, 0.3, 0.75), 1 + thick + between(rng, 0.02, 0.3)
    wound, turns = chance(rng, 0.6), int(rng.integers(18, 34))
    a = np.arange(240) * TAU / 240
    around = np.column_stack([np.cos(a), narrow * np.sin(a)])
    if chance(rng, 0.5):
        around = around * (1 - between(rng, 0.1, 0.4) * np.cos(lobes * a) ** 2)[:, None]
    for k in range(loops):
        flat = around @ turn_z(np.pi * k / loops)[:2, :2].T * reach
        over = wire * (1 + np.sin(loops * a + k * np.pi))
        path = np.column_stack([flat, over])
        mesh = rope(path, wire, turns) if wound else tube(path, wire, True, 10)
        ring.add(bent(mesh, top), "metal2" if chance(rng, 0.1) else "metal", True)
    cut = cut_of(rng, ("square", "round", "cushion", "marquise", "hexagon"))
    middle = between(rng, 0.16, 0.3)
    kinds = (
        paved_plate(rng, cut, middle),
        setting(rng, cut, middle, middle, pick(rng, ("claw", "bezel"))),
    )
    places = [(0.0, 0.0, 1.0)]
    n, far = int(rng.integers(4, 9)), between(rng, 0.55, 0.9) * reach
    scale = between(rng, 0.45, 0.8)
    places += [
        (far * np.cos(v), far * np.sin(v), scale)
        for v in (np.arange(n) + between(rng, 0, 1)) * TAU / n
    ]
    for x, y, size in places:
        for p in kinds[int(chance(rng, 0.3))]:
            at = p.mesh.moved(np.eye(3) * size).moved(turn_z(np.arctan2(y, x)))
            ring.add(bent(at.moved(shift=(x, y, wire)), top), p.material, True)
    for v in np.arange(4) * TAU / 4 + 0.5:  # what holds the knot on the band
        foot = np.array(
            [
                [0.2 * np.cos(v), 0.15 * np.sin(v), -0.1 - (top - 1 - thick)],
                [0.6 * reach * np.cos(v), 0.6 * reach * narrow * np.sin(v), 0],
            ]
        )
        ring.add(bent(tube(foot, wire, k=8), top), "metal", True)
    ring.head_at = (0, 0, top + 0.1)
    return ring


def filigree(rng: Rng) -> Ring:
    """A wide open band: rails, scrolls and leaves between them, a stone on top."""
    ring = Ring(stones="any")
    w, thin = between(rng, 0.5, 1.0), between(rng, 0.035, 0.07)
    back, power = between(rng, 0.25, 0.8), between(rng, 0.6, 2.0)
    t = np.arange(400) * TAU / 400
    half = w / 2 * (back + (1 - back) * ((1 + np.cos(t)) / 2) ** power)
    ring.thick = 2.2 * thin
    for sign in (-1, 1):
        ring.add(tube(on_hoop(t, 1 + thin, sign * half), thin * between(rng, 1, 1.5), True, 8))
    if chance(rng, 0.4):
        back_t = np.linspace(2.0, TAU - 2.0, 120)
        width = 2 * np.interp(back_t, t, half)
        ring.add(swept(back_t, profile("flat"), width, 1.6 * thin, closed=False))
    n, kinds = int(rng.integers(5, 12)), rng.random(3)
    pitch = between(rng, 0.85, 1.15) * TAU / (2.6 * n)
    for k in range(-n, n + 1):
        at = k * pitch
        if abs(at) > between(rng, 1.6, 2.6):
            continue
        room = float(np.interp(at % TAU, t, half)) - thin
        scroll(rng, ring, at, room, 0.9 * pitch, thin, kinds)
    size, depth = between(rng, 0.28, 0.55), between(rng, 0.12, 0.3)
    ring.add_local(
        setting(rng, cut_of(rng), size, depth, pick(rng, ("claw", "basket", "bezel"))),
        1 + ring.thick + depth,
    )
    ring.head_at = (0, 0, 1 + ring.thick + depth + 0.25 * size)
    return ring


def scroll(
    rng: Rng, ring: Ring, at: float, room: float, along: float, thin: float, kinds: Float
) -> None:
    """What fills an open band at that angle: a spiral, a heart of wire, leaves, or a framed stone;
    ``room`` to both sides, ``along`` in angle."""
    r, side = 1 + 1.2 * thin, 1 if chance(rng, 0.5) else -1
    u = np.linspace(0, 1, 40)
    kind = int(np.argmax(kinds + rng.random(3)))
    metal = "metal2" if chance(rng, 0.15) else "metal"
    if kind == 0:
        v = u * between(rng, 3.5, 8.0)
        spiral = (1 - 0.85 * u)[:, None] * np.column_stack([np.cos(v), np.sin(v)])
        path = on_hoop(at + 0.5 * along * spiral[:, 0], r, side * room * spiral[:, 1])
        ring.add(tube(path, thin * np.interp(u, [0, 1], [1, 0.7]), k=8), metal)
        if chance(rng, 0.5):
            ring.add(placed(ball(1.6 * thin, n=6), at, r, side * room * 0.1), metal)
    elif kind == 1:
        shape = outline(pick(rng, ("heart", "marquise", "pear", "round", "oval")))
        loop = shape @ turn_z(np.pi / 2 * int(rng.integers(4)))[:2, :2].T
        path = on_hoop(at + 0.5 * along * loop[:, 0], r, room * loop[:, 1])
        ring.add(tube(path, thin * 0.8, True, 8), metal)
        if chance(rng, 0.5):
            small = between(rng, 0.3, 0.6) * min(room, 0.5 * along)
            for p in setting(rng, "round", small, 1.5 * thin, "bezel", "small"):
                ring.add(placed(p.mesh, at, r + thin, 0.0), p.material)
    else:
        leaf = outline("marquise") * [0.5 * along, 0.3 * along]
        for s in np.linspace(-0.7, 0.7, int(rng.integers(2, 5))) * room:
            mesh = plate(leaf, thin, 0.3 * thin, dome=0.5 * thin)
            ring.add(placed(mesh, at, r, s, 1.0, side * between(rng, 0.2, 1.2)), metal)


def twigs(rng: Rng) -> Ring:
    """Small settings on twigs that leave a band and come back, in two or three rows."""
    ring = Ring(stones="clear")
    _, thick = shank(rng, ring, between(rng, 0.1, 0.22))
    rows, spread = int(rng.integers(2, 4)), between(rng, 0.14, 0.34)
    n, thin, end = int(rng.integers(6, 14)), between(rng, 0.025, 0.05), between(rng, 0.9, 1.9)
    size = between(rng, 0.06, 0.13)
    style = pick(rng, ("claw", "bezel", "claw"))
    for k in range(-n, n + 1):
        at = end * k / n + between(rng, -0.3, 0.3) * end / n
        s = spread * (2 * (k % rows) / (rows - 1) - 1) * (1 - 0.7 * abs(k) / n)
        root = at - between(rng, 0.4, 1.2) * end / n * designs.pick_sign(rng)
        u = np.linspace(0, 1, 16)
        ease = u * u * (3 - 2 * u)
        path = on_hoop(root + (at - root) * u, 1 + thick * between(rng, 0.4, 1.0), s * ease)
        ring.add(tube(path, thin, k=8), "metal")
        kind = "small" if chance(rng, 0.7) else "stone"
        item = setting(
            rng, pick(rng, ("round", "round", "marquise", "pear")), size, size, style, kind
        )
        for p in item:
            ring.add(placed(p.mesh, at, 1 + thick + size, s, 1.0, between(rng, 0, TAU)), p.material)
    middle = between(rng, 0.18, 0.45)
    items = (
        paved_plate(rng, "round", middle)
        if chance(rng, 0.5)
        else setting(rng, cut_of(rng), middle, middle, "claw")
    )
    ring.add_local(items, 1 + thick + middle * 0.9)
    ring.head_at = (0, 0, 1 + thick + middle)
    return ring


def paved_sweeps(rng: Rng) -> Ring:
    """Bands set with stones that part at the back, sweep up beside a large stone, and leave gaps
    below it; some cross."""
    ring = Ring(stones="any")
    n, spread = int(rng.integers(2, 6)), between(rng, 0.3, 0.65)
    thin, broad = between(rng, 0.08, 0.14), between(rng, 0.1, 0.2)
    size, depth = between(rng, 0.34, 0.6), between(rng, 0.18, 0.36)
    t = np.arange(240) * TAU / 240
    away = np.abs(signed(t))
    front = ((1 + np.cos(t)) / 2) ** between(rng, 0.6, 1.6)
    ring.thick = thin
    section = profile(pick(rng, ("court", "flat", "beaded")), 0.6, 0.1)
    stones_between = between(rng, 0.1, 0.5), between(rng, 1.0, 2.2)
    for k in range(n):
        side = 2 * k / (n - 1) - 1
        s = spread * side * (0.45 * (1 - front) + front)
        if chance(rng, 0.35):
            s = s * np.cos(np.clip(signed(t) * between(rng, 0.5, 1.5), -np.pi, np.pi))
        rise = thin * between(rng, 0, 0.8) + between(rng, 0, 1.0) * depth * np.exp(
            -((away / 0.6) ** 2)
        )
        ring.add(swept(t, section, broad * (1 - 0.3 * (1 - front)), thin, s, 1 + rise), "metal")
        if chance(rng, 0.75):
            at = np.arange(*stones_between, broad * 0.72)
            at = np.concatenate([at, -at])
            high, aside = (np.interp(at % TAU, t, v, period=TAU) for v in (1 + rise + thin, s))
            pave(
                ring, at, high, aside, broad * 0.34, material=pick(rng, ("small", "small", "stone"))
            )
    for sign in (-1, 1):  # crescents between the bands and the stone
        if chance(rng, 0.4):
            a = np.linspace(-0.9, 0.9, 40)
            reach = size * between(rng, 1.05, 1.3)
            path = np.column_stack(
                [sign * reach * np.cos(a), reach * np.sin(a), np.full(40, 1 + depth * 0.7)]
            )
            ring.add(tube(path, broad * 0.4, k=10), "metal2" if chance(rng, 0.4) else "metal", True)
            gem = stone("round", table=0.5)
            gems = [
                gem.moved(np.eye(3) * broad * 0.3, p + [0, 0, broad * 0.4]) for p in path[2:-2:3]
            ]
            ring.add(joined(gems), "small", True)
    ring.add_local(
        setting(rng, cut_of(rng), size, depth, pick(rng, ("claw", "basket"))), 1 + thin + depth
    )
    ring.head_at = (0, 0, 1 + thin + depth + 0.25 * size)
    return ring


OPENWORK: designs.Designs = {
    "woven-head": (woven_head, 4),
    "filigree": (filigree, 4),
    "twigs": (twigs, 3),
    "paved-sweeps": (paved_sweeps, 4),
    "strands": (designs.strands, 2),
    "lattice-head": (designs.lattice_head, 2),
    "totem": (designs.totem, 1.5),
    "split-shank": (designs.split_shank, 1.5),
    "halo": (designs.halo, 1.5),
    "cluster": (designs.cluster, 1.5),
    "orbit": (designs.orbit, 1),
    "three-stone": (designs.three_stone, 1),
    "cocktail": (designs.cocktail, 1),
    "eternity": (designs.eternity, 1),
    "row": (designs.row_of_stones, 1),
    "bypass": (designs.bypass, 0.7),
    "motif": (designs.motif, 0.7),
    "crown": (designs.crown, 0.7),
    "wide": (designs.wide, 0.7),
    "signet": (designs.signet, 0.7),
    "mens": (designs.mens, 0.5),
}
"""What the patch network's larger pictures are of, and how often."""
