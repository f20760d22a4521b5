"""What a cut-out lost of a drawn hoop comes back; what was seen through stays open."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_hoops import DrawnHoop, draw_hoop, plain_ground

from anello.imaging.evidence import Clues
from anello.imaging.matting import Cutout, cut_out_by_mask
from anello.imaging.mending import mended
from anello.imaging.ring import fit_ring

HOOP = DrawnHoop(rotation_deg=-20, width=60)
GRID = 256


def bitten(coverage: int, holes: tuple[float, ...] = (-35.0,)) -> tuple[Cutout, np.ndarray]:
    """The hoop with round bites out of the middle of its near half, and its true coverage."""
    picture, alpha = draw_hoop(plain_ground(), HOOP)
    less = alpha.copy()
    for azimuth in holes:
        place = np.round(HOOP.points(HOOP.outer, np.deg2rad([azimuth]), 0.0)[0]).astype(int)
        cv2.circle(less, place.tolist(), 12, 0, -1, cv2.LINE_AA)
    cutout = cut_out_by_mask(picture, less)
    assert cutout is not None
    height, width = alpha.shape
    size = max(height, width)
    here_from_grid = np.array([[size / GRID, 0, 0], [0, size / GRID, 0]])
    seen = np.full((GRID, GRID), coverage, np.uint8)
    clues = Clues(None, coverage=seen, here_from_grid=here_from_grid)
    return replace(cutout, method="ground", clues=clues), alpha


def mend(cutout: Cutout) -> Cutout:
    shape = fit_ring(cutout)
    assert shape is not None
    return mended(cutout, shape.fitted)


def test_a_bite_out_of_a_band_comes_back() -> None:
    cutout, alpha = bitten(coverage=100)
    assert np.count_nonzero((cutout.alpha < 128) & (alpha > 127)) > 300
    whole = mend(cutout)
    assert np.count_nonzero((whole.alpha < 128) & (alpha > 127)) < 60
    assert np.count_nonzero((whole.alpha > 127) & (alpha < 128)) < 60
    assert whole.opening is not None
    assert not (whole.opening & (whole.alpha > 127)).any()


def test_what_the_network_saw_through_stays_open() -> None:
    cutout, _ = bitten(coverage=20)
    assert mend(cutout) is cutout


def test_of_a_piece_what_was_clearly_seen_through_stays_open() -> None:
    cutout, alpha = bitten(coverage=200)
    assert cutout.clues is not None
    assert cutout.clues.coverage is not None
    lost = (cutout.alpha < 128) & (alpha > 127)
    middle = int(np.mean(np.nonzero(lost)[1]))
    seen = cutout.clues.coverage.copy()
    seen[:, : round(middle * GRID / max(alpha.shape))] = 0
    whole = mend(replace(cutout, clues=replace(cutout.clues, coverage=seen)))
    still = (whole.alpha < 128) & (alpha > 127)
    assert np.count_nonzero(still[:, : middle - 2]) > 0.9 * np.count_nonzero(lost[:, : middle - 2])
    assert np.count_nonzero(still[:, middle + 2 :]) < 0.1 * np.count_nonzero(lost[:, middle + 2 :])


def test_a_whole_band_is_left_as_it_is() -> None:
    cutout, _ = bitten(coverage=100, holes=())
    assert mend(cutout) is cutout


def test_nothing_is_mended_by_a_hoop_that_fits_badly() -> None:
    cutout, _ = bitten(coverage=100)
    shape = fit_ring(cutout)
    assert shape is not None
    assert shape.fitted is not None
    assert mended(cutout, replace(shape.fitted, cost=1.5)) is cutout
    assert mended(cutout, None) is cutout


@pytest.mark.parametrize("method", ["alpha", "as-is", "mask"])
def test_what_came_with_the_picture_is_as_it_is_meant(method: str) -> None:
    cutout, _ = bitten(coverage=100)
    given = replace(cutout, method=method)
    assert mend(given) is given


@pytest.mark.parametrize("without", ["opening", "clues"])
def test_a_cut_out_of_which_less_is_known_is_left_as_it_is(without: str) -> None:
    cutout, _ = bitten(coverage=100)
    shape = fit_ring(cutout)
    assert shape is not None
    less = replace(cutout, **{without: None})
    assert mended(less, shape.fitted) is less


def test_the_bands_outlines_follow_the_drawn_hoop() -> None:
    """In closed form: both lie ``inset`` outer radii inside the metal, so none of it is missing."""
    _, alpha = draw_hoop(plain_ground(), HOOP)
    shape = fit_ring(bitten(coverage=100, holes=())[0])
    assert shape is not None
    assert shape.fitted is not None
    silhouette, hole = shape.fitted.outlines(0.03)
    outside, _ = shape.fitted.excess(*silhouette.T)
    _, inside = shape.fitted.excess(*hole.T)
    assert np.allclose(outside, -0.03, atol=1e-6)
    assert np.allclose(inside, -0.03, atol=1e-6)
    for x, y in np.round(np.vstack([silhouette, hole])).astype(int):
        assert alpha[y, x] > 127
