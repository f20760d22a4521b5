"""What the ring lies on: a smooth colour field, and which pixels are it, shaded or not.

Everything here works on reduced copies of the product photo (see ``matting.DECISION_SIDE``), in
CIE L*a*b*. A shadow multiplies linear light by one factor; L + 16, a and b all go with the cube
root of linear light, so the shadowed ground is the field with (L + 16, a, b) scaled together, and
its chroma can be predicted from its lightness alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float, Float64, Mask

FloatBox: TypeAlias = tuple[float, float, float, float]

BORDER_SHARE = 0.03
"""Breadth of the frame that is first taken for ground, of the short side."""
FIELD_SAMPLES = 600
"""Pixels a field is fitted to; more changes nothing but time."""
SETTLED = 1e-3
"""Lab units; a fit that moves less in a round is done."""
PLAIN_RESIDUAL = 5.0
"""Lab units. A border that a quadratic leaves further off than this (70th percentile: a ring cut by
the frame may cover the rest) is textured."""
NOISE_FLOOR = 0.6
"""Lab units: quantisation of 8-bit Lab plus JPEG on a flat ground."""

DETAIL_FLOOR = 0.6
"""Lab units; the faintest step taken for an edge. Silver against grey is 2 to 3 in places."""
BARE_LIGHT, BARE_CHROMA = 1.0, 2.2
"""Lab units; this near the field a pixel is ground whatever is beside it."""
RINGING_SHARE = 0.03
"""JPEG ringing next to an edge, of the edge's own step."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A fitted ground.

    field : (h, w, 3) Lab of the bare, unshadowed ground.
    sigma : robust spread of the ground's own pixels about the field, Lab units (texture, noise).
    residual : 70th percentile distance of the frame from the first fit, Lab units.
    """

    field: Float
    sigma: float
    residual: float

    @property
    def is_plain(self) -> bool:
        return self.residual < PLAIN_RESIDUAL

    def part(self, share: FloatBox) -> Ground:
        """The ground of a part of the picture; ``share`` x0, y0, x1, y1 in picture sides."""
        height, width = self.field.shape[:2]
        x0, y0, x1, y1 = share
        size = (max(2, round((x1 - x0) * width)), max(2, round((y1 - y0) * height)))
        scale_x, scale_y = (x1 - x0) * width / size[0], (y1 - y0) * height / size[1]
        field_from_part = np.array(
            [
                [scale_x, 0, x0 * width + 0.5 * scale_x - 0.5],
                [0, scale_y, y0 * height + 0.5 * scale_y - 0.5],
            ]
        )
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        field = cv2.warpAffine(self.field, field_from_part, size, flags=way, borderMode=border)
        return Ground(np.asarray(field, np.float32), self.sigma, self.residual)

    def seen_in(self, lab: Float) -> Ground:
        """The same ground at the size of ``lab``, a larger copy of its picture."""
        height, width = lab.shape[:2]
        field = cv2.resize(self.field, (width, height), interpolation=cv2.INTER_LINEAR)
        return Ground(np.asarray(field, np.float32), self.sigma, self.residual)


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """How each pixel differs from the ground, (h, w) each.

    light : L* minus the field's.
    chroma : distance in a*b* from the field seen in shadow at this pixel's lightness.
    calm : no sharp step, however faint, that isn't noise or compression; shadows' slopes are calm.
    """

    light: Float
    chroma: Float
    calm: Mask


def bytes_to_lab(pixels: Bytes) -> Float:
    """Lab in its usual units of an 8-bit sRGB picture; 0.4 units coarse in L*, enough to decide."""
    light, a, b = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab))
    # JPEG stores colour at half size: its noise is blocks that a small median removes.
    a, b = (cv2.medianBlur(colour, 3).astype(np.float32) - np.float32(128) for colour in (a, b))
    return np.asarray(cv2.merge([light.astype(np.float32) * np.float32(100 / 255), a, b]))


def frame_mask(shape: tuple[int, ...], share: float = BORDER_SHARE) -> Mask:
    """The picture's outermost strip."""
    height, width = shape[:2]
    depth = max(2, round(share * min(height, width)))
    mask = np.ones((height, width), bool)
    mask[depth:-depth, depth:-depth] = False
    return mask


def fit_ground(lab: Float) -> Ground:
    """Fit the field to the frame, then to all that is connected to the frame and near it.

    lab : a copy of some 160 px: the field is smooth.
    Quadratic by iteratively reweighted least squares (Tukey), then the slow remainder of the
    residual (lamp patches, vignettes) by normalised convolution.
    """
    frame = frame_mask(lab.shape)
    field = _fit_quadratic(lab, frame)
    distance = _norm(lab - field)
    residual = float(np.percentile(distance[frame], 70))
    sigma = _spread(distance[frame])
    for _ in range(2):
        near = near_ground(distance, sigma)
        if near.mean() < 0.05:
            break
        field = _fit_quadratic(lab, near)
        field += _slow_part(lab - field, near)
        distance = _norm(lab - field)
        sigma = _spread(distance[near])
    return Ground(field, sigma, residual)


def near_ground(distance: Float, sigma: float) -> Mask:
    """What joins the frame within the ground's own spread; ``distance`` (h, w), Lab units."""
    near = distance < np.float32(max(4.0, 3.5 * sigma))
    return connected_to(near, frame_mask(distance.shape) & near)


