"""What the ring does to the skin: contact shadow at its foot, and shadow thrown clear of it.

All of it is a multiplier on linear skin, and only on skin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Float, Mask, Roi
from anello.imaging.finger import FingerSite
from anello.imaging.frame import FingerFrame, finger_frame, scaled
from anello.imaging.lighting import Light, smoothstep
from anello.imaging.occlusion import measure_obstacle, thrown_shade
from anello.imaging.skin_map import SkinMap
from anello.imaging.warp import resampled

RESPONSE = 6.0
"""Curvature of the slider: 0.15 already gives 0.6 of the physical shadow's density."""

CREST_WITHIN = 0.07
"""How far behind the rim its crest is looked for, in finger widths: a face seen at 30 degrees."""

# The numbers down to CREVICE were fitted to the optical density that path-traced rings of metal add
# to skin, by distance from the rim and the lamp's cosine over the skin (windows, suns, overcast).

RIM_DENSITY_SKY = 0.7
"""Density at the rim where the light comes from everywhere."""

RIM_DENSITY_GRAZING = 1.0
"""Density at the rim where a lamp grazes the skin: what light there is comes past the ring."""

LAMP_FALL = (1.3, 1.25)
"""That falls by exp(-a x - b x^2) as the lamp's cosine rises by x: metal throws a high lamp's light
back onto the skin at its foot."""

GRAZING_COSINE = -0.48
"""Cosine at which x starts: a window is wide and reaches past the terminator."""

SKY = 0.57
"""Share of the light without a direction that comes from above: the rest is thrown up by fingers
and ground, from below a ring, which keeps none of it away."""

REACH_OF_WIDTH, REACH_OF_HEIGHT = 0.024, 0.43
"""The density falls to 1/e within this many finger widths plus rim heights."""

CREVICE, CREVICE_REACH = 0.5, 0.018
"""Density of the corner between near rim and skin, where no light gets in, and its reach in finger
widths."""

TALLEST_RIM = 0.147
"""Height, in finger widths, above which a head's foot shades no farther: there is light beneath."""

ONE_LAMP, OVERCAST = 0.2, 0.7
"""Ambient shares between which the two laws are mixed."""

END_FADE = 0.8
"""How much of the contact shadow is lost at the silhouette, where the band turns away below."""

RAY_WIDTH = 20.0
"""Finger width, px, at which the shadow thrown clear of the rim is worked out: it has no edges."""

THROWN_BLUR = 0.85
"""Sigma, px of that, of the blur over which a point's depth beside the finger is uncertain."""

WORKING_WIDTH = 64.0
"""Finger width, px, above which the shadow is worked out on a smaller picture."""

SCATTER_SIGMA = np.array([0.020, 0.010, 0.006], np.float32)
"""Blur by light under the skin for R, G, B, in finger widths. Diffusion lengths of about 0.37,
0.2 and 0.1 mm on an 18 mm finger (Jensen et al. 2001, "skin1": red goes farthest)."""

SCATTER_DENSITY = np.array([0.93, 1.03, 1.08], np.float32)
"""Optical density of the shadow in R, G, B over its mean: what leaks in under the skin is red."""

THINNEST = 0.002
"""Below this density there is no shadow: it would change no pixel by as much as one code."""

DENSEST = 3.0
"""No density above this: even the darkest crease of a photo has some light."""


def response(shadow: float) -> float:
    """Shadow density over the physical one: 0 at 0, 1 at 1, monotone, concave."""
    return float((1 - np.exp(-RESPONSE * shadow)) / (1 - np.exp(-RESPONSE)))


@dataclass(frozen=True, slots=True, eq=False)
class Shade:
    """(h, w, 3) optical density in R, G, B that the ring adds to the skin of ``roi`` of the hand
    photo, in pixels of its own: the physical shadow, on skin everywhere."""

    density: Float
    roi: Roi


