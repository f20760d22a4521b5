"""The object store behind a URL: a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.exceptions import BaseError, GenericError
from obstore.store import LocalStore

from anello.errors import NotFound, StoreUnavailable
from anello.service.objects import Stored

TRIES = 20  # of a put whose folder is removed by deletes as fast as it is made


class FolderStore:
    """Objects as files below a folder; each appears whole or not at all.

    A process that is killed while it writes leaves a file beside its object's name. Such files are
    no objects, but they are listed and can be deleted, else nobody would ever clear them away.
    """

    def __init__(self, folder: Path) -> None:
        with _said():
            self._store = LocalStore(folder, mkdir=True)
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        with _said():
            self._put(key, data)
            for written in (path := self._folder / key, path.parent):  # on the disk, as rows are
                _sync(written)

    def _put(self, key: str, data: bytes) -> None:
        for _ in range(TRIES - 1):
            try:
                self._store.put(key, data)
                return
            except GenericError:  # its folder was there to the library, and gone at its next look
                continue
        self._store.put(key, data)

    def get(self, key: str) -> bytes:
        with _said():
            return bytes(self._store.get(key).bytes())

    def delete(self, key: str) -> None:
        path = self._folder / key
        with _said():
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            # Those that it leaves empty; the first stays, for a put may be making one in it.
            for folder in path.relative_to(self._folder).parents[:-2]:
                try:
                    (self._folder / folder).rmdir()
                except OSError:
                    return

    def list(self, prefix: str) -> Iterator[Stored]:
        for folder, _, names in os.walk(self._folder / prefix):
            for name in names:
                path = Path(folder, name)
                try:
                    with _said():
                        found = path.stat()
                except NotFound:  # deleted meanwhile
                    continue
                key = path.relative_to(self._folder).as_posix()
                yield Stored(key, found.st_size, found.st_mtime)

    def path(self, key: str) -> Path:
        path = self._folder / key
        if not path.is_file():
            raise NotFound("There is no such object")
        return path


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _said() -> Iterator[None]:
    """Within, whatever the library raises becomes an error of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("There is no such object") from error
    except (OSError, BaseError) as error:
        raise StoreUnavailable(
            "The file could not be stored or read: the server's store is full or out of reach",
            remedy="Try again later; the operator finds the reason with `anello doctor`.",
        ) from error
