"""Files that clients send: registered, uploaded, read by tasks, gone in the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import ColumnElement, Connection, exists, select

from anello.errors import Conflict, InvalidParameters, NotFound
from anello.service import records
from anello.service.objects import ObjectStore
from anello.service.records import Records
from anello.service.requests import NewFile

UPLOADS = "files/"
"""Where uploads lie in the store."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A registered file, waiting for its bytes."""

    file_id: str
    content_type: str
    file_name: str
    size_bytes: int


class Files:
    """Registered files and their bytes."""

    def __init__(self, records: Records, store: ObjectStore) -> None:
        self._records = records
        self._store = store

    def register(self, account_id: str, wanted: Sequence[NewFile]) -> list[Upload]:
        """One upload for each file, in the same order. Names and types are only echoed."""
        now = time.time()
        uploads = [
            Upload(records.new_id("f"), new.content_type, new.file_name, new.size_bytes)
            for new in wanted
        ]
        rows = [
            {
                "id": upload.file_id,
                "account_id": account_id,
                "declared_bytes": upload.size_bytes,
                "created_at": now,
            }
            for upload in uploads
        ]
        with self._records.write() as connection:
            connection.execute(records.files.insert(), rows)
        return uploads

    def declared_size(self, file_id: str) -> int:
        """Raises NotFound."""
        with self._records.read() as connection:
            size: int | None = connection.scalar(
                select(records.files.c.declared_bytes).where(records.files.c.id == file_id)
            )
        if size is None:
            raise NotFound("There is no such file, or it was deleted")
        return size

    def accept(self, file_id: str, body: BinaryIO, size_bytes: int) -> None:
        """Keep an upload's bytes; a later one takes its place until a task uses the file.

        Raises NotFound, InvalidParameters (not as long as declared), Conflict (in use),
        StoreUnavailable.
        """
        declared = self.declared_size(file_id)
        if size_bytes != declared:
            raise InvalidParameters(
                f"file_size: {declared} bytes were declared, {size_bytes} arrived",
                remedy="Register the file again with its true size.",
            )
        key = f"{UPLOADS}{file_id}/{secrets.token_hex(8)}"  # none is ever written over
        self._store.put(key, body.read())
        try:
            former = self._take(file_id, key)
        except BaseException:
            self._store.delete(key)
            raise
        if former is not None:
            self._store.delete(former)

    def _take(self, file_id: str, key: str) -> str | None:
        """Make ``key`` the file's bytes; the key that was."""
        files = records.files
        with self._records.write() as connection:
            row = connection.execute(
                select(files.c.key, _in_use(files.c.id)).where(files.c.id == file_id)
            ).first()
            if row is None:
                raise NotFound("There is no such file, or it was deleted")
            if row[1]:
                raise Conflict(
                    "The file is used by a task and can't be replaced",
                    remedy="Register and upload another file.",
                )
            connection.execute(files.update().where(files.c.id == file_id).values(key=key))
        former: str | None = row[0]
        return former

    def read(self, file_id: str) -> bytes:
        """Raises NotFound, StoreUnavailable."""
        with self._records.read() as connection:
            key = connection.scalar(
                select(records.files.c.key).where(records.files.c.id == file_id)
            )
        if key is None:
            raise NotFound("There is no such file, or it was deleted")
        return self._store.get(key)

    def check_uploaded(self, account_id: str, file_ids: Iterable[str]) -> None:
        """Raises InvalidParameters for an id not of this account, NotFound before its upload."""
        with self._records.read() as connection:
            check_uploaded(connection, account_id, file_ids)


def check_uploaded(connection: Connection, account_id: str, file_ids: Iterable[str]) -> None:
    """`Files.check_uploaded`, within a transaction."""
    files = records.files.c
    wanted = list(file_ids)
    found = {
        row.id: row.key
        for row in connection.execute(
            select(files.id, files.key).where(files.id.in_(wanted), files.account_id == account_id)
        )
    }
    for file_id in wanted:
        if file_id not in found:
            raise InvalidParameters(
                f"{_shown(file_id)} is not the id of a file of yours",
                remedy="Register and upload the file first; files are kept for a limited time.",
            )
        if found[file_id] is None:
            raise NotFound(
                f"File not found: {_shown(file_id)} was registered but never uploaded",
                remedy="PUT its bytes to the url that came with the id.",
            )


def is_file_of(connection: Connection, account_id: str, file_id: str) -> bool:
    files = records.files.c
    statement = select(exists().where(files.id == file_id, files.account_id == account_id))
    return bool(connection.scalar(statement))


def _in_use(file_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(records.task_files.c.file_id == file_id)


def _shown(file_id: str) -> str:
    """An id as an error may repeat it: a client could have sent anything."""
    return repr(file_id if len(file_id) <= 64 else file_id[:61] + "...")
