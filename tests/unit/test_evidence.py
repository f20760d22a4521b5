"""What a network saw, laid over photos of any size: closed forms, no network."""

from __future__ import annotations

import numpy as np
import pytest

from anello.imaging.evidence import RingEvidence, main_box
from anello.imaging.regions import Regions, settled

SIDE = 64


def evidence(alpha: np.ndarray, scale: float = 1.0, shift_xy=(0.0, 0.0), presence: float = 0.9):
    zero = np.zeros((SIDE, SIDE), np.float32)
    return RingEvidence(
        alpha=alpha,
        opening=zero,
        front=zero,
        rear=zero,
        head=zero,
        photo_from_grid=np.array([[scale, 0, shift_xy[0]], [0, scale, shift_xy[1]]]),
        contacts_xy=None,
        head_xy=None,
        contact_score=0.0,
        presence=presence,
        opening_seen=0.0,
        elevation_deg=45.0,
        view="three-quarter",
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


@pytest.mark.parametrize(("presence", "shows"), [(0.9, True), (0.2, False)])
def test_there_is_a_ring_if_the_network_says_so(presence: float, shows: bool):
    assert evidence(disc(12), presence=presence).shows_ring is shows
    assert not evidence(disc(0), presence=presence).shows_ring


def test_wide_differences_go_the_networks_way_and_narrow_ones_the_colours():
    """Colours took a shadow beside the ring, ate a bite, and know the outline to a pixel."""
    true = disc(20) - disc(12)
    found = true > 0.5
    found[26:38, 8:21] = False  # a bite through the band
    found[52:63, 24:40] = True  # a shadow below
    network = disc(21) - disc(11)  # a pixel too generous all round
    regions = Regions(found, None, "ground", 0.85)
    result = settled(regions, evidence(network.astype(np.float32)).over((0, 0, 64, 64), (64, 64)))
    assert result is not None
    wrong = result.ring != (true > 0.5)
    assert not result.ring[55:63].any()
    assert result.ring[26:38, 13:19].all()
    assert wrong.sum() < 0.3 * (found != (true > 0.5)).sum()


def test_an_unsure_network_changes_nothing():
    found = disc(20) > 0.5
    unsure = np.full((SIDE, SIDE), 0.45, np.float32)
    regions = Regions(found, None, "ground", 0.85)
    result = settled(regions, evidence(unsure).over((0, 0, 64, 64), (64, 64)))
    assert result is not None
    assert (result.ring != found).sum() <= 8
