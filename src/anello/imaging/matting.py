"""Cut the ring out of a product photo: alpha, clean colours under it, and the hoop's opening.

Decisions (what is ring, ground, shadow, opening) are made on a reduced copy; only the strip along
the found outlines is looked at again in full resolution, where its alpha is the place of each pixel
on the line between the ground's and the ring's colour next to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Mask, Roi
from anello.imaging.color import linear_to_srgb, srgb_to_linear
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
from anello.imaging.warp import crop

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
COVERAGE = (0.004, 0.80)
"""Share of the picture a ring fills; less is a speck, more is no product photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A ring freed from its ground, in the product photo's frame.

    rgb : (h, w, 3) sRGB, straight foreground colours, continued a little beyond the edge.
    alpha : (h, w) coverage, 0 to 255.
    opening : (h, w) the see-through region inside the hoop, or None if none is seen.
    method : "alpha" | "mask" | "as-is" | "ground" | "texture", what decided.
    confidence : 0 to 1.
    """

    rgb: Bytes
    alpha: Bytes
    opening: Mask | None
    method: str
    warnings: tuple[str, ...]
    confidence: float


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


def cut_out(
    pixels: Bytes,
    alpha: Bytes | None = None,
    mask: Bytes | None = None,
    remove_background: bool = True,
) -> Cutout | None:
    """Cut the ring out; None if there is nothing ring-like.

    pixels : (h, w, 3) sRGB. alpha : (h, w) the file's own transparency.
    mask : (h, w), white = ring.
    """
    if mask is not None:
        return _from_matte(pixels, mask, "mask")
    if alpha is not None and is_informative(alpha):
        if not remove_background:
            return _from_matte(pixels, alpha, "as-is")
        return _from_matte(pixels, _repair_alpha(alpha), "alpha")
    ground, roi = _look(pixels)
    part = crop(pixels, roi)
    small = _reduced(part)
    regions = find_regions(small, ground, max(small.shape) / max(part.shape))
    if regions is None or regions.ring.mean() * part.size < COVERAGE[0] * pixels.size:
        return None
    cutout = _placed(_refine(part, small, regions), pixels, roi)
    if not remove_background:
        note = "the picture is opaque: only the ring found in it is used, not its ground"
        cutout = replace(cutout, warnings=cutout.warnings + (note,))
    return cutout


def is_informative(alpha: Bytes) -> bool:
    """Whether a file's transparency tells ring from ground."""
    clear = float((alpha < 16).mean())
    return 0.05 < clear < 1 - COVERAGE[0]


# --- decisions on the reduced copy -------------------------------------------------------------


