"""The turn: a ring seen by the shop's camera, drawn as the hand's camera would have seen it.

The product photo is projected onto a three-surface proxy of the ring and the proxy is looked at
from above the finger (docs/how-it-works.md):

* the *hoop*, a short cylinder of outer radius R_o with the flat near face that shows its thickness;
* the *top* of the head, a plane that faces out along the back of the finger;
* the *wall* of the head, the upright surface between the top's near edge and the hoop.

A head as wide as its hoop has one surface instead of the last two and most of the first: a *dome*.

Both cameras are orthographic. In the camera's upright frame a point of the ring has a sideways
coordinate ``t``, one towards the visible top of the hoop ``g`` and an axial one ``a`` (towards the
near rim: the wrist's side on the hand). A camera at elevation e out of the hoop's plane sees it at

    x = t        y = g sin e - a cos e        (y upwards)

so every surface has a closed inverse: from a pixel of the hand photo to the point of the ring that
it shows, and from there to the pixel of the product photo that saw that point. The half of the
hoop behind the finger is never drawn, for it is never asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, radians, sin, sqrt
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from anello.imaging.arrays import Float, Float64, Roi
from anello.imaging.dome import NARROWS_DEG, Dome, DomeView, see_dome
from anello.imaging.finger import FingerSite
from anello.imaging.hand import Finger
from anello.imaging.head import Head
from anello.imaging.hoop import see_hoop
from anello.imaging.ring import RingShape
from anello.imaging.texture import FULL, Level, Texture
from anello.imaging.view import READABLE_DEG, View

SNUGNESS, THUMB_SNUGNESS = 1.0, 0.95
"""Inner radius of the hoop over half the finger's width: a ring that fits touches both sides. A
thumb is seen askew, where its flesh is widest and gives way to the ring."""

SAMPLE_RADIUS_MM = 8.65
"""Inner radius of the rings that shops photograph: a sample's usual size (US 7, EU 54)."""

RADII_MM = (6.0, 11.5)
"""Inner radii that rings are made in (US 0 to 18); a finger measured beyond gets the last one."""

LOOKS_LARGER = np.float32(1.04)
"""How much larger a head looks in a product photo than its hoop, for it is nearer to the camera: a
camera 20 outer radii away makes it as much, and so outlines of 113 path-traced rings agree best."""

SUPERSAMPLING = 2
"""Samples per pixel and direction: anti-aliased ends at a quarter of the cost of four."""

FAR_MARGIN = 1.3
"""How far past its fitted reach the top is still read: there the photo's own alpha ends it."""

LEAST_WALL = 0.05
"""A wall lower than this, outer radii, is a bright thread that comes and goes with the pixels."""

WALL_SHOWN, SCRAP = 0.75, 0.15
"""Share of a wall's height that the product photo must show, and the least width of such a piece,
outer radii."""

OVERHANG = 0.15
"""How far a wall may hang into the opening, in outer radii."""

ISLAND = 0.08
"""Share of the ring's area below which a piece apart from it is an artefact."""

STEEPEST = np.float32(0.4)
"""Slope of a head's top across the finger that still counts as its shape."""

FACE_ON, INTO_METAL = (radians(60.0), radians(72.0)), 0.3
"""Elevations between which a product photo comes to look straight into the hole, and how far into
the metal its band is read then, as a share of it: by outlines of 21 path-traced rings."""

FLANK_FROM = radians(12.0)
"""Roll from which the side of the head shows enough to be drawn."""

FLANK, FLANK_FOOT = 0.96, 0.5
"""How far out a head's side stands below its top and at the band, as a share of the top."""

FLANK_MIRRORED = 0.12, 0.3
"""Part of the top, from its edge inwards, whose mirror image the side wears."""

FLANK_STEPS = 3
"""Rounds in which a sample's height on the flank and its place around it settle."""

_EDGE_STEPS = 256
"""Entries of the table of a head's near edge."""

