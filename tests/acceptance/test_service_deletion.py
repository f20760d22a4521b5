"""Contract D1, D2 and X1: what is deleted is gone, with all that was only its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client import DELETE, RING, Client, merged, new_name, ok, refused
from pictures import HAND, no_ring, tagged
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import Server, until


class FreshClient(Client):
    """Uploads anew each time: what only a deleted task used is gone with it."""

    def upload(self, body: bytes, *given: Any, **rest: Any) -> str:
        return super().upload(body, *given, **(rest | {"again": False}))


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    name = new_name("deleting")
    with FreshClient(server.base, server.create_key(name, 1000), name) as one:
        yield one


def fresh(data: bytes) -> bytes:
    """The same picture in a file that nobody has sent before."""
    return tagged(data, new_name("fresh"))


def delete(client: Client, task_id: object) -> object:
    return client.call("POST", DELETE, json={"task_id": task_id})


def digests(server: Server) -> set[str]:
    """Of every file in the data folder."""
    found = set()
    for path in server.data.rglob("*"):
        try:
            found.add(hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError:  # a folder, or gone since
            continue
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_d1_a_deleted_task_is_gone_with_its_pictures(client: Client, server: Server) -> None:
    hand_bytes, ring_bytes = fresh(HAND), fresh(RING_JPEG)
    hand = client.upload(hand_bytes)
    ring = client.upload(ring_bytes)
    own = {"ring_wearing_location": 0.4321}  # so that no other test's picture is this one
    task_id = client.create(merged(hand, [ring], [own]))
    data = client.wait(task_id)
    url, picture = data["results"]["url"], client.download(data)
    mine = {digest(hand_bytes), digest(ring_bytes), digest(picture)}
    assert mine <= digests(server), "pictures are files as they came"
    before = client.units()

    answer = delete(client, task_id)
    assert ok(answer) == {"status": 200}
    refused(client.call("GET", f"{RING}/{task_id}"), 400, "InvalidTaskId")
    refused(client.plain("GET", url), 404, "NotFound")
    assert client.plain("HEAD", url).status_code == 404
    assert client.units() == before
    for body in (merged(hand, [client.upload(RING_JPEG)]), merged(client.upload(HAND), [ring])):
        refused(client.post(body), 400, "InvalidParameters")
    until(lambda: not mine & digests(server), "the files to be gone")


def test_d1_a_file_that_another_task_uses_stays(client: Client) -> None:
    hand = client.upload(fresh(HAND))
    ring = client.upload(RING_JPEG)
    first, second = client.create(merged(hand, [ring])), client.create(merged(hand, [ring]))
    client.wait(first)
    data = client.wait(second)
    ok(delete(client, first))
    assert client.download(data)
    third = client.create(merged(hand, [ring]))
    assert client.wait(third)["task_status"] == "success"
    for task_id in (second, third):
        ok(delete(client, task_id))
    refused(client.post(merged(hand, [ring])), 400, "InvalidParameters")


def test_d1_two_results_of_the_same_bytes_are_two(client: Client) -> None:
    body = merged(client.upload(HAND), [client.upload(RING_JPEG)])
    first, second = client.create(body), client.create(body)
    client.wait(first)
    data = client.wait(second)
    ok(delete(client, first))
    assert client.download(data)


def test_d2_a_failed_task_can_be_deleted(client: Client) -> None:
    hand = client.upload(fresh(HAND))
    task_id = client.create(merged(hand, [client.upload(no_ring())]))
    client.wait(task_id)
    assert ok(delete(client, task_id)) == {"status": 200}
    refused(client.call("GET", f"{RING}/{task_id}"), 400, "InvalidTaskId")


def test_d2_a_running_task_can_not(client: Client, receiver: Receiver) -> None:
    with receiver.gate(RING_JPEG) as gate:
        task_id = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        refused(delete(client, task_id), 400, "OperationInvalid")
    assert client.wait(task_id)["task_status"] == "success"
    ok(delete(client, task_id))


def test_d2_twice(client: Client) -> None:
    hand = client.upload(fresh(HAND))
    task_id = client.create(merged(hand, [client.upload(RING_JPEG)]))
    client.wait(task_id)
    ok(delete(client, task_id))
    refused(delete(client, task_id), 400, "InvalidTaskId")


def test_d2_another_accounts_task(client: Client, stranger: Client) -> None:
    task_id = client.create(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    data = client.wait(task_id)
    refused(delete(stranger, task_id), 400, "InvalidTaskId")
    assert client.download(data)


def test_d2_a_file_id_is_not_of_this_kind(client: Client) -> None:
    hand = client.upload(HAND)
    refused(delete(client, hand), 400, "OperationNotSupport")
    assert client.run(merged(hand, [client.upload(RING_JPEG)]))["task_status"] == "success"


def test_d2_another_accounts_file_is_unknown(client: Client, stranger: Client) -> None:
    refused(delete(stranger, client.upload(HAND)), 400, "InvalidTaskId")


def test_d2_no_task_id(client: Client) -> None:
    for body in ({}, {"task_id": ""}, {"task_id": None}, {"task_id": 5}, {"task_id": ["x"]}):
        said = refused(client.call("POST", DELETE, json=body), 400, "InvalidParameters")
        assert "task_id" in said
    for text in (b"", b"{", b"[]", b"null"):
        headers = {"Content-Type": "application/json"}
        answer = client.call("POST", DELETE, data=text, headers=headers)
        refused(answer, 400, "InvalidParameters")


def test_d2_unknown_and_malformed(client: Client) -> None:
    for task_id in ("A" * 64, "x", "é", "../..", "A" * 5000, "' OR 1=1 --"):
        refused(delete(client, task_id), 400, "InvalidTaskId")


def test_x1_after_its_time_everything_is_swept(
    folder_server: Callable[..., Server], new_client: Callable[..., Client]
) -> None:
    server = folder_server().start()
    client = new_client(10, on=server)
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    unused = client.upload(no_ring())
    task_id = client.create(merged(hand, [ring]))
    data = client.wait(task_id)
    mine = {digest(HAND), digest(RING_JPEG), digest(no_ring()), digest(client.download(data))}
    assert mine <= digests(server)
    units = client.units()

    server.command("sweep", ANELLO_RETENTION_S="0.001")
    refused(client.call("GET", f"{RING}/{task_id}"), 400, "InvalidTaskId")
    assert client.plain("GET", data["results"]["url"]).status_code == 404
    for name in (hand, unused):
        refused(client.post(merged(name, [name])), 400, "InvalidParameters")
    assert not mine & digests(server)
    assert client.units() == units
    with FreshClient(client.base, client.key) as again:
        body = merged(again.upload(HAND), [again.upload(RING_JPEG)])
        assert again.run(body)["task_status"] == "success"


def test_x1_a_sweep_touches_nothing_before_its_time(client: Client, server: Server) -> None:
    hand = client.upload(fresh(HAND))
    task_id = client.create(merged(hand, [client.upload(RING_JPEG)]))
    data = client.wait(task_id)
    server.command("sweep")
    assert client.download(data)
    assert client.poll(task_id)["task_status"] == "success"
    assert client.run(merged(hand, [client.upload(RING_JPEG)]))["task_status"] == "success"
