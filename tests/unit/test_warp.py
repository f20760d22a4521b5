from __future__ import annotations

import cv2
import numpy as np
import pytest

from anello.imaging.warp import crop, grown_roi, is_empty, joined, placed, resampled


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
