"""``anello sweep``: mend and clean up now, as the server does by itself every hour."""

from __future__ import annotations

import typer

from anello.cli import service
from anello.cli.console import Command


def register(app: typer.Typer) -> None:
    app.command("sweep", cls=Command)(sweep)


def sweep(data: service.Data = None) -> None:
    """Start what a crash left lying and remove what has lived its time; print what was done."""
    with service.opened(data) as services:
        swept = services.retention.sweep()
    for name in swept.__dataclass_fields__:
        typer.echo(f"{name.replace('_', ' ')}\t{getattr(swept, name)}")
