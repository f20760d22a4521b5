"""What a known light does to a ring."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
from cylinders import SKIN, lamp, plain_surround

from anello.imaging.arrays import Float
from anello.imaging.color import luminance
from anello.imaging.lighting import Light
from anello.imaging.relighting import mirrored_room, relight, shading
from anello.imaging.surround import Surround
from anello.imaging.turn import Layer

GOLD = np.array([0.70, 0.52, 0.24], np.float32)


def test_shading_is_one_facing_the_lamp():
    light = lamp((0.6, -0.2, 0.7))
    assert float(shading(light.direction_xyz, light)) == pytest.approx(1, abs=1e-5)
    assert float(shading(-light.direction_xyz, light)) < 0.3


def mirrored(normal: list[float], light: Light) -> Float:
    """(3,) what a mirror somewhere in the photo shows."""
    unit = np.array([normal], np.float32) / np.float32(np.linalg.norm(normal))
    return mirrored_room(unit, np.full((1, 2), 50, np.float32), light)[0]


def test_metal_mirrors_the_room_above_and_the_skin_below():
    light = lamp((0.0, -0.3, 0.95), ambient=0.9)
    up = mirrored([0, 0, 1], light)
    down = mirrored([0.98, 0, 0.2], light)
    assert np.allclose(up / up[1], light.colour / light.colour[1], atol=1e-5)
    assert np.allclose(down / down[1], SKIN / SKIN[1], atol=1e-4)


def a_ring() -> Layer:
    """A gold half hoop with a soft highlight, seen from above."""
    row, column = np.mgrid[0:60, 0:100].astype(np.float32)
    u = (column - 50) / 40
    alpha = ((np.abs(u) < 1) & (np.abs(row - 30) < 8)).astype(np.float32)
    out = np.sqrt(np.maximum(1 - u**2, 0))
    normal = np.stack([np.clip(u, -1, 1), np.zeros_like(u), out], -1).astype(np.float32)
    normal[alpha == 0] = (0, 0, 1)
    value = 0.75 + 0.25 * np.exp(-(((u + 0.3) / 0.15) ** 2))
    color = (GOLD * value[..., None] * alpha[..., None]).astype(np.float32)
    return Layer(color, alpha, normal, alpha, np.zeros_like(alpha), (10, 20, 110, 80))


WARM_DIM = lamp((0.4, -0.3, 0.85), ambient=0.5)


def warm_dim():
    colour = np.array([1.25, 0.97, 0.62], np.float32)
    dim = SKIN * np.float32(0.3)
    dimmed = replace(WARM_DIM, level=0.35, skin=dim, surround=plain_surround(dim))
    return replace(dimmed, colour=colour / luminance(colour))


def test_no_ambient_leaves_the_ring_alone():
    ring = a_ring()
    assert relight(ring, warm_dim(), 0.0) is ring


def test_ambient_is_monotone_in_every_pixel():
    ring = a_ring()
    steps = [relight(ring, warm_dim(), a).color for a in (0.0, 0.15, 0.5, 0.8, 1.0)]
    change = np.diff(np.stack(steps), axis=0)
    assert ((change <= 1e-6).all(0) | (change >= -1e-6).all(0)).all()
    assert np.abs(steps[1] - steps[0]).max() > 0.02


def test_gold_stays_gold():
    ring = a_ring()
    for light in (warm_dim(), lamp((0.8, 0, 0.6), 0.2), lamp((0, 0, 1), 0.9)):
        lit = relight(ring, light, 1.0).color
        hue, saturation, _ = colorsys.rgb_to_hsv(*lit[ring.alpha > 0].mean(0) ** (1 / 2.2))
        assert 15 <= hue * 360 <= 52
        assert saturation > 0.2


def test_gold_that_a_bright_photo_bleached_is_gold_in_a_dimmer_light():
    ring = a_ring()
    bright = np.where(np.abs(np.arange(100) - 38) < 6, 1.8, 1.0).astype(np.float32)
    bleached = replace(ring, color=np.minimum(ring.color * bright[:, None], 1))
    assert (bleached.color[30, 34:43, 0] < 1.2 * bleached.color[30, 34:43, 1]).all()
    grey = np.full(3, 0.2, np.float32)
    neutral = replace(WARM_DIM, level=0.35, skin=grey, surround=plain_surround(grey))
    lit = relight(bleached, neutral, 1.0).color[30, 34:43]
    assert lit / lit[:, 1:2] == pytest.approx(np.tile(GOLD / GOLD[1], (9, 1)), rel=0.02)


def test_gold_without_any_blue_in_its_photo_is_lit_like_other_gold():
    ring = a_ring()
    bright = np.where(np.abs(np.arange(100) - 38) < 6, 1.8, 1.0).astype(np.float32)
    color = np.minimum(ring.color * bright[:, None], 1)
    color[..., 2] = 0
    lit = relight(replace(ring, color=color), warm_dim(), 1.0)
    assert np.isfinite(lit.color).all()
    assert luminance(lit.color[ring.alpha > 0]).min() > 0.02


def test_a_dim_warm_room_leaves_no_studio_sheen():
    ring = a_ring()
    on = ring.alpha > 0
    lit = relight(ring, warm_dim(), 1.0).color
    assert luminance(lit[on]).mean() < 0.45 * luminance(ring.color[on]).mean()
    assert luminance(lit).max() > 1.5 * np.median(luminance(lit[on]))  # highlights alive


def test_relighting_keeps_premultiplied_colour_within_alpha():
    ring = a_ring()
    half = ring.alpha * np.float32(0.5)
    veiled = replace(ring, color=ring.color * np.float32(0.5), alpha=half)
    lit = relight(veiled, lamp((0, 0, 1), 0.9), 1.0).color
    assert (lit <= half[..., None] + 1e-6).all()
    assert (lit[half == 0] == 0).all()


def test_engraving_stays_but_in_the_softer_contrast_of_a_room():
    ring = a_ring()
    lines = np.where(np.arange(100) % 4 < 2, 1.0, 0.6).astype(np.float32)
    engraved = replace(ring, color=ring.color * lines[:, None])
    lit = relight(engraved, lamp((0, -0.3, 0.95), 0.5), 1.0)
    # Steps down and up again, away from the highlight: the light's own slope cancels.
    before, after = (
        np.log(v[30, [73, 76]] / v[30, [74, 75]]).mean()
        for v in (luminance(engraved.color), luminance(lit.color))
    )
    assert 0.5 * before < after < 0.95 * before


def test_a_stone_is_not_taken_for_metal():
    ring = a_ring()
    ruby = np.array([0.22, 0.01, 0.03], np.float32)
    ring.color[26:34, 46:54] = ruby
    lit = relight(ring, lamp((0, -0.3, 0.95), 0.8), 1.0).color
    stone = lit[28:32, 48:52].mean((0, 1))
    assert luminance(stone) < 1.5 * luminance(ruby)
    assert stone[0] > 5 * stone[1]


def test_onyx_on_gold_stays_black_and_what_gold_mirrors_does_not():
    onyx, shade = a_ring(), a_ring()
    onyx.color[26:34, 46:54] = 0.03
    shade.color[26:34, 46:54] = GOLD * np.float32(0.06)
    light = lamp((0, -0.3, 0.95), 0.8)
    before = luminance(onyx.color[28:32, 48:52]).mean()
    stone, metal = (
        luminance(relight(ring, light, 1.0).color[28:32, 48:52]).mean() for ring in (onyx, shade)
    )
    assert stone < 1.5 * before
    assert metal > 3 * before


def test_a_diamond_on_gold_is_not_dimmed_to_the_room_that_gold_mirrors():
    diamond, lamp_in_gold = a_ring(), a_ring()
    diamond.color[26:34, 46:54] = 0.95
    diamond.color[26:34, 48:50] = diamond.color[28:30, 46:54] = 0.05
    lamp_in_gold.color[26:34, 46:54] = 0.95
    stone, metal = (
        relight(ring, lamp((-0.9, 0, 0.3), 0.2), 1.0).color[31:33, 51:53].mean((0, 1))
        for ring in (diamond, lamp_in_gold)
    )
    # What makes the difference is a stone's dark facets: a lamp that gold mirrors white has none.
    assert luminance(stone) > 2 * luminance(metal)
    assert np.ptp(stone) < 0.02


def test_a_large_stone_is_not_taken_for_the_metal():
    ring = a_ring()
    ring.color[:] = luminance(ring.color)[..., None]
    ring.color[24:37, 22:78] = (0.75, 0.6, 0.3)
    high = np.where(ring.alpha > 0, 1, 0).astype(np.float32)
    high[24:37, 22:78] = 4
    dim = warm_dim()
    lit = relight(replace(ring, height=high), dim, 1.0).color
    plain = a_ring()
    plain.color[:] = luminance(plain.color)[..., None]
    beside = np.s_[27:33, 12:18]
    assert lit[beside] == pytest.approx(relight(plain, dim, 1.0).color[beside], rel=0.1)


def test_a_black_screen_that_the_studio_mirrored_in_silver_is_gone():
    ring = a_ring()
    ring.color[:] = luminance(ring.color)[..., None]
    ring.color[26:34, 60:68] = 0.004
    lit = luminance(relight(ring, lamp((-0.9, 0, 0.3), 0.2), 1.0).color)
    assert lit[28:32, 62:66].mean() > 0.5 * lit[28:32, 72:76].mean()


def test_a_diamond_that_leans_aside_keeps_its_sparkle():
    """A thumb turns the head aside, and then most of what faces aside is the head, not the band."""
    ring = a_ring()
    row, column = np.mgrid[0:60, 0:100]
    head = (column > 82) & (ring.alpha > 0)
    facets = np.where((row // 2 + column // 2) % 2 > 0, 0.9, 0.2)[..., None]
    silver = np.broadcast_to(np.float32(0.8), ring.color.shape)
    color = np.where(head[..., None], facets, silver) * ring.alpha[..., None]
    aside = np.array([0.85, 0, np.sqrt(1 - 0.85**2)], np.float32)
    normal = np.where(head[..., None], aside, [0, 0, 1]).astype(np.float32)
    height = np.where(head, 30, 5 * ring.alpha).astype(np.float32)
    leaning = replace(ring, color=color.astype(np.float32), normal=normal, height=height)

    def contrast(layer):
        return np.ptp(luminance(relight(layer, WARM_DIM, 1.0).color)[head])

    assert contrast(replace(leaning, head=head.astype(np.float32))) > 0.4
    assert contrast(leaning) < 0.4  # without a head of its own it is a broad band


def test_a_black_ring_does_not_turn_to_silver():
    ring = a_ring()
    on = ring.alpha > 0
    blackened = luminance(ring.color)[..., None] * np.float32([0.05, 0.05, 0.055])
    lit = relight(replace(ring, color=blackened), lamp((0, -0.3, 0.95), 0.8), 1.0).color
    silver = luminance(ring.color)[..., None] * np.ones(3, np.float32)
    bright = relight(replace(ring, color=silver), lamp((0, -0.3, 0.95), 0.8), 1.0).color
    assert np.median(luminance(lit[on])) < 0.35 * np.median(luminance(bright[on]))


def test_each_side_of_a_hoop_mirrors_what_lies_beside_it():
    ring = a_ring()
    walnut, linen = (np.array(c, np.float32) for c in ((0.06, 0.04, 0.03), (0.6, 0.55, 0.45)))
    halves = np.where((np.arange(120) < 60)[None, :, None], walnut, linen)
    beside = Surround(halves.astype(np.float32), np.zeros(2), px=np.ones(2), reach_px=24.0)
    lit = relight(ring, replace(lamp((0, 0, 1), 0.5), surround=beside), 1.0).color
    # Where the hoop leans sideways by 60 degrees: left and right of its middle, at column 50.
    left, right = (luminance(lit[26:34, c - 1 : c + 2]).mean() for c in (15, 85))
    assert right > 3 * left


def test_in_a_photo_in_black_and_white_the_ring_is_grey():
    grey = np.full(3, 0.3, np.float32)
    light = lamp((0.3, -0.3, 0.9))
    light = replace(light, is_grey=True, skin=grey, surround=plain_surround(grey))
    lit = relight(a_ring(), light, 1.0).color
    assert np.ptp(lit, axis=-1).max() < 0.02


def test_polished_metal_takes_the_colour_of_the_shade_and_the_lamp_its_own():
    sky = np.array([0.8, 1.0, 1.3], np.float32)
    sun = replace(lamp((0.0, -0.8, 0.6), ambient=0.1), shade=sky / luminance(sky))
    half_way = (sun.direction_xyz + np.array([0, 0, 1])) / 2
    at_lamp, away = mirrored(list(half_way), sun), mirrored([0.0, 0.3, 0.954], sun)
    assert away[2] / away[0] > 1.3
    assert at_lamp[2] / at_lamp[0] < 1.1
    assert luminance(at_lamp) > 4 * luminance(away)
