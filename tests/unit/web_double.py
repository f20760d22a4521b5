"""The web application over a service that lives in dictionaries, and a client that calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from fastapi import FastAPI

from anello.config import WebSettings
from anello.errors import AnelloError, InvalidApiKey, InvalidParameters, InvalidTaskId, NotFound
from anello.service.accounts import Account, Grant, LedgerEntry
from anello.service.files import Upload
from anello.service.links import Links
from anello.service.metrics import Metrics
from anello.service.requests import NewFile, TaskRequest
from anello.service.tasks import StoredResult, Task, TaskDetails
from anello.web.app import build_app

KEY = "sk-good-key-of-the-tests"
ACCOUNT = Account("a1", "tests", 1.7e9, None, None)
SETTINGS = WebSettings(
    public_url="https://rings.example",
    trusted_proxies="",
    strict=False,
    upload_url_ttl_s=3600,
    result_url_ttl_s=7200,
    polling_interval=False,
    rate_limit=None,
)
TASK = Task(
    id="t1",
    account_id="a1",
    request={},
    units=1,
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
    created_at=1_800_000_000.0,
    started_at=None,
    finished_at=None,
    idempotency_key=None,
)
SUCCEEDED = replace(
    TASK,
    status="success",
    step="done",
    picture_key="p",
    mask_key="m",
    report={"rings": []},
    started_at=1_800_000_001.0,
    finished_at=1_800_000_001.5,
)
FAILED = replace(
    TASK,
    status="error",
    error_code="PHOTO_CHECK_INVALID",
    error_message="Hand pose should be correct",
    remedy="Spread the fingers.",
)


@dataclass
class Accounts:
    keys: dict[str, Account | AnelloError] = field(default_factory=lambda: {KEY: ACCOUNT})
    given: list[Grant] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    asked: int = 0

    def authenticate(self, key: str) -> Account:
        self.asked += 1
        known = self.keys.get(key, InvalidApiKey())
        if isinstance(known, AnelloError):
            raise known
        return known

    def grants(self, account_id: str) -> list[Grant]:
        return self.given

    def history(self, account_id: str, after: int | None, limit: int) -> list[LedgerEntry]:
        return [entry for entry in self.entries if after is None or entry.id < after][:limit]


@dataclass
class Files:
    wanted: list[NewFile] = field(default_factory=list)
    taken: dict[str, bytes] = field(default_factory=dict)
    error: AnelloError | None = None

    def register(self, account_id: str, wanted: Sequence[NewFile]) -> list[Upload]:
        first = len(self.wanted)
        self.wanted += wanted
        return [
            Upload(f"f{first + n}", new.content_type, new.file_name, new.size_bytes)
            for n, new in enumerate(wanted)
        ]

    def accept(self, file_id: str, body: BinaryIO, size_bytes: int) -> None:
        if self.error:
            raise self.error
        if size_bytes != (declared := self.wanted[int(file_id[1:])].size_bytes):
            raise InvalidParameters(f"file_size: {declared} bytes were declared")
        self.taken[file_id] = body.read()


@dataclass
class Tasks:
    tasks: dict[str, Task] = field(default_factory=dict)
    created: list[tuple[TaskRequest, str | None]] = field(default_factory=list)
    results: dict[tuple[str, str], StoredResult] = field(default_factory=dict)
    error: AnelloError | Exception | None = None

    def create(
        self, account_id: str, request: TaskRequest, *, idempotency_key: str | None = None
    ) -> Task:
        if self.error:
            raise self.error
        self.created.append((request, idempotency_key))
        return TASK

    def poll(self, account_id: str, task_id: str) -> Task:
        if self.error:
            raise self.error
        if task_id not in self.tasks:
            raise InvalidTaskId()
        return self.tasks[task_id]

    def details(self, account_id: str, task_id: str) -> TaskDetails:
        return TaskDetails(self.poll(account_id, task_id), None, {"queued": 1.5})

    def delete(self, account_id: str, task_id: str) -> None:
        self.poll(account_id, task_id)
        del self.tasks[task_id]

    def cancel(self, account_id: str, task_id: str) -> Task:
        task = self.poll(account_id, task_id)
        self.tasks[task_id] = replace(task, status="error", error_code="cancelled")
        return self.tasks[task_id]

    def result(self, task_id: str, what: str) -> StoredResult:
        if (task_id, what) not in self.results:
            raise NotFound("There is no such result, or it was deleted")
        return self.results[task_id, what]


@dataclass
class Inspections:
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    findings: Mapping[str, Any] = field(
        default_factory=lambda: {
            "accepted": True,
            "code": None,
            "message": None,
            "remedy": None,
            "checks": [],
            "overlay": None,
        }
    )
    error: AnelloError | None = None

    def hand(self, *asked: Any) -> Mapping[str, Any]:
        return self._look("hand", *asked)

    def ring(self, *asked: Any) -> Mapping[str, Any]:
        return self._look("ring", *asked)

    def _look(self, *asked: Any) -> Mapping[str, Any]:
        if self.error:
            raise self.error
        self.asked.append(asked)
        return self.findings


@dataclass
class Service:
    settings_web: WebSettings = SETTINGS
    accounts: Accounts = field(default_factory=Accounts)
    files: Files = field(default_factory=Files)
    tasks: Tasks = field(default_factory=Tasks)
    inspections: Inspections = field(default_factory=Inspections)
    links: Links = field(default_factory=lambda: Links("secret"))
    metrics: Metrics = field(default_factory=Metrics)
    parts: dict[str, bool] = field(default_factory=lambda: {"database": True, "store": True})

    def health(self) -> dict[str, bool]:
        return self.parts


class Caller:
    """Calls the application as a server would. Within `calling`."""

    def __init__(self, service: Service, loop: asyncio.Runner, app: FastAPI) -> None:
        self.service, self.app = service, app
        self._loop = loop

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = KEY,
        address: str = "203.0.113.7",
        base: str = "https://rings.example",
        **rest: Any,
    ) -> httpx.Response:
        headers = httpx.Headers(rest.pop("headers", None))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key}")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(address, 1234))
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, headers=headers, **rest)

        return self._loop.run(send())

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("POST", path, **rest)

    def run(self, scope: dict[str, Any], messages: Sequence[dict[str, Any]]) -> list[Any]:
        """What the application itself sends for what it receives; then the client is gone."""
        received, sent = iter(messages), []

        async def receive() -> dict[str, Any]:
            return next(received, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        self._loop.run(_call(self.app, scope, receive, send))
        return sent


async def _call(app: Callable[..., Any], *arguments: Any) -> None:
    await app(*arguments)


@contextmanager
def calling(service: Service | None = None, **settings: Any) -> Iterator[Caller]:
    """A caller of a service, with other settings than `SETTINGS` if named."""
    service = service or Service()
    service.settings_web = replace(service.settings_web, **settings)
    with asyncio.Runner() as loop:
        yield Caller(service, loop, build_app(service))


def scope_of(method: str, path: str, **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
        "client": ("203.0.113.7", 1234),
        "server": ("rings.example", 80),
    }


def signed(caller: Caller, path: str, ttl_s: float = 60) -> str:
    return f"{path}?{caller.service.links.sign(path, ttl_s)}"


def picture(folder: Path, name: str, data: bytes, media_type: str) -> StoredResult:
    path = folder / name
    path.write_bytes(data)
    return StoredResult(path, media_type)
