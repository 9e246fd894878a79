"""The prompt of a recorded turn, written anew."""

from collections.abc import Iterator

import httpx
import pytest

from physix.api.app import create_app
from physix.settings import Settings
from tests.policies.chat.ollama_server import ollama_server, serving


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with ollama_server() as daemon:
        settings = Settings(db="memory://", ollama_host=daemon.url, retry_wait_s=0.0)
        with (
            serving(create_app(settings, openenv=False)) as url,
            httpx.Client(base_url=url, timeout=60) as running,
        ):
            yield running


def played(client: httpx.Client, policy: str, turns: int) -> str:
    body = {"system_id": "spring_mass", "seed": 5, "policy": policy, "max_turns": turns}
    episode: str = client.post("/interactive/sessions", json=body).json()["episode_id"]
    for _ in range(turns):
        answer = client.post(f"/interactive/sessions/{episode}/llm-step", json={})
        assert answer.status_code == 200, answer.text
    return episode


@pytest.mark.parametrize("policy", ["ollama:good", "nano-untrained"])
def test_every_turns_prompt_is_word_for_word_what_was_sent(client: httpx.Client, policy: str) -> None:
    episode = played(client, policy, turns=2)
    first, second = (client.get(f"/api/episodes/{episode}/turns/{n}/prompt").json() for n in (1, 2))
    assert (first["turn"], first["exact"], second["exact"]) == (1, True, True)
    assert first["messages"] != second["messages"]  # the second tells of the first


def test_a_turn_without_a_prompt_is_not_found(client: httpx.Client) -> None:
    episode = played(client, "search", turns=1)
    for turn in (1, 9):
        answer = client.get(f"/api/episodes/{episode}/turns/{turn}/prompt")
        assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
        assert f"Turn {turn}" in answer.json()["detail"]
    assert client.get(f"/api/episodes/{episode}/turns/0/prompt").status_code == 422
