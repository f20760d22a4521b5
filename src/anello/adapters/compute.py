"""The process pool in which pictures are computed: a crash or a hang costs one attempt, no more.

Each process has a pipe of its own and one call at a time, so any of them can be killed at any
moment without a word of another's being lost. (The standard library's pool breaks as a whole when
one of its processes dies, and neither it nor others can end one call that takes too long.)
"""

from __future__ import annotations

import atexit
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import structlog

from anello.errors import AnelloError, RuntimeFailure, TaskTimeout, WorkerDied
from anello.faults import describe_error
from anello.options import Finger
from anello.service.jobs import Drawn, Inspection, Job
from anello.service.metrics import Metrics

if TYPE_CHECKING:
    from anello.service.drawing import Drawer

log = structlog.get_logger()

NICENESS = 15
"""Pictures wait for answers to clients, not the other way round."""
START_TIMEOUT_S = 60.0
_SPAWN = get_context("spawn")  # forking a process with threads is asking for deadlocks


class Compute:
    """Drawers in processes, called from threads; calls beyond their number wait.

    make : builds the Drawer, within the new process; it travels there by pickle.
    """

    def __init__(
        self, make: Callable[[], Drawer], n_workers: int, timeout_s: float, metrics: Metrics
    ) -> None:
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._workers = [_Worker(make) for _ in range(n_workers)]
        # The one that worked last goes first: its memory is the warmest.
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def start(self) -> None:
        """Start all processes; they get ready on their own."""
        # Before the standard library's own end, which would wait for them for ever: see `_serve`.
        atexit.register(self.close)
        for worker in self._workers:
            worker.start()

    def is_ready(self) -> bool:
        """Whether one process at least can take a call at once, or is at one."""
        return any(worker.is_ready() for worker in self._workers)

    def draw(self, task_id: str, job: Job) -> Drawn:
        drawn: Drawn = self._call(task_id, "draw", job)
        return drawn

    def inspect_hand(self, image: bytes, finger: Finger | None, overlay: bool) -> Inspection:
        found: Inspection = self._call(None, "inspect_hand", image, finger, overlay)
        return found

    def inspect_ring(self, image: bytes, overlay: bool) -> Inspection:
        found: Inspection = self._call(None, "inspect_ring", image, overlay)
        return found

    def stop(self, task_id: str) -> None:
        """Kill the process that draws for a task, if one does."""
        for worker in self._workers:
            worker.kill_if_at(task_id)

    def close(self) -> None:
        """Kill all processes; whoever waits for one gets WorkerDied."""
        atexit.unregister(self.close)
        for worker in self._workers:
            worker.close()

    def _call(self, task_id: str | None, method: str, *args: Any) -> Any:
        worker = self._idle.get()
        try:
            return worker.call(task_id, self._timeout_s, method, args)
        except (TaskTimeout, WorkerDied) as error:
            reason = "timeout" if isinstance(error, TaskTimeout) else "died"
            self._metrics.workers_ended.labels(reason).inc()
            log.warning("drawing process ended", task=task_id, reason=reason)
            raise
        finally:
            self._idle.put(worker)


class _Worker:
    """One process and the pipe to it; a new process takes the place of a dead one.

    One thread calls at a time; others may look whether it is ready, and kill.
    """

    def __init__(self, make: Callable[[], Drawer]) -> None:
        self._make = make
        self._lock = threading.Lock()  # around process, pipe and task, which other threads look at
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._ready = self._closed = False
        self._task_id: str | None = None

    def start(self) -> None:
        with self._lock:
            if self._closed:
                return
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(
                target=_serve, args=(self._make, theirs), name="anello drawing", daemon=True
            )
            process.start()
            theirs.close()  # else the end of the process would not end the pipe
            self._process, self._pipe, self._ready = process, ours, False

    def is_ready(self) -> bool:
        with self._lock:
            if self._process is None or self._pipe is None or not self._process.is_alive():
                return False
            return self._ready or self._pipe.poll()

    def call(
        self, task_id: str | None, timeout_s: float, method: str, args: tuple[Any, ...]
    ) -> Any:
        """The method's result, within the time. Raises what it raises, TaskTimeout, WorkerDied."""
        try:
            pipe, process = self._make_ready()
            with self._lock:
                self._task_id = task_id
            pipe.send((method, args))
            if not wait([pipe, process.sentinel], timeout_s):
                raise TaskTimeout()
            result, error = pipe.recv()
        except TaskTimeout:
            self._discard()
            raise
        except (EOFError, OSError) as gone:
            self._discard()
            raise WorkerDied() from gone
        finally:
            with self._lock:
                self._task_id = None
        if error is not None:
            raise error
        return result

    def kill_if_at(self, task_id: str) -> None:
        with self._lock:
            if self._task_id == task_id and self._process is not None:
                self._process.kill()
                self._process.join()  # one that is still dying must get no other call

    def close(self) -> None:
        """End for good: a call that is going on, and every later one, raises WorkerDied."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _make_ready(self) -> tuple[Connection, SpawnProcess]:
        """The pipe and the process, which waits for a call."""
        if self._process is None or not self._process.is_alive():
            self._discard()
        pipe, process = self._pipe, self._process
        if pipe is None or process is None:
            raise OSError("it was closed")
        if not self._ready:
            if not wait([pipe, process.sentinel], START_TIMEOUT_S):
                raise OSError("the drawing process does not start")
            error = pipe.recv()
            if error is not None:
                self._end()  # what it misses may be there when the next call comes
                raise error
            self._ready = True
        return pipe, process

    def _discard(self) -> None:
        """End the process, if it has not ended, and start another."""
        self._end()
        self.start()

    def _end(self) -> None:
        with self._lock:
            process, pipe = self._process, self._pipe
            self._process, self._pipe, self._ready = None, None, False
        if process is not None and pipe is not None:
            pipe.close()
            process.kill()
            process.join()
            process.close()


def _serve(make: Callable[[], Drawer], pipe: Connection) -> None:
    """The life of a drawing process: ready, then one call after the other until the pipe ends."""
    # A terminal's Ctrl-C and a supervisor's TERM go to the whole group; the server decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        drawer = make()
    except Exception as error:
        pipe.send(_for_caller(error))
        return
    pipe.send(None)
    while True:
        try:
            method, args = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[Any, AnelloError | None] = (getattr(drawer, method)(*args), None)
        except Exception as error:
            answer = (None, _for_caller(error))
        pipe.send(answer)


def _for_caller(error: Exception) -> AnelloError:
    """The error as it may be told; where it is a fault of ours, the log says which."""
    if isinstance(error, AnelloError):
        return error.with_traceback(None)
    if isinstance(error, MemoryError):
        return RuntimeFailure("Out of memory", remedy="Use a smaller picture.")
    log.error("drawing failed", error=describe_error(error))
    return RuntimeFailure()


def _end_with_parent() -> None:
    """When the server is gone, however it went, so is this."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
