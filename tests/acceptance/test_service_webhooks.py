"""Contract W1 to W4: one signed message for every task that ends, until it is taken."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from client import Client, Json, merged, new_name
from pictures import HAND, no_ring
from pictures import RING as RING_JPEG
from receiver import Answer, Received, Receiver
from server import Server, until
from standardwebhooks import Webhook, WebhookVerificationError

FIRST_RETRY_S = 5.0
"""The contract's; chance is added to it."""
RETRY_AFTER_S = 8
QUIET_S = 9.0
"""After so long without one, the first retry is not coming."""


def verified(request: Received, secret: str) -> Json:
    """The body, once the reference library has found it good."""
    encoded = secret.removeprefix("whsec_")  # the library wants its base64 padded
    message: Json = Webhook(encoded + "=" * (-len(encoded) % 4)).verify(
        request.body, request.headers
    )
    return message


def check_message(request: Received, secret: str, task_id: str, status: str) -> None:
    """W1, to the letter."""
    message = verified(request, secret)
    created_at = message["created_at"]
    assert type(created_at) is int
    assert abs(created_at - time.time()) < 120
    data = f'{{"task_id":"{task_id}","task_status":"{status}"}}'
    assert request.body == f'{{"created_at":{created_at},"data":{data}}}'.encode()
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == f"msg_{task_id}:{created_at}"
    assert abs(int(request.headers["webhook-timestamp"]) - request.at) < 5
    assert request.headers["webhook-signature"].startswith("v1,")


class Endpoint:
    """An endpoint: its first answer about each task, and what a poll said while it was asked."""

    def __init__(self, first_answers: list[Answer]) -> None:
        self._left = first_answers
        self._known: set[str] = set()
        self.polled: list[str] = []
        self.url = self.secret = self.id = ""

    def add(self, server: Server, receiver: Receiver, client: Client, secret: str | None) -> None:
        def answering(request: Received) -> Answer:
            task_id = json.loads(request.body)["data"]["task_id"]
            with Client(client.base, client.key) as mine:  # a session is one thread's
                self.polled.append(mine.poll(task_id)["task_status"])
            if task_id in self._known or not self._left:
                return Answer(204)
            self._known.add(task_id)
            return self._left.pop(0)

        self.url = receiver.on(answering)
        self.secret, self.id = server.add_webhook(self.url, client.name, secret)


UNPADDED = "whsec_" + b64encode(b"1234567890123:987654321098765").decode().rstrip("=")
"""As the hosted service's own sample: 29 bytes, unpadded."""
FIRST_ANSWERS = {
    "failing": Answer(500),
    "redirecting": Answer(302, headers={"Location": "/moved"}),
    "broken": Answer(0),
    "busy": Answer(503, headers={"Retry-After": str(RETRY_AFTER_S)}),
}


@dataclass
class Scene:
    """Tasks of one account and its endpoints: one takes all, one the second time, one is gone.

    tasks : by how the bad endpoint first answered; "refused" ended in an error.
    """

    client: Client
    good: Endpoint
    bad: Endpoint
    gone: Endpoint
    tasks: dict[str, str]


@pytest.fixture(scope="module")
def scene(server: Server, receiver: Receiver) -> Iterator[Scene]:
    name = new_name("webhooks")
    with Client(server.base, server.create_key(name, 100), name) as client:
        good, bad = Endpoint([]), Endpoint(list(FIRST_ANSWERS.values()))
        gone = Endpoint([Answer(410)])
        for endpoint, secret in ((good, UNPADDED), (bad, None), (gone, None)):
            endpoint.add(server, receiver, client, secret)
        hand, ring = client.upload(HAND), client.upload(RING_JPEG)
        found = Scene(client, good, bad, gone, {})
        for at, kind in enumerate([*FIRST_ANSWERS, "refused"]):
            parts = [client.upload(no_ring())] if kind == "refused" else [ring]
            found.tasks[kind] = client.create(merged(hand, parts))
            heard(receiver, bad, found.tasks[kind], 1)
            if at == 0:
                receiver.wait_for(gone.url, 1)
                until(lambda: is_disabled(server, gone.id), "410 to disable the endpoint")
        yield found


def is_disabled(server: Server, endpoint_id: str) -> bool:
    lines = server.command("webhooks", "list").stdout.splitlines()
    return any(endpoint_id in line and "disabled" in line for line in lines)


def of_task(receiver: Receiver, end: Endpoint, task_id: str) -> list[Received]:
    """What the endpoint heard of one task, in order."""
    return [one for one in receiver.received(end.url) if task_id.encode() in one.body]


def heard(receiver: Receiver, end: Endpoint, task_id: str, count: int) -> list[Received]:
    def enough() -> list[Received]:
        found = of_task(receiver, end, task_id)
        return found if len(found) >= count else []

    return until(enough, f"{count} messages about {task_id}")


def test_w1_one_signed_message_for_each_ended_task(scene: Scene, receiver: Receiver) -> None:
    for kind, task_id in scene.tasks.items():
        (request,) = heard(receiver, scene.good, task_id, 1)
        check_message(
            request, scene.good.secret, task_id, "error" if kind == "refused" else "success"
        )
    assert len(receiver.received(scene.good.url)) == len(scene.tasks)


