"""The ring brought into the hand's light: its metal mirrors the hand's room, no more the studio."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from anello.imaging.arrays import Float, Mask
from anello.imaging.color import luminance
from anello.imaging.lighting import Light, smoothstep
from anello.imaging.turn import Layer

ROOM = 0.20
"""Radiance of the room that polished metal on a hand mirrors, over that of white paper there, in a
room with one window. Read off path-traced scenes, like the next three."""

ROOM_UNDER_SKY = 0.85
"""The same where the light comes from everywhere."""

SKY_FROM = (0.35, 0.8)
"""Ambient shares between which a room with a window opens to that."""

LAMP_RADIANCE = 1.2
"""Radiance of a wide lamp or window, over that of the paper it lights."""

LAMP_SHARPNESS = 4.0
"""Concentration of the lamp's mirror image: exp(k (cos - 1)) falls to half at 34 degrees."""

METAL_REFLECTANCE = 0.85
"""Luminance that polished metal returns: silver 0.95, yellow gold 0.78 (Johnson & Christy 1972)."""

BLACK_METAL = 0.2
"""Mean luminance in a product photo below which metal is black by itself, as rhodium is, and not by
what it mirrors: of 350 path-traced rings of other metals two lie below."""

REPLACED = 0.95
"""Share of the studio's mirror image on the hoop that gives way to the hand's surroundings."""

DARKEST = np.float32(0.02)
"""Luminance of a shop's photo below which all is one black."""

DETAIL_SIGMA = 0.07
"""Blur that parts the studio's reflections from engraving, edges and pave, in band widths."""

DETAIL_KEPT, MOST_DETAIL = 0.75, np.float32(0.9)
"""Contrast that those keep, as an exponent, and log contrast that it does not exceed: hammering and
engraving are faint beside the edges of a studio's lamps and screens in polished metal, and on path-
traced scenes fine contrast on the metal was 1.5 times the true."""

HORIZON = (-0.4, 0.3)
"""Upward part of the mirrored ray between which metal sees skin and table, and the room above."""

DARKER_DOWN = 0.9
"""Fall exp(-k d) of what metal mirrors from below for a ray that points down by d: at its foot the
ring mirrors its own shadow."""

SKIN_MIRRORED, SKIN_IN_HEAD = 0.18, 0.06
"""Share of skin in the light of a hoop that faces the viewer, for soft reflections reach round; and
in the head, which looks away from the skin."""

HIGHLIGHT_FROM, HIGHLIGHT_TO = 0.86, 0.97
"""Quantiles of the ring's own luminance between which a pixel becomes a highlight, the mirror image
of a lamp. A lamp stays as bright as the photo's white, while the room around it darkens."""

METAL_SPREAD = (0.25, 0.55)
"""Distance in (log R/G, log B/G) from the metal's colours at which a pixel starts being, and is, a
stone."""

COLOURED = 0.12
"""How much blue gold and copper lack, as log G/B, from which their colour tells them from stones
without; silver takes on the ground's colour, which is seldom yellow."""

COLOURLESS = (0.07, 0.22)
"""Share of a coloured metal's colour below which a pixel is no metal, and above which it may be: a
diamond is white on gold, an onyx black, and what gold mirrors is golden even where it is dark."""

OF_METAL = (0.4, 0.7)
"""The same, below which a pixel can be a stone that mirrors gold, and above which it is gold."""

BLEACHED, EXPOSED = (0.7, 1.0), (0.1, 0.8)
"""Brightest channel of a photo, linear light, between which it bleaches metal: red ends first, so
gold goes green and white. And its bounds where metal shows its colour."""

FACET = 0.12
"""How far off, in band widths, a stone has a dark facet or a gap beside it."""

NO_FACET = (0.35, 0.5)
"""Luminance of the darkest pixel that near, below which what has no colour is a stone, and above
which it is a lamp that gold mirrors white."""

MOST_BRIGHTENED = 2.6
"""Log gain of what is dark on a shining hoop: a studio's black screens turn to what it mirrors now,
niello and deep engraving not wholly."""

LAMP_IN_STONES = 0.3
"""Share of the lamp's colour in the light of stones, which gather it from all around."""

STONES_IN_HEAD = 0.4
"""Share of a head of white metal that is lit as stones: a diamond in white gold can't be told from
it, and returns more of the light around it."""

HIGHLIGHT_KEPT = 0.35
"""Share of REPLACED that a highlight on the hoop is spared: metal without sparks looks dead."""

SIDES = 0.6
"""Part of the normal towards the viewer below which a pixel lies on a side of the hoop, where no
head stands."""

