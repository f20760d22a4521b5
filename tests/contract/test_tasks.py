"""Tasks: written before they are queued, ended once, charged once, and gone without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from parts import Clock, Rooms, at_once, by_id, by_url, new_rooms
from sqlalchemy import select

from anello.errors import (
    AnelloError,
    Cancelled,
    Conflict,
    CreditInsufficiency,
    InvalidParameters,
    InvalidTaskId,
    NotFound,
    ObjectDetectionFail,
    OperationInvalid,
    OperationNotSupport,
    QueueFull,
    TaskTimeout,
)
from anello.service import records
from anello.service.analyses import analysis_keys
from anello.service.requests import NewFile, TaskRequest
from anello.service.retention import Swept
from anello.service.tasks import Task


@pytest.fixture
def account(rooms: Rooms) -> str:
    return rooms.new_account()


def refused(
    kind: type[AnelloError], call: Callable[..., object], *args: object, **named: object
) -> AnelloError:
    with pytest.raises(kind) as raised:
        call(*args, **named)
    return raised.value


# --- created -------------------------------------------------------------------------------------


def test_the_row_is_there_before_the_queue_hears_of_it(rooms: Rooms, account: str) -> None:
    seen: list[tuple[str, tuple[int, int]]] = []

    def look(task_id: str) -> None:
        seen.append((rooms.tasks.poll(account, task_id).status, rooms.balance(account)))

    rooms.queue.on_start = look
    task = rooms.new_task(account)
    assert rooms.queue.started == [task.id]
    assert seen == [("running", (99, 1))]


def test_a_new_task(rooms: Rooms, account: str, clock: Clock) -> None:
    task = rooms.new_task(account, n_rings=2)
    assert rooms.tasks.poll(account, task.id) == task
    assert (task.status, task.step, task.units, task.attempts) == ("running", "queued", 2, 0)
    assert (task.error_code, task.picture_key, task.report, task.has_mask) == (
        *(None, None, None),
        False,
    )
    assert TaskRequest.from_json(task.request) == by_url(2)
    assert abs(task.created_at - clock.time()) < 10


@pytest.mark.parametrize(("n_rings", "units"), [(1, 1), (2, 2), (3, 2), (5, 2)])
def test_what_tasks_cost(rooms: Rooms, account: str, n_rings: int, units: int) -> None:
    assert rooms.new_task(account, n_rings).units == units


def test_a_queue_out_of_reach_takes_no_task_away(rooms: Rooms, account: str, clock: Clock) -> None:
    rooms.queue.error = OSError("the queue's disk is full")
    task = rooms.new_task(account)
    assert rooms.tasks.poll(account, task.id).status == "running"
    assert rooms.queue.jobs == {}
    rooms.queue.error = None
    assert rooms.retention.mend() == Swept()  # it could still be on its way
    clock.go_on(6)
    assert rooms.retention.mend() == Swept(tasks_restarted=1)
    assert rooms.queue.started == [task.id]
    assert rooms.retention.mend() == Swept()


def test_files_that_cannot_be_used_cost_nothing(rooms: Rooms, account: str) -> None:
    ring, foreign = rooms.upload(account, b"ring"), rooms.upload(rooms.new_account("b"), b"hand")
    (waiting,) = rooms.files.register(account, [NewFile("image/jpg", "x", 5)])
    hand = rooms.upload(account, b"hand")
    for request, kind in (
        (by_id("fnone", ring), InvalidParameters),
        (by_id(foreign, ring), InvalidParameters),
        (by_id(hand, foreign), InvalidParameters),
        (by_id(hand, ring, hand_mask=foreign), InvalidParameters),
        (by_id(waiting.file_id, ring), NotFound),
        (by_id(hand, ring, waiting.file_id), NotFound),
    ):
        refused(kind, rooms.tasks.create, account, request)
    assert rooms.count(records.tasks) == 0
    assert rooms.count(records.task_files) == 0
    assert rooms.ledger(account) == [("grant", 100)]
    assert rooms.queue.started == []


def test_one_file_may_serve_twice_in_a_request(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    task = rooms.tasks.create(account, by_id(hand, ring, ring, hand_mask=hand))
    assert task.units == 2
    assert rooms.count(records.task_files) == 2


# --- the same request again ----------------------------------------------------------------------


def test_a_repeat_under_its_key_is_the_same_task(rooms: Rooms, account: str) -> None:
    first = rooms.tasks.create(account, by_url(), idempotency_key="k")
    assert rooms.tasks.create(account, by_url(), idempotency_key="k") == first
    rooms.tasks.fail(first.id, ObjectDetectionFail())
    again = rooms.tasks.create(account, by_url(), idempotency_key="k")
    assert (again.id, again.status) == (first.id, "error")
    assert rooms.queue.started == [first.id]
    assert rooms.ledger(account) == [("grant", 100), ("hold", 1), ("release", 1)]


def test_another_request_under_the_same_key(rooms: Rooms, account: str) -> None:
    first = rooms.tasks.create(account, by_url(), idempotency_key="k")
    for other in (by_url(2), by_url(hand="https://shop.example/other.jpg")):
        refused(Conflict, rooms.tasks.create, account, other, idempotency_key="k")
    assert rooms.balance(account) == (99, 1)
    assert rooms.tasks.create(account, by_url(2), idempotency_key="K").id != first.id


def test_keys_are_the_account_s_own(rooms: Rooms, account: str) -> None:
    other = rooms.new_account("other")
    first = rooms.tasks.create(account, by_url(), idempotency_key="k")
    assert rooms.tasks.create(other, by_url(2), idempotency_key="k").id != first.id


def test_a_key_of_a_deleted_task_is_free(rooms: Rooms, account: str) -> None:
    first = rooms.tasks.create(account, by_url(), idempotency_key="k")
    rooms.tasks.fail(first.id, Cancelled())
    rooms.tasks.delete(account, first.id)
    assert rooms.tasks.create(account, by_url(2), idempotency_key="k").id != first.id


def test_repeats_at_the_same_time_are_one_task(rooms: Rooms, account: str) -> None:
    create = partial(rooms.tasks.create, account, by_url(), idempotency_key="k")
    made = at_once(*[create] * 8)
    assert len({task.id for task in made if isinstance(task, Task)}) == 1, made
    assert all(isinstance(task, Task) for task in made)
    assert rooms.balance(account) == (99, 1)
    assert len(rooms.queue.started) == 1


def test_different_requests_at_the_same_time_under_one_key(rooms: Rooms, account: str) -> None:
    calls = [
        partial(rooms.tasks.create, account, by_url(n), idempotency_key="k") for n in (1, 2, 3)
    ]
    made = at_once(*calls)
    assert sum(isinstance(gave, Task) for gave in made) == 1, made
    assert sum(isinstance(gave, Conflict) for gave in made) == 2
    assert rooms.count(records.tasks) == 1


# --- a bounded queue -----------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, template: Path) -> Iterator[Rooms]:
    """No more than three tasks at one time."""
    made = new_rooms(tmp_path / "small", template, max_running=3)
    yield made
    made.database.close()


def test_beyond_the_bound_nothing_is_created(small: Rooms) -> None:
    account, other = small.new_account(), small.new_account("other")
    tasks = [small.new_task(account), small.new_task(other), small.new_task(account)]
    for who in (account, other):
        error = refused(QueueFull, small.new_task, who)
        assert isinstance(error, QueueFull)
        assert error.retry_after_s > 0
    assert small.count(records.tasks) == len(small.queue.started) == 3
    assert small.balance(account) == (98, 2)
    small.tasks.fail(tasks[1].id, Cancelled())
    small.new_task(other)
    refused(QueueFull, small.new_task, account)


def test_the_bound_holds_in_a_race(small: Rooms) -> None:
    account = small.new_account()
    made = at_once(*[lambda: small.new_task(account)] * 10)
    assert sum(isinstance(gave, Task) for gave in made) == 3, made
    assert sum(isinstance(gave, QueueFull) for gave in made) == 7
    assert small.balance(account) == (97, 3)


def test_a_repeat_of_a_task_needs_no_room(small: Rooms) -> None:
    account = small.new_account()
    task = small.tasks.create(account, by_url(), idempotency_key="k")
    for _ in range(2):
        small.new_task(account)
    assert small.tasks.create(account, by_url(), idempotency_key="k") == task


# --- looked at -----------------------------------------------------------------------------------


def test_only_the_account_s_own_tasks(rooms: Rooms, account: str) -> None:
    other = rooms.new_account("other")
    task = rooms.ended_task(account)
    for who, id in ((other, task.id), (account, "t" + "x" * 43), (account, ""), (account, "%")):
        for verb in (
            rooms.tasks.poll,
            rooms.tasks.details,
            rooms.tasks.delete,
            rooms.tasks.cancel,
        ):
            refused(InvalidTaskId, verb, who, id)
    assert rooms.tasks.poll(account, task.id) == task


def test_a_task_that_took_too_long(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    rooms.tasks.fail(task.id, TaskTimeout())
    for _ in range(2):
        refused(TaskTimeout, rooms.tasks.poll, account, task.id)
    assert rooms.tasks.details(account, task.id).task.error_code == "TaskTimeout"
    assert rooms.balance(account) == (100, 0)
    rooms.tasks.delete(account, task.id)
    refused(InvalidTaskId, rooms.tasks.poll, account, task.id)


def test_the_place_in_the_queue(rooms: Rooms, account: str, clock: Clock) -> None:
    tasks = []
    for _ in range(3):
        tasks.append(rooms.new_task(account))
        clock.go_on(1)

    def positions() -> list[int | None]:
        return [rooms.tasks.details(account, task.id).position for task in tasks]

    assert positions() == [0, 1, 2]
    rooms.tasks.begin(tasks[0].id, "fetching")
    assert positions() == [None, 0, 1]
    rooms.tasks.fail(tasks[1].id, Cancelled())
    assert positions() == [None, None, 0]


def test_how_long_it_took(rooms: Rooms, account: str, clock: Clock) -> None:
    task = rooms.new_task(account)
    clock.go_on(2)
    assert 2000 <= rooms.tasks.details(account, task.id).timings_ms["queued"] < 7000
    rooms.tasks.begin(task.id, "fetching")
    clock.go_on(3)
    rooms.tasks.succeed(task.id, rooms.success(task.id))
    clock.go_on(100)
    timings = rooms.tasks.details(account, task.id).timings_ms
    assert 2000 <= timings["queued"] < 7000
    assert 3000 <= timings["worked"] < 8000
    assert timings["total"] == 1.0  # the engine's own


def test_results_are_there_after_success_only(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    for what in ("picture", "mask"):
        refused(NotFound, rooms.tasks.result, task.id, what)
    rooms.store.put("results/a.jpg", b"picture")
    rooms.store.put("results/a-mask.png", b"mask")
    rooms.tasks.succeed(task.id, rooms.success(task.id))
    assert rooms.tasks.poll(account, task.id).has_mask
    picture = rooms.tasks.result(task.id, "picture")
    assert (picture.path.read_bytes(), picture.media_type) == (b"result", "image/png")
    rooms.tasks.delete(account, task.id)
    for what in ("picture", "mask"):
        refused(NotFound, rooms.tasks.result, task.id, what)


# --- begun and ended -----------------------------------------------------------------------------


def test_runs_are_counted_and_the_first_start_kept(
    rooms: Rooms, account: str, clock: Clock
) -> None:
    task = rooms.new_task(account)
    first = rooms.tasks.begin(task.id, "fetching")
    assert first is not None
    clock.go_on(10)
    second = rooms.tasks.begin(task.id, "fetching")
    assert second is not None
    assert (first.attempts, second.attempts) == (1, 2)
    assert first.started_at == second.started_at
    assert rooms.tasks.poll(account, task.id) == second
    assert rooms.tasks.advance(task.id, "drawing")
    assert rooms.tasks.poll(account, task.id).step == "drawing"


def test_nothing_moves_a_task_that_has_ended(rooms: Rooms, account: str) -> None:
    task = rooms.ended_task(account)
    assert rooms.tasks.begin(task.id, "fetching") is None
    assert not rooms.tasks.advance(task.id, "drawing")
    assert not rooms.tasks.fail(task.id, TaskTimeout())
    assert not rooms.tasks.succeed(task.id, rooms.success("other"))
    refused(OperationInvalid, rooms.tasks.cancel, account, task.id)
    assert rooms.tasks.poll(account, task.id) == task
    assert rooms.tasks.begin("tnone", "fetching") is None
    assert not rooms.tasks.advance("tnone", "drawing")
    assert not rooms.tasks.fail("tnone", TaskTimeout())


def test_an_error_says_what_would_help(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    rooms.tasks.fail(task.id, ObjectDetectionFail("No ring in it", remedy="Take another."))
    ended = rooms.tasks.poll(account, task.id)
    assert (ended.status, ended.step) == ("error", "done")
    assert (ended.error_code, ended.error_message, ended.remedy) == (
        *("OBJECT_DETECTION_FAIL", "No ring in it"),
        "Take another.",
    )
    assert ended.finished_at is not None


def test_a_task_ends_once_is_charged_once_and_told_once(rooms: Rooms, account: str) -> None:
    rooms.webhooks.add(account, "https://shop.example/hook")
    outcomes = set()
    for _ in range(8):
        task = rooms.new_task(account)
        success = rooms.success(task.id)
        gave = at_once(
            partial(rooms.tasks.succeed, task.id, success),
            partial(rooms.tasks.succeed, task.id, success),
            partial(rooms.tasks.fail, task.id, TaskTimeout()),
            partial(rooms.tasks.cancel, account, task.id),
        )
        won = [g for g in gave if g is not False and not isinstance(g, OperationInvalid)]
        assert len(won) == 1, gave
        ended = rooms.tasks.details(account, task.id).task
        assert (ended.status == "success") == (True in gave[:2])
        outcomes.add(ended.error_code or ended.status)
        (told,) = [d for d in rooms.deliveries() if d.task_id == task.id]
        assert f'"task_status":"{ended.status}"' in told.body
        kinds = [e.kind for e in rooms.accounts.history(account, None, 100) if e.task_id == task.id]
        assert kinds == ["charge" if ended.status == "success" else "release", "hold"]
    assert rooms.accounts.audit() == []
    assert outcomes <= {"success", "TaskTimeout", "cancelled"}


def test_an_end_is_an_end_though_the_queue_cannot_tell_of_it(
    rooms: Rooms, account: str, clock: Clock
) -> None:
    rooms.webhooks.add(account, "https://shop.example/hook")
    task = rooms.new_task(account)
    rooms.queue.error = OSError("the queue's disk is full")
    assert rooms.tasks.succeed(task.id, rooms.success(task.id))
    assert rooms.tasks.poll(account, task.id).status == "success"
    rooms.queue.error = None
    clock.go_on(6)
    assert rooms.retention.mend() == Swept(deliveries_restarted=1)
    (delivery,) = rooms.deliveries()
    assert rooms.queue.jobs[delivery.job] == "waiting"


def test_a_cancelled_task_stops_and_costs_nothing(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    rooms.tasks.begin(task.id, "fetching")
    ended = rooms.tasks.cancel(account, task.id)
    assert (ended.status, ended.error_code) == ("error", "cancelled")
    assert rooms.drawing.stopped == [task.id]
    assert rooms.balance(account) == (100, 0)
    refused(OperationInvalid, rooms.tasks.cancel, account, task.id)
    assert not rooms.tasks.succeed(task.id, rooms.success(task.id))


# --- deleted -------------------------------------------------------------------------------------


def keep_analyses(rooms: Rooms, *content_ids: str) -> None:
    for content_id in content_ids:
        for key in analysis_keys(content_id):
            rooms.store.put(key, b"analysis")


def test_nothing_of_a_deleted_task_is_left(rooms: Rooms, account: str) -> None:
    files = [rooms.upload(account, data) for data in (b"hand", b"mask", b"ring")]
    hand, mask, ring = files
    task = rooms.tasks.create(account, by_id(hand, ring, hand_mask=mask))
    keep_analyses(rooms, "c-hand", "c-ring")
    success = rooms.success(task.id, inputs=["c-hand", "c-ring", "c-ring"])
    assert rooms.tasks.succeed(task.id, success)
    assert len(rooms.stored()) == 3 + 4 + 2
    rooms.tasks.delete(account, task.id)
    assert rooms.stored() == set()
    for table in (records.tasks, records.task_files, records.task_inputs, records.files):
        assert rooms.count(table) == 0
    refused(InvalidTaskId, rooms.tasks.poll, account, task.id)
    refused(InvalidTaskId, rooms.tasks.delete, account, task.id)
    refused(InvalidParameters, rooms.tasks.create, account, by_id(hand, ring))
    assert rooms.balance(account) == (99, 0)  # units are not given back
    assert rooms.ledger(account) == [("grant", 100), ("hold", 1), ("charge", 1)]


def test_a_failed_task_is_deleted_too(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    task = rooms.tasks.create(account, by_id(hand, ring))
    rooms.tasks.fail(task.id, ObjectDetectionFail())
    rooms.tasks.delete(account, task.id)
    assert rooms.stored() == set()
    assert rooms.accounts.audit() == []


def test_a_running_task_is_not_deleted(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    task = rooms.tasks.create(account, by_id(hand, ring))
    before = rooms.stored()
    refused(OperationInvalid, rooms.tasks.delete, account, task.id)
    assert rooms.tasks.poll(account, task.id) == task
    assert rooms.stored() == before


def test_a_shared_file_stays_until_its_last_task_goes(rooms: Rooms, account: str) -> None:
    hand, ring, other = (rooms.upload(account, data) for data in (b"hand", b"ring", b"other"))
    first = rooms.ended_task(account, by_id(hand, ring))
    second = rooms.tasks.create(account, by_id(hand, other))
    rooms.tasks.delete(account, first.id)
    assert rooms.files.read(hand) == b"hand"
    refused(NotFound, rooms.files.read, ring)
    assert rooms.files.read(other) == b"other"
    rooms.tasks.fail(second.id, Cancelled())
    rooms.tasks.delete(account, second.id)
    assert rooms.stored() == set()


def test_a_shared_picture_s_analysis_stays_until_its_last_task_goes(
    rooms: Rooms, account: str
) -> None:
    tasks = [rooms.new_task(account), rooms.new_task(rooms.new_account("other"))]
    keep_analyses(rooms, "c-hand", "c-one", "c-two")
    for task, ring in zip(tasks, ("c-one", "c-two"), strict=True):
        assert rooms.tasks.succeed(task.id, rooms.success(task.id, inputs=["c-hand", ring]))
    rooms.tasks.delete(account, tasks[0].id)
    left = {key for key in rooms.stored() if key.startswith("analyses/")}
    assert left == {*analysis_keys("c-hand"), *analysis_keys("c-two")}


def test_the_id_of_a_file_is_not_one_of_a_task(rooms: Rooms, account: str) -> None:
    file_id = rooms.upload(account, b"hand")
    refused(OperationNotSupport, rooms.tasks.delete, account, file_id)
    other = rooms.new_account("other")
    refused(InvalidTaskId, rooms.tasks.delete, other, file_id)  # it is not told that it is
    assert rooms.files.read(file_id) == b"hand"


def test_a_task_is_deleted_once(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    task = rooms.ended_task(account, by_id(hand, ring))
    gave = at_once(*[lambda: rooms.tasks.delete(account, task.id)] * 4)
    assert gave.count(None) == 1, gave
    assert sum(isinstance(g, InvalidTaskId) for g in gave) == 3


def test_deleting_and_creating_with_the_same_file_at_the_same_time(
    rooms: Rooms, account: str
) -> None:
    """Whichever was first: a task that was created has its files."""
    ring = rooms.upload(account, b"ring")
    rooms.tasks.create(account, by_id(ring, ring))
    for _ in range(5):
        hand = rooms.upload(account, b"hand")
        old = rooms.ended_task(account, by_id(hand, ring))
        deleted, made = at_once(
            partial(rooms.tasks.delete, account, old.id),
            partial(rooms.tasks.create, account, by_id(hand, ring)),
        )
        assert deleted is None
        if isinstance(made, Task):
            assert rooms.files.read(hand) == b"hand"
        else:
            assert isinstance(made, InvalidParameters)
            refused(NotFound, rooms.files.read, hand)


def test_units_run_out_in_the_middle(rooms: Rooms) -> None:
    account = rooms.new_account("poor", units=3)
    tasks = [rooms.new_task(account) for _ in range(3)]
    refused(CreditInsufficiency, rooms.new_task, account)
    rooms.tasks.fail(tasks[0].id, ObjectDetectionFail())
    rooms.new_task(account)  # what came back can be spent
    with rooms.database.read() as connection:
        statuses = connection.scalars(select(records.tasks.c.status)).all()
    assert sorted(statuses) == ["error", "running", "running", "running"]
