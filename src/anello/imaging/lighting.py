"""The light on the hand, read off its skin and what lies around."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Mask, Roi
from anello.imaging.color import luminance
from anello.imaging.finger import FingerSite
from anello.imaging.frame import PHALANGES, finger_frame, hand_outline, phalanx_widths
from anello.imaging.surround import Surround, see_surround

WHITE = np.ones(3, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Light on the hand, in the camera's frame: x right, y down, z towards the viewer.

    direction_xyz : (3,) unit, towards the light. colour : (3,) linear RGB of white in this light,
    luminance 1. shade : (3,) the same where the lamp does not reach: blue under the sun, brown in
    a room. level : exposure, 1 where white paper facing the light would just be
    white. ambient : share of the light that has no direction, 0 (a bare sun) to 1 (inside a cloud).
    skin : (3,) linear colour of the finger around the ring. surround : what lies around it, which
        metal mirrors from below.
    confidence : 0..1 of the direction. is_grey : the photo has no colours at all.
    """

    direction_xyz: Float
    colour: Float
    shade: Float
    level: float
    ambient: float
    skin: Float
    surround: Surround
    confidence: float
    is_grey: bool = False


# ------------------------------------------------------------------ estimating

FRONTAL = np.array([0.0, -0.31, 0.95], np.float32)
"""Direction assumed where the hand does not tell: over the viewer's shoulder, a bit from above."""


def estimate_light(
    patch: Float,
    skin: Float,
    site: FingerSite,
    roi: Roi,
    overview: Float | None = None,
    overview_scale: float = 1.0,
    points_xy: Float64 | None = None,
) -> Light:
    """The light on the hand.

    patch : (h, w, 3) linear light around the site. skin : (h, w) in [0, 1] (see `skin_matte`).
    overview : (H, W, 3) linear, the whole photo reduced by ``overview_scale`` (0..1];
    points_xy : (21, 2) landmarks in the full photo. Without these the finger alone has to do.
    """
    inside = skin > 0.9
    if np.count_nonzero(inside) < 50:
        inside = np.ones(skin.shape, np.bool_)
    near = _near_site(site, roi) & inside
    near = near if np.count_nonzero(near) > 50 else inside
    channels = cv2.split(patch)
    skin_rgb = np.array([np.median(channel[near]) for channel in channels], np.float32)
    profiles = [_finger_profile(patch, site, roi)]
    ground, cooler = np.zeros(2), 0.0
    view, hand = patch, inside
    if overview is not None:
        view, hand = overview, np.zeros(overview.shape[:2], np.bool_)
        if points_xy is not None:
            rows, columns = overview.shape[:2]
            whole = (0, 0, round(columns / overview_scale), round(rows / overview_scale))
            hand = _reduced_outline(points_xy, site, whole, overview.shape[:2])
            profiles += _hand_profiles(overview, overview_scale, points_xy, site)
            half = np.s_[::2, ::2]
            width = site.width_px * overview_scale / 2
            ground, cooler = _ground_gradient(overview[half], hand[half], width)
            # A hand has two long sides but only one end in the picture: the arm hides the other.
            along = np.asarray(points_xy[9] - points_xy[0], np.float64)
            along /= np.linalg.norm(along) + 1e-9
            ground = ground - 0.7 * (ground @ along) * along
    direction, ambient, confidence = _direction(_stack(profiles), ground)
    # For shares and medians every fourth pixel says as much as all.
    view, hand = view[::2, ::2], hand[::2, ::2]
    level = _level(view, skin_rgb)
    red, green, blue = channels
    off_grey = max(cv2.norm(red, green, cv2.NORM_INF), cv2.norm(green, blue, cv2.NORM_INF))
    is_grey = off_grey < GREY_SPREAD
    lamplit = 1 - float(smoothstep(np.float32(ambient), *LAMPLIT))
    colour = WHITE if is_grey else _illuminant(view, hand, skin_rgb, level)
    return Light(
        direction_xyz=direction,
        colour=colour,
        shade=WHITE if is_grey else _warmed(colour, -cooler * lamplit),
        level=level,
        ambient=ambient,
        skin=skin_rgb,
        surround=see_surround(patch, site, roi),
        confidence=confidence,
        is_grey=is_grey,
    )


