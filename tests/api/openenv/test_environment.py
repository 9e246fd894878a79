"""OpenEnv's surface: reset's arguments, ownership, resuming, quotas, leakage, conformance."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openenv.cli._validation import validate_running_environment

from physix.api.app import create_app
from physix.api.openenv.client import PhysiXAction, PhysiXEnv, PhysiXResetObservation
from physix.api.quota import Quota
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import SPLITS, draw, split_task
from physix.engine.systems.task import Task
from physix.settings import Settings
from tests.api.openenv.spoken import FALL, reset, say
from tests.api.test_server import free_port, server


def step(client: TestClient, first: dict[str, Any], **extra: Any) -> Any:
    body = {"action": FALL, "episode_id": first["episode_id"], "token": first["token"]} | extra
    return client.post("/step", json=body)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": 1}, "colour"),
        ({"self": 1}, "self"),
        ({"system_id": "perpetuum"}, "Unknown system"),
        ({"system_id": "free_fall", "tier": 3}, "tier"),
        ({"seed": 1.5}, "seed"),
        ({"trajectories": 5}, "trajectories"),
        ({"noise": 0.5}, "noise"),
        ({"max_turns": 0}, "max_turns"),
        ({"profile": "lenient"}, "profile"),
        ({"hint": "yes"}, "hint"),
        ({"split": "dev"}, "split"),
        ({"split": "test", "index": 200}, "Index 200"),
        ({"split": "test", "system_id": "free_fall"}, "fixed"),
        ({"index": 1}, "index needs a split"),
        ({"episode_id": "../x"}, "episode_id"),
        ({"resume": True}, "resume takes"),
        ({"task_from": "nowhere"}, "No episode"),
    ],
)
def test_a_wrong_reset_is_named_over_both_transports(
    client: TestClient, options: dict[str, Any], said: str
) -> None:
    answer = client.post("/reset", json=options)
    assert 400 <= answer.status_code < 500
    assert said in answer.text
    with client.websocket_connect("/ws") as socket:
        refused = say(socket, "reset", **options)
        assert refused["type"] == "error"
        assert said in refused["data"]["message"]
        assert say(socket, "reset", seed=1)["type"] == "observation"


def test_reset_shows_the_problem_and_step_what_came_of_it(client: TestClient) -> None:
    first = reset(client, system_id="free_fall", seed=7, trajectories=2, constants="fitted", hint=False)
    assert first["hint"] == ""
    assert len(first["trajectories"]) == 2
    assert first["table"].splitlines()[0] == "t y vy"
    assert first["stats"]["y"]["first"] == first["trajectories"][0]["states"][0][0]
    answer = step(client, first, action={"equation": "d2y/dt2 = -g", "params": {"g": None}}).json()
    assert answer["reward"] > 0.9
    assert answer["observation"]["turn"] == 1
    assert answer["observation"]["diagnostics"]["fitted"]["g"] > 0


def test_a_step_over_http_needs_the_episode_and_its_token(client: TestClient) -> None:
    first = reset(client, system_id="damped_spring", seed=1)
    assert client.post("/step", json={"action": FALL}).status_code == 422
    assert step(client, first, token="wrong" * 5).status_code == 403
    assert step(client, first, token=None).status_code == 403
    assert step(client, first, colour=1).status_code == 422
    interactive = f"/interactive/sessions/{first['episode_id']}"
    assert client.post(f"{interactive}/step", json=FALL).status_code == 403
    assert client.post(f"{interactive}/abandon").status_code == 403
    assert step(client, first).json()["observation"]["turn"] == 1


def test_no_copy_of_a_running_episode_gives_its_truth_away(client: TestClient) -> None:
    first = reset(client, split="test", index=3)
    assert step(client, first).status_code == 200
    fork = client.post(f"/interactive/sessions/{first['episode_id']}/fork", json={"turn": 1})
    assert fork.status_code == 403
    assert client.post("/reset", json={"task_from": first["episode_id"]}).status_code == 403


def test_a_repeated_key_plays_no_second_turn(client: TestClient) -> None:
    first = reset(client, system_id="damped_spring", seed=1)
    law = {"equation": "d2x/dt2 = -k*x", "params": {"k": 110.0}}
    once = step(client, first, request_id="a", action=law).json()
    again = step(client, first, request_id="a", action=law).json()
    assert once["reward"] > 0.0
    assert (again["reward"], again["observation"]["repeated"], again["done"]) == (0.0, True, once["done"])
    assert again["observation"] | {"repeated": False} == once["observation"]
    assert step(client, first, request_id="b").json()["observation"]["turn"] == 2
    assert step(client, first, request_id="a", action={"equation": "x"}).status_code == 409


def test_what_repeats_a_command_is_paid_once_however_often_it_is_sent(client: TestClient) -> None:
    law = {"equation": "d2y/dt2 = -20.65", "idempotency_key": "k"}
    with client.websocket_connect("/ws") as socket:
        say(socket, "reset", system_id="free_fall", seed=7, reward_mode="gain")
        paid = [say(socket, "step", **law)["data"]["reward"] for _ in range(6)]
    assert paid[0] > 0.5
    assert paid[1:] == [0.0] * 5


def test_a_resumed_episode_is_not_paid_again(client: TestClient) -> None:
    first = reset(client, system_id="damped_spring", seed=1)
    step(client, first)
    again = client.post("/reset", json={n: first[n] for n in ("episode_id", "token")} | {"resume": True})
    assert (again.json()["reward"], again.json()["observation"]["turn"]) == (None, 1)


@pytest.mark.parametrize(
    ("options", "profile", "mode"),
    [
        ({"seed": 1}, "classic", "total"),
        ({"split": "train", "index": 0}, "classic", "total"),
        ({"split": "validation", "index": 0}, "strict", "gain"),
        ({"split": "test", "index": 0}, "strict", "gain"),
        ({"split": "test", "index": 0, "profile": "classic", "reward_mode": "total"}, "classic", "total"),
    ],
)
def test_evaluation_tasks_pay_for_the_truth_unless_asked_otherwise(
    client: TestClient, options: dict[str, Any], profile: str, mode: str
) -> None:
    with client.websocket_connect("/ws") as socket:
        told = say(socket, "reset", **options)["data"]["observation"]["instructions"]
        state = say(socket, "state")["data"]
    assert (state["profile"], state["reward_mode"]) == (profile, mode)
    assert ("not shown" in told, "above 0.93" in told) == (profile == "strict", profile == "classic")
    assert "8 proposals" in told


def test_an_owned_episode_is_ended_by_its_owner_and_by_the_operator_alone() -> None:
    settings = Settings(db="memory://", operator_token="the-operators-own-token")  # noqa: S106  # of this test alone
    with TestClient(create_app(settings)) as client:
        operator = {"Authorization": "Bearer the-operators-own-token"}
        for at, headers in enumerate(("token", "header", "operator")):
            first = reset(client, system_id="free_fall", seed=at)
            path = f"/interactive/sessions/{first['episode_id']}/abandon"
            own = {
                "token": {"Authorization": f"Bearer {first['token']}"},
                "header": {"X-Episode-Token": first["token"]},
                "operator": operator,
            }[headers]
            assert client.post(path).status_code == 403
            assert client.post(path, headers={"X-Episode-Token": "x" * 32}).status_code == 403
            assert client.post(path, headers=own).json()["outcome"] == "abandoned"
            assert step(client, first).status_code == 409


def test_a_name_that_is_taken_gives_a_new_one_and_a_reset_that_is_sent_again_does_not(
    client: TestClient,
) -> None:
    named = {"episode_id": "mine", "system_id": "free_fall", "seed": 1}
    first = reset(client, **named)
    assert first["episode_id"] == "mine"
    second = reset(client, **named)
    assert second["episode_id"] != "mine"
    assert second["token"] != first["token"]
    assert step(client, second).json()["observation"]["turn"] == 1
    assert step(client, first).json()["observation"]["turn"] == 1
    own = {"episode_id": "ours", "token": "a-token-of-my-own", "system_id": "free_fall", "seed": 1}
    sent = reset(client, **own)
    assert reset(client, **own) == sent
    assert reset(client, **own | {"seed": 2})["episode_id"] != "ours"
    step(client, sent)
    assert reset(client, **own)["episode_id"] != "ours"


def test_another_socket_resumes_with_the_token_alone(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        first = say(socket, "reset", system_id="damped_spring", seed=1)["data"]["observation"]
        say(socket, "step", **FALL)
    owner = {"episode_id": first["episode_id"], "resume": True}
    with client.websocket_connect("/ws") as socket:
        assert "token" in say(socket, "reset", **owner, token="x" * 32)["data"]["message"]
        again = say(socket, "reset", **owner, token=first["token"])["data"]["observation"]
        assert again["turn"] == 1
        assert again["trajectories"] == first["trajectories"]
        assert say(socket, "step", **FALL)["data"]["observation"]["turn"] == 2
        assert say(socket, "state")["data"]["step_count"] == 2


def test_a_step_before_reset_or_after_the_end_is_an_error(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        assert "reset first" in say(socket, "step", **FALL)["data"]["message"]
        say(socket, "reset", system_id="free_fall", seed=1, max_turns=1)
        assert say(socket, "step", equation="import os")["data"]["done"] is True
        assert "ended" in say(socket, "step", **FALL)["data"]["message"]


def test_mcp_opens_no_session(client: TestClient) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
    for _ in range(100):
        assert "error" in client.post("/mcp", json=body).json()
    with client.websocket_connect("/ws") as socket:
        assert say(socket, "reset", seed=1)["type"] == "observation"


def test_a_public_server_has_quotas() -> None:
    now = [0.0]
    quota = Quota(sessions=2, turns=3, clock=lambda: now[0])
    assert [quota.refuse("a", sessions=1) is None for _ in range(3)] == [True, True, False]
    assert quota.refuse("b", sessions=1) is None
    now[0] = 61.0
    assert quota.refuse("a", sessions=1) is None
    settings = Settings(db="memory://", public=True, public_sessions_per_minute=1)
    with TestClient(create_app(settings)) as client:
        assert client.post("/reset", json={}).status_code == 200
        assert client.post("/reset", json={}).status_code == 429


def test_quotas_count_forks_the_members_of_a_comparison_and_frames() -> None:
    settings = Settings(db="memory://", public=True, public_sessions_per_minute=4, public_turns_per_minute=25)
    with TestClient(create_app(settings)) as client:
        comparison = {"system_id": "free_fall", "policies": ["search", "nano", "nano-untrained"]}
        assert client.post("/api/comparisons", json=comparison).status_code == 201
        assert client.post("/api/comparisons", json=comparison).status_code == 429
        with client.websocket_connect("/ws") as socket:
            assert say(socket, "reset", seed=1)["type"] == "observation"
            assert "4 sessions" in say(socket, "reset", seed=1)["data"]["message"]
            assert say(socket, "step", **FALL)["type"] == "observation"
            assert "25 turns" in say(socket, "step", **FALL)["data"]["message"]
            assert say(socket, "state")["data"]["step_count"] == 1
        assert client.post("/interactive/sessions/any/fork", json={"turn": 1}).status_code == 429


def test_a_public_server_keeps_sessions_free_of_a_client_that_only_holds_them() -> None:
    settings = Settings(db="memory://", public=True, public_sockets=2, max_sessions=3)
    app = create_app(settings)
    with TestClient(app) as client:
        with client.websocket_connect("/ws") as first, client.websocket_connect("/ws"):
            with client.websocket_connect("/ws") as third:
                told = third.receive_json()
                assert told["data"]["code"] == "CAPACITY_REACHED"
                assert "2 sockets" in told["data"]["message"]
            other = TestClient(app, client=("203.0.113.9", 50_000))
            with other.websocket_connect("/ws") as elsewhere:
                assert say(elsewhere, "reset", seed=1)["type"] == "observation"
            assert say(first, "reset", seed=1)["type"] == "observation"
        with client.websocket_connect("/ws") as again:  # they were given back
            assert say(again, "reset", seed=1)["type"] == "observation"


def walk(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from walk(child)
    elif isinstance(value, list):
        for child in value:
            yield from walk(child)
    else:
        yield value


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_nothing_an_agent_reads_tells_the_truth(client: TestClient, system_id: str) -> None:
    _, truth = sample_task(system_id, 3)
    hidden = {x for trajectory in truth.hidden for row in trajectory.states for x in row}
    with client.websocket_connect("/ws") as socket:
        first = say(socket, "reset", system_id=system_id, seed=3)
        later = say(socket, "step", equation="nonsense")
        read = list(walk([first, later, say(socket, "state"), client.get("/metadata").json()]))
    numbers = {x for x in read if isinstance(x, float)}
    assert not numbers & (set(truth.params.values()) | (hidden - {0.0}))
    text = " ".join(x for x in read if isinstance(x, str))
    assert truth.equation is not None
    assert truth.equation not in text
    assert not {"truth", "hidden", "generalisation", "correctness"} & {x for x in read if isinstance(x, str)}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_evaluation_episode_names_neither_seed_nor_system(client: TestClient, split: str) -> None:
    drawn, (_, truth) = draw(split, 5), split_task(split, 5)
    with client.websocket_connect("/ws") as socket:
        read = [say(socket, "reset", split=split, index=5), say(socket, "state")]
    read.append(client.post("/physix/task", json={"split": split, "index": 5}).json())
    text = json.dumps(read)
    assert drawn.system_id not in text
    assert str(drawn.seed) not in text
    assert str(truth.equation) not in text


def test_an_evaluation_names_its_system_nowhere(client: TestClient) -> None:
    drawn = draw("test", 5)
    first = reset(client, split="test", index=5, max_turns=1)
    path = f"/api/episodes/{first['episode_id']}"
    found = {
        system: client.get("/api/episodes", params={"system": system}).json() for system in SPLITS["test"]
    }
    assert [page["total"] for page in found.values()] == [0, 0]
    assert step(client, first).json()["done"] is True
    own = {"Authorization": f"Bearer {first['token']}"}
    answers = [client.get(at, headers=own) for at in ("/api/episodes", path, f"{path}/events.json")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    told = "".join(answer.text for answer in answers)
    assert drawn.system_id not in told
    assert SYSTEMS[drawn.system_id].title not in told
    assert client.get("/api/episodes", params={"system": drawn.system_id}).json()["total"] == 0


def test_the_task_api_lists_every_split(client: TestClient) -> None:
    assert [row["name"] for row in client.get("/physix/splits").json()] == list(SPLITS)
    assert client.post("/physix/num_tasks", json={"split": "test"}).json() == {"num_tasks": 200}
    rows = client.post("/physix/task_range", json={"split": "test", "start": 198}).json()["tasks"]
    assert [row["id"] for row in rows] == ["test/198", "test/199"]
    assert client.post("/physix/tasks", json={"split": "dev"}).status_code == 422
    # As OpenEnv answers it, and in words.
    missed = client.post("/physix/task", json={"split": "test", "index": 200})
    assert (missed.status_code, missed.json()["detail"]) == (
        400,
        "Index 200 is not in split test: it has tasks 0 to 199.",
    )
    assert client.post("/physix/task", json={"split": "test", "index": 199}).status_code == 200
    assert client.post("/elsewhere/task", json={"split": "test", "index": 0}).status_code == 404


def test_a_client_outlives_the_server_and_ends_with_the_turns_it_sent(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = PhysiXEnv(base_url=url).sync()
    with server(tmp_path / "log.db", port) as process:
        report = validate_running_environment(url)
        assert report["passed"], report["summary"]
        first = env.reset(system_id="damped_spring", seed=1).observation
        assert isinstance(first, PhysiXResetObservation)
        env.step(PhysiXAction(equation="d2x/dt2 = -1.0*x"))
        process.kill()
        process.wait()
    with server(tmp_path / "log.db", port):
        last = env.step(PhysiXAction(equation="d2x/dt2 = -2.0*x")).observation
        assert [turn["equation"] for turn in last.history] == ["d2x/dt2 = -1.0*x", "d2x/dt2 = -2.0*x"]
        env.close()


def test_a_group_on_one_task_judges_a_law_once_and_a_task_without_hint_is_another(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifying = importlib.import_module("physix.engine.verifier.verify")  # the name is its function's too
    judged: list[str] = []
    judge = verifying._judge

    def counted(task: Task, *arguments: Any) -> Any:
        judged.append(task.hint)
        return judge(task, *arguments)

    monkeypatch.setattr(verifying, "_judge", counted)
    for hint in (True, True, False):
        with client.websocket_connect("/ws") as socket:
            first = say(socket, "reset", system_id="free_fall", seed=77, hint=hint)
            assert bool(first["data"]["observation"]["hint"]) is hint
            assert say(socket, "step", equation="d2y/dt2 = -7.0")["type"] == "observation"
    assert [bool(hint) for hint in judged] == [True, False]
