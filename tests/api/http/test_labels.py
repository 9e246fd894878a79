import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.settings import Settings

TOKEN = "the-operators-own-token"  # noqa: S105  # of these tests alone
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    settings = Settings(db="memory://", operator_token=TOKEN)
    with TestClient(create_app(settings)) as client:
        yield client


def begin(client: TestClient) -> str:
    started = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 7}).json()
    return str(started["episode_id"])


def label(client: TestClient, name: str, labels: object, **headers: str) -> dict[str, str]:
    answer = client.patch(f"/api/episodes/{name}/labels", json={"labels": labels}, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, str] = answer.json()["labels"]
    return told


def names(client: TestClient, query: str) -> list[str]:
    return [row["episode_id"] for row in client.get(f"/api/episodes?{query}").json()["items"]]


def test_an_episode_is_tagged_while_it_runs_and_after_and_found_by_it(client: TestClient) -> None:
    first, second = begin(client), begin(client)
    assert label(client, first, {"good": "", "note": "Look at turn 2"}) == {
        "good": "",
        "note": "Look at turn 2",
    }
    client.post(f"/interactive/sessions/{first}/step", json={"equation": "d2x/dt2 = -4.25*x"})
    client.post(f"/interactive/sessions/{first}/abandon")
    assert label(client, first, {"good": None, "doubtful": "units"})["doubtful"] == "units"
    assert label(client, second, {"note": "another"}) == {"note": "another"}
    assert names(client, "label=note") == [second, first]
    assert names(client, "label=doubtful%3Dunits&label=note") == [first]
    assert names(client, "label=doubtful%3D") == names(client, "label=good") == []
    assert names(client, "q=AT+turn+2") == names(client, "q=-4.25*x") == [first]
    rows = client.get("/api/episodes").json()["items"]
    assert [row["labels"] for row in rows] == [
        {"note": "another"},
        {"doubtful": "units", "note": "Look at turn 2"},
    ]
    view = client.get(f"/api/episodes/{first}").json()
    assert (view["labels"], view["fixed_labels"]) == (rows[1]["labels"], [])


def test_the_stream_of_an_episode_that_was_labelled_after_its_end_ends(client: TestClient) -> None:
    name = begin(client)
    client.post(f"/interactive/sessions/{name}/abandon")
    label(client, name, {"good": ""})
    seen = client.get(f"/api/episodes/{name}/events").text
    assert seen.count("event: ") == 3
    assert "event: EpisodeLabelled" in seen
    assert client.get(f"/api/episodes/{name}/events?after=3").status_code == 204
    types = [event["type"] for event in client.get(f"/api/episodes/{name}/events.json").json()]
    assert types == ["EpisodeStarted", "EpisodeFinished", "EpisodeLabelled"]


def test_a_repeated_command_labels_once_and_with_other_labels_is_a_conflict(client: TestClient) -> None:
    name = begin(client)
    key = {"Idempotency-Key": "k"}
    assert label(client, name, {"good": ""}, **key) == {"good": ""}
    label(client, name, {"good": None})
    assert label(client, name, {"good": ""}, **key) == {"good": ""}
    other = client.patch(f"/api/episodes/{name}/labels", json={"labels": {"bad": ""}}, headers=key)
    assert other.status_code == 409
    assert client.get(f"/api/episodes/{name}").json()["labels"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"labels": {}},
        {"labels": {"": "x"}},
        {"labels": {"a" * 65: ""}},
        {"labels": {"a": "x" * 501}},
        {"labels": {"a": 1}},
        {"labels": {"a=b": ""}},
        {"labels": {str(i): "" for i in range(17)}},
        {"labels": {"a": ""}, "more": 1},
    ],
)
def test_labels_that_will_not_do_are_refused_with_a_reason(
    client: TestClient, body: dict[str, object]
) -> None:
    name = begin(client)
    refused = client.patch(f"/api/episodes/{name}/labels", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"]
    assert client.get(f"/api/episodes/{name}").json()["labels"] == {}


def test_an_episode_that_a_client_holds_is_labelled_by_that_client_and_the_operator(
    client: TestClient,
) -> None:
    task = {"system_id": "spring_mass", "seed": 7, "run": "r"}
    seen = client.post("/reset", json=task).json()["observation"]
    name, token = seen["episode_id"], seen["token"]
    address, body = f"/api/episodes/{name}/labels", {"labels": {"good": ""}}
    assert client.patch(address, json=body).status_code == 403
    assert label(client, name, {"good": ""}, **{"X-Episode-Token": token})["good"] == ""
    assert label(client, name, {"note": "seen"}, **OPERATOR) == {"run": "r", "good": "", "note": "seen"}
    fixed = client.patch(address, json={"labels": {"run": "s"}}, headers=OPERATOR)
    assert fixed.status_code == 422
    assert "stays" in json.dumps(fixed.json())
    assert client.patch("/api/episodes/nobody/labels", json=body).status_code == 404
