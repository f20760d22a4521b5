"""Tasks: created, polled, ended once, deleted.

A task's row is its only state. It is written, its units held, before the queue hears of it; it ends
in one transaction with what it costs and who is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from sqlalchemy import Connection, delete, exists, func, select
from sqlalchemy.exc import IntegrityError

from anello.errors import (
    AnelloError,
    Cancelled,
    Conflict,
    InvalidTaskId,
    NotFound,
    OperationInvalid,
    OperationNotSupport,
    QueueFull,
    TaskTimeout,
)
from anello.service import accounts, files, records, webhooks
from anello.service.analyses import analysis_keys
from anello.service.metrics import Metrics
from anello.service.objects import ObjectStore
from anello.service.records import Records
from anello.service.requests import TaskRequest
from anello.service.webhooks import Webhooks

log = structlog.get_logger()

RESULTS = "results/"
"""Where results lie in the store."""
SINGLE_UNITS, STACKED_UNITS = 1, 2
"""What a task costs with one ring, and with more (the wire)."""
QUEUE_FULL_RETRY_S = 5.0
PURGED_AT_ONCE = 100
"""Tasks removed in one transaction: nobody can create one meanwhile."""

Status = Literal["running", "success", "error"]


@dataclass(frozen=True, slots=True)
class Task:
    """A client's request, as it stands. Times are seconds since the epoch."""

    id: str
    account_id: str
    request: dict[str, Any]
    units: int
    status: Status
    step: str
    attempts: int
    error_code: str | None
    error_message: str | None
    remedy: str | None
    picture_key: str | None
    mask_key: str | None
    report: dict[str, Any] | None
    timings_ms: dict[str, float] | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    idempotency_key: str | None

    @property
    def has_mask(self) -> bool:
        return self.mask_key is not None


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """A task and its way. position : tasks before it in the queue; None once it was begun."""

    task: Task
    position: int | None
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class StoredResult:
    path: Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Success:
    """What a task ends in: keys of the store, and what was measured on the way."""

    picture_key: str
    mask_key: str
    report: dict[str, Any]
    timings_ms: dict[str, float]
    inputs: Sequence[str]


class TaskQueue(Protocol):
    """Runs each task once at a time, whatever crashes."""

    def start_task(self, task_id: str) -> None:
        """Have the task worked on; once, however often it is said."""
        ...


class StopDraw(Protocol):
    def stop(self, task_id: str) -> None:
        """End the drawing for a task, if it is going on here."""
        ...


