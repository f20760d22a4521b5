"""What a known light does to a ring."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
from cylinders import SKIN, lamp

from anello.imaging.color import luminance
from anello.imaging.relighting import mirrored_room, relight, shading

GOLD = np.array([0.70, 0.52, 0.24], np.float32)


def test_shading_is_one_facing_the_lamp():
    light = lamp((0.6, -0.2, 0.7))
    assert float(shading(light.direction_xyz, light)) == pytest.approx(1, abs=1e-5)
    assert float(shading(-light.direction_xyz, light)) < 0.3


def test_metal_mirrors_the_room_above_and_the_skin_below():
    light = lamp((0.0, -0.3, 0.95), ambient=0.9)
    up = mirrored_room(np.array([0, 0, 1], np.float32), light)
    down = mirrored_room(np.array([0.98, 0, 0.2], np.float32), light)
    assert np.allclose(up / up[1], light.colour / light.colour[1], atol=1e-5)
    assert np.allclose(down / down[1], SKIN / SKIN[1], atol=1e-4)


def a_ring():
    """A gold half hoop with a soft highlight: premultiplied colour, alpha, normal."""
    row, column = np.mgrid[0:60, 0:100].astype(np.float32)
    u = (column - 50) / 40
    alpha = ((np.abs(u) < 1) & (np.abs(row - 30) < 8)).astype(np.float32)
    out = np.sqrt(np.maximum(1 - u**2, 0))
    normal = np.stack([np.clip(u, -1, 1), np.zeros_like(u), out], -1).astype(np.float32)
    normal[alpha == 0] = (0, 0, 1)
    value = 0.75 + 0.25 * np.exp(-(((u + 0.3) / 0.15) ** 2))
    color = (GOLD * value[..., None] * alpha[..., None]).astype(np.float32)
    return color, alpha, normal


WARM_DIM = lamp((0.4, -0.3, 0.85), ambient=0.5)


def warm_dim():
    colour = np.array([1.25, 0.97, 0.62], np.float32)
    return replace(WARM_DIM, level=0.35, colour=colour / luminance(colour), skin=SKIN * 0.3)


def test_no_ambient_leaves_the_ring_alone():
    color, alpha, normal = a_ring()
    assert relight(color, alpha, normal, warm_dim(), 0.0) is color


def test_ambient_is_monotone_in_every_pixel():
    color, alpha, normal = a_ring()
    steps = [relight(color, alpha, normal, warm_dim(), a) for a in (0.0, 0.15, 0.5, 0.8, 1.0)]
    change = np.diff(np.stack(steps), axis=0)
    assert ((change <= 1e-6).all(0) | (change >= -1e-6).all(0)).all()
    assert np.abs(steps[1] - steps[0]).max() > 0.02


def test_gold_stays_gold():
    color, alpha, normal = a_ring()
    for light in (warm_dim(), lamp((0.8, 0, 0.6), 0.2), lamp((0, 0, 1), 0.9)):
        lit = relight(color, alpha, normal, light, 1.0)
        hue, saturation, _ = colorsys.rgb_to_hsv(*lit[alpha > 0].mean(0) ** (1 / 2.2))
        assert 15 <= hue * 360 <= 52
        assert saturation > 0.2


def test_a_dim_warm_room_leaves_no_studio_sheen():
    color, alpha, normal = a_ring()
    lit = relight(color, alpha, normal, warm_dim(), 1.0)
    assert luminance(lit[alpha > 0]).mean() < 0.45 * luminance(color[alpha > 0]).mean()
    assert luminance(lit).max() > 1.5 * np.median(luminance(lit[alpha > 0]))  # highlights alive


def test_relighting_keeps_premultiplied_colour_within_alpha():
    color, alpha, normal = a_ring()
    half = alpha * np.float32(0.5)
    lit = relight(color * np.float32(0.5), half, normal, lamp((0, 0, 1), 0.9), 1.0)
    assert (lit <= half[..., None] + 1e-6).all()
    assert (lit[half == 0] == 0).all()


def test_engraving_stays_but_in_the_softer_contrast_of_a_room():
    color, alpha, normal = a_ring()
    lines = np.where(np.arange(100) % 4 < 2, 1.0, 0.6).astype(np.float32)
    engraved = color * lines[:, None]
    lit = luminance(relight(engraved, alpha, normal, lamp((0, -0.3, 0.95), 0.5), 1.0))
    # Steps down and up again, away from the highlight: the light's own slope cancels.
    before, after = (
        np.log(v[30, [73, 76]] / v[30, [74, 75]]).mean() for v in (luminance(engraved), lit)
    )
    assert 0.5 * before < after < 0.95 * before


def test_a_stone_is_not_taken_for_metal():
    color, alpha, normal = a_ring()
    ruby = np.array([0.22, 0.01, 0.03], np.float32)
    color[26:34, 46:54] = ruby
    lit = relight(color, alpha, normal, lamp((0, -0.3, 0.95), 0.8), 1.0)
    stone = lit[28:32, 48:52].mean((0, 1))
    assert luminance(stone) < 1.5 * luminance(ruby)
    assert stone[0] > 5 * stone[1]


def test_in_a_photo_in_black_and_white_the_ring_is_grey():
    color, alpha, normal = a_ring()
    grey = np.full(3, 0.3, np.float32)
    light = replace(lamp((0.3, -0.3, 0.9)), is_grey=True, skin=grey, surround=grey)
    lit = relight(color, alpha, normal, light, 1.0)
    assert np.ptp(lit, axis=-1).max() < 0.02


def test_polished_metal_takes_the_colour_of_the_shade_and_the_lamp_its_own():
    sky = np.array([0.8, 1.0, 1.3], np.float32)
    sun = replace(lamp((0.0, -0.8, 0.6), ambient=0.1), shade=sky / luminance(sky))
    half_way = (sun.direction_xyz + np.array([0, 0, 1])) / 2
    at_lamp = mirrored_room((half_way / np.linalg.norm(half_way)).astype(np.float32), sun)
    away = mirrored_room(np.array([0.0, 0.3, 0.954], np.float32), sun)
    assert away[2] / away[0] > 1.3
    assert at_lamp[2] / at_lamp[0] < 1.1
    assert luminance(at_lamp) > 4 * luminance(away)
