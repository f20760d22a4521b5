"""What an operator relies on: health, metrics, logs, first start, wrong settings, a full disk."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from client import DELETE, FILES, PRICES, RING, Client, bare_answer, merged, ok, refused
from pictures import HAND, no_ring, noise_png
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import PROC, Server, free_port, until

NewServer = Callable[..., Server]
NewClient = Callable[..., Client]

A_KEY = r"(?<![\w-])sk-[\w-]{20,}"
"""A key on its own: chance puts "sk-" into an account's id, too."""


def test_health_and_readiness_need_no_key(anonymous: Client) -> None:
    assert anonymous.call("GET", "/healthz").status_code == 200
    answer = anonymous.call("GET", "/readyz")
    assert answer.status_code == 200
    assert all(answer.json()["parts"].values())
    assert answer.headers["Cache-Control"] == "no-store"


def test_metrics_count_requests_tasks_and_analyses(client: Client) -> None:
    body = merged(client.upload(HAND), [client.upload(RING_JPEG)])
    for _ in range(2):
        client.run(body)
    answer = client.plain("GET", f"{client.base}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.text
    values = {
        name: float(value)
        for name, value in re.findall(r"^(anello_\w+(?:\{.*\})?) ([\d.e+-]+)$", text, re.M)
    }
    assert values["anello_tasks_created_total"] >= 2
    assert values['anello_tasks_ended_total{outcome="success"}'] >= 2
    requests_of = [name for name in values if name.startswith("anello_http_requests_total")]
    assert any(f'route="{RING}"' in name and 'status="200"' in name for name in requests_of)
    kept = [name for name in values if name.startswith("anello_analyses_total")]
    assert any("memory" in name for name in kept), kept
    assert client.key is not None
    assert client.key not in text


def test_the_description_tells_of_every_path(anonymous: Client) -> None:
    answer = anonymous.call("GET", "/openapi.json")
    assert answer.status_code == 200
    description = answer.json()
    assert description["openapi"].startswith("3.")
    for path in (*FILES, RING, f"{RING}/{{task_id}}", DELETE, PRICES, "/v1/inspect"):
        assert path in description["paths"], path


def test_the_reference_is_a_page_that_loads_nothing_from_elsewhere(anonymous: Client) -> None:
    answer = anonymous.call("GET", "/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    loaded = re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", answer.text)
    assert [one for one in loaded if one.startswith(("http", "//"))] == []
    for one in loaded:
        assert anonymous.plain("GET", f"{anonymous.base}/{one.lstrip('/')}").status_code == 200


def test_every_answer_is_safe_for_browsers(client: Client, anonymous: Client) -> None:
    for answer in (
        client.call("GET", PRICES),
        client.call("GET", "/no/such"),
        anonymous.call("GET", PRICES),
        client.call("GET", "/docs"),
        client.post({}),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "uvicorn" not in answer.headers.get("Server", "")


def test_the_first_start_makes_and_shows_one_key(folder_server: NewServer) -> None:
    server = folder_server().start()
    (key,) = re.findall(A_KEY, server.log_text())
    with Client(server.base, key) as client:
        assert client.units() > 0
        ok(client.call("GET", PRICES))
    for path in server.data.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), f"{path.name} holds the key"
    assert server.stop() == 0
    server.start()
    assert len(re.findall(A_KEY, server.log_text())) == 1, "shown again"
    with Client(server.base, key) as client:
        ok(client.call("GET", PRICES))


def test_no_key_is_made_where_there_is_one(server: Server) -> None:
    """The shared server's keys were made while it ran; one was made by its first start."""
    assert len(re.findall(A_KEY, server.log_text())) == 1


def test_a_second_server_on_the_same_folder_is_refused(server: Server) -> None:
    command = server.command("serve", "--port", free_port(), code=None)
    assert command.returncode == 1
    assert "Traceback" not in command.stderr


def log_lines(server: Server) -> list[dict[str, object]]:
    """The JSON lines; what is no line of log starts otherwise."""
    return [json.loads(line) for line in server.log_text().splitlines() if line.startswith("{")]


def test_the_log_has_one_line_a_request(client: Client, server: Server) -> None:
    answers = [
        client.call("GET", PRICES),
        client.post({}),
        client.call("GET", "/no/such"),
        client.call("GET", f"{RING}/unknown"),
    ]
    wanted = {answer.headers["x-request-id"]: answer.status_code for answer in answers}

    def found() -> dict[str, object]:
        lines = [one for one in log_lines(server) if one.get("request_id") in wanted]
        return {str(one["request_id"]): one["status"] for one in lines if "status" in one}

    until(lambda: found() == wanted, "the lines of log")
    ids = [one["request_id"] for one in log_lines(server) if "status" in one]
    assert len(ids) == len(set(ids)), "two lines of one request"


def test_the_log_keeps_secrets(
    client: Client, server: Server, receiver: Receiver, new_client: NewClient
) -> None:
    """Neither keys, signatures and addresses nor file names, bodies or tracebacks."""
    name = "holiday-in-anacapri.jpg"
    body = {"files": [{"content_type": "image/jpg", "file_name": name, "file_size": len(HAND)}]}
    (file,) = ok(client.call("POST", FILES[0], json=body))["data"]["files"]
    assert client.put(file, HAND).status_code == 200
    url = receiver.host(RING_JPEG) + "?token=shop-secret"
    data = client.run(merged(file["file_id"], [client.upload(RING_JPEG)]))
    client.download(data)
    client.run(merged(file["file_id"], [url]))
    refused(client.call("GET", "/no-such-path/private-word"), 404, "NotFound")
    signature = file["requests"][0]["url"].partition("?")[2]
    account = new_client(3)
    secret, _ = server.add_webhook(receiver.hook(), account.name)
    account.run(merged(account.upload(HAND), [account.upload(no_ring())]))
    with receiver.gate(RING_JPEG) as gate:
        cancelled = client.create(merged(client.upload(HAND), [gate.url]))
        gate.wait_until_asked()
        ok(client.call("POST", f"/v1/tasks/{cancelled}/cancel"))
    client.run(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    text = server.log_text()
    shown_once = re.findall(A_KEY, text)
    assert client.key is not None
    for word in (
        client.key,
        account.key or "",
        client.key[3:],
        "Bearer",
        signature,
        data["results"]["url"].partition("?")[2],
        "shop-secret",
        receiver.base,
        name,
        "private-word",
        secret,
        secret[6:],
        "Traceback",
    ):
        assert word not in text, word
    assert len(shown_once) == 1
    levels = {str(line.get("level")) for line in log_lines(server)}
    assert levels <= {"debug", "info", "warning"}, "errors were logged"
    welcome, lines = text.splitlines()[:3], text.splitlines()[3:]
    assert key_of(welcome)
    assert [line for line in lines if not line.startswith("{")] == [], "lines that are no JSON"


def key_of(welcome: list[str]) -> str:
    (key,) = (line for line in welcome if line.startswith("sk-"))
    return key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANELLO_WORKERS", "many"),
        ("ANELLO_RATE_LIMIT", "often"),
        ("ANELLO_RESULT_URL_TTL_S", "-5"),
    ],
)
def test_a_wrong_setting_is_named(folder_server: NewServer, name: str, value: str) -> None:
    server = folder_server(**{name: value})
    done = server.command("serve", "--port", server.port, code=None)
    assert done.returncode in {1, 2}
    assert name in done.stderr
    assert len(done.stderr.strip().splitlines()) < 12


