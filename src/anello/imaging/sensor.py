"""The hand camera's own blur and grain, given to the ring.

A ring that is sharper or cleaner than the skin around it looks pasted, whatever its light.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from anello.imaging.arrays import Float, Float64, Mask

RESAMPLED_SIGMA_PX = 0.5
"""Blur that the turn leaves in the layer: one prefiltered, anti-aliased resampling."""

LONGEST_SIGMA_PX = 2.0
"""A photo softer than this is not soft but shaken: do not smear the ring any further."""

REBLUR_SIGMA_PX = 1.0
"""Known blur that is added to learn the photo's own."""

SHARPEST_SHARE = 0.15
"""Share of the photo's strong edges, sharpest first, at which its sharpness is read: most of them
are folds and shadows, soft by themselves."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

MIN_SKIN_PX = 400
"""Fewer pixels than this say nothing about grain."""

LARGEST_GRAIN = 0.06
"""Relative grain (sigma over level): more than this on skin is texture, not noise."""


@dataclass(frozen=True, slots=True)
class Grain:
    """Noise of the photo, on encoded values, where it is nearly the same at all levels.

    luma, chroma : standard deviations in the square root of linear light (a stand-in for the
        photo's own encoding, in which shot noise has one size).
    reach_px : Gaussian sigma that correlates neighbouring pixels (demosaicking, denoising, JPEG).
    """

    luma: float
    chroma: float
    reach_px: float


MEASURED_PX = 320
"""Side of the square that grain and sharpness are read from: more pixels tell no more."""

NO_GRAIN = Grain(0.0, 0.0, 0.0)


def match_blur(
    color: Float, alpha: Float, edge_sigma_px: float, own_sigma_px: float = RESAMPLED_SIGMA_PX
) -> tuple[Float, Float]:
    """The layer as soft as the photo; unchanged where it is already softer.

    color : (h, w, 3) premultiplied linear. alpha : (h, w). Blurs of Gaussian sigma add in squares,
    and a premultiplied layer is blurred in colour and alpha alike.
    """
    extra = min(edge_sigma_px, LONGEST_SIGMA_PX) ** 2 - own_sigma_px**2
    if extra < 0.2**2:  # under a fifth of a pixel nothing is seen
        return color, alpha
    sigma = float(np.sqrt(extra))
    return (
        np.asarray(cv2.GaussianBlur(color, (0, 0), sigma), np.float32),
        np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma), np.float32),
    )


def photo_sigma(patch: Float, edge_sigma_px: float) -> float:
    """Gaussian sigma, px, of the photo around the site: the lens's and the sensor's blur.

    patch : (h, w, 3) linear light. edge_sigma_px : measured on the finger's silhouette, an upper
    bound, for a round finger in soft light has soft edges in a sharp photo. An edge of sigma s
    whose gradient falls by a factor r when it is blurred by q once more has s = q / sqrt(r^2 - 1)
    (Zhuo & Sim, "Defocus map estimation from a single image", Pattern Recognition 44, 2011); the
    sharpest of the strong edges tell.
    """
    luma = _root_mean(_middle(patch))
    soft = np.asarray(cv2.GaussianBlur(luma, (0, 0), REBLUR_SIGMA_PX), np.float32)
    steep, flat = _gradient(luma), _gradient(soft)
    strong = steep >= np.quantile(steep, 0.97)
    peak = steep >= cv2.dilate(steep, np.ones((3, 3), np.uint8)) - 1e-7
    at = strong & peak
    if np.count_nonzero(at) < 20:
        return edge_sigma_px
    ratio = np.maximum(steep[at] / np.maximum(flat[at], 1e-6), 1.001)
    sigmas = REBLUR_SIGMA_PX / np.sqrt(ratio**2 - 1)
    return float(min(edge_sigma_px, np.quantile(sigmas, SHARPEST_SHARE)))


def _root_mean(patch: Float) -> Float:
    """(h, w) mean over the channels of the square root of linear light."""
    red, green, blue = cv2.split(np.sqrt(np.maximum(patch, 0)))
    return np.asarray((red + green + blue) / 3, np.float32)


def _gradient(values: Float) -> Float:
    dx = cv2.filter2D(values, cv2.CV_32F, np.array([[-0.5, 0, 0.5]], np.float32))
    dy = cv2.filter2D(values, cv2.CV_32F, np.array([[-0.5], [0], [0.5]], np.float32))
    return np.asarray(np.hypot(dx, dy), np.float32)


def estimate_grain(patch: Float, skin: Float) -> Grain:
    """Grain of the photo, measured on its skin.

    patch : (h, w, 3) linear light. skin : (h, w) in [0, 1].
    Second differences along rows and columns (Immerkaer 1996) ignore smooth shading; their median
    ignores wrinkles and hairs. Flat (smooth) skin is preferred: the quieter half of it is used.
    The same measure at two pixels' distance tells how far the noise is correlated.
    """
    patch, skin = _middle(patch), _middle(skin)
    inside = np.asarray(cv2.erode((skin > 0.9).astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    if np.count_nonzero(inside) < MIN_SKIN_PX:
        return NO_GRAIN
    root = np.sqrt(np.maximum(patch, 0))
    luma = _root_mean(patch)
    chroma = np.asarray((root[..., 0] - root[..., 2]) / np.sqrt(2), np.float32)
    reach = _correlation_reach(luma, inside)
    gain = _mask_gain(reach)
    relative = _quiet_sigma(luma, inside) / gain
    level = float(np.median(luma[inside]))
    sigma_luma = min(relative, LARGEST_GRAIN * level)
    sigma_chroma = min(_quiet_sigma(chroma, inside) / gain, sigma_luma)
    return Grain(sigma_luma, sigma_chroma, reach)


def _middle(values: Float) -> Float:
    """The middle of the patch at full resolution, at most MEASURED_PX square."""
    h, w = values.shape[:2]
    top, left = max((h - MEASURED_PX) // 2, 0), max((w - MEASURED_PX) // 2, 0)
    return values[top : top + MEASURED_PX, left : left + MEASURED_PX]


def add_grain(picture: Float, alpha: Float, grain: Grain, patch: Float) -> Float:
    """The picture with the photo's grain where the ring covers it.

    picture : (h, w, 3) linear, composited. alpha : (h, w) of the ring. patch : (h, w, 3) linear,
    the photo underneath: it seeds the noise, so that one input always gives the same bytes, and no
    global generator is touched.
    """
    if grain.luma <= 0:
        return picture
    rng = np.random.Generator(np.random.PCG64(content_seed(patch)))
    noise = cv2.split(_correlated_noise(rng, (*alpha.shape, 3), grain.reach_px))
    middle = (noise[0] + noise[1] + noise[2]) / np.float32(3)
    common = middle * np.float32(grain.luma * np.sqrt(3))
    covered = alpha > 0
    grainy = []
    for channel, own in zip(cv2.split(picture), noise, strict=True):
        shift = alpha * (common + (own - middle) * np.float32(grain.chroma * np.sqrt(1.5)))
        root = np.sqrt(np.maximum(channel, 0)) + shift
        grainy.append(np.where(covered, np.square(np.maximum(root, 0)), channel))
    return np.asarray(cv2.merge(grainy), np.float32)


def content_seed(patch: Float) -> int:
    """A number that depends on the pixels only (not on their layout in memory)."""
    encoded = np.ascontiguousarray(np.clip(patch, 0, 1) * np.float32(65535)).astype("<u2")
    return zlib.crc32(encoded.tobytes())


def _correlated_noise(rng: np.random.Generator, shape: tuple[int, ...], reach_px: float) -> Float:
    noise = rng.standard_normal(shape, dtype=np.float32)
    if reach_px < 0.2:
        return noise
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), reach_px), np.float32)
    return soft / np.float32(_blurred_sigma(reach_px))


def _blurred_sigma(reach_px: float) -> float:
    """Standard deviation that white noise of unit variance keeps under OpenCV's Gaussian."""
    size = int(2 * np.ceil(4 * reach_px) + 1)
    kernel = np.asarray(cv2.getGaussianKernel(size, reach_px))
    return float((kernel**2).sum())


SECOND_DIFFERENCE = np.array([1, -2, 1], np.float64)


def _quiet_sigma(values: Float, inside: Mask) -> float:
    """Robust sigma of the mixed second difference over the quieter half of ``inside``."""
    kernel = np.outer(SECOND_DIFFERENCE, SECOND_DIFFERENCE).astype(np.float32)
    response = np.abs(cv2.filter2D(values, cv2.CV_32F, kernel))
    activity = cv2.blur(response, (9, 9))
    quiet = inside & (activity <= np.median(activity[inside]))
    return MAD_TO_SIGMA * float(np.median(response[quiet]))


def _blurred_correlation(reach_px: float) -> Float64:
    """(6,) correlation of blurred white noise with itself at 0, 1, ... px, of OpenCV's Gaussian."""
    if reach_px < 0.2:
        return np.asarray(np.eye(1, 6)[0], np.float64)
    size = int(2 * np.ceil(4 * reach_px) + 1)
    kernel = np.asarray(cv2.getGaussianKernel(size, reach_px)).ravel()
    full = np.correlate(kernel, kernel, "full")[size - 1 :]
    return np.asarray(np.pad(full, (0, 6))[:6] / full[0])


def _mask_gain(reach_px: float) -> float:
    """How much the mixed second difference amplifies noise of this reach and unit sigma."""
    r = _blurred_correlation(reach_px)
    return float(max(6 * r[0] - 8 * r[1] + 2 * r[2], 1e-3))


def _correlation_reach(values: Float, inside: Mask) -> float:
    """Gaussian sigma of the noise from the correlation of neighbouring second differences."""
    d = np.asarray(cv2.filter2D(values, cv2.CV_32F, SECOND_DIFFERENCE[None, :].astype(np.float32)))
    # Wrinkles and hairs are not noise: beyond four sigmas they are cut.
    limit = 4 * MAD_TO_SIGMA * float(np.median(np.abs(d[inside]))) + 1e-9
    d = np.clip(d, -limit, limit)
    pair = inside[:, :-1] & inside[:, 1:]
    measured = float((d[:, :-1] * d[:, 1:])[pair].mean() / ((d[inside] ** 2).mean() + 1e-18))
    reaches = np.r_[0, np.linspace(0.2, 1.2, 21)]
    return float(reaches[np.argmin([abs(_lag_one(r) - measured) for r in reaches])])


def _lag_one(reach_px: float) -> float:
    """Correlation at one pixel of the second difference of noise blurred by ``reach_px``."""
    r = _blurred_correlation(reach_px)
    at_zero = 6 * r[0] - 8 * r[1] + 2 * r[2]
    return float((7 * r[1] - 4 * r[0] - 4 * r[2] + r[3]) / at_zero)
