"""The command line. One command a file; none does more than call the library.

Only Typer is imported before a command runs, so that ``anello --help`` is quick.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from anello.cli import (
    batch,
    cutout,
    doctor,
    inspect,
    keys,
    models,
    serve,
    sweep,
    try_on,
    units,
    webhooks,
)

app = typer.Typer(
    name="anello",
    help="Put a ring on a hand: two photos in, one photo out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # half the time of a short command would go into loading it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from anello import __version__

        typer.echo(f"anello {__version__}")
        raise typer.Exit


@app.callback()
def _anello(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


try_on.register(app)
inspect.register(app)
cutout.register(app)
batch.register(app)
models.register(app)
serve.register(app)
keys.register(app)
units.register(app)
webhooks.register(app)
sweep.register(app)
doctor.register(app)


def main() -> None:
    """The ``anello`` program."""
    if not sys.warnoptions:  # a library's deprecation notes are not for its users
        warnings.simplefilter("ignore")
    app()
