"""``anello keys``: who may call the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from anello.cli import service

if TYPE_CHECKING:
    from anello.service.accounts import Account

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]


def register(app: typer.Typer) -> None:
    group = service.new_group("Make and end the API keys of a server; each is an account.")
    commands = {"create": create, "list": list_keys, "disable": disable, "rotate": rotate}
    service.add_commands(group, commands)
    app.add_typer(group, name="keys")


def create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="A name for the key.")],
    units: Annotated[
        int, typer.Option("--units", metavar="UNITS", help="Units to spend: one a ring.")
    ] = 1000,
    expires: service.Expires = None,
    data: service.Data = None,
) -> None:
    """Make a key and print it. It is kept as a hash only and can't be shown again."""
    expires_at = service.to_time(expires)
    with service.opened(data) as services:
        typer.echo(services.accounts.create(name, units, expires_at))


def list_keys(data: service.Data = None) -> None:
    """List the keys: name, state, units free and held, since when and until when."""
    with service.opened(data) as services:
        rows = []
        for account in services.accounts.all():
            grants = services.accounts.grants(account.id)
            rows.append(
                (
                    account.name,
                    _state(account),
                    sum(grant.available for grant in grants),
                    sum(grant.held for grant in grants),
                    service.shown_time(account.created_at),
                    service.shown_time(account.expires_at),
                )
            )
    service.print_rows(("name", "state", "units", "held", "created", "expires"), rows)


def disable(name: Name, data: service.Data = None) -> None:
    """Refuse a key from now on; what it has running ends as usual."""
    with service.opened(data) as services:
        services.accounts.disable(name)
    typer.echo(f"{name} is disabled")


def rotate(name: Name, data: service.Data = None) -> None:
    """Print a new key for an account; the old one is refused from now on."""
    with service.opened(data) as services:
        typer.echo(services.accounts.rotate(name))


def _state(account: Account) -> str:
    if account.disabled_at is not None:
        return "disabled"
    expired = account.expires_at is not None and account.expires_at <= time.time()
    return "expired" if expired else "active"
