"""One rendered ring, many photos of it: other grounds, shadows, metals, crops and cameras.

The exact alpha lets a ring be laid on any ground. Everything is done on the picture the network
sees, a few hundred pixels wide, so that it costs less than the training step that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from data import FRONT, HEAD, REAR, VIEWS, Item, Picture
from hands import drawn_hand
from numpy.typing import NDArray

Array = NDArray[np.float32]
Random = np.random.Generator

RECOMPOSED: Final = 0.6
"""Share of the pictures whose ring is laid on another ground."""
PIERCED: Final = 0.12
"""Share of those with windows cut through the metal."""
DOUBLED: Final = 0.2
"""Share of those with a copy of the ring under it: what shows between two bands is ground."""
PALE: Final = 0.4
"""Linear light of the darkest primary from which metal is too pale to be pierced: there, a window
and a highlight are the same."""
EMPTY: Final = 0.12
"""Share of the pictures that show a ground and clutter, but no ring."""
SHARES: Final = ((0.55, 0.92), (0.18, 1.25), (0.08, 0.25))
"""How much of the side the ring's box takes: mostly, at times, seldom."""
HEAT_CELL, HEAT_SIGMA = 4, 1.3
"""Cell of the heat planes, px, and the width of a point in them, cells."""
PROJECT: Final = Path(__file__).resolve().parent.parent
TINTS: Final = {
    "yellow": (1.0, 0.80, 0.45),
    "rose": (1.0, 0.75, 0.64),
    "white": (1.0, 1.0, 1.0),
    "dark": (0.30, 0.30, 0.32),
}
"""Metals, as factors of linear light on grey."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the network sees, and what it should say (see ``network.PLANES`` and ``GLOBALS``).

    rgb : (s, s, 3) 8-bit. planes : (5, s, s) in [0, 1]. heat : (2, s/4, s/4) in [0, 1],
        NaN where nobody knows.
    whole : (3,) ring present, opening seen, elevation in right angles. view : index, -1 for none.
    has_contacts : whether both ends of the opening are known and in the picture.
    """

    rgb: Picture
    planes: Array
    heat: Array
    whole: Array
    view: int
    has_contacts: bool


