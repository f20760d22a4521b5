"""The ring network on LiteRT: what in a product photo is ring, opening, front, rear and head.

Its weights are ours (``training/``), so they come with the package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, get_args

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Roi
from anello.imaging.evidence import RingEvidence, View, main_box
from anello.imaging.warp import sampled
from anello.models.contact_network import ContactNetwork
from anello.models.interpreter import Network
from anello.models.patch_network import PatchNetworks

WEIGHTS = Path(__file__).with_name("ring_network.tflite")
_MARGIN = 0.14
"""Ground round the ring's box in the second look, share of its long side."""
_CLOSER = (1 / 1.15 - 1) / 2
"""The same in the mirror, of what was seen: less than nothing, for it looks 1.15 times as close."""
_FILLS = 0.66
"""A ring this large in the look's square, of its side, needs no closer one."""
_CLOSER_LOOKS = 3
"""At most: of a tiny ring the first sees more than the ring, or only a part of it."""
_TURNS, _SURE = (2, 1, 3), 0.7
"""Quarters to the left by which a photo without a ring is turned, in this order; and how certain a
ring must be that is seen then."""
_LIGHTEST, _WHITE = 99.0, 250.0
"""Percentile of a channel that is made so light."""
_LEAST_GAIN, _MOST_GAIN = 1.25, 2.5
"""Gain of a channel from which light is clearly dim or coloured, and the largest that is given."""
_MIN_CONTACT = 0.15
"""Score of a point below which there is none."""
_POINT_APART, _PEAK = 8, 2
"""Cells by which two points of one plane lie apart at least, and over which to each side a point's
place is averaged."""
_VIEWS: tuple[View, ...] = get_args(View)

