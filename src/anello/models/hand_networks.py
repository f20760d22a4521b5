"""The two MediaPipe hand networks on LiteRT: a palm finder (SSD) and a 21-point landmark network.

Weights: ``palm_detection_full.tflite`` and ``hand_landmark_full.tflite`` of mediapipe 0.10.21
(Apache-2.0). Only numpy and OpenCV around them; no mediapipe at run time.

Sources: F. Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020, and the graph
files shipped with mediapipe (anchor strides, box scale 2.6, shift -0.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float64
from anello.imaging.hand import Hand, measure_evidence
from anello.imaging.warp import downscaled
from anello.models.interpreter import Network

PALM_SIZE = 192
"""Side of the palm network's input, px."""
LANDMARK_SIZE = 224
"""Side of the landmark network's input, px."""
_ANCHOR_GRIDS = ((24, 2), (12, 6))
"""(cells a side, anchors a cell): strides 8, 16, 16, 16 over 192 px, two anchors a layer."""
_MIN_PALM_SCORE = 0.5
"""Palm score kept (sigmoid); the value that found 50 of 53 real hands at once."""
_MIN_PRESENCE = 0.5
"""Landmark network's own "this is a hand"."""
_FAINT_PALM_SCORE, _FAINT_PRESENCE = 0.05, 0.75
"""The last try: what hardly looks like a palm counts if the landmark network is sure of it."""
_NMS_IOU = 0.3
"""Boxes that overlap more than this are averaged by their scores (mediapipe's own value)."""
_ROI_SCALE = 2.6
_ROI_SHIFT = -0.5
"""The landmark crop: the palm's box enlarged, and moved by half its height towards the fingers."""
_SAME_HAND_DISTANCE = 0.5
"""Two findings whose points lie closer than this share of the palm's length are one hand."""
_MAX_HANDS = 4
"""Landmark runs a picture at most: more hands than this are counted, not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class RawHand:
    """What the networks say of one hand.

    points_xy : (21, 2) px of the picture given (integer = pixel centre).
    depth_px : (21,) away from the camera, from the wrist's, in the same px.
    presence, right_probability, palm_score : in [0, 1]; right means a true right hand when the
        photo is not mirrored.
    """

    points_xy: Float64
    depth_px: Float64
    presence: float
    right_probability: float
    palm_score: float

    @property
    def palm_length(self) -> float:
        """Wrist to middle knuckle, px."""
        return float(np.hypot(*(self.points_xy[9] - self.points_xy[0])))


@dataclass(frozen=True, slots=True, eq=False)
class HandRoi:
    """An upright square around a hand: centre px, side px, angle rad by which it is turned."""

    centre_xy: Float64
    size: float
    angle_rad: float

    def picture_from_crop(self, crop_size: int) -> Float64:
        """(2, 3) affine from the crop's pixels to the picture's."""
        scale = self.size / crop_size
        cos, sin = np.cos(self.angle_rad) * scale, np.sin(self.angle_rad) * scale
        turn = np.array([[cos, -sin], [sin, cos]])
        middle = crop_size / 2
        offset = self.centre_xy - turn @ np.array([middle, middle])
        return np.column_stack([turn, offset])


class Detector(Protocol):
    """Anything that finds hands in an 8-bit sRGB picture."""

    def detect(self, rgb: Bytes, *, smooth: bool = False, faint: bool = False) -> list[RawHand]:
        """The hands in the picture, largest first; empty when there is none.

        smooth : palms are looked for on an area-averaged copy.
        faint : also follow up what hardly looks like a palm, if it then looks like a hand.
        """
        ...


def ssd_anchors() -> Float64:
    """(2016, 2) anchor centres in [0, 1], x then y, in the order of the palm network's rows."""
    layers = []
    for cells, per_cell in _ANCHOR_GRIDS:
        row, col = np.mgrid[:cells, :cells]
        centres = np.stack([(col + 0.5) / cells, (row + 0.5) / cells], -1).reshape(-1, 1, 2)
        layers.append(np.repeat(centres, per_cell, axis=1).reshape(-1, 2))
    return np.concatenate(layers)


