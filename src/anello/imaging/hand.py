"""The hand: its 21 points, how each finger lies in space, and whether the pose will do.

Point numbers are MediaPipe's: 0 wrist; 1-4 thumb CMC, MCP, IP, tip; then MCP, PIP, DIP, tip of the
index (5-8), middle (9-12), ring (13-16) and little finger (17-20).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float64

WRIST, THUMB_IP, INDEX_MCP, MIDDLE_MCP, LITTLE_MCP = 0, 3, 5, 9, 17
TIPS = (4, 8, 12, 16, 20)
_LENGTH = (0, 9, 10, 11, 12)

LENGTH_MM, WIDTH_MM = 157.5, 57.8
"""Wrist to middle tip along the bones, as a photo of the back shows them, and between the outer
knuckles: usual hands. Fitted to hands of known size; ring fingers of real ones then take rings of
16.7 mm on average, as they should."""

CheckCode: TypeAlias = Literal["PHOTO_DETECTION_FAIL", "PHOTO_CHECK_INVALID"]
Side: TypeAlias = Literal["left", "right"]


class Finger(IntEnum):
    """The wire's numbers."""

    THUMB = 0
    INDEX = 1
    MIDDLE = 2
    RING = 3
    LITTLE = 4


BONES: Final[dict[Finger, tuple[int, int]]] = {
    Finger.THUMB: (2, 3),
    Finger.INDEX: (5, 6),
    Finger.MIDDLE: (9, 10),
    Finger.RING: (13, 14),
    Finger.LITTLE: (17, 18),
}
"""The proximal phalanx of each finger, where rings are worn: its two ends."""


@dataclass(frozen=True, slots=True, eq=False)
class HandEvidence:
    """What the picture itself says of the hand, beside the landmarks.

    thumb_unlike : how far the thumb's colours are from the nearest ones on the back of the hand,
        median over the thumb's bones, in usual differences within a hand; 0..1 on good photos.
    edge_width : how far the fingers' edges are smeared, finger widths (10 to 90 %).
    """

    thumb_unlike: float
    edge_width: float


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One hand in a photo.

    points_xy : (21, 2) px of the upright full photo. depth_px : (21,) away from the camera, from
        the wrist's, in the same px; rough.
    dorsal : the back is seen. n_hands : hands of like size in the photo, this one included.
    found_by : which attempt of the finder it took.
    """

    points_xy: Float64
    depth_px: Float64
    side: Side
    dorsal: bool
    presence: float
    n_hands: int
    found_by: str = "plain"
    evidence: HandEvidence | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PoseCheck:
    """One question asked of the photo: the number found, what it is held against, what to say."""

    name: str
    ok: bool
    value: float | str
    limit: str
    message: str
    remedy: str
    code: CheckCode = "PHOTO_CHECK_INVALID"


# --- sizes ---------------------------------------------------------------------------------------

_WIDTH_SHARE: Final[dict[Finger, float]] = {
    Finger.THUMB: 0.240,
    Finger.INDEX: 0.222,
    Finger.MIDDLE: 0.226,
    Finger.RING: 0.210,
    Finger.LITTLE: 0.182,
}
"""Finger width over palm length (wrist to middle knuckle), from the bench scenes; spread 7 %."""
_KNUCKLES_SHARE = 0.73
"""Knuckle line (index to little) over palm length, hand seen flat."""
USUAL_RADIUS_MM: Final[dict[Finger, float]] = {
    Finger.THUMB: 9.8,
    Finger.INDEX: 9.2,
    Finger.MIDDLE: 9.2,
    Finger.RING: 8.4,
    Finger.LITTLE: 7.3,
}
"""Half the width of each finger where a ring sits."""
_FINGER_SPREAD = 0.10
"""Of the logarithm of that width among people."""


def distance(hand: Hand, a: int, b: int) -> float:
    """Between two points in the picture, px."""
    return float(np.hypot(*(hand.points_xy[a] - hand.points_xy[b])))


def px_per_mm(hand: Hand, finger: Finger, width_px: float) -> float:
    """By the hand's length and width, and by what is usual for this finger: the less the two agree
    (a hand that is bent or seen askew), the more by the finger."""
    steps = np.diff(hand.points_xy[list(_LENGTH)], axis=0)
    by_length = float(np.hypot(*steps.T).sum()) / LENGTH_MM
    by_width = distance(hand, INDEX_MCP, LITTLE_MCP) / WIDTH_MM
    by_finger = width_px / 2 / USUAL_RADIUS_MM[finger]
    doubt = (np.log(by_length / by_width) / 2) ** 2
    share = doubt / (doubt + _FINGER_SPREAD**2)
    return float(np.sqrt(by_length * by_width) ** (1 - share) * by_finger**share)


def palm_length(hand: Hand) -> float:
    """Wrist to middle knuckle, px."""
    return distance(hand, WRIST, MIDDLE_MCP)


def expected_width(hand: Hand, finger: Finger) -> float:
    """The finger's width guessed from the palm, px: length and breadth together, as either may be
    foreshortened."""
    breadth = distance(hand, INDEX_MCP, LITTLE_MCP) / _KNUCKLES_SHARE
    return _WIDTH_SHARE[finger] * 0.5 * (palm_length(hand) + breadth)


def finger_chain(finger: Finger) -> tuple[int, int, int, int]:
    """The finger's four points, base to tip."""
    first = 1 + 4 * finger
    return first, first + 1, first + 2, first + 3


