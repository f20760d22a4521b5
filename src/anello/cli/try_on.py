"""``anello try-on``: one hand, one ring or several, one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anello.cli import arguments, outputs
from anello.cli.console import Command, load_models, say, to_json

if TYPE_CHECKING:
    from anello.library import Result
    from anello.options import Options


class _TryOn(Command):
    takes_more = {  # noqa: RUF012 - declared a ClassVar by its base
        "--finger": arguments.is_finger,
        "--location": arguments.is_number,
        "--shadow": arguments.is_number,
        "--ambient": arguments.is_number,
        "--anchors": arguments.is_anchors,
        # Files can't be told from rings: the option takes all that follow the hand and a ring.
        "--ring-mask": lambda word, positionals: positionals >= 2,
    }


def register(app: typer.Typer) -> None:
    app.command("try-on", cls=_TryOn)(try_on)


def try_on(
    hand: Annotated[Path, typer.Argument(metavar="HAND", help="Photo of the back of a hand.")],
    rings: Annotated[
        list[Path], typer.Argument(metavar="RING", help="Shop photo of a ring; several stack.")
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="OUT", help="Where the picture goes: .png or .jpg."),
    ],
    finger: arguments.Fingers = None,
    location: arguments.Locations = None,
    shadow: arguments.Shadows = None,
    ambient: arguments.Ambients = None,
    anchors: Annotated[
        list[str] | None,
        typer.Option(
            "--anchors",
            metavar="X1,Y1,X2,Y2",
            help="The two points of the hoop's inner edge farthest apart, px of the ring photo.",
        ),
    ] = None,
    hand_mask: Annotated[
        Path | None,
        typer.Option("--hand-mask", metavar="FILE", help="White where the hand is to be seen."),
    ] = None,
    ring_mask: Annotated[
        list[Path] | None,
        typer.Option("--ring-mask", metavar="FILE", help="White where the ring is in its photo."),
    ] = None,
    keep_background: arguments.KeepBackground = False,
    mask_out: Annotated[
        Path | None,
        typer.Option(
            "--mask-out", metavar="FILE", help="Also write the visible ring's coverage: a grey PNG."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write what was measured: JSON."),
    ] = None,
    debug: Annotated[
        Path | None,
        typer.Option("--debug", metavar="DIR", help="Also write a picture of every step."),
    ] = None,
) -> None:
    """Put a ring on a hand.

    Options that repeat go with the rings in their order; one value serves all rings.
    """
    count = len(rings)
    options = _options(count, finger, location, shadow, ambient, anchors, not keep_background)
    masks = arguments.one_each(ring_mask, count, "--ring-mask")
    inputs = [hand, *rings, *(mask for mask in (hand_mask, *masks) if mask)]
    _check_outputs(out, mask_out, report, debug, inputs)

    import anello
    from anello.codec import encode_for

    result = anello.try_on(
        hand, list(rings), options, hand_mask=hand_mask, ring_mask=masks, models=load_models()
    )
    files = {out: encode_for(result.picture, out)}
    if mask_out:
        files[mask_out] = outputs.encode_png(result.ring_mask)
    if report:
        files[report] = to_json(result.report.to_dict()).encode()
    if debug:
        files |= _debug_files(result, debug)
    outputs.write_all(files)
    for warning in result.report.to_dict()["warnings"]:
        say(f"note: {warning}")
    typer.echo(out)


def _options(
    count: int,
    finger: list[str] | None,
    location: list[float] | None,
    shadow: list[float] | None,
    ambient: list[float] | None,
    anchors: list[str] | None,
    remove_background: bool,
) -> list[Options]:
    each = zip(
        arguments.one_each(arguments.to_fingers(finger), count, "--finger"),
        arguments.one_each(location, count, "--location"),
        arguments.one_each(shadow, count, "--shadow"),
        arguments.one_each(ambient, count, "--ambient"),
        arguments.one_each(arguments.to_anchors(anchors), count, "--anchors"),
        strict=True,
    )
    return [
        arguments.to_options(
            finger=f,
            location=where,
            shadow=dark,
            ambient=light,
            anchors=points,
            remove_background=remove_background,
        )
        for f, where, dark, light, points in each
    ]


def _check_outputs(
    out: Path, mask_out: Path | None, report: Path | None, debug: Path | None, inputs: list[Path]
) -> None:
    outputs.check_picture(out)
    if mask_out:
        outputs.check_png(mask_out, "--mask-out")
    if report:
        outputs.check_file(report, "--report")
    if debug:
        outputs.check_folder(debug, "--debug")
    outputs.check_distinct({"-o": out, "--mask-out": mask_out, "--report": report}, inputs)


def _debug_files(result: Result, folder: Path) -> dict[Path, bytes]:
    from anello.debug import draw_steps

    return {
        folder / f"{name}.png": outputs.encode_png(pixels)
        for name, pixels in draw_steps(result).items()
    }
