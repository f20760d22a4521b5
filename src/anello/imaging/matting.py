"""Cut the ring out of a product photo: alpha, clean colours under it, and the hoop's opening.

What is ring and what is opening is decided on a reduced copy (``regions``); only the strip along
the found outlines is looked at again in full resolution, where its alpha is the place of each pixel
on the line between the ground's and the ring's colour next to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Mask, Roi
from anello.imaging.color import REC709_LUMINANCE, linear_to_srgb, srgb_to_linear
from anello.imaging.evidence import Clues, RingEvidence
from anello.imaging.masks import (
    box_of,
    closed,
    grown,
    holes,
    hull,
    largest,
    main_part,
    opened,
    shrunk,
    size_of,
    wide_parts,
)
from anello.imaging.patches import TellGaps
from anello.imaging.regions import COVERAGE, Regions, find_regions, look, reduced
from anello.imaging.warp import crop

SMALLEST = 400
"""Pixels of ring below which there is too little to see: a ring 40 px across."""

CHROMA_COUNTS = 0.5
"""Against lightness, along an edge: JPEG keeps half as much of it and smears it over both sides."""
NOISE, OTHER_COLOUR = 0.06, 0.41
"""Distance from the line between two colours, linear light, up to which a pixel's is noise, and
from which it is wholly that of something else."""
OTHERS_OPENING = 0.25
"""Area of another ring's opening over the chosen one's from which it is one."""

WHOLE = 0.03
"""Share of its hull by which an opening is more whole than one that a ring in front cuts into."""

OPENING_RADIUS = 0.02
"""Smallest inscribed radius of the opening in a given matte, of the ring's size."""

_COUNTED = (
    CHROMA_COUNTS * np.eye(3) + (1 - CHROMA_COUNTS) * np.outer(REC709_LUMINANCE, np.ones(3))
).astype(np.float32)
"""Draws linear light towards its luminance, for distances in which chroma counts so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A ring freed from its ground, in the product photo's frame.

    rgb : (h, w, 3) sRGB, straight foreground colours, continued a little beyond the edge.
    alpha : (h, w) coverage, 0 to 255.
    opening : (h, w) the see-through region inside the hoop, or None if none is seen.
    method : "alpha" | "mask" | "as-is" | "ground" | "texture", what decided.
    confidence : 0 to 1.
    clues : where the ring network saw the hoop's ends and sides, if it looked.
    """

    rgb: Bytes
    alpha: Bytes
    opening: Mask | None
    method: str
    warnings: tuple[str, ...]
    confidence: float
    clues: Clues | None = None


def cut_out(
    pixels: Bytes,
    evidence: RingEvidence,
    tell_gaps: TellGaps,
    alpha: Bytes | None = None,
    remove_background: bool = True,
) -> Cutout | None:
    """Cut the ring out; None if there is nothing ring-like.

    pixels : (h, w, 3) sRGB. evidence : what the ring network saw in it.
    tell_gaps : which patches of bare ground that it took for ring are none.
    alpha : (h, w) the file's own transparency; it decides where it tells ring from ground.
    """
    if not evidence.shows_ring:
        return None
    if alpha is None or not is_informative(alpha):
        cutout = _from_ground(pixels, evidence, tell_gaps)
        if cutout is not None and not remove_background:
            note = "the picture is opaque: only the ring found in it is used, not its ground"
            cutout = replace(cutout, warnings=cutout.warnings + (note,))
    elif remove_background:
        cutout = _from_matte(pixels, _repair_alpha(alpha), "alpha")
    else:
        cutout = _from_matte(pixels, alpha, "as-is")
    if cutout is None:
        return None
    warnings = cutout.warnings + evidence.warnings
    return replace(cutout, clues=evidence.clues, warnings=warnings)


def cut_out_by_mask(pixels: Bytes, mask: Bytes) -> Cutout | None:
    """Cut out what a client's mask, (h, w), white = ring, says; None if that can be no ring."""
    return _from_matte(pixels, mask, "mask")


