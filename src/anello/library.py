"""The library's verbs: whatever a caller has (path, bytes, picture, analysis) in, a result out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anello import __version__, codec, pipeline
from anello.allocator import keep_freed_memory
from anello.codec import Photo, Source
from anello.errors import AnelloError, InvalidParameter
from anello.imaging.arrays import Bytes
from anello.imaging.hand import Finger, Hand, PoseCheck
from anello.imaging.matting import Cutout
from anello.models import Models, load_models, load_ring_network
from anello.models.ring_network import RingNetwork
from anello.options import Options
from anello.pipeline import HandAnalysis, RingAnalysis, WornRing
from anello.report import Report, check_to_dict
from anello.stopwatch import Stopwatch

MAX_RINGS = 5
"""Rings in one call, as on the wire."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A finished try-on.

    picture : the hand wearing the rings, of the hand photo's size; every pixel away from the rings
        and their shadows is the decoded one.
    ring_mask : (H, W) uint8 coverage of the visible rings.
    rings : what was measured and drawn for each. report : the same as plain values.
    """

    picture: Photo
    ring_mask: Bytes
    rings: tuple[WornRing, ...]
    report: Report

    def encode(self) -> bytes:
        """The picture's file, in the hand photo's own format."""
        return codec.encode(self.picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture; a .png or .jpg ending decides the format."""
        codec.save(self.picture, Path(path))


@dataclass(frozen=True, slots=True, eq=False)
class HandReport:
    """Whether a hand photo will do, and why not.

    checks : every check made, in order; the first that failed is the ``error``.
    """

    photo: Photo
    hand: Hand | None
    checks: tuple[PoseCheck, ...]
    error: AnelloError | None

    @property
    def accepted(self) -> bool:
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        error = self.error
        return {
            "accepted": self.accepted,
            "code": None if error is None else error.code,
            "message": None if error is None else error.message,
            "remedy": None if error is None else error.remedy,
            "side": None if self.hand is None else self.hand.side,
            "n_hands": 0 if self.hand is None else self.hand.n_hands,
            "size": [self.photo.width, self.photo.height],
            "landmarks_xy": None if self.hand is None else self.hand.points_xy.round(2).tolist(),
            "checks": [check_to_dict(check) for check in self.checks],
        }


def try_on(
    hand: Source | HandAnalysis,
    ring: Source | RingAnalysis | Sequence[Source | RingAnalysis],
    options: Options | Sequence[Options] | None = None,
    *,
    hand_mask: Source | None = None,
    ring_mask: Source | Sequence[Source | None] | None = None,
    models: Models | None = None,
) -> Result:
    """Put one ring, or several, on a hand.

    hand : photo of the back of a hand, or what `analyse_hand` made of it.
    ring : three-quarter product photo, or what `analyse_ring` made of it; or a list of them.
    options : one for each ring, or one for all.
    hand_mask : white where the hand is, black where something lies in front of it.
    ring_mask : white where the ring is, one for each ring; replaces background removal.

    Raises an `AnelloError` that names what is wrong and what would help.
    """
    rings: list[Any] = list(ring) if isinstance(ring, list | tuple) else [ring]
    if not 1 <= len(rings) <= MAX_RINGS:
        raise InvalidParameter(f"rings: 1 to {MAX_RINGS} are possible, not {len(rings)}")
    chosen = _one_each(options if options is not None else Options(), len(rings), "options")
    masks = _one_each(ring_mask, len(rings), "ring_mask")
    if isinstance(hand, HandAnalysis) and hand_mask is not None:
        raise InvalidParameter("hand_mask: give it to analyse_hand, with the photo")
    keep_freed_memory()
    watch = Stopwatch()
    opened = hand if isinstance(hand, HandAnalysis) else _open(hand, hand_mask, "hand", watch)
    products = [
        one if isinstance(one, RingAnalysis) else _open(one, mask, "ring", watch)
        for one, mask in zip(rings, masks, strict=True)
    ]

    def hand_side() -> HandAnalysis:
        if isinstance(opened, HandAnalysis):
            return opened
        found = pipeline.analyse_hand(opened.photo, models or load_models(), opened.mask, watch)
        with watch("finger site"):  # remembered by the analysis
            pipeline.wanted_places(found, chosen)
        return found

    def ring_side(watch: Stopwatch) -> list[RingAnalysis]:
        return [
            one
            if isinstance(one, RingAnalysis)
            else pipeline.analyse_ring(
                one.photo, ring_network, one.mask, option.remove_background, watch
            )
            for one, option in zip(products, chosen, strict=True)
        ]

    ring_network = _ring_network(models)
    rings_known = all(isinstance(one, RingAnalysis) for one in products)
    if isinstance(opened, HandAnalysis) or rings_known:
        found, analyses = hand_side(), ring_side(watch)
    else:  # the two have nothing to do with each other; what is wrong with the hand is said first
        ring_watch = Stopwatch()
        with ThreadPoolExecutor(max_workers=1) as beside:
            rings_done = beside.submit(ring_side, ring_watch)
            found = hand_side()
            analyses = rings_done.result()
        watch.timings_ms.update(ring_watch.timings_ms)
    analyses = [
        one.with_anchors(option.anchors) if option.anchors is not None else one
        for one, option in zip(analyses, chosen, strict=True)
    ]
    picture, coverage, worn = pipeline.try_on(found, analyses, chosen, watch)
    timings = {**watch.timings_ms, "total": watch.elapsed_ms()}
    return Result(picture, coverage, worn, Report(found, worn, timings, __version__))


