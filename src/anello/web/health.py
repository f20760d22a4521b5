"""For those who run the server: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import PlainTextResponse, Response

from anello.web.answers import JsonAnswer
from anello.web.operations import also_head, public_operation
from anello.web.problems import RETRY
from anello.web.schemas import Health, Readiness
from anello.web.services import Services


async def get_health() -> JsonAnswer:
    """The process answers."""
    return JsonAnswer(Health())


def get_readiness(request: Request) -> JsonAnswer:
    """Every part works: requests will be served."""
    services: Services = request.app.state.services
    readiness = _readiness(services.health())
    if readiness.status == "ready":
        return JsonAnswer(readiness)
    return JsonAnswer(readiness, 503, RETRY)


def get_metrics(request: Request) -> Response:
    """Prometheus reads it."""
    services: Services = request.app.state.services
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _readiness(parts: Mapping[str, bool]) -> Readiness:
    ready = all(parts.values())
    return Readiness(status="ready" if ready else "not ready", parts=dict(parts))


ROUTES: Final = [
    *also_head(public_operation("GET", "/healthz", get_health, tag="Server", answer=Health)),
    *also_head(
        public_operation(
            "GET",
            "/readyz",
            get_readiness,
            tag="Server",
            answer=Readiness,
            responses={503: {"model": Readiness, "description": "Some part does not work"}},
        )
    ),
    public_operation(
        "GET", "/metrics", get_metrics, tag="Server", response_class=PlainTextResponse
    ),
]
