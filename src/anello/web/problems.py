"""What went wrong, as HTTP says it: one table from error to status, one envelope."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from anello.errors import (
    AnelloError,
    Conflict,
    Forbidden,
    InvalidApiKey,
    InvalidParameters,
    NotFound,
    PayloadTooLarge,
    PictureError,
    RequestError,
    StoreUnavailable,
    TooManyRequests,
)
from anello.web.answers import JsonAnswer
from anello.web.schemas import Problem

STATUS: Final[dict[type[AnelloError], int]] = {
    RequestError: 400,
    PictureError: 400,
    InvalidApiKey: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PayloadTooLarge: 413,
    TooManyRequests: 429,
    AnelloError: 500,
    StoreUnavailable: 503,
}
"""By error, or by its nearest ancestor here."""

RETRY: Final = {"Retry-After": "5"}
"""For what is not possible at the moment: some part of the server must recover first."""
CLIENT_GONE: Final = 499
"""Nobody reads this status but the log."""


def status_of(error: type[AnelloError]) -> int:
    return next(STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS)


async def answer_error(request: Request, error: Exception) -> Response:
    """For an error that anello raised on purpose."""
    assert isinstance(error, AnelloError)
    return _respond(
        request,
        Problem(
            status=status_of(type(error)),
            error=error.message,
            error_code=error.code,
            remedy=error.remedy,
        ),
        _headers_of(error),
    )


async def answer_invalid(request: Request, error: Exception) -> Response:
    """For a parameter of path, query or header that is not what it should be."""
    assert isinstance(error, RequestValidationError)
    return await answer_error(request, invalid_parameters(error.errors()))


async def answer_http(request: Request, error: Exception) -> Response:
    """For what the routing, or the server below, refuses."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    problem = Problem(
        status=error.status_code, error=phrase, error_code=phrase.replace(" ", ""), remedy=None
    )
    return _respond(request, problem, headers)


async def answer_nobody(request: Request, error: Exception) -> Response:
    """For a client that left before its request was read."""
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=CLIENT_GONE)


HANDLERS: Final = {
    AnelloError: answer_error,
    RequestValidationError: answer_invalid,
    HTTPException: answer_http,
    ClientDisconnect: answer_nobody,
}

UNEXPECTED: Final = Problem(
    status=500, error="Unexpected error", error_code="unknown_internal_error", remedy=None
)


def invalid_parameters(errors: Sequence[Any]) -> InvalidParameters:
    """What pydantic found, of which the first is enough: the field, and what is wrong with it."""
    first = errors[0]
    places = [place for place in first["loc"] if place not in ("path", "query", "header")]
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in places).removeprefix(".")
    return InvalidParameters(f"{name or 'body'}: {first['msg']}")


def _respond(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
    request.state.error_code = problem.error_code
    return JsonAnswer(problem, problem.status, headers)


def _headers_of(error: AnelloError) -> Mapping[str, str]:
    if isinstance(error, InvalidApiKey):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, StoreUnavailable):
        return RETRY
    return {}


def _methods_at(request: Request) -> set[str]:
    """What the path can be called with: the router names its first route's methods alone."""
    return {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
