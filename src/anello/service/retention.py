"""What is mended and what is swept away, and when.

A crash can fall between a row and its job; the sweep starts what should be running. Tasks, files
and deliveries live for the retention time; objects of the store that no row knows go too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog
from sqlalchemy import delete, exists, select

from anello.errors import RuntimeFailure
from anello.service import records
from anello.service.analyses import ANALYSES, engine_version
from anello.service.files import UPLOADS
from anello.service.objects import ObjectStore
from anello.service.records import Records
from anello.service.tasks import RESULTS, Tasks
from anello.service.webhooks import Webhooks

log = structlog.get_logger()

SETTLING_S = 5.0
"""A row this young may still be on its way to the queue."""
ORPHAN_S = 3600.0
"""An object this young may still be on its way to its row."""
FINISHED_JOBS_S = 24 * 3600.0
"""How long the queue remembers jobs that are done."""
MAX_ATTEMPTS = 10
"""Runs of a task before it is given up: something about it ends servers."""

JobState = Literal["waiting", "running", "ended"]


class Jobs(Protocol):
    """What became of the queue's jobs."""

    def states(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        """Of each job that the queue knows."""
        ...

    def restart_task(self, task_id: str) -> None:
        """Have an ended task's job run once more."""
        ...

    def forget(self, before: float) -> int:
        """Drop what is remembered of jobs that ended before a time; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did."""

    tasks_restarted: int = 0
    tasks_given_up: int = 0
    deliveries_restarted: int = 0
    tasks_purged: int = 0
    files_purged: int = 0
    deliveries_purged: int = 0
    objects_purged: int = 0
    jobs_forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """Sweeps. ``retention_s`` : how long tasks, files and deliveries live."""

    records: Records
    store: ObjectStore
    jobs: Jobs
    tasks: Tasks
    webhooks: Webhooks
    retention_s: float

    def mend(self, settling_s: float = SETTLING_S) -> Swept:
        """Start what a crash has kept from running. Quick; done every minute.

        settling_s : rows younger than this are left alone; 0 where nobody else is at work.
        """
        before = time.time() - settling_s
        restarted, given_up = self._mend_tasks(before)
        swept = Swept(
            tasks_restarted=restarted,
            tasks_given_up=given_up,
            deliveries_restarted=self._mend_deliveries(before),
        )
        if swept != Swept():
            log.warning("mended", **{k: v for k, v in _as_dict(swept).items() if v})
        return swept

    def sweep(self) -> Swept:
        """Mend, then remove what has lived its time and what nobody knows."""
        mended, old = self.mend(), time.time() - self.retention_s
        purged = 0
        while removed := self.tasks.purge(old):
            purged += removed
        swept = Swept(
            mended.tasks_restarted,
            mended.tasks_given_up,
            mended.deliveries_restarted,
            tasks_purged=purged,
            files_purged=self._purge_files(old),
            deliveries_purged=self._purge_deliveries(old),
            objects_purged=self._purge_orphans(),
            jobs_forgotten=self.jobs.forget(time.time() - FINISHED_JOBS_S),
        )
        log.info("swept", **_as_dict(swept))
        return swept

    def _mend_tasks(self, before: float) -> tuple[int, int]:
        running = self.tasks.running(before)
        states = self.jobs.states([task.id for task in running])
        restarted = given_up = 0
        for task in running:
            if states.get(task.id, "ended") != "ended":
                continue
            if task.attempts >= MAX_ATTEMPTS:
                given_up += self.tasks.fail(task.id, RuntimeFailure())
            else:
                self.jobs.restart_task(task.id)
                restarted += 1
        return restarted, given_up

    def _mend_deliveries(self, before: float) -> int:
        deliveries = records.deliveries.c
        with self.records.read() as connection:
            pending = connection.execute(
                select(deliveries.id, deliveries.job).where(
                    deliveries.status == "pending",
                    deliveries.created_at < before,
                )
            ).all()
        states = self.jobs.states([job for _, job in pending])
        lost = [id for id, job in pending if states.get(job, "ended") == "ended"]
        for delivery_id in lost:
            self.webhooks.restart(delivery_id)
        return len(lost)

    def _purge_files(self, before: float) -> int:
        """Files that no task uses; those of tasks go with them."""
        table, used = records.files, records.task_files.c.file_id
        with self.records.write() as connection:
            old = connection.execute(
                delete(table)
                .where(table.c.created_at < before, ~exists().where(used == table.c.id))
                .returning(table.c.key)
            ).all()
        for (key,) in old:
            if key is not None:
                self.store.delete(key)
        return len(old)

    def _purge_deliveries(self, before: float) -> int:
        table = records.deliveries
        with self.records.write() as connection:
            return connection.execute(
                delete(table).where(table.c.created_at < before, table.c.status != "pending")
            ).rowcount

    def _purge_orphans(self) -> int:
        """Objects whose row was never written, or is gone; analyses that other code made."""
        with self.records.read() as connection:
            tasks, files = records.tasks.c, records.files.c
            known = set(connection.scalars(select(files.key).where(files.key.is_not(None))))
            for key in (tasks.picture_key, tasks.mask_key):
                known |= set(connection.scalars(select(key).where(key.is_not(None))))
            kept = set(connection.scalars(select(records.task_inputs.c.content_id)))
        current = f"{ANALYSES}{engine_version()}/"
        purged = 0
        for prefix in (UPLOADS, RESULTS, ANALYSES):
            for stored in self.store.list(prefix):
                if stored.key in known or stored.at > time.time() - ORPHAN_S:
                    continue
                if stored.key.startswith(current) and stored.key.rpartition("/")[2] in kept:
                    continue
                self.store.delete(stored.key)
                purged += 1
        return purged


def _as_dict(swept: Swept) -> dict[str, int]:
    return {name: getattr(swept, name) for name in Swept.__dataclass_fields__}
