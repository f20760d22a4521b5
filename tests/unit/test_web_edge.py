"""What holds for every answer, whatever happens: A4 to A6 of the contract."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from web_double import KEY, TASK, Caller, Service, calling, picture, scope_of, signed

POLL = "/s2s/v2.0/task/2d-vto/ring/t1"


@pytest.fixture(autouse=True)
def _default_logs() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def several(caller: Caller) -> list[Any]:
    """An answer of each kind."""
    caller.service.tasks.tasks["t1"] = TASK
    answers = [
        caller.get(POLL),
        caller.get(POLL, key="bad"),
        caller.get("/nowhere"),
        caller.request("DELETE", POLL),
        caller.post("/s2s/v2.0/file", content=b"x" * 2_000_000),
        caller.post("/s2s/v2.0/file", content=b"x"),
        caller.request("OPTIONS", "/s2s/v2.0/file"),
        caller.request("HEAD", POLL),
        caller.request("PUT", "/uploads/f1"),
        caller.get("/docs"),
        caller.get("/openapi.json"),
        caller.get("/metrics"),
    ]
    caller.service.tasks.error = RuntimeError("secret")
    return [*answers, caller.get(POLL)]


def test_every_answer_has_a_number_of_its_own() -> None:
    with calling() as caller:
        answers = several(caller)
    assert {answer.status_code for answer in answers} == {
        200,
        204,
        400,
        401,
        403,
        404,
        405,
        413,
        500,
    }
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert all(one.isdigit() and 0 < int(one) < 2**63 for one in ids)


def test_every_error_is_in_the_envelope_and_every_header_is_there() -> None:
    with calling() as caller:
        for answer in several(caller):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "cache-control" in answer.headers
            if answer.status_code >= 400 and answer.request.method != "HEAD":
                assert answer.headers["content-type"] == "application/json"
                said = answer.json()
                assert list(said) == ["status", "error", "error_code"]
                assert said["status"] == answer.status_code
                assert said["error"]


def test_unknown_paths_and_methods() -> None:
    with calling() as caller:
        for path in ("/", "/s2s/v2.0/task/2d-vto/earring", "/s2s/v1.0/client/auth", "/docs/..%2fx"):
            answer = caller.get(path)
            assert (answer.status_code, answer.json()["error_code"]) == (404, "NotFound")
        answer = caller.get("/s2s/v2.0/file")
        assert (answer.status_code, answer.json()["error_code"]) == (405, "MethodNotAllowed")
        assert answer.headers["allow"] == "POST"


def test_what_is_unexpected_leaves_no_trace() -> None:
    with calling() as caller, capture_logs() as lines:
        caller.service.tasks.error = RuntimeError(f"secret {KEY}")
        answer = caller.get(POLL)
    assert answer.status_code == 500
    assert answer.content == (
        b'{"status":500,"error":"Unexpected error","error_code":"unknown_internal_error"}'
    )
    error, request = lines
    assert error["error"][0]["type"] == "builtins.RuntimeError"
    assert any("web_double.py" in frame for frame in error["error"][0]["frames"])
    assert error["request_id"] == request["request_id"] == answer.headers["x-request-id"]
    assert request["status"] == 500
    assert "secret" not in str(lines)


def test_an_answer_that_breaks_off_cuts_the_connection(tmp_path: Path) -> None:
    with calling() as caller:
        url = signed(caller, "/results/t1/picture")
        path, _, query = url.partition("?")
        stored = picture(tmp_path, "p", b"x", "image/png")
        caller.service.tasks.results["t1", "picture"] = stored
        scope = scope_of("GET", path) | {"query_string": query.encode()}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.start":
                stored.path.unlink()

        async def receive() -> Any:
            await asyncio.Event().wait()

        with pytest.raises(ConnectionAbortedError), capture_logs() as lines:
            caller._loop.run(_run(caller, scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert lines[0]["error"][0]["type"] == "builtins.FileNotFoundError"


async def _run(caller: Caller, *arguments: Any) -> None:
    await caller.app(*arguments)


def test_one_line_a_request_with_nothing_secret_in_it() -> None:
    service = Service()
    service.tasks.tasks["t1"] = TASK
    with calling(service) as caller, capture_logs() as lines:
        caller.get(f"{POLL}?token=secret", headers={"Cookie": "secret", "X-Secret": "secret"})
        caller.post("/s2s/v2.0/file", content=b'{"secret": "secret"}')
        caller.request("PUT", signed(caller, "/uploads/f0") + "0", content=b"secret")
        caller.get("/secret")
    assert [line["status"] for line in lines] == [200, 400, 403, 404]
    first = lines[0]
    assert first.pop("ms") >= 0
    assert first.pop("request_id").isdigit()
    assert first == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/s2s/v2.0/task/2d-vto/ring/{task_id}",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 75,
        "account": "a1",
        "key_name": "tests",
        "error_code": None,
    }
    assert (lines[1]["bytes_in"], lines[1]["error_code"]) == (20, "InvalidParameters")
    text = json.dumps(lines)
    for secret in ("secret", KEY, "signature", "t1"):
        assert secret not in text


def test_the_host_must_be_one_where_it_is_needed() -> None:
    body = {"files": [{"content_type": "image/png", "file_name": "a", "file_size": 1}]}
    with calling(public_url=None) as caller:
        for host in ("rings.example", "rings.example:8443", "[::1]:80", "my_app", "127.0.0.1"):
            answer = caller.post(
                "/s2s/v2.0/file", json=body, headers={"Host": host}, base="http://x"
            )
            url = answer.json()["data"]["files"][0]["requests"][0]["url"]
            assert url.startswith(f"http://{host}/uploads/")
        for host in ("", "a/b", "a?b", "a b", "a@b", 'a"', "a" * 256, "ü", "a\\b", "<a>"):
            headers = {b"Host": host.encode()}
            answer = caller.post("/s2s/v2.0/file", json=body, headers=headers)
            assert answer.status_code == 400, host
            assert answer.json()["error"].startswith("Host:")
    with calling(public_url="https://e.com/rings/") as caller:
        answer = caller.post("/s2s/v2.0/file", json=body, headers={"Host": "evil"})
        url = answer.json()["data"]["files"][0]["requests"][0]["url"]
        assert url.startswith("https://e.com/rings/uploads/")


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "BREW"]),
    path=st.sampled_from(["/", "/s2s/v2.0/", "/v1/tasks/", "/uploads/", "/results/", "/docs/"]),
    end=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    query=st.binary(max_size=20),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"host", b"range", b"origin", b"expect", b"content-length", b"content-type"]
            ),
            st.binary(max_size=10),
        ),
        max_size=4,
    ),
)
def test_no_request_is_a_failure_of_ours(
    method: str, path: str, end: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    scope = scope_of(method, path + end) | {"query_string": query, "headers": headers}
    with calling() as caller:
        start = caller.run(scope, [{"type": "http.request", "body": b""}])[0]
    assert start["status"] < 500
