"""How often one key, and one address, may call."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.storage.memory import Entry
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

MAX_CALLERS: Final = 20_000
"""Beyond so many keys and addresses at a time, those longest silent are forgotten."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a call. reset_s : until the window's oldest call drops out."""

    counted: bool
    limit: int
    window_s: int
    remaining: int
    reset_s: float

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("RateLimit-Policy", f"{self.limit};w={self.window_s}"),
            ("RateLimit-Limit", str(self.limit)),
            ("RateLimit-Remaining", str(self.remaining)),
            ("RateLimit-Reset", str(math.ceil(self.reset_s))),
        ]


class Limits:
    """At most ``calls`` in any ``window_s`` seconds, for each of a call's callers.

    Calls come from one thread, the event loop's: nothing happens between a test and its hit.
    """

    def __init__(self, calls: int, window_s: float) -> None:
        self._item = RateLimitItemPerSecond(calls, max(1, math.ceil(window_s)))
        self._window = MovingWindowRateLimiter(RecentCalls(MAX_CALLERS))

    def test(self, *callers: str) -> Standing:
        """Where they stand, had they called now; nothing is counted."""
        return self._standing(callers, self._is_free(callers))

    def count(self, *callers: str) -> Standing:
        """Count a call for each of them, or, when one has none left, for none."""
        counted = self._is_free(callers)
        if counted:
            for caller in callers:
                self._window.hit(self._item, caller)
        return self._standing(callers, counted)

    def _is_free(self, callers: tuple[str, ...]) -> bool:
        return all(self._window.test(self._item, caller) for caller in callers)

    def _standing(self, callers: tuple[str, ...], counted: bool) -> Standing:
        """Of the caller with the least left; among equals, of the one that waits longest."""
        stats = [self._window.get_window_stats(self._item, caller) for caller in callers]
        tightest = min(stats, key=lambda window: (window.remaining, -window.reset_time))
        return Standing(
            counted=counted,
            limit=self._item.amount,
            window_s=self._item.get_expiry(),
            remaining=max(0, tightest.remaining),
            reset_s=max(0.0, tightest.reset_time - time.time()),
        )


class RecentCalls(MemoryStorage):
    """The library's memory, bounded.

    The original keeps a key for good, and walks all of them on a timer thread a hundred times a
    second. Here keys lie in the order of their last call, so that what is over lies in front.
    """

    def __init__(self, max_keys: int) -> None:
        super().__init__()
        self._max_keys = max_keys

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.time()
        calls = self.events.pop(key, [])  # newest first
        free = len(calls) + amount <= limit or calls[limit - amount].atime < now - expiry
        if free:
            calls = [Entry(expiry) for _ in range(amount)] + calls[: limit - amount]
        if calls:
            self.events[key] = calls
        self._forget(now)
        return free

    def _forget(self, now: float) -> None:
        while self.events:
            silent, calls = next(iter(self.events.items()))
            if calls[0].expiry > now and len(self.events) <= self._max_keys:
                return
            del self.events[silent]


def address_of(request: Request) -> str:
    """Whom to count a call for: an IPv4 address, or the /64 that one IPv6 customer is given."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64] or "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))
