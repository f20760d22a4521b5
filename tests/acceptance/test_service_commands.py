"""The commands on a server's data folder, as they are typed, with no server running."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from receiver import Answer, Receiver
from sqlalchemy import text
from standardwebhooks import Webhook
from typer.testing import CliRunner, Result

from anello import bootstrap, config
from anello.bootstrap import Services
from anello.cli import app
from anello.errors import InvalidApiKey, PhotoDetectionFail
from anello.models.fetch import missing_models
from anello.options import Options
from anello.service.requests import Reference, RingRequest, TaskRequest

KEY = r"sk-[A-Za-z0-9_-]{43}"
DAY_S = 86_400.0

Typed = Callable[..., Result]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its databases made, to be copied: quicker than to make them for each test."""
    folder = tmp_path_factory.mktemp("template") / "data"
    bootstrap.build(config.load({}, folder)).close()
    return folder


@pytest.fixture
def data(tmp_path: Path, template: Path) -> Path:
    return shutil.copytree(template, tmp_path / "data")


@pytest.fixture
def typed(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    """``anello WORDS --data DATA``, in this process; settings as ``ANELLO_STRICT="1"``."""
    for name in [name for name in os.environ if name.startswith("ANELLO_")]:
        if name != "ANELLO_MODELS_DIR":
            monkeypatch.delenv(name)
    # Commands set up their process's logs for good: here that must end with the test.
    monkeypatch.setattr("anello.adapters.logs.configure", lambda **_: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    def type_it(*words: object, code: int = 0, at: Path | None = data, **settings: str) -> Result:
        place = [] if at is None else ["--data", str(at)]
        given = {"ANELLO_ALLOW_PRIVATE_URLS": "1"} | settings
        command = [*map(str, words), *place]
        result = CliRunner().invoke(app, command, prog_name="anello", env=given)
        assert result.exit_code == code, (result.output, result.stderr)
        assert "Traceback" not in result.output + result.stderr
        return result

    yield type_it
    structlog.reset_defaults()


@pytest.fixture
def services(data: Path, typed: Typed) -> Iterator[Services]:
    """The same folder, seen by the library."""
    made = bootstrap.build(config.load({"ANELLO_ALLOW_PRIVATE_URLS": "1"}, data))
    yield made
    made.close()


def table(result: Result) -> list[list[str]]:
    """The cells of each line; the first line is headings."""
    assert result.stderr == ""
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert len({len(row) for row in rows}) == 1, result.stdout
    return rows


def assert_refused(result: Result, code: str, *words: str) -> None:
    """One line ``CODE: message`` on stderr, one more at most for what would help."""
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 2, lines
    assert lines[0].startswith(f"{code}: "), lines
    assert all(word in result.stderr for word in words), lines
    assert result.stdout == ""


def assert_wrong_usage(result: Result, *words: str) -> None:
    assert result.stdout == ""
    said = " ".join(result.stderr.replace("│", " ").split())
    assert all(word in said for word in words), said


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_is_printed_once_and_nothing_else_is(typed: Typed, services: Services) -> None:
    made = typed("keys", "create", "--name", "shop", "--units", 12)
    assert re.fullmatch(rf"{KEY}\n", made.stdout)
    assert made.stderr == ""
    account = services.accounts.authenticate(made.stdout.strip())
    assert account.name == "shop"
    assert [grant.amount for grant in services.accounts.grants(account.id)] == [12]


def test_units_have_a_default(typed: Typed, services: Services) -> None:
    typed("keys", "create", "--name", "shop")
    (grant,) = services.accounts.grants(services.accounts.by_name("shop").id)
    assert (grant.amount, grant.expires_at) == (1000, None)


@pytest.mark.parametrize(
    ("typed_time", "epoch_s"),
    [
        ("2030-01-01", 1_893_456_000.0),
        ("2030-01-01T00:00:00Z", 1_893_456_000.0),
        ("2030-01-01T02:00:00+02:00", 1_893_456_000.0),
        ("2030-01-01T00:00:00.5", 1_893_456_000.5),
        ("2001-01-01", 978_307_200.0),
    ],
)
def test_an_expiry_in_iso_time(
    typed: Typed, services: Services, typed_time: str, epoch_s: float
) -> None:
    typed("keys", "create", "--name", "shop", "--units", 3, "--expires", typed_time)
    assert services.accounts.by_name("shop").expires_at == epoch_s
    (row,) = table(typed("keys", "list"))[1:]
    assert row[1] == ("expired" if epoch_s < 1e9 else "active")
    assert row[5] == ("2001-01-01T00:00:00Z" if epoch_s < 1e9 else "2030-01-01T00:00:00Z")


def test_keys_are_listed_without_being_shown(typed: Typed) -> None:
    assert table(typed("keys", "list")) == [
        ["name", "state", "units", "held", "created", "expires"]
    ]
    keys = [typed("keys", "create", "--name", f"k{n}", "--units", n).stdout for n in (0, 7)]
    listed = typed("keys", "list")
    _, first, second = table(listed)
    assert (first[:4], first[5]) == (["k0", "active", "0", "0"], "-")
    assert (second[:4], second[5]) == (["k7", "active", "7", "0"], "-")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first[4])
    for key in keys:
        assert key.strip() not in listed.stdout
    typed("keys", "disable", "k7")
    assert [row[1] for row in table(typed("keys", "list"))[1:]] == ["active", "disabled"]


def test_a_disabled_and_a_rotated_key(typed: Typed, services: Services) -> None:
    old = typed("keys", "create", "--name", "shop").stdout.strip()
    new = typed("keys", "rotate", "shop").stdout
    assert re.fullmatch(rf"{KEY}\n", new)
    assert new.strip() != old
    services.accounts.authenticate(new.strip())
    with pytest.raises(InvalidApiKey):
        services.accounts.authenticate(old)
    assert typed("keys", "disable", "shop").stdout == "shop is disabled\n"
    with pytest.raises(InvalidApiKey):
        services.accounts.authenticate(new.strip())


def test_keys_that_cannot_be(typed: Typed) -> None:
    typed("keys", "create", "--name", "shop")
    assert_refused(typed("keys", "create", "--name", "shop", code=1), "Conflict", "named shop")
    assert_refused(typed("keys", "create", "--name", "a/b", code=1), "invalid_parameter", "name")
    assert_refused(typed("keys", "create", "--name", "a\nb", code=1), "invalid_parameter", "name")
    for units in ("-1", "1000000001"):
        refused = typed("keys", "create", "--name", "b", "--units", units, code=1)
        assert_refused(refused, "invalid_parameter", "units", units)
    for verb in ("disable", "rotate"):
        refused = typed("keys", verb, "nobody", code=1)
        assert_refused(refused, "NotFound", "nobody", "anello keys list")
    assert len(table(typed("keys", "list"))) == 2


def test_keys_typed_wrongly(typed: Typed) -> None:
    assert_wrong_usage(typed("keys", "create", code=2), "--name")
    assert_wrong_usage(typed("keys", "create", "--name", code=2, at=None), "--name")
    wrong = typed("keys", "create", "--name", "a", "--units", "many", code=2)
    assert_wrong_usage(wrong, "--units")
    wrong = typed("keys", "create", "--name", "a", "--expires", "tomorrow", code=2)
    assert_wrong_usage(wrong, "--expires", "tomorrow", "2027-12-31")
    assert_wrong_usage(typed("keys", "disable", code=2), "NAME")
    assert_wrong_usage(typed("keys", "remove", "a", code=2), "remove")
    assert len(table(typed("keys", "list"))) == 1


# --- units ---------------------------------------------------------------------------------------


def test_units_are_granted_and_shown(typed: Typed) -> None:
    typed("keys", "create", "--name", "shop", "--units", 5)
    granted = typed("units", "grant", "shop", 20, "--expires", "2030-01-01")
    assert granted.stdout == "20 units for shop\n"
    headings, *rows = table(typed("units", "show", "shop"))
    assert headings == ["grant", "units", "free", "held", "expires"]
    assert [row[1:] for row in rows] == [
        ["20", "20", "0", "2030-01-01T00:00:00Z"],
        ["5", "5", "0", "-"],
    ]
    assert table(typed("keys", "list"))[1][2:4] == ["25", "0"]


def test_units_that_cannot_be(typed: Typed) -> None:
    typed("keys", "create", "--name", "shop", "--units", 5)
    refused = typed("units", "grant", "shop", 0, code=1)
    assert_refused(refused, "invalid_parameter", "units")
    assert_refused(typed("units", "grant", "nobody", 1, code=1), "NotFound", "nobody")
    assert_refused(typed("units", "show", "nobody", code=1), "NotFound", "nobody")
    assert_wrong_usage(typed("units", "grant", "shop", "1.5", code=2), "UNITS")
    assert_wrong_usage(typed("units", "grant", "shop", code=2), "UNITS")
    assert len(table(typed("units", "show", "shop"))) == 2


# --- webhooks ------------------------------------------------------------------------------------


@pytest.fixture
def endpoint(typed: Typed, receiver: Receiver) -> tuple[str, str, str]:
    """Its address, secret and id."""
    typed("keys", "create", "--name", "shop")
    url = receiver.hook()
    added = typed("webhooks", "add", url, "--key-name", "shop")
    said = re.fullmatch(r"secret (whsec_[A-Za-z0-9+/]+=*)\nid ([A-Za-z0-9_-]+)\n", added.stdout)
    assert said, added.stdout
    assert added.stderr == ""
    return url, said[1], said[2]


def ended_task(services: Services) -> str:
    """A task of the shop's that has ended; what it is told by waits for a server."""
    hand = Reference("url", "https://shop.example/hand.jpg")
    request = TaskRequest(hand, None, (RingRequest(hand, None, Options()),))
    task = services.tasks.create(services.accounts.by_name("shop").id, request)
    services.tasks.fail(task.id, PhotoDetectionFail())
    return task.id


def test_endpoints_are_listed_without_their_secrets(
    typed: Typed, endpoint: tuple[str, str, str]
) -> None:
    url, secret, id = endpoint
    listed = typed("webhooks", "list")
    assert table(listed) == [["id", "key", "state", "url"], [id, "shop", "active", url]]
    assert secret not in listed.stdout
    assert typed("webhooks", "disable", id).stdout == f"{id} is disabled\n"
    assert table(typed("webhooks", "list"))[1] == [id, "shop", "disabled", url]


def test_a_secret_may_be_given(typed: Typed, receiver: Receiver) -> None:
    typed("keys", "create", "--name", "shop")
    secret = "whsec_MTIzNDU2Nzg5MDEyMzQ6OTg3NjU0MzIxMDk4NzY"  # unpadded
    options = ("--key-name", "shop", "--secret", secret)
    added = typed("webhooks", "add", receiver.hook(), *options)
    assert added.stdout.splitlines()[0] == f"secret {secret}"


def test_a_message_to_try_it(
    typed: Typed, endpoint: tuple[str, str, str], receiver: Receiver
) -> None:
    url, secret, id = endpoint
    said = typed("webhooks", "test", id).stdout
    assert re.fullmatch(r"delivered: HTTP 204 in \d+ ms\n", said)
    (received,) = receiver.received(url)
    Webhook(secret).verify(received.body, received.headers)

    deaf = receiver.hook([Answer(503)])
    added = typed("webhooks", "add", deaf, "--key-name", "shop").stdout
    refused = typed("webhooks", "test", added.split()[-1], code=1)
    assert_refused(refused, "RUNTIME_ERROR", "503", "2xx")
    nobody = typed("webhooks", "add", "http://127.0.0.1:9/", "--key-name", "shop").stdout
    assert_refused(typed("webhooks", "test", nobody.split()[-1], code=1), "RUNTIME_ERROR")


def test_deliveries_are_listed_and_sent_once_more(
    typed: Typed, endpoint: tuple[str, str, str], services: Services
) -> None:
    headings = ["id", "task", "state", "attempts", "answer", "next"]
    assert table(typed("webhooks", "deliveries")) == [headings]
    tasks = [ended_task(services), ended_task(services)]
    _, *rows = table(typed("webhooks", "deliveries"))
    assert [row[1] for row in rows] == list(reversed(tasks))
    for row in rows:
        assert row[2:5] == ["pending", "0", "-"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[5])
    newest = rows[0][0]
    assert len(table(typed("webhooks", "deliveries", "--limit", 1))) == 2
    assert len(table(typed("webhooks", "deliveries", endpoint[2]))) == 3
    assert len(table(typed("webhooks", "deliveries", "wnone"))) == 1

    (delivery,) = (d for d, _ in services.webhooks.deliveries(None, 10) if d.id == newest)
    services.webhooks.attempt(newest, delivery.job)
    row = table(typed("webhooks", "deliveries"))[1]
    assert row[:1] + row[2:] == [newest, "delivered", "1", "204", "-"]
    assert typed("webhooks", "replay", newest).stdout == f"{newest} is on its way\n"
    assert table(typed("webhooks", "deliveries"))[1][2] == "pending"


def test_webhooks_that_cannot_be(typed: Typed, endpoint: tuple[str, str, str]) -> None:
    url = endpoint[0]
    refused = typed("webhooks", "add", url, "--key-name", "nobody", code=1)
    assert_refused(refused, "NotFound", "nobody")
    refused = typed("webhooks", "add", url, "--key-name", "shop", "--secret", "whsec_*", code=1)
    assert_refused(refused, "invalid_parameter", "secret")
    private = {"ANELLO_ALLOW_PRIVATE_URLS": "0"}
    refused = typed("webhooks", "add", url, "--key-name", "shop", code=1, **private)
    assert_refused(refused, "invalid_parameter", "url")
    refused = typed("webhooks", "add", "ftp://shop.example/", "--key-name", "shop", code=1)
    assert_refused(refused, "invalid_parameter", "url")
    for verb in ("test", "disable", "replay"):
        assert_refused(typed("webhooks", verb, "none", code=1), "NotFound", "none")
    assert_wrong_usage(typed("webhooks", "add", url, code=2), "--key-name")
    assert_wrong_usage(typed("webhooks", "deliveries", "--limit", 0, code=2), "--limit")
    assert len(table(typed("webhooks", "list"))) == 2


# --- sweep ---------------------------------------------------------------------------------------


def test_a_sweep_says_what_it_did(typed: Typed, services: Services) -> None:
    names = [
        *("tasks restarted", "tasks given up", "deliveries restarted", "tasks purged"),
        *("files purged", "deliveries purged", "objects purged", "jobs forgotten"),
    ]
    assert table(typed("sweep")) == [[name, "0"] for name in names]
    typed("keys", "create", "--name", "shop")
    ended_task(services)
    assert dict(table(typed("sweep")))["tasks purged"] == "0"
    swept = dict(table(typed("sweep", ANELLO_RETENTION_S="0.001")))
    assert swept == {**dict.fromkeys(names, "0"), "tasks purged": "1"}


# --- doctor --------------------------------------------------------------------------------------


@pytest.mark.skipif(
    bool(missing_models()), reason="the hand networks are not here: anello models fetch"
)
def test_a_doctor_finds_what_is_wrong_and_what_is_not(typed: Typed, services: Services) -> None:
    typed("keys", "create", "--name", "shop", "--units", 5)
    with services.database.write() as connection:
        connection.execute(text("UPDATE grants SET available = 6"))
    found = typed("doctor", code=1, ANELLO_QUEUE_LIMIT="77")
    assert found.stderr == "RUNTIME_ERROR: 1 part of the server can't work\n"
    rows = [line.split("\t") for line in found.stdout.splitlines()]
    settings = {row[0]: row for row in rows if row[0].startswith("ANELLO_")}
    assert set(settings) == {variable.name for variable in config.VARIABLES}
    assert settings["ANELLO_QUEUE_LIMIT"][1:3] == ["77", "256"]
    assert settings["ANELLO_STRICT"][1:3] == ["-", "0"]
    assert ["data folder", str(services.settings.data)] in rows
    parts = {row[0]: row[1] for row in rows if len(row) == 3 and row[1] in ("ok", "no")}
    assert parts == {
        **dict.fromkeys(("python", "free space", "queue", "store", "hand networks"), "ok"),
        **{"database": "no", "drawing process": "ok", "api keys": "ok"},
    }
    assert "grant 1: 6 + 0 held; the ledger says 5 + 0" in found.stdout


# --- settings and folders ------------------------------------------------------------------------

COMMANDS = [("keys", "list"), ("sweep",), ("doctor",), ("serve",), ("webhooks", "deliveries")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "value"), [("ANELLO_WORKERS", "many"), ("ANELLO_RATE_LIMIT", "250")]
)
def test_a_wrong_setting_is_named(
    typed: Typed, tmp_path: Path, command: tuple[str, ...], name: str, value: str
) -> None:
    new = tmp_path / "new"
    assert_wrong_usage(typed(*command, code=2, at=new, **{name: value}), name, repr(value))
    assert not new.exists()


