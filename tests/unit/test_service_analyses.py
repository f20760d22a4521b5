"""Analyses kept: known by what they were made of, bounded, and never unpickled unless ours."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.errors import NotFound, StoreUnavailable
from anello.service import analyses
from anello.service.analyses import (
    Analyses,
    analysis_key,
    analysis_keys,
    content_id,
    engine_version,
    size_bytes,
)
from anello.service.objects import Stored

SECRET = "secret of the tests"
ROOM = 10_000


class Memory:
    """A store of this process. ``broken`` : nothing can be put or got."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken = False

    def put(self, key: str, data: bytes) -> None:
        self._check()
        self.objects[key] = data

    def get(self, key: str) -> bytes:
        self._check()
        if key not in self.objects:
            raise NotFound()
        return self.objects[key]

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def list(self, prefix: str) -> Iterator[Stored]:
        raise AssertionError("nothing here is listed")

    def path(self, key: str) -> Path:
        raise AssertionError("nothing here lies in a file")

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailable()


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def kept(store: Memory) -> Analyses:
    return Analyses(store, SECRET, ROOM)


@dataclass
class Found:
    """An analysis such as there are: arrays, in dataclasses, lists and dicts."""

    pixels: Any
    more: Any = None


def array(n_bytes: int, value: int = 7) -> Any:
    return np.full(n_bytes, value, np.uint8)


# --- what they are known by ----------------------------------------------------------------------

PARTS = st.lists(st.binary(max_size=4) | st.none() | st.booleans() | st.integers() | st.text())


@given(PARTS, PARTS)
def test_other_contents_have_other_ids(a: list[object], b: list[object]) -> None:
    assert (content_id(*a) == content_id(*b)) == (repr(a) == repr(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((b"ab", b"c"), (b"a", b"bc")),
        ((b"abc",), (b"abc", b"")),
        ((b"None",), (None,)),
        ((b"True",), (True,)),
        ((b"1:1:a",), (b"a",)),
        ((b"a1:1:b",), (b"a", b"b")),
        ((b"a", None), (None, b"a")),
        ((1,), (True,)),
        ((1,), ("1",)),
    ],
)
def test_parts_are_kept_apart(a: tuple[object, ...], b: tuple[object, ...]) -> None:
    assert content_id(*a) != content_id(*b)


def test_an_id_is_a_plain_name_and_says_nothing_of_its_content() -> None:
    found = content_id(b"x" * 100_000, None)
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")


def test_keys_part_kinds_and_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    known = analysis_keys("c1")
    assert known == [analysis_key("hand", "c1"), analysis_key("ring", "c1")]
    assert len(set(known)) == 2
    monkeypatch.setattr(analyses, "engine_version", lambda: "another")
    assert not set(known) & set(analysis_keys("c1"))


def test_the_engine_is_known_by_its_code_and_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers = ("pipeline.py", "imaging/ring.py", "models/ring_network.py", "models/ring.tflite")
    for name in (*makers, "service/analyses.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a = 1\n")
    monkeypatch.setattr(analyses, "__file__", str(tmp_path / "service" / "analyses.py"))
    versions = [engine_version.__wrapped__()]
    for name in makers:
        (tmp_path / name).write_text("a = 2\n")
        versions.append(engine_version.__wrapped__())
    assert len(set(versions)) == 1 + len(makers)
    (tmp_path / "service" / "analyses.py").write_text("a = 2\n")  # keeps them, makes none
    assert engine_version.__wrapped__() == versions[-1]


# --- kept and found again ------------------------------------------------------------------------


def test_what_was_kept_is_found(kept: Analyses, store: Memory) -> None:
    found = Found(array(100), {"angle": 0.25})
    kept.keep("hand", "c1", found, is_new=True)
    kept.save()
    assert kept.get("hand", "c1") is found
    other_process = Analyses(store, SECRET, ROOM).get("hand", "c1")
    assert other_process is not found
    assert np.array_equal(other_process.pixels, found.pixels)
    assert other_process.more == {"angle": 0.25}


def test_kinds_and_contents_are_not_mixed_up(kept: Analyses) -> None:
    kept.keep("hand", "c1", Found(1), is_new=True)
    kept.save()
    assert kept.get("ring", "c1") is None
    assert kept.get("hand", "c2") is None


def test_what_is_not_new_is_not_stored_again(kept: Analyses, store: Memory) -> None:
    kept.keep("hand", "c1", Found(1), is_new=False)
    assert store.objects == {}


def test_where_analyses_came_from_is_counted(kept: Analyses, store: Memory) -> None:
    kept.get("hand", "c1")
    kept.keep("hand", "c1", Found(1), is_new=True)
    kept.save()
    kept.get("hand", "c1")
    kept.get("hand", "c1")
    kept.get("ring", "c1")
    assert kept.counts == {
        ("hand", "computed"): 1,
        ("hand", "memory"): 2,
        ("ring", "computed"): 1,
    }
    other = Analyses(store, SECRET, ROOM)
    other.get("hand", "c1")
    assert other.counts == {("hand", "store"): 1}