def plain_sample(item: Item, size: int, margin: float = 0.12) -> Sample:
    """The ring's box in the middle of the picture, nothing changed: for validation."""
    place = _framed(item, size, 1 / (1 + 2 * margin), np.zeros(2), 0.0, False)
    rgb = cv2.warpAffine(
        item.rgb, place, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return _sample(item, np.asarray(rgb, np.uint8), place, size)


def random_sample(item: Item, size: int, rng: Random) -> Sample:
    """A photo of the ring as some shop might have taken it."""
    if rng.random() < EMPTY:
        return _empty_sample(size, rng)
    turn = rng.normal(0, 15) if rng.random() < 0.75 else rng.uniform(-180, 180)
    low, high = SHARES[rng.choice(len(SHARES), p=(0.70, 0.22, 0.08))]
    share = rng.uniform(low, high)
    slack = max(1 - share, 0.06) / 2
    offset = rng.uniform(-slack, slack, 2) if rng.random() < 0.7 else rng.normal(0, 0.15, 2)
    place = _framed(item, size, share, offset, turn, bool(rng.random() < 0.5))
    alpha = _warped(item.alpha, place, size).astype(np.float32) / 255
    gaps, again = np.zeros_like(alpha), None
    if item.has_ring and (item.meta.get("sketch") or rng.random() < RECOMPOSED):
        ring = _recoloured(_colours(item, place, size, 0.5, rng), rng)
        kind = rng.random()
        if kind < PIERCED:
            gaps, ring = _pierced(ring, alpha, rng)
            alpha = alpha * (1 - gaps)
        elif kind < PIERCED + DOUBLED:
            again = _beside(alpha, rng)
            ring, alpha = _over_copy(ring, alpha, again, rng)
        linear = _laid_on(*_ground(size, rng), ring, alpha, rng)
    else:
        border = cv2.BORDER_REPLICATE if abs(turn) < 25 else cv2.BORDER_REFLECT_101
        linear = _to_linear(_warped(item.rgb, place, size, border))
        if item.has_ring and rng.random() < 0.35:
            recoloured = _recoloured(_to_srgb(linear), rng)
            linear += alpha[..., None] * (recoloured - linear)
    sample = _sample(item, photographed(linear, rng), place, size)
    sample.planes[[0, 2, 3, 4]] *= 1 - gaps
    return sample if again is None else _doubled(sample, alpha, again)


def with_gaps(item: Item, rng: Random, burnt_out: bool = False) -> tuple[Picture, Array, Array]:
    """(s, s, 3) a shop's photo of the ring, mostly on white and often with gaps; its (s, s)
    coverage; and its contact points, (n, 2) px. burnt_out : in silver that is so in places."""
    size = int(rng.choice([240, 320, 448, 600], p=[0.2, 0.3, 0.3, 0.2]))
    offset, turn = rng.uniform(-0.03, 0.03, 2), rng.normal(0, 15)
    place = _framed(item, size, rng.uniform(0.6, 0.92), offset, turn, bool(rng.random() < 0.5))
    alpha = _warped(item.alpha, place, size).astype(np.float32) / 255
    contacts = _moved(item.contacts_xy, place)
    if not burnt_out and rng.random() < 0.2:
        linear = _to_linear(_warped(item.rgb, place, size, cv2.BORDER_REPLICATE))
        return photographed(linear, rng), alpha, contacts
    colours = _colours(item, place, size, 0.4, rng)
    head = _warped((item.parts == HEAD).astype(np.uint8) * 255, place, size)
    if burnt_out:
        ring = _burnt_out(colours, alpha, head, rng)
    else:
        ring = _recoloured(colours, rng) if rng.random() < 0.7 else _to_linear(colours)
    kind = rng.random()
    if kind < 0.25:  # not through heads: a stone's facet is no gap
        gaps, ring = _pierced(ring, alpha * (head < 128), rng)
        alpha = alpha * (1 - gaps)
    elif kind < 0.45:
        ring, alpha = _over_copy(ring, alpha, _beside(alpha, rng), rng)
    ground, plain = np.ones((size, size, 3), np.float32), rng.random() < 0.7
    while not plain:
        ground, plain = _ground(size, rng)
    return photographed(_laid_on(ground, True, ring, alpha, rng), rng), alpha, contacts


def recomposed(item: Item, rng: Random) -> Array:
    """The whole item on pure white with a shadow, linear light; nothing else is changed."""
    alpha = item.alpha.astype(np.float32) / 255
    shadow = _shadow(alpha, rng)[..., None]
    cover = alpha[..., None]
    return np.asarray(cover * _to_linear(_without_fringe(item)) + (1 - cover) * shadow, np.float32)


# --- where the ring lies in the picture ----------------------------------------------------------


def _framed(
    item: Item, size: int, share: float, offset: NDArray[np.float64], turn_deg: float, flip: bool
) -> NDArray[np.float64]:
    """(2, 3) picture-from-item: the ring's box takes ``share`` of the side, off centre."""
    height, width = item.alpha.shape
    x0, y0, x1, y1 = 0, 0, width, height
    if item.has_ring:
        rows, cols = np.nonzero(item.alpha > 127)
        x0, y0, x1, y1 = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
    scale = share * size / max(x1 - x0, y1 - y0)
    turn = np.deg2rad(turn_deg)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2])
    target = (size - 1) / 2 + offset * size
    return np.column_stack([linear, target - linear @ centre])


def _warped(
    plane: Picture, place: NDArray[np.float64], size: int, border: int = cv2.BORDER_CONSTANT
) -> Picture:
    way = cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(plane, place, (size, size), flags=way, borderMode=border), np.uint8
    )


def _sample(item: Item, rgb: Picture, place: NDArray[np.float64], size: int) -> Sample:
    alpha = _warped(item.alpha, place, size).astype(np.float32) / 255
    opening = _warped(item.opening, place, size).astype(np.float32) / 255
    parts = cv2.warpAffine(item.parts, place, (size, size), flags=cv2.INTER_NEAREST)
    planes = np.stack([alpha, opening, *(parts == part for part in (FRONT, REAR, HEAD))])
    contacts, head = (_moved(points, place) for points in (item.contacts_xy, item.head_xy))
    inside = ((contacts >= 0) & (contacts < size)).all()
    present = float((alpha > 0.5).mean()) > 0.0008
    whole = (present, float(opening.mean()) > 0.004, item.elevation_deg / 90)
    return Sample(
        rgb=rgb,
        planes=planes.astype(np.float32),
        heat=np.stack([_heat(contacts, size), _heat(head, size)]),
        whole=np.array(whole, np.float32),
        view=VIEWS.index(item.view) if present and item.view in VIEWS else -1,
        has_contacts=bool(len(contacts) == 2 and inside),
    )


