"""The drawings draw on copies, and on anything."""

import numpy as np

from anello import debug
from anello.imaging.hand import PoseCheck


def test_a_refused_photo_is_drawn_too() -> None:
    photo = np.full((40, 30, 3), 200, np.uint8)
    before = photo.copy()
    check = PoseCheck("sharp", False, 0.9, "<= 0.5", "Blurred", "Hold still.")
    for checks in ((), (check,), (check,) * 40):
        drawn = debug.draw_hand(photo, None, checks)
        assert drawn.shape == photo.shape
        assert drawn.dtype == np.uint8
        assert (drawn != photo).any()
    np.testing.assert_array_equal(photo, before)


def test_large_photos_are_reduced() -> None:
    drawn = debug.draw_hand(np.zeros((3200, 400, 3), np.uint8), None, ())
    assert drawn.shape == (debug.LONG_SIDE, debug.LONG_SIDE // 8, 3)


def test_a_close_up_keeps_points_in_place() -> None:
    photo = np.zeros((100, 120, 3), np.uint8)
    photo[60, 70] = 255
    canvas, to_canvas = debug._close_up(photo, (50, 40, 90, 80))
    x, y = to_canvas(np.array([70.0, 60.0]))
    row, column = np.unravel_index(int(canvas[..., 0].argmax()), canvas.shape[:2])
    assert abs(column - x) < 12
    assert abs(row - y) < 12
    outside, _ = debug._close_up(photo, (-500, -500, -400, -400))
    assert outside.size
