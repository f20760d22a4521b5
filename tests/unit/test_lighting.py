"""Light recovered from cylinders that were lit by it."""

from __future__ import annotations

import numpy as np
import pytest
from cylinders import GROUND, ROI, SIZE, SKIN, angle_deg, lamp, lit_finger, upright_site

from anello.imaging.color import linear_to_srgb, luminance
from anello.imaging.lighting import estimate_light
from anello.imaging.skin_map import map_skin, skin_matte


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


def test_a_photo_in_black_and_white_has_light_without_colours():
    site = upright_site()
    grey = np.repeat(luminance(lit_finger(site, lamp((0.3, -0.3, 0.9))))[..., None], 3, 2)
    light = estimated(grey, site)
    assert light.is_grey
    assert np.allclose(light.colour, 1)


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
