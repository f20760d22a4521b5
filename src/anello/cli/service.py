"""What the commands on a server's data folder share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anello.cli.console import Command

if TYPE_CHECKING:
    from anello.bootstrap import Services
    from anello.config import Settings

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The server's data folder; without it ANELLO_DATA, or ./anello-data.",
    ),
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="ISO-TIME", help="Until when, such as 2027-12-31 (UTC)."),
]


def new_group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, pretty_exceptions_enable=False)


def add_commands(group: typer.Typer, commands: dict[str, Any]) -> None:
    for name, command in commands.items():
        group.command(name, cls=Command)(command)


def load_settings(data: Path | None) -> Settings:
    """The settings; one that can't be read is wrong usage."""
    from anello import config
    from anello.errors import InvalidParameter

    try:
        return config.load(data=data)
    except InvalidParameter as error:
        hint = f" {error.remedy}" if error.remedy else ""
        raise typer.BadParameter(f"{error.message}.{hint}", param_hint=error.field) from error


@contextmanager
def opened(data: Path | None) -> Iterator[Services]:
    """The service on its data folder, beside a running server or without one."""
    from anello import bootstrap
    from anello.adapters import logs

    logs.configure(quiet=True)
    services = bootstrap.build(load_settings(data))
    try:
        yield services
    finally:
        services.close()


def to_time(text: str | None) -> float | None:
    """Seconds since the epoch of an ISO 8601 time; without a zone it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time such as 2027-12-31 or 2027-12-31T18:00:00Z"
        raise typer.BadParameter(message, param_hint="'--expires'") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def shown_time(at: float | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns parted by tabs, for eyes and for ``cut`` alike."""
    for row in (headings, *rows):
        typer.echo("\t".join(str(cell) for cell in row))
