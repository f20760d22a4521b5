"""Whose key it is: A1 to A3 of the contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_double import KEY, calling, scope_of

from anello.errors import ExpiredApiKey, InactiveApiKey

POLL = "/s2s/v2.0/task/2d-vto/ring/t1"
CREDIT = "/s2s/v1.0/client/credit"
CALLS = [
    ("POST", "/s2s/v2.0/file"),
    ("POST", "/s2s/v2.0/file/2d-vto/ring"),
    ("POST", "/s2s/v2.0/task/2d-vto/ring"),
    ("GET", POLL),
    ("POST", "/s2s/v2.0/task/delete"),
    ("GET", "/s2s/v2.0/credit/feature-cost"),
    ("POST", "/v1/inspect"),
    ("GET", "/v1/tasks/t1"),
    ("POST", "/v1/tasks/t1/cancel"),
]
BAD = [
    "",
    "Bearer",
    "Bearer ",
    f"Bearer <{KEY}>",
    f"Basic {KEY}",
    KEY,
    f"Bearer{KEY}",
    f"Bearer Bearer {KEY}",
    f"Bearer {KEY}x",
    f"Bearer {KEY.upper()}",
    "Bearer " + "x" * 10_000,
    "Bearer clé",
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_good_key_nothing_is_done(method: str, path: str) -> None:
    with calling() as caller:
        for authorization in [None, *BAD]:
            headers = {} if authorization is None else {"Authorization": authorization.encode()}
            answer = caller.request(method, path, key=None, headers=headers, content=b"not json")
            assert answer.status_code == 401
            assert answer.json() == {
                "status": 401,
                "error": "This API key is not recognized.",
                "error_code": "InvalidApiKey",
            }
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [CREDIT, CREDIT + "/history"])
def test_version_1_says_it_differently(path: str) -> None:
    with calling() as caller:
        for key in (None, "bad"):
            answer = caller.get(path, key=key)
            assert answer.status_code == 401
            assert answer.json() == {
                "status": 401,
                "error": "Unauthorized",
                "error_code": "InvalidAccessToken",
            }
        assert caller.get(path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   ", "  Bearer  "])
def test_case_and_spaces_do_not_matter(scheme: str) -> None:
    with calling() as caller:
        for end in ("", "  "):
            headers = {"Authorization": f"{scheme}{KEY}{end}"}
            assert caller.get(CREDIT, key=None, headers=headers).status_code == 200


def test_a_key_is_looked_up_once_a_call() -> None:
    with calling() as caller:
        body = b'{"src_file_id":"h","ref_file_ids":["r"]}'
        assert caller.post("/s2s/v2.0/task/2d-vto/ring", content=body).status_code == 200
        assert caller.service.accounts.asked == 1


@pytest.mark.parametrize("error", [InactiveApiKey(), ExpiredApiKey()])
def test_disabled_and_expired_keys(error: InactiveApiKey | ExpiredApiKey) -> None:
    with calling() as caller:
        caller.service.accounts.keys["sk-old"] = error
        answer = caller.get(POLL, key="sk-old")
        assert (answer.status_code, answer.json()["error_code"]) == (401, error.code)
        assert caller.get(CREDIT, key="sk-old").json()["error_code"] == "InvalidAccessToken"


@given(st.binary(max_size=40), st.sampled_from([b"", b"Bearer ", b"bearer\t"]))
def test_any_bytes_are_a_key_or_none(key: bytes, scheme: bytes) -> None:
    scope = scope_of("GET", POLL)
    scope["headers"] = [(b"authorization", scheme + key)]
    with calling() as caller:
        start, _ = caller.run(scope, [])
    assert start["status"] == 401
