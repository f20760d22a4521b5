"""What in a product photo is ring, and what ground seen through its hoop: on a reduced copy.

The ring network knows what is ring, but only on a coarse grid; colours know an outline to a pixel,
but not what is shadow and what silver. Each pixel's odds are the product of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Mask, Roi
from anello.imaging.evidence import RingEvidence, Seen
from anello.imaging.ground import (
    Deviation,
    Ground,
    bytes_to_lab,
    connected_to,
    deviation,
    edge_strength,
    fit_ground,
    frame_mask,
)
from anello.imaging.masks import (
    box_of,
    grown,
    holes,
    hull,
    largest,
    main_part,
    pieces,
    size_of,
    smoothed,
)
from anello.imaging.patches import TellGaps, find_patches

DECISION_SIDE = 448
"""Long side of the reduced copy of the ring's box, px: a thin band (2 % of it) has nine pixels."""
LOOK_SIDE, LOOK_SHARE, LOOK_AT_MOST = 160, 1 / 3, 3
"""Long side, px, of the copy that the ground is fitted on; and side of the squares that its pixels
are the means of: a share of the way between them, and at most so many px, as few stand for all of a
very large picture. Averaged any more, a texture would look plain."""
LARGEST_UPSCALE = 2.0
"""Thumbnails are enlarged, so that filters of a few pixels do not span a band."""
EVIDENCE_MARGIN = 0.08
"""Ground round the ring that the network saw, share of its long side."""
SEEN_AT_MOST = 0.98
"""What the network is sure of can still be wrong one time in fifty."""
UNLIKE, UNLIKE_SPAN = 5.0, 10.0
"""Distance from the ground's colour from which a pixel begins to speak for the ring, and over which
it comes to say all it can; Lab units, or multiples of the ground's own spread if that is larger."""
BARE = 2.2
"""The same, below which a pixel looks like bare ground."""
FOR_RING, FOR_GROUND = 2.5, 1.5
"""Most that a pixel's colour says for the ring, and for the ground, in log odds: silver can be as
white as its ground, but ground is hardly as yellow as gold."""
SHADE_SAYS = 0.3
"""Share of it that is left to a pixel that could be ground in shadow."""
SHADOW_DEPTH = 62.0
"""L* units; a cast shadow on a lit table leaves more light than this takes."""
FOR_GAP, GAP_SEEN = 3.5, 0.6
"""What a pixel of bare ground that edges close in says for the ground, in log odds; mean of the
network's coverage of such a piece below which it is one."""
PATCH, SURE_GAP, SURE_METAL = 3.0, 0.65, 0.25
"""As ``BARE``, below which it belongs to a patch that may be a gap, as those next to edges ring a
little; the probability of a gap above which a patch is one, and below which it is metal or stone.
Between, each of its pixels is what it seems."""
BESIDE_GROUND = 0.15
"""Share of what is next to a patch that is seen ground, below which it is closed in, and metal or
stone if it is no gap: a hole in a stone is worse than a gap left shut."""
LARGE, SURE_LARGE_GAP = 500, 0.8
"""Area, px of the reduced copy, over which a patch that is closed in is a gap only with more than
the second: above it four of five path-traced ones are, as of smaller ones above ``SURE_GAP``."""
RIM = 2
"""How far round a gap pixels mix ground and metal, px of the reduced copy."""
SPARKLE = 0.5, 1.4
"""Share of a hole that is not calm, and its mean edge in Lab units per pixel, from which it is
stone, unless it was seen through."""
SEEN_THROUGH, AS_LIGHT, SEEN_THROUGH_LIGHT = 0.12, 3.0, 0.3
"""Mean of the network's coverage of a hole below which it is no stone; L* units from the ground in
the mean within which it is as light as the ground, and that coverage then: next to thin metal a gap
has its colour and its noise, but keeps its light."""
SURE = 0.06, 0.94
"""The network's coverage below which a pixel is ground for sure, and above which it is ring."""
BIN_BITS, CHROMA_STRETCH = 3, 3
"""Colours on a textured ground are told apart in cells of 8 of 256 levels, chroma three times as
finely: little of a* and b* is ever used."""
SELDOM = 1e-5
"""Share of the pixels that a colour never seen is given."""
COLOUR_SAYS, FOR_COLOUR = 0.7, 4.0
"""What a colour's own log odds count for, as neighbours say much the same, and its most."""
_STRETCHED = np.clip((np.arange(256) - 128) * CHROMA_STRETCH + 128, 0, 255).astype(np.uint8)
MAIN_OPENING = 0.012
"""Smallest opening of a hoop, of the ring's box."""
COVERAGE = (0.004, 0.80)
"""Share of the picture a ring fills; less is a speck, more is no product photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The decision on the reduced copy: (h, w) masks. ``opening`` lies outside ``ring``."""

    ring: Mask
    opening: Mask | None
    method: str