def cast_shade(
    alpha: Float,
    height: Float,
    head: Float,
    site: FingerSite,
    light: Light,
    skin_map: SkinMap,
    roi: Roi,
) -> Shade:
    """The ring's shadow before it is known how much of a pixel is skin.

    alpha, height, head : (h, w) of the layer in ``roi``; height in px above the skin. skin_map :
    where neighbouring fingers are.
    """
    scale = min(WORKING_WIDTH / site.width_px, 1.0)
    here = roi
    if scale < 1:
        alpha, height = _reduced_layer(alpha, height, scale)
        site, here = scaled(site, roi, scale)
    skin = resampled(skin_map.likely, skin_map.roi, roi, alpha.shape[::-1])
    above = replace(light, ambient=SKY * light.ambient)
    density = np.zeros_like(alpha)
    if (alpha > 0.5).any():
        density = _contact(_surface(alpha, height, site, here), site, above)
        density -= np.log1p(-_thrown(alpha, height, head, skin, site, above, here))
        density = np.minimum(density, DENSEST)
    channels = []
    for share, sigma in zip(SCATTER_DENSITY, SCATTER_SIGMA, strict=True):
        soft = cv2.GaussianBlur(density, (0, 0), max(float(sigma) * site.width_px, 0.3))
        channels.append(soft * share)
    return Shade(np.asarray(cv2.merge(channels), np.float32), roi)


def shade_roi(shade: Shade, shadow: float) -> Roi:
    """The box of the photo that a shadow of this strength reaches."""
    blue = shade.density[..., 2]  # the densest
    dense = blue * np.float32(response(shadow)) > THINNEST
    rows, columns = np.flatnonzero(dense.any(1)), np.flatnonzero(dense.any(0))
    x0, y0, x1, y1 = shade.roi
    if not len(rows):
        return x0, y0, x0, y0
    scale_x, scale_y = dense.shape[1] / (x1 - x0), dense.shape[0] / (y1 - y0)
    left, right = int((columns[0] - 1) / scale_x), int((columns[-1] + 2) / scale_x) + 1
    top, bottom = int((rows[0] - 1) / scale_y), int((rows[-1] + 2) / scale_y) + 1
    return max(x0 + left, x0), max(y0 + top, y0), min(x0 + right, x1), min(y0 + bottom, y1)


def shadow_matte(shade: Shade, shadow: float, skin: Float, roi: Roi) -> Float:
    """(h, w, 3) multiplier on linear skin, in (0, 1], of the shadow in ``roi``.

    shadow : 0 gives exactly 1 everywhere, 1 the physical shadow. skin : (h, w) in [0, 1], where a
    shadow may fall.
    """
    strength = cv2.merge([response(shadow) * skin] * 3)
    density = resampled(shade.density, shade.roi, roi) * strength
    _, density = cv2.threshold(density, THINNEST, 0, cv2.THRESH_TOZERO)
    return np.asarray(cv2.exp(-density), np.float32)


def _reduced_layer(alpha: Float, height: Float, scale: float) -> tuple[Float, Float]:
    """alpha and height of the layer on a picture resized by ``scale``, heights in its pixels."""
    size = max(round(alpha.shape[1] * scale), 1), max(round(alpha.shape[0] * scale), 1)
    lifted = cv2.resize(alpha * height, size, interpolation=cv2.INTER_AREA) * np.float32(scale)
    covered = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    return covered, np.asarray(lifted / np.maximum(covered, 1e-3), np.float32)


