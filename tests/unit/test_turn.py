from __future__ import annotations

import numpy as np
import pytest
from rings import finger_coordinates, finger_site, photograph, ring_shape

from anello.imaging.color import linear_to_srgb, srgb_to_linear
from anello.imaging.head import Head
from anello.imaging.hoop import see_hoop
from anello.imaging.texture import make_texture
from anello.imaging.turn import LOOKS_LARGER, SAMPLE_RADIUS_MM, hand_from_ring, turn

SIZE = (300, 300)


def gradient(t: np.ndarray, a: np.ndarray) -> np.ndarray:
    """A colour that tells azimuth and axial offset."""
    return np.stack([127 + 70 * t, 127 + 2.5 * a, np.full_like(t, 90)], -1)


def _turned(shape, site, paint=gradient, head=None):
    layer = turn(make_texture(photograph(shape, paint)), shape, head, site, SIZE)
    straight = layer.color / np.maximum(layer.alpha, 1e-3)[..., None]
    return layer, linear_to_srgb(straight).astype(float)


@pytest.mark.parametrize("pitch_deg", [5.0, 20.0, 35.0])
@pytest.mark.parametrize("axis_xy", [(0, -1), (0.5, -1), (1, 0.2), (-0.3, 1)])
def test_every_pixel_shows_the_point_of_the_ring_that_is_there(pitch_deg, axis_xy) -> None:
    shape, site = ring_shape(), finger_site(pitch_deg=pitch_deg, axis_xy=axis_xy)
    layer, rgb = _turned(shape, site)
    x, y = finger_coordinates(layer, site)
    scale = hand_from_ring(shape, site)
    seen = see_hoop(
        shape.hoop,
        np.radians(pitch_deg),
        (x / scale).astype(np.float32),
        (y / scale).astype(np.float32),
    )
    # The crest: there the rounded proxy and the drawn cylinder are the same surface.
    solid = (layer.alpha > 0.99) & seen.visible & (np.abs(seen.a) < 20)
    solid &= np.abs(seen.azimuth) < 1.2
    assert solid.sum() > 500
    expected = gradient(seen.azimuth, seen.a)
    error = np.abs(rgb - expected)[solid]
    assert np.median(error) < 1.5
    assert np.percentile(error, 99) < 10


def test_a_ring_turned_in_its_photo_lands_the_same() -> None:
    site = finger_site()
    upright, _ = _turned(ring_shape(), site)
    leaning, _ = _turned(ring_shape(rotation_deg=33.0), site)
    assert upright.roi == leaning.roi
    assert np.abs(upright.color - leaning.color).mean() < 0.004


def test_the_band_overhangs_the_finger_by_its_thickness() -> None:
    shape, site = ring_shape(), finger_site(width_px=120.0)
    layer, _ = _turned(shape, site)
    x, _ = finger_coordinates(layer, site)
    reach = np.abs(x[layer.alpha > 0.5]).max()
    assert reach == pytest.approx(60 * 200 / 170, abs=1.5)


@pytest.mark.parametrize("size", [0.8, 1.25])
def test_a_ring_is_made_in_the_fingers_size_and_its_metal_stays_as_large(size: float) -> None:
    """The inside fits the finger, whichever size that is; band and thickness keep their mm."""

    def worn(size: float) -> tuple[float, float]:
        """Thickness and visible width of the band, in mm of the hand."""
        px_per_mm = 400 / (2 * SAMPLE_RADIUS_MM * size)
        site = finger_site(width_px=400.0, px_per_mm=px_per_mm, centre_xy=(450.0, 450.0))
        texture = make_texture(photograph(ring_shape(), gradient))
        layer = turn(texture, ring_shape(), None, site, (900, 900))
        x, y = finger_coordinates(layer, site)
        solid = layer.alpha > 0.5
        tall = np.ptp(y[solid & (np.abs(x) < 1)])
        return (np.abs(x[solid]).max() - 200) / px_per_mm, tall / px_per_mm

    thickness, tall = worn(size)
    assert thickness == pytest.approx(30 / 170 * SAMPLE_RADIUS_MM, abs=0.08)  # 1.5 px
    assert tall == pytest.approx(worn(1.0)[1], rel=0.03)