class Tasks:
    """The verbs on tasks."""

    def __init__(
        self,
        records: Records,
        store: ObjectStore,
        queue: TaskQueue,
        webhooks: Webhooks,
        metrics: Metrics,
        max_running: int,
        draw: StopDraw,
    ) -> None:
        self._records = records
        self._store = store
        self._queue = queue
        self._webhooks = webhooks
        self._metrics = metrics
        self._max_running = max_running
        self._draw = draw

    # --- for clients -----------------------------------------------------------------------------

    def create(
        self, account_id: str, request: TaskRequest, *, idempotency_key: str | None = None
    ) -> Task:
        """A new task, its units held; the same one again for the same idempotency key.

        Raises InvalidParameters, NotFound, CreditInsufficiency, QueueFull, Conflict; then nothing
        was created and nothing is held.
        """
        task = _new_task(account_id, request, idempotency_key)
        try:
            with self._records.write() as connection:
                known = _by_idempotency_key(connection, account_id, idempotency_key)
                if known is None:
                    self._insert(connection, task, request)
        except IntegrityError:  # two at the same time under one idempotency key
            with self._records.read() as connection:
                known = _by_idempotency_key(connection, account_id, idempotency_key)
            if known is None:
                raise
        if known is not None:
            if known.request != task.request:
                raise Conflict(
                    "This Idempotency-Key was used for another request",
                    remedy="Take a new key for a new request.",
                )
            return known
        self._metrics.created.inc()
        try:
            self._queue.start_task(task.id)
        except Exception as error:  # the task is accepted; the next sweep starts it
            log.error("task not queued yet", task=task.id, error=type(error).__name__)
        return task

    def _insert(self, connection: Connection, task: Task, request: TaskRequest) -> None:
        file_ids = request.file_ids()
        files.check_uploaded(connection, task.account_id, file_ids)
        if _count_running(connection) >= self._max_running:
            raise QueueFull(
                retry_after_s=QUEUE_FULL_RETRY_S,
                remedy="Nothing was created or charged; try again in a few seconds.",
            )
        row = {name: getattr(task, name) for name in Task.__dataclass_fields__}
        connection.execute(records.tasks.insert(), row)
        if file_ids:
            rows = [{"task_id": task.id, "file_id": file_id} for file_id in sorted(file_ids)]
            connection.execute(records.task_files.insert(), rows)
        accounts.hold(connection, task.account_id, task.id, task.units)

    def poll(self, account_id: str, task_id: str) -> Task:
        """Raises InvalidTaskId; TaskTimeout for a task that ended so."""
        with self._records.read() as connection:
            task = _own(connection, account_id, task_id)
        if task.error_code == TaskTimeout.code:
            raise TaskTimeout()
        return task

    def details(self, account_id: str, task_id: str) -> TaskDetails:
        """Raises InvalidTaskId."""
        with self._records.read() as connection:
            task = _own(connection, account_id, task_id)
            position = None
            if task.status == "running" and task.started_at is None:
                tasks = records.tasks.c
                position = connection.scalar(
                    select(func.count()).where(
                        tasks.status == "running",
                        tasks.started_at.is_(None),
                        tasks.created_at < task.created_at,
                    )
                )
        return TaskDetails(task, position, _timings_ms(task))

    def cancel(self, account_id: str, task_id: str) -> Task:
        """End a running task, uncharged. Raises InvalidTaskId, OperationInvalid."""
        with self._records.read() as connection:
            _own(connection, account_id, task_id)
        if not self.fail(task_id, Cancelled()):
            raise OperationInvalid("The task has ended already")
        self._draw.stop(task_id)  # one that still waits ends as soon as its turn comes
        with self._records.read() as connection:
            return _own(connection, account_id, task_id)

    def delete(self, account_id: str, task_id: str) -> None:
        """Remove an ended task, its inputs and outputs; units stay as they are.

        Raises InvalidTaskId, OperationInvalid, OperationNotSupport.
        """
        with self._records.write() as connection:
            task = _task(connection, task_id)
            if task is None or task.account_id != account_id:
                if files.is_file_of(connection, account_id, task_id):
                    raise OperationNotSupport("This is the id of a file; only tasks are deleted")
                raise InvalidTaskId()
            if task.status == "running":
                raise OperationInvalid(
                    "The task is still running", remedy="Cancel it, or wait until it has ended."
                )
            keys = remove(connection, task)
        self._drop(keys)

    def result(self, task_id: str, what: Literal["picture", "mask"]) -> StoredResult:
        """Raises NotFound once the task is gone."""
        with self._records.read() as connection:
            task = _task(connection, task_id)
        key = None
        if task is not None:
            key = task.picture_key if what == "picture" else task.mask_key
        if key is None:
            raise NotFound("There is no such result, or it was deleted")
        media_type = "image/png" if key.endswith(".png") else "image/jpeg"
        return StoredResult(self._store.path(key), media_type)

    # --- for the queue ---------------------------------------------------------------------------

    def begin(self, task_id: str, step: str) -> Task | None:
        """The task, its run counted; None when there is nothing to do any more."""
        table = records.tasks
        with self._records.write() as connection:
            task = _task(connection, task_id)
            if task is None or task.status != "running":
                return None
            now = time.time()
            task = replace(
                task, step=step, attempts=task.attempts + 1, started_at=task.started_at or now
            )
            connection.execute(
                table.update()
                .where(table.c.id == task_id)
                .values(step=step, attempts=task.attempts, started_at=task.started_at)
            )
        return task

    def advance(self, task_id: str, step: str) -> bool:
        """Note the step a running task is at; False when it runs no longer."""
        table = records.tasks
        with self._records.write() as connection:
            statement = (
                table.update()
                .where(table.c.id == task_id, table.c.status == "running")
                .values(step=step)
            )
            return bool(connection.execute(statement).rowcount)

    def succeed(self, task_id: str, success: Success) -> bool:
        """End a task well: charged, told. False when it had ended already, in whatever way."""
        values = {
            "status": "success",
            "picture_key": success.picture_key,
            "mask_key": success.mask_key,
            "report": success.report,
            "timings_ms": success.timings_ms,
        }
        return self._end(task_id, values, "charge", success.inputs)

    def fail(self, task_id: str, error: AnelloError) -> bool:
        """End a task in an error: not charged, told. False when it had ended already."""
        values = {
            "status": "error",
            "error_code": error.code,
            "error_message": error.message,
            "remedy": error.remedy,
        }
        return self._end(task_id, values, "release", ())

    def _end(
        self,
        task_id: str,
        values: dict[str, Any],
        units: Literal["charge", "release"],
        inputs: Iterable[str],
    ) -> bool:
        table, now = records.tasks, time.time()
        with self._records.write() as connection:
            task = _task(connection, task_id)
            if task is None or task.status != "running":
                return False
            connection.execute(
                table.update()
                .where(table.c.id == task_id)
                .values(**values, step="done", finished_at=now)
            )
            rows = [
                {"task_id": task_id, "content_id": content_id} for content_id in sorted(set(inputs))
            ]
            if rows:
                connection.execute(records.task_inputs.insert(), rows)
            accounts.settle(connection, task_id, units)
            webhooks.announce(connection, task.account_id, task_id, values["status"], now)
        self._metrics.ended.labels(values.get("error_code") or "success").inc()
        try:
            self._webhooks.start_for(task_id)
        except Exception as error:  # the task has ended; the next sweep starts them
            log.error("deliveries not queued yet", task=task_id, error=type(error).__name__)
        return True

    # --- for the sweep ---------------------------------------------------------------------------

    def count_running(self) -> int:
        with self._records.read() as connection:
            return _count_running(connection)

    def running(self, created_before: float) -> list[Task]:
        with self._records.read() as connection:
            return _select(
                connection,
                records.tasks.c.status == "running",
                records.tasks.c.created_at < created_before,
            )

    def purge(self, created_before: float, limit: int = PURGED_AT_ONCE) -> int:
        """Remove ended tasks created before a time, oldest first; how many."""
        keys: list[str] = []
        with self._records.write() as connection:
            old = _select(
                connection,
                records.tasks.c.status != "running",
                records.tasks.c.created_at < created_before,
                limit=limit,
            )
            for task in old:
                keys += remove(connection, task)
        self._drop(keys)
        return len(old)

    def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._store.delete(key)


