"""The work on a task: pictures fetched, drawn, stored; an end in each case, once."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from parts import PATIENCE_S, FetchDouble, Rooms, at_once, by_id, by_url, drawn

from anello.adapters.http_out import FetchRefused
from anello.errors import (
    AnelloError,
    DownloadImage,
    PhotoCheckInvalid,
    RuntimeFailure,
    StoreUnavailable,
    TaskTimeout,
    WorkerDied,
)
from anello.options import Finger, Options
from anello.service import records
from anello.service.drawing import Drawn, Job, RingJob
from anello.service.requests import Reference, RingRequest, TaskRequest
from anello.service.tasks import Task


@pytest.fixture
def account(rooms: Rooms) -> str:
    rooms.fetch.known = {
        "https://shop.example/hand.jpg": b"hand",
        "https://shop.example/ring.jpg": b"ring",
    }
    return rooms.new_account()


def run(rooms: Rooms, account: str, request: TaskRequest | None = None) -> Task:
    """A new task, worked on; how it stands then."""
    task = rooms.tasks.create(account, request or by_url())
    rooms.work.run_task(task.id)
    return rooms.tasks.details(account, task.id).task


def sample(rooms: Rooms, name: str, **labels: str) -> float:
    return rooms.metrics.registry.get_sample_value(name, labels) or 0.0


# --- success -------------------------------------------------------------------------------------


def test_a_picture_is_made_and_stored(rooms: Rooms, account: str) -> None:
    task = run(rooms, account)
    assert (task.status, task.step, task.attempts) == ("success", "done", 1)
    picture, mask = (rooms.tasks.result(task.id, what) for what in ("picture", "mask"))
    assert (picture.path.read_bytes(), mask.path.read_bytes()) == (b"hand", b"mask")
    assert task.report == {"hand": 1}
    assert task.timings_ms is not None
    assert {"fetch", "draw", "store", "total"} <= task.timings_ms.keys()
    assert rooms.balance(account) == (99, 0)
    assert rooms.count(records.task_inputs) == 2


@pytest.mark.parametrize(("made", "ending"), [("jpeg", ".jpg"), ("png", ".png")])
def test_a_picture_has_the_format_of_its_hand(
    rooms: Rooms, account: str, made: str, ending: str
) -> None:
    rooms.drawing.drawing = lambda *_: replace(drawn(), format=made)
    result = rooms.tasks.result(run(rooms, account).id, "picture")
    assert result.path.suffix == ending
    assert result.media_type == f"image/{made}"


def test_the_drawer_gets_what_was_asked_for(rooms: Rooms, account: str) -> None:
    """Files and addresses in any mixture, each mask to its picture, in the rings' order."""
    ids = {name: rooms.upload(account, name.encode()) for name in ("hand", "ring-2", "mask-2")}
    urls = {name: f"https://shop.example/{name}" for name in ("hand-mask", "ring-1", "mask-3")}
    rooms.fetch.known = {url: name.encode() for name, url in urls.items()}

    def at(name: str) -> Reference:
        return Reference("id", ids[name]) if name in ids else Reference("url", urls[name])

    options = [Options(finger=Finger(n), location=0.25 * n, shadow=0.5) for n in (1, 2, 3)]
    request = TaskRequest(
        at("hand"),
        at("hand-mask"),
        (
            RingRequest(at("ring-1"), None, options[0]),
            RingRequest(at("ring-2"), at("mask-2"), options[1]),
            RingRequest(at("ring-1"), at("mask-3"), options[2]),
        ),
    )
    seen: list[Job] = []
    rooms.drawing.drawing = lambda _, job: seen.append(job) or drawn()  # type: ignore[func-returns-value]
    run(rooms, account, request)
    rings = (
        RingJob(b"ring-1", None, options[0]),
        RingJob(b"ring-2", b"mask-2", options[1]),
        RingJob(b"ring-1", b"mask-3", options[2]),
    )
    assert seen == [Job(b"hand", b"hand-mask", rings)]


def test_what_it_took_is_counted(rooms: Rooms, account: str) -> None:
    counts = Counter({("hand", "memory"): 1, ("ring", "computed"): 2})
    rooms.drawing.drawing = lambda *_: replace(drawn(), counts=counts, bytes_in_memory=12_345)
    run(rooms, account)
    assert sample(rooms, "anello_analyses_total", kind="hand", origin="memory") == 1
    assert sample(rooms, "anello_analyses_total", kind="ring", origin="computed") == 2
    assert sample(rooms, "anello_analyses_memory_bytes") == 12_345
    assert sample(rooms, "anello_tasks_created_total") == 1
    assert sample(rooms, "anello_tasks_ended_total", outcome="success") == 1
    for step in ("queued", "fetch", "draw", "store"):
        assert sample(rooms, "anello_task_step_seconds_count", step=step) == 1


