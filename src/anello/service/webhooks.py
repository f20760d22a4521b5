"""Telling others that a task has ended: Standard Webhooks, tried again until they hear.

A delivery is one event on its way to one endpoint. Its row is written in the transaction that ends
the task; each attempt is a job of the queue, started now or after a delay. The job of the next
attempt is named in the row before it is started, so a sweep can tell what a crash cut short.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection, func, select
from standardwebhooks import Webhook

from anello.errors import InvalidParameter, NotFound
from anello.service import records
from anello.service.metrics import Metrics
from anello.service.records import Records

MAX_ENDPOINTS = 10
"""Active endpoints of one account (the wire)."""
DELAYS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before the second, third … attempt: what Standard Webhooks advises."""
JITTER = 0.1
"""Share of a delay that is added by chance, so that a receiver coming back is not overrun."""
GONE = 410
"""The answer that says: never again."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one account wants to hear of its tasks."""

    id: str
    account_id: str
    url: str
    secret: str
    created_at: float
    disabled_at: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. status : pending, delivered or failed."""

    id: str
    endpoint_id: str
    task_id: str
    message_id: str
    body: str
    status: str
    tries: int
    job: str
    due_at: float
    created_at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    at: float
    status: int | None
    error: str | None
    ms: float


class Posted(Protocol):
    """What came of a POST: an answer's status, or the reason why there is none."""

    @property
    def status(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def retry_after_s(self) -> float | None: ...
    @property
    def ms(self) -> float: ...


class Post(Protocol):
    """Sends to addresses that strangers gave, guarded."""

    def check(self, url: str) -> None:
        """Raises an exception whose text says why nothing will be sent there."""
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted: ...


class DeliveryQueue(Protocol):
    def start_delivery(self, delivery: Delivery, delay_s: float) -> None:
        """Start the delivery's job; once, however often it is said."""
        ...


class Webhooks:
    """Endpoints, and the deliveries to them."""

    def __init__(
        self, records: Records, post: Post, queue: DeliveryQueue, metrics: Metrics
    ) -> None:
        self._records = records
        self._post = post
        self._queue = queue
        self._metrics = metrics

    # --- endpoints -------------------------------------------------------------------------------

    def add(self, account_id: str, url: str, secret: str | None = None) -> Endpoint:
        """A new endpoint; without a secret it gets one. Raises InvalidParameter."""
        try:
            self._post.check(url)
        except Exception as error:
            raise InvalidParameter(f"url: {error}", field="url") from error
        secret = secret or "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        _signing_key(secret)
        endpoint = Endpoint(records.new_id("w"), account_id, url, secret, time.time(), None)
        with self._records.write() as connection:
            table = records.endpoints
            active = connection.scalar(
                select(func.count()).where(
                    table.c.account_id == account_id, table.c.disabled_at.is_(None)
                )
            )
            if active is not None and active >= MAX_ENDPOINTS:
                raise InvalidParameter(
                    f"This account has {MAX_ENDPOINTS} endpoints already",
                    remedy="Disable one first.",
                )
            connection.execute(
                table.insert(),
                {
                    "id": endpoint.id,
                    "account_id": account_id,
                    "url": url,
                    "secret": secret,
                    "created_at": endpoint.created_at,
                },
            )
        return endpoint

    def all(self) -> Sequence[Endpoint]:
        with self._records.read() as connection:
            statement = select(*_ENDPOINT).order_by(records.endpoints.c.created_at)
            return [Endpoint(*row) for row in connection.execute(statement)]

    def disable(self, endpoint_id: str) -> None:
        """Raises NotFound."""
        self.endpoint(endpoint_id)
        with self._records.write() as connection:
            _disable(connection, endpoint_id)

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """Raises NotFound."""
        with self._records.read() as connection:
            found = _endpoint(connection, endpoint_id)
        if found is None:
            raise NotFound(
                f"There is no webhook endpoint {endpoint_id}",
                remedy="`anello webhooks list` shows them.",
            )
        return found

    def test(self, endpoint_id: str) -> Posted:
        """Send a message about no task, now; what came of it."""
        now = time.time()
        task_id = "test_" + secrets.token_urlsafe(12)
        return self._send(self.endpoint(endpoint_id), *_message(task_id, "success", now))

    # --- deliveries ------------------------------------------------------------------------------

    def deliveries(
        self, endpoint_id: str | None, limit: int
    ) -> list[tuple[Delivery, Attempt | None]]:
        """Newest first, each with its last attempt."""
        deliveries = records.deliveries.c
        statement = select(*_DELIVERY).order_by(deliveries.created_at.desc()).limit(limit)
        if endpoint_id is not None:
            statement = statement.where(deliveries.endpoint_id == endpoint_id)
        with self._records.read() as connection:
            rows = [Delivery(*row) for row in connection.execute(statement)]
            return [(delivery, _last_attempt(connection, delivery.id)) for delivery in rows]

    def replay(self, delivery_id: str) -> None:
        """Deliver once more, from the first attempt on, under the same message id."""
        with self._records.write() as connection:
            found = _delivery(connection, delivery_id)
            if found is None:
                raise NotFound(
                    f"There is no delivery {delivery_id}",
                    remedy="`anello webhooks deliveries` shows them.",
                )
            _schedule(connection, delivery_id, time.time(), tries=0)
        self.start(delivery_id)

    def start(self, delivery_id: str) -> None:
        """Start the job that the delivery's row names."""
        with self._records.read() as connection:
            delivery = _delivery(connection, delivery_id)
        if delivery is not None and delivery.status == "pending":
            self._queue.start_delivery(delivery, max(0.0, delivery.due_at - time.time()))

    def restart(self, delivery_id: str) -> None:
        """Name a new job for the next attempt, the former one being lost, and start it."""
        with self._records.write() as connection:
            found = _delivery(connection, delivery_id)
            if found is None or found.status != "pending":
                return
            _schedule(connection, delivery_id, found.due_at, found.tries)
        self.start(delivery_id)

    def start_for(self, task_id: str) -> None:
        """Start every delivery of a task that is on its way."""
        deliveries = records.deliveries.c
        with self._records.read() as connection:
            pending = connection.scalars(
                select(deliveries.id).where(
                    deliveries.task_id == task_id, deliveries.status == "pending"
                )
            ).all()
        for delivery_id in pending:
            self.start(delivery_id)

    def attempt(self, delivery_id: str, job: str) -> None:
        """One attempt, and if it fails the next one's job. Safe to run twice."""
        with self._records.read() as connection:
            delivery = _delivery(connection, delivery_id)
            endpoint = None if delivery is None else _endpoint(connection, delivery.endpoint_id)
            last = _last_attempt(connection, delivery_id)
        if delivery is None or endpoint is None or delivery.status != "pending":
            return
        if delivery.job != job:  # this attempt was made before a crash; its successor may wait
            self.start(delivery_id)
            return
        number, tries = 1 + (last.number if last else 0), 1 + delivery.tries
        if endpoint.disabled_at is not None:
            with self._records.write() as connection:
                _end(connection, delivery_id, "failed")
            return
        at = time.time()
        answer = self._send(endpoint, delivery.message_id, delivery.body)
        heard = answer.status is not None and 200 <= answer.status < 300
        self._metrics.attempts.labels("delivered" if heard else "failed").inc()
        with self._records.write() as connection:
            _record(
                connection, delivery_id, Attempt(number, at, answer.status, answer.error, answer.ms)
            )
            if heard:
                _end(connection, delivery_id, "delivered")
                return
            if answer.status == GONE:
                _disable(connection, endpoint.id)
            if answer.status == GONE or tries > len(DELAYS_S):
                _end(connection, delivery_id, "failed")
                return
            _schedule(connection, delivery_id, time.time() + _delay_s(tries, answer), tries)
        self.start(delivery_id)

    def _send(self, endpoint: Endpoint, message_id: str, body: str) -> Posted:
        """Signed anew each time: receivers refuse an old timestamp."""
        now = datetime.now(UTC)
        signature = Webhook(_signing_key(endpoint.secret)).sign(message_id, now, body)
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        return self._post.post(endpoint.url, body.encode("ascii"), headers)


def announce(
    connection: Connection, account_id: str, task_id: str, status: str, now: float
) -> None:
    """Within the transaction that ends a task: a delivery to each of the account's endpoints."""
    endpoints = records.endpoints.c
    found = connection.scalars(
        select(endpoints.id).where(
            endpoints.account_id == account_id, endpoints.disabled_at.is_(None)
        )
    ).all()
    message_id, body = _message(task_id, status, now)
    for endpoint_id in found:
        delivery_id = records.new_id("d")
        connection.execute(
            records.deliveries.insert(),
            {
                "id": delivery_id,
                "endpoint_id": endpoint_id,
                "task_id": task_id,
                "message_id": message_id,
                "body": body,
                "status": "pending",
                "tries": 0,
                "job": _new_job(delivery_id),
                "due_at": now,
                "created_at": now,
            },
        )


def _message(task_id: str, status: str, now: float) -> tuple[str, str]:
    """The webhook-id and the body, in the order of keys that the wire shows."""
    created_at = int(now)
    data = {"created_at": created_at, "data": {"task_id": task_id, "task_status": status}}
    return f"msg_{task_id}:{created_at}", json.dumps(data, separators=(",", ":"))


def _signing_key(secret: str) -> bytes:
    """The bytes of a ``whsec_`` secret, padded or not. Raises InvalidParameter."""
    encoded = secret.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not key:
        raise InvalidParameter("secret: whsec_ and base64 is needed", field="secret")
    return key


def _delay_s(tries: int, answer: Posted) -> float:
    """Until the attempt after the ``tries``-th."""
    delay = max(DELAYS_S[tries - 1], answer.retry_after_s or 0.0)
    return delay * (1 + JITTER * random.random())


def _new_job(delivery_id: str) -> str:
    return f"{delivery_id}-{secrets.token_hex(6)}"


def _schedule(connection: Connection, delivery_id: str, due_at: float, tries: int) -> None:
    """Name the job of the next attempt, and when it is due."""
    table = records.deliveries
    connection.execute(
        table.update()
        .where(table.c.id == delivery_id)
        .values(job=_new_job(delivery_id), due_at=due_at, status="pending", tries=tries)
    )


def _end(connection: Connection, delivery_id: str, status: str) -> None:
    table = records.deliveries
    connection.execute(table.update().where(table.c.id == delivery_id).values(status=status))


def _disable(connection: Connection, endpoint_id: str) -> None:
    table = records.endpoints
    connection.execute(
        table.update()
        .where(table.c.id == endpoint_id, table.c.disabled_at.is_(None))
        .values(disabled_at=time.time())
    )


def _record(connection: Connection, delivery_id: str, attempt: Attempt) -> None:
    connection.execute(
        records.attempts.insert(),
        {
            "delivery_id": delivery_id,
            "number": attempt.number,
            "at": attempt.at,
            "status": attempt.status,
            "error": attempt.error,
            "ms": attempt.ms,
        },
    )


_ENDPOINT = tuple(records.endpoints.c[name] for name in Endpoint.__dataclass_fields__)
_DELIVERY = tuple(records.deliveries.c[name] for name in Delivery.__dataclass_fields__)
_ATTEMPT = tuple(records.attempts.c[name] for name in Attempt.__dataclass_fields__)


def _endpoint(connection: Connection, endpoint_id: str) -> Endpoint | None:
    row = connection.execute(
        select(*_ENDPOINT).where(records.endpoints.c.id == endpoint_id)
    ).first()
    return None if row is None else Endpoint(*row)


def _delivery(connection: Connection, delivery_id: str) -> Delivery | None:
    row = connection.execute(
        select(*_DELIVERY).where(records.deliveries.c.id == delivery_id)
    ).first()
    return None if row is None else Delivery(*row)


def _last_attempt(connection: Connection, delivery_id: str) -> Attempt | None:
    attempts = records.attempts.c
    row = connection.execute(
        select(*_ATTEMPT)
        .where(attempts.delivery_id == delivery_id)
        .order_by(attempts.number.desc())
        .limit(1)
    ).first()
    return None if row is None else Attempt(*row)
