"""Drawing processes: whatever becomes of one, its caller hears of it and nobody else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from drawers import ByName, job, without_networks
from parts import PATIENCE_S, at_once, until

from anello.adapters.compute import NICENESS, Compute
from anello.errors import (
    AnelloError,
    InvalidParameter,
    ModelsUnavailable,
    ObjectDetectionFail,
    RuntimeFailure,
    TaskTimeout,
    WorkerDied,
)
from anello.options import Finger
from anello.service.metrics import Metrics

MB = 1024 * 1024


@contextmanager
def started(make: Callable[[], object], n_workers: int, timeout_s: float) -> Iterator[Compute]:
    made = Compute(make, n_workers, timeout_s, Metrics())  # type: ignore[arg-type]
    made.start()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def pool() -> Iterator[Compute]:
    """Two processes that most tests share: that each test leaves it well is part of the test."""
    with started(ByName, 2, PATIENCE_S) as made:
        yield made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def draw(pool: Compute, verb: str, data: bytes = b"", task_id: str = "t") -> bytes:
    return pool.draw(task_id, job(verb, data)).picture


def pids(pool: Compute) -> set[int]:
    """Of both processes: two calls, each answered by the other's side."""
    hold = threading.Barrier(2)

    def ask() -> int:
        hold.wait(PATIENCE_S)
        return int(draw(pool, "pid"))

    found: set[int] = set()
    while len(found) < 2:
        found = {pid for pid in at_once(ask, ask) if isinstance(pid, int)}
    return found


