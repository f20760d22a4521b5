"""The queue: every job once, two tries for what is nobody's fault, and on after any crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from dbos import DBOS
from parts import (
    PATIENCE_S,
    Rooms,
    Sent,
    answer,
    by_url,
    drawn,
    new_rooms,
    until,
    url_of,
)

from anello import bootstrap, config
from anello.adapters import engine
from anello.adapters.database import prepare_queue_file
from anello.adapters.engine import MEND, SWEEP, Engine, Jobs
from anello.errors import ObjectDetectionFail, StoreUnavailable, WorkerDied
from anello.service import webhooks
from anello.service.drawing import Drawn, Job
from anello.service.retention import MAX_ATTEMPTS, SETTLING_S, Swept
from anello.service.tasks import Task

AT_ONCE = 3
"""Tasks under way at one time."""


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("queue") / "queue.db"
    prepare_queue_file(file)
    engine.migrate(url_of(file))
    return url_of(file)


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, template: Path, queue_url: str
) -> Iterator[Rooms]:
    """The service, its queue at work."""
    jobs = Jobs(queue_url)
    made = new_rooms(tmp_path_factory.mktemp("house"), template, queue=jobs)
    made.fetch.known = {
        "https://shop.example/hand.jpg": b"hand",
        "https://shop.example/ring.jpg": b"ring",
    }
    runner = Engine(queue_url, AT_ONCE)
    runner.start(made.work, made.webhooks, made.retention)
    yield made
    runner.stop(0)
    jobs.close()
    made.database.close()


class Drawing:
    """Draws as told, and counts."""

    def __init__(self) -> None:
        self.n_drawn: Counter[str] = Counter()
        self.draw: Callable[[str, int], Drawn] = lambda task_id, number: drawn()

    def __call__(self, task_id: str, _job: Job) -> Drawn:
        self.n_drawn[task_id] += 1
        return self.draw(task_id, self.n_drawn[task_id])


@pytest.fixture
def drawing(house: Rooms) -> Drawing:
    house.drawing.drawing = made = Drawing()
    return made


@pytest.fixture
def account(house: Rooms, request: pytest.FixtureRequest) -> str:
    return house.new_account(request.node.name[:90].replace("[", " ").replace("]", ""), 1000)


def ended(house: Rooms, *tasks: Task) -> list[Task]:
    """The tasks, once all of them have ended."""

    def look() -> list[Task]:
        found = [house.tasks.details(task.account_id, task.id).task for task in tasks]
        return found if all(task.status != "running" for task in found) else []

    return until(look, "the end of the tasks")


def job_ended(house: Rooms, job: str) -> None:
    until(lambda: house.queue.states([job]).get(job) == "ended", "the job's end")


# --- first, as it needs engines of its own -------------------------------------------------------


def test_a_task_that_ends_its_server_again_and_again_is_given_up(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each server that begins it is gone in the middle of it, as far as the queue can tell."""
    monkeypatch.setattr("anello.service.retention.SETTLING_S", -1.0)
    url = url_of(tmp_path / "queue.db")
    engine.migrate(url)
    jobs = Jobs(url)
    rooms = new_rooms(tmp_path, template, queue=jobs)
    rooms.fetch.known = {f"https://shop.example/{name}.jpg": b"x" for name in ("hand", "ring")}
    begun, end = threading.Semaphore(0), threading.Event()

    def never(_task_id: str, _job: Job) -> Drawn:
        begun.release()
        end.wait(PATIENCE_S)
        raise SystemExit

    rooms.drawing.drawing = never
    account = rooms.new_account()
    task = rooms.new_task(account)
    try:
        for number in range(1, MAX_ATTEMPTS + 1):
            runner = Engine(url, 1)
            runner.start(rooms.work, rooms.webhooks, rooms.retention)
            assert begun.acquire(timeout=PATIENCE_S)
            assert rooms.tasks.poll(account, task.id).attempts == number
            assert not runner.stop(0)
            assert rooms.retention.mend() == Swept()  # the next server will go on with it
        runner = Engine(url, 1)
        runner.start(rooms.work, rooms.webhooks, rooms.retention)
        until(lambda: jobs.states([task.id]) == {task.id: "ended"}, "the queue to give it up")
        assert rooms.retention.mend() == Swept(tasks_given_up=1)
        assert rooms.tasks.poll(account, task.id).error_code == "RUNTIME_ERROR"
        assert rooms.balance(account) == (100, 0)
        assert not begun.acquire(blocking=False)
        assert runner.stop(0)
    finally:
        end.set()
        DBOS.destroy()
        jobs.close()
        rooms.database.close()


