"""Every error has a status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anello import errors
from anello.errors import AnelloError
from anello.web.problems import invalid_parameters, status_of


def leaves(error: type[AnelloError]) -> Iterator[type[AnelloError]]:
    yield error
    for child in error.__subclasses__():
        yield from leaves(child)


EXPECTED = {
    "InvalidParameters": 400,
    "BadRequest": 400,
    "InvalidParameter": 400,
    "CreditInsufficiency": 400,
    "InvalidTaskId": 400,
    "OperationInvalid": 400,
    "OperationNotSupport": 400,
    "DownloadImage": 400,
    "InvalidApiKey": 401,
    "InactiveApiKey": 401,
    "ExpiredApiKey": 401,
    "InvalidAccessToken": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "PayloadTooLarge": 413,
    "TooManyRequests": 429,
    "QueueFull": 429,
    "TaskTimeout": 500,
    "WorkerDied": 500,
    "StoreUnavailable": 503,
}


@pytest.mark.parametrize(("name", "status"), EXPECTED.items())
def test_statuses(name: str, status: int) -> None:
    assert status_of(getattr(errors, name)) == status


def test_none_is_without() -> None:
    assert {status_of(error) for error in leaves(AnelloError)} <= {*EXPECTED.values()}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (("query", "page_size"), "page_size"),
        (("files", 0, "file_size"), "files[0].file_size"),
        (("object_infos", 1, "parameter", "x"), "object_infos[1].parameter.x"),
        (("a", 0, 1), "a[0][1]"),
        ((), "body"),
    ],
)
def test_fields_are_named_as_in_code(place: tuple[str | int, ...], name: str) -> None:
    error = invalid_parameters([{"loc": place, "msg": "is wrong"}])
    assert error.message == f"{name}: is wrong"
