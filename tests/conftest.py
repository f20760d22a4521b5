"""What every test leaves behind: nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Commands that run within a test set up the logs, on a stderr that is closed after it."""
    root, queue = logging.getLogger(), logging.getLogger("dbos")
    before = root.handlers[:], root.level, queue.handlers[:], queue.propagate
    yield
    root.handlers[:], root.level, queue.handlers[:], queue.propagate = before
    structlog.reset_defaults()
