"""Several rings: none overlaps another on its finger, and the right one is drawn on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anello.imaging.finger import FingerSite
from anello.imaging.hand import Hand

GAP = 0.04
"""Skin left between two rings on one finger, in finger widths: worn rings nearly touch."""

LOCATION_SHARE = 0.40
"""Share of the phalanx that location 0 to 1 covers (design of the finger site)."""


def drawing_order(sites: Sequence[FingerSite], has_head: Sequence[bool]) -> list[int]:
    """Indices from first drawn to last: from base to tip, heads over the bands beside them."""
    return sorted(range(len(sites)), key=lambda i: (has_head[i], sites[i].location, i))


def spread(hand: Hand, sites: Sequence[FingerSite], bands_px: Sequence[float]) -> list[float]:
    """Locations at which the rings of one finger don't overlap, moved as little as possible.

    bands_px : axial width of each ring's band on the hand photo, px.
    """
    locations = [site.location for site in sites]
    for finger in {site.finger for site in sites}:
        stack = sorted(
            (i for i, site in enumerate(sites) if site.finger == finger),
            key=lambda i: (locations[i], i),
        )
        if len(stack) < 2:
            continue
        first = 4 * int(finger) + 1 + (finger == 0)
        length_px = float(np.linalg.norm(hand.points_xy[first + 1] - hand.points_xy[first]))
        unit_px = LOCATION_SHARE * max(length_px, 1.0)
        wanted = np.array([locations[i] for i in stack])
        placed = wanted.copy()
        for k in range(1, len(stack)):
            apart = (bands_px[stack[k - 1]] + bands_px[stack[k]]) / 2
            apart += GAP * sites[stack[k]].width_px
            placed[k] = max(placed[k], placed[k - 1] + apart / unit_px)
        placed -= (placed - wanted).mean()
        placed -= max(placed[-1] - 1.0, 0.0)
        placed += max(-placed[0], 0.0)
        for i, location in zip(stack, placed, strict=True):
            locations[i] = float(location)
    return locations
