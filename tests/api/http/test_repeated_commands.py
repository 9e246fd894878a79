"""A start that is sent twice under one key starts one thing; what a failed policy said is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings

FALL = {"system_id": "free_fall", "seed": 1}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    settings = Settings(db="memory://", openai_base_url="http://127.0.0.1:9", retry_wait_s=0.0)
    with TestClient(create_app(settings, openenv=False)) as client:
        yield client


def post(client: TestClient, path: str, body: dict[str, Any], key: str | None = None) -> Any:
    return client.post(path, json=body, headers={} if key is None else {"Idempotency-Key": key})


def test_a_repeated_key_forks_once_and_another_command_under_it_is_refused(client: TestClient) -> None:
    original = post(client, "/interactive/sessions", FALL).json()["episode_id"]
    path = f"/interactive/sessions/{original}"
    post(client, f"{path}/step", {"equation": "d2y/dt2 = -4.0"})
    first = post(client, f"{path}/fork", {"turn": 1}, "k")
    again = post(client, f"{path}/fork", {"turn": 1}, "k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert client.get("/api/episodes").json()["total"] == 2
    assert post(client, f"{path}/fork", {"turn": 0}, "k").status_code == 409
    forked = f"/interactive/sessions/{first.json()['episode_id']}"
    assert post(client, f"{forked}/fork", {"turn": 1}, "k").status_code == 409  # another original
    assert post(client, "/interactive/sessions", FALL, "k").status_code == 409
    assert post(client, f"{path}/fork", {"turn": 1}, "l").json()["episode_id"] != first.json()["episode_id"]
    # A fork that was played on is still the answer to its command.
    post(client, f"{forked}/step", {"equation": "d2y/dt2 = -5.0"})
    assert post(client, f"{path}/fork", {"turn": 1}, "k").json()["episode_id"] == first.json()["episode_id"]
    assert client.get("/api/episodes").json()["total"] == 3


def test_an_episode_says_why_its_policy_failed(client: TestClient) -> None:
    started = post(client, "/interactive/sessions", FALL | {"policy": "openai:nobody"}).json()
    assert started["standing"]["policy_failure"] is None
    path = f"/interactive/sessions/{started['episode_id']}"
    ended = post(client, f"{path}/llm-step", {}).json()
    assert (ended["outcome"], ended["standing"]["policy_failures"]) == ("policy_failed", 3)
    assert "http://127.0.0.1:9" in ended["standing"]["policy_failure"]
    assert client.get(f"/api/episodes/{started['episode_id']}").json()["standing"] == ended["standing"]
