import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.engine.systems import SYSTEMS, sample_task
from physix.settings import Settings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://"), openenv=False)) as running:
        yield running


def start(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 7, **body})
    assert answer.status_code == 201, answer.text
    episode: dict[str, Any] = answer.json()
    return episode


def step(client: TestClient, episode_id: str, **body: Any) -> Any:
    return client.post(
        f"/interactive/sessions/{episode_id}/step", json={"equation": "d2x/dt2 = -1.0", **body}
    )


def play_out(client: TestClient, episode_id: str) -> dict[str, Any]:
    episode: dict[str, Any] = {"outcome": None}
    while episode["outcome"] is None:
        episode = client.post(f"/interactive/sessions/{episode_id}/llm-step").json()
    return episode


def test_a_policy_plays_an_episode_to_the_end(client: TestClient) -> None:
    episode = play_out(client, start(client, policy="search")["episode_id"])
    assert episode["outcome"] == "solved"
    assert episode["truth"]["equation"] == "d2x/dt2 = -(k/m)*x"


def test_an_episode_runs_in_the_background_and_its_stream_ends_with_it(client: TestClient) -> None:
    episode_id = start(client, policy="search")["episode_id"]
    assert client.post(f"/interactive/sessions/{episode_id}/run").status_code == 202
    text = client.get(f"/api/episodes/{episode_id}/events").text
    types = [line.removeprefix("event: ") for line in text.split("\r\n") if line.startswith("event: ")]
    assert types[0] == "EpisodeStarted"
    assert types[-1] == "EpisodeFinished"


def test_a_stream_resumes_after_the_last_id_seen(client: TestClient) -> None:
    episode_id = start(client)["episode_id"]
    step(client, episode_id)
    client.post(f"/interactive/sessions/{episode_id}/abandon")
    path = f"/api/episodes/{episode_id}/events"
    ids = [
        [line for line in client.get(path, headers=headers).text.split("\r\n") if line.startswith("id: ")]
        for headers in ({}, {"Last-Event-ID": "3"})
    ]
    assert ids == [[f"id: {i}" for i in range(1, 6)], ["id: 4", "id: 5"]]
    assert client.get(path, headers={"Last-Event-ID": "5"}).status_code == 204
    assert client.get(path, headers={"Last-Event-ID": "soon"}).status_code == 422


def test_events_are_the_same_as_a_list(client: TestClient) -> None:
    episode_id = start(client)["episode_id"]
    step(client, episode_id)
    path = f"/api/episodes/{episode_id}/events"
    events = client.get(f"{path}.json").json()
    assert client.get(path, headers={"accept": "application/json"}).json() == events
    assert [event["version"] for event in events] == [1, 2, 3, 4]
    assert set(events[0]) == {"type", "version", "position", "recorded_at", "payload", "episode_id"}


@pytest.mark.parametrize("system_id", list(SYSTEMS))
def test_no_truth_leaves_the_server_while_the_episode_runs(client: TestClient, system_id: str) -> None:
    _, truth = sample_task(system_id, 7)
    episode_id = start(client, system_id=system_id)["episode_id"]
    seen = step(client, episode_id).text
    for path in ("", "/events.json"):
        seen += client.get(f"/api/episodes/{episode_id}{path}").text
    assert "hidden" not in seen
    assert json.dumps(truth.equation) not in seen
    for trajectory in truth.hidden:
        assert repr(trajectory.states[1][0]) not in seen


