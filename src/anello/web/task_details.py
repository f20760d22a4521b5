"""Tasks as we have them beyond the hosted API: everything known, and cancelling."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from anello.errors import InvalidTaskId, OperationInvalid
from anello.service.tasks import Task, TaskDetails
from anello.web.answers import JsonAnswer
from anello.web.auth import Call, Caller
from anello.web.operations import operation
from anello.web.schemas import DetailedResults, TaskReport, TaskReportAnswer
from anello.web.tasks import TaskId, checked_id, result_url


def get_task(call: Call, task_id: TaskId) -> JsonAnswer:
    """Where a task stands: its place in the queue, its step, its times, and what was measured.

    An `error` has a `remedy`: what would help.
    """
    details = call.services.tasks.details(call.account.id, checked_id(task_id))
    return JsonAnswer(TaskReportAnswer(data=task_report(call, details)))


def cancel_task(call: Call, task_id: TaskId) -> JsonAnswer:
    """End a task that is still running. It is not charged."""
    call.services.tasks.cancel(call.account.id, checked_id(task_id))
    return get_task(call, task_id)


def task_report(call: Caller, details: TaskDetails) -> TaskReport:
    task = details.task
    return TaskReport(
        task_id=task.id,
        task_status=task.status,
        step=task.step,
        position=details.position,
        units=task.units,
        created_at=datetime.fromtimestamp(task.created_at, UTC),
        started_at=_time(task.started_at),
        finished_at=_time(task.finished_at),
        timings_ms=details.timings_ms,
        report=task.report,
        results=_results(call, task),
        error=task.error_code,
        error_message=task.error_message,
        remedy=task.remedy,
    )


def _results(call: Caller, task: Task) -> DetailedResults | None:
    if task.status != "success":
        return None
    return DetailedResults(
        url=result_url(call, task.id),
        mask_url=result_url(call, task.id, "mask") if task.has_mask else None,
    )


def _time(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)


ROUTES: Final = [
    operation(
        "GET",
        "/v1/tasks/{task_id}",
        get_task,
        tag="Beyond",
        answer=TaskReportAnswer,
        fails=[InvalidTaskId],
    ),
    operation(
        "POST",
        "/v1/tasks/{task_id}/cancel",
        cancel_task,
        tag="Beyond",
        answer=TaskReportAnswer,
        fails=[InvalidTaskId, OperationInvalid],
    ),
]
