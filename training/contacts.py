"""Windows about the ends of rims, in photos made of rendered rings, each a little off its end.

    ../.venv/bin/python contacts.py [--worker 0/2]

Writes what is missing of ``contacts-shard-NNNNN.npz`` and ``contacts-val-NNNNN.npz`` in the
cache, one for each shard of rings; what the contact network learns from. Runs where anello does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from augment import Random, with_gaps
from data import Item, Picture, read_shard, write_missing
from numpy.typing import NDArray

from anello.imaging.contacts import WINDOW, contact_windows

SEED = 14
PHOTOS = 16
"""Made of each ring."""
ELEVATIONS_DEG = 8, 80
"""Seen flatter or steeper, a hoop's ends are hardly to be found, or anywhere round it."""
LEAST_APART_PX = 30
"""Distance of the two ends in photos that are used."""
OFF, OFF_SHARES = (0.014, 0.03, 0.08), (0.5, 0.3, 0.2)
"""Standard deviations with which the ring network's ends are off, of their distance, and how often:
on rings that it had not learned from, 58 % of ends are off by up to 0.02, 81 % by up to 0.04."""
FARTHEST = 0.2
"""How far a window is off its end at most."""
MARGIN_PX = 3
"""How far within the window an end lies at least."""


def windows_of(shard: Path) -> dict[str, Any]:
    """Of some photos of a shard's rings: ``windows`` (n, s, s, 6) as in
    ``anello.imaging.contacts``, and ``places`` (n, 2), px of the window, of the ends."""
    windows, places = [], []
    for k, item in enumerate(read_shard(shard)):
        for photo in range(PHOTOS if _shows_ends(item) else 0):
            rng = np.random.default_rng((SEED, int(shard.stem[-5:]), k, photo))
            rgb, _, contacts_xy = with_gaps(item, rng)
            for window, place in about_ends(rgb, contacts_xy.astype(np.float64), rng):
                windows.append(window)
                places.append(place)
    return {
        "windows": np.array(windows, np.uint8).reshape(-1, WINDOW, WINDOW, 6),
        "places": np.array(places, np.float32).reshape(-1, 2),
    }


def _shows_ends(item: Item) -> bool:
    low, high = ELEVATIONS_DEG
    return len(item.contacts_xy) == 2 and low <= item.elevation_deg <= high


def about_ends(
    rgb: Picture, contacts_xy: NDArray[np.float64], rng: Random
) -> list[tuple[Picture, NDArray[np.float64]]]:
    """A window about where each end might have been seen, and the end's place in it, px; none of
    ends outside the picture."""
    apart = float(np.linalg.norm(contacts_xy[1] - contacts_xy[0]))
    inside = ((contacts_xy >= 0) & (contacts_xy < len(rgb))).all()
    if not inside or apart < LEAST_APART_PX:
        return []
    off = rng.normal(0, rng.choice(OFF, (2, 1), p=OFF_SHARES), (2, 2))
    off *= np.minimum(1, FARTHEST / np.linalg.norm(off, axis=1, keepdims=True))
    windows, photo_from_windows = contact_windows(rgb, contacts_xy + off * apart)
    about = []
    for end, window, to_photo in zip(contacts_xy, windows, photo_from_windows, strict=True):
        window_from_photo = cv2.invertAffineTransform(to_photo)
        place = window_from_photo[:, :2] @ end + window_from_photo[:, 2]
        if ((place >= MARGIN_PX) & (place <= WINDOW - 1 - MARGIN_PX)).all():
            about.append((window, place))
    return about


if __name__ == "__main__":
    write_missing("contacts", ("train", "val"), windows_of, __doc__)
