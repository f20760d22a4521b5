"""The store: each object is there whole or not at all, whatever happens to disk and process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from parts import PATIENCE_S, at_once, until

from anello.adapters.store import FolderStore
from anello.errors import NotFound, StoreUnavailable

MB = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a" / "store"  # made on the way


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder)


def files_in(folder: Path) -> list[str]:
    """Every file below, the store's own leftovers too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 100], ids=len)
def test_what_was_put_is_got(store: FolderStore, folder: Path, data: bytes) -> None:
    store.put("files/f-_1/0a", data)
    assert store.get("files/f-_1/0a") == data
    assert store.path("files/f-_1/0a").read_bytes() == data
    assert files_in(folder) == ["files/f-_1/0a"]


def test_a_second_store_on_the_folder_sees_it(store: FolderStore, folder: Path) -> None:
    store.put("a/b", b"1")
    assert FolderStore(folder).get("a/b") == b"1"


def test_the_last_one_put_counts(store: FolderStore, folder: Path) -> None:
    store.put("a", b"long before")
    store.put("a", b"now")
    assert store.get("a") == b"now"
    assert files_in(folder) == ["a"]


def test_what_is_missing(store: FolderStore) -> None:
    store.put("a/b", b"1")
    for key in ("b", "a/c", "a", "a/b/c"):
        with pytest.raises(NotFound):
            store.path(key)
    for key in ("b", "a/c"):
        with pytest.raises(NotFound):
            store.get(key)
        store.delete(key)
    assert store.get("a/b") == b"1"


def test_what_was_deleted_is_gone_and_can_be_put_again(store: FolderStore, folder: Path) -> None:
    store.put("a/b", b"1")
    store.put("a/c", b"2")
    store.delete("a/b")
    store.delete("a/b")
    with pytest.raises(NotFound):
        store.get("a/b")
    assert files_in(folder) == ["a/c"]
    store.put("a/b", b"3")
    assert store.get("a/b") == b"3"


def test_no_empty_folders_pile_up(store: FolderStore, folder: Path) -> None:
    store.put("files/1/x", b"")
    store.put("files/1/y", b"")
    store.put("results/2", b"")
    store.delete("files/1/x")
    assert (folder / "files" / "1").is_dir()
    store.delete("files/1/y")
    store.delete("results/2")
    assert sorted(path.name for path in folder.rglob("*")) == ["files", "results"]
    store.put("files/1/x", b"again")
    assert store.get("files/1/x") == b"again"


def test_a_folder_that_comes_and_goes_is_in_nobody_s_way(store: FolderStore) -> None:
    def put_and_delete(name: str) -> None:
        for _ in range(50):
            store.put(f"files/1/{name}", name.encode())
            assert store.get(f"files/1/{name}") == name.encode()
            store.delete(f"files/1/{name}")

    assert at_once(*[partial(put_and_delete, name) for name in "abcd"]) == [None] * 4


def test_a_put_gets_through_while_another_process_removes_its_folder(
    store: FolderStore, folder: Path
) -> None:
    flicker = """if True:
        import os, sys
        while os.getppid() == int(sys.argv[2]):
            for change in (os.mkdir, os.rmdir):
                try:
                    change(sys.argv[1])
                except OSError:
                    pass
    """
    store.put("files/x", b"")
    flickering = subprocess.Popen(
        [sys.executable, "-c", flicker, str(folder / "files" / "1"), str(os.getpid())]
    )
    try:
        for number in range(200):
            store.put("files/1/x", b"%d" % number)
            assert store.get("files/1/x") == b"%d" % number
            store.delete("files/1/x")
    finally:
        flickering.kill()
        flickering.wait()


def test_listing_tells_key_size_and_time(store: FolderStore) -> None:
    before = time.time()
    for key, size in (("files/1/x", 3), ("files/2/y", 0), ("filesystem", 5), ("results/1", 7)):
        store.put(key, b"x" * size)
    found = {stored.key: stored for stored in store.list("files/")}
    assert {key: stored.size_bytes for key, stored in found.items()} == {
        "files/1/x": 3,
        "files/2/y": 0,
    }
    assert all(before - 2 < stored.at < time.time() + 2 for stored in found.values())
    os.utime(store.path("files/1/x"), (1e9, 1e9))
    assert {stored.at for stored in store.list("files/1/")} == {1e9}