def _look(pixels: Bytes) -> tuple[Ground, Roi]:
    """The ground of the whole picture, and the box of the ring with all that is round it."""
    height, width = pixels.shape[:2]
    # Neighbours of few pixels stand for all of a very large picture.
    stride = max(1, max(height, width) // (2 * LOOK_SIDE))
    tiny = _reduced(pixels[::stride, ::stride], LOOK_SIDE)[::LOOK_STEP, ::LOOK_STEP]
    lab = bytes_to_lab(tiny)
    ground = fit_ground(lab)
    if not ground.is_plain:
        return ground, (0, 0, width, height)
    x0, y0, x1, y1 = ring_box(lab, ground)
    scale_x, scale_y = width / lab.shape[1], height / lab.shape[0]
    roi = (
        max(0, round(x0 * scale_x)),
        max(0, round(y0 * scale_y)),
        min(width, round(x1 * scale_x)),
        min(height, round(y1 * scale_y)),
    )
    share = (roi[0] / width, roi[1] / height, roi[2] / width, roi[3] / height)
    return ground.part(share), roi


def find_regions(small: Bytes, ground: Ground, enlarged: float = 1.0) -> Regions | None:
    """Ring and opening on a reduced copy, (h, w, 3) sRGB, or None for anything else.

    ground : of the same picture, at any size.
    enlarged : by how much the copy is larger than the photo, if so: thumbnails ring more.
    """
    lab = bytes_to_lab(small)
    parts, method, edge = None, "ground", None
    if ground.is_plain:
        ground = ground.seen_in(lab)
        ringing = max(1.0, enlarged) ** 1.5
        dev = deviation(lab, ground, ringing)
        edge = dev.edge
        parts = _parts_on_plain(lab, dev, ground, ringing)
        if parts is None:
            return None
    if parts is None or _fills_frame(parts.likely):
        parts = _parts_on_texture(small)
        method = "texture"
    if parts is None:
        return None
    ring, opening = _assemble(parts)
    if method == "ground":
        ring = _trimmed(lab, ring)
    edge = edge_strength(lab) if edge is None else edge
    if not _is_ring_like(lab[..., 0], edge, ring, opening, method):
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


def _parts_on_plain(lab: Float, dev: Deviation, ground: Ground, ringing: float) -> _Parts | None:
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
        calm = _opened(shaded & dev.calm, ball)
        outside = connected_to(calm, frame & calm)
        size = _size(_largest(~outside))
        if best is None:
            strong = _strong(dev, ~outside) & ~outside
        openings, score = _openings(calm & ~outside, dev, strong, OPENING_RADIUS * size)
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
    gaps = _gaps(dev, known, GAP_RADIUS * _size(_largest(~outside)), ringing)
    likely = ~(known | gaps)
    weak = _faded(dev, likely)
    markers = np.zeros(known.shape, np.int32)
    markers[_shrunk(~likely, 1) | (frame & known)] = 1
    markers[strong & likely] = 2
    firm = _watershed(dev, markers) & likely
    shade = _opened(shaded & likely & (dev.light < -CONTACT_SHADE) & (dev.edge < 3.5), 2)
    lively = cv2.blur(dev.edge, (9, 9)) > LIVELY_EDGES
    return _Parts(likely, firm, openings, gaps, weak | (shaded & likely), shade, lively)


def _openings(enclosed: Mask, dev: Deviation, strong: Mask, radius: float) -> tuple[Mask, float]:
    """The enclosed calm part that is most likely the opening.

    The smooth inside wall of a silver hoop is calm and grey too; it is darker than the ground seen
    through the hole beside it, and not convex; rings of shadow have faint borders. Returns the
    part and its score, about its area in px.
    """
    wide = _wide_parts(enclosed, radius)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(wide.astype(np.uint8))
    if count < 2:
        return np.zeros_like(enclosed), 0.0
    scores = np.zeros(count)
    for k in range(1, count):
        part = labels == k
        area = float(stats[k, cv2.CC_STAT_AREA])
        light = float(np.median(np.abs(dev.light[part])))
        convex = area / float(_hull(part).sum())
        border = _border_strength(part, dev.edge, 50)
        if light > OPENING_SHADE or area < FIRST_OPENING * (radius / OPENING_RADIUS) ** 2:
            continue
        scores[k] = area * np.exp(-light / 12) * convex**6 * min(1.0, (border / 5) ** 2)
        if _enclosure(part, strong) < ENCLOSED:
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
    wide = _wide_parts(_opened(bare, 1), radius)
    count, labels = cv2.connectedComponents(wide.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, bool)
    for k in range(1, count):
        part = labels == k
        around = _grown(part, 6) & ~_grown(part, 2)
        coloured = float(np.median(dev.chroma[around])) > GAP_COLOUR
        depth = cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5).max()
        keep[k] = _border_strength(part, dev.edge, 20) > GAP_BORDER and (
            coloured or depth > WHITE_GAP * radius
        )
    return np.asarray(keep[labels], bool)


def _border_strength(part: Mask, edge: Float, percent: float, reach: int = 4) -> float:
    """That percentile of the edges met around a part, Lab units per pixel."""
    rim = _grown(part, 2) & ~_grown(part, 1)
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
    return _opened(grown, 1) | known