def test_without_data_the_folder_is_the_environment_s(typed: Typed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    typed("keys", "create", "--name", "a", at=None, ANELLO_DATA=str(elsewhere))
    assert (elsewhere / "anello.db").is_file()
    typed("keys", "create", "--name", "b", ANELLO_DATA=str(elsewhere))
    assert [row[0] for row in table(typed("keys", "list"))[1:]] == ["b"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != ("serve",)], ids=" ".join)
def test_a_folder_that_cannot_be_made(
    typed: Typed, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = typed(*command, code=1, at=tmp_path / "file" / "data")
    assert result.stderr.splitlines()[0].startswith("RUNTIME_ERROR: The data folder")
    assert "--data" in result.stderr


def test_a_database_that_is_none(typed: Typed, data: Path) -> None:
    (data / "anello.db").write_bytes(b"something else entirely " * 100)
    assert_refused(typed("keys", "list", code=1), "RUNTIME_ERROR", "not a database")
    assert (data / "anello.db").read_bytes() == b"something else entirely " * 100


def test_a_database_of_a_newer_anello(typed: Typed, services: Services) -> None:
    with services.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert_refused(typed("keys", "list", code=1), "RUNTIME_ERROR", "9999")


def test_two_first_commands_at_the_same_time(tmp_path: Path) -> None:
    """In processes of their own, as from two shells; neither finds a folder made."""
    data = tmp_path / "new" / "data"
    environment = {name: v for name, v in os.environ.items() if not name.startswith("ANELLO_")}
    (key, key_said, key_code), (swept, swept_said, swept_code) = (
        (*process.communicate(timeout=60), process.returncode)
        for process in [
            subprocess.Popen(
                [sys.executable, "-m", "anello.cli", *words, "--data", str(data)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in (("keys", "create", "--name", "shop"), ("sweep",))
        ]
    )
    assert (key_code, key_said) == (swept_code, swept_said) == (0, "")
    assert re.fullmatch(rf"{KEY}\n", key)
    assert len(swept.splitlines()) == 8
    services = bootstrap.build(config.load({}, data))
    assert services.accounts.authenticate(key.strip()).name == "shop"
    services.close()
