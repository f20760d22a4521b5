"""Pose checks and attitude on constructed sets of points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anello.imaging.hand import (
    LENGTH_MM,
    USUAL_RADIUS_MM,
    WIDTH_MM,
    Finger,
    Hand,
    HandEvidence,
    attitude,
    check_pose,
    expected_width,
    finger_chain,
    no_hand,
    px_per_mm,
    straightness,
)

PALM = 270.0
"""Palm length of the drawn hand, px."""
_ROOTS = {1: (-0.30, -0.98), 2: (0.0, -1.0), 3: (0.22, -0.93), 4: (0.40, -0.82)}
_LENGTHS = {1: 1.0, 2: 1.1, 3: 1.0, 4: 0.78}
_LEAN_DEG = {1: -8, 2: 0, 3: 7, 4: 15}
SIZE = (800, 900)


def drawn_hand(turn_deg: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Hand:
    """The back of a right hand, fingers up, thumb left, turned about the picture's middle."""
    points = np.zeros((21, 2))
    points[1:5] = [(-0.28, -0.22), (-0.50, -0.48), (-0.66, -0.70), (-0.80, -0.88)]
    for finger in (1, 2, 3, 4):
        lean = np.radians(_LEAN_DEG[finger])
        along = np.array([np.sin(lean), -np.cos(lean)])
        for joint, share in enumerate((0.0, 0.46, 0.76, 1.0)):
            points[1 + 4 * finger + joint] = (
                np.array(_ROOTS[finger]) + share * _LENGTHS[finger] * along
            )
    points = points * PALM
    middle = points[9].copy()
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flat = (points - middle) @ turn.T
    placed = flat + np.array(SIZE) / 2 + np.array(shift)
    return Hand(placed, np.zeros(21), "right", True, 0.99, 1, evidence=HandEvidence(0.3, 0.05))


def failed(
    hand: Hand, finger: Finger | None = Finger.RING, size: tuple[int, int] = SIZE
) -> list[str]:
    return [check.name for check in check_pose(hand, size, finger) if not check.ok]


def bent(hand: Hand, finger: Finger, fold: float) -> Hand:
    """The finger's last two bones turned back by ``fold`` times 180 degrees."""
    points = hand.points_xy.copy()
    chain = finger_chain(finger)
    angle = np.pi * fold
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for i in chain[2:]:
        points[i] = points[chain[1]] + turn @ (points[i] - points[chain[1]])
    return replace(hand, points_xy=points)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_good_hand_passes_any_way_up(degrees: float):
    hand = drawn_hand(degrees)
    shifted = replace(hand, points_xy=hand.points_xy + 200)
    assert failed(shifted, size=(1200, 1300)) == []


@pytest.mark.parametrize("finger", list(Finger))
def test_every_finger_of_a_good_hand_is_free(finger: Finger):
    assert failed(drawn_hand(), finger) == []


def test_slightly_bent_finger_passes():
    assert failed(bent(drawn_hand(), Finger.INDEX, 0.12)) == []


@pytest.mark.parametrize("finger", list(Finger)[1:])
def test_folded_finger_is_refused(finger: Finger):
    hand = bent(drawn_hand(), finger, 0.85)
    assert straightness(hand, finger) < 0.92
    assert "fingers extended" in failed(hand)


def test_palm_is_refused():
    assert failed(replace(drawn_hand(), dorsal=False)) == ["back of the hand"]


def test_two_hands_are_refused():
    assert failed(replace(drawn_hand(), n_hands=2)) == ["one hand"]


def test_tiny_hand_is_refused_for_its_size():
    checks = check_pose(drawn_hand(), (4000, 4000), Finger.RING)
    wrong = next(check for check in checks if not check.ok)
    assert wrong.message == "Hand size should fit in range"
    assert wrong.code == "PHOTO_CHECK_INVALID"


def test_narrow_finger_is_refused():
    hand = drawn_hand()
    small = replace(hand, points_xy=hand.points_xy * 0.3)
    assert "finger width" in failed(small, size=(240, 270))


def test_fingertips_outside_the_frame_are_refused():
    assert failed(drawn_hand(shift=(0, -300))) == ["fingers inside the frame"]


def test_wrist_outside_the_frame_is_fine():
    hand = drawn_hand()
    lower = hand.points_xy[0, 1] - 20
    assert failed(hand, size=(800, int(lower))) == []


def test_end_on_fingers_are_refused():
    hand = drawn_hand()
    points = hand.points_xy.copy()
    for finger in list(Finger)[1:]:
        chain = finger_chain(finger)
        for i in chain[1:]:
            points[i] = points[chain[0]] + 0.4 * (points[i] - points[chain[0]])
    assert "fingers visible" in failed(replace(hand, points_xy=points))


def test_thumb_that_is_no_skin_is_refused():
    unseen = replace(drawn_hand(), evidence=HandEvidence(3.1, 0.05))
    assert failed(unseen) == ["thumb seen"]


def test_thumb_cut_by_the_frame_is_refused():
    hand = drawn_hand()
    tip = hand.points_xy[4, 0]
    moved = replace(hand, points_xy=hand.points_xy - [tip - 1, 0])
    assert failed(moved) == ["thumb inside the frame"]


def test_thumb_shortened_at_the_frame_is_refused():
    hand = drawn_hand()
    points = hand.points_xy.copy()
    for i in (3, 4):
        points[i] = points[2] + 0.75 * (points[i] - points[2])
    near = replace(hand, points_xy=points - [points[4, 0] - 20, 0])
    assert failed(near) == ["thumb inside the frame"]


