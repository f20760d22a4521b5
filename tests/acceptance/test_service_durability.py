"""Contract P8: nothing accepted is lost, and nothing is done twice, whatever ends the server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import crashes
import pytest
from client import Client, merged, ok
from pictures import HAND, large_hand, tagged
from pictures import RING as RING_JPEG
from receiver import Answer, Received, Receiver
from server import PROC, Server, until


@pytest.fixture(scope="module")
def server(_models: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that is stopped, killed and started again by the tests of this file."""
    settings = {"ANELLO_ALLOW_PRIVATE_URLS": "1", "ANELLO_RATE_LIMIT": "off", "ANELLO_WORKERS": "1"}
    with Server(tmp_path_factory.mktemp("durable"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.base, server.create_key("durable", 1000), "durable") as one:
        yield one


def test_p8_all_is_there_after_a_restart(server: Server, client: Client) -> None:
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    task_id = client.create(merged(hand, [ring]))
    data = client.wait(task_id)
    picture, url = client.download(data), data["results"]["url"]
    (unfinished,) = client.register(len(HAND))
    units = client.units()

    assert server.stop() == 0
    server.start()
    assert client.units() == units
    assert client.plain("GET", url).content == picture, "an address given before"
    assert client.download(client.poll(task_id)) == picture
    assert client.put(unfinished, HAND).status_code == 200, "an address given before"
    again = client.create(merged(unfinished["file_id"], [ring]))
    assert client.download(client.wait(again)) == picture
    assert client.units() == units - 1


def test_p8_sigterm_finishes_or_hands_back_what_runs(server: Server, client: Client) -> None:
    ring, units = client.upload(RING_JPEG), client.units()
    tasks = [
        client.create(merged(client.upload(tagged(HAND, f"term {at}")), [ring])) for at in range(6)
    ]
    assert server.stop() == 0
    if PROC.exists():
        until(lambda: not server.group(), "the processes of the server to end")
    server.start()
    assert {client.wait(task_id)["task_status"] for task_id in tasks} == {"success"}
    assert client.units() == units - 6


def test_p8_a_task_that_runs_when_the_server_is_killed_ends(
    server: Server, client: Client, receiver: Receiver
) -> None:
    """So do those that wait; and the message of each comes, though an attempt had failed."""
    hook, units = receiver.hook([Answer(500)]), client.units()
    server.add_webhook(hook, client.name)
    before = client.create(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    (failed,) = receiver.wait_for(hook, 1)
    with receiver.gate(RING_JPEG) as gate:
        running = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        waiting = [client.create(merged(client.upload(HAND), [gate.url])) for _ in range(8)]
        server.kill()
        if PROC.exists():
            until(lambda: not server.group(), "the drawing processes to notice")
        server.start()
        for task_id in (running, *waiting):
            assert client.poll(task_id)["task_status"] == "running"
        assert client.units() == units - 1
    ends = {client.wait(task_id)["task_status"] for task_id in (running, *waiting)}
    assert ends == {"success"}
    assert client.units() == units - 10

    def messages(task_id: str) -> list[Received]:
        return [one for one in receiver.received(hook) if task_id.encode() in one.body]

    for task_id in (running, *waiting):
        until(lambda task_id=task_id: messages(task_id), "the message of each")
    again = until(lambda: messages(before)[1:], "the next attempt")[0]
    assert again.body == failed.body
    assert again.headers["webhook-id"] == failed.headers["webhook-id"]


def drawing_processes(server: Server) -> list[int]:
    """The server's large children: those that hold the networks."""
    return [
        pid
        for pid, resident in server.group().items()
        if pid != server.process.pid and resident > 80e6
    ]


@pytest.mark.skipif(not PROC.exists(), reason="finds the processes in /proc")
def test_a_drawing_process_that_dies_costs_a_try_and_no_more(
    server: Server, client: Client
) -> None:
    units = client.units()
    hand, ring = client.upload(large_hand(), content_type="image/jpeg"), client.upload(RING_JPEG)
    assert client.run(merged(hand, [ring]))["task_status"] == "success"

    killed = until(lambda: drawing_processes(server), "a drawing process")
    task_id = client.create(merged(hand, [ring], [{"ring_wearing_finger": 1}]))
    until(lambda: step(client, task_id) in {"drawing", "done"}, "the drawing")
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert client.wait(task_id)["task_status"] == "success", "one death is made good"
    assert client.units() == units - 2

    # One that kills whoever draws it is given up, not tried for ever; others go on.
    deadly = client.create(merged(hand, [ring], [{"ring_wearing_finger": 2}]))

    def ended() -> bool:
        if step(client, deadly) == "drawing":
            for pid in drawing_processes(server):
                os.kill(pid, signal.SIGKILL)
        return client.poll(deadly)["task_status"] != "running"

    until(ended, "the task to be given up", pause_s=0.005)
    assert client.poll(deadly)["error"] == "RUNTIME_ERROR"
    assert client.units() == units - 2
    assert client.run(merged(hand, [ring]))["task_status"] == "success"
    assert client.call("GET", "/readyz").status_code == 200


def step(client: Client, task_id: str) -> str:
    return str(ok(client.call("GET", f"/v1/tasks/{task_id}"))["data"]["step"])


def test_p8_killed_at_random_moments(server: Server, receiver: Receiver) -> None:
    """benchmarks/chaos.py does the same with 200 tasks."""
    outcome = crashes.run(server, receiver, n_tasks=25, n_kills=3, seed=7)
    assert outcome.wrong == []
    assert len(outcome.ended) == 25
    assert outcome.kills == 3
