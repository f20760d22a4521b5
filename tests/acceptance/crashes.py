"""Tasks created, polled and told of while their server is killed at any moment, again and again."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
from client import Client, Json, merged, new_name
from pictures import HAND, OTHER_HAND, no_ring
from pictures import RING as RING_JPEG
from receiver import Answer, Received, Receiver
from server import PATIENCE_S, Server, until

GONE = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""What a client of a killed server gets to see."""
LONGEST_MOMENT_S = 2.0
"""From the beginning of a turn, when its tasks are created, to its kill at the latest."""
GIVEN_UP = "RUNTIME_ERROR"
MAX_ATTEMPTS = 10
"""A task that was under way in so many crashes may be taken for their cause, and given up."""
REFUSED_SHARE = 0.2
"""Webhook attempts that the receiver answers with 500."""


@dataclass
class Outcome:
    """What happened; ``wrong`` says in words what may not be."""

    ended: dict[str, Json] = field(default_factory=dict)
    kills: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def n_success(self) -> int:
        return sum(data["task_status"] == "success" for data in self.ended.values())

    @property
    def n_given_up(self) -> int:
        return sum(data["error"] == GIVEN_UP for data in self.ended.values())


def run(
    server: Server,
    receiver: Receiver,
    n_tasks: int,
    n_kills: int,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Create tasks one after the other, under keys that make a repeat harmless; kill meanwhile.

    The server runs when this begins and when it ends.
    """
    rng, outcome = random.Random(seed), Outcome()
    heard: dict[str, set[str]] = {}
    lock = threading.Lock()

    def hear(request: Received) -> None:
        with lock:
            message_id = request.headers["webhook-id"]
            heard.setdefault(message_id[4:].partition(":")[0], set()).add(message_id)
            outcome.messages[message_id] += 1

    refusals = [Answer(500 if rng.random() < REFUSED_SHARE else 204) for _ in range(10 * n_tasks)]
    name = new_name("crashes")
    units = 2 * n_tasks
    with Client(server.base, server.create_key(name, units), name) as client:
        server.add_webhook(receiver.hook(refusals, hear), name)
        hands = [client.upload(HAND), client.upload(OTHER_HAND)]
        ring, nothing = client.upload(RING_JPEG), client.upload(no_ring())
        bodies = [
            merged(rng.choice(hands), [ring if rng.random() < 0.9 else nothing])
            for _ in range(n_tasks)
        ]
        turns = threading.Semaphore(0)
        killer = threading.Thread(
            target=_kill_when_told, args=(server, n_kills, random.Random(seed), outcome, turns, say)
        )
        killer.start()
        try:
            tasks = _create(client, bodies, n_kills, outcome, turns)
            say(f"{len(tasks)} tasks accepted")
            _see_all_end(client, tasks, outcome)
        finally:
            turns.release(n_kills + 1)
            killer.join()
        say(f"{len(outcome.ended)} ended, {outcome.kills} kills")
        # Of every task, at least one message, whatever was refused or lost on the way.
        until(
            lambda: set(tasks) <= set(heard) or outcome.wrong,
            "a message of every task",
            timeout_s=6 * PATIENCE_S,
            pause_s=0.2,
        )
        _judge(client, tasks, units, heard, outcome)
    return outcome


def _kill_when_told(
    server: Server,
    n_kills: int,
    rng: random.Random,
    outcome: Outcome,
    turns: threading.Semaphore,
    say: Callable[[str], None],
) -> None:
    """Each kill comes a moment after its turn has begun; each time the server is started again."""
    try:
        for _ in range(n_kills):
            turns.acquire()
            time.sleep(rng.uniform(0.0, LONGEST_MOMENT_S))
            server.kill()
            server.start()
            outcome.kills += 1
            say(f"killed and started again: {outcome.kills}")
    except AssertionError as error:
        outcome.wrong.append(str(error))


def _patiently(ask: Callable[[], Json]) -> Json:
    """The answer of a server that may be away for a while."""

    def answered() -> Json | None:
        try:
            return ask()
        except GONE:
            return None

    found = until(answered, "the server to be back", timeout_s=2 * PATIENCE_S, pause_s=0.05)
    assert found is not None
    return found


def _create(
    client: Client,
    bodies: list[Json],
    n_kills: int,
    outcome: Outcome,
    turns: threading.Semaphore,
) -> list[str]:
    """Every task of which the server said yes; a request whose answer was lost is repeated.

    A share of the tasks for each kill, so that each meets a server at work.
    """
    tasks: list[str] = []
    for at, body in enumerate(bodies):
        turn = at * n_kills // len(bodies)
        if len(tasks) == 0 or turn != (at - 1) * n_kills // len(bodies):
            until(lambda turn=turn: outcome.kills >= turn or outcome.wrong, "the kill before")
            turns.release()
        key = {"Idempotency-Key": f"{client.name}-{at}"}
        created = _patiently(lambda body=body, key=key: {"id": client.create(body, key)})
        tasks.append(created["id"])
    if len(set(tasks)) != len(bodies):
        outcome.wrong.append(f"{len(bodies)} keys made {len(set(tasks))} tasks")
    return tasks


def _see_all_end(client: Client, tasks: list[str], outcome: Outcome) -> None:
    """Poll until each has ended; what has ended may never look different again."""

    def all_ended() -> bool:
        for task_id in tasks:
            data = _patiently(lambda task_id=task_id: client.poll(task_id))
            known = outcome.ended.get(task_id)
            if known and (known["task_status"], known["error"]) != (
                data["task_status"],
                data["error"],
            ):
                outcome.wrong.append(f"{task_id} ended twice: {known} then {data}")
            if data["task_status"] != "running":
                outcome.ended.setdefault(task_id, data)
        return len(outcome.ended) == len(tasks)

    until(all_ended, "every accepted task to end", timeout_s=10 * PATIENCE_S, pause_s=0.2)


def _judge(
    client: Client, tasks: list[str], units: int, heard: dict[str, set[str]], outcome: Outcome
) -> None:
    expected = {None, "OBJECT_DETECTION_FAIL"}
    if outcome.kills >= MAX_ATTEMPTS:
        expected.add(GIVEN_UP)
    for task_id in tasks:
        data = client.poll(task_id)
        if data["task_status"] != outcome.ended[task_id]["task_status"]:
            outcome.wrong.append(f"{task_id} has changed its end")
        if data["task_status"] == "success" and not client.download(data):
            outcome.wrong.append(f"{task_id} has no picture")
        if data["error"] not in expected:
            outcome.wrong.append(f"{task_id} ended in {data['error']}: {data['error_message']}")
    left = client.units()
    if left != units - outcome.n_success:
        outcome.wrong.append(
            f"{units} units, {outcome.n_success} successes of one each, but {left:g} are left"
        )
    for task_id, ids in heard.items():
        if task_id not in tasks:
            outcome.wrong.append(f"a message about {task_id}, which nobody created")
        if len(ids) != 1:
            outcome.wrong.append(f"{task_id} was told of under {len(ids)} ids: {ids}")
