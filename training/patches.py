"""Patches of bare ground that the ring network took for ring, from photos made of rendered rings.

    ../.venv/bin/python patches.py [--worker 0/2]

Writes what is missing of ``patches-NNNNN.npz`` and ``patches-val-NNNNN.npz`` in the cache, one for
each shard of rings; what the patch network learns from. Runs where anello does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from augment import Array, with_gaps
from data import CACHE, Picture, read_shard, shards

from anello.imaging.arrays import Float
from anello.imaging.matting import cut_out
from anello.imaging.patches import Patches
from anello.imaging.regions import look
from anello.imaging.warp import crop
from anello.models.ring_network import RingNetwork

SEED = 13
PHOTOS = 10
"""Made of each ring."""


def main() -> None:
    """Read the command line and go through the shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--worker", default="0/1", help="K/N does every Nth shard")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    worker, workers = (int(part) for part in options.worker.split("/"))
    network = RingNetwork()
    for shard in (shards("train", options.cache) + shards("val", options.cache))[worker::workers]:
        out = shard.with_name(f"patches-{shard.name}")
        if not out.exists():
            write_patches(network, shard, out)
            print(out.name, flush=True)


def write_patches(network: RingNetwork, shard: Path, out: Path) -> None:
    """All patches of some photos of a shard's rings: ``windows`` (n, s, s, 15) as in
    ``anello.imaging.patches``, ``coverage`` (n,) true mean, and ``area`` (n,) in px."""
    windows, coverage, area = [], [], []
    for k, item in enumerate(read_shard(shard)):
        for photo in range(PHOTOS if item.has_ring else 0):
            rng = np.random.default_rng((SEED, int(shard.stem[-5:]), k, photo))
            rgb, alpha, _ = with_gaps(item, rng)
            asked = asked_about(network, rgb, alpha)
            if asked is None:
                continue
            patches, truth = asked
            within = patches.labels.ravel()
            pixels = np.bincount(within)[1:]
            windows.append(patches.windows)
            coverage.append(np.bincount(within, truth.ravel())[1:] / pixels)
            area.append(pixels)
    part = out.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            windows=np.concatenate(windows),
            coverage=np.concatenate(coverage),
            area=np.concatenate(area),
        )
    part.rename(out)


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
    main()