def test_the_far_half_of_the_hoop_is_never_read() -> None:
    """Paint the photo's lower half, where the hoop is behind the finger, in a colour of its own."""
    shape, site = ring_shape(), finger_site()
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    below = np.zeros(cutout.alpha.shape, bool)
    below[int(shape.centre_xy[1]) + 90 :] = True
    cutout.rgb[below] = (0, 255, 0)
    cutout.alpha[below] = 255
    layer = turn(make_texture(cutout), shape, None, site, SIZE)
    green = layer.color[..., 1] - layer.color[..., 0]
    assert green.max() < 0.02


def test_a_band_seen_straight_into_its_hole_is_whole_on_the_finger() -> None:
    """Its outside is not in the photo, and the fit may well be a hair larger than the ring."""
    shape, site = ring_shape(elevation_deg=88.0, outer_radius_px=203.0), finger_site(pitch_deg=15.0)
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    row, column = np.mgrid[0:520, 0:520]
    from_centre = np.hypot(column - 250, row - 260)
    cutout.alpha[:] = np.where((from_centre > 170) & (from_centre < 200), 255, 0)
    layer = turn(make_texture(cutout), shape, None, site, SIZE)
    x, y = finger_coordinates(layer, site)
    scale = hand_from_ring(shape, site)
    band = see_hoop(
        shape.hoop, np.radians(15.0), (x / scale).astype(np.float32), (y / scale).astype(np.float32)
    )
    inner = band.visible & (np.abs(band.a) < 30) & (np.abs(band.azimuth) < 1.2)
    assert inner.sum() > 500
    assert layer.alpha[inner].min() > 0.95


def red_stone(shape, height=240):
    """A round red stone of radius 50 ``height`` px over the axis of a grey hoop: head, texture."""
    q = np.linspace(-50, 50, 41, dtype=np.float32)
    reach = np.sqrt(np.maximum(50**2 - q**2, 0)).astype(np.float32)
    elevation = np.radians(shape.elevation_deg)
    tops = np.full_like(q, height)
    head = Head(q, tops, reach, tops * np.float32(np.sin(elevation)))
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    row, column = np.mgrid[0:520, 0:520]
    top = shape.centre_xy[1] - height * np.sin(elevation)
    stone = ((column - 250) / 50) ** 2 + ((row - top) / (50 * np.cos(elevation))) ** 2 <= 1
    cutout.rgb[stone], cutout.alpha[stone] = (255, 0, 0), 255
    return head, make_texture(cutout)


def test_roll_turns_the_head_towards_the_side() -> None:
    shape = ring_shape()
    head, texture = red_stone(shape)
    for roll_deg in (-40.0, 0.0, 40.0):
        site = finger_site(roll_deg=roll_deg)
        layer = turn(texture, shape, head, site, SIZE)
        x, y = finger_coordinates(layer, site)
        red = layer.color[..., 0] - layer.color[..., 1] > 0.3
        scale = hand_from_ring(shape, site)
        roll, pitch = np.radians(roll_deg), np.radians(site.pitch_deg)
        # The shop's camera is near: what it shows of the head is a little larger than life.
        scale = scale / float(LOOKS_LARGER)
        assert x[red].mean() == pytest.approx(240 * np.sin(roll) * scale, abs=2)
        assert y[red].mean() == pytest.approx(240 * np.cos(roll) * np.sin(pitch) * scale, abs=2)
        # A round stone, squeezed in the product photo, is nearly round again on the hand.
        along = np.ptp(y[red]) / (2 * 50 * scale)
        assert along == pytest.approx(np.cos(pitch), abs=0.12)


def test_it_is_known_what_of_it_is_the_head() -> None:
    shape, site = ring_shape(), finger_site()
    head, texture = red_stone(shape)
    layer = turn(texture, shape, head, site, SIZE)
    x, _ = finger_coordinates(layer, site)
    red = layer.color[..., 0] - layer.color[..., 1] > 0.3
    # Where top and hoop meet, a pixel may be both.
    assert (layer.head[red] > 0.5).mean() > 0.98
    band = (layer.alpha > 0.99) & (np.abs(x) > 60 * hand_from_ring(shape, site))
    assert (layer.head[band] == 0).all()
    assert (turn(texture, shape, None, site, SIZE).head == 0).all()


