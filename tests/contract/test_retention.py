"""What a crash left is mended, what has lived its time is gone, and nothing else is."""

from __future__ import annotations

import io
import os
import time

import pytest
from parts import ALL_TABLES, DAY_S, RETENTION_S, Clock, Rooms, answer, at_once, by_id

from anello.errors import Cancelled, StoreUnavailable
from anello.service import records
from anello.service.analyses import ANALYSES, analysis_keys
from anello.service.requests import NewFile
from anello.service.retention import MAX_ATTEMPTS, ORPHAN_S, SETTLING_S, Swept
from anello.service.tasks import Task


@pytest.fixture
def account(rooms: Rooms) -> str:
    return rooms.new_account()


def make_old(rooms: Rooms, *keys: str, seconds: float = ORPHAN_S + 60) -> None:
    """As if the objects had been written so long ago."""
    then = time.time() - seconds
    for key in keys:
        os.utime(rooms.folder / "store" / key, (then, then))


# --- mended --------------------------------------------------------------------------------------


def test_nothing_to_mend(rooms: Rooms, account: str, clock: Clock) -> None:
    rooms.webhooks.add(account, "https://shop.example/hook")
    rooms.ended_task(account)
    rooms.new_task(account)
    clock.go_on(3600)
    before = dict(rooms.queue.jobs)
    assert rooms.retention.mend() == Swept()
    assert rooms.queue.jobs == before


@pytest.mark.parametrize("lost", [None, "ended"])
def test_a_running_task_whose_job_is_lost_is_started_again(
    rooms: Rooms, account: str, clock: Clock, lost: str | None
) -> None:
    task = rooms.new_task(account)
    rooms.tasks.begin(task.id, "fetching")
    if lost is None:
        del rooms.queue.jobs[task.id]
    else:
        rooms.queue.jobs[task.id] = "ended"
    assert rooms.retention.mend() == Swept()  # too young to be lost
    clock.go_on(SETTLING_S + 1)
    assert rooms.retention.mend() == Swept(tasks_restarted=1)
    assert rooms.queue.restarted == [task.id]
    assert rooms.tasks.poll(account, task.id).status == "running"
    assert rooms.retention.mend() == Swept()


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_a_task_that_is_being_worked_on_is_left_alone(
    rooms: Rooms, account: str, clock: Clock, state: str
) -> None:
    task = rooms.new_task(account)
    rooms.queue.jobs[task.id] = state
    clock.go_on(DAY_S)
    assert rooms.retention.mend() == Swept()
    assert rooms.queue.restarted == []


def test_a_task_that_ends_servers_is_given_up(rooms: Rooms, account: str, clock: Clock) -> None:
    task = rooms.new_task(account)
    for number in range(1, MAX_ATTEMPTS + 1):
        clock.go_on(60)
        begun = rooms.tasks.begin(task.id, "fetching")
        assert begun is not None
        assert begun.attempts == number
        rooms.queue.jobs[task.id] = "ended"
        expected = Swept(tasks_given_up=1) if number == MAX_ATTEMPTS else Swept(tasks_restarted=1)
        assert rooms.retention.mend() == expected
    ended = rooms.tasks.poll(account, task.id)
    assert (ended.status, ended.error_code) == ("error", "RUNTIME_ERROR")
    assert rooms.balance(account) == (100, 0)
    assert rooms.accounts.audit() == []


def test_a_delivery_whose_job_is_lost_is_started_again(
    rooms: Rooms, account: str, clock: Clock
) -> None:
    rooms.webhooks.add(account, "https://shop.example/hook")
    rooms.ended_task(account)
    (delivery,) = rooms.deliveries()
    rooms.queue.jobs[delivery.job] = "ended"
    assert rooms.retention.mend() == Swept()
    clock.go_on(SETTLING_S + 1)
    assert rooms.retention.mend() == Swept(deliveries_restarted=1)
    (restarted,) = rooms.deliveries()
    assert restarted.job != delivery.job
    assert rooms.queue.jobs[restarted.job] == "waiting"
    rooms.webhooks.attempt(delivery.id, restarted.job)
    assert rooms.retention.mend() == Swept()
    assert len(rooms.post.sent) == 1


