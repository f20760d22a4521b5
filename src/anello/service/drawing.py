"""What a drawing process does: bytes in, bytes out, the networks loaded once.

It knows no task and no table; whoever asks for a picture may end it at any time.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from anello import codec, debug, library
from anello.errors import AnelloError
from anello.imaging.arrays import Bytes
from anello.models import load_models
from anello.options import Finger
from anello.pipeline import HandAnalysis
from anello.report import ring_to_dict
from anello.service.analyses import Analyses, content_id
from anello.service.jobs import Drawn, Inspection, Job, RingJob
from anello.stopwatch import Stopwatch


class Drawer:
    """Draws pictures and inspects photos. One a process."""

    def __init__(self, analyses: Analyses) -> None:
        self._analyses = analyses
        self._models = load_models()

    def draw(self, job: Job) -> Drawn:
        """Raises an AnelloError that says what is wrong with the pictures."""
        self._analyses.counts.clear()
        hand_id = content_id(job.hand, job.hand_mask)
        ring_ids = [_ring_id(ring) for ring in job.rings]
        known_hand = self._analyses.get("hand", hand_id)
        known_rings = [self._analyses.get("ring", ring_id) for ring_id in ring_ids]
        result = library.try_on(
            job.hand if known_hand is None else _with_photo(known_hand, job),
            [known or ring.image for known, ring in zip(known_rings, job.rings, strict=True)],
            [ring.options for ring in job.rings],
            hand_mask=job.hand_mask if known_hand is None else None,
            ring_mask=[ring.mask for ring in job.rings],
            models=self._models,
        )
        hand = known_hand or _without_photo(result.report.hand)
        self._analyses.keep("hand", hand_id, hand, is_new=known_hand is None)
        for ring_id, known, worn in zip(ring_ids, known_rings, result.rings, strict=True):
            if known is not None or worn.options.anchors is None:  # anchors measure it anew
                self._analyses.keep("ring", ring_id, known or worn.ring, is_new=known is None)
        watch = Stopwatch()
        # Side by side, but before the answer: a deleted task must leave nothing to be saved later.
        with watch("encode"), ThreadPoolExecutor(max_workers=1) as beside:
            mask = beside.submit(_encode_mask, result.ring_mask)
            saved = beside.submit(self._analyses.save)
            picture = result.encode()
            saved.result()
        timings = {**result.report.timings_ms, **watch.timings_ms}
        return Drawn(
            picture,
            result.picture.format,
            mask.result(),
            result.report.to_dict(),
            {step: round(ms, 1) for step, ms in timings.items()},
            (hand_id, *ring_ids),
            Counter(self._analyses.counts),
            self._analyses.bytes_in_memory,
        )

    def inspect_hand(self, image: bytes, finger: Finger | None, overlay: bool) -> Inspection:
        """Whether a hand photo will do, check by check; what can't be read at all is said too."""
        try:
            report = library.inspect_hand(image, finger, models=self._models)
        except AnelloError as error:
            return Inspection({"kind": "hand", **_refusal(error), "checks": []}, None)
        drawn = debug.draw_hand(report.photo.pixels, report.hand, report.checks)
        return Inspection({"kind": "hand", **report.to_dict()}, _jpeg(drawn) if overlay else None)

    def inspect_ring(self, image: bytes, overlay: bool) -> Inspection:
        """Whether a product photo will do, and what was measured in it."""
        try:
            ring = library.analyse_ring(image, models=self._models)
        except AnelloError as error:
            return Inspection({"kind": "ring", **_refusal(error), "ring": None}, None)
        accepted = {"accepted": True, "code": None, "message": None, "remedy": None}
        findings = {"kind": "ring", **accepted, "ring": ring_to_dict(ring)}
        return Inspection(findings, _jpeg(debug.draw_cutout(ring)) if overlay else None)


def _ring_id(ring: RingJob) -> str:
    return content_id(ring.image, ring.mask, ring.options.remove_background)


def _with_photo(hand: HandAnalysis, job: Job) -> HandAnalysis:
    photo = codec.decode(job.hand, "hand")
    mask = None if job.hand_mask is None else codec.load_mask(job.hand_mask, photo.size)
    return replace(hand, photo=photo, mask=mask)


def _without_photo(hand: HandAnalysis) -> HandAnalysis:
    """The analysis alone: the photo is decoded anew anyway, and is the most of it."""
    nothing = codec.Photo(np.zeros((0, 0, 3), np.uint8))
    return replace(hand, photo=nothing, mask=None)


def _refusal(error: AnelloError) -> dict[str, Any]:
    return {
        "accepted": False,
        "code": error.code,
        "message": error.message,
        "remedy": error.remedy,
    }


def _encode_mask(mask: Bytes) -> bytes:
    done, data = cv2.imencode(".png", mask, codec.PNG_SETTINGS)
    assert done
    return bytes(data)


def _jpeg(pixels: Bytes) -> bytes:
    return codec.encode(codec.Photo(pixels, None, "jpeg"))
