"""An operation of the API: its endpoint, and what its description says of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic import BaseModel

from anello.errors import (
    AnelloError,
    ExpiredApiKey,
    InactiveApiKey,
    InvalidApiKey,
    InvalidParameters,
    PayloadTooLarge,
    TooManyRequests,
)
from anello.web.problems import UNEXPECTED, status_of
from anello.web.schemas import Problem

SAID: Final = {
    400: "The request can't be carried out as it is",
    401: "No good API key",
    403: "The address was not signed by this server, or has expired",
    404: "Not there, or not any more",
    409: "It contradicts what was asked for before",
    413: "Too many bytes",
    429: "Too often, or too many tasks are waiting; `Retry-After` says when to come again",
    500: "Not your doing",
    503: "Not possible at the moment; `Retry-After` says when to come again",
}


def operation(
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    *,
    tag: str,
    answer: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    examples: Mapping[str, Any] | None = None,
    refusals: Sequence[type[AnelloError]] = (InvalidApiKey, InactiveApiKey, ExpiredApiKey),
    fails: Sequence[type[AnelloError]] = (),
    **described: Any,
) -> APIRoute:
    """A call with a key. ``fails`` are the errors it has beside those that every call has."""
    errors = [InvalidParameters, TooManyRequests, *refusals, *fails]
    if body:
        errors.append(PayloadTooLarge)
        described["openapi_extra"] = {"requestBody": json_body(body, examples or {})}
    return public_operation(
        method, path, endpoint, tag=tag, answer=answer, fails=errors, **described
    )


def public_operation(
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    *,
    tag: str,
    answer: type[BaseModel] | None = None,
    fails: Sequence[type[AnelloError]] = (),
    responses: Mapping[int | str, Any] | None = None,
    **described: Any,
) -> APIRoute:
    """A request that needs no key."""
    documented: dict[int | str, Any] = {200: {"model": answer}} if answer else {}
    return APIRoute(
        path,
        endpoint,
        methods=[method],
        tags=[tag],
        name=endpoint.__name__,
        operation_id=endpoint.__name__,
        summary=endpoint.__name__.replace("_", " ").capitalize(),
        responses=documented | problems(fails) | dict(responses or {}),
        **described,
    )


def also_head(route: APIRoute) -> list[APIRoute]:
    """A route for GET, and the same for HEAD, which needs no description of its own."""
    head = APIRoute(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)
    return [route, head]


def json_body(model: type[BaseModel], examples: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema_of(model), "examples": named}},
    }


def schema_of(model: type[BaseModel]) -> dict[str, str]:
    """Where the description has it: `description.BY_NAME` must list it."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def problems(errors: Sequence[type[AnelloError]]) -> dict[int | str, Any]:
    """By status, the envelope and an example of each code."""
    examples: dict[int, dict[str, Problem]] = defaultdict(dict)
    for error in errors:
        status = status_of(error)
        examples[status][error.code] = Problem(
            status=status, error=error.default_message, error_code=error.code
        )
    examples[500].setdefault(UNEXPECTED.error_code, UNEXPECTED)
    return {
        status: {
            "description": SAID[status],
            "content": {
                "application/json": {
                    "schema": schema_of(Problem),
                    "examples": {code: {"value": p.model_dump()} for code, p in by_code.items()},
                }
            },
        }
        for status, by_code in sorted(examples.items())
    }
