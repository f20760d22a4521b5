"""Photo, and the way from a file's bytes to it and back.

Files come from strangers. Each limit is checked as early as it can be: the declared size, the
bytes, the magic number, the size in the header, and only then are pixels made.
"""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageCms

from anello.errors import (
    AnelloError,
    DecodeMask,
    ExceedMaxFilesize,
    ExceedMaxImageSize,
    InputError,
    InputMainImageEmpty,
)
from anello.imaging.arrays import Bytes

Format: TypeAlias = Literal["jpeg", "png"]
What: TypeAlias = Literal["hand", "ring", "mask", "image"]

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
"""A file of this size or more is refused (the wire: "< 10 MB")."""

MAX_SIDE: Final = 4096
"""The longest side taken, px (the wire)."""

MAX_JPEG_SCANS: Final = 500
"""Progressive files have about ten scans; each costs a pass over the picture (libjpeg's own limit
in its fuzz tests)."""

MASK_BLACK: Final = 16
"""A mask that is nowhere lighter than this is black, JPEG noise and video black allowed for."""

JPEG_QUALITY: Final = 95
"""High enough that a second look finds no block; with full chroma, as gold and skin need it."""

# Measured on 12.6 MP: 290 ms and 10.6 MB; Pillow's fastest 545 ms and 10.7 MB, OpenCV's default
# 275 ms and 14.2 MB.
PNG_SETTINGS: Final = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)

ENDINGS: Final[dict[str, Format]] = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}

_NAMES: Final[dict[What, str]] = {
    "hand": "hand photo",
    "ring": "ring photo",
    "mask": "mask",
    "image": "picture",
}
_MAGIC: Final[dict[bytes, Format]] = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
_EXIF_ORIENTATION: Final = 0x0112
_COLOR_SPACE_MODES: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_TURBO_NAMES: Final = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# What the decoder says of entropy-coded data that is gone or wrong. Its other complaints (stray
# bytes between segments, odd version numbers) are common in good photos.
_JPEG_DAMAGE: Final = ("Premature end", "Corrupt JPEG data")
_JPEG_STRAY_BYTES: Final = "extraneous bytes"


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded picture.

    pixels : (H, W, 3) uint8 sRGB, RGB order, upright. alpha : (H, W) uint8, 0 transparent to 255
    opaque, straight; None where all is opaque. format : what the file was, and the format it is
    encoded to.
    """

    pixels: Bytes
    alpha: Bytes | None = None
    format: Format = "png"

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.width, self.height


Source: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | Photo"
"""A path, a file's bytes, a PIL image, an (H, W[, 3 or 4]) uint8 sRGB array or a `Photo`."""


def load(source: Source, what: What = "image") -> Photo:
    """The photo of whatever a caller has; ``what`` it is names it in errors.

    Raises ``InputError`` and its kin as `decode` does; an array of another type or shape is a
    programming error (``TypeError``, ``ValueError``).
    """
    if isinstance(source, Photo):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), what)
    if isinstance(source, str | os.PathLike):
        return decode(_read(Path(source), what), what)
    if isinstance(source, Image.Image):
        return _of_pillow(source, what)
    if isinstance(source, np.ndarray):
        return _of_array(source, what)
    raise TypeError(f"a picture is a path, bytes, PIL image, array or Photo, not {type(source)}")


def decode(data: bytes, what: What = "image") -> Photo:
    """The photo in a JPEG or PNG file, turned upright and converted to sRGB.

    Raises ``InputMainImageEmpty`` (a hand without a byte), ``ExceedMaxFilesize``, ``InputError``
    (not JPEG or PNG whatever its name says, animated, damaged), ``ExceedMaxImageSize``.
    """
    _check_bytes(len(data), what)
    match _format_of(data, what):
        case "jpeg":
            return _decode_jpeg(data, what)
        case "png":
            return _decode_png(data, what)


def load_mask(source: Source, size_wh: tuple[int, int]) -> Bytes:
    """A mask as (H, W) uint8 coverage, resampled to the size of its picture.

    Where the file has transparency that says something, the opaque belongs; otherwise the white.
    Raises ``DecodeMask`` when it can't be read or selects nothing.
    """
    try:
        photo = load(source, "mask")
    except InputError as error:
        raise DecodeMask(f"{DecodeMask.default_message}: {error.message}") from error
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    mask: Bytes = grey if photo.alpha is None else photo.alpha
    if mask.max() < MASK_BLACK:
        raise DecodeMask(
            f"{DecodeMask.default_message}: it is black throughout",
            remedy="White or opaque is what belongs, black is what does not.",
        )
    if (mask.shape[1], mask.shape[0]) != size_wh:
        shrinks = size_wh[0] < mask.shape[1]
        mask = cv2.resize(
            mask, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    return np.ascontiguousarray(mask, np.uint8)


def encode(photo: Photo) -> bytes:
    """The photo's file in its own format: nothing in it but the picture, same photo same bytes.

    PNG keeps alpha, JPEG (quality 95, full chroma) has none.
    """
    if photo.format == "jpeg":
        pixels = np.ascontiguousarray(photo.pixels)
        jpeg: bytes = simplejpeg.encode_jpeg(pixels, JPEG_QUALITY, "RGB", colorsubsampling="444")
        return jpeg
    if photo.alpha is None:
        stored = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR)
    else:
        stored = np.dstack([photo.pixels[..., ::-1], photo.alpha])
    done, png = cv2.imencode(".png", stored, PNG_SETTINGS)
    assert done
    return bytes(png)