LEAST_OF_HOOP = 20
"""Pixels of the hoop's sides that tell its height, and of the hoop that tell its metal's colour."""

ABOVE_BAND = (1.6, 2.4)
"""Heights, over the band's, between which the hoop ends and the head begins: its shoulders rise."""

HIGHLIGHT_WIDTH = 0.15
"""Least luminance between the two, or the noise of a blown-out plateau would turn to glitter."""


def shading(normal: Float, light: Light) -> Float:
    """(...,) brightness of a matte white surface, 1 where it faces the light."""
    dome = light.ambient * (1 + normal[..., 2]) / 2
    lamp = (1 - light.ambient) * np.maximum(normal @ light.direction_xyz, 0)
    facing = light.ambient * (1 + float(light.direction_xyz[2])) / 2 + 1 - light.ambient
    return np.asarray((dome + lamp) / max(facing, 1e-6), np.float32)


def mirrored_room(normal: Float, xy: Float, light: Light) -> Float:
    """(n, 3) radiance that a perfect mirror shows the viewer. normal : (n, 3) its normals, xy :
    (n, 2) px of the photo where it is.

    The ray to the viewer v = (0, 0, 1) comes from r = 2 (n.v) n - v: from the room with its lamp
    where r points up, from the hand and the table around it where it points down.
    """
    ray = 2 * normal[:, 2:] * normal - np.array([0, 0, 1], np.float32)
    lamp = np.exp(LAMP_SHARPNESS * (ray @ light.direction_xyz - 1))
    window = (1 - light.ambient) * LAMP_RADIANCE * lamp[:, None]
    above = light.level * (room_radiance(light) + window * light.colour)
    up = smoothstep(ray[:, 2], *HORIZON)[:, None]
    dark = np.exp(DARKER_DOWN * np.minimum(ray[:, 2], 0))[:, None]
    below = dark * light.surround.along(ray, xy)
    return np.asarray(up * above + (1 - up) * below, np.float32)


def room_radiance(light: Light) -> Float:
    """(3,) light of the open but for the lamp, over that of white paper in it."""
    sky = float(smoothstep(np.float32(light.ambient), *SKY_FROM))
    return np.asarray((sky * ROOM_UNDER_SKY + (1 - sky) * ROOM) * light.shade, np.float32)


def relight(layer: Layer, light: Light, ambient: float) -> Layer:
    """The layer, lit by the shop's studio, in the hand's light.

    ambient : 0 returns the layer unchanged, 1 all of the hand's light; between them each channel
    moves steadily (geometrically) from one to the other.
    """
    color, alpha = layer.color, layer.alpha
    inside = alpha > 0.5
    if ambient <= 0 or np.count_nonzero(inside) < 10:
        return layer
    straight = color / cv2.merge([np.maximum(alpha, np.float32(1e-3))] * 3)
    value = np.maximum(luminance(straight), np.float32(1e-3))
    calm = np.asarray(cv2.GaussianBlur(straight, (0, 0), 0.8))
    breadth = _breadth(inside)
    studio = _blurred(value, alpha, DETAIL_SIGMA * breadth)
    darkest = _darkest_near(luminance(calm), inside, FACET * breadth)
    highlight = _highlights(value, alpha, inside)
    # From here on pixel by pixel, so only those that the ring covers: (n,) and (n, 3).
    on = np.flatnonzero(alpha > 0)
    inside, value = inside.take(on), value.take(on)
    studio, highlight, darkest = (v.take(on) for v in (studio, highlight, darkest))
    straight, calm, normal = (
        v.reshape(-1, 3).take(on, axis=0) for v in (straight, calm, layer.normal)
    )
    # What looks down on the finger mirrors no lamp, however white the studio's floor was.
    highlight = highlight * smoothstep(2 * normal[..., 2] ** 2 - 1, *HORIZON)
    hoop = _hoopness(layer.height.take(on), normal, inside & (layer.head.take(on) < 0.5), inside)
    metal = _find_metal(calm, darkest, inside, hoop)
    skin_share = (SKIN_IN_HEAD + (SKIN_MIRRORED - SKIN_IN_HEAD) * hoop) * (1 - highlight)
    tone = _studio_to_hand(value, inside, normal, light, highlight, skin_share)
    gain = cv2.log(np.maximum(tone, 1e-4))
    stone = np.log(min(light.level, 1.0) * _between(light, LAMP_IN_STONES))
    as_metal = metal.share * (1 if metal.is_coloured else 1 - STONES_IN_HEAD * (1 - hoop))
    gain = stone + as_metal[..., None] * (gain - stone)
    share = REPLACED * metal.share * hoop * (1 - HIGHLIGHT_KEPT * highlight)
    row, column = np.divmod(on, alpha.shape[1])
    xy = np.stack([column + layer.roi[0], row + layer.roi[1]], axis=1).astype(np.float32)
    mirrored = _reflectance(value[inside & (metal.share > 0.5)]) * mirrored_room(normal, xy, light)
    replaced = _studio_to_mirrored(value, studio, mirrored)
    gain += share[..., None] * np.minimum(replaced - gain, MOST_BRIGHTENED)
    if metal.is_coloured and not light.is_grey:
        _restore_colour(gain, straight, value, metal.surely, inside & (hoop > 0.5))
    # The studio's deepest black has no picture in it that a factor could light.
    straight = straight + (np.float32(ambient) * share * np.maximum(DARKEST - value, 0))[:, None]
    if light.is_grey:
        straight = straight + np.float32(ambient) * (value[..., None] - straight)
    lit = np.minimum(straight * cv2.exp(np.float32(ambient) * gain), 1)
    relit = np.zeros(color.shape, np.float32)
    relit.reshape(-1, 3)[on] = lit * alpha.take(on)[:, None]
    return replace(layer, color=relit)


