"""Contract L1 and L2, and the bound of the queue: too much is refused, and nothing else happens."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from client import PRICES, RING, Client, merged, ok, refused
from pictures import HAND
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import PATIENCE_S, Server, until

OTHER_ADDRESS = "127.0.0.2"
"""A second address of this machine, where there is one (Linux)."""

WINDOW_S = 2
"""What the limit counts calls within."""


def has_other_address() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((OTHER_ADDRESS, 0))
        except OSError:
            return False
    return True


def check_429(response: requests.Response) -> int:
    """The envelope, and its Retry-After in seconds."""
    refused(response, 429, "TooManyRequests")
    assert response.headers["Retry-After"].isdigit()
    return int(response.headers["Retry-After"])


def test_l1_250_calls_in_300_s_by_default(
    folder_server: Callable[..., Server], new_client: Callable[..., Client]
) -> None:
    server = folder_server()
    del server.environment["ANELLO_RATE_LIMIT"]
    server.start()
    client = new_client(10, on=server)
    left = []
    for _ in range(250):
        answer = client.call("GET", PRICES)
        ok(answer)
        left.append(rate_headers(answer).get("remaining"))
    assert left[0] is not None, "no RateLimit headers"
    assert int(left[0]) == 249
    assert int(str(left[-1])) == 0
    answer = client.call("GET", PRICES)
    assert 1 <= check_429(answer) <= 300
    assert check_429(client.post({})) >= 1
    assert client.call("GET", "/healthz").status_code == 200
    assert client.call("GET", "/readyz").status_code == 200


def rate_headers(response: requests.Response) -> dict[str, str]:
    """`RateLimit-Remaining: 5` (or with X- before it) as ``{"remaining": "5"}``."""
    return {
        name.lower().rpartition("ratelimit-")[2]: value
        for name, value in response.headers.items()
        if "ratelimit-" in name.lower()
    }


@pytest.fixture(scope="module")
def limited(_models: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Five calls in two seconds."""
    settings = {"ANELLO_ALLOW_PRIVATE_URLS": "1", "ANELLO_RATE_LIMIT": f"5/{WINDOW_S}s"}
    with Server(tmp_path_factory.mktemp("limited"), **settings) as running:
        yield running


def use_up(client: Client) -> None:
    """Call until it is enough."""

    def is_enough() -> bool:
        return client.call("GET", PRICES).status_code == 429

    until(is_enough, "the limit", pause_s=0)


def recover(client: Client) -> None:
    def is_free() -> bool:
        return client.call("GET", PRICES).status_code == 200

    until(is_free, "the limit to be over", pause_s=0.4)


def patiently(client: Client, ask: Callable[[], requests.Response]) -> requests.Response:
    """As a good client does: wait as long as Retry-After says, then ask again."""

    def answers() -> list[requests.Response]:
        response = ask()
        return [] if response.status_code == 429 else [response]

    return until(answers, "an answer", pause_s=0.5)[0]


def test_l1_a_refused_create_creates_and_charges_nothing_and_it_recovers(
    limited: Server, new_client: Callable[..., Client], receiver: Receiver
) -> None:
    client = new_client(2, on=limited)
    hand, ring = receiver.host(HAND), receiver.host(RING_JPEG)
    use_up(client)
    answer = client.post(merged(hand, [ring]))
    assert 1 <= check_429(answer) <= 2
    made = patiently(client, lambda: client.post(merged(hand, [ring])))
    task_id = ok(made)["data"]["task_id"]

    def ended() -> bool:
        response = patiently(client, lambda: client.call("GET", f"{RING}/{task_id}"))
        return bool(ok(response)["data"]["task_status"] == "success")

    until(ended, "the task", pause_s=0.5)
    assert len(receiver.received(hand)) == 1, "the refused one fetched its picture, too"
    response = patiently(client, lambda: client.call("GET", "/s2s/v1.0/client/credit"))
    assert ok(response)["results"][0]["amount"] == 1


def test_l1_uploads_and_results_are_not_counted(
    limited: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client(5, on=limited)
    recover(client)
    body = {"files": [{"content_type": "image/jpg", "file_name": "h", "file_size": len(HAND)}] * 8}
    registered = patiently(client, lambda: client.call("POST", "/s2s/v2.0/file", json=body))
    files = ok(registered)["data"]["files"]
    for file in files:
        assert client.put(file, HAND).status_code == 200
    use_up(client)
    for file in files:
        assert client.put(file, HAND).status_code == 200


def test_l2_per_key_and_per_address(limited: Server, new_client: Callable[..., Client]) -> None:
    if not has_other_address():
        pytest.skip(f"this machine has no {OTHER_ADDRESS}")
    first, second = new_client(1, on=limited), new_client(1, on=limited)

    def status(key: str | None, address: str) -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", limited.port, timeout=PATIENCE_S, source_address=(address, 0)
        )
        try:
            connection.request("GET", PRICES, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            assert json.loads(answer.read())["status"] == answer.status
            return answer.status
        finally:
            connection.close()

    def here_is_enough(key: str | None, address: str) -> Callable[[], bool]:
        return lambda: status(key, address) == 429

    answers = [0, 0]
    # Where five calls take nearly two seconds, a place may be free again between two questions;
    # three rounds use up nothing elsewhere. Each starts when nobody has called for a while: else it
    # could be the address alone that has had enough, of other keys, and not this key.
    for _ in range(3):
        time.sleep(WINDOW_S)
        until(here_is_enough(first.key, "127.0.0.1"), "the limit", pause_s=0)
        answers = [status(first.key, OTHER_ADDRESS), status(second.key, "127.0.0.1")]
        if answers == [429, 429]:
            break
    assert answers == [429, 429], "the same key from elsewhere, another key from the same address"
    assert status(second.key, "127.0.0.3") == 200, "another key from elsewhere"


def test_l2_off_is_off(client: Client) -> None:
    for _ in range(300):
        answer = client.call("GET", PRICES)
        ok(answer)
    assert "Retry-After" not in answer.headers


def test_a_full_queue_refuses_a_task_and_creates_nothing(
    folder_server: Callable[..., Server], new_client: Callable[..., Client], receiver: Receiver
) -> None:
    server = folder_server(ANELLO_QUEUE_LIMIT="3").start()
    client = new_client(4, on=server)
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    with receiver.gate(RING_JPEG) as gate:
        tasks = [client.create(merged(hand, [gate.url])) for _ in range(3)]
        for _ in range(5):
            answer = client.post(merged(hand, [ring]))
            assert check_429(answer) >= 1
        refused(client.post({}), 400, "InvalidParameters")
    assert {client.wait(task_id)["task_status"] for task_id in tasks} == {"success"}
    assert client.units() == 1
    # Had a refused one been created, its unit were gone.
    assert client.run(merged(hand, [ring]))["task_status"] == "success"
    assert client.units() == 0
