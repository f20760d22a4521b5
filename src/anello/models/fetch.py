"""The networks' weights: which, where they are kept, and how they get there.

The weights are data of others (MediaPipe, Apache-2.0) and no part of this package. They are read
out of a pinned wheel that the package registry carries, whatever system this is, and each is
checked against its SHA-256. The folder can be copied to a machine without a network.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anello.errors import ModelsUnavailable

Progress = Callable[[int, int], None]
"""Told the bytes downloaded so far and the bytes in all."""

PACKAGE = "mediapipe==0.10.21"
# One wheel for every system: only data is read out of it, so any platform's would do.
WHEEL_TAGS = (
    "--platform=manylinux_2_28_x86_64",
    "--python-version=3.11",
    "--implementation=cp",
)
WHEEL_MB = 36

PALM_DETECTION = "palm_detection_full"
HAND_LANDMARK = "hand_landmark_full"


@dataclass(frozen=True, slots=True)
class Weights:
    """One network's file: where the wheel has it, and what its bytes must be."""

    member: str
    size_bytes: int
    sha256: str


WEIGHTS = {
    PALM_DETECTION: Weights(
        member="mediapipe/modules/palm_detection/palm_detection_full.tflite",
        size_bytes=2_339_846,
        sha256="1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    HAND_LANDMARK: Weights(
        member="mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        size_bytes=5_478_917,
        sha256="11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}


def models_dir() -> Path:
    """The folder of the weights: ``ANELLO_MODELS_DIR``, or a place in the user's cache."""
    if chosen := os.environ.get("ANELLO_MODELS_DIR"):
        return Path(chosen)
    return _user_cache() / "anello" / "models"


def model_path(name: str) -> Path:
    """Where the weights of that name are, or would be."""
    return models_dir() / f"{name}.tflite"


def missing_models() -> list[str]:
    """Names of the weights that are not there, or not with the bytes they must have."""
    return [name for name, weights in WEIGHTS.items() if not _is_right(model_path(name), weights)]


def ensure_models() -> None:
    """Have all weights in place; fetch them, with a line on stderr, when they are not."""
    if missing_models():
        print(
            f"anello: fetching the hand networks (once, {WHEEL_MB} MB) into {models_dir()}",
            file=sys.stderr,
        )
        fetch()


def fetch(progress: Progress | None = None) -> Path:
    """Download what is missing, check it, put it in place; returns the folder.

    Raises ``ModelsUnavailable`` when there is no network, no room, or the bytes are wrong.
    """
    folder = models_dir()
    names = missing_models()
    if not names:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="anello-") as scratch:
            wheel = _download_wheel(Path(scratch), progress)
            for name in names:
                _put(model_path(name), _read_weights(wheel, WEIGHTS[name]))
    except OSError as error:
        raise ModelsUnavailable(
            f"The hand networks could not be stored in {folder}: {error}",
            remedy="Point ANELLO_MODELS_DIR at a folder that can be written to.",
        ) from error
    return folder


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_right(path: Path, weights: Weights) -> bool:
    try:
        return (
            path.stat().st_size == weights.size_bytes
            and hashlib.sha256(path.read_bytes()).hexdigest() == weights.sha256
        )
    except OSError:
        return False


def _download_wheel(folder: Path, progress: Progress | None) -> Path:
    """The pinned wheel, by pip, so that the user's own mirror and proxy settings hold."""
    command = [
        *(sys.executable, "-m", "pip", "download", PACKAGE, f"--dest={folder}"),
        *("--no-deps", "--only-binary=:all:", *WHEEL_TAGS),
        *("--no-input", "--disable-pip-version-check", "--retries=1", "--progress-bar=raw"),
    ]
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            match line.split():
                case ["Progress", done, "of", total]:
                    if progress:
                        progress(int(done), int(total))
                case _:
                    said.append(line.strip())
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        reason = next((line for line in reversed(said) if line.startswith("ERROR")), "pip failed")
        raise ModelsUnavailable(
            f"The hand networks could not be downloaded ({reason.removeprefix('ERROR: ')})",
            remedy=(
                "Check the network and pip's settings and run 'anello models fetch' again; or copy "
                f"{' and '.join(f'{name}.tflite' for name in WEIGHTS)} from a machine that has "
                f"them into {models_dir()} (ANELLO_MODELS_DIR names another folder)."
            ),
        )
    return wheels[0]


def _read_weights(wheel: Path, weights: Weights) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as member:
            data = member.read(weights.size_bytes + 1)  # a bomb stops here
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ModelsUnavailable(f"{wheel.name} is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise ModelsUnavailable(
            f"{weights.member} in {wheel.name} has not the bytes it must have (SHA-256)",
            remedy="Run 'pip cache purge' and 'anello models fetch' again; suspect the mirror.",
        )
    return data


def _put(path: Path, data: bytes) -> None:
    """Write in one step: another process sees the whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
