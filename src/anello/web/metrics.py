"""Counters of requests, by route template: never by what a client can choose."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RequestMetrics:
    """Requests answered, and how long that took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered = Counter(
            "anello_http_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "anello_http_request_seconds",
            "Time from a request's first byte to its answer's last",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=registry,
        )

    def observe(self, method: str, route: str, status: int, spent_s: float) -> None:
        label = method if method in METHODS else "other"
        self._answered.labels(label, route, str(status)).inc()
        self._seconds.labels(label, route).observe(spent_s)
