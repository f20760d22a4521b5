"""Which colours are skin and which are ground beside one finger, and how much likelier each is."""

from __future__ import annotations

from itertools import compress, pairwise
from typing import TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Mask
from anello.imaging.hand import Finger, Hand, expected_width, finger_chain

_LOG_OFFSET = 12.0
"""Added to 8-bit values before the logarithm: keeps the noise of dark pixels from ruling."""
_SKIN_FLOOR = np.array([0.12, 0.028, 0.036])
"""Least spread of skin in (log G, log R/G, log B/G): shading, blush, white balance."""
_SKIN_KINDS, _OWN_SKIN_KINDS = 3, 2
RATIO_LIMIT = 4.0
"""Most that one pixel's colour says for skin or against it, log."""

Kind: TypeAlias = tuple[Float64, Float64, float]
"""Mean (3,), inverse covariance (3, 3), log of share and normaliser."""


def hand_skin(pixels: Bytes, hand: Hand, finger: Finger) -> list[Kind]:
    """The finger's own kinds of skin, and those of the other fingers that are like them."""
    own = _finger_colors(pixels, hand, finger, 0.32)
    skin = _skin_kinds(log_opponent(own).T, _OWN_SKIN_KINDS)
    whole = np.concatenate([_finger_colors(pixels, hand, f, 0.25) for f in Finger])
    neutral = np.zeros(2)
    for kind in _skin_kinds(log_opponent(whole).T, _SKIN_KINDS):
        # A landmark beside its finger samples the ground: that must not become skin.
        if _hue_distances([kind], skin, neutral)[0] < _SAME_HAND:
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


def _skin_kinds(samples: Float, count: int) -> list[Kind]:
    """Some kinds of skin (lit, shaded, redder), outliers such as worn rings left out."""
    if not len(samples):
        return []
    centre = np.median(samples, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(samples - centre), axis=0), _SKIN_FLOOR)
    kept = samples[(np.abs(samples - centre) / spread).max(axis=1) < 3.5]
    return _kinds(kept, count, _SKIN_FLOOR, 0.08)


def _kinds(samples: Float, count: int, floor: Float64, min_share: float) -> list[Kind]:
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
    kinds: list[Kind] = []
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


def log_opponent(colors: Bytes) -> Float:
    """(3, ...) planes log G, log R/G, log B/G of (..., 3) colours: shading moves the first only."""
    logs = np.log(np.arange(256, dtype=np.float32) + np.float32(_LOG_OFFSET))
    red, green, blue = (logs[colors[..., k]] for k in range(3))
    return np.stack([green, red - green, blue - green])


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
_MIN_BOUNCE_STEP, _BOUNCED_PER_DARKER = 0.22, 0.15
"""Ground so far from skin in hue takes on skin's in the shadow of a hand: the ratios move by up to
this share of log G, and no more than half way, so that skin in shade stays skin."""
_SHADOW_COST = 1.0
"""How much less likely a shadow on the ground is than the ground itself, log."""
_SHADOW_DEPTH = 1.3
"""Shadows darken the ground by up to this, log: to 27 %."""


def skin_ratio(features: Float, free: Mask, skin: list[Kind]) -> Float:
    """log p(skin) - log p(ground) per pixel, limited to +-4; ground is what is seen where
    ``free``."""
    middle = features.shape[2] // 2
    sides = []
    for flip in (False, True):
        f, ok = (features[..., ::-1], free[:, ::-1]) if flip else (features, free)
        half, seen = f[..., middle:], ok[:, middle:]
        ground = _other_kinds(half[:, seen].T, skin)
        log_ratio = _skin_log_p(half, skin, ground) - _ground_log_p(half, ground, skin)
        sides.append(log_ratio[:, ::-1] if flip else log_ratio)
    ratio = np.concatenate([sides[1], sides[0][:, 1:]], axis=1)
    return np.asarray(np.clip(ratio, -RATIO_LIMIT, RATIO_LIMIT), np.float32)


def _other_kinds(ground: Float, skin: list[Kind]) -> list[Kind]:
    """Kinds of ground beside the finger, without what may be another finger's shaded skin."""
    kinds = _kinds(ground, _GROUND_KINDS, _GROUND_FLOOR, 0.04)
    neutral = np.zeros(2)
    if not kinds:
        return []
    far = _hue_distances(kinds, skin, neutral) > _CLEARLY_OTHER
    clear = list(compress(kinds, far))
    hue = _mean_hue(clear) if clear else neutral
    other = _hue_distances(kinds, skin, hue) > _SKIN_LIKE
    return [k for k in compress(kinds, other) if _distance(k[0], skin) > _SAME_SKIN]