def _moved(points: Array, place: NDArray[np.float64]) -> Array:
    return np.asarray(points @ place[:, :2].T + place[:, 2], np.float32)


def _heat(points_xy: Array, size: int) -> Array:
    """(s/4, s/4) a Gaussian round each point, 1 at its peak."""
    cells = size // HEAT_CELL
    grid = np.arange(cells, dtype=np.float32)
    heat = np.zeros((cells, cells), np.float32)
    for x, y in (points_xy + 0.5) / HEAT_CELL - 0.5:
        along = np.exp(-((grid - x) ** 2) / (2 * HEAT_SIGMA**2))
        down = np.exp(-((grid - y) ** 2) / (2 * HEAT_SIGMA**2))
        np.maximum(heat, down[:, None] * along[None], out=heat)
    return heat


# --- the ring ------------------------------------------------------------------------------------

_TO_LINEAR = (np.arange(256) / 255.0).astype(np.float32) ** 2.2


def _to_linear(rgb: Picture) -> Array:
    return np.asarray(_TO_LINEAR[rgb], np.float32)


def _to_srgb(linear: Array) -> Picture:
    coded = np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
    return np.asarray(np.round(coded * 255), np.uint8)


@cache
def _without_fringe(item: Item) -> Picture:
    """The item's picture with the ring's own colours continued beyond its edge."""
    solid = (item.alpha > 250).astype(np.float32)
    value, weight = cv2.blur(item.rgb * solid[..., None], (7, 7)), cv2.blur(solid, (7, 7))
    near = value / (weight[..., None] + 1e-4)
    sure = (solid > 0)[..., None] | (weight < 0.01)[..., None]
    return np.where(sure, item.rgb, np.clip(near, 0, 255)).astype(np.uint8)


def _colours(
    item: Item, place: NDArray[np.float64], size: int, other_stones: float, rng: Random
) -> Picture:
    """(s, s, 3) the ring's own colours, continued beyond its edge; a share with other stones."""
    colours = _warped(_without_fringe(item), place, size, cv2.BORDER_REPLICATE)
    if rng.random() < other_stones:
        head = _warped((item.parts == HEAD).astype(np.uint8) * 255, place, size)
        colours = _other_stone(colours, head > 127, rng)
    return colours


def _other_stone(rgb: Picture, head: NDArray[np.bool_], rng: Random) -> Picture:
    """The head's lights and darks in the colour of another stone."""
    colour = rng.uniform(0, 1, 3)
    colour = (colour - colour.min()) / (colour.max() - colour.min())
    weight = np.float32(rng.uniform(0.3, 1)) * cv2.blur(head.astype(np.float32), (5, 5))[..., None]
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    glint = np.clip(grey / 255 - 0.8, 0, 1) * 2
    tinted = grey * (glint + (1 - glint) * colour.astype(np.float32))
    return (
        np.asarray(weight * tinted + (1 - weight) * rgb, np.float32).clip(0, 255).astype(np.uint8)
    )


def _recoloured(rgb: Picture, rng: Random) -> Array:
    """Linear light of the ring in another metal, or brighter, paler, darker."""
    linear = _to_linear(rgb)
    kind = rng.random()
    if kind < 0.5:
        grey = linear @ np.array([0.3, 0.5, 0.2], np.float32)
        tint = np.array(TINTS[str(rng.choice(list(TINTS), p=[0.2, 0.15, 0.55, 0.1]))], np.float32)
        tint = tint ** np.float32(rng.uniform(0.5, 1.3))
        mix = np.float32(rng.uniform(0.6, 1))
        linear = (1 - mix) * linear + mix * grey[..., None] * tint
    # Shop pictures are lifted until silver is nearly as white as paper.
    gamma = np.exp(rng.normal(0, 0.35)) if rng.random() < 0.7 else rng.uniform(0.35, 0.7)
    gain = np.exp(rng.normal(0.1, 0.25))
    return np.asarray(gain * np.clip(linear, 0, 1) ** np.float32(gamma), np.float32)


