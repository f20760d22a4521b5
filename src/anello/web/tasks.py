"""Tasks as the hosted API has them: create, poll, delete."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Header, Path

from anello.errors import (
    Conflict,
    CreditInsufficiency,
    InvalidTaskId,
    NotFound,
    OperationInvalid,
    OperationNotSupport,
    TaskTimeout,
)
from anello.service.tasks import Task
from anello.web.answers import JsonAnswer
from anello.web.auth import Call, Caller
from anello.web.bodies import JsonBody, check, json_object
from anello.web.operations import operation
from anello.web.resolution import resolve
from anello.web.schemas import (
    POLLING_INTERVAL_MS,
    CreatedAnswer,
    CreatedTask,
    CreateTask,
    DeletedAnswer,
    DeleteTask,
    Failed,
    PollAnswer,
    ResultUrl,
    Running,
    Succeeded,
)

TASK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[ -~]+$",
        description="Creating again with the same key and request gives the same task, once "
        "charged; with another request 409.",
    ),
]
TaskId = Annotated[str, Path(description="As the creation answered it.")]


def create_task(call: Call, body: JsonBody, idempotency_key: IdempotencyKey = None) -> JsonAnswer:
    """Put one to five rings on a hand. Costs 1 unit with one ring, 2 with more, if it succeeds.

    ### Which photo is which

    - The **hand photo** is `src_file_url` or `src_file_id`, else `source_info.name`. Both at once
      are refused, unless `source_info.name` is one of them.
    - The **rings** are `ref_file_urls`, then `ref_file_ids`, then `ref_file_url` or `ref_file_id`;
      without any of these, the `name`s of `object_infos`.
    - An entry of `object_infos` is for the ring it `name`s; if it names none and there are as many
      entries as rings, for the ring in its place. A ring without an entry has the defaults.
    - A **mask** is for the ring whose entry names it in `mask_name`, else for the one in its place.
    - A name that begins with `http://` or `https://` is a url, any other the id of a file.
    - `null`, empty texts and empty arrays mean "not given"; unknown fields are ignored.
    """
    request = resolve(json_object(body), strict=call.services.settings_web.strict)
    task = call.services.tasks.create(call.account.id, request, idempotency_key=idempotency_key)
    created = CreatedTask(task_id=task.id, polling_interval=polling_interval(call))
    return JsonAnswer(CreatedAnswer(data=created))


def poll_task(call: Call, task_id: TaskId) -> JsonAnswer:
    """A queued task is `running`, too. Each poll of a task that succeeded gives a fresh address."""
    task = call.services.tasks.poll(call.account.id, checked_id(task_id))
    return JsonAnswer(poll_answer(call, task))


def delete_task(call: Call, body: JsonBody) -> JsonAnswer:
    """Remove a task that has ended, its inputs and its results. Units are not given back."""
    task_id = check(DeleteTask, json_object(body)).task_id
    call.services.tasks.delete(call.account.id, checked_id(task_id))
    return JsonAnswer(DeletedAnswer())


def poll_answer(call: Caller, task: Task) -> PollAnswer:
    if task.status == "running":
        return PollAnswer(data=Running(polling_interval=polling_interval(call)))
    if task.status == "success":
        return PollAnswer(data=Succeeded(results=ResultUrl(url=result_url(call, task.id))))
    code = task.error_code or "RUNTIME_ERROR"
    return PollAnswer(data=Failed(error=code, error_message=task.error_message or code))


def result_url(call: Caller, task_id: str, what: str = "picture") -> str:
    return call.signed_url(
        f"/results/{task_id}/{what}", call.services.settings_web.result_url_ttl_s
    )


def polling_interval(call: Caller) -> int | None:
    return POLLING_INTERVAL_MS if call.services.settings_web.polling_interval else None


def checked_id(task_id: str) -> str:
    """Raises InvalidTaskId for what was never an id of ours."""
    if not TASK_ID.fullmatch(task_id):
        raise InvalidTaskId()
    return task_id


EXAMPLES: Final[dict[str, Any]] = {
    "one ring, uploaded": {
        "src_file_id": "f3X…",
        "ref_file_ids": ["fK9…"],
        "source_info": {"name": "f3X…"},
        "object_infos": [
            {
                "name": "fK9…",
                "parameter": {"ring_wearing_finger": 3, "ring_wearing_location": 0.3},
            }
        ],
    },
    "by url, nothing else": {
        "src_file_url": "https://example.com/hand.jpg",
        "ref_file_urls": ["https://example.com/ring.jpg"],
    },
    "with empty fields": {
        "src_file_url": "https://example.com/hand.jpg",
        "srcmsk_file_url": "",
        "ref_file_urls": ["https://example.com/ring.jpg"],
        "ref_file_ids": [],
        "refmsk_file_urls": [],
        "source_info": {"name": "https://example.com/hand.jpg", "mask_name": None},
        "object_infos": [
            {
                "name": "https://example.com/ring.jpg",
                "mask_name": None,
                "parameter": {"ring_anchor_point": None, "ring_shadow_intensity": 0.15},
            }
        ],
    },
    "two rings, stacked": {
        "src_file_id": "f3X…",
        "ref_file_ids": ["fK9…", "fZ2…"],
        "source_info": {"name": "f3X…"},
        "object_infos": [
            {"name": "fK9…", "parameter": {"ring_wearing_location": 0.2}},
            {"name": "fZ2…", "parameter": {"ring_wearing_location": 0.7}},
        ],
    },
}

RING: Final = "/s2s/v2.0/task/2d-vto/ring"

ROUTES: Final = [
    operation(
        "POST",
        RING,
        create_task,
        tag="Tasks",
        body=CreateTask,
        answer=CreatedAnswer,
        examples=EXAMPLES,
        fails=[CreditInsufficiency, NotFound, Conflict],
    ),
    # Some clients don't escape an id, and ids of other servers have slashes: still an id.
    operation(
        "GET",
        RING + "/{task_id:path}",
        poll_task,
        tag="Tasks",
        answer=PollAnswer,
        fails=[InvalidTaskId, TaskTimeout],
    ),
    operation(
        "POST",
        "/s2s/v2.0/task/delete",
        delete_task,
        tag="Tasks",
        body=DeleteTask,
        answer=DeletedAnswer,
        examples={"a task": {"task_id": "tQ7…"}},
        fails=[InvalidTaskId, OperationInvalid, OperationNotSupport],
    ),
]
