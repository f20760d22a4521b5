"""The database behind a URL, SQLite file or PostgreSQL, brought to today's tables."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0001"
"""The newest migration; a test holds it to the folder's."""

_BUSY_MS = 30_000
"""How long a writer waits for another before it gives up."""
_MIGRATING = 5_641_973
"""Number of the PostgreSQL lock held while tables change."""


class Database:
    """Transactions on one database. Statements are the same for both kinds."""

    def __init__(self, url: str) -> None:
        self._engine = _make_engine(url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; nothing waits for it, it waits for nobody."""
        with self._engine.connect().execution_options(read_only=True) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at its end, rolled back on any error."""
        with self._engine.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables to today's shape; quick where they have it."""
        with self.read() as connection:
            if _revision(connection) == HEAD:
                return
        from alembic import command  # slow to import, and rarely needed
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:  # on SQLite alone already
            if self._engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self._engine.dispose()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _make_engine(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
        return create_engine(address, pool_pre_ping=True, pool_size=20, hide_parameters=True)
    # Parameters stay out of error messages: they hold what clients sent.
    engine = create_engine(address, pool_size=20, max_overflow=40, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`
    # A commit is on the disk when it returns: what was accepted survives a power cut.
    for pragma in (f"busy_timeout = {_BUSY_MS}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _begin_sqlite(connection: Connection) -> None:
    # A writer that begins as a reader can be refused later on, when another one wrote meanwhile.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def prepare_queue_file(path: Path) -> None:
    """Make the queue's own SQLite file one whose readers and writer don't wait for each other."""
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
    try:
        _use_wal(connection)
    finally:
        connection.close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers and writer don't wait for each other from now on; the file itself keeps that."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:  # needs the file for itself, and SQLite does not wait for that
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
