from __future__ import annotations

import numpy as np
from rings import finger_site

from anello.imaging.hand import Finger, Hand
from anello.imaging.stacking import GAP, LOCATION_SHARE, drawing_order, spread


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
    apart_px = (high - low) * LOCATION_SHARE * 200
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