def test_a_repeated_key_plays_one_turn(client: TestClient) -> None:
    episode_id = start(client)["episode_id"]
    path, body = f"/interactive/sessions/{episode_id}/step", {"equation": "d2x/dt2 = -1.0"}
    first = client.post(path, json=body, headers={"Idempotency-Key": "k"}).json()
    again = client.post(path, json=body, headers={"Idempotency-Key": "k"}).json()
    assert again == first
    other = client.post(path, json={"equation": "d2x/dt2 = -2.0"}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 409


def test_a_csv_becomes_an_episode(client: TestClient) -> None:
    rows = "\n".join(f"{i / 10},{2.0 ** (-i / 10)}" for i in range(40))
    episode = start(client, system_id=None, seed=0, csv=f"t,x\n{rows}\n", hint="It fades.", policy="search")
    assert play_out(client, episode["episode_id"])["best_match"] > 0.99


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"system_id": "perpetuum"}', "Unknown system"),
        ('{"system_id": "free_fall", "policy": "oracle"}', "Unknown policy"),
        ('{"system_id": "free_fall", "seed": -1}', "Seed"),
        ('{"system_id": "free_fall", "seed": true}', "seed"),
        ('{"system_id": "free_fall", "seed": 1.5}', "seed"),
        ('{"system_id": "free_fall", "noise": NaN}', "noise"),
        ('{"system_id": "free_fall", "noise": 1e999}', "noise"),
        ('{"system_id": "free_fall", "max_turns": 0}', "max_turns"),
        ('{"system_id": "free_fall", "colour": 1}', "colour"),
        ('{"system_id": "\\ud800"}', "system_id"),
        ('{"csv": "x,y\\n1,2"}', "No column was recognised as the time"),
        ("{}", "system_id"),
        ("[]", "body"),
        ("{", "JSON"),
        ("[" * 20_000, "JSON"),
    ],
)
def test_a_bad_start_is_a_problem_document(client: TestClient, body: str, said: str) -> None:
    answer = client.post("/interactive/sessions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"] or said == "JSON"
    assert client.get("/api/episodes").json()["total"] == 0


