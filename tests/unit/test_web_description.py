"""The description is true of what it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from web_double import calling

from anello.web.resolution import resolve
from anello.web.tasks import EXAMPLES


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    with calling() as caller:
        said: dict[str, Any] = caller.get("/openapi.json").json()
    return said


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    for reference in set(references(description)):
        found = description
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]


def test_calls_say_what_can_go_wrong(description: dict[str, Any]) -> None:
    for method, path, operation in operations(description):
        statuses = set(operation["responses"])
        assert "422" not in statuses
        assert "500" in statuses
        if path.startswith(("/s2s", "/v1")):
            assert {"200", "400", "401", "429"} <= statuses, path
            assert operation["security"] == [{"ApiKey": []}]
            if method == "POST" and not path.endswith("cancel"):
                assert "413" in statuses
                assert operation["requestBody"]["required"]
        else:
            assert "security" not in operation
        assert operation["summary"]
        assert operation["description"]


def test_statuses_of_some_calls(description: dict[str, Any]) -> None:
    paths = description["paths"]
    ring = "/s2s/v2.0/task/2d-vto/ring"
    assert set(paths[ring]["post"]["responses"]) == {
        "200",
        "400",
        "401",
        "404",
        "409",
        "413",
        "429",
        "500",
    }
    codes = paths[ring]["post"]["responses"]["400"]["content"]["application/json"]["examples"]
    assert set(codes) == {"InvalidParameters", "CreditInsufficiency"}
    poll = paths[ring + "/{task_id}"]["get"]["responses"]["500"]
    assert "TaskTimeout" in poll["content"]["application/json"]["examples"]
    assert set(paths["/uploads/{file_id}"]["put"]["responses"]) == {
        "200",
        "400",
        "403",
        "404",
        "409",
        "413",
        "500",
        "503",
    }


def test_every_error_is_the_envelope(description: dict[str, Any]) -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    for _, path, operation in operations(description):
        for status, response in operation["responses"].items():
            assert "x-request-id" in response["headers"]
            if status >= "400" and (path, status) not in {
                ("/readyz", "503"),
                ("/results/{task_id}/{what}", "416"),
            }:
                assert response["content"]["application/json"]["schema"] == problem
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503"))
            assert ("WWW-Authenticate" in response["headers"]) == (status == "401")


def test_the_lenient_forms_are_described(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert schemas["NotGiven"]["anyOf"][0] == {"type": "null"}
    for name in ("CreateTask", "SourceInfo", "ObjectInfo", "RingParameters"):
        for field in schemas[name]["properties"].values():
            assert {"$ref": "#/components/schemas/NotGiven"} in field["anyOf"]
    finger = schemas["RingParameters"]["properties"]["ring_wearing_finger"]["anyOf"][0]
    assert finger == {"type": "integer", "minimum": 0, "maximum": 4}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_good(name: str) -> None:
    resolve(EXAMPLES[name])


def test_bodies_have_examples(description: dict[str, Any]) -> None:
    for _, path, operation in operations(description):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            assert body["examples"], path