def _studio_to_hand(
    value: Float,
    inside: Mask,
    normal: Float,
    light: Light,
    highlight: Float,
    skin_share: Float,
) -> Float:
    """(n, 3) positive factor that keeps the studio's picture and changes its tone and tint: its
    middle goes to the radiance of the room, its highlights to that of a lamp."""
    middle = max(float(np.median(value[inside])), 0.05)
    room = 1.2 * float(luminance(room_radiance(light)))
    base = min(light.level * room / middle, 1.0)
    peak = min(float(np.sqrt(light.level)), 1.0)  # lamps in a dim room still shine
    tone = base + (peak - base) * highlight * 0.9
    skin = light.skin / max(float(luminance(light.skin)), 1e-4)
    share = skin_share[..., None]
    matte = shading(normal, light)
    matte = np.clip(matte / max(float(matte[inside].mean()), 1e-3), 0.6, 1.4)
    tone = tone * np.where(inside, matte, 1) ** (0.5 * (1 - highlight))
    white = _between(light, highlight[..., None])
    return np.asarray(tone[..., None] * (white * (1 - share) + skin * share), np.float32)


def _studio_to_mirrored(value: Float, studio: Float, mirrored: Float) -> Float:
    """(n, 3) log factor that puts what the hoop mirrors now in the place of what it mirrored in its
    studio, and keeps the detail."""
    studio = np.maximum(studio, DARKEST)
    detail = np.log(np.maximum(value, DARKEST) / studio)
    kept = DETAIL_KEPT * MOST_DETAIL * np.tanh(detail / MOST_DETAIL)
    factor = np.maximum(mirrored, np.float32(1e-4)) / studio[:, None]
    return np.asarray(cv2.log(factor) - (detail - kept)[:, None], np.float32)


def _between(light: Light, lamp: Float | float) -> Float:
    """(..., 3) colour of light that comes from the room, 0, to the lamp, 1."""
    return np.asarray(light.shade ** (1 - lamp) * light.colour**lamp, np.float32)


def _highlights(value: Float, alpha: Float, inside: Mask) -> Float:
    """(h, w) in [0, 1]: how far a pixel mirrors one of the studio's lamps."""
    calm = _blurred(value, alpha, 0.8)
    low, high = np.quantile(calm[inside], [HIGHLIGHT_FROM, HIGHLIGHT_TO])
    middle = max((float(low) + float(high)) / 2, HIGHLIGHT_WIDTH)
    half = max((float(high) - float(low)) / 2, HIGHLIGHT_WIDTH / 2)
    return smoothstep(calm, middle - half, middle + half)


@dataclass(frozen=True, slots=True, eq=False)
class _Metal:
    """What of a ring is metal.

    share : (n,) 1 where the colour is the metal's, 0 on stones and enamel of another colour.
    is_coloured : whether the metal has a colour. surely : (n,) its share where it shows that, or
    mirrors a lamp, and so is no stone.
    """

    share: Float
    is_coloured: bool
    surely: Float


