"""The API's own description: /openapi.json."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from anello.web import schemas

SUMMARY: Final = "Ring virtual try-on: a hand photo and a product photo in, the worn ring out."
WORDS: Final = """
Register your files, upload them, create a task, poll it, download the picture. Or give urls, and
skip the first two.

Every answer is JSON with a `status` equal to its HTTP status; an error has `error` (for people),
`error_code` (for programs), and often a `remedy`. Every answer has an `x-request-id`: quote it when
you ask for help.

Calls with a key are limited, by key and by address: `RateLimit-*` headers say where you stand.
Uploads, results and this page are not counted.
"""
TAGS: Final = [
    {"name": "Files", "description": "Pictures on their way in."},
    {"name": "Tasks", "description": "Rings on hands."},
    {"name": "Units", "description": "What tasks cost, and what is left."},
    {"name": "Beyond", "description": "What the hosted API does not have."},
    {"name": "Server", "description": "For those who run it."},
]
BY_NAME: Final[list[tuple[type[BaseModel], Literal["validation", "serialization"]]]] = [
    (schemas.RegisterFiles, "validation"),
    (schemas.CreateTask, "validation"),
    (schemas.DeleteTask, "validation"),
    (schemas.Inspect, "validation"),
    (schemas.Problem, "serialization"),
]
"""Models that operations refer to by name: FastAPI does not see them itself."""
NOT_GIVEN: Final = {
    "description": "null, an empty text or an empty array: as if the field were not there.",
    "anyOf": [{"type": "null"}, {"const": ""}, {"type": "array", "maxItems": 0}],
}
_NUMBER: Final = {"type": "integer", "minimum": 0}
HEADERS: Final[dict[str, Any]] = {
    "x-request-id": {
        "description": "The request's number.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,19}$"},
    },
    "Retry-After": {
        "description": "Seconds until it is worth trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}},
    "RateLimit-Policy": {
        "description": "Calls, and the seconds they are counted over.",
        "schema": {"type": "string", "pattern": "^[0-9]+;w=[0-9]+$"},
    },
    "RateLimit-Limit": {"description": "Calls in that time.", "schema": _NUMBER},
    "RateLimit-Remaining": {"description": "Calls left now.", "schema": _NUMBER},
    "RateLimit-Reset": {"description": "Seconds until there is one more.", "schema": _NUMBER},
}
RATE_LIMIT: Final = [name for name in HEADERS if name.startswith("RateLimit-")]
ONLY_WITH: Final = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}


class DescribedApp(FastAPI):
    """FastAPI, whose description is completed once it is asked for."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            _complete(super().openapi())
        return super().openapi()


def new_app(**settings: Any) -> FastAPI:
    """An app that describes itself, with none of the pages FastAPI would add."""
    return DescribedApp(
        title="anello",
        version=version("anello"),
        summary=SUMMARY,
        description=WORDS,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        **settings,
    )


def _complete(description: dict[str, Any]) -> None:
    """Add what FastAPI can't know: bodies are read, and headers added, elsewhere."""
    components = description["components"]
    _, named = models_json_schema(BY_NAME, ref_template="#/components/schemas/{model}")
    components["schemas"] |= named["$defs"] | {"NotGiven": NOT_GIVEN}
    components["headers"] = HEADERS
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for operation in _operations(description):
        operation["responses"].pop("422", None)  # ours is 400
        for status, response in operation["responses"].items():
            response["headers"] = _headers(status, counted="security" in operation)


def _headers(status: str, *, counted: bool) -> dict[str, Any]:
    names = ["x-request-id", *(RATE_LIMIT if counted else [])]
    names += [ONLY_WITH[status]] if status in ONLY_WITH else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in description["paths"].values():
        yield from methods.values()