def _burnt_out(rgb: Picture, alpha: Array, head: Picture, rng: Random) -> Array:
    """Linear light of the ring in silver, so bright that some of it is as white as paper; half of
    the heads keep their colours."""
    linear = _to_linear(rgb)
    grey = linear @ np.array([0.3, 0.5, 0.2], np.float32)
    tint = np.exp(rng.normal(0, 0.015, 3)).astype(np.float32)
    ring = np.clip(grey[..., None] * tint, 0, 1) ** np.float32(rng.uniform(0.45, 1))
    if rng.random() < 0.5:
        share = cv2.blur(head.astype(np.float32) / 255, (5, 5))[..., None]
        ring = (1 - share) * ring + share * linear
    on = alpha > 0.9
    if not on.any():
        return np.asarray(ring, np.float32)
    white = np.quantile(ring[on].min(axis=1), 1 - rng.uniform(0.04, 0.25))
    return np.asarray(ring * np.float32(1.03 / max(white, 0.15)), np.float32)


# --- gaps ----------------------------------------------------------------------------------------


def _pierced(ring: Array, alpha: Array, rng: Random) -> tuple[Array, Array]:
    """(s, s) coverage of some windows through the metal, and the ring with their walls' shade."""
    size = len(alpha)
    gaps = np.zeros_like(alpha)
    radius = size * np.exp(rng.uniform(np.log(0.01), np.log(0.06)))
    flat, sharp = rng.uniform(0.15, 1.0), rng.uniform(0, 0.45)
    depth = cv2.distanceTransform((alpha > 0.9).astype(np.uint8), cv2.DIST_L2, 3)
    dark = cv2.blur(ring.min(axis=2), (7, 7)) < PALE
    places = np.argwhere((depth > 0.75 * radius * flat + 2) & dark)[:, ::-1]
    if not len(places):
        return gaps, ring
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    pointed = 1 + sharp * np.cos(int(rng.integers(3, 9)) * around)
    usual_turn = rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(1, 9))):
        middle = places[rng.integers(len(places))]
        turn = usual_turn if rng.random() < 0.5 else rng.uniform(0, np.pi)
        along = radius * rng.uniform(0.7, 1.2) * pointed * np.exp(1j * around)
        outline = (along.real + 1j * flat * along.imag) * np.exp(1j * turn)
        points = middle + np.column_stack([outline.real, outline.imag])
        cv2.fillPoly(gaps, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    gaps = np.clip(cv2.GaussianBlur(gaps, (0, 0), 0.6), 0, 1)
    dx, dy = rng.normal(0, 0.004, 2) * size
    wall = cv2.warpAffine(gaps, np.array([[1, 0, dx], [0, 1, dy]]), (size, size))
    wall = cv2.GaussianBlur(wall, (0, 0), rng.uniform(0.7, 2.0))
    shade = np.float32(rng.uniform(0, 0.8)) * np.clip(1.4 * wall, 0, 1)
    return gaps, np.asarray(ring * (1 - shade[..., None]), np.float32)


def _beside(alpha: Array, rng: Random) -> NDArray[np.float64]:
    """(2, 3) from the ring to a copy near it, a little turned, larger or smaller."""
    rows, cols = np.nonzero(alpha > 0.5)
    if not rows.size:
        return np.eye(2, 3)
    reach = float(np.hypot(np.ptp(rows), np.ptp(cols))) / 2
    middle = (float(cols.mean()), float(rows.mean()))
    place = cv2.getRotationMatrix2D(middle, rng.normal(0, 9), np.exp(rng.normal(0, 0.06)))
    place[:, 2] += rng.normal(0, 0.1, 2) * reach
    return np.asarray(place, np.float64)


def _over_copy(
    ring: Array, alpha: Array, again: NDArray[np.float64], rng: Random
) -> tuple[Array, Array]:
    """The ring over its copy, which it shades, and the coverage of both."""
    size = (len(alpha), len(alpha))
    under = cv2.warpAffine(alpha, again, size)
    copy = cv2.warpAffine(ring, again, size, borderMode=cv2.BORDER_REPLICATE)
    shade = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(1, 4))[..., None]
    copy *= 1 - np.float32(rng.uniform(0, 0.6)) * shade
    cover = alpha[..., None]
    both = alpha + (1 - alpha) * under
    return np.asarray(cover * ring + (1 - cover) * copy, np.float32), np.asarray(both, np.float32)


def _doubled(sample: Sample, both: Array, again: NDArray[np.float64]) -> Sample:
    """What is true of a ring over its copy; of the points of two rims nothing is."""
    size = (len(both), len(both))
    own = sample.planes
    copy = np.stack([cv2.warpAffine(plane, again, size) for plane in own])
    planes = np.maximum(own, copy * (own[0] < 0.5))
    planes[0], planes[1] = both, np.maximum(own[1], copy[1]) * (1 - both)
    return replace(
        sample, planes=planes, heat=np.full_like(sample.heat, np.nan), has_contacts=False
    )


