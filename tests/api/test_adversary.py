"""What a player tries who wants a secret, or to be counted as somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.api.http.services import Services
from physix.engine import Episode, EpisodeConfig
from physix.engine.events import Door, Provenance
from physix.engine.systems import sample_task
from physix.engine.systems.splits import split_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.settings import Settings
from tests.api.openenv.spoken import reset

TOKEN = "the-operators-own-token"  # noqa: S105  # of these tests alone
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
EVALUATION: dict[str, Any] = {"split": "validation", "index": 3}
SAMPLED: dict[str, Any] = {"system_id": "damped_pendulum", "seed": 424_242}
STRICT = EpisodeConfig(verifier=VerifierConfig(profile="strict"), reward_mode="gain")
HOLD = pytest.param(True, id="hold_truth")


@pytest.fixture
def hold_truth() -> bool:
    return False


@pytest.fixture
def client(tmp_path: Path, hold_truth: bool) -> Iterator[TestClient]:
    settings = Settings(
        db=f"sqlite:///{tmp_path / 'log.db'}",
        operator_token=TOKEN,
        hold_truth=hold_truth,
        boards=str(tmp_path / "boards"),
    )
    with TestClient(create_app(settings)) as found:
        yield found


def elsewhere(
    client: TestClient, task: Task, truth: Truth, *, door: Door = "training", ended: bool = True
) -> str:
    """Let a command of the operator's play the true law, and return the episode."""
    services: Services = client.app.state.services  # type: ignore[attr-defined]  # a FastAPI
    assert truth.equation is not None
    law = Hypothesis(equation=truth.equation, params=dict(truth.params))
    portal = client.portal
    assert portal is not None
    begin = partial(services.engine.start, task, truth, config=STRICT, policy="search", door=door)
    episode: Episode = portal.call(begin)
    submit = partial(services.engine.submit, provenance=Provenance(policy="search"))
    if ended:
        assert portal.call(submit, episode.episode_id, law).finished is not None
    return episode.episode_id


