"""Bodies are read under limits, and hostile ones are refused in the envelope."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_double import KEY, Caller, calling, scope_of

from anello.web import bodies

CREATE = "/s2s/v2.0/task/2d-vto/ring"
FILE = "/s2s/v2.0/file"
GOOD = b'{"src_file_id":"h","ref_file_ids":["r"]}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"src_file_id":"\xff"}',
        b'{"src_file_id":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"src_file_id":"\\u0000","ref_file_ids":["r"]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 100_000 + b"}",
        b'{"a":' + b"[" * 150 + b"]" * 150 + b"}",
        b'{"ring_wearing_location":1e999,"src_file_id":"h","ref_file_ids":["r"]}',
        "{}".encode("utf-16"),
        b"\x1f\x8b\x08\x00",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--",
    ],
)
def test_what_is_no_good_object_is_refused(body: bytes) -> None:
    with calling() as caller:
        for path in (CREATE, FILE, "/s2s/v2.0/task/delete", "/v1/inspect"):
            answer = caller.post(path, content=body)
            assert answer.status_code == 400, (path, answer.text)
            assert answer.json()["error_code"] == "InvalidParameters"


def test_a_repeated_key_counts_once_and_a_byte_order_mark_does_not() -> None:
    with calling() as caller:
        for body in (b"\xef\xbb\xbf" + GOOD, GOOD[:-1] + b',"src_file_id":"h2"}'):
            assert caller.post(CREATE, content=body).status_code == 200
        assert [request.hand.value for request, _ in caller.service.tasks.created] == ["h", "h2"]


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "\xff;;="],
)
def test_any_content_type_is_taken(content_type: str | None) -> None:
    headers = None if content_type is None else {"Content-Type": content_type.encode("latin-1")}
    with calling() as caller:
        assert caller.post(CREATE, content=GOOD, headers=headers).status_code == 200


def test_json_beyond_a_megabyte_is_too_large_sized_or_chunked() -> None:
    body = GOOD + b" " * (bodies.MAX_JSON_BYTES - len(GOOD))
    with calling() as caller:
        assert caller.post(CREATE, content=body).status_code == 200
        for content in (body + b" ", pieces(body + b" ")):
            answer = caller.post(CREATE, content=content)
            assert answer.status_code == 413
            assert answer.json()["error_code"] == "PayloadTooLarge"
            assert "connection" not in answer.headers
        assert len(caller.service.tasks.created) == 1


def test_a_body_that_is_far_too_large_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "DRAIN_BYTES", 1000)
    body = b" " * (bodies.MAX_JSON_BYTES + 1001)
    with calling() as caller:
        for content in (body, pieces(body)):
            answer = caller.post(CREATE, content=content)
            assert answer.status_code == 413
            assert answer.headers["connection"] == "close"


def test_who_waits_for_a_go_ahead_is_told_before_sending() -> None:
    scope = scope_of(
        "POST",
        CREATE,
        authorization=f"Bearer {KEY}",
        expect="100-continue",
        content_length=str(bodies.MAX_JSON_BYTES + 1),
    )
    with calling() as caller:
        start, _ = caller.run(scope, [])
    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]


def test_a_client_that_leaves_or_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "CHUNK_TIMEOUT_S", 0.01)
    scope = scope_of("POST", CREATE, authorization=f"Bearer {KEY}")
    with calling() as caller:
        start, _ = caller.run(dict(scope), [{"type": "http.request", "more_body": True}])
        assert start["status"] == 499
        answer = caller.post(CREATE, content=stalled())
        assert answer.status_code == 408
        assert answer.json()["error_code"] == "RequestTimeout"
        assert answer.headers["connection"] == "close"
        assert caller.service.tasks.created == []


@pytest.mark.parametrize("declared", ["-1", "1e3", "²", "9" * 30, "0x10", ""])
def test_odd_lengths_are_no_lengths(declared: str) -> None:
    scope = scope_of("POST", CREATE, authorization=f"Bearer {KEY}")
    scope["headers"].append((b"content-length", declared.encode("latin-1", "replace")))
    with calling() as caller:
        start, _ = caller.run(scope, [{"type": "http.request", "body": GOOD}])
    assert start["status"] == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
likely_bodies = st.dictionaries(
    st.sampled_from(["files", "task_id", "kind", "file_id", "src_file_id", "ref_file_ids"]),
    json_values,
)


@given(st.binary(max_size=50) | (json_values | likely_bodies).map(lambda v: json.dumps(v).encode()))
def test_no_body_is_a_failure_of_ours(body: bytes) -> None:
    with calling() as caller:
        for path in (CREATE, FILE, "/s2s/v2.0/task/delete", "/v1/inspect"):
            check_envelope(caller, path, body)


def check_envelope(caller: Caller, path: str, body: bytes) -> None:
    answer = caller.post(path, content=body)
    assert answer.status_code in (200, 400)
    said: dict[str, Any] = answer.json()
    assert said["status"] == answer.status_code
    assert ("error" in said) == ("error_code" in said) == (answer.status_code == 400)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


async def stalled() -> AsyncIterator[bytes]:
    import asyncio

    yield b"{"
    await asyncio.Event().wait()
