"""What a player is told, by any route, of tasks whose truth is held back; and that the operator is told."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.engine.systems import sample_task
from physix.engine.systems.splits import split_task
from physix.engine.systems.task import Task, Truth
from physix.settings import Settings
from tests.api.test_server import free_port, server

TOKEN = "the-operators-own-token"  # noqa: S105  # of these tests alone
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
EVALUATION: dict[str, Any] = {"split": "test", "index": 4}
SAMPLED: dict[str, Any] = {"system_id": "damped_pendulum", "seed": 424_242}


@dataclass(slots=True)
class Population:
    """Episodes in every state, and the bytes that would give a secret away."""

    evaluation: list[str] = field(default_factory=list)  # owned, on one task of the test split
    owned: list[str] = field(default_factory=list)  # on one sampled task; the first one runs
    open: list[str] = field(default_factory=list)  # on the same, by people and in a comparison
    comparison: str = ""
    board: str = ""

    @property
    def episodes(self) -> list[str]:
        return [*self.evaluation, *self.owned, *self.open]


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code < 300, (path, answer.text)
    return answer.json()


def play(client: httpx.Client, equation: str, params: dict[str, float], **options: Any) -> str:
    """Start an owned episode, play one turn, and return its id."""
    seen = post(client, "/reset", options)["observation"]
    action = {"equation": equation, "params": params}
    post(client, "/step", {"action": action, "episode_id": seen["episode_id"], "token": seen["token"]})
    episode_id: str = seen["episode_id"]
    return episode_id


def populate(client: httpx.Client) -> Population:
    _, truth = split_task(**EVALUATION)
    assert truth.equation is not None
    wrong, near = re.sub(r"= [^;]*", "= -0.375*x", truth.equation), "d2theta/dt2 = -2.5*theta - 0.125*dtheta"
    there = Population()
    there.evaluation = [
        play(client, wrong, {}, **EVALUATION),  # runs
        play(client, wrong, {}, **EVALUATION, max_turns=1),  # a twin that ended at once
        play(client, truth.equation, dict(truth.params), **EVALUATION),  # a sibling that solved it
        play(client, "x", {}, **EVALUATION),  # did not parse
    ]
    there.owned = [
        play(client, "d2theta/dt2 = -2.25*theta", {}, **SAMPLED),
        play(client, near, {}, **SAMPLED, max_turns=1),
    ]
    for _ in range(2):
        started = post(client, "/interactive/sessions", SAMPLED)["episode_id"]
        post(client, f"/interactive/sessions/{started}/step", {"equation": near})
        there.open.append(started)
    post(client, f"/interactive/sessions/{there.open[0]}/abandon", {})
    body = {**SAMPLED, "policies": ["nano", "search"], "max_turns": 2}
    there.comparison = post(client, "/api/comparisons", body)["comparison_id"]
    client.get(f"/api/comparisons/{there.comparison}/events")  # ends when the comparison has
    there.open += [f"{there.comparison}-0", f"{there.comparison}-1"]
    assert client.get(f"/api/episodes/{there.comparison}-1/discovery").status_code == 200
    board = {"policies": ["nano"], "suites": ["builtin:damped_pendulum"], "max_turns": 1}
    there.board = post(client, "/api/board", board)["id"]
    client.get(f"/api/board/{there.board}/events")  # ends when the board stands still
    return there


def secrets_of(task: Task, truth: Truth) -> dict[str, str]:
    """Return the texts of a truth that are too long to occur by chance, and what each would tell."""
    found = {truth.equation or "": "law"}
    found |= {json.dumps(value): f"constant {name}" for name, value in truth.params.items()}
    rows = [row for trajectory in truth.hidden for row in trajectory.states[1:4]]
    found |= {json.dumps(value): "hidden data" for row in rows for value in row}
    shown = {json.dumps(value) for x in task.shown for row in x.states for value in row}
    return {text: what for text, what in found.items() if len(text) > 4 and text not in shown}


def recorded_secrets(db: Path, episode_ids: list[str]) -> dict[str, str]:
    """Return generalisation and field error of some episodes, as the log writes them."""
    query = (
        "SELECT first.episode_id, own.payload FROM events AS own JOIN events AS first "
        "ON first.position = own.stream WHERE own.type = 'RewardComputed'"
    )
    found: dict[str, str] = {}
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as log:
        for episode_id, payload in log.execute(query):
            event = json.loads(payload)
            numbers = {
                "generalisation": event.get("generalisation"),
                "field error": (event.get("correctness") or {}).get("field_error"),
            }
            found |= {
                json.dumps(value): what
                for what, value in numbers.items()
                if episode_id in episode_ids and isinstance(value, float) and len(json.dumps(value)) > 4
            }
    return found


NEAR = "d2theta/dt2 = -2.5*theta - 0.125*dtheta"
FLAT = "d2x/dt2 = -1.0; d2y/dt2 = -1.0"
BODIES: dict[str, list[dict[str, Any]]] = {
    "/api/episodes/{episode_id}/labels": [{"labels": {"seen": ""}}, {"labels": {"answer": None}}],
    "/interactive/sessions/{episode_id}/fork": [{"turn": 0}, {"turn": 1}, {"turn": 1, "policy": "search"}],
    "/interactive/sessions/{episode_id}/step": [{"equation": "d2x/dt2 = -1.0; d2y/dt2 = -1.0"}],
    "/interactive/sessions/{episode_id}/preview": [{"equation": "d2theta/dt2 = -theta"}],
    "/interactive/sessions/{episode_id}/llm-step": [{"policy": "search"}],
    "/interactive/sessions/{episode_id}/try": [{"equation": NEAR}, {"equation": FLAT}],
    "/api/episodes/{episode_id}/elsewhere": [
        {"equation": NEAR, "start": [0.5, 0.0]},
        {"equation": FLAT, "start": [0.0, 1.0, 2.0, 3.0]},
    ],
    "/api/episodes/{episode_id}/follow": [{"equation": "d2theta/dt2 = -2.25*theta"}, {"equation": FLAT}],
    "/api/episodes/{episode_id}/fit": [{"law": "d2theta/dt2 = -a*sin(theta)"}, {"law": FLAT}],
    "/api/csv/check": [{"csv": "t,x\n" + "\n".join(f"{n / 10},{0.9**n}" for n in range(40))}],
    "/api/laws/simplify": [{"law": NEAR}],
    "/api/laws/same": [{"first": NEAR, "second": NEAR}],
    "/api/board": [{"policies": ["search"], "suites": ["test"]}],
    "/api/board/estimate": [{"policies": ["search"], "suites": ["test"]}],
    "/interactive/sessions": [SAMPLED],
    "/{env_name}/tasks": [{"split": "test"}],
    "/{env_name}/num_tasks": [{"split": "test"}],
    "/{env_name}/task": [EVALUATION],
    "/{env_name}/task_range": [{"split": "test", "start": 0, "stop": 9}],
    "/api/comparisons": [{**SAMPLED, "policies": ["replay:EPISODE"]}],
    "/reset": [{"task_from": "EPISODE"}, {"episode_id": "EPISODE", "resume": True, "token": "x" * 32}],
    "/step": [{"action": {"equation": "x"}, "episode_id": "EPISODE", "token": "x" * 32}],
    "/mcp": [{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}],
}
QUERIES: dict[str, list[str]] = {
    "/api/episodes": ["", "?limit=200", "?status=finished", "?sort=-match", "?q=EPISODE", "?label=answer"],
    "/api/episodes/told": ["?episode=EPISODE"],
    "/api/episodes/export": ["?episode=EPISODE"],
    "/api/datasets/sft": ["", "?render=tool"],
    "/api/episodes/{episode_id}/report": ["", "?law=d2theta/dt2=-a*sin(theta)"],
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the walk."""

    route: str  # as the document writes it
    method: str
    address: str
    body: dict[str, Any] | None


