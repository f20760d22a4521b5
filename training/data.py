"""The rendered rings, as ``render.py`` leaves them: shards of 32 pictures with exact truth."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CACHE = Path(os.environ.get("ANELLO_TRAINING_CACHE", Path(__file__).parent / "cache"))
"""Where the shards lie; git-ignored, rebuilt by ``render.py``."""
GROUND, FRONT, REAR, HEAD = range(4)
"""What ``Item.parts`` says."""
VIEWS = ("three-quarter", "top", "face-on", "side", "lying", "pair")
"""What a ring is seen as; a picture without a ring is of no view."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One picture and its truth.

    rgb : (h, w, 3) sRGB. alpha : (h, w) coverage. parts : (h, w) labels.
    opening : (h, w) 255 where ground is seen through the hoop.
    contacts_xy : (n, 2) px, two where the opening's ends are known. head_xy : (n, 2), none or one.
    """

    rgb: Picture
    alpha: Picture
    parts: Picture
    opening: Picture
    contacts_xy: NDArray[np.float32]
    head_xy: NDArray[np.float32]
    view: str
    elevation_deg: float
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def has_ring(self) -> bool:
        return bool((self.alpha > 127).any())


def shards(split: str, cache: Path = CACHE) -> list[Path]:
    """The files of ``train``, ``val``, ``fine`` or ``sketch``, in order."""
    kind = "shard" if split == "train" else split
    return sorted(cache.glob(f"{kind}-?????.npz"))


def read_shard(path: Path) -> list[Item]:
    """All items of a file."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    metas = [json.loads(str(text)) for text in arrays["meta"]]
    return [_item(arrays, k, meta) for k, meta in enumerate(metas)]


def write_missing(
    kind: str,
    splits: tuple[str, ...],
    made_of: Callable[[Path], dict[str, Any]],
    description: str | None,
) -> None:
    """Read the command line and write what is missing of ``KIND-SHARD.npz`` in the cache, the
    arrays that are made of each shard of rings of some splits."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--worker", default="0/1", help="K/N does every Nth shard")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    worker, workers = (int(part) for part in options.worker.split("/"))
    every = [shard for split in splits for shard in shards(split, options.cache)]
    for shard in every[worker::workers]:
        out = shard.with_name(f"{kind}-{shard.name}")
        if out.exists():
            continue
        arrays = made_of(shard)
        part = out.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        part.rename(out)
        print(out.name, flush=True)


def _item(arrays: dict[str, Any], k: int, meta: dict[str, Any]) -> Item:
    def picture(name: str, flags: int) -> Picture:
        start, end = arrays[f"{name}_offsets"][k : k + 2]
        decoded = cv2.imdecode(arrays[f"{name}_bytes"][start:end], flags)
        if decoded is None:
            raise ValueError(f"{name} of item {k} can't be decoded")
        return np.asarray(decoded, np.uint8)

    head = meta.get("head_xy")
    return Item(
        rgb=np.ascontiguousarray(picture("image", cv2.IMREAD_COLOR)[..., ::-1]),
        alpha=picture("alpha", cv2.IMREAD_GRAYSCALE),
        parts=picture("parts", cv2.IMREAD_GRAYSCALE),
        opening=picture("opening", cv2.IMREAD_GRAYSCALE),
        contacts_xy=np.array(meta.get("contact_xy") or [], np.float32).reshape(-1, 2),
        head_xy=np.array([head] if head else [], np.float32).reshape(-1, 2),
        view=str(meta.get("view") or meta.get("view_class") or "none"),
        elevation_deg=float(meta.get("elevation_deg") or 0),
        meta=meta,
    )


class Rings:
    """All items of a split, growing while ``render.py`` writes more."""

    def __init__(self, split: str, cache: Path = CACHE) -> None:
        self.split, self.cache = split, cache
        self.items: list[Item] = []
        self._read: set[Path] = set()

    def refresh(self) -> int:
        """Read the shards that have come since; returns how many items there are now."""
        for path in shards(self.split, self.cache):
            if path not in self._read:
                try:
                    self.items += read_shard(path)
                except (OSError, ValueError, KeyError, EOFError):
                    continue  # still being written
                self._read.add(path)
        return len(self.items)
