"""What was found in a picture, kept: one hand is tried with many rings, one ring on many hands.

An analysis is known by what it was made of, the bytes of the picture and its mask, and by the code
that made it. Those used last stay in memory; all stay in the store until the last task that had the
picture is gone. Bytes from the store are taken only with our own signature: they are pickles.
"""

from __future__ import annotations

import hashlib
import hmac
import pickle
from collections import Counter
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from cachetools import LRUCache

from anello.errors import NotFound, StoreUnavailable
from anello.service.objects import ObjectStore

Kind = Literal["hand", "ring"]
Origin = Literal["memory", "store", "computed"]

ANALYSES = "analyses/"
"""Where analyses lie in the store, below the engine's version."""
_SIGNATURE_BYTES = 32


@cache
def engine_version() -> str:
    """The package's version and what its code and networks say: other code, other analyses."""
    from anello import __version__

    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    made_by = ("*.py", "imaging/*.py", "models/*.py", "models/*.tflite")
    for source in sorted(path for pattern in made_by for path in package.glob(pattern)):
        digest.update(source.read_bytes())
    return f"{__version__}-{digest.hexdigest()[:12]}"


def content_id(*parts: object) -> str:
    """SHA-256 of bytes and plain values, kept apart from each other."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(f"{len(data)}:{isinstance(part, bytes):d}:".encode() + data)
    return digest.hexdigest()


def analysis_key(kind: Kind, content_id: str) -> str:
    return f"{ANALYSES}{engine_version()}/{kind}/{content_id}"


def analysis_keys(content_id: str) -> list[str]:
    """Every key that something with this id may have."""
    return [analysis_key("hand", content_id), analysis_key("ring", content_id)]


class Analyses:
    """Analyses kept by one process. ``counts`` says where they came from, by kind and origin."""

    def __init__(self, store: ObjectStore, secret: str, max_bytes: int) -> None:
        self._store = store
        self._secret = hashlib.sha256(secret.encode()).digest()
        self._memory: LRUCache[tuple[Kind, str], Any] = LRUCache(max_bytes, getsizeof=size_bytes)
        self._unsaved: list[tuple[str, Any]] = []
        self.counts: Counter[tuple[Kind, Origin]] = Counter()

    @property
    def bytes_in_memory(self) -> int:
        return int(self._memory.currsize)

    def get(self, kind: Kind, content_id: str) -> Any:
        """The analysis of what has this id, or None."""
        found, origin = self._memory.get((kind, content_id)), "memory"
        if found is None:
            found, origin = self._load(analysis_key(kind, content_id)), "store"
        self.counts[kind, "computed" if found is None else cast(Origin, origin)] += 1
        return found

    def keep(self, kind: Kind, content_id: str, analysis: Any, *, is_new: bool) -> None:
        """Hold it in memory, at the size it has by now; `save` puts what is new into the store."""
        try:
            self._memory[kind, content_id] = analysis
        except ValueError:  # larger than all the room there is
            self._memory.pop((kind, content_id), None)
        if is_new:
            self._unsaved.append((analysis_key(kind, content_id), analysis))

    def save(self) -> None:
        """Put what is new into the store; from another thread than the rest, if need be."""
        while self._unsaved:
            self._save(*self._unsaved.pop())

    def _load(self, key: str) -> Any:
        try:
            data = self._store.get(key)
        except (NotFound, StoreUnavailable):
            return None
        signature, pickled = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(key, pickled)):
            return None
        return pickle.loads(pickled)

    def _save(self, key: str, analysis: Any) -> None:
        pickled = pickle.dumps(analysis, pickle.HIGHEST_PROTOCOL)
        try:
            self._store.put(key, self._sign(key, pickled) + pickled)
        except StoreUnavailable:  # it is kept to save time only
            return

    def _sign(self, key: str, pickled: bytes) -> bytes:
        signature = hashlib.blake2b(key.encode() + b"\n", key=self._secret, digest_size=32)
        signature.update(pickled)
        return signature.digest()


def size_bytes(value: Any) -> int:
    """About the memory that a value's arrays take."""
    if is_dataclass(value):
        return sum(size_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return sum(map(size_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size_bytes, value))
    return int(getattr(value, "nbytes", 8))