@pytest.mark.parametrize(
    "body",
    [
        '{"equation": "d2x/dt2 = 1", "params": {"k": NaN}}',
        '{"equation": "d2x/dt2 = 1", "params": {"k": true}}',
        '{"equation": "d2x/dt2 = 1", "params": {"k": "1"}}',
        json.dumps({"equation": "x" * 5000}),
        '{"equation": 7}',
    ],
)
def test_a_bad_hypothesis_spends_no_turn(client: TestClient, body: str) -> None:
    episode_id = start(client)["episode_id"]
    answer = client.post(
        f"/interactive/sessions/{episode_id}/step",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert client.get(f"/api/episodes/{episode_id}").json()["version"] == 1


def test_an_equation_that_does_not_parse_is_a_turn(client: TestClient) -> None:
    answer = step(client, start(client)["episode_id"], equation="import os")
    assert answer.status_code == 200
    assert answer.json()["turns"][0]["parse"]["rejection"]["code"] == "bad_left_side"


def test_after_the_end_a_step_is_a_conflict(client: TestClient) -> None:
    episode_id = start(client)["episode_id"]
    client.post(f"/interactive/sessions/{episode_id}/abandon")
    assert step(client, episode_id).status_code == 409


@pytest.mark.parametrize("path", ["/api/episodes/nowhere", "/api/nowhere", "/interactive/nowhere"])
def test_what_does_not_exist_is_a_problem_document(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    answer = client.post("/interactive/sessions/any/step", json={"equation": "1" * 300_000})
    assert answer.status_code == 413


def test_a_token_is_needed_where_one_is_set() -> None:
    settings = Settings(db="memory://", token="secret")  # noqa: S106  # of this test alone
    with TestClient(create_app(settings, openenv=False)) as client:
        body = {"system_id": "free_fall"}
        assert client.post("/interactive/sessions", json=body).status_code == 401
        headers = {"Authorization": "Bearer secret"}
        assert client.post("/interactive/sessions", json=body, headers=headers).status_code == 201
        assert client.get("/api/episodes").status_code == 401
        assert client.get("/api/episodes", headers=headers).status_code == 200
        assert client.get("/run", auth=("anyone", "wrong")).status_code == 401
        assert client.get("/run", auth=("anyone", "secret")).status_code != 401
        assert client.get("/health").status_code != 401


def test_another_site_cannot_act_with_a_remembered_password() -> None:
    settings = Settings(db="memory://", token="secret")  # noqa: S106  # of this test alone
    with TestClient(create_app(settings, openenv=False)) as client:
        body = {"system_id": "free_fall"}
        client.auth = ("anyone", "secret")
        for site, status in (("cross-site", 401), ("same-site", 401), ("same-origin", 201)):
            answer = client.post("/interactive/sessions", json=body, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == status
        assert client.get("/api/episodes", auth=("no colon", "")).status_code == 401


def test_every_address_of_the_page_is_the_page(client: TestClient) -> None:
    answer = client.get("/episodes/some-id")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert client.get("/assets/../../../pyproject.toml").status_code in (200, 404)
    assert "physix-live" not in client.get("/%2e%2e/%2e%2e/%2e%2e/pyproject.toml").text
    assert Path("pyproject.toml").name not in answer.text


def test_a_preview_judges_the_text_and_moves_but_spends_no_turn_and_tells_no_score(
    client: TestClient,
) -> None:
    episode_id = start(client)["episode_id"]
    url = f"/interactive/sessions/{episode_id}/preview"
    good = client.post(url, json={"equation": "d2x/dt2 = -k*x", "params": {"k": 4.0}}).json()
    assert set(good) == {"parse", "simulation"}
    assert good["parse"]["canonical"] == "d2x/dt2 = -k*x"
    assert len(good["simulation"]["predictions"][0]["states"]) == 100
    bad = client.post(url, json={"equation": "d2x/dt2 = -q*x", "params": {}}).json()
    assert (bad["parse"]["rejection"]["column"], bad["simulation"]["outcome"]) == (12, "not_parsed")
    undetermined = client.post(url, json={"equation": "d2x/dt2 = -k*x", "params": {"k": None}}).json()
    assert undetermined["parse"]["rejection"]["code"] == "undetermined_param"
    assert client.get(f"/api/episodes/{episode_id}").json()["turns"] == []


def test_finished_episodes_are_exported_as_the_log_holds_them_and_running_ones_are_not(
    client: TestClient,
) -> None:
    episode_id = start(client)["episode_id"]
    url = f"/api/episodes/export?episode={episode_id}"
    assert client.get(url).status_code == 409
    client.post(f"/interactive/sessions/{episode_id}/abandon")
    answer = client.get(url)
    assert answer.headers["content-disposition"].startswith("attachment")
    head, *lines, tail = map(json.loads, answer.text.splitlines())
    assert (head["format"], tail["events"]) == ("physix-log/1", 2)
    assert [line["type"] for line in lines] == ["EpisodeStarted", "EpisodeFinished"]
    assert client.get("/api/episodes/export?episode=nobody").status_code == 404


def test_a_body_that_grows_beyond_its_bound_while_it_arrives_is_refused_too(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"equation": "'
        for _ in range(40):
            yield b"1" * 16_384
        yield b'"}'

    for path in ("/interactive/sessions/any/step", "/api/laws/simplify"):
        answer = client.post(path, content=chunks(), headers={"content-type": "application/json"})
        assert answer.status_code == 413, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_repeated_key_starts_one_session_and_one_comparison(client: TestClient) -> None:
    body = {"system_id": "spring_mass", "seed": 1}
    key = {"Idempotency-Key": "a-key-of-my-own"}
    first = client.post("/interactive/sessions", json=body, headers=key).json()
    assert client.post("/interactive/sessions", json=body, headers=key).json() == first
    step(client, first["episode_id"])
    again = client.post("/interactive/sessions", json=body, headers=key).json()
    assert again["episode_id"] == first["episode_id"]
    other = client.post("/interactive/sessions", json=body | {"seed": 2}, headers=key)
    assert other.status_code == 409
    assert client.get("/api/episodes").json()["total"] == 1
    both = {"system_id": "free_fall", "policies": ["search", "nano"]}
    started = client.post("/api/comparisons", json=both, headers=key).json()
    repeated = client.post("/api/comparisons", json=both, headers=key).json()
    assert repeated["comparison_id"] == started["comparison_id"]
    assert client.post("/api/comparisons", json=both | {"seed": 3}, headers=key).status_code == 409
    assert client.get("/api/episodes").json()["total"] == 3
