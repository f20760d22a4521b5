"""Patches of bare ground where the network saw ring: gaps between bands, or metal as white as the
ground? Cut out close and wide for a network of their own to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Mask
from anello.imaging.evidence import Seen

WINDOW = 48
"""Side of a window, px."""
CLOSE, CLOSE_AT_LEAST, WIDE = 2.2, 32, 4
"""Side of the close window, of the patch's box; its least, px; and how much wider the wide one is,
which ends with the picture."""
TAKEN_FOR_RING = 0.4
"""The network's coverage from which bare ground was taken for ring."""
LEAST_PATCH, MOST_PATCHES = 12, 16
"""Smallest patch that is looked at, px of the reduced copy, and how many are."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Where they are, and what they look like.

    labels : (h, w) 8-bit, 0 where there is none, else 1 to n.
    area : (n,) px. beside_ground : (n,) share of the pixels next to it that are bare and weren't
        taken for ring.
    windows : (n, s, s, 15) 8-bit: colours, the patch itself, coverage and opening as the network
        saw them, and what is bare, close and then wide; last the patch's mean coverage everywhere.
    """

    labels: Bytes
    area: NDArray[np.int32]
    beside_ground: Float
    windows: Bytes


TellGaps: TypeAlias = Callable[[Patches], Float]
"""Gives the (n,) probabilities that the patches are gaps."""


def find_patches(small: Bytes, bare: Mask, seen: Seen) -> Patches:
    """The largest patches of bare ground in a reduced copy, (h, w, 3) sRGB, that were taken for
    ring."""
    taken = (bare & (seen.alpha > TAKEN_FOR_RING)).astype(np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(taken, connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = np.argsort(-areas, kind="stable")[:MOST_PATCHES]
    kept = 1 + largest[areas[largest] >= LEAST_PATCH]
    numbers = np.zeros(len(stats), np.uint8)
    numbers[kept] = np.arange(1, len(kept) + 1)
    labels = numbers[pieces]
    windows = np.empty((len(kept), WINDOW, WINDOW, 15), np.uint8)
    planes = seen.alpha, seen.opening, bare.astype(np.float32)
    said = np.asarray(cv2.merge([np.uint8(255 * plane) for plane in planes]), np.uint8)
    full = small, said, labels
    half_size = (labels.shape[1] + 1) // 2, (labels.shape[0] + 1) // 2
    small_half, said_half = (
        np.asarray(cv2.resize(planes, half_size, interpolation=cv2.INTER_AREA), np.uint8)
        for planes in (small, said)
    )
    half = small_half, said_half, labels[::2, ::2]
    whole = max(labels.shape)
    for n, piece in enumerate(kept):
        x, y, width, height, _ = stats[piece]
        middle = x + width // 2, y + height // 2
        close = min(max(CLOSE_AT_LEAST, round(CLOSE * max(width, height))), whole)
        windows[n, ..., :7] = _window(*full, n + 1, middle, close)
        wide = min(WIDE * close, whole)  # fine enough at half the size
        windows[n, ..., 7:14] = _window(*half, n + 1, (middle[0] // 2, middle[1] // 2), wide // 2)
        here = slice(y, y + height), slice(x, x + width)
        coverage = float(seen.alpha[here][labels[here] == n + 1].mean(dtype=np.float64))
        windows[n, ..., 14] = round(255 * coverage)
    beside_ground = _shares_beside(labels, bare & (taken == 0), len(kept))
    return Patches(labels, stats[kept, cv2.CC_STAT_AREA], beside_ground, windows)


def _shares_beside(labels: Bytes, what: Mask, n: int) -> Float:
    """(n,) share of ``what`` among the pixels next to each label."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    around = cv2.dilate(labels, cross)
    at = np.flatnonzero((around > 0) & (labels == 0))
    beside = around.ravel()[at]
    pixels, share = (
        np.bincount(b, minlength=n + 1)[1:] for b in (beside, beside[what.ravel()[at]])
    )
    return np.asarray(share / np.maximum(pixels, 1), np.float32)


def _window(
    colours: Bytes, said: Bytes, labels: Bytes, label: int, middle: tuple[int, int], side: int
) -> Bytes:
    """(s, s, 7) of a square about a pixel, x, y; the copy's border goes on beyond it."""
    height, width = labels.shape
    left, top = (place - side // 2 for place in middle)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
    part = slice(y0, y1), slice(x0, x1)
    beyond = y0 - top, top + side - y1, x0 - left, left + side - x1
    patch = 255 * (labels[part] == label).astype(np.uint8)
    way = cv2.INTER_AREA if side > WINDOW else cv2.INTER_LINEAR
    views = []
    for planes, border in (
        (colours[part], cv2.BORDER_REPLICATE),
        (patch, cv2.BORDER_CONSTANT),
        (said[part], cv2.BORDER_REPLICATE),
    ):
        square = cv2.copyMakeBorder(planes, *beyond, border) if any(beyond) else planes
        views.append(cv2.resize(square, (WINDOW, WINDOW), interpolation=way))
    return np.dstack(views)
