"""Who may call, and what it costs: API keys and units.

Each key is an account of its own. Units come in grants; every change to one is an entry of the
ledger: ``grant`` gives units, ``hold`` sets some aside when a task is created, ``charge`` takes
them when it succeeded, ``release`` gives them back when it did not. A grant's ``available`` and
``held`` are what its entries add up to, changed in the same transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, func, or_, select
from sqlalchemy.exc import IntegrityError

from anello.errors import (
    Conflict,
    CreditInsufficiency,
    ExpiredApiKey,
    InactiveApiKey,
    InvalidApiKey,
    InvalidParameter,
    NotFound,
)
from anello.service import records
from anello.service.records import Records

MAX_UNITS = 1_000_000_000
_NAME = re.compile(r"[\w .@+-]{1,100}")
_EFFECT = {"grant": (1, 0), "hold": (-1, 1), "charge": (0, -1), "release": (1, -1)}
"""By kind: what an entry's amount adds to a grant's available and held units."""


@dataclass(frozen=True, slots=True)
class Account:
    """A caller. Times are seconds since the epoch."""

    id: str
    name: str
    created_at: float
    expires_at: float | None
    disabled_at: float | None


@dataclass(frozen=True, slots=True)
class Grant:
    """Units given at one time, good until ``expires_at``."""

    id: int
    amount: int
    available: int
    held: int
    expires_at: float | None
    created_at: float


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    id: int
    at: float
    kind: str
    task_id: str | None
    grant_id: int
    amount: int


class Accounts:
    """API keys and units."""

    def __init__(self, records: Records) -> None:
        self._records = records

    # --- keys ------------------------------------------------------------------------------------

    def create(self, name: str, units: int, expires_at: float | None = None) -> str:
        """A new account; its key, which is not kept and can't be shown again."""
        if not _NAME.fullmatch(name):
            raise InvalidParameter(
                f"name: 1 to 100 letters, digits, spaces or any of . @ + - _, not {name!r}",
                field="name",
            )
        key = _new_key()
        account_id = records.new_id("a")
        row = {
            "id": account_id,
            "name": name,
            "key_hash": _hash(key),
            "created_at": time.time(),
            "expires_at": expires_at,
        }
        try:
            with self._records.write() as connection:
                connection.execute(records.accounts.insert(), row)
                if units:
                    _grant(connection, account_id, units, expires_at)
        except IntegrityError as error:
            raise Conflict(
                f"There is a key named {name} already",
                remedy="Choose another name, or rotate that key.",
            ) from error
        return key

    def rotate(self, name: str) -> str:
        """A new key for an account; the old one is no longer known."""
        key = _new_key()
        self._change(name, {"key_hash": _hash(key)})
        return key

    def disable(self, name: str) -> None:
        self._change(name, {"disabled_at": time.time()})

    def all(self) -> list[Account]:
        with self._records.read() as connection:
            rows = connection.execute(
                select(*_ACCOUNT).order_by(records.accounts.c.created_at)
            ).all()
        return [Account(*row) for row in rows]

    def by_name(self, name: str) -> Account:
        """Raises NotFound."""
        with self._records.read() as connection:
            row = connection.execute(
                select(*_ACCOUNT).where(records.accounts.c.name == name)
            ).first()
        if row is None:
            raise _no_such(name)
        return Account(*row)

    def authenticate(self, key: str) -> Account:
        """Whose key this is. Raises InvalidApiKey, InactiveApiKey or ExpiredApiKey."""
        digest = _hash(key)
        with self._records.read() as connection:
            row = connection.execute(
                select(records.accounts.c.key_hash, *_ACCOUNT).where(
                    records.accounts.c.key_hash == digest
                )
            ).first()
        # The index compares hashes, whose order says nothing of the key; so no time tells of it.
        if row is None or not hmac.compare_digest(row[0], digest):
            raise InvalidApiKey()
        account = Account(*row[1:])
        if account.disabled_at is not None:
            raise InactiveApiKey()
        if account.expires_at is not None and account.expires_at <= time.time():
            raise ExpiredApiKey()
        return account

    def _change(self, name: str, values: dict[str, Any]) -> None:
        accounts = records.accounts
        with self._records.write() as connection:
            statement = accounts.update().where(accounts.c.name == name).values(**values)
            if not connection.execute(statement).rowcount:
                raise _no_such(name)

    # --- units -----------------------------------------------------------------------------------

    def grant(self, name: str, units: int, expires_at: float | None = None) -> None:
        account = self.by_name(name)
        with self._records.write() as connection:
            _grant(connection, account.id, units, expires_at)

    def grants(self, account_id: str) -> list[Grant]:
        """Those not expired, soonest expiry first; an account that never had any has none."""
        with self._records.read() as connection:
            return _live_grants(connection, account_id)

    def history(self, account_id: str, after: int | None, limit: int) -> list[LedgerEntry]:
        """Newest first, older than the entry ``after``."""
        entries = records.ledger.c
        statement = (
            select(
                entries.id,
                entries.at,
                entries.kind,
                entries.task_id,
                entries.grant_id,
                entries.amount,
            )
            .where(entries.account_id == account_id)
            .order_by(entries.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(entries.id < after)
        with self._records.read() as connection:
            return [LedgerEntry(*row) for row in connection.execute(statement)]

    def audit(self) -> list[str]:
        """Where grants and ledger disagree, or units are held for no running task. Empty: well."""
        grants, entries = records.grants.c, records.ledger.c

        def total(of: int) -> Any:
            effects = [
                (entries.kind == kind, entries.amount * effect[of])
                for kind, effect in _EFFECT.items()
            ]
            return func.coalesce(func.sum(case(*effects, else_=0)), 0)

        with self._records.read() as connection:
            rows = connection.execute(
                select(grants.id, grants.available, grants.held, total(0), total(1))
                .join_from(
                    records.grants, records.ledger, entries.grant_id == grants.id, isouter=True
                )
                .group_by(grants.id)
            ).all()
            held = connection.scalar(select(func.coalesce(func.sum(grants.held), 0)))
            running = connection.scalar(
                select(func.coalesce(func.sum(records.tasks.c.units), 0)).where(
                    records.tasks.c.status == "running"
                )
            )
        wrong = [
            f"grant {id}: {available} + {held_units} held; the ledger says {a} + {h}"
            for id, available, held_units, a, h in rows
            if (available, held_units) != (a, h) or available < 0 or held_units < 0
        ]
        if held != running:
            wrong.append(f"{held} units are held, but running tasks cost {running}")
        return wrong


# --- within the transaction of whoever spends ----------------------------------------------------


def hold(connection: Connection, account_id: str, task_id: str, units: int) -> None:
    """Set units aside for a task, soonest-expiring first. Raises CreditInsufficiency."""
    live = _live_grants(connection, account_id, lock=True)
    if sum(grant.available for grant in live) < units:
        raise CreditInsufficiency(
            remedy=f"The task costs {units}; ask the operator for more units."
        )
    for grant in live:
        taken = min(grant.available, units)
        if taken:
            _enter(connection, account_id, grant.id, task_id, "hold", taken)
            units -= taken


def settle(connection: Connection, task_id: str, kind: Literal["charge", "release"]) -> None:
    """Charge or release whatever is held for a task."""
    entries = records.ledger.c
    rows = connection.execute(
        select(entries.account_id, entries.grant_id, entries.amount).where(
            entries.task_id == task_id, entries.kind == "hold"
        )
    ).all()
    for account_id, grant_id, amount in rows:
        _enter(connection, account_id, grant_id, task_id, kind, amount)


def _grant(connection: Connection, account_id: str, units: int, expires_at: float | None) -> None:
    if not 1 <= units <= MAX_UNITS:
        raise InvalidParameter(
            f"units: a whole number from 1 to {MAX_UNITS}, not {units}", field="units"
        )
    row = {
        "account_id": account_id,
        "amount": units,
        "available": 0,
        "held": 0,
        "expires_at": expires_at,
        "created_at": time.time(),
    }
    statement = records.grants.insert().values(row).returning(records.grants.c.id)
    grant_id = connection.execute(statement).scalar_one()
    _enter(connection, account_id, grant_id, None, "grant", units)


def _enter(
    connection: Connection,
    account_id: str,
    grant_id: int,
    task_id: str | None,
    kind: str,
    amount: int,
) -> None:
    """One entry of the ledger, and its effect on its grant."""
    entry = {
        "account_id": account_id,
        "grant_id": grant_id,
        "task_id": task_id,
        "kind": kind,
        "amount": amount,
        "at": time.time(),
    }
    connection.execute(records.ledger.insert(), entry)
    available, held = _EFFECT[kind]
    grants = records.grants
    connection.execute(
        grants.update()
        .where(grants.c.id == grant_id)
        .values(
            available=grants.c.available + available * amount, held=grants.c.held + held * amount
        )
    )


def _live_grants(connection: Connection, account_id: str, lock: bool = False) -> list[Grant]:
    grants = records.grants.c
    live = or_(grants.expires_at.is_(None), grants.expires_at > time.time())
    statement = (
        select(
            grants.id,
            grants.amount,
            grants.available,
            grants.held,
            grants.expires_at,
            grants.created_at,
        )
        .where(and_(grants.account_id == account_id, live))
        .order_by(grants.expires_at.is_(None), grants.expires_at, grants.id)
    )
    if lock:  # SQLite's writer is alone anyway and has no such words
        statement = statement.with_for_update()
    return [Grant(*row) for row in connection.execute(statement)]


_ACCOUNT = (
    records.accounts.c.id,
    records.accounts.c.name,
    records.accounts.c.created_at,
    records.accounts.c.expires_at,
    records.accounts.c.disabled_at,
)


def _new_key() -> str:
    return "sk-" + secrets.token_urlsafe(32)


def _hash(key: str) -> str:
    """A key is 256 random bits: a plain hash of it can't be searched for."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _no_such(name: str) -> NotFound:
    return NotFound(f"There is no key named {name}", remedy="`anello keys list` shows them.")
