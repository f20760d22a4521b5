"""Files are written whole and together, or not at all."""

import os
import stat
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from anello.cli import outputs
from anello.cli.batch import _distinct
from anello.cli.console import errors_said, one_line, to_json
from anello.errors import InputError, RuntimeFailure


def test_all_files_are_written(tmp_path: Path) -> None:
    outputs.write_all({tmp_path / "a": b"1", tmp_path / "new" / "b": b"2"})
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "new" / "b").read_bytes() == b"2"
    assert len(list(tmp_path.rglob("*"))) == 3


def test_none_is_written_when_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RuntimeFailure, match="could not be written"):
        outputs.write_all({tmp_path / "old": b"new", tmp_path / "file" / "x": b"2"})
    assert (tmp_path / "old").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"old", "file"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_links_and_permissions_are_as_with_a_plain_write(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    before = os.umask(0o027)
    try:
        outputs.write_all({tmp_path / "link": b"x"})
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o640


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices")
def test_a_device_is_written_to_not_replaced() -> None:
    outputs.write_all({Path("/dev/null"): b"x"})
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png.tif", "no/a.png", ""])
def test_refused_pictures(tmp_path: Path, name: str) -> None:
    with pytest.raises(typer.BadParameter):
        outputs.check_picture(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.jpeg", "a", "ünïcode ring.png"])
def test_accepted_pictures(tmp_path: Path, name: str) -> None:
    outputs.check_picture(tmp_path / name)


def test_folders(tmp_path: Path) -> None:
    outputs.check_folder(tmp_path / "a" / "b", "-o")
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(typer.BadParameter, match="not a folder"):
            outputs.check_folder(path, "-o")


def test_outputs_do_not_fall_on_inputs_or_each_other(tmp_path: Path) -> None:
    hand = tmp_path / "hand.png"
    with pytest.raises(typer.BadParameter, match="overwrite"):
        outputs.check_distinct({"-o": tmp_path / "." / "hand.png"}, [hand])
    with pytest.raises(typer.BadParameter, match="what -o writes"):
        outputs.check_distinct({"-o": hand, "--mask-out": hand}, [])
    outputs.check_distinct({"-o": hand, "--mask-out": None}, [tmp_path / "ring.png"])


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (3, 5, 4)])
def test_png_of_grey_rgb_and_rgba(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    data = np.frombuffer(outputs.encode_png(pixels), np.uint8)
    read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if len(shape) == 3:
        read = read[..., [2, 1, 0, 3][: shape[2]]]
    np.testing.assert_array_equal(read, pixels)


def test_names_of_a_batch_are_distinct() -> None:
    paths = [Path("a/x.jpg"), Path("b/x.png"), Path("c/X.png"), Path("x-2.jpg"), Path("y.jpg")]
    names = _distinct(paths)
    assert names[0] == "x"
    assert len({name.casefold() for name in names}) == len(paths)


def test_json_has_no_nan() -> None:
    text = to_json({"a": float("nan"), "b": [1.5, float("inf")], "c": "é"})
    assert "NaN" not in text
    assert "Infinity" not in text
    assert text.isascii()


def test_every_error_becomes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for error, line in (
        (InputError("one\ntwo", remedy="do\nthis"), "INPUT_ERROR: one two\ndo this\n"),
        (ValueError("odd"), "RUNTIME_ERROR: ValueError: odd\n"),
        (KeyError(), "RUNTIME_ERROR: KeyError()\n"),
        (MemoryError(), "RUNTIME_ERROR: Out of memory\nUse a smaller picture.\n"),
    ):
        with pytest.raises(typer.Exit) as caught, errors_said():
            raise error
        assert caught.value.exit_code == 1
        assert capsys.readouterr().err == line
    assert one_line("a \n\t b") == "a b"
