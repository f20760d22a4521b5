"""``anello doctor``: what is set, what is missing, and whether each part works."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from anello.cli import service
from anello.cli.console import Command, one_line, unexpected
from anello.errors import AnelloError, PhotoDetectionFail, RuntimeFailure

if TYPE_CHECKING:
    from anello.bootstrap import Services
    from anello.config import Settings

LEAST_FREE_BYTES = 1_000_000_000


def register(app: typer.Typer) -> None:
    app.command("doctor", cls=Command)(doctor)


def doctor(data: service.Data = None) -> None:
    """Print the settings, then try each part. Exit code 1 if one does not work."""
    settings = service.load_settings(data)
    _print_settings(settings)
    sick = 0
    with service.opened(data) as services:
        for part, check in _checks(services):
            error = _attempt(check)
            sick += isinstance(error, AnelloError)
            state = "no" if isinstance(error, AnelloError) else "ok"
            typer.echo(f"{part}\t{state}\t{_said(error)}")
    if sick:
        raise RuntimeFailure(f"{sick} part{'s' * (sick != 1)} of the server can't work")


def _print_settings(settings: Settings) -> None:
    from anello.config import VARIABLES

    rows = [
        (
            variable.name,
            os.environ[variable.name] if variable.name in settings.set_variables else "-",
            variable.default or "-",
            variable.meaning,
        )
        for variable in VARIABLES
    ]
    service.print_rows(("variable", "set to", "default", "meaning"), rows)
    typer.echo(f"data folder\t{settings.data}\n")


def _checks(services: Services) -> Iterator[tuple[str, Callable[[], str]]]:
    """Each part, and what tries it: it says something, or raises."""
    yield "python", lambda: sys.version.split()[0]
    yield "free space", lambda: _free_space(services)
    yield "database", lambda: _database(services)
    yield "queue", lambda: _queue(services)
    yield "store", lambda: _store(services)
    yield "hand networks", _networks
    yield "drawing process", lambda: _drawing(services)
    yield "api keys", lambda: _keys(services)


def _attempt(check: Callable[[], str]) -> str | AnelloError:
    try:
        return check()
    except AnelloError as error:
        return error
    except Exception as error:
        return unexpected(error)


def _said(answer: str | AnelloError) -> str:
    if isinstance(answer, str):
        return answer
    return one_line(f"{answer.message}. {answer.remedy or ''}")


def _free_space(services: Services) -> str:
    free = shutil.disk_usage(services.settings.data).free
    if free < LEAST_FREE_BYTES:
        raise RuntimeFailure(
            f"{free / 1e9:.1f} GB are left for the data folder", remedy="Make room, or move it."
        )
    return f"{free / 1e9:.0f} GB"


def _database(services: Services) -> str:
    wrong = services.accounts.audit()
    if wrong:
        raise RuntimeFailure("The ledger of units does not add up: " + "; ".join(wrong[:5]))
    return f"{services.tasks.count_running()} tasks waiting or running; the ledger adds up"


def _queue(services: Services) -> str:
    services.jobs.states(["doctor"])
    return "answers"


def _store(services: Services) -> str:
    key, data = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(1024)
    services.store.put(key, data)
    same = services.store.get(key) == data
    services.store.delete(key)
    if not same:
        raise RuntimeFailure("The store gave back other bytes than were put in")
    return str(services.settings.store_folder)


def _networks() -> str:
    from anello.models import ensure_models
    from anello.models.fetch import models_dir

    ensure_models()
    return str(models_dir())


def _drawing(services: Services) -> str:
    """A blank photo goes the whole way to the networks and back: there is no hand in it."""
    import numpy as np

    from anello.codec import Photo, encode

    blank = encode(Photo(np.full((480, 640, 3), 200, np.uint8), None, "jpeg"))
    started = time.perf_counter()
    found = services.compute.inspect_hand(blank, None, False).findings
    if found["code"] != PhotoDetectionFail.code:
        raise RuntimeFailure(f"A blank photo was taken for: {found['code']}")
    return f"started and answered in {time.perf_counter() - started:.1f} s"


def _keys(services: Services) -> str:
    accounts = services.accounts.all()
    if not accounts:
        return "none yet; `anello keys create`, or the first `anello serve` makes one"
    return f"{len(accounts)}"