def deviation(lab: Float, ground: Ground, ringing: float = 1.0) -> Deviation:
    """Compare a picture with its ground. ``ringing``: how much worse than usual its JPEG is."""
    (seen, a, b), (bare, bare_a, bare_b) = cv2.split(lab), cv2.split(ground.field)
    light = seen - bare
    shade = (seen + 16) / (bare + 16)
    off_a, off_b = a - bare_a * shade, b - bare_b * shade
    chroma = np.sqrt(off_a * off_a + off_b * off_b)
    calm = _is_calm(fine_detail(lab), ringing)
    # Next to strong edges the filter sees the edge; there the bare ground's own colour tells.
    calm |= (np.abs(light) < BARE_LIGHT * ringing) & (chroma < BARE_CHROMA * ringing)
    return Deviation(light, chroma, calm)


def edge_strength(lab: Float) -> Float:
    """(h, w) largest Sobel gradient of the three channels, Lab units per pixel."""
    along = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.sqrt(largest_channel(along * along + down * down))


def fine_detail(lab: Float, fine: float = 0.7, coarse: float = 3.0) -> Float:
    """(h, w) largest |difference of Gaussians| of the three channels, Lab units: sharp steps,
    however faint, show in it; the slopes of shadows do not."""
    smooth = cv2.GaussianBlur(lab, (0, 0), fine)
    return largest_channel(cv2.absdiff(smooth, cv2.GaussianBlur(lab, (0, 0), coarse)))


def largest_channel(values: Float) -> Float:
    """(h, w, 3) -> (h, w). NumPy's own ``max(-1)`` takes ten times as long."""
    first, second, third = cv2.split(values)
    return np.asarray(cv2.max(cv2.max(first, second), third), np.float32)


def _is_calm(detail: Float, ringing: float) -> Mask:
    """Where `fine_detail` is no more than the ground's noise, or ringing next to strong edges."""
    frame = frame_mask(detail.shape, 0.06)
    noise = 4 * float(np.percentile(detail[frame], 75))
    beside = ringing * RINGING_SHARE * cv2.dilate(detail, np.ones((9, 9), np.uint8))
    return np.asarray(detail < np.maximum(max(DETAIL_FLOOR, noise), beside), bool)


def connected_to(mask: Mask, seeds: Mask) -> Mask:
    """The 4-connected parts of ``mask`` that hold a seed."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, bool)
    keep[labels[seeds & mask]] = True
    keep[0] = False
    return np.asarray(keep[labels], bool)


def _norm(delta: Float) -> Float:
    return np.asarray(np.sqrt(np.einsum("...k,...k->...", delta, delta)), np.float32)


def _spread(distance: Float) -> float:
    """Sigma of one channel from distances in three (their median is 1.54 sigma)."""
    return max(NOISE_FLOOR, float(np.median(distance)) / 1.54)


def _basis(x: Float, y: Float) -> Float:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)


def _fit_quadratic(lab: Float, mask: Mask) -> Float:
    height, width = mask.shape
    places = np.flatnonzero(mask)
    rows, cols = np.divmod(places[:: max(1, places.size // FIELD_SAMPLES)], width)
    x = (2 * cols / max(width - 1, 1) - 1).astype(np.float32)
    y = (2 * rows / max(height - 1, 1) - 1).astype(np.float32)
    design = _basis(x, y).astype(np.float64)
    values = lab[rows, cols].astype(np.float64)
    coefficients = _solve_robust(design, values)
    grid_x = np.linspace(-1, 1, width, dtype=np.float32)
    grid_y = np.linspace(-1, 1, height, dtype=np.float32)
    c = coefficients.astype(np.float32)
    along = c[0] + grid_x[:, None] * c[1] + (grid_x * grid_x)[:, None] * c[3]
    down = grid_y[:, None] * c[2] + (grid_y * grid_y)[:, None] * c[5]
    field = along[None] + down[:, None]
    field += (grid_y[:, None] * grid_x[None])[..., None] * c[4]
    return np.asarray(field, np.float32)


def _solve_robust(design: Float64, values: Float64, rounds: int = 6) -> Float64:
    """Tukey IRLS with one weight per pixel for its three channels; starts from the median."""
    residual = np.linalg.norm(values - np.median(values, 0), axis=1)
    ridge = 1e-6 * np.eye(design.shape[1])
    coefficients = np.zeros((design.shape[1], values.shape[1]))
    for _ in range(rounds):
        scale = max(1.0, 4.0 * float(np.median(residual)))
        weight = np.square(np.clip(1 - np.square(residual / scale), 0, None))
        weighted = design * weight[:, None]
        before = coefficients
        coefficients = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)
        if np.abs(coefficients - before).max() < SETTLED:
            break
        residual = np.linalg.norm(values - design @ coefficients, axis=1)
    return coefficients


def _slow_part(residual: Float, mask: Mask, cell: int = 4) -> Float:
    """Normalised convolution of the residual over the mask, on a grid ``cell`` times coarser."""
    height, width = mask.shape
    size = (max(2, width // cell), max(2, height // cell))
    weight = mask.astype(np.float32)
    total = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(residual * weight[..., None], size, interpolation=cv2.INTER_AREA)
    total = cv2.GaussianBlur(total, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE)
    value = cv2.GaussianBlur(value, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE)
    # Where no ground is near (under the ring) the quadratic stands alone.
    slow = value / (total[..., None] + np.float32(0.05))
    return np.asarray(cv2.resize(slow, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
