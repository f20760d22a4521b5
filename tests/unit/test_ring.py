"""The hoop's fit against drawn hoops of known pose."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_hoops import DrawnHoop, draw_hoop, plain_ground

from anello.imaging.evidence import Clues
from anello.imaging.matting import Cutout, cut_out_by_mask
from anello.imaging.ring import RingShape, at_anchors, fit_ring


def fitted(hoop: DrawnHoop, head_deg: float | None = None) -> RingShape:
    picture, alpha = draw_hoop(plain_ground(), hoop)
    if head_deg is not None:
        place = hoop.points(hoop.outer + 30, np.deg2rad([head_deg]), 0.0)[0]
        where = (round(place[0] * 16), round(place[1] * 16))
        cv2.circle(alpha, where, 34 * 16, 255, -1, cv2.LINE_AA, 4)
        cv2.circle(picture, where, 34 * 16, (150, 20, 40), -1, cv2.LINE_AA, 4)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shape = fit_ring(cutout)
    assert shape is not None
    return shape


@pytest.mark.parametrize("elevation", [25.0, 42.0, 58.0])
@pytest.mark.parametrize("rotation", [-65.0, -20.0, 0.0, 35.0])
@pytest.mark.parametrize("width", [30.0, 60.0])
def test_plain_hoops(elevation: float, rotation: float, width: float) -> None:
    hoop = DrawnHoop(rotation_deg=rotation, elevation_deg=elevation, width=width)
    shape = fitted(hoop)
    assert shape.rotation_deg == pytest.approx(rotation, abs=1.5)
    assert shape.elevation_deg == pytest.approx(elevation, abs=3)
    assert shape.inner_radius_px == pytest.approx(hoop.inner, rel=0.03)
    assert shape.outer_radius_px == pytest.approx(hoop.outer, rel=0.03)
    assert shape.band_width_px == pytest.approx(width, rel=0.3)
    assert np.allclose(shape.centre_xy, hoop.centre, atol=3)
    off = np.linalg.norm(shape.contact_xy - hoop.contact_xy, axis=1)
    assert off.max() < 0.03 * 2 * hoop.inner
    assert shape.head_deg == 0
    assert shape.view == "three_quarter"
    assert shape.confidence > 0.6


@pytest.mark.parametrize("head", [-40.0, -15.0, 0.0, 25.0, 50.0])
def test_head_is_found_and_does_not_bend_the_hoop(head: float) -> None:
    hoop = DrawnHoop(rotation_deg=-25)
    shape = fitted(hoop, head)
    assert shape.head_deg == pytest.approx(head, abs=5)
    assert shape.rotation_deg == pytest.approx(-25, abs=1.5)
    assert shape.elevation_deg == pytest.approx(42, abs=4)


def test_under_a_head_as_large_as_half_the_ring_the_hoop_is_fitted_to_what_lies_below() -> None:
    hoop = DrawnHoop(rotation_deg=12, elevation_deg=40)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    turn = np.deg2rad(hoop.rotation_deg)
    right, up = np.array([np.cos(turn), np.sin(turn)]), np.array([np.sin(turn), -np.cos(turn)])
    corners = [
        hoop.centre + hoop.outer * (x * right + y * up)
        for x, y in ((-1.05, 0.1), (-0.75, 1.1), (0.75, 1.1), (1.05, 0.1))
    ]
    head = np.round(corners).astype(np.int32)
    cv2.fillConvexPoly(alpha, head, 255, cv2.LINE_AA)
    cv2.fillConvexPoly(picture, head, (150, 20, 40), cv2.LINE_AA)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shape = fit_ring(cutout)
    assert shape is not None
    assert shape.rotation_deg == pytest.approx(12, abs=3)
    assert shape.elevation_deg == pytest.approx(40, abs=5)
    assert shape.outer_radius_px == pytest.approx(hoop.outer, rel=0.05)
    assert np.allclose(shape.centre_xy, hoop.centre, atol=8)


def anchored(cutout: Cutout, ends_xy: np.ndarray) -> RingShape | None:
    """The ring as it is found, with its contact points put there."""
    free = fit_ring(cutout)
    assert free is not None
    return at_anchors(free, cutout, ends_xy)


def test_anchors_give_centre_rotation_and_scale() -> None:
    hoop = DrawnHoop()
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shifted = hoop.contact_xy + np.array([4.0, -3.0])
    shape = anchored(cutout, shifted)
    assert shape is not None
    assert np.allclose(shape.contact_xy, shifted, atol=1.0)
    assert shape.rotation_deg == pytest.approx(hoop.rotation_deg, abs=0.5)
    assert shape.inner_radius_px == pytest.approx(_bore_between(shifted, fit_ring(cutout)))
    assert shape.elevation_deg == pytest.approx(hoop.elevation_deg, abs=5)


def _bore_between(ends_xy: np.ndarray, free: RingShape | None) -> float:
    """Inner radius of the ring as fitted without anchors, if its opening reached to these ends."""
    assert free is not None
    wider = np.linalg.norm(ends_xy[1] - ends_xy[0]) / np.linalg.norm(
        np.diff(free.contact_xy, axis=0)
    )
    return float(free.inner_radius_px * wider)


def test_anchors_wider_apart_are_a_larger_ring() -> None:
    hoop = DrawnHoop()
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    middle = hoop.contact_xy.mean(0)
    near, far = (anchored(cutout, middle + k * (hoop.contact_xy - middle)) for k in (1.0, 1.05))
    assert near is not None
    assert far is not None
    assert far.inner_radius_px / near.inner_radius_px == pytest.approx(1.05)
    assert far.outer_radius_px / near.outer_radius_px == pytest.approx(1.05)


def test_a_fit_s_own_ends_as_anchors_change_nothing() -> None:
    hoop = DrawnHoop(elevation_deg=44.0, rotation_deg=12.0)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    free = fit_ring(cutout)
    assert free is not None
    held = anchored(cutout, free.contact_xy)
    assert held is not None
    assert held.centre_xy == pytest.approx(free.centre_xy, abs=1e-6)
    assert held.rotation_deg == pytest.approx(free.rotation_deg, abs=1e-6)
    assert held.inner_radius_px == pytest.approx(free.inner_radius_px, abs=1e-6)
    assert held.outer_radius_px == pytest.approx(free.outer_radius_px, abs=1e-6)


def test_true_anchors_leave_the_rest_of_a_good_fit_as_it_is() -> None:
    """Points a hair off the fit's own move it; they don't change its tilt, width or metal."""
    hoop = DrawnHoop(elevation_deg=44.0, rotation_deg=12.0)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    free, held = fit_ring(cutout), anchored(cutout, hoop.contact_xy)
    assert free is not None
    assert held is not None
    assert held.elevation_deg == free.elevation_deg
    ratio = free.inner_radius_px / free.outer_radius_px
    assert held.inner_radius_px / held.outer_radius_px == pytest.approx(ratio)
    relative = free.band_width_px / free.inner_radius_px
    assert held.band_width_px / held.inner_radius_px == pytest.approx(relative)
    assert held.inner_radius_px == pytest.approx(_bore_between(hoop.contact_xy, free))
    assert held.contact_xy == pytest.approx(hoop.contact_xy, abs=1e-6)


def test_a_hoop_under_a_large_head_is_found_from_its_ends() -> None:
    """Half the picture is head, the outlines say little: tilt comes from what lies below it."""
    hoop = DrawnHoop(elevation_deg=22.0, rotation_deg=0.0, width=36.0, centre=(250.0, 330.0))
    picture, alpha = draw_hoop(plain_ground(), hoop)
    top = round(hoop.centre[1] - 25)
    cv2.rectangle(alpha, (60, 60), (440, top), 255, -1)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shape = anchored(cutout, hoop.contact_xy)
    assert shape is not None
    # Drawn edges are sharp where the fit expects metal's rounded ones: some 5 degrees.
    assert shape.elevation_deg == pytest.approx(22.0, abs=6.5)
    assert 0.8 < shape.inner_radius_px / shape.outer_radius_px < 0.9


def test_a_ring_that_only_the_network_measured_keeps_its_shape_at_its_own_ends() -> None:
    """Outlines say little of a hoop with as much beside it; what was seen of it does."""
    hoop = DrawnHoop(elevation_deg=30.0, rotation_deg=-20.0)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cv2.rectangle(alpha, (20, 20), (480, round(hoop.centre[1]) - 60), 255, -1)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    cutout = replace(cutout, clues=Clues(hoop.contact_xy, 0.6, 30.0))
    free = fit_ring(cutout)
    assert free is not None
    assert free.warnings == ()
    held = anchored(cutout, free.contact_xy)
    assert held is not None
    assert held.centre_xy == pytest.approx(free.centre_xy, abs=1e-6)
    assert (held.elevation_deg, held.band_width_px) == pytest.approx(
        (free.elevation_deg, free.band_width_px)
    )


def test_anchors_beside_the_ring_are_none() -> None:
    hoop = DrawnHoop()
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    assert anchored(cutout, np.array([[2.0, 2.0], [60.0, 2.0]])) is None


def test_anchors_may_come_in_either_order() -> None:
    hoop = DrawnHoop()
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shape = anchored(cutout, hoop.contact_xy[::-1])
    assert shape is not None
    assert shape.rotation_deg == pytest.approx(hoop.rotation_deg, abs=0.5)


def test_top_view_has_its_contact_points_at_the_ends_of_the_band() -> None:
    alpha = np.zeros((400, 600), np.uint8)
    cv2.rectangle(alpha, (60, 180), (540, 220), 255, -1)
    cv2.circle(alpha, (300, 200), 90, 255, -1)
    picture = np.full((400, 600, 3), 140, np.uint8)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    shape = fit_ring(cutout)
    assert shape is not None
    assert shape.view == "top"
    assert abs(shape.rotation_deg) < 3
    assert shape.elevation_deg < 10
    left, right = shape.contact_xy
    assert 60 <= left[0] < 110
    assert 490 < right[0] <= 540
    assert shape.warnings


def test_shape_is_the_same_at_any_size() -> None:
    small = fitted(DrawnHoop())
    hoop = DrawnHoop(centre=(750.5, 780.5), inner=420, outer=480, width=156)
    picture, alpha = draw_hoop(plain_ground(size=(1560, 1500)), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    large = fit_ring(cutout)
    assert large is not None
    assert large.inner_radius_px == pytest.approx(3 * small.inner_radius_px, rel=0.01)
    assert large.elevation_deg == pytest.approx(small.elevation_deg, abs=1)


def test_projection_round_trip() -> None:
    hoop = DrawnHoop()
    shape = replace(
        fitted(hoop),
        centre_xy=np.array(hoop.centre),
        rotation_deg=hoop.rotation_deg,
        elevation_deg=hoop.elevation_deg,
    )
    turn = np.linspace(-3, 3, 7)
    mine = shape.project(np.full(7, 100.0), turn, np.full(7, 5.0))
    assert np.allclose(mine, hoop.points(100.0, turn, 5.0))


def test_a_hoop_standing_on_its_head_is_told_by_the_side_that_was_seen() -> None:
    """Nothing sticks out of a plain hoop: without the clue, up is the picture's own."""
    hoop = DrawnHoop(rotation_deg=160)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    turn = np.deg2rad(160)
    clues = Clues(None, up_xy=np.array([np.sin(turn), -np.cos(turn)]))
    shape = fit_ring(replace(cutout, clues=clues))
    assert shape is not None
    assert shape.rotation_deg == pytest.approx(160, abs=1.5)
    blind = fit_ring(cutout)
    assert blind is not None
    assert blind.rotation_deg == pytest.approx(-20, abs=1.5)


