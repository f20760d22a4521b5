from __future__ import annotations

import numpy as np
import pytest
from rings import photograph, ring_shape

from anello.imaging.head import fit_head


def _grey(t: np.ndarray, a: np.ndarray) -> np.ndarray:
    return np.full((*t.shape, 3), 128.0)


def _with_stone(shape, height: float, half_q: float, half_a: float):
    """A hoop with an elliptical top at ``height``, and the upright wall below its near edge."""
    cutout = photograph(shape, _grey)
    e, h = np.radians(shape.elevation_deg), np.radians(shape.head_deg)
    q, a = np.meshgrid(np.linspace(-half_q, half_q, 400), np.linspace(-half_a, half_a, 400))
    inside = (q / half_q) ** 2 + (a / half_a) ** 2 <= 1
    for level in np.linspace(shape.outer_radius_px, height, 40):
        x = q * np.cos(h) + level * np.sin(h)
        y = (level * np.cos(h) - q * np.sin(h)) * np.sin(e) - a * np.cos(e)
        column = np.round(shape.centre_xy[0] + x[inside]).astype(int)
        row = np.round(shape.centre_xy[1] - y[inside]).astype(int)
        cutout.alpha[row, column] = 255
    return cutout


def test_a_plain_band_has_no_head() -> None:
    shape = ring_shape()
    assert fit_head(photograph(shape, _grey), shape) is None


@pytest.mark.parametrize("elevation_deg", [30.0, 42.0, 50.0])
@pytest.mark.parametrize("height", [240.0, 265.0])
def test_a_round_stone_gives_its_height_and_size(elevation_deg: float, height: float) -> None:
    shape = ring_shape(elevation_deg=elevation_deg)
    head = fit_head(_with_stone(shape, height, 60, 60), shape)
    assert head is not None
    assert np.median(head.height) == pytest.approx(height, rel=0.08)
    assert head.reach.max() == pytest.approx(60, rel=0.25)
    assert np.ptp(head.q) == pytest.approx(120, rel=0.1)


@pytest.mark.parametrize("elevation_deg", [28.0, 45.0])
@pytest.mark.parametrize("head_deg", [15.0, -30.0, 45.0, -55.0])
def test_a_head_turned_aside_is_measured_in_its_own_frame(
    head_deg: float, elevation_deg: float
) -> None:
    shape = ring_shape(head_deg=head_deg, elevation_deg=elevation_deg)
    head = fit_head(_with_stone(shape, 250, 55, 55), shape)
    assert head is not None
    assert np.median(head.height) == pytest.approx(250, rel=0.1)
    assert head.reach.max() == pytest.approx(55, rel=0.25)
    assert abs(head.q[[0, -1]].mean()) < 12
    assert np.ptp(head.q) == pytest.approx(110, rel=0.25)


def test_from_straight_above_the_outline_is_the_head() -> None:
    shape = ring_shape(elevation_deg=3.0, view="top")
    head = fit_head(_with_stone(shape, 240, 70, 50), shape)
    assert head is not None
    # Long enough for both sides: the photo's alpha ends the top.
    assert 49 < head.reach.max() < 50 + 240 * np.sin(np.radians(3)) + 3
    assert 70 < np.ptp(head.q) < 150


def test_the_fit_does_not_depend_on_the_photo_s_size_or_turn() -> None:
    heads = []
    for rotation_deg in (0.0, -28.0):
        shape = ring_shape(rotation_deg=rotation_deg)
        upright = _with_stone(ring_shape(), 250, 60, 60)
        if rotation_deg:
            import cv2

            m = cv2.getRotationMatrix2D((250.0, 260.0), -rotation_deg, 1.0)
            upright.alpha[:] = cv2.warpAffine(upright.alpha, m, upright.alpha.shape[::-1])
        heads.append(fit_head(upright, shape))
    assert heads[0] is not None
    assert heads[1] is not None
    assert np.median(heads[1].height) == pytest.approx(float(np.median(heads[0].height)), rel=0.03)


def test_a_head_of_wires_ends_above_the_band_s_inside() -> None:
    """Wires that cover the opening leave no ground to be seen between them and the far band."""
    shape = ring_shape(elevation_deg=20.0)
    cutout = _with_stone(shape, 230, 170, 120)
    for column in np.flatnonzero(cutout.alpha.any(0)):
        rows = np.flatnonzero(cutout.alpha[:, column])
        cutout.alpha[rows[0] : rows[-1], column] = 255
    head = fit_head(cutout, shape)
    assert head is not None
    e = np.radians(shape.elevation_deg)
    near_edge = (head.middle - head.reach * np.cos(e)).min()
    near_rim = shape.inner_radius_px * np.sin(e) - shape.band_width_px / 2 * np.cos(e)
    assert near_edge > near_rim - 0.26 * shape.outer_radius_px


@pytest.mark.parametrize("elevation_deg", [30.0, 42.0, 50.0])
def test_the_far_edge_is_told_to_a_fraction_of_a_pixel(elevation_deg: float) -> None:
    """Its mirror image is drawn as the near edge, where whole pixels would be steps."""
    shape = ring_shape(elevation_deg=elevation_deg)
    cutout = photograph(shape, _grey)
    e = np.radians(elevation_deg)
    row, column = np.mgrid[0:520, 0:520]
    x, y = column - shape.centre_xy[0], shape.centre_xy[1] - row

    def edge(x: np.ndarray) -> np.ndarray:
        return 250 * np.sin(e) + 60 * np.cos(e) * np.sqrt(np.maximum(1 - (x / 60) ** 2, 0))

    covered = np.clip(edge(x) - y + 0.5, 0, 1) * ((np.abs(x) < 60) & (y > 100))
    cutout.alpha[:] = np.maximum(cutout.alpha, (255 * covered).astype(np.uint8))
    head = fit_head(cutout, shape)
    assert head is not None
    away = head.middle + head.reach * np.cos(e) - edge(head.q)
    assert np.abs(away[np.abs(head.q) < 45]).max() < 0.2


def test_through_the_hole_a_claw_makes_no_head_longer_than_it_can_be() -> None:
    shape = ring_shape(elevation_deg=86.0, view="face")
    cutout = _with_stone(shape, 225, 60, 60)
    for column in (210, 285):
        top = int(np.flatnonzero(cutout.alpha[:, column])[0])
        cutout.alpha[top - 20 : top, column : column + 6] = 255
    head = fit_head(cutout, shape)
    assert head is not None
    assert head.reach.max() < 1.5 * np.ptp(head.q) / 2 + 1
