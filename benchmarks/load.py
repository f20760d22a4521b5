"""Many clients at once, each: create, poll every second until it is done, download, again.

    python benchmarks/load.py [--clients 200] [--seconds 60]

Prints what was answered, how long polls took, and memory over time. Exit code 1 when anything but
200 and 429 was answered, half the polls took 50 ms or more, or memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import service
from client import RING, merged
from pictures import HAND, OTHER_HAND, tagged
from pictures import RING as RING_JPEG
from server import Server

POLL_EVERY_S = 1.0
SAMPLE_EVERY_S = 2.0
P50_LIMIT_MS = 50.0
GROWTH_LIMIT = 1.10
"""Memory in the last quarter over that in the second: the first quarter is for warming up."""
ANSWER_LIMIT_S = 30.0


class Connection:
    """HTTP/1.1 as small as it can be: the client must not be what is measured."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status, 0 for a connection that broke, and the body."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._ask(method, path, body)
        except (OSError, EOFError, TimeoutError):
            self.close()
            return 0, b""

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = int(answer.partition("content-length:")[2].partition("\r\n")[0])
        data = await self._reader.readexactly(size)
        if "connection: close" in answer:
            self.close()
        return int(answer.split(" ", 2)[1]), data

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


@dataclass
class Seen:
    """What all clients saw."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    task_s: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float, float]] = field(default_factory=list)


async def ask(
    seen: Seen, connection: Connection, what: str, method: str, path: str, body: bytes = b""
) -> tuple[int, bytes]:
    started = time.perf_counter()
    status, data = await connection.ask(method, path, body)
    seen.ms[what].append((time.perf_counter() - started) * 1000)
    seen.statuses[what, status] += 1
    return status, data


async def visit(
    seen: Seen, connection: Connection, bodies: list[bytes], until: float, rng: random.Random
) -> None:
    """One client; what it has begun when time is up it still sees to its end."""
    await asyncio.sleep(rng.uniform(0, 2))
    while time.perf_counter() < until:
        began = time.perf_counter()
        status, data = await ask(seen, connection, "create", "POST", RING, rng.choice(bodies))
        if status != 200:
            await asyncio.sleep(rng.uniform(1, 2))
            continue
        task_id = json.loads(data)["data"]["task_id"]
        while True:
            await asyncio.sleep(POLL_EVERY_S)
            status, data = await ask(seen, connection, "poll", "GET", f"{RING}/{task_id}")
            task: dict[str, Any] = json.loads(data)["data"] if status == 200 else {}
            if task.get("task_status", "running") != "running":
                break
        seen.task_s.append(time.perf_counter() - began)
        seen.ends[task["error"] or "success"] += 1
        if task["results"]:
            url = urlsplit(task["results"]["url"])
            await ask(seen, connection, "download", "GET", f"{url.path}?{url.query}")
    connection.close()


async def watch(seen: Seen, server: Server, started: float) -> None:
    while True:
        own, others = await asyncio.to_thread(service.resident_mb, server)
        seen.memory.append((time.perf_counter() - started, own, others))
        await asyncio.sleep(SAMPLE_EVERY_S)


async def press(seen: Seen, server: Server, key: str, bodies: list[bytes], asked: Any) -> None:
    started = time.perf_counter()
    watcher = asyncio.create_task(watch(seen, server, started))
    rng = random.Random(asked.seed)
    await asyncio.gather(
        *(
            visit(
                seen,
                Connection(server.port, key),
                bodies,
                started + asked.seconds,
                random.Random(rng.random()),
            )
            for _ in range(asked.clients)
        )
    )
    watcher.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hands", type=int, default=20, help="different hand photos")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    seen = Seen()
    with service.measured() as (server, client):
        ring = client.upload(RING_JPEG)
        hands = [
            client.upload(tagged((HAND, OTHER_HAND)[at % 2], f"load {at}"))
            for at in range(asked.hands)
        ]
        bodies = [
            json.dumps(merged(hand, [ring], [{"ring_wearing_finger": 1 + at % 3}])).encode()
            for at, hand in enumerate(hands)
        ]
        asyncio.run(press(seen, server, client.key or "", bodies, asked))
    sys.exit(report(seen, asked))


def report(seen: Seen, asked: Any) -> int:
    """Tables on stdout; 1 when a promise was broken."""
    title = f"{asked.clients} clients, {asked.seconds:g} s"
    print(service.head(title, "answers", "p50 ms", "p90 ms", "p99 ms", "longest ms"))
    for what, values in seen.ms.items():
        shares = (service.percentile(values, share) for share in (0.5, 0.9, 0.99, 1.0))
        print(service.row(what, len(values), *(f"{value:.0f}" for value in shares)))
    print()
    print(service.head("answers", "status", "number"))
    for (what, status), count in sorted(seen.statuses.items()):
        print(service.row(what, status or "broken", count))
    print()
    print(service.head("tasks", "number", "p50 s", "p99 s", "a second"))
    for end, count in seen.ends.items():
        shares = (service.percentile(seen.task_s, share) for share in (0.5, 0.99))
        rate = count / asked.seconds
        print(service.row(end, count, *(f"{value:.1f}" for value in shares), f"{rate:.1f}"))
    print()
    print(service.head("memory, at s", "server MB", "drawing processes MB"))
    for at, own, others in seen.memory[:: max(1, len(seen.memory) // 12)]:
        print(service.row(f"{at:.0f}", f"{own:.0f}", f"{others:.0f}"))
    print()
    odd = {key: n for key, n in seen.statuses.items() if key[1] not in {200, 429}}
    p50 = service.percentile(seen.ms["poll"], 0.5)
    growths = [growth([sample[at] for sample in seen.memory]) for at in (1, 2)]
    promises = {
        f"nothing but 200 and 429, not {odd}": not odd,
        "every task in success": set(seen.ends) == {"success"},
        f"half the polls within {P50_LIMIT_MS:g} ms: {p50:.1f} ms": p50 < P50_LIMIT_MS,
        f"memory flat: server x {growths[0]:.2f}, drawing processes x {growths[1]:.2f}": max(
            growths
        )
        < GROWTH_LIMIT,
    }
    for promise, holds in promises.items():
        print(f"{'holds' if holds else 'BROKEN'}: {promise}")
    return int(not all(promises.values()))


def growth(values: list[float]) -> float:
    quarter = max(1, len(values) // 4)
    early, late = values[quarter : 2 * quarter] or values, values[-quarter:]
    return (sum(late) / len(late)) / (sum(early) / len(early))


if __name__ == "__main__":
    main()
