"""The two ends of a ring's near inner rim, cut out close and wide around where they were seen, for
a network of their own to look at; and where in such a window it saw the end.
"""

from __future__ import annotations

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64
from anello.imaging.warp import sampled

WINDOW = 96
"""Side of a window, px."""
CLOSE, WIDE = 0.56, 4
"""Side of the close window over the distance of the two ends, and how much wider the wide one is,
which shows all of the hoop."""
NEAR_PEAK = 2
"""Cells over which to each side of the highest an end's place is averaged."""


def contact_windows(pixels: Bytes, contacts_xy: Float64) -> tuple[Bytes, Float64]:
    """The (2, s, s, 6) sRGB windows, close and wide, of both ends in an (h, w, 3) photo, away from
    the other end to the right; and the (2, 2, 3) affines that lead from the close ones' pixels to
    the photo's."""
    windows = np.empty((2, WINDOW, WINDOW, 6), np.uint8)
    photo_from_close = np.empty((2, 2, 3))
    for k, (end, other) in enumerate(zip(contacts_xy, contacts_xy[::-1], strict=True)):
        photo_from_close[k] = _photo_from_window(end, other, CLOSE)
        windows[k, ..., :3] = sampled(pixels, photo_from_close[k], WINDOW)
        windows[k, ..., 3:] = sampled(pixels, _photo_from_window(end, other, WIDE * CLOSE), WINDOW)
    return windows, photo_from_close


def place_in_window(heat: Float) -> Float64:
    """(2,) px of the window where the end is, of the (c, c) logarithms of how likely it is in each
    cell: the mean about the 3 x 3 cells where it most likely is."""
    cell = WINDOW / len(heat)
    likely = np.exp(heat - heat.max(), dtype=np.float64)
    around = cv2.boxFilter(likely, -1, (3, 3), borderType=cv2.BORDER_CONSTANT)
    row, col = np.unravel_index(int(around.argmax()), heat.shape)
    y0, x0 = max(0, int(row) - NEAR_PEAK), max(0, int(col) - NEAR_PEAK)
    near = likely[y0 : row + NEAR_PEAK + 1, x0 : col + NEAR_PEAK + 1]
    columns, rows = x0 + np.arange(near.shape[1]), y0 + np.arange(near.shape[0])
    cells_xy = np.array([near.sum(0) @ columns, near.sum(1) @ rows]) / near.sum()
    return np.asarray((cells_xy + 0.5) * cell - 0.5)


def _photo_from_window(end: Float64, other: Float64, side: float) -> Float64:
    """(2, 3) to the photo from the window about an end, ``side`` times the ends' distance wide."""
    away = (end - other) * side / WINDOW
    turned = np.array([[away[0], -away[1]], [away[1], away[0]]])
    return np.column_stack([turned, end - turned @ np.full(2, (WINDOW - 1) / 2)])