def finger_length(hand: Hand, finger: Finger) -> float:
    """Base to tip along the bones, px."""
    chain = finger_chain(finger)
    return sum(distance(hand, a, b) for a, b in pairwise(chain))


def straightness(hand: Hand, finger: Finger) -> float:
    """Base to tip straight over along the bones: 1 = straight."""
    chain = finger_chain(finger)
    return distance(hand, chain[0], chain[3]) / max(finger_length(hand, finger), 1e-6)


# --- attitude ------------------------------------------------------------------------------------

_PITCH_PRIOR, _THUMB_LIFT = 19.5, 5.0
_PITCH_PER_PALM, _MEAN_PALM, _MOST_PALM = 0.8, 3.4, 7.0
_PITCH_RANGE = (7.0, 38.0)
"""Pitch of a finger in the picture's middle: what is usual, and how the palm's tilt, by its points'
depth, differs from the mean, as far as that was tried. Fingers droop from their knuckles; the thumb
doesn't.

Fitted with leave-one-out on the bench's scenes: error 3.3 deg, 5 by what is usual alone. Depth of
the finger's own points, or the fingers' length over the knuckle line, add nothing to that."""
_PICTURE_OVER_FOCAL = 0.72
"""Long side of the picture over the focal length: hands are taken with a lens of about 50 mm (of
35 mm film), or with a phone's wider one and room to crop."""
_FARTHEST_ASIDE = 12.0
"""A finger that many deg above the picture's middle is seen that much more from the wrist's side.
What seems more is a crop of a larger picture."""
_ROLL_TOWARDS_LITTLE: Final[dict[Finger, float]] = {
    Finger.THUMB: -50.0,
    Finger.INDEX: -4.0,
    Finger.MIDDLE: 0.0,
    Finger.RING: 0.0,
    Finger.LITTLE: 8.0,
}
"""How far the back of each finger turns towards the little finger's side, deg: the knuckles form an
arch, and the thumb stands across the palm."""
_ROLL_PER_DROP, _USUAL_DROP, _MOST_ROLL = 60.0, 0.07, 8.0
"""Deg by which the whole hand turns towards the thumb's side for every palm's length that the thumb
lies deeper than the index finger's knuckle, how deep it lies usually, and the most it turns.

Fitted with leave-one-out on the bench's scenes: error 5 deg, 7 by what is usual alone. The knuckles
have the shorter lever and tell nothing."""


def attitude(hand: Hand, finger: Finger, size: tuple[int, int]) -> tuple[float, float]:
    """(pitch_deg, roll_deg) of the finger as seen.

    Pitch: elevation of the view out of the ring's plane, positive = camera on the wrist's side.
    Roll: how far the finger's back is turned away, positive = right when the tip points up.
    size : width, height of the photo.
    """
    return _pitch(hand, finger, size), _roll(hand, finger)


