"""Measures against published values and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from anello.imaging.metrics import PSNR_OF_EQUAL_DB, delta_e_2000, iou, psnr, ssim

# Sharma, Wu & Dalal (2005), table 1: the 34 pairs, L a b L a b dE00.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
PAIRS = np.array([line.split() for line in SHARMA.strip().splitlines()], float)


def test_ciede2000_gives_the_published_values():
    assert len(PAIRS) == 34
    assert np.allclose(delta_e_2000(PAIRS[:, :3], PAIRS[:, 3:6]), PAIRS[:, 6], atol=1e-4)


def test_ciede2000_is_symmetric_and_zero_on_equal_colours():
    forth, back = (delta_e_2000(PAIRS[:, a], PAIRS[:, b]) for a, b in ((s, t), (t, s)))
    assert np.allclose(forth, back, atol=1e-4)
    assert np.allclose(delta_e_2000(PAIRS[:, :3], PAIRS[:, :3]), 0)


s, t = slice(0, 3), slice(3, 6)


def test_psnr():
    a = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(a, a) == PSNR_OF_EQUAL_DB
    assert psnr(a, a + 1) == pytest.approx(20 * np.log10(255))
    half = np.zeros((4, 4), bool)
    half[:2] = True
    b = a.copy()
    b[2:] = 0
    assert psnr(a, b, half) == PSNR_OF_EQUAL_DB


def test_ssim_is_one_on_equal_pictures_and_falls_with_noise():
    rng = np.random.default_rng(0)
    a = rng.uniform(0, 255, (40, 40)).astype(np.float32)
    noise = rng.standard_normal((40, 40)).astype(np.float32)
    assert np.allclose(ssim(a, a), 1, atol=1e-4)
    values = [float(ssim(a, a + k * noise).mean()) for k in (5, 20, 60)]
    assert values[0] > values[1] > values[2]


def test_ssim_of_two_flat_pictures_is_the_luminance_term():
    a, b = np.full((20, 20), 100, np.float32), np.full((20, 20), 150, np.float32)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert np.allclose(ssim(a, b), expected, atol=1e-3)


def test_iou():
    a = np.zeros((10, 10), bool)
    b = a.copy()
    assert iou(a, b) == 1
    a[:5] = True
    assert iou(a, b) == 0
    b[:, :5] = True
    assert iou(a, b) == pytest.approx(25 / 75)
