"""Our own networks on our own path-traced rings, which they were not trained on: windows through a
band are gaps, and facets and highlights as white as the ground are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from anello.imaging.matting import cut_out
from anello.imaging.patches import WINDOW, Patches
from anello.models import load_ring_network

SCENES = Path(__file__).parent.parent / "scenes" / "rings"
NAMES = ("solitaire_on_white", "slim_band", "halo")


def read(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    picture = cv2.imread(str(SCENES / f"{name}.jpg"))[..., ::-1].copy()
    return picture, cv2.imread(str(SCENES / f"{name}-alpha.png"), cv2.IMREAD_GRAYSCALE)


def cut_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    network = load_ring_network()
    cutout = cut_out(picture, network.look(picture), network.tell_gaps)
    assert cutout is not None
    return cutout.alpha


@pytest.mark.parametrize("name", NAMES)
def test_stones_and_bands_stay_whole(name: str) -> None:
    picture, truth = read(name)
    core = cv2.erode((truth > 250).astype(np.uint8), np.ones((5, 5))) > 0
    assert (cut_alpha(picture)[core] < 128).mean() < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_windows_through_a_band_are_gaps(name: str) -> None:
    picture, truth = read(name)
    depth = cv2.distanceTransform((truth > 250).astype(np.uint8), cv2.DIST_L2, 5)
    rows = np.flatnonzero((truth > 127).any(1))
    depth[: int(rows[0] + 0.5 * (rows[-1] - rows[0]))] = 0  # the head is above
    windows = np.zeros(truth.shape, np.uint8)
    for _ in range(4):
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        radius = 0.6 * float(depth[y, x])
        cv2.circle(windows, (16 * int(x), 16 * int(y)), int(16 * radius), 255, -1, cv2.LINE_AA, 4)
        cv2.circle(depth, (int(x), int(y)), int(8 * radius), 0, -1)
    ground = np.median(picture[truth == 0], axis=0)
    share = cv2.GaussianBlur(windows, (0, 0), 0.7)[..., None] / 255
    pierced = np.round(picture * (1 - share) + ground * share).astype(np.uint8)
    inner = cv2.erode((windows > 250).astype(np.uint8), np.ones((3, 3))) > 0
    assert (cut_alpha(picture)[inner] > 204).all()
    assert (cut_alpha(pierced)[inner] < 51).mean() > 0.7


def test_it_gives_the_same_probabilities_for_each_patch_alone_and_in_a_row() -> None:
    rng = np.random.default_rng(3)
    windows = rng.integers(0, 256, (5, WINDOW, WINDOW, 15), np.uint8)
    tell = load_ring_network().tell_gaps

    def told(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        none, beside = np.zeros(len(windows), np.int32), np.zeros(len(windows), np.float32)
        return tell(Patches(np.zeros((1, 1), np.uint8), none, beside, windows))

    together = told(windows)
    assert together.shape == (5,)
    assert ((together >= 0) & (together <= 1)).all()
    alone = [float(told(window[None])[0]) for window in windows]
    assert np.array_equal(together, np.array(alone, np.float32))
    assert told(windows[:0]).shape == (0,)
