"""Pages of any origin may call: F8 of the contract. Pages of ours may do little."""

from __future__ import annotations

import pytest
from web_double import TASK, calling

PREFLIGHT = {
    "Origin": "https://shop.example",
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "content-type,authorization",
}


@pytest.mark.parametrize(
    "path",
    ["/uploads/f1?expires=1&signature=x", "/results/t1/picture", "/s2s/v2.0/file", "/v1/inspect"],
)
def test_preflight(path: str) -> None:
    with calling() as caller:
        answer = caller.request("OPTIONS", path, key=None, headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed.split(", "))
    assert {"GET", "PUT", "POST"} <= set(answer.headers["access-control-allow-methods"].split(", "))


def test_answers_may_be_read_errors_too() -> None:
    with calling(rate_limit=(2, 10.0)) as caller:
        caller.service.tasks.tasks["t1"] = TASK
        for key, status in (("bad", 401), (None, 401), (None, 429)):
            answer = caller.get("/v1/tasks/t1", key=key, headers={"Origin": "null"})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == "*"
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"x-request-id", "Retry-After", "RateLimit-Remaining"} <= set(exposed)
    with calling() as caller:
        caller.service.tasks.error = RuntimeError()
        answer = caller.get("/v1/tasks/t1")
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, "*")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/docs"])
def test_other_paths_are_not_for_other_origins(path: str) -> None:
    with calling() as caller:
        assert "access-control-allow-origin" not in caller.get(path).headers
        assert caller.request("OPTIONS", path, headers=PREFLIGHT).status_code == 405


def test_pages_run_no_foreign_code_and_are_framed_nowhere() -> None:
    with calling() as caller:
        page, data = caller.get("/docs"), caller.get("/openapi.json")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert "content-security-policy" not in data.headers
