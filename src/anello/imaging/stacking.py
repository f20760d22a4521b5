"""Several rings: none overlaps another on its finger, be it one worn before, and the right one is
drawn on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anello.imaging.finger import LOCATION_SPAN, FingerSite
from anello.imaging.hand import BONES, Finger, Hand
from anello.imaging.worn_rings import Span

GAP = 0.04
"""Skin left between two rings on one finger, in finger widths: worn rings nearly touch."""

CLEAR = 1e-6
"""So that touching is not overlapping."""


def drawing_order(sites: Sequence[FingerSite], has_head: Sequence[bool]) -> list[int]:
    """Indices from first drawn to last: from base to tip, heads over the bands beside them."""
    return sorted(range(len(sites)), key=lambda i: (has_head[i], sites[i].location, i))


def location_px(hand: Hand, finger: Finger) -> float:
    """Length on the photo of the way from location 0 to 1, px."""
    base, joint = BONES[finger]
    bone = hand.points_xy[joint] - hand.points_xy[base]
    return LOCATION_SPAN * max(float(np.hypot(*bone)), 1.0)


def spread(
    hand: Hand,
    sites: Sequence[FingerSite],
    bands_px: Sequence[float],
    worn: Mapping[Finger, Sequence[Span]] | None = None,
) -> list[float]:
    """Locations at which the rings of one finger don't overlap, moved as little as possible.

    bands_px : axial width of each ring's band on the hand photo, px. worn : where fingers wear
    rings already; where no place is free of them, they are not heeded.
    """
    locations = [site.location for site in sites]
    for finger in {site.finger for site in sites}:
        stack = sorted(
            (i for i, site in enumerate(sites) if site.finger == finger),
            key=lambda i: (locations[i], i),
        )
        unit_px = location_px(hand, finger)
        wanted = np.array([locations[i] for i in stack])
        placed = wanted.copy()
        for k in range(1, len(stack)):
            apart = (bands_px[stack[k - 1]] + bands_px[stack[k]]) / 2
            apart += GAP * sites[stack[k]].width_px
            placed[k] = max(placed[k], placed[k - 1] + apart / unit_px)
        if len(stack) > 1:
            placed -= (placed - wanted).mean()
            placed -= max(placed[-1] - 1.0, 0.0)
            placed += max(-placed[0], 0.0)
        ends = [bands_px[i] / 2 + GAP * sites[i].width_px for i in (stack[0], stack[-1])]
        low, high = placed[0] - ends[0] / unit_px, placed[-1] + ends[1] / unit_px
        placed += _step_aside(low, high, (-placed[0], 1 - placed[-1]), (worn or {}).get(finger, ()))
        for i, location in zip(stack, placed, strict=True):
            locations[i] = float(location)
    return locations


def overlaps(location: float, half: float, spans: Sequence[Span]) -> bool:
    """Whether what reaches ``half`` to both sides of a location touches one of the spans."""
    return any(location - half < last and first < location + half for first, last in spans)


def _step_aside(low: float, high: float, room: Span, spans: Sequence[Span]) -> float:
    """The least step, within ``room``, that takes low..high clear of the spans; 0 without one."""
    middle, half = (low + high) / 2, (high - low) / 2
    steps = [0.0]
    for first, last in spans:
        steps += [first - high - CLEAR, last - low + CLEAR]
    fit = (step for step in steps if room[0] <= step <= room[1])
    clear = [step for step in fit if not overlaps(middle + step, half, spans)]
    return min(clear, key=abs, default=0.0)
