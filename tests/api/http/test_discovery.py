"""`GET /api/episodes/{id}/discovery`: what a search found, and who may be told."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://"))) as running:
        yield running


def test_a_search_tells_what_it_found(client: TestClient) -> None:
    body = {"system_id": "free_fall", "seed": 3, "policy": "search"}
    episode_id = client.post("/interactive/sessions", json=body).json()["episode_id"]
    address = f"/api/episodes/{episode_id}/discovery"
    before = client.get(address)
    assert before.status_code == 404
    assert "search" in before.json()["detail"]
    client.post(f"/interactive/sessions/{episode_id}/llm-step", json={"policy": "search"})
    told = client.get(address).json()
    assert told["version"] == 1
    assert told["chosen"]["equation"].startswith("d2y/dt2 = ")
    assert told["chosen"] in told["front"]
    assert told["explains"] is True


def test_an_episode_that_is_not_there_has_none(client: TestClient) -> None:
    assert client.get("/api/episodes/nobody/discovery").status_code == 404


def test_on_a_task_held_back_it_is_told_to_whoever_may_read_the_turns(client: TestClient) -> None:
    seen = client.post("/reset", json={"split": "test", "index": 4}).json()["observation"]
    address = f"/api/episodes/{seen['episode_id']}/discovery"
    assert client.get(address).status_code == 403
    own = client.get(address, headers={"Authorization": f"Bearer {seen['token']}"})
    assert own.status_code == 404  # it may ask; there is none yet