def one_of_a_pair(cutout: Cutout) -> Cutout:
    """Of two rings that were cut out together the one in front, whose opening is whole: what lies
    nearer to the other's opening is the other's. A single ring is returned as it is."""
    solid, opening = cutout.alpha > 127, cutout.opening
    if opening is None or cutout.clues is None or cutout.clues.view != "pair":
        return cutout
    other = largest(holes(solid) & ~opening)
    if other is None or other.sum() < OTHERS_OPENING * opening.sum():
        return cutout
    if other.sum() / hull(other).sum() > opening.sum() / hull(opening).sum() + WHOLE:
        opening, other = other, opening
    to_own, to_other = (
        cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5) for hole in (opening, other)
    )
    nearer = to_own <= to_other
    ring = grown(main_part(solid & nearer), 2) & nearer
    return replace(cutout, alpha=np.where(ring, cutout.alpha, 0), opening=opening)


def is_informative(alpha: Bytes) -> bool:
    """Whether a file's transparency tells ring from ground."""
    clear = float((alpha < 16).mean())
    return 0.05 < clear < 1 - COVERAGE[0]


def _from_ground(pixels: Bytes, evidence: RingEvidence, tell_gaps: TellGaps) -> Cutout | None:
    """Tell ring from ground by what was seen and by colour."""
    ground, roi = look(pixels, evidence)
    part = crop(pixels, roi)
    small = reduced(part)
    seen = evidence.over(roi, small.shape)
    enlarged = max(small.shape) / max(part.shape)
    regions = find_regions(small, ground, seen, tell_gaps, enlarged)
    if regions is None or regions.ring.mean() * part.size / 3 < SMALLEST:
        return None
    return _placed(_refine(part, small, regions, evidence.certainty), pixels, roi)


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


def _refine(pixels: Bytes, small: Bytes, regions: Regions, confidence: float) -> Cutout:
    """Alpha and clean colours along the outlines, full size."""
    height, width = pixels.shape[:2]
    reach = 4.0
    full = _level(regions.ring, reach)
    if full.shape != (height, width):
        full = cv2.resize(full, (width, height), interpolation=cv2.INTER_LINEAR)
    rows, cols = np.divmod(np.flatnonzero((full >= 9) & (full <= 247)), width)
    x0, y0, x1, y1 = box_of(regions.ring, 12)
    ring = regions.ring[y0:y1, x0:x1]
    colours = _weighable(small[y0:y1, x0:x1])
    alpha = np.asarray(cv2.threshold(full, 128, 255, cv2.THRESH_BINARY)[1], np.uint8)
    rgb = pixels.copy()
    if rows.size:
        x = ((cols + 0.5) / width * small.shape[1] - 0.5 - x0).astype(np.float32)
        y = ((rows + 0.5) / height * small.shape[0] - 0.5 - y0).astype(np.float32)
        near_ring = _colour_near(x, y, colours, shrunk(ring, 2), ring)
        near_ground = _colour_near(x, y, colours, ~grown(ring, 2), ~ring)
        seen = srgb_to_linear(pixels[rows, cols])
        depth = (full[rows, cols].astype(np.float32) - 128) * np.float32(reach / 127)
        ramp = max(1.0, 1.4 * small.shape[1] / width)
        coverage, colour = _unmix(seen, near_ring, near_ground, depth, ramp)
        alpha[rows, cols] = np.round(coverage * 255).astype(np.uint8)
        rgb[rows, cols] = linear_to_srgb(colour)
    opening = None
    if regions.opening is not None:
        near = grown(regions.opening, 2).astype(np.uint8)
        opening = cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        opening &= alpha < 128
    return Cutout(rgb, alpha, opening, regions.method, (), confidence)


def _unmix(
    seen: Float, ring: Float, ground: Float, depth: Float, ramp: float
) -> tuple[Float, Float]:
    """Coverage and foreground colour, (n,) and (n, 3), of pixels that mix ring and ground.

    Colour-line matting with known ends: I = a F + (1 - a) B. Where F and B are alike the line says
    nothing and the distance from the outline (``depth``, reduced px, positive inwards) decides.
    From ``ramp`` (reduced px) inwards all is ring; edges of thumbnails are the broader ones.
    """
    line, at = ((to - ground) @ _COUNTED for to in (ring, seen))
    length2 = np.einsum("ij,ij->i", line, line)
    along = np.einsum("ij,ij->i", at, line) / (length2 + np.float32(1e-6))
    beside = at - along[:, None] * line
    off = np.sqrt(np.einsum("ij,ij->i", beside, beside))
    by_place = np.clip(depth + np.float32(0.5), 0, 1)
    # What lies beside the line (dark edge lines, stones next to metal) is ring of another colour.
    other = (off - np.float32(NOISE)) / np.float32(OTHER_COLOUR - NOISE)
    by_colour = np.clip(np.maximum(along, other), 0, 1)
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


