"""The finger's silhouettes on drawn fingers whose edges are known below the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_hand import drawn_hand

from anello.imaging.finger import FingerSite, locate_site
from anello.imaging.hand import BONES, Finger, Hand
from anello.imaging.silhouette import search_pair

SKIN = np.array([205, 160, 138])
DARK_SKIN = np.array([84, 56, 44])
GROUNDS = {
    "white": np.array([248, 248, 248]),
    "grey": np.array([120, 122, 125]),
    "wood": np.array([168, 124, 84]),
    "blue": np.array([40, 60, 120]),
    "black": np.array([14, 14, 16]),
}
SIZE = (900, 800)
"""Height, width of the drawn pictures."""


def coverage(distance: np.ndarray, blur: float = 0.7) -> np.ndarray:
    """Blurred half-plane: 1 inside (positive distance)."""
    return 1 / (1 + np.exp(np.clip(-1.702 * distance / blur, -60, 60)))


def drawn_finger(
    hand: Hand,
    finger: Finger,
    width: float,
    skin: np.ndarray,
    ground: np.ndarray,
    *,
    aside: float = 0.0,
    shadow: float = 0.0,
    bounced: float = 0.0,
    neighbour: bool = False,
    noise: float = 2.0,
) -> np.ndarray:
    """A straight finger around its bone, off by ``aside`` px to the right of it, tip up.

    shadow : px by which a soft shadow sticks out on the right. bounced : share of the way from the
    ground's hue to the skin's that the shadow's is. neighbour : another finger touches on the left.
    """
    base, joint = (hand.points_xy[i] for i in BONES[finger])
    axis = (joint - base) / np.hypot(*(joint - base))
    across = np.array([-axis[1], axis[0]])
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    u = (np.stack([x, y], -1) - base) @ across - aside
    picture = np.broadcast_to(ground.astype(float), (*SIZE, 3)).copy()
    if shadow:
        depth = coverage(width / 2 + shadow - u, 0.25 * shadow) * coverage(u)
        tint = (skin / skin[1]) / (ground / ground[1])
        picture *= (1 - 0.55 * depth)[..., None] * tint ** (bounced * depth[..., None])

    def lay(u: np.ndarray) -> None:
        shade = 1 - 0.45 * np.clip(np.abs(2 * u / width), 0, 1) ** 3
        inside = coverage(width / 2 - np.abs(u))[..., None]
        picture[:] = inside * skin * shade[..., None] + (1 - inside) * picture

    if neighbour:
        lay(u + width - 2.0)  # overlapping a little: no ground shines through the seam
    lay(u)
    grain = np.random.default_rng(7).normal(0, noise, picture.shape)
    return np.clip(np.round(picture + grain), 0, 255).astype(np.uint8)


def site_of(picture: np.ndarray, hand: Hand, finger: Finger, location: float = 0.4) -> FingerSite:
    site = locate_site(picture, hand, finger, location)
    assert site is not None
    return site


def lateral(site: FingerSite, hand: Hand, finger: Finger) -> float:
    """How far the site's centre lies right of the landmark bone, px."""
    base, joint = (hand.points_xy[i] for i in BONES[finger])
    axis = (joint - base) / np.hypot(*(joint - base))
    return float((site.centre_xy - base) @ np.array([-axis[1], axis[0]]))


