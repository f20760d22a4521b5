"""Servers, clients and a receiver that the tests of the service share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from client import Client, new_name
from receiver import Receiver
from server import Server

from anello.models.fetch import missing_models

MANY = 1_000_000

NewClient = Callable[..., Client]


@pytest.fixture(scope="session")
def _models() -> None:
    if missing_models():
        pytest.skip("the hand networks are not here: anello models fetch")


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def server(_models: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one that most tests talk to: no rate limit, loopback addresses allowed."""
    settings = {"ANELLO_ALLOW_PRIVATE_URLS": "1", "ANELLO_RATE_LIMIT": "off"}
    with Server(tmp_path_factory.mktemp("server"), **settings) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[Client]:
    """An account with units for all tests."""
    yield from _client_of(server, "shared", MANY)


@pytest.fixture(scope="session")
def stranger(server: Server) -> Iterator[Client]:
    """Another account."""
    yield from _client_of(server, "stranger", MANY)


@pytest.fixture(scope="session")
def anonymous(server: Server) -> Iterator[Client]:
    """No key at all."""
    with Client(server.base) as unknown:
        yield unknown


@pytest.fixture(scope="session")
def strict(_models: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As the hosted service, private addresses refused; addresses of its own soon expire."""
    settings = {
        "ANELLO_RATE_LIMIT": "off",
        "ANELLO_STRICT": "1",
        "ANELLO_WORKERS": "1",
        "ANELLO_POLLING_INTERVAL": "1",
        "ANELLO_UPLOAD_URL_TTL_S": "3",
        "ANELLO_RESULT_URL_TTL_S": "3",
    }
    with Server(tmp_path_factory.mktemp("strict"), **settings) as running:
        yield running


@pytest.fixture(scope="session")
def strict_client(strict: Server) -> Iterator[Client]:
    yield from _client_of(strict, "shared", MANY)


@pytest.fixture
def new_client(server: Server) -> Iterator[NewClient]:
    """Makes an account of its own for a test: ``new_client(units)``."""
    made: list[Client] = []

    def make(units: int = 100, on: Server = server) -> Client:
        name = new_name("account")
        made.append(Client(on.base, on.create_key(name, units), name))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def folder_server(
    _models: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Makes servers of a test's own, not yet started; whatever becomes of them, they end."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        usual = {
            "ANELLO_ALLOW_PRIVATE_URLS": "1",
            "ANELLO_RATE_LIMIT": "off",
            "ANELLO_WORKERS": "1",  # it starts sooner
        }
        made.append(Server(tmp_path_factory.mktemp("own"), **usual | settings))
        return made[-1]

    yield make
    for one in made:
        one.end()


def _client_of(server: Server, name: str, units: int) -> Iterator[Client]:
    with Client(server.base, server.create_key(name, units), name) as one:
        yield one
