"""FingerSite: where on a finger the ring sits, measured on the photo itself.

The landmarks say where to look. A strip along the bone is rectified, the two silhouettes are found
in it as one smooth pair of paths (dynamic programming over centre and width), then each is refined
below the pixel. Two passes: the second strip follows the axis that the first one measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Float64, Mask
from anello.imaging.hand import (
    BONES,
    Finger,
    Hand,
    attitude,
    expected_width,
    finger_chain,
    px_per_mm,
)

LOCATION_START = 0.50
LOCATION_SPAN = 0.40
"""Location 0 sits half-way from MCP to PIP (the web is there), 1 just short of the middle joint."""

_REACH_ALONG = 1.6
"""Half length of the strip, expected finger widths."""
_REACH_ACROSS = 1.2
"""Half breadth of the strip, expected widths: room for a centre off by 0.3, and ground."""
_COLUMNS_PER_WIDTH = (48, 96)
"""Strip pixels across one expected width in the two passes."""
_ROW_STEP = 2.0
"""Strip rows are this much coarser than columns: silhouettes run along."""
_FINEST_PX = 0.5
"""Never sample finer than this, photo px: below it there is nothing to see."""
_ROWS = 40
"""Rows of the path search, over the whole strip."""
_WIDTH_PRIOR = (0.17, 0.11)
"""Spread of log(width / expected) in the two passes: landmarks know widths to about 12 %."""
_CENTRE_PRIOR = (0.20, 0.10)
"""Spread of the centre, widths: landmarks lie up to 0.15 off the middle line."""
_PRIOR_WEIGHT = 0.25
"""Weight of the priors in the score of one row, whose evidence is about 1 a side."""
_STEP_COST = 0.35
"""What one step of the path's centre or width costs: silhouettes bend slowly."""
_MIN_PALM_PIXELS = 50


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


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A straight strip: origin px of the photo, unit axis (up in the strip), photo px a column."""

    origin_xy: Float64
    axis_xy: Float64
    px: float
    rows: int
    cols: int

    @property
    def across_xy(self) -> Float64:
        return np.array([-self.axis_xy[1], self.axis_xy[0]])

    def to_photo(self, col: Float64, row: Float64) -> Float64:
        """(..., 2) photo px of strip columns and rows."""
        x = (np.asarray(col) - (self.cols - 1) / 2) * self.px
        y = ((self.rows - 1) / 2 - np.asarray(row)) * self.px * _ROW_STEP
        return self.origin_xy + x[..., None] * self.across_xy + y[..., None] * self.axis_xy

    def to_strip(self, point_xy: Float64) -> tuple[float, float]:
        """Column and row of a photo point."""
        d = (point_xy - self.origin_xy) / self.px
        return (
            float(d @ self.across_xy + (self.cols - 1) / 2),
            float((self.rows - 1) / 2 - d @ self.axis_xy / _ROW_STEP),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """The silhouettes in one strip: columns (rows,) each, and each row's score."""

    left: Float64
    right: Float64
    score_left: Float64
    score_right: Float64

    @property
    def trust_left(self) -> Float64:
        return np.clip(self.score_left, 0, 1)

    @property
    def trust_right(self) -> Float64:
        return np.clip(self.score_right, 0, 1)


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
        source, around = pixels, _surroundings(pixels, hand, finger)
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
    frame: _Frame,
    paths: _Paths,
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
    around: _Surroundings | None,
) -> tuple[_Frame, _Paths, _Fit]:
    frame = _frame(middle, axis, width, _COLUMNS_PER_WIDTH[step])
    strip, inside = _rectify(source, frame)
    w = width / frame.px
    if around is None:
        scores = iter([_mask_scores(strip)])
    else:
        scores = _edge_scores(strip, inside, around.drawn_in(frame), around.skin, w)
    found: list[tuple[_Paths, _Fit]] = []
    for right_score, left_score in scores:
        coarse = _search_pair(left_score, right_score, w, step)
        paths = _refine(left_score, right_score, coarse, w)
        if step == 1:
            paths = _settle(strip.astype(np.float32) / np.float32(255), paths, w)
        found.append((paths, _fit_lines(frame, paths, w)))
        if found[-1][1].score > _SURE_SCORE:
            break
    paths, fit = max(found, key=lambda pair: pair[1].score)
    return frame, paths, fit


def _frame(middle: Float64, axis: Float64, width: float, columns: int) -> _Frame:
    px = max(width / columns, _FINEST_PX)
    rows = 2 * round(_REACH_ALONG * width / px / _ROW_STEP) + 1
    cols = 2 * round(_REACH_ACROSS * width / px) + 1
    return _Frame(middle, axis, px, rows, cols)


