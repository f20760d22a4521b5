"""How much of their light a ring on a finger takes from the surfaces around it.

The finger is a cylinder, the ring a band around it with an ellipsoid for its head: a ray meets each
of them in closed form. Rays go from every point to the hemisphere before the picture, weighted by
the light that comes along them. Frame: t across the finger, g towards the viewer's side of it, a
along it to the tip, px from the ring's centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Mask
from anello.imaging.finger import FingerSite
from anello.imaging.frame import FingerFrame
from anello.imaging.lighting import Light

SKY_RAYS, LAMP_RAYS = 28, 36
"""Directions over the hemisphere, and more of them towards the lamp."""

SOFTNESS = 0.9
"""Half a ray's width over that with which all of them leave no gaps."""

LAMP_FOCUS = 12.0
"""Concentration of the lamp, exp(k (cos - 1)), half at 20 degrees: a window three steps away."""

BOUNCED = 0.1
"""Light that reaches every point by way of others, over that of a surface that faces it all."""

BAND_MIRRORS = 0.45
"""How much of the light on its own side the band sends on, over that which it stops: metal is no
black wall."""

NEIGHBOUR_LOW, NEIGHBOUR_RISE = -0.34, 0.8
"""A neighbour's outline over this finger's axis, and its top over that, in radii: a hand is arched,
and most fingers are thinner than the one beside them."""

BESIDE = 0.5
"""Distance from the silhouette, in half widths, from which the depth of a neighbour can be told."""

SIDES = 0.6
"""Distance from the finger's middle, in half widths, at which neighbours see the ring."""

Tga: TypeAlias = tuple[Float, Float, Float]
"""(n,) each: points or directions in the finger's frame."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The ring as rays meet it, px.

    radius : of the finger. half_width, thickness : of the band on it, as seen from its sides.
    head_tga, head_radii : middle and half axes of the head's ellipsoid, or None.
    """

    radius: float
    half_width: float
    thickness: float
    head_tga: Float64 | None = None
    head_radii: Float64 | None = None


def measure_obstacle(
    alpha: Float, height: Float, head: Mask, frame: FingerFrame, site: FingerSite
) -> Obstacle:
    """alpha, height : (h, w) of the ring, px over the skin. head : (h, w) what rises over the band.

    A pixel of known height is a known point of the ring: t is seen, g follows from t and the
    height, a from where along the finger the pixel is.
    """
    radius, pitch = site.width_px / 2, np.radians(site.pitch_deg)
    t = frame.across * radius
    g = np.sqrt(np.maximum((radius + height) ** 2 - t * t, 0))
    a = (frame.along - g * np.sin(pitch)) / np.cos(pitch)
    cover = alpha > 0.5
    band = cover & ~head & (np.abs(frame.across) < 0.8)
    band = band if band.any() else cover
    half_width = float(np.percentile(np.abs(a[band]), 90))
    sides = cover & ~head & (np.abs(frame.across) > SIDES)
    thickness = float(np.percentile(height[sides if sides.any() else cover], 75))
    if np.count_nonzero(head) < 5:
        return Obstacle(radius, half_width, thickness)
    low, high = np.percentile([v[head] for v in (t, g, a)], (3, 97), axis=1)
    low[1] = min(low[1], radius)
    radii = np.maximum((high - low) / 2, 1.0)
    return Obstacle(radius, half_width, thickness, (high + low) / 2, radii)


