"""Patches of bare ground that were taken for ring, found and cut out of drawn pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.evidence import Seen
from anello.imaging.patches import LEAST_PATCH, MOST_PATCHES, WINDOW, find_patches

GOLD = (206, 158, 72)
COLOURS, PATCH, COVERAGE, OPENING, BARE = slice(0, 3), 3, 4, 5, 6
WIDE, MEAN = 7, 14


def drawn(*boxes: tuple[int, int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A gold plate, (300, 400, 3), with white windows x, y, w, h; and where those are."""
    picture = np.full((300, 400, 3), GOLD, np.uint8)
    bare = np.zeros((300, 400), bool)
    for x, y, width, height in boxes:
        bare[y : y + height, x : x + width] = True
    picture[bare] = 255
    return picture, bare


def seen(coverage: float) -> Seen:
    plane = np.full((300, 400), coverage, np.float32)
    return Seen(plane, np.zeros_like(plane))


def test_a_window_shows_its_patch_in_the_middle_at_a_set_share_of_its_side() -> None:
    picture, bare = drawn((150, 100, 40, 20))
    patches = find_patches(picture, bare, seen(0.8))
    assert np.array_equal(patches.labels > 0, bare)
    (window,) = patches.windows
    patch = window[..., PATCH] > 127
    # The close window is 2.2 times as wide as the patch, 88 px; the wide one four times that.
    assert np.allclose(patch.any(0).sum(), WINDOW * 40 / 88, atol=1)
    assert np.allclose(patch.any(1).sum(), WINDOW * 20 / 88, atol=1)
    rows, cols = np.nonzero(patch)
    assert np.allclose([rows.mean(), cols.mean()], (WINDOW - 1) / 2, atol=0.5)
    assert np.allclose(
        (window[..., WIDE + PATCH] > 127).sum(), WINDOW**2 * 40 * 20 / 352**2, atol=6
    )
    assert (window[window[..., PATCH] == 255][:, COLOURS] == 255).all()
    assert (abs(window[2, 2, COLOURS].astype(int) - GOLD) <= 1).all()
    assert (window[..., BARE] > 127).sum() == patch.sum()
    assert (window[..., [COVERAGE, MEAN]] == 204).all()
    assert (window[..., OPENING] == 0).all()


def test_only_bare_ground_that_was_taken_for_ring_is_a_patch() -> None:
    picture, bare = drawn((50, 50, 30, 30), (200, 200, 30, 30))
    evidence = seen(0.9)
    evidence.alpha[:150] = 0.3
    assert np.array_equal(
        find_patches(picture, bare, evidence).labels > 0, bare & (evidence.alpha > 0.5)
    )


def test_a_patch_knows_how_much_of_what_is_next_to_it_is_ground() -> None:
    """One closed in; one, 30 px square, that goes on to the left as ground that was seen."""
    picture, bare = drawn((50, 50, 20, 20), (170, 200, 60, 30))
    evidence = seen(0.9)
    evidence.alpha[:, 140:200] = 0.1
    patches = find_patches(picture, bare, evidence)
    assert patches.labels[215, 210] == 1
    assert np.allclose(patches.beside_ground, [30 / 120, 0])
    assert patches.area.tolist() == [900, 400]


def test_the_largest_patches_are_looked_at_and_specks_never() -> None:
    boxes = [(10 + 12 * k, 10, 4, 4 + k) for k in range(30)]
    picture, bare = drawn(*boxes, (10, 200, 3, 3))
    patches = find_patches(picture, bare, seen(0.9))
    assert len(patches.windows) == MOST_PATCHES == patches.labels.max()
    areas = np.bincount(patches.labels.ravel())[1:]
    assert sorted(areas) == [4 * (4 + k) for k in range(30 - MOST_PATCHES, 30)]
    picture, bare = drawn((10, 200, 1, LEAST_PATCH - 1))
    assert len(find_patches(picture, bare, seen(0.9)).windows) == 0


def test_a_patch_at_the_border_has_whole_windows() -> None:
    picture, bare = drawn((0, 0, 60, 300), (380, 280, 20, 20))
    patches = find_patches(picture, bare, seen(0.9))
    assert patches.windows.shape == (2, WINDOW, WINDOW, 15)
    for label, window in enumerate(patches.windows, 1):
        rows, cols = np.nonzero(patches.labels == label)
        around = cv2.resize((window[..., PATCH] > 0).astype(np.uint8), (8, 8))
        assert around[3:5, 3:5].all(), (rows.mean(), cols.mean())