def _near_site(site: FingerSite, roi: Roi) -> Mask:
    frame = finger_frame(site, roi)
    return np.asarray((np.abs(frame.across) < 0.7) & (np.abs(frame.along) < 0.6 * site.width_px))


def _reduced_outline(
    points_xy: Float64, site: FingerSite, whole: Roi, shape: tuple[int, ...]
) -> Mask:
    """(H, W) roughly where the hand is in the overview."""
    scale = shape[1] / whole[2]
    small = replace(site, width_px=site.width_px * scale)
    return hand_outline(np.asarray(points_xy) * scale, small, (0, 0, shape[1], shape[0])) > 0.1


# -------------------------------------------------- direction

PROFILE = np.linspace(-0.84, 0.84, 9)
"""Where a finger's brightness is read, in half widths: farther out the edge's blur mixes in."""

PRIOR_SPREAD = 0.6
"""How strongly an unclear hand is pulled to FRONTAL (sigma of the prior, radians)."""

SHADING_NOISE = 0.15
"""Relative error of a profile: albedo, bounced light, neighbours' shadows, and a finger that is no
cylinder."""

THUMB_WEIGHT = 0.1
"""Say of a thumb's profile: the thumb is rolled and flat, hardly the cylinder it is taken for."""

LARGEST_MISFIT = 0.3
"""Relative error at which a profile is an outlier: something else than skin lies across it."""

GROUND_TRUST = 14.0
"""Log-likelihood per unit of the ground's gradient along the light's lateral part."""

AMBIENT_TRIED = np.linspace(0.05, 0.95, 7)
"""Shares of directionless light that are tried."""


def _direction(profiles: Profiles, ground: Float64) -> tuple[Float, float, float]:
    """Light direction, ambient share and confidence. ground : (2,) see `_ground_gradient`.

    How the skin's brightness follows its normal: Y = g (a (1 + n_z) / 2 + (1 - a) max(0, n.l)), a
    sky dome and one lamp, with a gain g of its own for each profile (its albedo and distance from
    the lamp). All directions before the picture and shares a are tried; the answer is their mean,
    weighted by likelihood.
    """
    if len(profiles.value) == 0:
        return FRONTAL, 0.6, 0.0
    normal = profiles.normal  # (profiles, places, 3)
    value = profiles.value / profiles.value.mean(axis=1, keepdims=True)
    directions = _hemisphere(24, 9)
    dome = (1 + normal[..., 2]) / 2
    lamp = np.maximum(np.einsum("ck,pqk->cpq", directions, normal), 0)
    cost = np.empty((len(directions), len(AMBIENT_TRIED)))
    for j, share in enumerate(AMBIENT_TRIED):
        model = share * dome + (1 - share) * lamp
        model /= np.maximum(model.mean(axis=2, keepdims=True), 1e-6)
        error = ((model - value) ** 2).mean(axis=2)  # (directions, profiles)
        # Rings, varnish, a wrong landmark: no profile may say more than LARGEST_MISFIT.
        error = LARGEST_MISFIT**2 * -np.expm1(-error / LARGEST_MISFIT**2)
        cost[:, j] = error @ profiles.weight / (2 * SHADING_NOISE**2)
    angle = np.arccos(np.clip(directions @ FRONTAL, -1, 1))
    log_p = -(cost + 0.5 * (angle[:, None] / PRIOR_SPREAD) ** 2)
    log_p += (directions[:, :2] @ ground)[:, None] * GROUND_TRUST
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p.sum(axis=1) @ directions
    length = float(np.linalg.norm(mean))
    ambient = float(p.sum(axis=0) @ AMBIENT_TRIED)
    return (mean / max(length, 1e-6)).astype(np.float32), ambient, length * (1 - ambient)