def _rectify(source: Bytes, frame: _Frame) -> tuple[Bytes, Float]:
    """The strip (rows, cols, 3) and which of its pixels lie in the photo, 0 or 1."""
    corners = frame.to_photo(
        np.array([0.0, frame.cols - 1, 0, frame.cols - 1]),
        np.array([0.0, 0, frame.rows - 1, frame.rows - 1]),
    )
    height, width = source.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 3, 0, [width - 1, height - 1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 4, low + 1, [width, height])
    part = source[low[1] : high[1], low[0] : high[0]]
    ratio = np.ones(2)
    if frame.px > 1.3:  # reduce by area first, so that the strip does not alias
        size = np.maximum(1, np.round((high - low) / frame.px)).astype(int)
        ratio = size / (high - low)
        small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        part = np.asarray(small, np.uint8)
    corner_points = corners[:3]
    in_part = ((corner_points - low + 0.5) * ratio - 0.5).astype(np.float32)
    in_strip = np.array([[0, 0], [frame.cols - 1, 0], [0, frame.rows - 1]], np.float32)
    matrix = cv2.getAffineTransform(in_strip, in_part)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size_wh = (frame.cols, frame.rows)
    strip = cv2.warpAffine(part, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    ones = np.full(part.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(ones, matrix, size_wh, flags=flags, borderValue=0)
    return np.asarray(strip, np.uint8), (inside > 127).astype(np.float32)


# --- evidence ------------------------------------------------------------------------------------

_LOG_OFFSET = 12.0
"""Added to 8-bit values before the logarithm: keeps the noise of dark pixels from ruling."""
_SKIN_FLOOR = np.array([0.12, 0.028, 0.036])
"""Least spread of skin in (log G, log R/G, log B/G): shading, blush, white balance."""
_SKIN_KINDS, _OWN_SKIN_KINDS = 3, 2
_LLR_LIMIT = 4.0
_W_REGION, _W_GRADIENT, _W_CREASE, _W_GAP = 0.55, 0.65, 0.5, 0.9

_Gaussian: TypeAlias = tuple[Float64, Float64, float]
"""Mean (3,), inverse covariance (3, 3), log of share and normaliser."""


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    """What the landmarks know beside the finger itself.

    skin : kinds of skin colour of this hand. segments : (N, 2, 2) px bones of the rest of the hand,
    with (N,) how far each reaches to its sides, px.
    """

    skin: list[_Gaussian]
    segments: Float64
    reach: Float64

    def drawn_in(self, frame: _Frame) -> Bytes:
        """0 free, 1 flesh of another finger or the palm, 2 near its bone: (rows, cols)."""
        square = np.zeros((round(frame.rows * _ROW_STEP), frame.cols), np.uint8)
        for share, value in ((1.0, 1), (0.4, 2)):
            for (a, b), reach in zip(self.segments, self.reach, strict=True):
                ends = []
                for point in (a, b):
                    col, row = frame.to_strip(point)
                    ends.append((round(col), round(row * _ROW_STEP)))
                thick = max(1, round(2 * share * reach / frame.px))
                cv2.line(square, ends[0], ends[1], value, thick)
        size = (frame.cols, frame.rows)
        return np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _surroundings(pixels: Bytes, hand: Hand, finger: Finger) -> _Surroundings:
    points = hand.points_xy
    segments, reach = [], []
    for other in Finger:
        if other == finger:
            continue
        chain = finger_chain(other)
        width = expected_width(hand, other)
        for a, b in pairwise(chain):
            segments.append((points[a], points[b]))
            reach.append(0.62 * width)
    for a, b in ((5, 9), (9, 13), (13, 17), (2, 5)):
        # The web hangs between the knuckles: about a third of the way along the bones.
        out = 0.0 if a == 2 else 0.3
        ends = [points[i] + out * (points[i + 1] - points[i]) for i in (a, b)]
        segments.append((ends[0], ends[1]))
        reach.append(0.35 * expected_width(hand, Finger.MIDDLE))
    return _Surroundings(_hand_skin(pixels, hand, finger), np.array(segments), np.array(reach))


def _hand_skin(pixels: Bytes, hand: Hand, finger: Finger) -> list[_Gaussian]:
    """The finger's own kinds of skin, and those of the other fingers that are like them."""
    own = _finger_colors(pixels, hand, finger, 0.32)
    skin = _skin_kinds(_log_opponent(own).T, _OWN_SKIN_KINDS)
    whole = np.concatenate([_finger_colors(pixels, hand, f, 0.25) for f in Finger])
    neutral = np.zeros(2)
    for kind in _skin_kinds(_log_opponent(whole).T, _SKIN_KINDS):
        # A landmark beside its finger samples the ground: that must not become skin.
        if _hue_distance(kind[0], skin, neutral) < _SAME_HAND:
            skin = [*skin, kind]
    return skin


def _finger_colors(pixels: Bytes, hand: Hand, finger: Finger, aside: float) -> Bytes:
    """(N, 3) colours of a finger's first two bones, up to ``aside`` widths beside them."""
    height, width = pixels.shape[:2]
    found = []
    chain = finger_chain(finger)[1:] if finger == Finger.THUMB else finger_chain(finger)
    breadth = expected_width(hand, finger)
    for a, b in pairwise(chain[:3]):
        start, end = hand.points_xy[a], hand.points_xy[b]
        bone = end - start
        across = np.array([-bone[1], bone[0]]) / max(float(np.hypot(*bone)), 1e-9) * breadth
        t, s = np.meshgrid(np.linspace(0.1, 1.0, 16), np.linspace(-aside, aside, 9))
        at = start + t.reshape(-1, 1) * bone + s.reshape(-1, 1) * across
        col, row = np.round(at).astype(int).T
        ok = (col >= 0) & (col < width) & (row >= 0) & (row < height)
        found.append(pixels[row[ok], col[ok]])
    return np.concatenate(found)


def _skin_kinds(samples: Float, count: int) -> list[_Gaussian]:
    """Some kinds of skin (lit, shaded, redder), outliers such as worn rings left out."""
    if not len(samples):
        return []
    centre = np.median(samples, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(samples - centre), axis=0), _SKIN_FLOOR)
    kept = samples[(np.abs(samples - centre) / spread).max(axis=1) < 3.5]
    return _kinds(kept, count, _SKIN_FLOOR, 0.08)


def _kinds(samples: Float, count: int, floor: Float64, min_share: float) -> list[_Gaussian]:
    """Gaussians around the clusters of (N, 3) samples; deterministic."""
    if len(samples) < 10 * count:
        return []
    points = np.ascontiguousarray(samples[:: max(1, len(samples) // 1500)], np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.01)
    # Start from slices of brightness: no randomness.
    start = np.argsort(np.argsort(points[:, 0], kind="stable")) * count // len(points)
    labels = start.astype(np.int32)[:, None]
    flags = cv2.KMEANS_USE_INITIAL_LABELS
    _, labels, _ = cv2.kmeans(points, count, labels, criteria, 1, flags)
    kinds: list[_Gaussian] = []
    for kind in range(count):
        members = points[labels[:, 0] == kind].astype(np.float64)
        share = len(members) / len(points)
        if share < min_share or len(members) < 5:
            continue
        covariance = 0.5 * np.cov(members.T) + np.diag(floor**2)
        norm = -0.5 * float(np.linalg.slogdet(covariance)[1])
        kinds.append(
            (members.mean(axis=0), np.asarray(np.linalg.inv(covariance), np.float64), norm)
        )
    return kinds


def _log_opponent(colors: Bytes) -> Float:
    """(3, ...) planes log G, log R/G, log B/G of (..., 3) colours: shading moves the first only."""
    logs = np.log(np.arange(256, dtype=np.float32) + np.float32(_LOG_OFFSET))
    red, green, blue = (logs[colors[..., k]] for k in range(3))
    return np.stack([green, red - green, blue - green])


def _mask_scores(strip: Bytes) -> tuple[Float, Float]:
    """Right and left silhouettes of a given mask."""
    level = cv2.GaussianBlur(strip[..., 0].astype(np.float32) / 255, (0, 0), 1.0)
    slope = cv2.Sobel(level, cv2.CV_32F, 1, 0, ksize=1).astype(np.float32)
    return 4 * np.maximum(-slope, 0), 4 * np.maximum(slope, 0)


def _edge_scores(
    strip: Bytes, inside: Float, others: Bytes, skin: list[_Gaussian], w: float
) -> Iterator[tuple[Float, Float]]:
    """How well each pixel would do as the right, and as the left silhouette; about 0..1.5 each.

    As the ground is that lies close beside the finger, then as that which lies farther.
    """
    smooth = cv2.GaussianBlur(strip, (0, 0), 0.8)
    features = _log_opponent(np.asarray(smooth, np.uint8))
    gradient = _gradient(features, w)
    crease = _crease(features[0], w)
    forbidden = (others == 2).astype(np.float32)
    for beside in _GROUND_FROM:
        free = (others == 0) & (inside > 0)
        middle, first = free.shape[1] // 2, round(beside * w)
        free[:, max(0, middle - first) : middle + first] = False
        ratio = _skin_ratio(features, free, skin)
        scores = []
        for flip in (False, True):
            r, g, c, f = (a[:, ::-1] if flip else a for a in (ratio, gradient, crease, forbidden))
            score = _one_sided(r, g, c, w) - 0.5 * f
            scores.append(score[:, ::-1] if flip else score)
        yield scores[0] * inside, scores[1] * inside


def _gradient(features: Float, w: float) -> Float:
    """Strength of the step across, 0..1, soft-limited: one bright edge is not everything."""
    sigma = max(1.0, 0.012 * w)
    energy = np.zeros(features.shape[1:], np.float32)
    for plane, weight in zip(features, (1.0, 2.0, 1.5), strict=True):
        blurred = cv2.GaussianBlur(plane, (0, 0), sigmaX=sigma, sigmaY=sigma)
        energy += (cv2.Sobel(blurred, cv2.CV_32F, 1, 0, ksize=1, scale=0.5 * w * weight)) ** 2
    strength = np.sqrt(energy)
    half = max(float(np.median(strength)) * 3, 1.5)
    return np.asarray(strength / (strength + half), np.float32)


def _crease(log_green: Float, w: float) -> Float:
    """Dark valleys running along the finger, 0..1: where two fingers touch."""
    sigma = max(1.2, 0.03 * w)
    blurred = cv2.GaussianBlur(log_green, (0, 0), sigmaX=sigma, sigmaY=sigma)
    bend = cv2.Sobel(blurred, cv2.CV_32F, 2, 0, ksize=3, scale=0.25) * np.float32(sigma**2)
    depth = np.maximum(bend, 0)
    return np.asarray(depth / (depth + 0.03), np.float32)


def _one_sided(ratio: Float, gradient: Float, crease: Float, w: float) -> Float:
    """Score of a right silhouette: skin to its left, other to its right, a step, or a crease."""
    total = np.cumsum(np.pad(ratio, ((0, 0), (1, 0))), axis=1)
    near, mid, far = (
        _window_contrast(total, max(2, round(reach * w))) / _LLR_LIMIT
        for reach in (0.03, 0.06, 0.16)
    )
    gap = np.maximum(-ratio, 0)
    middle = ratio.shape[1] // 2 + round(0.25 * w)
    gap[:, :middle] = 0
    inside_gap = np.cumsum(gap, axis=1) / (0.08 * w * _LLR_LIMIT)
    return np.asarray(
        _W_REGION * 0.5 * (mid + far)
        + _W_GRADIENT * gradient * np.clip(0.3 + near, 0, 1)
        + _W_CREASE * crease
        - _W_GAP * np.minimum(inside_gap, 2),
        np.float32,
    )


def _window_contrast(total: Float, reach: int) -> Float:
    """Half of (mean over ``reach`` px up to here - mean over ``reach`` px from here)."""
    cols = total.shape[1] - 1
    index = np.arange(cols)
    here = total[:, index] * 0.5 + total[:, index + 1] * 0.5
    low = total[:, np.maximum(index - reach, 0)]
    high = total[:, np.minimum(index + 1 + reach, cols)]
    return np.asarray((2 * here - low - high) / (2 * reach), np.float32)


_GROUND_FROM = (0.62, 0.8)
"""Distances from the strip's middle, expected widths, from which on there may be ground. A finger
that is wider than expected and lies aside reaches over the first, and its flank isn't ground."""
_GROUND_KINDS = 4
_GROUND_FLOOR = np.array([0.07, 0.035, 0.045])
_BROAD_LOG_P = -2.0
"""log density of "anything else": about one over the volume of colours met, in these features."""
_SKIN_LIKE = 1.3
"""A kind of ground nearer to shaded skin than this (Mahalanobis) tells nothing."""
_SAME_SKIN = 2.5
"""A kind of ground nearer to lit skin than this is the finger itself, wider than expected."""
_SAME_HAND = 4.0
"""Other fingers' skin differs from this finger's by less than this (Mahalanobis)."""
_CLEARLY_OTHER = 3.0
"""A kind farther than this from skin says in which direction of hue the ground lies."""
_SHADE_COST, _SHADE_DEPTH = 0.8, 1.2
"""The flank of a finger turns from the light: less likely by this (log), darker by up to this."""
_DEEPER_PER_DARKER = 0.6
"""Between fingers light bounces off skin: the ratios move by up to this share of log G."""
_MIN_HUE_STEP = 0.06
"""Skin and ground closer than this in (log R/G, log B/G) have no direction between them."""
_SHADOW_COST = 1.0
"""How much less likely a shadow on the ground is than the ground itself, log."""
_SHADOW_DEPTH = 1.3
"""Shadows darken the ground by up to this, log: to 27 %."""


def _skin_ratio(features: Float, free: Mask, skin: list[_Gaussian]) -> Float:
    """log p(skin) - log p(ground) per pixel, limited to +-4; ground is what is seen where
    ``free``."""
    middle = features.shape[2] // 2
    sides = []
    for flip in (False, True):
        f, ok = (features[..., ::-1], free[:, ::-1]) if flip else (features, free)
        half, seen = f[..., middle:], ok[:, middle:]
        ground = _other_kinds(half[:, seen].T, skin)
        log_ratio = _skin_log_p(half, skin, ground) - _ground_log_p(half, ground)
        sides.append(log_ratio[:, ::-1] if flip else log_ratio)
    ratio = np.concatenate([sides[1], sides[0][:, 1:]], axis=1)
    return np.asarray(np.clip(ratio, -_LLR_LIMIT, _LLR_LIMIT), np.float32)


def _other_kinds(ground: Float, skin: list[_Gaussian]) -> list[_Gaussian]:
    """Kinds of ground beside the finger, without what may be another finger's shaded skin."""
    kinds = _kinds(ground, _GROUND_KINDS, _GROUND_FLOOR, 0.04)
    neutral = np.zeros(2)
    clear = [k for k in kinds if _hue_distance(k[0], skin, neutral) > _CLEARLY_OTHER]
    hue = _mean_hue(clear) if clear else neutral
    return [
        k
        for k in kinds
        if _hue_distance(k[0], skin, hue) > _SKIN_LIKE and _distance(k[0], skin) > _SAME_SKIN
    ]


def _mean_hue(kinds: list[_Gaussian]) -> Float64:
    return np.asarray(np.mean([kind[0][1:] for kind in kinds], axis=0))


def _distance(color: Float64, skin: list[_Gaussian]) -> float:
    """Mahalanobis distance from the nearest kind of skin as it is."""
    found = [float(np.sqrt((color - mean) @ inverse @ (color - mean))) for mean, inverse, _ in skin]
    return min(found, default=np.inf)


def _hue_distance(color: Float64, skin: list[_Gaussian], ground_hue: Float64) -> float:
    """Mahalanobis distance from the nearest skin, darker and deeper in hue counted as equal."""
    found = [np.inf]
    for kind in skin:
        d = np.array(_less_deep(color, kind, ground_hue)) - kind[0]
        d[0] = _lifted(d[0], _SHADE_DEPTH)
        found.append(float(np.sqrt(d @ kind[1] @ d)))
    return min(found)


def _skin_log_p(features: Float, skin: list[_Gaussian], ground: list[_Gaussian]) -> Float:
    """log p(skin): each kind, also with less light, and however much further from the ground's hue.

    Light that bounces between fingers deepens their colour: no shadow on the ground does that.
    """
    log_p = np.full(features.shape[1:], _BROAD_LOG_P - _LLR_LIMIT, np.float32)
    hue = _mean_hue(ground) if ground else np.zeros(2)
    for kind in skin:
        planes = _less_deep(features, kind, hue)
        np.maximum(log_p, _kind_log_p(planes, kind, _SHADE_DEPTH, _SHADE_COST), out=log_p)
    return log_p


def _less_deep(
    features: Float | Float64, kind: _Gaussian, ground_hue: Float64
) -> tuple[Float, Float, Float]:
    """Planes brought back to the kind's hue where they lie beyond it, seen from the ground's.

    Only as far as they are darker too: a red cloth is no deep shade.
    """
    light, red, blue = features
    away = kind[0][1:] - ground_hue
    reach = float(np.hypot(*away))
    if reach < _MIN_HUE_STEP:
        return light, red, blue
    level, red_mean, blue_mean = (np.float32(v) for v in kind[0])
    to_red, to_blue = (away / reach).astype(np.float32)
    limit = np.float32(_DEEPER_PER_DARKER) * np.maximum(level - light, np.float32(0))
    excess = (red - red_mean) * to_red + (blue - blue_mean) * to_blue
    excess = np.minimum(np.maximum(excess, np.float32(0)), limit)
    return light, red - excess * to_red, blue - excess * to_blue


def _lifted(below: Float, depth: float) -> Float:
    """log G over a kind's, with the light given back that it lacks, up to ``depth``."""
    return np.asarray(np.maximum(below, np.minimum(below + np.float32(depth), np.float32(0))))


def _ground_log_p(features: Float, ground: list[_Gaussian]) -> Float:
    """log p(not this finger): the kinds of ground seen beside it, each also in shadow."""
    log_p = np.full(features.shape[1:], _BROAD_LOG_P, np.float32)
    light, red, blue = features
    for kind in ground:
        shadowed = _kind_log_p((light, red, blue), kind, _SHADOW_DEPTH, _SHADOW_COST)
        np.maximum(log_p, shadowed, out=log_p)
    return log_p


def _kind_log_p(
    planes: tuple[Float, Float, Float], kind: _Gaussian, depth: float, cost: float
) -> Float:
    """log p of a kind of colour as it is or, less likely by ``cost``, darker by up to ``depth``."""
    mean, inverse, norm = kind
    # |L^T d|^2 with inverse = L L^T: L is triangular, so light enters the first part only.
    root = np.linalg.cholesky(inverse).astype(np.float32)
    light, red, blue = (p - np.float32(m) for p, m in zip(planes, mean, strict=True))
    hue = red * root[1, 0] + blue * root[2, 0]
    rest = (red * root[1, 1] + blue * root[2, 1]) ** 2 + (blue * root[2, 2]) ** 2
    lit = (light * root[0, 0] + hue) ** 2
    darker = (_lifted(light, depth) * root[0, 0] + hue) ** 2 + np.float32(2 * cost)
    return np.asarray(np.float32(norm) - (rest + np.minimum(lit, darker)) / 2, np.float32)


# --- paths ---------------------------------------------------------------------------------------

_WIDTHS = np.exp(np.linspace(np.log(0.62), np.log(1.5), 31))
_CENTRES = np.linspace(-0.4, 0.4, 41)
"""Candidate widths and centres of the pair search, in expected widths."""


def _search_pair(left: Float, right: Float, w: float, step: int) -> _Paths:
    """The best smooth (centre, width) over rows: both silhouettes at once."""
    rows, cols = left.shape
    bins = np.linspace(0, rows, _ROWS + 1).astype(int)
    rows_left = np.add.reduceat(left, bins[:-1], axis=0) / np.diff(bins)[:, None]
    rows_right = np.add.reduceat(right, bins[:-1], axis=0) / np.diff(bins)[:, None]
    middle = (cols - 1) / 2
    centre, width = np.meshgrid(_CENTRES * w, _WIDTHS * w, indexing="ij")
    at_left = np.clip(np.round(middle + centre - width / 2).astype(int), 0, cols - 1)
    at_right = np.clip(np.round(middle + centre + width / 2).astype(int), 0, cols - 1)
    spread = np.log(_WIDTHS)[None] / _WIDTH_PRIOR[step]
    aside = _CENTRES[:, None] / _CENTRE_PRIOR[step]
    prior = -_PRIOR_WEIGHT * 0.5 * (spread**2 + aside**2)
    evidence = rows_left[:, at_left] + rows_right[:, at_right] + prior
    best, ways = evidence[0], []
    for row in range(1, _ROWS):
        by_width = _relaxed(best, 1)
        ways.append((best, by_width))
        best = _relaxed(by_width, 0) + evidence[row]
    c, k = (int(at) for at in np.unravel_index(int(np.argmax(best)), best.shape))
    path = [(c, k)]
    for before, by_width in reversed(ways):
        c = _origin(by_width[:, k], c, _STEP_COST)
        k = _origin(before[c], k, _STEP_COST)
        path.append((c, k))
    chosen = np.array(path[::-1])
    at = (bins[:-1] + bins[1:] - 1) / 2
    every = np.arange(rows)
    centres = np.interp(every, at, middle + _CENTRES[chosen[:, 0]] * w)
    widths = np.interp(every, at, _WIDTHS[chosen[:, 1]] * w)
    none = np.zeros(rows)
    return _Paths(centres - widths / 2, centres + widths / 2, none, none)


def _relaxed(score: Float64, axis: int) -> Float64:
    """Best of staying or stepping by one along an axis."""
    view = score if axis == 0 else score.T
    best, stepped = view.copy(), view - _STEP_COST
    np.maximum(best[1:], stepped[:-1], out=best[1:])
    np.maximum(best[:-1], stepped[1:], out=best[:-1])
    return best if axis == 0 else best.T


def _origin(before: Float64, at: int, cost: float) -> int:
    """Where along ``before`` the best way to ``at`` comes from: there, or a step beside it."""
    origin, best = at, before[at]
    for beside in (at - 1, at + 1):
        if 0 <= beside < len(before) and before[beside] - cost > best:
            origin, best = beside, before[beside] - cost
    return origin


_FINE_REACH = 0.07
"""The refined silhouette may leave the coarse one by this, widths."""
_FINE_BEND = 0.12
"""Cost of one strip px sideways from one row to the next."""


def _refine(left: Float, right: Float, coarse: _Paths, w: float) -> _Paths:
    """The best smooth paths within reach of coarse ones, below the pixel, each with its score."""
    a, score_a = _refine_side(left, coarse.left, w)
    b, score_b = _refine_side(right, coarse.right, w)
    return _Paths(a, b, score_a, score_b)


def _refine_side(score: Float, near: Float64, w: float) -> tuple[Float64, Float64]:
    rows, cols = score.shape
    reach = max(3, round(_FINE_REACH * w))
    offsets = np.arange(-reach, reach + 1)
    base = np.round(near).astype(int)
    index = np.clip(base[:, None] + offsets, 0, cols - 1)
    local = np.take_along_axis(score, index, 1) - 0.1 * (offsets / reach) ** 2
    path = _best_path(local, np.diff(base, prepend=base[:1]))
    every = np.arange(rows)
    whole = np.clip(base + offsets[path], 1, cols - 2)
    before, here, after = (score[every, whole + k] for k in (-1, 0, 1))
    curve = before - 2 * here + after
    part = np.where(curve < -1e-4, 0.5 * (before - after) / np.minimum(curve, -1e-4), 0.0)
    column = whole + np.clip(part, -0.5, 0.5)
    return _smoothed(column, max(1.0, 0.02 * w / _ROW_STEP)), here.astype(np.float64)


def _best_path(local: Float64, shift: NDArray[np.int64]) -> NDArray[np.int64]:
    """Best offset in each row of (rows, n) scores whose window moves by ``shift`` a row."""
    rows, n = local.shape
    pad = n  # the window may move by a whole width
    move = np.clip(shift, 1 - pad, pad - 1)
    best = np.full((rows, n + 2 * pad), -1e9)
    window = best[:, pad : pad + n]
    window[0] = local[0]
    for row in range(1, rows):
        before, first = best[row - 1], pad + move[row]
        beside = np.maximum(before[first - 1 :][:n], before[first + 1 :][:n]) - _FINE_BEND
        np.add(np.maximum(before[first : first + n], beside), local[row], out=window[row])
    path = np.empty(rows, np.int64)
    path[-1] = int(np.argmax(window[-1]))
    for row in range(rows - 1, 0, -1):
        origin = _origin(best[row - 1], pad + int(move[row] + path[row]), _FINE_BEND) - pad
        path[row - 1] = min(max(origin, 0), n - 1)
    return path


_SETTLE_REACH = (2, 4)
"""Columns from the edge, on either side, in which skin and ground are sampled."""
_SETTLE_SPREAD = 2.0
"""How far the steepest place may be sought, columns (gaussian)."""
_SETTLE_LIMIT = 1.5
"""Settling corrects a bias of a pixel or so; more would be another edge, columns."""
_MIN_RISE = 0.05
"""Least rise over two columns, as a share of the step across the edge."""
_CREASE_DEPTH = 0.12
"""Darker than both sides by this (sum of three encoded channels) is a crease."""
_MIN_SETTLE_STEP = 0.02
"""Step across the edge (encoded, 0..1) below which there is nothing to settle on."""


def _settle(strip_srgb: Float, paths: _Paths, w: float) -> _Paths:
    """Paths moved to the steepest place between the skin and what lies beside it.

    The search works on ratios and likes the darker side of a blurred edge; the encoded values
    are closest to even on bright and dark grounds (linear light would favour the brighter side).
    """
    # A little smoothing along the finger, none across.
    calm = cv2.blur(strip_srgb, (1, 3)).astype(np.float32)
    left = _settle_side(calm, paths.left, -1, w)
    right = _settle_side(calm, paths.right, 1, w)
    return _Paths(left, right, paths.score_left, paths.score_right)


def _settle_side(srgb: Float, path: Float64, outward: int, w: float) -> Float64:
    rows, cols = srgb.shape[:2]
    near, far = _SETTLE_REACH
    every = np.arange(rows)[:, None]
    offsets = np.arange(-far, far + 1)
    column = path.copy()
    for _ in range(3):
        base = np.round(column).astype(int)
        at = np.clip(base[:, None] + outward * offsets, 0, cols - 1)
        profile = srgb[every, at]
        skin = profile[:, offsets <= -near].mean(axis=1)
        ground = profile[:, offsets >= near].mean(axis=1)
        step = ground - skin
        energy = (step**2).sum(axis=1)
        share = ((profile - skin[:, None]) * step[:, None]).sum(axis=2)
        share = share / np.maximum(energy, 1e-9)[:, None]
        steepest = _steepest(share, offsets)
        # Darker than both sides is a crease between two fingers: the search knows better.
        level = profile.sum(axis=2)
        darkest = np.minimum(level[:, : far - near + 1].mean(1), level[:, far + near :].mean(1))
        crease = level[:, far] < darkest - _CREASE_DEPTH
        ok = (energy > _MIN_SETTLE_STEP**2) & np.isfinite(steepest) & ~crease
        column = np.where(ok, base + outward * np.where(ok, steepest, 0), column)
    column = np.clip(column, path - _SETTLE_LIMIT, path + _SETTLE_LIMIT)
    return _smoothed(column, max(1.0, 0.03 * w / _ROW_STEP))


def _steepest(value: Float64, offsets: NDArray[np.int64]) -> Float64:
    """Where each row of (rows, n), 0 = skin to 1 = ground, rises most near offset 0; or nan."""
    rise = value[:, 2:] - value[:, :-2]
    mid = offsets[1:-1]
    weight = np.maximum(rise, 0) * np.exp(-0.5 * (mid / _SETTLE_SPREAD) ** 2)
    pick = np.clip(np.argmax(weight, axis=1), 1, rise.shape[1] - 2)
    rows = np.arange(len(value))
    a, b, c = (rise[rows, pick + k] for k in (-1, 0, 1))
    curve = a - 2 * b + c
    part = np.where(curve < -1e-6, 0.5 * (a - c) / np.minimum(curve, -1e-6), 0.0)
    return np.where(b > _MIN_RISE, mid[pick] + np.clip(part, -0.5, 0.5), np.nan)


def _smoothed(path: Float64, sigma: float) -> Float64:
    radius = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    # Reflect through the end points, so that a slanted path stays slanted at its ends.
    head = 2 * path[0] - path[radius:0:-1]
    tail = 2 * path[-1] - path[-2 : -radius - 2 : -1]
    return np.convolve(np.concatenate([head, path, tail]), kernel / kernel.sum(), "valid")


_FIT_REACH = 0.45
"""Half length over which the axis and the width are fitted, widths."""


def _fit_lines(frame: _Frame, paths: _Paths, w: float) -> _Fit:
    """Axis, centre and width from straight lines through both silhouettes around the site."""
    rows = np.arange(frame.rows, dtype=np.float64)
    middle = (frame.rows - 1) / 2
    t = (rows - middle) * _ROW_STEP / (_FIT_REACH * w)
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


# --- the photo's own blur ------------------------------------------------------------------------

_SIGMAS = np.array([0.35, 0.5, 0.65, 0.8, 1.0, 1.25, 1.55, 1.9, 2.4, 3.0, 3.8, 5.0])
_PROFILE_REACH = 8.0
_PROFILE_STEP = 0.5


def edge_sigma(
    pixels: Bytes,
    left: Float64,
    right: Float64,
    trust_left: Float64,
    trust_right: Float64,
    across: Float64,
) -> float:
    """Gaussian sigma of the blur at the silhouettes, px: a low quantile over edge fits."""
    found: list[float] = []
    for edge, trust, outward in ((left, trust_left, -across), (right, trust_right, across)):
        n = len(edge)
        picked = np.arange(round(0.2 * n), round(0.8 * n), max(1, n // 40))
        picked = picked[trust[picked] > 0.3]
        if picked.size:
            found.extend(_profile_sigmas(pixels, edge[picked], outward))
    return float(np.quantile(found, 0.3)) if found else 1.0


def _profile_sigmas(pixels: Bytes, points: Float64, outward: Float64) -> list[float]:
    """Best sigma of each profile across the edge that one error function explains well."""
    t = np.arange(-_PROFILE_REACH, _PROFILE_REACH + 1e-6, _PROFILE_STEP)
    at = points[:, None] + t[None, :, None] * outward
    low = np.floor(at.min(axis=(0, 1))).astype(int) - 2
    high = np.ceil(at.max(axis=(0, 1))).astype(int) + 3
    low = np.clip(low, 0, [pixels.shape[1] - 1, pixels.shape[0] - 1])
    high = np.clip(high, low + 1, [pixels.shape[1], pixels.shape[0]])
    part = cv2.cvtColor(pixels[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    where = (at - low).astype(np.float32)
    values = cv2.remap(
        part.astype(np.float32),
        where[..., 0],
        where[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    energy = (values.astype(np.float64) ** 2).sum(axis=1)
    total = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    sigmas, bases = _edge_bases()
    # Each basis is orthonormal: what it leaves of the profile's energy.
    kept = (values @ bases).reshape(len(values), len(sigmas), 3)
    error = energy[:, None] - (kept[..., 0] ** 2 + kept[..., 1] ** 2 + kept[..., 2] ** 2)
    pick = np.argmin(error, axis=1)
    best, sigma_of = error[np.arange(len(values)), pick], sigmas[pick]
    good = (best < 0.05 * total) & (total > len(t) * 8.0**2)
    return [float(v) for v in sigma_of[good]]


@cache
def _edge_bases() -> tuple[Float64, Float64]:
    """(m,) sigmas, and side by side (n, m * 3) an orthonormal basis for each: offset, slope and an
    edge blurred by it."""
    t = np.arange(-_PROFILE_REACH, _PROFILE_REACH + 1e-6, _PROFILE_STEP)
    sigmas, bases = [], []
    for sigma in _SIGMAS:
        for shift in np.arange(-2.5, 2.51, 0.5):
            basis = np.stack([np.ones_like(t), t, _erf_like((t - shift) / sigma)], 1)
            sigmas.append(float(sigma))
            bases.append(np.linalg.qr(basis)[0])
    return np.array(sigmas), np.concatenate(bases, axis=1)


def _erf_like(t: Float64) -> Float64:
    """The normal distribution's running sum, by the logistic approximation (error < 0.01)."""
    return np.asarray(1 / (1 + np.exp(-1.702 * t)))