def test_ends_that_were_seen_hold_a_hoop_whose_silhouette_misleads() -> None:
    """A large head over one shoulder; the fit comes nearer to the true ends with the clue."""
    hoop = DrawnHoop(rotation_deg=-30, width=40)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    place = np.round(hoop.points(hoop.outer, np.deg2rad([62.0]), 0.0)[0]).astype(int)
    for layer, paint in ((alpha, 255), (picture, (150, 20, 40))):
        cv2.circle(layer, place.tolist(), 95, paint, -1)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    truth = hoop.contact_xy
    noisy = truth + np.array([[3.0, -2.0], [-2.0, 3.0]])
    seen = fit_ring(replace(cutout, clues=Clues(noisy)))
    blind = fit_ring(cutout)
    assert seen is not None
    assert blind is not None

    def off(points: np.ndarray) -> float:
        return float(np.linalg.norm(points - truth, axis=1).max()) / (2 * hoop.inner)

    assert off(seen.contact_xy) < 0.04
    assert off(seen.contact_xy) < off(blind.contact_xy)


TWO_BLOBS = ((80.0, 120), (-75.0, 110))
"""Azimuth and radius of what hides so much of a hoop that its outlines fit none."""


def covered_hoop(blobs: tuple[tuple[float, int], ...]) -> tuple[DrawnHoop, Cutout]:
    hoop = DrawnHoop(rotation_deg=-30, width=40)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    for azimuth, radius in blobs:
        place = np.round(hoop.points(hoop.outer, np.deg2rad([azimuth]), 0.0)[0]).astype(int)
        for layer, paint in ((alpha, 255), (picture, (150, 20, 40))):
            cv2.circle(layer, place.tolist(), radius, paint, -1)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    return hoop, cutout


