"""``anello serve``: the web service, with all it needs in one process and its drawing processes."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anello.cli import service
from anello.cli.console import Command, say
from anello.errors import RuntimeFailure

if TYPE_CHECKING:
    from anello.bootstrap import Services

FIRST_KEY, FIRST_UNITS = "first", 1000


def register(app: typer.Typer) -> None:
    app.command("serve", cls=Command)(serve)


def serve(
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one."),
    ] = 8000,
    data: service.Data = None,
) -> None:
    """Serve the API until told to stop. The first start makes an API key and prints it."""
    settings = service.load_settings(data)
    listening = _listen(host, port)
    from anello import bootstrap
    from anello.adapters import logs
    from anello.models import ensure_models

    ensure_models()
    logs.configure()
    services = bootstrap.build(settings)
    try:
        # After uvicorn's own graceful end the signal comes here, and ends what still runs.
        signal.signal(signal.SIGTERM, _leave)
        with bootstrap.running(services):
            _print_welcome(services, settings.data, listening)
            _run(services, listening)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        services.close()


def _listen(host: str, port: int) -> socket.socket:
    """The socket, before anything else is begun."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=1024)
    except OSError as error:
        raise RuntimeFailure(
            f"Can't listen on {host} port {port}: {error.strerror or error}",
            remedy="Stop what listens there, or choose another --port; 0 takes a free one.",
        ) from error


def _run(services: Services, listening: socket.socket) -> None:
    import uvicorn

    from anello.web.app import build_app

    proxies = services.settings.web.trusted_proxies
    config = uvicorn.Config(
        build_app(services),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=round(services.settings.engine.shutdown_s),
        backlog=1024,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _print_welcome(services: Services, data: Path, listening: socket.socket) -> None:
    host, port, *_ = listening.getsockname()
    at = f"[{host}]" if ":" in host else host
    say(f"anello serves at http://{at}:{port} (reference: /docs), its data is in {data}")
    if not services.accounts.all():
        key = services.accounts.create(FIRST_KEY, FIRST_UNITS)
        say(f"The first API key, shown this once; {FIRST_UNITS} units:")
        typer.echo(key)


def _leave(_number: int, _frame: Any) -> None:
    raise SystemExit(0)
