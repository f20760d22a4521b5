"""Put the sample rings on the sample hands: ``make demo``.

Writes out/demo.png, a sheet of rings, hands before and hands after, and each finished picture.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

import anello

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
OUT = ROOT / "out"

PAIRS = (
    ("hand-light", "ring-solitaire", anello.Options(finger=anello.Finger.RING)),
    ("hand-dark", "ring-cabochon", anello.Options(finger=anello.Finger.INDEX, location=0.5)),
    ("hand-brown", "ring-signet", anello.Options(finger=anello.Finger.LITTLE, location=0.5)),
    ("hand-sun", "ring-halo", anello.Options(finger=anello.Finger.MIDDLE)),
)
HEIGHT = 480
"""Of a picture on the sheet, px."""


def main() -> None:
    OUT.mkdir(exist_ok=True)
    columns = []
    for hand, ring, options in PAIRS:
        started = perf_counter()
        result = anello.try_on(SAMPLES / f"{hand}.jpg", SAMPLES / f"{ring}.jpg", options)
        path = OUT / f"{hand}-{ring}.jpg"
        result.save(path)
        print(f"{path.relative_to(ROOT)}  {(perf_counter() - started) * 1000:.0f} ms")
        before = cv2.imread(str(SAMPLES / f"{hand}.jpg"))
        after = cv2.cvtColor(result.picture.pixels, cv2.COLOR_RGB2BGR)
        product = cv2.imread(str(SAMPLES / f"{ring}.jpg"))
        columns.append(np.vstack([tile(product), tile(before), tile(after)]))
    sheet = OUT / "demo.png"
    cv2.imwrite(str(sheet), np.hstack(columns))
    print(f"\nAll of them, before and after: {sheet}")


def tile(picture: np.ndarray) -> np.ndarray:
    """The picture in a white box of HEIGHT by four fifths of it."""
    box = np.full((HEIGHT, HEIGHT * 4 // 5, 3), 255, np.uint8)
    scale = min(box.shape[0] / picture.shape[0], box.shape[1] / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = (box.shape[0] - small.shape[0]) // 2, (box.shape[1] - small.shape[1]) // 2
    box[y : y + small.shape[0], x : x + small.shape[1]] = small
    return box


if __name__ == "__main__":
    main()
