"""What drawing processes are asked and answer. Light: the server itself loads no image maths."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from anello.options import Options


@dataclass(frozen=True, slots=True)
class RingJob:
    """One ring to draw: its files' bytes, and how it is worn."""

    image: bytes
    mask: bytes | None
    options: Options


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to draw."""

    hand: bytes
    hand_mask: bytes | None
    rings: tuple[RingJob, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture.

    picture : its file, in the hand's own format. mask : PNG of the visible rings' coverage.
    inputs : the content ids of its pictures. counts : where their analyses came from.
    """

    picture: bytes
    format: Literal["jpeg", "png"]
    mask: bytes
    report: dict[str, Any]
    timings_ms: dict[str, float]
    inputs: tuple[str, ...]
    counts: Counter[tuple[str, str]]
    bytes_in_memory: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspection found. overlay : JPEG of the photo with what was measured, if wanted."""

    findings: dict[str, Any]
    overlay: bytes | None