def test_listing_nothing_and_much(store: FolderStore) -> None:
    assert list(store.list("files/")) == []
    for number in range(150):  # more than a page of it
        store.put(f"files/{number}", b"")
    assert len(list(store.list("files/"))) == 150


def test_objects_may_be_deleted_while_they_are_listed(store: FolderStore, folder: Path) -> None:
    for number in range(150):
        store.put(f"files/{number}", b"")
    for stored in store.list("files/"):
        store.delete(stored.key)
    assert files_in(folder) == []


# --- when it can't be used -----------------------------------------------------------------------


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable) as raised:
        FolderStore(tmp_path / "file" / "store")
    assert raised.value.code == "error_upload"
    assert str(tmp_path) not in raised.value.message  # a client reads it


def test_a_folder_that_is_no_folder_any_more(store: FolderStore, folder: Path) -> None:
    store.put("a/b", b"1")
    folder.rename(folder.with_name("moved"))
    folder.write_bytes(b"")
    with pytest.raises(StoreUnavailable) as raised:
        store.put("a/c", b"2")
    assert raised.value.remedy
    with pytest.raises((StoreUnavailable, NotFound)):
        store.get("a/b")


def assert_whole_or_nothing(store: FolderStore, folder: Path) -> None:
    """On a disk with room for less than 1 MB: what fits is kept, what does not leaves nothing."""
    store.put("a/small", b"small" * 1000)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.put("a/large", b"x" * (2 * MB))
        with pytest.raises(StoreUnavailable):
            store.put("a/small", b"x" * (2 * MB))
    with pytest.raises(NotFound):
        store.get("a/large")
    assert store.get("a/small") == b"small" * 1000
    assert [stored.key for stored in store.list("a/")] == ["a/small"]
    assert files_in(folder) == ["a/small"]
    store.put("a/other", b"still works")
    assert store.get("a/other") == b"still works"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(full_disk: Path) -> None:
    assert_whole_or_nothing(FolderStore(full_disk / "store"), full_disk / "store")


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store import MB, FolderStore, assert_whole_or_nothing
resource.setrlimit(resource.RLIMIT_FSIZE, (MB // 2, MB // 2))
assert_whole_or_nothing(FolderStore(Path(sys.argv[1])), Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_files_that_may_not_grow(folder: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(folder), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


PUT_FOR_EVER = """
import sys
from pathlib import Path
from anello.adapters.store import FolderStore
store, size = FolderStore(Path(sys.argv[1])), int(sys.argv[2])
while True:
    for letter in (b"a", b"b"):
        store.put("x/y", letter * size)
"""


def killed_while_it_writes(folder: Path, size: int, when: Callable[[], object]) -> None:
    command = [sys.executable, "-c", PUT_FOR_EVER, str(folder), str(size)]
    with subprocess.Popen(command) as writer:
        try:
            until(when, "the moment for the kill")
        finally:
            writer.kill()


def test_an_object_is_whole_while_it_is_written_over(store: FolderStore, folder: Path) -> None:
    seen: Counter[int] = Counter()

    def look() -> bool:
        try:
            data = store.get("x/y")
        except NotFound:
            return False
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
        seen[data[0]] += 1
        return len(seen) == 2 and seen.total() > 20

    killed_while_it_writes(folder, 3_000_000, look)
    look()


def test_kill_9_while_it_writes(store: FolderStore, folder: Path) -> None:
    """What is left of it is no object, but it is seen and can be cleared away."""
    half = folder / "x" / "y#1"
    for _ in range(5):  # the kill may come a moment too late
        if not half.exists():
            killed_while_it_writes(folder, 300_000_000, half.exists)
    assert half.exists()
    with pytest.raises(StoreUnavailable):
        store.get("x/y#1")
    listed = {stored.key: stored.size_bytes for stored in store.list("x/")}
    assert listed["x/y#1"] == half.stat().st_size
    for key in listed:
        store.delete(key)
    assert files_in(folder) == []