# --- errors that end a task ----------------------------------------------------------------------


def test_what_is_wrong_with_a_picture_ends_its_task(rooms: Rooms, account: str) -> None:
    def refuse(_task_id: str, _job: Job) -> Drawn:
        raise PhotoCheckInvalid("Hand size should fit in range", remedy="Come nearer.")

    rooms.drawing.drawing = refuse
    task = run(rooms, account)
    assert (task.status, task.error_code) == ("error", "PHOTO_CHECK_INVALID")
    assert (task.error_message, task.remedy) == ("Hand size should fit in range", "Come nearer.")
    assert rooms.balance(account) == (100, 0)
    assert rooms.stored() == set()
    assert sample(rooms, "anello_tasks_ended_total", outcome="PHOTO_CHECK_INVALID") == 1


@pytest.mark.parametrize(
    ("which", "reason", "code"),
    [
        ("hand", FetchRefused("no answer"), "error_download_image"),
        ("ring", FetchRefused("no answer"), "error_download_image"),
        ("hand-mask", FetchRefused("no answer"), "error_download_mask"),
        ("ring-mask", FetchRefused("no answer"), "error_download_mask"),
        ("hand", FetchRefused("too large", too_large=True), "exceed_max_filesize"),
        ("ring-mask", FetchRefused("too large", too_large=True), "exceed_max_filesize"),
    ],
)
def test_what_could_not_be_fetched(
    rooms: Rooms, account: str, which: str, reason: Exception, code: str
) -> None:
    names = ("hand", "hand-mask", "ring", "ring-mask")
    at = {name: Reference("url", f"https://shop.example/{name}") for name in names}
    rooms.fetch.known = {reference.value: name.encode() for name, reference in at.items()}
    rooms.fetch.known[at[which].value] = reason
    ring = RingRequest(at["ring"], at["ring-mask"], Options())
    task = run(rooms, account, TaskRequest(at["hand"], at["hand-mask"], (ring,)))
    assert (task.status, task.error_code) == ("error", code)
    if not code.startswith("exceed"):
        assert "no answer" in (task.error_message or "")
        assert task.remedy


def test_a_file_that_is_gone(rooms: Rooms, account: str) -> None:
    hand, ring = rooms.upload(account, b"hand"), rooms.upload(account, b"ring")
    (key,) = (key for key in rooms.stored() if hand in key)
    rooms.store.delete(key)
    task = run(rooms, account, by_id(hand, ring))
    assert (task.status, task.error_code) == ("error", "INPUT_ERROR")
    assert task.remedy


def test_a_drawing_that_took_too_long(rooms: Rooms, account: str) -> None:
    def never(_task_id: str, _job: Job) -> Drawn:
        raise TaskTimeout()

    rooms.drawing.drawing = never
    assert run(rooms, account).error_code == "TaskTimeout"
    assert rooms.balance(account) == (100, 0)


# --- errors that another run may do better -------------------------------------------------------


@pytest.mark.parametrize("error", [WorkerDied(), StoreUnavailable(), KeyError("a fault of ours")])
def test_what_is_nobody_s_fault_leaves_the_task_running(
    rooms: Rooms, account: str, error: Exception
) -> None:
    def die(_task_id: str, _job: Job) -> Drawn:
        raise error

    rooms.drawing.drawing = die
    task = rooms.new_task(account)
    with pytest.raises(type(error)):
        rooms.work.run_task(task.id)
    assert rooms.tasks.poll(account, task.id).status == "running"
    assert rooms.balance(account) == (99, 1)
    rooms.drawing.drawing = lambda *_: drawn()
    rooms.work.run_task(task.id)
    assert rooms.tasks.poll(account, task.id).status == "success"
    assert rooms.tasks.poll(account, task.id).attempts == 2


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (WorkerDied(), "RUNTIME_ERROR", "Unexpected error"),
        (StoreUnavailable("The disk is full"), "error_upload", "The disk is full"),
        (KeyError("secret detail"), "RUNTIME_ERROR", "Unexpected error"),
        (RuntimeFailure("Out of memory"), "RUNTIME_ERROR", "Out of memory"),
    ],
)
def test_a_task_given_up(
    rooms: Rooms, account: str, error: Exception, code: str, message: str
) -> None:
    task = rooms.new_task(account)
    rooms.work.give_up(task.id, error)
    ended = rooms.tasks.poll(account, task.id)
    assert (ended.status, ended.error_code, ended.error_message) == ("error", code, message)
    assert rooms.balance(account) == (100, 0)
    rooms.work.give_up(task.id, DownloadImage())
    assert rooms.tasks.poll(account, task.id) == ended