_Box: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The ring in the frame of a region of the hand photo.

    color : (h, w, 3) linear light, premultiplied by alpha. alpha : (h, w) in [0, 1].
    normal : (h, w, 3) unit, x right, y down, z towards the viewer; (0, 0, 1) beside the ring.
    height : (h, w) px of the hand photo above the finger's skin. roi : where it lies in the photo.
    head : (h, w) 1 where a head that stands over the band is seen.
    """

    color: Float
    alpha: Float
    normal: Float
    height: Float
    head: Float
    roi: Roi


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """What one surface shows at each sample of the hand's region.

    source_xy : where to read the product photo, x right and y up from the hoop's centre.
    visible : where the surface is. t, g, a of the normal in the hand's view. height above the skin.
    is_head : whether it is the head's.
    """

    source_x: Float
    source_y: Float
    visible: NDArray[np.bool_]
    normal_tga: tuple[Float, Float, Float]
    height: Float
    is_head: bool = False


def hand_from_ring(shape: RingShape, site: FingerSite) -> float:
    """Pixels of the hand photo per pixel of the product photo: for metal and stones, which are as
    large in every size that a ring is made in."""
    per_mm = _radius_px(site) / _radius_mm(site)
    return float(per_mm * SAMPLE_RADIUS_MM / shape.inner_radius_px)


def opened_by(shape: RingShape, site: FingerSite) -> float:
    """How much larger the ring's radius is in the finger's size than it was photographed, product
    px; negative where it is smaller."""
    return float(shape.inner_radius_px * (_radius_mm(site) / SAMPLE_RADIUS_MM - 1))


def _radius_px(site: FingerSite) -> float:
    snugness = THUMB_SNUGNESS if site.finger == Finger.THUMB else SNUGNESS
    return snugness * site.width_px / 2


def _radius_mm(site: FingerSite) -> float:
    return float(np.clip(_radius_px(site) / site.px_per_mm, *RADII_MM))


def _hoop(
    x: Float, y: Float, shape: RingShape, head: Head | None, seen: View, shop: View
) -> _Sheet:
    """The near half of the hoop, and the sliver of its near face that shows beyond the finger."""
    hoop = see_hoop(shape.hoop.opened(seen.lift, seen.azimuth), seen.elevation, x, y)
    from_head = (hoop.azimuth - seen.azimuth) * (1 + seen.lift / shape.outer_radius_px)
    r = hoop.r - np.float32(seen.lift)

    from_head = _readable(from_head.astype(np.float32), head, shop)
    azimuth = from_head + np.float32(shop.azimuth)
    read_at = r * np.float32(1 - _into_metal(shape, shop))
    source_x, source_y = shop.project(read_at * np.sin(azimuth), read_at * np.cos(azimuth), hoop.a)
    if head is not None:
        # What stands before a shoulder in the photo is not before its mirror image.
        hidden = np.nonzero(hoop.visible & _shows_head(source_x, source_y, head, shop))
        azimuth = np.float32(shop.azimuth) - from_head[hidden]
        t, g = read_at[hidden] * np.sin(azimuth), read_at[hidden] * np.cos(azimuth)
        x, y = shop.project(t, g, hoop.a[hidden])
        clear = ~_shows_head(x, y, head, shop) & (np.abs(azimuth) < radians(READABLE_DEG))
        swapped = tuple(index[clear] for index in hidden)
        source_x[swapped], source_y[swapped] = x[clear], y[clear]
    return _Sheet(source_x, source_y, hoop.visible, hoop.normal_tga, r - shape.inner_radius_px)


def _readable(from_head: Float, head: Head | None, shop: View) -> Float:
    """Azimuth from the head at which to read a point of the hoop.

    Under the head the hoop is continued from its shoulders. What the product photo's camera did not
    see is read from the other side: a ring is nearly symmetric about its head.
    """
    if head is not None:
        lo, hi = head.azimuth_range
        inside = (from_head > lo) & (from_head < hi)
        from_head = np.where(inside, np.where(from_head < (lo + hi) / 2, lo, hi), from_head)
    limit, turned = radians(READABLE_DEG), np.float32(shop.azimuth)
    unseen = np.abs(turned + from_head) > limit
    unseen &= np.abs(turned - from_head) < np.abs(turned + from_head)
    from_head = np.where(unseen, -from_head, from_head)
    return np.asarray(np.clip(from_head, -limit - turned, limit - turned), np.float32)


def _into_metal(shape: RingShape, shop: View) -> float:
    """How much nearer to the middle than it lies the band's outside is read, as a share: straight
    into the hole a photo shows it on edge at best, and the metal's face beside it."""
    straight = np.clip((shop.elevation - FACE_ON[0]) / (FACE_ON[1] - FACE_ON[0]), 0, 1)
    return float(straight * INTO_METAL * (1 - shape.inner_radius_px / shape.outer_radius_px))


