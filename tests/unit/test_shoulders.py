from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rings import ring_shape

from anello.imaging.matting import Cutout
from anello.imaging.ring import RingShape
from anello.imaging.shoulders import fit_shoulders

Growth = Callable[[np.ndarray], np.ndarray]


def _drawn(shape: RingShape, outer: Growth, half: Growth, size: int = 560) -> Cutout:
    """The whole ring's silhouette; outer radius and half-width by azimuth from the head."""
    alpha = np.zeros((size, size), np.uint8)
    e, head = np.radians(shape.elevation_deg), np.radians(shape.head_deg)
    azimuth = np.radians(np.arange(-180, 180, 0.1))
    radius, reach = outer(np.abs(azimuth - head)), half(np.abs(azimuth - head))
    # Edges are rounded by a little, as the fit expects of metal.
    bore = shape.inner_radius_px + 0.04 * shape.outer_radius_px
    for out in np.linspace(0, 1, 60):
        r = bore + out * (radius - bore)
        crown = reach - 0.04 * shape.outer_radius_px * out
        for along in np.linspace(-1, 1, 200) if out in (0.0, 1.0) else (-1.0, 1.0):
            x = r * np.sin(azimuth)
            y = r * np.cos(azimuth) * np.sin(e) - along * crown * np.cos(e)
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


def test_a_gallery_under_the_head_is_no_shoulder() -> None:
    shape = _shape(elevation_deg=45.0)

    def half(azimuth: np.ndarray) -> np.ndarray:
        return shape.band_width_px / 2 + 45.0 * (azimuth < np.radians(15))

    outer, _ = _grown(shape, 0, 0)
    found = fit_shoulders(_drawn(shape, outer, half), shape)
    widest = shape.band_width_px / 2 if found is None else found.half_width.max()
    assert widest < shape.band_width_px / 2 + 12


def test_views_that_do_not_tell_give_none() -> None:
    shape = _shape(elevation_deg=45.0)
    cutout = _drawn(shape, *_grown(shape, 0, 50))
    for view in ("top", "face"):
        assert fit_shoulders(cutout, _shape(elevation_deg=45.0, view=view)) is None