def test_the_side_of_a_rolled_head_narrows_from_its_top_down_to_the_band() -> None:
    shape, site = ring_shape(), finger_site(width_px=160.0, roll_deg=55.0)
    head, texture = red_stone(shape, height=320)
    layer = turn(texture, shape, head, site, SIZE)
    height = layer.height / hand_from_ring(shape, site)
    band, top = shape.outer_radius_px - shape.inner_radius_px, 320 - shape.inner_radius_px
    flank = (height > band + 10) & (height < top - 10) & (layer.alpha > 0.99)
    x, _ = finger_coordinates(layer, site)
    # Between top and band it falls and narrows steadily, with no gap to see the ground through.
    columns = np.unique(x[flank])[2:-4]
    falls = [height[(x == column) & flank].max() for column in columns]
    spans = [np.count_nonzero((x == column) & (height > band + 10)) for column in columns]
    assert len(columns) > 10
    assert (np.diff(falls) > 0).all()
    assert spans[-1] > 1.3 * spans[0] > 0
    assert (layer.color[flank][:, 0] - layer.color[flank][:, 1] > 0.3).all()


def test_a_shoulder_hidden_by_the_head_is_read_from_the_other_side() -> None:
    """Turned aside, a tall stone stands before one shoulder in the product photo; on the finger it
    faces the viewer and that shoulder shows. It must not wear the stone's picture."""
    shape = ring_shape(head_deg=25.0)
    q = np.linspace(-60, 60, 49, dtype=np.float32)
    reach = np.sqrt(np.maximum(60**2 - q**2, 0)).astype(np.float32)
    e, turned = np.radians(shape.elevation_deg), np.radians(25.0)
    height = np.full_like(q, 250.0)
    middle = (height * np.cos(turned) - q * np.sin(turned)) * np.sin(e)
    head = Head(q, height, reach, middle.astype(np.float32))
    cutout = photograph(shape, lambda t, a: np.full((*t.shape, 3), 120.0))
    across, along = np.meshgrid(np.linspace(-60, 60, 500), np.linspace(-60, 60, 500))
    stone = np.hypot(across, along) <= 60
    x = across * np.cos(turned) + 250 * np.sin(turned)
    y = (250 * np.cos(turned) - across * np.sin(turned)) * np.sin(e) - along * np.cos(e)
    row = np.round(shape.centre_xy[1] - y[stone]).astype(int)
    column = np.round(shape.centre_xy[0] + x[stone]).astype(int)
    cutout.rgb[row, column], cutout.alpha[row, column] = (255, 0, 0), 255
    site = finger_site(width_px=120.0)
    layer = turn(make_texture(cutout), shape, head, site, SIZE)
    red = (layer.color[..., 0] - layer.color[..., 1] > 0.3) & (layer.alpha > 0.9)
    at_x, _ = finger_coordinates(layer, site)
    assert red.sum() > 300
    assert np.abs(at_x[red]).max() < 60 * hand_from_ring(shape, site) + 2


def test_the_layer_is_clipped_to_the_photo() -> None:
    layer, _ = _turned(ring_shape(), finger_site(centre_xy=(10.0, 150.0)))
    x0, y0, x1, y1 = layer.roi
    assert x0 == 0
    assert layer.alpha.shape == (y1 - y0, x1 - x0)


def test_a_head_that_leans_out_of_the_photo_leaves_the_band() -> None:
    shape = ring_shape()
    head, texture = red_stone(shape, height=320)
    site = finger_site(centre_xy=(270.0, 150.0), roll_deg=80.0)
    layer = turn(texture, shape, head, site, SIZE)
    assert layer.roi[2] == SIZE[0]
    assert layer.alpha.max() == 1
    assert (layer.color[..., 0] - layer.color[..., 1] < 0.3).all()


def test_premultiplied_colour_never_exceeds_what_its_coverage_allows() -> None:
    layer, _ = _turned(ring_shape(), finger_site(), lambda t, a: np.full((*t.shape, 3), 255.0))
    assert (layer.color <= layer.alpha[..., None] + 1e-3).all()
    assert srgb_to_linear(np.array([255], np.uint8))[0] == pytest.approx(1.0)
