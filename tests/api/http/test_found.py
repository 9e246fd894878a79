"""Fitting a law of one's own to an episode's data over HTTP, and the report as a download."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings

TOKEN = "the-operators-own-token"  # noqa: S105  # of these tests alone
ROWS = "\n".join(
    f"{i / 30:.4f},{20 - 4.905 * (i / 30) ** 2 + 0.004 * math.sin(7919 * i):.5f}" for i in range(60)
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(db="memory://", operator_token=TOKEN)
    with TestClient(create_app(settings, openenv=False)) as found:
        yield found


@pytest.fixture(scope="module")
def episode(client: TestClient) -> str:
    """An episode on measured data in which a person has played one turn."""
    body = {"csv": f"t,y\ns,m\n{ROWS}\n", "hint": "A stone falls.", "profile": "strict", "policy": "you"}
    started: str = client.post("/interactive/sessions", json=body).json()["episode_id"]
    law = {"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}
    client.post(f"/interactive/sessions/{started}/step", json=law)
    return started


def test_a_law_of_ones_own_is_fitted_and_nothing_is_recorded(client: TestClient, episode: str) -> None:
    before = client.get(f"/api/episodes/{episode}").json()["turns"]
    answer = client.post(f"/api/episodes/{episode}/fit", json={"law": "y'' = -a"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["outcome"], told["equation"]) == ("solved", "d2y/dt2 = -a")
    (a,) = told["constants"]
    assert abs(a["value"] - 9.81) < 4.0 * a["error"] < 0.2
    assert (a["unit"], a["low"] < a["value"] < a["high"]) == ("m/s**2", True)
    assert told["from_all_rows"][0]["error"] < a["error"]
    assert told["generalisation"] > 0.999
    assert client.get(f"/api/episodes/{episode}").json()["turns"] == before

    spring = client.post(f"/api/episodes/{episode}/fit", json={"law": "y'' = -k*y"}).json()
    assert spring["outcome"] == "not_solved"
    assert spring["missing"]
    assert (told["complexity"], spring["complexity"]) == (1, 2)  # minus; minus and times


def test_bad_laws_get_one_clear_line(client: TestClient, episode: str) -> None:
    for body, says in [
        ({"law": "y'' = -a*"}, "cannot be read"),
        ({"law": "y'' = -a", "params": {"b": 1.0}}, "no constant 'b'"),
        ({"law": "z'' = -a"}, "The data have y, vy"),
    ]:
        answer = client.post(f"/api/episodes/{episode}/fit", json=body)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]
    assert client.post("/api/episodes/none/fit", json={"law": "y'' = -a"}).status_code == 404


def test_a_report_is_downloaded_of_the_law_found_or_of_ones_own(client: TestClient, episode: str) -> None:
    answer = client.get(f"/api/episodes/{episode}/report")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="report-')
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "d2y/dt2 = -g" in answer.text
    own = client.get(f"/api/episodes/{episode}/report", params={"law": "y'' = -a - b*y'"})
    assert "d2y/dt2 = -a - b*vy" in own.text


def test_a_running_sampled_episode_keeps_what_it_holds_back(client: TestClient) -> None:
    body = {"system_id": "free_fall", "seed": 3, "policy": "you"}
    started = client.post("/interactive/sessions", json=body).json()["episode_id"]
    client.post(f"/interactive/sessions/{started}/step", json={"equation": "d2y/dt2 = 0"})
    law = {"law": "y'' = -g"}
    assert client.post(f"/api/episodes/{started}/fit", json=law).status_code == 409
    assert client.get(f"/api/episodes/{started}/report").status_code == 409
    client.post(f"/interactive/sessions/{started}/abandon")
    assert client.post(f"/api/episodes/{started}/fit", json=law).json()["outcome"] == "solved"


def test_a_public_server_tells_nothing_of_tasks_it_holds_back_and_bills_every_fit() -> None:
    settings = Settings(db="memory://", operator_token=TOKEN, public=True, public_turns_per_minute=10)
    with TestClient(create_app(settings, openenv=False)) as client:
        body = {"system_id": "free_fall", "seed": 3, "policy": "you"}
        started = client.post("/interactive/sessions", json=body).json()["episode_id"]
        client.post(f"/interactive/sessions/{started}/abandon")
        law = {"law": "y'' = -g"}
        assert client.post(f"/api/episodes/{started}/fit", json=law).status_code == 403
        operator = {"Authorization": f"Bearer {TOKEN}"}
        codes = [
            client.post(f"/api/episodes/{started}/fit", json=law, headers=operator).status_code
            for _ in range(4)
        ]
        assert codes == [200, 200, 200, 429]
