"""Put the sample rings on the sample hands: ``make demo``.

Writes each finished picture and out/demo.png, a sheet of rings, fingers before, fingers after.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

import anello
from anello.imaging.finger import FingerSite

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
OUT = ROOT / "out"

PAIRS = (
    ("hand-light", "ring-solitaire", anello.Options(finger=anello.Finger.RING)),
    ("hand-dark", "ring-cabochon", anello.Options(finger=anello.Finger.INDEX, location=0.5)),
    ("hand-brown", "ring-signet", anello.Options(finger=anello.Finger.LITTLE, location=0.5)),
    ("hand-sun", "ring-halo", anello.Options(finger=anello.Finger.MIDDLE)),
)
TILE = 420
"""Side of a picture on the sheet, px."""


def main() -> None:
    OUT.mkdir(exist_ok=True)
    columns = []
    for hand, ring, options in PAIRS:
        started = perf_counter()
        result = anello.try_on(SAMPLES / f"{hand}.jpg", SAMPLES / f"{ring}.jpg", options)
        path = OUT / f"{hand}-{ring}.jpg"
        result.save(path)
        print(f"{path.relative_to(ROOT)}  {(perf_counter() - started) * 1000:.0f} ms")
        columns.append(draw_column(SAMPLES / f"{ring}.jpg", result))
    sheet = OUT / "demo.png"
    cv2.imwrite(str(sheet), np.hstack(columns)[..., ::-1])
    print(f"\nAll of them, the rings, before and after: {sheet}")


def draw_column(ring: Path, result: anello.Result) -> np.ndarray:
    """The ring, and the place where it is worn before and after."""
    site = result.rings[0].site
    before, after = result.report.hand.photo.pixels, result.picture.pixels
    product = cv2.imread(str(ring))[..., ::-1]
    pictures = (product, close_up(before, site), close_up(after, site))
    return np.vstack([tile(picture) for picture in pictures])


def close_up(picture: np.ndarray, site: FingerSite, widths: float = 1.7) -> np.ndarray:
    """The square of so many finger widths each way from the ring's place."""
    (x, y), reach = site.centre_xy, widths * site.width_px
    x0, y0, x1, y1 = (max(0, round(v)) for v in (x - reach, y - reach, x + reach, y + reach))
    return picture[y0:y1, x0:x1]


def tile(picture: np.ndarray) -> np.ndarray:
    """The picture on a white square."""
    box = np.full((TILE, TILE, 3), 255, np.uint8)
    scale = TILE / max(picture.shape)
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=mode)[:TILE, :TILE]
    y, x = (TILE - small.shape[0]) // 2, (TILE - small.shape[1]) // 2
    box[y : y + small.shape[0], x : x + small.shape[1]] = small
    return box


if __name__ == "__main__":
    main()
