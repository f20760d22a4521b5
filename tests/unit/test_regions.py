"""Gaps, stones and metal in a drawn plate of gold, where the network is of two minds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_hoops import plain_ground
from numpy.typing import NDArray

from anello.imaging.arrays import Float
from anello.imaging.evidence import Seen
from anello.imaging.ground import bytes_to_lab, fit_ground
from anello.imaging.patches import Patches, TellGaps
from anello.imaging.regions import _samples, find_regions

SIDE = 400
GOLD = (206, 158, 72)


def gaps_are(probability: float) -> TellGaps:
    def tell(patches: Patches) -> Float:
        return np.full(len(patches.windows), probability, np.float32)

    return tell


def window(darker: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Gold with a window of fine lines, tinted a little by the gold, and so much darker."""
    picture = cv2.resize(plain_ground(), (SIDE, SIDE))
    cv2.circle(picture, (200, 200), 130, GOLD, -1, cv2.LINE_AA)
    hole = np.zeros((SIDE, SIDE), bool)
    hole[180:192, 190:204] = True
    lines = np.where(np.arange(SIDE) // 2 % 2 == 0, 10, 0)[:, None]
    for channel, value in enumerate((253, 252, 247)):
        plane = picture[..., channel]
        plane[hole] = (np.full((SIDE, SIDE), value) - lines - darker)[hole]
    return picture, hole


@pytest.mark.parametrize(("darker", "ring"), [(0, False), (34, True)])
def test_a_window_as_light_as_the_ground_is_a_gap_and_a_darker_one_a_stone(
    darker: int, ring: bool
) -> None:
    picture, hole = window(darker)
    alpha = np.full((SIDE, SIDE), 0.01, np.float32)
    cv2.circle(alpha, (200, 200), 130, 0.97, -1)
    alpha[hole] = 0.22
    ground = fit_ground(bytes_to_lab(picture[::3, ::3])).part((0, 0, 1, 1))
    regions = find_regions(picture, ground, Seen(alpha, np.zeros_like(alpha)), gaps_are(0.5))
    assert regions is not None
    inner = cv2.erode(hole.astype(np.uint8), np.ones((5, 5))) > 0
    assert regions.ring[inner].mean() == (1.0 if ring else 0.0)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
@pytest.mark.parametrize(("probability", "ring"), [(0.2, True), (0.85, False)])
def test_a_facet_as_white_as_the_ground_is_wholly_what_it_is_told_to_be(
    coverage: float, probability: float, ring: bool
) -> None:
    picture = cv2.resize(plain_ground(), (SIDE, SIDE))
    white = picture[0, 0].tolist()
    cv2.circle(picture, (200, 200), 130, GOLD, -1, cv2.LINE_AA)
    facet = cv2.rectangle(np.zeros((SIDE, SIDE), np.uint8), (160, 180), (240, 210), 1, -1) > 0
    picture[facet] = white
    alpha = np.full((SIDE, SIDE), 0.01, np.float32)
    cv2.circle(alpha, (200, 200), 130, 0.97, -1)
    alpha[facet] = coverage
    ground = fit_ground(bytes_to_lab(picture[::3, ::3])).part((0, 0, 1, 1))
    seen = Seen(alpha, np.zeros_like(alpha))
    regions = find_regions(picture, ground, seen, gaps_are(probability))
    assert regions is not None
    inner = cv2.erode(facet.astype(np.uint8), np.ones((5, 5))) > 0
    assert regions.ring[inner].mean() == (1.0 if ring else 0.0)
    outer = cv2.dilate(facet.astype(np.uint8), np.ones((9, 9))) > 0
    disc = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (200, 200), 126, 1, -1) > 0
    assert regions.ring[disc & ~outer].all()


