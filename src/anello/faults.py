"""What the log says of an error that nobody expected."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any


def describe_error(error: BaseException) -> list[dict[str, Any]]:
    """The error and its causes: their types, and where they were raised.

    Not their messages: those could hold a key, a signed address, or a client's own values.
    """
    return [
        {
            "type": f"{type(one).__module__}.{type(one).__qualname__}",
            "reason": one.strerror if isinstance(one, OSError) else None,
            "frames": [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(one.__traceback__)
            ],
        }
        for one in _chain(error)
    ]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
