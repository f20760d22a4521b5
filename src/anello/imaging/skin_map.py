"""Where there is skin that a shadow may fall on: the finger, its neighbours, the hand's back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Roi
from anello.imaging.color import luminance, srgb_to_linear
from anello.imaging.finger import FingerSite
from anello.imaging.frame import finger_coordinates, hand_outline, scaled
from anello.imaging.warp import resampled

SKIN_SPREAD = np.array([0.10, 0.12], np.float32)
"""Standard deviation of skin's log R/G and log B/G over a hand beside the spread measured on the
finger: knuckles are redder, the sides of fingers browner."""

SKIN_WIDTH = 64.0
"""Finger width, px, above which other skin is looked for on a smaller picture."""

SKIN_LIMIT = 2.0
"""Mahalanobis distance up to which a pixel counts as skin for certain."""


@dataclass(frozen=True, slots=True, eq=False)
class SkinMap:
    """(h, w) likelihood of skin, 0..1, by colour and by the hand's bones, over ``roi`` of the hand
    photo, in pixels of its own."""

    likely: Float
    roi: Roi


def map_skin(
    pixels: Bytes, site: FingerSite, roi: Roi, points_xy: Float64 | None = None
) -> SkinMap:
    """Where other fingers and the back of the hand are: what has the finger's own colour, near the
    hand's bones where those are known.

    pixels : (h, w, 3) 8-bit sRGB of ``roi``. points_xy : (21, 2) landmarks in the full photo.
    """
    scale = min(SKIN_WIDTH / site.width_px, 1.0)
    if scale < 1:
        x0, y0 = roi[:2]
        small_site, small_roi = scaled(site, roi, scale)
        pixels = np.asarray(cv2.resize(pixels, small_roi[2:], interpolation=cv2.INTER_AREA))
        if points_xy is not None:
            points_xy = np.asarray((points_xy - (x0, y0) + 0.5) * scale - 0.5)
    else:
        small_site, small_roi = site, roi
    finger = _between_silhouettes(pixels.shape, small_site, small_roi)
    likely = _skin_likelihood(srgb_to_linear(pixels), finger)
    if points_xy is not None:
        likely = likely * hand_outline(points_xy, small_site, small_roi)
    return SkinMap(likely, roi)


def skin_matte(skin_map: SkinMap, site: FingerSite, roi: Roi, hand: Float | None = None) -> Float:
    """(h, w) in [0, 1]: the skin of ``roi`` that may receive a shadow.

    The finger itself lies between its measured silhouettes; the map knows the rest. hand : (h, w)
    in [0, 1], a matte of the whole hand, if a client gave one.
    """
    finger = _between_silhouettes((roi[3] - roi[1], roi[2] - roi[0]), site, roi)
    likely = resampled(skin_map.likely, skin_map.roi, roi)
    # Right beside the finger the measured silhouette knows better than colour.
    _, along = finger_coordinates(site, roi)
    beside = np.abs(along) < 1.1 * site.width_px
    near = _soft_reach(finger, 2.5 * max(site.edge_sigma_px, 0.7)) * beside
    skin = np.maximum(finger, likely * (1 - near))
    # What lies in front of the hand takes none, even where the finger goes on behind it.
    return np.asarray(skin if hand is None else np.minimum(skin, hand), np.float32)


def _between_silhouettes(shape: tuple[int, ...], site: FingerSite, roi: Roi) -> Float:
    left = np.asarray(site.left_edge_xy, np.float64)
    right = np.asarray(site.right_edge_xy, np.float64)
    outline = np.concatenate([left, right[::-1]]) - np.array(roi[:2])
    filled = np.zeros(shape[:2], np.uint8)
    fixed = np.round(outline * 256).astype(np.int32)
    cv2.fillPoly(filled, [fixed.reshape(-1, 1, 2)], 255, cv2.LINE_AA, 8)
    sigma = float(np.clip(site.edge_sigma_px, 0.5, 3))
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), sigma), np.float32) / np.float32(255)


def _skin_likelihood(patch: Float, finger: Float) -> Float:
    """1 where the colour is that of the finger, falling off smoothly."""
    inside = finger > 0.95
    if np.count_nonzero(inside) < 50:
        return np.zeros(finger.shape, np.float32)
    smooth = np.asarray(cv2.GaussianBlur(patch, (0, 0), 1.5)) + np.float32(1e-3)
    red, green, blue = cv2.split(np.log(smooth))
    far = np.zeros(finger.shape, np.float32)
    for ratio, usual in zip((red - green, blue - green), SKIN_SPREAD, strict=True):
        own = ratio[inside]
        centre = float(np.median(own))
        spread = np.hypot(float(np.median(np.abs(own - centre))) * 1.4826, usual)
        far += ((ratio - centre) / spread) ** 2
    level = np.log(luminance(smooth))
    dark, bright = np.percentile(level[inside], [2, 98])
    outside_level = np.maximum(np.maximum(dark - 0.5 - level, level - bright - 0.4), 0) / 0.25
    distance = np.sqrt(far + outside_level**2)
    likely = np.exp(-0.5 * np.maximum(distance - SKIN_LIMIT, 0) ** 2 / 0.4**2)
    return np.asarray(cv2.GaussianBlur(likely.astype(np.float32), (0, 0), 1.0), np.float32)


def _soft_reach(mask: Float, reach_px: float) -> Float:
    """1 within the mask and beside it, fading to 0 at ``reach_px``."""
    distance = cv2.distanceTransform((mask <= 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.clip(1.5 - distance / max(reach_px, 1), 0, 1) * (mask <= 0.95), np.float32)
