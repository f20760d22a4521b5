"""The work on a task, from its row to its end. Safe to run twice."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog

from anello.errors import (
    AnelloError,
    DownloadImage,
    DownloadMask,
    ExceedMaxFilesize,
    InputError,
    NotFound,
    RuntimeFailure,
    StoreUnavailable,
    WorkerDied,
)
from anello.service.files import Files
from anello.service.jobs import Drawn, Job, RingJob
from anello.service.metrics import Metrics
from anello.service.objects import ObjectStore
from anello.service.requests import Reference, TaskRequest
from anello.service.tasks import RESULTS, Success, Task, Tasks

log = structlog.get_logger()

MAX_FILE_BYTES = 10 * 1024 * 1024
"""A picture of this size or more is refused, before its bytes are all read."""

ENDINGS = {"jpeg": ".jpg", "png": ".png"}


class Fetch(Protocol):
    """Gets what lies at addresses that strangers gave, guarded."""

    def fetch_all(self, urls: Sequence[str], max_bytes: int) -> Sequence[bytes | Exception]:
        """In the same order: bytes, or why there are none (``too_large`` tells one reason)."""
        ...


class Draw(Protocol):
    """Draws pictures in processes of their own."""

    def draw(self, task_id: str, job: Job) -> Drawn:
        """Raises what the drawing raises, TaskTimeout, or WorkerDied when the process ended."""
        ...


class Inputs:
    """Bytes behind references: files of the store and what lies at addresses."""

    def __init__(self, files: Files, fetch: Fetch) -> None:
        self._files = files
        self._fetch = fetch

    def load(self, references: Sequence[tuple[Reference, bool]]) -> list[bytes]:
        """The bytes of each, in order; the flag says which are masks.

        Raises InputError for a file that is gone, DownloadImage, DownloadMask, ExceedMaxFilesize,
        StoreUnavailable.
        """
        urls = [reference.value for reference, _ in references if reference.kind == "url"]
        fetched = iter(self._fetch.fetch_all(urls, MAX_FILE_BYTES) if urls else ())
        loaded = []
        for reference, is_mask in references:
            if reference.kind == "id":
                loaded.append(self._read(reference.value))
                continue
            answer = next(fetched)
            if isinstance(answer, Exception):
                raise _download_error(answer, is_mask) from answer
            loaded.append(answer)
        return loaded

    def _read(self, file_id: str) -> bytes:
        try:
            return self._files.read(file_id)
        except NotFound as error:
            raise InputError(
                f"{InputError.default_message}: the file is not there any more",
                remedy="Upload it again.",
            ) from error


@dataclass(frozen=True, slots=True)
class Work:
    """What working on tasks takes."""

    tasks: Tasks
    inputs: Inputs
    store: ObjectStore
    draw: Draw
    metrics: Metrics

    def run_task(self, task_id: str) -> None:
        """Draw a task's picture and end the task, in success or in its error.

        Raises what another run may do better: WorkerDied, StoreUnavailable.
        """
        task = self.tasks.begin(task_id, "drawing")
        if task is None:
            return
        request = TaskRequest.from_json(task.request)
        try:
            success = self._make(task, request)
        except (WorkerDied, StoreUnavailable):
            raise
        except AnelloError as error:
            self.tasks.fail(task_id, error)
            return
        if success is not None and not self.tasks.succeed(task_id, success):
            for key in (success.picture_key, success.mask_key):
                self.store.delete(key)  # cancelled meanwhile, or another run was first

    def give_up(self, task_id: str, error: BaseException) -> None:
        """End a task whose runs all failed for no fault of its client."""
        known = isinstance(error, AnelloError)
        log.error("task given up", task=task_id, error=type(error).__name__)
        self.tasks.fail(task_id, error if known else RuntimeFailure())  # type: ignore[arg-type]

    def _make(self, task: Task, request: TaskRequest) -> Success | None:
        """The picture, drawn and stored; None when nobody wants it any more."""
        self.metrics.steps.labels("queued").observe(max(0.0, time.time() - task.created_at))
        timings: dict[str, float] = {}
        has_urls = any(reference.kind == "url" for reference in request.references())
        if has_urls and not self.tasks.advance(task.id, "fetching"):
            return None
        with self._timed("fetch", timings):
            job = self._load(request)
        if has_urls and not self.tasks.advance(task.id, "drawing"):
            return None
        with self._timed("draw", timings):
            drawn = self.draw.draw(task.id, job)
        self._count(drawn)
        with self._timed("store", timings):
            name = f"{RESULTS}{task.id}-{secrets.token_hex(4)}"  # another run's are left alone
            keys = f"{name}{ENDINGS[drawn.format]}", f"{name}-mask.png"
            for key, data in zip(keys, (drawn.picture, drawn.mask), strict=True):
                self.store.put(key, data)
        return Success(*keys, drawn.report, timings | drawn.timings_ms, drawn.inputs)

    def _load(self, request: TaskRequest) -> Job:
        wanted = [(request.hand, False), *((ring.image, False) for ring in request.rings)]
        masks = [request.hand_mask, *(ring.mask for ring in request.rings)]
        wanted += [(mask, True) for mask in masks if mask is not None]
        loaded = iter(self.inputs.load(wanted))
        hand, images = next(loaded), [next(loaded) for _ in request.rings]
        hand_mask, *ring_masks = [None if mask is None else next(loaded) for mask in masks]
        rings = [
            RingJob(image, mask, ring.options)
            for image, mask, ring in zip(images, ring_masks, request.rings, strict=True)
        ]
        return Job(hand, hand_mask, tuple(rings))

    @contextmanager
    def _timed(self, step: str, timings: dict[str, float]) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        timings[step] = round(spent * 1000, 1)
        self.metrics.steps.labels(step).observe(spent)

    def _count(self, drawn: Drawn) -> None:
        for (kind, origin), count in drawn.counts.items():
            self.metrics.analyses.labels(kind, origin).inc(count)
        self.metrics.analyses_bytes.set(drawn.bytes_in_memory)


def _download_error(reason: Exception, is_mask: bool) -> AnelloError:
    if getattr(reason, "too_large", False):
        return ExceedMaxFilesize()
    kind = DownloadMask if is_mask else DownloadImage
    return kind(
        f"{kind.default_message}: {reason}",
        remedy="Give a public http or https address that answers with the file.",
    )
