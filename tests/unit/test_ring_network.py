"""Our own network on our own path-traced rings, which it was not trained on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from anello.imaging.evidence import RingEvidence
from anello.imaging.warp import sampled
from anello.models import load_ring_network
from anello.models.ring_network import RingNetwork

SCENES = Path(__file__).parent.parent / "scenes" / "rings"
NAMES = ("solitaire_on_white", "slim_band", "halo")


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    picture = cv2.imread(str(SCENES / f"{name}.jpg"))[..., ::-1].copy()
    return picture, cv2.imread(str(SCENES / f"{name}-alpha.png"), cv2.IMREAD_GRAYSCALE) > 127


def ring_of(evidence: RingEvidence, shape: tuple[int, ...]) -> np.ndarray:
    whole = (0, 0, shape[1], shape[0])
    return evidence.seen_in(evidence.alpha, whole, shape) > 0.5


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("name", NAMES)
def test_it_sees_the_ring_and_what_is_seen_through_it(name: str) -> None:
    picture, alpha = read(name)
    evidence = load_ring_network().look(picture)
    assert evidence.shows_ring
    assert evidence.view == "three-quarter"
    assert iou(ring_of(evidence, alpha.shape), alpha) > 0.85
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~alpha).astype(np.uint8))
    inner = [k for k in range(1, len(stats)) if stats[k, 0] > 0 and stats[k, 1] > 0]
    hole = labels == max(inner, key=lambda k: stats[k, 4])
    whole = (0, 0, alpha.shape[1], alpha.shape[0])
    assert iou(evidence.seen_in(evidence.opening, whole, alpha.shape) > 0.5, hole) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_small_ring_in_a_large_picture_is_looked_at_again(name: str) -> None:
    picture, alpha = read(name)
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    around = ((2 * height, height), (3 * width, width), (0, 0))
    large = np.pad(small, around, mode="edge")
    evidence = load_ring_network().look(large)
    assert evidence.shows_ring
    truth = np.zeros(large.shape[:2], bool)
    truth[2 * height : 3 * height, 3 * width : 4 * width] = (
        cv2.resize(alpha.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    )
    assert iou(ring_of(evidence, truth.shape), truth) > 0.8


@pytest.mark.parametrize("light", [(1.0, 0.85, 0.6), (0.5, 0.5, 0.5), (0.6, 0.8, 1.0)])
@pytest.mark.parametrize("name", NAMES)
def test_dim_and_coloured_light_makes_no_other_ring(
    name: str, light: tuple[float, float, float]
) -> None:
    picture, alpha = read(name)
    dimmed = (picture * (0.9 * np.array(light))).astype(np.uint8)
    evidence = load_ring_network().look(dimmed)
    assert evidence.shows_ring
    as_it_is = ring_of(load_ring_network().look(picture), alpha.shape)
    assert iou(ring_of(evidence, alpha.shape), as_it_is) > 0.97


class KnowsUprightOnly(RingNetwork):
    """One that sees no ring but in this picture, turned in no way."""

    def __init__(self, upright: np.ndarray) -> None:
        super().__init__()
        self._upright = upright

    def _look(self, pixels: np.ndarray) -> RingEvidence:
        seen = super()._look(pixels)
        return seen if np.array_equal(pixels, self._upright) else replace(seen, presence=0.0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_ring_that_is_seen_only_the_other_way_up_lies_where_it_is(quarters: int) -> None:
    upright, alpha = read("halo")
    upright, alpha = upright[:, 20:], alpha[:, 20:]  # not square, so that the sides tell
    network = KnowsUprightOnly(upright)
    seen = network.look(upright)
    turned = network.look(np.ascontiguousarray(np.rot90(upright, quarters)))
    assert turned.shows_ring
    turned_alpha = np.rot90(alpha, quarters)
    assert iou(ring_of(turned, turned_alpha.shape), turned_alpha) > 0.85
    assert seen.contacts_xy is not None
    assert turned.contacts_xy is not None
    ends = seen.contacts_xy
    for done in range(quarters):
        ends = np.column_stack([ends[:, 1], upright.shape[1 - done % 2] - 1 - ends[:, 0]])
    assert np.allclose(turned.contacts_xy, ends[ends[:, 0].argsort()], atol=1e-6)


def test_nothing_is_seen_on_an_empty_ground() -> None:
    for level in (0, 128, 255):
        evidence = load_ring_network().look(np.full((300, 400, 3), level, np.uint8))
        assert not evidence.shows_ring
        assert evidence.box(0.1, (400, 300)) is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (2000, 3, 3)])
def test_pictures_of_any_shape_end_well(shape: tuple[int, ...]) -> None:
    assert not load_ring_network().look(np.full(shape, 200, np.uint8)).shows_ring


class Echo:
    """A network that is sure of a ring, with a picture's colours, and ends where it isn't red; it
    counts its looks."""

    def __init__(self) -> None:
        self.looks = 0

    def run(self, square: np.ndarray) -> list[np.ndarray]:
        self.looks += 1
        planes = square[None, ..., [0, 1, 2, 0, 1]].astype(np.float32) / 255
        cells = cv2.resize(1 - planes[0, ..., :2], (80, 80), interpolation=cv2.INTER_AREA)
        return [planes, cells[None], np.float32([[9, 0, 0, 0, 0, 0, 0, 0, 0]])]


@pytest.mark.parametrize("size", [(640, 640), (500, 900), (250, 180)])
def test_what_is_seen_in_the_mirror_lies_where_it_is(size: tuple[int, int]) -> None:
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    waves = [0.75 + 0.2 * np.sin(40 * x + 20 * y), 0.5 + 0.4 * np.sin(35 * y), 0.5 + 0.4 * x]
    photo = (255 * np.dstack(waves)).astype(np.uint8)
    network = RingNetwork()
    network._network = echo = Echo()  # type: ignore[assignment]
    network._closer_contacts = lambda _, contacts_xy: contacts_xy
    evidence = network.look(photo)
    assert echo.looks == 2
    seen = sampled(photo, evidence.photo_from_grid, network.size) / 255.0
    for k, plane in enumerate((evidence.alpha, evidence.opening, evidence.front)):
        off = np.abs(plane - seen[..., k])
        assert off.max() < 0.02
        assert off.mean() < 0.0015


def test_the_ends_are_where_both_looks_saw_them_and_never_twice_the_same() -> None:
    """Two spots; a second peak in the stronger one is higher than the other spot."""
    ends = np.array([[140.3, 300.7], [420.2, 260.5]])
    x, y = np.meshgrid(np.arange(600), np.arange(560))
    photo = np.full((560, 600, 3), 255, np.uint8)
    for (across, down), level, spread in zip(ends, (250, 120), (14, 9), strict=True):
        spot = level * np.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * spread**2))
        photo[..., 0] = np.minimum(photo[..., 0], 255 - spot)
    network = RingNetwork()
    network._network = Echo()  # type: ignore[assignment]
    network._closer_contacts = lambda _, contacts_xy: contacts_xy
    evidence = network.look(photo)
    assert evidence.contacts_xy is not None
    cell = evidence.photo_from_grid[0, 0] * network.size / 80
    assert np.abs(evidence.contacts_xy - ends).max() < 0.25 * cell
    assert 0.3 < evidence.contact_score < 0.5


def test_threads_that_share_it_see_the_same() -> None:
    pictures = [read(name)[0] for name in NAMES]
    network = load_ring_network()
    alone = [network.look(picture).alpha for picture in pictures]
    together: dict[int, list[np.ndarray]] = {}

    def work(k: int) -> None:
        together[k] = [network.look(pictures[k]).alpha for _ in range(5)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, first in enumerate(alone):
        assert all(np.array_equal(first, again) for again in together[k])
