"""Webhooks: signed as the standard has it, tried again, and every attempt on record."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from functools import partial

import pytest
from parts import Clock, Rooms, Sent, answer, at_once
from standardwebhooks import Webhook

from anello.errors import InvalidParameter, NotFound, PhotoDetectionFail
from anello.service import records, webhooks
from anello.service.webhooks import DELAYS_S, MAX_ENDPOINTS, Delivery, Endpoint

URL = "https://shop.example/hook"


@pytest.fixture
def account(rooms: Rooms) -> str:
    return rooms.new_account()


@pytest.fixture
def endpoint(rooms: Rooms, account: str) -> Endpoint:
    return rooms.webhooks.add(account, URL)


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks.random, "random", lambda: 0.0)


@pytest.fixture
def delivery(rooms: Rooms, account: str, endpoint: Endpoint) -> Delivery:
    """Of a task that succeeded; not yet attempted."""
    rooms.ended_task(account)
    (made,) = rooms.deliveries()
    return made


def attempt(rooms: Rooms, delivery: Delivery) -> Delivery:
    """The attempt that is due, made as the queue makes it; how the delivery stands then."""
    rooms.webhooks.attempt(delivery.id, current(rooms, delivery).job)
    return current(rooms, delivery)


def current(rooms: Rooms, delivery: Delivery) -> Delivery:
    (found,) = (one for one in rooms.deliveries() if one.id == delivery.id)
    return found


# --- endpoints -----------------------------------------------------------------------------------


def test_an_endpoint_gets_a_secret_of_its_own(rooms: Rooms, account: str) -> None:
    endpoints = [rooms.webhooks.add(account, URL) for _ in range(3)]
    assert len({endpoint.secret for endpoint in endpoints}) == 3
    for endpoint in endpoints:
        prefix, encoded = endpoint.secret[:6], endpoint.secret[6:]
        assert prefix == "whsec_"
        assert len(encoded) % 4 == 0  # padded
        assert len(base64.b64decode(encoded, validate=True)) >= 24
        assert rooms.webhooks.endpoint(endpoint.id) == endpoint
    assert list(rooms.webhooks.all()) == endpoints


@pytest.mark.parametrize("secret", ["whsec_MTIzNDU2Nzg5MDEyMzQ6OTg3NjU0MzI", "MTIzNA=="])
def test_a_secret_of_the_client_s_own_is_kept_as_it_is(
    rooms: Rooms, account: str, secret: str
) -> None:
    assert rooms.webhooks.endpoint(rooms.webhooks.add(account, URL, secret).id).secret == secret


def test_a_secret_that_is_none(rooms: Rooms, account: str) -> None:
    with pytest.raises(InvalidParameter, match="secret") as refused:
        rooms.webhooks.add(account, URL, "whsec_***")
    assert refused.value.field == "secret"
    assert rooms.count(records.endpoints) == 0


def test_an_address_that_is_refused(rooms: Rooms, account: str) -> None:
    rooms.post.refusal = ValueError("private address")
    with pytest.raises(InvalidParameter, match="private address") as refused:
        rooms.webhooks.add(account, "http://10.0.0.1/")
    assert refused.value.field == "url"
    assert rooms.count(records.endpoints) == 0


def test_an_account_has_so_many_endpoints(rooms: Rooms, account: str) -> None:
    endpoints = [rooms.webhooks.add(account, URL) for _ in range(MAX_ENDPOINTS)]
    assert MAX_ENDPOINTS == 10
    with pytest.raises(InvalidParameter, match="10 endpoints"):
        rooms.webhooks.add(account, URL)
    rooms.webhooks.add(rooms.new_account("other"), URL)
    rooms.webhooks.disable(endpoints[3].id)
    rooms.webhooks.add(account, URL)


def test_so_many_endpoints_and_no_more_in_a_race(rooms: Rooms, account: str) -> None:
    for _ in range(MAX_ENDPOINTS - 1):
        rooms.webhooks.add(account, URL)
    made = at_once(*[partial(rooms.webhooks.add, account, URL)] * 4)
    assert sum(isinstance(gave, Endpoint) for gave in made) == 1, made


def test_ids_that_nobody_has(rooms: Rooms) -> None:
    for verb in ("disable", "endpoint", "test", "replay"):
        with pytest.raises(NotFound, match="no-such"):
            getattr(rooms.webhooks, verb)("no-such")
    rooms.webhooks.attempt("no-such", "job")
    rooms.webhooks.start("no-such")
    rooms.webhooks.restart("no-such")
    assert rooms.post.sent == []


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["success", "error"])
def test_what_is_sent_to_the_letter(
    rooms: Rooms, account: str, endpoint: Endpoint, clock: Clock, status: str
) -> None:
    task = rooms.new_task(account)
    if status == "success":
        rooms.tasks.succeed(task.id, rooms.success(task.id))
    else:
        rooms.tasks.fail(task.id, PhotoDetectionFail())
    ended = rooms.tasks.poll(account, task.id)
    (delivery,) = rooms.deliveries()
    assert attempt(rooms, delivery).status == "delivered"
    (sent,) = rooms.post.sent
    assert sent.url == URL
    assert ended.finished_at is not None
    created_at = int(ended.finished_at)
    expected = (
        f'{{"created_at":{created_at},"data":{{"task_id":"{task.id}","task_status":"{status}"}}}}'
    )
    assert sent.body == expected.encode()
    assert sent.headers.keys() == {
        "content-type",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["webhook-id"] == f"msg_{task.id}:{created_at}"
    Webhook(endpoint.secret).verify(sent.body, dict(sent.headers))


def test_the_signature_is_the_standard_s(
    rooms: Rooms, endpoint: Endpoint, delivery: Delivery
) -> None:
    attempt(rooms, delivery)
    (sent,) = rooms.post.sent
    signed = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode()
    key = base64.b64decode(endpoint.secret.removeprefix("whsec_"))
    digest = hmac.digest(key, signed + sent.body, hashlib.sha256)
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_an_unpadded_secret_signs_too(rooms: Rooms, account: str) -> None:
    key = b"12345678901234:98765432109876"
    unpadded = base64.b64encode(key).decode().rstrip("=")
    rooms.webhooks.add(account, URL, f"whsec_{unpadded}")
    rooms.ended_task(account)
    attempt(rooms, rooms.deliveries()[0])
    Webhook(key).verify(rooms.post.sent[0].body, dict(rooms.post.sent[0].headers))


def test_the_end_can_be_polled_when_the_message_arrives(
    rooms: Rooms, account: str, delivery: Delivery
) -> None:
    seen: list[str] = []

    def look(sent: Sent) -> None:
        data = json.loads(sent.body)["data"]
        assert rooms.tasks.poll(account, data["task_id"]).status == data["task_status"]
        seen.append(data["task_status"])

    rooms.post.on_post = look
    attempt(rooms, delivery)
    assert seen == ["success"]


def test_each_active_endpoint_of_the_account_is_told_once(rooms: Rooms, account: str) -> None:
    endpoints = [rooms.webhooks.add(account, f"{URL}/{n}") for n in range(3)]
    rooms.webhooks.add(rooms.new_account("other"), f"{URL}/other")
    rooms.webhooks.disable(endpoints[1].id)
    task = rooms.ended_task(account)
    rooms.webhooks.start_for(task.id)  # said once more: nothing more is started
    told = rooms.deliveries()
    assert {delivery.endpoint_id for delivery in told} == {endpoints[0].id, endpoints[2].id}
    assert len(told) == 2
    assert len({delivery.message_id for delivery in told}) == 1
    assert set(rooms.queue.delays_s) == {delivery.job for delivery in told}
    assert set(rooms.queue.delays_s.values()) == {0.0}


def test_a_test_is_sent_at_once_and_stays_off_the_record(rooms: Rooms, endpoint: Endpoint) -> None:
    rooms.post.answers = [answer(200), answer(500)]
    assert rooms.webhooks.test(endpoint.id).status == 200
    assert rooms.webhooks.test(endpoint.id).status == 500
    for sent in rooms.post.sent:
        Webhook(endpoint.secret).verify(sent.body, dict(sent.headers))
        assert json.loads(sent.body)["data"]["task_id"].startswith("test_")
    assert rooms.count(records.deliveries) == rooms.count(records.attempts) == 0


# --- tried again ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_jitter")
def test_the_ladder_to_its_end(
    rooms: Rooms, endpoint: Endpoint, delivery: Delivery, clock: Clock
) -> None:
    rooms.post.answers = [answer(500)] * 10
    jobs, stamps = [delivery.job], []
    for number, delay in enumerate(DELAYS_S, start=1):
        before = clock.time()
        waiting = attempt(rooms, delivery)
        stamps.append(before)
        assert (waiting.status, waiting.tries) == ("pending", number)
        assert waiting.job not in jobs
        jobs.append(waiting.job)
        assert before + delay <= waiting.due_at <= clock.time() + delay
        assert delay - 10 < rooms.queue.delays_s[waiting.job] <= delay
        clock.go_on(delay)
    assert attempt(rooms, delivery).status == "failed"
    assert len(rooms.post.sent) == 10
    assert rooms.count(records.attempts) == 10
    assert set(rooms.queue.jobs) - {delivery.task_id} == set(jobs)
    assert len({sent.headers["webhook-id"] for sent in rooms.post.sent}) == 1
    assert len({sent.body for sent in rooms.post.sent}) == 1
    ((_, last),) = rooms.webhooks.deliveries(endpoint.id, 10)
    assert last is not None
    assert (last.number, last.status) == (10, 500)
    assert rooms.webhooks.endpoint(endpoint.id).disabled_at is None
    rooms.webhooks.attempt(delivery.id, jobs[-1])  # it has failed: nothing is sent any more
    assert len(rooms.post.sent) == 10


def test_each_attempt_is_signed_anew(
    rooms: Rooms, endpoint: Endpoint, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = webhooks.datetime.now(webhooks.UTC)
    moments = [now.replace(year=now.year - 1), now]

    class Later:
        @staticmethod
        def now(_zone: object) -> object:
            return moments.pop(0)

    monkeypatch.setattr(webhooks, "datetime", Later)
    rooms.post.answers = [answer(503)]
    attempt(rooms, delivery)
    attempt(rooms, delivery)
    first, second = rooms.post.sent
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    Webhook(endpoint.secret).verify(second.body, dict(second.headers))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_enough(rooms: Rooms, delivery: Delivery, status: int) -> None:
    rooms.post.answers = [answer(status)]
    assert attempt(rooms, delivery).status == "delivered"
    assert rooms.metrics.registry.get_sample_value(
        "anello_webhook_attempts_total", {"outcome": "delivered"}
    )


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 308, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again(rooms: Rooms, delivery: Delivery, status: int | None) -> None:
    rooms.post.answers = [answer(status, error=None if status else "timed out")]
    waiting = attempt(rooms, delivery)
    assert waiting.status == "pending"
    assert rooms.queue.jobs[waiting.job] == "waiting"
    ((_, last),) = rooms.webhooks.deliveries(None, 1)
    assert last is not None
    assert (last.status, last.error) == (status, None if status else "timed out")
    assert attempt(rooms, delivery).status == "delivered"


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize(("wish", "delay"), [(120.0, 120.0), (1.0, 5.0), (None, 5.0)])
def test_a_receiver_may_ask_for_more_time(
    rooms: Rooms, delivery: Delivery, clock: Clock, wish: float | None, delay: float
) -> None:
    rooms.post.answers = [answer(503, retry_after_s=wish)]
    waiting = attempt(rooms, delivery)
    assert rooms.queue.delays_s[waiting.job] == pytest.approx(delay, abs=2)


def test_jitter_is_added_to_each_delay(
    rooms: Rooms, account: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks.random, "random", random.Random(7).random)
    delays = []
    for _ in range(10):
        rooms.post.answers = [answer(500), answer(500)]
        rooms.ended_task(account)
        attempt(rooms, rooms.deliveries()[-1])
        waiting = attempt(rooms, rooms.deliveries()[-1])
        delays.append(rooms.queue.delays_s[waiting.job])
    assert all(299 < delay <= 330 for delay in delays)
    assert max(delays) - min(delays) > 10


def test_410_ends_the_endpoint(rooms: Rooms, account: str, endpoint: Endpoint) -> None:
    other = rooms.webhooks.add(account, f"{URL}/other")
    rooms.ended_task(account)
    rooms.ended_task(account)
    mine = [d for d in rooms.deliveries() if d.endpoint_id == endpoint.id]
    rooms.post.answers = [answer(410)]
    assert attempt(rooms, mine[0]).status == "failed"
    assert rooms.webhooks.endpoint(endpoint.id).disabled_at is not None
    assert attempt(rooms, mine[1]).status == "failed"  # and it was not even sent
    assert len(rooms.post.sent) == 1
    rooms.ended_task(account)
    last = rooms.deliveries()[-1]
    assert last.endpoint_id == other.id
    assert len(rooms.deliveries()) == 2 * 2 + 1


def test_a_disabled_endpoint_hears_nothing_any_more(
    rooms: Rooms, endpoint: Endpoint, delivery: Delivery
) -> None:
    rooms.webhooks.disable(endpoint.id)
    disabled = rooms.webhooks.endpoint(endpoint.id)
    assert disabled.disabled_at is not None
    assert attempt(rooms, delivery).status == "failed"
    assert rooms.post.sent == []
    rooms.webhooks.disable(endpoint.id)
    assert rooms.webhooks.endpoint(endpoint.id) == disabled  # since when stays


# --- crashes -------------------------------------------------------------------------------------


def test_an_attempt_that_was_made_before_a_crash_is_not_made_again(
    rooms: Rooms, delivery: Delivery
) -> None:
    """The queue runs an attempt's job again; the row names the next one's already."""
    rooms.post.answers = [answer(500)]
    first = delivery.job
    second = attempt(rooms, delivery).job
    rooms.webhooks.attempt(delivery.id, first)
    rooms.webhooks.attempt(delivery.id, first)
    assert len(rooms.post.sent) == 1
    assert current(rooms, delivery).job == second
    assert set(rooms.queue.delays_s) == {first, second}


def test_a_crash_between_the_record_and_the_next_job(rooms: Rooms, delivery: Delivery) -> None:
    """The next job is named but was not started: the job that is run again starts it."""
    rooms.post.answers = [answer(500)]
    rooms.queue.error = OSError("the server dies here")
    with pytest.raises(OSError, match="dies here"):
        rooms.webhooks.attempt(delivery.id, delivery.job)
    rooms.queue.error = None
    waiting = current(rooms, delivery)
    assert waiting.job != delivery.job
    assert waiting.job not in rooms.queue.jobs
    rooms.webhooks.attempt(delivery.id, delivery.job)
    assert rooms.queue.jobs[waiting.job] == "waiting"
    assert len(rooms.post.sent) == 1


def test_a_crash_after_sending_sends_once_more_under_the_same_id(
    rooms: Rooms, delivery: Delivery
) -> None:
    def die(_: Sent) -> None:
        rooms.post.on_post = lambda _: None
        raise SystemError("the server dies here")

    rooms.post.on_post = die
    with pytest.raises(SystemError):
        rooms.webhooks.attempt(delivery.id, delivery.job)
    assert attempt(rooms, delivery).status == "delivered"
    first, second = rooms.post.sent
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_lost_job_gets_another_name_and_keeps_its_time(
    rooms: Rooms, delivery: Delivery, clock: Clock
) -> None:
    rooms.post.answers = [answer(500), answer(500)]
    attempt(rooms, delivery)
    waiting = attempt(rooms, delivery)  # 5 minutes and more
    clock.go_on(100)
    rooms.webhooks.restart(delivery.id)
    restarted = current(rooms, delivery)
    assert restarted.job != waiting.job
    assert (restarted.due_at, restarted.tries) == (waiting.due_at, waiting.tries)
    left = rooms.queue.delays_s[waiting.job] - 100
    assert rooms.queue.delays_s[restarted.job] == pytest.approx(left, abs=5)
    rooms.webhooks.attempt(delivery.id, waiting.job)  # it was not lost, after all
    assert len(rooms.post.sent) == 2


def test_what_is_overdue_starts_now(rooms: Rooms, delivery: Delivery, clock: Clock) -> None:
    rooms.post.answers = [answer(500)]
    attempt(rooms, delivery)
    clock.go_on(1000)
    rooms.webhooks.restart(delivery.id)
    assert rooms.queue.delays_s[current(rooms, delivery).job] == 0.0


# --- once more -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_jitter")
def test_replayed_from_the_first_attempt_on(
    rooms: Rooms, endpoint: Endpoint, delivery: Delivery
) -> None:
    rooms.post.answers = [answer(500)] * 10
    while current(rooms, delivery).status == "pending":
        attempt(rooms, delivery)
    rooms.post.answers = [answer(500)]
    rooms.webhooks.replay(delivery.id)
    replayed = current(rooms, delivery)
    assert (replayed.status, replayed.tries) == ("pending", 0)
    assert rooms.queue.delays_s[replayed.job] == 0.0
    waiting = attempt(rooms, delivery)
    assert rooms.queue.delays_s[waiting.job] == pytest.approx(DELAYS_S[0], abs=2)
    assert attempt(rooms, delivery).status == "delivered"
    assert len({sent.headers["webhook-id"] for sent in rooms.post.sent}) == 1
    assert rooms.count(records.attempts) == 12
    rooms.webhooks.replay(delivery.id)  # what was delivered can be delivered again
    assert attempt(rooms, delivery).status == "delivered"
    assert len(rooms.post.sent) == 13


def test_deliveries_newest_first_each_with_its_last_attempt(
    rooms: Rooms, account: str, endpoint: Endpoint, clock: Clock
) -> None:
    other = rooms.webhooks.add(account, f"{URL}/other")
    for _ in range(3):
        rooms.ended_task(account)
        clock.go_on(1)
    everything = rooms.webhooks.deliveries(None, 100)
    assert len(everything) == 6
    made = [delivery.created_at for delivery, _ in everything]
    assert made == sorted(made, reverse=True)
    assert {delivery.endpoint_id for delivery, _ in everything} == {endpoint.id, other.id}
    mine = rooms.webhooks.deliveries(endpoint.id, 2)
    assert [delivery.endpoint_id for delivery, _ in mine] == [endpoint.id] * 2
    assert [last for _, last in mine] == [None, None]
    rooms.post.answers = [answer(None, error="refused")]
    attempt(rooms, mine[0][0])
    last = rooms.webhooks.deliveries(endpoint.id, 1)[0][1]
    assert last is not None
    assert (last.number, last.status, last.error, last.ms) == (1, None, "refused", 1.5)
    assert rooms.webhooks.deliveries("wnone", 10) == []