def letterbox(rgb: Bytes, size: int, *, smooth: bool) -> tuple[Bytes, float, Float64]:
    """The picture fitted into a black square of ``size``; its scale, and its offset (2,) px.

    smooth : averaged over areas, which finds some hands that bare samples miss. Else bilinear
    samples without a prefilter, as in mediapipe: the networks learned on such pictures, and with
    them the points agree with mediapipe's to 0.2 % of the palm (1 % when smooth).
    """
    height, width = rgb.shape[:2]
    scale = size / max(height, width)
    pad = (max(height, width) - np.array([width, height], np.float64)) / 2
    if smooth and scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        square = np.zeros((size, size, 3), np.uint8)
        x, y = (size - small[0]) // 2, (size - small[1]) // 2
        area = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
        square[y : y + small[1], x : x + small[0]] = area
        return square, scale, np.array([x, y], np.float64)
    picture_from_square = np.array([[1 / scale, 0, -pad[0]], [0, 1 / scale, -pad[1]]])
    return _sampled(rgb, picture_from_square, size, cv2.BORDER_CONSTANT), scale, pad * scale


def _sampled(rgb: Bytes, picture_from_square: Float64, size: int, border: int) -> Bytes:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(rgb, picture_from_square, (size, size), flags=flags, borderMode=border)
    return np.asarray(square, np.uint8)


def weighted_nms(boxes: Float64, scores: Float64, iou_limit: float = _NMS_IOU) -> list[int | Any]:
    """Groups of overlapping boxes, best first: a list of index arrays.

    boxes : (N, 4) x0, y0, x1, y1. The caller averages each group by its scores.
    """
    groups: list[Any] = []
    left = np.argsort(-scores, kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while left.size:
        best = boxes[left[0]]
        low = np.maximum(boxes[left, :2], best[:2])
        high = np.minimum(boxes[left, 2:], best[2:])
        inter = np.prod(np.maximum(high - low, 0), axis=1)
        iou = inter / np.maximum(area[left] + area[left[0]] - inter, 1e-9)
        same = iou > iou_limit
        same[0] = True
        groups.append(left[same])
        left = left[~same]
    return groups


def roi_from_palm(box: Float64, wrist_xy: Float64, middle_xy: Float64) -> HandRoi:
    """The landmark crop of a palm, fingers up. box : (4,) x0, y0, x1, y1 px."""
    toward = middle_xy - wrist_xy
    angle = float(np.arctan2(toward[0], -toward[1]))
    width, height = box[2] - box[0], box[3] - box[1]
    shift = height * _ROI_SHIFT
    centre = (box[:2] + box[2:]) / 2 + shift * np.array([-np.sin(angle), np.cos(angle)])
    return HandRoi(centre, float(max(width, height)) * _ROI_SCALE, angle)


class HandNetworks:
    """Both networks, loaded once, one thread (two do not pay: see the benchmarks)."""

    def __init__(self, palm_path: str | Path, landmark_path: str | Path) -> None:
        self._palm = Network(palm_path)
        self._landmark = Network(landmark_path)
        self._anchors = ssd_anchors()

    def detect(self, rgb: Bytes, *, smooth: bool = False, faint: bool = False) -> list[RawHand]:
        """The hands in an (H, W, 3) 8-bit sRGB picture, largest palm first.

        One palm run, then one landmark run for each palm found.
        """
        min_score = _FAINT_PALM_SCORE if faint else _MIN_PALM_SCORE
        min_presence = _FAINT_PRESENCE if faint else _MIN_PRESENCE
        hands: list[RawHand] = []
        for roi, score in self.find_palms(rgb, min_score, smooth=smooth)[:_MAX_HANDS]:
            hand = self.read_landmarks(rgb, roi, score)
            if hand.presence > min_presence and not _is_known(hand, hands):
                hands.append(hand)
        return sorted(hands, key=lambda hand: -hand.palm_length)

    def find_palms(
        self, rgb: Bytes, min_score: float = _MIN_PALM_SCORE, *, smooth: bool = False
    ) -> list[tuple[HandRoi, float]]:
        """Landmark crops with the palm score that gave them, best score first."""
        square, scale, offset = letterbox(rgb, PALM_SIZE, smooth=smooth)
        raw, logits = self._palm.run(square)
        scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1), -100, 100).astype(np.float64)))
        keep = np.flatnonzero(scores > min_score)
        if not keep.size:
            return []
        boxes, points = self._decode_palms(raw[0, keep].astype(np.float64), self._anchors[keep])
        palms = []
        for group in weighted_nms(boxes, scores[keep]):
            weight = scores[keep][group] / scores[keep][group].sum()
            box = (weight @ boxes[group] * PALM_SIZE - np.tile(offset, 2)) / scale
            two = np.tensordot(weight, points[group], 1) * PALM_SIZE
            wrist, middle = (two - offset) / scale
            palms.append((roi_from_palm(box, wrist, middle), float(scores[keep][group].max())))
        return palms

    @staticmethod
    def _decode_palms(rows: Float64, anchors: Float64) -> tuple[Float64, Float64]:
        """Rows (N, 18) to boxes (N, 4) and (wrist, middle MCP) (N, 2, 2), in [0, 1]."""
        centre = rows[:, :2] / PALM_SIZE + anchors
        half = rows[:, 2:4] / PALM_SIZE / 2
        keypoints = rows[:, 4:].reshape(-1, 7, 2) / PALM_SIZE + anchors[:, None]
        return np.concatenate([centre - half, centre + half], axis=1), keypoints[:, [0, 2]]

    def read_landmarks(self, rgb: Bytes, roi: HandRoi, palm_score: float = 1.0) -> RawHand:
        """The 21 points inside one crop."""
        picture_from_crop = roi.picture_from_crop(LANDMARK_SIZE)
        crop = _sampled(rgb, picture_from_crop, LANDMARK_SIZE, cv2.BORDER_REPLICATE)
        points, presence, right, _ = self._landmark.run(crop)
        xyz = points.reshape(21, 3).astype(np.float64)
        return RawHand(
            points_xy=xyz[:, :2] @ picture_from_crop[:, :2].T + picture_from_crop[:, 2],
            depth_px=(xyz[:, 2] - xyz[0, 2]) * roi.size / LANDMARK_SIZE,
            presence=float(presence.reshape(-1)[0]),
            right_probability=float(right.reshape(-1)[0]),
            palm_score=palm_score,
        )


