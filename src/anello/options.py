"""What one ring is asked to look like, checked in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

from anello.errors import InvalidParameter
from anello.imaging.hand import Finger

Point: TypeAlias = tuple[float, float]

__all__ = ["Finger", "Options", "Point", "finger_from_text"]


@dataclass(frozen=True, slots=True)
class Options:
    """How one ring is worn. Any value out of range raises ``InvalidParameter`` naming its field.

    finger : which finger; None: the ring finger, or another free one when that is not.
    location : 0 at the base of the free finger, 1 just short of the middle joint.
    shadow : strength of the ring's shadow, 0 none to 1 strong.
    ambient : how far the ring takes on the hand's light, 0 not at all to 1 wholly.
    anchors : x, y px in the product photo of the two points farthest apart on the hoop's inner
        edge, in either order; None: found by us.
    remove_background : False: the product photo is used as it is.
    """

    finger: Finger | None = None
    location: float = 0.3
    shadow: float = 0.15
    ambient: float = 1.0
    anchors: tuple[Point, Point] | None = None
    remove_background: bool = True

    def __post_init__(self) -> None:
        if self.finger is not None:
            object.__setattr__(self, "finger", _checked_finger(self.finger))
        for field in ("location", "shadow", "ambient"):
            object.__setattr__(self, field, _checked_fraction(field, getattr(self, field)))
        if self.anchors is not None:
            object.__setattr__(self, "anchors", _checked_anchors(self.anchors))
        if not isinstance(self.remove_background, bool):
            raise InvalidParameter(
                "remove_background must be true or false", field="remove_background"
            )


def finger_from_text(text: str) -> Finger:
    """The finger of ``0`` to ``4`` (thumb to little) or of its name, in any case."""
    word = text.strip().upper()
    if word in Finger.__members__:
        return Finger[word]
    if word in {"0", "1", "2", "3", "4"}:
        return Finger(int(word))
    raise _finger_error(text)


def _finger_error(value: object) -> InvalidParameter:
    names = ", ".join(finger.name.lower() for finger in Finger)
    return InvalidParameter(
        f"finger must be 0 to 4 (thumb to little) or one of {names}, not {value!r}", field="finger"
    )


def _is_number(value: object) -> bool:
    """Integers, floats and numpy's, finite; no booleans, no text."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond any float
        return False


def _checked_finger(value: object) -> Finger:
    for finger in Finger:
        if _is_number(value) and value == finger:
            return finger
    raise _finger_error(value)


def _checked_fraction(field: str, value: float) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise InvalidParameter(f"{field} must be a number from 0 to 1, not {value!r}", field=field)
    return float(value)


def _checked_anchors(value: Sequence[Sequence[float]]) -> tuple[Point, Point]:
    error = InvalidParameter(
        f"anchors must be two different points [[x, y], [x, y]] in pixels, not {value!r}",
        field="anchors",
    )
    try:
        (x1, y1), (x2, y2) = value
    except (TypeError, ValueError):
        raise error from None
    if not all(_is_number(number) for number in (x1, y1, x2, y2)) or (x1, y1) == (x2, y2):
        raise error
    return (float(x1), float(y1)), (float(x2), float(y2))
