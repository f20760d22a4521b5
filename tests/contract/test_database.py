"""The database: today's tables, writers alone, readers in nobody's way, nothing half done."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from parts import PATIENCE_S, Rooms, at_once, url_of
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from anello.adapters.database import HEAD, MIGRATIONS, Database, prepare_queue_file
from anello.service import records

SECRET = records.secret


@pytest.fixture
def file(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "anello.db"))


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    made = Database(url_of(file))
    yield made
    made.close()


def put(database: Database, name: str, value: str = "") -> None:
    with database.write() as connection:
        connection.execute(SECRET.insert(), {"name": name, "value": value})


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(select(SECRET.c.name)))


# --- migrations ----------------------------------------------------------------------------------


def test_migrations_lead_to_the_tables_of_the_records(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, records.metadata) == []
        assert inspect(connection).get_table_names()


def test_foreign_keys_are_those_of_the_records(database: Database) -> None:
    with database.read() as connection:
        for table in records.metadata.sorted_tables:
            found = {
                (key["constrained_columns"][0], key["options"].get("ondelete"))
                for key in inspect(connection).get_foreign_keys(table.name)
            }
            wanted = {(key.parent.name, key.ondelete) for key in table.foreign_keys}
            assert found == wanted, table.name


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrating_twice_changes_nothing(database: Database) -> None:
    put(database, "kept")
    database.migrate()
    assert names(database) == {"kept"}


def test_a_database_of_newer_code_is_left_alone(database: Database) -> None:
    put(database, "kept")
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Exception, match="9999"):
        database.migrate()
    assert names(database) == {"kept"}


MIGRATE = """
import sys
from alembic import command
from anello.adapters.database import Database
print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
database.migrate()
with database.write() as connection:
    connection.exec_driver_sql("INSERT INTO secret VALUES (?, 'x')", (sys.argv[2],))
"""


def test_processes_that_migrate_at_the_same_time(tmp_path: Path) -> None:
    url = url_of(tmp_path / "new.db")
    command = [sys.executable, "-c", MIGRATE, url]
    with (
        subprocess.Popen([*command, "a"], stdin=-1, stdout=-1, stderr=-1, text=True) as one,
        subprocess.Popen([*command, "b"], stdin=-1, stdout=-1, stderr=-1, text=True) as two,
    ):
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=PATIENCE_S)[1] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), said
    database = Database(url)
    assert names(database) == {"a", "b"}
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    database.close()


def test_threads_that_migrate_at_the_same_time(tmp_path: Path) -> None:
    for number in range(5):
        databases = [Database(url_of(tmp_path / f"{number}.db")) for _ in range(4)]
        assert at_once(*[database.migrate for database in databases]) == [None] * 4
        put(databases[0], "works")
        for database in databases:
            assert names(database) == {"works"}
            database.close()


# --- transactions --------------------------------------------------------------------------------


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(SECRET.insert(), {"name": "a", "value": ""})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    rows = [{"name": name, "value": ""} for name in ("b", "c", "b")]
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(SECRET.insert(), rows)
    assert names(database) == set()
    put(database, "d")
    assert names(database) == {"d"}


def test_what_a_row_refers_to_must_be_there(database: Database) -> None:
    row = {"id": "f", "account_id": "nobody", "declared_bytes": 1, "created_at": 0.0}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(records.files.insert(), row)


def test_errors_keep_what_clients_sent_to_themselves(database: Database) -> None:
    put(database, "a")
    with pytest.raises(IntegrityError) as raised:
        put(database, "a", "private words")
    assert "private words" not in str(raised.value)


def test_a_writer_is_alone(database: Database) -> None:
    """Read, add one, write back, from many threads: none is lost, none is refused."""
    put(database, "counter", "0")
    row = SECRET.c.name == "counter"

    def add() -> None:
        for _ in range(10):
            with database.write() as connection:
                known = int(connection.execute(select(SECRET.c.value).where(row)).scalar_one())
                connection.execute(SECRET.update().where(row).values(value=str(known + 1)))

    assert at_once(*[add] * 6) == [None] * 6
    with database.read() as connection:
        assert connection.scalar(select(SECRET.c.value).where(row)) == "60"


def test_a_writer_waits_for_the_one_before(database: Database) -> None:
    order: list[str] = []
    began = threading.Event()

    def second() -> None:
        began.set()
        with database.write():
            order.append("second")

    thread = threading.Thread(target=second)
    with database.write() as connection:
        thread.start()
        began.wait(PATIENCE_S)
        thread.join(0.2)  # time enough to go wrong
        assert thread.is_alive()
        connection.execute(SECRET.insert(), {"name": "first", "value": ""})
        order.append("first")
    thread.join(PATIENCE_S)
    assert order == ["first", "second"]


def test_a_reader_waits_for_nobody(database: Database) -> None:
    put(database, "before")
    with database.write() as connection:
        connection.execute(SECRET.insert(), {"name": "meanwhile", "value": ""})
        assert at_once(lambda: names(database)) == [{"before"}]
    assert names(database) == {"before", "meanwhile"}


def test_a_reader_sees_one_moment_and_holds_up_no_writer(database: Database) -> None:
    put(database, "before")
    with database.read() as connection:
        assert set(connection.scalars(select(SECRET.c.name))) == {"before"}
        assert at_once(lambda: put(database, "meanwhile")) == [None]
        assert set(connection.scalars(select(SECRET.c.name))) == {"before"}
    assert names(database) == {"before", "meanwhile"}


def test_many_at_once(database: Database) -> None:
    """More threads than connections are kept: they wait for each other, and none is refused."""
    calls = [partial(put, database, f"{n}") for n in range(40)] + [partial(names, database)] * 40
    assert not [gave for gave in at_once(*calls) if isinstance(gave, Exception)]
    assert names(database) == {f"{n}" for n in range(40)}


# --- crashes -------------------------------------------------------------------------------------

WRITE_AND_WAIT = """
import sys
from anello.adapters.database import Database
database = Database(sys.argv[1])
with database.write() as connection:
    connection.exec_driver_sql("INSERT INTO secret VALUES ('kept', 'x')")
with database.write() as connection:
    rows = [(str(n), "x" * 1000) for n in range(3000)]  # more than the cache holds: it spills
    connection.exec_driver_sql("INSERT INTO secret VALUES (?, ?)", rows)
    connection.exec_driver_sql("DELETE FROM secret WHERE name = 'kept'")
    print("in the middle", flush=True)
    sys.stdin.readline()
"""


def test_kill_9_in_the_middle_of_a_transaction(file: Path) -> None:
    command = [sys.executable, "-c", WRITE_AND_WAIT, url_of(file)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "in the middle\n"
        writer.kill()
    assert writer.returncode == -signal.SIGKILL
    database = Database(url_of(file))
    assert names(database) == {"kept"}
    put(database, "after")
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    database.close()


def test_a_commit_is_on_the_disk_when_it_returns(rooms: Rooms) -> None:
    """No power can be cut here; these are SQLite's words for it."""
    with rooms.database.read() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2


def test_the_queue_s_file_is_one_that_can_be_read_while_written(tmp_path: Path) -> None:
    file = tmp_path / "queue.db"
    assert at_once(*[lambda: prepare_queue_file(file)] * 6) == [None] * 6
    prepare_queue_file(file)
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
