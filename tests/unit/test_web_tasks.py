"""Create, poll, delete: T8, T9, T11, P1 to P6, P9, D1, D2 of the contract, to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_double import FAILED, SUCCEEDED, TASK, Service, calling

from anello.errors import (
    AnelloError,
    Conflict,
    CreditInsufficiency,
    InvalidTaskId,
    NotFound,
    OperationInvalid,
    OperationNotSupport,
    QueueFull,
    TaskTimeout,
)

RING = "/s2s/v2.0/task/2d-vto/ring"
DELETE = "/s2s/v2.0/task/delete"
BODY = {"src_file_id": "h", "ref_file_ids": ["r"]}


def serving(**tasks: Any) -> Service:
    service = Service()
    service.tasks.tasks = tasks
    return service


# --- create ---------------------------------------------------------------------------------------


def test_create() -> None:
    with calling() as caller:
        answer = caller.post(RING, json=BODY)
        assert answer.status_code == 200
        assert answer.content == b'{"status":200,"data":{"task_id":"t1"}}'
        assert answer.headers["content-type"] == "application/json"
        ((request, idempotency_key),) = caller.service.tasks.created
    assert (request.hand.value, idempotency_key) == ("h", None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CreditInsufficiency(), 400),
        (NotFound("File not found"), 404),
        (Conflict(), 409),
        (QueueFull(retry_after_s=4.2), 429),
    ],
)
def test_create_refused(error: AnelloError, status: int) -> None:
    with calling() as caller:
        caller.service.tasks.error = error
        answer = caller.post(RING, json=BODY)
    assert answer.status_code == status
    said = answer.json()
    assert (said["status"], said["error"], said["error_code"]) == (
        *(status, error.message),
        error.code,
    )
    assert answer.headers.get("retry-after") == ("5" if status == 429 else None)


def test_a_remedy_is_said() -> None:
    with calling() as caller:
        caller.service.tasks.error = CreditInsufficiency(remedy="Ask for more.")
        assert caller.post(RING, json=BODY).json()["remedy"] == "Ask for more."


@pytest.mark.parametrize("key", ["x", "a b ~", "k" * 255])
def test_idempotency_keys(key: str) -> None:
    with calling() as caller:
        assert caller.post(RING, json=BODY, headers={"Idempotency-Key": key}).status_code == 200
        assert caller.service.tasks.created[0][1] == key


@pytest.mark.parametrize("key", [b"", b"k" * 256, "é".encode(), b"a\tb", b"\x80"])
def test_bad_idempotency_keys(key: bytes) -> None:
    with calling() as caller:
        answer = caller.post(RING, json=BODY, headers={b"Idempotency-Key": key})
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("Idempotency-Key:")
        assert caller.service.tasks.created == []


def test_strict_mode_is_a_setting() -> None:
    with calling(strict=True) as caller:
        assert caller.post(RING, json=BODY).json()["error_code"] == "InvalidParameters"
        body = BODY | {"source_info": {"name": "h"}, "object_infos": [{"name": "r"}]}
        assert caller.post(RING, json=body).status_code == 200
        assert caller.post(RING, json=body | {"x": 1}).json()["error_code"] == "BadRequest"


# --- poll -----------------------------------------------------------------------------------------


def test_running_to_the_byte() -> None:
    with calling(serving(t1=TASK)) as caller:
        answer = caller.get(f"{RING}/t1", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.content == (
        b'{"status":200,"data":{"task_status":"running","results":null,"error":null}}'
    )


def test_success() -> None:
    with calling(serving(t1=SUCCEEDED)) as caller:
        said = caller.get(f"{RING}/t1").json()
        url = said["data"]["results"].pop("url")
        again = caller.get(f"{RING}/t1").json()["data"]["results"]["url"]
    assert said == {
        "status": 200,
        "data": {"task_status": "success", "results": {}, "error": None},
    }
    assert url.startswith("https://rings.example/results/t1/picture?expires=")
    assert url != again


def test_error_to_the_byte() -> None:
    with calling(serving(t1=FAILED)) as caller:
        answer = caller.get(f"{RING}/t1")
    assert answer.status_code == 200
    assert answer.content == (
        b'{"status":200,"data":{"task_status":"error","results":null,'
        b'"error":"PHOTO_CHECK_INVALID","error_message":"Hand pose should be correct"}}'
    )


def test_an_error_always_has_a_message() -> None:
    with calling(serving(t1=replace(FAILED, error_message=None))) as caller:
        assert caller.get(f"{RING}/t1").json()["data"]["error_message"] == "PHOTO_CHECK_INVALID"


def test_timeout_is_an_error_of_the_poll() -> None:
    with calling() as caller:
        caller.service.tasks.error = TaskTimeout()
        answer = caller.get(f"{RING}/t1")
    assert answer.status_code == 500
    assert answer.content == (
        b'{"status":500,"error":"Task execution timed out","error_code":"TaskTimeout"}'
    )


@pytest.mark.parametrize(
    "task_id", ["", "nope", "a/b", "%2F", "..%2f..", "%00", "%ff", "t1%20", "é", "x" * 5000, "t1/"]
)
def test_what_is_no_task(task_id: str) -> None:
    with calling(serving(t1=TASK)) as caller:
        answer = caller.get(f"{RING}/{task_id}")
    assert answer.status_code == 400
    assert answer.json() == {
        "status": 400,
        "error": "Invalid task ID",
        "error_code": "InvalidTaskId",
    }


def test_percent_encoded_ids() -> None:
    with calling(serving(**{"t-1_": TASK})) as caller:
        assert caller.get(f"{RING}/%74%2d1%5F").status_code == 200


def test_polling_interval_is_a_setting() -> None:
    tasks = {"t1": TASK, "t2": SUCCEEDED, "t3": FAILED}
    with calling(serving(**tasks), polling_interval=True) as caller:
        assert caller.post(RING, json=BODY).json()["data"]["polling_interval"] == 1000
        assert caller.get(f"{RING}/t1").json()["data"]["polling_interval"] == 1000
        for ended in ("t2", "t3"):
            assert "polling_interval" not in caller.get(f"{RING}/{ended}").json()["data"]


# --- delete ---------------------------------------------------------------------------------------


def test_delete_to_the_byte_then_gone() -> None:
    with calling(serving(t1=SUCCEEDED)) as caller:
        answer = caller.post(DELETE, json={"task_id": "t1"})
        assert (answer.status_code, answer.content) == (200, b'{"status":200}')
        for answer in (caller.post(DELETE, json={"task_id": "t1"}), caller.get(f"{RING}/t1")):
            assert (answer.status_code, answer.json()["error_code"]) == (400, "InvalidTaskId")


@pytest.mark.parametrize("body", [{}, {"task_id": ""}, {"task_id": 7}, {"task_id": None}, {"x": 1}])
def test_delete_without_an_id(body: dict[str, Any]) -> None:
    with calling() as caller:
        answer = caller.post(DELETE, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "InvalidParameters")
    assert answer.json()["error"].startswith("task_id:")


@pytest.mark.parametrize("error", [OperationInvalid(), OperationNotSupport(), InvalidTaskId()])
def test_delete_refused(error: AnelloError) -> None:
    with calling() as caller:
        caller.service.tasks.error = error
        answer = caller.post(DELETE, json={"task_id": "t1"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, error.code)


@given(st.text())
def test_any_text_is_a_task_or_none(text: str) -> None:
    with calling(serving(t1=SUCCEEDED)) as caller:
        answer = caller.post(DELETE, content=json.dumps({"task_id": text}))
    assert answer.status_code == (200 if text == "t1" else 400)