def reduced(pixels: Bytes, side: int = DECISION_SIDE) -> Bytes:
    """A copy of at most that long side; thumbnails are enlarged to it by twice at most."""
    height, width = pixels.shape[:2]
    scale = min(side / max(height, width), LARGEST_UPSCALE)
    if abs(scale - 1) < 0.02:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def look(pixels: Bytes, evidence: RingEvidence) -> tuple[Ground, Roi]:
    """The ground of the whole picture, and the box of the ring with all that is round it."""
    height, width = pixels.shape[:2]
    ground = fit_ground(bytes_to_lab(_samples(pixels)))
    roi = evidence.box(EVIDENCE_MARGIN, (width, height)) or (0, 0, width, height)
    share = (roi[0] / width, roi[1] / height, roi[2] / width, roi[3] / height)
    return ground.part(share), roi


def _samples(pixels: Bytes) -> Bytes:
    """The means of small squares, evenly spread over the picture."""
    apart = max(1.0, max(pixels.shape) / LOOK_SIDE)
    across = min(max(1, int(LOOK_SHARE * apart)), LOOK_AT_MOST)

    def places(length: int) -> NDArray[np.intp]:
        count = max(1, int(length / apart))
        first = (np.arange(count) + 0.5) * length / count - across / 2
        return (first.astype(np.intp)[:, None] + np.arange(across)).ravel()

    height, width = pixels.shape[:2]
    squares = pixels.take(places(height), 0, mode="clip").take(places(width), 1, mode="clip")
    size = squares.shape[1] // across, squares.shape[0] // across
    return np.asarray(cv2.resize(squares, size, interpolation=cv2.INTER_AREA), np.uint8)


def find_regions(
    small: Bytes, ground: Ground, seen: Seen, tell_gaps: TellGaps, enlarged: float = 1.0
) -> Regions | None:
    """Ring and opening on a reduced copy, (h, w, 3) sRGB, or None for a speck or a whole picture.

    ground, seen : of the same part of the photo.
    tell_gaps : which patches of bare ground that were taken for ring are none.
    enlarged : by how much the copy is larger than the photo, if so: thumbnails ring more.
    """
    if ground.is_plain:
        method, ring = "ground", _ring_on_plain(small, ground, seen, tell_gaps, enlarged)
    else:
        method, ring = "texture", _ring_on_texture(small, seen)
    ring = main_part(smoothed(ring))
    if not COVERAGE[0] < float(ring.mean()) < COVERAGE[1]:
        return None
    openings = (seen.opening > 0.5) & ~ring & hull(ring)  # not those of the ring beside it
    return Regions(ring, _opening(openings, ring), method)


def _ring_on_plain(
    small: Bytes, ground: Ground, seen: Seen, tell_gaps: TellGaps, enlarged: float
) -> Mask:
    """By the odds of what was seen times those of the colour; patches of bare ground that were
    taken for ring are told by what is around them."""
    ringing = max(1.0, enlarged) ** 1.5
    lab = bytes_to_lab(small)
    dev = deviation(lab, ground.seen_in(lab), ringing)
    unlike = np.maximum(np.abs(dev.light), 1.3 * dev.chroma) / max(1.0, ground.sigma)
    says = FOR_RING * np.clip((unlike - UNLIKE * ringing) / UNLIKE_SPAN, 0, 1)
    says = np.where(_could_be_shade(dev, ground), SHADE_SAYS * says, says)
    bare = unlike < BARE * ringing
    says = np.where(bare, -FOR_GROUND, says).astype(np.float32)
    says[_closed_in(bare & dev.calm, seen)] = -FOR_GAP
    ring = seen.log_odds(SEEN_AT_MOST) + cv2.blur(says, (3, 3)) > 0
    patches = find_patches(small, unlike < PATCH * ringing, seen)
    gap = tell_gaps(patches)
    closed_in = patches.beside_ground < BESIDE_GROUND
    is_gap = gap > np.where(closed_in & (patches.area > LARGE), SURE_LARGE_GAP, SURE_GAP)
    is_metal = np.where(closed_in, ~is_gap, gap < SURE_METAL)
    gaps, metal = (np.concatenate([[False], told])[patches.labels] for told in (is_gap, is_metal))
    gaps = _to_their_edges(gaps, ring | metal, unlike, round(RIM * max(1.0, enlarged)))
    ring = np.asarray((ring | metal) & ~gaps, bool)
    return ring | (_stones_in(ring, seen, dev, lab) & ~gaps)


