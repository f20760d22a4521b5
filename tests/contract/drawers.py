"""Drawers for drawing processes to hold: they do what a job's bytes name, and nothing else.

A module of its own, so that a new process can import it.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import Counter
from pathlib import Path

from anello.errors import InvalidParameter, ModelsUnavailable, ObjectDetectionFail
from anello.options import Finger
from anello.service.drawing import Drawn, Inspection, Job


def job(verb: str, data: bytes = b"") -> Job:
    """What makes a drawer do ``verb`` with ``data``."""
    return Job(verb.encode(), data, ())


class ByName:
    """Its verbs take bytes and give bytes, in what would be a picture."""

    def __init__(self) -> None:
        self.ballast = b""

    def draw(self, job: Job) -> Drawn:
        picture = getattr(self, job.hand.decode())(job.hand_mask)
        return Drawn(picture, "png", b"", {}, {}, (), Counter(), 0)

    def inspect_hand(self, image: bytes, finger: Finger | None, overlay: bool) -> Inspection:
        return Inspection({"image": image, "finger": finger, "overlay": overlay}, None)

    def inspect_ring(self, image: bytes, overlay: bool) -> Inspection:
        picture = getattr(self, image.decode())(b"")
        return Inspection({"picture": picture, "overlay": overlay}, b"overlay")

    # --- verbs ---

    def echo(self, data: bytes) -> bytes:
        return data

    def pid(self, _: bytes) -> bytes:
        return str(os.getpid()).encode()

    def niceness(self, _: bytes) -> bytes:
        return str(os.nice(0)).encode()

    def load(self, n_bytes: bytes) -> bytes:
        """Hold so much memory from now on: it takes a while to die with it."""
        self.ballast = bytes(1) * int(n_bytes)
        return self.pid(b"")

    def refuse(self, _: bytes) -> bytes:
        raise ObjectDetectionFail("No ring in it", remedy="Take another picture.")

    def refuse_a_value(self, _: bytes) -> bytes:
        raise InvalidParameter("outside", field="anchors", remedy="Stay inside.")

    def fail(self, _: bytes) -> bytes:
        raise KeyError("private words")

    def exhaust(self, _: bytes) -> bytes:
        raise MemoryError("private words")

    def segfault(self, _: bytes) -> bytes:
        return ctypes.string_at(0)

    def leave(self, _: bytes) -> bytes:
        os._exit(0)

    def hang(self, mark: bytes) -> bytes:
        """For ever, from when the file ``mark`` is there; the process's id stands in it."""
        if mark:
            part = Path(mark.decode()).with_suffix(".part")
            part.write_text(str(os.getpid()))
            part.rename(mark.decode())
        threading.Event().wait()
        return b""

    def spin(self, mark: bytes) -> bytes:
        """As ``hang``, but busy."""
        Path(mark.decode()).write_text(str(os.getpid()))
        while True:
            time.monotonic()


def without_networks(there: Path) -> ByName:
    """Only when that file is there."""
    if not there.exists():
        raise ModelsUnavailable(remedy="Fetch them.")
    return ByName()
