"""Masks: (h, w) bool of what is ring, ground or opening, grown, shrunk, cleaned and measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Float64, Mask, Roi
from anello.imaging.ground import connected_to, frame_mask

NEAR = 3
"""Radius, px, up to which a small disc is quicker than distances."""


def grown(mask: Mask, radius: int) -> Mask:
    """All within ``radius`` px of the mask."""
    if radius <= NEAR:
        return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0, bool)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away <= radius, bool) if mask.any() else mask


def shrunk(mask: Mask, radius: int) -> Mask:
    """What lies deeper than ``radius`` px in the mask."""
    if radius <= NEAR:
        return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius), borderValue=1) > 0, bool)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(depth > radius, bool)


@cache
def _disc(radius: int) -> Bytes:
    """All within ``radius`` px of the middle by OpenCV's distances; at least the neighbours."""
    if radius <= 1:
        return np.ones((3, 3), np.uint8)
    away = np.ones((2 * radius + 1,) * 2, np.uint8)
    away[radius, radius] = 0
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, 3) <= radius, np.uint8)


def opened(mask: Mask, radius: int) -> Mask:
    """What discs of this radius within the mask cover."""
    return grown(shrunk(mask, radius), radius)


def closed(mask: Mask, radius: int) -> Mask:
    """The mask with the gaps filled that such a disc does not fit into."""
    return shrunk(grown(mask, radius), radius) | mask


def size_of(mask: Mask | None) -> float:
    """Root of the bounding box's area, px."""
    if mask is None:
        return 0.0
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return 0.0
    return float(np.sqrt((rows[-1] - rows[0] + 1) * (cols[-1] - cols[0] + 1)))


def pieces(
    mask: Mask, connectivity: int = 4
) -> tuple[NDArray[np.int32], Callable[[Mask | Bytes | Float], Float64]]:
    """Labels of a mask's connected pieces, and what gives the mean of (h, w) values in each."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)
    within = np.flatnonzero(mask)
    piece = labels.ravel()[within]
    pixels = np.bincount(piece, minlength=count)

    def mean(values: Mask | Bytes | Float) -> Float64:
        total = np.bincount(piece, values.ravel()[within], minlength=count)
        return np.asarray(total / np.maximum(pixels, 1), np.float64)

    return labels, mean


def box_of(mask: Mask, margin: int) -> Roi:
    """Bounding box of a mask, with a margin, within the picture."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return (
        max(0, int(cols[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(cols[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def wide_parts(mask: Mask, radius: float) -> Mask:
    """The parts of a mask into which a disc of this radius fits."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return connected_to(mask, depth > max(radius, 1.5))


def largest(mask: Mask) -> Mask | None:
    """The connected part of most pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), bool)


def hull(mask: Mask) -> Mask:
    """The convex hull."""
    rows = np.flatnonzero(mask.any(1))
    first = mask.argmax(1)[rows]
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)[rows]
    ends = np.column_stack([np.concatenate([first, last]), np.concatenate([rows, rows])])
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(ends.astype(np.int32)), 1)
    return filled > 0


def holes(mask: Mask) -> Mask:
    """What a mask encloses."""
    return ~mask & ~connected_to(~mask, frame_mask(mask.shape, 0))


def main_part(ring: Mask) -> Mask:
    """The largest part and what lies within its outline: text, marks and neighbours are dropped."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ring.astype(np.uint8))
    if count < 2:
        return ring
    first = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    body = labels == first
    if count == 2:
        return np.asarray(body, bool)
    inside = np.bincount(labels[hull(body)], minlength=count) > 0.6 * stats[:, cv2.CC_STAT_AREA]
    big = stats[:, cv2.CC_STAT_AREA] > 0.002 * stats[first, cv2.CC_STAT_AREA]
    keep = inside & big
    keep[0] = False
    keep[first] = True
    return np.asarray(keep[labels], bool)


def smoothed(mask: Mask) -> Mask:
    """Without hairs and notches of a pixel or two."""
    return np.asarray(cv2.medianBlur(mask.astype(np.uint8), 5) > 0, bool)
