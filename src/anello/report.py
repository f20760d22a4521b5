"""What happened, for people and programs: plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anello.imaging.finger import FingerSite
from anello.imaging.hand import PoseCheck
from anello.imaging.lighting import Light
from anello.pipeline import HandAnalysis, RingAnalysis, WornRing


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The measurements behind a picture.

    timings_ms : per step, in the order of the steps, and ``total`` by the clock: hand and ring are
        looked at side by side.
    """

    hand: HandAnalysis
    rings: tuple[WornRing, ...]
    timings_ms: dict[str, float]
    engine_version: str

    def to_dict(self) -> dict[str, Any]:
        """Only dicts, lists, strings, numbers and None; points are pixels of the upright photos."""
        return {
            "engine_version": self.engine_version,
            "timings_ms": {step: round(spent, 2) for step, spent in self.timings_ms.items()},
            "hand": hand_to_dict(self.hand),
            "rings": [_worn_to_dict(worn) for worn in self.rings],
            "warnings": list(dict.fromkeys(w for worn in self.rings for w in worn.warnings)),
        }


def hand_to_dict(analysis: HandAnalysis) -> dict[str, Any]:
    return {
        "side": analysis.hand.side,
        "n_hands": analysis.hand.n_hands,
        "presence": round(analysis.hand.presence, 3),
        "landmarks_xy": _points(analysis.hand.points_xy),
        "checks": [check_to_dict(check) for check in analysis.checks],
    }


def check_to_dict(check: PoseCheck) -> dict[str, Any]:
    value, limit = (
        round(float(v), 3) if isinstance(v, float | np.floating) else v
        for v in (check.value, check.limit)
    )
    return {
        "name": check.name,
        "ok": bool(check.ok),
        "value": value,
        "limit": limit,
        "code": None if check.ok else check.code,
        "message": None if check.ok else check.message,
        "remedy": None if check.ok else check.remedy,
    }


def ring_to_dict(ring: RingAnalysis) -> dict[str, Any]:
    """The ring as measured in its product photo."""
    shape = ring.shape
    to_photo = ring.to_photo
    opening = ring.cutout.opening
    head = ring.head
    return {
        "contact_xy": _points(to_photo(shape.contact_xy)),
        "centre_xy": _points(to_photo(shape.centre_xy)),
        "elevation_deg": round(shape.elevation_deg, 2),
        "rotation_deg": round(shape.rotation_deg, 2),
        "head_deg": round(shape.head_deg, 2),
        "inner_radius_px": round(shape.inner_radius_px / ring.scale, 2),
        "outer_radius_px": round(shape.outer_radius_px / ring.scale, 2),
        "band_width_px": round(shape.band_width_px / ring.scale, 2),
        "head_height_px": None if head is None else round(float(head.height.max()) / ring.scale, 2),
        "opening_px": None if opening is None else round(float(opening.sum()) / ring.scale**2),
        "view": shape.view,
        "method": ring.cutout.method,
        "confidence": round(float(min(shape.confidence, ring.cutout.confidence)), 3),
        "warnings": list(dict.fromkeys([*ring.cutout.warnings, *shape.warnings])),
    }


def _worn_to_dict(worn: WornRing) -> dict[str, Any]:
    return {
        "finger": int(worn.site.finger),
        "location": round(float(worn.site.location), 4),
        "site": _site_to_dict(worn.site),
        "ring": ring_to_dict(worn.ring),
        "light": _light_to_dict(worn.light),
        "warnings": list(worn.warnings),
    }


def _site_to_dict(site: FingerSite) -> dict[str, Any]:
    # The site's own left and right are the finger's; a reader of the report looks at the picture.
    left, right = sorted((site.left_xy, site.right_xy), key=lambda point: float(point[0]))
    return {
        "centre_xy": _points(site.centre_xy),
        "axis_xy": [round(float(v), 5) for v in site.axis_xy],
        "left_xy": _points(left),
        "right_xy": _points(right),
        "width_px": round(float(site.width_px), 2),
        "pitch_deg": round(float(site.pitch_deg), 2),
        "roll_deg": round(float(site.roll_deg), 2),
        "confidence": round(float(site.confidence), 3),
    }


def _light_to_dict(light: Light) -> dict[str, Any]:
    return {
        "direction_xyz": [round(float(v), 4) for v in light.direction_xyz],
        "colour_linear": [round(float(v), 4) for v in light.colour],
        "level": round(float(light.level), 4),
        "ambient": round(float(light.ambient), 4),
        "confidence": round(float(light.confidence), 3),
    }


def _points(xy: Any) -> Any:
    return np.round(np.asarray(xy, np.float64), 2).tolist()