def _pitch(hand: Hand, finger: Finger, size: tuple[int, int]) -> float:
    palm = np.clip(_palm_tilt(hand) - _MEAN_PALM, -_MOST_PALM, _MOST_PALM)
    lean = _PITCH_PRIOR + _PITCH_PER_PALM * palm
    if finger == Finger.THUMB:
        lean -= _THUMB_LIFT
    # The camera leans along the hand: a finger that lies across it is tipped less.
    a, b = BONES[finger]
    axis = _direction(hand, a, b)
    pitch = lean * max(float(axis @ _direction(hand, WRIST, MIDDLE_MCP)), 0.0)
    middle = (hand.points_xy[a] + hand.points_xy[b] - np.array(size) + 1) / 2
    aside = np.degrees(np.arctan(_PICTURE_OVER_FOCAL * float(middle @ axis) / max(size)))
    pitch += np.clip(aside, -_FARTHEST_ASIDE, _FARTHEST_ASIDE)
    return float(np.clip(pitch, *_PITCH_RANGE))


def _palm_tilt(hand: Hand) -> float:
    """How far the palm seems to fall away from the camera from wrist to knuckles, deg."""
    knuckles = [BONES[f][0] for f in list(Finger)[1:]]
    across = [distance(hand, WRIST, k) for k in knuckles]
    return float(np.degrees(np.arctan2(hand.depth_px[knuckles], across)).mean())


def _direction(hand: Hand, a: int, b: int) -> Float64:
    """(2,) unit vector in the picture from one point to another."""
    way = hand.points_xy[b] - hand.points_xy[a]
    return np.asarray(way / max(float(np.hypot(*way)), 1e-9))


def _roll(hand: Hand, finger: Finger) -> float:
    a, b = BONES[finger]
    axis = hand.points_xy[b] - hand.points_xy[a]
    across = np.array([-axis[1], axis[0]])
    to_little = hand.points_xy[LITTLE_MCP] - hand.points_xy[INDEX_MCP]
    towards_little = _ROLL_TOWARDS_LITTLE[finger] - _roll_towards_thumb(hand)
    return towards_little * float(np.sign(to_little @ across))


def _roll_towards_thumb(hand: Hand) -> float:
    """Of the whole hand, deg beyond the usual."""
    deeper = float(hand.depth_px[THUMB_IP] - hand.depth_px[INDEX_MCP])
    drop = deeper / max(palm_length(hand), 1e-6)
    return float(np.clip(_ROLL_PER_DROP * (drop - _USUAL_DROP), -_MOST_ROLL, _MOST_ROLL))


# --- what the picture says -----------------------------------------------------------------------

_PATCH = 2
"""Half side of the patches averaged for colour, px of the detection copy."""
_SKIN_STEP = np.array([0.20, 0.04, 0.05])
"""Usual difference of two patches of one hand in log G, log R/G, log B/G."""
_SKIN_OUTLIER = 6.0
"""Patches farther than this (in steps, any channel) from the median are rings, nails, ground."""
_BACK_LINES = (
    (0, 5), (0, 9), (0, 13), (0, 17), (5, 17), (1, 2),
    (5, 6), (6, 7), (9, 10), (10, 11), (13, 14), (17, 18),
)  # fmt: skip
"""Lines between points that run over the back of the hand and the fingers."""


def measure_evidence(rgb: Bytes, points_xy: Float64) -> HandEvidence:
    """Thumb colour and sharpness.

    rgb : (H, W, 3) 8-bit sRGB copy on which the hand was found. points_xy : (21, 2) px of it.
    """
    skin, inside = _colors(rgb, _between(points_xy, _BACK_LINES, 9))
    skin = skin[inside] if inside.any() else skin
    centre = np.median(skin, axis=0)
    skin = skin[(np.abs(skin - centre) / _SKIN_STEP).max(axis=1) < _SKIN_OUTLIER]
    thumb, _ = _colors(rgb, _between(points_xy, ((2, 3), (3, 4)), 9))
    apart = np.sqrt((((thumb[:, None] - skin[None]) / _SKIN_STEP) ** 2).sum(axis=2))
    return HandEvidence(
        thumb_unlike=float(np.median(apart.min(axis=1))) if len(skin) else 0.0,
        edge_width=_edge_width(rgb, points_xy),
    )


