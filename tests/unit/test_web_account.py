"""Units and prices: U1 and U2 of the contract."""

from __future__ import annotations

import pytest
from web_double import calling

from anello.service.accounts import Grant, LedgerEntry

CREDIT = "/s2s/v1.0/client/credit"
COST = "/s2s/v2.0/credit/feature-cost"


def test_credit() -> None:
    with calling() as caller:
        assert caller.get(CREDIT).content == b'{"status":200,"results":[]}'
        caller.service.accounts.given = [
            Grant(7, 1000, 900, 98, 1_790_000_000.0, 0),
            Grant(8, 5, 5, 0, None, 0),
        ]
        assert caller.get(CREDIT).json() == {
            "status": 200,
            "results": [
                {
                    "id": 7,
                    "type": "ApiPaygToken",
                    "amount": 998,
                    "amount_dec": 998.0,
                    "expiry": 1_790_000_000_000,
                },
                {
                    "id": 8,
                    "type": "ApiPaygToken",
                    "amount": 5,
                    "amount_dec": 5.0,
                    "expiry": 253_402_300_799_000,
                },
            ],
        }


def test_history_in_pages() -> None:
    entries = [LedgerEntry(n, 1.5 * n, "charge", f"t{n}", 1, 2) for n in range(45, 0, -1)]
    with calling() as caller:
        caller.service.accounts.entries = entries
        first = caller.get(CREDIT + "/history").json()
        assert first["status"] == 200
        assert first["result"]["history"][0] == {
            "id": 45,
            "timestamp": 67500,
            "action": "charge",
            "target_id": "t45",
            "info": {"credits": [{"id": 1, "amount": 2, "amount_dec": 2.0}]},
        }
        seen, token = [], ""
        for _ in range(3):
            url = f"{CREDIT}/history?page_size=15&starting_token={token}"
            page = caller.get(url).json()["result"]
            seen += [entry["id"] for entry in page["history"]]
            token = page["next_token"]
        assert (seen, token) == (list(range(45, 0, -1)), None)


@pytest.mark.parametrize("token", ["", "?starting_token=", "?starting_token=null"])
def test_prices(token: str) -> None:
    with calling() as caller:
        said = caller.get(COST + token).json()
    assert said["status"] == 200
    assert said["result"]["next_token"] is None
    assert [sku["amount"] for sku in said["result"]["skus"]] == [1, 2]
    for sku in said["result"]["skus"]:
        assert sku["run_task_url"] == "https://rings.example/s2s/v2.0/task/2d-vto/ring"
        assert (sku["unit"], sku["proc_unit"]) == ("result_image", 1)
        assert sku["description"]


def test_prices_in_pages() -> None:
    with calling() as caller:
        first = caller.get(f"{COST}?page_size=1").json()["result"]
        second = caller.get(f"{COST}?page_size=1&starting_token={first['next_token']}").json()
    assert isinstance(first["next_token"], str)
    assert second["result"]["next_token"] is None
    assert [sku["amount"] for sku in first["skus"] + second["result"]["skus"]] == [1, 2]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"page_size={size}", "page_size") for size in ("0", "21", "50", "-1", "x", "", "1.5")),
        *(
            (f"starting_token={token}", "starting_token")
            for token in ("2", "x", "-1", "9" * 20, "9" * 40, "%00", "²", "%ff", "None")
        ),
    ],
)
def test_bad_pages(query: str, field: str) -> None:
    with calling() as caller:
        answer = caller.get(f"{COST}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "InvalidParameters")
    assert answer.json()["error"].startswith(field + ":")


def test_history_pages_have_their_own_limits() -> None:
    with calling() as caller:
        assert caller.get(CREDIT + "/history?page_size=30").status_code == 200
        assert caller.get(CREDIT + "/history?page_size=31").status_code == 400
        assert caller.get(CREDIT + "/history?starting_token=null").status_code == 200