def encode_for(photo: Photo, path: Path) -> bytes:
    """The photo's file; a .png or .jpg ending decides the format, else the photo's own."""
    return encode(replace(photo, format=ENDINGS.get(path.suffix.lower(), photo.format)))


def save(photo: Photo, path: str | os.PathLike[str]) -> None:
    """Write the photo's file, in the format of `encode_for`."""
    Path(path).write_bytes(encode_for(photo, Path(path)))


# --- At the door ---------------------------------------------------------------------------------


def _read(path: Path, what: What) -> bytes:
    try:
        with path.open("rb") as file:
            _check_bytes(os.fstat(file.fileno()).st_size or 1, what)  # a pipe declares nothing
            return file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"The {_NAMES[what]} {path} cannot be read: {reason}") from error


def _check_bytes(size_bytes: int, what: What) -> None:
    if size_bytes == 0:
        empty: AnelloError = InputMainImageEmpty() if what == "hand" else _refusal(what, "is empty")
        raise empty
    if size_bytes >= MAX_FILE_BYTES:
        raise ExceedMaxFilesize(
            f"The {_NAMES[what]} has {size_bytes / 2**20:.1f} MiB; it must have less than 10 MiB",
            remedy="Save it as a JPEG, or with fewer pixels.",
        )


def _format_of(data: bytes, what: What) -> Format:
    for magic, found in _MAGIC.items():
        if data.startswith(magic):
            return found
    raise _refusal(what, "is neither JPEG nor PNG")


def _check_size(width: int, height: int, what: What) -> None:
    if not (width and height):
        raise _refusal(what, "has no pixels")
    if max(width, height) > MAX_SIDE:
        raise ExceedMaxImageSize(
            f"The {_NAMES[what]} has {width} × {height} pixels; "
            f"its long side must not exceed {MAX_SIDE}",
            remedy="Save it with fewer pixels.",
        )


def _refusal(what: What, reason: str) -> InputError:
    return InputError(
        f"{InputError.default_message}: the {_NAMES[what]} {reason}",
        remedy="Save it anew as one whole JPEG or PNG picture.",
    )


# --- JPEG and PNG --------------------------------------------------------------------------------


@contextmanager
def _damage_refused(what: What) -> Iterator[None]:
    """Within, whatever a decoder makes of broken bytes becomes an error of ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the size is checked by ourselves
            yield
    except (AnelloError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ExceedMaxImageSize() from error
    # Pillow's parsers raise whatever a broken file leads them to: OSError, SyntaxError, ValueError,
    # struct.error, IndexError, TypeError …; no shorter list has survived mutated files.
    except Exception as error:
        raise _refusal(what, f"is damaged ({error})") from error


def _decode_jpeg(data: bytes, what: What) -> Photo:
    with _damage_refused(what), Image.open(BytesIO(data), formats=("JPEG",)) as image:
        _check_size(*image.size, what)
        if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
            raise _refusal(what, "has too many scans")
        fast = _fast_jpeg_pixels(data, image)
        profile = image.info.get("icc_profile")
        if fast is None or image.mode == "CMYK":  # Pillow knows which way round Adobe's inks are
            pixels = _srgb_pixels(image, profile)
        elif image.mode == "RGB" and (profile is None or _srgb_from(profile, "RGB") is None):
            pixels = fast  # the common case: nothing to convert, so nothing is copied
        else:
            pixels = _srgb_pixels(Image.fromarray(fast), profile)
        return Photo(_upright(pixels, _turn(image)), None, "jpeg")


def _fast_jpeg_pixels(data: bytes, image: Image.Image) -> Bytes | None:
    """The pixels by libjpeg-turbo: the same as Pillow's in a third of the time, and stricter.

    None where it objects to something harmless, which Pillow takes; raises where data is damaged.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        if (width, height) != image.size:
            raise ValueError("two sizes")
        pixels: Bytes = simplejpeg.decode_jpeg(data, _TURBO_NAMES[image.mode])
    except ValueError as error:
        said = str(error)
        if said.startswith(_JPEG_DAMAGE) and _JPEG_STRAY_BYTES not in said:
            raise
        return None
    return pixels[..., 0] if image.mode == "L" else pixels