# --- the ground ----------------------------------------------------------------------------------


def _laid_on(ground: Array, plain: bool, ring: Array, alpha: Array, rng: Random) -> Array:
    """The ring over a new ground, with a shadow that also falls into the opening, or a mirror."""
    if rng.random() < (0.75 if plain else 0.6):
        ground *= _shadow(alpha, rng)[..., None]
    if plain and rng.random() < 0.25:
        ground = _mirrored(ground, ring, alpha, rng)
    cover = alpha[..., None]
    if rng.random() < 0.3:
        cover = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 0.9))[..., None]
    return np.asarray(cover * ring + (1 - cover) * ground, np.float32)


def _ground(size: int, rng: Random) -> tuple[Array, bool]:
    """(s, s, 3) linear light, and whether it is a plain one."""
    kind = rng.choice(
        ["white", "pale", "grey", "colour", "black", "slope", "texture", "busy"],
        p=[0.30, 0.15, 0.08, 0.10, 0.04, 0.13, 0.13, 0.07],
    )
    if kind == "white":
        return np.ones((size, size, 3), np.float32), True
    if kind == "pale":
        colour = 1 - rng.uniform(0, 0.12) - rng.uniform(0, 0.05, 3)
    elif kind == "grey":
        colour = np.full(3, rng.uniform(0.1, 0.8)) * rng.uniform(0.95, 1.05, 3)
    elif kind == "black":
        colour = np.full(3, rng.uniform(0, 0.03))
    else:
        colour = rng.uniform(0.03, 1, 3)
        colour = colour.mean() + rng.uniform(0.2, 1) * (colour - colour.mean())
    ground = np.broadcast_to(colour.astype(np.float32), (size, size, 3)).copy()
    if kind == "slope":
        other = (colour * rng.uniform(0.4, 1.3)).clip(0, 1).astype(np.float32)
        ground = _sloped(ground, other, rng)
    if kind == "texture":
        return ground * _texture(size, rng), False
    if kind == "busy":
        ground *= _texture(size, rng)
        return _cluttered(ground, rng, int(rng.integers(3, 10))), False
    if kind != "slope" and rng.random() < 0.3:
        ground = _sloped(ground, ground[0, 0] * np.float32(rng.uniform(0.85, 1.05)), rng)
    return ground, True


def _sloped(ground: Array, other: Array, rng: Random) -> Array:
    """From one colour to another: along a line, round a lamp's patch, or at a table's far edge."""
    size = ground.shape[0]
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    if rng.random() < 0.4:
        cx, cy = rng.uniform(-0.3, 0.3, 2)
        ramp = np.hypot(x - cx, y - cy) / rng.uniform(0.4, 1.0)
    else:
        turn = rng.uniform(0, 2 * np.pi)
        ramp = 0.5 + (x * np.cos(turn) + y * np.sin(turn)) / rng.uniform(0.3, 1.2)
    if rng.random() < 0.15:
        ramp = 0.5 + (y - rng.uniform(-0.3, 0.2)) / rng.uniform(0.01, 0.1)
    ramp = np.clip(ramp, 0, 1)[..., None].astype(np.float32)
    return np.asarray((1 - ramp) * ground + ramp * other, np.float32)


