"""A straight strip of the photo along a finger: its silhouettes run nearly upright in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64

_REACH_ALONG = 1.6
"""Half length of the strip, expected finger widths."""
_REACH_ACROSS = 1.2
"""Half breadth of the strip, expected widths: room for a centre off by 0.3, and ground."""
ROW_STEP = 2.0
"""Strip rows are this much coarser than columns: silhouettes run along."""
_FINEST_PX = 0.5
"""Never sample finer than this, photo px: below it there is nothing to see."""


@dataclass(frozen=True, slots=True, eq=False)
class StripFrame:
    """A straight strip: origin px of the photo, unit axis (up in the strip), photo px a column."""

    origin_xy: Float64
    axis_xy: Float64
    px: float
    rows: int
    cols: int

    @property
    def across_xy(self) -> Float64:
        return np.array([-self.axis_xy[1], self.axis_xy[0]])

    def to_photo(self, col: Float64, row: Float64) -> Float64:
        """(..., 2) photo px of strip columns and rows."""
        x = (np.asarray(col) - (self.cols - 1) / 2) * self.px
        y = ((self.rows - 1) / 2 - np.asarray(row)) * self.px * ROW_STEP
        return self.origin_xy + x[..., None] * self.across_xy + y[..., None] * self.axis_xy

    def to_strip(self, point_xy: Float64) -> tuple[float, float]:
        """Column and row of a photo point."""
        d = (point_xy - self.origin_xy) / self.px
        return (
            float(d @ self.across_xy + (self.cols - 1) / 2),
            float((self.rows - 1) / 2 - d @ self.axis_xy / ROW_STEP),
        )


def strip_frame(middle: Float64, axis: Float64, width: float, columns: int) -> StripFrame:
    """The strip around a finger's middle.

    middle : (2,) px. axis : (2,) unit, towards the tip. width : expected, px. columns : of the
    strip across that width, where the photo has so many.
    """
    px = max(width / columns, _FINEST_PX)
    rows = 2 * round(_REACH_ALONG * width / px / ROW_STEP) + 1
    cols = 2 * round(_REACH_ACROSS * width / px) + 1
    return StripFrame(middle, axis, px, rows, cols)


def rectify(source: Bytes, frame: StripFrame) -> tuple[Bytes, Float]:
    """The strip (rows, cols, 3) and which of its pixels lie in the photo, 0 or 1."""
    corners = frame.to_photo(
        np.array([0.0, frame.cols - 1, 0, frame.cols - 1]),
        np.array([0.0, 0, frame.rows - 1, frame.rows - 1]),
    )
    height, width = source.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 3, 0, [width - 1, height - 1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 4, low + 1, [width, height])
    part = source[low[1] : high[1], low[0] : high[0]]
    ratio = np.ones(2)
    if frame.px > 1.3:  # reduce by area first, so that the strip does not alias
        size = np.maximum(1, np.round((high - low) / frame.px)).astype(int)
        ratio = size / (high - low)
        small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        part = np.asarray(small, np.uint8)
    corner_points = corners[:3]
    in_part = ((corner_points - low + 0.5) * ratio - 0.5).astype(np.float32)
    in_strip = np.array([[0, 0], [frame.cols - 1, 0], [0, frame.rows - 1]], np.float32)
    matrix = cv2.getAffineTransform(in_strip, in_part)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size_wh = (frame.cols, frame.rows)
    strip = cv2.warpAffine(part, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    ones = np.full(part.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(ones, matrix, size_wh, flags=flags, borderValue=0)
    return np.asarray(strip, np.uint8), (inside > 127).astype(np.float32)
