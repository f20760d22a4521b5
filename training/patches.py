"""Patches of bare ground that the ring network took for ring, from photos made of rendered rings.

    ../.venv/bin/python patches.py [--worker 0/2]

Writes what is missing of ``patches-shard-NNNNN.npz``, ``patches-fine-NNNNN.npz`` and
``patches-val-NNNNN.npz`` in the cache, one for each shard of rings; what the patch network learns
from. Runs where anello does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from augment import Array, with_gaps
from data import Picture, read_shard, write_missing

from anello.imaging.arrays import Float
from anello.imaging.matting import cut_out
from anello.imaging.patches import Patches
from anello.imaging.regions import look
from anello.imaging.warp import crop
from anello.models.ring_network import RingNetwork

SEED = 13
PHOTOS, BURNT_OUT = 10, 5
"""Made of each ring; and of those that are pictured larger besides, in silver burnt out in places,
for which gaps are taken."""


def patches_of(network: RingNetwork, shard: Path) -> dict[str, Any]:
    """All patches of some photos of a shard's rings: ``windows`` (n, s, s, 15) as in
    ``anello.imaging.patches``, ``coverage`` (n,) true mean, and ``area`` (n,) in px."""
    windows, coverage, area = [], [], []
    photos = PHOTOS + (BURNT_OUT if shard.stem.startswith("fine") else 0)
    for k, item in enumerate(read_shard(shard)):
        for photo in range(photos if item.has_ring else 0):
            rng = np.random.default_rng((SEED, int(shard.stem[-5:]), k, photo))
            rgb, alpha, _ = with_gaps(item, rng, burnt_out=photo >= PHOTOS)
            asked = asked_about(network, rgb, alpha)
            if asked is None:
                continue
            patches, truth = asked
            windows.append(patches.windows)
            covered = np.bincount(patches.labels.ravel(), truth.ravel())[1:]
            coverage.append(covered / patches.area)
            area.append(patches.area)
    return {
        "windows": np.concatenate(windows),
        "coverage": np.concatenate(coverage),
        "area": np.concatenate(area),
    }


def asked_about(network: RingNetwork, rgb: Picture, alpha: Array) -> tuple[Patches, Array] | None:
    """The patches that a cut-out asks about, and the true coverage, (h, w), where they lie; None
    for a photo that is refused, or on a textured ground."""
    asked: list[Patches] = []

    def remember(patches: Patches) -> Float:
        asked.append(patches)
        return np.zeros(len(patches.windows), np.float32)

    evidence = network.look(rgb)
    cut_out(rgb, evidence, remember)
    if not asked:
        return None
    _, roi = look(rgb, evidence)
    height, width = asked[0].labels.shape
    return asked[0], cv2.resize(np.ascontiguousarray(crop(alpha, roi)), (width, height))


if __name__ == "__main__":
    made_of = partial(patches_of, RingNetwork())
    write_missing("patches", ("train", "val", "fine"), made_of, __doc__)