def is_alive(pid: int) -> bool:
    """Neither gone nor a zombie (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def n_ended(pool: Compute, reason: str) -> float:
    registry = pool._metrics.registry
    return registry.get_sample_value("anello_workers_ended_total", {"reason": reason}) or 0.0


# --- answers -------------------------------------------------------------------------------------


def test_each_call_gets_its_own_answer(pool: Compute) -> None:
    bodies = [str(number).encode() for number in range(20)]
    assert at_once(*[partial(draw, pool, "echo", body) for body in bodies]) == bodies


def test_all_arguments_arrive(pool: Compute) -> None:
    found = pool.inspect_hand(b"photo", Finger.RING, True)
    assert found.findings == {"image": b"photo", "finger": Finger.RING, "overlay": True}
    assert pool.inspect_ring(b"pid", False).overlay == b"overlay"


def test_large_pictures_both_ways(pool: Compute) -> None:
    data = os.urandom(MB) * 20
    assert draw(pool, "echo", data) == data


def test_it_is_another_process_and_a_modest_one(pool: Compute) -> None:
    assert int(draw(pool, "pid")) != os.getpid()
    assert int(draw(pool, "niceness")) == min(19, os.nice(0) + NICENESS)


def hang(
    pool: Compute, threads: ThreadPoolExecutor, mark: Path, task_id: str, verb: str = "hang"
) -> Future[bytes]:
    """A call that hangs in its process by now."""
    call = threads.submit(draw, pool, verb, str(mark).encode(), task_id)
    until(lambda: mark.exists() or call.done(), "the process to hang")
    assert not call.done(), call.exception()
    return call


# --- errors --------------------------------------------------------------------------------------


def test_an_error_of_ours_arrives_as_it_was_raised(pool: Compute) -> None:
    with pytest.raises(ObjectDetectionFail) as refused:
        draw(pool, "refuse")
    assert (refused.value.message, refused.value.remedy) == (
        "No ring in it",
        "Take another picture.",
    )
    with pytest.raises(InvalidParameter, match="outside") as refused_value:
        draw(pool, "refuse_a_value")
    assert (refused_value.value.field, refused_value.value.remedy) == ("anchors", "Stay inside.")


@pytest.mark.parametrize(
    ("verb", "message"), [("fail", "Unexpected error"), ("exhaust", "Out of memory")]
)
def test_a_fault_of_ours_is_told_without_its_details(
    pool: Compute, verb: str, message: str
) -> None:
    with pytest.raises(RuntimeFailure) as failed:
        draw(pool, verb)
    assert type(failed.value) is RuntimeFailure
    assert failed.value.message == message
    assert "private" not in repr(failed.value.__dict__)
    assert failed.value.__cause__ is None


def test_errors_cost_no_process(pool: Compute) -> None:
    before = pids(pool)
    for verb in ("refuse", "fail", "exhaust"):
        with pytest.raises(AnelloError):
            draw(pool, verb)
    assert pids(pool) == before


# --- processes that end --------------------------------------------------------------------------


def test_processes_that_end_cost_one_call_each_and_are_replaced(
    pool: Compute, threads: ThreadPoolExecutor
) -> None:
    """And meanwhile somebody asks whether they are ready."""
    done = threading.Event()

    def ask() -> set[bool]:
        heard = set()
        while not done.is_set():
            heard.add(pool.is_ready())
        return heard

    before, asking = pids(pool), threads.submit(ask)
    gave = at_once(partial(draw, pool, "segfault"), partial(draw, pool, "leave"))
    assert [type(error) for error in gave] == [WorkerDied, WorkerDied]
    assert all(error.code == "RUNTIME_ERROR" for error in gave if isinstance(error, WorkerDied))
    assert n_ended(pool, "died") == 2
    assert draw(pool, "echo", b"works") == b"works"
    assert not pids(pool) & before
    assert pool.is_ready()
    done.set()
    assert asking.result(PATIENCE_S) <= {True, False}


def test_a_process_killed_while_it_had_nothing_to_do(pool: Compute) -> None:
    kept, killed = pids(pool)
    (process,) = (w._process for w in pool._workers if w._process and w._process.pid == killed)
    os.kill(killed, signal.SIGKILL)
    process.join(PATIENCE_S)
    assert at_once(*[partial(draw, pool, "echo", b"x")] * 2) == [b"x", b"x"]
    after = pids(pool)
    assert kept in after
    assert killed not in after


def test_a_terminal_s_signals_are_the_server_s_business(pool: Compute) -> None:
    before = pids(pool)
    for pid in before:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    assert pids(pool) == before


def test_killed_with_half_an_answer_sent(pool: Compute, threads: ThreadPoolExecutor) -> None:
    """Killed at any moment of a long answer: whole, or WorkerDied, and the next call is well."""
    data = os.urandom(MB) * 20
    call = threads.submit(draw, pool, "echo", data, "long")
    time.sleep(0.01)  # any moment will do
    pool.stop("long")
    with suppress(WorkerDied):
        assert call.result(PATIENCE_S) == data
    assert draw(pool, "echo", b"next") == b"next"


# --- too slow, or not wanted any more ------------------------------------------------------------


def test_a_call_that_takes_too_long(
    pool: Compute, tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is killed, heavy as it is; the calls that wait behind it hear nothing of it."""
    at_once(*[partial(draw, pool, "load", str(200 * MB).encode())] * 2)
    counted = n_ended(pool, "timeout")
    with monkeypatch.context() as hurry:
        hurry.setattr(pool, "_timeout_s", 0.5)
        calls = [
            threads.submit(draw, pool, verb, str(tmp_path / verb).encode())
            for verb in ("hang", "spin")
        ]
        begun = [tmp_path / verb for verb in ("hang", "spin")]
        until(lambda: all(c.done() or m.exists() for c, m in zip(calls, begun, strict=True)), "it")
    behind = [threads.submit(draw, pool, "echo", b"behind") for _ in range(4)]
    assert [type(call.exception(PATIENCE_S)) for call in calls] == [TaskTimeout, TaskTimeout]
    assert [call.result(PATIENCE_S) for call in behind] == [b"behind"] * 4
    assert not any(is_alive(int(mark.read_text())) for mark in begun if mark.exists())
    assert n_ended(pool, "timeout") == counted + 2