def _weighable(pixels: Bytes) -> Float:
    """(h, w, 4) linear light, and a weight of 1."""
    linear = cv2.split(srgb_to_linear(pixels))
    return np.asarray(cv2.merge([*linear, np.ones_like(linear[0])]), np.float32)


def _colour_near(x: Float, y: Float, colours: Float, sure: Mask, likely: Mask) -> Float:
    """(n, 3) the mean of the sure pixels' weighable colours nearest to places (n,), continued
    outwards from there and from likely ones (pull and push)."""
    picked = np.zeros((x.size, 4), np.float32)
    for mask, sigma, cell, share in (
        (sure, 2.0, 2, 1.0),
        (sure, 6.0, 4, 1e-2),
        (likely, 24.0, 8, 1e-5),
    ):
        plane = _blurred(colours, mask, sigma, cell)
        picked += np.float32(share) * _sample(plane, x, y, cell)
    return picked[:, :3] / (picked[:, 3:] + np.float32(1e-9))


def _blurred(colours: Float, mask: Mask, sigma: float, cell: int) -> Float:
    """(h / cell, w / cell, 4), rounded up, of what the mask shows of (h, w, 4) colours, blurred by
    ``sigma`` px of the finer copy."""
    shown = cv2.copyTo(colours, mask.astype(np.uint8))
    down, right = (-side % cell for side in mask.shape)
    shown = cv2.copyMakeBorder(shown, 0, down, 0, right, cv2.BORDER_CONSTANT)
    size = shown.shape[1] // cell, shown.shape[0] // cell
    coarse = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(coarse, (0, 0), sigma / cell), np.float32)


def _sample(plane: Float, x: Float, y: Float, cell: int) -> Float:
    """(n, k) at places of a picture that is ``cell`` times as fine."""
    half, step = np.float32(0.5), np.float32(cell)
    x, y = (x + half) / step - half, (y + half) / step - half
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
    size = size_of(solid)
    enclosed = holes(solid)
    wide = wide_parts(enclosed, OPENING_RADIUS * size)
    pin = enclosed & ~wide
    inside = shrunk(closed(solid, max(1, round(0.004 * size))), max(1, round(0.004 * size)))
    repaired = alpha.copy()
    repaired[pin | (inside & ~wide & ~grown(wide, 2))] = 255
    # A shadow kept in the file: a broad half-transparent part; the ring's own edge is narrow.
    soft = (repaired > 0) & (repaired < 235)
    broad = opened(soft, max(2, round(0.006 * size)))
    repaired[soft & grown(broad, max(2, round(0.01 * size)))] = 0
    keep = grown(main_part(repaired > 24), 1)
    repaired[~keep] = 0
    return repaired


def _from_matte(pixels: Bytes, matte: Bytes, method: str) -> Cutout | None:
    """Use a given matte: find its opening and clean the colours under its edge."""
    solid = matte > 127
    if not COVERAGE[0] < solid.mean() < 0.98:
        return None
    size = size_of(solid)
    opening = largest(wide_parts(holes(solid), OPENING_RADIUS * size))
    rgb = pixels.copy()
    edge = (matte > 0) & ~shrunk(matte > 250, 1) | (grown(solid, 2) & ~solid)
    rows, cols = np.nonzero(edge)
    if rows.size:
        height, width = matte.shape
        small = reduced(pixels)
        h, w = small.shape[:2]
        core = cv2.resize(matte, (w, h), interpolation=cv2.INTER_AREA) > 252
        x = ((cols + 0.5) / width * w - 0.5).astype(np.float32)
        y = ((rows + 0.5) / height * h - 0.5).astype(np.float32)
        near = _colour_near(x, y, _weighable(small), core, core)
        share = (matte[rows, cols].astype(np.float32) / 255)[:, None] ** 2
        seen = srgb_to_linear(pixels[rows, cols])
        rgb[rows, cols] = linear_to_srgb((share * seen + (1 - share) * near).astype(np.float32))
    return Cutout(rgb, matte, opening, method, (), 0.9)
