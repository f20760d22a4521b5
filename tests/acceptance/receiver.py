"""A server of the client's own: it hosts pictures and takes webhooks, as told, on loopback."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from server import PATIENCE_S, until


@dataclass(frozen=True)
class Received:
    """A request as it came. Header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Answer:
    """status 0: the connection is closed without a word."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_sized: bool = True


Answering = Callable[[Received], Answer]


class Gate:
    """A picture whose answer waits until it is released: its task runs for exactly as long."""

    def __init__(self, url: str, answer: Answer) -> None:
        self.url = url
        self._answer = answer
        self._asked, self._open = threading.Event(), threading.Event()

    def __call__(self, _: Received) -> Answer:
        self._asked.set()
        self._open.wait(PATIENCE_S)
        return self._answer

    def wait_until_asked(self) -> None:
        assert self._asked.wait(PATIENCE_S), f"nobody asked for {self.url}"

    def release(self) -> None:
        self._open.set()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Receiver:
    """Answers each path as it is told to, and remembers every request."""

    def __init__(self) -> None:
        self._answers: dict[str, Answering] = {}
        self._received: dict[str, list[Received]] = defaultdict(list)
        self._lock = threading.Lock()
        self._names = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.base = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on(self, answering: Answering, ending: str = "") -> str:
        """A new address, and what is answered there."""
        with self._lock:
            self._names += 1
            path = f"/{self._names}{ending}"
            self._answers[path] = answering
        return self.base + path

    def host(self, body: bytes, status: int = 200, **headers: str) -> str:
        """The address of a picture."""
        answer = Answer(status, body, {name.replace("_", "-"): v for name, v in headers.items()})
        return self.on(lambda _: answer, ".jpg")

    def gate(self, body: bytes) -> Gate:
        """The address of a picture that comes when released."""
        gate = Gate("", Answer(200, body))
        gate.url = self.on(gate, ".jpg")
        return gate

    def hook(
        self, answers: Sequence[Answer] = (), seen: Callable[[Received], None] = lambda _: None
    ) -> str:
        """The address of a webhook endpoint: these answers in turn, then 200 for ever.

        seen : called with each request before it is answered.
        """
        left = list(answers)

        def answering(request: Received) -> Answer:
            seen(request)
            with self._lock:
                return left.pop(0) if left else Answer(204)

        return self.on(answering)

    def received(self, url: str) -> list[Received]:
        """What came to an address so far."""
        with self._lock:
            return list(self._received[_route(url.removeprefix(self.base))])

    def wait_for(self, url: str, count: int, timeout_s: float = PATIENCE_S) -> list[Received]:
        def enough() -> list[Received]:
            found = self.received(url)
            return found if len(found) >= count else []

        return until(enough, f"{count} requests to {url}", timeout_s)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size_bytes = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size_bytes)
                request = Received(self.command, self.path, headers, body, time.time())
                with receiver._lock:
                    receiver._received[_route(self.path)].append(request)
                    answering = receiver._answers.get(_route(self.path), lambda _: Answer(404))
                answer = answering(request)
                with suppress(ConnectionError):  # whoever asked may be gone by now
                    self.send(answer)

            do_GET = do_HEAD = do_POST = answer

            def send(self, answer: Answer) -> None:
                if not answer.status:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.is_sized:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


def _route(path: str) -> str:
    return path.partition("?")[0]
