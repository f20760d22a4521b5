"""Log lines: one JSON object each, on stderr; libraries' lines among them."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

from anello.faults import describe_error

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_QUIETER = ("alembic", "asyncio", "dbos", "httpcore", "httpx", "sqlalchemy", "uvicorn")


def _describe(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """What broke and where, never with what values: those are clients' own."""
    exc_info = event.pop("exc_info", None)
    if isinstance(exc_info, tuple) and exc_info[1] is not None:
        event["error"] = describe_error(exc_info[1])
    return event


def configure(*, quiet: bool = False) -> None:
    """Set up this process's logs. quiet : warnings and worse only, for commands."""
    level = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=(*_SHARED, structlog.stdlib.add_logger_name),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _describe,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # DBOS gives itself a handler with words of its own, unless it has one.
    queue = logging.getLogger("dbos")
    queue.handlers[:], queue.propagate = [handler], False
    for name in _QUIETER:
        logging.getLogger(name).setLevel(logging.WARNING)
