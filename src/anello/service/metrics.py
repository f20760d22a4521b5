"""What is counted, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 25)


class Metrics:
    """The service's own counters, in a registry of their own."""

    def __init__(self) -> None:
        # A second series for each, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.created = Counter("anello_tasks_created", "Tasks accepted.", registry=self.registry)
        self.ended = Counter(
            "anello_tasks_ended",
            "Tasks ended, by `success` or their error's code.",
            ["outcome"],
            registry=self.registry,
        )
        self.steps = Histogram(
            "anello_task_step_seconds",
            "Time of a task's steps: queued, fetch, draw, store.",
            ["step"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.analyses = Counter(
            "anello_analyses",
            "Analyses of hands and rings used, by where they came from.",
            ["kind", "origin"],
            registry=self.registry,
        )
        self.analyses_bytes = Gauge(
            "anello_analyses_memory_bytes",
            "Analyses kept in memory by the drawing process that was heard of last.",
            registry=self.registry,
        )
        self.workers_ended = Counter(
            "anello_workers_ended",
            "Drawing processes that ended before their work did, by why.",
            ["reason"],
            registry=self.registry,
        )
        self.attempts = Counter(
            "anello_webhook_attempts",
            "Attempts to deliver a webhook, by outcome.",
            ["outcome"],
            registry=self.registry,
        )

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A number that is read whenever somebody looks."""
        self.registry.register(_Watched(name, meaning, read))


class _Watched(Collector):
    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._meaning, value=self._read())

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._meaning)