def requests(document: dict[str, Any], there: Population) -> Iterator[Asked]:
    """Yield every route of the document about every episode; streams without an end are read elsewhere."""
    demos = ["damped-pendulum", "unseen-system"]
    for path, calls in document["paths"].items():
        if path == "/api/events":
            continue
        # What is asked of each episode; what takes none is asked once.
        for method in calls:
            about = there.episodes if "episode_id" in path or path in BODIES or path in QUERIES else [""]
            for episode_id in about:
                filled = path.replace("{episode_id}", episode_id).replace("{turn}", "1")
                filled = filled.replace("{comparison_id}", there.comparison).replace("{env_name}", "physix")
                filled = filled.replace("{board_id}", there.board).replace("{name}", "qwen")
                for demo in demos if "{demo_id}" in path else [""]:
                    address = filled.replace("{demo_id}", demo).replace("{run_id}", "nano-sft")
                    if method == "get":
                        for query in QUERIES.get(path, [""]):
                            yield Asked(path, "GET", address + query.replace("EPISODE", episode_id), None)
                    for body in BODIES.get(path, [{}]) if method in ("post", "patch") else []:
                        text = json.dumps(body).replace("EPISODE", episode_id)
                        yield Asked(path, method.upper(), address, json.loads(text))


def read(client: httpx.Client, asked: Asked) -> tuple[int, str]:
    """Return all that a request is answered; of a stream that goes on, what is known when it opens."""
    with client.stream(asked.method, asked.address, json=asked.body) as answer:
        if "text/event-stream" not in answer.headers.get("content-type", ""):
            return answer.status_code, answer.read().decode("utf-8", "replace") + str(answer.headers)
        seen = ""
        for piece in answer.iter_text():
            seen += piece
            if "event: Driving" in seen or "event: EpisodeFinished" in seen:
                break
        return answer.status_code, seen


