"""Files as strangers send them: what is taken, what is refused and as what."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from anello import codec
from anello.codec import MAX_FILE_BYTES, MAX_SIDE, Photo, decode, encode, load, load_mask, save
from anello.errors import (
    AnelloError,
    DecodeMask,
    ExceedMaxFilesize,
    ExceedMaxImageSize,
    InputError,
    InputMainImageEmpty,
)

HEIGHT, WIDTH = 48, 64


def gradient(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray[Any, Any]:
    """A smooth picture with four distinct corners: (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    red, green = x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1)
    return np.stack([red, green, 128 - red // 4 + green // 4], -1).astype(np.uint8)


def noise(height: int, width: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def file_of(image: Image.Image | np.ndarray[Any, Any], file_format: str, **how: Any) -> bytes:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    data = io.BytesIO()
    picture.save(data, file_format, **how)
    return data.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, depth: int, color: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")])


def png_rows(rows: np.ndarray[Any, Any]) -> bytes:
    """IDAT of rows of bytes, unfiltered."""
    return chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))


def far(a: Any, b: Any) -> int:
    """The largest difference between two pictures, codes."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


# --- taken -----------------------------------------------------------------------------------


def test_png_is_decoded_exactly() -> None:
    photo = decode(file_of(noise(HEIGHT, WIDTH), "PNG"))
    np.testing.assert_array_equal(photo.pixels, noise(HEIGHT, WIDTH))
    assert (photo.format, photo.alpha, photo.size) == ("png", None, (WIDTH, HEIGHT))
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.dtype == np.uint8


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"progressive": True},
        {"subsampling": "4:4:4"},
        {"restart_marker_blocks": 3},
        {"keep_rgb": True},
    ],
    ids=str,
)
def test_jpeg_pixels_are_the_reference_decoders(how: dict[str, Any]) -> None:
    data = file_of(gradient(), "JPEG", quality=92, **how)
    photo = decode(data)
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(data))))
    assert far(photo.pixels, gradient()) < 24
    assert photo.format == "jpeg"


@pytest.mark.parametrize(("file_format", "bound"), [("PNG", 0), ("JPEG", 4)])
def test_grey(file_format: str, bound: int) -> None:
    grey = gradient()[..., 0]
    photo = decode(file_of(grey, file_format, **({"quality": 95} if bound else {})))
    assert far(photo.pixels, np.dstack([grey] * 3)) <= bound


def test_one_bit() -> None:
    bits = gradient()[..., 0] > 100
    photo = decode(file_of(Image.fromarray(bits), "PNG", bits=1))
    np.testing.assert_array_equal(photo.pixels, np.dstack([bits * np.uint8(255)] * 3))


def test_16_bit_grey() -> None:
    grey = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    photo = decode(file_of(grey, "PNG"))
    assert far(photo.pixels[..., 1], grey / 257) <= 1


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_and_alpha(color: int, channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)
    rows = deep.astype(">u2").reshape(HEIGHT, -1)
    photo = decode(png_of(WIDTH, HEIGHT, 16, color, png_rows(rows)))
    seen = deep[..., :3] if channels > 2 else np.repeat(deep[..., :1], 3, -1)
    assert far(photo.pixels, seen / 257) <= 1
    if channels == 3:
        assert photo.alpha is None
    else:
        assert photo.alpha is not None
        assert far(photo.alpha, deep[..., -1] / 257) <= 1


def test_16_bit_colour_key() -> None:
    deep = np.full((4, 4, 3), 0x8040, np.uint16)
    deep[0, 0] = 0x1234
    key = chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x1234, 0x1234))
    photo = decode(png_of(4, 4, 16, 2, key, png_rows(deep.astype(">u2").reshape(4, -1))))
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    assert np.count_nonzero(photo.alpha == 255) == 15


def test_palette_and_its_transparency() -> None:
    index = (np.arange(HEIGHT * WIDTH) % 3).astype(np.uint8).reshape(HEIGHT, WIDTH)
    image = Image.fromarray(index)
    image.putpalette([255, 0, 0, 0, 255, 0, 10, 20, 30])
    assert image.mode == "P"
    colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)
    plain = decode(file_of(image, "PNG"))
    np.testing.assert_array_equal(plain.pixels, colours[index])
    assert plain.alpha is None
    clear = decode(file_of(image, "PNG", transparency=bytes([0, 255, 77])))
    np.testing.assert_array_equal(clear.pixels, colours[index])
    np.testing.assert_array_equal(clear.alpha, np.array([0, 255, 77], np.uint8)[index])


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_and_colours_stay_straight(mode: str) -> None:
    rgba = np.dstack([noise(HEIGHT, WIDTH), gradient()[..., 0]])
    image = Image.fromarray(rgba).convert(mode)
    photo = decode(file_of(image, "PNG"))
    np.testing.assert_array_equal(photo.alpha, gradient()[..., 0])
    opaque = image.copy()
    opaque.putalpha(255)
    np.testing.assert_array_equal(photo.pixels, np.asarray(opaque.convert("RGB")))


@pytest.mark.parametrize(("mode", "key"), [("L", 0), ("RGB", (255, 255, 255)), ("1", 255)])
def test_colour_key_is_alpha(mode: str, key: Any) -> None:
    image = Image.new("RGB", (8, 8), "white")
    image.paste("black", (0, 0, 4, 8))
    photo = decode(file_of(image.convert(mode), "PNG", transparency=key))
    assert photo.alpha is not None
    left, right = (0, 255) if mode == "L" else (255, 0)
    assert (photo.alpha[:, :4] == left).all()
    assert (photo.alpha[:, 4:] == right).all()


def test_opaque_alpha_is_no_alpha() -> None:
    assert (
        decode(
            file_of(np.dstack([gradient(), np.full((HEIGHT, WIDTH), 255)]).astype(np.uint8), "PNG")
        ).alpha
        is None
    )


def test_cmyk_of_adobe() -> None:
    """Adobe stores ink inverted; white paper must not come out black."""
    colours = {"white": (0, 0, 0, 0), "black": (0, 0, 0, 255), "cyan": (255, 0, 0, 0)}
    for name, ink in colours.items():
        data = file_of(Image.new("CMYK", (32, 32), ink), "JPEG", quality=95)
        assert simplejpeg.decode_jpeg_header(data)[2] in {"CMYK", "YCCK"}
        wanted = {"white": (255, 255, 255), "black": (0, 0, 0), "cyan": (0, 255, 255)}[name]
        assert far(decode(data).pixels, np.full((32, 32, 3), wanted)) <= 6


def test_ycck() -> None:
    """The other four-ink form: YCC turned, as Photoshop writes it."""
    data = bytearray(file_of(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG", quality=95))
    at = data.index(b"Adobe")
    assert data[at + 11] == 0
    data[at + 11] = 2
    assert simplejpeg.decode_jpeg_header(bytes(data))[2] == "YCCK"
    np.testing.assert_array_equal(
        decode(bytes(data)).pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    )


CORNERS = {
    # What is stored at top left, top right, bottom left, bottom right → where EXIF shows it.
    1: "abcd",
    2: "badc",
    3: "dcba",
    4: "cdab",
    5: "acbd",
    6: "cadb",
    7: "dbca",
    8: "bdac",
}
COLOURS = {"a": (250, 10, 10), "b": (10, 250, 10), "c": (10, 10, 250), "d": (240, 240, 240)}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns(turn: int, file_format: str) -> None:
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :32], stored[:16, 32:] = COLOURS["a"], COLOURS["b"]
    stored[16:, :32], stored[16:, 32:] = COLOURS["c"], COLOURS["d"]
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = decode(file_of(stored, file_format, exif=exif))
    assert photo.size == ((32, 64) if turn >= 5 else (64, 32))
    for letter, (row, column) in zip(
        CORNERS[turn], [(0, 0), (0, -1), (-1, 0), (-1, -1)], strict=True
    ):
        assert far(photo.pixels[row, column], COLOURS[letter]) <= 12, (turn, row, column)


def test_alpha_turns_with_its_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = np.full((4, 8), 255, np.uint8)
    alpha[0, 0] = 0
    photo = decode(file_of(np.dstack([gradient(4, 8), alpha]), "PNG", exif=exif))
    assert photo.alpha is not None
    assert photo.alpha.shape == (8, 4)
    assert photo.alpha[0, 3] == 0


@pytest.mark.parametrize("turn", [0, 9, 65535])
def test_unknown_turn_is_none(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    np.testing.assert_array_equal(decode(file_of(gradient(), "PNG", exif=exif)).pixels, gradient())


def test_broken_exif_does_not_cost_the_photo() -> None:
    data = file_of(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert decode(data).size == (WIDTH, HEIGHT)


def rgb_profile(primaries: list[tuple[float, float]], gamma: float) -> bytes:
    """A matrix profile of D65 white and the given xy primaries, built by the ICC's own recipe."""

    def xyz(x: float, y: float) -> np.ndarray[Any, Any]:
        return np.array([x / y, 1, (1 - x - y) / y])

    white, d50 = xyz(0.3127, 0.3290), np.array([0.9642, 1.0, 0.8249])
    columns = np.stack([xyz(*p) for p in primaries], -1)
    columns = columns * np.linalg.solve(columns, white)
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    scale = np.diag((bradford @ d50) / (bradford @ white))
    columns = np.linalg.solve(bradford, scale @ bradford) @ columns

    def s15(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": text + b"\0" * (-len(text) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + s15(*d50),
        **{
            name: b"XYZ \0\0\0\0" + s15(*columns[:, i])
            for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
        },
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    at, table, bodies = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, at + len(bodies), len(body))
        bodies += body
    header = struct.pack(
        ">I4sI4s4s4s", at + len(bodies), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + s15(*d50)
    return header.ljust(128, b"\0") + table + bodies


DISPLAY_P3 = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]
SRGB = [(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)]
SKIN_P3 = (200, 150, 130)


def p3_to_srgb(colour: tuple[int, int, int], gamma: float) -> np.ndarray[Any, Any]:
    """By the published matrix from linear Display P3 to linear sRGB (CSS Color 4)."""
    matrix = np.array(
        [
            [1.2249401763, -0.2249401763, 0.0],
            [-0.0420569547, 1.0420569547, 0.0],
            [-0.0196375546, -0.0786360456, 1.0982736001],
        ]
    )
    linear = np.clip(matrix @ (np.array(colour) / 255) ** gamma, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_display_p3_becomes_srgb(file_format: str) -> None:
    picture = np.full((32, 32, 3), SKIN_P3, np.uint8)
    how = {"icc_profile": rgb_profile(DISPLAY_P3, 2.2)}
    if file_format == "JPEG":
        how |= {"quality": 100, "subsampling": "4:4:4"}
    photo = decode(file_of(picture, file_format, **how))
    wanted = p3_to_srgb(SKIN_P3, 2.2)
    assert far(wanted, SKIN_P3) >= 8, "the test's colour must move"
    assert far(photo.pixels, np.full((32, 32, 3), wanted)) <= 2


def test_transparent_display_p3() -> None:
    rgba = np.dstack([np.full((8, 8, 3), SKIN_P3, np.uint8), gradient(8, 8)[..., 0]])
    photo = decode(file_of(rgba, "PNG", icc_profile=rgb_profile(DISPLAY_P3, 2.2)))
    assert far(photo.pixels, np.full((8, 8, 3), p3_to_srgb(SKIN_P3, 2.2))) <= 2
    np.testing.assert_array_equal(photo.alpha, rgba[..., 3])


def test_srgb_profile_changes_no_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = decode(file_of(noise(HEIGHT, WIDTH), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(photo.pixels, noise(HEIGHT, WIDTH))


def test_rgb_profile_on_a_grey_picture() -> None:
    """Common from photo tools; the neutral axis follows the profile's curve."""
    grey = np.full((8, 8), 128, np.uint8)
    photo = decode(file_of(grey, "PNG", icc_profile=rgb_profile(SRGB, 1.0)))
    assert far(photo.pixels, np.full((8, 8, 3), 188)) <= 1


@pytest.mark.parametrize("profile", [b"junk", b"", rgb_profile(DISPLAY_P3, 2.2)[:150]])
def test_broken_profile_is_ignored(profile: bytes) -> None:
    photo = decode(file_of(gradient(), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(photo.pixels, gradient())


def test_phone_jpeg_with_a_second_picture_inside() -> None:
    """Multi-picture files (MPO) are what many phones write: the first picture is the photo."""
    second = Image.fromarray(255 - gradient())
    data = file_of(gradient(), "MPO", save_all=True, append_images=[second], quality=95)
    assert far(decode(data).pixels, gradient()) < 24
    assert decode(data).format == "jpeg"


def test_harmless_stray_bytes_before_the_end() -> None:
    data = file_of(gradient(), "JPEG", quality=92)
    photo = decode(data[:-2] + b"\0\0\0" + data[-2:])
    np.testing.assert_array_equal(photo.pixels, decode(data).pixels)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_bytes_after_the_end_are_ignored(file_format: str) -> None:
    data = file_of(gradient(), file_format)
    np.testing.assert_array_equal(decode(data + b"more" * 99).pixels, decode(data).pixels)


def test_smallest_and_largest() -> None:
    assert decode(file_of(gradient(1, 1), "PNG")).size == (1, 1)
    assert decode(file_of(gradient(1, 1), "JPEG")).size == (1, 1)
    assert decode(file_of(gradient(2, MAX_SIDE), "PNG")).size == (MAX_SIDE, 2)


# --- refused ---------------------------------------------------------------------------------


def test_no_bytes() -> None:
    with pytest.raises(InputMainImageEmpty):
        decode(b"", "hand")
    with pytest.raises(InputError) as caught:
        decode(b"", "ring")
    assert type(caught.value) is InputError
    assert caught.value.code == "INPUT_ERROR"


def svg() -> bytes:
    return b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'


@pytest.mark.parametrize("foreign", ["GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM", "JPEG2000"])
def test_foreign_formats(foreign: str) -> None:
    with pytest.raises(InputError, match="neither JPEG nor PNG"):
        decode(file_of(gradient(), foreign))


@pytest.mark.parametrize("data", [svg(), b"hello, I am text", b"%PDF-1.7", b"\xff\xd8", b"\x89PNG"])
def test_foreign_bytes(data: bytes) -> None:
    with pytest.raises(InputError):
        decode(data)


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    for name, data in {
        "really-png.jpg": file_of(gradient(), "PNG"),
        "really-jpeg.png": file_of(gradient(), "JPEG"),
        "no ending ü": file_of(gradient(), "PNG"),
    }.items():
        (tmp_path / name).write_bytes(data)
    assert load(tmp_path / "really-png.jpg").format == "png"
    assert load(str(tmp_path / "really-jpeg.png")).format == "jpeg"
    assert load(tmp_path / "no ending ü").format == "png"
    (tmp_path / "really-gif.jpg").write_bytes(file_of(gradient(), "GIF"))
    with pytest.raises(InputError):
        load(tmp_path / "really-gif.jpg")


JPEGS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: file_of(gradient(200, 300), "JPEG", quality=95),
    "progressive": lambda: file_of(gradient(200, 300), "JPEG", quality=95, progressive=True),
    "restarts": lambda: file_of(gradient(200, 300), "JPEG", restart_marker_blocks=4),
    "grey": lambda: file_of(gradient(200, 300)[..., 0], "JPEG"),
    "cmyk": lambda: file_of(Image.fromarray(gradient(200, 300)).convert("CMYK"), "JPEG"),
    "png": lambda: file_of(noise(100, 150), "PNG"),
    "palette": lambda: file_of(Image.fromarray(gradient(100, 150)).convert("P"), "PNG"),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.3, 0.5, 0.8, 0.97, 0.999, 1.0])
def test_truncated(kind: str, share: float) -> None:
    data = JPEGS[kind]()
    assert decode(data).width
    with pytest.raises(InputError):
        decode(data[: min(int(len(data) * share), len(data) - 1)])


def test_truncated_even_where_the_host_program_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    for make in JPEGS.values():
        data = make()
        with pytest.raises(InputError):
            decode(data[: len(data) // 2])


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_damaged_png(where: float) -> None:
    data = bytearray(file_of(noise(100, 150), "PNG"))
    data[int(len(data) * where)] ^= 0x10
    with pytest.raises(InputError, match="damaged"):
        decode(bytes(data))


def test_damaged_jpeg_data() -> None:
    data = file_of(noise(64, 64), "JPEG", quality=90)
    middle = len(data) // 2
    with pytest.raises(InputError, match="damaged"):
        decode(data[:middle] + b"\xff\xc4\0\0" + data[middle + 4 :])


def test_animated_png() -> None:
    frames = [Image.fromarray(gradient()), Image.fromarray(255 - gradient())]
    data = file_of(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in data
    with pytest.raises(InputError, match="animated"):
        decode(data)


def test_10_mib_exactly() -> None:
    picture = file_of(gradient(), "JPEG")
    under = picture + b"\0" * (MAX_FILE_BYTES - 1 - len(picture))
    assert decode(under).size == (WIDTH, HEIGHT)
    with pytest.raises(ExceedMaxFilesize) as caught:
        decode(under + b"\0")
    assert caught.value.code == "exceed_max_filesize"


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = tmp_path / "large.jpg"
    with sparse.open("wb") as file:
        file.truncate(40 * 2**30)
    with pytest.raises(ExceedMaxFilesize, match="40960"):
        load(sparse)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 3), (3, MAX_SIDE + 1)])
def test_4097_px(file_format: str, size: tuple[int, int]) -> None:
    with pytest.raises(ExceedMaxImageSize) as caught:
        decode(file_of(Image.new("RGB", size), file_format))
    assert caught.value.code == "error_exceed_max_image_size"
    assert "4097" in caught.value.message


def test_size_is_told_from_the_header_alone() -> None:
    """Nothing after the header is there: it must not have been looked for."""
    with pytest.raises(ExceedMaxImageSize):
        decode(png_of(50_000, 50_000, 8, 2)[:33])
    jpeg = bytearray(file_of(gradient(), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    with pytest.raises(ExceedMaxImageSize):
        decode(bytes(jpeg))


BOMBS = """
import resource, struct, sys, zlib
from anello.codec import decode
from anello.errors import AnelloError
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(data)
    print("taken", end=" ")
except AnelloError as error:
    print(error.code, end=" ")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@cache
def zeros(mib: int) -> bytes:
    squeeze = zlib.compressobj(9)
    return b"".join(squeeze.compress(bytes(2**20)) for _ in range(mib)) + squeeze.flush()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in KiB on Linux only")
@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        (
            lambda: png_of(50_000, 50_000, 8, 2, chunk(b"IDAT", zeros(900))),
            "error_exceed_max_image_size",
        ),
        (lambda: png_of(16, 16, 8, 2, chunk(b"IDAT", zeros(900))), "taken"),
        (
            lambda: png_of(
                16,
                16,
                8,
                2,
                chunk(b"iCCP", b"x\0\0" + zeros(900)),
                png_rows(np.zeros((16, 48), np.uint8)),
            ),
            "INPUT_ERROR taken",
        ),
        (
            lambda: png_of(
                16,
                16,
                8,
                2,
                chunk(b"zTXt", b"x\0\0" + zeros(900)),
                png_rows(np.zeros((16, 48), np.uint8)),
            ),
            "INPUT_ERROR taken",
        ),
    ],
    ids=["size", "pixels", "profile", "text"],
)
def test_bombs_cost_no_memory(bomb: Callable[[], bytes], code: str) -> None:
    """900 MB of zeros packed small: unpacked nowhere, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", BOMBS], input=bomb(), capture_output=True, check=False
    )
    said, grown_mib = run.stdout.decode().split()
    assert said in code.split(), run.stderr.decode()
    assert int(grown_mib) < 64


def test_scan_bomb() -> None:
    """Thousands of scans over the same picture: each would cost a pass."""
    data = file_of(gradient(), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(InputError, match="scans"):
        decode(data[:-2] + scan * 600 + data[-2:])


@pytest.mark.parametrize("bad", ["missing.jpg", ".", "\0", "https://example.com/a.jpg"])
def test_unreadable_paths(bad: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(f"{tmp_path}/{bad}" if bad != "\0" else bad, "ring")
    assert "ring photo" in caught.value.message


SEEDS = [
    file_of(gradient(16, 16), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    file_of(gradient(16, 16), "JPEG", progressive=True, icc_profile=rgb_profile(DISPLAY_P3, 2.2)),
    file_of(Image.fromarray(gradient(16, 16)).convert("CMYK"), "JPEG"),
    file_of(gradient(16, 16), "PNG", icc_profile=rgb_profile(SRGB, 1.8)),
    file_of(Image.fromarray(gradient(16, 16)).convert("P"), "PNG", transparency=3),
    file_of(np.dstack([gradient(16, 16), gradient(16, 16)[..., 0]]), "PNG"),
]


def with_right_checksums(data: bytes) -> bytes:
    """A PNG whose every chunk's checksum fits, so that a mutation reaches the parsers."""
    whole, at = bytearray(data), 8
    while at + 12 <= len(whole):
        (length,) = struct.unpack_from(">I", whole, at)
        end = at + 8 + length
        if end + 4 > len(whole):
            break
        struct.pack_into(">I", whole, end, zlib.crc32(whole[at + 4 : end]))
        at = end + 4
    return bytes(whole)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=4),
    cut=st.none() | st.floats(0, 1),
    mend=st.booleans(),
)
def test_mutated_files_raise_nothing_but_our_errors(
    seed: bytes, edits: list[tuple[float, bytes]], cut: float | None, mend: bool
) -> None:
    data = bytearray(seed)
    for where, patch in edits:
        at = int(where * (len(data) - 1))
        data[at : at + len(patch)] = patch
    mutated = bytes(data if cut is None else data[: int(cut * len(data))])
    if mend and mutated.startswith(b"\x89PNG"):
        mutated = with_right_checksums(mutated)
    try:
        photo = decode(mutated)
    except AnelloError as error:
        event(error.code)
    else:
        event("taken")
        assert photo.pixels.shape == (photo.height, photo.width, 3)
        assert max(photo.size) <= MAX_SIDE


@settings(max_examples=100, deadline=None)
@given(
    tail=st.binary(max_size=300), head=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""])
)
def test_random_bytes_raise_nothing_but_our_errors(head: bytes, tail: bytes) -> None:
    with pytest.raises(AnelloError):
        decode(head + tail)


# --- what a caller has -----------------------------------------------------------------------


def test_sources_of_one_picture_agree(tmp_path: Path) -> None:
    data = file_of(gradient(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    sources = [
        data,
        bytearray(data),
        memoryview(data),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.open(io.BytesIO(data)),
        Image.fromarray(gradient()),
        gradient(),
        np.asfortranarray(gradient()),
        Photo(gradient()),
    ]
    for source in sources:
        photo = load(source)  # type: ignore[arg-type]
        np.testing.assert_array_equal(photo.pixels, gradient())
        assert photo.format == "png"


def test_pillow_pictures_are_turned_and_converted_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_of(gradient(), "JPEG", exif=exif, icc_profile=rgb_profile(DISPLAY_P3, 2.2))
    opened, decoded = load(Image.open(io.BytesIO(data))), decode(data)
    np.testing.assert_array_equal(opened.pixels, decoded.pixels)
    assert opened.format == decoded.format == "jpeg"


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I;16", "F"],
)
def test_pillow_modes(mode: str) -> None:
    image = Image.new(mode, (5, 4))
    assert load(image).pixels.shape == (4, 5, 3)


def test_grey_and_rgba_arrays() -> None:
    grey = gradient()[..., 0]
    np.testing.assert_array_equal(load(grey).pixels, np.dstack([grey] * 3))
    photo = load(np.dstack([gradient(), grey]))
    np.testing.assert_array_equal(photo.alpha, grey)
    np.testing.assert_array_equal(photo.pixels, gradient())


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError),
        (np.zeros((4, 4, 2), np.uint8), ValueError),
        (np.zeros((0, 4, 3), np.uint8), ValueError),
        (np.zeros(4, np.uint8), ValueError),
        (17, TypeError),
        (np.zeros((MAX_SIDE + 1, 1, 3), np.uint8), ExceedMaxImageSize),
    ],
)
def test_other_things_are_no_picture(array: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        load(array)


# --- masks -----------------------------------------------------------------------------------


def disc(height: int, width: int) -> np.ndarray[Any, Any]:
    return cv2.circle(
        np.zeros((height, width), np.uint8), (width // 2, height // 2), height // 4, 255, -1
    )


def test_mask_of_luminance() -> None:
    mask = disc(HEIGHT, WIDTH)
    for picture in (mask, np.dstack([mask] * 3), Image.fromarray(mask > 0)):
        data = file_of(picture, "PNG")
        np.testing.assert_array_equal(load_mask(data, (WIDTH, HEIGHT)), mask)


def test_alpha_of_a_mask_wins() -> None:
    mask = disc(HEIGHT, WIDTH)
    data = file_of(np.dstack([255 - gradient(), mask]), "PNG")
    np.testing.assert_array_equal(load_mask(data, (WIDTH, HEIGHT)), mask)


def test_opaque_alpha_of_a_mask_says_nothing() -> None:
    mask = disc(HEIGHT, WIDTH)
    data = file_of(np.dstack([mask, mask, mask, np.full_like(mask, 255)]), "PNG")
    np.testing.assert_array_equal(load_mask(data, (WIDTH, HEIGHT)), mask)


@pytest.mark.parametrize("scale", [0.25, 3])
def test_mask_is_resampled(scale: float) -> None:
    """Edges stay where they are: the outer edges of the pixels, not their centres, correspond."""
    box, shape = np.array([40, 160, 80, 200]), np.array([200, 240])
    y0, y1, x0, x1 = np.rint(box * scale).astype(int)
    small = np.zeros(np.rint(shape * scale).astype(int), np.uint8)
    small[y0:y1, x0:x1] = 255
    mask = load_mask(file_of(small, "PNG"), (240, 200))
    assert mask.shape == (200, 240)
    assert mask.dtype == np.uint8
    wanted = np.zeros((200, 240), bool)
    wanted[40:160, 80:200] = True
    np.testing.assert_array_equal(mask[44:156, 84:196], 255)
    assert np.count_nonzero((mask > 127) != wanted) <= 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        file_of(Image.new("L", (8, 8), 0), "PNG"),
        file_of(Image.new("RGB", (8, 8), 0), "JPEG"),
        file_of(Image.new("RGBA", (8, 8), (255, 255, 255, 0)), "PNG"),
        file_of(disc(64, 64), "PNG")[:-20],
        file_of(disc(64, 64), "GIF"),
    ],
    ids=["empty", "text", "black", "black jpeg", "transparent", "truncated", "gif"],
)
def test_useless_masks(data: bytes) -> None:
    with pytest.raises(DecodeMask) as caught:
        load_mask(data, (8, 8))
    assert caught.value.code == "error_decode_mask"


def test_masks_have_the_same_limits() -> None:
    with pytest.raises(ExceedMaxImageSize):
        load_mask(file_of(Image.new("L", (MAX_SIDE + 1, 1), 255), "PNG"), (8, 8))


# --- and back --------------------------------------------------------------------------------


def test_png_round_trip_is_exact() -> None:
    photo = Photo(noise(HEIGHT, WIDTH), gradient()[..., 0], "png")
    back = decode(encode(photo))
    np.testing.assert_array_equal(back.pixels, photo.pixels)
    np.testing.assert_array_equal(back.alpha, photo.alpha)
    np.testing.assert_array_equal(decode(encode(Photo(noise(9, 5)))).pixels, noise(9, 5))


def test_jpeg_has_full_chroma_and_high_quality() -> None:
    photo = Photo(gradient(), None, "jpeg")
    data = encode(photo)
    assert simplejpeg.decode_jpeg_header(data)[2:] == ("YCbCr", "444")
    assert far(decode(data).pixels, gradient()) <= 8


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_nothing_of_the_source_but_the_picture_is_written(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 24.0)
    exif[0x010F] = "CameraMakerName"
    data = file_of(gradient(), file_format, exif=exif)
    assert b"CameraMakerName" in data
    out = encode(decode(data))
    assert b"CameraMakerName" not in out
    assert not Image.open(io.BytesIO(out)).getexif()
    assert Image.open(io.BytesIO(out)).format == file_format


def test_same_photo_same_bytes_in_another_process() -> None:
    script = (
        "import sys, numpy as np; from anello.codec import Photo, encode;"
        "y, x = np.mgrid[:48, :64];"
        "p = np.stack([x * 4, y * 5, x ^ y], -1).astype(np.uint8);"
        "sys.stdout.buffer.write(encode(Photo(p)) + encode(Photo(p, None, 'jpeg')))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("name", "wanted"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.out", "PNG")]
)
def test_save_goes_by_the_ending(tmp_path: Path, name: str, wanted: str) -> None:
    save(Photo(gradient()), tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.format == wanted


def test_photo_can_be_pickled() -> None:
    photo = pickle.loads(pickle.dumps(Photo(gradient(), gradient()[..., 0], "jpeg")))
    np.testing.assert_array_equal(photo.pixels, gradient())
    assert photo.format == "jpeg"


def test_harmless_files_of_the_wild_are_read_without_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    codec.decode(file_of(gradient(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0"))
    assert not recwarn.list
