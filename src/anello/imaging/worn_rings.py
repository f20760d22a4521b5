"""Rings that a finger wears already: where they are, so that a new one keeps clear of them.

Along a finger skin changes slowly; at a ring's rims brightness jumps across the whole finger, and
between them nothing looks like the finger's skin. Creases jump less, and at the joint only, where
no ring sits.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64
from anello.imaging.color import luminance, srgb_to_linear
from anello.imaging.finger import FingerSite
from anello.imaging.frame import scaled
from anello.imaging.warp import crop, grown_roi

Span: TypeAlias = tuple[float, float]

SAMPLES = 48
"""Samples over a finger's width: a rim is a sample or two wide, a wrinkle less."""

ACROSS = 0.86
"""Share of the finger's width that is looked at; at its edges light turns away."""

REACH = 1.2
"""Finger widths from the site up and down the finger that are looked at."""

SPREAD = np.array([0.10, 0.14, 0.35])
"""Usual differences within a finger's skin in log R/G, log B/G and log luminance."""

UNLIKE_SKIN = 2.5
"""Of these, from which a sample is no skin."""

RIM = 0.26
"""Mean step of log luminance from one sample to the next along the finger that only rims make: 0.29
to 0.55 on path-traced rings, at most 0.24 on the creases of real hands."""

MOST_OF_ROW = 0.42
"""Share of a row's samples unlike skin that makes it a ring's."""

FROM, TO = -0.3, 0.75
"""Locations between which rings are looked for: at the joint beyond, creases are deep."""


def find_worn(pixels: Bytes, site: FingerSite, unit_px: float) -> tuple[Span, ...]:
    """First and last location of each ring worn on the site's finger.

    pixels : (H, W, 3) 8-bit sRGB of the whole photo. unit_px : length of one unit of location, px.
    """
    along, rows = _rows(pixels, site)
    # What is seen of a ring is its crest, nearer to the tip than its seat.
    crest = 0.5 * np.sin(np.radians(max(site.pitch_deg, 0.0)))
    location = site.location + (along - crest) * site.width_px / unit_px
    inside = (location >= FROM) & (location <= TO)
    red, green, blue = cv2.split(np.log(rows + np.float32(0.01)))
    light = np.log(luminance(rows) + np.float32(0.01))
    features = np.stack([red - green, blue - green, light], -1)
    own = np.median(features[:, SAMPLES // 4 : -SAMPLES // 4].reshape(-1, 3), axis=0)
    off = (features - own) / SPREAD
    off[..., 2] -= np.median(off[..., 2], axis=0)  # how light falls across the finger
    unlike = (np.sqrt((off**2).sum(-1)) > UNLIKE_SKIN).mean(1)
    step = np.abs(np.gradient(light, axis=0)).mean(1)
    found = (cv2.blur(unlike.reshape(-1, 1), (1, 3))[:, 0] > MOST_OF_ROW) & inside
    count, labels = cv2.connectedComponents(found.astype(np.uint8).reshape(-1, 1))
    spans = []
    for k in range(1, count):
        at = np.flatnonzero(labels[:, 0] == k)
        around = slice(max(at[0] - 4, 0), at[-1] + 5)
        if step[around].max() > RIM:
            spans.append((float(location[at[0]]), float(location[at[-1]])))
    return tuple(spans)


def _rows(pixels: Bytes, site: FingerSite) -> tuple[Float64, Float]:
    """(n,) finger widths along the axis from the site, and (n, SAMPLES, 3) linear light there."""
    x, y = np.floor(site.centre_xy).astype(int)
    size = (pixels.shape[1], pixels.shape[0])
    middle = (int(x), int(y), int(x) + 1, int(y) + 1)
    roi = grown_roi(middle, round((REACH + 0.6) * site.width_px), size)
    patch, scale = crop(pixels, roi), SAMPLES / site.width_px
    small, box = scaled(site, roi, min(scale, 1.0))
    if scale < 1:
        patch = np.asarray(cv2.resize(patch, box[2:], interpolation=cv2.INTER_AREA))
    along = np.arange(-REACH, REACH, 1 / SAMPLES)
    aside = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5) * ACROSS
    at = small.centre_xy + small.width_px * (
        along[:, None, None] * small.axis_xy + aside[None, :, None] * small.across_xy
    )
    sampled = cv2.remap(
        np.ascontiguousarray(patch),
        at[..., 0].astype(np.float32),
        at[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return along, srgb_to_linear(np.asarray(sampled, np.uint8))
