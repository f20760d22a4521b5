"""``anello models``: the hand networks' weights, fetched once."""

from __future__ import annotations

import typer

from anello.cli.console import Command


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Fetch and list the hand networks.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    group.command("fetch", cls=Command)(fetch)
    group.command("list", cls=Command)(list_models)
    group.command("path", cls=Command)(path)
    app.add_typer(group, name="models")


def fetch() -> None:
    """Fetch what is missing into the cache folder, each file checked by its SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from anello.models.fetch import fetch as fetch_weights

    columns = (TextColumn("hand networks"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("fetch", total=None)
        folder = fetch_weights(lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(folder)


def list_models() -> None:
    """List the networks: name, whether it is there and whole, its file."""
    from anello.models.fetch import WEIGHTS, missing_models, model_path

    missing = missing_models()
    for name in WEIGHTS:
        state = "missing" if name in missing else "ok"
        typer.echo(f"{name}\t{state}\t{model_path(name)}")


def path() -> None:
    """Print the folder of the networks; ANELLO_MODELS_DIR names another."""
    from anello.models.fetch import models_dir

    typer.echo(models_dir())