def step(client: TestClient, seen: dict[str, Any], equation: str, **params: float) -> dict[str, Any]:
    action = {"equation": equation, "params": params}
    body = {"action": action, "episode_id": seen["episode_id"], "token": seen["token"]}
    answer = client.post("/step", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


READ = (
    "/api/episodes/{}",
    "/api/episodes/{}/events.json",
    "/api/episodes/{}/events",
    "/api/episodes/{}/turns/1/prompt",
    "/api/episodes/{}/turns/1/truth",
    "/api/episodes/{}/discovery",
    "/api/episodes/{}/report",
    "/api/episodes/export?episode={}",
)
ACT: tuple[tuple[str, dict[str, str]], ...] = (
    ("/interactive/sessions/{}/step", {"equation": "dx/dt = -x"}),
    ("/interactive/sessions/{}/preview", {"equation": "dx/dt = -x"}),
    ("/interactive/sessions/{}/try", {"equation": "dx/dt = -x"}),
    ("/interactive/sessions/{}/llm-step", {"policy": "search"}),
    ("/interactive/sessions/{}/run", {"policy": "search"}),
    ("/interactive/sessions/{}/abandon", {}),
)


@pytest.mark.parametrize("door", ["training", "cli"])
def test_what_the_operators_commands_play_on_an_evaluation_task_is_read_by_the_operator_alone(
    client: TestClient, door: Door
) -> None:
    task, truth = split_task(**EVALUATION)
    assert truth.equation is not None
    found = elsewhere(client, task, truth, door=door)
    for address in READ:
        assert client.get(address.format(found)).status_code == 403, address
    assert client.get("/api/episodes/told", params={"episode": found}).json() == []
    fork = {"turn": 0}
    assert client.post(f"/interactive/sessions/{found}/fork", json=fork).status_code == 403
    replayed = {**SAMPLED, "policy": f"replay:{found}"}
    assert client.post("/interactive/sessions", json=replayed).status_code == 403
    whole = client.get(f"/api/episodes/{found}", headers=OPERATOR).json()
    assert whole["truth"]["equation"] == truth.equation


@pytest.mark.parametrize("hold_truth", [False, HOLD])
@pytest.mark.parametrize("door", ["training", "cli"])
def test_nobody_plays_on_or_ends_through_the_page_what_was_not_begun_there(
    client: TestClient, door: Door
) -> None:
    running = elsewhere(client, *sample_task("damped_pendulum", 7), door=door, ended=False)
    for address, body in ACT:
        assert client.post(address.format(running), json=body).status_code == 403, address
    ended = client.post(f"/interactive/sessions/{running}/abandon", headers=OPERATOR)
    assert ended.json()["status"] == "finished"
    assert ended.json()["turns"] == []


def test_a_name_joins_no_comparison_and_makes_none(client: TestClient) -> None:
    body = {**SAMPLED, "policies": ["nano-untrained"], "max_turns": 1}
    there = client.post("/api/comparisons", json=body).json()["comparison_id"]
    # Of the first member's task everything is told: a second one on another task must not be told as it.
    mine = reset(client, **EVALUATION, episode_id=f"{there}-1")
    assert mine["episode_id"] == f"{there}-1"
    step(client, mine, "dx/dt = 1.0")
    assert len(client.get(f"/api/comparisons/{there}").json()["members"]) == 1

    victim = reset(client, **SAMPLED, episode_id="theirs-0")
    for action in ("pause", "run", "abandon"):
        assert client.post(f"/api/comparisons/theirs/{action}").status_code == 404
    assert client.get("/api/comparisons/theirs").status_code == 404
    assert not step(client, victim, "d2theta/dt2 = -1.0")["done"]


@pytest.mark.parametrize("hold_truth", [False, HOLD])
def test_a_list_tells_a_player_neither_the_worth_of_turns_held_back_nor_their_order(
    client: TestClient, hold_truth: bool
) -> None:
    held = SAMPLED if hold_truth else EVALUATION
    theirs = [reset(client, **held, profile="strict") for _ in range(2)]
    task, _ = sample_task(**SAMPLED) if hold_truth else split_task(**EVALUATION)
    second = next(v for v in task.variables if v.rate_of)
    law = f"d2{second.rate_of}/dt2 = "
    for seen, factor in zip(theirs, (0.0, -2.0), strict=True):
        step(client, seen, f"{law}{factor}*{second.rate_of}")
    board = elsewhere(client, *(sample_task(**SAMPLED) if hold_truth else split_task(**EVALUATION)))
    person = client.post("/interactive/sessions", json=SAMPLED).json()["episode_id"]
    client.post(f"/interactive/sessions/{person}/step", json={"equation": "d2theta/dt2 = -theta"})
    ids = [*(seen["episode_id"] for seen in theirs), board]

    rows = {row["episode_id"]: row for row in client.get("/api/episodes").json()["items"]}
    for episode_id in ids:
        row = rows[episode_id]
        worth = (row["best_match"], row["best_total"], row["total_reward"], row["matches"])
        assert worth == (None, None, None, [])
        assert row["generalisation"] is None
        assert row["seed"] is None
    assert rows[person]["best_match"] is not None
    for sort in ("match", "-match", "total", "-total"):
        ranked = client.get("/api/episodes", params={"sort": sort}).json()
        assert [row["episode_id"] for row in ranked["items"]] == [person]
        assert ranked["total"] == 1
        every = client.get("/api/episodes", params={"sort": sort}, headers=OPERATOR).json()
        assert len(every["items"]) == 4
        values = [row[f"best_{sort.removeprefix('-')}"] for row in every["items"]]
        assert values == sorted(values, reverse=sort.startswith("-"))


def test_the_tier_of_an_evaluation_task_which_would_tell_its_system_is_told_nowhere(
    client: TestClient,
) -> None:
    seen = reset(client, **EVALUATION)
    token = {"X-Episode-Token": seen["token"]}
    step(client, seen, "x")
    whole = client.get(f"/api/episodes/{seen['episode_id']}", headers=token).json()
    assert (whole["system_id"], whole["task"]["tier"]) == ("unnamed", None)
    (started, *_) = client.get(f"/api/episodes/{seen['episode_id']}/events.json", headers=token).json()
    assert started["payload"]["task"]["tier"] is None
    (row,) = client.get("/api/episodes").json()["items"]
    assert (row["system_id"], row["tier"]) == ("unnamed", None)
    (row,) = client.get("/api/episodes", headers=OPERATOR).json()["items"]
    assert row["tier"] == split_task(**EVALUATION)[0].tier


@pytest.mark.parametrize("hold_truth", [False, HOLD])
def test_the_state_names_the_seed_of_a_sampled_task_only_where_its_truth_is_not_held_back(
    client: TestClient, hold_truth: bool
) -> None:
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"type": "reset", "data": {"system_id": "damped_pendulum", "seed": 424_242}})
        socket.receive_json()
        socket.send_json({"type": "state"})
        state = socket.receive_json()["data"]
    assert state["system_id"] == "damped_pendulum"
    assert ("424242" in state["task_id"]) is not hold_truth
