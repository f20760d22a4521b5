"""Pictures that the tests send: the samples, and what is made of them."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import anello

Pixels = NDArray[np.uint8]

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
HAND = (SAMPLES / "hand-light.jpg").read_bytes()
OTHER_HAND = (SAMPLES / "hand-dark.jpg").read_bytes()
RING = (SAMPLES / "ring-solitaire.jpg").read_bytes()
BAND = (SAMPLES / "ring-wide-band.jpg").read_bytes()
SIZE = (960, 1200)
"""Width and height of the hands."""


def pixels(data: bytes) -> Pixels:
    """(H, W, 3) RGB of a file as it lies there: no EXIF turn."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height as stored."""
    with Image.open(BytesIO(data)) as image:
        return image.size


def png(picture: Pixels, level: int = 1) -> bytes:
    return _file(Image.fromarray(picture), "PNG", compress_level=level)


def jpeg(picture: Pixels, **how: object) -> bytes:
    return _file(Image.fromarray(picture), "JPEG", quality=95, subsampling=0, **how)


def _file(image: Image.Image, file_format: str, **how: object) -> bytes:
    out = BytesIO()
    image.save(out, file_format, **how)
    return out.getvalue()


def tagged(data: bytes, tag: str) -> bytes:
    """The same JPEG in a file of its own: a comment is put in, no pixel changes."""
    text = tag.encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


@cache
def hand_png() -> bytes:
    return png(pixels(HAND))


@cache
def odd_hand() -> bytes:
    """959 × 1199."""
    return png(pixels(HAND)[:-1, :-1])


@cache
def lying_hand() -> bytes:
    """Stored lying, with EXIF's word that it is to be turned upright."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return jpeg(np.ascontiguousarray(np.rot90(pixels(HAND))), exif=exif)


@cache
def large_hand() -> bytes:
    """3072 × 3840: work for half a second and more."""
    large = cv2.resize(pixels(HAND), (3072, 3840), interpolation=cv2.INTER_CUBIC)
    return jpeg(np.asarray(large, np.uint8))


@cache
def tiny_hand() -> bytes:
    hand = pixels(HAND)
    small = cv2.resize(hand, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    frame = np.full_like(hand, np.median(hand[:5].reshape(-1, 3), axis=0).astype(np.uint8))
    frame[400 : 400 + small.shape[0], 300 : 300 + small.shape[1]] = small
    return jpeg(frame)


@cache
def cut_hand() -> bytes:
    """The fingertips are outside the frame."""
    return jpeg(pixels(HAND)[500:])


@cache
def two_hands() -> bytes:
    hand = pixels(HAND)
    return jpeg(np.hstack([hand, hand[:, ::-1]]))


@cache
def no_ring() -> bytes:
    """A product photo of nothing."""
    shade = np.linspace(120, 220, 600).astype(np.uint8)
    return jpeg(np.repeat(np.tile(shade, (600, 1))[..., None], 3, axis=2))


def flat(width: int, height: int, value: int = 200) -> bytes:
    return png(np.full((height, width, 3), value, np.uint8))


def noise_png(size_bytes: int, seed: int = 0) -> bytes:
    """A good PNG file of about that many bytes."""
    side = int((size_bytes / 3) ** 0.5)
    rng = np.random.default_rng(seed)
    return png(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), level=0)


@cache
def headless_ring_mask() -> bytes:
    """White on the ring's band, black on the stone above it and elsewhere."""
    ring, cutout = anello.analyse_ring(RING), anello.cut_out(RING)
    mask = np.where(cutout.alpha > 127, 255, 0).astype(np.uint8)
    shape, tilt = ring.shape, np.radians(ring.shape.elevation_deg)
    crest = shape.outer_radius_px * np.sin(tilt) + shape.band_width_px / 2 * np.cos(tilt)
    top = ring.to_photo(shape.centre_xy)[1] - crest / ring.scale
    mask[: round(float(top))] = 0
    return png(np.repeat(mask[..., None], 3, axis=2))


@cache
def ring_site() -> tuple[float, float, float]:
    """Where the ring sits on HAND by default: x, y of its place and the finger's width, px."""
    site = worn(HAND, RING).rings[0].site
    return float(site.centre_xy[0]), float(site.centre_xy[1]), float(site.width_px)


@cache
def ring_contacts() -> list[list[float]]:
    """The two points of RING's inner edge that are farthest apart, px."""
    ring = worn(HAND, RING).rings[0].ring
    contacts: list[list[float]] = ring.to_photo(ring.shape.contact_xy).tolist()
    return contacts


@cache
def hand_mask_with_hole() -> tuple[bytes, Pixels]:
    """A hand mask, white but for a disc where the ring would be; and the disc, as booleans."""
    x, y, width = ring_site()
    hole = disc(x, y, 0.2 * width)
    mask = np.where(hole, 0, 255).astype(np.uint8)
    return png(np.repeat(mask[..., None], 3, axis=2)), hole


def disc(x: float, y: float, radius: float) -> NDArray[np.bool_]:
    row, column = np.mgrid[: SIZE[1], : SIZE[0]]
    inside: NDArray[np.bool_] = np.hypot(column - x, row - y) <= radius
    return inside


@cache
def worn(
    hand: bytes, *rings: bytes, options: tuple[anello.Options, ...] = (anello.Options(),)
) -> anello.Result:
    """What the library makes of it, here."""
    return anello.try_on(hand, list(rings), list(options))
