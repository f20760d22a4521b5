"""What a network saw in a product photo: where ring is, its opening and parts, points, view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Roi

View: TypeAlias = Literal["three-quarter", "top", "face-on", "side", "lying", "pair"]

RING_ODDS, ENDS_SAY, FAINT_ENDS, VAGUE_SAYS = 4.5, 20.0, 0.2, -2.0
"""Log odds above which there is a ring: those of the network's own answer, moved by how clearly it
saw a rim's ends and by how vague the rest is. Of 39 photos of rings the least sure has 5.2, of 32
of hands the surest 3.8."""

DOUBT, DOUBT_COSTS, UNCERTAIN = 0.3, 2.0, 0.6
"""Distance of a coverage from one half within which it is doubtful, how much a ring of which all is
doubtful is less certain than one, and the certainty below which that is said."""
CLEAR_VIEW = 0.7
"""Probability from which a view is said to be one."""
VIEW_REMEDIES: dict[View, str] = {
    "top": "the ring is seen from above its head; a three-quarter view shows how it is built",
    "face-on": "the ring is seen through its hole; a three-quarter view shows its outside",
    "side": "the ring is seen from its side; a three-quarter view shows its front",
    "pair": "there is more than one ring in the photo; a photo of one gives a better picture",
}

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

    def log_odds(self, at_most: float) -> Float:
        """(h, w) log of ring's odds against ground's; no surer than ``at_most``."""
        share = np.clip(self.alpha, 1 - at_most, at_most)
        return np.asarray(np.log(share / (1 - share)), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Clues:
    """Where the hoop's ends and halves were seen, for the fit of the ring's shape.

    contacts_xy : (2, 2) px, left and right ends of the near inner rim, or None.
    contact_score : how clearly they were seen, in [0, 1].
    elevation_deg : of the view out of the hoop's plane, as it looked; None if not known.
    up_xy : (2,) from the far half of the band towards the near one, whose outside is seen; a unit
        vector in picture coordinates, or None where the two can't be told apart.
    coverage : (s, s) 0 to 255, how likely ring, on the network's grid; None if not kept.
    here_from_grid : (2, 3) affine from there to this picture, px.
    view : how the ring seems to be seen; None if not known.
    """

    contacts_xy: Float64 | None
    contact_score: float = 0.0
    elevation_deg: float | None = None
    up_xy: Float64 | None = None
    coverage: Bytes | None = None
    here_from_grid: Float64 | None = None
    view: View | None = None

    def in_crop(self, offset_xy: tuple[float, float], scale: float) -> Clues:
        """The same in a crop that is ``scale`` times as large."""

        def moved(points: Float64 | None) -> Float64 | None:
            return None if points is None else (points - np.array(offset_xy) + 0.5) * scale - 0.5

        grid = self.here_from_grid
        if grid is not None:
            shift = (grid[:, 2] - np.array(offset_xy) + 0.5) * scale - 0.5
            grid = np.column_stack([grid[:, :2] * scale, shift])
        return replace(self, contacts_xy=moved(self.contacts_xy), here_from_grid=grid)

    def coverage_over(self, shape: tuple[int, ...]) -> Bytes | None:
        """(h, w) of ``coverage`` over this picture."""
        if self.coverage is None or self.here_from_grid is None:
            return None
        size = (shape[1], shape[0])
        return np.asarray(cv2.warpAffine(self.coverage, self.here_from_grid, size), np.uint8)


@dataclass(frozen=True, eq=False)
class RingEvidence:
    """Probabilities on a square grid laid over the product photo.

    alpha, opening, front, rear : (s, s) in [0, 1]: coverage, ground seen through the hoop, and the
        band's near and far halves.
    photo_from_grid : (2, 3) affine, px; integer coordinates are centres.
    contacts_xy : (2, 2) px of the photo, left and right ends of the opening, or None.
    contact_score, presence, view_score : probabilities in [0, 1].
    elevation_deg : 0 looks at the band's outside edge-on, 90 through the hole.
    """

    alpha: Float
    opening: Float
    front: Float
    rear: Float
    photo_from_grid: Float64
    contacts_xy: Float64 | None
    contact_score: float
    presence: float
    view: View
    view_score: float
    elevation_deg: float

    @cached_property
    def shows_ring(self) -> bool:
        """Whether there is a ring at all: seen as one, with ends of a rim, and not vaguely."""
        presence = min(self.presence, 1 - 1e-6)
        odds = np.log(max(presence, 1e-6) / (1 - presence))
        odds += ENDS_SAY * (self.contact_score - FAINT_ENDS) + VAGUE_SAYS * (1 - self.certainty)
        return bool(odds > RING_ODDS) and self._main_box is not None

    @cached_property
    def _main_box(self) -> Roi | None:
        return main_box(self.alpha)

    @cached_property
    def certainty(self) -> float:
        """0 to 1: how little of the ring, its outline apart, could as well be ground."""
        doubtful = (np.abs(self.alpha - 0.5) < DOUBT).astype(np.uint8)
        doubtful = cv2.morphologyEx(doubtful, cv2.MORPH_OPEN, np.ones((4, 4), np.uint8))
        share = float(doubtful.sum()) / max(1.0, float((self.alpha > 0.5).sum()))
        return self.presence * max(0.0, 1 - DOUBT_COSTS * share)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could be better about the photo, and what would help."""
        said = []
        if self.certainty < UNCERTAIN:
            said.append(
                "parts of the ring can hardly be told from what is round it; "
                "a plain ground of another tone, or a mask, gives a cleaner cut-out"
            )
        if self.view in VIEW_REMEDIES and self.view_score > CLEAR_VIEW:
            said.append(VIEW_REMEDIES[self.view])
        return tuple(said)

    @property
    def clues(self) -> Clues:
        """What the fit of the ring's shape can use."""
        front, rear = _centre(self.front), _centre(self.rear)
        up_xy = None
        if front is not None and rear is not None:
            way = front - rear
            far = float(np.hypot(*way))
            up_xy = way / far if far > LEAST_WAY * len(self.alpha) else None
        coverage = np.round(self.alpha * 255).astype(np.uint8)
        return Clues(
            self.contacts_xy,
            self.contact_score,
            self.elevation_deg,
            up_xy,
            coverage,
            self.photo_from_grid,
            self.view,
        )

    def turned_back(self, width: int) -> RingEvidence:
        """The same over a photo that was turned a quarter to the left, once it is turned back.

        width : of the photo before it was turned, px.
        """
        side = (len(self.alpha) - 1) / 2
        scale = self.photo_from_grid[:, :2]
        x, y = scale @ (side, side) + self.photo_from_grid[:, 2]
        middle = np.array([width - 1 - y, x])
        ends = self.contacts_xy
        if ends is not None:
            ends = np.column_stack([width - 1 - ends[:, 1], ends[:, 0]])
            ends = ends[ends[:, 0].argsort()]
        alpha, opening, front, rear = (
            np.ascontiguousarray(np.rot90(plane, -1))
            for plane in (self.alpha, self.opening, self.front, self.rear)
        )
        return replace(
            self,
            alpha=alpha,
            opening=opening,
            front=front,
            rear=rear,
            photo_from_grid=np.column_stack([scale, middle - scale @ (side, side)]),
            contacts_xy=ends,
        )

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
        found = self._main_box
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
