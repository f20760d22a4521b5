"""What the measurements of the service share: a server to measure, and the tests' own client."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "acceptance"))

from client import Client  # noqa: E402 - found where the tests are
from server import Server  # noqa: E402

MANY = 1_000_000


@contextmanager
def measured(**settings: str) -> Iterator[tuple[Server, Client]]:
    """A server on a folder that goes with it, without a rate limit, and an account on it."""
    usual = {"ANELLO_RATE_LIMIT": "off", "ANELLO_ALLOW_PRIVATE_URLS": "1"}
    with tempfile.TemporaryDirectory(prefix="anello-") as folder:
        server = Server(Path(folder), **usual | settings)
        try:
            with (
                server,
                Client(server.base, server.create_key("measured", MANY), "measured") as client,
            ):
                yield server, client
        except BaseException:
            print(server.tail(), file=sys.stderr)
            raise


def resident_mb(server: Server) -> tuple[float, float]:
    """Of the server and of its drawing processes together."""
    group = server.group()
    own = group.get(server.process.pid, 0)
    return own / 1e6, (sum(group.values()) - own) / 1e6


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def head(*cells: str) -> str:
    return row(*cells) + "\n|---|" + "---:|" * (len(cells) - 1)
