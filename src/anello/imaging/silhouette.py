"""Where a finger's two silhouettes run in its strip: how well each pixel would do for one, the best
smooth pair of paths through those scores, and each path's place below the pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Bytes, Float, Float64
from anello.imaging.hand import Finger, Hand, expected_width, finger_chain
from anello.imaging.skin import RATIO_LIMIT, Kind, hand_skin, log_opponent, skin_ratio
from anello.imaging.strip import ROW_STEP, StripFrame

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
_W_REGION, _W_GRADIENT, _W_CREASE, _W_GAP = 0.55, 0.65, 0.5, 0.9
"""Weights of skin against ground, of a step, of a crease, and of ground within the path."""
_GROUND_FROM = (0.62, 0.8)
"""Distances from the strip's middle, expected widths, from which on there may be ground. A finger
that is wider than expected and lies aside reaches over the first, and its flank isn't ground."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
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


# --- evidence ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What the landmarks know beside the finger itself.

    skin : kinds of skin colour of this hand. segments : (N, 2, 2) px bones of the rest of the hand,
    with (N,) how far each reaches to its sides, px.
    """

    skin: list[Kind]
    segments: Float64
    reach: Float64

    def drawn_in(self, frame: StripFrame) -> Bytes:
        """0 free, 1 flesh of another finger or the palm, 2 near its bone: (rows, cols)."""
        square = np.zeros((round(frame.rows * ROW_STEP), frame.cols), np.uint8)
        for share, value in ((1.0, 1), (0.4, 2)):
            for (a, b), reach in zip(self.segments, self.reach, strict=True):
                ends = []
                for point in (a, b):
                    col, row = frame.to_strip(point)
                    ends.append((round(col), round(row * ROW_STEP)))
                thick = max(1, round(2 * share * reach / frame.px))
                cv2.line(square, ends[0], ends[1], value, thick)
        size = (frame.cols, frame.rows)
        return np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def surroundings(pixels: Bytes, hand: Hand, finger: Finger) -> Surroundings:
    """Skin and bones beside this finger. pixels : (H, W, 3) 8-bit sRGB of the photo."""
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
    return Surroundings(hand_skin(pixels, hand, finger), np.array(segments), np.array(reach))


def mask_scores(strip: Bytes) -> tuple[Float, Float]:
    """Right and left silhouettes of a given mask."""
    level = cv2.GaussianBlur(strip[..., 0].astype(np.float32) / 255, (0, 0), 1.0)
    slope = cv2.Sobel(level, cv2.CV_32F, 1, 0, ksize=1).astype(np.float32)
    return 4 * np.maximum(-slope, 0), 4 * np.maximum(slope, 0)


def edge_scores(
    strip: Bytes, inside: Float, others: Bytes, skin: list[Kind], w: float
) -> Iterator[tuple[Float, Float]]:
    """How well each pixel would do as the right, and as the left silhouette; about 0..1.5 each.

    As the ground is that lies close beside the finger, then as that which lies farther.
    """
    smooth = cv2.GaussianBlur(strip, (0, 0), 0.8)
    features = log_opponent(np.asarray(smooth, np.uint8))
    gradient = _gradient(features, w)
    crease = _crease(features[0], w)
    forbidden = (others == 2).astype(np.float32)
    for beside in _GROUND_FROM:
        free = (others == 0) & (inside > 0)
        middle, first = free.shape[1] // 2, round(beside * w)
        free[:, max(0, middle - first) : middle + first] = False
        ratio = skin_ratio(features, free, skin)
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
        _window_contrast(total, max(2, round(reach * w))) / RATIO_LIMIT
        for reach in (0.03, 0.06, 0.16)
    )
    gap = np.maximum(-ratio, 0)
    middle = ratio.shape[1] // 2 + round(0.25 * w)
    gap[:, :middle] = 0
    inside_gap = np.cumsum(gap, axis=1) / (0.08 * w * RATIO_LIMIT)
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


# --- paths ---------------------------------------------------------------------------------------

_WIDTHS = np.exp(np.linspace(np.log(0.62), np.log(1.5), 31))
_CENTRES = np.linspace(-0.4, 0.4, 41)
"""Candidate widths and centres of the pair search, in expected widths."""


def search_pair(left: Float, right: Float, w: float, step: int) -> Paths:
    """The best smooth (centre, width) over rows: both silhouettes at once."""
    rows, cols = left.shape
    steps = min(_ROWS, rows)
    bins = np.linspace(0, rows, steps + 1).astype(int)
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
    for row in range(1, steps):
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
    return Paths(centres - widths / 2, centres + widths / 2, none, none)


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


def refine(left: Float, right: Float, coarse: Paths, w: float) -> Paths:
    """The best smooth paths within reach of coarse ones, below the pixel, each with its score."""
    a, score_a = _refine_side(left, coarse.left, w)
    b, score_b = _refine_side(right, coarse.right, w)
    return Paths(a, b, score_a, score_b)


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
    return _smoothed(column, max(1.0, 0.02 * w / ROW_STEP)), here.astype(np.float64)


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


def settle(strip_srgb: Float, paths: Paths, w: float) -> Paths:
    """Paths moved to the steepest place between the skin and what lies beside it.

    The search works on ratios and likes the darker side of a blurred edge; the encoded values
    are closest to even on bright and dark grounds (linear light would favour the brighter side).
    """
    # A little smoothing along the finger, none across.
    calm = cv2.blur(strip_srgb, (1, 3)).astype(np.float32)
    left = _settle_side(calm, paths.left, -1, w)
    right = _settle_side(calm, paths.right, 1, w)
    return Paths(left, right, paths.score_left, paths.score_right)


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
    return _smoothed(column, max(1.0, 0.03 * w / ROW_STEP))


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
