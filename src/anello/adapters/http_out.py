"""The way out: pictures fetched from URLs of clients, notifications posted to their servers.

A client's URL must not become a way into the network this server is in. So a host is looked up
once, every address it has must be public, and the connection goes to an address that was checked:
a name that means something else a moment later gains nothing. Each redirect is checked as the
first URL was. One deadline spans look-up, connection, head and body, and no more bytes are read
than are wanted.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from anello import __version__
from anello.adapters.addresses import BadUrl, ascii_host, is_public, parse_url, redirected

MAX_REDIRECTS = 5
MAX_ANSWER_BYTES = 64 * 1024  # of what a notified server says
MAX_RETRY_AFTER_S = 24 * 3600.0

# Compressed bodies are not asked for, and refused: a small one can unpack to any size.
HEADERS = {"User-Agent": f"anello/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}

Resolve = Callable[[str], Sequence[str]]
"""The addresses of a host, given by its ASCII name or a literal; ``OSError`` if it has none."""


class FetchRefused(Exception):
    """Nothing was fetched; ``reason`` says why, in words that a client may read."""

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a POST: the status, or the reason why there is none."""

    status: int | None
    error: str | None
    retry_after_s: float | None
    ms: float


class OutgoingHttp:
    """GET and POST to servers that nobody here trusts; for threads that run no event loop."""

    def __init__(
        self,
        allow_private: bool,
        *,
        fetch_timeout_s: float = 10.0,
        post_timeout_s: float = 15.0,
        resolve: Resolve | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._fetch_timeout_s = fetch_timeout_s
        self._post_timeout_s = post_timeout_s
        self._resolve = resolve or _system_addresses
        self._tls = _Tls()

    def fetch_all(self, urls: Sequence[str], max_bytes: int) -> list[bytes | FetchRefused]:
        """The bodies behind the URLs, in their order, each below ``max_bytes``, or why not."""

        async def fetch_together() -> list[bytes | FetchRefused]:
            return await asyncio.gather(*(self._fetch_or_say(url, max_bytes) for url in urls))

        return asyncio.run(fetch_together())

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once, follow nothing; whatever the other side does is an ``Answer``."""
        return asyncio.run(self._post(url, body, headers))

    def check(self, url: str) -> None:
        """Raise ``FetchRefused`` if the URL could not be fetched whatever its server says."""
        asyncio.run(self._check(url))

    async def _fetch_or_say(self, url: str, max_bytes: int) -> bytes | FetchRefused:
        try:
            return await self._fetch(url, max_bytes)
        except FetchRefused as refusal:
            return refusal

    async def _fetch(self, text: str, max_bytes: int) -> bytes:
        async with _guarded(self._fetch_timeout_s):
            url = parse_url(text)
            for _ in range(1 + MAX_REDIRECTS):
                async with self._opened(_request("GET", url, self._fetch_timeout_s)) as response:
                    if not response.has_redirect_location:
                        return await _wanted_body(response, max_bytes)
                    url = redirected(url, response.headers["Location"])
            raise FetchRefused("too many redirects")

    async def _post(self, text: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        started = time.perf_counter()
        status = error = retry_after_s = None
        try:
            async with _guarded(self._post_timeout_s):
                request = _request("POST", parse_url(text), self._post_timeout_s, body, headers)
                async with self._opened(request) as response:
                    status = response.status_code
                    retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
                    await _body(response, MAX_ANSWER_BYTES)
        except FetchRefused as refusal:
            if status is None:  # the status is the answer, however its body ends
                error = refusal.reason
        return Answer(status, error, retry_after_s, ms=(time.perf_counter() - started) * 1000)

    async def _check(self, text: str) -> None:
        async with _guarded(self._fetch_timeout_s):
            await self._addresses(parse_url(text))

    @asynccontextmanager
    async def _opened(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """The head of the answer, with its body still to be read.

        It is a bare transport, since a client would add cookies and read ``Location`` unasked; and
        a new one each time, since a connection that is kept would serve another name of the same
        address without its certificate being checked.
        """
        addresses = await self._addresses(request.url)
        async with httpx.AsyncHTTPTransport(verify=self._tls.context) as transport:
            response = await _first_answer(transport, [_aimed(request, ip) for ip in addresses])
            async with aclosing(response):
                yield response

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """All addresses of the host, from one look-up; refused if there is a bad one."""
        try:
            addresses = await _in_thread(lambda: list(self._resolve(ascii_host(url))))
        except OSError as error:
            raise FetchRefused("the host name is not known") from error
        if not addresses:
            raise FetchRefused("the host name is not known")
        if not self._allow_private and not all(map(is_public, addresses)):
            raise FetchRefused("the address is not public")
        return addresses


class _Tls(threading.local):
    """A TLS context for each thread: httpcore writes to it whenever it connects."""

    def __init__(self) -> None:
        self.context = httpx.create_ssl_context()


@asynccontextmanager
async def _guarded(timeout_s: float) -> AsyncIterator[None]:
    """What is wrong with a URL, or done by the network, or not in time: all ``FetchRefused``."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except BadUrl as error:
        raise FetchRefused(str(error)) from error
    except TimeoutError as error:
        raise FetchRefused(f"not done within {timeout_s:g} s") from error
    except httpx.ConnectTimeout as error:
        raise FetchRefused("the server did not take the connection in time") from error
    except httpx.ConnectError as error:
        raise FetchRefused(_why_unreachable(error)) from error
    except (httpx.TransportError, OSError) as error:  # a bare SSLError is among the latter
        raise FetchRefused("the connection broke, or does not speak HTTP") from error


def _why_unreachable(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not valid"
    if isinstance(error, ssl.SSLError):
        return "the server does not speak TLS as it should"
    cause = error.__cause__ or error.__context__
    return _why_unreachable(cause) if cause else "the server can't be reached"


def _system_addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def _in_thread(look_up: Callable[[], list[str]]) -> list[str]:
    """The look-up's result, from a thread that is left behind when the deadline passes.

    The loop's own executor would be waited for at the end of ``asyncio.run``, as long as a slow
    name server likes.
    """
    done: Future[list[str]] = Future()
    done.set_running_or_notify_cancel()  # from now on giving up does not touch it

    def run() -> None:
        try:
            done.set_result(look_up())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, name="anello-resolve", daemon=True).start()
    return await asyncio.wrap_future(done)


def _request(
    method: str,
    url: httpx.URL,
    timeout_s: float,
    body: bytes = b"",
    headers: Mapping[str, str] = {},
) -> httpx.Request:
    request = httpx.Request(method, url, headers=HEADERS, content=body)
    request.headers.update(headers)
    # One address that is silent leaves time to try the next.
    request.extensions["timeout"] = {"connect": timeout_s / 2}
    return request


def _aimed(request: httpx.Request, address: str) -> httpx.Request:
    """The request sent to the address; ``Host`` and the certificate stay those of its URL."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": ascii_host(request.url).rstrip(".")},
    )


async def _first_answer(
    transport: httpx.AsyncBaseTransport, requests: Sequence[httpx.Request]
) -> httpx.Response:
    """The answer of the first address that takes a connection, such as IPv4 where IPv6 is not."""
    *tries, last = requests
    for request in tries:
        try:
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await transport.handle_async_request(last)


async def _wanted_body(response: httpx.Response, max_bytes: int) -> bytes:
    if not response.is_success:
        raise FetchRefused(f"HTTP {response.status_code}")
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise FetchRefused("the answer is compressed")
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) >= max_bytes:
        raise _too_large()
    return await _body(response, max_bytes)


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) >= max_bytes:
            raise _too_large()
    return bytes(data)


def _too_large() -> FetchRefused:
    return FetchRefused("the file is too large", too_large=True)


def _retry_after_s(text: str) -> float | None:
    """Seconds from now until the time of a Retry-After header (RFC 9110, 10.2.3), if it is one."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text.strip()):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(wait_s, MAX_RETRY_AFTER_S) if wait_s >= 0 else None