_Part: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in the photo, px; may reach beyond it."""


class RingNetwork:
    """The network, loaded once, one thread."""

    def __init__(self, path: str | Path = WEIGHTS) -> None:
        self._network = Network(path)
        self.size = self._network.input_side
        self.tell_gaps = PatchNetworks().tell_gaps
        self._closer_contacts = ContactNetwork().look

    def look(self, pixels: Bytes) -> RingEvidence:
        """What there is in an (h, w, 3) sRGB photo.

        Where no ring is seen, it may stand on its head or lie on its side, which the network knows
        less well: then the photo is turned.
        """
        seen = self._look(pixels)
        for quarters in _TURNS:
            if seen.shows_ring:
                break
            turned = self._look(np.ascontiguousarray(np.rot90(pixels, quarters)))
            if turned.shows_ring and turned.certainty > _SURE:
                seen = turned
                for done in range(quarters, 0, -1):
                    seen = seen.turned_back(pixels.shape[done % 2])
        return seen

    def _look(self, pixels: Bytes) -> RingEvidence:
        """What there is in a photo the way it is: closer where the ring is small, and farther again
        where too little of it was seen."""
        height, width = pixels.shape[:2]
        seen = self._look_at(pixels, (0.0, 0.0, float(width), float(height)))
        part = self._around(seen)
        for _ in range(_CLOSER_LOOKS):
            if part is None:
                break
            seen = self._look_at(pixels, part)
            part = self._around(seen, or_cut=True)
        whole = 0, 0, self.size, self.size
        mirrored = self._look_at(pixels, seen.part_around(whole, _CLOSER), mirrored=True)
        _, scores = _peaks(seen.heat[..., 0], 2)
        told = self._told(seen.mean_with(mirrored), float(scores.min()))
        if told.contacts_xy is None:
            return told
        return replace(told, contacts_xy=self._closer_contacts(pixels, told.contacts_xy))

    def _around(self, seen: _Look, or_cut: bool = False) -> _Part | None:
        """The part of the photo with a ring that is small in what was seen, or that it cuts."""
        box = main_box(seen.alpha)
        if box is None:
            return None
        is_small = max(box[2] - box[0], box[3] - box[1]) <= _FILLS * self.size
        is_cut = min(box[:2]) <= 0 or max(box[2:]) >= self.size
        return seen.part_around(box) if is_small or (or_cut and is_cut) else None

    def _look_at(self, pixels: Bytes, part: _Part, mirrored: bool = False) -> _Look:
        """A part of the photo in the middle of the network's square; or in the mirror, where the
        network errs at other places."""
        x0, y0, x1, y1 = part
        size = self.size
        scale = max(x1 - x0, y1 - y0) / size
        middle = np.array([x0 + x1 - 1, y0 + y1 - 1]) / 2
        photo_from_grid = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
        photo_from_grid[:, 2] = middle - scale * (size - 1) / 2
        square = _balanced(sampled(pixels, photo_from_grid, size))
        way = -1 if mirrored else 1
        planes, heat, whole = self._network.run(np.ascontiguousarray(square[:, ::way]))
        return _Look(photo_from_grid, planes[0, :, ::way], heat[0, :, ::way], whole[0])

    def _told(self, seen: _Look, contact_score: float) -> RingEvidence:
        """What the network said, as evidence about the photo."""
        alpha, opening, front, rear, _ = (
            np.ascontiguousarray(plane) for plane in seen.planes.transpose(2, 0, 1)
        )
        contacts, _ = _peaks(seen.heat[..., 0], 2)
        cells_xy = contacts[contacts[:, 0].argsort()]
        cell = self.size / len(seen.heat)
        whole = seen.whole
        return RingEvidence(
            alpha=alpha,
            opening=opening,
            front=front,
            rear=rear,
            photo_from_grid=seen.photo_from_grid,
            contacts_xy=seen.to_photo((cells_xy + 0.5) * cell - 0.5)
            if contact_score > _MIN_CONTACT
            else None,
            contact_score=contact_score,
            presence=_sigmoid(whole[0]),
            view=_VIEWS[int(np.argmax(whole[3:]))],
            view_score=_largest_share(whole[3:]),
            elevation_deg=float(np.clip(90 * whole[2], 0, 90)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Where the square lies that was looked at, and what the network said: planes (s, s, 5) and
    heat (c, c, 2) in [0, 1], and ``whole``, (n,) numbers of the whole picture."""

    photo_from_grid: Float64
    planes: Float
    heat: Float
    whole: Float

    @property
    def alpha(self) -> Float:
        return np.ascontiguousarray(self.planes[..., 0])

    def to_photo(self, grid_xy: Float64) -> Float64:
        to = self.photo_from_grid
        return np.asarray(grid_xy @ to[:, :2].T + to[:, 2])

    def mean_with(self, other: _Look) -> _Look:
        """The mean of both where the other one looked, too."""
        return replace(
            self,
            planes=self._mean(self.planes, other.planes, other.photo_from_grid),
            heat=self._mean(self.heat, other.heat, other.photo_from_grid),
        )

    def _mean(self, here: Float, there: Float, photo_from_there: Float64) -> Float:
        """Of planes (c, c, n) with c cells along the grid, and of those of another look."""
        cell = len(self.planes) / len(here)
        grid_from_cells = np.array(
            [[cell, 0, (cell - 1) / 2], [0, cell, (cell - 1) / 2], [0, 0, 1]]
        )
        photo_from_here = self.photo_from_grid @ grid_from_cells
        there_from_photo = cv2.invertAffineTransform(photo_from_there @ grid_from_cells)
        moved = cv2.warpAffine(
            np.ascontiguousarray(there),
            there_from_photo @ np.vstack([photo_from_here, [0, 0, 1]]),
            here.shape[1::-1],
            dst=here.copy(),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
        return np.asarray((here + moved) / 2, np.float32)

    def part_around(self, box: Roi, margin: float = _MARGIN) -> _Part:
        """The box, cells of the grid, and a margin around it, share of its long side."""
        low, high = self.to_photo(np.reshape(box, (2, 2)) - 0.5)
        beside = margin * float((high - low).max())
        (x0, y0), (x1, y1) = low - beside + 0.5, high + beside + 0.5
        return float(x0), float(y0), float(x1), float(y1)


def _balanced(square: Bytes) -> Bytes:
    """Photos in clearly dim or coloured light, with the lightest of each channel nearly white as in
    the pictures that the network learned from."""
    lightest = np.percentile(square[::4, ::4].reshape(-1, 3), _LIGHTEST, axis=0)
    gain = np.clip(_WHITE / np.maximum(lightest, 1), 1, _MOST_GAIN)
    if gain.max() < _LEAST_GAIN:
        return square
    table = np.clip(np.arange(256)[:, None] * gain + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(square, table[None]), np.uint8)


def _peaks(heat: Float, n: int) -> tuple[Float64, Float64]:
    """(n, 2) highest places of a plane, cells, to a part of one; and (n,) their scores."""
    reach = _POINT_APART
    left = np.pad(heat.astype(np.float64), reach)
    core, offsets = slice(reach - _PEAK, reach + _PEAK + 1), np.arange(-_PEAK, _PEAK + 1)
    peaks, scores = [], []
    for _ in range(n):
        inner = left[reach:-reach, reach:-reach]
        row, col = np.unravel_index(int(inner.argmax()), heat.shape)
        scores.append(float(inner[row, col]))
        around = left[row : row + 2 * reach + 1, col : col + 2 * reach + 1]
        weight = around[core, core] + 1e-9
        shift = np.array([offsets @ weight.sum(0), offsets @ weight.sum(1)]) / weight.sum()
        peaks.append([col, row] + shift)
        around[:] = 0
    return np.array(peaks), np.array(scores)


def _largest_share(logits: Float) -> float:
    shares = np.exp(logits - logits.max())
    return float(shares.max() / shares.sum())


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -50, 50))))