def test_a_port_that_is_taken_is_said(folder_server: NewServer, receiver: Receiver) -> None:
    done = folder_server().command("serve", "--port", receiver.port, code=None)
    assert done.returncode == 1
    assert str(receiver.port) in done.stderr


def test_a_folder_that_can_not_be_made_is_said(folder_server: NewServer) -> None:
    server = folder_server()
    server.data = server.log / "data"  # within a file
    server.log.write_text("")
    done = server.command("serve", "--port", server.port, code=None)
    assert done.returncode == 1
    assert str(server.data) in done.stderr


def test_it_listens_on_loopback_unless_told_otherwise(folder_server: NewServer) -> None:
    if not PROC.exists():
        pytest.skip("reads /proc/net/tcp")
    server = folder_server()
    process = subprocess.Popen(
        [*server_words(), "--port", str(server.port), "--data", str(server.data)],
        env=server.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: listening(server.port), "the port")
        assert listening(server.port) == {"0100007F"}
    finally:
        process.kill()
        process.wait()


def server_words() -> list[str]:
    return [sys.executable, "-m", "anello.cli", "serve"]


def listening(port: int) -> set[str]:
    """The addresses, as /proc has them, that are listened on at a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in list(lines)[1:]:
                _, local, _, state, *_ = line.split()
                address, _, number = local.partition(":")
                if int(number, 16) == port and state == "0A":
                    found.add(address)
    return found


def test_a_full_disk_is_an_answer_and_passes(
    folder_server: NewServer, new_client: NewClient
) -> None:
    """Files above a size can't be written, as on a full disk; all else goes on."""
    if not PROC.exists():
        pytest.skip("sets another process's limits")
    import resource

    server = folder_server().start()
    client = new_client(10, on=server)
    limit_bytes = 6_000_000
    for pid in server.group():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    large = noise_png(8_000_000)
    (file,) = client.register(len(large), content_type="image/png")
    answer = client.put(file, large)
    refused(answer, 503, "error_upload")
    assert int(answer.headers["Retry-After"]) >= 1
    refused(client.post(merged(file["file_id"], [file["file_id"]])), 404, "NotFound")
    assert list(server.data.rglob("*.part")) == []
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    assert client.run(merged(hand, [ring]))["task_status"] == "success"
    for pid in server.group():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert client.put(file, large).status_code == 200
    assert client.call("GET", "/readyz").status_code == 200


def test_nonsense_on_the_wire_is_survived(client: Client, server: Server) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"POST " + RING.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST "
        + RING.encode()
        + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ):
        answer = bare_answer(server.port, nonsense)
        assert answer == b"" or answer.split(b" ")[1][:1] in {b"2", b"3", b"4"}, answer[:100]
    ok(client.call("GET", PRICES))


def test_doctor_finds_a_well_server_well(server: Server) -> None:
    said = server.command("doctor").stdout
    assert "ANELLO_RATE_LIMIT" in said
    assert "off" in said


def test_a_rotated_key_takes_the_place_of_the_old_one(
    new_client: NewClient, server: Server
) -> None:
    client = new_client(7)
    listed = server.command("keys", "list").stdout
    assert client.name in listed
    assert "sk-" not in listed
    (line,) = server.command("keys", "rotate", client.name).stdout.split()
    refused(client.call("GET", PRICES), 401, "InvalidApiKey")
    with Client(server.base, line) as rotated:
        assert rotated.units() == 7
