"""One line a request. Never a key, a token, a signed address or a picture: so no path, no query,
no header, and of an unexpected error no message, which could hold any of them.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any, TextIO

import structlog


def write_json_lines(stream: TextIO | None = None) -> None:
    """Have every logger of this process write JSON, an event a line, to stderr unless told."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )


def describe_error(error: BaseException) -> list[dict[str, Any]]:
    """An error and its causes: their types, and where they were raised; innermost last."""
    described = []
    while error:
        frames = traceback.extract_tb(error.__traceback__)
        described.append(
            {
                "type": f"{type(error).__module__}.{type(error).__qualname__}",
                "reason": error.strerror if isinstance(error, OSError) else None,
                "frames": [f"{f.filename}:{f.lineno} {f.name}" for f in frames],
            }
        )
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return described
