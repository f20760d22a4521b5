"""The whole way on scenes whose true answer was path traced: the same hand, wearing the ring.

The masks in tests/scenes are the truth's own, in pixels of the sample photos.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

import anello
from anello.codec import Photo
from anello.imaging.metrics import iou
from anello.models.fetch import missing_models

ROOT = Path(__file__).parents[2]
SCENES = ROOT / "tests" / "scenes"
SAMPLES = ROOT / "samples"
NAMES = ("light-solitaire", "dark-cabochon", "brown-signet", "sun-halo")

pytestmark = pytest.mark.skipif(
    bool(missing_models()), reason="the hand networks are not here: run `anello models fetch`"
)


class Scene:
    def __init__(self, name: str) -> None:
        self.truth = json.loads((SCENES / f"worn-{name}.json").read_text())
        self.mask = cv2.imread(str(SCENES / f"worn-{name}-mask.png"), 0) > 127
        self.rear = cv2.imread(str(SCENES / f"worn-{name}-rear.png"), 0) > 127
        pixels = cv2.imread(str(SAMPLES / self.truth["hand"]))[..., ::-1]
        self.hand = Photo(np.ascontiguousarray(pixels), format="png")
        self.ring = SAMPLES / self.truth["ring"]

    def options(self, **changes: float) -> anello.Options:
        finger = anello.Finger(self.truth["finger"])
        values = {"finger": finger, "location": self.truth["location"], "shadow": 1.0} | changes
        return anello.Options(**values)


@pytest.fixture(scope="module", params=NAMES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


@pytest.fixture(scope="module")
def worn(scene: Scene) -> anello.Result:
    return anello.try_on(scene.hand, scene.ring, scene.options())


@pytest.fixture(scope="module")
def first() -> tuple[anello.HandAnalysis, anello.RingAnalysis, Scene]:
    scene = Scene(NAMES[0])
    return anello.analyse_hand(scene.hand), anello.analyse_ring(scene.ring), scene


def test_the_ring_is_where_the_truth_has_it(scene: Scene, worn: anello.Result) -> None:
    drawn = worn.ring_mask > 127
    assert iou(drawn, scene.mask) > 0.4
    seat = np.argwhere(drawn).mean(0) - np.argwhere(scene.mask).mean(0)
    assert np.hypot(*seat) < 0.12 * scene.truth["finger_width_px"]


def test_slid_onto_the_truth_its_shape_is_right(scene: Scene, worn: anello.Result) -> None:
    drawn = worn.ring_mask > 127
    reach = round(0.15 * scene.truth["finger_width_px"])
    best = max(
        iou(np.roll(drawn, (dy, dx), (0, 1)), scene.mask)
        for dy in range(-reach, reach + 1)
        for dx in range(-reach, reach + 1)
    )
    assert best > 0.68


def test_the_finger_is_as_wide_as_it_is(scene: Scene, worn: anello.Result) -> None:
    site = worn.rings[0].site
    assert site.width_px == pytest.approx(scene.truth["finger_width_px"], rel=0.06)
    left, right = (np.array(scene.truth[k]) for k in ("finger_left_xy", "finger_right_xy"))
    middle = (left + right) / 2
    aside = abs((site.centre_xy - middle) @ site.across_xy)
    assert aside < 0.04 * scene.truth["finger_width_px"]


def test_the_size_of_the_ring_is_told_from_the_hand(scene: Scene, worn: anello.Result) -> None:
    site = worn.rings[0].site
    radius_mm = site.width_px / 2 / site.px_per_mm
    assert radius_mm == pytest.approx(scene.truth["ring_radius_mm"], rel=0.12)


def test_the_rear_half_stays_behind_the_finger(scene: Scene, worn: anello.Result) -> None:
    hidden = scene.rear & ~cv2.dilate(scene.mask.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert hidden.sum() > 200
    assert ((worn.ring_mask > 127) & hidden).sum() < 0.12 * hidden.sum()


def test_every_other_pixel_is_untouched(scene: Scene, worn: anello.Result) -> None:
    changed = (worn.picture.pixels != scene.hand.pixels).any(-1)
    rows, columns = np.nonzero(worn.ring_mask)
    reach = 1.3 * scene.truth["finger_width_px"]
    row, column = np.mgrid[0 : changed.shape[0], 0 : changed.shape[1]]
    near = (np.abs(row - rows.mean()) < reach + np.ptp(rows) / 2) & (
        np.abs(column - columns.mean()) < reach + np.ptp(columns) / 2
    )
    assert changed[near].any()
    assert not changed[~near].any()


@pytest.mark.parametrize("scene", ["light-solitaire", "dark-cabochon", "sun-halo"], indirect=True)
def test_the_contact_points_of_the_product_are_found(scene: Scene, worn: anello.Result) -> None:
    """Not the signet: its shoulders taper into the opening, and the rim is no ellipse."""
    found = np.array(worn.report.to_dict()["rings"][0]["ring"]["contact_xy"])
    truth = np.array(scene.truth["contact_xy"])
    opening = np.linalg.norm(truth[1] - truth[0])
    found = found[np.argsort(found[:, 0])]
    assert np.linalg.norm(found - truth, axis=1).max() < 0.04 * opening


def test_light_and_shadow_grow_with_their_parameters(first) -> None:
    hand, ring, scene = first

    def render(**options: float) -> np.ndarray:
        return anello.try_on(hand, ring, scene.options(**options)).picture.pixels.astype(int)

    bare = render(shadow=0.0)
    darker = [np.abs(render(shadow=s) - bare).sum() for s in (0.15, 0.5, 1.0)]
    assert 0 < darker[0] < darker[1] < darker[2]
    studio = render(ambient=0.0)
    lit = [np.abs(render(ambient=a) - studio).sum() for a in (0.25, 0.5, 1.0)]
    assert 0 < lit[0] < lit[1] < lit[2]


def test_location_moves_the_ring_towards_the_tip(first) -> None:
    hand, ring, scene = first
    axis = anello.try_on(hand, ring, scene.options()).rings[0].site.axis_xy
    seats = []
    for location in (0.0, 0.25, 0.5, 0.75, 1.0):
        mask = anello.try_on(hand, ring, scene.options(location=location)).ring_mask
        seats.append(np.argwhere(mask > 127).mean(0)[::-1] @ axis)
    steps = np.diff(seats)
    assert (steps > 0).all()
    assert steps.max() < 1.6 * steps.min()


def test_two_rings_on_one_finger_do_not_overlap(first) -> None:
    hand, ring, scene = first
    both = anello.try_on(hand, [ring, ring], scene.options(location=0.5))
    a, b = (worn.site for worn in both.rings)
    apart = abs((b.centre_xy - a.centre_xy) @ a.axis_xy)
    band = ring.shape.band_width_px * a.width_px / (2 * ring.shape.inner_radius_px)
    assert apart > 0.95 * band


@pytest.mark.parametrize("finger", [anello.Finger.INDEX, anello.Finger.MIDDLE, anello.Finger.RING])
def test_a_ring_worn_already_is_kept_clear_of_and_said(first, finger: anello.Finger) -> None:
    hand, ring, _ = first
    options = anello.Options(finger=finger, location=0.3, shadow=1.0)
    before = anello.try_on(hand, ring, options)
    assert not any("already" in said for said in before.rings[0].warnings)
    again = anello.try_on(before.picture, ring, options)
    assert any("already" in said for said in again.rings[0].warnings)
    # The bands lie side by side; a tall stone may still stand before the other ring.
    both = (before.ring_mask > 127) & (again.ring_mask > 127)
    assert both.sum() < 0.5 * (before.ring_mask > 127).sum()
    moved = again.rings[0].site.centre_xy - before.rings[0].site.centre_xy
    site, shape = before.rings[0].site, ring.shape
    band_px = shape.band_width_px / shape.inner_radius_px * site.width_px / 2
    assert np.hypot(*moved) > 0.9 * band_px * np.cos(np.radians(site.pitch_deg))


def test_two_rings_on_two_fingers_are_both_there(first) -> None:
    hand, ring, scene = first
    options = [scene.options(), scene.options(finger=anello.Finger.INDEX)]
    both = anello.try_on(hand, [ring, ring], options)
    one = anello.try_on(hand, ring, options[0])
    other = anello.try_on(hand, ring, options[1])
    together = np.maximum(one.ring_mask, other.ring_mask)
    np.testing.assert_array_equal(both.ring_mask, together)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_any_way_up_it_is_the_same_picture(turn: int) -> None:
    scene = Scene("dark-cabochon")
    turned = Photo(np.ascontiguousarray(np.rot90(scene.hand.pixels, turn)), format="png")
    mask = np.rot90(anello.try_on(turned, scene.ring, scene.options()).ring_mask, -turn)
    assert iou(mask > 127, scene.mask) > 0.35


@pytest.mark.parametrize("name", NAMES)
def test_a_mirrored_hand_wears_it_on_the_same_finger(name: str) -> None:
    """The networks read the other hand a little differently along the bone and in depth, which
    tells the roll; across the bone the finger is measured."""
    scene = Scene(name)
    mirrored = Photo(np.ascontiguousarray(scene.hand.pixels[:, ::-1]), format="png")
    site = anello.try_on(scene.hand, scene.ring, scene.options()).rings[0].site
    other = anello.try_on(mirrored, scene.ring, scene.options()).rings[0].site
    width = scene.hand.pixels.shape[1]
    back = np.array([width - 1 - other.centre_xy[0], other.centre_xy[1]]) - site.centre_xy
    assert other.width_px == pytest.approx(site.width_px, rel=0.03)
    assert abs(back @ site.across_xy) < 0.06 * site.width_px
    assert abs(back @ site.axis_xy) < 0.25 * site.width_px
    assert other.roll_deg == pytest.approx(-site.roll_deg, abs=5)


def test_a_hand_mask_keeps_what_lies_in_front() -> None:
    scene = Scene("dark-cabochon")
    free = anello.try_on(scene.hand, scene.ring, scene.options()).ring_mask > 127
    rows, columns = np.nonzero(free)
    grey = cv2.cvtColor(scene.hand.pixels, cv2.COLOR_RGB2GRAY)
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    x, y = int(columns.mean()), int(rows.mean())
    box = (slice(y - 60, y + 60), slice(x - 8, x + 8))
    mask[box] = 0
    held = anello.analyse_hand(scene.hand, mask=mask)
    drawn = anello.try_on(held, scene.ring, scene.options()).ring_mask
    assert free[box].any()
    assert drawn[box].max() < 128
    assert (drawn > 127).sum() > 0.3 * free.sum()


def test_the_same_input_gives_the_same_bytes_in_another_process(first) -> None:
    hand, ring, scene = first
    here = sha256(anello.try_on(scene.hand, scene.ring, scene.options()).encode()).hexdigest()
    known = sha256(anello.try_on(hand, ring, scene.options()).encode()).hexdigest()
    assert here == known
    program = (
        "import sys; sys.path.insert(0, 'tests/golden'); import anello, hashlib\n"
        "from test_worn import Scene, NAMES\n"
        "s = Scene(NAMES[0]); r = anello.try_on(s.hand, s.ring, s.options())\n"
        "print(hashlib.sha256(r.encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert there.stdout.strip() == here


def test_analyses_can_be_pickled(first) -> None:
    import pickle

    hand, ring, scene = first
    again = [pickle.loads(pickle.dumps(analysis)) for analysis in (hand, ring)]
    one = anello.try_on(hand, ring, scene.options())
    other = anello.try_on(*again, scene.options())
    np.testing.assert_array_equal(one.picture.pixels, other.picture.pixels)


def test_what_is_wrong_with_the_hand_is_said_first(scene: Scene) -> None:
    blank = Photo(np.full((400, 400, 3), 200, np.uint8), format="png")
    with pytest.raises(anello.PhotoDetectionFail):
        anello.try_on(blank, blank)
    with pytest.raises(anello.ObjectDetectionFail):
        anello.try_on(scene.hand, blank)


def test_the_steps_are_told_in_order(worn: anello.Result) -> None:
    steps = list(worn.report.timings_ms)
    assert steps[:2] == ["decode hand", "decode ring"]
    assert steps[2:5] == ["find hand", "overview", "finger site"]
    assert steps[5:7] == ["cut out ring", "measure ring"]
    assert steps[-1] == "total"


def test_where_no_finger_is_asked_for_the_next_free_one_serves() -> None:
    """The ring finger; with its base outside the picture, the middle finger."""
    scene = Scene("light-solitaire")
    hand = anello.analyse_hand(scene.hand)
    ring = anello.analyse_ring(scene.ring)
    free = anello.try_on(hand, ring).rings[0].site.finger
    assert free == anello.Finger.RING
    points = hand.hand.points_xy.copy()
    points[13:17] -= (5000, 0)
    moved = replace(hand, hand=replace(hand.hand, points_xy=points), _places={})
    assert anello.try_on(moved, ring).rings[0].site.finger == anello.Finger.MIDDLE


@pytest.mark.parametrize("name", NAMES)
def test_the_cut_out_alone_is_the_one_that_is_worn(name: str) -> None:
    scene = Scene(name)
    whole, ring = anello.cut_out(scene.ring), anello.analyse_ring(scene.ring)
    assert ring.scale == 1
    x, y = (int(v) for v in ring.offset_xy)
    height, width = ring.cutout.alpha.shape
    alone = whole.alpha[y : y + height, x : x + width].astype(int)
    assert np.abs(alone - ring.cutout.alpha).max() <= 8
    assert np.count_nonzero(whole.alpha) == np.count_nonzero(alone)


def test_a_head_that_was_photographed_from_its_side_is_said(first) -> None:
    hand, ring, scene = first
    turned = replace(ring, shape=replace(ring.shape, head_deg=75.0))
    for analysis, is_said in ((ring, False), (turned, True), (replace(turned, head=None), False)):
        worn = anello.try_on(hand, analysis, scene.options()).rings[0]
        assert any("from its side" in said for said in worn.warnings) == is_said
