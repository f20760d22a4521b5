"""Files that a command writes: looked at before the work, all written at its end or none.

Each file is written beside its place under another name and moved there in one step, so nobody
ever sees half of it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from anello.imaging.arrays import Bytes

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")


def check_picture(path: Path, option: str = "-o") -> None:
    """A picture goes to a .png or .jpg, or to a name without an ending."""
    if path.suffix and path.suffix.lower() not in PICTURE_ENDINGS:
        _refuse(f"{path}: the name must end in .png, .jpg or .jpeg", option)
    check_file(path, option)


def check_png(path: Path, option: str) -> None:
    if path.suffix.lower() != ".png":
        _refuse(f"{path}: the name must end in .png", option)
    check_file(path, option)


def check_file(path: Path, option: str) -> None:
    """The file can be written, as far as one can tell beforehand."""
    if path.is_dir():
        _refuse(f"{path} is a folder", option)
    if not path.name:
        _refuse("the name is empty", option)
    folder = path.parent
    if not folder.is_dir():
        _refuse(f"there is no folder {folder}", option)
    if not os.access(folder, os.W_OK):
        _refuse(f"no right to write into {folder}", option)


def check_folder(path: Path, option: str) -> None:
    """The folder is there and can be written to, or can be made."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        _refuse(f"{nearest} is not a folder", option)
    if not os.access(nearest, os.W_OK):
        _refuse(f"no right to write into {nearest}", option)


def check_distinct(written: Mapping[str, Path | None], read: Sequence[Path]) -> None:
    """No output falls on another or on an input."""
    seen = {path.resolve(): str(path) for path in read}
    for option, path in written.items():
        if path is None:
            continue
        if path.resolve() in seen:
            _refuse(f"{path} would overwrite {seen[path.resolve()]}", option)
        seen[path.resolve()] = f"what {option} writes"


def _refuse(message: str, option: str) -> None:
    raise typer.BadParameter(message, param_hint=f"'{option}'")


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write all files, or none of them."""
    from anello.errors import RuntimeFailure

    parts: dict[Path, Path] = {}
    target = None
    try:
        for target, data in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            parts[target] = _write_part(target.resolve(), data)
        for target, part in parts.items():
            _put(part, target.resolve())
    except OSError as error:
        reason = error.strerror or str(error)
        raise RuntimeFailure(f"{target} could not be written: {reason}") from error
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _write_part(path: Path, data: bytes) -> Path:
    """The data in a new file beside ``path``; in the system's own folder where that can't be."""
    folder = None if _is_device(path) else path.parent
    handle, name = tempfile.mkstemp(prefix=".anello-", dir=folder)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.chmod(0o666 & ~_umask())
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part


def _put(part: Path, path: Path) -> None:
    if _is_device(path):  # /dev/stdout and its like are written to, not replaced
        path.write_bytes(part.read_bytes())
    else:
        part.replace(path)


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def encode_png(pixels: Bytes) -> bytes:
    """PNG of an (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA picture."""
    import cv2

    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, order[pixels.shape[2]])
    done, data = cv2.imencode(".png", stored)
    assert done
    return bytes(data)
