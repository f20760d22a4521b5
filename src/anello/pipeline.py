"""The story: a hand photo and a product photo become the photo of the worn ring.

Read `try_on` from top to bottom. What a step can't find becomes an error here; the steps themselves
know arrays and numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from anello.codec import Photo
from anello.errors import (
    InvalidParameter,
    ObjectDetectionFail,
    PhotoCheckInvalid,
    PhotoDetectionFail,
)
from anello.imaging import stacking
from anello.imaging.arrays import Bytes, Float, Float64, Roi
from anello.imaging.color import linear_to_srgb, srgb_to_linear
from anello.imaging.dome import ASIDE_DEG, Dome, fit_dome
from anello.imaging.finger import FingerSite, locate_site
from anello.imaging.hand import Finger, Hand, PoseCheck, check_pose
from anello.imaging.head import Head, fit_head
from anello.imaging.lighting import Light, estimate_light
from anello.imaging.matting import Cutout, cut_out, cut_out_by_mask, one_of_a_pair
from anello.imaging.mending import mended
from anello.imaging.relighting import relight
from anello.imaging.ring import RingShape, at_anchors, fit_ring
from anello.imaging.sensor import Grain, add_grain, estimate_grain, match_blur, photo_sigma
from anello.imaging.shadow import cast_shade, shade_roi, shadow_matte
from anello.imaging.shoulders import fit_shoulders
from anello.imaging.skin_map import SkinMap, map_skin, skin_matte
from anello.imaging.texture import Texture, make_texture
from anello.imaging.turn import Layer, hand_from_ring, turn
from anello.imaging.warp import crop, downscaled, grown_roi, is_empty, joined, placed
from anello.imaging.worn_rings import Span, find_worn
from anello.models import Models
from anello.models.ring_network import RingNetwork
from anello.options import Options
from anello.stopwatch import Stopwatch

SHADOW_REACH = 0.9
"""How far from the ring its shadow may change the photo, in finger widths."""

SKIN_REACH = 1.6
"""How far around a place its skin is mapped, in finger widths: a wide ring and its shadow."""

OVERVIEW_PX = 400
"""Long side of the reduced photo that the light is read from."""

UNASKED_FINGERS = (Finger.RING, Finger.MIDDLE, Finger.INDEX, Finger.LITTLE)
"""Fingers tried in this order where none is asked for."""

PLACES_KEPT = 64
"""Places on a hand whose measurement an analysis remembers."""

TOP_HARDLY_SEEN = 0.4
"""How squarely a head's top is seen (see ``RingShape.top_seen``) from which it is not clear any
more."""

RING_PX = 1400
"""Long side at which a cut-out ring is kept for drawing: more than the widest finger of a 4,096 px
photo can show, sampled twice a pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place on a finger, the skin around it, the light and grain that a ring there takes, and the
    locations of rings that the finger wears already."""

    site: FingerSite
    skin: SkinMap
    light: Light
    grain: Grain
    worn: tuple[Span, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HandAnalysis:
    """Everything about a hand photo that does not depend on the ring. Picklable."""

    photo: Photo
    hand: Hand
    checks: tuple[PoseCheck, ...]
    mask: Bytes | None
    overview: Float
    _places: dict[tuple[Finger, float], Place] = field(default_factory=dict, repr=False)

    def place(self, finger: Finger, location: float) -> Place:
        """Where a ring sits, measured once for each place. Raises PhotoCheckInvalid."""
        if (finger, location) not in self._places:
            if len(self._places) >= PLACES_KEPT:
                self._places.clear()
            self._places[finger, location] = _measure_place(self, finger, location)
        return self._places[finger, location]


@dataclass(frozen=True, slots=True, eq=False)
class RingAnalysis:
    """Everything about a product photo that does not depend on the hand. Picklable.

    cutout, texture, shape, head, dome : in pixels of a crop around the ring, reduced when very
    large; ``photo_xy = crop_xy / scale + offset_xy`` leads back to the product photo.
    """

    cutout: Cutout
    texture: Texture
    shape: RingShape
    head: Head | None
    dome: Dome | None
    offset_xy: tuple[float, float]
    scale: float
    size: tuple[int, int]

    def front(self, site: FingerSite) -> Head | Dome | None:
        """What stands on the hoop, as it is drawn there: a dome would smear what it turns aside."""
        aside = abs(site.roll_deg - self.shape.head_deg)
        return self.dome if self.dome is not None and aside < ASIDE_DEG else self.head

    def width_px(self, site: FingerSite) -> float:
        """How far along the finger the band reaches there, px of the hand photo."""
        front = self.front(site)
        width = front.width if isinstance(front, Dome) else self.shape.band_width_px
        return width * hand_from_ring(self.shape, site)

    def to_photo(self, points_xy: Float64) -> Float64:
        """Points of the crop as points of the product photo."""
        return np.asarray((points_xy + 0.5) / self.scale - 0.5 + np.array(self.offset_xy))

    def with_anchors(self, anchors: Sequence[Sequence[float]]) -> RingAnalysis:
        """The same cut-out, its hoop measured anew from a client's two contact points."""
        points = np.array(anchors, np.float64)
        if not ((points >= 0) & (points <= np.array(self.size))).all():
            raise InvalidParameter(
                "anchors: a point lies outside the product photo",
                remedy=f"Both points must be within {self.size[0]} x {self.size[1]} pixels.",
            )
        cropped = (points - np.array(self.offset_xy) + 0.5) * self.scale - 0.5
        shape = at_anchors(self.shape, self.cutout, cropped)
        if shape is None:
            raise InvalidParameter(
                "anchors: the two points don't lie on a ring",
                remedy="Give the two points of the inner edge that are farthest apart; "
                "of two rings in one photo, those of the one in front.",
            )
        shape = replace(shape, shoulders=fit_shoulders(self.cutout, shape))
        head = fit_head(self.cutout, shape)
        dome = fit_dome(self.cutout, shape, head)
        return replace(self, shape=shape, head=head, dome=dome)


