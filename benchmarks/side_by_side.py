"""A page to judge pictures by in a minute: ours beside the truth, with maps of what differs.

    python benchmarks/side_by_side.py [--cases c00,c16] [--photos 24]

Writes benchmarks/out/side-by-side/index.html, kept out of the repository: `make bench` builds it
last. Scenes first (hand, ring, ours, truth, where the ring's outline is wrong, where colours are),
then real photos where there are any, each at full resolution around the ring.
"""

from __future__ import annotations

import argparse
import html
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from contact_sheet import Picture, crop, photo_pairs, read, square
from quality import DRAWN, draw, score
from scenes import OUT, PHOTOS, Scene, scenes

import anello

PAGE = OUT / "side-by-side"
FIGURES = ("iou", "iou_al", "width", "angle", "psnr", "ssim", "dE", "shad_abs", "contact")
"""Columns of the bench shown under each scene."""
GAIN = 4
"""Colour differences are shown this many times as large."""
STYLE = """
body { margin: 1.5rem; background: #181818; color: #ddd; font: 15px/1.4 system-ui, sans-serif }
h1, h2 { font-weight: 600 } h3 { margin: 2rem 0 .4rem; font-size: 1rem }
.row { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem } figure { margin: 0 }
img { width: 100%; display: block; background: #000 } figcaption { color: #999; font-size: .85rem }
table { border-spacing: 1rem 0; color: #aaa; font-variant-numeric: tabular-nums }
td, th { padding: 0; text-align: right; font-weight: 400 } th { color: #777 }
@media (max-width: 40rem) { body { margin: .7rem } .row { grid-template-columns: 1fr 1fr } }
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", help="beginnings of scenes' names, by commas")
    parser.add_argument("--photos", type=int, default=24, help="pairs of real photos to draw")
    asked = parser.parse_args()
    shutil.rmtree(PAGE, ignore_errors=True)
    PAGE.mkdir(parents=True)
    only = asked.cases.split(",") if asked.cases else None
    parts = [f"<h1>anello {anello.__version__}, side by side</h1>", *scene_parts(only)]
    if PHOTOS.exists() and asked.photos:
        parts += ["<h2>Real photos</h2>", photo_part(asked.photos)]
    body = "\n".join(parts)
    (PAGE / "index.html").write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>anello, side by side</title>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<style>{STYLE}</style>{body}</html>"
    )
    print(PAGE / "index.html")


# --- scenes --------------------------------------------------------------------------------------


def scene_parts(only: list[str] | None) -> list[str]:
    chosen = scenes(only)
    for scene in chosen:
        if not (DRAWN / f"{scene.name}.png").exists():
            draw(scene)
    rows = {row["case"]: row for row in score(only=only)["rows"]}
    legend = (
        "<p>Outline: white both, <span style='color:#f55'>red lacks</span>, "
        "<span style='color:#59f'>blue is too much</span>. "
        f"Colour: ours minus truth, {GAIN} times as strong, grey is right.</p>"
    )
    return ["<h2>Scenes with a known truth</h2>", legend, *(scene_part(s, rows) for s in chosen)]


def scene_part(scene: Scene, rows: dict[str, dict[str, float]]) -> str:
    box = square(scene.truth["ring_center_px"], 1.25 * scene.truth["finger_width_px"])
    ours, worn = (
        crop(read(path), box) for path in (DRAWN / f"{scene.name}.png", scene.folder / "worn.png")
    )
    masks = [
        crop(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), box)
        for path in (DRAWN / f"{scene.name}_mask.png", scene.folder / "worn_mask.png")
    ]
    pictures = {
        "hand": crop(read(scene.folder / "hand.jpg"), box),
        "ring": read(scene.folder / "ring.jpg"),
        "ours": ours,
        "truth": worn,
        "outline": outline_map(*masks),
        "colour": colour_map(ours, worn),
    }
    row = rows[scene.name]
    heads = "".join(f"<th>{name}</th>" for name in FIGURES)
    cells = "".join(f"<td>{row[name]:.3f}</td>" for name in FIGURES)
    figures = "".join(figure(scene.name, name, picture) for name, picture in pictures.items())
    return (
        f"<h3>{html.escape(scene.name)}</h3><table><tr>{heads}</tr><tr>{cells}</tr></table>"
        f"<div class=row>{figures}</div>"
    )


def outline_map(ours: Picture, truth: Picture) -> Picture:
    """Coverage of both masks in one picture, OpenCV's colour order."""
    both = np.minimum(ours, truth)
    return np.dstack([np.maximum(ours, both), both, np.maximum(truth, both)])


def colour_map(ours: Picture, truth: Picture) -> Picture:
    """Grey where the two agree."""
    off = ours.astype(np.int16) - truth.astype(np.int16)
    return np.clip(128 + GAIN * off, 0, 255).astype(np.uint8)


# --- photos --------------------------------------------------------------------------------------


def photo_part(most: int) -> str:
    everything = argparse.Namespace(hands=None, rings=None, per_ring=1)
    figures = []
    for ring, hand in photo_pairs(everything)[:most]:
        name = f"{hand.stem} {ring.stem}"
        try:
            result = anello.try_on(hand, ring, anello.Options(finger=anello.Finger.RING))
        except anello.AnelloError as error:
            print(f"  {name}: {error.message}", file=sys.stderr)
            figures.append(f"<figure><figcaption>{name}: {html.escape(error.message)}</figure>")
            continue
        site = result.rings[0].site
        around = crop(
            cv2.cvtColor(result.picture.pixels, cv2.COLOR_RGB2BGR),
            square(site.centre_xy, 1.2 * site.width_px),
        )
        figures.append(figure(name, "ring", read(ring)) + figure(name, "worn", around))
    return f"<div class=row>{''.join(figures)}</div>"


def figure(name: str, what: str, picture: Picture) -> str:
    """A picture saved beside the page, and its place on it."""
    file = Path(f"{name}-{what}.png".replace(" ", "-"))
    cv2.imwrite(str(PAGE / file), picture)
    return (
        f"<figure><a href='{file}'><img src='{file}' alt='{html.escape(f'{name}, {what}')}' "
        f"loading=lazy></a><figcaption>{html.escape(f'{name}: {what}')}</figcaption></figure>"
    )


if __name__ == "__main__":
    main()