def _between(points: Float64, pairs: Iterable[tuple[int, int]], n: int) -> Float64:
    t = np.linspace(0.1, 0.9, n)[:, None]
    return np.concatenate([points[a] * (1 - t) + points[b] * t for a, b in pairs])


def _colors(rgb: Bytes, at_xy: Float64) -> tuple[Float64, Float64]:
    """(N, 3) log G, log R/G, log B/G of small patches, and whether each lies in the frame."""
    height, width = rgb.shape[:2]
    col, row = np.round(at_xy).astype(int).T
    inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    offset = np.arange(-_PATCH, _PATCH + 1)
    rows = np.clip(row[:, None, None] + offset[:, None], 0, height - 1)
    cols = np.clip(col[:, None, None] + offset[None, :], 0, width - 1)
    mean = rgb[rows, cols].astype(np.float64).mean(axis=(1, 2))
    logs = np.log(mean + 12.0)
    return np.stack([logs[:, 1], logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1]], 1), inside


_PROFILE_POINTS = 48


def _edge_width(rgb: Bytes, points: Float64) -> float:
    """Sharpest edges across the four fingers: brightness range over the steepest step, in finger
    widths. A sharp photo has a few per cent; one blurred away has a quarter or more."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    width = 0.22 * float(np.hypot(*(points[MIDDLE_MCP] - points[WRIST])))
    t = np.linspace(-1.1, 1.1, _PROFILE_POINTS) * width
    found = []
    for finger in list(Finger)[1:]:
        a, b = BONES[finger]
        axis = (points[b] - points[a]) / max(float(np.hypot(*(points[b] - points[a]))), 1e-9)
        across = np.array([-axis[1], axis[0]])
        for share in (0.7, 0.85, 1.0, 1.15):
            at = (points[a] + share * (points[b] - points[a]) + t[:, None] * across).astype(
                np.float32
            )
            x, y = at[None, :, 0], at[None, :, 1]
            sampled = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            profile = sampled[0].astype(np.float32)
            steep = float(np.abs(np.diff(profile)).max())
            reach = float(np.ptp(profile))
            if reach > 12:
                found.append(reach / max(steep, 1e-6) * (t[1] - t[0]) / width)
    return float(np.quantile(found, 0.25)) if found else 0.0


# --- pose checks ---------------------------------------------------------------------------------

MIN_PRESENCE = 0.5
MIN_PALM_SHARE = 0.12
"""Palm length over the photo's long side: good hands have 0.19 to 0.40."""
MIN_FINGER_PX = 24.0
"""A narrower finger leaves no room for a ring's detail."""
MIN_STRAIGHT = 0.92
MIN_THUMB_STRAIGHT = 0.80
"""Chord over bones: good hands have 0.966 and more (thumbs 0.955), curled ones below 0.9."""
MIN_LENGTH: Final[dict[Finger, float]] = {
    Finger.THUMB: 0.55,
    Finger.INDEX: 0.55,
    Finger.MIDDLE: 0.60,
    Finger.RING: 0.55,
    Finger.LITTLE: 0.42,
}
"""Finger over palm length: shorter is folded away or seen end-on; good hands have 0.6 and up."""
FRAME_TOLERANCE = 0.03
"""Points may lie this far outside the frame, palm lengths: fingertips at the very edge pass."""
MAX_THUMB_UNLIKE = 1.3
"""Thumb's colours against the hand's: up to 1.04 on good photos, from 1.37 with no thumb."""
MIN_THUMB_GAP = 0.38
"""Thumb's tip from the index finger's bones, index widths: a hidden thumb is imagined upon them."""
MIN_THUMB_LENGTH = 0.38
"""Thumb (MCP to tip) over the mean of the four fingers: 0.52 to 0.78 on good photos."""
MIN_THUMB_MARGIN = -0.05
"""Thumb tip from the frame, thumb widths: at less than this a third of the nail is cut off."""
NEAR_FRAME, WHOLE_THUMB = 0.5, 0.58
"""A thumb that ends this near the frame (widths) must have this length: it may be cut there."""
MIN_GAP_WIDTHS = 0.45
"""Distance of a finger's bone from other fingers' bones, widths: less is one over another."""
MAX_EDGE_WIDTH = 0.34
"""Good photos have 0.05 to 0.12 finger widths; 0.34 is a blur (sigma) of a seventh of a finger."""

