"""The object store behind a URL: a folder of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from anello.errors import NotFound, StoreUnavailable
from anello.service.files import Stored


class FolderStore:
    """Objects as files below a folder; each appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        with _said():
            self._store = LocalStore(folder, mkdir=True)
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        with _said():
            self._store.put(key, data)

    def get(self, key: str) -> bytes:
        with _said():
            return bytes(self._store.get(key).bytes())

    def delete(self, key: str) -> None:
        try:
            with _said():
                self._store.delete(key)
        except NotFound:
            return

    def list(self, prefix: str) -> Iterator[Stored]:
        with _said():
            for page in self._store.list(prefix):
                for found in page:
                    yield Stored(found["path"], found["size"], found["last_modified"].timestamp())

    def path(self, key: str) -> Path:
        path = self._folder / key
        if not path.is_file():
            raise NotFound("There is no such object")
        return path


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
