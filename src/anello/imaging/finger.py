"""FingerSite: where on a finger the ring sits, measured on the photo itself.

The landmarks say where to look. A strip along the bone is rectified, the two silhouettes are found
in it as one smooth pair of paths (dynamic programming over centre and width), then each is refined
below the pixel. Two passes: the second strip follows the axis that the first one measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from anello.imaging.arrays import Bytes, Float64
from anello.imaging.blur import edge_sigma
from anello.imaging.hand import BONES, Finger, Hand, attitude, expected_width, px_per_mm
from anello.imaging.silhouette import (
    Paths,
    Surroundings,
    edge_scores,
    mask_scores,
    refine,
    search_pair,
    settle,
    surroundings,
)
from anello.imaging.strip import ROW_STEP, StripFrame, rectify, strip_frame

LOCATION_START = 0.50
LOCATION_SPAN = 0.40
"""Location 0 sits half-way from MCP to PIP (the web is there), 1 just short of the middle joint."""

_COLUMNS_PER_WIDTH = (48, 96)
"""Strip pixels across one expected width in the two passes."""


@dataclass(frozen=True, slots=True, eq=False)
class FingerSite:
    """Where on the hand photo the ring sits; everything in px of the upright full photo.

    centre_xy : (2,) on the finger's middle line, where the centre of the ring's circle is seen.
    axis_xy : (2,) unit, knuckle to tip. across_xy : (2,) unit, to the right when the tip is up.
    left_xy, right_xy : (2,) centre -/+ across * width / 2.
    px_per_mm : as the sizes of the hand and of the finger tell.
    pitch_deg : elevation of the view out of the ring's plane, positive = camera on the wrist's
        side.
    roll_deg : how far the back of the finger is turned away, positive = towards ``across_xy``.
    confidence : 0..1.
    left_edge_xy, right_edge_xy : (N, 2) the silhouettes around the site, knuckle to tip.
    edge_sigma_px : gaussian sigma of the photo's own blur at the silhouette.
    """

    finger: Finger
    location: float
    centre_xy: Float64
    axis_xy: Float64
    across_xy: Float64
    left_xy: Float64
    right_xy: Float64
    width_px: float
    px_per_mm: float
    pitch_deg: float
    roll_deg: float
    confidence: float
    left_edge_xy: Float64
    right_edge_xy: Float64
    edge_sigma_px: float


def locate_site(
    pixels: Bytes,
    hand: Hand,
    finger: Finger,
    location: float,
    hand_mask: Bytes | None = None,
) -> FingerSite | None:
    """Where a ring sits on this finger; None when the finger is outside the picture.

    pixels : (H, W, 3) 8-bit sRGB. location : 0 (base of the free finger) to 1 (short of the middle
    joint). hand_mask : (H, W), white = hand; when given it defines the silhouette.
    """
    base, joint = (hand.points_xy[i] for i in BONES[finger])
    bone = joint - base
    length = float(np.hypot(*bone))
    width = expected_width(hand, finger)
    if length < 1 or width < 1:
        return None
    target = base + (LOCATION_START + LOCATION_SPAN * location) * bone
    if not _inside(target, pixels.shape):
        return None
    if hand_mask is None:
        source, around = pixels, surroundings(pixels, hand, finger)
    else:
        source, around = _mask_picture(hand_mask), None
    axis, middle = bone / length, target
    frame, paths, fit = _measure(source, middle, axis, width, 0, around)
    axis, middle = fit.axis_xy, fit.middle_at(target, bone / length)
    width_now = float(np.clip(fit.width, 0.7 * width, 1.4 * width))
    width_now = float(np.sqrt(width_now * np.sqrt(width_now * width)))
    frame, paths, fit = _measure(source, middle, axis, width_now, 1, around)
    fit = _tempered(fit, bone / length, width, finger)
    centre = fit.middle_at(target, bone / length)
    return _site(pixels, hand, finger, location, centre, frame, paths, fit)


def _site(
    pixels: Bytes,
    hand: Hand,
    finger: Finger,
    location: float,
    centre: Float64,
    frame: StripFrame,
    paths: Paths,
    fit: _Fit,
) -> FingerSite:
    axis = fit.axis_xy
    across = np.array([-axis[1], axis[0]])
    rows = np.arange(frame.rows - 1, -1, -1, dtype=np.float64)
    left = frame.to_photo(paths.left[::-1], rows)
    right = frame.to_photo(paths.right[::-1], rows)
    pitch, roll = attitude(hand, finger, (pixels.shape[1], pixels.shape[0]))
    sigma = edge_sigma(pixels, left, right, paths.trust_left[::-1], paths.trust_right[::-1], across)
    return FingerSite(
        finger=finger,
        location=location,
        centre_xy=centre,
        axis_xy=axis,
        across_xy=across,
        left_xy=centre - across * fit.width / 2,
        right_xy=centre + across * fit.width / 2,
        width_px=fit.width,
        px_per_mm=px_per_mm(hand, finger, fit.width),
        pitch_deg=pitch,
        roll_deg=roll,
        confidence=fit.confidence,
        left_edge_xy=left,
        right_edge_xy=right,
        edge_sigma_px=sigma,
    )


def _inside(point_xy: Float64, shape: tuple[int, ...]) -> bool:
    return bool(0 <= point_xy[0] < shape[1] and 0 <= point_xy[1] < shape[0])


def _mask_picture(mask: Bytes) -> Bytes:
    return np.repeat(mask[..., None], 3, axis=2)


# --- one pass ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Two straight lines fitted to the silhouettes near the site.

    score : mean score of the worse silhouette there, about 0 to 1.5.
    """

    point_xy: Float64
    axis_xy: Float64
    width: float
    score: float

    @property
    def confidence(self) -> float:
        return float(np.clip(self.score / _CLEAR_SCORE, 0, 1))

    def middle_at(self, target_xy: Float64, bone_xy: Float64) -> Float64:
        """The point of the measured middle line that lies straight across the bone from the target.

        bone_xy : (2,) unit, along the landmarks' bone: fractions are told along it.
        """
        along = (target_xy - self.point_xy) @ bone_xy / (self.axis_xy @ bone_xy)
        return self.point_xy + along * self.axis_xy


