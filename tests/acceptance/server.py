"""A real `anello serve` on a folder and a port of its own, driven as an operator would."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import requests

T = TypeVar("T")

PROC = Path("/proc/self/stat")
"""Where Linux tells of processes; what needs it is left out elsewhere."""

PATIENCE_S = 30.0
"""How long a condition may take to come true before it counts as never; no promise of speed."""


def until(
    question: Callable[[], T], what: str, timeout_s: float = PATIENCE_S, pause_s: float = 0.02
) -> T:
    """The first truthy answer to a question asked again and again."""
    deadline = time.monotonic() + timeout_s
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(pause_s)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`anello serve` with its data folder; started, stopped, killed and started again at will."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """settings : environment, as ``ANELLO_RATE_LIMIT="off"``."""
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ANELLO_") or name == "ANELLO_MODELS_DIR"
        }
        self.environment = mine | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    # --- its life --------------------------------------------------------------------------------

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    def launch(self) -> None:
        """Start it without waiting."""
        assert self._process is None or self._process.poll() is not None, "it is running"
        words = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "anello.cli", *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own: nothing outlives a test
            )
        self._release_guard()
        # Its input ends when this process does, however it does: then the server goes, too.
        self._guard = subprocess.Popen(
            ["sh", "-c", f"read _; kill -KILL -{self._process.pid}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _release_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()

    def start(self) -> Server:
        """Start it; return when it is ready."""
        self.launch()
        try:
            until(self._is_ready, f"{self.base}/readyz")
        except AssertionError as error:
            self.end()
            raise AssertionError(f"{error}\n{self.tail()}") from None
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"exit code {self.process.returncode}"
        with suppress(requests.ConnectionError, requests.Timeout), requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.base}/readyz", timeout=5).status_code == 200
        return False

    def stop(self) -> int:
        """SIGTERM, as a service manager does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"does not end on SIGTERM\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL to the server alone; what it started has to notice by itself."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    def end(self) -> None:
        """Whatever became of it: leave no process behind."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=PATIENCE_S)
            self._release_guard()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    # --- what an operator sees -------------------------------------------------------------------

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def group(self) -> dict[int, int]:
        """Resident bytes of each living process of the server, itself included (Linux)."""
        found = {}
        page = os.sysconf("SC_PAGE_SIZE")
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    resident = int((folder / "statm").read_text().split()[1])
                    found[int(folder.name)] = resident * page
        return found

    # --- its commands ----------------------------------------------------------------------------

    def command(
        self, *words: object, code: int | None = 0, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """`anello WORDS --data DIR`, in the server's own environment; ``code`` None: any."""
        done = subprocess.run(
            [sys.executable, "-m", "anello.cli", *map(str, words), "--data", str(self.data)],
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = f"anello {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in said, said
        assert code is None or done.returncode == code, said
        return done

    def create_key(self, name: str, units: int, expires: datetime | None = None) -> str:
        until_when = [] if expires is None else ["--expires", expires.isoformat()]
        done = self.command("keys", "create", "--name", name, "--units", units, *until_when)
        lines = [line for line in done.stdout.splitlines() if line.startswith("sk-")]
        assert len(lines) == 1, done.stdout
        return lines[0]

    def add_webhook(self, url: str, key_name: str, secret: str | None = None) -> tuple[str, str]:
        """The endpoint's secret and id."""
        given = [] if secret is None else ["--secret", secret]
        done = self.command("webhooks", "add", url, "--key-name", key_name, *given)
        said = dict(
            line.split(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) == 2
        )
        assert {"secret", "id"} <= said.keys(), done.stdout
        return said["secret"], said["id"]