def test_thumb_imagined_on_the_index_finger_is_refused():
    hand = drawn_hand()
    points = hand.points_xy.copy()
    points[2:5] = points[5] + (points[6] - points[5]) * np.array([[-0.3], [0.3], [0.9]])
    assert "thumb beside the hand" in failed(replace(hand, points_xy=points))


def test_photo_blurred_away_is_refused():
    assert failed(replace(drawn_hand(), evidence=HandEvidence(0.3, 0.8))) == ["sharp"]


def test_crossed_finger_is_not_free():
    hand = drawn_hand()
    points = hand.points_xy.copy()
    points[10:13] = points[14:17] + [2.0, -10.0]
    assert "chosen finger free" in failed(replace(hand, points_xy=points), Finger.RING)


def test_no_hand_has_its_own_code():
    check = no_hand()
    assert (check.code, check.message) == ("PHOTO_DETECTION_FAIL", "No hand detected")


def test_every_check_says_what_to_do():
    for check in check_pose(drawn_hand(), SIZE, Finger.RING):
        assert check.remedy
        assert check.limit
        assert check.message in (
            "No hand detected",
            "Hand pose should be correct",
            "Hand size should fit in range",
        )


def test_expected_width_grows_with_the_hand():
    hand = drawn_hand()
    double = replace(hand, points_xy=2 * hand.points_xy)
    for finger in Finger:
        assert expected_width(double, finger) == pytest.approx(2 * expected_width(hand, finger))
    assert expected_width(hand, Finger.LITTLE) < expected_width(hand, Finger.RING)


def sized_hand(length: float, width: float) -> Hand:
    """So many times as long and as wide as usual at 5 px a millimetre."""
    hand = drawn_hand()
    points = hand.points_xy.copy()
    points[[0, 9, 10, 11, 12]] = [(0.0, -x * length * LENGTH_MM * 5 / 4) for x in range(5)]
    points[5], points[17] = (0.0, 0.0), (width * WIDTH_MM * 5, 0.0)
    return replace(hand, points_xy=points)


@pytest.mark.parametrize("size", [0.8, 1.0, 1.3])
def test_a_hand_whose_length_and_width_agree_tells_its_size(size: float):
    for width_px in (60.0, 90.0):
        scale = px_per_mm(sized_hand(size, size), Finger.RING, width_px)
        assert scale == pytest.approx(5 * size)


def test_a_foreshortened_hand_leaves_the_size_to_what_is_usual_for_the_finger():
    width_px = 2 * 5 * USUAL_RADIUS_MM[Finger.RING]
    true, short = (
        px_per_mm(sized_hand(length, 1.0), Finger.RING, width_px) for length in (1.0, 0.7)
    )
    assert true == pytest.approx(5)
    assert 0.97 * true > short > 0.9 * true > np.sqrt(0.7) * true


def test_pitch_stays_in_range_and_follows_the_palms_tilt():
    hand = drawn_hand()
    pitches = []
    for deg in (-60.0, -5.0, 0.0, 5.0, 60.0):
        depth = np.tan(np.radians(deg)) * np.hypot(*(hand.points_xy - hand.points_xy[0]).T)
        pitches.append(attitude(replace(hand, depth_px=depth), Finger.RING, SIZE)[0])
    assert pitches == sorted(pitches)
    assert pitches[3] > pitches[1] + 5
    assert 3 <= pitches[0] < pitches[-1] <= 38


def test_a_finger_farther_up_in_the_picture_is_seen_more_from_the_wrists_side():
    pitches = [
        attitude(drawn_hand(shift=(0.0, -up)), Finger.RING, SIZE)[0] for up in (-100.0, 0.0, 100.0)
    ]
    assert pitches == sorted(pitches)
    assert 3 < pitches[0] < pitches[2] - 4


def test_thumb_is_rolled_outwards_on_either_hand():
    right = drawn_hand()
    left = replace(right, points_xy=right.points_xy * [-1, 1] + [800, 0], side="left")
    # The thumb of a right hand seen from the back points left: its back turns to the left.
    assert -70 < attitude(right, Finger.THUMB, SIZE)[1] < -30
    assert attitude(left, Finger.THUMB, SIZE)[1] == pytest.approx(
        -attitude(right, Finger.THUMB, SIZE)[1]
    )


@pytest.mark.parametrize("finger", list(Finger))
def test_a_hand_whose_thumb_lies_deep_is_rolled_towards_it_on_either_side(finger: Finger):
    right = drawn_hand()
    left = replace(right, points_xy=right.points_xy * [-1, 1] + [800, 0], side="left")
    thumb = np.isin(np.arange(21), [1, 2, 3, 4])
    for hand, towards_thumb in ((right, -1), (left, 1)):
        rolls = [
            attitude(replace(hand, depth_px=deep * thumb), finger, SIZE)[1] * towards_thumb
            for deep in (-500.0, 0.0, 10.0, 20.0, 500.0)
        ]
        assert rolls == sorted(rolls)
        assert 1 < rolls[3] - rolls[1] < rolls[-1] - rolls[0] <= 16


def test_fingers_roll_little():
    for finger in list(Finger)[1:]:
        assert abs(attitude(drawn_hand(), finger, SIZE)[1]) < 20