def test_stopping_ends_that_task_s_process_and_no_other(
    pool: Compute, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    one = hang(pool, threads, tmp_path / "one", "one")
    assert draw(pool, "echo", b"meanwhile") == b"meanwhile"
    two = hang(pool, threads, tmp_path / "two", "two")
    pool.stop("three")
    pool.stop("one")
    assert isinstance(one.exception(PATIENCE_S), WorkerDied)
    assert not is_alive(int((tmp_path / "one").read_text()))
    assert is_alive(int((tmp_path / "two").read_text()))
    assert not two.done()
    pool.stop("one")
    assert draw(pool, "echo", b"x") == b"x"
    pool.stop("two")
    assert isinstance(two.exception(PATIENCE_S), WorkerDied)


def test_a_stop_that_comes_as_its_call_ends_harms_no_later_one(pool: Compute) -> None:
    at_once(*[partial(draw, pool, "load", str(200 * MB).encode())] * 2)
    worker = pool._idle.queue[-1]  # whose turn it is next
    worker._task_id = "late"  # as in the moment when its answer is there and is not taken yet
    pool.stop("late")
    worker._task_id = None
    assert draw(pool, "echo", b"next") == b"next"


# --- beginning and end ---------------------------------------------------------------------------


def test_networks_that_are_missing_and_the_end_of_it_all(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    networks = tmp_path / "networks"
    assert not Compute(ByName, 1, PATIENCE_S, Metrics()).is_ready()  # type: ignore[arg-type]
    with started(partial(without_networks, networks), 1, PATIENCE_S) as made:
        for _ in range(2):  # each call misses them until they come
            with pytest.raises(ModelsUnavailable) as missed:
                draw(made, "echo")
            assert missed.value.remedy == "Fetch them."
        assert not made.is_ready()
        networks.touch()
        assert draw(made, "echo", b"x") == b"x"
        call = hang(made, threads, tmp_path / "mark", "t")
        waiting = threads.submit(draw, made, "echo")
    for ended in (call, waiting, threads.submit(draw, made, "echo")):
        assert isinstance(ended.exception(PATIENCE_S), WorkerDied)
    assert not is_alive(int((tmp_path / "mark").read_text()))
    assert not made.is_ready()
    made.close()


SERVER = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from drawers import ByName, job
from anello.adapters.compute import Compute
from anello.service.metrics import Metrics

def main():
    how, mark = sys.argv[2:]
    pool = Compute(ByName, 1, 60.0, Metrics())
    pool.start()
    call = ("t", job("spin" if how == "die" else "hang", mark.encode()))
    threading.Thread(target=pool.draw, args=call, daemon=True).start()
    sys.stdin.readline()

if __name__ == "__main__":
    main()
"""

Server = tuple[subprocess.Popen[bytes], Path]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """By how they will end, processes each with a drawing process, and where its id stands."""
    folder = tmp_path_factory.mktemp("servers")
    script = folder / "server.py"
    script.write_text(SERVER)
    made = {}
    for how in ("die", "end"):
        command = [sys.executable, str(script), str(Path(__file__).parent), how, str(folder / how)]
        made[how] = (subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1), folder / how)
    yield made
    for process, _ in made.values():
        process.kill()
        process.communicate()


def begun(server: Server) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the id of its own one, which is busy by now."""
    process, mark = server
    until(lambda: mark.exists() and mark.read_text(), "its drawing")
    return process, int(mark.read_text())


def test_kill_9_of_the_server_ends_its_processes(servers: dict[str, Server]) -> None:
    process, child = begun(servers["die"])
    assert is_alive(child)
    process.kill()
    until(lambda: not is_alive(child), "the end of the drawing process")


def test_a_server_ends_though_its_processes_are_busy(servers: dict[str, Server]) -> None:
    """Though it closes no pool, no process is waited for, and none is left."""
    process, child = begun(servers["end"])
    _, said = process.communicate(b"\n", timeout=PATIENCE_S)
    assert process.returncode == 0, said
    until(lambda: not is_alive(child), "the end of the drawing process")