def thrown_shade(
    ring: Obstacle, skin: Float, frame: FingerFrame, site: FingerSite, light: Light
) -> Float:
    """(h, w) share of its light that skin away from the ring's foot loses: the finger's own to the
    head, its neighbours' to head and band. skin : (h, w) likelihood of skin beside the finger.

    What is beside is rounded up like a finger as thick as this one, that lies a little lower.
    """
    radius = np.float32(ring.radius)
    own = np.abs(frame.across) < 1
    shade = np.zeros_like(frame.across)
    if ring.head_radii is not None:
        u = frame.across[own]
        out = np.sqrt(np.maximum(1 - u * u, 0))
        points = _points(u * radius, out * radius, frame.along[own], site)
        shade[own] = _lost(points, (u, out), ring, site, light, to_band=False)
    other = (skin > 0.5) & ~own
    if other.any():
        inward = cv2.distanceTransform(other.astype(np.uint8), cv2.DIST_L2, 5)[other] / radius
        lean = np.maximum(1 - inward, 0)
        rise = np.sqrt(1 - lean * lean)
        across = frame.across[other]
        depth = (NEIGHBOUR_LOW + NEIGHBOUR_RISE * rise) * radius
        points = _points(across * radius, depth, frame.along[other], site)
        normal = -np.sign(across) * lean, rise
        # Right beside the finger a pixel more or less decides how deep a point lies.
        known = np.clip((np.abs(across) - 1) / BESIDE, 0, 1)
        shade[other] = known * _lost(points, normal, ring, site, light, to_band=True)
    return shade


def _points(t: Float, g: Float, along: Float, site: FingerSite) -> Tga:
    """Points of the finger's frame seen at ``along`` px along the finger."""
    pitch = np.float32(np.radians(site.pitch_deg))
    return t, g, (along - g * np.sin(pitch)) / np.cos(pitch)


