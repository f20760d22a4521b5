"""Light recovered from cylinders that were lit by it, and what it does to a ring."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from cylinders import GROUND, ROI, SIZE, SKIN, angle_deg, lamp, lit_finger, upright_site

from anello.imaging.color import linear_to_srgb, luminance
from anello.imaging.lighting import estimate_light, mirrored_room, relight, shading
from anello.imaging.skin_map import map_skin, skin_matte

GOLD = np.array([0.70, 0.52, 0.24], np.float32)


def estimated(picture, site):
    skin = skin_matte(map_skin(linear_to_srgb(picture), site, ROI), site, ROI)
    return estimate_light(picture, skin, site, ROI)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("angle", [0, 40, 180])
def test_a_lamp_from_the_side_is_found_across_the_finger(sign, angle):
    site = upright_site(angle_deg=angle)
    side = sign * site.across_xy
    light = lamp((0.7 * side[0], 0.7 * side[1], 0.6), ambient=0.25)
    found = estimated(lit_finger(site, light), site)
    assert found.direction_xyz[:2] @ side > 0.35
    # One finger tells nothing along itself, so compare within its own cross section.
    axis = np.append(site.axis_xy, 0)
    flat = found.direction_xyz - (found.direction_xyz @ axis) * axis
    true = light.direction_xyz - (light.direction_xyz @ axis) * axis
    assert angle_deg(flat / np.linalg.norm(flat), true) < 30


def test_fingers_that_point_different_ways_tell_the_whole_direction():
    """A hand of cylinders: five fingers spread over 100 degrees, lit from the upper right."""
    light = lamp((0.6, -0.4, 0.69), ambient=0.2)
    picture = np.tile(GROUND, (SIZE * 3, SIZE * 3, 1))
    roots = np.array([SIZE * 1.5, SIZE * 2.6])
    points = np.tile(roots, (21, 1))
    for finger, angle in enumerate((-50.0, -25.0, 0.0, 25.0, 50.0)):
        axis = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle))])
        for k in range(4):
            points[1 + 4 * finger + k] = roots + axis * (150 + 110 * k)
    row, column = np.mgrid[0 : SIZE * 3, 0 : SIZE * 3]
    for finger in range(5):
        a, b = points[1 + 4 * finger], points[4 + 4 * finger]
        axis = (b - a) / np.linalg.norm(b - a)
        side = np.array([-axis[1], axis[0]])
        u = ((column - a[0]) * side[0] + (row - a[1]) * side[1]) / 30
        along = (column - a[0]) * axis[0] + (row - a[1]) * axis[1]
        out = np.sqrt(np.maximum(1 - u**2, 0))
        n = np.stack([u * side[0], u * side[1], out], -1)
        value = 0.2 * (1 + n[..., 2]) / 2 + 0.8 * np.maximum(n @ light.direction_xyz, 0)
        on = (np.abs(u) <= 1) & (along > -20) & (along < 350)
        picture[on] = value[on][:, None] * SKIN
    site = upright_site(width=60.0, pitch_deg=0.0)
    x0, y0 = (points[9] * 0.5 + points[10] * 0.5 - SIZE / 2).astype(int)
    roi = (int(x0), int(y0), int(x0) + SIZE, int(y0) + SIZE)
    from dataclasses import replace

    shift = np.array([x0, y0])
    moved = {
        name: getattr(site, name) + shift
        for name in ("centre_xy", "left_xy", "right_xy", "left_edge_xy", "right_edge_xy")
    }
    site = replace(site, **moved)
    patch = np.ascontiguousarray(picture[roi[1] : roi[3], roi[0] : roi[2]])
    skin = skin_matte(map_skin(linear_to_srgb(patch), site, roi), site, roi)
    found = estimate_light(patch, skin, site, roi, picture.astype(np.float32), 1.0, points)
    assert angle_deg(found.direction_xyz, light.direction_xyz) < 20


def test_an_even_sky_is_called_ambient():
    site = upright_site()
    overcast = estimated(lit_finger(site, lamp((0, 0, 1), ambient=1.0)), site)
    window = estimated(lit_finger(site, lamp((0.8, 0, 0.6), ambient=0.1)), site)
    assert overcast.ambient > window.ambient + 0.2
    assert window.confidence > overcast.confidence


def test_a_warm_lamp_is_told_from_a_cool_one():
    site = upright_site()
    picture = lit_finger(site, lamp((0.3, -0.3, 0.9), ambient=0.5))
    warm = picture * np.array([1.25, 1.0, 0.68], np.float32)
    cool = picture * np.array([0.9, 1.0, 1.2], np.float32)
    ratio = [float(c[0] / c[2]) for c in (estimated(p, site).colour for p in (cool, picture, warm))]
    assert ratio[0] < ratio[1] < ratio[2]
    assert ratio[2] > 1.15


def test_the_illuminant_is_normalised():
    site = upright_site()
    colour = estimated(lit_finger(site, lamp((0, 0, 1))), site).colour
    assert float(luminance(colour)) == pytest.approx(1, abs=1e-5)


def test_a_darker_photo_has_a_lower_level():
    site = upright_site()
    picture = lit_finger(site, lamp((0.3, -0.3, 0.9), ambient=0.5))
    assert estimated(picture * np.float32(0.15), site).level < 0.6 * estimated(picture, site).level


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
    from dataclasses import replace

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


def test_a_photo_in_black_and_white_gets_a_grey_ring():
    site = upright_site()
    grey = np.repeat(luminance(lit_finger(site, lamp((0.3, -0.3, 0.9))))[..., None], 3, 2)
    light = estimated(grey, site)
    assert light.is_grey
    assert np.allclose(light.colour, 1)
    color, alpha, normal = a_ring()
    lit = relight(color, alpha, normal, light, 1.0)
    assert np.ptp(lit, axis=-1).max() < 0.02


def half_shaded(dark_side):
    """Light read off a vertical finger lit from the right, on a ground with a dark left side."""
    site = upright_site()
    light = lamp((0.85, 0.0, 0.53), ambient=0.1)
    picture = lit_finger(site, light)
    beside = np.arange(SIZE) < SIZE / 2 - site.width_px / 2
    picture[:, beside] = np.asarray(dark_side, np.float32)
    skin = skin_matte(map_skin(linear_to_srgb(picture), site, ROI), site, ROI)
    points = np.tile(np.array([SIZE / 2, SIZE * 0.9]), (21, 1))
    points[5:9, 1] = points[9:13, 1] = SIZE * np.array([0.9, 0.6, 0.3, 0.1])
    return estimate_light(picture, skin, site, ROI, picture, 1.0, points)


def test_shade_under_a_blue_sky_is_blue_and_in_a_brown_room_brown():
    blue, even, brown = (
        half_shaded(np.array(tint) * 0.4 * GROUND)
        for tint in ((0.75, 1.0, 1.3), (1.0, 1.0, 1.0), (1.2, 1.0, 0.8))
    )
    assert blue.shade[2] / blue.shade[0] > 1.2 * blue.colour[2] / blue.colour[0]
    assert np.allclose(even.shade, even.colour, atol=0.02)
    assert brown.shade[2] / brown.shade[0] < 0.9 * brown.colour[2] / brown.colour[0]


def test_polished_metal_takes_the_colour_of_the_shade_and_the_lamp_its_own():
    from dataclasses import replace

    sky = np.array([0.8, 1.0, 1.3], np.float32)
    sun = replace(lamp((0.0, -0.8, 0.6), ambient=0.1), shade=sky / luminance(sky))
    half_way = (sun.direction_xyz + np.array([0, 0, 1])) / 2
    at_lamp = mirrored_room((half_way / np.linalg.norm(half_way)).astype(np.float32), sun)
    away = mirrored_room(np.array([0.0, 0.3, 0.954], np.float32), sun)
    assert away[2] / away[0] > 1.3
    assert at_lamp[2] / at_lamp[0] < 1.1
    assert luminance(at_lamp) > 4 * luminance(away)