def analyse_hand(
    hand: Source, *, mask: Source | None = None, models: Models | None = None
) -> HandAnalysis:
    """Find the hand and check its pose, once for many rings. The result can be pickled.

    mask : white where the hand is. Raises `PhotoDetectionFail` or `PhotoCheckInvalid`.
    """
    opened = _open(hand, mask, "hand", Stopwatch())
    return pipeline.analyse_hand(opened.photo, models or load_models(), opened.mask)


def analyse_ring(
    ring: Source,
    *,
    mask: Source | None = None,
    remove_background: bool = True,
    models: Models | None = None,
) -> RingAnalysis:
    """Cut out and measure a ring, once for many hands. The result can be pickled.

    mask : white where the ring is; replaces background removal. Raises `ObjectDetectionFail`.
    """
    opened = _open(ring, mask, "ring", Stopwatch())
    network = _ring_network(models)
    return pipeline.analyse_ring(opened.photo, network, opened.mask, remove_background)


def inspect_hand(
    hand: Source, finger: Finger | None = None, *, models: Models | None = None
) -> HandReport:
    """Say whether a hand photo will do, each check with its number and remedy.

    Only a picture that can't be read at all raises (`InputError` and its kin).
    """
    photo = _open(hand, None, "hand", Stopwatch()).photo
    found, checks = pipeline.look_at_hand(photo, models or load_models(), finger)
    failed = next((check for check in checks if not check.ok), None)
    refused = found is None or failed is not None
    return HandReport(photo, found, checks, pipeline.pose_error(failed) if refused else None)


def cut_out(
    ring: Source,
    *,
    mask: Source | None = None,
    remove_background: bool = True,
    models: Models | None = None,
) -> Cutout:
    """The ring without its ground: straight colours and alpha, at the photo's full size.

    Raises `ObjectDetectionFail` when there is nothing like a ring.
    """
    opened = _open(ring, mask, "ring", Stopwatch())
    network = _ring_network(models)
    return pipeline.cut_out_ring(opened.photo, network, opened.mask, remove_background)


def _ring_network(models: Models | None) -> RingNetwork:
    return load_ring_network() if models is None else models.ring


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A picture and its mask, decoded."""

    photo: Photo
    mask: Bytes | None


def _open(source: Source, mask: Source | None, role: codec.What, watch: Stopwatch) -> _Opened:
    keep_freed_memory()
    with watch(f"decode {role}"):
        photo = codec.load(source, role)
        size = (photo.width, photo.height)
        return _Opened(photo, None if mask is None else codec.load_mask(mask, size))


def _one_each(values: Any, count: int, name: str) -> list[Any]:
    """As many values as rings: one serves all."""
    if not isinstance(values, list | tuple):
        return [values] * count
    if len(values) == 1:
        return list(values) * count
    if len(values) != count:
        raise InvalidParameter(f"{name}: {len(values)} given for {count} rings")
    return list(values)
