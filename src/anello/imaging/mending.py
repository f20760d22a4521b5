"""What a cut-out lost of a band: silver on grey looks like its ground, but a hoop goes on.

Where the outlines, as far as they were right, fit a hoop well, pieces that are missing inside its
band are ring, unless the network saw through them.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from anello.imaging.arrays import Bytes
from anello.imaging.hoop_fit import CLEAR_COST, Hoop
from anello.imaging.masks import box_of, grown, pieces
from anello.imaging.matting import Cutout
from anello.imaging.ring import GIVEN
from anello.imaging.warp import crop

INSET, SOFTNESS = 0.0175, 0.005
"""Outer radii that the mended band stays within the fitted one, and its edge's blur."""
SEEN_THROUGH = 51
"""Mean of the network's coverage, 0 to 255, below which a missing piece is a gap of open-work."""

CLEARLY_THROUGH = 13
"""Coverage of a pixel below which it is a gap, whatever the rest of the piece may be."""


def mended(cutout: Cutout, hoop: Hoop | None) -> Cutout:
    """The cut-out with what it lost of the band; what came with the picture is as it is meant.

    hoop : as it fits the cut-out's outlines, px of the same picture; None mends nothing.
    """
    if hoop is None or hoop.cost > CLEAR_COST or cutout.method in GIVEN:
        return cutout
    if cutout.clues is None or cutout.opening is None:
        return cutout
    roi = box_of(cutout.alpha > 127, round(2 * INSET * hoop.outer))
    x0, y0 = roi[:2]
    alpha = crop(cutout.alpha, roi)
    band = _band(hoop.moved((-x0, -y0)), alpha.shape)
    lost = (band > 127) & (alpha < 128)
    if not lost.any():
        return cutout
    seen = cutout.clues.in_crop((float(x0), float(y0)), 1.0).coverage_over(alpha.shape)
    if seen is None:
        return cutout
    labels, mean = pieces(lost, connectivity=8)
    back = mean(seen) > SEEN_THROUGH
    if not back.any():
        return cutout
    soft = cv2.GaussianBlur(band, (0, 0), max(SOFTNESS * hoop.outer, 0.5))
    filled = grown(back[labels], max(1, round(3 * SOFTNESS * hoop.outer)))
    filled &= seen >= CLEARLY_THROUGH
    whole = cutout.alpha.copy()
    crop(whole, roi)[:] = np.where(filled, np.maximum(alpha, soft), alpha)
    return replace(cutout, alpha=whole, opening=cutout.opening & (whole < 128))


def _band(hoop: Hoop, shape: tuple[int, ...]) -> Bytes:
    """(h, w) coverage of the hoop's band, a little smaller than it is."""
    band = np.zeros(shape[:2], np.uint8)
    silhouette, hole = hoop.outlines(INSET)
    for outline, value in ((silhouette, 255), (hole, 0)):
        cv2.fillPoly(band, [np.round(outline * 16).astype(np.int32)], value, cv2.LINE_AA, 4)
    return band
