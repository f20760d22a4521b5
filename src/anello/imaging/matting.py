"""Cut the ring out of a product photo: alpha, clean colours under it, and the hoop's opening.

Decisions (what is ring, ground, shadow, opening) are made on a reduced copy; only the strip along
the found outlines is looked at again in full resolution, where its alpha is the place of each pixel
on the line between the ground's and the ring's colour next to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Mask
from anello.imaging.color import linear_to_srgb, srgb_to_linear
from anello.imaging.ground import (
    Deviation,
    Ground,
    bytes_to_lab,
    connected_to,
    deviation,
    fit_ground,
    frame_mask,
)

DECISION_SIDE = 640
"""Long side of the reduced copy, px: a thin band (1.5 % of the picture) still has ten pixels."""
SHADOW_DEPTH = 62.0
"""L* units; a cast shadow on a lit table leaves more light than this takes."""
OPENING_RADIUS = 0.035
"""Smallest inscribed radius of an enclosed see-through region, of the ring's size: gaps between
wires are wider, facets of a stone are smaller."""
COVERAGE = (0.004, 0.80)
"""Share of the picture a ring fills; less is a speck, more is no product photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A ring freed from its ground, in the product photo's frame.

    rgb : (h, w, 3) sRGB, straight foreground colours, continued a little beyond the edge.
    alpha : (h, w) coverage, 0 to 255.
    opening : (h, w) the see-through region inside the hoop, or None if none is seen.
    method : "alpha" | "mask" | "ground" | "texture", what decided.
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

    pixels : (h, w, 3) sRGB. alpha : (h, w) the file's own transparency. mask : (h, w), white = ring.
    """
    if mask is not None:
        return _from_matte(pixels, mask, "mask")
    if alpha is not None and is_informative(alpha):
        return _from_matte(pixels, _repair_alpha(pixels, alpha), "alpha")
    small = _reduced(pixels)
    regions = find_regions(small)
    if regions is None:
        return None
    cutout = _refine(pixels, small, regions)
    if not remove_background:
        note = "the picture is opaque: only the ring found in it is used, not its ground"
        cutout = replace(cutout, warnings=cutout.warnings + (note,))
    return cutout


def is_informative(alpha: Bytes) -> bool:
    """Whether a file's transparency tells ring from ground."""
    clear = float((alpha < 16).mean())
    return 0.05 < clear < 1 - COVERAGE[0]


# --- decisions on the reduced copy -------------------------------------------------------------


def find_regions(small: Bytes) -> Regions | None:
    """Ring and opening on a reduced copy, (h, w, 3) sRGB, or None for anything else."""
    lab = bytes_to_lab(small)
    ground = fit_ground(lab)
    if ground.is_plain:
        ring = _ring_on_plain(small, deviation(lab, ground), ground)
        method = "ground"
    else:
        ring = _ring_on_texture(small)
        method = "texture"
    if ring is None:
        return None
    ring, opening = _solid(ring, deviation(lab, ground), ground)
    if not _is_ring_like(ring, opening):
        return None
    return Regions(ring, opening, method, 0.8 if method == "ground" else 0.5)


def _ring_on_plain(small: Bytes, dev: Deviation, ground: Ground) -> Mask | None:
    """Watershed of the picture between ground grown from the frame and hard evidence of ring."""
    noise = 3 * ground.sigma
    tight = (np.abs(dev.light) < max(2.5, noise)) & (dev.chroma < max(3.0, noise))
    shaded = (
        (dev.light < max(2.5, noise))
        & (dev.light > -SHADOW_DEPTH)
        & (dev.chroma < max(4.0, noise) + 0.06 * np.abs(dev.light))
        & (dev.edge < max(1.6, noise))
    )
    frame = frame_mask(*tight.shape, share=0.01)
    field = _opened(tight | shaded, 1)
    outside = connected_to(field, frame & field)
    strong = _strong(dev, ~outside)
    strong &= ~outside
    if strong.mean() < COVERAGE[0] / 4:
        return None
    size = _size(strong)
    enclosed = _wide_parts(_opened(tight & ~outside, 1), OPENING_RADIUS * size)
    markers = np.zeros(tight.shape, np.int32)
    markers[_shrunk(outside, 1) | enclosed | (frame & outside)] = 1
    markers[strong] = 2
    return _watershed(dev, small, markers)


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