def remove(connection: Connection, task: Task) -> list[str]:
    """Delete a task's row and the files that only it used; the keys to drop from the store.

    What is kept of the analyses of its pictures goes too, unless another task had the same picture.
    """
    used, inputs = records.task_files.c, records.task_inputs.c
    file_ids = connection.scalars(select(used.file_id).where(used.task_id == task.id)).all()
    pictures = connection.scalars(select(inputs.content_id).where(inputs.task_id == task.id)).all()
    connection.execute(delete(records.tasks).where(records.tasks.c.id == task.id))
    keys = [key for key in (task.picture_key, task.mask_key) if key is not None]
    for file_id in file_ids:
        if not connection.scalar(select(exists().where(used.file_id == file_id))):
            table = records.files
            key = connection.scalar(select(table.c.key).where(table.c.id == file_id))
            connection.execute(delete(table).where(table.c.id == file_id))
            keys += [key] if key is not None else []
    for content_id in pictures:
        if not connection.scalar(select(exists().where(inputs.content_id == content_id))):
            keys += analysis_keys(content_id)
    return keys


def units_of(request: TaskRequest) -> int:
    return SINGLE_UNITS if len(request.rings) == 1 else STACKED_UNITS


def _new_task(account_id: str, request: TaskRequest, idempotency_key: str | None) -> Task:
    return Task(
        id=records.new_id("t"),
        account_id=account_id,
        request=request.to_json(),
        units=units_of(request),
        status="running",
        step="queued",
        attempts=0,
        error_code=None,
        error_message=None,
        remedy=None,
        picture_key=None,
        mask_key=None,
        report=None,
        timings_ms=None,
        created_at=time.time(),
        started_at=None,
        finished_at=None,
        idempotency_key=idempotency_key,
    )


_TASK = tuple(records.tasks.c[name] for name in Task.__dataclass_fields__)


def _select(connection: Connection, *where: Any, limit: int | None = None) -> list[Task]:
    statement = select(*_TASK).where(*where).order_by(records.tasks.c.created_at).limit(limit)
    return [Task(*row) for row in connection.execute(statement)]


def _task(connection: Connection, task_id: str) -> Task | None:
    return next(iter(_select(connection, records.tasks.c.id == task_id)), None)


def _count_running(connection: Connection) -> int:
    statement = select(func.count()).where(records.tasks.c.status == "running")
    return connection.scalar(statement) or 0


def _own(connection: Connection, account_id: str, task_id: str) -> Task:
    task = _task(connection, task_id)
    if task is None or task.account_id != account_id:
        raise InvalidTaskId()
    return task


def _by_idempotency_key(
    connection: Connection, account_id: str, idempotency_key: str | None
) -> Task | None:
    if idempotency_key is None:
        return None
    tasks = records.tasks.c
    found = _select(
        connection, tasks.account_id == account_id, tasks.idempotency_key == idempotency_key
    )
    return next(iter(found), None)


def _timings_ms(task: Task) -> dict[str, float]:
    """The queue's and the service's share, then the engine's steps."""
    timings: dict[str, float] = {}
    now = time.time()
    began = task.started_at or task.finished_at or now
    timings["queued"] = round((began - task.created_at) * 1000, 1)
    if task.started_at is not None:
        timings["worked"] = round(((task.finished_at or now) - task.started_at) * 1000, 1)
    return timings | (task.timings_ms or {})