# --- finding the hand, with patience -------------------------------------------------------------

DETECTION_SIZE = 1000
"""Long side of the copy for further tries and for the evidence, px."""
_CLEAR = 0.75
"""Palm score and presence from which one look is enough."""
_USUAL_PALM_SHARE = 0.12
"""Palm length over the photo's long side: what is smaller may be something else."""
_PADDINGS = (0.15, 0.30)
"""Shares of the long side: found 3 of 53 real hands that fill the frame or are grey."""
_TILE_SHARES = (0.5,)
"""Tile sides, as a share of the long side: palms under 4 % of the frame are not found whole."""
_TILE_OVERLAP = 0.5
_TILE_PICTURE = 2000
"""Long side of the copy that is tiled, px."""


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture to look at: its pixels, and how its points go back: full = xy * scale + offset."""

    name: str
    rgb: Bytes
    scale: float
    offset_xy: Float64


def find_hand(pixels: Bytes, detector: Detector) -> Hand | None:
    """The largest whole hand of an upright (H, W, 3) 8-bit sRGB photo; None when there is none.

    The photo itself first; only a miss pays for padding, a neutral white balance and tiles.
    """
    copy = _shrunk(pixels, DETECTION_SIZE)
    raws = detector.detect(pixels)
    if raws and _is_clear(raws[0], pixels):
        return _choose(raws, pixels, copy, "plain")
    for raw in (_to_full(r, copy) for r in detector.detect(copy.rgb, smooth=True)):
        if not _is_known(raw, raws):
            raws.append(raw)
    if raws:
        return _choose(raws, pixels, copy, "two looks")
    for view in _views(pixels, copy):
        raws = [_to_full(raw, view) for raw in detector.detect(view.rgb, smooth=True)]
        if raws:
            return _choose(raws, pixels, copy, view.name)
    for view in (copy, *(_padded(copy, share) for share in _PADDINGS)):
        raws = [_to_full(raw, view) for raw in detector.detect(view.rgb, smooth=True, faint=True)]
        if raws:
            return _choose(raws, pixels, copy, f"{view.name}, faint")
    return None


def _is_clear(raw: RawHand, pixels: Bytes) -> bool:
    """Whether one look was enough: a sure hand of a usual size."""
    share = raw.palm_length / max(pixels.shape[:2])
    return raw.palm_score > _CLEAR and raw.presence > _CLEAR and share > _USUAL_PALM_SHARE


def _shrunk(pixels: Bytes, long_side: int) -> _View:
    """A copy no larger than asked."""
    height, width = pixels.shape[:2]
    step = max(height, width) / long_side
    if step <= 1:
        return _View("plain", pixels, 1.0, np.zeros(2))
    size = (max(1, round(width / step)), max(1, round(height / step)))
    scale = width / size[0]
    return _View("plain", downscaled(pixels, size), scale, np.full(2, (scale - 1) / 2))


def _views(pixels: Bytes, copy: _View) -> Iterator[_View]:
    for share in _PADDINGS:
        yield _padded(copy, share)
    for balanced in (_neutral(copy.rgb), _warm(copy.rgb)):
        again = replace(copy, rgb=balanced, name="white balance")
        yield again
        yield from (_padded(again, share) for share in _PADDINGS)
    yield from _tiles(_shrunk(pixels, _TILE_PICTURE))


def _padded(view: _View, share: float) -> _View:
    margin = round(max(view.rgb.shape[:2]) * share)
    border = [int(v) for v in np.median(view.rgb[:: max(1, margin // 8)], axis=(0, 1))]
    rgb = cv2.copyMakeBorder(
        view.rgb, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=border
    )
    name = f"{view.name}, padded {share:.0%}"
    return _View(name, np.asarray(rgb, np.uint8), view.scale, view.offset_xy - margin * view.scale)


def _neutral(rgb: Bytes) -> Bytes:
    """Grey-world balance: colour casts cost hits."""
    mean = rgb[::4, ::4].reshape(-1, 3).mean(axis=0) + 1.0
    return _scaled(rgb, mean.mean() / mean)


def _warm(rgb: Bytes) -> Bytes:
    """The grey picture given the hue of skin: greyscale costs hits too."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _scaled(np.asarray(grey, np.uint8), np.array([1.15, 0.95, 0.82]))


