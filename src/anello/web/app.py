"""The web application: its routes and its layers, each a list."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from anello.web import (
    account,
    files,
    health,
    inspections,
    reference,
    results,
    task_details,
    tasks,
    uploads,
)
from anello.web.description import new_app
from anello.web.edge import Edge
from anello.web.headers import Preflight
from anello.web.limits import Limits
from anello.web.metrics import RequestMetrics
from anello.web.problems import HANDLERS
from anello.web.services import Services


def build_app(services: Services) -> FastAPI:
    """The service over HTTP. Everything it needs is in ``services``; nothing is global."""
    settings = services.settings_web
    app = new_app(routes=_routes(), middleware=_layers(services), exception_handlers=HANDLERS)
    app.state.services = services
    app.state.limits = Limits(*settings.rate_limit) if settings.rate_limit else None
    return app


def _routes() -> list[BaseRoute]:
    return [
        *files.ROUTES,
        *uploads.ROUTES,
        *tasks.ROUTES,
        *results.ROUTES,
        *account.ROUTES,
        *inspections.ROUTES,
        *task_details.ROUTES,
        *health.ROUTES,
        *reference.routes(),
    ]


def _layers(services: Services) -> list[Middleware]:
    """From the outside in."""
    return [
        Middleware(Edge, metrics=RequestMetrics(services.metrics.registry)),
        Middleware(Preflight),
    ]
