"""What we tell of a task beyond the hosted API."""

from __future__ import annotations

from dataclasses import replace

from web_double import FAILED, SUCCEEDED, TASK, Service, calling

from anello.errors import OperationInvalid


def test_everything_known() -> None:
    service = Service()
    service.tasks.tasks = {"t1": SUCCEEDED, "t2": FAILED, "t3": TASK}
    with calling(service) as caller:
        said = caller.get("/v1/tasks/t1").json()
        results = said["data"].pop("results")
        assert said == {
            "status": 200,
            "data": {
                "task_id": "t1",
                "task_status": "success",
                "step": "done",
                "position": None,
                "units": 1,
                "created_at": "2027-01-15T08:00:00Z",
                "started_at": "2027-01-15T08:00:01Z",
                "finished_at": "2027-01-15T08:00:01.500000Z",
                "timings_ms": {"queued": 1.5},
                "report": {"rings": []},
                "error": None,
                "error_message": None,
                "remedy": None,
            },
        }
        assert "/results/t1/picture?" in results["url"]
        assert "/results/t1/mask?" in results["mask_url"]
        failed = caller.get("/v1/tasks/t2").json()["data"]
        assert (failed["error"], failed["remedy"]) == ("PHOTO_CHECK_INVALID", "Spread the fingers.")
        assert caller.get("/v1/tasks/t3").json()["data"]["results"] is None


def test_a_timeout_is_plain_data_and_a_mask_may_be_missing() -> None:
    service = Service()
    timed_out = replace(FAILED, error_code="TaskTimeout", error_message="Task execution timed out")
    service.tasks.tasks = {"t1": timed_out, "t2": replace(SUCCEEDED, mask_key=None)}
    with calling(service) as caller:
        answer = caller.get("/v1/tasks/t1")
        assert (answer.status_code, answer.json()["data"]["error"]) == (200, "TaskTimeout")
        assert caller.get("/v1/tasks/t2").json()["data"]["results"]["mask_url"] is None


def test_cancel() -> None:
    service = Service()
    service.tasks.tasks = {"t1": TASK}
    with calling(service) as caller:
        answer = caller.post("/v1/tasks/t1/cancel")
        assert (answer.status_code, answer.json()["data"]["error"]) == (200, "cancelled")
        service.tasks.error = OperationInvalid()
        answer = caller.post("/v1/tasks/t1/cancel")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "OperationInvalid")


def test_what_is_no_task() -> None:
    with calling() as caller:
        for answer in (caller.get("/v1/tasks/no"), caller.post("/v1/tasks/%ff/cancel")):
            assert (answer.status_code, answer.json()["error_code"]) == (400, "InvalidTaskId")