def _decode_png(data: bytes, what: What) -> Photo:
    with _damage_refused(what):
        width, height, bit_depth = struct.unpack_from(">IIB", data, 16)
        _check_size(width, height, what)
        _check_png_chunks(data)
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            _check_size(*image.size, what)
            if getattr(image, "is_animated", False):
                raise _refusal(what, "is animated")
            if bit_depth == 16 and isinstance(key := image.info.get("transparency"), tuple):
                image.info["transparency"] = tuple(value >> 8 for value in key)  # as its pixels
            return _photo_of(image, "png")


def _check_png_chunks(data: bytes) -> None:
    """The file is whole: each chunk is there and, where it is critical, as it was written."""
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (written,) = struct.unpack_from(">I", data, end)
        if kind[0:1].isupper() and zlib.crc32(memoryview(data)[at + 4 : end]) != written:
            raise ValueError(f"checksum of {kind!r}")
        if kind == b"IEND":
            return
        at = end + 4


# --- What decoders give, made a Photo ------------------------------------------------------------


def _of_pillow(image: Image.Image, what: What) -> Photo:
    with _damage_refused(what):
        _check_size(*image.size, what)
        return _photo_of(image, "jpeg" if image.format in {"JPEG", "MPO"} else "png")


def _of_array(array: NDArray[Any], what: What) -> Photo:
    if array.dtype != np.uint8:
        raise TypeError(f"a picture's array is uint8, not {array.dtype}")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        raise ValueError(f"a picture's array is (H, W[, 3 or 4]), not {array.shape}")
    _check_size(array.shape[1], array.shape[0], what)
    alpha = _unless_opaque(array[..., 3]) if array.shape[2] == 4 else None
    return Photo(np.ascontiguousarray(array[..., :3]), alpha, "png")


def _photo_of(image: Image.Image, file_format: Format) -> Photo:
    """The upright sRGB photo of a PIL image of any mode."""
    profile, turn = image.info.get("icc_profile"), _turn(image)
    alpha = None
    if image.mode in {"La", "RGBa"}:
        image = image.convert(image.mode.upper())
    if image.mode in {"LA", "PA", "RGBA"} or "transparency" in image.info:
        alpha = _unless_opaque(_upright(np.asarray(image.convert("RGBA").getchannel("A")), turn))
    pixels = _upright(_srgb_pixels(image, profile), turn)
    return Photo(pixels, alpha, file_format)


def _unless_opaque(alpha: Bytes) -> Bytes | None:
    """The alpha, or None when nothing is transparent."""
    return None if alpha.min() == 255 else np.ascontiguousarray(alpha)


def _srgb_pixels(image: Image.Image, profile: bytes | None) -> Bytes:
    """(H, W, 3) sRGB pixels of a PIL image of any mode, transparency left out."""
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    elif image.mode in {"1", "L", "LA", "F"}:
        image = _in_mode(image, "L")
    elif image.mode != "CMYK":
        image = _in_mode(image, "RGB")
    transform = None if profile is None else _srgb_from(profile, image.mode)
    if transform is not None:
        image = transform.apply(_in_mode(image, transform.input_mode))
    return np.array(_in_mode(image, "RGB"))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """`Image.convert`, which copies even where there is nothing to do, where there is."""
    return image if image.mode == mode else image.convert(mode)


def _srgb_from(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from the profile's colours to sRGB.

    None where there is nothing to do: it is sRGB, it is broken, or it is for another kind of
    picture. Viewers ignore the last two too.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        takes = _COLOR_SPACE_MODES.get(source.profile.xcolor_space.strip())
        if takes == "RGB" and mode == "L":
            mode = "RGB"  # grey pictures often carry the profile of what they were made from
        if takes != mode:
            return None
        transform = ImageCms.ImageCmsTransform(
            source,
            _SRGB,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError):
        return None
    return None if mode == "RGB" and _is_identity(transform) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """It moves no colour of a grid over the cube by more than a code: most profiles are sRGB."""
    steps = np.arange(0, 256, 15).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid))).astype(int)
    return bool(np.abs(moved - grid).max() <= 1)


def _turn(image: Image.Image) -> object:
    """The EXIF orientation: 1 to 8, None, or whatever a broken file says."""
    return image.getexif().get(_EXIF_ORIENTATION)


def _upright(pixels: Bytes, turn: object) -> Bytes:
    """The array turned as the EXIF orientation says; contiguous."""
    match turn:
        case 2:
            pixels = cv2.flip(pixels, 1)
        case 3:
            pixels = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            pixels = cv2.flip(pixels, 0)
        case 5:
            pixels = cv2.transpose(pixels)
        case 6:
            pixels = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            pixels = cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
        case 8:
            pixels = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return np.ascontiguousarray(pixels)