def ends_of(cutout: Cutout, clues: Clues | None) -> np.ndarray:
    shape = fit_ring(replace(cutout, clues=clues))
    assert shape is not None
    return shape.contact_xy


def test_ends_that_were_seen_stand_in_for_a_fit_in_doubt() -> None:
    hoop, cutout = covered_hoop(TWO_BLOBS)
    far = 0.1 * 2 * hoop.inner
    assert np.linalg.norm(ends_of(cutout, None) - hoop.contact_xy, axis=1).max() > far
    seen = ends_of(cutout, Clues(hoop.contact_xy, 0.4))
    assert np.allclose(seen, hoop.contact_xy, atol=1)


@pytest.mark.parametrize(("score", "believed"), [(0.4, True), (0.2, False)])
def test_ends_near_those_of_a_good_fit_have_a_say(score: float, believed: bool) -> None:
    hoop, cutout = covered_hoop(())
    off = np.array([[0.04, 0.03], [-0.05, 0.02]]) * 2 * hoop.inner
    fitted = ends_of(cutout, Clues(hoop.contact_xy + off, 0.2))
    assert np.abs(fitted - hoop.contact_xy).max() < 0.01 * 2 * hoop.inner
    found = ends_of(cutout, Clues(hoop.contact_xy + off, score))
    share = (found - fitted)[off != 0] / (hoop.contact_xy + off - fitted)[off != 0]
    assert np.allclose(share, 0.5 if believed else 0, atol=0.01)