@pytest.mark.parametrize(
    ("closed_in", "half", "probability", "ring"),
    [
        (True, 20, 0.4, True),
        (True, 20, 0.7, True),
        (True, 20, 0.85, False),
        (True, 10, 0.4, True),
        (True, 10, 0.7, False),
        (False, 20, 0.4, False),
        (False, 20, 0.7, False),
    ],
)
def test_a_patch_that_ring_closes_in_is_metal_unless_it_is_a_gap_for_sure(
    closed_in: bool, half: int, probability: float, ring: bool
) -> None:
    """White within a gold disc, 800 or 200 px; alone, or between two strips of seen ground."""
    picture = cv2.resize(plain_ground(), (SIDE, SIDE))
    white = picture[0, 0].tolist()
    cv2.circle(picture, (200, 200), 130, GOLD, -1, cv2.LINE_AA)
    patch = slice(190 - half // 2, 190 + half // 2), slice(200 - half, 200 + half)
    alpha = np.full((SIDE, SIDE), 0.01, np.float32)
    cv2.circle(alpha, (200, 200), 130, 0.97, -1)
    if not closed_in:
        picture[180:200, 150:250] = white
        alpha[180:200, 150:250] = 0.1
    picture[patch], alpha[patch] = white, 0.6
    ground = fit_ground(bytes_to_lab(picture[::3, ::3])).part((0, 0, 1, 1))
    regions = find_regions(
        picture, ground, Seen(alpha, np.zeros_like(alpha)), gaps_are(probability)
    )
    assert regions is not None
    assert regions.ring[188:192, 194:206].mean() == (1.0 if ring else 0.0)


def test_a_gap_that_was_taken_for_ring_reaches_the_metal_s_edge() -> None:
    """Out of focus, only its middle is bare."""
    picture = cv2.resize(plain_ground(), (SIDE, SIDE))
    white = picture[0, 0].tolist()
    cv2.circle(picture, (200, 200), 130, GOLD, -1, cv2.LINE_AA)
    gap = slice(186, 200), slice(160, 240)
    picture[gap] = white
    picture = cv2.GaussianBlur(picture, (0, 0), 1.4)
    alpha = np.full((SIDE, SIDE), 0.01, np.float32)
    cv2.circle(alpha, (200, 200), 130, 0.97, -1)
    ground = fit_ground(bytes_to_lab(picture[::3, ::3])).part((0, 0, 1, 1))
    seen = Seen(alpha, np.zeros_like(alpha))
    regions = find_regions(picture, ground, seen, gaps_are(0.8))
    assert regions is not None
    across = (~regions.ring)[150:236, 170:230].sum(0)
    assert abs(across.mean() - 14) < 0.6


def test_on_texture_colours_tell_ring_and_gap_where_the_network_cannot() -> None:
    """Cloth in two browns; the network is unsure of a window of it and of a patch of gold."""
    rng = np.random.default_rng(4)
    cloth = np.where(rng.random((SIDE // 4, SIDE // 4, 1)) < 0.5, (96, 70, 52), (168, 132, 100))
    picture = cv2.resize(cloth.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    ground = picture.copy()
    cv2.circle(picture, (200, 200), 130, GOLD, -1)
    gap, patch = (slice(160, 200), slice(150, 190)), (slice(220, 260), slice(210, 250))
    picture[gap] = ground[gap]
    alpha = np.full((SIDE, SIDE), 0.01, np.float32)
    cv2.circle(alpha, (200, 200), 130, 0.97, -1)
    alpha[gap], alpha[patch] = 0.6, 0.4
    fitted = fit_ground(bytes_to_lab(picture[::3, ::3])).part((0, 0, 1, 1))
    assert not fitted.is_plain
    regions = find_regions(picture, fitted, Seen(alpha, np.zeros_like(alpha)), gaps_are(0.5))
    assert regions is not None
    assert regions.method == "texture"
    assert regions.ring[gap].mean() < 0.05
    assert regions.ring[patch].mean() > 0.95
    truth = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (200, 200), 130, 1, -1) > 0
    truth[gap] = False
    assert (regions.ring & truth).sum() / (regions.ring | truth).sum() > 0.98


@pytest.mark.parametrize("size", [(700, 1000), (1300, 900), (161, 90), (90, 60)])
def test_the_ground_is_fitted_on_evenly_spread_samples(size: tuple[int, int]) -> None:
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    samples = _samples(np.stack([x, y, x], -1).round().astype(np.uint8)).astype(float)
    rows, cols = samples.shape[:2]
    assert max(rows, cols) == min(160, max(size))
    assert rows / cols == pytest.approx(height / width, rel=0.02)
    across = 200 * (np.arange(cols) + 0.5) / cols
    down = 200 * (np.arange(rows) + 0.5) / rows
    assert np.abs(samples[rows // 2, :, 0] - across).max() < 2.5
    assert np.abs(samples[:, cols // 2, 1] - down).max() < 2.5
    assert np.ptp(samples[:, cols // 2, 0]) == 0
