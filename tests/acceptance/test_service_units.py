"""Contract U1 and U2: balance, history and prices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from client import CREDIT, PRICES, Client, Json, merged, new_name, ok, refused
from pictures import HAND, no_ring
from pictures import RING as RING_JPEG
from server import Server


def credit(client: Client) -> list[Json]:
    body = ok(client.call("GET", CREDIT))
    assert set(body) == {"status", "results"}
    results: list[Json] = body["results"]
    return results


EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Client]:
    """An account of this file's own, with ten units for ten days."""
    name = new_name("units")
    with Client(server.base, server.create_key(name, 10, EXPIRES), name) as one:
        yield one


STACKED = [{"ring_wearing_finger": 1}, {"ring_wearing_finger": 3}]


def test_u1_the_balance_has_its_fields_and_falls_by_the_cost(own: Client) -> None:
    (line,) = credit(own)
    assert type(line["id"]) is int
    assert line["type"] in {"ApiSubsToken", "ApiPaygToken"}
    assert (type(line["amount"]), line["amount"]) == (int, 10)
    assert line["amount_dec"] == 10.0
    assert (type(line["expiry"]), line["expiry"]) == (int, round(EXPIRES.timestamp() * 1000))

    hand, ring = own.upload(HAND), own.upload(RING_JPEG)
    assert own.run(merged(hand, [ring]))["task_status"] == "success"
    (after_one,) = credit(own)
    assert (after_one["amount"], after_one["amount_dec"]) == (9, 9.0)
    assert after_one["id"] == line["id"]
    assert own.run(merged(hand, [ring, ring], STACKED))["task_status"] == "success"
    assert credit(own)[0]["amount"] == 7
    assert own.error_of(merged(hand, [own.upload(no_ring())])) == "OBJECT_DETECTION_FAIL"
    assert credit(own)[0]["amount"] == 7


def test_u1_no_units_is_an_empty_list(new_client: Callable[..., Client]) -> None:
    assert credit(new_client(0)) == []


def test_u1_the_soonest_expiring_units_are_spent_first(own: Client, server: Server) -> None:
    before = own.units()
    soon = (EXPIRES - timedelta(days=1)).isoformat()
    server.command("units", "grant", own.name, 2, "--expires", soon)
    assert [line["amount"] for line in credit(own)] == [2, before]
    hand, ring = own.upload(HAND), own.upload(RING_JPEG)
    assert own.run(merged(hand, [ring]))["task_status"] == "success"
    assert [line["amount"] for line in credit(own)] == [1, before]
    assert own.run(merged(hand, [ring, ring], STACKED))["task_status"] == "success"
    assert own.units() == before - 1


def history(client: Client, **asked: Any) -> Json:
    result: Json = ok(client.call("GET", f"{CREDIT}/history", params=asked))["result"]
    return result


def test_u1_the_history_tells_of_each_spend(own: Client) -> None:
    client = own
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    tasks = [client.create(merged(hand, [ring])) for _ in range(3)]
    for task_id in tasks:
        client.wait(task_id)
    result = history(client, page_size=30)
    assert result["next_token"] is None
    for one in result["history"]:
        assert abs(one["timestamp"] / 1000 - time.time()) < 600
        assert isinstance(one["action"], str)
    targets = {one["target_id"] for one in result["history"]}
    assert set(tasks) <= targets

    paged, token = [], None
    for _ in range(100):
        page = history(client, page_size=1, **({"starting_token": token} if token else {}))
        assert len(page["history"]) == 1
        paged += page["history"]
        token = page["next_token"]
        if not token:
            break
    assert paged == result["history"]


@pytest.mark.parametrize("size", ["0", "31", "-1", "x", "1.5"])
def test_u1_history_pages_have_1_to_30(client: Client, size: str) -> None:
    answer = client.call("GET", f"{CREDIT}/history", params={"page_size": size})
    refused(answer, 400, "InvalidParameters")


def prices(client: Client, **asked: Any) -> Json:
    body = ok(client.call("GET", PRICES, params=asked))
    assert set(body) == {"status", "result"}
    result: Json = body["result"]
    return result


def test_u2_two_prices(client: Client) -> None:
    result = prices(client)
    assert result["next_token"] is None
    assert [sku["amount"] for sku in result["skus"]] == [1, 2]
    for sku in result["skus"]:
        assert sku["description"]
        assert sku["unit"] == "result_image"
        assert sku["proc_unit"] == 1
        assert sku["run_task_url"] == f"{client.base}/s2s/v2.0/task/2d-vto/ring"


@pytest.mark.parametrize("token", [..., "", "null"])
def test_u2_no_token_is_the_first_page(client: Client, token: Any) -> None:
    asked = {} if token is ... else {"starting_token": token}
    assert prices(client, **asked) == prices(client)


def test_u2_pages_are_complete(client: Client) -> None:
    """As the hosted service's own tool goes through them: until there is no token."""
    found, token = [], "null"
    while token:
        assert len(found) < 10
        page = prices(client, page_size=1, starting_token=token)
        assert len(page["skus"]) == 1
        found += page["skus"]
        token = page["next_token"]
        assert token is None or isinstance(token, str)
    assert found == prices(client)["skus"]


@pytest.mark.parametrize("size", ["0", "21", "50", "-1", "x", "", "1e1", "9" * 50])
def test_u2_page_size_is_1_to_20(client: Client, size: str) -> None:
    answer = client.call("GET", PRICES, params={"page_size": size})
    assert "page_size" in refused(answer, 400, "InvalidParameters")
    for good in (1, 20):
        prices(client, page_size=good)


@pytest.mark.parametrize("token", ["unknown", "-1", "99999", "é", "None", "A" * 3000])
def test_u2_an_unknown_token_is_refused(client: Client, token: str) -> None:
    answer = client.call("GET", PRICES, params={"starting_token": token})
    assert "starting_token" in refused(answer, 400, "InvalidParameters")
