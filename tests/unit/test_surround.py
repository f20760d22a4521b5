"""What metal mirrors of a photo whose every pixel is known."""

from __future__ import annotations

import numpy as np
import pytest
from cylinders import ROI, SIZE, upright_site

from anello.imaging.color import luminance
from anello.imaging.surround import BRIGHTEST, REACH, see_surround


def test_a_ray_along_the_picture_meets_what_lies_that_way():
    site = upright_site(width=60)
    ramp = np.linspace(0.1, 0.5, SIZE, dtype=np.float32)
    patch = np.repeat(np.broadcast_to(ramp[None, :, None], (SIZE, SIZE, 1)), 3, axis=2).copy()
    surround = see_surround(patch, site, ROI)
    xy = np.full((4, 2), SIZE / 2, np.float32)
    rays = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0.6, 0, -0.8]], np.float32)
    met = SIZE / 2 + REACH * 60 * rays[:, 0]
    assert surround.along(rays, xy)[:, 1] == pytest.approx(
        ramp[np.round(met).astype(int)], abs=0.003
    )


def test_a_region_elsewhere_in_the_photo_is_read_where_it_lies():
    site = upright_site(width=60)
    patch = np.random.default_rng(1).uniform(0.1, 0.5, (SIZE, SIZE, 3)).astype(np.float32)
    ray = np.array([[0.3, -0.4, 0.1]], np.float32)
    here = see_surround(patch, site, ROI).along(ray, np.float32([[100, 120]]))
    moved = see_surround(patch, site, (700, 30, 700 + SIZE, 30 + SIZE))
    assert moved.along(ray, np.float32([[800, 150]])) == pytest.approx(here, abs=1e-5)


def test_a_white_ground_is_dimmed_and_keeps_its_tint():
    cream = np.full((SIZE, SIZE, 3), (1.0, 0.9, 0.7), np.float32)
    surround = see_surround(cream, upright_site(), ROI)
    seen = surround.along(np.float32([[0, 0, 1]]), np.float32([[50, 50]]))[0]
    assert luminance(seen) == pytest.approx(float(BRIGHTEST), rel=1e-4)
    assert seen / seen[0] == pytest.approx([1.0, 0.9, 0.7], rel=1e-4)


def test_a_ring_with_more_pixels_than_opencv_takes_in_a_row():
    patch = np.full((SIZE, SIZE, 3), 0.3, np.float32)
    surround = see_surround(patch, upright_site(), ROI)
    n = 70_001
    seen = surround.along(np.zeros((n, 3), np.float32), np.full((n, 2), 9, np.float32))
    assert seen.shape == (n, 3)
    assert seen == pytest.approx(0.3, abs=1e-5)
