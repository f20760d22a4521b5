"""``anello units``: what keys may spend."""

from __future__ import annotations

from typing import Annotated

import typer

from anello.cli import service
from anello.cli.keys import Name


def register(app: typer.Typer) -> None:
    group = service.new_group("Give units to a key and see what became of them.")
    service.add_commands(group, {"grant": grant, "show": show})
    app.add_typer(group, name="units")


def grant(
    name: Name,
    units: Annotated[int, typer.Argument(metavar="UNITS", help="How many.")],
    expires: service.Expires = None,
    data: service.Data = None,
) -> None:
    """Give units to a key."""
    expires_at = service.to_time(expires)
    with service.opened(data) as services:
        services.accounts.grant(name, units, expires_at)
    typer.echo(f"{units} units for {name}")


def show(name: Name, data: service.Data = None) -> None:
    """Show a key's grants of units: how many, free, held by running tasks, until when."""
    with service.opened(data) as services:
        account = services.accounts.by_name(name)
        grants = services.accounts.grants(account.id)
    rows = [
        (given.id, given.amount, given.available, given.held, service.shown_time(given.expires_at))
        for given in grants
    ]
    service.print_rows(("grant", "units", "free", "held", "expires"), rows)