def closed_hoop(turned_over: bool) -> tuple[DrawnHoop, Cutout]:
    """A hoop through which nothing is seen, with something large that stands out of it."""
    hoop = DrawnHoop(rotation_deg=140 if turned_over else -30, elevation_deg=25, width=40)
    picture, alpha = draw_hoop(plain_ground(), hoop)
    outside, _ = cv2.findContours(alpha, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    head = np.round(hoop.points(1.35 * hoop.outer, np.array([0.0]), 0.0)[0]).astype(int)
    for layer, paint in ((alpha, 255), (picture, (150, 20, 40))):
        cv2.drawContours(layer, outside, -1, paint, -1)
        cv2.circle(layer, head.tolist(), 70, paint, -1)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    return hoop, cutout


@pytest.mark.parametrize("turned_over", [False, True])
def test_where_outlines_tell_no_hoop_the_ends_that_were_seen_do(turned_over: bool) -> None:
    hoop, cutout = closed_hoop(turned_over)
    assert cutout.opening is None
    clues = Clues(hoop.contact_xy, 0.4, hoop.elevation_deg)
    shape = fit_ring(replace(cutout, clues=clues))
    assert shape is not None
    order = shape.contact_xy[:, 0].argsort(), hoop.contact_xy[:, 0].argsort()
    assert shape.contact_xy[order[0]] == pytest.approx(hoop.contact_xy[order[1]], abs=1)
    assert np.cos(np.deg2rad(shape.rotation_deg - hoop.rotation_deg)) > 0.99
    assert shape.elevation_deg == pytest.approx(hoop.elevation_deg, abs=8.0)
    assert shape.warnings
    blind = fit_ring(replace(cutout, clues=None))
    assert blind is not None
    assert blind.view == "top"


@pytest.mark.parametrize(("score", "elevation_deg"), [(0.2, 25.0), (0.4, 6.0), (0.4, None)])
def test_faint_ends_or_a_view_from_above_tell_none(
    score: float, elevation_deg: float | None
) -> None:
    hoop, cutout = closed_hoop(turned_over=False)
    shape = fit_ring(replace(cutout, clues=Clues(hoop.contact_xy, score, elevation_deg)))
    assert shape is not None
    assert shape.view == "top"


@pytest.mark.parametrize(("score", "believed"), [(0.4, True), (0.2, False)])
def test_where_no_opening_is_seen_its_ends_are_those_that_were(
    score: float, believed: bool
) -> None:
    hoop = DrawnHoop(rotation_deg=-20, elevation_deg=14, width=110)
    cutout = cut_out_by_mask(*draw_hoop(plain_ground(), hoop))
    assert cutout is not None
    assert cutout.opening is None
    guess = ends_of(cutout, None)
    assert 3 < np.linalg.norm(guess - hoop.contact_xy, axis=1).max() < 0.15 * 2 * hoop.inner
    found = ends_of(cutout, Clues(hoop.contact_xy, score))
    assert np.allclose(found, hoop.contact_xy if believed else guess, atol=1e-6)


@pytest.mark.parametrize(("off_deg", "believed"), [(4.0, False), (-20.0, True), (15.0, True)])
def test_such_a_hoop_is_seen_from_where_it_was_seen(off_deg: float, believed: bool) -> None:
    hoop, cutout = covered_hoop(TWO_BLOBS)
    ends = Clues(hoop.contact_xy, 0.4)
    fit = fit_ring(replace(cutout, clues=ends))
    assert fit is not None
    seen_deg = fit.elevation_deg + off_deg
    found = fit_ring(replace(cutout, clues=replace(ends, elevation_deg=seen_deg)))
    assert found is not None
    assert found.elevation_deg == pytest.approx(seen_deg if believed else fit.elevation_deg)


@pytest.mark.parametrize("blobs", [(), TWO_BLOBS])
@pytest.mark.parametrize(
    ("moved", "score"),
    [([[60, -40], [0, 0]], 0.4), ([[0, -120], [0, -120]], 0.4), ([[30, 20], [-20, 30]], 0.2)],
)
def test_ends_that_no_hoop_has_or_that_were_hardly_seen_are_not_believed(
    blobs: tuple[tuple[float, int], ...], moved: list[list[int]], score: float
) -> None:
    hoop, cutout = covered_hoop(blobs)
    given = hoop.contact_xy + moved
    found = ends_of(cutout, Clues(given, score))
    assert np.linalg.norm(found - given, axis=1).max() > 0.05 * 2 * hoop.inner


def test_an_opening_that_fits_no_hoop_is_a_gap() -> None:
    """A slit in a lobed head seen from above."""
    picture, alpha = plain_ground(), np.zeros((500, 500), np.uint8)
    lobes = [(100, 100), (250, 140), (400, 90), (420, 250), (390, 400), (250, 360), (110, 410)]
    slit = [(180, 180), (330, 190), (300, 215), (190, 210)]
    for outline, value in (([*lobes, (90, 250)], 255), (slit, 0)):
        cv2.fillPoly(alpha, [np.array(outline)], value)
    picture = cv2.resize(picture, (500, 500))
    picture[alpha > 0] = (180, 140, 60)
    cutout = cut_out_by_mask(picture, alpha)
    assert cutout is not None
    assert cutout.opening is not None
    shape = fit_ring(cutout)
    assert shape is not None
    assert shape.view == "top"


def test_through_the_hole_a_cut_out_band_is_as_wide_as_bands_are() -> None:
    """A pixel of what is seen there is many of the width: what was cut out counts for less."""
    hoop = DrawnHoop(rotation_deg=-20.0, elevation_deg=86.0, width=120.0)
    exact = cut_out_by_mask(*draw_hoop(plain_ground(), hoop))
    assert exact is not None
    widths = [
        shape.band_width_px
        for shape in (fit_ring(exact), fit_ring(replace(exact, method="ground")))
        if shape is not None
    ]
    assert widths[0] == pytest.approx(120, rel=0.2)
    assert 0.32 * hoop.outer < widths[1] < widths[0]
