"""The outermost layer: what is done for every request, whatever becomes of it."""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anello.faults import describe_error
from anello.web.headers import complete
from anello.web.metrics import RequestMetrics
from anello.web.problems import CLIENT_GONE, UNEXPECTED
from anello.web.request_id import RequestIds

log = structlog.get_logger()

NO_ROUTE: Final = "none"


class Edge:
    """Gives each request its id, its line in the log, its count, and its safe headers."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._ids.next())
        began = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            exchange.report(error)
            await exchange.fail()
        finally:
            spent_s = time.perf_counter() - began
            self._metrics.observe(scope["method"], exchange.route, exchange.status, spent_s)
            exchange.log(spent_s)


class Exchange:
    """A request and its answer, as they pass.

    Endpoints leave word in the request's state: ``account``, ``error_code``, ``rate_limit``
    (headers), ``close`` (the connection can't be used again).
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._request_id = request_id
        self._was_read = False
        self._started = False
        self._bytes_in = 0
        self._bytes_out = 0
        self.status = CLIENT_GONE

    @property
    def route(self) -> str:
        """The route's template, or its folder: the path itself could be any text at all."""
        route = self._scope.get("route")
        folder: str = self._scope.get("root_path") or NO_ROUTE
        return getattr(route, "path_format", folder)

    async def receive(self) -> Message:
        self._was_read = True
        message = await self._receive()
        self._bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            self._complete(MutableHeaders(scope=message))
        self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def fail(self) -> None:
        """Answer 500; or, where an answer has begun, have the connection cut."""
        if self._started:
            raise ConnectionAbortedError("the answer could not be finished") from None
        body = UNEXPECTED.model_dump_json().encode()
        headers = MutableHeaders(
            {"Content-Type": "application/json", "Content-Length": str(len(body))}
        )
        self._state["error_code"] = UNEXPECTED.error_code
        await self.send(
            {"type": "http.response.start", "status": UNEXPECTED.status, "headers": headers.raw}
        )
        await self.send({"type": "http.response.body", "body": body})

    def report(self, error: Exception) -> None:
        log.error(
            "unexpected error",
            request_id=self._request_id,
            route=self.route,
            error=describe_error(error),
        )

    def log(self, spent_s: float) -> None:
        """One line: no path, no query, no header, nothing that opens a door."""
        account = self._state.get("account")
        log.info(
            "request",
            request_id=self._request_id,
            method=self._scope["method"],
            route=self.route,
            status=self.status,
            ms=round(spent_s * 1000, 2),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            account=account and account.id,
            key_name=account and account.name,
            error_code=self._state.get("error_code"),
        )

    def _complete(self, headers: MutableHeaders) -> None:
        headers["x-request-id"] = self._request_id
        complete(headers, self._scope["path"])
        for name, value in self._state.get("rate_limit", ()):
            headers[name] = value
        if self._state.get("close") or self._is_waiting():
            headers["Connection"] = "close"

    def _is_waiting(self) -> bool:
        """Whether the client waits for a go-ahead it won't get: what it sends next is anyone's
        guess, a body or another request."""
        return not self._was_read and "expect" in Headers(scope=self._scope)