def _find_metal(calm: Float, darkest: Float, inside: Mask, hoop: Float) -> _Metal:
    """Metal shows its own colour times a nearly neutral studio, so in (log R/G, log B/G) it lies
    between neutral and somewhat beyond the hoop's commonest colour. darkest : (n,) the least
    luminance near each pixel.
    """
    ratios = _ratios(calm, 0.02)
    band = inside & (hoop > 0.5)
    band = band if np.count_nonzero(band) > LEAST_OF_HOOP else inside
    own, light = ratios[band], luminance(calm[band])
    bright = light > np.median(light)
    typical = np.asarray(np.median(own[bright] if bright.any() else own, axis=0), np.float32)
    length = float(np.linalg.norm(typical))
    axis = typical / np.float32(max(length, 1e-6))
    along = np.clip(ratios @ axis, 0, 1.8 * length + 0.05)
    off_red, off_blue = ratios[:, 0] - along * axis[0], ratios[:, 1] - along * axis[1]
    share = 1 - smoothstep(np.sqrt(off_red**2 + off_blue**2), *METAL_SPREAD)
    if typical[1] > -COLOURED:
        return _Metal(share, False, share)
    colour = np.asarray(_ratios(calm, 0.003) @ axis / length, np.float32)
    lamp = hoop * smoothstep(darkest, *NO_FACET)
    coloured = smoothstep(colour, *COLOURLESS)
    surely = np.maximum(smoothstep(colour, *OF_METAL), lamp * coloured)
    return _Metal(share * np.maximum(lamp, coloured), True, share * surely)


def _restore_colour(gain: Float, straight: Float, value: Float, surely: Float, hoop: Mask) -> None:
    """Add to the log ``gain``, (n, 3), what gives metal back the colour that a bright photo has
    bleached, at the same luminance: in a hand's dimmer light it would be green and grey.

    surely, hoop : (n,) how surely a pixel is metal, and whether it is the hoop's.
    """
    red, green, blue = straight.T
    brightest = np.maximum(np.maximum(red, green), blue)
    shown = hoop & (surely > 0.5) & (brightest > EXPOSED[0]) & (brightest < EXPOSED[1])
    bleached = np.flatnonzero((surely > 0) & (brightest > BLEACHED[0]))
    if np.count_nonzero(shown) < LEAST_OF_HOOP or not len(bleached):
        return
    colour = np.median(straight[shown] / value[shown, None], axis=0)
    share = surely[bleached] * smoothstep(brightest[bleached], *BLEACHED)
    least = np.float32(1e-3)  # of a channel that photos of saturated gold have nothing of
    restored = np.maximum(value[bleached, None] * colour, least)
    restored /= np.maximum(straight.take(bleached, axis=0), least)
    gain[bleached] += share[:, None] * cv2.log(restored)


def _ratios(rgb: Float, dark: float) -> Float:
    """(n, 2) log R/G and log B/G; below ``dark`` they are noise and go to 0."""
    rgb = rgb + np.float32(dark)
    return np.asarray(np.log(rgb[:, [0, 2]] / rgb[:, 1:2]), np.float32)


def _reflectance(value: Float) -> float:
    """Share of the light that metal returns which is as bright as this in its studio, (n,)."""
    if len(value) == 0:
        return METAL_REFLECTANCE
    return METAL_REFLECTANCE * min(float(value.mean()) / BLACK_METAL, 1.0) ** 2


def _hoopness(height: Float, normal: Float, band: Mask, inside: Mask) -> Float:
    """(n,) 1 on the hoop, 0 on what stands clearly above it.

    How high the band is, its sides tell; where none are seen, most of the ring. band, inside : what
    is no head, and all of the ring.
    """
    sides = band & (normal[..., 2] < SIDES)
    known = np.count_nonzero(sides) > LEAST_OF_HOOP
    high = float(np.median(height[sides]) if known else np.percentile(height[inside], 30))
    return 1 - smoothstep(height / max(high, 1.0), *ABOVE_BAND)


def _darkest_near(value: Float, inside: Mask, reach_px: float) -> Float:
    """(h, w) the least value of the ring's pixels that near."""
    side = 2 * max(round(reach_px), 1) + 1
    square = np.ones((side, side), np.uint8)  # a disc would take time by its area
    return np.asarray(cv2.erode(np.where(inside, value, np.float32(1)), square), np.float32)


def _breadth(inside: Mask) -> float:
    """px across the band: over a strip, the distance to its rims has its median at a quarter."""
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)[inside]
    return float(4 * np.median(depth))


def _blurred(value: Float, alpha: Float, sigma: float) -> Float:
    """Gaussian mean of a straight value over the ring only."""
    sigma = max(sigma, 0.3)
    weight = cv2.GaussianBlur(alpha, (0, 0), sigma)
    return np.asarray(
        cv2.GaussianBlur(value * alpha, (0, 0), sigma) / np.maximum(weight, 1e-4), np.float32
    )