def _could_be_shade(dev: Deviation, ground: Ground) -> Mask:
    """What is darker than the ground and has its colour."""
    tolerance = max(4.0, 3 * ground.sigma) + 0.06 * np.abs(dev.light)
    return np.asarray(
        (dev.light < 0) & (dev.light > -SHADOW_DEPTH) & (dev.chroma < tolerance), bool
    )


def _to_their_edges(gaps: Mask, ring: Mask, unlike: Float, reach: int) -> Mask:
    """Gaps with what round them is less than half as unlike the ground as the metal beyond."""
    if not gaps.any():
        return gaps
    rim = grown(gaps, reach) & ring
    beyond = (grown(gaps, 2 * reach + 2) & ring & ~rim & ~gaps).astype(np.float32)
    window = (4 * reach + 5,) * 2
    share = cv2.blur(beyond, window)
    metal = cv2.blur(beyond * unlike, window) / np.maximum(share, 1e-3)
    return np.asarray(gaps | (rim & (unlike < 0.5 * metal)), bool)


def _closed_in(bare: Mask, seen: Seen) -> Mask:
    """Pieces of bare ground that edges close in and that were not clearly seen as ring."""
    inside = bare & ~connected_to(bare, frame_mask(bare.shape, 0))
    labels, mean = pieces(inside)
    return np.asarray((mean(seen.alpha) < GAP_SEEN)[labels] & inside, bool)


def _stones_in(ring: Mask, seen: Seen, dev: Deviation, lab: Float) -> Mask:
    """Holes of the ring that sparkle and were not seen through."""
    found = holes(ring)
    if not found.any():
        return found
    x0, y0, x1, y1 = box_of(found, 1)
    near = slice(y0, y1), slice(x0, x1)
    labels, mean = pieces(found[near])
    light = mean(np.abs(dev.light[near])) < AS_LIGHT
    through = mean(seen.alpha[near]) < np.where(light, SEEN_THROUGH_LIGHT, SEEN_THROUGH)
    stones = ~through & (mean(~dev.calm[near]) > SPARKLE[0])
    if stones.any():
        stones &= mean(edge_strength(lab[near])) > SPARKLE[1]
    found[near] &= stones[labels]
    return found


def _ring_on_texture(small: Bytes, seen: Seen) -> Mask:
    """By the odds of what was seen times those of its colour, where colours are told by how often
    they are in what is ring for sure, and in what is ground (M. Swain, D. Ballard, 1991)."""
    surely_ring, surely_ground = seen.alpha > SURE[1], seen.alpha < SURE[0]
    if not (surely_ring.any() and surely_ground.any()):
        return np.asarray(seen.alpha > 0.5, bool)
    light, a, b = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2Lab))
    stretched = cv2.merge([light, *(cv2.LUT(chroma, _STRETCHED) for chroma in (a, b))])
    often_ring, often_ground = (
        _histogram(stretched, sure) for sure in (surely_ring, surely_ground)
    )
    says = np.log((often_ring + SELDOM) / (often_ground + SELDOM)).astype(np.float32)
    cells = tuple(channel >> BIN_BITS for channel in cv2.split(stretched))
    says = np.clip(COLOUR_SAYS * says[cells], -FOR_COLOUR, FOR_COLOUR)
    return np.asarray(seen.log_odds(SEEN_AT_MOST) + cv2.blur(says, (3, 3)) > 0, bool)


def _histogram(colours: Bytes, among: Mask) -> Float:
    """(n, n, n) share of the pixels of a mask that each cell of colours has."""
    n = 256 >> BIN_BITS
    counts = cv2.calcHist([colours], [0, 1, 2], among.astype(np.uint8), [n] * 3, [0, 256] * 3)
    return np.asarray(counts / counts.sum(), np.float32)


def _opening(openings: Mask, ring: Mask) -> Mask | None:
    """The largest part if it can be the hoop's opening, not just a gap."""
    main = largest(openings)
    if main is None or main.sum() < MAIN_OPENING * size_of(ring) ** 2:
        return None
    return main
