"""Uploading: F6 and F7 of the contract."""

from __future__ import annotations

import errno
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from test_web_bodies import pieces
from web_double import Caller, calling, scope_of, signed

from anello.codec import MAX_FILE_BYTES
from anello.errors import Conflict, NotFound, StoreUnavailable
from anello.service.requests import NewFile
from anello.web import uploads

PICTURE = b"\xff\xd8\xff" + b"x" * 3_000_000


def registered(caller: Caller, size_bytes: int = len(PICTURE)) -> str:
    caller.service.files.wanted = [NewFile("image/jpg", "hand.jpg", size_bytes)]
    return signed(caller, "/uploads/f0")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "image/jpg"},
        {"Content-Type": "image/jpeg"},
        {"Content-Type": "application/octet-stream", "Expect": "100-continue"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "br"},
        {"Authorization": "Bearer whatever", "sec-fetch-mode": "cors"},
    ],
)
def test_the_bytes_arrive_whatever_the_headers(headers: dict[str, str]) -> None:
    with calling() as caller:
        url = registered(caller)
        for content in (PICTURE, pieces(PICTURE)):
            answer = caller.request("PUT", url, key=None, headers=headers, content=content)
            assert (answer.status_code, answer.content) == (200, b"")
            assert caller.service.files.taken.pop("f0") == PICTURE
        assert caller.service.accounts.asked == 0


def test_a_signature_is_for_one_file_and_one_time() -> None:
    with calling() as caller:
        url = registered(caller)
        path, _, query = url.partition("?")
        expired = signed(caller, "/uploads/f0", ttl_s=-1)
        forged = [
            path,
            url + "x",
            url[:-1],
            path + "?" + query.replace("expires=", "expires=9"),
            path + "?" + query.replace("expires", "expired"),
            "/uploads/f1?" + query,
            "/uploads/%00%f0%9f?" + query,
            "/uploads/f0?expires=nan&signature=",
            "/uploads/f0?expires=1e999&signature=é",
            expired,
        ]
        for address in forged:
            answer = caller.request("PUT", address, content=PICTURE)
            assert answer.status_code == 403, address
            assert answer.json()["error_code"] == "Forbidden"
        assert caller.service.files.taken == {}


def test_a_bad_signature_is_refused_before_the_body_is_read() -> None:
    def never() -> Any:
        raise AssertionError("the body was asked for")
        yield

    with calling() as caller:
        start, _ = caller.run(scope_of("PUT", "/uploads/f0"), never())
        assert start["status"] == 403
        start, _ = caller.run(scope_of("PUT", "/uploads/f0", expect="100-continue"), never())
        assert (b"connection", b"close") in start["headers"]


def test_ten_mebibytes_and_not_one_byte_more() -> None:
    limit = b"x" * MAX_FILE_BYTES
    with calling() as caller:
        url = registered(caller, len(limit))
        assert caller.request("PUT", url, content=limit).status_code == 200
        caller.service.files.taken.clear()
        for content in (limit + b"x", pieces(limit + b"x")):
            answer = caller.request("PUT", url, content=content)
            assert answer.status_code == 413
            assert answer.json()["error_code"] == "PayloadTooLarge"
            assert "connection" not in answer.headers
        assert caller.service.files.taken == {}


def test_another_length_than_declared() -> None:
    with calling() as caller:
        url = registered(caller)
        for content in (PICTURE[:-1], PICTURE + b"x", b"", pieces(PICTURE[:10])):
            answer = caller.request("PUT", url, content=content)
            assert answer.status_code == 400
            assert answer.json()["error_code"] == "InvalidParameters"


def test_what_the_service_refuses() -> None:
    with calling() as caller:
        url = registered(caller)
        for error, status in {NotFound(): 404, Conflict(): 409, StoreUnavailable(): 503}.items():
            caller.service.files.error = error
            answer = caller.request("PUT", url, content=PICTURE)
            assert (answer.status_code, answer.json()["error_code"]) == (status, error.code)
        assert int(answer.headers["retry-after"]) >= 1


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(SpooledTemporaryFile[bytes]):
        def rollover(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "SpooledTemporaryFile", Full)
    with calling() as caller:
        answer = caller.request("PUT", registered(caller), content=PICTURE)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "error_upload")
        assert caller.request("PUT", registered(caller, 5), content=b"small").status_code == 200


def test_a_client_that_leaves_has_uploaded_nothing() -> None:
    with calling() as caller:
        path, _, query = registered(caller).partition("?")
        scope = scope_of("PUT", path) | {"query_string": query.encode()}
        messages = [{"type": "http.request", "body": PICTURE[:100], "more_body": True}]
        start, _ = caller.run(scope, messages)
        assert start["status"] == 499
        assert caller.service.files.taken == {}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_other_methods(method: str) -> None:
    with calling() as caller:
        answer = caller.request(method, registered(caller))
    assert answer.status_code == 405
    assert answer.headers["allow"] == "PUT"