def _lost(
    points: Tga,
    normal_tg: tuple[Float, Float],
    ring: Obstacle,
    site: FingerSite,
    light: Light,
    to_band: bool,
) -> Float:
    """(n,) share of the light of surface points, normals across the finger, that the ring stops."""
    rays = _rays(site, light)
    facing = np.maximum(rays.direction[:, :2] @ np.stack(normal_tg), 0)
    stopped = np.zeros_like(facing)
    if ring.head_radii is not None:
        stopped = _meets_head(points, rays, ring) * rays.light[:, None]
    if to_band:
        facing *= _clears_finger(points, rays, ring)
        kept = (rays.light - BAND_MIRRORS * rays.mirrored)[:, None]
        stopped += _meets_band(points, rays, ring) * (kept - stopped)
    received = rays.light @ facing + np.float32(BOUNCED)
    lost = np.einsum("rn,rn->n", facing, stopped)
    return np.asarray(np.clip(lost / received, 0, 0.9), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """direction : (r, 3) unit t, g, a. width : (r,) half a ray's width over its length.
    light : (r,) what comes along them, 1 in all on a surface that faces it. mirrored : (r,) what
    comes along their mirror images in an upright wall across the finger."""

    direction: Float
    width: Float
    light: Float
    mirrored: Float


def _rays(site: FingerSite, light: Light) -> _Rays:
    """Rays from everywhere before the picture, most of them from where most light is."""
    x, y, z = light.direction_xyz
    across, along = (x * side[0] + y * side[1] for side in (site.across_xy, site.axis_xy))
    towards = np.array([across, along, z])
    seen = np.concatenate([_hemisphere(), _lobe_around(towards)])
    directions, lamp = _in_finger(seen[seen[:, 2] > 0], site), _in_finger(towards, site)
    # Rays to a hemisphere, were they everywhere as close together as at each one.
    crowd = SKY_RAYS + LAMP_RAYS * _lobe(directions, lamp)

    def radiance(rays: Float64) -> Float:
        told = 2 * light.ambient + (1 - light.ambient) * _lobe(rays, lamp)
        return np.asarray(told / crowd, np.float32)

    return _Rays(
        direction=directions.astype(np.float32),
        width=(SOFTNESS * np.sqrt(2 / crowd)).astype(np.float32),
        light=radiance(directions),
        mirrored=radiance(directions * [1, 1, -1]),
    )


def _meets_band(points: Tga, rays: _Rays, ring: Obstacle) -> Float:
    """(rays, n) 0 to 1: where the ray comes closest to the finger's axis, within the band's width,
    it is inside the band."""
    t, g, a = points
    lt, lg, la = (component[:, None] for component in rays.direction.T)
    per_px = 1 / np.where(np.abs(la) > 1e-3, la, np.float32(1e-3))
    reach, start = np.float32(ring.half_width) * np.abs(per_px), -a * per_px
    last = start + reach
    s = (t * lt + g * lg) * (-1 / np.maximum(lt * lt + lg * lg, np.float32(1e-4)))
    s = np.clip(s, np.maximum(start - reach, 0), np.maximum(last, 0))
    x, y = t + s * lt, g + s * lg
    depth = np.float32(ring.radius + ring.thickness) - np.sqrt(x * x + y * y)
    width = rays.width[:, None] * s + np.float32(0.01 * ring.radius)
    return np.asarray(np.clip(depth / width + np.float32(0.5), 0, 1) * (last > 0), np.float32)


def _clears_finger(points: Tga, rays: _Rays, ring: Obstacle) -> Float:
    """(rays, n) 0 to 1: a ray from beside the finger passes it by, ring or no ring."""
    t, g, _ = points
    lt, lg, _ = (component[:, None] for component in rays.direction.T)
    in_plane = np.maximum(lt * lt + lg * lg, np.float32(1e-4))
    off = (t * lg - g * lt) ** 2 / (in_plane * np.float32(ring.radius**2))
    away = t * lt + g * lg > 0
    return np.asarray(np.where(away, 1, np.clip(off * 5 - np.float32(4.5), 0, 1)), np.float32)


def _meets_head(points: Tga, rays: _Rays, ring: Obstacle) -> Float:
    """(rays, n) 0 to 1: the ray passes through the head's ellipsoid, in a space where that is a
    unit sphere."""
    assert ring.head_tga is not None
    assert ring.head_radii is not None
    radii = ring.head_radii.astype(np.float32)
    to_head = np.stack(
        [(np.float32(c) - p) / r for c, p, r in zip(ring.head_tga, points, radii, strict=True)]
    )
    direction = rays.direction / radii
    length = (direction * direction).sum(axis=1)[:, None]
    along = direction @ to_head
    s = np.maximum(along, 0) / length
    # Squared distance from the sphere's middle to the nearest point of the ray, which is where the
    # way along it is ``s``, or its start.
    off = (to_head * to_head).sum(axis=0) - s * np.maximum(along, 0)
    width = s * rays.width[:, None] / radii.min() + np.float32(0.1)
    inside = (1 - np.sqrt(np.maximum(off, 0))) / width + np.float32(0.5)
    return np.asarray(np.clip(inside, 0, 1) * (along > 0), np.float32)


def _in_finger(xyz: Float64, site: FingerSite) -> Float64:
    """(..., 3) t, g, a of directions across, along the axis' image and towards the viewer."""
    s, c = np.sin(np.radians(site.pitch_deg)), np.cos(np.radians(site.pitch_deg))
    return np.asarray(xyz @ np.array([[1, 0, 0], [0, s, c], [0, c, -s]]))


def _lobe(rays: Float64, lamp: Float64) -> Float64:
    """(n,) the lamp's radiance along each ray, 1 on the hemisphere's mean."""
    return np.asarray(LAMP_FOCUS * np.exp(LAMP_FOCUS * (rays @ lamp - 1)))


def _hemisphere() -> Float64:
    """(SKY_RAYS, 3) directions before the picture, evenly spread."""
    return _spiral(1 - (np.arange(SKY_RAYS // 2) + 0.5) / (SKY_RAYS // 2))


def _lobe_around(lamp: Float64) -> Float64:
    """(LAMP_RAYS, 3) directions, each for as much of the lamp's light."""
    share = (np.arange(LAMP_RAYS // 2) + 0.5) / (LAMP_RAYS // 2)
    across = np.array([1.0, 0, 0]) - lamp[0] * lamp  # never 0: a lamp is before the picture
    across /= np.linalg.norm(across)
    basis = np.stack([across, np.cross(lamp, across), lamp])
    cosine = 1 + np.log1p(share * np.expm1(-2 * LAMP_FOCUS)) / LAMP_FOCUS
    return np.asarray(_spiral(cosine) @ basis)


def _spiral(cosine: Float64) -> Float64:
    """(2 n, 3) directions around z on a golden spiral, and its mirror image: left and right are
    alike."""
    out, azimuth = np.sqrt(1 - cosine**2), np.arange(len(cosine)) * np.pi * (3 - np.sqrt(5))
    half = np.stack([out * np.cos(azimuth), out * np.sin(azimuth), cosine], axis=1)
    return np.concatenate([half, half * [-1, 1, 1]])