@dataclass(frozen=True, slots=True, eq=False)
class WornRing:
    """One ring on the hand, with what was measured and drawn on the way."""

    options: Options
    site: FingerSite
    ring: RingAnalysis
    layer: Layer
    light: Light
    shadow: Float
    warnings: tuple[str, ...]


def analyse_hand(
    photo: Photo, models: Models, mask: Bytes | None = None, watch: Stopwatch | None = None
) -> HandAnalysis:
    """Find the hand and check its pose.

    mask : (H, W), 255 where the hand is. Raises PhotoDetectionFail, PhotoCheckInvalid.
    """
    watch = watch or Stopwatch()
    with watch("find hand"):
        hand, checks = look_at_hand(photo, models)
    failed = next((check for check in checks if not check.ok), None)
    if hand is None or failed is not None:
        raise pose_error(failed)
    with watch("overview"):
        overview = _overview(photo.pixels)
    return HandAnalysis(photo, hand, checks, mask, overview)


def look_at_hand(
    photo: Photo, models: Models, finger: Finger | None = None
) -> tuple[Hand | None, tuple[PoseCheck, ...]]:
    """The hand, if there is one, and every pose check; nothing is raised."""
    from anello.models.hand_networks import find_hand

    hand = find_hand(photo.pixels, models.hand)
    size = (photo.width, photo.height)
    return hand, tuple(check_pose(hand, size, finger)) if hand is not None else ()


def pose_error(failed: PoseCheck | None) -> PhotoDetectionFail | PhotoCheckInvalid:
    """The error that a failed check stands for; None stands for no hand at all."""
    if failed is None:
        return PhotoDetectionFail(
            remedy="Photograph the back of one hand, all five fingers in the picture, well lit."
        )
    kind = PhotoDetectionFail if failed.code == PhotoDetectionFail.code else PhotoCheckInvalid
    return kind(failed.message, remedy=failed.remedy)


