"""Contract P1 to P6 and P9: what a poll says (P7 is measured, not tested; P8: durability)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from client import RING, Client, merged, ok, refused
from pictures import HAND, large_hand, no_ring, tagged
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import PATIENCE_S, Server, until


def test_p1_running(client: Client, receiver: Receiver) -> None:
    with receiver.gate(RING_JPEG) as gate:
        task_id = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        body = ok(client.call("GET", f"{RING}/{task_id}"))
    assert body == {
        "status": 200,
        "data": {"task_status": "running", "results": None, "error": None},
    }
    client.wait(task_id)


def test_p1_waiting_is_running(client: Client, receiver: Receiver) -> None:
    """Behind more work than there are workers, a task still says running."""
    with receiver.gate(RING_JPEG) as gate:
        body = merged(client.upload(HAND), [gate.url])
        tasks = [client.create(body) for _ in range(12)]
        assert {client.poll(task_id)["task_status"] for task_id in tasks} == {"running"}
    assert {client.wait(task_id)["task_status"] for task_id in tasks} == {"success"}


def test_p2_success(client: Client) -> None:
    task_id = client.create(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    client.wait(task_id)
    body = ok(client.call("GET", f"{RING}/{task_id}"))
    url = body["data"]["results"]["url"]
    assert body == {
        "status": 200,
        "data": {"task_status": "success", "results": {"url": url}, "error": None},
    }
    assert url.startswith(client.base + "/")


def test_p3_error(client: Client) -> None:
    task_id = client.create(merged(client.upload(HAND), [client.upload(no_ring())]))
    client.wait(task_id)
    assert ok(client.call("GET", f"{RING}/{task_id}")) == {
        "status": 200,
        "data": {
            "task_status": "error",
            "results": None,
            "error": "OBJECT_DETECTION_FAIL",
            "error_message": "No ring detected",
        },
    }


def test_p4_a_task_goes_from_running_to_its_end_and_stays(client: Client) -> None:
    """`poll` lets no fourth state pass; here, that none goes back."""
    ring, nothing = client.upload(RING_JPEG), client.upload(no_ring())
    bodies = [
        merged(client.upload(tagged(HAND, f"p4 {at}")), [ring if at % 3 else nothing])
        for at in range(8)
    ]
    seen: dict[str, list[str]] = {client.create(body): [] for body in bodies}

    def all_ended() -> bool:
        for task_id, states in seen.items():
            states.append(client.poll(task_id)["task_status"])
        return all(states[-1] != "running" for states in seen.values())

    until(all_ended, "all tasks to end")
    until(lambda: all_ended() and all(len(states) > 10 for states in seen.values()), "more polls")
    for states in seen.values():
        ended = [state for state in states if state != "running"]
        assert states == ["running"] * (len(states) - len(ended)) + ended
        assert len(set(ended)) == 1


def test_p5_an_id_that_is_none_of_this_account_is_invalid(client: Client, stranger: Client) -> None:
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    task_id = client.create(merged(hand, [ring]))
    client.wait(task_id)
    refused(stranger.call("GET", f"{RING}/{task_id}"), 400, "InvalidTaskId")
    wrong = [
        "A" * 64,
        task_id[:-1],
        task_id + "A",
        task_id.swapcase(),
        hand,
        "x",
        "0",
        "-",
        "null",
        "undefined",
        "%27%20OR%201%3D1%20--",
        "%00",
        "%FF",
        "%F0%9F%92%8D",
        "..%2F..%2Fetc%2Fpasswd",
        "A" * 5000,
    ]
    for one in wrong:
        refused(client.call("GET", f"{RING}/{one}"), 400, "InvalidTaskId")
    assert client.poll(task_id)["task_status"] == "success"


def test_p5_its_text_is_the_documented_one(client: Client) -> None:
    answer = client.call("GET", f"{RING}/{'A' * 64}")
    assert refused(answer, 400, "InvalidTaskId") == "Invalid task ID"


def test_p6_over_the_time_limit_is_500_and_free(
    folder_server: Callable[..., Server], new_client: Callable[..., Client], receiver: Receiver
) -> None:
    server = folder_server(ANELLO_TASK_TIMEOUT_S="0.1", ANELLO_WORKERS="1").start()
    client = new_client(10, on=server)
    ring = client.upload(RING_JPEG)
    body = merged(client.upload(large_hand(), content_type="image/jpeg"), [ring])
    task_id = client.create(body)

    def ended() -> bool:
        answer = client.call("GET", f"{RING}/{task_id}")
        return answer.status_code != 200 or answer.json()["data"]["task_status"] != "running"

    until(ended, "the time limit")
    for _ in range(2):
        answer = client.call("GET", f"{RING}/{task_id}")
        assert refused(answer, 500, "TaskTimeout") == "Task execution timed out"
    assert client.units() == 10

    # One that waits for a picture that never comes ends as well, as one or the other.
    with receiver.gate(RING_JPEG) as gate:
        slow = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()

        def slow_ended() -> str:
            answer = client.call("GET", f"{RING}/{slow}").json()
            error = answer["error_code"] if "error" in answer else answer["data"]["error"]
            return error or ""

        assert until(slow_ended, "the end of waiting", PATIENCE_S - 5) in {
            "TaskTimeout",
            "error_download_image",
        }
    assert client.units() == 10
    assert client.call("GET", "/readyz").status_code == 200


@pytest.mark.parametrize("is_switched_on", [False, True])
def test_p9_polling_interval_only_with_the_switch(
    client: Client, strict_client: Client, is_switched_on: bool
) -> None:
    one = strict_client if is_switched_on else client
    hand = one.upload(tagged(large_hand(), str(time.time_ns())), again=False)
    created = ok(one.post(merged(hand, [one.upload(RING_JPEG)])))["data"]
    polled = one.poll(created["task_id"])
    ended = one.wait(created["task_id"])
    for data in (created, *([polled] if polled["task_status"] == "running" else [])):
        assert data.get("polling_interval") == (1000 if is_switched_on else None)
        assert ("polling_interval" in data) == is_switched_on
    assert "polling_interval" not in ended or is_switched_on