_POSE = "Hand pose should be correct"
_SIZE = "Hand size should fit in range"


def no_hand() -> PoseCheck:
    """The report of a photo in which no hand was found."""
    return PoseCheck(
        "hand found",
        False,
        "none",
        "one hand",
        "No hand detected",
        "Show the back of one whole hand, well lit, filling about half of the picture.",
        "PHOTO_DETECTION_FAIL",
    )


def check_pose(hand: Hand, size: tuple[int, int], finger: Finger | None = None) -> list[PoseCheck]:
    """Every check, in the order in which a failure is told.

    size : (width, height) of the full photo, px. finger : the one to wear the ring, if known.
    """
    checks = [_check_found(hand), _check_one(hand), _check_back(hand), _check_size(hand, size)]
    checks += [_check_frame(hand, size), _check_extended(hand), _check_lengths(hand)]
    checks += [_check_thumb_bend(hand), _check_thumb_whole(hand, size), _check_thumb_apart(hand)]
    if hand.evidence is not None:
        checks += [_check_thumb_seen(hand.evidence), _check_sharp(hand.evidence)]
    if finger is not None:
        checks += [_check_free(hand, finger), _check_width(hand, finger)]
    return checks


def _at_least(
    name: str, value: float, limit: float, remedy: str, message: str = _POSE
) -> PoseCheck:
    ok = bool(value >= limit)
    return PoseCheck(name, ok, round(float(value), 3), f">= {limit:g}", message, remedy)


def _check_found(hand: Hand) -> PoseCheck:
    ok = hand.presence >= MIN_PRESENCE
    value = round(hand.presence, 3)
    return PoseCheck(
        "hand found", ok, value, f">= {MIN_PRESENCE:g}", "No hand detected", no_hand().remedy,
        "PHOTO_DETECTION_FAIL",
    )  # fmt: skip


def _check_one(hand: Hand) -> PoseCheck:
    return PoseCheck(
        "one hand", hand.n_hands == 1, float(hand.n_hands), "1", _POSE, "Show one hand only."
    )


def _check_back(hand: Hand) -> PoseCheck:
    value = "back" if hand.dorsal else "palm"
    return PoseCheck(
        "back of the hand", hand.dorsal, value, "back", _POSE, "Turn the hand: show its back."
    )


def _check_size(hand: Hand, size: tuple[int, int]) -> PoseCheck:
    share = palm_length(hand) / max(size)
    return _at_least("hand size", share, MIN_PALM_SHARE, "Move closer to the hand.", _SIZE)


def _check_frame(hand: Hand, size: tuple[int, int]) -> PoseCheck:
    """The wrist and the root of the thumb may be outside, no finger may."""
    points = hand.points_xy[2:]
    low = points.min()
    high = (np.array(size) - 1 - points).min()
    margin = float(min(low, high)) / max(palm_length(hand), 1e-9)
    return _at_least(
        "fingers inside the frame",
        margin,
        -FRAME_TOLERANCE,
        "Bring the whole hand into view.",
        _SIZE,
    )


def _check_extended(hand: Hand) -> PoseCheck:
    value = min(straightness(hand, finger) for finger in list(Finger)[1:])
    return _at_least("fingers extended", value, MIN_STRAIGHT, "Stretch all five fingers out.")


