"""The number a request is known by: ``x-request-id``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

EPOCH_S: Final = 1_577_836_800  # 2020-01-01: 41 bits of milliseconds last until 2089
NODE_BITS: Final = 10  # keeps processes that share a log apart
COUNT_BITS: Final = 12


class RequestIds:
    """Numbers below 2^63, each larger than the one before: milliseconds, node, count."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._node = secrets.randbits(NODE_BITS) << COUNT_BITS
        self._last = 0

    def next(self) -> str:
        milliseconds = int((self._clock() - EPOCH_S) * 1000)
        now = milliseconds << (NODE_BITS + COUNT_BITS) | self._node
        self._last = max(self._last + 1, now)  # the clock may stand still, or be set back
        return str(self._last)