def test_a_store_out_of_reach_costs_time_only(kept: Analyses, store: Memory) -> None:
    store.broken = True
    found = Found(1)
    assert kept.get("hand", "c1") is None
    kept.keep("hand", "c1", found, is_new=True)
    kept.save()
    assert kept.get("hand", "c1") is found


# --- bounded -------------------------------------------------------------------------------------


def test_size_is_that_of_the_arrays_wherever_they_are() -> None:
    assert size_bytes(array(1000)) == 1000
    assert size_bytes(Found(array(1000), array(500))) == 1500
    assert size_bytes([array(10), (array(20), {"a": array(30)})]) == 60
    assert size_bytes(Found(None)) == 16
    assert size_bytes(np.zeros((10, 10), np.float64)) == 800


def test_memory_is_bounded_and_the_least_used_goes_first(kept: Analyses) -> None:
    for number in range(5):
        kept.keep("ring", f"c{number}", array(2000), is_new=False)
    assert kept.bytes_in_memory == ROOM
    kept.get("ring", "c0")
    kept.keep("ring", "c5", array(2000), is_new=False)
    assert kept.bytes_in_memory == ROOM
    assert kept.get("ring", "c1") is None
    assert all(kept.get("ring", f"c{number}") is not None for number in (0, 2, 3, 4, 5))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, ROOM + 500)), max_size=40))
def test_memory_never_holds_more_than_it_may(uses: list[tuple[int, int]]) -> None:
    kept = Analyses(Memory(), SECRET, ROOM)
    for number, n_bytes in uses:
        kept.keep("ring", str(number), array(n_bytes), is_new=False)
        held = [kept.get("ring", str(n)) for n in range(10)]
        assert kept.bytes_in_memory == sum(size_bytes(one) for one in held if one is not None)
        assert kept.bytes_in_memory <= ROOM


def test_what_is_larger_than_all_the_room_is_in_the_store_only(
    kept: Analyses, store: Memory
) -> None:
    kept.keep("ring", "small", array(100), is_new=False)
    kept.keep("ring", "large", array(ROOM + 1), is_new=True)
    kept.save()
    assert kept.bytes_in_memory == 100
    assert np.array_equal(kept.get("ring", "large"), array(ROOM + 1))
    assert kept.counts == {("ring", "store"): 1}


def test_what_grew_counts_as_it_is_now(kept: Analyses) -> None:
    found = Found(array(1000))
    kept.keep("ring", "c1", found, is_new=False)
    found.more = array(3000)
    kept.keep("ring", "c1", found, is_new=False)
    assert kept.bytes_in_memory == 4000
    found.more = array(ROOM)
    kept.keep("ring", "c1", found, is_new=False)
    assert kept.bytes_in_memory == 0


# --- only our own are unpickled ------------------------------------------------------------------


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._mark),)


def test_a_bomb_would_go_off(kept: Analyses, store: Memory, tmp_path: Path) -> None:
    """The tests below can fail: signed by us, the very same bytes are unpickled."""
    kept.keep("hand", "c1", Bomb(tmp_path / "mark"), is_new=True)
    kept.save()
    Analyses(store, SECRET, ROOM).get("hand", "c1")
    assert (tmp_path / "mark").exists()


def test_bytes_that_are_not_ours_are_never_unpickled(
    kept: Analyses, store: Memory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    key, bomb = analysis_key("hand", "c1"), pickle.dumps(Bomb(mark))
    foreign = Analyses(store, "another secret", ROOM)
    foreign.keep("hand", "c1", Bomb(mark), is_new=True)
    foreign.save()
    foreign = store.objects[key]
    kept.keep("hand", "c1", Found(1), is_new=True)
    kept.save()
    kept.keep("ring", "c1", Bomb(mark), is_new=True)
    kept.save()
    kept.keep("hand", "c2", Bomb(mark), is_new=True)
    kept.save()
    ours = store.objects[key]
    for forged in (
        foreign,
        bomb,
        b"",
        ours[:31],
        ours[:32] + bomb,
        bytes(32) + bomb,
        store.objects[analysis_key("ring", "c1")],  # ours, of another kind
        store.objects[analysis_key("hand", "c2")],  # ours, of another picture
    ):
        store.objects[key] = forged
        reader = Analyses(store, SECRET, ROOM)
        assert reader.get("hand", "c1") is None
        assert reader.counts == {("hand", "computed"): 1}
    assert not mark.exists()


def test_no_bit_can_be_changed(kept: Analyses, store: Memory) -> None:
    key = analysis_key("hand", "c1")
    kept.keep("hand", "c1", Found(5), is_new=True)
    kept.save()
    ours = store.objects[key]
    reader = Analyses(store, SECRET, ROOM)
    assert reader.get("hand", "c1").pixels == 5
    for at in range(len(ours)):
        store.objects[key] = ours[:at] + bytes([ours[at] ^ 1]) + ours[at + 1 :]
        assert reader.get("hand", "c1") is None
