"""The whole service in a process that tests may kill: only its drawing and posting are played.

In its folder, the file ``wait`` makes drawing wait until it is gone, and ``deaf`` makes every
receiver of webhooks answer 500, which is tried again after 3 seconds. What was drawn and posted is
written down, a line each.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parts import answer, drawn

from anello import bootstrap, config
from anello.adapters import logs
from anello.adapters.http_out import Answer
from anello.service import webhooks
from anello.service.drawing import Drawn, Job


def note(file: Path, line: str) -> None:
    with file.open("a") as notes:
        notes.write(f"{line}\n")
        notes.flush()
        os.fsync(notes.fileno())


class Drawing:
    def __init__(self, *_: Any) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...

    def stop(self, task_id: str) -> None: ...

    def is_ready(self) -> bool:
        return True

    def draw(self, task_id: str, job: Job) -> Drawn:
        note(FOLDER / "drawn", task_id)
        while (FOLDER / "wait").exists():
            time.sleep(0.01)
        return drawn()


class Outgoing:
    def __init__(self, _allow_private: bool) -> None: ...

    def check(self, url: str) -> None: ...

    def fetch_all(self, urls: list[str], max_bytes: int) -> list[bytes]:
        return [b"picture"] * len(urls)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        status = 500 if (FOLDER / "deaf").exists() else 200
        note(FOLDER / "posted", f"{time.time()} {headers['webhook-id']} {status}")
        return answer(status)


def main() -> None:
    logs.configure()  # to stderr
    webhooks.DELAYS_S = (3, 3, 3, 3, 3, 3, 3, 3, 3)
    bootstrap.Compute = Drawing  # type: ignore[assignment,misc]
    bootstrap.OutgoingHttp = Outgoing  # type: ignore[assignment,misc]
    services = bootstrap.build(config.load(data=FOLDER / "data"))
    try:
        with bootstrap.running(services):
            print("ready", flush=True)
            sys.stdin.readline()
    finally:
        services.close()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    main()