def _check_lengths(hand: Hand) -> PoseCheck:
    palm = max(palm_length(hand), 1e-9)
    value = min(finger_length(hand, f) / palm / MIN_LENGTH[f] for f in Finger)
    return _at_least(
        "fingers visible", value, 1.0, "Show all five fingers, seen from above and not end-on."
    )


def _check_thumb_bend(hand: Hand) -> PoseCheck:
    value = straightness(hand, Finger.THUMB)
    return _at_least("thumb extended", value, MIN_THUMB_STRAIGHT, "Stretch the thumb out.")


def _check_thumb_whole(hand: Hand, size: tuple[int, int]) -> PoseCheck:
    """The landmark network draws a cut thumb shorter, so that it ends inside the frame."""
    tip = hand.points_xy[TIPS[0]]
    margin = min(*tip, *(np.array(size) - 1 - tip)) / max(expected_width(hand, Finger.THUMB), 1e-9)
    near = margin < NEAR_FRAME and _thumb_length(hand) < WHOLE_THUMB
    name, remedy = "thumb inside the frame", "Bring the whole thumb into view."
    check = _at_least(name, margin, MIN_THUMB_MARGIN, remedy, _SIZE)
    return replace(check, ok=check.ok and not near)


def _check_thumb_apart(hand: Hand) -> PoseCheck:
    index = np.concatenate([_between(hand.points_xy, ((0, 5), (5, 6), (6, 7)), 40)])
    gap = np.hypot(*(index - hand.points_xy[TIPS[0]]).T).min()
    value = float(gap) / max(expected_width(hand, Finger.INDEX), 1e-9)
    remedy = "Show the whole thumb beside the hand."
    check = _at_least("thumb beside the hand", value, MIN_THUMB_GAP, remedy)
    return replace(check, ok=check.ok and _thumb_length(hand) >= MIN_THUMB_LENGTH)


def _thumb_length(hand: Hand) -> float:
    """MCP to tip over the mean length of the four fingers."""
    fingers = float(np.mean([finger_length(hand, f) for f in list(Finger)[1:]]))
    return (distance(hand, 2, 3) + distance(hand, 3, 4)) / max(fingers, 1e-9)


def _check_thumb_seen(evidence: HandEvidence) -> PoseCheck:
    ok = evidence.thumb_unlike <= MAX_THUMB_UNLIKE
    value, limit = round(evidence.thumb_unlike, 3), f"<= {MAX_THUMB_UNLIKE:g}"
    return PoseCheck("thumb seen", ok, value, limit, _POSE, "Show the whole thumb beside the hand.")


def _check_sharp(evidence: HandEvidence) -> PoseCheck:
    ok = evidence.edge_width <= MAX_EDGE_WIDTH
    value = round(evidence.edge_width, 3)
    remedy = "Hold still and focus on the hand."
    return PoseCheck("sharp", ok, value, f"<= {MAX_EDGE_WIDTH:g}", _POSE, remedy)


def _check_free(hand: Hand, finger: Finger) -> PoseCheck:
    """No other finger's bones lie over this one between its two joints."""
    a, b = BONES[finger]
    t = np.linspace(0.5, 1.0, 6)[:, None]
    mine = hand.points_xy[a] * (1 - t) + hand.points_xy[b] * t
    others = []
    for other in Finger:
        if other != finger:
            chain = finger_chain(other)[1:] if other == Finger.THUMB else finger_chain(other)
            others.append(_between(hand.points_xy, pairwise(chain), 12))
    gap = np.hypot(*(mine[:, None] - np.concatenate(others)[None]).transpose(2, 0, 1)).min()
    value = float(gap) / max(expected_width(hand, finger), 1e-9)
    return _at_least(
        "chosen finger free", value, MIN_GAP_WIDTHS, "Keep the other fingers off the chosen one."
    )


def _check_width(hand: Hand, finger: Finger) -> PoseCheck:
    value = expected_width(hand, finger)
    return _at_least(
        "finger width", value, MIN_FINGER_PX, "Move closer, or send a larger picture.", _SIZE
    )
