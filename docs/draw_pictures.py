"""Draw the pictures of the documentation anew, from the samples: `python docs/draw_pictures.py`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import anello

ROOT = Path(__file__).resolve().parent.parent
SAMPLES, PICTURES = ROOT / "samples", ROOT / "docs" / "pictures"
GAP = 6
"""White between two pictures, px."""
PAIRS = (("hand-light.jpg", "ring-solitaire.jpg"), ("hand-dark.jpg", "ring-halo.jpg"))


def main() -> None:
    draw_before_after()
    draw_steps()


def draw_before_after() -> None:
    """The ring, the finger, the finger wearing the ring."""
    rows = []
    for hand, ring in PAIRS:
        result = anello.try_on(SAMPLES / hand, SAMPLES / ring)
        site = result.rings[0].site
        before = cv2.imread(str(SAMPLES / hand))
        after = cv2.cvtColor(result.picture.pixels, cv2.COLOR_RGB2BGR)
        x, y = np.round(site.centre_xy).astype(int)
        near = round(1.9 * site.width_px)
        tall = round(near * 1.15)
        box = (
            slice(max(0, y - tall), y + tall),
            slice(max(0, x - near), x + near),
        )
        shop = cv2.imread(str(SAMPLES / ring))
        rows.append([fitted(shop, 400, 460), *(fitted(p[box], 400, 460) for p in (before, after))])
    save("before-after", rows)


def draw_steps() -> None:
    """What `--debug` writes, four in a row."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "anello.cli", "try-on"]
        photos = [str(SAMPLES / PAIRS[0][0]), str(SAMPLES / PAIRS[0][1])]
        out = ["-o", f"{folder}/worn.png", "--debug", f"{folder}/steps"]
        subprocess.run([*command, *photos, *out], check=True, stdout=subprocess.DEVNULL)
        steps = [cv2.imread(str(p)) for p in sorted(Path(folder, "steps").glob("*.png"))]
    tiles = [fitted(step, 360, 360) for step in steps]
    save("steps", [tiles[:4], tiles[4:]])


def fitted(picture: Any, width: int, height: int) -> Any:
    """As large as the tile allows, in the middle of white."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
    tile = np.full((height, width, 3), 255, np.uint8)
    y, x = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    tile[y : y + small.shape[0], x : x + small.shape[1]] = small
    return tile


def save(name: str, rows: list[list[Any]]) -> None:
    gap = [np.full((rows[0][0].shape[0], GAP, 3), 255, np.uint8)]
    lines = []
    for row in rows:
        cells = [cell for tile in row for cell in (tile, *gap)][:-1]
        lines += [np.hstack(cells)]
        lines += [np.full((GAP, lines[-1].shape[1], 3), 255, np.uint8)]
    path = PICTURES / f"{name}.jpg"
    cv2.imwrite(str(path), np.vstack(lines[:-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(path)


if __name__ == "__main__":
    main()