def _texture(size: int, rng: Random) -> Array:
    """(s, s, 1) factors about 1: noise of one grain or several, perhaps drawn out like wood."""
    factor = np.ones((size, size), np.float32)
    for grain in rng.choice([1, 2, 3, 5, 9, 20, 45], size=int(rng.integers(1, 4)), replace=False):
        long = int(grain * (rng.uniform(2, 10) if rng.random() < 0.35 else 1))
        cells = (max(2, size // long), max(2, size // int(grain)))
        noise = rng.normal(0, 1, cells[::-1]).astype(np.float32)
        factor += np.float32(rng.uniform(0.03, 0.2)) * cv2.resize(
            noise, (size, size), interpolation=cv2.INTER_CUBIC
        )
    if rng.random() < 0.3:
        y, x = np.mgrid[:size, :size].astype(np.float32)
        pitch = rng.uniform(2.5, 9)
        factor += np.float32(rng.uniform(0.03, 0.15)) * (
            np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
        )
    turned = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 180), 1.45)
    factor = cv2.warpAffine(factor, turned, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(factor, 0.2, 1.8)[..., None].astype(np.float32)


def _shadow(alpha: Array, rng: Random) -> Array:
    """(h, w) factors: the ring's own shape laid over the table, soft or hard, once or twice."""
    height, width = alpha.shape
    factor = np.ones((height, width), np.float32)
    rows = np.flatnonzero((alpha > 0.5).any(1))
    foot = float(rows[-1]) if rows.size else 0.8 * height
    reach = max(8.0, foot - float(rows[0]) if rows.size else 0.0)
    for _ in range(1 + (rng.random() < 0.5)):
        depth = rng.uniform(0.1, 0.75)
        if rng.random() < 0.6:  # laid down about the foot
            flat, lean = rng.uniform(-0.5, 0.7), rng.normal(0, 0.7)
            at = foot - rng.uniform(0, 0.12) * reach
            move = np.array([[1, lean, -lean * at], [0, flat, at * (1 - flat)]])
        else:  # beside the ring, as of one that lies
            dx, dy = rng.normal(0, 0.08, 2) * reach
            move = np.array([[1, 0, dx], [0, 1, dy + 0.03 * reach]])
        cast = cv2.warpAffine(alpha, move, (width, height))
        sigma = reach * (
            rng.uniform(0.008, 0.03) if rng.random() < 0.5 else rng.uniform(0.03, 0.12)
        )
        cast = cv2.GaussianBlur(cast, (0, 0), max(0.6, sigma))
        factor *= 1 - np.float32(depth) * np.clip(cast * rng.uniform(1, 1.6), 0, 1)
    return factor


def _mirrored(ground: Array, ring: Array, alpha: Array, rng: Random) -> Array:
    """A polished table: the ring upside down below its foot, fading."""
    size = alpha.shape[0]
    rows = np.flatnonzero((alpha > 0.5).any(1))
    if not rows.size:
        return ground
    foot = rows[-1] - rng.uniform(0, 0.1) * (rows[-1] - rows[0])
    squash = rng.uniform(0.6, 1.0)
    flip = np.array([[1, 0, 0], [0, -squash, foot * (1 + squash)]])
    cover = cv2.warpAffine(alpha, flip, (size, size))
    image = cv2.warpAffine(ring, flip, (size, size), borderMode=cv2.BORDER_REPLICATE)
    fade = np.exp(-np.clip(np.arange(size) - foot, 0, None) / (rng.uniform(0.03, 0.5) * size))
    sigma = rng.uniform(0.3, 3)
    weight = cv2.GaussianBlur(cover, (0, 0), sigma) * fade[:, None].astype(np.float32)
    weight = (np.float32(rng.uniform(0.1, 0.6)) * weight)[..., None]
    return np.asarray(
        (1 - weight) * ground + weight * cv2.GaussianBlur(image, (0, 0), sigma), np.float32
    )


def _cluttered(ground: Array, rng: Random, n: int) -> Array:
    """Discs, bars and curves that are no rings: coins, pens, ribbons, the edge of a box."""
    size = ground.shape[0]
    canvas = np.ascontiguousarray(ground)
    for _ in range(n):
        colour = [float(v) for v in rng.uniform(0, 1) * rng.uniform(0.5, 1, 3)]
        x, y = (int(v) for v in rng.uniform(-0.1, 1.1, 2) * size)
        kind = rng.integers(4)
        if kind == 0:
            axes = (int(rng.uniform(3, size / 3)), int(rng.uniform(3, size / 3)))
            cv2.ellipse(canvas, (x, y), axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            box = ((x, y), tuple(rng.uniform(4, size / 2, 2)), rng.uniform(0, 180))
            cv2.fillPoly(canvas, [cv2.boxPoints(box).astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 2:
            end = tuple(int(v) for v in rng.uniform(0, size, 2))
            cv2.line(canvas, (x, y), end, colour, int(rng.integers(1, 9)), cv2.LINE_AA)
        else:
            points = rng.uniform(0, size, (4, 2)).cumsum(0) / np.arange(1, 5)[:, None]
            cv2.polylines(
                canvas,
                [points.astype(np.int32)],
                False,
                colour,
                int(rng.integers(1, 14)),
                cv2.LINE_AA,
            )
    return canvas


def _empty_sample(size: int, rng: Random) -> Sample:
    """A ground without a ring, or a part of a hand without one."""
    kind = rng.random()
    if kind < 0.25:
        ground = _part_of_hand(size, rng)
    else:
        ground, _ = _ground(size, rng)
        if rng.random() < 0.7:
            ground = _cluttered(ground, rng, int(rng.integers(1, 5)))
        if kind < 0.65:
            ground = drawn_hand(ground, rng)
    cells = size // HEAT_CELL
    return Sample(
        rgb=photographed(ground, rng),
        planes=np.zeros((5, size, size), np.float32),
        heat=np.zeros((2, cells, cells), np.float32),
        whole=np.zeros(3, np.float32),
        view=-1,
        has_contacts=False,
    )


@cache
def _hands() -> list[Picture]:
    """The project's own path-traced hands: what people upload in a ring's place."""
    paths = sorted([*PROJECT.glob("samples/hand-*.jpg"), *PROJECT.glob("tests/scenes/hand_*.jpg")])
    return [np.asarray(cv2.imread(str(path))[..., ::-1], np.uint8) for path in paths]


def _part_of_hand(size: int, rng: Random) -> Array:
    """(s, s, 3) linear light."""
    hand = _hands()[rng.integers(len(_hands()))]
    height, width = hand.shape[:2]
    share = np.exp(rng.uniform(np.log(0.15), np.log(1.1))) * max(height, width)
    turn = cv2.getRotationMatrix2D((0, 0), rng.uniform(-180, 180), size / share)
    middle = turn[:, :2] @ (rng.uniform(0.2, 0.8, 2) * [width, height])
    turn[:, 2] = size / 2 - middle
    part = cv2.warpAffine(hand, turn, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return _to_linear(np.asarray(part, np.uint8)) * np.exp(rng.normal(0, 0.1, 3)).astype(np.float32)


# --- the camera and what comes after -------------------------------------------------------------


def photographed(linear: Array, rng: Random) -> Picture:
    """Exposure, white balance, blur, writing, noise, JPEG: 8-bit sRGB."""
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.035, 3))
    if rng.random() < 0.15:  # a dim or a tinted room, and no retouching
        gain *= rng.uniform(0.25, 1.0) * np.exp(rng.normal(0, 0.25, 3))
    elif rng.random() < 0.45:
        gain = np.ones(3)  # what is pure white stays so
    rgb = _to_srgb(linear * gain.astype(np.float32))
    if rng.random() < 0.03:
        rgb = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    height, width = rgb.shape[:2]
    if rng.random() < 0.25:
        mean = float(rgb.mean())
        contrast = rng.uniform(0.7, 1.25)
        rgb = cv2.convertScaleAbs(rgb, alpha=contrast, beta=(1 - contrast) * mean)
    kind = rng.random()
    if kind < 0.25:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.3, 1.3))
    elif kind < 0.45:
        scale = rng.uniform(0.4, 0.9)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(small, (width, height))
    elif kind < 0.6:
        soft = cv2.GaussianBlur(rgb, (0, 0), 1.0)
        amount = rng.uniform(0.3, 1.2)
        rgb = cv2.addWeighted(rgb, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.18:
        rgb = _written_on(rgb, rng)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 9), (height, width, 1 if rng.random() < 0.5 else 3))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 96))]
        rgb = cv2.imdecode(cv2.imencode(".jpg", rgb, quality)[1], cv2.IMREAD_COLOR)
    return np.asarray(rgb, np.uint8)


def _written_on(rgb: Picture, rng: Random) -> Picture:
    """Marks like a shop's name, a price or a watermark across the picture."""
    size = rgb.shape[0]
    letters = "".join(chr(c) for c in rng.integers(48, 91, int(rng.integers(2, 14))))
    colour = [int(v) for v in rng.integers(0, 256, 1).repeat(3)]
    where = (int(rng.uniform(-0.1, 0.7) * size), int(rng.uniform(0.05, 1) * size))
    over = np.ascontiguousarray(rgb)
    over = over.copy()
    font = int(rng.integers(0, 8))
    cv2.putText(
        over,
        letters,
        where,
        font,
        rng.uniform(0.3, 1.3) * size / 256,
        colour,
        int(rng.integers(1, 3)),
        cv2.LINE_AA,
    )
    share = rng.uniform(0.15, 1)
    return np.asarray(cv2.addWeighted(over, share, rgb, 1 - share, 0), np.uint8)
