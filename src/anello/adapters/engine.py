"""DBOS: the queue, the durable jobs, the schedule. Nothing here decides what a job does."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dbos import DBOS, DBOSClient
from dbos import error as dbos_error
from sqlalchemy.exc import DBAPIError

from anello.errors import StoreUnavailable, WorkerDied
from anello.service.retention import MAX_ATTEMPTS, JobState, Retention
from anello.service.webhooks import Delivery, Webhooks
from anello.service.work import Work

APPLICATION = "anello"
JOBS_VERSION = "1"
"""Raised when jobs begun by older code can't be gone on with by newer."""

EXECUTOR = "server"
"""Who takes up what was left running: the server of this data folder, whichever process it is."""

TASKS, WEBHOOKS = "tasks", "webhooks"
TASK_POLL_S, WEBHOOK_POLL_S = 0.02, 0.25
WEBHOOKS_AT_ONCE, WEBHOOKS_AT_ONCE_EACH = 32, 4
"""Deliveries under way in all and to one endpoint: a slow receiver holds up nobody else."""
MEND, SWEEP = "mend", "sweep"
"""Names of schedules."""
EVERY_MINUTE, EVERY_HOUR = "* * * * *", "17 * * * *"

_STATES: dict[str, JobState] = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
}


def migrate(url: str) -> None:
    """Bring the queue's own tables to today's shape."""
    DBOS.migrate(url)


class Jobs:
    """Starts jobs and looks after them, from any process. It runs none."""

    def __init__(self, url: str) -> None:
        self._client = DBOSClient(
            system_database_url=url, application_name=APPLICATION, retry_connection_errors=False
        )

    def start_task(self, task_id: str) -> None:
        self._client.enqueue(
            {"workflow_name": TASKS, "queue_name": TASKS, "workflow_id": task_id}, task_id
        )

    def restart_task(self, task_id: str) -> None:
        self._client.delete_workflow(task_id)
        self.start_task(task_id)

    def start_delivery(self, delivery: Delivery, delay_s: float) -> None:
        options: Any = {
            "workflow_name": WEBHOOKS,
            "queue_name": WEBHOOKS,
            "workflow_id": delivery.job,
            "queue_partition_key": delivery.endpoint_id,
        }
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self._client.enqueue(options, delivery.id, delivery.job)

    def states(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        if not ids:
            return {}
        found = self._client.list_workflows(
            workflow_ids=list(ids), load_input=False, load_output=False
        )
        return {job.workflow_id: _STATES.get(job.status, "ended") for job in found}

    def forget(self, before: float) -> int:
        forgotten = 0
        while ended := self._client.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            completed_before=datetime.fromtimestamp(before, UTC).isoformat(),
            limit=500,
            load_input=False,
            load_output=False,
        ):
            self._client.delete_workflows([job.workflow_id for job in ended])
            forgotten += len(ended)
        return forgotten

    def close(self) -> None:
        self._client.destroy()


class Engine:
    """Runs the jobs, in this process's threads."""

    def __init__(self, url: str, tasks_at_once: int) -> None:
        self._url = url
        self._tasks_at_once = tasks_at_once
        self._under_way: set[str] = set()

    def start(self, work: Work, webhooks: Webhooks, retention: Retention) -> None:
        """Take up what a former process left, then whatever comes."""
        for name in ("dbos", "sqlalchemy"):
            logging.getLogger(name).setLevel(logging.WARNING)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._url,
                "application_version": JOBS_VERSION,
                "executor_id": EXECUTOR,
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )
        self._register(work, webhooks, retention)
        DBOS.launch()
        DBOS.register_queue(
            TASKS,
            worker_concurrency=self._tasks_at_once,
            polling_interval_sec=TASK_POLL_S,
            on_conflict="always_update",
        )
        DBOS.register_queue(
            WEBHOOKS,
            worker_concurrency=WEBHOOKS_AT_ONCE,
            partition_worker_concurrency=WEBHOOKS_AT_ONCE_EACH,
            polling_interval_sec=WEBHOOK_POLL_S,
            on_conflict="always_update",
        )
        DBOS.apply_schedules(self._schedules)

    def stop(self, within_s: float) -> bool:
        """Take nothing new and wait for what runs; whether all of it has ended."""
        DBOS.destroy(workflow_completion_timeout_sec=math.ceil(within_s))
        return not self._under_way

    def _register(self, work: Work, webhooks: Webhooks, retention: Retention) -> None:
        # A drawing process that died gets one more try; so does a store or database out of reach.
        @DBOS.step(
            name="run task",
            retries_allowed=True,
            max_attempts=2,
            interval_seconds=0.2,
            should_retry=lambda error: isinstance(
                error, WorkerDied | StoreUnavailable | DBAPIError
            ),
        )
        def run_task(task_id: str) -> None:
            work.run_task(task_id)

        @DBOS.step(name="give up")
        def give_up(task_id: str, error: BaseException) -> None:
            work.give_up(task_id, error)

        # A task that ends its server again and again is not begun again: `mend` gives it up.
        @DBOS.workflow(name=TASKS, max_recovery_attempts=MAX_ATTEMPTS - 1)
        def task(task_id: str) -> None:
            self._under_way.add(task_id)
            try:
                run_task(task_id)
            except dbos_error.DBOSMaxStepRetriesExceeded as failed:
                give_up(task_id, failed.errors[-1])
            except Exception as error:
                give_up(task_id, error)
            finally:
                self._under_way.discard(task_id)

        @DBOS.step(name="attempt")
        def attempt(delivery_id: str, job: str) -> None:
            webhooks.attempt(delivery_id, job)

        @DBOS.workflow(name=WEBHOOKS)
        def delivery(delivery_id: str, job: str) -> None:
            attempt(delivery_id, job)

        @DBOS.workflow(name=MEND)
        def mend(_due: datetime, _context: Any) -> None:
            retention.mend()

        @DBOS.workflow(name=SWEEP)
        def sweep(_due: datetime, _context: Any) -> None:
            retention.sweep()

        self._schedules: Any = [
            {"schedule_name": MEND, "workflow_fn": mend, "schedule": EVERY_MINUTE},
            {"schedule_name": SWEEP, "workflow_fn": sweep, "schedule": EVERY_HOUR},
        ]
