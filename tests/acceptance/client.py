"""The wire as a client speaks it. What must hold for every answer is checked on every answer."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import requests
from server import PATIENCE_S, until

RING = "/s2s/v2.0/task/2d-vto/ring"
DELETE = "/s2s/v2.0/task/delete"
FILES = ("/s2s/v2.0/file/2d-vto/ring", "/s2s/v2.0/file")
PRICES = "/s2s/v2.0/credit/feature-cost"
CREDIT = "/s2s/v1.0/client/credit"

Json = dict[str, Any]


class Client:
    """One account's calls. Given no key it sends none."""

    def __init__(self, base: str, key: str | None = None, name: str = "") -> None:
        self.base, self.key, self.name = base, key, name
        self._session = requests.Session()
        self._session.trust_env = False
        self._uploaded: dict[bytes, str] = {}

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    # --- any request -----------------------------------------------------------------------------

    def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> requests.Response:
        """With the key; ``headers`` go over it."""
        mine = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return self.plain(method, self.base + path, headers=mine | dict(headers or {}), **rest)

    def plain(self, method: str, url: str, **rest: Any) -> requests.Response:
        """Without the key: uploads and results."""
        response = self._session.request(
            method, url, timeout=PATIENCE_S, allow_redirects=False, **rest
        )
        check_answer(response)
        return response

    # --- files -----------------------------------------------------------------------------------

    def register(
        self, *sizes_bytes: int, content_type: str = "image/jpg", path: str = FILES[0]
    ) -> list[Json]:
        entries = [
            {"content_type": content_type, "file_name": f"{at}.jpg", "file_size": size}
            for at, size in enumerate(sizes_bytes)
        ]
        files: list[Json] = ok(self.call("POST", path, json={"files": entries}))["data"]["files"]
        return files

    def put(self, file: Json, body: bytes) -> requests.Response:
        request = file["requests"][0]
        return self.plain(request["method"], request["url"], data=body, headers=request["headers"])

    def upload(
        self, body: bytes, content_type: str = "image/jpg", path: str = FILES[0], again: bool = True
    ) -> str:
        """The id of a picture; uploaded once, or anew where ``again`` is False."""
        if again and body in self._uploaded:
            return self._uploaded[body]
        (file,) = self.register(len(body), content_type=content_type, path=path)
        assert self.put(file, body).status_code == 200
        if again:
            self._uploaded[body] = file["file_id"]
        return str(file["file_id"])

    # --- tasks -----------------------------------------------------------------------------------

    def post(self, body: Json, headers: Mapping[str, str] | None = None) -> requests.Response:
        return self.call("POST", RING, json=body, headers=headers)

    def create(self, body: Json, headers: Mapping[str, str] | None = None) -> str:
        return str(ok(self.post(body, headers))["data"]["task_id"])

    def poll(self, task_id: str) -> Json:
        data: Json = ok(self.call("GET", f"{RING}/{task_id}"))["data"]
        check_task(data)
        return data

    def wait(self, task_id: str) -> Json:
        """How the task ended."""

        def ended() -> Json | None:
            data = self.poll(task_id)
            return None if data["task_status"] == "running" else data

        found = until(ended, f"task {task_id} to end")
        assert found is not None
        return found

    def run(self, body: Json) -> Json:
        return self.wait(self.create(body))

    def picture(self, body: Json) -> bytes:
        """The result of a task that succeeds."""
        return self.download(self.run(body))

    def download(self, data: Json) -> bytes:
        assert data["task_status"] == "success", data
        response = self.plain("GET", data["results"]["url"])
        assert response.status_code == 200, response.text
        return bytes(response.content)

    def error_of(self, body: Json) -> str:
        """The code of a task that fails."""
        data = self.run(body)
        assert data["task_status"] == "error", data
        return str(data["error"])

    # --- units -----------------------------------------------------------------------------------

    def units(self) -> float:
        results = ok(self.call("GET", CREDIT))["results"]
        return float(sum(line["amount_dec"] for line in results))


