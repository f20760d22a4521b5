"""Draw the documentation's pictures from the samples, with the engine as it is now.

python docs/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import anello
from anello.debug import draw_steps

DOCS = Path(__file__).resolve().parent
SAMPLES = DOCS.parent / "samples"
PICTURES = DOCS / "pictures"

ROWS = (
    ("hand-light", "ring-solitaire", anello.Options(finger=anello.Finger.RING)),
    ("hand-dark", "ring-halo", anello.Options(finger=anello.Finger.INDEX, location=0.5)),
)
TILE = (400, 460)
"""Width and height of a picture in the before-and-after, px."""
REACH = 2.1
"""Of the fingers' pictures to either side of the ring, finger widths."""
GAP = 6
STEP = 360
"""Side of a step's picture, px."""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    results = [try_on(*row) for row in ROWS]
    rows = [draw_row(ring, result) for (_, ring, _), result in zip(ROWS, results, strict=True)]
    save("before-after.jpg", stacked(rows, axis=0))
    save("steps.jpg", draw_sheet(results[0]))


def try_on(hand: str, ring: str, options: anello.Options) -> anello.Result:
    return anello.try_on(SAMPLES / f"{hand}.jpg", SAMPLES / f"{ring}.jpg", options)


def draw_row(ring: str, result: anello.Result) -> np.ndarray:
    """The ring as it came; the fingers before and after."""
    product = cv2.imread(str(SAMPLES / f"{ring}.jpg"))[..., ::-1]
    before, after = result.report.hand.photo.pixels, result.picture.pixels
    (x, y), reach = result.rings[0].site.centre_xy, REACH * result.rings[0].site.width_px
    tall = reach * TILE[1] / TILE[0]
    left = round(min(max(x - reach, 0), before.shape[1] - 2 * reach))
    top = round(min(max(y - tall, 0), before.shape[0] - 2 * tall))
    box = slice(top, top + round(2 * tall)), slice(left, left + round(2 * reach))
    pictures = (product, before[box], after[box])
    return stacked([filled(picture, TILE) for picture in pictures], axis=1)


def draw_sheet(result: anello.Result) -> np.ndarray:
    """The pictures that --debug writes, four a row."""
    tiles = [contained(picture) for picture in draw_steps(result).values()]
    return stacked([stacked(tiles[at : at + 4], axis=1) for at in (0, 4)], axis=0)


def filled(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of the picture at that size, as much of it as the shape allows."""
    width, height = size
    scale = max(width / picture.shape[1], height / picture.shape[0])
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    whole = (
        max(width, round(picture.shape[1] * scale)),
        max(height, round(picture.shape[0] * scale)),
    )
    scaled = cv2.resize(picture, whole, interpolation=mode)
    y, x = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return scaled[y : y + height, x : x + width]


def contained(picture: np.ndarray) -> np.ndarray:
    """The whole picture on a white square of a step."""
    scale = STEP / max(picture.shape)
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    box = np.full((STEP, STEP, 3), 255, np.uint8)
    y, x = (STEP - size[1]) // 2, (STEP - size[0]) // 2
    box[y : y + size[1], x : x + size[0]] = scaled
    return box


def stacked(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Side by side (1) or one above the other (0), a white gap between them."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=axis)


def save(name: str, picture: np.ndarray) -> None:
    path = PICTURES / name
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{path}  {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
