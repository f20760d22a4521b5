"""Alive, ready, counted."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from web_double import Caller, calling


def counted(caller: Caller) -> dict[tuple[str, str, str], float]:
    text = caller.get("/metrics").text
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "anello_http_requests_total"
    }


def test_alive() -> None:
    with calling() as caller:
        answer = caller.get("/healthz", key=None)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert caller.request("HEAD", "/healthz").status_code == 200


def test_ready() -> None:
    with calling() as caller:
        answer = caller.get("/readyz", key=None)
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "parts": {"database": True, "store": True}}
        caller.service.parts["store"] = False
        answer = caller.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "parts": {"database": True, "store": False}}
        assert answer.headers["retry-after"] == "5"


def test_requests_are_counted_by_template_never_by_path() -> None:
    with calling() as caller:
        for path in ("/healthz", "/v1/tasks/secret1", "/v1/tasks/secret2", "/secret3", "/docs/x"):
            caller.get(path)
        caller.request("BREW", "/healthz")
        seen = counted(caller)
        assert "secret" not in caller.get("/metrics").text
    assert seen == {
        ("GET", "/healthz", "200"): 1,
        ("GET", "/v1/tasks/{task_id}", "400"): 2,
        ("GET", "none", "404"): 1,
        ("GET", "/docs", "404"): 1,
        ("other", "/healthz", "405"): 1,
    }
