"""Contract A1 to A6: who may call, and the shape of every answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests
from client import CREDIT, DELETE, FILES, PRICES, RING, Client, merged, new_name, ok, refused
from pictures import HAND, no_ring
from server import Server, until

CALLS = [
    ("POST", FILES[0]),
    ("POST", FILES[1]),
    ("POST", RING),
    ("GET", f"{RING}/AAAAAAAAAAAAAAAAAAAAAAAA"),
    ("POST", DELETE),
    ("GET", PRICES),
]


def bad_headers(key: str) -> list[dict[str, str]]:
    wrong = [
        "Bearer sk-0123456789abcdefghijklmnopqrstuvwxyz",
        "Bearer",
        "Bearer ",
        f"Bearer <{key}>",
        f"Bearer {key[:-1]}",
        f"Bearer {key}x",
        f"Bearer {key} {key}",
        f"Bearer{key}",
        f"Basic {key}",
        f"Token {key}",
        key,
        "Bearer \u00e9".encode().decode("latin-1"),
        "",
    ]
    return [{}, *({"Authorization": value} for value in wrong)]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a1_no_wrong_or_malformed_key_is_401(
    anonymous: Client, client: Client, method: str, path: str
) -> None:
    assert client.key is not None
    for headers in bad_headers(client.key):
        refused(anonymous.call(method, path, headers=headers), 401, "InvalidApiKey")


def test_a1_the_text_is_the_hosted_one(anonymous: Client) -> None:
    said = refused(anonymous.call("GET", PRICES), 401, "InvalidApiKey")
    assert said == "This API key is not recognized."


@pytest.mark.parametrize(
    ("method", "path"), [call for call in CALLS if call[0] == "POST"], ids=lambda value: str(value)
)
def test_a1_the_key_is_looked_at_before_the_body(anonymous: Client, method: str, path: str) -> None:
    for body in (b"", b"{not json", b"[]"):
        headers = {"Content-Type": "application/json"}
        answer = anonymous.call(method, path, headers=headers, data=body)
        refused(answer, 401, "InvalidApiKey")


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", "Bearer {}  "])
def test_a1_scheme_in_any_case_and_spaces_around_the_key(
    anonymous: Client, client: Client, form: str
) -> None:
    ok(anonymous.call("GET", PRICES, headers={"Authorization": form.format(client.key)}))


@pytest.mark.parametrize("path", [CREDIT, f"{CREDIT}/history"])
def test_a2_credit_says_invalid_access_token(anonymous: Client, client: Client, path: str) -> None:
    assert client.key is not None
    for headers in bad_headers(client.key):
        said = refused(anonymous.call("GET", path, headers=headers), 401, "InvalidAccessToken")
        assert said == "Unauthorized"
    ok(client.call("GET", path))


def test_a3_a_disabled_key_is_inactive(server: Server) -> None:
    name = new_name("disabled")
    with Client(server.base, server.create_key(name, 5)) as client:
        ok(client.call("GET", PRICES))
        server.command("keys", "disable", name)
        refused(client.call("GET", PRICES), 401, "InactiveApiKey")
        refused(client.post({}), 401, "InactiveApiKey")
        assert client.call("GET", CREDIT).status_code == 401


def test_a3_an_expired_key_is_expired(server: Server) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=4)
    key = server.create_key(new_name("expiring"), 5, expires)
    with Client(server.base, key) as client:

        def refusals() -> list[requests.Response]:
            response = client.call("GET", PRICES)
            return [response] if response.status_code != 200 else []

        (response,) = until(refusals, "the key to expire")
        assert datetime.now(UTC) >= expires
        refused(response, 401, "ExpiredApiKey")
        refused(client.post({}), 401, "ExpiredApiKey")


def test_a4_every_answer_has_a_number_of_its_own(client: Client, anonymous: Client) -> None:
    file = client.register(len(HAND))[0]
    done = client.run(merged(client.upload(HAND), [client.upload(no_ring())]))
    assert done["task_status"] == "error"
    responses = [
        client.call("GET", PRICES),
        client.call("GET", PRICES),
        client.call("GET", CREDIT),
        client.call("GET", "/healthz"),
        client.call("GET", "/openapi.json"),
        client.call("GET", "/no/such/path"),
        client.call("DELETE", RING),
        client.call("OPTIONS", RING, headers={"Origin": "https://shop.example"}),
        client.post({}),
        client.call("GET", f"{RING}/unknown"),
        anonymous.call("GET", PRICES),
        client.put(file, HAND),
        client.plain("PUT", file["requests"][0]["url"] + "x", data=HAND),
    ]
    numbers = [response.headers["x-request-id"] for response in responses]
    assert all(number.isascii() and number.isdigit() for number in numbers), numbers
    assert len(set(numbers)) == len(numbers)


def test_a4_a_request_id_of_the_client_is_not_taken_over(client: Client) -> None:
    answer = client.call("GET", PRICES, headers={"x-request-id": "12345678901234567"})
    assert answer.headers["x-request-id"] != "12345678901234567"


def test_a5_successes_carry_status_200_and_no_error(client: Client) -> None:
    """`ok` and every call of the client check it; here the rest: a failed task, a delete."""
    hand, nothing = (client.upload(one, again=False) for one in (HAND, no_ring()))
    task_id = client.create(merged(hand, [nothing]))
    assert client.wait(task_id)["task_status"] == "error"
    body = ok(client.call("GET", f"{RING}/{task_id}"))
    assert "error" not in body
    assert "error_code" not in body
    assert client.call("POST", DELETE, json={"task_id": task_id}).json() == {"status": 200}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/s2s/v2.0/nothing"),
        ("POST", "/s2s/v2.0/task/2d-vto/necklace"),
        ("POST", "/s2s/v2.0/file/cloth"),
        ("POST", "/s2s/v1.0/client/auth"),
        ("GET", "/s2s"),
    ],
)
def test_a6_an_unknown_path_is_404(client: Client, method: str, path: str) -> None:
    refused(client.call(method, path, json={}), 404, "NotFound")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", FILES[0]),
        ("PUT", FILES[1]),
        ("PUT", RING),
        ("DELETE", DELETE),
        ("POST", PRICES),
        ("POST", CREDIT),
        ("DELETE", f"{RING}/AAAAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
def test_a6_a_wrong_method_is_405(client: Client, method: str, path: str) -> None:
    response = client.call(method, path, json={})
    assert response.status_code == 405, response.text
    body = response.json()
    assert body["status"] == 405
    assert body["error"]
    assert body["error_code"]


def test_a6_also_without_a_key(anonymous: Client, client: Client) -> None:
    """What is not there is not there for anyone: no key is asked for, none helps."""
    for caller in (anonymous, client):
        answer = caller.call("GET", "/nothing/here")
        assert answer.status_code == 404
        assert answer.json()["status"] == 404
