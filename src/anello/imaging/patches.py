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

    labels : (h, w) 0 where there is none, else 1 to n.
    windows : (n, s, s, 15) 8-bit: colours, the patch itself, coverage and opening as the network
        saw them, and what is bare, close and then wide; last the patch's mean coverage everywhere.
    """

    labels: NDArray[np.int32]
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
    numbers = np.zeros(len(stats), np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    labels = numbers[pieces]
    total = np.bincount(labels.ravel(), seen.alpha.ravel(), minlength=len(kept) + 1)
    coverage = total[1:] / stats[kept, cv2.CC_STAT_AREA]
    windows = np.empty((len(kept), WINDOW, WINDOW, 15), np.uint8)
    said = np.dstack([np.uint8(255 * plane) for plane in (seen.alpha, seen.opening, bare)])
    full = _Surroundings.of(small, said, labels)
    half_size = (labels.shape[1] + 1) // 2, (labels.shape[0] + 1) // 2
    small_half, said_half = (
        np.asarray(cv2.resize(planes, half_size, interpolation=cv2.INTER_AREA), np.uint8)
        for planes in (small, said)
    )
    half = _Surroundings.of(small_half, said_half, labels[::2, ::2])
    whole = max(labels.shape)
    for n, piece in enumerate(kept):
        x, y, width, height, _ = stats[piece]
        middle = x + width // 2, y + height // 2
        close = min(max(CLOSE_AT_LEAST, round(CLOSE * max(width, height))), whole)
        windows[n, ..., :7] = full.window(n + 1, middle, close)
        wide = min(WIDE * close, whole)  # fine enough at half the size
        windows[n, ..., 7:14] = half.window(n + 1, (middle[0] // 2, middle[1] // 2), wide // 2)
        windows[n, ..., 14] = round(255 * coverage[n])
    return Patches(labels, windows)


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    """A reduced copy continued on all sides, so that windows at its border are whole."""

    colours: Bytes
    said: Bytes
    labels: NDArray[np.int32]
    beside: int

    @classmethod
    def of(cls, colours: Bytes, said: Bytes, labels: NDArray[np.int32]) -> _Surroundings:
        beside = max(labels.shape) // 2 + 1
        around, said_around = (
            np.asarray(cv2.copyMakeBorder(p, *[beside] * 4, cv2.BORDER_REPLICATE), np.uint8)
            for p in (colours, said)
        )
        return cls(around, said_around, np.pad(labels, beside), beside)

    def window(self, label: int, middle: tuple[int, int], side: int) -> Bytes:
        """(s, s, 7) of a square about a pixel, x, y."""
        x, y = (place + self.beside - side // 2 for place in middle)
        part = slice(y, y + side), slice(x, x + side)
        patch = 255 * (self.labels[part] == label).astype(np.uint8)
        way = cv2.INTER_AREA if side > WINDOW else cv2.INTER_LINEAR
        return np.dstack(
            [
                cv2.resize(planes, (WINDOW, WINDOW), interpolation=way)
                for planes in (self.colours[part], patch, self.said[part])
            ]
        )
