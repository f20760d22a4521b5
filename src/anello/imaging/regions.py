"""What in a product photo is ring, what ground seen through its hoop: decided on a reduced copy."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    ring_box,
)
from anello.imaging.hoop_fit import Hoop, fit_hoop, outline_of
from anello.imaging.masks import (
    closed,
    grown,
    holes,
    hull,
    largest,
    main_part,
    opened,
    shrunk,
    size_of,
    smoothed,
    wide_parts,
)
from anello.imaging.warp import joined

DECISION_SIDE = 448
"""Long side of the reduced copy of the ring's box, px: a thin band (2 % of it) has nine pixels."""
LOOK_SIDE, LOOK_STEP = 480, 3
"""Long side of the copy, and which of its pixels, the ground is fitted on and the ring's box found.
Averaged any more, a texture would look plain."""
LARGEST_UPSCALE = 2.0
"""Thumbnails are enlarged, so that filters of a few pixels do not span a band."""
TEXTURE_SIDE = 360
"""Long side of the copy GrabCut works on, px."""
SHADOW_DEPTH = 62.0
"""L* units; a cast shadow on a lit table leaves more light than this takes."""
BALL_SHARES = (0.009, 0.0045, 0.018, 0.03, 0.04)
"""Radius of the trapped ball that floods the ground, of the box's long side; the first that
leaves a clear opening is taken, or the one that leaves the clearest."""
CLEAR_OPENING = 0.12
"""An opening of this share of the ring's box needs no larger ball."""
LIGHT_FOOT, COLOUR_FOOT = 0.05, 0.14
"""Share of an edge's step that still counts as ground beside it: JPEG ringing, smeared colour."""
FOOT, PALE_FOOT = 0.35, 0.2
"""Share of a coloured edge's step, in a*b* and in L*, below which a pixel beside it is ground."""
FOOT_REACH = 4
"""How far from a coloured edge JPEG smears it, px of the reduced copy."""
COLOURED_STEP = 15.0
"""Lab units in a*b* from which an edge is a coloured one."""
GOOD_COST = 0.9
"""Fits better than this (see ``Hoop.cost``) are hoops beyond doubt."""
HOOP_STEP = 2
"""Of the outlines' points, one in so many is enough for a decision."""
HOOP_COST = 1.6
"""Fits worse than this (see ``Hoop.cost``) decide nothing."""
BAND_SEEN = 0.85
"""Share of a hoop's band that is seen at least; it fills the rest."""
OPENING_RADIUS = 0.02
"""Smallest inscribed radius of the opening, of the ring's size."""
GAP_RADIUS = 0.012
"""The same of gaps between wires, which must be bare ground with a strong border; facets of a stone
are smaller, or not quite as white."""
SHADOW_SECTOR = 0.3
"""Cotangent of the sector's edge below the hoop, from the vertical, that its shadow falls in."""
BAND_REACH = 0.13
"""How far the band reaches from its opening, of the ring's size."""
FIRST_OPENING = 0.004
"""Smallest enclosed ground, of the ring's box, taken for an opening before it is compared with
gaps; a white facet of a large stone comes to half of it."""
MAIN_OPENING = 0.012
"""Smallest opening of a hoop, of the ring's box."""
WHITE_GAP = 3.6
"""How much wider a gap must be among colourless metal or stones to be told from a white facet."""
ENCLOSED = 0.65
"""Share of directions in which an opening must have the ring round it; faint sides cost some."""
FADED = 0.55
"""A reflection's contrast, of the ring's own."""
COLOURED_METAL, COLOURLESS = 14.0, 0.4
"""Median chroma of rings of gold, Lab units, and the share of it that their shadows keep."""
CONTACT_SHADE = 8.0
"""L* units by which a contact shadow is darker than the ground, at least."""
OPENING_SHADE = 20.0
"""L* units; an opening's median is not further from the bare ground than its shadow makes it."""
LIVELY_EDGES = 5.0
"""Lab units per pixel, mean of some 80 px."""
STONES = 0.01
"""Share of a ring below which a pale piece at its foot is rather its shadow than a stone."""
GAP_COLOUR = 7.0
"""Lab units; metal of this chroma has no facets as colourless as the ground."""
GAP_BORDER = 6.0
"""Lab units per pixel round a gap, on four fifths of its border."""
EVIDENCE_MARGIN = 0.08
"""Ground round the ring that the network saw, share of its long side."""
SEEDS = (0.06, 0.5, 0.94)
"""The network's coverage below which a pixel is ground for sure, likelier than not, and above which
it is ring for sure."""
WIDE = 3
"""Half the width of differences, px of the reduced copy, that are more than an outline's place."""
DOUBT = 0.2
"""Mean distance from all or nothing below which the network's coverage settles a difference."""
COVERAGE = (0.004, 0.80)
"""Share of the picture a ring fills; less is a speck, more is no product photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The decision on the reduced copy: (h, w) masks. ``opening`` lies outside ``ring``.

    This is the seam for another source of decisions (a network's probability map): the edge,
    the colours and all that follows need nothing else.
    """

    ring: Mask
    opening: Mask | None
    method: str
    confidence: float
    warnings: tuple[str, ...] = ()


