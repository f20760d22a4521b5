"""So many calls in so many seconds, by key and by address: L1 and L2 of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from limits.storage import memory
from web_double import ACCOUNT, KEY, TASK, Service, calling, scope_of

from anello.service.accounts import Account
from anello.web import limits
from anello.web.limits import Limits, RecentCalls, address_of

POLL = "/s2s/v2.0/task/2d-vto/ring/t1"
CREATE = "/s2s/v2.0/task/2d-vto/ring"
BODY = b'{"src_file_id":"h","ref_file_ids":["r"]}'


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (limits, memory):
        monkeypatch.setattr(module, "time", clock)
    return clock


def served() -> Service:
    service = Service()
    service.tasks.tasks["t1"] = TASK
    service.accounts.keys["sk-other"] = Account("a2", "other", 0, None, None)
    return service


def test_the_251st_call_is_refused_and_does_nothing(clock: Clock) -> None:
    with calling(served(), rate_limit=(250, 300.0)) as caller:
        for n in range(250):
            answer = caller.get(POLL)
            assert answer.status_code == 200
            assert answer.headers["ratelimit-remaining"] == str(249 - n)
            clock.now += 1
        answer = caller.post(CREATE, content=BODY)
        assert answer.status_code == 429
        assert answer.json() == {
            "status": 429,
            "error": "Too many requests",
            "error_code": "TooManyRequests",
        }
        assert answer.headers["retry-after"] == "50"
        assert answer.headers["ratelimit-policy"] == "250;w=300"
        assert answer.headers["ratelimit-limit"] == "250"
        assert answer.headers["ratelimit-remaining"] == "0"
        assert answer.headers["ratelimit-reset"] == "50"
        assert caller.service.tasks.created == []
        clock.now += 50.01
        assert caller.post(CREATE, content=BODY).status_code == 200
        assert caller.get(POLL).status_code == 429


def test_both_must_hold_and_a_refused_call_counts_for_neither(clock: Clock) -> None:
    with calling(served(), rate_limit=(2, 10.0)) as caller:
        assert caller.get(POLL, address="203.0.113.1").status_code == 200
        assert caller.get(POLL, address="203.0.113.2").status_code == 200
        for _ in range(5):  # the key has none left; the address keeps its own
            assert caller.get(POLL, address="203.0.113.3").status_code == 429
        for _ in range(2):
            assert caller.get(CREATE + "/t1", key="sk-other", address="203.0.113.3").is_success
        for _ in range(5):  # neither the other key nor its address have any; this address has one
            answer = caller.get(POLL, key="sk-other", address="203.0.113.1")
            assert answer.status_code == 429
        clock.now += 10.01
        assert caller.get(POLL, address="203.0.113.1").headers["ratelimit-remaining"] == "1"


def test_bad_keys_count_for_their_address(clock: Clock) -> None:
    with calling(served(), rate_limit=(3, 10.0)) as caller:
        for n in range(3):
            answer = caller.get(POLL, key=f"bad{n}")
            assert answer.status_code == 401
            assert answer.headers["ratelimit-remaining"] == str(2 - n)
        assert caller.get(POLL, key="bad").status_code == 429
        assert caller.get(POLL).status_code == 429
        assert caller.service.accounts.asked == 3
        assert caller.get(POLL, address="203.0.113.8").status_code == 200


def test_only_calls_are_counted(clock: Clock) -> None:
    with calling(served(), rate_limit=(1, 10.0)) as caller:
        for method, path in [
            ("GET", "/healthz"),
            ("GET", "/docs"),
            ("GET", "/openapi.json"),
            ("PUT", "/uploads/f1"),
            ("GET", "/results/t1/picture"),
            ("OPTIONS", CREATE),
            ("GET", "/nowhere"),
        ]:
            answer = caller.request(method, path)
            assert answer.status_code != 429
            assert "ratelimit-limit" not in answer.headers
        assert caller.get(POLL).status_code == 200
        assert caller.get(POLL).status_code == 429


def test_off() -> None:
    with calling(served(), rate_limit=None) as caller:
        for _ in range(300):
            answer = caller.get(POLL)
            assert answer.status_code == 200
        assert "ratelimit-limit" not in answer.headers


def test_what_is_over_is_forgotten(clock: Clock) -> None:
    memory = RecentCalls(1000)
    for n in range(100):
        assert memory.acquire_entry(f"k{n}", 2, 10)
    assert len(memory.events) == 100
    clock.now += 10.01
    assert memory.acquire_entry("k", 2, 10)
    assert list(memory.events) == ["k"]


def test_there_are_never_too_many(clock: Clock) -> None:
    memory = RecentCalls(10)
    for n in range(1000):
        assert memory.acquire_entry(f"k{n}", 2, 10)
        assert memory.acquire_entry("busy", 2000, 10)
        assert len(memory.events) <= 10
    assert memory.get_moving_window("busy", 2000, 10)[1] == 1000


def test_a_window_moves(clock: Clock) -> None:
    counted = Limits(3, 10)
    for _ in range(3):
        assert counted.count("k").counted
        clock.now += 3
    refused = counted.count("k")
    assert (refused.counted, refused.remaining) == (False, 0)
    assert refused.reset_s == pytest.approx(1, abs=1e-3)
    clock.now += 1.01
    assert counted.test("k").counted
    assert counted.count("k").counted
    assert not counted.test("k").counted


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_addresses(host: str, expected: str) -> None:
    from starlette.requests import Request

    scope: dict[str, Any] = scope_of("GET", "/") | {"client": (host, 1)}
    assert address_of(Request(scope)) == expected
    assert address_of(Request(scope | {"client": None})) == "unknown"


def test_keys_are_known_by_their_account() -> None:
    service = served()
    service.accounts.keys["sk-rotated"] = ACCOUNT
    with calling(service, rate_limit=(1, 10.0)) as caller:
        assert caller.get(POLL, key=KEY, address="203.0.113.1").status_code == 200
        assert caller.get(POLL, key="sk-rotated", address="203.0.113.2").status_code == 429
