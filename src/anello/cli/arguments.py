"""Words of the command line to values; what can't be read is wrong usage (exit code 2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from anello.options import Finger, Options, Point

T = TypeVar("T")

FINGER_NAMES = ("thumb", "index", "middle", "ring", "little")
FINGER_METAVAR = "0..4|" + "|".join(FINGER_NAMES)

Fingers = Annotated[
    list[str] | None,
    typer.Option(
        "--finger",
        metavar=FINGER_METAVAR,
        help="Which finger; without it the ring finger, or another one that is free.",
    ),
]
Locations = Annotated[
    list[float] | None,
    typer.Option(
        "--location",
        metavar="0..1",
        help="Where on it: 0 at the finger's base, 1 just short of the middle joint (0.3).",
    ),
]
Shadows = Annotated[
    list[float] | None,
    typer.Option("--shadow", metavar="0..1", help="The ring's shadow, 0 none to 1 strong (0.15)."),
]
Ambients = Annotated[
    list[float] | None,
    typer.Option(
        "--ambient",
        metavar="0..1",
        help="How far the ring takes on the light of the hand's photo (1).",
    ),
]
KeepBackground = Annotated[
    bool,
    typer.Option(
        "--keep-background",
        help="Use the ring photo as it is, by its own transparency: no background removal.",
    ),
]


def is_finger(word: str, _positionals: int = 0) -> bool:
    """Whether a word can only be meant as a finger."""
    return word.lower() in FINGER_NAMES or is_number(word)


def is_number(word: str, _positionals: int = 0) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return not Path(word).exists()  # a file may be called 2


def is_anchors(word: str, _positionals: int = 0) -> bool:
    return word.count(",") == 3 and all(is_number(part) for part in word.split(","))


def to_fingers(words: Sequence[str] | None) -> list[Finger]:
    from anello.errors import InvalidParameter
    from anello.options import finger_from_text

    try:
        return [finger_from_text(word) for word in words or ()]
    except InvalidParameter as error:
        raise typer.BadParameter(error.message, param_hint="'--finger'") from error


def to_anchors(words: Sequence[str] | None) -> list[tuple[Point, Point]]:
    def one(word: str) -> tuple[Point, Point]:
        try:
            x1, y1, x2, y2 = (float(part) for part in word.split(","))
        except ValueError:
            message = f"{word!r} is not X1,Y1,X2,Y2: two points, pixels of the ring photo"
            raise typer.BadParameter(message, param_hint="'--anchors'") from None
        return (x1, y1), (x2, y2)

    return [one(word) for word in words or ()]


def one_each(values: Sequence[T] | None, count: int, option: str) -> list[T | None]:
    """A value for each ring: one serves all, none leaves the default."""
    if not values:
        return [None] * count
    if len(values) == 1:
        return [values[0]] * count
    if len(values) != count:
        message = (
            f"{len(values)} values for {count} ring{'s' * (count != 1)}; "
            "give one for all or one for each"
        )
        raise typer.BadParameter(message, param_hint=f"'{option}'")
    return [*values]


def to_options(**fields: Any) -> Options:
    """The options of one ring; what is None keeps its default."""
    from anello.errors import InvalidParameter
    from anello.options import Options

    try:
        return Options(**{name: value for name, value in fields.items() if value is not None})
    except InvalidParameter as error:
        hint = f"'--{error.field}'" if error.field else None
        raise typer.BadParameter(error.message, param_hint=hint) from error