def whole_log(client: httpx.Client) -> str:
    """Return everything the stream of the whole log tells, up to an episode that is started to end it."""
    last = post(client, "/interactive/sessions", {"system_id": "free_fall", "seed": 1})["episode_id"]
    seen = ""
    with client.stream("GET", "/api/events") as answer:
        for piece in answer.iter_text():
            seen += piece
            if last in seen:
                break
    return seen


@pytest.mark.parametrize("hold_truth", [False, True])
def test_no_route_tells_a_player_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold_truth: bool
) -> None:
    monkeypatch.setenv("PHYSIX_HOLD_TRUTH", str(int(hold_truth)))
    monkeypatch.setenv("PHYSIX_OPERATOR_TOKEN", TOKEN)
    db, port = tmp_path / "log.db", free_port()
    base = f"http://127.0.0.1:{port}"
    with server(db, port), httpx.Client(base_url=base, timeout=600) as client:
        there = populate(client)
        task, truth = split_task(**EVALUATION)
        held = [*there.evaluation, there.owned[0]]
        for episode_id in there.evaluation:
            note = {"labels": {"answer": truth.equation}}
            noted = client.patch(f"/api/episodes/{episode_id}/labels", json=note, headers=OPERATOR)
            assert noted.json()["labels"]["answer"] == truth.equation
        secrets = secrets_of(task, truth) | {json.dumps(task.system_id): "system"}
        if hold_truth:
            secrets |= secrets_of(*sample_task("damped_pendulum", 424_242))
            held = there.episodes
        secrets |= recorded_secrets(db, held)
        assert {"law", "hidden data", "generalisation", "field error"} <= set(secrets.values())
        del secrets[json.dumps(task.system_id)]  # the list of systems names it, as does its task row
        asked = list(requests(client.get("/openapi.json").json(), there))
        assert len(asked) > 150
        leaks: list[tuple[Asked, str]] = []
        answers: dict[tuple[str, str], set[int]] = {}
        for one in asked:
            status, seen = read(client, one)
            answers.setdefault((one.method, one.route), set()).add(status)
            leaks += [(one, what) for text, what in secrets.items() if text in seen]
        seen = whole_log(client)
        whole = Asked("/api/events", "GET", "/api/events", None)
        leaks += [(whole, what) for text, what in secrets.items() if text in seen]
        assert leaks == []
        # A route that understood nothing of what it was asked has not been walked: see BODIES.
        assert [call for call, statuses in answers.items() if statuses <= {404, 405, 422}] == []
        print(  # noqa: T201  # `pytest -s` shows how much was walked
            f"{len(answers)} routes, {len(there.episodes)} episodes, {len(asked)} requests, "
            f"{len(secrets)} secrets: {len(leaks)} found"
        )
        named = client.get("/api/episodes", params={"system": task.system_id}).json()
        assert named["items"] == []
        # Nor is a held task found by what was said or put on it: each hit would tell of its law.
        for sought in (
            {"q": str(truth.equation)[:60]},
            {"q": "0.375*"},
            {"q": "answer"},
            {"label": "answer"},
        ):
            found = client.get("/api/episodes", params={**sought, "limit": 200}).json()["items"]
            assert not {row["episode_id"] for row in found} & set(held), sought
        rows = client.get("/api/episodes", params={"limit": 200}).json()["items"]
        assert {row["system_id"] for row in rows if row["episode_id"] in there.evaluation} == {"unnamed"}

        # The operator is told all of it, which also shows that the walk looks in the right places.
        client.headers.update(OPERATOR)
        told = "".join(client.get(f"/api/episodes/{episode_id}").text for episode_id in there.evaluation)
        assert json.dumps(truth.equation) in told
        said = client.get("/api/episodes", params={"q": str(truth.equation)[:60]}).json()["items"]
        assert set(there.evaluation) <= {row["episode_id"] for row in said}
        assert any(text in told for text, what in secrets.items() if what == "generalisation")


