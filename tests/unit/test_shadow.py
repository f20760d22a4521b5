"""The ring's shadow: how it grows, and where the light puts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cylinders import ROI, band_layer, lamp, upright_site

from anello.imaging.frame import finger_frame
from anello.imaging.shadow import cast_shade, response, shade_roi, shadow_matte
from anello.imaging.skin_map import SkinMap
from anello.imaging.warp import is_empty
from anello.options import Options

SITE = upright_site()
LIGHT = lamp((0.6, -0.3, 0.75))
FRAME = finger_frame(SITE, ROI)
NO_HEAD = np.zeros((ROI[3] - ROI[1], ROI[2] - ROI[0]), np.float32)
ALL_SKIN = SkinMap(np.ones((240, 240), np.float32), ROI)


def matte(shadow: float, light=LIGHT, site=SITE, skin=None):
    alpha, height = band_layer(site)
    if skin is None:
        skin = np.ones_like(alpha)
    return shadow_matte(
        cast_shade(alpha, height, NO_HEAD, site, light, ALL_SKIN, ROI), shadow, skin, ROI
    )


def test_none_is_exactly_none():
    assert (matte(0.0) == 1).all()


def test_nothing_without_a_ring():
    empty = np.zeros((240, 240), np.float32)
    shade = cast_shade(empty, empty, empty, SITE, LIGHT, ALL_SKIN, ROI)
    assert (shadow_matte(shade, 1.0, empty + 1, ROI) == 1).all()
    assert is_empty(shade_roi(shade, 1.0))


@pytest.mark.parametrize("shadow", [0.0, 0.15, 1.0])
def test_the_box_of_the_shadow_holds_all_of_it(shadow):
    shade = cast_shade(*band_layer(SITE), NO_HEAD, SITE, LIGHT, ALL_SKIN, ROI)
    x0, y0, x1, y1 = shade_roi(shade, shadow)
    shaded = matte(shadow)
    shaded[y0:y1, x0:x1] = 1
    assert (shaded == 1).all()
    assert is_empty((x0, y0, x1, y1)) == (shadow == 0)


def test_a_part_of_the_shadow_is_the_same_as_in_the_whole():
    alpha, height = band_layer(SITE)
    shade = cast_shade(alpha, height, NO_HEAD, SITE, LIGHT, ALL_SKIN, ROI)
    part = (70, 60, 190, 200)
    skin = np.ones((140, 120), np.float32)
    whole = matte(1.0)[60:200, 70:190]
    np.testing.assert_allclose(shadow_matte(shade, 1.0, skin, part), whole, atol=0.01)


def test_it_deepens_steadily():
    steps = np.stack([matte(s) for s in (0.0, 0.05, 0.15, 0.5, 1.0)])
    assert (np.diff(steps, axis=0) <= 1e-7).all()
    assert steps.min() > 0
    assert steps.max() <= 1


def test_the_default_already_reads_as_a_shadow():
    assert 0.4 < response(Options().shadow) < 0.7
    assert response(1.0) == pytest.approx(1)
    beside = (np.abs(FRAME.across) < 0.3) & (np.abs(FRAME.along + 11) < 1)
    assert 0.65 < matte(Options().shadow, lamp((0, 0, 1), 0.9))[beside].mean() < 0.9


def test_only_skin_receives_it():
    skin = (FRAME.across < 0).astype(np.float32)
    shaded = matte(1.0, skin=skin)
    assert (shaded[skin == 0] == 1).all()
    assert (shaded[skin == 1] < 0.9).any()


def test_it_is_tight_along_both_rims():
    shaded = matte(1.0, lamp((0, 0, 1), 0.9))[..., 1]
    middle = np.abs(FRAME.across) < 0.3
    # What path-traced bands on a finger and a thumb under an overcast sky leave of the light, 0.03
    # to 0.05 finger widths from the wrist's rim and from the tip's, where the foot is hidden.
    for side, left in ((-1, 0.735), (1, 0.86)):
        rim = middle & (np.abs(FRAME.along * side - 11.2) < 0.8)
        away = middle & (np.abs(FRAME.along * side - 45) < 4)
        assert shaded[rim].mean() == pytest.approx(left, abs=0.04)
        assert shaded[away].mean() > 0.97


def test_red_is_shaded_least():
    shaded = matte(1.0)
    # On the side away from the lamp, where the shadow is deep: it ends farther out in red.
    beside = (np.abs(FRAME.across + 0.5) < 0.25) & (np.abs(FRAME.along + 12) < 3)
    red, green, blue = shaded[beside].mean(0)
    assert red > green > blue


def test_it_is_deeper_away_from_the_lamp():
    shaded = matte(1.0, lamp((0.8, 0, 0.6), 0.15))[..., 1]
    rim = (np.abs(FRAME.along + 13) < 4) & (np.abs(FRAME.across) < 0.75)
    lit, dark = rim & (FRAME.across > 0.3), rim & (FRAME.across < -0.3)
    assert shaded[dark].mean() < shaded[lit].mean() - 0.1


def test_mirror_images_have_mirrored_shadows():
    left = matte(1.0, lamp((-0.7, 0, 0.7)))
    right = matte(1.0, lamp((0.7, 0, 0.7)))
    # The finger's middle is at column 120 of 240: columns 1 and 239 are its mirror images.
    assert np.allclose(left[:, 1:], right[:, 1:][:, ::-1], atol=0.02)


def test_a_neighbouring_finger_is_shaded_on_the_far_side():
    alpha, height = band_layer(SITE, height_px=30.0)
    skin = np.ones_like(alpha)
    shade = cast_shade(alpha, height, NO_HEAD, SITE, lamp((0.85, 0, 0.5), 0.1), ALL_SKIN, ROI)
    shaded = shadow_matte(shade, 1.0, skin, ROI)[..., 1]
    band = np.abs(FRAME.along) < 10
    left = band & (FRAME.across < -1.5) & (FRAME.across > -2)
    right = band & (FRAME.across > 1.5) & (FRAME.across < 2)
    assert shaded[left].mean() < shaded[right].mean() - 0.01


@pytest.mark.parametrize("half_px", [0.6, 1.0, 1.7, 2.5])
def test_a_thread_of_a_ring_has_a_shadow_too(half_px):
    alpha, height = band_layer(SITE, half_px=half_px, height_px=1.0)
    shaded = shadow_matte(
        cast_shade(alpha, height, NO_HEAD, SITE, LIGHT, ALL_SKIN, ROI), 1.0, alpha * 0 + 1, ROI
    )
    beside = (np.abs(FRAME.along) < half_px + 3) & (alpha == 0) & (np.abs(FRAME.across) < 0.7)
    assert np.isfinite(shaded).all()
    assert shaded[beside].mean() < 0.95


def test_nothing_given_is_written_to():
    alpha, height = band_layer(SITE)
    skin = np.ones_like(alpha)
    before = alpha.copy(), height.copy(), skin.copy()
    shadow_matte(cast_shade(alpha, height, NO_HEAD, SITE, LIGHT, ALL_SKIN, ROI), 1.0, skin, ROI)
    for was, now in zip(before, (alpha, height, skin), strict=True):
        assert (was == now).all()


def test_a_turned_finger_turns_its_shadow():
    turned = replace(upright_site(angle_deg=180), pitch_deg=SITE.pitch_deg)
    upside_down = matte(1.0, lamp((-0.6, 0.3, 0.75)), turned)
    assert np.allclose(upside_down[1:, 1:], matte(1.0)[1:, 1:][::-1, ::-1], atol=0.04)