@pytest.mark.parametrize("degrees", [0, 17, 90, 143, 180, 251])
def test_width_centre_and_axis_at_any_angle(degrees: float):
    hand = drawn_hand(turn_deg=degrees)
    picture = drawn_finger(hand, Finger.MIDDLE, 61.4, SKIN, GROUNDS["grey"], aside=5.3)
    site = site_of(picture, hand, Finger.MIDDLE)
    assert site.width_px == pytest.approx(61.4, rel=0.02)
    assert lateral(site, hand, Finger.MIDDLE) == pytest.approx(5.3, abs=0.6)
    base, joint = (hand.points_xy[i] for i in BONES[Finger.MIDDLE])
    axis = (joint - base) / np.hypot(*(joint - base))
    assert np.degrees(np.arccos(np.clip(site.axis_xy @ axis, -1, 1))) < 1.0
    assert np.allclose(site.across_xy, [-site.axis_xy[1], site.axis_xy[0]])
    assert np.allclose(site.right_xy - site.left_xy, site.across_xy * site.width_px)
    assert np.allclose((site.left_xy + site.right_xy) / 2, site.centre_xy)
    assert site.confidence > 0.6


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("skin", [SKIN, DARK_SKIN], ids=["fair", "dark"])
def test_skins_and_grounds(skin: np.ndarray, ground: str):
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.RING, 58.0, skin, GROUNDS[ground])
    site = site_of(picture, hand, Finger.RING)
    assert site.width_px == pytest.approx(58.0, rel=0.04)
    assert lateral(site, hand, Finger.RING) == pytest.approx(0, abs=1.5)


def test_very_fair_overexposed_skin_on_white():
    hand = drawn_hand()
    skin = np.array([252, 240, 232])
    picture = drawn_finger(hand, Finger.INDEX, 60.0, skin, np.array([255, 255, 255]), noise=1)
    assert site_of(picture, hand, Finger.INDEX).width_px == pytest.approx(60.0, rel=0.04)


@pytest.mark.parametrize(("width", "aside"), [(70.0, 9.0), (74.0, 10.0), (77.0, 12.0)])
def test_a_flushed_flank_beyond_the_usual_width_is_the_finger(width: float, aside: float):
    # Wider than the landmarks expect (60 px) and off to the side on which the skin is blotchy.
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.MIDDLE, width, SKIN, GROUNDS["white"], aside=aside)
    base, joint = (hand.points_xy[i] for i in BONES[Finger.MIDDLE])
    axis = (joint - base) / np.hypot(*(joint - base))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    u = (np.stack([x, y], -1) - base) @ np.array([-axis[1], axis[0]]) - aside
    blotches = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, SIZE), (0, 0), 2.6)
    blotches = 1 + 0.86 * blotches / blotches.std()
    flush = np.clip((u / width - 0.1) / 0.4, 0, 1) * coverage(width / 2 - u) * blotches
    picture = np.clip(picture * (1 - flush[..., None] * [0.01, 0.16, 0.16]), 0, 255)
    site = site_of(picture.round().astype(np.uint8), hand, Finger.MIDDLE)
    assert site.width_px == pytest.approx(width, rel=0.04)
    assert lateral(site, hand, Finger.MIDDLE) == pytest.approx(aside, abs=1.5)


@pytest.mark.parametrize("extra", [6.0, 12.0])
def test_a_shadow_beside_the_finger_is_not_the_finger(extra: float):
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.MIDDLE, 60.0, SKIN, np.array([225, 225, 222]), shadow=extra)
    site = site_of(picture, hand, Finger.MIDDLE)
    assert site.width_px == pytest.approx(60.0, rel=0.04)
    assert lateral(site, hand, Finger.MIDDLE) == pytest.approx(0, abs=1.5)


BROWN_SKIN = np.array([139, 107, 86])


@pytest.mark.parametrize("extra", [4.0, 5.0, 6.0])
def test_skin_tints_the_shadow_on_white_cloth_and_it_is_still_not_the_finger(extra: float):
    # About as dark as the finger, its hue more than half way to the finger's.
    hand = drawn_hand()
    picture = drawn_finger(
        hand, Finger.MIDDLE, 60.0, BROWN_SKIN, np.array([215, 211, 200]), shadow=extra, bounced=0.6
    )
    site = site_of(picture, hand, Finger.MIDDLE)
    assert site.width_px == pytest.approx(60.0, rel=0.04)
    assert lateral(site, hand, Finger.MIDDLE) == pytest.approx(0, abs=1.5)


def test_touching_fingers_part_at_the_crease():
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.MIDDLE, 60.0, SKIN, GROUNDS["white"], neighbour=True)
    site = site_of(picture, hand, Finger.MIDDLE)
    assert site.width_px == pytest.approx(60.0, rel=0.05)
    assert lateral(site, hand, Finger.MIDDLE) == pytest.approx(0, abs=2.0)


