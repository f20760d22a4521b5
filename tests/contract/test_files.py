"""Uploads: as long as declared, replaced until a task uses them, the account's own."""

from __future__ import annotations

import io
from functools import partial

import pytest
from parts import Rooms, at_once, by_id

from anello.errors import Conflict, InvalidParameters, NotFound, StoreUnavailable
from anello.service import records
from anello.service.requests import NewFile


@pytest.fixture
def account(rooms: Rooms) -> str:
    return rooms.new_account()


def register(rooms: Rooms, account: str, size_bytes: int = 3) -> str:
    (upload,) = rooms.files.register(account, [NewFile("image/jpg", "a.jpg", size_bytes)])
    return upload.file_id


def accept(rooms: Rooms, file_id: str, data: bytes) -> None:
    rooms.files.accept(file_id, io.BytesIO(data), len(data))


def test_each_file_is_registered_in_its_turn(rooms: Rooms, account: str) -> None:
    wanted = [
        NewFile("image/jpg", "hand.jpg", 10),
        NewFile("IMAGE/PNG", "../../etc/passwd", 20),
        NewFile("image/jpeg", "Ring № 1 äöü", 30),
        NewFile("image/jpg", "hand.jpg", 10),
    ]
    uploads = rooms.files.register(account, wanted)
    assert [(u.content_type, u.file_name, u.size_bytes) for u in uploads] == [
        (new.content_type, new.file_name, new.size_bytes) for new in wanted
    ]
    assert len({upload.file_id for upload in uploads}) == 4
    for upload in uploads:
        assert rooms.files.declared_size(upload.file_id) == upload.size_bytes
        with pytest.raises(NotFound):
            rooms.files.read(upload.file_id)


def test_what_was_uploaded_is_read(rooms: Rooms, account: str) -> None:
    file_id = register(rooms, account)
    accept(rooms, file_id, b"abc")
    assert rooms.files.read(file_id) == b"abc"
    (key,) = rooms.stored()
    assert key.startswith(f"files/{file_id}/")


def test_a_client_s_name_is_no_path(rooms: Rooms, account: str) -> None:
    (upload,) = rooms.files.register(account, [NewFile("image/jpg", "../../../evil.jpg", 1)])
    accept(rooms, upload.file_id, b"x")
    assert not any("evil.jpg" in path.name for path in rooms.folder.parent.rglob("*"))


@pytest.mark.parametrize("data", [b"", b"ab", b"abcd"])
def test_another_length_than_declared(rooms: Rooms, account: str, data: bytes) -> None:
    file_id = register(rooms, account)
    with pytest.raises(InvalidParameters, match="file_size: 3 bytes were declared"):
        accept(rooms, file_id, data)
    assert rooms.stored() == set()


def test_ids_that_nobody_has(rooms: Rooms) -> None:
    for call in (
        lambda: rooms.files.declared_size("fnone"),
        lambda: rooms.files.read("fnone"),
        lambda: accept(rooms, "fnone", b"abc"),
    ):
        with pytest.raises(NotFound):
            call()
    assert rooms.stored() == set()


def test_a_later_upload_takes_the_place(rooms: Rooms, account: str) -> None:
    file_id = register(rooms, account)
    for data in (b"abc", b"def", b"ghi"):
        accept(rooms, file_id, data)
        assert rooms.files.read(file_id) == data
        assert len(rooms.stored()) == 1


def test_a_file_in_use_stays_as_it_is(rooms: Rooms, account: str) -> None:
    file_id, ring = rooms.upload(account, b"abc"), rooms.upload(account, b"ring")
    rooms.tasks.create(account, by_id(file_id, ring))
    before = rooms.stored()
    with pytest.raises(Conflict):
        accept(rooms, file_id, b"xyz")
    assert rooms.files.read(file_id) == b"abc"
    assert rooms.stored() == before


def test_uploads_at_the_same_time_leave_one_of_them(rooms: Rooms, account: str) -> None:
    file_id = register(rooms, account)
    bodies = [b"aaa", b"bbb", b"ccc", b"ddd"]
    assert at_once(*[partial(accept, rooms, file_id, b) for b in bodies]) == [None] * 4
    assert rooms.files.read(file_id) in bodies
    assert len(rooms.stored()) == 1


def test_a_task_and_an_upload_at_the_same_time(rooms: Rooms, account: str) -> None:
    """Whichever was first: once the task is there, its picture does not change any more."""
    ring = rooms.upload(account, b"ring")
    for _ in range(5):
        file_id = rooms.upload(account, b"old")
        create = partial(rooms.tasks.create, account, by_id(file_id, ring))
        _, gave = at_once(create, partial(accept, rooms, file_id, b"new"))
        expected = b"new" if gave is None else b"old"
        assert gave is None or isinstance(gave, Conflict)
        assert rooms.files.read(file_id) == expected
        with pytest.raises(Conflict):
            accept(rooms, file_id, b"xyz")
    assert len(rooms.stored()) == 6


def test_a_store_out_of_reach_changes_nothing(rooms: Rooms, account: str) -> None:
    file_id = register(rooms, account)
    accept(rooms, file_id, b"abc")
    store, away = rooms.folder / "store", rooms.folder / "away"
    store.rename(away)
    store.write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        accept(rooms, file_id, b"xyz")
    store.unlink()
    away.rename(store)
    assert rooms.files.read(file_id) == b"abc"


def test_the_ids_a_task_may_use(rooms: Rooms, account: str) -> None:
    mine, foreign = rooms.upload(account, b"a"), rooms.upload(rooms.new_account("other"), b"b")
    waiting = register(rooms, account)
    rooms.files.check_uploaded(account, [mine])
    for bad in (foreign, "fnone", "", "x" * 1000):
        with pytest.raises(InvalidParameters) as refused:
            rooms.files.check_uploaded(account, [mine, bad])
        assert len(refused.value.message) < 200
    with pytest.raises(NotFound, match="never uploaded"):
        rooms.files.check_uploaded(account, [mine, waiting])


def test_rows_say_no_more_than_they_must(rooms: Rooms, account: str) -> None:
    """Names of clients' files are kept nowhere."""
    rooms.files.register(account, [NewFile("image/jpg", "holiday with Ann.jpg", 3)])
    assert rooms.count(records.files) == 1
    rooms.database.close()
    kept = b"".join(path.read_bytes() for path in rooms.folder.glob("anello.db*"))
    assert b"holiday" not in kept
