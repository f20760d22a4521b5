from __future__ import annotations

import numpy as np
import pytest
from rings import finger_site

from anello.imaging.finger import LOCATION_SPAN
from anello.imaging.hand import Finger, Hand
from anello.imaging.stacking import GAP, drawing_order, overlaps, spread


class _Hand:
    """Only what stacking asks of a hand: 200 px from each base joint to the next."""

    points_xy = np.array([[0.0, 200.0 * i] for i in range(21)])


HAND: Hand = _Hand()  # type: ignore[assignment]


def test_one_ring_a_finger_stays_where_it_was_put() -> None:
    sites = [finger_site(location=0.3), finger_site(location=0.3, finger=Finger.INDEX)]
    assert spread(HAND, sites, [30, 30]) == [0.3, 0.3]


def test_rings_on_one_finger_are_moved_apart_evenly() -> None:
    sites = [finger_site(location=0.4), finger_site(location=0.4)]
    low, high = spread(HAND, sites, [20.0, 30.0])
    apart_px = (high - low) * LOCATION_SPAN * 200
    assert apart_px == np.float64(apart_px) >= 25 + GAP * 100 - 1e-6
    assert abs((low + high) / 2 - 0.4) < 1e-9


def test_rings_that_don_t_touch_are_left_alone() -> None:
    sites = [finger_site(location=0.9), finger_site(location=0.1)]
    assert spread(HAND, sites, [20.0, 20.0]) == [0.9, 0.1]


def test_a_stack_stays_on_the_phalanx_while_it_fits() -> None:
    sites = [finger_site(location=0.95) for _ in range(3)]
    placed = spread(HAND, sites, [10.0] * 3)
    assert max(placed) <= 1.0 + 1e-9
    assert min(placed) >= 0


def test_heads_are_drawn_over_the_bands_beside_them() -> None:
    sites = [finger_site(location=0.2), finger_site(location=0.5), finger_site(location=0.8)]
    assert drawing_order(sites, [True, False, False]) == [1, 2, 0]
    assert drawing_order(sites, [False, False, False]) == [0, 1, 2]


def test_a_ring_worn_before_is_kept_clear_of_by_the_least_step() -> None:
    sites = [finger_site(location=0.3)]
    unit = LOCATION_SPAN * 200
    (up,) = spread(HAND, sites, [20.0], {Finger.RING: [(0.0, 0.32)]})
    assert up == pytest.approx(0.32 + (10 + GAP * 100) / unit, abs=1e-3)
    (down,) = spread(HAND, sites, [8.0], {Finger.RING: [(0.28, 0.9)]})
    assert down == pytest.approx(0.28 - (4 + GAP * 100) / unit, abs=1e-3)
    assert spread(HAND, sites, [20.0], {Finger.INDEX: [(0.0, 0.5)]}) == [0.3]


def test_where_a_finger_is_full_the_ring_stays_where_it_was_asked_for() -> None:
    worn = [(-0.2, 0.6), (0.65, 1.2)]
    assert spread(HAND, [finger_site(location=0.3)], [20.0], {Finger.RING: worn}) == [0.3]
    assert overlaps(0.3, 0.1, worn)
    assert not overlaps(0.625, 0.02, worn)


def test_a_stack_steps_aside_as_a_whole() -> None:
    sites = [finger_site(location=0.2), finger_site(location=0.5)]
    first, second = spread(HAND, sites, [10.0, 10.0], {Finger.RING: [(0.1, 0.25)]})
    assert second - first == pytest.approx(0.3)
    assert first > 0.25
