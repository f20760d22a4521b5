"""The port of the object store: bytes by key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the store, as its listing has it. at : when it was written, epoch seconds."""

    key: str
    size_bytes: int
    at: float


class ObjectStore(Protocol):
    """Bytes by key. Keys are ours: never a client's file name.

    Each verb raises StoreUnavailable when the store can't be used; nothing is ever half written.
    """

    def put(self, key: str, data: bytes) -> None: ...

    def get(self, key: str) -> bytes:
        """Raises NotFound."""
        ...

    def delete(self, key: str) -> None:
        """Deleting a missing key is fine."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]: ...

    def path(self, key: str) -> Path:
        """The file on this machine. Raises NotFound."""
        ...