def _shows_head(x: Float, y: Float, head: Head, shop: View) -> NDArray[np.bool_]:
    """Whether the product photo shows the head's top there."""
    across, _ = shop.from_head(head.q, head.height)
    near_edge = head.middle - head.reach * cos(shop.elevation)
    # A table of even steps, so that no sample has to be searched for.
    at = np.linspace(across.min(), across.max(), _EDGE_STEPS)
    table = np.interp(at, np.maximum.accumulate(across), near_edge).astype(np.float32)
    place = (x - np.float32(at[0])) * np.float32(1 / max(at[1] - at[0], 1e-6))
    inside = (place >= 0) & (place <= _EDGE_STEPS - 1)
    edge = table[np.clip(place, 0, _EDGE_STEPS - 1).astype(np.int16)]
    return np.asarray(inside & (y > edge))


@dataclass(frozen=True, slots=True, eq=False)
class _HeadColumns:
    """The head's top in each sample's column: q, height, reach, middle as in `Head`, the slope of
    its height along q; whether there is any head, and a wall below its top."""

    q: Float
    height: Float
    reach: Float
    middle: Float
    slope: Float
    present: NDArray[np.bool_]
    walled: NDArray[np.bool_]


def _head_columns(x: Float, head: Head, seen: View, walled: Float) -> _HeadColumns:
    t, _ = seen.from_head(head.q, head.height)
    position = np.interp(x, np.maximum.accumulate(t), np.arange(len(t)), left=-1, right=-1)
    position = position.astype(np.float32)
    before = np.clip(position, 0, len(t) - 2).astype(np.int32)
    part = position - before.astype(np.float32)

    def at(values: Float) -> Float:
        return np.asarray(values[before] + part * np.diff(values)[before], np.float32)

    # Steps between the parts of a head are the fit's, not the jeweller's: no light falls on them.
    slope = np.clip(np.gradient(head.height, head.q), -STEEPEST, STEEPEST).astype(np.float32)
    q, height, reach = at(head.q), at(head.height), at(head.reach)
    present = (position >= 0) & (reach > 0)
    return _HeadColumns(q, height, reach, at(head.middle), at(slope), present, at(walled) > 0.5)


def _head_top(y: Float, column: _HeadColumns, shape: RingShape, seen: View, shop: View) -> _Sheet:
    """The upper side of the head, facing out along the back of the finger."""
    q, height, reach = column.q, column.height, column.reach
    _, g = seen.from_head(q, height)
    a = (g * sin(seen.elevation) - y) / cos(seen.elevation)
    # The far edge is the photo's own silhouette; the near edge is its mirror image.
    visible = (a <= reach) & (a >= -FAR_MARGIN * reach - 0.05 * shape.outer_radius_px)
    source_x, _ = shop.from_head(q, height)
    source_y = column.middle - a * cos(shop.elevation)
    facing = 1 / np.sqrt(column.slope * column.slope + np.float32(1))
    normal_t, normal_g = seen.turned(-column.slope * facing, facing)
    normal = (normal_t, normal_g, np.zeros_like(y))
    height = height - shape.inner_radius_px
    return _Sheet(source_x, source_y, visible & column.present, normal, height, is_head=True)


def _head_wall(y: Float, column: _HeadColumns, shape: RingShape, seen: View, shop: View) -> _Sheet:
    """The upright surface below the top's near edge, down to the hoop."""
    q, top, reach = column.q, column.height, column.reach
    c, s = cos(seen.azimuth), sin(seen.azimuth)
    g = (y + reach * cos(seen.elevation)) / sin(seen.elevation)
    height = np.asarray((g + q * s) / c - seen.lift, np.float32)
    visible = column.present & column.walled
    visible &= (height <= top) & (height >= shape.outer_radius_px)
    source_x, _ = shop.from_head(q, top)
    drop = (top - height) * (cos(shop.azimuth) * sin(shop.elevation))
    source_y = np.asarray(column.middle - reach * cos(shop.elevation) - drop, np.float32)
    visible &= _is_wall(source_x, source_y, shape, shop)
    zero = np.zeros_like(y)
    up, height = (zero, zero, zero + 1), height - shape.inner_radius_px
    return _Sheet(source_x, source_y, visible, up, height, is_head=True)


