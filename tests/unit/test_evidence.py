"""What a network saw, laid over photos of any size: closed forms, no network."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from anello.imaging.evidence import Clues, RingEvidence, main_box
from anello.imaging.regions import find_regions, look

SIDE = 64


def evidence(alpha: np.ndarray, scale: float = 1.0, shift_xy=(0.0, 0.0), presence: float = 0.999):
    zero = np.zeros((SIDE, SIDE), np.float32)
    return RingEvidence(
        alpha=alpha,
        opening=zero,
        front=zero,
        rear=zero,
        photo_from_grid=np.array([[scale, 0, shift_xy[0]], [0, scale, shift_xy[1]]]),
        contacts_xy=None,
        contact_score=0.4,
        presence=presence,
        view="three-quarter",
        view_score=0.9,
        elevation_deg=40.0,
    )


def disc(radius: float, x: float = 31.5, y: float = 31.5) -> np.ndarray:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    return (np.hypot(cols - x, rows - y) < radius).astype(np.float32)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_plane_lies_where_its_grid_says(factor: float):
    """A ramp along x stays that ramp, whatever the part's size: value = grid column."""
    ramp = np.tile(np.arange(SIDE, dtype=np.float32) / SIDE, (SIDE, 1))
    seen = evidence(ramp, scale=4.0, shift_xy=(100.0, 50.0))
    roi = (140, 90, 260, 210)
    width = round(120 * factor)
    part = seen.over(roi, (width, width)).alpha
    photo_x = 140 + (np.arange(width) + 0.5) / factor - 0.5
    assert part[width // 2] == pytest.approx((photo_x - 100) / 4 / SIDE, abs=1e-3)


def test_the_box_is_the_rings_own_with_its_margin_within_the_photo():
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[10:30, 20:60] = 1
    seen = evidence(alpha, scale=2.0)
    # Its pixels' edges lie at 39.5 to 119.5 by 19.5 to 59.5 of the photo; two px are always added.
    assert seen.box(0.0, (400, 400)) == (37, 17, 122, 62)
    assert seen.box(10.0, (130, 70)) == (0, 0, 130, 70)


def test_specks_are_no_part_of_the_box_and_nothing_is_none():
    alpha = disc(12)
    alpha[2, 2] = 1
    assert main_box(alpha) == (20, 20, 44, 44)
    assert main_box(np.zeros((SIDE, SIDE), np.float32)) is None


@pytest.mark.parametrize(
    ("presence", "contact_score", "shows"),
    [(0.99, 0.4, True), (0.2, 0.4, False), (0.9, 0.1, False)],
)
def test_there_is_a_ring_if_it_was_seen_with_its_ends(
    presence: float, contact_score: float, shows: bool
):
    seen = replace(evidence(disc(12), presence=presence), contact_score=contact_score)
    assert seen.shows_ring is shows
    assert not evidence(disc(0)).shows_ring


def test_what_is_vague_or_badly_seen_is_said_with_a_remedy():
    assert evidence(disc(12)).warnings == ()
    vague = np.maximum(0.5 * disc(28), disc(12))
    (said,) = evidence(vague.astype(np.float32)).warnings
    assert "mask" in said
    above = replace(evidence(disc(12)), view="top", view_score=0.9)
    assert any("three-quarter" in words for words in above.warnings)
    assert replace(above, view_score=0.5).warnings == ()


def test_the_near_half_is_up():
    seen = evidence(disc(20))
    seen = replace(seen, front=disc(10, y=20), rear=disc(10, y=44))
    assert seen.clues.up_xy is not None
    assert np.allclose(seen.clues.up_xy, [0, -1], atol=1e-6)
    assert evidence(disc(20)).clues.up_xy is None


def test_clues_follow_a_crop_and_its_scale():
    clues = Clues(np.array([[20.0, 30.0], [60.0, 34.0]]))
    moved = clues.in_crop((10.0, 5.0), 0.5)
    # A pixel's centre is half a pixel in: (20 - 10 + 1/2) / 2 - 1/2.
    assert moved.contacts_xy is not None
    assert np.allclose(moved.contacts_xy, [[4.75, 12.25], [24.75, 14.25]])


FINE = 4
"""How much finer the photo is than the network's grid."""


def photo_disc(radius: float) -> np.ndarray:
    """(256, 256) bool, radius in cells of the grid."""
    rows, cols = np.mgrid[: FINE * SIDE, : FINE * SIDE]
    middle = FINE * 32 - 0.5
    return np.hypot(cols - middle, rows - middle) < FINE * radius


def photo_of(ring: np.ndarray, level: int = 240) -> np.ndarray:
    picture = np.full((*ring.shape, 3), level, np.uint8)
    picture[ring] = (190, 140, 60)
    return picture


def regions_of(picture: np.ndarray, network: np.ndarray, opening: np.ndarray | None = None):
    edge = (FINE - 1) / 2
    seen = evidence(network.astype(np.float32), scale=FINE, shift_xy=(edge, edge))
    if opening is not None:
        seen = replace(seen, opening=opening.astype(np.float32))
    ground, roi = look(picture, replace(seen, alpha=np.ones_like(seen.alpha)))
    assert roi == (0, 0, FINE * SIDE, FINE * SIDE)
    return find_regions(
        picture,
        ground,
        seen.over(roi, picture.shape),
        lambda p: np.full(len(p.windows), 0.5, np.float32),
    )


def test_colour_says_where_the_outline_is_and_the_network_what_is_ring():
    """The network is a cell too generous, and a shadow and a mark lie beside the ring."""
    true = photo_disc(20) & ~photo_disc(12)
    picture = photo_of(true)
    picture[222:240, 100:160] = 170  # the shadow
    picture[16:32, 200:240] = (200, 30, 30)  # the mark
    network = cv2.GaussianBlur(disc(21) - disc(11), (0, 0), 1.0)
    regions = regions_of(picture, network)
    assert regions is not None
    assert not regions.ring[222:240, 100:160].any()
    assert not regions.ring[16:32, 200:240].any()
    outline_px = 2 * np.pi * FINE * (20 + 12)
    assert (regions.ring != true).sum() < outline_px  # within a pixel; a cell has four


def test_gold_that_the_network_doubts_is_ring_and_bare_ground_it_doubts_is_not():
    true = photo_disc(20) & ~photo_disc(12)
    doubted = 0.3 * (disc(20) - disc(12)) + 0.6 * disc(12)
    regions = regions_of(photo_of(true), doubted, disc(12))
    assert regions is not None
    assert (regions.ring != true).mean() < 0.01
    assert regions.opening is not None
    assert (regions.opening != photo_disc(12)).mean() < 0.01


@pytest.mark.parametrize(("seen", "stone"), [(0.2, True), (0.05, False)])
def test_what_sparkles_is_stone_unless_it_was_seen_through(seen: float, stone: bool):
    """Both are less likely ring than not; a gap of split shanks is rough in a small photo, too."""
    picture = photo_of(photo_disc(24))
    hole = photo_disc(9)
    picture[hole] = np.random.default_rng(3).choice([90, 236, 240, 250], (int(hole.sum()), 1))
    regions = regions_of(picture, disc(24) - (1 - seen) * disc(9))
    assert regions is not None
    assert regions.ring[photo_disc(23) & ~photo_disc(11)].all()
    assert (regions.ring[photo_disc(7)] == stone).mean() > 0.9
