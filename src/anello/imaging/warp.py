"""Arithmetic on regions of interest."""

from __future__ import annotations

import numpy as np

from anello.imaging.arrays import Float, Roi


def grown_roi(roi: Roi, margin: int, size: tuple[int, int]) -> Roi:
    """``roi`` with ``margin`` px more on each side, within a photo of ``size`` (width, height)."""
    x0, y0, x1, y1 = roi
    width, height = size
    return (
        max(x0 - margin, 0),
        max(y0 - margin, 0),
        min(x1 + margin, width),
        min(y1 + margin, height),
    )


def is_empty(roi: Roi) -> bool:
    return roi[2] <= roi[0] or roi[3] <= roi[1]


def placed(values: Float, roi: Roi, outer: Roi) -> Float:
    """``values`` of ``roi`` in the larger frame of ``outer``, zero around it."""
    top, left = roi[1] - outer[1], roi[0] - outer[0]
    out = np.zeros((outer[3] - outer[1], outer[2] - outer[0], *values.shape[2:]), np.float32)
    out[top : top + values.shape[0], left : left + values.shape[1]] = values
    return out
