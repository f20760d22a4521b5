"""Ring designs: each a function of a random generator that gives a ring's pieces.

Families are split once and for all: what is in `VALIDATION` is never trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from shapes import (
    OUTLINES,
    TAU,
    Float,
    Mesh,
    at_angle,
    ball,
    collar,
    dome,
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

Rng = np.random.Generator


@dataclass(eq=False)
class Piece:
    """One material's surface. ``head``: it belongs to the head, not to the band."""

    mesh: Mesh
    material: str
    head: bool = False


@dataclass(eq=False)
class Ring:
    """A ring in its own frame (see shapes.py); ``head_at``: the middle of the head's top."""

    pieces: list[Piece] = field(default_factory=list)
    head_at: tuple[float, float, float] | None = None
    thick: float = 0.2
    stones: str = "clear"
    """What kind of stone suits: clear, coloured, any, opaque."""

    def add(self, mesh: Mesh, material: str = "metal", head: bool = False) -> None:
        self.pieces.append(Piece(mesh, material, head))

    def add_local(self, items: list[Piece], height: float, s: float = 0.0, x: float = 0.0) -> None:
        for p in items:
            self.pieces.append(Piece(p.mesh.moved(shift=(x, s, height)), p.material, p.head))


N_T = 160
AROUND = np.arange(N_T) * TAU / N_T


def signed(t: Float) -> Float:
    """Angles as -pi..pi."""
    return (t + np.pi) % TAU - np.pi


def bump(t: Float, width: float, power: float = 2.0) -> Float:
    """1 at the head, falling to 0 over ``width`` radians."""
    return np.exp(-((np.abs(signed(t)) / width) ** power))


