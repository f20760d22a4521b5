from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rings import finger_coordinates, finger_site, photograph, ring_shape

from anello.imaging.dome import BESIDE, Dome, fit_dome
from anello.imaging.evidence import Clues
from anello.imaging.head import Head
from anello.imaging.hoop import Shoulders
from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.texture import make_texture
from anello.imaging.turn import hand_from_ring, turn

SIZE = (300, 300)


def _painted(t: np.ndarray, a: np.ndarray) -> np.ndarray:
    return np.stack([128 + 100 * np.sin(3 * t), 128 + a, 128 + 0 * a], -1)


def _dome(height: float, half_width: float = 80.0) -> Dome:
    from_head = np.radians(np.arange(-84, 85, 2.0)).astype(np.float32)
    level = np.full_like(from_head, height)
    return Dome(200.0, from_head, level, 0 * level - half_width, 0 * level + half_width)


def test_from_the_shop_s_own_view_nothing_moves_whatever_the_heights() -> None:
    shape = ring_shape(elevation_deg=25.0, band_width_px=120.0)
    texture = make_texture(photograph(shape, _painted))
    layers = [
        turn(texture, shape, _dome(height), finger_site(pitch_deg=25.0), SIZE)
        for height in (200.0, 230.0, 260.0)
    ]
    site = finger_site(pitch_deg=25.0)
    scale = hand_from_ring(shape, site)
    boxes = [finger_coordinates(layer, site) for layer in layers]
    seen = []
    for layer, (x, y) in zip(layers, boxes, strict=True):
        # Clear of the sides, where domes of other heights are cut elsewhere.
        middle = (np.abs(x) < 0.6 * 200 * scale) & (np.abs(y - 80 * scale) < 40 * scale)
        assert (layer.alpha[middle] > 0.99).all()
        seen.append(layer.color[middle])
    assert np.abs(seen[1] - seen[0]).max() < 0.01
    assert np.abs(seen[2] - seen[0]).max() < 0.01


@pytest.mark.parametrize("pitch_deg", [15.0, 20.0, 32.0])
def test_a_part_at_another_height_moves_by_little_and_by_as_much_as_is_said(
    pitch_deg: float,
) -> None:
    shape = ring_shape(elevation_deg=24.0)
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    e, p = np.radians([shape.elevation_deg, pitch_deg])
    row, column = np.mgrid[0:520, 0:520]
    true_r, taken_for = 250.0, 225.0
    top = shape.centre_xy[1] - true_r * np.sin(e)
    bead = np.hypot(column - shape.centre_xy[0], row - top) <= 12
    cutout.rgb[bead], cutout.alpha[bead] = (255, 0, 0), 255
    site = finger_site(pitch_deg=pitch_deg)
    layer = turn(make_texture(cutout), shape, _dome(taken_for), site, SIZE)
    scale = hand_from_ring(shape, site)
    x, y = finger_coordinates(layer, site)
    red = layer.color[..., 0] - layer.color[..., 1] > 0.3
    moved = y[red].mean() / scale - true_r * np.sin(p)
    assert moved == pytest.approx((true_r - taken_for) * np.sin(e - p) / np.cos(e), abs=1.5)
    assert abs(x[red].mean()) < 1
    assert abs(moved) < 0.03 * shape.outer_radius_px


def _wide_front(shape: RingShape) -> tuple[Cutout, Head]:
    """A wide band with its opening, and a head that covers all its front."""
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    row, column = np.mgrid[0:520, 0:520]
    x, y = column - shape.centre_xy[0], shape.centre_xy[1] - row
    e = np.radians(shape.elevation_deg)
    radius = shape.outer_radius_px  # the photograph shows the outside alone, no near face
    g = np.sqrt(np.maximum(radius**2 - x**2, 0)) * np.sin(e)
    half = shape.band_width_px / 2 * np.cos(e)
    opening = (np.abs(x) < shape.inner_radius_px) & (y < g - half) & (y > -g - half)
    q = np.linspace(-150, 150, 61, dtype=np.float32)
    level = np.full_like(q, 240.0)
    head = Head(q, level, 0 * level + 60, level * np.float32(np.sin(e)))
    return replace(cutout, opening=opening), head