def _scaled(rgb: Bytes, gains: Float64) -> Bytes:
    table = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(rgb, table.reshape(1, 256, 3)), np.uint8)


def _tiles(view: _View) -> Iterator[_View]:
    height, width = view.rgb.shape[:2]
    for share in _TILE_SHARES:
        side = max(1, round(max(height, width) * share))
        step = max(1, round(side * (1 - _TILE_OVERLAP)))
        for y in range(0, max(1, height - side + step), step):
            for x in range(0, max(1, width - side + step), step):
                part = np.ascontiguousarray(view.rgb[y : y + side, x : x + side])
                offset = view.offset_xy + np.array([x, y]) * view.scale
                yield _View("tile", part, view.scale, offset)


def _to_full(raw: RawHand, view: _View) -> RawHand:
    points_xy = raw.points_xy * view.scale + view.offset_xy
    return replace(raw, points_xy=points_xy, depth_px=raw.depth_px * view.scale)


def _choose(raws: Sequence[RawHand], pixels: Bytes, copy: _View, found_by: str) -> Hand:
    """The largest hand that lies whole in the frame, else the largest."""
    size = np.array(pixels.shape[1::-1])
    whole = [r for r in raws if np.all((r.points_xy > -1) & (r.points_xy < size))]
    raw = max(whole or raws, key=lambda r: r.palm_length * r.presence)
    points = raw.points_xy
    a, b = points[5] - points[0], points[17] - points[0]
    is_right = raw.right_probability > 0.5
    hand = Hand(
        points_xy=points,
        depth_px=raw.depth_px,
        side="right" if is_right else "left",
        # The back is seen when the knuckles' turning sense agrees with the side (583 of 583).
        dorsal=is_right == bool(a[0] * b[1] - a[1] * b[0] > 0),
        presence=raw.presence,
        n_hands=_count_hands(raws, raw),
        found_by=found_by,
        evidence=None,
    )
    evidence = measure_evidence(copy.rgb, (points - copy.offset_xy) / copy.scale)
    return replace(hand, evidence=evidence)


def _count_hands(raws: Sequence[RawHand], chosen: RawHand) -> int:
    """Sure hands that are big enough to be in the way: at least half as long as the chosen one."""
    others = [r for r in raws if r is not chosen and r.presence > _CLEAR]
    return 1 + sum(r.palm_length >= 0.5 * chosen.palm_length for r in others)


def _is_known(hand: RawHand, hands: Sequence[RawHand]) -> bool:
    """Whether this is a hand that was already found from another palm box."""
    limit = _SAME_HAND_DISTANCE * hand.palm_length
    return any(
        float(np.median(np.hypot(*(hand.points_xy - other.points_xy).T))) < limit for other in hands
    )