def _head_flank(x: Float, y: Float, head: Head, shape: RingShape, seen: View, shop: View) -> _Sheet:
    """The side of the head that shows when the finger's back is turned away: a cone from its top
    down to the band. The product photo's camera did not see it, so it wears the mirror image of the
    top: what is below a stone's edge looks much like what is within it.
    """
    c, s = cos(seen.azimuth), sin(seen.azimuth)
    middle_q, half_q = (head.q[-1] + head.q[0]) / 2, (head.q[-1] - head.q[0]) / 2
    longest = max(float(head.reach.max()), 1e-3)
    side = -np.sign(s) * half_q
    top = float(np.interp(middle_q + FLANK * side, head.q, head.height))
    foot = float(shape.outer_radius_px)
    deep = max(top - foot, 1e-3)
    taper = (1 - FLANK_FOOT) / deep
    facing = np.ones_like(x)
    for _ in range(FLANK_STEPS):
        # In a cut along the hoop, q = middle_q + across (1 - taper (top - height)).
        across = FLANK * side * facing
        towards = s + across * taper * c
        towards = np.where(towards * s > 0.02, towards, np.float32(np.inf))
        at_top = middle_q + across
        height = top + (x - at_top * c - (top + seen.lift) * s) / towards
        share = np.clip(1 - taper * (top - height), FLANK_FOOT, 1).astype(np.float32)
        q = middle_q + across * share
        _, g = seen.from_head(q, height)
        a = (g * sin(seen.elevation) - y) / cos(seen.elevation)
        axial = a / (FLANK * longest * share)
        facing = np.sqrt(np.maximum(1 - axial * axial, 0)).astype(np.float32)
    visible = np.isfinite(towards) & (np.abs(axial) < 1) & (height <= top) & (height >= foot)
    inward = 1 - FLANK_MIRRORED[0] - np.ptp(FLANK_MIRRORED) * np.clip((top - height) / deep, 0, 1)
    at = middle_q + side * inward * facing
    middle, level = (
        np.interp(at, head.q, values).astype(np.float32) for values in (head.middle, head.height)
    )
    source_x, _ = shop.from_head(at, level)
    source_y = middle - longest * inward * axial * cos(shop.elevation)
    normal_t, normal_g = seen.turned(np.sign(side) * facing, np.full_like(x, -taper * half_q))
    normal = (normal_t, normal_g, axial)
    height = height - shape.inner_radius_px
    return _Sheet(source_x, source_y, visible, normal, height, is_head=True)


def _dome(front: DomeView, shape: RingShape, shop: View) -> _Sheet:
    """The front of a ring whose head is as wide as its hoop."""
    limit = radians(READABLE_DEG)
    azimuth = np.clip(front.from_head + np.float32(shop.azimuth), -limit, limit)
    t, g = front.height * np.sin(azimuth), front.height * np.cos(azimuth)
    source_x, source_y = shop.project(t, g, front.a)
    normal = (np.sin(front.azimuth), np.cos(front.azimuth), np.zeros_like(t))
    above_skin = front.height - np.float32(shape.inner_radius_px)
    return _Sheet(source_x, source_y, front.visible, normal, above_skin)


