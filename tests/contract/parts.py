"""The service on a real database and a real folder; what lies outside of it is played."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select

from anello.adapters.database import Database
from anello.adapters.http_out import Answer
from anello.adapters.store import FolderStore
from anello.options import Options
from anello.service import records
from anello.service.accounts import Accounts, Grant
from anello.service.drawing import Drawn, Job
from anello.service.files import Files
from anello.service.metrics import Metrics
from anello.service.requests import NewFile, Reference, RingRequest, TaskRequest
from anello.service.retention import JobState, Retention
from anello.service.tasks import Success, Task, Tasks
from anello.service.webhooks import Delivery, Webhooks
from anello.service.work import Inputs, Work

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long a condition may take to come true before it counts as never; no promise of speed."""
DAY_S = 86_400.0
RETENTION_S = 30 * DAY_S


def until(question: Callable[[], T], what: str) -> T:
    """The first truthy answer to a question asked again and again."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s in vain for {what}"
        time.sleep(0.005)
    return answer


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """What each call gave or raised, all of them begun in the same moment, each in its thread."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        start.wait(PATIENCE_S)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class Clock:
    """Stands in for the ``time`` module: the true time, and what is added to it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._stopped_at: float | None = None

    def time(self) -> float:
        now = time.time() if self._stopped_at is None else self._stopped_at
        return now + self._ahead_s

    def stop(self) -> None:
        """From now on it goes on only when it is told to."""
        self._stopped_at = time.time()

    def perf_counter(self) -> float:
        return time.perf_counter()

    def go_on(self, seconds: float) -> None:
        self._ahead_s += seconds


class QueueDouble:
    """Remembers what it is told to run, and runs nothing. ``error`` : what starting raises."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobState] = {}
        self.started: list[str] = []
        self.restarted: list[str] = []
        self.delays_s: dict[str, float] = {}
        self.error: Exception | None = None
        self.on_start: Callable[[str], None] = lambda _: None

    def start_task(self, task_id: str) -> None:
        self._start(task_id)

    def restart_task(self, task_id: str) -> None:
        self.jobs.pop(task_id, None)
        self.restarted.append(task_id)
        self._start(task_id)

    def start_delivery(self, delivery: Delivery, delay_s: float) -> None:
        if delivery.job not in self.jobs:
            self._start(delivery.job)
            self.delays_s[delivery.job] = delay_s

    def states(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        return {id: self.jobs[id] for id in ids if id in self.jobs}

    def forget(self, before: float) -> int:
        return 0

    def _start(self, job: str) -> None:
        self.on_start(job)
        if self.error is not None:
            raise self.error
        if job not in self.jobs:
            self.jobs[job] = "waiting"
            self.started.append(job)


@dataclass
class Sent:
    url: str
    body: bytes
    headers: Mapping[str, str]


class PostDouble:
    """Answers in turn as it is told, then 204 for ever, and remembers what was sent."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.sent: list[Sent] = []
        self.refusal: Exception | None = None
        self.on_post: Callable[[Sent], None] = lambda _: None

    def check(self, url: str) -> None:
        if self.refusal is not None:
            raise self.refusal

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.sent.append(Sent(url, body, headers))
        self.on_post(self.sent[-1])
        return self.answers.pop(0) if self.answers else answer(204)


def answer(
    status: int | None, *, error: str | None = None, retry_after_s: float | None = None
) -> Answer:
    return Answer(status, error, retry_after_s, 1.5)


class FetchDouble:
    """Addresses and what lies there."""

    def __init__(self) -> None:
        self.known: dict[str, bytes | Exception] = {}

    def fetch_all(self, urls: Sequence[str], max_bytes: int) -> list[bytes | Exception]:
        return [self.known[url] for url in urls]


class DrawDouble:
    """Draws as the test says."""

    def __init__(self) -> None:
        self.drawing: Callable[[str, Job], Drawn] = lambda _, job: drawn(job.hand)
        self.stopped: list[str] = []

    def draw(self, task_id: str, job: Job) -> Drawn:
        return self.drawing(task_id, job)

    def stop(self, task_id: str) -> None:
        self.stopped.append(task_id)


def drawn(picture: bytes = b"picture", inputs: tuple[str, ...] = ("h1", "r1")) -> Drawn:
    return Drawn(picture, "png", b"mask", {"hand": 1}, {"total": 9.5}, inputs, Counter(), 0)


@dataclass
class Rooms:
    """The service without its adapters to the outside, and those who play them."""

    folder: Path
    database: Database
    store: FolderStore
    max_running: int = 1000
    queue: Any = field(default_factory=QueueDouble)
    post: PostDouble = field(default_factory=PostDouble)
    fetch: FetchDouble = field(default_factory=FetchDouble)
    drawing: DrawDouble = field(default_factory=DrawDouble)

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.accounts = Accounts(self.database)
        self.files = Files(self.database, self.store)
        self.webhooks = Webhooks(self.database, self.post, self.queue, self.metrics)
        self.tasks = Tasks(
            self.database,
            self.store,
            self.queue,
            self.webhooks,
            self.metrics,
            self.max_running,
            self.drawing,
        )
        self.work = Work(
            self.tasks, Inputs(self.files, self.fetch), self.store, self.drawing, self.metrics
        )
        self.retention = Retention(
            self.database, self.store, self.queue, self.tasks, self.webhooks, RETENTION_S
        )

    # --- what tests do often ---------------------------------------------------------------------

    def new_account(self, name: str = "shop", units: int = 100) -> str:
        self.accounts.create(name, units)
        return self.accounts.by_name(name).id

    def upload(self, account_id: str, data: bytes) -> str:
        """The id of a file with these bytes."""
        (upload,) = self.files.register(account_id, [NewFile("image/png", "x.png", len(data))])
        self.files.accept(upload.file_id, io.BytesIO(data), len(data))
        return upload.file_id

    def new_task(self, account_id: str, n_rings: int = 1) -> Task:
        return self.tasks.create(account_id, by_url(n_rings))

    def ended_task(self, account_id: str, request: TaskRequest | None = None) -> Task:
        """A task that succeeded, its results in the store."""
        task = self.tasks.create(account_id, request or by_url())
        assert self.tasks.succeed(task.id, self.success(task.id))
        return self.tasks.poll(account_id, task.id)

    def success(self, task_id: str, inputs: Sequence[str] = ()) -> Success:
        """Results, put into the store."""
        keys = f"results/{task_id}.png", f"results/{task_id}-mask.png"
        for key in keys:
            self.store.put(key, b"result")
        return Success(*keys, {"warnings": []}, {"total": 1.0}, inputs)

    def balance(self, account_id: str) -> tuple[int, int]:
        """Units free and held."""
        grants: list[Grant] = self.accounts.grants(account_id)
        return sum(grant.available for grant in grants), sum(grant.held for grant in grants)

    def ledger(self, account_id: str) -> list[tuple[str, int]]:
        """Kind and amount of each entry, oldest first."""
        entries = self.accounts.history(account_id, None, 10_000)
        return [(entry.kind, entry.amount) for entry in reversed(entries)]

    def deliveries(self) -> list[Delivery]:
        """Oldest first."""
        return [delivery for delivery, _ in reversed(self.webhooks.deliveries(None, 10_000))]

    def count(self, table: Table) -> int:
        with self.database.read() as connection:
            return _count(connection, table)

    def stored(self) -> set[str]:
        """Every file below the store's folder, whether or not the store tells of it."""
        root = self.folder / "store"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def by_url(n_rings: int = 1, hand: str = "https://shop.example/hand.jpg") -> TaskRequest:
    """A request that needs no uploaded file."""
    ring = RingRequest(Reference("url", "https://shop.example/ring.jpg"), None, Options())
    return TaskRequest(Reference("url", hand), None, (ring,) * n_rings)


def by_id(hand: str, *rings: str, hand_mask: str | None = None) -> TaskRequest:
    mask = None if hand_mask is None else Reference("id", hand_mask)
    return TaskRequest(
        Reference("id", hand),
        mask,
        tuple(RingRequest(Reference("id", ring), None, Options()) for ring in rings),
    )


def new_rooms(folder: Path, template: Path, **more: Any) -> Rooms:
    """Rooms in a folder. template : a migrated, empty database file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "anello.db"
    shutil.copy(template, file)
    return Rooms(folder, Database(url_of(file)), FolderStore(folder / "store"), **more)


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


ALL_TABLES = tuple(records.metadata.sorted_tables)