def test_w1_the_signature_is_of_these_bytes_and_this_secret(
    scene: Scene, receiver: Receiver
) -> None:
    end = scene.good
    (request,) = heard(receiver, end, scene.tasks["failing"], 1)
    with pytest.raises(WebhookVerificationError):
        verified(request, scene.bad.secret)
    changed = Received("POST", "", request.headers, request.body + b" ", request.at)
    with pytest.raises(WebhookVerificationError):
        verified(changed, end.secret)


def test_w1_a_secret_that_is_made_is_long_and_padded(scene: Scene) -> None:
    assert scene.bad.secret != scene.gone.secret
    for secret in (scene.bad.secret, scene.gone.secret):
        encoded = secret.removeprefix("whsec_")
        assert encoded != secret
        key = b64decode(encoded, validate=True)
        assert len(key) >= 24
        assert b64encode(key).decode() == encoded


@pytest.mark.parametrize("kind", FIRST_ANSWERS)
def test_w2_what_is_not_taken_comes_again_signed_anew(
    scene: Scene, receiver: Receiver, kind: str
) -> None:
    task_id = scene.tasks[kind]
    first, second = heard(receiver, scene.bad, task_id, 2)
    for request in (first, second):
        check_message(request, scene.bad.secret, task_id, "success")
    assert second.body == first.body
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    stamps = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
    assert stamps[1] > stamps[0]
    assert second.headers["webhook-signature"] != first.headers["webhook-signature"]
    least = RETRY_AFTER_S if kind == "busy" else FIRST_RETRY_S
    assert second.at - first.at > least - 0.5


def test_w2_redirects_are_not_followed(scene: Scene, receiver: Receiver) -> None:
    heard(receiver, scene.bad, scene.tasks["redirecting"], 2)
    assert receiver.received(f"{receiver.base}/moved") == []


def test_w2_what_was_taken_does_not_come_again_and_410_is_the_end(
    scene: Scene, receiver: Receiver
) -> None:
    (first,) = heard(receiver, scene.gone, scene.tasks["failing"], 1)
    until(lambda: time.time() > first.at + QUIET_S, "quiet", timeout_s=2 * QUIET_S)
    heard(receiver, scene.bad, scene.tasks["busy"], 2)
    assert len(receiver.received(scene.gone.url)) == 1
    assert len(receiver.received(scene.good.url)) == len(scene.tasks)
    assert len(of_task(receiver, scene.bad, scene.tasks["failing"])) == 2


def test_w2_attempts_are_recorded(scene: Scene, receiver: Receiver, server: Server) -> None:
    task_id = scene.tasks["failing"]
    heard(receiver, scene.bad, task_id, 2)

    def line() -> str:
        said = server.command("webhooks", "deliveries", scene.bad.id).stdout
        of_it = [one for one in said.splitlines() if task_id in one and "delivered" in one]
        return of_it[0] if of_it else ""

    assert {"2", "204"} <= set(until(line, "the delivery to be listed as done").split())


def test_w3_on_arrival_the_poll_shows_the_end(scene: Scene, receiver: Receiver) -> None:
    receiver.wait_for(scene.good.url, len(scene.tasks))
    until(lambda: len(scene.good.polled) == len(scene.tasks), "the polls")
    assert sorted(scene.good.polled) == ["error"] + ["success"] * len(FIRST_ANSWERS)
    assert set(scene.bad.polled) == {"error", "success"}


def test_w4_an_unpadded_secret_is_taken(scene: Scene, receiver: Receiver) -> None:
    assert scene.good.secret == UNPADDED
    task_id = scene.tasks["failing"]
    (request,) = heard(receiver, scene.good, task_id, 1)
    check_message(request, UNPADDED, task_id, "success")


def test_the_library_signs_as_the_contract_says() -> None:
    """The vector that holds: what the other tests verify with is the real thing."""
    signature = Webhook("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        '{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_webhooks_are_of_one_account(scene: Scene, client: Client, receiver: Receiver) -> None:
    """Another account's task is none of theirs."""
    task_id = client.create(merged(client.upload(HAND), [client.upload(no_ring())]))
    client.wait(task_id)
    mine = scene.client.create(merged(scene.client.upload(HAND), [scene.client.upload(no_ring())]))
    heard(receiver, scene.good, mine, 1)
    assert of_task(receiver, scene.good, task_id) == []


@pytest.mark.parametrize(
    "words", [("ftp://example.com/",), ("http://example.com/", "--secret", "whsec_!!!")]
)
def test_a_bad_secret_or_address_is_refused(
    scene: Scene, server: Server, words: tuple[str, ...]
) -> None:
    done = server.command("webhooks", "add", *words, "--key-name", scene.client.name, code=None)
    assert done.returncode != 0
    assert "whsec_" not in done.stdout


def test_a_private_webhook_address_is_refused_by_default(
    strict: Server, strict_client: Client, receiver: Receiver
) -> None:
    url = receiver.hook()
    done = strict.command("webhooks", "add", url, "--key-name", strict_client.name, code=None)
    assert done.returncode != 0
    assert receiver.received(url) == []