def _mean_hue(kinds: list[Kind]) -> Float64:
    return np.asarray(np.mean([kind[0][1:] for kind in kinds], axis=0))


def _distance(color: Float64, skin: list[Kind]) -> float:
    """Mahalanobis distance from the nearest kind of skin as it is."""
    found = [float(np.sqrt((color - mean) @ inverse @ (color - mean))) for mean, inverse, _ in skin]
    return min(found, default=np.inf)


def _hue_distances(kinds: list[Kind], skin: list[Kind], ground_hue: Float64) -> Float64:
    """(n,) Mahalanobis distances of kinds of colour from the nearest skin, darker and deeper in hue
    counted as equal."""
    colors = np.stack([mean for mean, _, _ in kinds], axis=1)
    nearest = np.full(len(kinds), np.inf)
    for kind in skin:
        mean, inverse, _ = kind
        off = np.stack(_less_deep(colors, kind, ground_hue)) - mean[:, None]
        off[0] = _lifted(off[0], _SHADE_DEPTH)
        nearest = np.minimum(nearest, np.sqrt(np.einsum("in,ij,jn->n", off, inverse, off)))
    return nearest


def _skin_log_p(features: Float, skin: list[Kind], ground: list[Kind]) -> Float:
    """log p(skin): each kind, also with less light, and however much further from the ground's hue.

    Light that bounces between fingers deepens their colour: no shadow on the ground does that.
    """
    log_p = np.full(features.shape[1:], _BROAD_LOG_P - RATIO_LIMIT, np.float32)
    hue = _mean_hue(ground) if ground else np.zeros(2)
    for kind in skin:
        planes = _less_deep(features, kind, hue)
        np.maximum(log_p, _kind_log_p(planes, kind, _SHADE_DEPTH, _SHADE_COST), out=log_p)
    return log_p


def _less_deep(
    features: Float | Float64, kind: Kind, ground_hue: Float64
) -> tuple[Float, Float, Float]:
    """Planes brought back to the kind's hue where they lie beyond it, seen from the ground's.

    Only as far as they are darker too: a red cloth is no deep shade.
    """
    light, red, blue = features
    away = kind[0][1:] - ground_hue
    if float(np.hypot(*away)) < _MIN_HUE_STEP:
        return light, red, blue
    return _brought_back((light, red, blue), kind, away, _DEEPER_PER_DARKER, np.inf)


def _less_bounced(features: Float, kind: Kind, skin_hue: Float64) -> tuple[Float, Float, Float]:
    """Planes brought back to the hue of a kind of ground where skin nearby tints its shadow."""
    light, red, blue = features
    away = skin_hue - kind[0][1:]
    reach = float(np.hypot(*away))
    if reach < _MIN_BOUNCE_STEP:
        return light, red, blue
    return _brought_back((light, red, blue), kind, away, _BOUNCED_PER_DARKER, reach / 2)


def _brought_back(
    planes: tuple[Float, Float, Float],
    kind: Kind,
    away: Float64,
    per_darker: float,
    at_most: float,
) -> tuple[Float, Float, Float]:
    """Planes whose hue lies beyond the kind's along ``away``, brought nearer to it: by up to that
    share of how much darker they are (log G), and by no more than ``at_most``."""
    light, red, blue = planes
    level, red_mean, blue_mean = (np.float32(v) for v in kind[0])
    to_red, to_blue = (away / np.hypot(*away)).astype(np.float32)
    limit = np.float32(per_darker) * np.maximum(level - light, np.float32(0))
    limit = np.minimum(limit, np.float32(at_most))
    excess = (red - red_mean) * to_red + (blue - blue_mean) * to_blue
    excess = np.minimum(np.maximum(excess, np.float32(0)), limit)
    return light, red - excess * to_red, blue - excess * to_blue


def _lifted(below: Float, depth: float) -> Float:
    """log G over a kind's, with the light given back that it lacks, up to ``depth``."""
    return np.asarray(np.maximum(below, np.minimum(below + np.float32(depth), np.float32(0))))


def _ground_log_p(features: Float, ground: list[Kind], skin: list[Kind]) -> Float:
    """log p(not this finger): the kinds of ground seen beside it, each also in its shadow."""
    log_p = np.full(features.shape[1:], _BROAD_LOG_P, np.float32)
    hue = _mean_hue(skin) if skin else np.zeros(2)
    for kind in ground:
        planes = _less_bounced(features, kind, hue)
        np.maximum(log_p, _kind_log_p(planes, kind, _SHADOW_DEPTH, _SHADOW_COST), out=log_p)
    return log_p


def _kind_log_p(planes: tuple[Float, Float, Float], kind: Kind, depth: float, cost: float) -> Float:
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
