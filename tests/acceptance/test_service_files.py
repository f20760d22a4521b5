"""Contract F1 to F10: registering files, and bringing their bytes."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from client import FILES, RING, Client, Json, merged, ok, refused
from pictures import HAND, hand_mask_with_hole, headless_ring_mask, tagged
from pictures import RING as RING_JPEG
from server import PATIENCE_S, Server, until

MIB = 1024 * 1024
TOO_MANY_BYTES = 10 * MIB


def entry(**changed: Any) -> Json:
    usual = {"content_type": "image/jpg", "file_name": "hand.jpg", "file_size": 50000}
    return {name: value for name, value in (usual | changed).items() if value is not ...}


@pytest.mark.parametrize("path", FILES)
def test_f1_the_answer_has_its_fields(client: Client, path: str) -> None:
    (file,) = ok(client.call("POST", path, json={"files": [entry()]}))["data"]["files"]
    assert file["content_type"] == "image/jpg"
    assert file["file_name"] == "hand.jpg"
    assert isinstance(file["file_id"], str)
    assert len(file["file_id"]) >= 16
    (request,) = file["requests"]
    assert request["method"] == "PUT"
    assert request["url"].startswith(client.base + "/")
    assert isinstance(request["headers"], dict)


@pytest.mark.parametrize("path", FILES)
def test_f2_headers_are_strings_and_named_as_spelled(client: Client, path: str) -> None:
    body = {"files": [entry(content_type="image/jpg"), entry(content_type="image/png")]}
    for file, content_type in zip(
        ok(client.call("POST", path, json=body))["data"]["files"],
        ("image/jpg", "image/png"),
        strict=True,
    ):
        assert file["requests"][0]["headers"] == {
            "Content-Type": content_type,
            "Content-Length": "50000",
        }


def test_f3_many_in_many_out_in_order(client: Client) -> None:
    wanted = [entry(file_name=f"picture {at}.jpg", file_size=1000 + at) for at in range(20)]
    files = ok(client.call("POST", FILES[0], json={"files": wanted}))["data"]["files"]
    assert [file["file_name"] for file in files] == [one["file_name"] for one in wanted]
    lengths = [file["requests"][0]["headers"]["Content-Length"] for file in files]
    assert lengths == [str(one["file_size"]) for one in wanted]
    assert len({file["file_id"] for file in files}) == 20
    assert len({file["requests"][0]["url"] for file in files}) == 20


def test_f3_more_than_twenty_are_refused(client: Client) -> None:
    said = refused(
        client.call("POST", FILES[0], json={"files": [entry()] * 21}), 400, "InvalidParameters"
    )
    assert "files" in said


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    "content_type",
    ["image/jpg", "image/jpeg", "image/png", "IMAGE/JPEG", "Image/Png", "image/webp", "image/heic"],
)
def test_f4_image_types_in_any_case(client: Client, path: str, content_type: str) -> None:
    body = {"files": [entry(content_type=content_type)]}
    (file,) = ok(client.call("POST", path, json=body))["data"]["files"]
    assert file["content_type"] == content_type
    assert file["requests"][0]["headers"]["Content-Type"] == content_type


@pytest.mark.parametrize(
    "name", ["hand", "my hand (1).JPG", "指輪.png", "../../etc/passwd", "C:\\x\\y.jpg", "a" * 300]
)
def test_f4_any_name_is_taken_and_never_a_path(client: Client, name: str) -> None:
    body = {"files": [entry(file_name=name, file_size=len(HAND))]}
    (file,) = ok(client.call("POST", FILES[1], json=body))["data"]["files"]
    assert file["file_name"] == name
    url = file["requests"][0]["url"]
    assert name == "hand" or (name not in url and "etc" not in url)
    assert client.put(file, HAND).status_code == 200


@pytest.mark.parametrize("size", [1, TOO_MANY_BYTES - 1])
def test_f5_the_smallest_and_the_largest_size(client: Client, size: int) -> None:
    ok(client.call("POST", FILES[0], json={"files": [entry(file_size=size)]}))


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    "changed",
    [
        {"content_type": ...},
        {"file_name": ...},
        {"file_size": ...},
        {"content_type": None},
        {"content_type": 5},
        {"content_type": "text/plain"},
        {"content_type": "application/pdf"},
        {"content_type": "video/mp4"},
        {"content_type": "image"},
        {"content_type": "image/jpg\r\nX-Evil: 1"},
        {"content_type": ""},
        {"file_name": None},
        {"file_name": 7},
        {"file_name": ""},
        {"file_size": None},
        {"file_size": "50000"},
        {"file_size": True},
        {"file_size": 50000.5},
        {"file_size": [1]},
        {"file_size": 0},
        {"file_size": -1},
        {"file_size": TOO_MANY_BYTES},
        {"file_size": 10**30},
    ],
    ids=str,
)
def test_f5_a_wrong_entry_names_its_field(
    client: Client, path: str, changed: dict[str, Any]
) -> None:
    body = {"files": [entry(), entry(**changed)]}
    said = refused(client.call("POST", path, json=body), 400, "InvalidParameters")
    assert next(iter(changed)) in said


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"files"',
        b"\xff\xfe{}",
        b"{}",
        b'{"files": null}',
        b'{"files": []}',
        b'{"files": {}}',
        b'{"files": "x"}',
        b'{"files": [5]}',
        b'{"files": [[]]}',
        b'{"files": [null]}',
        b"[" * 100_000,
    ],
    ids=lambda body: str(body[:20]),
)
def test_f5_a_wrong_body_is_invalid_parameters(client: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.call("POST", FILES[0], headers=headers, data=body)
    refused(answer, 400, "InvalidParameters")


# --- PUT -----------------------------------------------------------------------------------------


@pytest.fixture
def file(client: Client) -> Json:
    """A registered file, with the bytes of HAND to come."""
    return client.register(len(HAND))[0]


def url_of(file: Json) -> str:
    return str(file["requests"][0]["url"])


def runs(client: Client, file_id: str) -> None:
    """The file is a hand photo that a task can use."""
    data = client.run(merged(file_id, [client.upload(RING_JPEG)]))
    assert data["task_status"] == "success", data


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "image/jpg"},
        {"Content-Type": "image/jpeg"},
        {"Content-Type": "image/png"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "image/jpg", "sec-fetch-mode": "cors", "Accept-Encoding": "br"},
        {"Content-Type": "image/jpg", "Authorization": "Bearer nonsense"},
    ],
    ids=str,
)
def test_f6_put_takes_what_clients_send(
    client: Client, file: Json, headers: dict[str, str]
) -> None:
    answer = client.plain("PUT", url_of(file), data=HAND, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content == b""


def test_f6_put_with_the_returned_headers_is_the_picture(client: Client, file: Json) -> None:
    answer = client.put(file, HAND)
    assert answer.status_code == 200, answer.text
    assert answer.content == b""
    runs(client, file["file_id"])


def test_f6_put_in_chunks(client: Client, file: Json) -> None:
    def chunks() -> Iterator[bytes]:
        for at in range(0, len(HAND), 7777):
            yield HAND[at : at + 7777]

    answer = client.plain("PUT", url_of(file), data=chunks(), headers={"Content-Type": "image/jpg"})
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert answer.status_code == 200, answer.text
    runs(client, file["file_id"])


def test_f6_put_that_waits_for_100_continue(client: Client, server: Server, file: Json) -> None:
    parts = urlsplit(url_of(file))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        head = (
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: image/jpg\r\nContent-Length: {len(HAND)}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(HAND)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"HTTP/1.1 200 " in answer.split(b"\r\n\r\n")[0] or b"\r\n\r\nHTTP/1.1 200 " in answer
    runs(client, file["file_id"])


def test_f6_put_again_replaces(client: Client, file: Json) -> None:
    assert client.put(file, bytes(len(HAND))).status_code == 200
    assert client.put(file, HAND).status_code == 200
    runs(client, file["file_id"])


def test_f6_put_after_use_is_refused(client: Client, file: Json) -> None:
    assert client.put(file, HAND).status_code == 200
    runs(client, file["file_id"])
    answer = client.put(file, bytes(len(HAND)))
    assert answer.status_code == 409, answer.text
    runs(client, file["file_id"])


def test_f6_a_put_that_breaks_off_leaves_no_file_and_can_be_repeated(
    client: Client, server: Server, file: Json
) -> None:
    parts = urlsplit(url_of(file))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(f"{head}Content-Length: {len(HAND)}\r\n\r\n".encode() + HAND[:5000])
    refused(client.post(merged(file["file_id"], [file["file_id"]])), 404, "NotFound")
    assert client.put(file, HAND).status_code == 200
    runs(client, file["file_id"])


def changed_query(url: str, **changed: str | None) -> str:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    merged_query = {k: v for k, v in (query | changed).items() if v is not None}
    return urlunsplit(parts._replace(query=urlencode(merged_query)))


def forgeries(url: str, other_url: str) -> list[str]:
    """The address with each part of it changed; ``other_url`` is a good one of another file."""
    parts, other = urlsplit(url), urlsplit(other_url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert query, "no signature in the query"
    found = [
        urlunsplit(parts._replace(query="")),
        urlunsplit(parts._replace(query=other.query)),
        urlunsplit(parts._replace(path=other.path)),
    ]
    for name, value in query.items():
        other_end = "0" if value[-1] != "0" else "1"
        found.append(changed_query(url, **{name: None}))
        found.append(changed_query(url, **{name: ""}))
        found.append(changed_query(url, **{name: value[:-1] + other_end}))
        found.append(changed_query(url, **{name: value + "0"}))
    return found


def test_f7_a_tampered_address_is_403(client: Client, file: Json) -> None:
    other = client.register(len(HAND))[0]
    for url in forgeries(url_of(file), url_of(other)):
        answer = client.plain("PUT", url, data=HAND)
        assert answer.status_code == 403, (url, answer.status_code, answer.text)
    for one in (file, other):
        refused(client.post(merged(one["file_id"], [one["file_id"]])), 404, "NotFound")
    assert client.put(file, HAND).status_code == 200


def test_f7_an_expired_address_is_403(strict_client: Client) -> None:
    (file,) = strict_client.register(len(HAND))
    assert strict_client.put(file, HAND).status_code == 200
    until(lambda: strict_client.put(file, HAND).status_code == 403, "the address to expire", 15)


def test_f7_a_result_address_is_none_to_upload_to(client: Client) -> None:
    data = client.run(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    answer = client.plain("PUT", data["results"]["url"], data=HAND)
    assert answer.status_code in {403, 404, 405}
    assert client.download(data)[:2] == b"\xff\xd8"


@pytest.mark.parametrize("is_chunked", [False, True], ids=["sized", "chunked"])
@pytest.mark.parametrize("size", [TOO_MANY_BYTES + 1, 12 * MIB])
def test_f7_over_10_mib_is_413_and_the_connection_survives(
    client: Client, server: Server, file: Json, is_chunked: bool, size: int
) -> None:
    parts = urlsplit(url_of(file))
    target = f"{parts.path}?{parts.query}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        body: Any = bytes(size)
        if is_chunked:
            body = (bytes(MIB if at + MIB <= size else size - at) for at in range(0, size, MIB))
        connection.request("PUT", target, body, encode_chunked=is_chunked)
        answer = connection.getresponse()
        assert answer.status == 413
        answer.read()
        assert connection.sock is not None, "the connection was closed"
        same = connection.sock
        connection.request("PUT", target, HAND)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert connection.sock is same
    finally:
        connection.close()
    runs(client, file["file_id"])


def test_f7_another_length_than_declared_is_400(client: Client, file: Json) -> None:
    for body in (HAND[:-1], HAND + b"x", b"", iter([HAND[:-1]]), iter([HAND, b"x"])):
        answer = client.plain("PUT", url_of(file), data=body)
        assert answer.status_code == 400, answer.text
    refused(client.post(merged(file["file_id"], [file["file_id"]])), 404, "NotFound")


# --- browsers ------------------------------------------------------------------------------------

ORIGIN = "https://shop.example"


def preflight(client: Client, url: str, method: str, headers: str) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    answer = client.plain("OPTIONS", url, headers=asked)
    assert answer.status_code in {200, 204}, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}
    assert method in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in headers.split(","))


def test_f8_preflight_and_upload_from_a_browser(client: Client, file: Json) -> None:
    preflight(client, url_of(file), "PUT", "content-type")
    headers = {"Origin": ORIGIN, "Content-Type": "image/jpg"}
    answer = client.plain("PUT", url_of(file), data=HAND, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}


def test_f8_preflight_and_download_from_a_browser(client: Client) -> None:
    data = client.run(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    url = data["results"]["url"]
    preflight(client, url, "GET", "range")
    answer = client.plain("GET", url, headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}


def test_f8_preflight_and_call_from_a_browser(client: Client, anonymous: Client) -> None:
    preflight(client, client.base + RING, "POST", "authorization,content-type")
    preflight(client, f"{client.base}{RING}/some-task", "GET", "authorization")
    for caller in (client, anonymous):
        answer = caller.call("POST", RING, json={}, headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}
        assert answer.headers.get("Access-Control-Allow-Credentials") != "true"


# --- what ids are good for -----------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES)
def test_f9_an_id_is_good_for_any_picture(client: Client, path: str) -> None:
    hand, hand_mask, ring, ring_mask = (
        client.upload(body, path=path, again=False, content_type=kind)
        for body, kind in (
            (HAND, "image/jpeg"),
            (hand_mask_with_hole()[0], "image/png"),
            (RING_JPEG, "image/jpg"),
            (headless_ring_mask(), "IMAGE/PNG"),
        )
    )
    body = merged(hand, [ring], srcmsk_file_id=hand_mask, refmsk_file_ids=[ring_mask])
    assert client.run(body)["task_status"] == "success"


@pytest.mark.parametrize("place", ["src", "ref", "srcmsk", "refmsk"])
def test_f10_an_id_that_can_not_be_used_is_refused_and_free(
    client: Client, stranger: Client, place: str
) -> None:
    good = client.upload(tagged(HAND, "f10"))
    ring = client.upload(RING_JPEG)
    never = client.register(len(HAND))[0]["file_id"]
    foreign = stranger.upload(HAND)
    task_id = client.create(merged(good, [ring]))
    client.wait(task_id)
    before = client.units()

    def body(name: str) -> Json:
        if place == "src":
            return merged(name, [ring])
        if place == "ref":
            return merged(good, [name])
        if place == "srcmsk":
            return merged(good, [ring], srcmsk_file_id=name)
        return merged(good, [ring], refmsk_file_ids=[name])

    said = refused(client.post(body(never)), 404, "NotFound")
    assert said.startswith("File not found")
    for unknown in ("unknown", foreign, task_id, "../../secret", "%00", "é" * 40, "x" * 5000):
        refused(client.post(body(unknown)), 400, "InvalidParameters")
    assert client.units() == before
