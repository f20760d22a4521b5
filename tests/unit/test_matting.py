"""Cut-outs against drawn rings and path-traced ones, whose alpha is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_hoops import (
    GOLD,
    SILVER,
    DrawnHoop,
    draw_hoop,
    gradient_ground,
    plain_ground,
    shadowed,
)
from numpy.typing import NDArray

from anello.imaging.evidence import Clues
from anello.imaging.matting import Cutout, cut_out, cut_out_by_mask, one_of_a_pair
from anello.models import load_ring_network

SCENES = Path(__file__).parent.parent / "scenes" / "rings"
HOOP = DrawnHoop()


def iou(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    a, b = first.astype(float), second.astype(float)
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def hole_of(alpha: NDArray[np.uint8], seed_xy: tuple[float, float]) -> NDArray[np.bool_]:
    _, labels = cv2.connectedComponents((alpha < 128).astype(np.uint8), connectivity=4)
    return labels == labels[round(seed_xy[1]), round(seed_xy[0])]


def cut(
    picture: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None = None,
    remove_background: bool = True,
) -> Cutout | None:
    network = load_ring_network()
    evidence = network.look(picture)
    return cut_out(picture, evidence, network.tell_gaps, alpha, remove_background)


def found(cutout: Cutout | None) -> Cutout:
    assert cutout is not None
    return cutout


GROUNDS = {
    "white": plain_ground(),
    "grey": plain_ground((168, 168, 170)),
    "pink": plain_ground((236, 208, 204)),
    "black": plain_ground((12, 12, 14)),
    "gradient": gradient_ground(),
    "shadow": shadowed(plain_ground(), HOOP.centre),
}


@pytest.mark.parametrize("ground", GROUNDS)
def test_gold_hoop_on_plain_grounds(ground: str) -> None:
    picture, alpha = draw_hoop(GROUNDS[ground], HOOP)
    cutout = found(cut(picture))
    assert iou(cutout.alpha, alpha) > 0.96
    assert cutout.opening is not None
    hole = hole_of(alpha, HOOP.centre)
    assert (cutout.opening & hole).sum() / (cutout.opening | hole).sum() > 0.96


@pytest.mark.parametrize("ground", ["white", "gradient", "shadow"])
def test_silver_hoop_keeps_its_whole_band(ground: str) -> None:
    picture, alpha = draw_hoop(GROUNDS[ground], HOOP, SILVER)
    cutout = found(cut(picture))
    assert iou(cutout.alpha, alpha) > 0.94


def test_no_fringe_of_the_old_ground() -> None:
    """Edge colours are those of the metal next to them, not mixed with white."""
    picture, _ = draw_hoop(plain_ground(), HOOP, (120, 84, 30))
    cutout = found(cut(picture))
    edge = (cutout.alpha > 60) & (cutout.alpha < 200)
    assert edge.sum() > 100
    assert np.percentile(cutout.rgb[edge].max(-1), 90) < 160


@pytest.mark.parametrize(("quality", "least"), [(50, 0.9), (70, 0.95), (85, 0.98)])
@pytest.mark.parametrize("colour", [GOLD, (150, 60, 40)])
def test_colour_that_jpeg_smeared_over_the_ground_is_no_ring(
    colour: tuple[int, int, int], quality: int, least: float
) -> None:
    picture, alpha = draw_hoop(plain_ground(), HOOP, colour)
    coding = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coding += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], coding)
    cutout = found(cut(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1].copy()))
    beside = (alpha < 5) & (cv2.dilate(alpha, np.ones((5, 5))) > 250)
    assert (cutout.alpha[beside] < 51).mean() > least
    assert iou(cutout.alpha, alpha) > 0.985


def test_white_facet_enclosed_by_the_stone_is_ring() -> None:
    picture, alpha = draw_hoop(plain_ground(), HOOP)
    top = HOOP.points(HOOP.outer + 35, np.array([0.0]), 0.0)[0]
    middle = (round(top[0]), round(top[1]))
    cv2.circle(picture, middle, 42, (90, 92, 96), -1, cv2.LINE_AA)
    for turn in range(0, 360, 45):
        cv2.ellipse(picture, middle, (36, 36), turn, 4, 38, (235, 238, 242), -1, cv2.LINE_AA)
    cv2.circle(picture, middle, 11, (255, 255, 255), -1, cv2.LINE_AA)
    cutout = found(cut(picture))
    rows, cols = np.indices(alpha.shape)
    stone = np.hypot(cols - middle[0], rows - middle[1]) < 38
    assert (cutout.alpha[stone] > 250).mean() > 0.98


def test_text_and_second_objects_are_dropped() -> None:
    picture, alpha = draw_hoop(plain_ground(), HOOP)
    cv2.putText(picture, "SHOP.EXAMPLE", (20, 40), 0, 1.0, (90, 90, 90), 2, cv2.LINE_AA)
    cv2.circle(picture, (450, 480), 18, (40, 40, 160), -1, cv2.LINE_AA)
    cutout = found(cut(picture))
    assert iou(cutout.alpha, alpha) > 0.96


@pytest.mark.parametrize(
    ("name", "least", "least_opening"),
    [("solitaire_on_white", 0.95, 0.97), ("slim_band", 0.90, 0.95), ("halo", 0.92, 0.97)],
)
def test_path_traced_rings(name: str, least: float, least_opening: float) -> None:
    picture = cv2.imread(str(SCENES / f"{name}.jpg"))[..., ::-1].copy()
    alpha = cv2.imread(str(SCENES / f"{name}-alpha.png"), cv2.IMREAD_GRAYSCALE)
    cutout = found(cut(picture))
    assert iou(cutout.alpha, alpha) > least
    assert cutout.opening is not None
    hole = hole_of(alpha, tuple(np.argwhere(cutout.opening).mean(0)[::-1]))
    assert (cutout.opening & hole).sum() / (cutout.opening | hole).sum() > least_opening


def test_transparency_of_the_file_is_used_and_mended() -> None:
    picture, alpha = draw_hoop(plain_ground(), HOOP)
    damaged = alpha.copy()
    rng = np.random.default_rng(0)
    inside = np.argwhere(cv2.erode(alpha, np.ones((5, 5))) > 250)
    for row, col in rng.choice(inside, 40):
        damaged[row, col] = 0
    for row, col in rng.integers(5, 60, (20, 2)):
        damaged[row, col] = 255
    cutout = found(cut(picture, damaged))
    assert cutout.method == "alpha"
    assert np.abs(cutout.alpha.astype(int) - alpha).max() <= 8
    assert cutout.opening is not None


def test_opaque_alpha_says_nothing() -> None:
    picture, _ = draw_hoop(plain_ground(), HOOP)
    assert found(cut(picture, np.full(picture.shape[:2], 255, np.uint8))).method == "ground"


def test_mask_is_taken_as_it_is() -> None:
    picture, alpha = draw_hoop(plain_ground((90, 130, 60)), HOOP, (95, 128, 64))
    cutout = found(cut_out_by_mask(picture, alpha))
    assert cutout.method == "mask"
    assert np.array_equal(cutout.alpha, alpha)


def test_keeping_the_background() -> None:
    picture, alpha = draw_hoop(plain_ground(), HOOP)
    opaque = found(cut(picture, remove_background=False))
    assert iou(opaque.alpha, alpha) > 0.96
    assert opaque.warnings
    as_is = found(cut(picture, alpha, remove_background=False))
    assert as_is.method == "as-is"
    assert np.array_equal(as_is.alpha, alpha)


def blank() -> NDArray[np.uint8]:
    return plain_ground((250, 250, 248))


def coin() -> NDArray[np.uint8]:
    picture = plain_ground()
    cv2.circle(picture, (250, 260), 150, (200, 165, 70), -1, cv2.LINE_AA)
    cv2.circle(picture, (250, 260), 138, (165, 130, 45), 3, cv2.LINE_AA)
    cv2.putText(picture, "5", (215, 310), 0, 5.0, (150, 118, 40), 9, cv2.LINE_AA)
    return picture


def cup() -> NDArray[np.uint8]:
    picture = plain_ground()
    cv2.rectangle(picture, (120, 150), (320, 400), (40, 90, 160), -1)
    cv2.ellipse(picture, (322, 270), (70, 80), 0, -90, 90, (40, 90, 160), 24, cv2.LINE_AA)
    cv2.ellipse(picture, (220, 150), (100, 30), 0, 0, 360, (90, 140, 200), -1, cv2.LINE_AA)
    return picture


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)


def face() -> NDArray[np.uint8]:
    """A head with hair, eyes whose irises are rings of sorts, nose and mouth, softly shaded."""
    picture = np.full((500, 440, 3), 228, np.uint8)
    cv2.ellipse(picture, (220, 210), (150, 185), 0, 0, 360, (58, 44, 36), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (220, 260), (118, 158), 0, 0, 360, (206, 164, 140), -1, cv2.LINE_AA)
    for x in (172, 268):
        cv2.ellipse(picture, (x, 236), (27, 13), 0, 0, 360, (242, 240, 238), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 236), 11, (96, 70, 44), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 236), 5, (12, 10, 10), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 210), (32, 9), 0, 180, 360, (60, 44, 36), 5, cv2.LINE_AA)
    cv2.ellipse(picture, (220, 290), (19, 26), 0, 20, 160, (166, 120, 100), 3, cv2.LINE_AA)
    cv2.ellipse(picture, (220, 344), (44, 15), 0, 0, 360, (176, 92, 90), -1, cv2.LINE_AA)
    shade = 1 - 0.35 * np.clip((np.arange(440) - 200) / 240, 0, 1)[None, :, None]
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2) * shade
    return np.round(soft).astype(np.uint8)


@pytest.mark.parametrize("draw", [blank, coin, cup, face, noise])
def test_other_things_are_refused(draw: object) -> None:
    assert callable(draw)
    assert cut(draw()) is None


@pytest.mark.parametrize("name", ["hand_left_dark", "hand_right_fair"])
def test_hands_are_refused(name: str) -> None:
    picture = cv2.imread(str(SCENES.parent / f"{name}.jpg"))[..., ::-1].copy()
    assert cut(picture) is None


def test_size_does_not_matter_much() -> None:
    for side in (240, 1400):
        factor = side / 520
        hoop = DrawnHoop(
            centre=(250 * factor, 260 * factor),
            inner=140 * factor,
            outer=160 * factor,
            width=52 * factor,
        )
        size = (side, round(500 * factor))
        picture, alpha = draw_hoop(plain_ground(size=size), hoop, GOLD)
        assert iou(found(cut(picture)).alpha, alpha) > (0.94 if side < 300 else 0.97)


@pytest.mark.parametrize("name", ["solitaire_on_white", "halo"])
def test_a_ring_of_a_hundred_pixels_is_found_in_a_large_picture(name: str) -> None:
    picture = cv2.imread(str(SCENES / f"{name}.jpg"))[..., ::-1]
    alpha = cv2.imread(str(SCENES / f"{name}-alpha.png"), cv2.IMREAD_GRAYSCALE)
    scale = 100 / np.ptp(np.argwhere(alpha > 127), axis=0).max()
    small, truth = (
        cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for plane in (picture, alpha)
    )
    height, width = truth.shape
    around = (700, 1200 - 700 - height, 500, 1200 - 500 - width)
    large = cv2.copyMakeBorder(small, *around, cv2.BORDER_REPLICATE)
    truth = cv2.copyMakeBorder(truth, *around, cv2.BORDER_CONSTANT)
    seen, true = ((alpha > 127).astype(np.uint8) for alpha in (found(cut(large)).alpha, truth))
    around_seen, around_true = (cv2.dilate(mask, np.ones((3, 3))) for mask in (seen, true))
    assert (true > around_seen).sum() < 0.03 * true.sum()
    assert (seen > around_true).sum() < 0.03 * true.sum()


def two_rings(distance: int, first_in_front: bool) -> tuple[Cutout, list[NDArray[np.bool_]]]:
    """Two round rings of radius 40 to 52 side by side, one laid over the other as in a catalogue,
    and the whole of each. The opening that was found is the left one's."""
    row, column = np.mgrid[0:160, 0:280]
    r = [np.hypot(column - x, row - 80) for x in (80, 80 + distance)]
    rings = [(d > 40) & (d < 52) for d in r]
    front, back = (0, 1) if first_in_front else (1, 0)
    solid = rings[front] | (rings[back] & (r[front] > 40))
    alpha = np.where(solid, 255, 0).astype(np.uint8)
    opening = (r[0] <= 40) & (first_in_front | (r[1] > 52))
    rgb, seen = np.zeros((*alpha.shape, 3), np.uint8), Clues(None, view="pair")
    return Cutout(rgb, alpha, opening, "alpha", (), 0.9, seen), rings


def test_of_two_rings_that_touch_one_is_left_whole():
    both, (left, right) = two_rings(distance=103, first_in_front=True)
    one = one_of_a_pair(both)
    assert (one.alpha[left & ~right] > 0).mean() > 0.98
    assert (one.alpha[right & ~left] > 0).mean() < 0.02
    assert one.opening is both.opening


def test_of_two_rings_the_one_in_front_is_worn_whichever_opening_was_found():
    both, (_, right) = two_rings(distance=70, first_in_front=False)
    chosen = one_of_a_pair(both).opening
    assert chosen is not None
    assert chosen[80, 150]
    assert not chosen[80, 60]
    assert (one_of_a_pair(both).alpha[right] > 0).mean() > 0.75


def test_one_ring_is_left_as_it_is():
    both, (_, right) = two_rings(distance=103, first_in_front=True)
    alone = replace(both, alpha=np.where(right, 0, both.alpha))
    assert one_of_a_pair(alone) is alone
    one_with_two_gaps = replace(both, clues=Clues(None, view="three-quarter"))
    assert one_of_a_pair(one_with_two_gaps) is one_with_two_gaps
