"""A database file and a store's folder of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import Clock, Rooms, new_rooms, url_of

from anello.adapters.database import Database


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file, to be copied: quicker than to migrate for each test."""
    file = tmp_path_factory.mktemp("template") / "anello.db"
    database = Database(url_of(file))
    database.migrate()
    database.close()
    return file


@pytest.fixture
def rooms(tmp_path: Path, template: Path) -> Iterator[Rooms]:
    made = new_rooms(tmp_path, template)
    yield made
    made.database.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The service's own time, which a test can let go on."""
    made = Clock()
    for room in ("accounts", "files", "retention", "tasks", "webhooks", "work"):
        monkeypatch.setattr(f"anello.service.{room}.time", made)
    return made
