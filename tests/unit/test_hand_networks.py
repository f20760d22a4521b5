"""The networks' surroundings in closed form, and real detections on two of our own scenes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anello.imaging.finger import locate_site
from anello.imaging.hand import Finger, check_pose
from anello.models import hand_networks as networks
from anello.models.hand_networks import HandNetworks, find_hand

SCENES = Path(__file__).parent.parent / "scenes"
SCENE_NAMES = ("hand_left_dark", "hand_right_fair")


def test_anchors_are_cell_centres_in_layer_order():
    anchors = networks.ssd_anchors()
    assert anchors.shape == (24 * 24 * 2 + 12 * 12 * 6, 2)
    assert np.allclose(anchors[0], 0.5 / 24)
    assert np.allclose(anchors[1], anchors[0])
    assert np.allclose(anchors[2], [1.5 / 24, 0.5 / 24])
    assert np.allclose(anchors[24 * 24 * 2], 0.5 / 12)
    assert np.allclose(anchors[-1], 11.5 / 12)
    assert np.allclose(anchors.mean(axis=0), 0.5)


@pytest.mark.parametrize("smooth", [False, True])
def test_letterbox_keeps_the_shape_and_centres_it(smooth: bool):
    rgb = np.full((400, 800, 3), 200, np.uint8)
    square, scale, offset = networks.letterbox(rgb, 192, smooth=smooth)
    assert square.shape == (192, 192, 3)
    assert scale == pytest.approx(0.24)
    assert offset.tolist() == [0, 48]
    assert (square[49:143] == 200).all()
    assert not square[:47].any()
    assert not square[145:].any()


def test_overlapping_boxes_are_one_group_best_first():
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [0.1, 0, 1.1, 1]], float)
    groups = networks.weighted_nms(boxes, np.array([0.7, 0.8, 0.9]))
    assert [sorted(group.tolist()) for group in groups] == [[1], [0, 2]] or [
        sorted(group.tolist()) for group in groups
    ] == [[0, 2], [1]]
    assert groups[0][0] == 2


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -135])
def test_roi_is_upright_and_its_map_has_no_shear(degrees: float):
    angle = np.radians(degrees)
    up = np.array([np.sin(angle), -np.cos(angle)])
    wrist = np.array([300.0, 200.0])
    middle = wrist + 80 * up
    centre = (wrist + middle) / 2
    box = np.concatenate([centre - 50, centre + 50])
    roi = networks.roi_from_palm(box, wrist, middle)
    assert roi.size == pytest.approx(260)
    # The crop is moved by half a box towards the fingers.
    assert np.allclose(roi.centre_xy, centre + 50 * up)
    picture_from_crop = roi.picture_from_crop(224)
    crop_up = picture_from_crop[:, :2] @ np.array([0.0, -1.0])
    assert np.allclose(crop_up, up * 260 / 224)
    assert np.allclose(picture_from_crop @ [112, 112, 1], roi.centre_xy)


# --- with the real weights -----------------------------------------------------------------------


def _weights() -> Path | None:
    """The cache folder, when the weights are there already: tests never download."""
    try:
        from anello.models.fetch import model_path
    except ImportError:
        folder = os.environ.get("ANELLO_MODELS_DIR")
        return Path(folder) if folder else None
    return Path(model_path("palm_detection_full.tflite")).parent


@pytest.fixture(scope="module")
def hand_networks() -> HandNetworks:
    folder = _weights()
    names = ("palm_detection_full.tflite", "hand_landmark_full.tflite")
    if folder is None or not all((folder / name).is_file() for name in names):
        pytest.skip("the hand networks are not fetched: run `anello models fetch`")
    return HandNetworks(folder / names[0], folder / names[1])


def scene(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    rgb = cv2.cvtColor(cv2.imread(str(SCENES / f"{name}.jpg")), cv2.COLOR_BGR2RGB)
    return rgb, json.loads((SCENES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", SCENE_NAMES)
def test_scene_is_found_and_accepted(hand_networks: HandNetworks, name: str):
    rgb, truth = scene(name)
    hand = find_hand(rgb, hand_networks)
    assert hand is not None
    assert (hand.side, hand.dorsal, hand.n_hands) == (truth["side"], True, 1)
    palm = np.hypot(*(hand.points_xy[9] - hand.points_xy[0]))
    off = np.hypot(*(hand.points_xy - truth["landmarks"]).T)
    assert np.median(off) < 0.02 * palm
    size = (rgb.shape[1], rgb.shape[0])
    failed = [c.name for c in check_pose(hand, size, Finger(truth["finger"])) if not c.ok]
    assert failed == []


@pytest.mark.parametrize("name", SCENE_NAMES)
@pytest.mark.parametrize("turn", [None, "rot90", "rot180", "mirror"])
def test_site_agrees_with_the_scene_any_way_up(
    hand_networks: HandNetworks, name: str, turn: str | None
):
    rgb, truth = scene(name)
    height, width = rgb.shape[:2]
    moved = {
        None: lambda p: p,
        "rot90": lambda p: np.array([height - 1 - p[1], p[0]]),
        "rot180": lambda p: np.array([width - 1 - p[0], height - 1 - p[1]]),
        "mirror": lambda p: np.array([width - 1 - p[0], p[1]]),
    }[turn]
    turned = {
        None: lambda a: a,
        "rot90": lambda a: np.rot90(a, -1),
        "rot180": lambda a: np.rot90(a, 2),
        "mirror": lambda a: a[:, ::-1],
    }[turn]
    picture = np.ascontiguousarray(turned(rgb))
    hand = find_hand(picture, hand_networks)
    assert hand is not None
    assert hand.dorsal
    if turn == "mirror":
        assert hand.side != truth["side"]
    site = locate_site(picture, hand, Finger(truth["finger"]), truth["location"])
    assert site is not None
    middle = (np.array(truth["finger_left"]) + np.array(truth["finger_right"])) / 2
    assert site.width_px == pytest.approx(truth["finger_width_px"], rel=0.06)
    aside = (site.centre_xy - moved(middle)) @ site.across_xy
    assert abs(aside) < 0.04 * truth["finger_width_px"]
    axis = np.radians(truth["ring_axis_deg"])
    tip = moved(middle + [np.cos(axis), np.sin(axis)]) - moved(middle)
    cross = site.axis_xy[0] * tip[1] - site.axis_xy[1] * tip[0]
    assert abs(np.degrees(np.arcsin(cross))) < 4
    assert site.axis_xy @ tip > 0.9


def test_empty_pictures_hold_no_hand(hand_networks: HandNetworks):
    flat = np.full((300, 400, 3), 127, np.uint8)
    noise = np.random.default_rng(2).integers(0, 256, (300, 400, 3), np.uint8)
    assert find_hand(flat, hand_networks) is None
    assert find_hand(noise, hand_networks) is None


def test_small_hand_is_found_on_a_tile(hand_networks: HandNetworks):
    rgb, truth = scene(SCENE_NAMES[0])
    canvas = np.full((2400, 3200, 3), 205, np.uint8)
    small = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    canvas[300 : 300 + small.shape[0], 500 : 500 + small.shape[1]] = small
    hand = find_hand(canvas, hand_networks)
    assert hand is not None
    expected = np.array(truth["landmarks"]) * 0.5 + [500, 300]
    palm = np.hypot(*(expected[9] - expected[0]))
    assert np.median(np.hypot(*(hand.points_xy - expected).T)) < 0.06 * palm


def test_same_picture_same_points(hand_networks: HandNetworks):
    rgb, _ = scene(SCENE_NAMES[1])
    first, second = (find_hand(rgb, hand_networks) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.points_xy, second.points_xy)
    assert np.array_equal(first.depth_px, second.depth_px)