def test_mending_twice_at_the_same_time_loses_nothing(
    rooms: Rooms, account: str, clock: Clock
) -> None:
    tasks = [rooms.new_task(account) for _ in range(5)]
    rooms.queue.jobs.clear()
    clock.go_on(60)
    swept = at_once(*[rooms.retention.mend] * 2)
    assert all(isinstance(one, Swept) for one in swept), swept
    assert set(rooms.queue.jobs) == {task.id for task in tasks}


# --- swept ---------------------------------------------------------------------------------------


def test_what_has_lived_its_time_is_gone(rooms: Rooms, account: str, clock: Clock) -> None:
    hook = rooms.webhooks.add(account, "https://shop.example/hook")
    hand, ring, unused = (rooms.upload(account, data) for data in (b"hand", b"ring", b"unused"))
    rooms.files.register(account, [NewFile("image/jpg", "never uploaded", 10)])
    good = rooms.ended_task(account, by_id(hand, ring))
    bad = rooms.tasks.create(account, by_id(hand, ring))
    rooms.tasks.fail(bad.id, Cancelled())
    for delivery in rooms.deliveries():
        rooms.webhooks.attempt(delivery.id, delivery.job)
    for key in analysis_keys("c1"):
        rooms.store.put(key, b"analysis")
    make_old(rooms, *rooms.stored())

    clock.go_on(RETENTION_S - 60)
    assert rooms.retention.sweep() == Swept(objects_purged=2)  # analyses that no task had
    assert rooms.tasks.poll(account, good.id) == good
    assert rooms.files.read(unused) == b"unused"

    clock.go_on(120)
    swept = rooms.retention.sweep()
    assert (swept.tasks_purged, swept.files_purged, swept.deliveries_purged) == (2, 2, 2)
    assert rooms.stored() == set()
    kept = {"accounts", "grants", "ledger", "endpoints"}
    assert {table.name for table in ALL_TABLES if rooms.count(table)} == kept
    assert rooms.ledger(account)[-1] == ("release", 1)
    assert rooms.accounts.audit() == []
    assert rooms.webhooks.endpoint(hook.id) == hook
    assert rooms.retention.sweep() == Swept()


def test_what_still_runs_stays_however_old(rooms: Rooms, account: str, clock: Clock) -> None:
    rooms.webhooks.add(account, "https://shop.example/hook")
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    running = rooms.tasks.create(account, by_id(hand, ring))
    rooms.ended_task(account)
    rooms.post.answers = [answer(500)]
    (delivery,) = rooms.deliveries()
    rooms.webhooks.attempt(delivery.id, delivery.job)
    clock.go_on(2 * RETENTION_S)
    swept = rooms.retention.sweep()
    assert (swept.tasks_purged, swept.files_purged, swept.deliveries_purged) == (1, 0, 0)
    assert rooms.tasks.poll(account, running.id) == running
    assert rooms.files.read(hand) == b"hand"
    assert len(rooms.deliveries()) == 1
    assert rooms.tasks.fail(running.id, Cancelled())
    assert rooms.retention.sweep().tasks_purged == 1
    assert rooms.stored() == set()


def test_an_old_file_of_a_young_task_stays(rooms: Rooms, account: str, clock: Clock) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    rooms.ended_task(account, by_id(hand, ring))
    clock.go_on(RETENTION_S - 60)
    young = rooms.ended_task(account, by_id(hand, rooms.upload(account, b"other")))
    clock.go_on(120)
    assert rooms.retention.sweep().tasks_purged == 1
    assert rooms.files.read(hand) == b"hand"
    assert rooms.tasks.poll(account, young.id) == young
    assert len(rooms.stored()) == 2 + 2


def test_more_old_tasks_than_a_transaction_takes(rooms: Rooms, account: str, clock: Clock) -> None:
    tasks = records.tasks
    task = rooms.ended_task(account)
    row = {name: getattr(task, name) for name in Task.__dataclass_fields__}
    copies = [row | {"id": f"t{n}", "picture_key": None, "mask_key": None} for n in range(1000)]
    with rooms.database.write() as connection:
        connection.execute(tasks.insert(), copies)
    clock.go_on(RETENTION_S + 1)
    assert rooms.retention.sweep().tasks_purged == 1001
    assert rooms.count(tasks) == 0
    assert rooms.stored() == set()


# --- what no row knows ---------------------------------------------------------------------------

ORPHANS = ("files/f1/0a", "results/t1.jpg", "results/t1-mask.png", f"{ANALYSES}old/hand/c1")