def merged(
    hand: str, rings: Sequence[str], parameters: Sequence[Json | None] = (), **more: Any
) -> Json:
    """The documented body: flat fields, source_info and object_infos. An address is sent as one."""
    given = list(parameters) + [None] * (len(rings) - len(parameters))
    infos = [
        {"name": ring} | ({} if parameter is None else {"parameter": parameter})
        for ring, parameter in zip(rings, given, strict=True)
    ]
    return {
        **src(hand),
        **refs(rings),
        "source_info": {"name": hand},
        "object_infos": infos,
        **more,
    }


def is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def src(hand: str) -> Json:
    return {"src_file_url" if is_url(hand) else "src_file_id": hand}


def refs(rings: Sequence[str]) -> Json:
    return {"ref_file_urls" if is_url(rings[0]) else "ref_file_ids": list(rings)}


# --- what holds for every answer -----------------------------------------------------------------


def check_answer(response: requests.Response) -> None:
    """A4 and A5, and that nothing of the server's inside is told."""
    request = response.request
    said = f"{request.method} {request.path_url} -> {response.status_code} {response.text[:500]!r}"
    assert re.fullmatch(r"\d{10,}", response.headers.get("x-request-id", "")), said
    assert response.status_code < 500 or response.status_code in {500, 503}, said
    if response.headers.get("content-type", "").startswith("application/json") and (
        request.path_url.startswith("/s2s/") and request.method != "HEAD"
    ):
        body = response.json()
        assert type(body["status"]) is int, said
        assert body["status"] == response.status_code, said
        if response.status_code == 200:
            assert not body.get("error"), said
            assert not body.get("error_code"), said
        else:
            assert isinstance(body["error"], str), said
            assert body["error"], said
            assert isinstance(body["error_code"], str), said
            assert body["error_code"], said
            assert "Traceback" not in response.text, said


def check_task(data: Json) -> None:
    """P1 to P4, one poll's share."""
    status, results, error = data["task_status"], data["results"], data["error"]
    assert status in {"running", "success", "error"}, data
    if status == "success":
        assert isinstance(results["url"], str), data
        assert is_url(results["url"]), data
        assert all(isinstance(value, str) for value in results.values()), data
    else:
        assert results is None, data
    if status == "error":
        assert isinstance(error, str), data
        assert error, data
        assert isinstance(data["error_message"], str), data
        assert data["error_message"], data
    else:
        assert error is None, data
        assert data.get("error_message") is None, data


def ok(response: requests.Response) -> Json:
    """The body of a success, which is exactly 200."""
    assert response.status_code == 200, f"{response.status_code} {response.text[:1000]}"
    body: Json = response.json()
    assert type(body["status"]) is int
    assert body["status"] == 200
    return body


def refused(response: requests.Response, status: int, code: str) -> str:
    """An error's envelope; its text."""
    said = f"{response.status_code} {response.text[:1000]}"
    assert response.status_code == status, said
    body = response.json()
    assert type(body["status"]) is int, said
    assert body["status"] == status, said
    assert body["error_code"] == code, said
    assert isinstance(body["error"], str), said
    assert body["error"], said
    return str(body["error"])


QUIET_S = 0.5
"""A server that is silent for so long waits for more of the request."""


def bare_answer(port: int, raw: bytes) -> bytes:
    """The head of what a server says to these bytes; empty when it closes without a word.

    Raises TimeoutError when it does neither, though it was told that no more is coming.
    """
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection,
        suppress(ConnectionError),
    ):
        connection.sendall(raw)
        connection.settimeout(QUIET_S)
        while b"\r\n\r\n" not in answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"):
            try:
                chunk = connection.recv(65536)
            except TimeoutError:
                if connection.gettimeout() == PATIENCE_S:
                    raise
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(PATIENCE_S)
                continue
            if not chunk:
                break
            answer += chunk
    return answer


def new_name(what: str) -> str:
    return f"{what}-{uuid.uuid4().hex[:8]}"