SHADE_TRUST = 0.8
"""Share of the difference in colour between the dark and the bright side of the hand that is the
light's, not the ground's."""

SHADE_SEEN = (0.2, 0.5)
"""Steepness of the ground's brightness at which its dark side starts being, and is, a shade."""

LAMPLIT = (0.3, 0.6)
"""Ambient share from which a dark side is less and less, and at last no more, the lamp's shade."""

BLUEST_SHADE, WARMEST_SHADE = 0.6, 0.4
"""Largest log B/R, and R/B, of the shade over the lit: the sky's, and a room's of wood."""


def _ground_gradient(view: Float, hand: Mask, width: float) -> tuple[Float64, float]:
    """(2,) which side of the hand the ground is brighter on: log brightness per unit outward; and
    how much bluer the light is on the dark side, as log B/R.

    A hand shades the ground on the side away from the lamp. The outward direction o of every pixel
    within a finger's width of the outline is fitted: log Y = c + b.o, robustly (wood has a grain,
    cloth has folds). Zero when there is too little ground.
    """
    distance = cv2.distanceTransform((~hand).astype(np.uint8), cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(distance, (0, 0), max(width / 4, 1.0))
    outward_x, outward_y = (
        np.asarray(cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=1 / 8)) for dx in (1, 0)
    )
    steep = outward_x**2 + outward_y**2 > 0.7**2
    # Between fingers, where two outlines meet, there is no outward.
    beside = (distance > 0.1 * width) & (distance < 0.8 * width) & steep
    if np.count_nonzero(beside) < 30:
        return np.zeros(2), 0.0
    rgb = view[beside].astype(np.float64) + 0.005
    level = np.log(luminance(rgb))
    design = np.stack([np.ones(len(level)), outward_x[beside], outward_y[beside]])
    weight = np.ones(len(level))
    fit = np.zeros(3)
    for _ in range(4):
        weighted = design * weight
        fit = np.linalg.lstsq(weighted @ design.T, weighted @ level, rcond=None)[0]
        weight = 1 / np.maximum(np.abs(level - fit @ design), 0.1)
    gradient = np.asarray(fit[1:])
    steepness = float(np.linalg.norm(gradient))
    towards = gradient @ design[1:] / max(steepness, 1e-6)
    blue = np.log(rgb[:, 2] / rgb[:, 0])
    lit, dark = blue[towards > 0.3], blue[towards < -0.3]
    if min(len(lit), len(dark)) < 15:
        return gradient, 0.0
    trust = SHADE_TRUST * float(smoothstep(np.float32(steepness), *SHADE_SEEN))
    cooler = trust * float(np.median(dark) - np.median(lit))
    return gradient, float(np.clip(cooler, -WARMEST_SHADE, BLUEST_SHADE))


