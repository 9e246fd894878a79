"""Quotas of a public server: every route that costs bills, by what it sets going."""

from collections.abc import Iterator
from typing import Any

from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.quota import Quota
from physix.settings import Settings

LAWS = {"first": "dx/dt = -k*x", "second": "dx/dt = -x*k"}
# They stop work, start none, or are the operator's.
FREE = {
    "/api/board/estimate",
    "/api/board/{board_id}/pause",
    "/api/board/{board_id}/cancel",
    "/api/models/{name}/pull",
    "/interactive/sessions/{episode_id}/pause",
    "/interactive/sessions/{episode_id}/abandon",
    "/api/comparisons/{comparison_id}/pause",
    "/api/comparisons/{comparison_id}/abandon",
}
# They bill in their own words: by members, by turns.
BY_NUMBER = {
    "/interactive/sessions/{episode_id}/run",
    "/api/board",
    "/api/board/{board_id}/run",
    "/api/episodes/{episode_id}/fit",
    "/api/comparisons",
    "/api/comparisons/{comparison_id}/run",
}
DOWNLOADS = ("/api/datasets/sft", "/api/episodes/export?episode=any")


def calls(client: TestClient, method: str) -> Iterator[str]:
    for path, said in client.get("/openapi.json").json()["paths"].items():
        if method in said:
            yield path


def spend_all(client: TestClient) -> None:
    address = session(client)
    assert client.post(f"{address}/step", json={"equation": "d2x/dt2 = -x"}).status_code == 200


def test_no_post_is_forgotten() -> None:
    with public(public_sessions_per_minute=1, public_turns_per_minute=1) as client:
        spend_all(client)
        refused = {path for path in calls(client, "post") if client.post(path, json={}).status_code == 429}
        assert set(calls(client, "post")) == refused | FREE | BY_NUMBER
        assert not refused & (FREE | BY_NUMBER)


def test_downloads_of_many_episodes_are_billed() -> None:
    with public(public_sessions_per_minute=1, public_turns_per_minute=1) as client:
        spend_all(client)
        assert [client.get(path).status_code for path in DOWNLOADS] == [429] * len(DOWNLOADS)


def public(**limits: Any) -> TestClient:
    return TestClient(create_app(Settings(db="memory://", public=True, **limits), openenv=False))


def session(client: TestClient, **body: Any) -> str:
    answer = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 1} | body)
    assert answer.status_code == 201, answer.text
    return f"/interactive/sessions/{answer.json()['episode_id']}"


def test_a_run_in_the_background_is_billed_by_its_turns() -> None:
    with public(public_turns_per_minute=10) as client:
        first, second = session(client, max_turns=8), session(client, max_turns=8)
        assert client.post(f"{first}/run", json={"policy": "search"}).status_code == 202
        refused = client.post(f"{second}/run", json={"policy": "search"})
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert client.post(f"{second}/llm-step", json={"policy": "search"}).status_code == 200


def test_a_comparison_is_billed_by_the_turns_of_all_its_members() -> None:
    body = {"system_id": "spring_mass", "seed": 1, "policies": ["search", "nano"], "max_turns": 4}
    with public(public_turns_per_minute=15, public_sessions_per_minute=4) as client:
        assert client.post("/api/comparisons", json=body).status_code == 201
        refused = client.post("/api/comparisons", json=body)
        assert refused.status_code == 429
        assert "15 turns" in refused.json()["detail"]
        # The sessions that were refused with it are still there.
        assert [session(client) != "" for _ in range(2)] == [True, True]


def test_looking_costs_as_much_as_playing() -> None:
    law = {"equation": "d2x/dt2 = -k*x", "params": {"k": 4.0}}
    table = {"csv": "t,x\n" + "\n".join(f"{i / 10},{2.0 ** (-i / 10)}" for i in range(40))}
    with public(public_turns_per_minute=3) as client:
        path = session(client)
        assert client.post(f"{path}/preview", json=law).status_code == 200
        assert client.post("/api/csv/check", json=table).status_code == 200
        assert client.post("/api/laws/same", json=LAWS).status_code == 200
        for address, body in (
            (f"{path}/preview", law),
            ("/api/csv/check", table),
            ("/api/laws/same", LAWS),
            ("/api/laws/simplify", {"law": LAWS["first"]}),
        ):
            assert client.post(address, json=body).status_code == 429, address


def test_a_server_for_one_has_no_quota() -> None:
    settings = Settings(db="memory://", public_turns_per_minute=1)
    with TestClient(create_app(settings, openenv=False)) as client:
        path = session(client)
        law = {"equation": "d2x/dt2 = -k*x", "params": {"k": 4.0}}
        assert [client.post(f"{path}/preview", json=law).status_code for _ in range(3)] == [200] * 3


def test_a_quota_counts_each_client_and_kind_apart_for_a_minute() -> None:
    now = [0.0]
    quota = Quota(sessions=2, turns=3, clock=lambda: now[0])

    def allowed(client: str, kind: str, number: int = 1) -> bool:
        return quota.refuse(client, **{kind: number}) is None

    assert [allowed("a", "sessions") for _ in range(3)] == [True, True, False]
    assert [allowed("a", "turns") for _ in range(4)] == [True, True, True, False]
    assert allowed("b", "sessions")
    now[0] = 59.9
    assert not allowed("a", "sessions")
    now[0] = 60.0
    assert allowed("a", "sessions")
    assert not allowed("a", "sessions", 2)  # one is left: nothing is counted of what is refused
    assert allowed("a", "sessions", 1)
    assert not allowed("c", "turns", 4)
    assert quota.refuse("c", sessions=2, turns=4) is not None
    assert quota.refuse("c", sessions=2, turns=3) is None  # nothing was counted then