def test_orphans_go_once_they_cannot_be_on_their_way_any_more(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    task = rooms.ended_task(account, by_id(hand, ring))
    known = rooms.stored()
    for key in ORPHANS:
        rooms.store.put(key, b"nobody's")
    make_old(rooms, *known)
    make_old(rooms, *ORPHANS, seconds=ORPHAN_S - 60)
    assert rooms.retention.sweep() == Swept()
    assert rooms.stored() == known | set(ORPHANS)
    make_old(rooms, *ORPHANS)
    assert rooms.retention.sweep() == Swept(objects_purged=len(ORPHANS))
    assert rooms.stored() == known
    assert rooms.tasks.poll(account, task.id) == task


def test_half_an_object_goes_too(rooms: Rooms, account: str) -> None:
    """What a process left that was killed while it wrote: see `test_store`."""
    (rooms.folder / "store" / "files" / "f1").mkdir(parents=True)
    (rooms.folder / "store" / "files" / "f1" / "0a#1").write_bytes(b"hal")
    assert rooms.retention.sweep() == Swept()
    make_old(rooms, "files/f1/0a#1")
    assert rooms.retention.sweep() == Swept(objects_purged=1)
    assert rooms.stored() == set()


def test_an_upload_on_its_way_is_no_orphan(rooms: Rooms, account: str) -> None:
    """Its bytes lie in the store before its row knows of them; a sweep falls in between."""
    (upload,) = rooms.files.register(account, [NewFile("image/jpg", "x", 3)])
    put = rooms.store.put

    def put_and_sweep(key: str, data: bytes) -> None:
        put(key, data)
        assert rooms.retention.sweep() == Swept()

    rooms.store.put = put_and_sweep  # type: ignore[method-assign]
    rooms.files.accept(upload.file_id, io.BytesIO(b"abc"), 3)
    assert rooms.files.read(upload.file_id) == b"abc"


def test_other_folders_of_the_store_are_none_of_the_sweep_s_business(rooms: Rooms) -> None:
    rooms.store.put("doctor/1", b"x")
    rooms.store.put("filesystem/1", b"x")
    make_old(rooms, "doctor/1", "filesystem/1")
    assert rooms.retention.sweep() == Swept()


def test_analyses_live_as_long_as_a_task_and_their_engine(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    rooms.tasks.succeed(task.id, rooms.success(task.id, inputs=["c-known"]))
    known, unknown = analysis_keys("c-known"), analysis_keys("c-unknown")
    older = [f"{ANALYSES}0.0.1-abc/hand/c-known", f"{ANALYSES}0.0.1-abc/ring/c-unknown"]
    for key in (*known, *unknown, *older):
        rooms.store.put(key, b"analysis")
    make_old(rooms, *known, *unknown, *older)
    assert rooms.retention.sweep() == Swept(objects_purged=4)
    assert {key for key in rooms.stored() if key.startswith(ANALYSES)} == set(known)


def test_a_sweep_that_is_cut_short_is_done_by_the_next(
    rooms: Rooms, account: str, clock: Clock
) -> None:
    """The store fails when the rows are gone already: their objects are orphans then."""
    rooms.ended_task(account)
    clock.go_on(RETENTION_S + 1)
    delete = rooms.store.delete

    def fail(key: str) -> None:
        raise StoreUnavailable()

    rooms.store.delete = fail  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        rooms.retention.sweep()
    rooms.store.delete = delete  # type: ignore[method-assign]
    assert rooms.count(records.tasks) == 0
    assert len(rooms.stored()) == 2
    make_old(rooms, *rooms.stored())
    assert rooms.retention.sweep() == Swept(objects_purged=2)
    assert rooms.stored() == set()


def test_two_sweeps_at_the_same_time(rooms: Rooms, account: str, clock: Clock) -> None:
    """The server's own and one that was typed."""
    for _ in range(20):
        rooms.ended_task(account, by_id(rooms.upload(account, b"h"), rooms.upload(account, b"r")))
    for key in ORPHANS:
        rooms.store.put(key, b"nobody's")
    make_old(rooms, *rooms.stored())
    clock.go_on(RETENTION_S + 1)
    swept = at_once(*[rooms.retention.sweep] * 2)
    assert all(isinstance(one, Swept) for one in swept), swept
    assert sum(one.tasks_purged for one in swept if isinstance(one, Swept)) == 20
    assert rooms.stored() == set()
    assert rooms.accounts.audit() == []
