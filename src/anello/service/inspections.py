"""Will these photos do? Asked before anything is spent; free."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from anello.errors import TooManyRequests
from anello.options import Finger
from anello.service.files import Files
from anello.service.jobs import Inspection
from anello.service.requests import Reference
from anello.service.work import Inputs


class Inspect(Protocol):
    """Looks at photos in processes of their own. Raises TaskTimeout, WorkerDied."""

    def inspect_hand(self, image: bytes, finger: Finger | None, overlay: bool) -> Inspection: ...

    def inspect_ring(self, image: bytes, overlay: bool) -> Inspection: ...


class Inspections:
    """Inspects hands and rings, a few at a time."""

    def __init__(self, files: Files, inputs: Inputs, inspect: Inspect, at_once: int) -> None:
        self._files = files
        self._inputs = inputs
        self._inspect = inspect
        self._room = threading.BoundedSemaphore(at_once)

    def hand(
        self, source: bytes | Reference, account_id: str, finger: Finger | None, overlay: bool
    ) -> dict[str, Any]:
        """The checks, what failed and what would help; ``overlay`` is JPEG bytes or None."""
        with self._one_more():
            image = self._image(source, account_id)
            return _to_dict(self._inspect.inspect_hand(image, finger, overlay))

    def ring(self, source: bytes | Reference, account_id: str, overlay: bool) -> dict[str, Any]:
        with self._one_more():
            image = self._image(source, account_id)
            return _to_dict(self._inspect.inspect_ring(image, overlay))

    def _image(self, source: bytes | Reference, account_id: str) -> bytes:
        if isinstance(source, bytes):
            return source
        if source.kind == "id":
            self._files.check_uploaded(account_id, [source.value])
        return self._inputs.load([(source, False)])[0]

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise TooManyRequests(
                "Too many requests: all inspectors are busy", remedy="Try again in a second."
            )
        try:
            yield
        finally:
            self._room.release()


def _to_dict(inspection: Inspection) -> dict[str, Any]:
    return {**inspection.findings, "overlay": inspection.overlay}