def test_mirrored_photo_gives_the_mirrored_site():
    hand = drawn_hand(turn_deg=12)
    picture = drawn_finger(hand, Finger.INDEX, 57.0, SKIN, GROUNDS["wood"], aside=-4)
    site = site_of(picture, hand, Finger.INDEX)
    flip = np.array([SIZE[1] - 1, 0])
    other = Hand(
        points_xy=flip + hand.points_xy * [-1, 1],
        depth_px=hand.depth_px,
        side="right" if hand.side == "left" else "left",
        dorsal=True,
        presence=1.0,
        n_hands=1,
    )
    mirrored = site_of(np.ascontiguousarray(picture[:, ::-1]), other, Finger.INDEX)
    assert mirrored.width_px == pytest.approx(site.width_px, rel=0.01)
    assert np.allclose(flip + mirrored.centre_xy * [-1, 1], site.centre_xy, atol=0.7)
    assert mirrored.roll_deg == pytest.approx(-site.roll_deg)
    assert mirrored.pitch_deg == pytest.approx(site.pitch_deg)


def test_greyscale_photo():
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.RING, 60.0, SKIN, GROUNDS["white"])
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert site_of(grey, hand, Finger.RING).width_px == pytest.approx(60.0, rel=0.04)


def test_location_runs_along_the_bone():
    hand = drawn_hand(turn_deg=30)
    picture = drawn_finger(hand, Finger.RING, 60.0, SKIN, GROUNDS["grey"])
    base, joint = (hand.points_xy[i] for i in BONES[Finger.RING])
    bone = joint - base
    for location in (0.0, 0.3, 1.0):
        site = site_of(picture, hand, Finger.RING, location)
        share = (site.centre_xy - base) @ bone / (bone @ bone)
        assert share == pytest.approx(0.5 + 0.4 * location, abs=0.005)


def test_hand_mask_defines_the_silhouette():
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.RING, 60.0, SKIN, GROUNDS["white"])
    white = np.array([255, 255, 255])
    mask = drawn_finger(hand, Finger.RING, 52.0, white, np.zeros(3), noise=0, aside=3)[..., 0]
    mask = np.where(mask > 60, 255, 0).astype(np.uint8)
    site = locate_site(picture, hand, Finger.RING, 0.4, mask)
    assert site is not None
    assert site.width_px == pytest.approx(52.0, rel=0.03)


@pytest.mark.parametrize("rows", [5, 17, 39, 40, 200])
def test_silhouettes_are_found_in_a_strip_of_any_length(rows: int):
    columns = np.arange(121)
    left, right = (
        np.tile(np.exp(-0.5 * ((columns - at) / 3.0) ** 2), (rows, 1)) for at in (36, 86)
    )
    with np.errstate(all="raise", under="ignore"):
        paths = search_pair(left.astype(np.float32), right.astype(np.float32), 50.0, 1)
    assert paths.left.shape == paths.right.shape == (rows,)
    assert np.allclose(paths.left, 36, atol=1.5)
    assert np.allclose(paths.right, 86, atol=1.5)


def test_blur_of_the_silhouette_is_measured():
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.RING, 60.0, SKIN, GROUNDS["black"], noise=0.5)
    sharp = site_of(picture, hand, Finger.RING).edge_sigma_px
    soft = site_of(cv2.GaussianBlur(picture, (0, 0), 2.5), hand, Finger.RING).edge_sigma_px
    assert sharp == pytest.approx(0.7, abs=0.35)
    assert soft == pytest.approx(2.6, abs=1.3)


def test_finger_outside_the_photo_has_no_site():
    hand = drawn_hand(shift=(-2000, 0))
    picture = np.full((*SIZE, 3), 128, np.uint8)
    assert locate_site(picture, hand, Finger.RING, 0.3) is None


def test_photo_is_not_written_to():
    hand = drawn_hand()
    picture = drawn_finger(hand, Finger.RING, 60.0, SKIN, GROUNDS["grey"])
    picture.flags.writeable = False
    site_of(picture, hand, Finger.RING)
