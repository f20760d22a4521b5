"""The tables: what the service remembers, as SQL sees it.

Times are seconds since the epoch, UTC. Ids that clients see are opaque text; the ids of grants and
ledger entries are numbers, as the wire has them. The verbs on these tables stand in the rooms of
their nouns: accounts, files, tasks, webhooks.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)


class Records(Protocol):
    """The database, in transactions. ``write`` is alone: nobody else writes until it ends."""

    def read(self) -> AbstractContextManager[Connection]: ...

    def write(self) -> AbstractContextManager[Connection]: ...


def new_id(kind: str) -> str:
    """An id nobody can guess: ``kind`` (a letter) and 43 of ``A-Z a-z 0-9 - _``."""
    return kind + secrets.token_urlsafe(32)


NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}

metadata = MetaData(naming_convention=NAMING)

# SQLite counts rows only in a plain INTEGER primary key.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("key_hash", Text, nullable=False, unique=True),  # SHA-256, hex; the key is not kept
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("disabled_at", Double),
)

grants = Table(
    "grants",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("available", Integer, nullable=False),  # what the ledger's entries add up to
    Column("held", Integer, nullable=False),
    Column("expires_at", Double),
    Column("created_at", Double, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("grant_id", _NUMBER, ForeignKey("grants.id"), nullable=False),
    Column("task_id", Text, index=True),  # tasks may be deleted; what they cost stays
    Column("kind", Text, nullable=False),  # grant, hold, charge, release
    Column("amount", Integer, nullable=False),
    Column("at", Double, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("declared_bytes", Integer, nullable=False),
    Column("key", Text),  # of the store; null until the bytes are there
    Column("created_at", Double, nullable=False, index=True),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("request", JSON, nullable=False),
    Column("units", Integer, nullable=False),
    Column("status", Text, nullable=False),  # running, success, error
    Column("step", Text, nullable=False),  # queued, fetching, drawing, done
    Column("attempts", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("remedy", Text),
    Column("picture_key", Text),
    Column("mask_key", Text),
    Column("report", JSON),
    Column("timings_ms", JSON),
    Column("created_at", Double, nullable=False, index=True),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("idempotency_key", Text),
    UniqueConstraint("account_id", "idempotency_key"),
    Index("ix_tasks_status_created_at", "status", "created_at"),
)

task_files = Table(
    "task_files",
    metadata,
    Column("task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("file_id", Text, ForeignKey("files.id"), primary_key=True, index=True),
)

# What the task's pictures were: their analyses are kept by these, and go with the last task.
task_inputs = Table(
    "task_inputs",
    metadata,
    Column("task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("content_id", Text, primary_key=True, index=True),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint_id", Text, ForeignKey("endpoints.id"), nullable=False, index=True),
    Column("task_id", Text, nullable=False, index=True),
    Column("message_id", Text, nullable=False),  # the webhook-id, the same for every attempt
    Column("body", Text, nullable=False),  # the signed bytes are these
    Column("status", Text, nullable=False, index=True),  # pending, delivered, failed
    Column("tries", Integer, nullable=False),  # attempts since it was begun, or replayed
    Column("job", Text, nullable=False),  # of the queue: makes the next attempt
    Column("due_at", Double, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Text, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("status", Integer),  # the answer's, if there was one
    Column("error", Text),
    Column("ms", Double, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
