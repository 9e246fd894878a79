from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.postgres_server import PostgresServer, postgres_server

pytest.register_assert_rewrite("physix.store.contract")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Give out URLs of empty databases, on each kind."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.new_database
    names = (f"sqlite:///{tmp_path}/log{i}.db" for i in range(1000))
    return lambda: next(names)
