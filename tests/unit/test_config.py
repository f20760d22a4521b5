"""Settings: each variable read, refused by name, and where it is not set."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anello.config import VARIABLES, Settings, load
from anello.errors import InvalidParameter

NAMES = [variable.name for variable in VARIABLES]

Read = Callable[[Settings], Any]

READS: dict[str, Read] = {
    "ANELLO_DATA": lambda s: str(s.data),
    "ANELLO_DATABASE_URL": lambda s: s.database_url,
    "ANELLO_STORE_URL": lambda s: str(s.store_folder),
    "ANELLO_PUBLIC_URL": lambda s: s.web.public_url,
    "ANELLO_TRUSTED_PROXIES": lambda s: s.web.trusted_proxies,
    "ANELLO_WORKERS": lambda s: s.engine.n_workers,
    "ANELLO_QUEUE_LIMIT": lambda s: s.engine.queue_limit,
    "ANELLO_TASK_TIMEOUT_S": lambda s: s.engine.task_timeout_s,
    "ANELLO_ANALYSES_MB": lambda s: s.engine.analyses_bytes,
    "ANELLO_SHUTDOWN_S": lambda s: s.engine.shutdown_s,
    "ANELLO_RATE_LIMIT": lambda s: s.web.rate_limit,
    "ANELLO_STRICT": lambda s: s.web.strict,
    "ANELLO_POLLING_INTERVAL": lambda s: s.web.polling_interval,
    "ANELLO_UPLOAD_URL_TTL_S": lambda s: s.web.upload_url_ttl_s,
    "ANELLO_RESULT_URL_TTL_S": lambda s: s.web.result_url_ttl_s,
    "ANELLO_ALLOW_PRIVATE_URLS": lambda s: s.allow_private_urls,
    "ANELLO_RETENTION_S": lambda s: s.retention_s,
}
"""What of the settings each variable decides."""

GOOD: list[tuple[str, str, Any]] = [
    ("ANELLO_DATA", "/srv/rings", "/srv/rings"),
    ("ANELLO_DATABASE_URL", "sqlite:////srv/r.db", "sqlite:////srv/r.db"),
    ("ANELLO_STORE_URL", "file:///srv/objects", "/srv/objects"),
    ("ANELLO_PUBLIC_URL", "https://rings.example", "https://rings.example"),
    ("ANELLO_PUBLIC_URL", "http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ("ANELLO_PUBLIC_URL", "https://rings.example/api/", "https://rings.example/api"),
    ("ANELLO_TRUSTED_PROXIES", "10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.2"),
    ("ANELLO_WORKERS", "1", 1),
    ("ANELLO_WORKERS", "256", 256),
    ("ANELLO_QUEUE_LIMIT", "1", 1),
    ("ANELLO_TASK_TIMEOUT_S", "25", 25.0),
    ("ANELLO_TASK_TIMEOUT_S", "0.05", 0.05),
    ("ANELLO_TASK_TIMEOUT_S", ".5", 0.5),
    ("ANELLO_ANALYSES_MB", "3", 3 * 1024 * 1024),
    ("ANELLO_SHUTDOWN_S", "2.5", 2.5),
    ("ANELLO_RATE_LIMIT", "250/300s", (250, 300.0)),
    ("ANELLO_RATE_LIMIT", " 5/10s ", (5, 10.0)),
    ("ANELLO_RATE_LIMIT", "off", None),
    ("ANELLO_RATE_LIMIT", "OFF", None),
    ("ANELLO_STRICT", "1", True),
    ("ANELLO_STRICT", "0", False),
    ("ANELLO_STRICT", "True", True),
    ("ANELLO_POLLING_INTERVAL", "1", True),
    ("ANELLO_UPLOAD_URL_TTL_S", "1.5", 1.5),
    ("ANELLO_RESULT_URL_TTL_S", "10", 10.0),
    ("ANELLO_ALLOW_PRIVATE_URLS", "1", True),
    ("ANELLO_RETENTION_S", "86400", 86_400.0),
]

BAD: list[tuple[str, str]] = [
    ("ANELLO_DATABASE_URL", "mysql://db/x"),
    ("ANELLO_DATABASE_URL", "/srv/r.db"),
    ("ANELLO_DATABASE_URL", "sqlite:///"),  # would be a database in memory, lost at the end
    ("ANELLO_DATABASE_URL", "sqlite:///:memory:"),
    ("ANELLO_STORE_URL", "s3://bucket"),
    ("ANELLO_STORE_URL", "/srv/objects"),
    ("ANELLO_STORE_URL", "file:///"),
    ("ANELLO_PUBLIC_URL", "rings.example"),
    ("ANELLO_PUBLIC_URL", "ftp://rings.example"),
    ("ANELLO_PUBLIC_URL", "https://user:word@rings.example"),
    ("ANELLO_PUBLIC_URL", "https://rings.example/?a=b"),
    ("ANELLO_WORKERS", "0"),
    ("ANELLO_WORKERS", "257"),
    ("ANELLO_WORKERS", "two"),
    ("ANELLO_WORKERS", "1.5"),
    ("ANELLO_WORKERS", "-1"),
    ("ANELLO_QUEUE_LIMIT", "0"),
    ("ANELLO_TASK_TIMEOUT_S", "0"),
    ("ANELLO_TASK_TIMEOUT_S", "-3"),
    ("ANELLO_TASK_TIMEOUT_S", "nan"),
    ("ANELLO_TASK_TIMEOUT_S", "inf"),
    ("ANELLO_TASK_TIMEOUT_S", "1e3"),
    ("ANELLO_TASK_TIMEOUT_S", "25s"),
    ("ANELLO_ANALYSES_MB", "0"),
    ("ANELLO_SHUTDOWN_S", "soon"),
    ("ANELLO_RATE_LIMIT", "250"),
    ("ANELLO_RATE_LIMIT", "250/300"),
    ("ANELLO_RATE_LIMIT", "0/10s"),
    ("ANELLO_RATE_LIMIT", "5/0s"),
    ("ANELLO_RATE_LIMIT", "none"),
    ("ANELLO_STRICT", "2"),
    ("ANELLO_STRICT", "maybe"),
    ("ANELLO_POLLING_INTERVAL", "1000"),
    ("ANELLO_UPLOAD_URL_TTL_S", "0.0"),
    ("ANELLO_RESULT_URL_TTL_S", "two hours"),
    ("ANELLO_ALLOW_PRIVATE_URLS", "127.0.0.1"),
    ("ANELLO_RETENTION_S", "30d"),
]

FREE_TEXT = {"ANELLO_DATA", "ANELLO_TRUSTED_PROXIES"}


def test_every_variable_is_tried_here() -> None:
    assert set(NAMES) == set(READS) == {name for name, *_ in GOOD}
    assert set(NAMES) - FREE_TEXT == {name for name, _ in BAD}


def test_the_names_that_are_fixed() -> None:
    fixed = (
        "DATA DATABASE_URL STORE_URL WORKERS ALLOW_PRIVATE_URLS RATE_LIMIT STRICT "
        "UPLOAD_URL_TTL_S RESULT_URL_TTL_S TASK_TIMEOUT_S POLLING_INTERVAL RETENTION_S"
    )
    assert {f"ANELLO_{name}" for name in fixed.split()} <= set(NAMES)


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_good_value_is_read(name: str, text: str, value: Any) -> None:
    settings = load({name: text})
    assert READS[name](settings) == value
    assert settings.set_variables == {name}


@pytest.mark.parametrize(("name", "text", "_value"), GOOD)
def test_a_value_changes_nothing_else(name: str, text: str, _value: Any) -> None:
    plain, settings = load({}), load({name: text})
    below_data = {"ANELLO_DATABASE_URL", "ANELLO_STORE_URL"} if name == "ANELLO_DATA" else set()
    for other in set(NAMES) - {name} - below_data:
        assert READS[other](settings) == READS[other](plain), other


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_is_refused_by_its_variable(name: str, text: str) -> None:
    with pytest.raises(InvalidParameter, match=f"^{name} must be ") as refused:
        load({name: text})
    assert refused.value.field == name
    assert repr(text) in refused.value.message
    assert refused.value.remedy


@given(st.sampled_from(NAMES), st.text())
def test_whatever_is_set_it_is_read_or_refused(name: str, text: str) -> None:
    with suppress(InvalidParameter):
        assert load({name: text}).set_variables <= {name}


@pytest.mark.parametrize("nothing", ["", " ", "\t"])
@pytest.mark.parametrize("name", NAMES)
def test_set_to_nothing_is_not_set(name: str, nothing: str) -> None:
    assert load({name: nothing}) == load({})


def test_defaults_are_those_of_the_contract() -> None:
    settings = load({})
    assert settings.data == Path.cwd() / "anello-data"
    assert settings.database_url == f"sqlite:///{settings.data / 'anello.db'}"
    assert settings.store_folder == settings.data / "store"
    assert settings.web.rate_limit == (250, 300.0)
    assert settings.web.upload_url_ttl_s == 3600
    assert settings.web.result_url_ttl_s == 2 * 3600
    assert settings.retention_s == 30 * 24 * 3600
    assert settings.web.public_url is None
    assert settings.web.trusted_proxies == ""
    assert not settings.web.strict
    assert not settings.web.polling_interval
    assert not settings.allow_private_urls
    assert settings.engine.n_workers == len(os.sched_getaffinity(0))
    assert settings.set_variables == frozenset()


def test_the_folder_named_on_the_command_line_goes_first(tmp_path: Path) -> None:
    settings = load({"ANELLO_DATA": "/elsewhere"}, data=tmp_path)
    assert settings.data == tmp_path
    assert settings.database_url == f"sqlite:///{tmp_path / 'anello.db'}"
    assert settings.store_folder == tmp_path / "store"
    assert settings.queue_file == tmp_path / "queue.db"


def test_a_relative_folder_is_meant_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({"ANELLO_DATA": "rings"})
    monkeypatch.chdir("/")
    assert settings.data == tmp_path / "rings"


def test_the_queue_has_a_file_of_its_own() -> None:
    settings = load({"ANELLO_DATABASE_URL": "sqlite:////db/r.db", "ANELLO_DATA": "/data"})
    assert settings.database_url == "sqlite:////db/r.db"
    assert settings.queue_url == "sqlite:////data/queue.db"


def test_the_environment_is_the_one_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANELLO_WORKERS", "3")
    assert load().engine.n_workers == 3


def test_settings_stay_as_they_are() -> None:
    settings = load({})
    for section in (settings, settings.web, settings.engine):
        first = dataclasses.fields(section)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(section, first, None)


@pytest.mark.parametrize("variable", VARIABLES, ids=NAMES)
def test_each_variable_says_what_it_is_for(variable: Any) -> None:
    assert variable.meaning.endswith(".")
    variable.read(variable.default)  # the default can be read
