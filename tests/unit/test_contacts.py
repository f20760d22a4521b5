from __future__ import annotations

import numpy as np
import pytest

from anello.imaging.contacts import CLOSE, WIDE, WINDOW, contact_windows, place_in_window

CELLS = np.arange(24)


@pytest.mark.parametrize("ends", [[[40.2, 52.0], [80.7, 61.5]], [[70.0, 80.4], [66.0, 30.1]]])
def test_windows_lie_about_the_ends_away_from_the_other_to_the_right(
    ends: list[list[float]],
) -> None:
    x, y = np.meshgrid(np.arange(120), np.arange(110))
    slopes = np.stack([2 * x, 2 * y, x + y], -1).astype(np.uint8)
    ends_xy = np.array(ends)
    windows, photo_from_close = contact_windows(slopes, ends_xy)
    assert windows.shape == (2, WINDOW, WINDOW, 6)
    columns, rows = np.meshgrid(np.arange(WINDOW), np.arange(WINDOW))
    grid = np.stack([columns, rows, np.ones_like(rows)], -1).astype(np.float64)
    for k, to_photo in enumerate(photo_from_close):
        end, way = ends_xy[k], ends_xy[k] - ends_xy[1 - k]
        close = grid @ to_photo.T
        middle = np.full(2, (WINDOW - 1) / 2)
        assert to_photo @ [*middle, 1] == pytest.approx(end)
        assert to_photo[:, 0] * WINDOW == pytest.approx(CLOSE * way)
        wide = end + WIDE * (close - end)
        for there, seen in ((close, windows[k, ..., :3]), (wide, windows[k, ..., 3:])):
            within = ((there > 1) & (there < (118, 108))).all(-1)
            assert within.mean() > 0.3
            assert np.abs(seen[within][:, :2] / 2.0 - there[within]).max() <= 0.6


def heat_at(x: float, y: float, weight: float = 1.0, sigma: float = 1.0) -> np.ndarray:
    """Of a window with the end at a place, px."""
    across, down = (((v + 0.5) / 4 - 0.5 - CELLS) ** 2 for v in (x, y))
    return weight * np.exp(-(across[None] + down[:, None]) / (2 * sigma**2))


@pytest.mark.parametrize(("x", "y"), [(47.5, 47.5), (30.1, 61.9), (18.0, 75.3)])
def test_an_end_s_place_is_told_to_a_part_of_a_cell(x: float, y: float) -> None:
    heat = np.log(heat_at(x, y) + 1e-9) + 3
    assert place_in_window(heat.astype(np.float32)) == pytest.approx([x, y], abs=0.3)


def test_of_two_places_the_likelier_one_counts_not_the_sharper() -> None:
    likely = heat_at(30, 40, 0.6, 1.2) + heat_at(70, 60, 0.7, 0.4)
    place = place_in_window(np.log(likely + 1e-9).astype(np.float32))
    assert place == pytest.approx([30, 40], abs=0.5)


@pytest.mark.parametrize(("x", "y"), [(1.5, 1.5), (93.5, 93.5)])
def test_an_end_in_a_corner_is_no_error(x: float, y: float) -> None:
    heat = np.log(heat_at(x, y) + 1e-9).astype(np.float32)
    assert place_in_window(heat) == pytest.approx([x, y], abs=3)