def reduced(pixels: Bytes, side: int = DECISION_SIDE) -> Bytes:
    height, width = pixels.shape[:2]
    scale = min(side / max(height, width), LARGEST_UPSCALE)
    if abs(scale - 1) < 0.02:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def look(pixels: Bytes, evidence: RingEvidence | None = None) -> tuple[Ground, Roi]:
    """The ground of the whole picture, and the box of the ring with all that is round it."""
    height, width = pixels.shape[:2]
    # Neighbours of few pixels stand for all of a very large picture.
    stride = max(1, max(height, width) // (2 * LOOK_SIDE))
    tiny = reduced(pixels[::stride, ::stride], LOOK_SIDE)[::LOOK_STEP, ::LOOK_STEP]
    lab = bytes_to_lab(tiny)
    ground = fit_ground(lab)
    seen = None if evidence is None else evidence.box(EVIDENCE_MARGIN, (width, height))
    if ground.is_plain:
        x0, y0, x1, y1 = ring_box(lab, ground)
        scale_x, scale_y = width / lab.shape[1], height / lab.shape[0]
        roi = (
            max(0, round(x0 * scale_x)),
            max(0, round(y0 * scale_y)),
            min(width, round(x1 * scale_x)),
            min(height, round(y1 * scale_y)),
        )
        roi = roi if seen is None else joined(roi, seen)
    elif seen is not None:
        roi = seen
    else:
        return ground, (0, 0, width, height)
    share = (roi[0] / width, roi[1] / height, roi[2] / width, roi[3] / height)
    return ground.part(share), roi


def find_regions(
    small: Bytes, ground: Ground, enlarged: float = 1.0, seen: Seen | None = None
) -> Regions | None:
    """Ring and opening on a reduced copy, (h, w, 3) sRGB, or None for anything else.

    ground : of the same picture, at any size.
    enlarged : by how much the copy is larger than the photo, if so: thumbnails ring more.
    seen : what the ring network saw on it. Colours and edges know where exactly an outline lies,
        and the network what is ring: wide differences are settled by the network.
    """
    by_colour = _regions_by_colour(small, ground, enlarged, seen)
    if seen is None:
        return by_colour
    return settled(by_colour, seen)


def settled(found: Regions | None, seen: Seen) -> Regions | None:
    """Regions whose wide differences from what the network is sure of are gone."""
    likely = seen.alpha > 0.5
    if found is None:
        ring = main_part(smoothed(likely))
        if not COVERAGE[0] < ring.mean() < COVERAGE[1]:
            return None
        found = Regions(ring, None, "network", 0.4)
    ring = found.ring.copy()
    # Without the slivers along outlines that lie a pixel or two apart.
    unlike = ring != likely
    unlike = _flooded(opened(unlike, WIDE), unlike, WIDE)
    count, labels = cv2.connectedComponents(unlike.astype(np.uint8), connectivity=4)
    pixels = np.bincount(labels.ravel(), minlength=count)
    doubt = np.bincount(labels.ravel(), 0.5 - np.abs(seen.alpha.ravel() - 0.5), count)
    change = (doubt < DOUBT * pixels)[labels] & unlike
    ring[change] = likely[change]
    ring = main_part(smoothed(ring) | (ring & found.ring))
    opening = seen.opening > 0.5
    if found.opening is not None:
        opening |= found.opening
    return replace(found, ring=ring, opening=_main_opening(opening & ~ring, ring))


def _regions_by_colour(
    small: Bytes, ground: Ground, enlarged: float, seen: Seen | None
) -> Regions | None:
    """The same by colours, edges and the hoop's shape."""
    lab = bytes_to_lab(small)
    parts, method, edge = None, "ground", None
    if ground.is_plain:
        ground = ground.seen_in(lab)
        ringing = max(1.0, enlarged) ** 1.5
        dev = deviation(lab, ground, ringing)
        edge = dev.edge
        parts = _parts_on_plain(lab, dev, ground, ringing, seen)
        if parts is None:
            return None
    if parts is None or _fills_frame(parts.likely):
        parts = _parts_on_texture(small, seen)
        method = "texture"
    if parts is None:
        return None
    ring, opening = _assemble(parts)
    if method == "ground":
        ring = _trimmed(lab, ring)
    edge = edge_strength(lab) if edge is None else edge
    if seen is None and not _is_ring_like(lab[..., 0], edge, ring, opening, method):
        return None
    if method == "texture":
        note = "the ground is busy or textured; a plain ground gives a cleaner cut-out"
        return Regions(ring, opening, method, 0.5, (note,))
    return Regions(ring, opening, method, 0.85)


def _fills_frame(likely: Mask) -> bool:
    """Whether what is not plain ground runs along the frame: then the ground was not plain."""
    frame = frame_mask(likely.shape, 0.01)
    return float(likely[frame].mean()) > 0.25


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Evidence, (h, w) masks each.

    likely : not calm ground: the ring with its contact shadow and reflection.
    firm : what only a ring can be, grown to the nearest strong edges.
    opening : the enclosed calm ground that is likeliest the hoop's opening.
    gaps : other ground seen through the ring.
    pale : what a shadow or a faded reflection could be.
    shade : what is dark enough to be a contact shadow and nothing else but colourless metal.
    lively : where edges are as dense as in stones, never in shadows and reflections.
    """

    likely: Mask
    firm: Mask
    opening: Mask
    gaps: Mask
    pale: Mask
    shade: Mask
    lively: Mask


def _parts_on_plain(
    lab: Float, dev: Deviation, ground: Ground, ringing: float, seen: Seen | None
) -> _Parts | None:
    """Ground is what is calm and joined to the frame; its enclosed pieces are openings."""
    noise = 3 * ground.sigma
    shaded = (
        (dev.light < max(3.0, noise))
        & (dev.light > -SHADOW_DEPTH)
        & (dev.chroma < max(4.0, noise) + 0.06 * np.abs(dev.light))
    )
    frame = frame_mask(shaded.shape, 0.01)
    best: tuple[float, int, Mask, Mask] | None = None
    strong = shaded
    for share in BALL_SHARES:
        # A ball that fits through the ground but not through the gaps of a faint outline.
        ball = max(1, round(share * max(shaded.shape)))
        calm = opened(shaded & dev.calm, ball)
        outside = connected_to(calm, frame & calm)
        size = size_of(largest(~outside))
        if best is None:
            strong = _strong(dev, ~outside) & ~outside
        openings, score = _openings(calm & ~outside, dev, strong, OPENING_RADIUS * size, seen)
        if best is None or score > 1.25 * best[0]:
            best = score, ball, outside, openings
        if score > CLEAR_OPENING * size * size:
            break
    assert best is not None
    _, ball, outside, openings = best
    strong &= ~outside
    if strong.mean() < COVERAGE[0] / 4:
        return None
    known = _reclaimed(lab, outside | openings, dev.calm, max(1.3, 2 * ground.sigma), ball, ringing)
    openings = connected_to(known & ~outside, openings) if openings.any() else openings
    gaps = _gaps(dev, known, GAP_RADIUS * size_of(largest(~outside)), ringing)
    likely = ~(known | gaps)
    weak = _faded(dev, likely)
    markers = np.zeros(known.shape, np.int32)
    markers[shrunk(~likely, 1) | (frame & known)] = 1
    markers[strong & likely] = 2
    firm = _watershed(dev, markers) & likely
    shade = opened(shaded & likely & (dev.light < -CONTACT_SHADE) & (dev.edge < 3.5), 2)
    lively = cv2.blur(dev.edge, (9, 9)) > LIVELY_EDGES
    return _Parts(likely, firm, openings, gaps, weak | (shaded & likely), shade, lively)


def _openings(
    enclosed: Mask, dev: Deviation, strong: Mask, radius: float, seen: Seen | None
) -> tuple[Mask, float]:
    """The enclosed calm part that is most likely the opening.

    The smooth inside wall of a silver hoop is calm and grey too; it is darker than the ground seen
    through the hole beside it, and not convex; rings of shadow have faint borders. Returns the
    part and its score, about its area in px.
    """
    wide = wide_parts(enclosed, radius)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(wide.astype(np.uint8))
    if count < 2:
        return np.zeros_like(enclosed), 0.0
    scores = np.zeros(count)
    for k in range(1, count):
        part = labels == k
        area = float(stats[k, cv2.CC_STAT_AREA])
        light = float(np.median(np.abs(dev.light[part])))
        convex = area / float(hull(part).sum())
        border = _border_strength(part, dev.edge, 50)
        if light > OPENING_SHADE or area < FIRST_OPENING * (radius / OPENING_RADIUS) ** 2:
            continue
        scores[k] = area * np.exp(-light / 12) * convex**6 * min(1.0, (border / 5) ** 2)
        if seen is not None:
            scores[k] *= float(seen.opening[part].mean())
        elif _enclosure(part, strong) < ENCLOSED:
            scores[k] = 0
    best = int(np.argmax(scores))
    if scores[best] == 0:
        return np.zeros_like(enclosed), 0.0
    return labels == best, float(scores[best])


def _enclosure(part: Mask, strong: Mask, sectors: int = 48) -> float:
    """Share of the directions from a part's middle in which there is strong evidence of ring."""
    x, y = _middle(part)
    rows, cols = np.nonzero(strong)
    turn = np.arctan2(rows - y, cols - x) / (2 * np.pi) + 0.5
    return float(np.unique((turn * sectors).astype(int) % sectors).size / sectors)


def _gaps(dev: Deviation, outside: Mask, radius: float, ringing: float) -> Mask:
    """Enclosed bare ground seen between the wires of an open-work ring."""
    bare = (np.abs(dev.light) < ringing) & (dev.chroma < 2.2 * ringing) & ~outside
    wide = wide_parts(opened(bare, 1), radius)
    count, labels = cv2.connectedComponents(wide.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, bool)
    for k in range(1, count):
        part = labels == k
        around = grown(part, 6) & ~grown(part, 2)
        coloured = float(np.median(dev.chroma[around])) > GAP_COLOUR
        depth = cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5).max()
        keep[k] = _border_strength(part, dev.edge, 20) > GAP_BORDER and (
            coloured or depth > WHITE_GAP * radius
        )
    return np.asarray(keep[labels], bool)


