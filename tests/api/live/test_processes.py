"""Two servers on one log: whichever is asked answers for both."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import psycopg
import pytest

from physix.api.app import create_app
from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.systems import sample_task
from physix.settings import Settings
from physix.store import open_log
from physix.store.sql.switchboard import open_switchboard
from tests.policies.chat.ollama_server import Ollama, ollama_server, serving
from tests.store.postgres_server import postgres_server

TOKEN = "operator-operator"  # noqa: S105  # of the tests
Pair = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[Callable[[], str]]:
    with postgres_server() as server:
        yield server.new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    new: Callable[[], str] = request.getfixturevalue("postgres_url")
    return new()


@pytest.fixture
def daemon() -> Iterator[Ollama]:
    with ollama_server() as running:
        yield running


def settings(url: str, **more: Any) -> Settings:
    return Settings(db=url, workers=2, operator_token=TOKEN, retry_wait_s=0.0, **more)


@pytest.fixture
def pair(url: str, daemon: Ollama) -> Iterator[Pair]:
    made = settings(url, ollama_host=daemon.url)
    with (
        serving(create_app(made, openenv=False)) as first,
        serving(create_app(made, openenv=False)) as second,
        httpx.Client(base_url=first, timeout=60) as a,
        httpx.Client(base_url=second, timeout=60) as b,
    ):
        yield a, b


def start(client: httpx.Client, **body: Any) -> str:
    answer = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 5, **body})
    assert answer.status_code == 201, answer.text
    episode_id: str = answer.json()["episode_id"]
    return episode_id


def until(client: httpx.Client, path: str, found: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
    """Follow a stream until an event is found; return its data."""
    with client.stream("GET", path) as stream:
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                data: dict[str, Any] = json.loads(line.removeprefix("data: "))
                if found(name, data):
                    return data
    raise AssertionError("the stream ended before")


def test_a_run_of_one_process_is_seen_refused_and_paused_through_the_other(
    pair: Pair, daemon: Ollama
) -> None:
    here, there = pair
    episode_id = start(here, policy="ollama:slow")
    path = f"/interactive/sessions/{episode_id}"
    assert here.post(f"{path}/run").json()["driven"]
    assert there.get(f"/api/episodes/{episode_id}").json()["driven"]
    assert there.post(f"{path}/run").status_code == 409
    assert daemon.writing.wait(60)
    paused = there.post(f"{path}/pause")
    assert (paused.status_code, paused.json()["driven"]) == (200, False)
    assert daemon.hung_up.wait(60)
    assert not here.get(f"/api/episodes/{episode_id}").json()["driven"]
    assert there.post(f"{path}/run", json={"policy": "ollama:good"}).json()["driven"]


def test_what_a_model_writes_in_one_process_is_streamed_by_the_other(pair: Pair) -> None:
    here, there = pair
    episode_id = start(here, policy="ollama:slow")
    here.post(f"/interactive/sessions/{episode_id}/run")
    events = f"/api/episodes/{episode_id}/events"
    driving = until(there, events, lambda name, data: name == "Driving" and data["driving"])
    assert driving["policy"] == "ollama:slow"
    assert until(there, events, lambda name, _data: name == "ModelPrompt")["messages"][0]["role"] == "system"
    assert until(there, events, lambda name, data: name == "ModelText" and data["text"] != "")["turn"] == 1
    here.post(f"/interactive/sessions/{episode_id}/pause")
    until(there, events, lambda name, data: name == "Driving" and not data["driving"])


def test_the_text_of_a_turn_comes_before_its_events_through_another_process_too(pair: Pair) -> None:
    here, there = pair
    episode_id = start(here, policy="ollama:good", max_turns=4)
    played = 0

    def last(name: str, data: dict[str, Any]) -> bool:
        nonlocal played
        played += name == "RewardComputed"
        if name == "ModelText":
            assert data["turn"] > played
        return name == "EpisodeFinished"

    follower = threading.Thread(target=until, args=(there, f"/api/episodes/{episode_id}/events", last))
    follower.start()
    here.post(f"/interactive/sessions/{episode_id}/run")
    follower.join(120)
    assert not follower.is_alive()
    assert played > 0


def test_an_abandon_through_the_other_process_stops_and_ends(pair: Pair, daemon: Ollama) -> None:
    here, there = pair
    episode_id = start(here, policy="ollama:slow")
    here.post(f"/interactive/sessions/{episode_id}/run")
    assert daemon.writing.wait(60)
    ended = there.post(f"/interactive/sessions/{episode_id}/abandon").json()
    assert ended["outcome"] == "abandoned"


async def claimed(url: str, episode_id: str, *, handed_over: bool) -> None:
    """Leave an episode as a process leaves it: in a restart, or when it is killed."""
    async with open_log(url) as log, open_switchboard(url, "another process") as switchboard:
        task, truth = sample_task("spring_mass", 5)
        config = EpisodeConfig(max_turns=1)
        await EpisodeEngine(log).start(
            task, truth, config=config, policy="search", door="interactive", episode_id=episode_id
        )
        assert await switchboard.claim(episode_id, "search", temperature=None, to_end=True)
        if handed_over:
            await switchboard.hand_over(episode_id)


def silent_for_six_seconds(url: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///") + "-live")) as live, live:
            live.execute("UPDATE drives SET beat = beat - 6")
    else:
        with psycopg.connect(url) as shared:
            shared.execute("UPDATE physix_live.drives SET beat = beat - 6")


@pytest.mark.parametrize("handed_over", [True, False])
def test_what_a_process_that_is_gone_was_playing_is_played_to_its_end_by_another(
    pair: Pair, url: str, handed_over: bool
) -> None:
    anyio.run(lambda: claimed(url, "orphan", handed_over=handed_over))
    if not handed_over:
        assert pair[1].get("/api/episodes/orphan").json()["driven"]
        silent_for_six_seconds(url)
    until(pair[0], "/api/episodes/orphan/events", lambda name, _data: name == "EpisodeFinished")
    assert len(pair[1].get("/api/episodes/orphan").json()["turns"]) == 1


def test_a_quota_is_one_for_all_processes(url: str) -> None:
    made = settings(url, public=True, public_turns_per_minute=3, public_sessions_per_minute=2)
    law = {"equation": "d2x/dt2 = -x"}
    with (
        serving(create_app(made, openenv=False)) as first,
        serving(create_app(made, openenv=False)) as second,
        httpx.Client(base_url=first, timeout=60) as a,
        httpx.Client(base_url=second, timeout=60) as b,
    ):
        episode_id = start(a)
        start(b)
        for client in (a, b):
            refused = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 5})
            assert refused.status_code == 429
        path = f"/interactive/sessions/{episode_id}/step"
        assert [client.post(path, json=law).status_code for client in (a, b, b, a, b)] == [
            200,
            200,
            200,
            429,
            429,
        ]


def test_the_operators_token_is_one_for_all_processes(pair: Pair) -> None:
    for client in pair:
        role = client.get("/api/role", headers={"Authorization": f"Bearer {TOKEN}"}).json()
        assert role == {"role": "operator"}


def test_a_server_that_may_make_no_schema_answers_for_itself_alone(
    postgres_url: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres_url()
    anyio.run(
        lambda: claimed(url, "e", handed_over=False)
    )  # makes the log and the switchboard, as their owner
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP SCHEMA physix_live CASCADE")
        owner.execute("DROP ROLE IF EXISTS writer")
        owner.execute("CREATE ROLE writer LOGIN")
        owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO writer")
    restricted = url.replace("postgres@", "writer@")
    with (
        serving(create_app(settings(restricted).model_copy(update={"workers": 1}), openenv=False)) as base,
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        assert client.post(f"/interactive/sessions/{start(client)}/run").status_code == 202
    assert "for itself alone" in caplog.text
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP OWNED BY writer")
        owner.execute("DROP ROLE writer")
