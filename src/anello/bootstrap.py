"""The composition root: settings in, the whole service out, built by hand, in order."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import select

from anello.adapters import engine
from anello.adapters.compute import Compute
from anello.adapters.database import Database, prepare_queue_file
from anello.adapters.drawers import new_drawer
from anello.adapters.engine import Engine, Jobs
from anello.adapters.http_out import OutgoingHttp
from anello.adapters.store import FolderStore
from anello.config import Settings, WebSettings
from anello.errors import RuntimeFailure
from anello.service import records
from anello.service.accounts import Accounts
from anello.service.files import Files
from anello.service.inspections import Inspections
from anello.service.links import Links
from anello.service.metrics import Metrics
from anello.service.retention import Retention
from anello.service.tasks import Tasks
from anello.service.webhooks import Webhooks
from anello.service.work import Inputs, Work

log = structlog.get_logger()

TASKS_PER_WORKER = 2
"""Tasks under way for each drawing process: while one is drawn, the next one's pictures come."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the web layer and the commands call."""

    settings: Settings
    accounts: Accounts
    files: Files
    tasks: Tasks
    inspections: Inspections
    webhooks: Webhooks
    retention: Retention
    links: Links
    metrics: Metrics
    work: Work
    database: Database
    store: FolderStore
    jobs: Jobs
    compute: Compute
    secret: str

    @property
    def settings_web(self) -> WebSettings:
        return self.settings.web

    def health(self) -> dict[str, bool]:
        """By part, whether it can be used now."""
        return {
            "database": self._database_answers(),
            "store": self.settings.store_folder.is_dir(),
            "workers": self.compute.is_ready(),
        }

    def close(self) -> None:
        self.compute.close()
        self.jobs.close()
        self.database.close()

    def _database_answers(self) -> bool:
        try:
            with self.database.read() as connection:
                connection.execute(select(1))
        except Exception:
            return False
        return True


def build(settings: Settings) -> Services:
    """The service; folders and tables are made if need be. Nothing runs yet."""
    _make_folder(settings.data)
    database = Database(settings.database_url)
    database.migrate()
    if settings.queue_url.startswith("sqlite"):
        prepare_queue_file(settings.queue_file)
    engine.migrate(settings.queue_url)
    jobs = Jobs(settings.queue_url)
    store = FolderStore(settings.store_folder)
    secret = _secret(database)
    metrics = Metrics()
    outgoing = OutgoingHttp(settings.allow_private_urls)
    make_drawer = partial(new_drawer, settings.store_folder, secret, settings.engine.analyses_bytes)
    compute = Compute(
        make_drawer, settings.engine.n_workers, settings.engine.task_timeout_s, metrics
    )
    accounts = Accounts(database)
    files = Files(database, store)
    webhooks = Webhooks(database, outgoing, jobs, metrics)
    tasks = Tasks(database, store, jobs, webhooks, metrics, settings.engine.queue_limit, compute)
    inputs = Inputs(files, outgoing)
    work = Work(tasks, inputs, store, compute, metrics)
    inspections = Inspections(files, inputs, compute, 2 * settings.engine.n_workers)
    retention = Retention(database, store, jobs, tasks, webhooks, settings.retention_s)
    metrics.watch("anello_tasks_running", "Tasks waiting or running.", tasks.count_running)
    return Services(
        settings=settings,
        accounts=accounts,
        files=files,
        tasks=tasks,
        inspections=inspections,
        webhooks=webhooks,
        retention=retention,
        links=Links(secret),
        metrics=metrics,
        work=work,
        database=database,
        store=store,
        jobs=jobs,
        compute=compute,
        secret=secret,
    )


@contextmanager
def running(services: Services) -> Iterator[None]:
    """Within, tasks are worked on; at the end what runs is waited for."""
    settings = services.settings
    with _alone(settings.data):
        runner = Engine(settings.queue_url, TASKS_PER_WORKER * settings.engine.n_workers)
        services.compute.start()
        services.retention.mend(settling_s=0.0)  # nobody else is at work yet
        runner.start(services.work, services.webhooks, services.retention)
        try:
            yield
        finally:
            if not runner.stop(settings.engine.shutdown_s):
                # Ended like this, tasks go on at the next start, as after a crash. Anything gentler
                # would end their drawing processes under their hands, and fail them.
                log.warning("stopped with tasks under way")
                os._exit(0)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One server a data folder: two would take each other's jobs for a crash's."""
    lock = FileLock(data / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeFailure(
            f"Another server is at work in {data}",
            remedy="Stop it first, or give this one another --data.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # photos of people are in it
    except OSError as error:
        raise RuntimeFailure(
            f"The data folder {folder} can't be made: {error.strerror}",
            remedy="Name another with --data or ANELLO_DATA.",
        ) from error


def _secret(database: Database) -> str:
    """What addresses and analyses are signed with; made once."""
    table = records.secret
    with database.write() as connection:
        known: str | None = connection.scalar(
            select(table.c.value).where(table.c.name == "signing")
        )
        if known is None:
            known = secrets.token_urlsafe(32)
            connection.execute(table.insert(), {"name": "signing", "value": known})
    return known
