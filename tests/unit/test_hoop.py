from __future__ import annotations

import numpy as np
import pytest

from anello.imaging.hoop import Hoop, HoopView, Shoulders, see_hoop

HOOP = Hoop(inner_radius=170.0, outer_radius=200.0, width=70.0)


def _samples() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-120:240:1.0, -210:211:1.0].astype(np.float32)
    return x, y


@pytest.mark.parametrize("elevation_deg", [3, 12, 25, 40])
def test_what_a_sample_sees_projects_back_onto_the_sample(elevation_deg: float) -> None:
    elevation = np.radians(elevation_deg)
    x, y = _samples()
    seen = see_hoop(HOOP, elevation, x, y)
    g = seen.r * np.cos(seen.azimuth)
    back_x = seen.r * np.sin(seen.azimuth)
    back_y = g * np.sin(elevation) - seen.a * np.cos(elevation)
    error = np.hypot(back_x - x, back_y - y)[seen.visible]
    assert error.max() < 1.0
    assert np.median(error) < 0.1


@pytest.mark.parametrize("elevation_deg", [3, 20, 40])
def test_the_far_half_shows_only_beyond_the_finger(elevation_deg: float) -> None:
    x, y = _samples()
    seen = see_hoop(HOOP, np.radians(elevation_deg), x, y)
    behind = seen.visible & (np.abs(seen.azimuth) > np.pi / 2 + 0.02)
    assert not (behind & (np.abs(x) < 0.99 * HOOP.inner_radius)).any()


def test_the_ends_reach_the_outer_radius_and_the_top_its_height() -> None:
    elevation = np.radians(20)
    x, y = _samples()
    seen = see_hoop(HOOP, elevation, x, y)
    assert np.abs(x[seen.visible]).max() == pytest.approx(HOOP.outer_radius, abs=1.5)
    middle = seen.visible & (np.abs(x) < 1)
    # A rounded band stays inside the box around its cross-section and touches its crest.
    crest = HOOP.outer_radius * np.sin(elevation)
    box_top = crest + HOOP.width / 2 * np.cos(elevation)
    assert crest < y[middle].max() < box_top
    skin = HOOP.inner_radius * np.sin(elevation) - HOOP.width / 2 * np.cos(elevation)
    assert y[middle].min() == pytest.approx(skin, abs=1.5)


def test_it_is_symmetric() -> None:
    x, y = _samples()
    seen = see_hoop(HOOP, 0.3, x, y)
    assert (seen.visible == seen.visible[:, ::-1]).mean() > 0.9999
    both = seen.visible & seen.visible[:, ::-1]
    np.testing.assert_allclose(seen.a[both], seen.a[:, ::-1][both], atol=0.05)


def test_normals_are_unit_and_face_the_viewer() -> None:
    elevation = 0.35
    x, y = _samples()
    seen = see_hoop(HOOP, elevation, x, y)
    t, g, a = (part[seen.visible] for part in seen.normal_tga)
    assert np.abs(np.sqrt(t**2 + g**2 + a**2) - 1).max() < 0.08  # interpolated
    towards = g * np.cos(elevation) + a * np.sin(elevation)
    assert (towards > -0.15).mean() > 0.99


def _shouldered() -> Hoop:
    azimuth = np.radians(np.linspace(-75, 75, 51))
    growth = np.cos(azimuth) ** 2
    return Hoop(
        170.0, 200.0, 70.0, Shoulders(azimuth, 200 + 30 * growth, 35 + 40 * growth, 0 * growth), 0.2
    )


def _seen_in_place(hoop: Hoop, elevation: float) -> tuple[HoopView, np.ndarray]:
    """What the camera sees, having checked that it lies where it is seen; and what of it is near
    the visible top."""
    x, y = _samples()
    seen = see_hoop(hoop, elevation, x, y)
    back_x = seen.r * np.sin(seen.azimuth)
    back_y = seen.r * np.cos(seen.azimuth) * np.sin(elevation) - seen.a * np.cos(elevation)
    assert np.median(np.hypot(back_x - x, back_y - y)[seen.visible]) < 0.1
    return seen, seen.visible & (np.abs(seen.azimuth) < 1.2)


@pytest.mark.parametrize("elevation_deg", [12, 25])
def test_shoulders_are_seen_where_they_are(elevation_deg: float) -> None:
    elevation, hoop = np.radians(elevation_deg), _shouldered()
    seen, near = _seen_in_place(hoop, elevation)
    outer, half, _ = hoop.grown(seen.azimuth[near].astype(np.float64))
    assert (seen.r[near] < outer + 1).mean() > 0.995  # between columns of the table
    assert (np.abs(seen.a[near]) < half + 1).mean() > 0.995
    # They turn with the head: widest there, and as wide as they were said to be.
    widest = np.abs(seen.a[near]).argmax()
    assert np.abs(seen.a[near]).max() == pytest.approx(75, abs=2)
    assert seen.azimuth[near][widest] == pytest.approx(0.2, abs=0.15)


@pytest.mark.parametrize("elevation_deg", [12, 25])
def test_a_band_that_swerves_is_seen_where_it_is(elevation_deg: float) -> None:
    azimuth = np.radians(np.linspace(-75, 75, 51))
    middle = -50 * np.clip(1 - np.abs(azimuth), 0, 1)
    same = np.ones_like(azimuth)
    hoop = Hoop(170.0, 200.0, 40.0, Shoulders(azimuth, 200 * same, 20 * same, middle))
    elevation = np.radians(elevation_deg)
    seen, near = _seen_in_place(hoop, elevation)
    off = seen.a[near] - np.interp(seen.azimuth[near], azimuth, middle)
    assert (np.abs(off) < 22).mean() > 0.99
    assert off.max() == pytest.approx(20, abs=1)
    assert off.min() < -15  # its far edge is rounded away
    assert hoop.largest == pytest.approx((200.0, 70.0), rel=1e-3)


def test_another_size_keeps_the_metal_and_the_lengths_along_it() -> None:
    hoop, opened = _shouldered(), _shouldered().opened(40.0, 0.0)
    thickness = hoop.outer_radius - hoop.inner_radius
    assert opened.outer_radius - opened.inner_radius == thickness
    assert opened.inner_radius == 210.0
    assert opened.width == hoop.width
    assert hoop.shoulders is not None
    assert opened.shoulders is not None
    arc = opened.shoulders.from_head[-1] * opened.outer_radius
    assert arc == pytest.approx(hoop.shoulders.from_head[-1] * hoop.outer_radius)
    assert opened.largest == pytest.approx((270.0, 75.0), rel=1e-3)