def test_the_front_reaches_from_the_far_silhouette_to_the_opening() -> None:
    shape = ring_shape(elevation_deg=28.0, band_width_px=110.0)
    cutout, head = _wide_front(shape)
    dome = fit_dome(cutout, shape, head)
    assert dome is not None
    e, half, beside = np.radians(28.0), 55.0, BESIDE * shape.outer_radius_px
    middle = len(dome.from_head) // 2
    assert dome.from_head[middle] == 0
    assert dome.height[middle] == pytest.approx(240, abs=0.5)
    near = half + ((240 - shape.outer_radius_px) * np.sin(e) + beside) / np.cos(e)
    far = -half + ((240 - shape.outer_radius_px) * np.sin(e) - beside) / np.cos(e)
    assert dome.near[middle] == pytest.approx(near, abs=3)
    assert dome.far[middle] == pytest.approx(far, abs=3)
    # At the hoop's sides only the shank is left, on the hoop itself.
    assert dome.near[[0, -1]] == pytest.approx(half, abs=1)
    assert dome.far[[0, -1]] == pytest.approx(-half, abs=1)
    assert dome.height[[0, -1]] == pytest.approx(shape.outer_radius_px, rel=0.01)


def test_narrow_heads_steep_views_pairs_and_closed_rings_have_no_dome() -> None:
    shape = ring_shape(elevation_deg=28.0, band_width_px=110.0)
    cutout, head = _wide_front(shape)
    narrow = Head(head.q / 3, head.height, head.reach, head.middle)
    assert fit_dome(cutout, shape, narrow) is None
    assert fit_dome(cutout, replace(shape, elevation_deg=45.0), head) is None
    assert fit_dome(cutout, replace(shape, view="top"), head) is None
    assert fit_dome(replace(cutout, opening=None), shape, head) is None
    pair = replace(cutout, clues=Clues(None, view="pair"))
    assert fit_dome(pair, shape, head) is None
    one = replace(cutout, clues=Clues(None, view="three-quarter"))
    assert fit_dome(one, shape, head) is not None


def test_bands_and_heads_that_are_not_as_wide_need_gaps() -> None:
    shape = ring_shape(elevation_deg=28.0, band_width_px=110.0)
    cutout, head = _wide_front(shape)
    narrower = Head(head.q * np.float32(0.8), head.height, head.reach, head.middle)
    assert fit_dome(cutout, shape, narrower) is None
    assert fit_dome(cutout, shape, None) is None
    pierced = replace(cutout, alpha=cutout.alpha.copy())
    for row in (140, 170, 200):
        pierced.alpha[row : row + 8, 215:285] = 0
    assert fit_dome(pierced, shape, narrower) is not None
    band = fit_dome(pierced, shape, None)
    assert band is not None
    assert band.height == pytest.approx(shape.outer_radius_px, rel=1e-5)
    # From steeper above a head's height would count, a band's does not, nor do wires'.
    steep = replace(shape, elevation_deg=36.0)
    assert fit_dome(pierced, steep, None) is not None
    assert fit_dome(pierced, steep, head) is None
    wires = replace(cutout, alpha=cutout.alpha.copy())
    for column in range(150, 350, 20):
        wires.alpha[130:210, column : column + 8] = 0
    assert fit_dome(wires, steep, head) is not None
    at = np.radians(np.array([-90.0, 90.0]))
    wave = Shoulders(at, at * 0 + 200, at * 0 + 55, at * 0 + 10)
    assert fit_dome(pierced, replace(shape, shoulders=wave), None) is None


def test_shoulders_as_large_as_a_head_have_one_from_low_cameras() -> None:
    shape = ring_shape(elevation_deg=28.0, band_width_px=110.0)
    cutout, _ = _wide_front(shape)
    at = np.radians(np.array([-90.0, 0.0, 90.0]))
    for wider, thicker, grown in ((10, 20, False), (40, 0, True), (0, 70, True)):
        shoulders = Shoulders(
            at,
            200 + thicker * np.array([0.0, 1, 0]),
            55 + wider * np.array([0.0, 1, 0]),
            np.zeros(3),
        )
        signet = replace(shape, shoulders=shoulders)
        assert (fit_dome(cutout, signet, None) is not None) == grown
        assert fit_dome(cutout, replace(signet, elevation_deg=40.0), None) is None


def test_beside_the_front_nothing_is_drawn_past_the_hoop() -> None:
    shape = ring_shape(elevation_deg=25.0, band_width_px=120.0)
    texture = make_texture(photograph(shape, _painted))
    for roll_deg in (-25.0, 0.0, 25.0):
        site = finger_site(pitch_deg=22.0, roll_deg=roll_deg)
        layer = turn(texture, shape, _dome(200.0), site, SIZE)
        x, _ = finger_coordinates(layer, site)
        assert np.abs(x[layer.alpha > 0.02]).max() < 200 * hand_from_ring(shape, site) + 2


def test_its_width_is_that_of_the_longer_side_twice() -> None:
    dome = _dome(220.0, half_width=60.0)
    assert dome.width == pytest.approx(120)
    assert replace(dome, near=dome.near + 15).width == pytest.approx(150)
    assert replace(dome, far=dome.far - 30).width == pytest.approx(180)