def _border_strength(part: Mask, edge: Float, percent: float, reach: int = 4) -> float:
    """That percentile of the edges met around a part, Lab units per pixel."""
    rim = grown(part, 2) & ~grown(part, 1)
    strongest = cv2.dilate(edge, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return float(np.percentile(strongest[rim], percent)) if rim.any() else 0.0


def _reclaimed(
    lab: Float, known: Mask, calm: Mask, tolerance: float, ball: int, ringing: float
) -> Mask:
    """Known ground grown up to the edge itself.

    First into the corners the ball did not reach, then, as the detail filter keeps a few pixels
    away from every edge, through pixels that differ from the ground beside them by little, or by
    a small share of the step next to them (JPEG smears colour over edges).
    """
    local, total = _local_mean(lab, known, 2.0 + 0.5 * ball)
    span = 2 * round(3 * ringing ** (2 / 3)) + 1
    light, off_a, off_b = cv2.split(cv2.absdiff(lab, local))
    colour = cv2.max(off_a, off_b)
    around = np.ones((span, span), np.uint8)
    # JPEG codes colour in blocks of 16 px, and rings throughout them.
    blocks = np.ones((3 * span, 3 * span), np.uint8)
    same = (total > 1e-3) & (
        light < np.maximum(tolerance, ringing * LIGHT_FOOT * cv2.dilate(light, around))
    )
    same &= colour < np.maximum(2 * tolerance, ringing * COLOUR_FOOT * cv2.dilate(colour, around))
    smeared = ringing * COLOUR_FOOT * cv2.dilate(colour, blocks)
    same |= (total > 1e-3) & (light < 0.7 * tolerance) & (colour < np.minimum(smeared, 8))
    corner = same & calm
    grown = _flooded(_flooded(known, corner, ball), same, 12)
    return opened(grown, 1) | known


def _trimmed(lab: Float, ring: Mask) -> Mask:
    """The ring without what JPEG smeared of a coloured edge over the ground beside it.

    Such pixels have little of the edge's colour and of its lightness. Edges of silver are left
    alone: their bright rims look the same.
    """
    rim = grown(ring, 8) & ~grown(ring, 2)
    local, _ = _local_mean(lab, rim, 5.0)
    light, off_a, off_b = cv2.split(cv2.absdiff(lab, local))
    colour = cv2.magnitude(off_a, off_b)
    around = np.ones((2 * FOOT_REACH + 1,) * 2, np.uint8)
    step_light, step_colour = cv2.dilate(light, around), cv2.dilate(colour, around)
    foot = (step_colour > COLOURED_STEP) & (colour < FOOT * step_colour)
    foot &= light < np.maximum(3.0, PALE_FOOT * step_light)
    trimmed = ~_flooded(~ring, foot, FOOT_REACH)
    return main_part((smoothed(trimmed) & ring) | (trimmed & ~foot))


def _local_mean(lab: Float, mask: Mask, sigma: float) -> tuple[Float, Float]:
    """(h, w, 3) mean colour of the mask near each pixel, and (h, w) how much of it there is."""
    weight = mask.astype(np.uint8)
    # A mean this wide needs only every other pixel.
    size = (mask.shape[1] // 2 + 1, mask.shape[0] // 2 + 1)
    value, total = (
        cv2.GaussianBlur(cv2.resize(layer, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / 2)
        for layer in (cv2.copyTo(lab, weight), weight.astype(np.float32))
    )
    value = value / (total[..., None] + np.float32(1e-6))
    shape = mask.shape[::-1]
    return cv2.resize(value, shape), cv2.resize(total, shape)


def _flooded(mask: Mask, allowed: Mask, rounds: int) -> Mask:
    """The mask grown by so many pixels through what is allowed."""
    grown, way = mask.astype(np.uint8), (mask | allowed).astype(np.uint8)
    around = np.ones((3, 3), np.uint8)
    for _ in range(rounds):
        grown = cv2.bitwise_and(cv2.dilate(grown, around), way)
    return grown > 0


def _strong(dev: Deviation, candidates: Mask) -> Mask:
    """Pixels that can only be ring: of the ring's own colour or across an edge no shadow has."""
    if not candidates.any():
        return candidates
    chroma_bar = max(9.0, 0.4 * float(np.percentile(dev.chroma[candidates], 90)))
    edge_bar = max(5.0, 0.45 * float(np.percentile(dev.edge[candidates], 90)))
    dark_bar = -max(25.0, 0.6 * float(np.percentile(-dev.light[candidates], 95)))
    return np.asarray(
        (dev.chroma > chroma_bar) | (dev.edge > edge_bar) | (dev.light < dark_bar), bool
    )


def _faded(dev: Deviation, likely: Mask) -> Mask:
    """Little of everything, as the ring's image in a polished table has."""
    chroma = FADED * float(np.percentile(dev.chroma[likely], 90))
    light = FADED * float(np.percentile(np.abs(dev.light[likely]), 90))
    weak = likely & (dev.chroma < max(6.0, chroma)) & (np.abs(dev.light) < max(15.0, light))
    metal = float(np.median(dev.chroma[likely]))
    if metal > COLOURED_METAL:
        # However dark, what has none of the metal's colour may be its shadow.
        weak |= likely & (dev.chroma < COLOURLESS * metal)
    return opened(weak, 1)


def _watershed(dev: Deviation, markers: NDArray[np.int32]) -> Mask:
    relief = np.clip(np.abs(dev.light) * 1.2, 0, 255).astype(np.uint8)
    colour = np.clip(dev.chroma * 2.5, 0, 255).astype(np.uint8)
    edges = np.clip(dev.edge * 6, 0, 255).astype(np.uint8)
    labels = markers.copy()
    cv2.watershed(np.dstack([relief, colour, edges]), labels)
    labels[labels == -1] = 2
    # OpenCV leaves the picture's outermost pixels as lines; they belong to their neighbours.
    labels[0], labels[-1] = labels[1], labels[-2]
    labels[:, 0], labels[:, -1] = labels[:, 1], labels[:, -2]
    return np.asarray(labels == 2, bool)


def _parts_on_texture(small: Bytes, seen: Seen | None) -> _Parts | None:
    """GrabCut's colour models, seeded by what was seen, or by how unlike the frame a pixel is."""
    height, width = small.shape[:2]
    scale = min(1.0, TEXTURE_SIDE / max(height, width))
    tiny = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    h, w = tiny.shape[:2]
    if seen is None:
        seeds = _seeds_unlike_frame(tiny)
    else:
        alpha = cv2.resize(seen.alpha, (w, h), interpolation=cv2.INTER_AREA)
        kinds = (cv2.GC_BGD, cv2.GC_PR_BGD, cv2.GC_PR_FGD, cv2.GC_FGD)
        seeds = np.array(kinds, np.uint8)[np.digitize(alpha, SEEDS)]
        if not {cv2.GC_BGD, cv2.GC_FGD} <= set(np.unique(seeds)):
            return None
    cv2.setRNGSeed(0)
    cv2.grabCut(tiny, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    soft = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    ring = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    ring = main_part(ring)
    if ring.mean() < COVERAGE[0]:
        return None
    wide = wide_parts(holes(ring), OPENING_RADIUS * size_of(ring))
    opening = largest(wide)
    nothing = np.zeros_like(ring)
    if opening is None:
        return _Parts(ring, ring, nothing, nothing, nothing, nothing, nothing)
    return _Parts(ring, ring, opening, wide & ~opening, nothing, nothing, nothing)


def _seeds_unlike_frame(tiny: Bytes) -> Bytes:
    """Where there is likely ring and likely ground if nothing but the frame's colours is known."""
    h, w = tiny.shape[:2]
    unlike = _unlike_frame(bytes_to_lab(tiny))
    inner = ~frame_mask((h, w), 0.06)
    bar = float(np.percentile(unlike[inner], 85))
    seeds = np.where((unlike > bar) & inner, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[(unlike > np.percentile(unlike[inner], 97)) & inner] = cv2.GC_FGD
    seeds[frame_mask((h, w), 0.04)] = cv2.GC_BGD
    return np.asarray(seeds, np.uint8)


def _unlike_frame(lab: Float, clusters: int = 6) -> Float:
    """(h, w) distance of each pixel's colour from the nearest of the frame's main colours."""
    frame = lab[frame_mask(lab.shape, 0.08)]
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, _, centres = cv2.kmeans(frame, clusters, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.full(lab.shape[:2], np.inf, np.float32)
    for centre in centres:
        delta = (lab - centre) * np.array([0.7, 1, 1], np.float32)
        np.minimum(nearest, np.einsum("ijk,ijk->ij", delta, delta), out=nearest)
    return np.asarray(cv2.GaussianBlur(np.sqrt(nearest), (0, 0), 1.5), np.float32)


def _assemble(parts: _Parts) -> tuple[Mask, Mask | None]:
    """One ring without specks, and its main opening.

    The fitted hoop settles what is faint: between its outlines it is metal. Below the ring, where
    its shadow and its reflection lie, only the hoop and what neither of them can be stays.
    """
    see_through = parts.opening | parts.gaps
    likely = _without_specks(main_part(parts.likely), see_through)
    hoop = _hoop_of(likely, parts.opening, parts.pale)
    rows, cols = _grid(likely.shape)
    opening = parts.opening
    if hoop is None or not _decides(hoop, likely):
        solid = opened(parts.firm & ~parts.pale, 1)
        body = hull(solid | opening) if solid.any() else likely
        below = rows > _middle(body)[1]
        underneath = rows > np.flatnonzero(body.any(1))[-1] - 0.08 * size_of(body)
        # The band itself lies along the opening; on white, silver is as pale as a shadow.
        apart = ~grown(opening, max(1, round(BAND_REACH * size_of(body))))
        shade = _pale_parts(parts, likely) | (parts.shade & underneath & apart)
        ring = likely & ~_without_stones(below & ~body & shade & likely, parts.lively, likely)
        thin = ring & ~opened(ring, max(2, round(0.012 * size_of(ring))))
        ring &= ~(thin & below & ~body & apart & parts.pale)
        ring = _without_specks(main_part(ring), see_through)
    else:
        outside, inside = _excess(hoop, likely.shape)
        below = (rows - hoop.y) > SHADOW_SECTOR * np.abs(cols - hoop.x)
        under = below & (outside > 0.008)
        dropped = under & (parts.pale | _thin_fringe(under & likely, outside))
        core = _band(outside, inside) & ~parts.gaps
        ring = (likely & ~dropped) | core
        shade = below & (inside > 0.012) & parts.pale
        opening = (opening & ~core) | ((inside > 0.02) & ~parts.firm) | shade
        ring = _without_specks(main_part(ring), opening | parts.gaps)
        ring &= ~(opening & (inside > 0.02)) & ~shade
    ring = main_part(smoothed(ring) | (ring & parts.firm & ~smoothed(parts.firm)))
    return ring, _main_opening(opening & ~ring, ring)


def _band(outside: Float, inside: Float) -> Mask:
    """What lies safely between a hoop's outlines."""
    return np.asarray((outside < -0.015) & (inside < -0.015), bool)


def _decides(hoop: Hoop, likely: Mask) -> bool:
    """Whether a hoop fits, and draws its band where most of it was seen already."""
    if hoop.cost > HOOP_COST:
        return False
    band = _band(*_excess(hoop, likely.shape))
    return float(likely[band].mean()) > BAND_SEEN if band.any() else False


def _grid(shape: tuple[int, ...], step: int = 1) -> tuple[Float, Float]:
    """Row and column of each pixel, (h, 1) and (1, w)."""
    rows = np.arange(0, shape[0], step, dtype=np.float32)[:, None]
    return rows, np.arange(0, shape[1], step, dtype=np.float32)[None]


def _excess(hoop: Hoop, shape: tuple[int, ...], step: int = 3) -> tuple[Float, Float]:
    """``Hoop.excess`` at every pixel, from every third: it is smooth where it matters."""
    rows, cols = _grid((shape[0] + step, shape[1] + step), step)
    coarse = hoop.excess(*np.broadcast_arrays(cols.astype(np.float64), rows.astype(np.float64)))
    full_from_coarse = np.array([[step, 0, 0], [0, step, 0]], np.float64)
    outside, inside = (
        cv2.warpAffine(plane.astype(np.float32), full_from_coarse, (shape[1], shape[0]))
        for plane in coarse
    )
    return np.asarray(outside, np.float32), np.asarray(inside, np.float32)


def _pale_parts(parts: _Parts, likely: Mask) -> Mask:
    """Pale regions that do not lie along the opening, as the sides of a silver band do."""
    pale = parts.pale & likely
    return np.asarray(pale & ~connected_to(opened(pale, 2), grown(parts.opening, 6)), bool)


def _without_stones(pale: Mask, lively: Mask, ring: Mask) -> Mask:
    """Pale parts but those that are large and lively, as a halo of diamonds is."""
    count, labels = cv2.connectedComponents(pale.astype(np.uint8))
    size = np.bincount(labels.ravel(), minlength=count)
    stones = np.bincount(labels[lively], minlength=count) >= 0.5 * size
    keep = ~stones | (size < STONES * ring.sum())
    keep[0] = False
    return np.asarray(keep[labels], bool)


def _thin_fringe(under: Mask, outside: Float) -> Mask:
    """Connected parts under the hoop that reach nowhere far enough out to be a head."""
    count, labels = cv2.connectedComponents(under.astype(np.uint8))
    reach = np.zeros(count)
    np.maximum.at(reach, labels[under], outside[under])
    return np.asarray((reach < 0.2)[labels] & under, bool)


def _middle(mask: Mask) -> tuple[float, float]:
    """Mean x, y."""
    rows, cols = np.nonzero(mask)
    return float(cols.mean()), float(rows.mean())


def _hoop_of(ring: Mask, opening: Mask, pale: Mask) -> Hoop | None:
    """The hoop, from outlines without those that a shadow below the ring may have drawn."""
    if not opening.any():
        return None
    outline, hole = outline_of(ring), outline_of(grown(opening, 1))
    if outline is None or hole is None:
        return None
    delta = outline - hole.mean(0)
    inner = np.round(outline - 3 * delta / np.linalg.norm(delta, axis=1)[:, None]).astype(int)
    below = delta[:, 1] > SHADOW_SECTOR * np.abs(delta[:, 0])
    doubtful = (
        below & pale[inner[:, 1].clip(0, len(pale) - 1), inner[:, 0].clip(0, pale.shape[1] - 1)]
    )
    if doubtful.sum() < 0.45 * len(outline):
        outline = outline[~doubtful]
    return fit_hoop(outline[::HOOP_STEP], hole[::HOOP_STEP])


def _main_opening(openings: Mask, ring: Mask) -> Mask | None:
    """The largest opening if it can be the hoop's, not just a gap."""
    main = largest(openings)
    if main is None or main.sum() < MAIN_OPENING * size_of(ring) ** 2:
        return None
    return main


def _without_specks(ring: Mask, openings: Mask) -> Mask:
    """Small gaps of the outline closed and all holes but the openings filled."""
    radius = max(1, round(0.006 * size_of(ring)))
    whole = closed(ring, radius) & ~openings
    return whole | (holes(whole) & ~openings)


def _is_ring_like(
    lightness: Float, edge: Float, ring: Mask, opening: Mask | None, method: str
) -> bool:
    """Metal and stones are full of sharp edges and strong lights; skin, cups and coins are not.

    A hoop with its opening is one even if painted flat. Figures read off 40 rings and 40 hands.
    """
    if not COVERAGE[0] < float(ring.mean()) < COVERAGE[1]:
        return False
    edges = float((edge[ring] > 6).mean())
    low, high = np.percentile(lightness[ring], [5, 95])
    along_frame = float(ring[_inner_strip(*ring.shape)].mean())
    lively = edges > 0.1 and high - low > 35
    if opening is not None:
        if lively:
            return along_frame < 0.25
        hoop = _hoop_of(ring, opening, np.zeros_like(ring))
        return hoop is not None and hoop.cost < GOOD_COST
    if method == "texture":
        return edges > 0.33 and high - low > 52 and along_frame < 0.02
    if edges > 0.17:
        return high - low > 40 and along_frame < 0.08
    return edges > 0.08 and high - low > 45 and along_frame < 0.02


def _inner_strip(height: int, width: int) -> Mask:
    """A line round the picture, 5 % in."""
    inset = round(0.05 * min(height, width))
    strip = np.zeros((height, width), bool)
    strip[inset : height - inset, inset : width - inset] = True
    strip[inset + 4 : height - inset - 4, inset + 4 : width - inset - 4] = False
    return strip
