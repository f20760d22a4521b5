"""How blurred the photo itself is, by its edges."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from anello.imaging.arrays import Bytes, Float64

_SIGMAS = np.array([0.35, 0.5, 0.65, 0.8, 1.0, 1.25, 1.55, 1.9, 2.4, 3.0, 3.8, 5.0])
_PROFILE_REACH = 8.0
_PROFILE_STEP = 0.5


def edge_sigma(
    pixels: Bytes,
    left: Float64,
    right: Float64,
    trust_left: Float64,
    trust_right: Float64,
    across: Float64,
) -> float:
    """Gaussian sigma of the blur at the silhouettes, px: a low quantile over edge fits."""
    found: list[float] = []
    for edge, trust, outward in ((left, trust_left, -across), (right, trust_right, across)):
        n = len(edge)
        picked = np.arange(round(0.2 * n), round(0.8 * n), max(1, n // 40))
        picked = picked[trust[picked] > 0.3]
        if picked.size:
            found.extend(_profile_sigmas(pixels, edge[picked], outward))
    return float(np.quantile(found, 0.3)) if found else 1.0


def _profile_sigmas(pixels: Bytes, points: Float64, outward: Float64) -> list[float]:
    """Best sigma of each profile across the edge that one error function explains well."""
    t = np.arange(-_PROFILE_REACH, _PROFILE_REACH + 1e-6, _PROFILE_STEP)
    at = points[:, None] + t[None, :, None] * outward
    low = np.floor(at.min(axis=(0, 1))).astype(int) - 2
    high = np.ceil(at.max(axis=(0, 1))).astype(int) + 3
    low = np.clip(low, 0, [pixels.shape[1] - 1, pixels.shape[0] - 1])
    high = np.clip(high, low + 1, [pixels.shape[1], pixels.shape[0]])
    part = cv2.cvtColor(pixels[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    where = (at - low).astype(np.float32)
    values = cv2.remap(
        part.astype(np.float32),
        where[..., 0],
        where[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    energy = (values.astype(np.float64) ** 2).sum(axis=1)
    total = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    sigmas, bases = _edge_bases()
    # Each basis is orthonormal: what it leaves of the profile's energy.
    kept = (values @ bases).reshape(len(values), len(sigmas), 3)
    error = energy[:, None] - (kept[..., 0] ** 2 + kept[..., 1] ** 2 + kept[..., 2] ** 2)
    pick = np.argmin(error, axis=1)
    best, sigma_of = error[np.arange(len(values)), pick], sigmas[pick]
    good = (best < 0.05 * total) & (total > len(t) * 8.0**2)
    return [float(v) for v in sigma_of[good]]


@cache
def _edge_bases() -> tuple[Float64, Float64]:
    """(m,) sigmas, and side by side (n, m * 3) an orthonormal basis for each: offset, slope and an
    edge blurred by it."""
    t = np.arange(-_PROFILE_REACH, _PROFILE_REACH + 1e-6, _PROFILE_STEP)
    sigmas, bases = [], []
    for sigma in _SIGMAS:
        for shift in np.arange(-2.5, 2.51, 0.5):
            basis = np.stack([np.ones_like(t), t, _erf_like((t - shift) / sigma)], 1)
            sigmas.append(float(sigma))
            bases.append(np.linalg.qr(basis)[0])
    return np.array(sigmas), np.concatenate(bases, axis=1)


def _erf_like(t: Float64) -> Float64:
    """The normal distribution's running sum, by the logistic approximation (error < 0.01)."""
    return np.asarray(1 / (1 + np.exp(-1.702 * t)))
