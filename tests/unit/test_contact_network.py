"""Our own network on our own path-traced rings, which it was not trained on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from anello.models.contact_network import ContactNetwork

SCENES = Path(__file__).parent.parent / "scenes" / "rings"
ENDS = {
    "solitaire_on_white": [[111.3, 274.0], [367.1, 254.8]],
    "slim_band": [[135.8, 215.4], [341.2, 274.9]],
    "halo": [[148.2, 164.9], [328.1, 230.2]],
}
"""The farthest pair of points on the near inner rim, from the scenes' geometry."""


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    return cv2.imread(str(SCENES / f"{name}.jpg"))[..., ::-1].copy(), np.array(ENDS[name])


@pytest.fixture(scope="module")
def network() -> ContactNetwork:
    return ContactNetwork()


@pytest.mark.parametrize("name", ENDS)
def test_ends_that_were_seen_a_little_off_are_found(name: str, network: ContactNetwork) -> None:
    picture, ends = read(name)
    apart = float(np.linalg.norm(ends[1] - ends[0]))
    ways = np.deg2rad(np.arange(0, 360, 45))
    off = []
    for away in 0.06 * apart * np.stack([np.cos(ways), np.sin(ways)], 1):
        found = network.look(picture, ends + [away, -away[::-1]])
        off.append(np.linalg.norm(found - ends, axis=1) / apart)
    assert np.median(off) < 0.02
    assert np.max(off) < 0.04


@pytest.mark.parametrize("name", ENDS)
def test_a_mirrored_photo_has_its_ends_in_the_mirror(name: str, network: ContactNetwork) -> None:
    picture, ends = read(name)
    last = picture.shape[1] - 1
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    found = network.look(mirrored, (ends * [-1, 1] + [last, 0])[::-1])
    assert found[::-1] * [-1, 1] + [last, 0] == pytest.approx(network.look(picture, ends), abs=0.3)


def test_ends_are_found_in_the_order_that_they_are_given(network: ContactNetwork) -> None:
    picture, ends = read("halo")
    assert np.array_equal(network.look(picture, ends[::-1])[::-1], network.look(picture, ends))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (2000, 3, 3), (60, 60, 3)])
def test_pictures_of_any_shape_end_well(
    shape: tuple[int, int, int], network: ContactNetwork
) -> None:
    ends = np.array([[-3.0, 20.0], [55.0, 61.0]])
    assert np.isfinite(network.look(np.full(shape, 200, np.uint8), ends)).all()
