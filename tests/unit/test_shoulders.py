from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rings import ring_shape

from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.shoulders import fit_shoulders

Growth = Callable[[np.ndarray], np.ndarray]


def _level(azimuth: np.ndarray) -> np.ndarray:
    return np.zeros_like(azimuth)


def _drawn(
    shape: RingShape, outer: Growth, half: Growth, middle: Growth = _level, size: int = 560
) -> Cutout:
    """The whole ring's silhouette; outer radius, half-width and middle line by azimuth from the
    head."""
    alpha = np.zeros((size, size), np.uint8)
    e, head = np.radians(shape.elevation_deg), np.radians(shape.head_deg)
    azimuth = np.radians(np.arange(-180, 180, 0.1))
    radius, reach, off = (of(np.abs(azimuth - head)) for of in (outer, half, middle))
    # Edges are rounded by a little, as the fit expects of metal.
    bore = shape.inner_radius_px + 0.04 * shape.outer_radius_px
    for out in np.linspace(0, 1, 60):
        r = bore + out * (radius - bore)
        crown = reach - 0.04 * shape.outer_radius_px * out
        for along in np.linspace(-1, 1, 200) if out in (0.0, 1.0) else (-1.0, 1.0):
            x = r * np.sin(azimuth)
            y = r * np.cos(azimuth) * np.sin(e) - (along * crown + off) * np.cos(e)
            column = np.round(shape.centre_xy[0] + x).astype(int)
            row = np.round(shape.centre_xy[1] - y).astype(int)
            alpha[row, column] = 255
    return Cutout(np.zeros((size, size, 3), np.uint8), alpha, None, "drawn", (), 1.0)


def _shape(**changes: object) -> RingShape:
    return ring_shape(centre_xy=np.array([280.0, 280.0]), **changes)


def _grown(shape: RingShape, thicker: float, wider: float) -> tuple[Growth, Growth]:
    """Growing evenly from 70 degrees to the head."""

    def near(azimuth: np.ndarray) -> np.ndarray:
        return np.clip(1 - azimuth / np.radians(70), 0, 1)

    return (
        lambda azimuth: shape.outer_radius_px + thicker * near(azimuth),
        lambda azimuth: shape.band_width_px / 2 + wider * near(azimuth),
    )


@pytest.mark.parametrize("elevation_deg", [32.0, 42.0, 50.0])
def test_a_plain_band_has_no_shoulders(elevation_deg: float) -> None:
    shape = _shape(elevation_deg=elevation_deg)
    assert fit_shoulders(_drawn(shape, *_grown(shape, 0, 0)), shape) is None


@pytest.mark.parametrize("elevation_deg", [35.0, 45.0])
@pytest.mark.parametrize(("thicker", "wider"), [(0.0, 50.0), (40.0, 0.0), (30.0, 40.0)])
@pytest.mark.parametrize("head_deg", [0.0, 10.0])
def test_a_band_that_grows_is_measured(
    elevation_deg: float, thicker: float, wider: float, head_deg: float
) -> None:
    shape = _shape(elevation_deg=elevation_deg, head_deg=head_deg)
    outer, half = _grown(shape, thicker, wider)
    found = fit_shoulders(_drawn(shape, outer, half), shape)
    assert found is not None
    clear = np.abs(found.from_head) < np.radians(50)
    azimuth = np.abs(found.from_head[clear])
    tolerance = 0.05 * shape.outer_radius_px
    assert np.abs(found.half_width[clear] - half(azimuth)).max() < tolerance
    assert np.abs(found.outer_radius[clear] - outer(azimuth)).max() < tolerance


def test_a_band_that_hides_much_of_its_opening_is_as_wide_as_is_seen_of_it() -> None:
    shape = _shape(elevation_deg=28.0)
    outer, half = _grown(shape, 0, 70)
    found = fit_shoulders(_drawn(shape, outer, half), shape)
    assert found is not None
    clear = np.abs(found.from_head) < np.radians(50)
    off = found.half_width[clear] - half(np.abs(found.from_head[clear]))
    assert np.abs(off).max() < 0.1 * shape.outer_radius_px