def analyse_ring(
    photo: Photo,
    network: RingNetwork,
    mask: Bytes | None = None,
    remove_background: bool = True,
    watch: Stopwatch | None = None,
) -> RingAnalysis:
    """Cut the ring out of its product photo and measure its hoop and head.

    mask : (H, W), 255 where the ring is; replaces background removal. Raises ObjectDetectionFail.
    """
    watch = watch or Stopwatch()
    with watch("cut out ring"):
        found = _tell_ring(photo, network, mask, remove_background)
        cutout, offset_xy, scale = _close_up(one_of_a_pair(found))
    with watch("measure ring"):
        shape = fit_ring(cutout)
        if shape is None:
            raise no_ring()
        cutout = mended(cutout, shape.fitted)
        shape = replace(shape, shoulders=fit_shoulders(cutout, shape))
        head, texture = fit_head(cutout, shape), make_texture(cutout)
        dome = fit_dome(cutout, shape, head)
    size = (photo.width, photo.height)
    return RingAnalysis(cutout, texture, shape, head, dome, offset_xy, scale, size)


def cut_out_ring(
    photo: Photo, network: RingNetwork, mask: Bytes | None, remove_background: bool
) -> Cutout:
    """The ring without its ground, full size. Raises ObjectDetectionFail."""
    whole = _tell_ring(photo, network, mask, remove_background)
    close, offset_xy, scale = _close_up(whole)
    shape = fit_ring(close)
    if shape is None or shape.fitted is None:
        return whole
    return mended(whole, shape.fitted.scaled(1 / scale).moved(offset_xy))


def _tell_ring(
    photo: Photo, network: RingNetwork, mask: Bytes | None, remove_background: bool
) -> Cutout:
    """Tell the ring from its ground, by a mask or by what is seen. Raises ObjectDetectionFail."""
    if mask is not None:
        cutout = cut_out_by_mask(photo.pixels, mask)
    else:
        evidence = network.look(_on_white(photo))
        cutout = cut_out(photo.pixels, evidence, network.tell_gaps, photo.alpha, remove_background)
    if cutout is None:
        raise no_ring()
    return cutout