_CLEAR_SCORE, _SURE_SCORE = 0.7, 0.9
"""Score of silhouettes that are clearly seen, and that of those which need no second look."""
_FULL_TRUST = 0.4
"""Confidence from which the silhouettes alone are believed."""
_THUMB_AXIS_TRUST = 0.6
"""A thumb's silhouettes taper to the web on one side: its bone counts for the axis, too."""


def _tempered(fit: _Fit, bone_xy: Float64, expected: float, finger: Finger) -> _Fit:
    """Where the silhouettes are in doubt, axis and width drawn towards what the landmarks say."""
    trust = min(1.0, fit.confidence / _FULL_TRUST)
    axis_trust = trust * (_THUMB_AXIS_TRUST if finger == Finger.THUMB else 1.0)
    axis = axis_trust * fit.axis_xy + (1 - axis_trust) * bone_xy
    width = float(np.exp(trust * np.log(max(fit.width, 1.0)) + (1 - trust) * np.log(expected)))
    return replace(fit, axis_xy=axis / np.hypot(*axis), width=width)


def _measure(
    source: Bytes,
    middle: Float64,
    axis: Float64,
    width: float,
    step: int,
    around: Surroundings | None,
) -> tuple[StripFrame, Paths, _Fit]:
    frame = strip_frame(middle, axis, width, _COLUMNS_PER_WIDTH[step])
    strip, inside = rectify(source, frame)
    w = width / frame.px
    if around is None:
        scores = iter([mask_scores(strip)])
    else:
        scores = edge_scores(strip, inside, around.drawn_in(frame), around.skin, w)
    found: list[tuple[Paths, _Fit]] = []
    for right_score, left_score in scores:
        coarse = search_pair(left_score, right_score, w, step)
        paths = refine(left_score, right_score, coarse, w)
        if step == 1:
            paths = settle(strip.astype(np.float32) / np.float32(255), paths, w)
        found.append((paths, _fit_lines(frame, paths, w)))
        if found[-1][1].score > _SURE_SCORE:
            break
    paths, fit = max(found, key=lambda pair: pair[1].score)
    return frame, paths, fit


_FIT_REACH = 0.45
"""Half length over which the axis and the width are fitted, widths."""


def _fit_lines(frame: StripFrame, paths: Paths, w: float) -> _Fit:
    """Axis, centre and width from straight lines through both silhouettes around the site."""
    rows = np.arange(frame.rows, dtype=np.float64)
    middle = (frame.rows - 1) / 2
    t = (rows - middle) * ROW_STEP / (_FIT_REACH * w)
    near = np.exp(-0.5 * (t * 1.5) ** 2) * (np.abs(t) < 1.6)
    trust = near * (0.05 + paths.trust_left) * (0.05 + paths.trust_right)
    centre_at, slope = _line(t, (paths.left + paths.right) / 2, trust)
    breadth, _ = _line(t, paths.right - paths.left, trust)
    slope_px = slope / (_FIT_REACH * w)
    # Tip is up in the strip: going up one row moves the middle by -slope columns.
    axis = frame.axis_xy - slope_px * frame.across_xy
    axis = axis / np.hypot(*axis)
    cos = 1 / np.hypot(1, slope_px)
    sure = near / near.sum()
    worse = np.minimum(paths.score_left, paths.score_right)
    score = float((sure * np.maximum(worse, 0)).sum())
    return _Fit(
        point_xy=frame.to_photo(np.array(centre_at), np.array(middle)),
        axis_xy=axis,
        width=float(breadth * cos * frame.px),
        score=score,
    )


def _line(t: Float64, value: Float64, weight: Float64) -> tuple[float, float]:
    """Weighted least-squares line: value at t = 0, and slope."""
    total = weight.sum()
    mean_t, mean_v = (weight * t).sum() / total, (weight * value).sum() / total
    spread = (weight * (t - mean_t) ** 2).sum()
    slope = float((weight * (t - mean_t) * (value - mean_v)).sum() / max(spread, 1e-9))
    return float(mean_v - slope * mean_t), slope