@pytest.fixture
def guarded() -> Iterator[TestClient]:
    settings = Settings(db="memory://", token="players", operator_token=TOKEN)  # noqa: S106  # of these tests alone
    with TestClient(create_app(settings, openenv=False), follow_redirects=False) as client:
        yield client


def test_the_link_makes_a_browser_the_operators_and_no_other_site_can_use_it(guarded: TestClient) -> None:
    assert guarded.get("/api/role").status_code == 401
    assert guarded.get("/operator", params={"token": "guess"}).status_code == 403
    answer = guarded.get("/operator", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert guarded.get("/api/role").json() == {"role": "operator"}
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert guarded.post("/interactive/sessions", json=SAMPLED, headers=elsewhere).status_code == 401


def test_a_token_of_the_server_makes_a_player(guarded: TestClient) -> None:
    player = {"Authorization": "Bearer players"}
    assert guarded.get("/api/role", headers=player).json() == {"role": "player"}
    assert guarded.get("/api/role", headers=OPERATOR).json() == {"role": "operator"}


def test_an_episodes_own_token_reads_its_turns_but_not_its_truth(tmp_path: Path) -> None:
    settings = Settings(db=f"sqlite:///{tmp_path / 'log.db'}", operator_token=TOKEN)
    with TestClient(create_app(settings)) as client:
        seen = client.post("/reset", json=EVALUATION).json()["observation"]
        address = f"/api/episodes/{seen['episode_id']}"
        action = {"equation": "d2x/dt2 = -0.5; d2y/dt2 = -9.0"}
        body = {"action": action, "episode_id": seen["episode_id"], "token": seen["token"]}
        client.post("/step", json=body)
        assert client.get(address).status_code == 403
        own = client.get(address, headers={"Authorization": f"Bearer {seen['token']}"}).json()
        assert own["turns"][0]["equation"] == action["equation"]
        assert own["turns"][0]["generalisation"] is None
        assert (own["truth"], own["system_id"]) == (None, "unnamed")
        whole = client.get(address, headers=OPERATOR).json()
        assert whole["turns"][0]["generalisation"] is not None
