"""``anello inspect``: will this hand photo do, and if not, why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anello.cli import arguments, outputs
from anello.cli.console import Command, load_models, print_json

if TYPE_CHECKING:
    from anello.imaging.arrays import Bytes
    from anello.library import HandReport
    from anello.options import Finger


def register(app: typer.Typer) -> None:
    app.command("inspect", cls=Command)(inspect)


def inspect(
    hand: Annotated[Path, typer.Argument(metavar="HAND", help="Photo of the back of a hand.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write an annotated picture there."),
    ] = None,
    finger: Annotated[
        str | None,
        typer.Option(
            "--finger",
            metavar=arguments.FINGER_METAVAR,
            help="Check that this finger can wear a ring; without it that one finger can.",
        ),
    ] = None,
) -> None:
    """Say whether a hand photo is accepted, check by check, and what would help.

    Exit code 0: accepted. 1: refused, with the reason on stderr.
    """
    chosen = arguments.to_fingers([finger])[0] if finger is not None else None
    if out:
        outputs.check_picture(out)
        outputs.check_distinct({"-o": out}, [hand])
    report = _look(hand, chosen, as_json)
    if out:
        from anello.debug import draw_hand

        picture = draw_hand(report.photo.pixels, report.hand, report.checks)
        outputs.write_all({out: _encode(report, out, picture)})
    if as_json:
        print_json(report.to_dict())
    else:
        _print_table(report)
    if report.error:
        raise report.error


def _look(hand: Path, finger: Finger | None, as_json: bool) -> HandReport:
    """The report; a picture that can't be read is refused in JSON too."""
    import anello

    try:
        return anello.inspect_hand(hand, finger, models=load_models())
    except anello.AnelloError as error:
        if as_json:
            print_json(
                {
                    "accepted": False,
                    "code": error.code,
                    "message": error.message,
                    "remedy": error.remedy,
                    "checks": [],
                }
            )
        raise


def _encode(report: HandReport, out: Path, picture: Bytes) -> bytes:
    from dataclasses import replace

    from anello.codec import encode_for

    return encode_for(replace(report.photo, pixels=picture, alpha=None), out)


def _print_table(report: HandReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("check", "", "value", "wanted", "what would help"):
        table.add_column(heading)
    for check in report.to_dict()["checks"]:
        table.add_row(
            Text(str(check["name"])),
            Text("ok", "green") if check["ok"] else Text("no", "bold red"),
            Text(str(check["value"])),
            Text(str(check["limit"])),
            Text("" if check["ok"] else f"{check['message']}. {check['remedy']}"),
        )
    console = Console()
    if report.checks:
        console.print(table)
    console.print(
        Text("accepted", "bold green") if report.accepted else Text("refused", "bold red")
    )