def _thrown(
    alpha: Float,
    height: Float,
    head: Float,
    skin: Float,
    site: FingerSite,
    light: Light,
    roi: Roi,
) -> Float:
    """(h, w) share of the light that the ring keeps from skin away from its rim."""
    h, w = alpha.shape
    scale = min(RAY_WIDTH / site.width_px, 1.0)
    if scale < 1:
        alpha, height = _reduced_layer(alpha, height, scale)
        skin = np.asarray(cv2.resize(skin, alpha.shape[::-1], interpolation=cv2.INTER_AREA))
        site, roi = scaled(site, roi, scale)
    if not (alpha > 0.5).any():  # a thread of a ring keeps no light away
        return np.zeros((h, w), np.float32)
    frame = finger_frame(site, roi)
    covered = cv2.resize(head, alpha.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    ring = measure_obstacle(alpha, height, covered & (alpha > 0.5), frame, site)
    thrown = cv2.GaussianBlur(thrown_shade(ring, skin, frame, site, light), (0, 0), THROWN_BLUR)
    return np.asarray(cv2.resize(thrown, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The ring on the finger, (h, w) each. distance : px on the skin to the ring's nearest rim.
    height : px of the ring at that rim. side : which rim, 1 on the tip's side of the ring, -1 on
    the wrist's."""

    distance: Float
    side: Float
    height: Float
    frame: FingerFrame


def _surface(alpha: Float, height: Float, site: FingerSite, roi: Roi) -> _Surface:
    cover = alpha > 0.5
    distance, labels = cv2.distanceTransformWithLabels(
        (~cover).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = _nearest_pixel(labels, cover)
    # The foot of the near face lies on the skin; what shades is the crest behind it.
    reach = max(round(CREST_WITHIN * site.width_px), 1)
    crest = cv2.dilate(height * cover, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    rim = np.maximum(crest.take(nearest).reshape(height.shape), 0.5).astype(np.float32)
    rim = np.asarray(cv2.GaussianBlur(rim, (0, 0), max(0.03 * site.width_px, 0.5)), np.float32)
    # What rises from the skin shows nearer to the tip, so the rim's foot is hidden on that side.
    h, w = alpha.shape
    rows, cols = np.divmod(nearest.reshape(h, w), np.int32(w))
    dx = (np.arange(w, dtype=np.int32)[None, :] - cols).astype(np.float32)
    dy = (np.arange(h, dtype=np.int32)[:, None] - rows).astype(np.float32)
    away = np.sqrt(dx * dx + dy * dy)  # np.hypot guards against overflow, five times slower
    axis_x, axis_y = site.axis_xy.astype(np.float32)
    beyond = (dx * axis_x + dy * axis_y) / np.maximum(away, 1)
    lift = rim * np.tan(np.radians(max(site.pitch_deg, 0)))
    distance = (distance + np.clip(beyond, 0, 1) * lift).astype(np.float32)
    return _Surface(distance, beyond, rim, finger_frame(site, roi))


def _contact(surface: _Surface, site: FingerSite, light: Light) -> Float:
    """Optical density of the shadow at the foot of the rim."""
    cosine = surface.frame.normal @ light.direction_xyz
    x = np.maximum(cosine - GRAZING_COSINE, 0)
    lamp = RIM_DENSITY_GRAZING * np.exp(-LAMP_FALL[0] * x - LAMP_FALL[1] * x * x)
    share = float(smoothstep(np.float32(light.ambient), ONE_LAMP, OVERCAST))
    at_rim = share * RIM_DENSITY_SKY + (1 - share) * lamp
    height = np.minimum(surface.height, TALLEST_RIM * site.width_px)
    reach = REACH_OF_WIDTH * site.width_px + REACH_OF_HEIGHT * height
    corner = CREVICE * np.exp(-surface.distance / (CREVICE_REACH * site.width_px))
    near_side = np.clip(-surface.side, 0, 1)
    round_off = 1 - END_FADE * smoothstep(np.abs(surface.frame.across), 0.75, 1.0)
    density = at_rim * np.exp(-surface.distance / reach) * round_off + corner * near_side
    return np.asarray(density, np.float32)


def _nearest_pixel(labels: NDArray[np.int32], cover: Mask) -> NDArray[np.int32]:
    """(h * w,) flat index of the nearest covered pixel, from OpenCV's labels of those pixels."""
    index_of_label = np.zeros(int(labels.max()) + 1, np.int32)
    flat = np.flatnonzero(cover).astype(np.int32)
    index_of_label[labels.ravel()[flat]] = flat
    return index_of_label.take(labels.ravel())