# --- tasks ---------------------------------------------------------------------------------------


def test_a_task_is_done_once(house: Rooms, account: str, drawing: Drawing) -> None:
    task = house.new_task(account)
    (done,) = ended(house, task)
    assert (done.status, done.attempts) == ("success", 1)
    assert house.tasks.result(task.id, "picture").path.read_bytes() == b"picture"
    job_ended(house, task.id)
    house.queue.start_task(task.id)  # said once more
    house.queue.start_task(task.id)
    ended(house, house.new_task(account))  # whatever was started by that would be done by now
    assert drawing.n_drawn[task.id] == 1
    assert house.ledger(account)[:3] == [("grant", 1000), ("hold", 1), ("charge", 1)]


@pytest.mark.parametrize(
    ("error", "n_drawn", "code", "message"),
    [
        (WorkerDied(), 2, "RUNTIME_ERROR", "Unexpected error"),
        (StoreUnavailable("The disk is full"), 2, "error_upload", "The disk is full"),
        (ObjectDetectionFail(), 1, "OBJECT_DETECTION_FAIL", "No ring detected"),
        (KeyError("private words"), 1, "RUNTIME_ERROR", "Unexpected error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_that_stay(
    house: Rooms,
    account: str,
    drawing: Drawing,
    error: Exception,
    n_drawn: int,
    code: str,
    message: str,
) -> None:
    """What is nobody's fault gets exactly one more try; then, and otherwise, it is the end."""

    def fail(_task_id: str, _number: int) -> Drawn:
        raise error

    drawing.draw = fail
    (done,) = ended(house, house.new_task(account))
    assert (done.status, done.error_code, done.error_message) == ("error", code, message)
    job_ended(house, done.id)
    assert drawing.n_drawn[done.id] == done.attempts == n_drawn
    assert house.balance(account) == (1000, 0)


@pytest.mark.parametrize("error", [WorkerDied, StoreUnavailable])
def test_errors_that_pass(
    house: Rooms, account: str, drawing: Drawing, error: type[Exception]
) -> None:
    def fail_once(_task_id: str, number: int) -> Drawn:
        if number == 1:
            raise error()
        return drawn()

    drawing.draw = fail_once
    (done,) = ended(house, house.new_task(account))
    assert (done.status, done.attempts) == ("success", 2)
    assert house.balance(account) == (999, 0)


def test_so_many_tasks_at_once_and_no_more(house: Rooms, account: str, drawing: Drawing) -> None:
    under_way, most, lock = set(), [0], threading.Lock()
    full, go = threading.Event(), threading.Event()

    def draw(task_id: str, _number: int) -> Drawn:
        with lock:
            under_way.add(task_id)
            most[0] = max(most[0], len(under_way))
            if len(under_way) == AT_ONCE:
                full.set()
        go.wait(PATIENCE_S)
        with lock:
            under_way.discard(task_id)
        return drawn()

    drawing.draw = draw
    tasks = [house.new_task(account) for _ in range(2 * AT_ONCE)]
    assert full.wait(PATIENCE_S)
    positions = [house.tasks.details(account, task.id).position for task in tasks]
    assert positions == [None] * AT_ONCE + list(range(AT_ONCE))
    states = house.queue.states([task.id for task in tasks])
    assert Counter(states.values()) == {"running": AT_ONCE, "waiting": AT_ONCE}
    go.set()
    assert {task.status for task in ended(house, *tasks)} == {"success"}
    assert most[0] == AT_ONCE


def test_a_cancelled_task_is_not_drawn_when_its_turn_comes(
    house: Rooms, account: str, drawing: Drawing
) -> None:
    go, begun = threading.Event(), threading.Semaphore(0)

    def draw(_task_id: str, _number: int) -> Drawn:
        begun.release()
        go.wait(PATIENCE_S)
        return drawn()

    drawing.draw = draw
    tasks = [house.new_task(account) for _ in range(AT_ONCE + 1)]
    for _ in range(AT_ONCE):
        assert begun.acquire(timeout=PATIENCE_S)
    # The one that waits first: the other's end would let it begin.
    for task in (tasks[-1], tasks[0]):
        house.tasks.cancel(account, task.id)
    go.set()
    done = ended(house, *tasks)
    assert [task.error_code for task in done] == ["cancelled", None, None, "cancelled"]
    ended(house, house.new_task(account))  # their turn would have come by now
    assert drawing.n_drawn[tasks[-1].id] == 0
    assert drawing.n_drawn[tasks[0].id] == 1
    assert house.accounts.audit() == []


# --- deliveries ----------------------------------------------------------------------------------


def test_a_message_leaves_by_itself_and_is_tried_again_after_its_delay(
    house: Rooms, account: str, drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "DELAYS_S", (0.5, 0.5, 0.5))
    house.post.answers = [answer(500), answer(None, error="refused")]
    times: list[float] = []
    house.post.on_post = lambda _: times.append(time.time())
    endpoint = house.webhooks.add(account, "https://shop.example/a")
    task = house.new_task(account)

    def delivered() -> bool:
        found = house.webhooks.deliveries(endpoint.id, 10)
        return [delivery.status for delivery, _ in found] == ["delivered"]

    until(delivered, "the delivery")
    sent = [sent for sent in house.post.sent if sent.url == "https://shop.example/a"]
    assert len(sent) == 3
    assert {one.headers["webhook-id"] for one in sent} == {
        f"msg_{task.id}:{int(house.tasks.poll(account, task.id).finished_at or 0)}"
    }
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(times))
    house.post.on_post = lambda _: None


def test_a_slow_receiver_holds_up_nobody_else(house: Rooms, account: str, drawing: Drawing) -> None:
    slow, quick = "https://slow.example/", "https://quick.example/"
    go, at_slow = threading.Event(), Counter[str]()

    def wait(sent: Sent) -> None:
        at_slow[sent.url] += 1
        if sent.url == slow:
            go.wait(PATIENCE_S)

    house.post.on_post = wait
    for url in (slow, quick):
        house.webhooks.add(account, url)
    ended(house, *[house.new_task(account) for _ in range(8)])
    try:
        until(lambda: at_slow[quick] == 8, "the messages to the quick one")
        assert 1 <= at_slow[slow] <= engine.WEBHOOKS_AT_ONCE_EACH
    finally:
        go.set()
    until(lambda: at_slow[slow] == 8, "the messages to the slow one")
    house.post.on_post = lambda _: None


# --- what is known of jobs -----------------------------------------------------------------------


def test_what_became_of_jobs(house: Rooms, account: str, drawing: Drawing) -> None:
    assert house.queue.states([]) == {}
    (done,) = ended(house, house.new_task(account))
    job_ended(house, done.id)
    assert house.queue.states([done.id, "tnone"]) == {done.id: "ended"}


def test_jobs_that_ended_are_forgotten_in_time(
    house: Rooms, account: str, drawing: Drawing
) -> None:
    (done,) = ended(house, house.new_task(account))
    job_ended(house, done.id)
    house.queue.forget(time.time() - 3600)
    assert house.queue.states([done.id]) == {done.id: "ended"}
    assert house.queue.forget(time.time() + 1) >= 1
    assert house.queue.states([done.id]) == {}


def test_a_lost_task_is_mended_by_the_schedule(
    house: Rooms, account: str, drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job went missing between its row and the queue."""
    with monkeypatch.context() as broken:
        broken.setattr(house.queue, "start_task", lambda _: None)
        task = house.new_task(account)
    assert house.queue.states([task.id]) == {}
    time.sleep(SETTLING_S + 0.1)  # rows younger than this are left alone
    DBOS.trigger_schedule(MEND)
    (done,) = ended(house, task)
    assert done.status == "success"


def test_a_task_s_job_can_be_run_again(house: Rooms, account: str, drawing: Drawing) -> None:
    """Its job ended without ending it: somebody interfered, or a fault of ours."""
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(type(house.work), "run_task", lambda *_: None)
        task = house.new_task(account)
        job_ended(house, task.id)
    assert house.tasks.poll(account, task.id).status == "running"
    house.queue.restart_task(task.id)
    assert ended(house, task)[0].status == "success"


def test_the_schedules(house: Rooms, queue_url: str) -> None:
    found = {one["schedule_name"]: one["schedule"] for one in DBOS.list_schedules()}
    assert found == {MEND: "* * * * *", SWEEP: "17 * * * *"}


# --- crashes -------------------------------------------------------------------------------------


class KilledServer:
    """`server_to_kill` on a folder: started, stopped and killed at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("server_to_kill.py")
        environment = {"ANELLO_WORKERS": "1", "ANELLO_SHUTDOWN_S": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(self.folder)],
            env={k: v for k, v in os.environ.items() if "ANELLO" not in k} | environment,
            **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", self._process.communicate()[1]

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        assert self._process.returncode == -signal.SIGKILL

    def stop(self) -> int:
        assert self._process is not None
        self._process.communicate("\n", timeout=PATIENCE_S)
        return self._process.returncode

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def notes(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KilledServer]:
    made = KilledServer(tmp_path)
    yield made
    made.end()


def test_whatever_is_accepted_ends_though_the_server_is_stopped_and_killed(
    server: KilledServer, tmp_path: Path
) -> None:
    wait, deaf = tmp_path / "wait", tmp_path / "deaf"
    settings = config.load({"ANELLO_ALLOW_PRIVATE_URLS": "1"}, tmp_path / "data")
    services = bootstrap.build(settings)  # beside the server, as commands are
    try:
        services.accounts.create("shop", 10)
        account = services.accounts.by_name("shop").id
        endpoint = services.webhooks.add(account, "http://127.0.0.1:9/")
        create = partial(services.tasks.create, account, by_url())

        # A task that ends, but whose receiver does not hear of it; two that are drawn, one that
        # waits for its turn.
        server.start()
        deaf.touch()
        told = create()
        until(lambda: server.notes("posted"), "the first attempt")
        wait.touch()
        first, second, third = create(), create(), create()
        until(lambda: {first.id, second.id} <= set(server.notes("drawn")), "the drawing")

        # It is told to stop; in its time the two don't end, and it goes all the same.
        assert server.stop() == 0
        assert services.tasks.poll(account, first.id).status == "running"

        # They go on, and then the server is killed. Meanwhile one more task is accepted.
        server.start()
        until(lambda: len(server.notes("drawn")) == 1 + 2 + 2, "the drawing of two once more")
        server.kill()
        fourth = create()
        ((delivery, _),) = services.webhooks.deliveries(endpoint.id, 10)
        assert delivery.status == "pending"
        deaf.unlink()
        wait.unlink()

        server.start()
        tasks = [told, first, second, third, fourth]

        def statuses() -> list[str]:
            return [services.tasks.poll(account, task.id).status for task in tasks]

        until(lambda: statuses() == ["success"] * 5, "the end of all tasks")
        n_drawn = Counter(server.notes("drawn"))
        assert set(n_drawn) == {task.id for task in tasks}
        assert n_drawn.total() == 1 + 2 + 2 + 4  # none once more after its end
        assert services.accounts.audit() == []
        assert [g.available for g in services.accounts.grants(account)] == [5]

        # Every message arrives under one id of its own, the late one not before its time.
        until(
            lambda: {d.status for d, _ in services.webhooks.deliveries(None, 10)} == {"delivered"},
            "the delivery of all messages",
        )
        posted = [line.split() for line in server.notes("posted")]
        heard = Counter(id for _, id, status in posted if status == "200")
        assert set(heard.values()) == {1}
        assert {id.partition(":")[0] for id in heard} == {f"msg_{task.id}" for task in tasks}
        (late,) = (float(at) for at, id, status in posted if told.id in id and status == "200")
        assert late >= delivery.due_at
    finally:
        services.close()
