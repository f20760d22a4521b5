"""Options are checked once, where they enter, and the error names the field."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.errors import InvalidParameter
from anello.imaging.hand import Finger
from anello.options import Options, finger_from_text


def test_defaults_are_the_wires() -> None:
    assert dataclasses.asdict(Options()) == {
        "finger": None,
        "location": 0.3,
        "shadow": 0.15,
        "ambient": 1.0,
        "anchors": None,
        "remove_background": True,
    }


@pytest.mark.parametrize("finger", list(Finger))
@pytest.mark.parametrize("spell", [int, float, np.int64, Finger])
def test_a_finger_by_its_number(finger: Finger, spell: Any) -> None:
    assert Options(finger=spell(finger)).finger is finger


@given(st.floats(0, 1) | st.integers(0, 1))
def test_fractions_in_range(value: float) -> None:
    options = Options(location=value, shadow=value, ambient=value)
    assert options.location == options.shadow == options.ambient == value
    assert {type(options.location), type(options.shadow), type(options.ambient)} == {float}


@given(
    st.floats().filter(lambda value: not 0 <= value <= 1)
    | st.integers().filter(lambda n: n not in (0, 1))
)
def test_fractions_out_of_range(value: float) -> None:
    for field in ("location", "shadow", "ambient"):
        with pytest.raises(InvalidParameter) as caught:
            Options(**{field: value})
        assert caught.value.field == field
        assert field in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("finger", 5),
        ("finger", -1),
        ("finger", 2.5),
        ("finger", "2"),
        ("finger", True),
        ("finger", 10**400),
        ("location", True),
        ("location", "0.3"),
        ("location", None),
        ("shadow", [0.1]),
        ("ambient", np.bool_(True)),
        ("ambient", 1j),
        ("anchors", ()),
        ("anchors", 7),
        ("anchors", "ab"),
        ("anchors", [[1, 2]]),
        ("anchors", [[1, 2], [3]]),
        ("anchors", [[1, 2], [3, 4], [5, 6]]),
        ("anchors", [[1, 2], [3, "4"]]),
        ("anchors", [[1, 2], [3, True]]),
        ("anchors", [[1, 2], [3, float("inf")]]),
        ("anchors", [[1, 2], [1, 2.0]]),
        ("remove_background", 1),
        ("remove_background", "yes"),
        ("remove_background", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Options(**{field: value})
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    "anchors", [[[1, 2], [3.5, 4]], ((1, 2), (3.5, 4)), np.array([[1, 2], [3.5, 4]])]
)
def test_anchors_become_plain_floats(anchors: Any) -> None:
    options = Options(anchors=anchors)
    assert options.anchors == ((1.0, 2.0), (3.5, 4.0))
    assert hash(options) == hash(Options(anchors=((1, 2), (3.5, 4))))


def test_options_stay_as_they_were_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().shadow = 3  # type: ignore[misc]
    with pytest.raises(InvalidParameter):
        dataclasses.replace(Options(), shadow=3)


@pytest.mark.parametrize(
    ("text", "finger"),
    [("0", Finger.THUMB), ("ring", Finger.RING), ("Little", Finger.LITTLE), (" 3 ", Finger.RING)],
)
def test_finger_from_text(text: str, finger: Finger) -> None:
    assert finger_from_text(text) is finger


@pytest.mark.parametrize("text", ["", "5", "-1", "pinky", "rings", "٣", "3.0"])
def test_text_that_is_no_finger(text: str) -> None:
    with pytest.raises(InvalidParameter, match="thumb, index, middle, ring, little"):
        finger_from_text(text)
