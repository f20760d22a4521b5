from __future__ import annotations

import cv2
import numpy as np
import pytest

from anello.imaging.warp import (
    crop,
    downscaled,
    grown_roi,
    is_empty,
    joined,
    placed,
    resampled,
    sampled,
)


def test_a_region_grows_within_the_photo() -> None:
    assert grown_roi((5, 5, 10, 10), 8, (14, 100)) == (0, 0, 14, 18)
    assert is_empty((4, 4, 4, 9))
    assert not is_empty((4, 4, 5, 9))


def test_placed_and_cropped_are_each_other_s_inverse() -> None:
    values = np.random.default_rng(1).random((5, 4, 3), np.float32)
    outer = (10, 20, 30, 40)
    inner = (12, 23, 16, 28)
    np.testing.assert_array_equal(crop(placed(values, inner, outer), inner, outer), values)
    assert placed(values, inner, outer).sum() == pytest.approx(float(values.sum()), rel=1e-6)


def test_crop_is_a_view() -> None:
    photo = np.zeros((10, 10, 3), np.uint8)
    crop(photo, (2, 3, 5, 6))[:] = 7
    assert photo[3:6, 2:5].min() == 7
    assert photo.sum() == 9 * 3 * 7


def test_the_box_around_several_leaves_out_the_empty():
    assert joined((4, 5, 9, 8), (0, 0, 0, 0), (6, 2, 7, 12)) == (4, 2, 9, 12)
    assert is_empty(joined((3, 3, 3, 3), (1, 1, 1, 1)))


def test_a_reduced_field_is_read_back_where_it_was():
    column = np.arange(40, dtype=np.float32)
    field = np.repeat(column[None], 32, axis=0)
    reduced = cv2.resize(field, (20, 16), interpolation=cv2.INTER_AREA)
    read = resampled(reduced, (100, 50, 140, 82), (110, 60, 130, 70))
    np.testing.assert_allclose(read, field[10:20, 10:30], atol=0.05)
    half = resampled(field, (100, 50, 140, 82), (110, 60, 130, 70), (10, 5))
    np.testing.assert_allclose(half, reduced[5:10, 5:15], atol=0.05)


@pytest.mark.parametrize(
    ("have", "size"), [((640, 480), (160, 120)), ((640, 480), (149, 112)), ((1001, 333), (97, 41))]
)
def test_a_downscaled_copy_lies_where_the_picture_lay(
    have: tuple[int, int], size: tuple[int, int]
) -> None:
    across, down = (np.arange(side) * 200 / side + 20 for side in have)
    picture = np.round(np.dstack(np.broadcast_arrays(across, down[:, None], 100.0)))
    small = downscaled(picture.astype(np.uint8), size)
    assert small.shape == (size[1], size[0], 3)
    columns, rows = ((np.arange(n) + 0.5) / n * 200 + 20 for n in size)
    assert np.abs(small[..., 0] - columns)[:, 1:-1].max() < 1.3
    assert np.abs(small[..., 1] - rows[:, None])[1:-1].max() < 1.3


def test_a_downscaled_copy_is_the_mean_of_what_it_shows() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    means = picture.reshape(12, 8, 16, 8, 3).mean((1, 3))
    assert np.abs(downscaled(picture, (16, 12)) - means).max() <= 1.5  # rounded at each halving


@pytest.mark.parametrize(("shift", "column"), [(-5000.0, 0), (5000.0, -1)])
def test_beyond_the_photo_a_grid_shows_its_border(shift: float, column: int) -> None:
    photo = cv2.resize(np.random.default_rng(2).integers(0, 256, (9, 12, 3), np.uint8), (480, 360))
    seen = sampled(photo, np.array([[3.0, 0, shift], [0, 3.0, 0]]), 256)
    border = cv2.resize(photo[:, [column]], (1, len(photo) // 3), interpolation=cv2.INTER_AREA)
    inside = slice(2, len(border) - 2)
    assert np.abs(seen[inside].astype(int) - border[inside]).max() <= 8


@pytest.mark.parametrize("turn_deg", [0.0, 33.0, 180.0, -100.0])
@pytest.mark.parametrize("scale", [0.7, 1.6, 2.0, 3.3, 4.6])
def test_a_grid_shows_the_photo_where_it_lies(scale: float, turn_deg: float) -> None:
    x, y = np.meshgrid(np.arange(120), np.arange(110))
    slopes = np.stack([2 * x, 2 * y, x + y], -1).astype(np.uint8)
    size = int(60 / scale)
    turn = np.deg2rad(turn_deg)
    across, down = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    first = np.array([60.3, 54.8]) - (across + down) * (size - 1) / 2
    seen = sampled(slopes, np.column_stack([across, down, first]), size) / 2.0
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    there = first + columns[..., None] * across + rows[..., None] * down
    off = seen[..., :2] - there
    assert np.abs(off[3:-3, 3:-3]).max() <= 0.3  # 8 bits: 0.25
