"""Blur and grain: measured where they are known, added where the ring is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anello.imaging.sensor import (
    NO_GRAIN,
    Grain,
    add_grain,
    content_seed,
    estimate_grain,
    match_blur,
    photo_sigma,
)

SIZE = 220


def noisy_skin(sigma: float, reach_px: float, seed: int = 3):
    """Shaded skin with noise of ``sigma`` in the root of linear light, common to R, G, B."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    if reach_px:
        noise = cv2.GaussianBlur(noise, (0, 0), reach_px)
        noise /= noise.std()
    shade = np.linspace(0.55, 0.7, SIZE, dtype=np.float32)[None, :, None]
    root = shade * np.array([1.0, 0.8, 0.7], np.float32) + sigma * noise[..., None]
    return np.maximum(root, 0) ** 2


@pytest.mark.parametrize("reach", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("sigma", [0.006, 0.02])
def test_grain_is_measured(sigma, reach):
    grain = estimate_grain(noisy_skin(sigma, reach), np.ones((SIZE, SIZE), np.float32))
    assert grain.luma == pytest.approx(sigma, rel=0.3)
    assert grain.reach_px == pytest.approx(reach, abs=0.25)
    assert grain.chroma < 0.4 * grain.luma


def test_smooth_skin_has_no_grain():
    grain = estimate_grain(noisy_skin(0.0, 0.0), np.ones((SIZE, SIZE), np.float32))
    assert grain.luma < 1e-3


def test_too_little_skin_says_nothing():
    skin = np.zeros((SIZE, SIZE), np.float32)
    skin[:15, :15] = 1
    assert estimate_grain(noisy_skin(0.02, 0.0), skin) == NO_GRAIN


def test_added_grain_has_the_measured_size_and_stays_on_the_ring():
    patch = noisy_skin(0.02, 0.6)
    ring = np.full((SIZE, SIZE, 3), 0.36, np.float32)
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[50:150, 50:150] = 1
    grain = Grain(luma=0.02, chroma=0.004, reach_px=0.6)
    out = add_grain(ring, alpha, grain, patch)
    assert (out[alpha == 0] == ring[alpha == 0]).all()
    root = np.sqrt(out[50:150, 50:150])
    assert root.mean(-1).std() == pytest.approx(0.02, rel=0.15)
    assert (root[..., 0] - root[..., 2]).std() < 0.4 * 0.02
    assert root.mean() == pytest.approx(0.6, abs=0.002)


def test_same_content_same_grain_and_the_global_generator_is_left_alone():
    patch = noisy_skin(0.02, 0.6)
    alpha = np.ones((SIZE, SIZE), np.float32)
    grain = Grain(0.02, 0.004, 0.6)
    np.random.seed(1)  # noqa: NPY002 (the state that must not move)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = add_grain(patch, alpha, grain, patch)
    second = add_grain(patch.copy(order="F"), alpha, grain, patch.copy(order="F"))
    assert (first == second).all()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    other = patch.copy()
    other[0, 0, 0] += 0.01
    assert content_seed(other) != content_seed(patch)


def test_the_layer_becomes_as_soft_as_the_photo():
    step = np.zeros((64, 64), np.float32)
    step[:, 32:] = 1
    sharp = np.asarray(cv2.GaussianBlur(step, (0, 0), 0.5))
    color = sharp[..., None] * np.ones(3, np.float32)
    soft, alpha = match_blur(color, sharp, 2.0)
    profile = np.gradient(alpha[32])
    x = np.arange(64)
    mean = (profile * x).sum() / profile.sum()
    sigma = np.sqrt((profile * (x - mean) ** 2).sum() / profile.sum())
    assert sigma == pytest.approx(2.0, rel=0.12)
    assert np.allclose(soft[..., 0], alpha, atol=1e-5)


def test_a_layer_softer_than_the_photo_is_left_alone():
    color, alpha = np.zeros((8, 8, 3), np.float32), np.ones((8, 8), np.float32)
    same = match_blur(color, alpha, 0.3)
    assert same[0] is color
    assert same[1] is alpha


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5])
def test_the_photo_is_as_sharp_as_its_sharpest_edges(sigma):
    rng = np.random.default_rng(0)
    picture = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(12):
        x, y, radius = (int(v) for v in rng.integers((0, 0, 10), (SIZE, SIZE, 50)))
        cv2.circle(picture, (x, y), radius, float(rng.uniform(0.2, 0.9)), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(picture, (0, 0), sigma)
    soft += 0.003 * rng.standard_normal(soft.shape).astype(np.float32)
    patch = np.repeat((np.maximum(soft, 0) ** 2)[..., None], 3, 2)
    assert photo_sigma(patch, 9.0) == pytest.approx(sigma, rel=0.25)
    assert photo_sigma(patch, 0.4) <= 0.4
