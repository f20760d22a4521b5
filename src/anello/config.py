"""Settings: the environment, read once, as one frozen section a component.

Each variable stands once in ``VARIABLES``, with its default, its meaning and how it is read; a
value that can't be read raises an error that names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anello.errors import InvalidParameter


@dataclass(frozen=True, slots=True)
class WebSettings:
    """rate_limit : requests and seconds; None is off. trusted_proxies : as uvicorn takes them."""

    public_url: str | None
    trusted_proxies: str
    strict: bool
    upload_url_ttl_s: float
    result_url_ttl_s: float
    polling_interval: bool
    rate_limit: tuple[int, float] | None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """n_workers : drawing processes. queue_limit : tasks waiting or running at one time."""

    n_workers: int
    queue_limit: int
    task_timeout_s: float
    analyses_bytes: int
    shutdown_s: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections. data : the folder that holds whatever is not elsewhere by its URL."""

    data: Path
    database_url: str
    store_url: str
    web: WebSettings
    engine: EngineSettings
    allow_private_urls: bool
    retention_s: float
    set_variables: frozenset[str]

    @property
    def queue_url(self) -> str:
        """The queue's database: a file of its own beside SQLite's, else the same."""
        if self.database_url.startswith("sqlite"):
            return f"sqlite:///{self.queue_file}"
        return self.database_url

    @property
    def queue_file(self) -> Path:
        return self.data / "queue.db"

    @property
    def store_folder(self) -> Path:
        return Path(self.store_url.removeprefix("file://"))


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment. default : as text, before it is read."""

    name: str
    default: str
    meaning: str
    read: Callable[[str], Any]


def load(environ: Mapping[str, str] = os.environ, data: Path | None = None) -> Settings:
    """The settings; ``data`` goes before ANELLO_DATA. Raises InvalidParameter."""
    values = {variable.name: _value(variable, environ) for variable in VARIABLES}
    folder = (data or Path(values["ANELLO_DATA"])).absolute()
    return Settings(
        data=folder,
        database_url=values["ANELLO_DATABASE_URL"] or f"sqlite:///{folder / 'anello.db'}",
        store_url=values["ANELLO_STORE_URL"] or f"file://{folder / 'store'}",
        web=WebSettings(
            public_url=values["ANELLO_PUBLIC_URL"],
            trusted_proxies=values["ANELLO_TRUSTED_PROXIES"],
            strict=values["ANELLO_STRICT"],
            upload_url_ttl_s=values["ANELLO_UPLOAD_URL_TTL_S"],
            result_url_ttl_s=values["ANELLO_RESULT_URL_TTL_S"],
            polling_interval=values["ANELLO_POLLING_INTERVAL"],
            rate_limit=values["ANELLO_RATE_LIMIT"],
        ),
        engine=EngineSettings(
            n_workers=values["ANELLO_WORKERS"],
            queue_limit=values["ANELLO_QUEUE_LIMIT"],
            task_timeout_s=values["ANELLO_TASK_TIMEOUT_S"],
            analyses_bytes=values["ANELLO_ANALYSES_MB"] * 2**20,
            shutdown_s=values["ANELLO_SHUTDOWN_S"],
        ),
        allow_private_urls=values["ANELLO_ALLOW_PRIVATE_URLS"],
        retention_s=values["ANELLO_RETENTION_S"],
        set_variables=frozenset(v.name for v in VARIABLES if environ.get(v.name, "").strip()),
    )


def _value(variable: Variable, environ: Mapping[str, str]) -> Any:
    text = environ.get(variable.name, "").strip() or variable.default  # blank is not set
    try:
        return variable.read(text)
    except ValueError as error:
        raise InvalidParameter(
            f"{variable.name} must be {error}, not {text!r}",
            field=variable.name,
            remedy=f"{variable.meaning} Default: {variable.default or 'none'}.",
        ) from None


# --- how a variable's text is read; a ValueError says what it must be ----------------------------


def _switch(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("1 or 0")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?|\.\d{1,6}", text) or float(text) <= 0:
        raise ValueError("a number of seconds above 0")
    return float(text)


def _rate(text: str) -> tuple[int, float] | None:
    if text.lower() == "off":
        return None
    found = re.fullmatch(r"([1-9]\d{0,6})/([1-9]\d{0,5})s", text)
    if not found:
        raise ValueError("off, or requests/seconds such as 250/300s")
    return int(found[1]), float(found[2])


def _address(text: str) -> str | None:
    if not text:
        return None
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[\w./~-]*)?", text):
        raise ValueError("an http or https address")
    return text.rstrip("/")


def _database(text: str) -> str | None:
    if text and (not re.match("sqlite:///.", text) or ":memory:" in text):
        raise ValueError("a sqlite:/// address of a file")
    return text or None


def _store(text: str) -> str | None:
    if text and not re.match("file:///.", text):
        raise ValueError("a file:/// address of a folder")
    return text or None


def _text(text: str) -> str:
    return text


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


VARIABLES: tuple[Variable, ...] = (
    Variable("ANELLO_DATA", "anello-data", "Folder for everything the server keeps.", _text),
    Variable(
        "ANELLO_DATABASE_URL",
        "",
        "Database of the records; without it anello.db in the data folder.",
        _database,
    ),
    Variable(
        "ANELLO_STORE_URL",
        "",
        "Store of uploads and results; without it a folder in the data folder.",
        _store,
    ),
    Variable(
        "ANELLO_PUBLIC_URL",
        "",
        "Address under which clients reach the server; without it the one they used.",
        _address,
    ),
    Variable(
        "ANELLO_TRUSTED_PROXIES",
        "",
        "Addresses of proxies whose X-Forwarded-For and -Proto are believed.",
        _text,
    ),
    Variable("ANELLO_WORKERS", str(_n_cores()), "Processes that draw pictures.", _whole(1, 256)),
    Variable(
        "ANELLO_QUEUE_LIMIT",
        "256",
        "Tasks waiting or running at one time; beyond it creating one is answered with 429.",
        _whole(1, 1_000_000),
    ),
    Variable("ANELLO_TASK_TIMEOUT_S", "25", "Longest time for drawing one picture.", _seconds),
    Variable(
        "ANELLO_ANALYSES_MB",
        "192",
        "Memory of each drawing process for analyses of hands and rings.",
        _whole(1, 1_000_000),
    ),
    Variable(
        "ANELLO_SHUTDOWN_S",
        "20",
        "How long a server that is told to stop waits for what runs.",
        _seconds,
    ),
    Variable(
        "ANELLO_RATE_LIMIT",
        "250/300s",
        "API calls in a time, for each key and for each address; off for none.",
        _rate,
    ),
    Variable("ANELLO_STRICT", "0", "1 refuses what the hosted API refuses.", _switch),
    Variable("ANELLO_POLLING_INTERVAL", "0", "1 tells clients how often to poll.", _switch),
    Variable("ANELLO_UPLOAD_URL_TTL_S", "3600", "How long an upload address is good.", _seconds),
    Variable("ANELLO_RESULT_URL_TTL_S", "7200", "How long a result address is good.", _seconds),
    Variable(
        "ANELLO_ALLOW_PRIVATE_URLS",
        "0",
        "1 lets picture and webhook addresses lead into private networks; for tests.",
        _switch,
    ),
    Variable(
        "ANELLO_RETENTION_S",
        "2592000",
        "How long files, tasks and results are kept (30 days).",
        _seconds,
    ),
)
