"""``anello cutout``: the ring without its ground, and what was measured of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anello.cli import arguments, outputs
from anello.cli.console import Command, load_ring_network, print_json, say

if TYPE_CHECKING:
    from anello.codec import Photo
    from anello.imaging.matting import Cutout


def register(app: typer.Typer) -> None:
    app.command("cutout", cls=Command)(cutout)


def cutout(
    ring: Annotated[Path, typer.Argument(metavar="RING", help="Shop photo of a ring.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="OUT.png", help="Where the cut-out goes: RGBA, straight."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was measured: contact points, head, view …")
    ] = False,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", metavar="FILE", help="White where the ring is in its photo."),
    ] = None,
    keep_background: arguments.KeepBackground = False,
) -> None:
    """Cut a ring out of its photo: full size, straight alpha, the hole transparent."""
    if out is None and not as_json:
        raise typer.BadParameter("give -o OUT.png, or --json, or both", param_hint="'-o'")
    if out:
        outputs.check_png(out, "-o")
        outputs.check_distinct({"-o": out}, [path for path in (ring, mask) if path])

    import numpy as np

    import anello
    from anello import codec

    photo = codec.load(ring, "ring")
    remove = not keep_background
    load_ring_network()
    found = anello.cut_out(photo, mask=mask, remove_background=remove)
    measured = _measure(photo, found, mask, remove) if as_json else None
    if out:
        outputs.write_all({out: outputs.encode_png(np.dstack([found.rgb, found.alpha]))})
    if measured is not None:
        print_json(measured)
        return
    for warning in found.warnings:
        say(f"note: {warning}")
    typer.echo(out)


def _measure(photo: Photo, found: Cutout, mask: Path | None, remove: bool) -> dict[str, Any]:
    """The ring's fields of a report; without a hoop only those of the cut-out."""
    import anello
    from anello.report import ring_to_dict

    size = {"size": [photo.width, photo.height]}
    try:
        analysis = anello.analyse_ring(photo, mask=mask, remove_background=remove)
    except anello.ObjectDetectionFail:
        no_hoop = dict.fromkeys(("contact_xy", "elevation_deg", "rotation_deg", "view"))
        rest = {"confidence": 0.0, "method": found.method, "warnings": list(found.warnings)}
        return size | no_hoop | rest
    return size | ring_to_dict(analysis)
