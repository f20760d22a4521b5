"""Beyond the hosted API: idempotency, inspection, cancelling, the full story of a task."""

from __future__ import annotations

from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from client import RING, Client, Json, merged, new_name, ok, refused
from pictures import HAND, SIZE, no_ring, pixels, size_of, tiny_hand, worn
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import until

# --- Idempotency-Key -----------------------------------------------------------------------------


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_the_same_key_and_body_is_the_same_task(client: Client, stranger: Client) -> None:
    before, key = client.units(), new_name("order")
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    body = merged(hand, [ring])
    task_id = client.create(body, keyed(key))
    assert client.create(body, keyed(key)) == task_id
    client.wait(task_id)
    assert client.create(body, keyed(key)) == task_id
    assert client.units() == before - 1
    for others in (client.create(body, keyed(new_name("order"))), client.create(body)):
        assert others != task_id
        client.wait(others)

    other = merged(hand, [ring], [{"ring_wearing_finger": 1}])
    refused(client.post(other, keyed(key)), 409, "Conflict")
    theirs = merged(stranger.upload(HAND), [stranger.upload(RING_JPEG)])
    assert stranger.create(theirs, keyed(key)) != task_id


def test_many_at_once_under_one_key_are_one_task(client: Client) -> None:
    before, key = client.units(), new_name("order")
    body = merged(client.upload(HAND), [client.upload(RING_JPEG)])

    def create(_: int) -> str:
        with Client(client.base, client.key) as mine:
            return mine.create(body, keyed(key))

    with ThreadPoolExecutor(8) as pool:
        tasks = set(pool.map(create, range(16)))
    assert len(tasks) == 1
    client.wait(tasks.pop())
    assert client.units() == before - 1


def test_a_refused_create_does_not_use_up_its_key(client: Client) -> None:
    key = new_name("order")
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    never = client.register(len(HAND))[0]
    refused(client.post(merged(never["file_id"], [ring]), keyed(key)), 404, "NotFound")
    client.wait(client.create(merged(hand, [ring]), keyed(key)))


# --- POST /v1/inspect ----------------------------------------------------------------------------


def inspect(client: Client, **body: object) -> Json:
    data: Json = ok(client.call("POST", "/v1/inspect", json=body))["data"]
    return data


def test_inspect_says_whether_a_hand_will_do(client: Client) -> None:
    before = client.units()
    data = inspect(client, kind="hand", file_id=client.upload(HAND))
    assert data["accepted"] is True
    assert data["code"] is None
    assert data["checks"]
    assert all(check["ok"] for check in data["checks"])
    assert data["overlay"] is None
    data = inspect(client, kind="hand", file_id=client.upload(tiny_hand()))
    assert data["accepted"] is False
    assert data["code"] == "PHOTO_CHECK_INVALID"
    assert data["message"] == "Hand size should fit in range"
    assert data["remedy"]
    assert [check["ok"] for check in data["checks"]].count(False) >= 1
    data = inspect(client, kind="hand", file_id=client.upload(RING_JPEG))
    assert data["code"] == "PHOTO_DETECTION_FAIL"
    assert client.units() == before


def test_inspect_says_whether_a_ring_will_do(client: Client, receiver: Receiver) -> None:
    assert inspect(client, kind="ring", file_id=client.upload(RING_JPEG))["accepted"] is True
    data = inspect(client, kind="ring", file_url=receiver.host(no_ring()))
    assert data["accepted"] is False
    assert data["code"] == "OBJECT_DETECTION_FAIL"
    assert data["remedy"]


