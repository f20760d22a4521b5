"""The guarded way out, against servers on loopback that answer as servers should not."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anello import __version__
from anello.adapters import http_out
from anello.adapters.addresses import is_public
from anello.adapters.http_out import MAX_REDIRECTS, FetchRefused, OutgoingHttp

HERE = "127.0.0.1"
MAX = 1000
NO_TLS = "the server does not speak TLS as it should"
SHORT_S = 0.3

# For the name rings.example, from 2020 to 2120; trusted by nobody unless told to.
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxkIMGRhxx9HOqNL0
QrcTwtWOYUFlPv7hrFTYvA6iDe2hRANCAASCAau8gGxq4VHclt3HfU10XAY6WI1C
QUXF7e+aM2b5FIE3yRPwKCijkEgYz0RnC7gMDPyi9KM4ebo4daRzNq7u
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBfDCCASOgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1yaW5ncy5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1yaW5ncy5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEggGr
vIBsauFR3Jbdx31NdFwGOliNQkFFxe3vmjNm+RSBN8kT8Cgoo5BIGM9EZwu4DAz8
ovSjOHm6OHWkczau7qNcMFowDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMC
AoQwHQYDVR0OBBYEFEUxTSUQz6ZyMQrSHSmTNrhNgFReMBgGA1UdEQQRMA+CDXJp
bmdzLmV4YW1wbGUwCgYIKoZIzj0EAwIDRwAwRAIgeNRNJVAw2VOHvdS6IseNDs1H
S6dj5qhYk6WufmXllYECIEZSvunbmSrU5KsUJSMKgSwk7Eq9cDY4itVO+RmI9gdT
-----END CERTIFICATE-----
"""


