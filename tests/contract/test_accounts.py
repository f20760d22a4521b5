"""Keys and units: keys kept as hashes only, and a ledger that always adds up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from parts import Clock, Rooms, at_once, new_rooms
from sqlalchemy import select

from anello.errors import (
    Cancelled,
    Conflict,
    CreditInsufficiency,
    ExpiredApiKey,
    InactiveApiKey,
    InvalidApiKey,
    InvalidParameter,
    NotFound,
    OperationInvalid,
    PhotoDetectionFail,
)
from anello.service import records
from anello.service.accounts import MAX_UNITS

# --- keys ----------------------------------------------------------------------------------------


def test_a_key_opens_its_account(rooms: Rooms) -> None:
    key = rooms.accounts.create("shop", 10)
    other = rooms.accounts.create("other", 10)
    account = rooms.accounts.authenticate(key)
    assert account == rooms.accounts.by_name("shop")
    assert rooms.accounts.authenticate(other).name == "other"
    assert [account.name for account in rooms.accounts.all()] == ["shop", "other"]


def test_keys_are_of_the_kind_that_clients_expect(rooms: Rooms) -> None:
    keys = {rooms.accounts.create(f"k{n}", 1) for n in range(5)}
    assert len(keys) == 5
    assert all(re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", key) for key in keys)


def test_a_key_stands_in_no_file(rooms: Rooms) -> None:
    keys = [rooms.accounts.create("shop", 10), rooms.accounts.rotate("shop")]
    rooms.database.close()  # whatever was still on its way is in the files now
    kept = b"".join(path.read_bytes() for path in rooms.folder.rglob("*") if path.is_file())
    for key in keys:
        assert key.encode() not in kept
        assert key.removeprefix("sk-").encode() not in kept
    assert hashlib.sha256(keys[1].encode()).hexdigest().encode() in kept  # so it was looked for


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: "sk-",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.swapcase(),
        lambda key: key.removeprefix("sk-"),
        lambda key: f" {key}",
        lambda key: f"{key}\0",
        lambda key: hashlib.sha256(key.encode()).hexdigest(),
        lambda key: "' OR 1=1 --",
        lambda key: "\udcff",
        lambda key: "ключ",
        lambda key: "k" * 100_000,
    ],
)
def test_any_other_key_is_unknown(rooms: Rooms, change: Callable[[str], str]) -> None:
    key = rooms.accounts.create("shop", 10)
    with pytest.raises(InvalidApiKey) as refused:
        rooms.accounts.authenticate(change(key))
    assert refused.value.code == "InvalidApiKey"


def test_a_disabled_key(rooms: Rooms) -> None:
    key, other = rooms.accounts.create("shop", 10), rooms.accounts.create("other", 10)
    rooms.accounts.disable("shop")
    with pytest.raises(InactiveApiKey):
        rooms.accounts.authenticate(key)
    rooms.accounts.authenticate(other)


def test_an_expired_key(rooms: Rooms, clock: Clock) -> None:
    key = rooms.accounts.create("shop", 10, clock.time() + 60)
    rooms.accounts.authenticate(key)
    clock.go_on(60)
    with pytest.raises(ExpiredApiKey):
        rooms.accounts.authenticate(key)


def test_disabled_says_more_than_expired(rooms: Rooms, clock: Clock) -> None:
    key = rooms.accounts.create("shop", 10, clock.time() - 1)
    rooms.accounts.disable("shop")
    with pytest.raises(InactiveApiKey):
        rooms.accounts.authenticate(key)


def test_a_rotated_key(rooms: Rooms) -> None:
    old = rooms.accounts.create("shop", 10)
    before = rooms.accounts.authenticate(old)
    new = rooms.accounts.rotate("shop")
    assert rooms.accounts.authenticate(new) == before
    with pytest.raises(InvalidApiKey) as refused:
        rooms.accounts.authenticate(old)
    assert refused.value.code == "InvalidApiKey"


@pytest.mark.parametrize("verb", ["rotate", "disable", "by_name"])
def test_names_that_nobody_has(rooms: Rooms, verb: str) -> None:
    with pytest.raises(NotFound, match="named nobody"):
        getattr(rooms.accounts, verb)("nobody")


def test_a_name_is_given_once(rooms: Rooms) -> None:
    key = rooms.accounts.create("shop", 10)
    with pytest.raises(Conflict, match="shop"):
        rooms.accounts.create("shop", 5)
    rooms.accounts.authenticate(key)
    assert rooms.balance(rooms.accounts.by_name("shop").id) == (10, 0)


def test_a_name_is_given_once_in_a_race(rooms: Rooms) -> None:
    made = at_once(*[lambda: rooms.accounts.create("shop", 10)] * 4)
    assert sum(isinstance(gave, str) for gave in made) == 1
    assert sum(isinstance(gave, Conflict) for gave in made) == 3
    assert len(rooms.accounts.all()) == 1


@pytest.mark.parametrize("name", ["", "a" * 101, "a\nb", "a\tb", "a/b", "<b>", "a'b", "a\0"])
def test_names_that_are_none(rooms: Rooms, name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        rooms.accounts.create(name, 10)
    assert refused.value.field == "name"
    assert rooms.accounts.all() == []


@pytest.mark.parametrize("name", ["a", "Żaneta + co", "x@shop.example_1-2"])
def test_names_that_are_fine(rooms: Rooms, name: str) -> None:
    rooms.accounts.create(name, 10)
    assert rooms.accounts.by_name(name).name == name


# --- units ---------------------------------------------------------------------------------------


def test_an_account_without_units(rooms: Rooms) -> None:
    account = rooms.new_account(units=0)
    assert rooms.accounts.grants(account) == []
    with pytest.raises(CreditInsufficiency):
        rooms.new_task(account)
    rooms.accounts.grant("shop", 1)
    rooms.new_task(account)


@pytest.mark.parametrize("units", [0, -1, MAX_UNITS + 1])
def test_units_that_cannot_be_given(rooms: Rooms, units: int) -> None:
    account = rooms.new_account(units=3)
    with pytest.raises(InvalidParameter) as refused:
        rooms.accounts.grant("shop", units)
    assert refused.value.field == "units"
    assert rooms.balance(account) == (3, 0)


def test_the_most_units_there_are(rooms: Rooms) -> None:
    account = rooms.new_account(units=MAX_UNITS)
    rooms.accounts.grant("shop", MAX_UNITS)
    assert rooms.balance(account) == (2 * MAX_UNITS, 0)
    assert rooms.accounts.audit() == []


def test_what_a_task_costs_is_held_then_charged(rooms: Rooms) -> None:
    account = rooms.new_account(units=10)
    task = rooms.new_task(account, n_rings=2)
    assert rooms.balance(account) == (8, 2)
    assert rooms.tasks.succeed(task.id, rooms.success(task.id))
    assert rooms.balance(account) == (8, 0)
    assert rooms.ledger(account) == [("grant", 10), ("hold", 2), ("charge", 2)]


def test_what_a_task_costs_is_released_on_error(rooms: Rooms) -> None:
    account = rooms.new_account(units=10)
    assert rooms.tasks.fail(rooms.new_task(account).id, PhotoDetectionFail())
    assert rooms.balance(account) == (10, 0)
    assert rooms.ledger(account) == [("grant", 10), ("hold", 1), ("release", 1)]


def test_the_soonest_to_expire_is_spent_first(rooms: Rooms, clock: Clock) -> None:
    account = rooms.new_account(units=2)  # these never expire: last
    now = clock.time()
    rooms.accounts.grant("shop", 1, now + 300)
    rooms.accounts.grant("shop", 1, now + 100)
    rooms.accounts.grant("shop", 1, now + 200)
    rooms.accounts.grant("shop", 5, now - 1)  # over already
    expiries = [grant.expires_at for grant in rooms.accounts.grants(account)]
    assert expiries == [now + 100, now + 200, now + 300, None]
    rooms.new_task(account)
    assert [grant.available for grant in rooms.accounts.grants(account)] == [0, 1, 1, 2]
    rooms.new_task(account, n_rings=2)
    assert [grant.available for grant in rooms.accounts.grants(account)] == [0, 0, 0, 2]
    assert [grant.held for grant in rooms.accounts.grants(account)] == [1, 1, 1, 0]
    rooms.new_task(account, n_rings=2)
    with pytest.raises(CreditInsufficiency):
        rooms.new_task(account)
    assert rooms.accounts.audit() == []


def test_units_that_expire_while_they_are_held(rooms: Rooms, clock: Clock) -> None:
    """The task is charged to them all the same; what comes back is over."""
    account = rooms.new_account(units=0)
    rooms.accounts.grant("shop", 50, clock.time() + 100)
    good, bad = rooms.new_task(account), rooms.new_task(account)
    clock.go_on(100)
    assert rooms.accounts.grants(account) == []  # nothing of it can be spent any more
    assert rooms.tasks.succeed(good.id, rooms.success(good.id))
    assert rooms.tasks.fail(bad.id, PhotoDetectionFail())
    assert rooms.accounts.grants(account) == []
    assert rooms.accounts.audit() == []
    kinds = [kind for kind, _ in rooms.ledger(account)]
    assert kinds == ["grant", "hold", "hold", "charge", "release"]
    with pytest.raises(CreditInsufficiency):
        rooms.new_task(account)


def test_too_few_units_leave_nothing_behind(rooms: Rooms) -> None:
    account = rooms.new_account(units=1)
    with pytest.raises(CreditInsufficiency) as refused:
        rooms.new_task(account, n_rings=2)
    assert "2" in (refused.value.remedy or "")
    assert rooms.balance(account) == (1, 0)
    assert rooms.ledger(account) == [("grant", 1)]
    assert rooms.count(records.tasks) == 0
    assert rooms.queue.started == []


def test_nobody_spends_another_s_units(rooms: Rooms) -> None:
    poor = rooms.new_account("poor", units=1)
    rich = rooms.new_account("rich", units=100)
    rooms.new_task(poor)
    with pytest.raises(CreditInsufficiency):
        rooms.new_task(poor)
    assert rooms.balance(rich) == (100, 0)
    assert rooms.ledger(rich) == [("grant", 100)]


def test_many_at_once_spend_what_there_is_and_no_more(rooms: Rooms) -> None:
    account = rooms.new_account(units=7)
    made = at_once(*[lambda: rooms.new_task(account)] * 12)
    assert sum(isinstance(gave, CreditInsufficiency) for gave in made) == 5
    assert rooms.balance(account) == (0, 7)
    assert rooms.accounts.audit() == []


def test_history_newest_first_and_page_by_page(rooms: Rooms) -> None:
    account, other = rooms.new_account(units=10), rooms.new_account("other")
    task = rooms.new_task(account)
    rooms.new_task(other)
    rooms.tasks.fail(task.id, Cancelled())
    everything = rooms.accounts.history(account, None, 100)
    assert [(entry.kind, entry.amount, entry.task_id) for entry in everything] == [
        ("release", 1, task.id),
        ("hold", 1, task.id),
        ("grant", 10, None),
    ]
    paged, after = [], None
    while page := rooms.accounts.history(account, after, 1):
        paged += page
        after = page[-1].id
    assert paged == everything


def test_an_audit_finds_what_is_wrong(rooms: Rooms) -> None:
    """So an empty audit says something."""
    account = rooms.new_account(units=10)
    rooms.new_task(account)
    assert rooms.accounts.audit() == []
    table = records.grants
    for values in ({"available": 8}, {"available": 9, "held": 0}, {"available": -9, "held": 19}):
        with rooms.database.write() as connection:
            connection.execute(table.update().values(**values))
        assert rooms.accounts.audit()
    with rooms.database.write() as connection:
        connection.execute(table.update().values(available=9, held=1))
        connection.execute(records.tasks.delete())
    assert rooms.accounts.audit() == ["1 units are held, but running tasks cost 0"]


# --- whatever happens, the ledger adds up --------------------------------------------------------


@dataclass
class Given:
    """A grant as it must be."""

    account: str
    available: int
    expires_at: float | None
    held: int = 0


@dataclass
class Running:
    """A running task as it must be. holds : units by grant."""

    account: str
    holds: dict[int, int] = field(default_factory=dict)


class Ledger(RuleBasedStateMachine):
    """Units given, held, charged, released, expired, in any order and from many threads.

    Who wins a race is left to chance, so no choice of what comes next depends on it.
    """

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        super().__init__()
        self.rooms, self.clock = rooms, clock
        self.names = {rooms.new_account(name, 0): name for name in ("one", "two")}
        self.grants: dict[int, Given] = {}
        self.running: dict[str, Running] = {}
        self.ended: list[tuple[str, str]] = []

    def teardown(self) -> None:
        self.rooms.database.close()

    # --- how it must be ---

    def live(self, account: str) -> list[int]:
        """Grants that may be spent, in the order in which they must be."""
        now = self.clock.time()
        mine = {
            id: grant
            for id, grant in self.grants.items()
            if grant.account == account and (grant.expires_at is None or grant.expires_at > now)
        }
        return sorted(mine, key=lambda id: (mine[id].expires_at or float("inf"), id))

    def free(self, account: str) -> int:
        return sum(self.grants[id].available for id in self.live(account))

    def hold(self, account: str, task_id: str, units: int) -> None:
        task = self.running[task_id] = Running(account)
        for id in self.live(account):
            taken = min(units, self.grants[id].available)
            if taken:
                self.grants[id].available -= taken
                self.grants[id].held += taken
                task.holds[id] = taken
                units -= taken
        assert units == 0

    def settle(self, task_id: str, is_charged: bool) -> None:
        task = self.running.pop(task_id)
        for id, units in task.holds.items():
            self.grants[id].held -= units
            self.grants[id].available += 0 if is_charged else units
        self.ended.append((task.account, task_id))

    # --- what happens ---

    accounts = st.integers(0, 1)

    @rule(which=accounts, units=st.integers(1, 4), life=st.sampled_from([None, 10, 100, 1000]))
    def grant(self, which: int, units: int, life: float | None) -> None:
        account = list(self.names)[which]
        expires_at = None if life is None else self.clock.time() + life
        self.rooms.accounts.grant(self.names[account], units, expires_at)
        with self.rooms.database.read() as connection:
            ids = set(connection.scalars(select(records.grants.c.id)))
        (new,) = ids - set(self.grants)
        self.grants[new] = Given(account, units, expires_at)

    @rule(which=accounts, n_rings=st.integers(1, 3))
    def create(self, which: int, n_rings: int) -> None:
        account, units = list(self.names)[which], min(n_rings, 2)
        if self.free(account) < units:
            with pytest.raises(CreditInsufficiency):
                self.rooms.new_task(account, n_rings)
        else:
            self.hold(account, self.rooms.new_task(account, n_rings).id, units)

    @rule(which=accounts)
    def create_many_at_once(self, which: int) -> None:
        account = list(self.names)[which]
        free = self.free(account)
        made = at_once(*[lambda: self.rooms.new_task(account)] * 4)
        tasks = [task for task in made if not isinstance(task, Exception)]
        assert len(tasks) == min(4, free), made
        known = self._holds(task.id for task in tasks)
        for task in sorted(tasks, key=lambda task: min(known[task.id])):
            self.hold(account, task.id, 1)

    def _holds(self, task_ids: Any) -> dict[str, list[int]]:
        """By task, the ledger's numbers of what it holds: the order in which it was its turn."""
        entries = records.ledger.c
        with self.rooms.database.read() as connection:
            return {
                id: list(connection.scalars(select(entries.id).where(entries.task_id == id)))
                for id in task_ids
            }

    @rule(which=st.integers(0, 99), ending=st.sampled_from(["succeed", "fail", "cancel"]))
    def end(self, which: int, ending: str) -> None:
        if self.running:
            task_id = list(self.running)[which % len(self.running)]
            assert self._ending(task_id, ending)() is not False
            self.settle(task_id, is_charged=ending == "succeed")

    @rule()
    def end_all_in_a_race(self) -> None:
        """Each is ended three ways at once: one of them wins."""
        for task_id in list(self.running):
            endings = ["succeed", "fail", "cancel"]
            gave = at_once(*[self._ending(task_id, ending) for ending in endings])
            won = [
                ending
                for ending, result in zip(endings, gave, strict=True)
                if result is not False and not isinstance(result, OperationInvalid)
            ]
            assert len(won) == 1, gave
            self.settle(task_id, is_charged=won == ["succeed"])

    def _ending(self, task_id: str, ending: str) -> Callable[[], Any]:
        tasks, success = self.rooms.tasks, self.rooms.success(task_id)
        account = self.running[task_id].account
        return {
            "succeed": lambda: tasks.succeed(task_id, success),
            "fail": lambda: tasks.fail(task_id, PhotoDetectionFail()),
            "cancel": lambda: tasks.cancel(account, task_id),
        }[ending]

    @rule()
    def end_and_delete_what_has_ended(self) -> None:
        if self.ended:
            account, task_id = self.ended.pop()
            assert not self.rooms.tasks.fail(task_id, PhotoDetectionFail())
            assert not self.rooms.tasks.succeed(task_id, self.rooms.success(task_id))
            self.rooms.tasks.delete(account, task_id)

    @rule(seconds=st.sampled_from([9, 90, 900]))
    def wait(self, seconds: int) -> None:
        self.clock.go_on(seconds)

    # --- what is always so ---

    @invariant()
    def ledger_adds_up(self) -> None:
        assert self.rooms.accounts.audit() == []

    @invariant()
    def grants_are_as_they_must_be(self) -> None:
        table = records.grants.c
        with self.rooms.database.read() as connection:
            rows = connection.execute(select(table.id, table.available, table.held)).all()
        assert {id: (available, held) for id, available, held in rows} == {
            id: (grant.available, grant.held) for id, grant in self.grants.items()
        }
        assert all(available >= 0 and held >= 0 for _, available, held in rows)

    @invariant()
    def clients_see_what_they_may_spend(self) -> None:
        for account in self.names:
            shown = self.rooms.accounts.grants(account)
            assert [grant.id for grant in shown] == self.live(account)


def test_the_ledger_adds_up_whatever_happens(tmp_path: Path, template: Path, clock: Clock) -> None:
    clock.stop()
    folders = iter(tmp_path / str(number) for number in range(10_000))
    run_machine(
        lambda: Ledger(new_rooms(next(folders), template), clock),
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
