"""How long each step took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up milliseconds by step, in the order in which the steps first ran."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = perf_counter()
        try:
            yield
        finally:
            spent = (perf_counter() - started) * 1000
            self.timings_ms[step] = self.timings_ms.get(step, 0.0) + spent

    def elapsed_ms(self) -> float:
        """Since the watch was made: less than the sum where steps ran at the same time."""
        return (perf_counter() - self._started) * 1000