def _watershed(dev: Deviation, small: Bytes, markers: np.ndarray) -> Mask:
    relief = np.clip(np.abs(dev.light) * 1.2, 0, 255).astype(np.uint8)
    colour = np.clip(dev.chroma * 2.5, 0, 255).astype(np.uint8)
    edges = np.clip(dev.edge * 6, 0, 255).astype(np.uint8)
    labels = markers.copy()
    cv2.watershed(np.dstack([relief, colour, edges]), labels)
    labels[labels == -1] = 2
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        line[line == 2] = 1
    # OpenCV leaves the picture's outermost pixels as lines; they belong to their neighbours.
    labels[0], labels[-1] = labels[1], labels[-2]
    labels[:, 0], labels[:, -1] = labels[:, 1], labels[:, -2]
    return np.asarray(labels == 2, bool)


def _ring_on_texture(small: Bytes) -> Mask | None:
    """GrabCut's colour models, seeded by the frame and the picture's middle."""
    height, width = small.shape[:2]
    scale = min(1.0, 320 / max(height, width))
    tiny = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    seeds = np.full(tiny.shape[:2], cv2.GC_PR_BGD, np.uint8)
    h, w = seeds.shape
    seeds[h // 6 : -h // 6, w // 6 : -w // 6] = cv2.GC_PR_FGD
    seeds[frame_mask(h, w, 0.04)] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(
        tiny, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK
    )
    ring = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return cv2.resize(ring, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def _solid(ring: Mask, dev: Deviation, ground: Ground) -> tuple[Mask, Mask | None]:
    """One ring without specks: gaps closed, pin-holes filled, the openings kept."""
    size = _size(ring)
    ring = _main_part(ring)
    closed = _closed(ring, max(1, round(0.008 * size)))
    holes = ~closed & ~connected_to(~closed, frame_mask(*closed.shape, share=0.004))
    wide = _wide_parts(holes, OPENING_RADIUS * size)
    # Closing narrows what is open; give the openings back their own outline.
    openings = connected_to(holes & ~ring, wide) if wide.any() else wide
    outside = connected_to(~closed, frame_mask(*closed.shape, share=0.004))
    outside = _grown(outside, max(1, round(0.008 * size))) & ~ring
    opened = _grown(openings, max(1, round(0.008 * size))) & ~ring
    ring = ~(outside | opened)
    ring = _main_part(ring)
    if not opened.any():
        return ring, None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened.astype(np.uint8))
    del count
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return ring, np.asarray(labels == largest, bool)


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


def _is_ring_like(ring: Mask, opening: Mask | None) -> bool:
    cover = float(ring.mean())
    return COVERAGE[0] < cover < COVERAGE[1]


# --- the edge in full resolution -----------------------------------------------------------------


def _refine(pixels: Bytes, small: Bytes, regions: Regions) -> Cutout:
    """Alpha and clean colours along the outlines, full size."""
    height, width = pixels.shape[:2]
    scale = max(height, width) / max(small.shape[:2])
    reach = 2.5
    level = _level(regions.ring, reach)
    full = level if scale == 1 else cv2.resize(level, (width, height), interpolation=cv2.INTER_CUBIC)
    rows, cols = np.nonzero((full > 8) & (full < 248))
    linear = srgb_to_linear(small)
    ring_colour = _spread_colour(linear, _shrunk(regions.ring, 2), regions.ring)
    ground_colour = _spread_colour(linear, ~_grown(regions.ring, 2), ~regions.ring)
    alpha = np.where(full > 128, np.uint8(255), np.uint8(0))
    rgb = pixels.copy()
    if rows.size:
        x = ((cols + 0.5) / width * small.shape[1] - 0.5).astype(np.float32)
        y = ((rows + 0.5) / height * small.shape[0] - 0.5).astype(np.float32)
        near_ring = _sample(ring_colour, x, y)
        near_ground = _sample(ground_colour, x, y)
        seen = srgb_to_linear(pixels[rows, cols])
        depth = (full[rows, cols].astype(np.float32) - 128) / 127 * reach
        coverage, colour = _unmix(seen, near_ring, near_ground, depth)
        alpha[rows, cols] = np.round(coverage * 255).astype(np.uint8)
        rgb[rows, cols] = linear_to_srgb(colour)
    opening = None
    if regions.opening is not None:
        grown = _grown(regions.opening, 2).astype(np.uint8)
        opening = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        opening &= alpha < 128
    return Cutout(rgb, alpha, opening, regions.method, regions.warnings, regions.confidence)


def _unmix(seen: Float, ring: Float, ground: Float, depth: Float) -> tuple[Float, Float]:
    """Coverage and foreground colour, (n,) and (n, 3), of pixels that mix ring and ground.

    Colour-line matting with known ends: I = a F + (1 - a) B. Where F and B are alike the line says
    nothing and the distance from the outline (``depth``, reduced px, positive inwards) decides.
    """
    line = ring - ground
    length2 = np.einsum("ij,ij->i", line, line)
    along = np.einsum("ij,ij->i", seen - ground, line) / (length2 + np.float32(1e-6))
    off = np.linalg.norm(seen - ground, axis=1)
    by_place = np.clip(depth + np.float32(0.5), 0, 1)
    # Ring pixels of another colour than the local mean (dark edge lines, highlights) are ring too.
    by_colour = np.clip(np.maximum(along, off / np.float32(0.35)), 0, 1)
    trust = length2 / (length2 + np.float32(0.02))
    coverage = trust * by_colour + (1 - trust) * by_place
    coverage = np.where(depth > 1.6, 1, np.where(depth < -1.6, 0, coverage)).astype(np.float32)
    coverage = np.where(coverage > 0.97, 1, np.where(coverage < 0.03, 0, coverage))
    colour = (seen - (1 - coverage[:, None]) * ground) / np.maximum(coverage[:, None], 0.05)
    sure = np.clip((coverage - 0.1) / 0.5, 0, 1)[:, None]
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
    value = np.zeros_like(linear)
    total = np.zeros(linear.shape[:2], np.float32)
    for mask, sigma, share in ((sure, 2.0, 1.0), (sure, 6.0, 1e-2), (likely, 24.0, 1e-5)):
        weight = mask.astype(np.float32) * np.float32(share)
        value += cv2.GaussianBlur(linear * weight[..., None], (0, 0), sigma)
        total += cv2.GaussianBlur(weight, (0, 0), sigma)
    return np.asarray(value / (total[..., None] + np.float32(1e-9)), np.float32)


def _sample(plane: Float, x: Float, y: Float) -> Float:
    # cv2.remap wants fewer than 32768 rows: fold the list into a block.
    n = x.size
    side = 1024
    pad = -n % side
    fold_x = np.pad(x, (0, pad)).reshape(-1, side)
    fold_y = np.pad(y, (0, pad)).reshape(-1, side)
    picked = cv2.remap(plane, fold_x, fold_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picked.reshape(-1, plane.shape[2])[:n], np.float32)


# --- mattes that came with the picture -------------------------------------------------------------


def _repair_alpha(pixels: Bytes, alpha: Bytes) -> Bytes:
    """Fill pin-holes and drop specks of a transparency made by a careless tool."""
    solid = alpha > 127
    size = _size(solid)
    holes = ~solid & ~connected_to(~solid, frame_mask(*solid.shape, share=0.002))
    wide = _wide_parts(holes, OPENING_RADIUS * size)
    pin = holes & ~wide
    inside = _shrunk(_closed(solid, max(1, round(0.004 * size))), max(1, round(0.004 * size)))
    repaired = alpha.copy()
    repaired[pin | (inside & ~wide & ~_grown(wide, 2))] = 255
    keep = _grown(_main_part(repaired > 24), 1)
    repaired[~keep] = 0
    return repaired


def _from_matte(pixels: Bytes, matte: Bytes, method: str) -> Cutout | None:
    """Use a given matte: find its opening and clean the colours under its edge."""
    solid = matte > 127
    if not COVERAGE[0] < solid.mean() < 0.98:
        return None
    size = _size(solid)
    holes = ~solid & ~connected_to(~solid, frame_mask(*solid.shape, share=0.002))
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
        rgb[rows, cols] = linear_to_srgb(share * seen + (1 - share) * _sample(near, x, y))
    return Cutout(rgb, matte, opening, method, (), 0.9)


# --- small morphology -------------------------------------------------------------------------------


def _reduced(pixels: Bytes, side: int = DECISION_SIDE) -> Bytes:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _disc(radius: int) -> Bytes:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8
    )


def _grown(mask: Mask, radius: int) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0


def _shrunk(mask: Mask, radius: int) -> Mask:
    return cv2.erode(mask.astype(np.uint8), _disc(radius), borderValue=1) > 0


def _opened(mask: Mask, radius: int) -> Mask:
    return _grown(_shrunk(mask, radius), radius)


def _closed(mask: Mask, radius: int) -> Mask:
    padded = cv2.copyMakeBorder(
        mask.astype(np.uint8), radius, radius, radius, radius, cv2.BORDER_CONSTANT, value=0
    )
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(radius))
    return closed[radius:-radius, radius:-radius] > 0


def _size(mask: Mask) -> float:
    """Root of the bounding box's area, px."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return 0.0
    return float(np.sqrt((rows[-1] - rows[0] + 1) * (cols[-1] - cols[0] + 1)))


def _wide_parts(mask: Mask, radius: float) -> Mask:
    """The parts of a mask into which a disc of this radius fits."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return connected_to(mask, depth > max(radius, 1.5))


def _largest(mask: Mask) -> Mask | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), bool)


def _hull(mask: Mask) -> Mask:
    points = cv2.findNonZero(mask.astype(np.uint8))
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled > 0
