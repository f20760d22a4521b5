"""Regions of interest, and reading them at another size."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Float64, Roi

T = TypeVar("T", bound=np.generic)


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


def joined(*rois: Roi) -> Roi:
    """The box around all those that are not empty."""
    some = [roi for roi in rois if not is_empty(roi)] or [rois[0]]
    x0, y0, x1, y1 = zip(*some, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def is_empty(roi: Roi) -> bool:
    return roi[2] <= roi[0] or roi[3] <= roi[1]


def placed(values: Float, roi: Roi, outer: Roi) -> Float:
    """``values`` of ``roi`` in the larger frame of ``outer``, zero around it."""
    top, left = roi[1] - outer[1], roi[0] - outer[0]
    out = np.zeros((outer[3] - outer[1], outer[2] - outer[0], *values.shape[2:]), np.float32)
    out[top : top + values.shape[0], left : left + values.shape[1]] = values
    return out


def crop(values: NDArray[T], roi: Roi, outer: Roi | None = None) -> NDArray[T]:
    """The view of ``roi``, where ``values`` covers ``outer`` (the whole photo without it)."""
    left, top = (0, 0) if outer is None else outer[:2]
    return values[roi[1] - top : roi[3] - top, roi[0] - left : roi[2] - left]


def downscaled(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """An 8-bit copy of that width and height, no larger: halved while that is exact, then bilinear.
    To measure on: means over areas that end within pixels are smoother and take ten times as long.
    """
    width, height = size
    while all(
        have >= 2 * wanted and have % 2 == 0
        for have, wanted in zip(pixels.shape, (height, width), strict=False)
    ):
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
    far = pixels.shape[1] > 2 * width or pixels.shape[0] > 2 * height
    way = cv2.INTER_AREA if far else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def sampled(pixels: Bytes, photo_from_grid: Float64, size: int) -> Bytes:
    """The photo under a square grid of (size, size), as means of as many whole pixels as it is
    finer; continued at its borders. photo_from_grid : (2, 3), turned, scaled and moved."""
    scale = float(np.hypot(*photo_from_grid[:, 0]))
    part_from_grid = photo_from_grid.copy()
    if round(scale) > 1:
        corners = np.array([[0, 0, size - 1, size - 1], [0, size - 1, 0, size - 1], [1, 1, 1, 1]])
        reached = photo_from_grid @ corners
        # At least the border, which goes on beyond the photo.
        last = np.array([pixels.shape[1] - 1, pixels.shape[0] - 1])
        x0, y0 = np.clip(np.floor(reached.min(1) - scale), 0, last).astype(int)
        x1, y1 = np.clip(np.ceil(reached.max(1) + scale), 0, last).astype(int) + 1
        pixels = pixels[y0:y1, x0:x1]
        part_from_grid[:, 2] -= x0, y0
        # Means of separate pixels first: those of all neighbours take long where there are many.
        step = min(max(round(scale) // 2, 1), *pixels.shape[:2])
        if step > 1:
            size_of_means = pixels.shape[1] // step, pixels.shape[0] // step
            whole = pixels[: size_of_means[1] * step, : size_of_means[0] * step]
            pixels = np.asarray(cv2.resize(whole, size_of_means, interpolation=cv2.INTER_AREA))
            part_from_grid[:, 2] += 0.5 - 0.5 * step
            part_from_grid /= step
        beside = max(1, round(scale / step))
        pixels = cv2.blur(pixels, (beside, beside), borderType=cv2.BORDER_REPLICATE)
        # OpenCV writes the mean of an even number of pixels half a pixel after their middle.
        part_from_grid[:, 2] += 0.5 * (beside % 2 == 0)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(
        pixels, part_from_grid, (size, size), flags=way, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(square, np.uint8)


def resampled(values: Float, roi: Roi, wanted: Roi, size: tuple[int, int] | None = None) -> Float:
    """The photo's pixels of ``wanted`` from ``values``, which cover ``roi`` in pixels of their own;
    bilinear, beyond the border as at the border. size : width, height of the answer, if not one
    value a pixel is asked for."""
    x0, y0, x1, y1 = wanted
    width, height = size or (x1 - x0, y1 - y0)
    scale_x, scale_y = values.shape[1] / (roi[2] - roi[0]), values.shape[0] / (roi[3] - roi[1])
    step_x, step_y = (x1 - x0) / width * scale_x, (y1 - y0) / height * scale_y
    values_from_wanted = np.array(
        [
            [step_x, 0, (x0 - roi[0]) * scale_x + 0.5 * step_x - 0.5],
            [0, step_y, (y0 - roi[1]) * scale_y + 0.5 * step_y - 0.5],
        ]
    )
    read = cv2.warpAffine(
        values,
        values_from_wanted,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(read, np.float32)
