from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://"), openenv=False)) as running:
        yield running


def start(client: TestClient, **body: Any) -> str:
    task = {"system_id": "damped_pendulum", "seed": 7, **body}
    episode_id: str = client.post("/interactive/sessions", json=task).json()["episode_id"]
    return episode_id


def attempt(client: TestClient, episode_id: str, equation: str, **params: float | None) -> dict[str, Any]:
    answer = client.post(
        f"/interactive/sessions/{episode_id}/try", json={"equation": equation, "params": params}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("d2theta/dt2 = -k*θ^2", "d2theta/dt2 = -k*theta**2"),
        ("θ'' = -k*sin(θ)", "d2theta/dt2 = -k*sin(theta)"),
        (r"\ddot{\theta} = -k \sin(\theta)", "d2theta/dt2 = -k*sin(theta)"),
        ("d2theta/dt2 = -k*sin(theta)", "d2theta/dt2 = -k*sin(theta)"),
    ],
)
def test_what_a_models_reader_accepts_a_person_may_write(
    client: TestClient, written: str, meant: str
) -> None:
    told = attempt(client, start(client), written, k=4.0)
    assert (told["equation"], told["params"]) == (meant, {"k": 4.0})
    assert told["trial"]["parse"]["rejection"] is None


def test_the_match_of_a_trial_is_the_one_that_the_turn_then_gets(client: TestClient) -> None:
    episode_id = start(client)
    told = attempt(client, episode_id, "θ'' = -k*sin(θ)", k=4.0)
    law = {"equation": told["equation"], "params": told["params"]}
    turn = client.post(f"/interactive/sessions/{episode_id}/step", json=law).json()["turns"][0]
    assert turn["reward"]["match"] == told["trial"]["r2"]


def test_names_of_constants_are_told_in_order_and_those_without_a_value_count_as_one(
    client: TestClient,
) -> None:
    told = attempt(client, start(client), "d2theta/dt2 = -b*sin(theta) - a*dtheta + 1e3*0", a=0.5, other=3.0)
    assert list(told["params"].items()) == [("b", 1.0), ("a", 0.5)]


def test_null_asks_for_a_fit(client: TestClient) -> None:
    told = attempt(client, start(client), "d2theta/dt2 = -k*sin(theta) - c*dtheta", k=None, c=None)
    assert told["params"] == told["trial"]["simulation"]["fitted"]
    assert told["trial"]["r2"] > 0.99


@pytest.mark.parametrize(("slip", "word"), [("thta", "theta"), ("dthet", "dtheta"), ("sine", "sin")])
def test_a_slip_of_the_pen_is_told_with_what_was_meant(client: TestClient, slip: str, word: str) -> None:
    written = f"-{slip}(theta)" if word == "sin" else f"-{slip}"
    assert attempt(client, start(client), f"d2theta/dt2 = {written}")["meant"] == {slip: word}


def test_a_constant_of_its_own_name_is_no_slip(client: TestClient) -> None:
    told = attempt(client, start(client), "d2theta/dt2 = -gravity*sin(theta)/length - k*theta")
    assert told["meant"] == {}


def test_what_a_policy_or_an_agent_plays_is_not_tried(client: TestClient) -> None:
    episode_id = start(client, policy="search")
    answer = client.post(f"/interactive/sessions/{episode_id}/try", json={"equation": "d2theta/dt2 = -theta"})
    assert answer.status_code == 403
    assert "not a person's to try" in answer.json()["detail"]


def test_a_law_is_shown_from_elsewhere_once_the_episode_has_ended(client: TestClient) -> None:
    episode_id = start(client)
    law = {"equation": "d2theta/dt2 = -k*sin(theta)", "params": {"k": 4.8}, "start": [0.3, 0.0]}
    url = f"/api/episodes/{episode_id}/elsewhere"
    assert client.post(url, json=law).status_code == 409
    client.post(f"/interactive/sessions/{episode_id}/abandon")
    moved = client.post(url, json=law).json()
    assert moved["found"][0] == moved["truth"][0] == [0.3, 0.0]
    assert set(moved["r2"]) == {"theta", "dtheta"}
    assert client.post(url, json={**law, "start": [0.3]}).status_code == 422
    assert client.post(url, json={**law, "equation": "d2theta/dt2 = "}).status_code == 422


def test_the_truth_is_not_shown_from_elsewhere_where_the_server_holds_it_back() -> None:
    settings = Settings(db="memory://", hold_truth=True)
    with TestClient(create_app(settings, openenv=False)) as client:
        episode_id = start(client)
        client.post(f"/interactive/sessions/{episode_id}/abandon")
        law = {"equation": "d2theta/dt2 = -theta", "start": [0.3, 0.0]}
        moved = client.post(f"/api/episodes/{episode_id}/elsewhere", json=law).json()
        assert (moved["truth"], moved["r2"]) == (None, {})


def test_a_law_is_set_against_data_of_ones_own_at_any_time_and_against_a_sampled_system_at_the_end(
    client: TestClient,
) -> None:
    rows = "".join(f"{i / 30:.4f},{20 - 4.905 * (i / 30) ** 2:.5f}\n" for i in range(60))
    own = client.post("/interactive/sessions", json={"csv": "t (s),y (m)\n" + rows}).json()["episode_id"]
    law = {"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}
    running = client.post(f"/api/episodes/{own}/follow", json=law).json()
    assert (len(running["shown"][0]["predicted"]), running["held_back"]) == (45, [])
    client.post(f"/interactive/sessions/{own}/abandon")
    ended = client.post(f"/api/episodes/{own}/follow", json=law).json()
    assert len(ended["held_back"][0]["t"]) == 15
    assert ended["held_back_r2"] > 0.999
    assert client.post(f"/api/episodes/{own}/follow", json={"equation": "y"}).status_code == 422
    sampled = start(client, policy="search")
    law = {"equation": "d2theta/dt2 = -theta"}
    assert client.post(f"/api/episodes/{sampled}/follow", json=law).status_code == 409
    client.post(f"/interactive/sessions/{sampled}/abandon")
    assert client.post(f"/api/episodes/{sampled}/follow", json=law).status_code == 200