def _on_white(photo: Photo) -> Bytes:
    """(H, W, 3) sRGB; colours under transparency may be anything, so they are not looked at."""
    if photo.alpha is None:
        return photo.pixels
    cover = photo.alpha[..., None].astype(np.uint16)
    return np.asarray((photo.pixels * cover + 255 * (255 - cover) + 127) // 255, np.uint8)


def no_ring() -> ObjectDetectionFail:
    return ObjectDetectionFail(
        remedy="Use a three-quarter product photo of one ring on a plain ground, opening visible."
    )


def try_on(
    hand: HandAnalysis,
    rings: Sequence[RingAnalysis],
    options: Sequence[Options],
    watch: Stopwatch | None = None,
) -> tuple[Photo, Bytes, tuple[WornRing, ...]]:
    """Put the rings on the hand.

    Returns the picture, the (H, W) coverage of the visible rings, and what was done for each.
    """
    watch = watch or Stopwatch()
    with watch("finger site"):
        places = _places(hand, rings, options)
    picture = hand.photo.pixels.copy()
    coverage = np.zeros(picture.shape[:2], np.uint8)
    worn: dict[int, WornRing] = {}
    order = stacking.drawing_order(
        [place.site for place in places], [ring.head is not None for ring in rings]
    )
    for index in order:
        worn[index] = _wear(
            picture, coverage, hand, rings[index], places[index], options[index], watch
        )
    photo = replace(hand.photo, pixels=picture, alpha=None)
    return photo, coverage, tuple(worn[index] for index in range(len(rings)))


def _wear(
    picture: Bytes,
    coverage: Bytes,
    hand: HandAnalysis,
    ring: RingAnalysis,
    place: Place,
    options: Options,
    watch: Stopwatch,
) -> WornRing:
    """Draw one ring into ``picture`` and ``coverage``."""
    size, site = (hand.photo.width, hand.photo.height), place.site
    with watch("turn"):
        layer = turn(ring.texture, ring.shape, ring.front(site), site, size)
        if is_empty(layer.roi):
            raise PhotoCheckInvalid(
                "Hand size should fit in range", remedy="Keep the whole finger in the frame."
            )
        layer = _behind_mask(layer, hand, site)
    with watch("light"):
        layer = relight(layer, place.light, options.ambient)
    with watch("shadow"):
        around = grown_roi(layer.roi, round(SHADOW_REACH * site.width_px), size)
        alpha, height, head = (
            placed(v, layer.roi, around) for v in (layer.alpha, layer.height, layer.head)
        )
        shade = cast_shade(alpha, height, head, site, place.light, place.skin, around)
        roi = joined(layer.roi, shade_roi(shade, options.shadow))
        patch = srgb_to_linear(crop(picture, roi))
        skin = skin_matte(place.skin, site, roi, _matte(hand.mask, roi))
        shadow = shadow_matte(shade, options.shadow, skin, roi)
    with watch("composite"):
        composed = patch * shadow
        color, alpha = match_blur(layer.color, layer.alpha, site.edge_sigma_px)
        under = crop(composed, layer.roi, roi)
        over = color + (1 - alpha[..., None]) * under
        under[:] = add_grain(over, alpha, place.grain, crop(patch, layer.roi, roi))
        _write_back(picture, roi, patch, composed)
        covered = crop(coverage, layer.roi)
        np.maximum(covered, np.round(alpha * 255).astype(np.uint8), out=covered)
    warnings = _warnings(hand, ring, place)
    return WornRing(options, site, ring, layer, place.light, shadow, warnings)


def wanted_places(hand: HandAnalysis, options: Sequence[Options]) -> list[Place]:
    """The places that the options name, before any ring is known. Raises PhotoCheckInvalid."""
    return [_wanted_place(hand, option) for option in options]


def _wanted_place(hand: HandAnalysis, option: Options) -> Place:
    """On the finger asked for; else on the ring finger, or the next one that can be seen."""
    if option.finger is not None:
        return hand.place(option.finger, option.location)
    for finger in UNASKED_FINGERS[:-1]:
        try:
            return hand.place(finger, option.location)
        except PhotoCheckInvalid:
            continue
    return hand.place(UNASKED_FINGERS[-1], option.location)


def _places(
    hand: HandAnalysis, rings: Sequence[RingAnalysis], options: Sequence[Options]
) -> list[Place]:
    """Where each ring sits; rings on one finger are moved apart until none overlaps."""
    places = wanted_places(hand, options)
    sites = [place.site for place in places]
    worn = {place.site.finger: place.worn for place in places}
    bands_px = [ring.width_px(site) for ring, site in zip(rings, sites, strict=True)]
    locations = stacking.spread(hand.hand, sites, bands_px, worn)
    # What a finger wears is said as it was seen from the place asked for.
    return [
        replace(hand.place(place.site.finger, location), worn=place.worn)
        for place, location in zip(places, locations, strict=True)
    ]


def _measure_place(hand: HandAnalysis, finger: Finger, location: float) -> Place:
    site = locate_site(hand.photo.pixels, hand.hand, finger, location, hand.mask)
    if site is None:
        raise PhotoCheckInvalid(
            remedy=f"The {finger.name.lower()} finger can't be seen clearly from knuckle to middle "
            "joint; choose another finger or another photo."
        )
    size = (hand.photo.width, hand.photo.height)
    x, y = np.floor(site.centre_xy).astype(int)
    middle = (int(x), int(y), int(x) + 1, int(y) + 1)
    roi = grown_roi(middle, round(site.width_px), size)
    patch = srgb_to_linear(crop(hand.photo.pixels, roi))
    site = replace(site, edge_sigma_px=photo_sigma(patch, site.edge_sigma_px))
    points_xy = hand.hand.points_xy
    around = grown_roi(middle, round(SKIN_REACH * site.width_px), size)
    skin_map = map_skin(crop(hand.photo.pixels, around), site, around, points_xy)
    skin = skin_matte(skin_map, site, roi, _matte(hand.mask, roi))
    scale = hand.overview.shape[1] / hand.photo.width
    light = estimate_light(patch, skin, site, roi, hand.overview, scale, points_xy)
    unit_px = stacking.location_px(hand.hand, finger)
    worn = find_worn(hand.photo.pixels, site, unit_px)
    return Place(site, skin_map, light, estimate_grain(patch, skin), worn)


def _overview(pixels: Bytes) -> Float:
    """The whole photo at a few hundred px, linear light."""
    height, width = pixels.shape[:2]
    scale = min(1.0, OVERVIEW_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return srgb_to_linear(downscaled(pixels, size))


def _close_up(cutout: Cutout) -> tuple[Cutout, tuple[float, float], float]:
    """The cut-out cropped to the ring and no larger than RING_PX; offset and scale of the crop."""
    rows, columns = np.flatnonzero(cutout.alpha.any(1)), np.flatnonzero(cutout.alpha.any(0))
    margin = 4
    y0, y1 = max(int(rows[0]) - margin, 0), int(rows[-1]) + 1 + margin
    x0, x1 = max(int(columns[0]) - margin, 0), int(columns[-1]) + 1 + margin
    rgb, alpha = cutout.rgb[y0:y1, x0:x1], cutout.alpha[y0:y1, x0:x1]
    opening = None if cutout.opening is None else cutout.opening[y0:y1, x0:x1]
    scale = min(1.0, RING_PX / max(alpha.shape))
    if scale < 1:
        size = (round(alpha.shape[1] * scale), round(alpha.shape[0] * scale))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        if opening is not None:
            opening = cv2.resize(opening.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    close = replace(
        cutout,
        rgb=np.ascontiguousarray(rgb),
        alpha=np.ascontiguousarray(alpha),
        opening=None if opening is None else np.ascontiguousarray(opening),
        clues=None if cutout.clues is None else cutout.clues.in_crop((float(x0), float(y0)), scale),
    )
    return close, (float(x0), float(y0)), scale


def _matte(mask: Bytes | None, roi: Roi) -> Float | None:
    return None if mask is None else crop(mask, roi).astype(np.float32) / np.float32(255)


def _behind_mask(layer: Layer, hand: HandAnalysis, site: FingerSite) -> Layer:
    """Hide what a hand mask says is in front of the hand; the overhang beside the finger stays."""
    matte = _matte(hand.mask, layer.roi)
    if matte is None:
        return layer
    x0, y0, x1, y1 = layer.roi
    column, row = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
    across = (column - site.centre_xy[0]) * site.across_xy[0] + (row - site.centre_xy[1]) * (
        site.across_xy[1]
    )
    beside = np.abs(across) > 0.5 * site.width_px - 1.5 * site.edge_sigma_px
    keep = np.where(beside, 1, matte).astype(np.float32)
    return replace(layer, color=layer.color * keep[..., None], alpha=layer.alpha * keep)


def _write_back(picture: Bytes, roi: Roi, patch: Float, composed: Float) -> None:
    """Put the region back; pixels that nothing changed keep their decoded bytes."""
    changed = cv2.transform((composed != patch).view(np.uint8), np.ones((1, 3)))
    cv2.copyTo(linear_to_srgb(composed), changed, crop(picture, roi))


def _warnings(hand: HandAnalysis, ring: RingAnalysis, place: Place) -> tuple[str, ...]:
    site = place.site
    said = [*ring.cutout.warnings, *ring.shape.warnings]
    if ring.head is not None and ring.shape.top_seen < TOP_HARDLY_SEEN:
        said.append(
            "the ring's head is seen from its side; a three-quarter view with the head towards the "
            "camera shows its top"
        )
    if hand.hand.n_hands > 1:
        said.append(f"{hand.hand.n_hands} hands were found; the largest whole one wears the ring.")
    if place.worn:
        unit_px = stacking.location_px(hand.hand, site.finger)
        half = ring.width_px(site) / 2 / unit_px
        said.append(
            "This finger wears a ring already and leaves no room for another; "
            "another finger, or a photo without it, would help."
            if stacking.overlaps(site.location, half, place.worn)
            else "This finger wears a ring already; the new one is kept clear of it."
        )
    if site.confidence < 0.5:
        said.append(
            "The finger's edges are unclear here; a plain ground and spread fingers would help."
        )
    return tuple(dict.fromkeys(said))
