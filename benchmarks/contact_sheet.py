"""Pictures to judge by eye, around the ring at full resolution.

    python benchmarks/contact_sheet.py synth [--cases c00,c16] [--again]
    python benchmarks/contact_sheet.py photos [--hands h001,h051] [--rings r001]
        [--per-ring 1] [--finger ring] [--location 0.3] [--shadow 0.15]

``synth``: a sheet a scene with the ring's photo, the hand, ours and the truth.
``photos``: hands and rings of the photo collection, ours only; every ring on some hands, or, with
--hands and --rings, all of the one on all of the other. Sheets are in benchmarks/out/sheets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from quality import DRAWN, draw
from scenes import OUT, PHOTOS, Scene, scenes

import anello

SHEETS = OUT / "sheets"
TILE = 520
"""Side of a picture on a sheet, px."""
PER_SHEET = 12
COLUMNS = 4

Picture = Any
"""(H, W, 3) uint8, OpenCV's colour order."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["synth", "photos"])
    parser.add_argument("--cases")
    parser.add_argument("--again", action="store_true", help="draw the scenes anew")
    parser.add_argument("--hands")
    parser.add_argument("--rings")
    parser.add_argument("--per-ring", type=int, default=1, help="hands each ring is tried on")
    parser.add_argument("--finger", default="ring")
    parser.add_argument("--location", type=float, default=0.3)
    parser.add_argument("--shadow", type=float, default=0.15)
    asked = parser.parse_args()
    SHEETS.mkdir(parents=True, exist_ok=True)
    (synth_sheets if asked.what == "synth" else photo_sheets)(asked)


# --- scenes with a truth -------------------------------------------------------------------------


def synth_sheets(asked: argparse.Namespace) -> None:
    rows = []
    for scene in scenes(asked.cases.split(",") if asked.cases else None):
        drawn = DRAWN / f"{scene.name}.png"
        if asked.again or not drawn.exists():
            try:
                draw(scene)
            except Exception as error:
                print(f"{scene.name}: {error!r}", file=sys.stderr)
                continue
        rows.append(synth_row(scene))
        path = SHEETS / f"synth-{scene.name}.png"
        cv2.imwrite(str(path), rows[-1])
        print(path)
    for at in range(0, len(rows), 5):
        path = SHEETS / f"synth-all-{at // 5}.png"
        cv2.imwrite(str(path), np.vstack(rows[at : at + 5]))
        print(path)


def synth_row(scene: Scene) -> Picture:
    """Ring's photo, hand, ours, truth, side by side."""
    reach = 1.25 * scene.truth["finger_width_px"]
    box = square(scene.truth["ring_center_px"], reach)
    pictures = [
        fitted(read(scene.folder / "ring.jpg")),
        fitted(crop(read(scene.folder / "hand.jpg"), box)),
        fitted(crop(read(DRAWN / f"{scene.name}.png"), box)),
        fitted(crop(read(scene.folder / "worn.png"), box)),
    ]
    words = (scene.name, "hand", "ours", "truth")
    return np.hstack([labelled(p, w) for p, w in zip(pictures, words, strict=True)])


# --- photos --------------------------------------------------------------------------------------


def photo_sheets(asked: argparse.Namespace) -> None:
    pages: list[Picture] = []
    for picture in photo_pictures(asked):
        pages.append(picture)
        if len(pages) == PER_SHEET:
            save_page(pages)
            pages = []
    if pages:
        save_page(pages)


_saved = 0


def save_page(pictures: Sequence[Picture]) -> None:
    global _saved
    blank = np.zeros_like(pictures[0])
    cells = [*pictures, *[blank] * (-len(pictures) % COLUMNS)]
    rows = [np.hstack(cells[at : at + COLUMNS]) for at in range(0, len(cells), COLUMNS)]
    path = SHEETS / f"photos-{_saved}.png"
    cv2.imwrite(str(path), np.vstack(rows))
    print(path, flush=True)
    _saved += 1


def photo_pictures(asked: argparse.Namespace) -> Iterator[Picture]:
    """Each hand is analysed when first needed; a failure is a tile that says so."""
    hands: dict[Path, Any] = {}
    for ring_path, hand_path in photo_pairs(asked):
        name = f"{hand_path.stem} {ring_path.stem}"
        try:
            if hand_path not in hands:
                hands[hand_path] = anello.analyse_hand(hand_path)
            options = anello.Options(
                finger=anello.Finger[asked.finger.upper()],
                location=asked.location,
                shadow=asked.shadow,
            )
            result = anello.try_on(hands[hand_path], ring_path, options)
        except Exception as error:
            yield labelled(np.zeros((TILE, TILE, 3), np.uint8), f"{name}: {error!r}"[:90])
            continue
        site, shape = result.rings[0].site, result.rings[0].ring.shape
        box = square(site.centre_xy, 1.1 * site.width_px)
        tile = fitted(crop(cv2.cvtColor(result.picture.pixels, cv2.COLOR_RGB2BGR), box))
        small = cv2.resize(
            fitted(read(ring_path)), None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA
        )
        tile[-small.shape[0] :, -small.shape[1] :] = small
        said = (
            f"{name} e{shape.elevation_deg:.0f} p{site.pitch_deg:.0f} r{site.roll_deg:.0f} "
            f"c{shape.confidence:.2f}/{site.confidence:.2f}"
        )
        yield labelled(tile, said)


def photo_pairs(asked: argparse.Namespace) -> list[tuple[Path, Path]]:
    """(ring, hand): all with all when both are named, else each ring with a few hands in turn."""
    hands, rings = _photos("hands", asked.hands), _photos("rings", asked.rings)
    if asked.hands and asked.rings:
        return [(ring, hand) for hand in hands for ring in rings]
    return [
        (ring, hands[(at * asked.per_ring + turn) % len(hands)])
        for at, ring in enumerate(rings)
        for turn in range(asked.per_ring)
    ]


def _photos(kind: str, only: str | None) -> list[Path]:
    names = only.split(",") if only else None
    paths = sorted(p for p in (PHOTOS / kind).iterdir() if p.suffix in {".jpg", ".png"})
    return [path for path in paths if not names or path.stem in names]


# --- tiles ---------------------------------------------------------------------------------------


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(path)
    return picture


def square(centre_xy: Sequence[float], reach: float) -> tuple[int, int, int, int]:
    x, y, r = round(float(centre_xy[0])), round(float(centre_xy[1])), max(8, round(reach))
    return x - r, y - r, x + r, y + r


def crop(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """The box, black where it leaves the picture."""
    x0, y0, x1, y1 = box
    height, width = picture.shape[:2]
    inside = picture[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    margins = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
    return cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT)


def fitted(picture: Picture) -> Picture:
    """As large as a tile allows, in the middle of it."""
    height, width = picture.shape[:2]
    scale = TILE / max(height, width)
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=mode)
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    y, x = (TILE - small.shape[0]) // 2, (TILE - small.shape[1]) // 2
    tile[y : y + small.shape[0], x : x + small.shape[1]] = small
    return tile


def labelled(tile: Picture, words: str) -> Picture:
    tile = tile.copy()
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(
            tile, words, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA
        )
    return tile


if __name__ == "__main__":
    main()