def test_a_full_disk_in_the_middle(rooms: Rooms, account: str) -> None:
    """The picture is stored, its mask is not: the next run makes both, one orphan is left."""
    task = rooms.new_task(account)
    put, n_puts = rooms.store.put, 0

    class Filling:
        def put(self, key: str, data: bytes) -> None:
            nonlocal n_puts
            n_puts += 1
            if n_puts == 2:
                raise StoreUnavailable()
            put(key, data)

    filling = replace(rooms.work, store=Filling())  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        filling.run_task(task.id)
    assert rooms.tasks.poll(account, task.id).status == "running"
    filling.run_task(task.id)
    assert rooms.tasks.result(task.id, "mask").path.read_bytes() == b"mask"
    assert len(rooms.stored()) == 3


# --- twice, and too late -------------------------------------------------------------------------


def test_a_run_after_the_end_does_nothing(rooms: Rooms, account: str) -> None:
    task = run(rooms, account)
    rooms.drawing.drawing = lambda *_: pytest.fail("it was drawn again")
    rooms.work.run_task(task.id)
    rooms.work.run_task("tnone")
    assert rooms.tasks.poll(account, task.id) == task


def test_two_runs_at_the_same_time_end_it_once_and_keep_its_results(
    rooms: Rooms, account: str
) -> None:
    both = threading.Barrier(2)

    def draw(_task_id: str, _job: Job) -> Drawn:
        both.wait(PATIENCE_S)
        return drawn(b"picture")

    rooms.drawing.drawing = draw
    task = rooms.new_task(account)
    run_it = partial(rooms.work.run_task, task.id)
    assert at_once(run_it, run_it) == [None, None]
    assert rooms.tasks.poll(account, task.id).status == "success"
    assert rooms.tasks.result(task.id, "picture").path.read_bytes() == b"picture"
    assert len(rooms.stored()) == 2
    assert rooms.ledger(account) == [("grant", 100), ("hold", 1), ("charge", 1)]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_task_cancelled_while_it_is_drawn_leaves_nothing(
    rooms: Rooms, account: str, is_deleted: bool
) -> None:
    def draw(task_id: str, _job: Job) -> Drawn:
        rooms.tasks.cancel(account, task_id)
        if is_deleted:
            rooms.tasks.delete(account, task_id)
        return drawn()

    rooms.drawing.drawing = draw
    task = rooms.new_task(account)
    rooms.work.run_task(task.id)
    assert rooms.stored() == set()
    assert rooms.balance(account) == (100, 0)
    if not is_deleted:
        assert rooms.tasks.poll(account, task.id).error_code == "cancelled"


def test_a_task_cancelled_while_it_is_fetched_is_not_drawn(rooms: Rooms, account: str) -> None:
    task = rooms.new_task(account)
    known = dict(rooms.fetch.known)

    class Cancelling(FetchDouble):
        def fetch_all(self, urls: object, max_bytes: int) -> list[bytes | Exception]:
            rooms.tasks.cancel(account, task.id)
            return list(known.values())

    rooms.work.inputs._fetch = Cancelling()
    rooms.drawing.drawing = lambda *_: pytest.fail("it was drawn")
    rooms.work.run_task(task.id)
    assert rooms.tasks.poll(account, task.id).error_code == "cancelled"


def test_every_error_of_ours_ends_a_task_in_its_code(rooms: Rooms, account: str) -> None:
    """Whatever a drawing raises of the errors there are, poll has a code and words for it."""

    def leaves(kind: type[AnelloError]) -> list[type[AnelloError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]

    def fail(_task_id: str, _job: Job) -> Drawn:
        raise kind()

    rooms.drawing.drawing = fail
    for kind in leaves(AnelloError):
        if issubclass(kind, WorkerDied | StoreUnavailable):
            continue
        task = run(rooms, account)
        assert (task.status, task.error_code) == ("error", kind.code)
        assert task.error_message == kind.default_message