@pytest.mark.parametrize(("kind", "picture"), [("hand", HAND), ("ring", RING_JPEG)])
def test_inspect_draws_what_it_saw(client: Client, kind: str, picture: bytes) -> None:
    data = inspect(client, kind=kind, file_id=client.upload(picture), overlay=True)
    head, _, encoded = data["overlay"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert min(size_of(b64decode(encoded))) > 100


def test_inspect_refuses_what_it_can_not_look_at(client: Client, stranger: Client) -> None:
    hand = client.upload(HAND)
    for body in (
        {},
        {"kind": "hand"},
        {"kind": "foot", "file_id": hand},
        {"kind": "hand", "file_id": hand, "file_url": "http://example.com/a.jpg"},
        {"kind": "hand", "file_id": "unknown"},
        {"kind": "hand", "file_id": stranger.upload(HAND)},
        {"kind": "hand", "file_id": hand, "finger": 7},
        {"kind": "hand", "file_id": hand, "overlay": "yes"},
    ):
        refused(client.call("POST", "/v1/inspect", json=body), 400, "InvalidParameters")
    never = client.register(len(HAND))[0]["file_id"]
    body = {"kind": "hand", "file_id": never}
    refused(client.call("POST", "/v1/inspect", json=body), 404, "NotFound")


# --- /v1/tasks/{id} ------------------------------------------------------------------------------


def test_a_running_task_can_be_cancelled_and_costs_nothing(
    client: Client, receiver: Receiver
) -> None:
    before = client.units()
    with receiver.gate(RING_JPEG) as gate:
        task_id = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        ok(client.call("POST", f"/v1/tasks/{task_id}/cancel"))
        data = client.poll(task_id)
        assert (data["task_status"], data["error"]) == ("error", "cancelled")
        assert client.units() == before
    refused(client.call("POST", f"/v1/tasks/{task_id}/cancel"), 400, "OperationInvalid")
    assert client.run(merged(client.upload(HAND), [client.upload(RING_JPEG)]))["results"]
    assert client.poll(task_id) == data
    assert client.units() == before - 1


def test_only_ones_own_running_tasks_can_be_cancelled(
    client: Client, stranger: Client, receiver: Receiver
) -> None:
    with receiver.gate(RING_JPEG) as gate:
        task_id = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        refused(stranger.call("POST", f"/v1/tasks/{task_id}/cancel"), 400, "InvalidTaskId")
        refused(client.call("POST", "/v1/tasks/unknown/cancel"), 400, "InvalidTaskId")
    assert client.wait(task_id)["task_status"] == "success"
    refused(client.call("POST", f"/v1/tasks/{task_id}/cancel"), 400, "OperationInvalid")


def details(client: Client, task_id: str) -> Json:
    data: Json = ok(client.call("GET", f"/v1/tasks/{task_id}"))["data"]
    return data


def test_the_story_of_a_task(client: Client) -> None:
    task_id = client.create(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    client.wait(task_id)
    data = details(client, task_id)
    assert data["task_id"] == task_id
    assert data["task_status"] == "success"
    assert data["position"] is None
    assert data["units"] == 1
    assert data["timings_ms"]
    assert all(value >= 0 for value in data["timings_ms"].values())
    assert data["created_at"] <= data["started_at"] <= data["finished_at"]
    expected = worn(HAND, RING_JPEG)
    assert data["report"]["rings"][0]["site"] == expected.report.to_dict()["rings"][0]["site"]
    mask = client.plain("GET", data["results"]["mask_url"])
    assert mask.headers["Content-Type"] == "image/png"
    assert size_of(mask.content) == SIZE
    np.testing.assert_array_equal(pixels(mask.content)[..., 0], expected.ring_mask)
    picture = client.plain("GET", data["results"]["url"])
    assert picture.content == client.download(client.poll(task_id))


def test_the_story_of_one_that_failed(client: Client, stranger: Client) -> None:
    task_id = client.create(merged(client.upload(HAND), [client.upload(no_ring())]))
    client.wait(task_id)
    data = details(client, task_id)
    assert (data["task_status"], data["error"]) == ("error", "OBJECT_DETECTION_FAIL")
    assert data["error_message"]
    assert data["remedy"]
    assert data["results"] is None
    refused(stranger.call("GET", f"/v1/tasks/{task_id}"), 400, "InvalidTaskId")


def test_waiting_tasks_know_their_place(client: Client, receiver: Receiver) -> None:
    with receiver.gate(RING_JPEG) as gate:
        body = merged(client.upload(HAND), [gate.url])
        tasks = [client.create(body) for _ in range(10)]
        gate.wait_until_asked()

        def places() -> list[int]:
            found = [details(client, task_id)["position"] for task_id in tasks]
            waiting = [place for place in found if place is not None]
            return waiting if None in found and waiting else []

        waiting = until(places, "some to be begun, others to wait")
        assert waiting == sorted(waiting)
        assert details(client, tasks[0])["step"]
    for task_id in tasks:
        assert client.wait(task_id)["task_status"] == "success"
    assert details(client, tasks[-1])["position"] is None


def test_the_extras_want_a_key(anonymous: Client) -> None:
    for method, path in (
        ("POST", "/v1/inspect"),
        ("GET", "/v1/tasks/unknown"),
        ("POST", "/v1/tasks/unknown/cancel"),
    ):
        answer = anonymous.call(method, path, json={})
        assert answer.status_code == 401
        assert answer.json()["error_code"] == "InvalidApiKey"
    assert anonymous.call("GET", f"{RING}/unknown").status_code == 401