def _walled(head: Head, shape: RingShape, shop: View) -> Float:
    """(N,) 1 where the product photo shows the wall below the head's top, all but its foot; scraps
    of it would hang there like shards."""
    share = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    drop = share * np.maximum(head.height - shape.outer_radius_px, 0)
    x, _ = shop.from_head(head.q, head.height)
    y = head.middle - head.reach * cos(shop.elevation)
    y = y - drop * cos(shop.azimuth) * sin(shop.elevation)
    shown = _is_wall(np.broadcast_to(x, y.shape), y, shape, shop).mean(0) > WALL_SHOWN
    shown &= head.height > (1 + LEAST_WALL) * shape.outer_radius_px
    step = max(float(np.median(np.diff(head.q))), 1e-6)
    run = 2 * round(SCRAP * shape.outer_radius_px / step / 2) + 1
    row = shown.astype(np.uint8).reshape(1, -1)
    whole = cv2.morphologyEx(row, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    return np.asarray(whole[0], np.float32)


def _is_wall(x: Float, y: Float, shape: RingShape, shop: View) -> NDArray[np.bool_]:
    """Whether the product photo can show the head's wall at x, y: over the near half of the hoop,
    or hanging a little into the opening; not the band itself, nor its inside farther down."""
    se, ce = sin(shop.elevation), cos(shop.elevation)
    azimuth = np.arcsin(np.clip(x / shape.outer_radius_px, -1, 1))
    outer, half, middle = shape.hoop.grown(azimuth)
    far = np.sqrt(np.maximum(outer**2 - x**2, 0)) * se + (half - middle) * ce
    near = np.sqrt(np.maximum(shape.inner_radius_px**2 - x**2, 0)) * se - (half + middle) * ce
    return np.asarray((y > far) | ((y < near) & (y > near - OVERHANG * shape.outer_radius_px)))


def turn(
    texture: Texture,
    shape: RingShape,
    head: Head | Dome | None,
    site: FingerSite,
    size: tuple[int, int],
) -> Layer:
    """Draw the ring as it looks on the finger.

    texture, shape, head : the ring, in pixels of its cut-out.
    site : where it sits. size : width, height of the hand photo; the layer's ROI is clipped to it.
    """
    has_top = head is not None or shape.head_deg != 0
    seen = View.of_hand(site, has_top, opened_by(shape, site))
    shop, scale = View.of_product(shape), hand_from_ring(shape, site)
    roi = _layer_roi(shape, head, site, seen, scale, size)
    x, y = _ring_coordinates(roi, site, scale)
    level, level_from_cutout = texture.at_scale(scale * SUPERSAMPLING)
    level_from_ring = _level_from_ring(shape, level_from_cutout)

    premultiplied = np.zeros((*x.shape, 4), np.float32)
    facts = np.zeros((x.shape[0] // SUPERSAMPLING, x.shape[1] // SUPERSAMPLING, 5), np.float32)
    box = _hoop_box(x, y, seen, shape)
    hoop = _hoop(x[box], y[box], shape, head if isinstance(head, Head) else None, seen, shop)
    drawing = [(box, hoop)]
    if isinstance(head, Dome):
        front = see_dome(head, seen, x, y)
        beyond = np.abs(front.from_head[box]) > radians(NARROWS_DEG)
        whole = slice(0, x.shape[0]), slice(0, x.shape[1])
        drawing = [(box, replace(hoop, visible=hoop.visible & beyond))]
        drawing.append((whole, _dome(front, shape, shop)))
    if isinstance(head, Head):
        box = _head_box(x, y, head, seen, shape)
        x, y = x[box] * LOOKS_LARGER, y[box] * LOOKS_LARGER
        if abs(seen.azimuth) > FLANK_FROM:
            drawing.append((box, _head_flank(x, y, head, shape, seen, shop)))
        column = _head_columns(x, head, seen, _walled(head, shape, shop))
        drawing.append((box, _head_wall(y, column, shape, seen, shop)))
        drawing.append((box, _head_top(y, column, shape, seen, shop)))
    for box, sheet in drawing:
        if sheet.visible.size == 0:  # out of the photo
            continue
        _draw(premultiplied, facts, box, _read(level, level_from_ring, sheet), sheet)

    premultiplied = cv2.resize(premultiplied, facts.shape[1::-1], interpolation=cv2.INTER_AREA)
    premultiplied *= _mainland(premultiplied[..., 3])[..., None]
    facts = _to_the_rim(facts)
    return Layer(
        color=np.ascontiguousarray(premultiplied[..., :3]),
        alpha=np.ascontiguousarray(premultiplied[..., 3]),
        normal=_camera_normals(facts[..., :3], site, seen),
        height=np.ascontiguousarray(facts[..., 3]) * np.float32(scale),
        head=np.ascontiguousarray(facts[..., 4]),
        roi=roi,
    )


def _draw(premultiplied: Float, facts: Float, box: _Box, drawn: Float, sheet: _Sheet) -> None:
    """Put a surface over what is drawn. Normal, height and whether it is the head are facts of the
    frontmost surface and change slowly: one sample a pixel will do."""
    under, alpha = premultiplied[box], drawn[..., 3]
    under *= cv2.merge([1 - alpha] * 4)
    under += drawn
    once = (slice(SUPERSAMPLING // 2, None, SUPERSAMPLING),) * 2
    shown = alpha[once] > 0
    here = facts[tuple(slice(_pixel(s.start), _pixel(s.stop)) for s in box)]
    for channel, values in enumerate((*sheet.normal_tga, sheet.height)):
        here[..., channel][shown] = values[once][shown]
    here[..., 4][shown] = sheet.is_head


def _to_the_rim(facts: Float) -> Float:
    """Facts for the pixels of the rim whose one sample missed the ring: their neighbours' mean."""
    known = (facts[..., 3] != 0).astype(np.float32)
    spread, count = cv2.blur(facts, (3, 3)), cv2.blur(known, (3, 3))
    near = spread / np.maximum(count, 1e-6)[..., None]
    return np.asarray(np.where(known[..., None] > 0, facts, near), np.float32)


def _mainland(alpha: Float) -> NDArray[np.bool_]:
    """All but small pieces apart from the ring, which the proxy's surfaces leave where they end."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0).astype(np.uint8))
    area = stats[:, cv2.CC_STAT_AREA]
    island = area < ISLAND * area[1:].max(initial=0)
    island[0] = False
    return np.asarray(~island[labels]) if count > 2 else np.ones(alpha.shape, np.bool_)


def _pixel(sample: int | None) -> int | None:
    return None if sample is None else sample // SUPERSAMPLING


def _head_box(x: Float, y: Float, head: Head, seen: View, shape: RingShape) -> _Box:
    """Rows and columns of the samples that the head can cover, whole pixels."""
    t, g = seen.from_head(head.q, head.height)
    reach = _far_reach(head, shape)
    top = float(np.abs(g).max() * sin(seen.elevation)) + reach
    at_band, _ = seen.from_head(head.q * FLANK_FOOT, np.full_like(head.q, shape.outer_radius_px))
    left, right = min(t.min(), at_band.min()), max(t.max(), at_band.max())
    return _box_around((x >= left) & (x <= right) & (np.abs(y) <= top))


def _hoop_box(x: Float, y: Float, seen: View, shape: RingShape) -> _Box:
    """Rows and columns of the samples that the hoop can cover, whole pixels."""
    hoop = shape.hoop.opened(seen.lift, seen.azimuth)
    outer, half = hoop.largest
    half *= cos(seen.elevation)
    far = outer * sin(seen.elevation) + half
    # Beside the finger the near face shows down to where the far half begins to hide behind it.
    beyond = sqrt(max(hoop.outer_radius**2 - hoop.inner_radius**2, 0.0))
    near = -beyond * sin(seen.elevation) - half
    return _box_around((np.abs(x) <= hoop.outer_radius) & (y >= near) & (y <= far))


def _box_around(covered: NDArray[np.bool_]) -> _Box:
    """Rows and columns of whole pixels around the samples that are set."""
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(covered.any(axis))
        first, last = (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, 0)
        n = SUPERSAMPLING
        spans.append(slice(first // n * n, -(-last // n) * n))
    return spans[0], spans[1]


def _far_reach(head: Head, shape: RingShape) -> float:
    """How far from its middle line the top of the head may still be read."""
    return FAR_MARGIN * float(head.reach.max()) + 0.05 * shape.outer_radius_px


def _layer_roi(
    shape: RingShape,
    head: Head | Dome | None,
    site: FingerSite,
    seen: View,
    scale: float,
    size: tuple[int, int],
) -> Roi:
    """The box around everything that the proxy can show, clipped to the photo."""
    outer, half = shape.hoop.opened(seen.lift, seen.azimuth).largest
    tall = outer * sin(seen.elevation) + 2 * half
    x = [-outer, outer]
    y = [-2 * half, tall]
    if isinstance(head, Dome):
        t, low, high = head.outline(seen)
        x += [float(t.min()), float(t.max())]
        y += [float(low.min()), float(high.max())]
    elif head is not None:
        reach = _far_reach(head, shape)
        t, g = seen.from_head(head.q, head.height)
        rise = g * sin(seen.elevation)
        x += [float(t.min()), float(t.max())]
        y += [float(rise.max()) + reach, float(rise.min()) - reach]
    box = np.array([[u, v] for u in (min(x), max(x)) for v in (min(y), max(y))]) * scale
    corners = site.centre_xy + box[:, :1] * site.across_xy + box[:, 1:] * site.axis_xy
    margin = 2 + 3 * site.edge_sigma_px  # room for the photo's own blur
    x0, y0 = np.floor(corners.min(0) - margin).astype(int)
    x1, y1 = np.ceil(corners.max(0) + margin + 1).astype(int)
    width, height = size
    return max(int(x0), 0), max(int(y0), 0), min(int(x1), width), min(int(y1), height)


def _ring_coordinates(roi: Roi, site: FingerSite, scale: float) -> tuple[Float, Float]:
    """x right, y up of every sample, product pixels from the hoop's centre."""
    x0, y0, x1, y1 = roi
    n = SUPERSAMPLING
    column = (x0 + (np.arange((x1 - x0) * n) + 0.5) / n - 0.5 - site.centre_xy[0]).astype(
        np.float32
    )
    row = (y0 + (np.arange((y1 - y0) * n) + 0.5) / n - 0.5 - site.centre_xy[1]).astype(np.float32)
    per_px = np.float32(1 / scale)
    across, axis = site.across_xy.astype(np.float32), site.axis_xy.astype(np.float32)
    x = (column[None, :] * across[0] + row[:, None] * across[1]) * per_px
    y = (column[None, :] * axis[0] + row[:, None] * axis[1]) * per_px
    return x, y


def _level_from_ring(shape: RingShape, level_from_cutout: Float64) -> Float:
    """(2, 3) affine from x right, y up around the hoop's centre to a texture level's pixels."""
    turn_rad = np.radians(shape.rotation_deg)
    right = np.array([np.cos(turn_rad), np.sin(turn_rad)])
    up = np.array([np.sin(turn_rad), -np.cos(turn_rad)])
    cutout_from_ring = np.column_stack([right, up, shape.centre_xy + 0.5])
    level_from_ring = np.diag(level_from_cutout) @ cutout_from_ring
    level_from_ring[:, 2] -= 0.5
    return np.asarray(level_from_ring, np.float32)


def _read(level: Level, level_from_ring: Float, sheet: _Sheet) -> Float:
    """(h, w, 4) premultiplied linear light of a surface."""
    m = level_from_ring
    map_x = m[0, 0] * sheet.source_x + m[0, 1] * sheet.source_y + m[0, 2]
    map_y = m[1, 0] * sheet.source_x + m[1, 1] * sheet.source_y + m[1, 2]
    outside = np.float32(-9)
    drawn = cv2.remap(
        level,
        np.where(sheet.visible, map_x, outside).astype(np.float32, copy=False),
        map_y.astype(np.float32, copy=False),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(drawn, np.float32) / np.float32(FULL)


def _camera_normals(tga: Float, site: FingerSite, seen: View) -> Float:
    """Unit normals in the picture's frame from sideways, radial and axial parts in the ring's."""
    se, ce = sin(seen.elevation), cos(seen.elevation)
    t, g, a = cv2.split(tga)
    up, z = g * se - a * ce, g * ce + a * se
    across, axis = site.across_xy.astype(np.float32), site.axis_xy.astype(np.float32)
    x, y = (t * across[k] + up * axis[k] for k in range(2))
    length = np.sqrt(x * x + y * y + z * z)
    known = length > 1e-3
    length = np.maximum(length, 1e-3)
    normal = cv2.merge([x / length, y / length, np.where(known, z / length, np.float32(1))])
    # Beside the ring all three parts are 0, so only the last one needs a value.
    return np.asarray(normal, np.float32)