class Server:
    """Raw sockets: keeps what it was asked, and does with the connection as it is told."""

    def __init__(self, answer: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None):
        self.asked: list[bytes] = []
        self.closing = threading.Event()
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server((HERE, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def url(
        self, path: str = "/ring.png", host: str = "rings.example", scheme: str = "http"
    ) -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.asked.append(_request(connection))
                self._answer(self, connection)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, body = data.split(b"\r\n\r\n", 1)
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while length and len(body) < int(length[0].split(b":")[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def _head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def _whole(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    return _head(f"Content-Length: {len(body)}", *lines, status=status) + body


def _until_close(body: bytes) -> bytes:
    return _head() + body


def _redirect(target: str, status: str = "302 Found") -> bytes:
    return _whole(b"", f"Location: {target}", status=status)


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that says these bytes, or calls this; closed after the test."""
    with ExitStack() as stack:

        def start(
            answer: bytes | Callable[[Server, socket.socket], None],
            tls: ssl.SSLContext | None = None,
        ) -> Server:
            does = (lambda _, it: it.sendall(answer)) if isinstance(answer, bytes) else answer
            server = Server(does, tls)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the guard be watched at work on connections: one loopback address passes as public."""
    monkeypatch.setattr(http_out, "is_public", lambda ip: ip == HERE or is_public(ip))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """What the server of rings.example speaks."""
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "certificate.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))


class Names:
    """A resolver: all names are here, but for those given; counts what it is asked."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._addresses = addresses

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._addresses.get(host.split(".")[0], [HERE])


def _open(
    resolve: Callable[[str], Sequence[str]] | None = None, *, timeout_s: float = 20.0
) -> OutgoingHttp:
    return OutgoingHttp(
        True, fetch_timeout_s=timeout_s, post_timeout_s=timeout_s, resolve=resolve or Names()
    )


def _guarded(resolve: Callable[[str], Sequence[str]] | None = None) -> OutgoingHttp:
    return OutgoingHttp(False, resolve=resolve or Names())


def _refusal(out: OutgoingHttp, url: str, max_bytes: int = MAX) -> FetchRefused:
    (refusal,) = out.fetch_all([url], max_bytes)
    assert isinstance(refusal, FetchRefused)
    return refusal


# --- fetching


def test_bodies_come_in_the_order_of_their_urls(serve: Serve) -> None:
    def slow(server: Server, connection: socket.socket) -> None:
        fast.closing.wait(0.2)
        connection.sendall(_whole(b"slow"))

    fast, late = serve(_whole(b"fast")), serve(slow)
    missing = serve(_whole(b"no", status="404 Not Found"))
    first, second, third, fourth = _open().fetch_all(
        [late.url(), fast.url(), missing.url(), "ftp://rings.example/"], MAX
    )
    assert (first, second) == (b"slow", b"fast")
    assert isinstance(third, FetchRefused)
    assert third.reason == "HTTP 404"
    assert isinstance(fourth, FetchRefused)
    assert _open().fetch_all([], MAX) == []


def test_urls_are_fetched_at_the_same_time(serve: Serve) -> None:
    all_here = threading.Barrier(5, timeout=20)

    def when_all_are_here(server: Server, connection: socket.socket) -> None:
        all_here.wait()
        connection.sendall(_whole(b"x"))

    server = serve(when_all_are_here)
    assert _open().fetch_all([server.url()] * 5, MAX) == [b"x"] * 5


def test_the_request_names_the_host_and_asks_for_plain_bytes(serve: Serve) -> None:
    server = serve(_whole(b"x"))
    _open().fetch_all([server.url("/a%20b/ü?q=1&r=%2F#part")], MAX)
    line, *headers = server.asked[0].decode().split("\r\n")
    assert line == "GET /a%20b/%C3%BC?q=1&r=%2F HTTP/1.1"
    assert f"Host: rings.example:{server.port}" in headers
    assert "Accept-Encoding: identity" in headers
    assert f"User-Agent: anello/{__version__}" in headers


def test_a_name_is_asked_for_in_ascii(serve: Serve) -> None:
    server, names = serve(_whole(b"x")), Names()
    assert _open(names).fetch_all([server.url(host="Ringé.example")], MAX) == [b"x"]
    assert names.asked == ["xn--ring-epa.example"]
    assert f"Host: xn--ring-epa.example:{server.port}".encode() in server.asked[0]


def test_the_system_resolves_names(serve: Serve) -> None:
    server = serve(_whole(b"x"))
    urls = [server.url(host=host) for host in (HERE, "localhost", "127.1", "0x7f000001")]
    assert OutgoingHttp(True).fetch_all(urls, MAX) == [b"x"] * 4


def test_the_environment_s_proxies_are_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert _open().fetch_all([serve(_whole(b"x")).url()], MAX) == [b"x"]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_an_empty_body_is_a_body(serve: Serve, status: str) -> None:
    server = serve(_whole(b"", status=status))
    assert _open().fetch_all([server.url()], MAX) == [b""]


@pytest.mark.parametrize(
    "status", ["199 Odd", "300 Many", "304 Same", "401 No", "500 Ouch", "999 ?"]
)
def test_other_statuses_are_refused_by_their_number(serve: Serve, status: str) -> None:
    server = serve(_head("Connection: close", status=status))
    if not status.startswith("1"):
        assert _refusal(_open(), server.url()).reason == f"HTTP {status[:3]}"
    else:  # more was announced than ever came
        assert not _refusal(_open(), server.url()).too_large


# --- sizes


def test_the_limit_is_the_first_size_that_is_too_large(serve: Serve) -> None:
    below, at = b"x" * (MAX - 1), b"x" * MAX
    urls = [serve(head(body)).url() for head in (_whole, _until_close) for body in (below, at)]
    sized, sized_at, unsized, unsized_at = _open().fetch_all(urls, MAX)
    assert sized == unsized == below
    for refusal in (sized_at, unsized_at):
        assert isinstance(refusal, FetchRefused)
        assert refusal.too_large


def test_a_declared_size_is_enough_to_refuse(serve: Serve) -> None:
    def declare(server: Server, connection: socket.socket) -> None:
        connection.sendall(_head(f"Content-Length: {MAX}"))
        server.closing.wait()

    refusal = _refusal(_open(), serve(declare).url())
    assert refusal.too_large
    assert refusal.reason == "the file is too large"


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_body_is_cut(serve: Serve, chunked: bool) -> None:
    sent = 0

    def pour(server: Server, connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(_head("Transfer-Encoding: chunked" if chunked else "X-Length: none"))
        while not server.closing.is_set():
            connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n" if chunked else b"x" * 1024)
            sent += 1024

    assert _refusal(_open(), serve(pour).url(), max_bytes=100_000).too_large
    assert sent < 50_000_000  # what the sockets' buffers hold, not what could be poured


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "zstd", "x-unknown"])
def test_a_compressed_body_is_refused(serve: Serve, encoding: str) -> None:
    server = serve(_whole(b"\x1f\x8b", f"Content-Encoding: {encoding}"))
    assert _refusal(_open(), server.url()).reason == "the answer is compressed"


def test_identity_is_not_compressed(serve: Serve) -> None:
    server = serve(_whole(b"x", "Content-Encoding: Identity"))
    assert _open().fetch_all([server.url()], MAX) == [b"x"]


# --- time: each of these servers goes on until it is closed, after the deadline has refused it


def _silent(server: Server, connection: socket.socket) -> None:
    server.closing.wait()


def _drip(begin: bytes, drop: bytes) -> Callable[[Server, socket.socket], None]:
    def drip(server: Server, connection: socket.socket) -> None:
        connection.sendall(begin)
        while not server.closing.wait(0.02):
            connection.sendall(drop)

    return drip


SLOW = {
    "silence": _silent,
    "one header without end": _drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "headers without end": _drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n"),
    "informational answers without end": _drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a sized body": _drip(_head(f"Content-Length: {MAX - 1}"), b"x"),
    "a body until the end": _drip(_head(), b"x"),
    "a chunked body": _drip(_head("Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("how", SLOW)
def test_the_deadline_ends_what_is_slow(serve: Serve, how: str) -> None:
    refusal = _refusal(_open(timeout_s=SHORT_S), serve(SLOW[how]).url(), max_bytes=10**9)
    assert refusal.reason == "not done within 0.3 s"
    assert not refusal.too_large


def test_the_deadline_ends_a_handshake() -> None:
    with socket.create_server((HERE, 0)) as mute:  # takes connections, says nothing
        url = f"https://rings.example:{mute.getsockname()[1]}/"
        refusal = _refusal(_open(timeout_s=SHORT_S), url)
    assert refusal.reason == "the server did not take the connection in time"


def test_the_deadline_ends_a_look_up_and_does_not_wait_for_it() -> None:
    enough = threading.Event()

    def slow(host: str) -> Sequence[str]:
        enough.wait()
        return [HERE]

    out = _open(slow, timeout_s=SHORT_S)
    try:
        assert _refusal(out, "http://rings.example/").reason.startswith("not done")
        with pytest.raises(FetchRefused, match="not done"):
            out.check("http://rings.example/")
        assert out.post("http://rings.example/", b"", {}).status is None
    finally:
        enough.set()
        for thread in threading.enumerate():
            if thread.name == "anello-resolve":
                thread.join()


def test_the_deadline_spans_all_redirects(serve: Serve) -> None:
    def again(server: Server, connection: socket.socket) -> None:
        server.closing.wait(SHORT_S / 2)
        connection.sendall(_redirect("/again"))

    assert _refusal(_open(timeout_s=SHORT_S), serve(again).url()).reason.startswith("not done")


# --- where to


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["93.184.215.14", "10.0.0.1"],
        ["::ffff:169.254.169.254", "93.184.215.14"],
        ["fe80::1%eth0"],
    ],
)
def test_one_address_that_is_not_public_is_enough_to_refuse(addresses: Sequence[str]) -> None:
    out = _guarded(Names(rings=addresses))
    refusal = _refusal(out, "http://rings.example/")
    assert refusal.reason == str(refusal) == "the address is not public"
    with pytest.raises(FetchRefused, match="not public"):
        out.check("https://rings.example/")
    answer = out.post("http://rings.example/", b"{}", {})
    assert (answer.status, answer.error) == (None, "the address is not public")


def test_nothing_is_sent_to_an_address_that_is_not_public(serve: Serve) -> None:
    server = serve(_whole(b"x"))
    for host in (HERE, "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"):
        assert _refusal(OutgoingHttp(False), server.url(host=host)).reason == (
            "the address is not public"
        )
    assert server.asked == []


def test_a_check_resolves_and_does_not_connect() -> None:
    names = Names(rings=["93.184.215.14", "2606:2800:21f::1"])
    _guarded(names).check("https://rings.example/hook")
    assert names.asked == ["rings.example"]


def test_a_name_that_is_not_known_is_refused() -> None:
    def unknown(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolve in (unknown, lambda host: []):
        assert _refusal(_open(resolve), "http://no.example/").reason == "the host name is not known"
    assert OutgoingHttp(True).post("http://no.invalid/", b"", {}).error is not None


@pytest.mark.usefixtures("loopback_is_public")
def test_the_connection_goes_to_the_address_that_was_checked(serve: Serve) -> None:
    server, asked = serve(_whole(b"x")), []

    def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return [HERE] if len(asked) == 1 else ["127.0.0.2"]

    assert _guarded(rebinding).fetch_all([server.url()], MAX) == [b"x"]
    assert asked == ["rings.example"]


@pytest.mark.usefixtures("loopback_is_public")
def test_each_hop_is_looked_up_once_and_checked_anew(serve: Serve) -> None:
    server, asked = serve(_redirect("/again")), []

    def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return [HERE] if len(asked) == 1 else ["127.0.0.2"]

    assert _refusal(_guarded(rebinding), server.url()).reason == "the address is not public"
    assert len(asked) == 2
    assert len(server.asked) == 1


def test_the_next_address_is_tried_where_the_first_takes_no_connection(serve: Serve) -> None:
    server = serve(_whole(b"x"))
    out = _open(Names(rings=["127.0.0.2", HERE]))
    assert out.fetch_all([server.url()], MAX) == [b"x"]
    assert out.post(server.url(), b"{}", {}).status == 200


@pytest.mark.usefixtures("trusted")
def test_the_next_address_is_tried_where_the_first_stays_silent(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    server = serve(_whole(b"x"), tls)
    with socket.create_server(("127.0.0.2", server.port)):
        out = _open(Names(rings=["127.0.0.2", HERE]), timeout_s=4.0)
        assert out.fetch_all([server.url(scheme="https")], MAX) == [b"x"]


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server((HERE, 0)) as gone:
        port = gone.getsockname()[1]
    assert (
        _refusal(_open(), f"http://rings.example:{port}/").reason == "the server can't be reached"
    )


# --- redirects


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_a_redirect_is_followed(serve: Serve, status: str) -> None:
    target = serve(_whole(b"there"))
    server = serve(_redirect(target.url("/there", host="cdn.example"), status))
    assert _open().fetch_all([server.url()], MAX) == [b"there"]
    assert f"Host: cdn.example:{target.port}".encode() in target.asked[0]


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://127.0.0.2/", "the address is not public"),
        ("http://inside.example/", "the address is not public"),
        ("//inside.example/", "the address is not public"),
        ("http://[::1]/", "the address is not public"),
        ("http://169.254.169.254/latest/meta-data/", "the address is not public"),
        ("file:///etc/passwd", "the URL must start with http:// or https://"),
        ("gopher://127.0.0.1/", "the URL must start with http:// or https://"),
        ("http://name:hush@rings.example/", "the URL must not carry a name or password"),
        ("http://[", "the URL is malformed"),
        ("/a b", "the URL has characters that must be percent-encoded"),
        (
            "http://rings.example\\@evil.example",
            "the URL has characters that must be percent-encoded",
        ),
    ],
)
def test_a_redirect_is_checked_as_the_first_url(serve: Serve, target: str, reason: str) -> None:
    def resolve(host: str) -> Sequence[str]:
        named = {"rings.example": [HERE], "inside.example": ["10.0.0.1"]}
        return named.get(host, [host])

    server = serve(_redirect(target))
    assert _refusal(_guarded(resolve), server.url()).reason == reason
    assert len(server.asked) == 1


def test_redirects_end(serve: Serve) -> None:
    server = serve(_redirect("/again"))
    assert _refusal(_open(), server.url()).reason == "too many redirects"
    assert len(server.asked) == 1 + MAX_REDIRECTS


def test_as_many_redirects_as_are_allowed(serve: Serve) -> None:
    def answer(server: Server, connection: socket.socket) -> None:
        there = len(server.asked) > MAX_REDIRECTS
        connection.sendall(_whole(b"there") if there else _redirect("/on"))

    assert _open().fetch_all([serve(answer).url()], MAX) == [b"there"]


def test_a_redirect_to_nowhere_is_a_status(serve: Serve) -> None:
    server = serve(_whole(b"", status="302 Found"))
    assert _refusal(_open(), server.url()).reason == "HTTP 302"


# --- TLS


def test_a_certificate_that_nobody_trusts_is_refused(serve: Serve, tls: ssl.SSLContext) -> None:
    server = serve(_whole(b"x"), tls)
    reason = "the server's certificate is not valid"
    assert _refusal(_open(), server.url(scheme="https")).reason == reason
    assert _open().post(server.url(scheme="https"), b"{}", {}).error == reason
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_the_certificate_is_verified_for_the_name_not_the_address(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    named: list[str | None] = []
    tls.sni_callback = lambda _, name, context: named.append(name)
    server = serve(_whole(b"x"), tls)
    good = [server.url(scheme="https", host=host) for host in ("rings.example", "rings.example.")]
    assert _open().fetch_all(good, MAX) == [b"x", b"x"]
    assert named == ["rings.example", "rings.example"]
    for host in ("other.example", HERE, "[::1]"):
        refusal = _refusal(_open(lambda _: [HERE]), server.url(scheme="https", host=host))
        assert refusal.reason == "the server's certificate is not valid"
    assert len(server.asked) == 2


@pytest.mark.usefixtures("trusted")
def test_a_redirect_to_another_name_at_the_same_address_is_verified_for_it(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    def elsewhere(server: Server, connection: socket.socket) -> None:
        connection.sendall(_redirect(server.url(scheme="https", host="other.example")))
        server.closing.wait()  # the connection stays usable

    server = serve(elsewhere, tls)
    refusal = _refusal(_open(), server.url(scheme="https"))
    assert refusal.reason == "the server's certificate is not valid"
    assert len(server.asked) == 1


def test_a_server_without_tls(serve: Serve) -> None:
    server = serve(_whole(b"x"))
    with _speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert _refusal(_open(), f"https://rings.example:{port}/").reason == NO_TLS
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_tls_that_breaks_midway(serve: Serve, tls: ssl.SSLContext) -> None:
    def spoil(server: Server, connection: socket.socket) -> None:
        connection.sendall(_head("Content-Length: 10"))
        with socket.socket(fileno=os.dup(connection.fileno())) as plain:
            plain.sendall(b"these bytes are no record of TLS")
        server.closing.wait()

    server = serve(spoil, tls)
    assert _refusal(_open(), server.url(scheme="https")).reason.startswith("the connection broke")
    assert _open().post(server.url(scheme="https"), b"{}", {}).status == 200


@contextmanager
def _speaking(first: bytes) -> Iterator[int]:
    """The port of a server that speaks before it is spoken to."""
    with socket.create_server((HERE, 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                connection.recv(65536)

        thread = threading.Thread(target=speak)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


# --- what is not HTTP


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0" * 100,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        _head("Content-Length: 10") + b"short",
        _head("Content-Length: -1") + b"x",
        _head("Content-Length: " + "9" * 5000) + b"x",
        _head("Content-Length: 1", "Content-Length: 2") + b"xx",
        _head("Transfer-Encoding: chunked") + b"zz\r\n",
        _head("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        _head("no colon") + b"x",
        _head("X-Long: " + "x" * 300_000),
        _head(*[f"X-{i}: x" for i in range(50_000)]),
        _head("Upgrade: websocket", "Connection: upgrade", status="101 Switching Protocols"),
        _head("Location: \xff\xfe://", "Content-Length: 0", status="302 Found"),
        _head("Location: http://\xe9\xe9:\xe9/", "Content-Length: 0", status="302 Found"),
    ],
)
def test_whatever_is_said_is_refused(serve: Serve, said: bytes) -> None:
    refusal = _refusal(_open(timeout_s=5.0), serve(said).url())
    assert not refusal.reason.startswith("not done")
    assert _open().post(serve(said).url(), b"{}", {}).status in (None, 101, 200, 302)


any_text = st.text(st.characters(codec=None, categories=None))


@settings(deadline=None, max_examples=60)
@given(any_text | any_text.map("http://rings.example/{}".format) | any_text.map("http://{}".format))
def test_any_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    out = _guarded()  # where every name is on loopback
    assert isinstance(out.fetch_all([text], MAX)[0], FetchRefused)
    assert out.post(text, b"", {}).status is None
    with pytest.raises(FetchRefused):
        out.check(text)


# --- posting


def test_a_post_sends_body_and_headers_as_they_are(serve: Serve) -> None:
    server = serve(_whole(b"thanks", status="202 Accepted"))
    headers = {"content-type": "application/json", "webhook-id": "msg_1:2"}
    answer = _open().post(server.url("/hook?a=1"), b'{"a":1}', headers)
    assert (answer.status, answer.error, answer.retry_after_s) == (202, None, None)
    assert answer.ms > 0
    head, body = server.asked[0].split(b"\r\n\r\n")
    line, *sent = head.decode().split("\r\n")
    assert line == "POST /hook?a=1 HTTP/1.1"
    assert body == b'{"a":1}'
    assert {"content-type: application/json", "webhook-id: msg_1:2"} <= set(sent)
    assert {f"Host: rings.example:{server.port}", "Content-Length: 7"} <= set(sent)
    assert f"User-Agent: anello/{__version__}" in sent


@pytest.mark.parametrize("target", ["/elsewhere", "http://[", "http://127.0.0.1:1/", "\xff"])
def test_a_post_follows_no_redirect(serve: Serve, target: str) -> None:
    server = serve(_redirect(target, "307 Temporary Redirect"))
    answer = _open().post(server.url(), b"{}", {})
    assert (answer.status, answer.error) == (307, None)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("410 Gone", None), ("500 Ouch", None), ("429 Later", None)]
)
def test_a_status_is_an_answer_whatever_it_says(
    serve: Serve, status: str, reason: str | None
) -> None:
    answer = _open().post(serve(_whole(b"x", status=status)).url(), b"{}", {})
    assert (answer.status, answer.error) == (int(status[:3]), reason)


@pytest.mark.parametrize("how", SLOW)
def test_the_deadline_ends_a_post(serve: Serve, how: str) -> None:
    has_status = "body" in how  # then it came in time, and is what counts
    timeout_s = 1.0 if has_status else SHORT_S
    answer = _open(timeout_s=timeout_s).post(serve(SLOW[how]).url(), b"{}", {})
    expected = (200, None) if has_status else (None, "not done within 0.3 s")
    assert (answer.status, answer.error) == expected
    assert answer.ms >= timeout_s * 900


def test_little_of_an_answer_s_body_is_read(serve: Serve) -> None:
    def pour(server: Server, connection: socket.socket) -> None:
        connection.sendall(_head("Content-Encoding: gzip"))
        while not server.closing.is_set():
            connection.sendall(b"x" * 65536)

    assert _open().post(serve(pour).url(), b"{}", {}).status == 200


def test_a_body_that_nobody_reads_is_given_up(serve: Serve) -> None:
    with socket.create_server((HERE, 0)) as mute:
        url = f"http://rings.example:{mute.getsockname()[1]}/"
        answer = _open(timeout_s=SHORT_S).post(url, b"x" * 50_000_000, {})
    assert (answer.status, answer.error) == (None, "not done within 0.3 s")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("1.5", 1.5),
        ("86401", 86400),
        ("9" * 500, 86400),
        (formatdate(time.time() + 10**8, usegmt=True), 86400),
        ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        (formatdate(time.time() - 60, usegmt=True), None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
        ("Fri, 01 Jan 99999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2100 00:00:00 +9999999999", None),
    ],
)
def test_retry_after(serve: Serve, header: str, seconds: float | None) -> None:
    head = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\nRetry-After: "
    server = serve(head + header.encode() + b"\r\n\r\n")
    answer = _open().post(server.url(), b"{}", {})
    assert (answer.status, answer.retry_after_s) == (503, seconds)


def test_retry_after_a_date(serve: Serve) -> None:
    server = serve(
        _whole(b"", f"Retry-After: {formatdate(time.time() + 3600, usegmt=True)}", status="503 x")
    )
    wait_s = _open().post(server.url(), b"{}", {}).retry_after_s
    assert wait_s is not None
    assert 3600 - 120 < wait_s <= 3600