def _trimmed(lab: Float, ring: Mask) -> Mask:
    """The ring without what JPEG smeared of a coloured edge over the ground beside it.

    Such pixels have little of the edge's colour and of its lightness. Edges of silver are left
    alone: their bright rims look the same.
    """
    rim = _grown(ring, 8) & ~_grown(ring, 2)
    local, _ = _local_mean(lab, rim, 5.0)
    light, off_a, off_b = cv2.split(cv2.absdiff(lab, local))
    colour = cv2.magnitude(off_a, off_b)
    around = np.ones((2 * FOOT_REACH + 1,) * 2, np.uint8)
    step_light, step_colour = cv2.dilate(light, around), cv2.dilate(colour, around)
    foot = (step_colour > COLOURED_STEP) & (colour < FOOT * step_colour)
    foot &= light < np.maximum(3.0, PALE_FOOT * step_light)
    trimmed = ~_flooded(~ring, foot, FOOT_REACH)
    return _main_part((_smoothed(trimmed) & ring) | (trimmed & ~foot))


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
    return _opened(weak, 1)


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


def _parts_on_texture(small: Bytes) -> _Parts | None:
    """GrabCut's colour models, seeded by how unlike the frame's colours a pixel is."""
    height, width = small.shape[:2]
    scale = min(1.0, TEXTURE_SIDE / max(height, width))
    tiny = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    h, w = tiny.shape[:2]
    unlike = _unlike_frame(bytes_to_lab(tiny))
    inner = ~frame_mask((h, w), 0.06)
    bar = float(np.percentile(unlike[inner], 85))
    seeds = np.where((unlike > bar) & inner, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[(unlike > np.percentile(unlike[inner], 97)) & inner] = cv2.GC_FGD
    seeds[frame_mask((h, w), 0.04)] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(tiny, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    soft = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    ring = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    ring = _main_part(ring)
    if ring.mean() < COVERAGE[0]:
        return None
    holes = _holes(ring)
    wide = _wide_parts(holes, OPENING_RADIUS * _size(ring))
    opening = _largest(wide)
    nothing = np.zeros_like(ring)
    if opening is None:
        return _Parts(ring, ring, nothing, nothing, nothing, nothing, nothing)
    return _Parts(ring, ring, opening, wide & ~opening, nothing, nothing, nothing)


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
    likely = _without_specks(_main_part(parts.likely), see_through)
    hoop = _hoop_of(likely, parts.opening, parts.pale)
    rows, cols = _grid(likely.shape)
    opening = parts.opening
    if hoop is None or not _decides(hoop, likely):
        solid = _opened(parts.firm & ~parts.pale, 1)
        body = _hull(solid | opening) if solid.any() else likely
        below = rows > _middle(body)[1]
        underneath = rows > np.flatnonzero(body.any(1))[-1] - 0.08 * _size(body)
        # The band itself lies along the opening; on white, silver is as pale as a shadow.
        apart = ~_grown(opening, max(1, round(BAND_REACH * _size(body))))
        shade = _pale_parts(parts, likely) | (parts.shade & underneath & apart)
        ring = likely & ~_without_stones(below & ~body & shade & likely, parts.lively, likely)
        thin = ring & ~_opened(ring, max(2, round(0.012 * _size(ring))))
        ring &= ~(thin & below & ~body & apart & parts.pale)
        ring = _without_specks(_main_part(ring), see_through)
    else:
        outside, inside = _excess(hoop, likely.shape)
        below = (rows - hoop.y) > SHADOW_SECTOR * np.abs(cols - hoop.x)
        under = below & (outside > 0.008)
        dropped = under & (parts.pale | _thin_fringe(under & likely, outside))
        core = _band(outside, inside) & ~parts.gaps
        ring = (likely & ~dropped) | core
        shade = below & (inside > 0.012) & parts.pale
        opening = (opening & ~core) | ((inside > 0.02) & ~parts.firm) | shade
        ring = _without_specks(_main_part(ring), opening | parts.gaps)
        ring &= ~(opening & (inside > 0.02)) & ~shade
    ring = _main_part(_smoothed(ring) | (ring & parts.firm & ~_smoothed(parts.firm)))
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
    return np.asarray(pale & ~connected_to(_opened(pale, 2), _grown(parts.opening, 6)), bool)


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
    outline, hole = outline_of(ring), outline_of(_grown(opening, 1))
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
    largest = _largest(openings)
    if largest is None or largest.sum() < MAIN_OPENING * _size(ring) ** 2:
        return None
    return largest


def _smoothed(mask: Mask) -> Mask:
    return np.asarray(cv2.medianBlur(mask.astype(np.uint8), 5) > 0, bool)


def _without_specks(ring: Mask, openings: Mask) -> Mask:
    """Small gaps of the outline closed and all holes but the openings filled."""
    radius = max(1, round(0.006 * _size(ring)))
    closed = _closed(ring, radius) & ~openings
    return closed | (_holes(closed) & ~openings)


def _holes(mask: Mask) -> Mask:
    """What a mask encloses."""
    return ~mask & ~connected_to(~mask, frame_mask(mask.shape, 0))


def _main_part(ring: Mask) -> Mask:
    """The largest part and what lies within its outline: text, marks and neighbours are dropped."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ring.astype(np.uint8))
    if count < 2:
        return ring
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    body = labels == largest
    if count == 2:
        return np.asarray(body, bool)
    hull = _hull(body)
    inside = np.bincount(labels[hull], minlength=count) > 0.6 * stats[:, cv2.CC_STAT_AREA]
    big = stats[:, cv2.CC_STAT_AREA] > 0.002 * stats[largest, cv2.CC_STAT_AREA]
    keep = inside & big
    keep[0] = False
    keep[largest] = True
    return np.asarray(keep[labels], bool)


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


# --- the edge in full resolution -----------------------------------------------------------------


def _placed(cutout: Cutout, pixels: Bytes, roi: Roi) -> Cutout:
    """The cut-out of a part put back into the whole picture's frame."""
    if cutout.alpha.shape == pixels.shape[:2]:
        return cutout
    rgb, alpha = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
    crop(rgb, roi)[:] = cutout.rgb
    crop(alpha, roi)[:] = cutout.alpha
    opening = None
    if cutout.opening is not None:
        opening = np.zeros(alpha.shape, bool)
        crop(opening, roi)[:] = cutout.opening
    return replace(cutout, rgb=rgb, alpha=alpha, opening=opening)


def _refine(pixels: Bytes, small: Bytes, regions: Regions) -> Cutout:
    """Alpha and clean colours along the outlines, full size."""
    height, width = pixels.shape[:2]
    reach = 4.0
    full = _level(regions.ring, reach)
    if full.shape != (height, width):
        full = cv2.resize(full, (width, height), interpolation=cv2.INTER_LINEAR)
    rows, cols = np.nonzero((full > 8) & (full < 248))
    x0, y0, x1, y1 = _box(regions.ring, 12)
    ring = regions.ring[y0:y1, x0:x1]
    linear = srgb_to_linear(small[y0:y1, x0:x1])
    ring_colour = _spread_colour(linear, _shrunk(ring, 2), ring)
    ground_colour = _spread_colour(linear, ~_grown(ring, 2), ~ring)
    alpha = np.where(full > 128, np.uint8(255), np.uint8(0))
    rgb = pixels.copy()
    if rows.size:
        x = ((cols + 0.5) / width * small.shape[1] - 0.5 - x0).astype(np.float32)
        y = ((rows + 0.5) / height * small.shape[0] - 0.5 - y0).astype(np.float32)
        near_ring = _sample(ring_colour, x, y)
        near_ground = _sample(ground_colour, x, y)
        seen = srgb_to_linear(pixels[rows, cols])
        depth = (full[rows, cols].astype(np.float32) - 128) * np.float32(reach / 127)
        ramp = max(1.0, 1.4 * small.shape[1] / width)
        coverage, colour = _unmix(seen, near_ring, near_ground, depth, ramp)
        alpha[rows, cols] = np.round(coverage * 255).astype(np.uint8)
        rgb[rows, cols] = linear_to_srgb(colour)
    opening = None
    if regions.opening is not None:
        grown = _grown(regions.opening, 2).astype(np.uint8)
        opening = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        opening &= alpha < 128
    return Cutout(rgb, alpha, opening, regions.method, regions.warnings, regions.confidence)


def _unmix(
    seen: Float, ring: Float, ground: Float, depth: Float, ramp: float
) -> tuple[Float, Float]:
    """Coverage and foreground colour, (n,) and (n, 3), of pixels that mix ring and ground.

    Colour-line matting with known ends: I = a F + (1 - a) B. Where F and B are alike the line says
    nothing and the distance from the outline (``depth``, reduced px, positive inwards) decides.
    From ``ramp`` (reduced px) inwards all is ring; edges of thumbnails are the broader ones.
    """
    line = ring - ground
    length2 = np.einsum("ij,ij->i", line, line)
    along = np.einsum("ij,ij->i", seen - ground, line) / (length2 + np.float32(1e-6))
    off = np.linalg.norm(seen - ground - along[:, None] * line, axis=1)
    by_place = np.clip(depth + np.float32(0.5), 0, 1)
    # What lies beside the line (dark edge lines, stones next to metal) is ring of another colour.
    by_colour = np.clip(np.maximum(along, off / np.float32(0.35)), 0, 1)
    trust = length2 / (length2 + np.float32(0.15))
    mixed = trust * by_colour + (1 - trust) * by_place
    # A little inside, ground-coloured pixels are rather highlights than misses of the decision.
    coverage = np.maximum(mixed, np.clip((depth - 0.4 * (ramp - 1)) / ramp, 0, 1))
    coverage = np.where(depth < -ramp, 0, coverage).astype(np.float32)
    coverage = np.where(coverage > 0.97, 1, np.where(coverage < 0.03, 0, coverage))
    colour = (seen - (1 - coverage[:, None]) * ground) / np.maximum(coverage[:, None], 0.05)
    sure = np.clip((np.minimum(coverage, mixed) - 0.1) / 0.5, 0, 1)[:, None]
    colour = sure * np.clip(colour, 0, 1) + (1 - sure) * ring
    return coverage.astype(np.float32), colour.astype(np.float32)


def _level(ring: Mask, reach: float) -> Bytes:
    """Signed distance from the outline, +-``reach`` px coded into 1..255, 128 on the outline."""
    inside = cv2.distanceTransform(ring.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~ring).astype(np.uint8), cv2.DIST_L2, 5)
    signed = np.where(ring, inside - 0.5, 0.5 - outside).astype(np.float32)
    signed = cv2.GaussianBlur(np.clip(signed, -reach - 2, reach + 2), (0, 0), 0.8)
    return np.asarray(np.clip(128 + signed * (127 / reach), 1, 255), np.uint8)


def _spread_colour(linear: Float, sure: Mask, likely: Mask) -> Float:
    """(h, w, 3) the mean colour of the nearest sure pixels, continued outwards (pull and push)."""
    value, total = _blurred(linear, sure, 2.0, 1)
    for mask, sigma, cell, share in ((sure, 6.0, 3, 1e-2), (likely, 24.0, 8, 1e-5)):
        more, weight = _blurred(linear, mask, sigma, cell)
        value += np.float32(share) * more
        total += np.float32(share) * weight
    return np.asarray(value / (total[..., None] + np.float32(1e-9)), np.float32)


def _blurred(linear: Float, mask: Mask, sigma: float, cell: int) -> tuple[Float, Float]:
    """Masked colour and mask, blurred on a copy ``cell`` times coarser."""
    height, width = mask.shape
    weight = mask.astype(np.float32)
    value = linear * weight[..., None]
    if cell > 1:
        size = (max(1, width // cell), max(1, height // cell))
        weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
        value = cv2.resize(value, size, interpolation=cv2.INTER_AREA)
    weight = cv2.GaussianBlur(weight, (0, 0), sigma / cell)
    value = cv2.GaussianBlur(value, (0, 0), sigma / cell)
    if cell > 1:
        weight = cv2.resize(weight, (width, height), interpolation=cv2.INTER_LINEAR)
        value = cv2.resize(value, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(value, np.float32), np.asarray(weight, np.float32)


def _sample(plane: Float, x: Float, y: Float) -> Float:
    # cv2.remap wants fewer than 32768 rows: fold the list into a block.
    n = x.size
    side = 1024
    pad = -n % side
    fold_x = np.pad(x, (0, pad)).reshape(-1, side)
    fold_y = np.pad(y, (0, pad)).reshape(-1, side)
    picked = cv2.remap(plane, fold_x, fold_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picked.reshape(-1, plane.shape[2])[:n], np.float32)


# --- mattes that came with the picture ---------------------------------------------------------


def _repair_alpha(alpha: Bytes) -> Bytes:
    """Fill pin-holes and drop specks of a transparency made by a careless tool."""
    solid = alpha > 127
    size = _size(solid)
    holes = ~solid & ~connected_to(~solid, frame_mask(solid.shape, 0))
    wide = _wide_parts(holes, OPENING_RADIUS * size)
    pin = holes & ~wide
    inside = _shrunk(_closed(solid, max(1, round(0.004 * size))), max(1, round(0.004 * size)))
    repaired = alpha.copy()
    repaired[pin | (inside & ~wide & ~_grown(wide, 2))] = 255
    # A shadow kept in the file: a broad half-transparent part; the ring's own edge is narrow.
    soft = (repaired > 0) & (repaired < 235)
    broad = _opened(soft, max(2, round(0.006 * size)))
    repaired[soft & _grown(broad, max(2, round(0.01 * size)))] = 0
    keep = _grown(_main_part(repaired > 24), 1)
    repaired[~keep] = 0
    return repaired


def _from_matte(pixels: Bytes, matte: Bytes, method: str) -> Cutout | None:
    """Use a given matte: find its opening and clean the colours under its edge."""
    solid = matte > 127
    if not COVERAGE[0] < solid.mean() < 0.98:
        return None
    size = _size(solid)
    holes = ~solid & ~connected_to(~solid, frame_mask(solid.shape, 0))
    opening = _largest(_wide_parts(holes, OPENING_RADIUS * size))
    rgb = pixels.copy()
    edge = (matte > 0) & ~_shrunk(matte > 250, 1) | (_grown(solid, 2) & ~solid)
    rows, cols = np.nonzero(edge)
    if rows.size:
        height, width = matte.shape
        small = _reduced(pixels)
        h, w = small.shape[:2]
        core = cv2.resize(matte, (w, h), interpolation=cv2.INTER_AREA) > 252
        near = _spread_colour(srgb_to_linear(small), core, core)
        x = ((cols + 0.5) / width * w - 0.5).astype(np.float32)
        y = ((rows + 0.5) / height * h - 0.5).astype(np.float32)
        share = (matte[rows, cols].astype(np.float32) / 255)[:, None] ** 2
        seen = srgb_to_linear(pixels[rows, cols])
        rgb[rows, cols] = linear_to_srgb(
            (share * seen + (1 - share) * _sample(near, x, y)).astype(np.float32)
        )
    return Cutout(rgb, matte, opening, method, (), 0.9)


# --- small morphology --------------------------------------------------------------------------


def _reduced(pixels: Bytes, side: int = DECISION_SIDE) -> Bytes:
    height, width = pixels.shape[:2]
    scale = min(side / max(height, width), LARGEST_UPSCALE)
    if abs(scale - 1) < 0.02:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def _grown(mask: Mask, radius: int) -> Mask:
    if radius <= 1:
        return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, bool)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away <= radius, bool) if mask.any() else mask


def _shrunk(mask: Mask, radius: int) -> Mask:
    if radius <= 1:
        eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
        return np.asarray(eroded > 0, bool)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(depth > radius, bool)


def _opened(mask: Mask, radius: int) -> Mask:
    return _grown(_shrunk(mask, radius), radius)


def _closed(mask: Mask, radius: int) -> Mask:
    return _shrunk(_grown(mask, radius), radius) | mask


def _size(mask: Mask | None) -> float:
    """Root of the bounding box's area, px."""
    if mask is None:
        return 0.0
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return 0.0
    return float(np.sqrt((rows[-1] - rows[0] + 1) * (cols[-1] - cols[0] + 1)))


def _box(mask: Mask, margin: int) -> Roi:
    """Bounding box of a mask, with a margin, within the picture."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return (
        max(0, int(cols[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(cols[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def _wide_parts(mask: Mask, radius: float) -> Mask:
    """The parts of a mask into which a disc of this radius fits."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return connected_to(mask, depth > max(radius, 1.5))


def _largest(mask: Mask) -> Mask | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), bool)


def _hull(mask: Mask) -> Mask:
    rows = np.flatnonzero(mask.any(1))
    first = mask.argmax(1)[rows]
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)[rows]
    ends = np.column_stack([np.concatenate([first, last]), np.concatenate([rows, rows])])
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(ends.astype(np.int32)), 1)
    return filled > 0