def test_thickness_is_told_little_by_little_as_more_is_seen_of_the_top() -> None:
    def thickest(elevation_deg: float) -> float:
        shape = _shape(elevation_deg=elevation_deg)
        found = fit_shoulders(_drawn(shape, *_grown(shape, 40, 0)), shape)
        grown = 0.0 if found is None else found.outer_radius.max() - shape.outer_radius_px
        return float(grown)

    grown = np.array([thickest(elevation_deg) for elevation_deg in range(18, 31)])
    assert grown[0] == 0
    assert abs(grown[-1] - 40) < 5
    assert np.abs(np.diff(grown)).max() < 15


def test_a_gallery_under_the_head_is_no_shoulder() -> None:
    shape = _shape(elevation_deg=45.0)

    def half(azimuth: np.ndarray) -> np.ndarray:
        return shape.band_width_px / 2 + 45.0 * (azimuth < np.radians(15))

    outer, _ = _grown(shape, 0, 0)
    found = fit_shoulders(_drawn(shape, outer, half), shape)
    widest = shape.band_width_px / 2 if found is None else found.half_width.max()
    assert widest < shape.band_width_px / 2 + 12


def test_a_shoulder_becomes_a_head_little_by_little_as_it_is_steeper() -> None:
    shape = _shape(elevation_deg=40.0)
    shank, outer_radius = shape.band_width_px / 2, shape.outer_radius_px

    def widest(steepness: float) -> float:
        def half(azimuth: np.ndarray) -> np.ndarray:
            return shank + steepness * outer_radius * np.clip(np.radians(30) - azimuth, 0, None)

        found = fit_shoulders(_drawn(shape, _grown(shape, 0, 0)[0], half), shape)
        return 0.0 if found is None else float(found.half_width.max() - shank) / outer_radius

    grown = np.array([widest(steepness) for steepness in np.arange(0.3, 1.3, 0.05)])
    assert grown.max() > 0.2
    assert grown[-1] < 0.05
    assert np.abs(np.diff(grown)).max() < 0.08


@pytest.mark.parametrize("elevation_deg", [30.0, 45.0])
@pytest.mark.parametrize("swerve", [-70.0, -35.0, 40.0])
@pytest.mark.parametrize("head_deg", [0.0, 12.0])
def test_a_wishbone_swerves_as_far_as_it_does(
    elevation_deg: float, swerve: float, head_deg: float
) -> None:
    shape = _shape(elevation_deg=elevation_deg, head_deg=head_deg)

    def middle(azimuth: np.ndarray) -> np.ndarray:
        return swerve * np.clip(1 - azimuth / np.radians(60), 0, 1)

    found = fit_shoulders(_drawn(shape, *_grown(shape, 0, 0), middle), shape)
    assert found is not None
    clear = np.abs(found.from_head) < np.radians(45)
    off = found.middle[clear] - middle(np.abs(found.from_head[clear]))
    assert np.abs(off).max() < 0.06 * shape.outer_radius_px
    np.testing.assert_allclose(found.half_width, shape.band_width_px / 2)


@pytest.mark.parametrize(("thicker", "wider"), [(40.0, 0.0), (0.0, 50.0), (30.0, 40.0)])
def test_a_band_that_grows_does_not_swerve(thicker: float, wider: float) -> None:
    shape = _shape(elevation_deg=40.0)
    found = fit_shoulders(_drawn(shape, *_grown(shape, thicker, wider)), shape)
    assert found is not None
    assert not found.middle.any()


def test_views_that_do_not_tell_give_none() -> None:
    shape = _shape(elevation_deg=45.0)
    cutout = _drawn(shape, *_grown(shape, 0, 50))
    for view in ("top", "face"):
        assert fit_shoulders(cutout, _shape(elevation_deg=45.0, view=view)) is None