def _hemisphere(n_azimuth: int, n_elevation: int) -> Float64:
    """(n, 3) unit directions in front of the picture, nearly evenly spread."""
    rows = []
    for k in range(n_elevation):
        elevation = np.radians(8 + (90 - 8) * (k + 0.5) / n_elevation)
        n = max(4, round(n_azimuth * np.cos(elevation)))
        azimuth = 2 * np.pi * (np.arange(n) + 0.5 * (k % 2)) / n
        rows.append(
            np.stack(
                [
                    np.cos(azimuth) * np.cos(elevation),
                    np.sin(azimuth) * np.cos(elevation),
                    np.full(n, np.sin(elevation)),
                ],
                axis=1,
            )
        )
    return np.concatenate(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Brightness across fingers. normal : (n, places, 3); value : (n, places) luminance;
    weight : (n,) independent looks."""

    normal: Float64
    value: Float64
    weight: Float64


def _stack(profiles: list[Profiles | None]) -> Profiles:
    found = [p for p in profiles if p is not None]
    none = Profiles(np.zeros((0, len(PROFILE), 3)), np.zeros((0, len(PROFILE))), np.zeros(0))
    found.append(none)
    return Profiles(
        np.concatenate([p.normal for p in found]),
        np.concatenate([p.value for p in found]),
        np.concatenate([p.weight for p in found]),
    )


def _finger_profile(patch: Float, site: FingerSite, roi: Roi) -> Profiles | None:
    """The finger that wears the ring, between its measured silhouettes."""
    left = np.asarray(site.left_xy, np.float64)
    right = np.asarray(site.right_xy, np.float64)
    middle, width = (left + right) / 2, float(np.linalg.norm(right - left))
    axis = np.asarray(site.axis_xy, np.float64)
    origin = np.asarray(roi[:2], np.float64)
    reach = 0.6 * site.width_px
    ends = middle - origin - axis * reach, middle - origin + axis * reach
    return _profile(luminance(patch), *ends, width, np.radians(site.pitch_deg), 2.0)


def _hand_profiles(
    overview: Float, scale: float, points_xy: Float64, site: FingerSite
) -> list[Profiles | None]:
    """All free phalanges. Fingers that point different ways tell what the one with the ring
    cannot: where along itself the light comes from."""
    bright = luminance(overview)
    points = np.asarray(points_xy, np.float64) * scale
    widths = phalanx_widths(site.width_px * scale, int(site.finger))
    pitch = np.radians(site.pitch_deg)
    return [
        _profile(
            bright,
            points[a] * 0.75 + points[b] * 0.25,
            points[a] * 0.2 + points[b] * 0.8,
            float(width),
            pitch,
            THUMB_WEIGHT if a < 5 else 1.0,
        )
        for (a, b), width in zip(PHALANGES, widths, strict=True)
    ]


def _profile(
    bright: Float,
    start_xy: Float64,
    end_xy: Float64,
    width: float,
    pitch_rad: float,
    weight: float,
) -> Profiles | None:
    """Median brightness across a finger between two points; None if it leaves the picture."""
    axis = end_xy - start_xy
    length = float(np.linalg.norm(axis))
    if length < 2 or width < 4:
        return None
    axis = axis / length
    side = np.array([-axis[1], axis[0]])
    t = np.linspace(0, 1, 15)[:, None, None]
    line = start_xy + t * (end_xy - start_xy) + PROFILE[None, :, None] * side * (width / 2)
    h, w = bright.shape
    if line.min() < 0 or line[..., 0].max() > w - 1 or line[..., 1].max() > h - 1:
        return None
    x, y = line[..., 0].astype(np.float32), line[..., 1].astype(np.float32)
    value = np.median(np.asarray(cv2.remap(bright, x, y, cv2.INTER_LINEAR)), axis=0)
    out = np.sqrt(1 - PROFILE**2)
    rise = out * np.sin(pitch_rad)
    normal = np.stack(
        [
            PROFILE * side[0] + rise * axis[0],
            PROFILE * side[1] + rise * axis[1],
            out * np.cos(pitch_rad),
        ],
        axis=1,
    )
    return Profiles(normal[None], value[None].astype(np.float64) + 1e-6, np.array([weight]))


# -------------------------------------------------- level and colour

WHITE_OF_BRIGHTEST = 0.6
"""Luminance of a photo's 99th percentile when exposed so that paper would be white."""

LEVEL_TRUST = 0.6
"""How far a dark photo is taken for dim light rather than for dark things, as an exponent."""


def _level(view: Float, skin_rgb: Float) -> float:
    """Exposure of the photo: how bright paper would be in it. Most photos are exposed to 1."""
    brightest = float(np.percentile(luminance(view), 99))
    lit = (brightest / WHITE_OF_BRIGHTEST) ** LEVEL_TRUST
    fairest_skin = 0.55  # reflectance: a photo that shows skin brighter than this is bright
    floor = float(luminance(np.asarray(skin_rgb, np.float32))) / fairest_skin
    return float(np.clip(max(lit, floor), 0.1, 1.15))


GREY_SPREAD = 0.02
"""Largest difference between channels, linear, in a photo taken in black and white."""

SKIN_LOCUS = np.array([[0.38, -0.25], [0.55, -0.45], [0.72, -0.60], [0.66, -0.48]])
"""log R/G, log B/G of skin in white light, from porcelain to very dark (linear sRGB; ITA classes of
measured skin reflectances lie along it; melanin reddens until it merely blackens)."""

SKIN_LOCUS_LUMINANCE = np.array([0.48, 0.33, 0.20, 0.08])
"""Reflectance (luminance) at those points."""

WARMTH = np.array([0.55, -0.83])
"""Direction of a warmer lamp in (log R/G, log B/G): along the Planckian locus, unit length."""

WARMTH_PRIOR = 0.12
"""Sigma of the warmth left by cameras' own white balance."""

SKIN_WARMTH_NOISE = 0.14
"""Sigma with which skin of unknown tone tells warmth."""

GROUND_WARMTH_NOISE = 0.07
"""Sigma with which a pale ground tells warmth: paper and marble are white, linen is not quite."""

MOST_WARMTH = 0.35
"""Largest warmth that skin may claim: beyond, it is a colour filter or unusual skin."""


def _illuminant(view: Float, hand: Mask, skin_rgb: Float, level: float) -> Float:
    """(3,) colour of white, luminance 1: the warmth that prior, skin and pale ground agree on."""
    estimates, weights = [0.0], [1 / WARMTH_PRIOR**2]
    rgb = np.maximum(np.asarray(skin_rgb, np.float64), 1e-4)
    chroma = np.log([rgb[0] / rgb[1], rgb[2] / rgb[1]])
    reflectance = float(luminance(rgb.astype(np.float32))) / max(level, 0.1)
    order = np.argsort(SKIN_LOCUS_LUMINANCE)
    expected = [
        np.interp(reflectance, SKIN_LOCUS_LUMINANCE[order], SKIN_LOCUS[order, k]) for k in range(2)
    ]
    estimates.append(float(np.clip((chroma - expected) @ WARMTH, -MOST_WARMTH, MOST_WARMTH)))
    weights.append(1 / SKIN_WARMTH_NOISE**2)
    ground = _pale_ground(view, hand)
    if ground is not None:
        estimates.append(float(np.log([ground[0] / ground[1], ground[2] / ground[1]]) @ WARMTH))
        weights.append(1 / GROUND_WARMTH_NOISE**2)
    warmth = float(np.average(estimates, weights=weights))
    return _warmed(WHITE, warmth * float(WARMTH[0] - WARMTH[1]))


def _warmed(white: Float, warmer: float) -> Float:
    """(3,) luminance 1: a white whose log R/B has grown by ``warmer`` along the Planckian locus."""
    red, blue = WARMTH / (WARMTH[0] - WARMTH[1])
    warm = white * np.exp([warmer * red, 0.0, warmer * blue]).astype(np.float32)
    return np.asarray(warm / luminance(warm), np.float32)


def _pale_ground(view: Float, hand: Mask) -> Float64 | None:
    """(3,) colour of a bright ground that could be white or grey paper, else None."""
    ground = view[~cv2.dilate(hand.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)]
    if len(ground) < 0.05 * hand.size:
        return None
    value = luminance(ground)
    bright = ground[value >= np.percentile(value, 70)]
    if len(bright) < 15:
        return None
    rgb = np.maximum([float(np.median(channel)) for channel in bright.T], 1e-4)
    logs = np.log([rgb[0] / rgb[1], rgb[2] / rgb[1]])
    across_locus = abs(logs @ np.array([-WARMTH[1], WARMTH[0]]))
    is_pale = luminance(rgb.astype(np.float32)) > 0.35 and across_locus < 0.06
    return rgb if is_pale and abs(logs @ WARMTH) < 0.35 else None


def smoothstep(x: Float | np.float32, low: float, high: float) -> Float:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((x - low) / max(high - low, 1e-3), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
