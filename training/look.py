"""Contact sheets of shards, with their truth drawn over.

    python training/look.py shard-00000 [val-00000 ...] [--out sheet] [--plain] [--from 0] [-n 16]

Green: front of the band, blue: its rear, red: head, yellow: opening, crosses: contact points,
circle: head.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CACHE = Path(os.environ.get("ANELLO_TRAINING_CACHE", Path(__file__).resolve().parent / "cache"))
COLOURS = np.array([[0, 0, 0], [0, 200, 0], [255, 90, 0], [0, 0, 255]], np.uint8)
"""Of the parts, OpenCV's order."""


def items(path: Path) -> list[dict[str, Any]]:
    """The items of a shard: pictures as arrays (OpenCV's colour order), meta as a dict."""
    with np.load(path) as shard:
        out: list[dict[str, Any]] = [{"meta": json.loads(str(m))} for m in shard["meta"]]
        for key in ("image", "alpha", "parts", "opening"):
            data, at = shard[f"{key}_bytes"], shard[f"{key}_offsets"]
            for k, item in enumerate(out):
                item[key] = cv2.imdecode(data[at[k] : at[k + 1]], cv2.IMREAD_UNCHANGED)
    return out


def tile(item: dict[str, Any], side: int, plain: bool) -> Any:
    image, meta = item["image"], item["meta"]
    if plain:
        drawn = image
    else:
        tint = COLOURS[item["parts"]].astype(float)
        tint[..., 1:] += item["opening"][..., None] * 1.0
        drawn = np.clip(image * 0.55 + np.clip(tint, 0, 255) * 0.45, 0, 255).astype(np.uint8)
        edge = cv2.morphologyEx(
            (item["alpha"] > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2))
        )
        drawn[edge > 0] = (255, 0, 255)
    scale = side / max(image.shape[:2])
    drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if not plain:
        for pair in meta["contacts_all_xy"]:
            for x, y in pair:
                cv2.drawMarker(
                    drawn, (round(x * scale), round(y * scale)), (0, 0, 0), cv2.MARKER_CROSS, 12, 3
                )
                cv2.drawMarker(
                    drawn,
                    (round(x * scale), round(y * scale)),
                    (255, 255, 255),
                    cv2.MARKER_CROSS,
                    10,
                    1,
                )
        if meta["head_xy"]:
            x, y = meta["head_xy"]
            cv2.circle(drawn, (round(x * scale), round(y * scale)), 5, (255, 255, 255), 2)
    cell = np.full((side + 16, side + 2, 3), 60, np.uint8)
    cell[: drawn.shape[0], : drawn.shape[1]] = drawn
    e, r = meta["elevation_deg"], meta["rotation_deg"]
    angles = f" e{e:.0f} r{r:.0f}" if e is not None and r is not None else ""
    cv2.putText(
        cell,
        f"{meta['design']} {meta['metal'] or ''} {meta['ground']} {meta['view']}{angles}",
        (2, side + 12),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.32,
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
    return cell


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--out", default="sheet")
    parser.add_argument("--plain", action="store_true", help="pictures alone")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("-n", type=int, default=32)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--columns", type=int, default=6)
    asked = parser.parse_args()
    found = [i for s in asked.shards for i in items(CACHE / f"{s}.npz")][asked.first :][: asked.n]
    tiles = [tile(i, asked.side, asked.plain) for i in found]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % asked.columns)
    rows = [np.hstack(tiles[k : k + asked.columns]) for k in range(0, len(tiles), asked.columns)]
    path = f"{asked.out}.png"
    cv2.imwrite(path, np.vstack(rows))
    print(path)


if __name__ == "__main__":
    main()
