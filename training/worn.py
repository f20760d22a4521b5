"""How rings are turned: the exact outline of each path traced ring on a finger, and ours.

    .venv-rendering/bin/python -B worn.py outlines [SHARD ...]
    ../.venv/bin/python -B worn.py score [SHARD ...]

The first draws, from the surfaces that a shard's pictures show, what of the ring is seen on a
finger, ``worn-NAME.npz`` beside it; needs `bpy`. The second cuts the pictures out, turns them, and
gives, by view and by design, the intersection over union with that, as it lies and slid onto it.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(os.environ.get("ANELLO_TRAINING_CACHE", Path(__file__).parent / "cache"))
SIDE, BORE_PX = 360, 90.0
"""Of an outline, px, and the finger's radius in it."""
POSES = ((12, 0), (20, 0), (28, 0), (20, 15), (20, -15))
"""Pitch and roll of the finger, degrees."""
SLIDES = range(-14, 15, 2)
"""How far an outline is slid, px, along and across."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["outlines", "score"])
    parser.add_argument("shards", nargs="*", type=Path, help="all of the validation without any")
    asked = parser.parse_args()
    shards = asked.shards or sorted(CACHE.glob("val-*.npz"))
    (draw_outlines if asked.what == "outlines" else score)(shards)


# --- the truth -----------------------------------------------------------------------------------


def draw_outlines(shards: list[Path]) -> None:
    import render

    for shard in shards:
        items, outlines = [], []
        for k, text in enumerate(np.load(shard)["meta"]):
            meta = json.loads(str(text))
            chosen = render.choose(np.random.default_rng(meta["seed"]), meta["split"])
            if chosen.what == "ring" and meta["view"] not in ("none", "pair"):
                side = 1.0 if chosen.view.towards @ render.A > 0 else -1.0
                items.append(k)
                outlines.append([outline(chosen.ring, side, *pose) for pose in POSES])
        packed = np.packbits(np.array(outlines), axis=-1)
        np.savez_compressed(beside(shard), items=items, outlines=packed)
        print(f"{shard.name}: {len(items)} rings", flush=True)


def outline(ring: Any, side: float, pitch_deg: float, roll_deg: float) -> Any:
    """(S, S) what is seen of a ring on a finger of its bore, from afar; the rim that the product
    photo shows towards the viewer lies towards the wrist, below."""
    from truth import Camera, silhouette

    p, r = np.radians([pitch_deg, roll_deg])
    middle = (SIDE - 1) / 2
    far = Camera(np.array([0, 0, 1e3]), np.eye(3), BORE_PX * 1e3, np.array([middle, middle]))
    alpha = np.zeros((SIDE, SIDE))
    for piece in ring.pieces:
        mesh = piece.mesh
        t, g, a = -side * mesh.points[:, 0], mesh.points[:, 2], side * mesh.points[:, 1]
        t, g = t * np.cos(r) + g * np.sin(r), g * np.cos(r) - t * np.sin(r)
        triangles = np.concatenate([mesh.triangles, mesh.quads[:, :3], mesh.quads[:, [0, 2, 3]]])
        behind = (np.abs(t) < 0.995) & (g < 0)
        triangles = triangles[~behind[triangles].all(1)]
        if len(triangles):
            points = np.stack([t, g * np.sin(p) - a * np.cos(p), 0 * t], 1)
            alpha = np.maximum(alpha, silhouette(far, points, triangles, SIDE, SIDE))
    return alpha > 0.5


def beside(shard: Path) -> Path:
    return shard.with_name(f"worn-{shard.name}")


# --- ours ----------------------------------------------------------------------------------------


def score(shards: list[Path]) -> None:
    found: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)
    for shard in shards:
        kept, truth = np.load(shard), np.load(beside(shard))
        outlines = np.unpackbits(truth["outlines"], axis=-1).astype(bool)
        for k, wanted in zip(truth["items"], outlines, strict=True):
            meta = json.loads(str(kept["meta"][k]))
            low, high = kept["image_offsets"][k : k + 2]
            ours = turned(kept["image_bytes"][low:high].tobytes())
            if ours is None:
                found["refused"].append((0.0, 0.0))
                continue
            pairs = list(zip(ours, wanted, strict=True))
            overlap = float(np.mean([agreement(*pair) for pair in pairs]))
            both = overlap, slid(*pairs[POSES.index((20, 0))])
            for name in ("all", meta["view"], meta["design"]):
                found[name].append(both)
    for name, values in sorted(found.items(), key=lambda item: -len(item[1])):
        mean = np.mean(values, axis=0)
        print(f"{name:16s} {len(values):4d}   IoU {mean[0]:.3f}   slid {mean[1]:.3f}")


def turned(picture: bytes) -> list[Any] | None:
    """An (S, S) mask for each pose; None of a picture that is refused."""
    import anello
    from anello.errors import AnelloError
    from anello.imaging.turn import turn

    try:
        ring = anello.analyse_ring(picture)
    except AnelloError:
        return None
    masks = []
    for pitch_deg, roll_deg in POSES:
        site = finger(pitch_deg, roll_deg)
        layer = turn(ring.texture, ring.shape, ring.front(site), site, (SIDE, SIDE))
        mask = np.zeros((SIDE, SIDE), bool)
        x0, y0, x1, y1 = layer.roi
        mask[y0:y1, x0:x1] = layer.alpha > 0.5
        masks.append(mask)
    return masks


def finger(pitch_deg: float, roll_deg: float) -> Any:
    """One that points up the picture, as thick as what shops photograph rings for."""
    from anello.imaging.finger import FingerSite
    from anello.imaging.hand import Finger
    from anello.imaging.turn import SAMPLE_RADIUS_MM

    centre, across = np.full(2, (SIDE - 1) / 2), np.array([1.0, 0.0])
    axis = np.array([0.0, -1.0])
    along = centre + np.linspace(-1, 1, 9)[:, None] * BORE_PX * axis
    left, right = -BORE_PX * across, BORE_PX * across
    return FingerSite(
        finger=Finger.RING,
        location=0.3,
        centre_xy=centre,
        axis_xy=axis,
        across_xy=across,
        left_xy=centre + left,
        right_xy=centre + right,
        width_px=2 * BORE_PX,
        px_per_mm=BORE_PX / SAMPLE_RADIUS_MM,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        confidence=1.0,
        left_edge_xy=along + left,
        right_edge_xy=along + right,
        edge_sigma_px=0.7,
    )


def agreement(ours: Any, wanted: Any) -> float:
    return float((ours & wanted).sum() / max((ours | wanted).sum(), 1))


def slid(ours: Any, wanted: Any) -> float:
    return max(
        agreement(np.roll(ours, (down, right), (0, 1)), wanted)
        for down in SLIDES
        for right in SLIDES
    )


if __name__ == "__main__":
    main()
