"""``anello webhooks``: who is told when a task has ended."""

from __future__ import annotations

from typing import Annotated

import typer

from anello.cli import service
from anello.errors import RuntimeFailure

EndpointId = Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.")]


def register(app: typer.Typer) -> None:
    group = service.new_group("Tell others when tasks end, as Standard Webhooks.")
    commands = {
        "add": add,
        "list": list_endpoints,
        "test": send_test,
        "disable": disable,
        "deliveries": deliveries,
        "replay": replay,
    }
    service.add_commands(group, commands)
    app.add_typer(group, name="webhooks")


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to post to.")],
    key_name: Annotated[
        str, typer.Option("--key-name", metavar="NAME", help="The key whose tasks are told of.")
    ],
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="whsec_…",
            help="What messages are signed with; without it one is made.",
        ),
    ] = None,
    data: service.Data = None,
) -> None:
    """Add an endpoint; print its secret and its id."""
    with service.opened(data) as services:
        account = services.accounts.by_name(key_name)
        endpoint = services.webhooks.add(account.id, url, secret)
    typer.echo(f"secret {endpoint.secret}")
    typer.echo(f"id {endpoint.id}")


def list_endpoints(data: service.Data = None) -> None:
    """List the endpoints: id, key, state, url. Secrets are not shown."""
    with service.opened(data) as services:
        names = {account.id: account.name for account in services.accounts.all()}
        rows = [
            (
                endpoint.id,
                names[endpoint.account_id],
                "active" if endpoint.disabled_at is None else "disabled",
                endpoint.url,
            )
            for endpoint in services.webhooks.all()
        ]
    service.print_rows(("id", "key", "state", "url"), rows)


def send_test(endpoint_id: EndpointId, data: service.Data = None) -> None:
    """Send a message about no task, now. Exit code 1 unless it was taken."""
    with service.opened(data) as services:
        answer = services.webhooks.test(endpoint_id)
    if answer.status is None or not 200 <= answer.status < 300:
        raise RuntimeFailure(
            f"Not delivered: {answer.error or f'the answer was HTTP {answer.status}'}",
            remedy="The endpoint must answer with a 2xx status within 15 seconds.",
        )
    typer.echo(f"delivered: HTTP {answer.status} in {answer.ms:.0f} ms")


def disable(endpoint_id: EndpointId, data: service.Data = None) -> None:
    """Send nothing there any more."""
    with service.opened(data) as services:
        services.webhooks.disable(endpoint_id)
    typer.echo(f"{endpoint_id} is disabled")


def deliveries(
    endpoint_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only those to this endpoint.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many at most.")
    ] = 50,
    data: service.Data = None,
) -> None:
    """List deliveries, newest first: id, task, state, attempts, last answer, next attempt."""
    rows = []
    with service.opened(data) as services:
        for delivery, last in services.webhooks.deliveries(endpoint_id, limit):
            answer = "-" if last is None else (last.status or last.error)
            due = service.shown_time(delivery.due_at) if delivery.status == "pending" else "-"
            rows.append(
                (
                    delivery.id,
                    delivery.task_id,
                    delivery.status,
                    0 if last is None else last.number,
                    answer,
                    due,
                )
            )
    service.print_rows(("id", "task", "state", "attempts", "answer", "next"), rows)


def replay(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id.")],
    data: service.Data = None,
) -> None:
    """Deliver once more, under the same message id; the running server does it."""
    with service.opened(data) as services:
        services.webhooks.replay(delivery_id)
    typer.echo(f"{delivery_id} is on its way")