def between(rng: Rng, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def chance(rng: Rng, p: float) -> bool:
    return bool(rng.random() < p)


def pick(rng: Rng, items: tuple[str, ...] | list[str], p: list[float] | None = None) -> str:
    return str(rng.choice(items, p=p))


# --- parts ---------------------------------------------------------------------------------------


def shank(
    rng: Rng,
    ring: Ring,
    width: float | None = None,
    thick: float | None = None,
    kinds: tuple[str, ...] = ("court", "half-round", "flat", "knife", "bevel"),
    taper: float | None = None,
    material: str = "metal",
) -> tuple[float, float]:
    """A closed band; gives its width and thickness."""
    width = between(rng, 0.16, 0.34) if width is None else width
    thick = between(rng, 0.12, 0.24) if thick is None else thick
    taper = between(rng, -0.45, 0.3) if taper is None else taper
    section = profile(pick(rng, kinds), between(rng, 0.3, 0.7), between(rng, 0.03, 0.15))
    w = width * (1 + taper * bump(AROUND, between(rng, 0.4, 1.1)))
    th = thick * (1 + between(rng, -0.15, 0.25) * bump(AROUND, 0.7))
    ring.add(swept(AROUND, section, w, th), material)
    ring.thick = thick
    return width, thick


def pave(
    ring: Ring,
    t: Float,
    r: Float | float,
    s: Float | float,
    size: float,
    head: bool = False,
    beads: bool = True,
    material: str = "small",
) -> None:
    """Small round stones on the hoop, with beads of metal between them."""
    t, r, s = np.broadcast_arrays(t, r, s)
    gem = stone("round", table=0.5)
    ring.add(
        joined([placed(gem, a, b, c, size) for a, b, c in zip(t, r, s, strict=True)]),
        material,
        head,
    )
    if beads and len(t) > 1:
        step = np.median(np.abs(np.diff(t))) / 2
        tiny = ball(1.0, n=4)
        ring.add(
            joined(
                [
                    placed(tiny, a + step, b + 0.1 * size, c + side * size * 0.75, size * 0.3)
                    for a, b, c in zip(t, r, s, strict=True)
                    for side in (-1, 1)
                ]
            ),
            "metal",
            head,
        )


def claws(
    shape: Float,
    size: float,
    n: int,
    depth: float,
    thick: float,
    phase: float,
    foot: float = 0.35,
    lift: float = 0.22,
) -> Mesh:
    """Prongs from ``depth`` below the girdle up over the stone's edge."""
    all_of_them = []
    for a in phase + np.arange(n) * TAU / n:
        edge = at_angle(shape, np.array([a]))[0] * size
        k = np.array([foot, 0.75 * (1 + foot) / 1.5, 1.02, 1.04, 0.86])
        z = np.array([-depth, -0.45 * depth, 0.0, 0.1 * size + 0.02, lift * size + 0.02])
        u = np.linspace(0, 1, 12)
        place = np.linspace(0, 1, 5)
        path = np.column_stack([np.outer(np.interp(u, place, k), edge), np.interp(u, place, z)])
        all_of_them.append(tube(path, thick * np.interp(u, [0, 0.8, 1], [1.1, 1, 0.9]), k=8))
        all_of_them.append(ball(thick * 1.05, path[-1], 5))
    return joined(all_of_them)


def setting(
    rng: Rng, cut: str, size: float, depth: float, style: str, material: str = "stone"
) -> list[Piece]:
    """A set stone, girdle at z = 0, standing ``depth`` above the band."""
    shape = outline(cut)
    crown, pav = between(rng, 0.25, 0.38), min(between(rng, 0.6, 0.8), 0.95 * depth / size + 0.15)
    gem = stone(cut, crown, pav, between(rng, 0.5, 0.66))
    out = [Piece(gem.moved(np.eye(3) * size), material, True)]
    wire = between(rng, 0.025, 0.05) + 0.03 * size
    if style == "bezel":
        out.append(
            Piece(
                collar(
                    shape * size,
                    -depth,
                    0.1 * size,
                    1.0 + wire / size,
                    0.99,
                    between(rng, 0.55, 0.95),
                ),
                "metal",
                True,
            )
        )
        return out
    corners = {
        "square": (4, np.pi / 4),
        "emerald": (4, 0.58),
        "cushion": (4, np.pi / 4),
        "heart": (3, np.pi),
        "pear": (3, 0.0),
        "trillion": (3, np.pi / 3),
        "marquise": (2, 0.0),
        "hexagon": (6, 0.0),
    }
    n, phase = corners.get(cut, (int(rng.choice([4, 4, 6, 8])), between(rng, 0, 1.5)))
    if cut == "emerald":
        for angle in (0.58, -0.58):
            out.append(
                Piece(
                    claws(shape, size, 2, depth, wire, angle, between(rng, 0.3, 0.8)), "metal", True
                )
            )
    else:
        if cut == "marquise":
            out.append(Piece(claws(shape, size, 2, depth, wire, np.pi / 2, 0.5), "metal", True))
        out.append(
            Piece(claws(shape, size, n, depth, wire, phase, between(rng, 0.2, 0.8)), "metal", True)
        )
    if style == "basket" or chance(rng, 0.4):
        for k in (0.4, 0.75)[: 1 + int(chance(rng, 0.5))]:
            loop = np.column_stack([shape * size * (1 - 0.45 * k), np.full(len(shape), -k * depth)])
            out.append(Piece(tube(loop, wire * 0.85, closed=True, k=8), "metal", True))
    return out


def halo_of(rng: Rng, cut: str, size: float, depth: float, rows: int = 1) -> list[Piece]:
    """Small stones in rows around a stone of that outline and size."""
    shape = outline(cut)
    out = []
    small = between(rng, 0.05, 0.075)
    for row in range(rows):
        loop = shape * (size + small * (1.25 + 2.1 * row))
        length = np.concatenate(
            [
                [0],
                np.cumsum(
                    np.linalg.norm(np.diff(np.concatenate([loop, loop[:1]]), axis=0), axis=1)
                ),
            ]
        )
        n = max(8, int(length[-1] / (2.12 * small)))
        at = (np.arange(n) + 0.5) * length[-1] / n
        closed = np.concatenate([loop, loop[:1]])
        xy = np.stack([np.interp(at, length, closed[:, i]) for i in range(2)], -1)
        z = -0.005 * row
        gem = stone("round", table=0.5)
        out.append(
            Piece(
                joined([gem.moved(np.eye(3) * small * 0.95, (x, y, z)) for x, y in xy]),
                "small",
                True,
            )
        )
        tiny = ball(small * 0.3, n=4)
        mid = np.stack(
            [
                np.interp(at + length[-1] / n / 2, length, closed[:, i], period=length[-1])
                for i in range(2)
            ],
            -1,
        )
        out.append(
            Piece(
                joined(
                    [
                        tiny.moved(shift=(x * k, y * k, z + 0.03))
                        for x, y in mid
                        for k in (0.95, 1.06)
                    ]
                ),
                "metal",
                True,
            )
        )
    reach = 1 + small * (2.3 * rows + 0.1) / size
    out.append(
        Piece(collar(shape * size, -0.16 - 0.05 * rows, -0.04, reach, 0.93, 0.9), "metal", True)
    )
    return out


def cut_of(rng: Rng, cuts: tuple[str, ...] = OUTLINES) -> str:
    return pick(rng, cuts)


# --- bands ---------------------------------------------------------------------------------------


def plain(rng: Rng) -> Ring:
    ring = Ring()
    shank(
        rng,
        ring,
        between(rng, 0.16, 0.6),
        between(rng, 0.1, 0.24),
        taper=0.0,
        kinds=("court", "half-round", "flat", "bevel", "concave", "step"),
    )
    return ring


def court(rng: Rng) -> Ring:
    ring = Ring()
    section = profile(
        pick(rng, ("court", "half-round")), between(rng, 0.35, 0.75), between(rng, 0.1, 0.3)
    )
    ring.thick = between(rng, 0.14, 0.26)
    ring.add(swept(AROUND, section, between(rng, 0.3, 0.75), ring.thick))
    if chance(rng, 0.4):
        pave(ring, np.array([0.0]), 1 + ring.thick, 0.0, between(rng, 0.08, 0.14))
    return ring


def knife(rng: Rng) -> Ring:
    ring = Ring()
    shank(rng, ring, between(rng, 0.2, 0.5), between(rng, 0.16, 0.28), ("knife",), 0.0)
    return ring


def wide(rng: Rng) -> Ring:
    ring = Ring(thick=between(rng, 0.09, 0.2))
    w = between(rng, 0.7, 1.5)
    section = profile(
        pick(rng, ("court", "flat", "bevel", "ribs", "concave", "groove")),
        between(rng, 0.5, 0.9),
        0.08,
    )
    taper = 1 - between(rng, 0, 0.55) * (1 - np.cos(AROUND)) / 2
    ring.add(swept(AROUND, section, w * taper, ring.thick))
    return ring


def hammered(rng: Rng) -> Ring:
    ring = Ring(thick=between(rng, 0.12, 0.22))
    w, amount, cells = (
        between(rng, 0.3, 1.0),
        between(rng, 0.012, 0.035),
        int(rng.integers(90, 260)),
    )
    t = np.arange(300) * TAU / 300
    seeds = np.column_stack([rng.uniform(0, TAU, cells), rng.uniform(-w / 2, w / 2, cells)])

    def dents(a: Float, s: Float) -> Float:
        d = np.full(a.shape, 9.0)
        for ta, sa in seeds:
            d = np.minimum(d, (signed(a - ta)) ** 2 + (s - sa) ** 2)
        return amount * (np.clip(d * cells / (TAU * w), 0, 1) - 0.5)

    ring.add(swept(t, profile("court", 0.6, 0.1, 30), w, ring.thick, relief=dents))
    return ring


def engraved(rng: Rng) -> Ring:
    ring = Ring(thick=between(rng, 0.14, 0.22))
    w, n, depth = between(rng, 0.35, 0.9), int(rng.integers(6, 22)), between(rng, 0.012, 0.03)
    kind = int(rng.integers(4))

    def lines(a: Float, s: Float) -> Float:
        x = s / w
        wave = [
            np.cos(n * a + 9 * x),
            np.cos(n * a) * np.cos(14 * x),
            np.sin(3 * np.sin(n * a) + 16 * x),
            np.cos(2 * n * a) + 0 * x,
        ][kind]
        return depth * np.tanh(3 * wave) * (np.abs(x) < 0.36)

    t = np.arange(420) * TAU / 420
    ring.add(swept(t, profile("court", 0.75, 0.1, 34), w, ring.thick, relief=lines))
    return ring


def mens(rng: Rng) -> Ring:
    """Bands in strips of two materials, grooved, bevelled, brushed in the middle."""
    ring = Ring(thick=between(rng, 0.14, 0.24))
    w = between(rng, 0.45, 0.9)
    inner = between(rng, 0.3, 0.7)
    side = w * (1 - inner) / 2
    other = pick(rng, ("metal2", "inlay", "brushed"))
    section = profile(pick(rng, ("flat", "bevel", "court")), 0.6, 0.05)
    off = between(rng, -0.3, 0.3) * side if chance(rng, 0.3) else 0.0
    ring.add(
        swept(
            AROUND,
            profile("flat", comfort=0.05),
            w * inner,
            ring.thick * between(rng, 0.75, 1.0),
            off,
        ),
        other,
    )
    for sign in (-1, 1):
        width = side - sign * off
        ring.add(swept(AROUND, section, width * 1.02, ring.thick, sign * (w / 2 - width / 2)))
    if chance(rng, 0.4):
        n = int(rng.integers(1, 6))
        pave(ring, np.arange(n) * 0.14 - 0.07 * (n - 1), 1 + ring.thick, off, 0.055)
    return ring


def men_plate(rng: Rng) -> Ring:
    """A tapering men's ring with ribs on its shoulders and a framed square of stones."""
    ring = signet_body(rng, between(rng, 0.85, 1.25), ribs=True)
    assert ring.head_at is not None
    size, top = between(rng, 0.55, 0.75), ring.head_at[2]
    shape = outline(pick(rng, ("square", "cushion", "round", "emerald"))) * size
    ring.add(plate(shape, 0.16, 0.04).moved(shift=(0, 0, top - 0.06)), "metal", True)
    n = int(rng.integers(3, 6))
    cell = size * 0.72 / n
    at = (np.arange(n) - (n - 1) / 2) * 2 * cell
    gem = stone(pick(rng, ("round", "square")))
    where = [(x, y) for x in at for y in at]
    ring.add(
        joined([gem.moved(np.eye(3) * cell * 0.95, (x, y, top + 0.1)) for x, y in where]),
        pick(rng, ("small", "stone")),
        True,
    )
    ring.head_at = (0, 0, top + 0.15)
    return ring


def ribbed_stack(rng: Rng) -> Ring:
    """Thin bands grown together, some with stones."""
    ring = Ring(thick=between(rng, 0.1, 0.18))
    n = int(rng.integers(2, 5))
    w = between(rng, 0.12, 0.22)
    for k in range(n):
        s = (k - (n - 1) / 2) * w
        mat = "metal2" if chance(rng, 0.2) else "metal"
        ring.add(swept(AROUND, profile("half-round", comfort=0.1), w * 1.03, ring.thick, s), mat)
        if chance(rng, 0.3):
            t = np.arange(-14, 15) * (w * 0.95 / (1 + ring.thick))
            pave(ring, t, 1 + ring.thick - 0.02, s, w * 0.4)
    return ring


def rope(rng: Rng) -> Ring:
    """Strands twisted around each other."""
    ring = Ring()
    n, turns = int(rng.integers(2, 5)), int(rng.integers(5, 16))
    thin = between(rng, 0.06, 0.11)
    reach = thin * between(rng, 0.75, 1.1)
    t = np.arange(360) * TAU / 360
    ring.thick = thin + 2 * reach
    for k in range(n):
        a = turns * t + k * TAU / n
        path = on_hoop(t, 1 + thin + reach + reach * np.cos(a), reach * np.sin(a))
        ring.add(
            tube(path, thin, closed=True, k=8), "metal2" if k and chance(rng, 0.15) else "metal"
        )
    return ring


def braid(rng: Rng) -> Ring:
    """Strands weaving over and under, spread along the axis."""
    ring = Ring()
    turns, thin, reach = int(rng.integers(4, 10)), between(rng, 0.05, 0.09), between(rng, 0.14, 0.3)
    t = np.arange(360) * TAU / 360
    n = int(rng.integers(2, 5))
    ring.thick = 4 * thin
    for k in range(n):
        a = turns * t + k * TAU / n
        path = on_hoop(t, 1 + 2 * thin + thin * np.sin(2 * a), reach * np.sin(a))
        ring.add(tube(path, thin, closed=True, k=8))
    if chance(rng, 0.5):
        for sign in (-1, 1):
            ring.add(tube(on_hoop(t, 1 + 2 * thin, sign * (reach + thin)), thin * 0.9, True, 8))
    return ring


def orbit(rng: Rng) -> Ring:
    """Strands that part at the bottom and meet around a head: open-work."""
    ring = Ring(stones="any")
    n, thin = int(rng.integers(3, 7)), between(rng, 0.05, 0.09)
    spread = between(rng, 0.35, 0.7)
    t = np.arange(200) * TAU / 200
    ring.thick = 2 * thin
    for k in range(n):
        side = (k - (n - 1) / 2) / max(1, (n - 1) / 2)
        lean = between(rng, -0.25, 0.25)
        s = side * spread * (0.18 + 0.82 * ((1 + np.cos(t)) / 2) ** between(rng, 0.6, 1.6))
        s = s + lean * np.sin(t) * (0.2 + 0.8 * (1 + np.cos(t)) / 2)
        ring.add(tube(on_hoop(t, 1 + thin + 0.004 * k, s), thin, closed=True, k=8))
    if chance(rng, 0.75):
        size = between(rng, 0.3, 0.6)
        depth = between(rng, 0.2, 0.3)
        ring.add_local(
            setting(rng, cut_of(rng), size, depth, pick(rng, ("bezel", "basket"))), 1 + depth + 0.05
        )
        ring.head_at = (0, 0, 1.15 + depth + 0.2 * size)
    return ring


def lattice(rng: Rng) -> Ring:
    """Two rails and a filigree between them."""
    ring = Ring()
    w, thin, n = between(rng, 0.35, 0.8), between(rng, 0.03, 0.055), int(rng.integers(8, 20))
    t = np.arange(400) * TAU / 400
    ring.thick = 2.2 * thin
    for sign in (-1, 1):
        ring.add(tube(on_hoop(t, 1 + thin, sign * w / 2), thin * 1.2, True, 8))
    kind = int(rng.integers(3))
    for sign in (-1, 1):
        wave = [
            np.sin(n * t),
            np.sin(n * t) * np.abs(np.sin(n * t)),
            np.arcsin(0.98 * np.sin(n * t)) / 1.4,
        ][kind]
        ring.add(
            tube(
                on_hoop(t, 1 + thin * (1 + 0.4 * sign * np.cos(n * t)), sign * w / 2 * wave),
                thin,
                True,
                8,
            )
        )
    if chance(rng, 0.5):
        pave(
            ring,
            np.arange(2 * n) * np.pi / n,
            1 + 2 * thin,
            0.0,
            between(rng, 0.05, 0.08),
            beads=False,
        )
    return ring


def wave_band(rng: Rng) -> Ring:
    """A band that swings to and fro, or dips once."""
    ring = Ring(thick=between(rng, 0.1, 0.2))
    n = int(rng.choice([2, 3, 4, 6]))
    s = between(rng, 0.06, 0.16) * np.sin(n * AROUND)
    ring.add(
        swept(
            AROUND,
            profile(pick(rng, ("half-round", "flat", "court"))),
            between(rng, 0.16, 0.3),
            ring.thick,
            s,
        )
    )
    return ring


def bypass(rng: Rng) -> Ring:
    """An open band whose tapered ends pass each other; stones, balls or leaves there."""
    ring = Ring(stones="any")
    thick, w = between(rng, 0.1, 0.18), between(rng, 0.16, 0.32)
    over, apart = between(rng, 0.25, 0.7), between(rng, 0.14, 0.3)
    t = np.linspace(-over, TAU + over, 240)
    u = np.linspace(-1, 1, 240)
    s = apart * np.sign(u) * np.clip((np.abs(u) - 0.55) / 0.4, 0, 1) ** 1.5
    end = np.clip((1 - np.abs(u)) / 0.25, 0.12, 1) ** 0.7
    ring.add(
        swept(
            t,
            profile(pick(rng, ("half-round", "court", "flat"))),
            w * end,
            thick * (0.5 + 0.5 * end),
            s,
            closed=False,
        )
    )
    ring.thick = thick
    kind = pick(rng, ("none", "stone", "balls", "pave"))
    if kind == "stone":
        size = between(rng, 0.2, 0.42)
        ring.add_local(setting(rng, cut_of(rng), size, 0.2, "bezel"), 1.12 + thick)
        ring.head_at = (0, 0, 1.2 + thick)
    elif kind == "balls":
        size = between(rng, 0.1, 0.22)
        for sign in (-1, 1):
            ring.add(
                ball(size, on_hoop(np.array(sign * over), 1 + size * 0.9, sign * apart)),
                pick(rng, ("metal", "pearl")),
                True,
            )
        ring.head_at = (0, 0, 1 + size)
    elif kind == "pave":
        k = (t > -0.1) & (t < 1.3)
        at = np.arange(t[k][0], t[k][-1], w * 0.62)
        pave(ring, at, 1 + thick, np.interp(at, t, s), w * 0.26)
    return ring


def coil(rng: Rng) -> Ring:
    """A snake: more than one turn around the finger."""
    ring = Ring()
    turns, pitch, w = between(rng, 1.4, 2.6), between(rng, 0.28, 0.42), between(rng, 0.16, 0.28)
    t = np.linspace(-turns * np.pi, turns * np.pi, int(140 * turns))
    u = np.linspace(-1, 1, len(t))
    end = np.clip((1 - np.abs(u)) / 0.12, 0.2, 1) ** 0.6
    ring.thick = between(rng, 0.12, 0.2)
    ring.add(
        swept(t, profile("half-round"), w * end, ring.thick * end, pitch * t / TAU, closed=False)
    )
    return ring


def open_cuff(rng: Rng) -> Ring:
    """A gap at the head between two ends."""
    ring = Ring(thick=between(rng, 0.1, 0.2))
    gap, w = between(rng, 0.15, 0.5), between(rng, 0.16, 0.5)
    t = np.linspace(gap, TAU - gap, 200)
    taper = 1 - between(rng, -0.6, 0.6) * bump(t, 0.8)
    ring.add(
        swept(
            t,
            profile(pick(rng, ("half-round", "flat", "court"))),
            w * taper,
            ring.thick,
            closed=False,
        )
    )
    return ring


def double_band(rng: Rng) -> Ring:
    """Two thin hoops joined by bridges or a bar."""
    ring = Ring(thick=between(rng, 0.1, 0.16))
    w, apart = between(rng, 0.1, 0.16), between(rng, 0.18, 0.4)
    for sign in (-1, 1):
        spread = apart * (between(rng, 0.2, 0.5) + 0.6 * bump(AROUND, 1.2))
        ring.add(
            swept(AROUND, profile("half-round"), w, ring.thick, sign * spread),
            "metal2" if sign > 0 and chance(rng, 0.3) else "metal",
        )
        if chance(rng, 0.4):
            t = np.arange(-9, 10) * w * 0.8
            pave(
                ring,
                t,
                1 + ring.thick,
                sign * np.interp(signed(t) % TAU, AROUND, spread, period=TAU),
                w * 0.36,
            )
    k = bump(np.pi + np.linspace(-0.5, 0.5, 50), 9)
    ring.add(
        swept(
            np.pi + np.linspace(-0.6, 0.6, 50),
            profile("flat"),
            2.2 * apart * k,
            ring.thick * 0.9,
            closed=False,
        )
    )
    return ring


# --- with a head ---------------------------------------------------------------------------------


def solitaire(rng: Rng) -> Ring:
    ring = Ring(stones="any" if chance(rng, 0.35) else "clear")
    _, thick = shank(rng, ring)
    size, depth = between(rng, 0.2, 0.55), between(rng, 0.14, 0.42)
    cut = cut_of(rng)
    items = setting(
        rng, cut, size, depth + 0.05, pick(rng, ("claw", "basket", "bezel"), [0.45, 0.35, 0.2])
    )
    if chance(rng, 0.5):
        items = [Piece(p.mesh.moved(turn_z(np.pi / 2)), p.material, p.head) for p in items]
    ring.add_local(items, 1 + thick + depth)
    if chance(rng, 0.3):
        t = np.concatenate([np.arange(0.32, 1.2, 0.1), -np.arange(0.32, 1.2, 0.1)])
        pave(ring, t, 1 + thick, 0.0, 0.05)
    ring.head_at = (0, 0, 1 + thick + depth + 0.25 * size)
    return ring


def bezel_solitaire(rng: Rng) -> Ring:
    ring = Ring(stones="any")
    _, thick = shank(rng, ring, between(rng, 0.2, 0.5))
    size, depth = between(rng, 0.15, 0.5), between(rng, 0.05, 0.2)
    ring.add_local(setting(rng, cut_of(rng), size, depth + 0.08, "bezel"), 1 + thick + depth)
    ring.head_at = (0, 0, 1 + thick + depth + 0.15 * size)
    return ring


def split_shank(rng: Rng) -> Ring:
    ring = Ring(stones="any" if chance(rng, 0.3) else "clear", thick=between(rng, 0.12, 0.2))
    w, apart = between(rng, 0.12, 0.2), between(rng, 0.16, 0.36)
    start = between(rng, 1.0, 1.9)
    open_ = np.clip((start - np.abs(signed(AROUND))) / start, 0, 1)
    s = apart * np.sin(np.clip(open_ * 1.3, 0, 1) * np.pi / 2)
    for sign in (-1, 1):
        ring.add(
            swept(
                AROUND,
                profile(pick(rng, ("half-round", "court", "flat"))),
                w,
                ring.thick,
                sign * (s + w * 0.42),
            )
        )
        if chance(rng, 0.5):
            t = np.concatenate([np.arange(0.3, start, w * 0.8), -np.arange(0.3, start, w * 0.8)])
            at = np.interp(np.abs(t), AROUND[: N_T // 2], s[: N_T // 2])
            pave(ring, t, 1 + ring.thick, sign * (at + w * 0.42), w * 0.36)
    size, depth = between(rng, 0.3, 0.55), between(rng, 0.12, 0.3)
    cut = cut_of(rng, ("round", "oval", "cushion", "emerald", "square", "pear"))
    items = setting(rng, cut, size, depth, "basket")
    if chance(rng, 0.5):
        items += halo_of(rng, cut, size, depth)
    ring.add_local(items, 1 + ring.thick + depth)
    ring.head_at = (0, 0, 1 + ring.thick + depth + 0.25 * size)
    return ring


def halo(rng: Rng) -> Ring:
    ring = Ring(stones="any")
    w, thick = shank(rng, ring, between(rng, 0.15, 0.26))
    size, depth = between(rng, 0.22, 0.5), between(rng, 0.14, 0.35)
    cut = cut_of(rng, tuple(c for c in OUTLINES if c != "heart"))
    items = setting(rng, cut, size, depth, "claw") + halo_of(rng, cut, size, depth)
    if chance(rng, 0.5):
        items = [Piece(p.mesh.moved(turn_z(np.pi / 2)), p.material, p.head) for p in items]
    ring.add_local(items, 1 + thick + depth)
    if chance(rng, 0.6):
        far = between(rng, 0.9, 1.7)
        t = np.arange(0.3, far, w * 0.62)
        pave(ring, np.concatenate([t, -t]), 1 + thick * 0.98, 0.0, w * 0.3)
    ring.head_at = (0, 0, 1 + thick + depth + 0.2 * size)
    return ring


def three_stone(rng: Rng) -> Ring:
    ring = Ring(stones="any")
    _, thick = shank(rng, ring)
    size, depth = between(rng, 0.2, 0.36), between(rng, 0.1, 0.26)
    cut = cut_of(rng, ("round", "oval", "cushion", "square", "emerald", "pear"))
    ring.add_local(setting(rng, cut, size, depth + 0.05, "basket"), 1 + thick + depth)
    side = size * between(rng, 0.5, 0.85)
    angle = (size * 1.25 + side * 1.2) / (1 + thick + depth)
    other = cut_of(rng, ("round", "pear", "trillion", cut))
    for sign in (-1, 1):
        for p in setting(rng, other, side, depth + 0.1, "claw", pick(rng, ("stone", "small"))):
            ring.add(
                placed(
                    p.mesh, sign * angle, 1 + thick + depth * 0.8, turn=np.pi if sign > 0 else 0
                ),
                p.material,
                True,
            )
    ring.head_at = (0, 0, 1 + thick + depth + 0.25 * size)
    return ring


def row_of_stones(rng: Rng) -> Ring:
    """Five, seven or nine stones over the front."""
    ring = Ring(stones="any" if chance(rng, 0.3) else "clear")
    _w, thick = shank(rng, ring, between(rng, 0.14, 0.24))
    n = int(rng.choice([3, 5, 5, 7, 9]))
    size = between(rng, 0.1, 0.2)
    cut = cut_of(rng, ("round", "round", "oval", "square", "marquise", "emerald"))
    graded = chance(rng, 0.4)
    at = 0.0
    for k in range(n // 2 + 1):
        this = size * (1 - 0.12 * k * graded)
        for sign in (-1, 1) if k else (1,):
            for p in setting(rng, cut, this, 0.14, pick(rng, ("claw", "basket"))):
                ring.add(
                    placed(
                        p.mesh, sign * at, 1 + thick + 0.08, turn=np.pi / 2 if cut != "round" else 0
                    ),
                    "small" if p.material == "stone" and chance(rng, 0.3) else p.material,
                    True,
                )
        at += 2.08 * this / (1.1 + thick)
    ring.head_at = (0, 0, 1 + thick + 0.12)
    return ring


def eternity(rng: Rng) -> Ring:
    """Stones on all or half of the band: pavé, channel, in one to three rows."""
    ring = Ring(thick=between(rng, 0.1, 0.2))
    rows = int(rng.choice([1, 1, 1, 2, 3]))
    size = between(rng, 0.06, 0.15) / (1 if rows == 1 else 1.5)
    w = rows * size * 2.15 + between(rng, 0.02, 0.14)
    channel = chance(rng, 0.4)
    ring.add(swept(AROUND, profile("channel" if channel else "flat", comfort=0.08), w, ring.thick))
    full = chance(rng, 0.55)
    n = int(TAU * (1 + ring.thick) / (2.08 * size))
    t = signed(np.arange(n) * TAU / n)
    t = np.sort(t[np.abs(t) < between(rng, 0.8, 1.6)]) if not full else np.sort(t)
    for k in range(rows):
        s = (k - (rows - 1) / 2) * size * 2.1
        pave(
            ring,
            t + (k % 2) * np.pi / n,
            1 + ring.thick * (0.78 if channel else 1.0),
            s,
            size * 0.96,
            beads=not channel,
        )
    return ring


def shared_claw_eternity(rng: Rng) -> Ring:
    """Larger stones all around, on a thin hoop."""
    ring = Ring(thick=between(rng, 0.07, 0.12), stones="any" if chance(rng, 0.3) else "clear")
    size = between(rng, 0.13, 0.2)
    n = int(TAU * (1.1 + ring.thick) / (2.06 * size))
    ring.add(swept(AROUND, profile("flat"), size * 1.3, ring.thick))
    cut = cut_of(rng, ("round", "oval", "square", "emerald"))
    gem = stone(cut, pavilion=0.6)
    t = np.arange(n) * TAU / n
    ring.add(joined([placed(gem, a, 1.1 + ring.thick, 0, size, np.pi / 2) for a in t]), "small")
    claw = ball(size * 0.16, n=5)
    post = tube(np.array([[0, 0, -1.0], [0, 0, -0.5], [0, 0, 0.1]]) * size, size * 0.12, k=6)
    half = np.pi / n
    ring.add(
        joined(
            [
                placed(m, a + half, 1.11 + ring.thick, sign * size * 0.62)
                for a in t
                for sign in (-1, 1)
                for m in (claw, post)
            ]
        )
    )
    return ring


def cluster(rng: Rng) -> Ring:
    """A flower of stones around a middle one."""
    ring = Ring(stones="any")
    _, thick = shank(rng, ring, between(rng, 0.18, 0.4))
    size, depth = between(rng, 0.1, 0.24), between(rng, 0.15, 0.3)
    n = int(rng.integers(5, 11))
    petal = cut_of(rng, ("round", "pear", "marquise", "oval"))
    far = max(size * 2.05, size * (1.2 if petal == "round" else 1.5) / np.sin(np.pi / n))
    long = {"round": 1.0, "oval": 1.18}.get(petal, 1.4)
    far = size + size * long if n < 7 else max(far, size + size * long)
    items = setting(rng, "round", size * between(rng, 0.9, 1.4), depth, "claw", "stone")
    gem = stone(petal, pavilion=0.6)
    for k in range(n):
        a = TAU * k / n
        m = gem.moved(np.eye(3) * size).moved(turn_z(np.pi)).moved(shift=(far, 0, -0.05))
        items.append(Piece(m.moved(turn_z(a)), pick(rng, ("small", "small", "stone")), True))
        c = collar(outline(petal) * size, -0.2, -0.03, 1.14, 0.98, 0.7)
        items.append(
            Piece(
                c.moved(turn_z(np.pi)).moved(shift=(far, 0, -0.03)).moved(turn_z(a)), "metal", True
            )
        )
    base = plate(outline("round") * (far * 0.9), 0.06, 0.02).moved(shift=(0, 0, -0.24))
    items.append(Piece(base, "metal", True))
    ring.add_local(items, 1 + thick + depth)
    ring.head_at = (0, 0, 1 + thick + depth + 0.1)
    return ring


def bombe(rng: Rng) -> Ring:
    """A domed front, smooth, fluted or paved."""
    ring = Ring(thick=between(rng, 0.1, 0.16))
    w = between(rng, 0.6, 1.2)
    k = bump(AROUND, between(rng, 0.7, 1.2))
    width = 0.25 + (w - 0.25) * k
    thick = ring.thick + between(rng, 0.05, 0.4) * k
    n, deep = int(rng.integers(10, 30)), between(rng, 0.0, 0.05) * chance(rng, 0.5)
    lean = between(rng, 0, 6)
    t = np.arange(320) * TAU / 320
    ring.add(
        swept(
            t,
            profile("half-round", comfort=0.08, n=34),
            np.interp(t, AROUND, width),
            np.interp(t, AROUND, thick),
            relief=lambda a, s: deep * bump(a, 1.2) * np.cos(n * a + lean * s),
        )
    )
    if not deep and chance(rng, 0.5):
        small = 0.07
        for row in np.arange(-3, 4):
            s = row * small * 2.15
            t = np.arange(-1.1, 1.1, small * 1.75) + (row % 2) * small * 0.87
            t = t[np.abs(s) < 0.42 * np.interp(t % TAU, AROUND, width)]
            if len(t) > 1:
                local = np.interp(t % TAU, AROUND, thick)
                half = np.interp(t % TAU, AROUND, width) / 2
                r = 1 + local * np.sqrt(np.maximum(0.05, 1 - 0.985 * (s / half) ** 2))
                gem = stone("round")
                ring.add(
                    joined(
                        [
                            placed(
                                gem, a, b, s, small, tilt=np.arctan2(s * c / max(h, 0.1) ** 2, 1)
                            )
                            for a, b, c, h in zip(t, r, local, half, strict=True)
                        ]
                    ),
                    "small",
                )
    return ring


def cabochon(rng: Rng) -> Ring:
    ring = Ring(stones="opaque")
    _, thick = shank(rng, ring, between(rng, 0.2, 0.6))
    cut = cut_of(rng, ("round", "oval", "pear", "cushion", "marquise", "square"))
    size, depth = between(rng, 0.25, 0.75), between(rng, 0.08, 0.25)
    shape = outline(cut) @ turn_z(np.pi / 2 if chance(rng, 0.6) else 0)[:2, :2].T
    items = [
        Piece(dome(shape * size, size * between(rng, 0.3, 0.8), 0.12), "opaque", True),
        Piece(
            collar(shape * size, -depth - 0.06, 0.06, 1.07, 0.98, between(rng, 0.8, 1.0)),
            "metal",
            True,
        ),
    ]
    if chance(rng, 0.35):
        n = int(rng.integers(18, 40))
        edge = at_angle(shape, np.arange(n) * TAU / n) * size * 1.12
        items.append(Piece(joined([ball(0.045, (x, y, 0), 5) for x, y in edge]), "metal", True))
    ring.add_local(items, 1 + thick + depth)
    ring.head_at = (0, 0, 1 + thick + depth + 0.3 * size)
    return ring


def pearl(rng: Rng) -> Ring:
    ring = Ring(stones="clear")
    w, thick = shank(rng, ring)
    size = between(rng, 0.24, 0.55)
    high = 1 + thick + size * 0.85 + 0.04
    ring.add(ball(size, (0, 0, high), 20), "pearl", True)
    ring.add(
        plate(outline("round") * size * 0.55, 0.1, 0.03).moved(shift=(0, 0, 1 + thick - 0.06)),
        "metal",
        True,
    )
    if chance(rng, 0.4):
        t = np.arange(0.42, 1.1, w * 0.7)
        pave(ring, np.concatenate([t, -t]), 1 + thick, 0.0, w * 0.3)
    ring.head_at = (0, 0, high + size * 0.5)
    return ring


def signet_body(rng: Rng, table: float, ribs: bool = False) -> Ring:
    """A band that widens and thickens from the back to a flat table."""
    ring = Ring(thick=between(rng, 0.1, 0.16))
    w0 = between(rng, 0.2, 0.4)
    high = 1 + between(rng, 0.18, 0.4)
    t = np.arange(320) * TAU / 320
    a = np.abs(signed(t))
    reach = np.clip(table * 0.5, 0.3, 0.7)
    edge = np.arctan2(reach, high)
    fall = np.clip((a - edge) / (between(rng, 1.6, 2.6) - edge), 0, 1)
    smooth = 0.5 + 0.5 * np.cos(np.pi * fall)
    w = w0 + (table - w0) * smooth ** between(rng, 0.8, 1.6)
    top = np.where(
        a < edge,
        high / np.cos(np.minimum(a, edge)),
        1 + ring.thick + (high / np.cos(edge) - 1 - ring.thick) * smooth**1.5,
    )
    n = int(rng.integers(5, 12))
    section = profile(pick(rng, ("flat", "bevel", "court")), between(rng, 0.75, 0.9), 0.06, 30)
    relief = (
        (
            lambda u, s: (
                0.02
                * np.cos(TAU * n * s)
                * (np.abs(signed(u)) > edge + 0.05)
                * (np.abs(signed(u)) < 1.5)
            )
        )
        if ribs
        else None
    )
    body = swept(t, section, w, top - 1, relief=relief)
    ring.add(body, "metal", False)
    ring.head_at = (0, 0, high)
    return ring


def signet(rng: Rng) -> Ring:
    table = between(rng, 0.6, 1.15)
    ring = signet_body(rng, table)
    assert ring.head_at is not None
    high = ring.head_at[2]
    kind = pick(rng, ("oval", "round", "cushion", "square", "hexagon", "emerald", "none", "shield"))
    if kind == "none":
        ring.add(
            plate(outline("square") * [0.4, table * 0.4], 0.012, 0.004).moved(
                shift=(0, 0, high - 0.004)
            ),
            "metal",
            True,
        )
    else:
        shape = outline({"shield": "heart"}.get(kind, kind)) * table * between(rng, 0.5, 0.62)
        if chance(rng, 0.6):
            shape = shape @ turn_z(np.pi / 2)[:2, :2].T
        ring.add(
            plate(shape, 0.12, between(rng, 0.01, 0.05)).moved(shift=(0, 0, high - 0.08)),
            "metal",
            True,
        )
        deco = pick(rng, ("plain", "stone", "relief", "enamel", "dot"))
        if deco == "stone":
            ring.add(
                plate(shape * 0.8, 0.06, 0.02, dome=0.06).moved(shift=(0, 0, high)), "opaque", True
            )
        elif deco == "enamel":
            ring.add(
                plate(shape * 0.8, 0.014, 0.004).moved(shift=(0, 0, high + 0.035)), "inlay", True
            )
        elif deco == "dot":
            ring.add(stone("round").moved(np.eye(3) * 0.12, (0, 0, high + 0.04)), "small", True)
        elif deco == "relief":
            t = np.linspace(0, TAU, 90, endpoint=False)
            k, m = int(rng.integers(2, 6)), int(rng.integers(1, 4))
            r = 0.3 * table * (0.6 + 0.35 * np.cos(k * t))
            path = np.column_stack([r * np.cos(m * t), r * np.sin(m * t), np.full(90, high + 0.04)])
            ring.add(tube(path, 0.02, True, 6), "metal", True)
        ring.head_at = (0, 0, high + 0.05)
    return ring


def cocktail(rng: Rng) -> Ring:
    """One large stone, often with a frame or shoulders."""
    ring = Ring(stones="coloured" if chance(rng, 0.75) else "clear")
    _, thick = shank(rng, ring, between(rng, 0.2, 0.5), taper=between(rng, 0.2, 0.8))
    size, depth = between(rng, 0.55, 0.85), between(rng, 0.3, 0.45)
    cut = cut_of(rng)
    items = setting(rng, cut, size, depth, pick(rng, ("claw", "basket", "bezel")))
    if chance(rng, 0.3):
        items += halo_of(rng, cut, size, depth, int(rng.integers(1, 3)))
    if chance(rng, 0.6):
        items = [Piece(p.mesh.moved(turn_z(np.pi / 2)), p.material, p.head) for p in items]
    ring.add_local(items, 1 + thick + depth)
    ring.head_at = (0, 0, 1 + thick + depth + 0.25 * size)
    return ring


def leaves(rng: Rng) -> Ring:
    """Leaves or petals along the front."""
    ring = Ring(stones="any")
    _, thick = shank(rng, ring, between(rng, 0.12, 0.2))
    n, size = int(rng.integers(3, 8)), between(rng, 0.12, 0.24)
    shape = outline(pick(rng, ("marquise", "pear", "heart", "oval"))) * size
    leaf = plate(shape, 0.07, 0.03, dome=0.03)
    for k in range(n):
        t = (k - (n - 1) / 2) * size * 1.25
        side = 1 if k % 2 else -1
        ring.add(placed(leaf, t, 1 + thick * 0.7, side * size * 0.55, 1.0, side * 0.7 + 0.3))
        if chance(rng, 0.3):
            ring.add(
                placed(stone("round"), t, 1 + thick + 0.06, side * size * 0.5, size * 0.3), "small"
            )
    return ring


def motif(rng: Rng) -> Ring:
    """A line drawn in wire at the head: infinity, heart, star, knot, bow."""
    ring = Ring()
    _, thick = shank(rng, ring, between(rng, 0.12, 0.22))
    kind = pick(rng, ("infinity", "heart", "star", "circle", "bow"))
    t = np.linspace(0, TAU, 120, endpoint=False)
    size = between(rng, 0.25, 0.45)
    xy = {
        "infinity": np.stack([1.5 * np.sin(t), 1.1 * np.sin(t) * np.cos(t)], -1),
        "heart": at_angle(outline("heart", 80), t),
        "star": (1 - 0.4 * np.cos(5 * t))[:, None] * np.stack([np.cos(t), np.sin(t)], -1),
        "circle": np.stack([np.cos(t), np.sin(t)], -1),
        "bow": np.stack([1.5 * np.sin(2 * t), 0.8 * np.sin(t)], -1),
    }[kind] * size
    z = 1 + thick * 0.6 + 0.04 * np.cos(2 * t) - xy[:, 0] ** 2 * 0.38
    ring.add(
        tube(np.column_stack([xy, z + 0.05]), between(rng, 0.035, 0.06), True, 8), "metal", True
    )
    if chance(rng, 0.4):
        k = np.arange(0, 120, max(2, int(7 / size * 0.3)))
        ring.add(
            joined([stone("round").moved(np.eye(3) * 0.04, (*xy[i], z[i] + 0.1)) for i in k]),
            "small",
            True,
        )
    ring.head_at = (0, 0, 1 + thick)
    return ring


def crown(rng: Rng) -> Ring:
    """Peaks along one edge, like a tiara."""
    ring = Ring(thick=between(rng, 0.1, 0.16))
    n, w = int(rng.integers(5, 12)), between(rng, 0.14, 0.22)
    ring.add(swept(AROUND, profile("flat"), w, ring.thick))
    t = np.arange(400) * TAU / 400
    peaks = between(rng, 0.15, 0.35) * bump(t, between(rng, 0.8, 3.0)) * np.abs(np.sin(n * t / 2))
    ring.add(
        tube(on_hoop(t, 1 + ring.thick * 0.5, w / 2 + peaks), between(rng, 0.04, 0.06), True, 8)
    )
    tip = np.arange(-(n // 2), n // 2 + 1) * TAU / n + np.pi / n
    s = w / 2 + np.interp(tip % TAU, t, peaks)
    if chance(rng, 0.5):
        pave(ring, tip, 1 + ring.thick * 0.8, s, 0.06, beads=False)
    else:
        ring.add(
            joined(
                [
                    ball(0.05, on_hoop(np.array(a), 1 + ring.thick * 0.5, b), 6)
                    for a, b in zip(tip, s, strict=True)
                ]
            )
        )
    return ring


def bar(rng: Rng) -> Ring:
    """A straight bar, a flat plate or geometric blocks at the head."""
    ring = Ring()
    _, thick = shank(rng, ring, between(rng, 0.14, 0.3))
    size = np.array([between(rng, 0.15, 0.6), between(rng, 0.3, 0.9)])
    shape = outline(pick(rng, ("square", "oval", "hexagon", "marquise"))) * size
    ring.add(
        plate(shape, between(rng, 0.06, 0.2), 0.03).moved(shift=(0, 0, 1 + thick - 0.05)),
        pick(rng, ("metal", "metal", "metal2", "inlay")),
        True,
    )
    if chance(rng, 0.4):
        y = np.arange(-4, 5) * size[1] / 5.5
        ring.add(
            joined([stone("round").moved(np.eye(3) * 0.06, (0, v, 1 + thick + 0.12)) for v in y]),
            "small",
            True,
        )
    ring.head_at = (0, 0, 1 + thick + 0.1)
    return ring


def sculpted(rng: Rng) -> Ring:
    """A lump of relief at the head: beasts, knots, nuggets, at the distance photos show them."""
    ring = Ring(stones="any")
    _, thick = shank(rng, ring, between(rng, 0.3, 0.6), taper=0.6)
    n = 26
    lat, lon = np.meshgrid(
        np.linspace(0.05, np.pi - 0.05, n), np.arange(2 * n) * np.pi / n, indexing="ij"
    )
    unit = np.stack([np.sin(lat) * np.cos(lon), np.sin(lat) * np.sin(lon), np.cos(lat)], -1)
    h = np.ones(lat.shape)
    for octave in range(1, 6):
        for _ in range(3):
            k = rng.normal(size=3) * 1.7 * octave
            h += 0.12 / octave**0.8 * np.sin(unit @ k + rng.uniform(0, TAU))
    scale = np.array([between(rng, 0.4, 0.75), between(rng, 0.35, 0.6), between(rng, 0.2, 0.35)])
    from shapes import grid

    ring.add(grid(unit * h[..., None] * scale + [0, 0, 1 + thick + 0.1], False), "metal", True)
    if chance(rng, 0.4):
        for sign in (-1, 1):
            ring.add(
                stone("round").moved(np.eye(3) * 0.07, (sign * 0.15, -0.2, 1.3 + thick)),
                "stone",
                True,
            )
    ring.head_at = (0, 0, 1 + thick + 0.2)
    return ring


def strands(rng: Rng) -> Ring:
    """Polished wires that part at the back and sweep past both sides of a large stone."""
    ring = Ring(stones="any")
    n, spread = int(rng.integers(3, 7)), between(rng, 0.28, 0.55)
    thin, broad = between(rng, 0.06, 0.11), between(rng, 0.08, 0.17)
    size, depth = between(rng, 0.34, 0.62), between(rng, 0.16, 0.3)
    swing, lift = between(rng, -0.45, 0.45), between(rng, 0.0, 0.8) * depth
    power, merged = between(rng, 0.6, 1.5), between(rng, 0.25, 0.7)
    t = np.arange(240) * TAU / 240
    front = ((1 + np.cos(t)) / 2) ** power
    ring.thick = thin
    section = profile(pick(rng, ("half-round", "court", "flat")), 0.6, 0.1)
    for k in range(n):
        side = 2 * k / (n - 1) - 1
        s = spread * side * (merged * (1 - front) + front) * between(rng, 0.8, 1.15)
        # A quarter turn from the head all wires are in their order: there the hoop's rim ends.
        s = s + swing * np.sin(2 * t) * front * between(rng, 0.6, 1.2)
        if chance(rng, 0.3):  # from one edge to the other, over its neighbours
            s = s * np.cos(np.clip(signed(t) + between(rng, -0.6, 0.6), -1, 1) * np.pi / 2)
        # What would run through the stone goes around it.
        near = bump(t, between(rng, 0.45, 0.7))
        s = s + near * (np.sign(side or 1) * (size + broad * 0.6) * between(rng, 0.85, 1.0) - s)
        rise = thin * between(rng, 0.0, 0.9) + lift * bump(t, between(rng, 0.4, 0.9))
        taper = 1 - between(rng, -0.3, 0.5) * (1 - front)
        ring.add(
            swept(t, section, broad * taper, thin, s, 1 + rise),
            "metal2" if chance(rng, 0.06) else "metal",
        )
        if chance(rng, 0.22):
            at = np.arange(0.35, 1.25, broad * 0.75) * pick_sign(rng)
            where = [np.interp(at % TAU, t, v) for v in (1 + rise + thin, s)]
            pave(ring, at, where[0], where[1], broad * 0.34)
    style = pick(rng, ("bezel", "claw", "basket"))
    ring.add_local(setting(rng, cut_of(rng), size, depth, style), 1 + depth + thin * 0.5)
    if chance(rng, 0.5):  # the wires' eye around the stone
        reach = size + between(rng, 0.04, 0.2)
        loop = np.column_stack(
            [
                outline("oval") * [reach, reach / 1.1],
                np.full(48, 1 + depth * between(rng, 0.2, 0.9)),
            ]
        )
        ring.add(tube(loop, broad * 0.4, True, 10), "metal", True)
    ring.head_at = (0, 0, 1 + depth + 0.25 * size)
    return ring


def totem(rng: Rng) -> Ring:
    """Two or three stones one above the other along the finger, on a thin band."""
    ring = Ring(stones="any" if chance(rng, 0.4) else "clear")
    w, thick = shank(rng, ring, between(rng, 0.12, 0.24))
    depth, n = between(rng, 0.14, 0.3), int(rng.integers(2, 4))
    at = -between(rng, 0.2, 0.5)
    for _ in range(n):
        cut, size = cut_of(rng), between(rng, 0.22, 0.42)
        quarter = turn_z(np.pi / 2 * int(rng.integers(4)))
        half = float(np.abs(outline(cut) @ quarter[:2, :2].T)[:, 1].max()) * size
        at += half
        items = setting(rng, cut, size, depth, pick(rng, ("claw", "basket", "bezel")))
        if chance(rng, 0.2):
            items += halo_of(rng, cut, size, depth)
        items = [Piece(p.mesh.moved(quarter), p.material, p.head) for p in items]
        ring.add_local(items, 1 + thick + depth, at)
        at += half + between(rng, 0.03, 0.08)
    if chance(rng, 0.5):
        t = np.arange(0.3, between(rng, 0.9, 1.7), w * 0.62)
        pave(ring, np.concatenate([t, -t]), 1 + thick * 0.98, 0.0, w * 0.3)
    ring.head_at = (0, 0, 1 + thick + depth + 0.1)
    return ring


def mane(rng: Rng) -> Ring:
    """A beast's head: a lump under locks of metal that end in points, on a carved band."""
    ring = signet_body(rng, between(rng, 0.7, 1.1), ribs=chance(rng, 0.5))
    assert ring.head_at is not None
    top = ring.head_at[2]
    reach = np.array([between(rng, 0.4, 0.75), between(rng, 0.4, 0.75), between(rng, 0.2, 0.4)])
    ring.add(ball(1.0, n=16).moved(np.diag(reach * 0.85), (0, 0, top - 0.05)), "metal", True)
    for _ in range(int(rng.integers(16, 60))):
        u = np.linspace(0, 1, 14)
        start, way = rng.uniform(0, TAU), rng.normal() * 1.6
        far = between(rng, 0.7, 1.3) * u
        angle = start + way * u**1.3
        up = (
            np.sqrt(np.maximum(0.0, 1 - np.minimum(far, 1.0) ** 2)) + 0.1 + between(rng, 0, 0.2) * u
        )
        path = np.column_stack([far * np.cos(angle), far * np.sin(angle), up]) * reach
        thin = between(rng, 0.03, 0.075) * np.interp(u, [0, 0.5, 1], [0.8, 1, 0.25])
        ring.add(tube(path + [0, 0, top - 0.05], thin, k=7), "metal", True)
    for sign in (-1, 1):
        if chance(rng, 0.3):
            eye = (sign * reach[0] * 0.3, -reach[1] * 0.6, top + reach[2] * 0.7)
            ring.add(stone("round").moved(np.eye(3) * 0.07, eye), "stone", True)
    ring.head_at = (0, 0, top + reach[2] * 0.8)
    return ring


def lattice_head(rng: Rng) -> Ring:
    """Framed stones in a wide cluster, the frames ropes or beads, gaps between them."""
    ring = Ring(stones="clear")
    _, thick = shank(rng, ring, between(rng, 0.2, 0.6), taper=between(rng, 0.1, 0.6))
    cut = cut_of(rng, ("square", "round", "oval", "marquise", "cushion"))
    size, frame = between(rng, 0.13, 0.22), between(rng, 0.03, 0.05)
    pitch = 2 * size + between(rng, 2.0, 5.0) * frame
    rows, cols = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    skew = between(rng, -0.4, 0.4)
    gem, shape = stone(cut, pavilion=0.5), outline(cut)
    for i in range(rows):
        for k in range(cols):
            a = (k - (cols - 1) / 2 + 0.5 * (i % 2)) * pitch / (1 + thick)
            s = (i - (rows - 1) / 2) * pitch * 0.9
            high = 1 + thick + 0.12 * np.cos(2 * a)
            ring.add(
                placed(gem, a, high, s, size, skew), pick(rng, ("small", "small", "stone")), True
            )
            loop = np.column_stack([shape * (size + frame * 0.8), np.zeros(len(shape))])
            edge = tube(loop, frame, True, 8)
            if chance(rng, 0.6):
                twist = np.arange(240) * TAU / 240
                path = np.stack(
                    [
                        np.interp(twist, np.arange(49) * TAU / 48, np.append(v, v[0]))
                        for v in loop.T
                    ],
                    -1,
                )
                wound = np.stack(
                    [0.5 * frame * np.cos(20 * twist), 0.5 * frame * np.sin(20 * twist)]
                )
                path = path * (1 + wound[0][:, None] / size) + [0, 0, 1] * wound[1][:, None]
                edge = tube(path, frame * 0.6, True, 6)
            ring.add(placed(edge, a, high, s, 1.0, skew), "metal", True)
            post = np.array([[0, 0, -0.2 - 0.1 * abs(s)], [0, 0, 0]])
            ring.add(placed(tube(post, frame * 1.5, k=8), a, high, s), "metal", True)
    ring.head_at = (0, 0, 1 + thick + 0.2)
    return ring


def pick_sign(rng: Rng) -> float:
    return -1.0 if chance(rng, 0.5) else 1.0


# --- for validation only -------------------------------------------------------------------------


def toi_et_moi(rng: Rng) -> Ring:
    """Two stones side by side on crossing ends."""
    ring = Ring(stones="any")
    _, thick = shank(rng, ring)
    size, depth = between(rng, 0.22, 0.34), between(rng, 0.12, 0.22)
    for sign in (-1, 1):
        cut = cut_of(rng, ("round", "pear", "oval", "cushion", "heart"))
        items = setting(rng, cut, size, depth + 0.05, "claw", "stone" if sign > 0 else "small")
        items = [
            Piece(p.mesh.moved(turn_z(0.8 + (sign > 0) * np.pi)), p.material, p.head) for p in items
        ]
        ring.add_local(items, 1 + thick + depth, sign * size * 0.8, sign * size * 0.8)
    ring.head_at = (0, 0, 1 + thick + depth + 0.1)
    return ring


def chevron(rng: Rng) -> Ring:
    """A band bent to a V at the front."""
    ring = Ring(thick=between(rng, 0.1, 0.18))
    s = -between(rng, 0.25, 0.5) * np.maximum(0, 1 - np.abs(signed(AROUND)) / 0.9)
    w = between(rng, 0.15, 0.3)
    ring.add(swept(AROUND, profile(pick(rng, ("flat", "half-round", "knife"))), w, ring.thick, s))
    if chance(rng, 0.5):
        t = np.arange(-8, 9) * w * 0.65
        pave(ring, t, 1 + ring.thick, np.interp(t % TAU, AROUND, s, period=TAU), w * 0.28)
    return ring


def cathedral(rng: Rng) -> Ring:
    """A solitaire held by arches that rise from the band."""
    ring = Ring(stones="any" if chance(rng, 0.3) else "clear")
    w, thick = shank(rng, ring, between(rng, 0.16, 0.26))
    size, depth = between(rng, 0.28, 0.45), between(rng, 0.3, 0.45)
    u = np.linspace(0, 1, 24)
    for sign in (-1, 1):
        t = sign * (1.15 * (1 - u) + 0.12 * u)
        r = 1 + thick * 0.5 + (depth * 0.75) * u**1.7
        ring.add(tube(on_hoop(t, r, 0 * u), w * 0.3, k=8))
    ring.add_local(setting(rng, cut_of(rng), size, depth, "basket"), 1 + thick + depth)
    ring.head_at = (0, 0, 1 + thick + depth + 0.25 * size)
    return ring


def milgrain(rng: Rng) -> Ring:
    """A court band edged with beads."""
    ring = Ring(thick=between(rng, 0.13, 0.2))
    w, size = between(rng, 0.3, 0.7), between(rng, 0.025, 0.045)
    ring.add(swept(AROUND, profile("court", 0.8, 0.1), w, ring.thick))
    n = int(TAU * 1.1 / (2.2 * size))
    bead = ball(size, n=4)
    ring.add(
        joined(
            [
                placed(bead, a, 1 + ring.thick * 0.86, sign * w * 0.46)
                for a in np.arange(n) * TAU / n
                for sign in (-1, 1)
            ]
        )
    )
    return ring


def love_knot(rng: Rng) -> Ring:
    """A band whose wires cross in a knot at the head."""
    ring = Ring()
    thin = between(rng, 0.06, 0.09)
    ring.thick = 2 * thin
    t = np.arange(300) * TAU / 300
    near = bump(t, 0.55)
    for k in range(2):
        a = 5 * signed(t) + k * np.pi
        path = on_hoop(
            t,
            1 + thin + near * thin * 1.4 * (1 + np.cos(a)),
            thin * 1.02 * (2 * k - 1) * (1 - near) + 0.22 * near * np.sin(a),
        )
        ring.add(tube(path, thin, True, 10), "metal2" if k and chance(rng, 0.3) else "metal")
    return ring


def double_halo(rng: Rng) -> Ring:
    """A stone in two rows of small ones on a split band."""
    ring = Ring(stones="any")
    _, thick = shank(rng, ring, between(rng, 0.16, 0.26))
    size, depth = between(rng, 0.25, 0.4), between(rng, 0.2, 0.3)
    cut = cut_of(rng, ("round", "oval", "cushion", "square", "emerald"))
    ring.add_local(
        setting(rng, cut, size, depth, "claw") + halo_of(rng, cut, size, depth, 2),
        1 + thick + depth,
    )
    ring.head_at = (0, 0, 1 + thick + depth + 0.2 * size)
    return ring


Designs = dict[str, tuple[Callable[[Rng], Ring], float]]
"""What makes a ring of each family, and how often."""

TRAINING: Designs = {
    "plain": (plain, 3),
    "court": (court, 3),
    "knife-edge": (knife, 1),
    "wide": (wide, 2.4),
    "hammered": (hammered, 1),
    "engraved": (engraved, 1.2),
    "mens": (mens, 2),
    "men-plate": (men_plate, 1),
    "stack": (ribbed_stack, 1.2),
    "rope": (rope, 1),
    "braid": (braid, 1),
    "orbit": (orbit, 2.7),
    "lattice": (lattice, 1),
    "wave": (wave_band, 1),
    "bypass": (bypass, 2),
    "coil": (coil, 0.6),
    "open-cuff": (open_cuff, 0.8),
    "double-band": (double_band, 1),
    "solitaire": (solitaire, 5),
    "bezel": (bezel_solitaire, 2),
    "split-shank": (split_shank, 3),
    "halo": (halo, 4.7),
    "three-stone": (three_stone, 2),
    "row": (row_of_stones, 2),
    "eternity": (eternity, 3),
    "shared-claw": (shared_claw_eternity, 1),
    "cluster": (cluster, 3.2),
    "bombe": (bombe, 2.4),
    "cabochon": (cabochon, 1.8),
    "pearl": (pearl, 1.3),
    "signet": (signet, 3),
    "cocktail": (cocktail, 2),
    "leaves": (leaves, 1),
    "motif": (motif, 1.2),
    "crown": (crown, 0.8),
    "bar": (bar, 1),
    "sculpted": (sculpted, 0.8),
    "strands": (strands, 10),
    "totem": (totem, 1.2),
    "mane": (mane, 1.1),
    "lattice-head": (lattice_head, 1.4),
}
VALIDATION: Designs = {
    "toi-et-moi": (toi_et_moi, 1),
    "chevron": (chevron, 1),
    "cathedral": (cathedral, 1.5),
    "milgrain": (milgrain, 1),
    "love-knot": (love_knot, 1),
    "double-halo": (double_halo, 1.5),
}


def make_ring(rng: Rng, designs: Designs) -> tuple[str, Ring]:
    """A design's name and a ring of it."""
    names = list(designs)
    weights = np.array([designs[n][1] for n in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    return name, designs[name][0](rng)
