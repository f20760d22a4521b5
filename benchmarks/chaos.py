"""Kill the server at random moments, again and again: ``make soak`` begins with it.

    python benchmarks/chaos.py [--tasks 200] [--kills 20] [--seed 1]

Whatever was accepted must end, once; units must agree; every end must have been told of at least
once, under one id. Exit code 1 if not. tests/acceptance does the same in small.
"""

from __future__ import annotations

import argparse
import sys
import time

import service
from receiver import Receiver

import crashes  # isort: skip - found once `service` has said where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    with service.measured() as (server, _), Receiver() as receiver:
        outcome = crashes.run(server, receiver, asked.tasks, asked.kills, asked.seed, say)
        log_errors = [line for line in server.log_text().splitlines() if '"level": "error"' in line]
    repeats = sum(count - 1 for count in outcome.messages.values())
    print(service.head("killed at random moments", str(asked.seed)))
    for name, value in (
        ("tasks accepted and ended", len(outcome.ended)),
        ("of them in success", outcome.n_success),
        ("given up, for they were under way in too many crashes", outcome.n_given_up),
        ("kills", outcome.kills),
        ("webhook messages", len(outcome.messages)),
        ("of them told more than once, attempts", repeats),
        ("errors in the log", len(log_errors)),
        ("seconds", round(time.monotonic() - started)),
        ("wrong", len(outcome.wrong)),
    ):
        print(service.row(name, value))
    for line in (*outcome.wrong, *log_errors[:10]):
        print(line, file=sys.stderr)
    sys.exit(bool(outcome.wrong) or len(outcome.ended) != asked.tasks)


if __name__ == "__main__":
    main()
