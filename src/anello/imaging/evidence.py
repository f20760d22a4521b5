"""What a network saw in a product photo: where ring is, its opening and parts, points, view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Roi

View: TypeAlias = Literal["three-quarter", "top", "face-on", "side", "lying", "pair"]


PRESENT = 0.5
"""The network's own probability of a ring below which there is none."""

LEAST_PART, LEAST_WAY = 0.004, 0.04
"""Share of the grid that a half of the band covers at least, and of its side that the two halves'
middles lie apart, for the one to be told from the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the network saw, laid over a reduced copy of a part of the photo.

    alpha, opening : (h, w) probabilities in [0, 1].
    """

    alpha: Float
    opening: Float


@dataclass(frozen=True, slots=True, eq=False)
class Clues:
    """Where the hoop's ends, sides and head were seen, for the fit of the ring's shape.

    contacts_xy : (2, 2) px, left and right ends of the near inner rim, or None.
    up_xy : (2,) from the far half of the band towards the near one, whose outside is seen; a unit
        vector in picture coordinates, or None where the two can't be told apart.
    head_xy : (2,) px, or None.
    """

    contacts_xy: Float64 | None
    up_xy: Float64 | None
    head_xy: Float64 | None

    def in_crop(self, offset_xy: tuple[float, float], scale: float) -> Clues:
        """The same in a crop that is ``scale`` times as large."""

        def moved(points: Float64 | None) -> Float64 | None:
            return None if points is None else (points - np.array(offset_xy) + 0.5) * scale - 0.5

        return replace(self, contacts_xy=moved(self.contacts_xy), head_xy=moved(self.head_xy))


@dataclass(frozen=True, slots=True, eq=False)
class RingEvidence:
    """Probabilities on a square grid laid over the product photo.

    alpha, opening, front, rear, head : (s, s) in [0, 1]: coverage, ground seen through the hoop,
        and the ring's parts.
    photo_from_grid : (2, 3) affine, px; integer coordinates are centres.
    contacts_xy : (2, 2) px of the photo, left and right ends of the opening, or None.
    head_xy : (2,) px of the photo, or None.
    contact_score, presence, opening_seen : in [0, 1].
    """

    alpha: Float
    opening: Float
    front: Float
    rear: Float
    head: Float
    photo_from_grid: Float64
    contacts_xy: Float64 | None
    head_xy: Float64 | None
    contact_score: float
    presence: float
    opening_seen: float
    elevation_deg: float
    view: View

    @property
    def shows_ring(self) -> bool:
        """Whether there is a ring at all."""
        return self.presence > PRESENT and main_box(self.alpha) is not None

    @property
    def clues(self) -> Clues:
        """What the fit of the ring's shape can use."""
        front, rear = _centre(self.front), _centre(self.rear)
        up_xy = None
        if front is not None and rear is not None:
            way = front - rear
            far = float(np.hypot(*way))
            up_xy = way / far if far > LEAST_WAY * len(self.alpha) else None
        return Clues(self.contacts_xy, up_xy, self.head_xy)

    def over(self, roi: Roi, shape: tuple[int, ...]) -> Seen:
        """Coverage and opening over a part of the photo, reduced or enlarged to ``shape``."""
        return Seen(self.seen_in(self.alpha, roi, shape), self.seen_in(self.opening, roi, shape))

    def seen_in(self, plane: Float, roi: Roi, shape: tuple[int, ...]) -> Float:
        """A plane as it lies over a part of the photo, reduced or enlarged to ``shape`` (h, w)."""
        height, width = shape[:2]
        scale = np.array([(roi[2] - roi[0]) / width, (roi[3] - roi[1]) / height])
        photo_from_part = np.diag([*scale, 1.0])
        photo_from_part[:2, 2] = np.array(roi[:2]) + 0.5 * scale - 0.5
        grid_from_photo = cv2.invertAffineTransform(self.photo_from_grid)
        grid_from_part = grid_from_photo @ photo_from_part
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(plane, grid_from_part, (width, height), flags=way)
        return np.asarray(part, np.float32)

    def box(self, margin: float, size: tuple[int, int]) -> Roi | None:
        """Around the ring, with a margin (share of its long side), within a photo of ``size``."""
        found = main_box(self.alpha)
        if found is None:
            return None
        x0, y0, x1, y1 = found
        ends = np.array([[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5]])
        low, high = ends @ self.photo_from_grid[:, :2].T + self.photo_from_grid[:, 2] + 0.5
        beside = margin * float((high - low).max()) + 2
        return (
            max(0, int(low[0] - beside)),
            max(0, int(low[1] - beside)),
            min(size[0], int(np.ceil(high[0] + beside))),
            min(size[1], int(np.ceil(high[1] + beside))),
        )


def _centre(plane: Float) -> Float64 | None:
    """(2,) mean x, y of what is likelier than not, or None if that is next to nothing."""
    rows, cols = np.nonzero(plane > 0.5)
    if rows.size < LEAST_PART * plane.size:
        return None
    return np.array([cols.mean(), rows.mean()])


def main_box(alpha: Float, least: float = 0.1) -> Roi | None:
    """Around the likely ring's main part and all that is not much smaller; None if nothing is."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))
    area = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or area.max() < 12:
        return None
    some = stats[1:][area >= least * area.max()]
    low, high = some[:, :2].min(0), (some[:, :2] + some[:, 2:4]).max(0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
