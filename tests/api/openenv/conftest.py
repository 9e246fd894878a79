from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://")), raise_server_exceptions=False) as client:
        yield client
