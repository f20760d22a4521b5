"""The whole service without HTTP: real pictures, real processes, the real queue."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from parts import until
from PIL import Image

import anello
from anello import bootstrap, config
from anello.bootstrap import Services, build, running
from anello.errors import Forbidden, RuntimeFailure, TaskTimeout, TooManyRequests
from anello.models.fetch import missing_models
from anello.options import Finger, Options
from anello.service.requests import NewFile, Reference, RingRequest, TaskRequest
from anello.service.tasks import Task

needs_models = pytest.mark.skipif(
    bool(missing_models()), reason="the hand networks are not here: anello models fetch"
)

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
HAND = (SAMPLES / "hand-light.jpg").read_bytes()
RING = (SAMPLES / "ring-solitaire.jpg").read_bytes()
BAND = (SAMPLES / "ring-wide-band.jpg").read_bytes()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """At work, with one drawing process."""
    environ = {"ANELLO_WORKERS": "1", "ANELLO_SHUTDOWN_S": "0.1", "ANELLO_TASK_TIMEOUT_S": "120"}
    made = build(config.load(environ, tmp_path_factory.mktemp("whole") / "data"))
    with pytest.MonkeyPatch.context() as guard:
        # A server that is stopped with tasks under way ends its process: here, with a failure.
        guard.setattr(bootstrap.os, "_exit", lambda _: pytest.fail("tasks were under way"))
        with running(made):
            yield made
    made.close()


@pytest.fixture(scope="module")
def account(services: Services) -> str:
    services.accounts.create("shop", 100)
    return services.accounts.by_name("shop").id


def upload(services: Services, account: str, data: bytes) -> Reference:
    (upload,) = services.files.register(account, [NewFile("image/jpg", "x", len(data))])
    services.files.accept(upload.file_id, io.BytesIO(data), len(data))
    return Reference("id", upload.file_id)


def wear(
    services: Services,
    account: str,
    hand: bytes,
    *rings: bytes,
    hand_mask: bytes | None = None,
    options: Options | None = None,
) -> Task:
    """A task over uploads of its own, once it has ended."""
    mask = None if hand_mask is None else upload(services, account, hand_mask)
    wanted = tuple(
        RingRequest(upload(services, account, ring), None, options or Options()) for ring in rings
    )
    request = TaskRequest(upload(services, account, hand), mask, wanted)
    task = services.tasks.create(account, request)
    until(lambda: services.tasks.details(account, task.id).task.status != "running", "the task")
    return services.tasks.details(account, task.id).task


def picture(services: Services, task: Task) -> bytes:
    assert task.status == "success", (task.error_code, task.error_message)
    return services.tasks.result(task.id, "picture").path.read_bytes()


def origins(services: Services) -> dict[tuple[str, str], float]:
    """How many analyses came from where so far."""
    return {
        (sample.labels["kind"], sample.labels["origin"]): sample.value
        for family in services.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "anello_analyses_total"
    }


def library(hand: bytes, *rings: bytes, **how: object) -> bytes:
    return anello.try_on(hand, list(rings), **how).encode()  # type: ignore[arg-type]


# --- pictures ------------------------------------------------------------------------------------


@needs_models
def test_a_picture_from_create_to_result(services: Services, account: str) -> None:
    before = sum(grant.available for grant in services.accounts.grants(account))
    task = wear(services, account, HAND, RING)
    made = picture(services, task)
    with Image.open(io.BytesIO(made)) as image, Image.open(io.BytesIO(HAND)) as hand:
        assert (image.format, image.size) == ("JPEG", hand.size)
    assert made == library(HAND, RING)  # whatever the door, it is one picture

    mask = services.tasks.result(task.id, "mask")
    assert mask.media_type == "image/png"
    with Image.open(mask.path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        assert image.size == hand.size
        covered = np.asarray(image)
    assert covered.max() == 255
    assert 0.0005 < (covered > 0).mean() < 0.1

    assert task.report is not None
    plain = json.loads(json.dumps(task.report, allow_nan=False))
    assert plain == task.report
    assert task.report["rings"]
    details = services.tasks.details(account, task.id)
    assert details.position is None
    assert {"queued", "worked", "fetch", "draw", "store", "total", "encode"} <= set(
        details.timings_ms
    )
    assert sum(grant.available for grant in services.accounts.grants(account)) == before - 1
    assert services.accounts.audit() == []


@needs_models
def test_the_same_again_is_the_same_to_the_byte_from_whatever_was_kept(
    services: Services, account: str
) -> None:
    first = picture(services, wear(services, account, HAND, RING))
    before = origins(services)
    assert picture(services, wear(services, account, HAND, RING)) == first
    after = origins(services)
    for kind in ("hand", "ring"):
        assert after[kind, "memory"] == before.get((kind, "memory"), 0) + 1
        assert after[kind, "computed"] == before[kind, "computed"]

    (process,) = (worker._process for worker in services.compute._workers)
    assert process is not None
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)  # a new process remembers nothing
    process.join()
    assert picture(services, wear(services, account, HAND, RING)) == first
    last = origins(services)
    for kind in ("hand", "ring"):
        assert last[kind, "store"] == after.get((kind, "store"), 0) + 1
        assert last[kind, "computed"] == after[kind, "computed"]


@needs_models
def test_what_is_kept_serves_other_requests_as_if_it_were_new(
    services: Services, account: str
) -> None:
    """Another finger, two rings, a mask: the analyses known by now change nothing."""
    options = Options(finger=Finger.MIDDLE, location=0.6, shadow=0.5, ambient=0.3)
    worn = picture(services, wear(services, account, HAND, RING, BAND, options=options))
    assert worn == library(HAND, RING, BAND, options=[options] * 2)

    height, width = cv2.imdecode(np.frombuffer(HAND, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    white = np.full((height, width), 255, np.uint8)
    white[: height // 4] = 0
    mask = bytes(cv2.imencode(".png", white)[1])
    masked = library(HAND, RING, hand_mask=mask)
    for _ in range(2):  # computed, then known
        task = wear(services, account, HAND, RING, hand_mask=mask)
        assert picture(services, task) == masked


@needs_models
def test_png_in_png_out_and_every_other_pixel_as_it_was(services: Services, account: str) -> None:
    hand = cv2.imdecode(np.frombuffer(HAND, np.uint8), cv2.IMREAD_COLOR)
    task = wear(services, account, bytes(cv2.imencode(".png", hand)[1]), RING)
    result = services.tasks.result(task.id, "picture")
    assert result.media_type == "image/png"
    worn = cv2.imread(str(result.path))
    near = cv2.imread(str(services.tasks.result(task.id, "mask").path), cv2.IMREAD_GRAYSCALE) > 0
    rows, columns = np.nonzero(near)
    reach = 2 * max(np.ptp(rows), np.ptp(columns))
    far = np.ones_like(near)
    far[
        max(0, rows.min() - reach) : rows.max() + reach,
        max(0, columns.min() - reach) : columns.max() + reach,
    ] = False
    assert far.mean() > 0.3
    assert np.array_equal(worn[far], hand[far])
    assert not np.array_equal(worn[near], hand[near])


@needs_models
@pytest.mark.parametrize(
    ("hand", "ring", "code"),
    [
        (b"no picture", RING, "INPUT_ERROR"),
        (HAND[: len(HAND) // 2], RING, "INPUT_ERROR"),
        (RING, RING, "PHOTO_DETECTION_FAIL"),
        (HAND, b"GIF89a", "INPUT_ERROR"),
    ],
    ids=["text", "half", "no hand", "gif"],
)
def test_what_is_wrong_with_pictures(
    services: Services, account: str, hand: bytes, ring: bytes, code: str
) -> None:
    task = wear(services, account, hand, ring)
    assert (task.status, task.error_code) == ("error", code)
    assert task.error_message
    assert task.remedy
    assert services.accounts.audit() == []


@needs_models
def test_a_drawing_that_takes_too_long(
    services: Services, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hurry:
        hurry.setattr(services.compute, "_timeout_s", 0.001)
        task = wear(services, account, (SAMPLES / "hand-dark.jpg").read_bytes(), RING)
    assert (task.status, task.error_code, task.attempts) == ("error", "TaskTimeout", 1)
    with pytest.raises(TaskTimeout):
        services.tasks.poll(account, task.id)
    picture(services, wear(services, account, HAND, RING))
    assert services.accounts.audit() == []


@needs_models
def test_photos_looked_at_before_anything_is_spent(services: Services, account: str) -> None:
    before = services.accounts.history(account, None, 1000)
    hand = services.inspections.hand(HAND, account, Finger.RING, overlay=True)
    assert hand["accepted"]
    assert cv2.imdecode(np.frombuffer(hand["overlay"], np.uint8), cv2.IMREAD_COLOR) is not None
    ring = services.inspections.ring(upload(services, account, RING), account, overlay=False)
    assert ring["accepted"]
    assert ring["overlay"] is None
    refused = services.inspections.hand(RING, account, None, overlay=False)
    assert (refused["accepted"], refused["code"]) == (False, "PHOTO_DETECTION_FAIL")
    for found in (hand, ring, refused):
        json.dumps({**found, "overlay": None}, allow_nan=False)
    assert services.accounts.history(account, None, 1000) == before


@needs_models
def test_so_many_looks_at_once_and_no_more(services: Services, account: str) -> None:
    room = services.inspections._room
    n_free = 0
    while room.acquire(blocking=False):
        n_free += 1
    try:
        with pytest.raises(TooManyRequests) as refused:
            services.inspections.hand(HAND, account, None, overlay=False)
        assert refused.value.retry_after_s > 0
    finally:
        for _ in range(n_free):
            room.release()
    assert n_free == 2
    assert services.inspections.ring(RING, account, overlay=False)["accepted"]


@needs_models
def test_nothing_is_left_of_what_was_deleted(services: Services, account: str) -> None:
    """Other bytes than those of the other tests: nobody else holds their analyses."""
    hand, ring = (
        data[:2] + b"\xff\xfe\x00\x06mine" + data[2:] for data in (HAND, RING)
    )  # a comment
    store = services.settings.store_folder
    before = {path for path in store.rglob("*") if path.is_file()}
    task = wear(services, account, hand, ring)
    made = {path for path in store.rglob("*") if path.is_file()} - before
    assert len([path for path in made if "analyses" in path.parts]) == 2
    assert len(made) == 2 + 2 + 2
    services.tasks.delete(account, task.id)
    assert {path for path in store.rglob("*") if path.is_file()} == before


# --- building and running ------------------------------------------------------------------------


@needs_models
def test_one_server_a_folder(services: Services) -> None:
    other = build(services.settings)
    try:
        with pytest.raises(RuntimeFailure, match="at work") as refused, running(other):
            pytest.fail("it runs")
        assert refused.value.remedy
        assert str(services.settings.data) in refused.value.message
    finally:
        other.close()


def test_a_folder_is_free_again_after_its_server(tmp_path: Path) -> None:
    for _ in range(2):
        another = bootstrap._alone(tmp_path)
        with bootstrap._alone(tmp_path), pytest.raises(RuntimeFailure):
            another.__enter__()


@needs_models
def test_health_by_part(services: Services) -> None:
    until(lambda: all(services.health().values()), "the drawing process")
    store = services.settings.store_folder
    away = store.with_name("away")
    store.rename(away)
    try:
        assert services.health() == {**services.health(), "store": False, "database": True}
    finally:
        away.rename(store)
    assert all(services.health().values())


def test_built_twice_it_is_one_service(tmp_path: Path) -> None:
    settings = config.load({}, tmp_path / "new" / "data")
    one, two = build(settings), build(settings)
    try:
        assert one.secret == two.secret
        assert len(one.secret) >= 40
        expires, signature = (part.partition("=")[2] for part in one.links.sign("/x", 9).split("&"))
        two.links.check("/x", expires, signature)
        with pytest.raises(Forbidden):
            two.links.check("/y", expires, signature)
        assert not one.health()["workers"]
        key = one.accounts.create("shop", 5)
        assert two.accounts.authenticate(key).name == "shop"
    finally:
        one.close()
        two.close()


def test_folders_have_secrets_of_their_own(tmp_path: Path) -> None:
    made = [build(config.load({}, tmp_path / name)) for name in ("a", "b")]
    assert made[0].secret != made[1].secret
    for services in made:
        services.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RuntimeFailure, match="can't be made") as refused:
        build(config.load({}, tmp_path / "file" / "data"))
    assert "ANELLO_DATA" in (refused.value.remedy or "")
