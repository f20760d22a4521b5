"""What a ring takes from the light, against what is known of cylinders, domes and lamps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cylinders import ROI, lamp, upright_site

from anello.imaging import occlusion
from anello.imaging.frame import finger_frame
from anello.imaging.occlusion import Obstacle, measure_obstacle, thrown_shade

SITE = upright_site(pitch_deg=20.0)
FRAME = finger_frame(SITE, ROI)
RADIUS = SITE.width_px / 2
BAND = Obstacle(RADIUS, 8.0, 8.0)
SOLITAIRE = replace(
    BAND, head_tga=np.array([0.0, RADIUS + 14, 0.0]), head_radii=np.array([14.0, 14.0, 14.0])
)
NONE = np.zeros((240, 240), np.float32)


def neighbours() -> np.ndarray:
    """Skin from a fifth of the width beside the finger on, to both sides."""
    return (np.abs(FRAME.across) > 1.4).astype(np.float32)


def test_a_drawn_ring_is_measured_back():
    pitch = np.radians(SITE.pitch_deg)
    t = FRAME.across * RADIUS
    g = np.sqrt(np.maximum((RADIUS + 8) ** 2 - t * t, 0))
    a = (FRAME.along - g * np.sin(pitch)) / np.cos(pitch)
    alpha = ((np.abs(a) <= 8) & (g > 0)).astype(np.float32)
    found = measure_obstacle(alpha, 8 * alpha, np.zeros_like(alpha, bool), FRAME, SITE)
    assert found.radius == RADIUS
    assert found.half_width == pytest.approx(7.5, abs=1.0)
    assert found.thickness == pytest.approx(8)
    assert found.head_tga is None


def test_a_head_that_hides_most_of_the_band_does_not_make_it_a_wall():
    band = (np.abs(FRAME.along) <= 5) & (np.abs(FRAME.across) <= 1)
    head = np.hypot(FRAME.along, FRAME.across * RADIUS) <= 0.6 * RADIUS
    alpha = (band | head).astype(np.float32)
    assert head.sum() > 0.6 * alpha.sum()
    found = measure_obstacle(alpha, np.where(head, 30, 5 * alpha), head, FRAME, SITE)
    assert found.thickness == pytest.approx(5)
    assert found.head_radii is not None


def test_a_dome_is_as_thick_as_its_neighbours_see_it():
    alpha = ((np.abs(FRAME.along) <= 8) & (np.abs(FRAME.across) <= 1)).astype(np.float32)
    height = alpha * (5 + 30 * np.maximum(1 - 2 * np.abs(FRAME.across), 0))
    found = measure_obstacle(alpha, height, np.zeros_like(alpha, bool), FRAME, SITE)
    assert found.thickness == pytest.approx(5)


def test_a_band_throws_nothing_on_its_own_finger_and_nothing_without_skin():
    assert (thrown_shade(BAND, NONE, FRAME, SITE, lamp((0.6, 0, 0.8))) == 0).all()


def test_it_is_a_share():
    shade = thrown_shade(SOLITAIRE, neighbours(), FRAME, SITE, lamp((0.9, 0, 0.3), 0.05))
    assert shade.min() >= 0
    assert 0.1 < shade.max() <= 0.9


@pytest.mark.parametrize("across", [-1, 1])
def test_a_head_shades_the_side_away_from_the_lamp(across):
    shade = thrown_shade(SOLITAIRE, NONE, FRAME, SITE, lamp((0.8 * across, 0, 0.6), 0.1))
    # The head stands at g = radius, seen a bit towards the tip.
    level = np.abs(FRAME.along - RADIUS * np.sin(np.radians(20))) < 8
    away = level & (FRAME.across * across < -0.4) & (FRAME.across * across > -0.7)
    lit = level & (FRAME.across * across > 0.4) & (FRAME.across * across < 0.7)
    assert shade[away].mean() > 2 * shade[lit].mean() + 0.02


def test_a_neighbour_loses_light_where_the_ring_is_in_its_way():
    shade = thrown_shade(BAND, neighbours(), FRAME, SITE, lamp((0.85, 0, 0.5), 0.1))
    beside = (FRAME.across < -1.4) & (FRAME.across > -1.9)
    near, far = beside & (np.abs(FRAME.along) < 20), beside & (np.abs(FRAME.along) > 90)
    assert shade[near].mean() > 0.03
    assert shade[far].mean() < 0.25 * shade[near].mean()


def test_an_even_sky_is_shaded_alike_on_both_sides():
    shade = thrown_shade(SOLITAIRE, neighbours(), FRAME, SITE, lamp((0, 0, 1), 1.0))
    left, right = shade[:, 1:120], shade[:, 121:][:, ::-1]
    assert np.abs(left - right).mean() < 0.1 * shade[shade > 0].mean() + 0.002


@pytest.mark.parametrize("ambient", [0.05, 0.4, 1.0])
@pytest.mark.parametrize("towards", [(0.9, 0, 0.4), (-0.5, 0.5, 0.7), (0, 0, 1)])
def test_few_rays_tell_what_many_would(towards, ambient, monkeypatch):
    light = lamp(towards, ambient)
    few = thrown_shade(SOLITAIRE, neighbours(), FRAME, SITE, light)
    monkeypatch.setattr(occlusion, "SKY_RAYS", 300)
    monkeypatch.setattr(occlusion, "LAMP_RAYS", 300)
    many = thrown_shade(SOLITAIRE, neighbours(), FRAME, SITE, light)
    assert np.abs(few - many).max() < 0.15
    assert np.abs(few - many).mean() < 0.01


def test_the_shadow_of_a_higher_head_falls_farther():
    low = replace(SOLITAIRE, head_radii=np.array([14.0, 7.0, 14.0]))
    low = replace(low, head_tga=np.array([0.0, RADIUS + 7, 0.0]))
    light = lamp((0.7, 0, 0.7), 0.1)
    high_shade, low_shade = (thrown_shade(r, NONE, FRAME, SITE, light) for r in (SOLITAIRE, low))
    middle_high, middle_low = (
        float((s * FRAME.across).sum() / s.sum()) for s in (high_shade, low_shade)
    )
    assert middle_high < middle_low - 0.05 < 0
