"""Boards over HTTP: counted before they start, followed while they run, told as shares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.api.live.boards import Boards
from physix.settings import Settings
from physix.training.board.files import BoardFolder, Header, read_export, shipped_boards
from physix.training.board.plan import Plan
from physix.training.board.play import Result, blank
from physix.training.board.run import new_header
from physix.training.executor import InProcess

TOKEN = "the-operators-own-token"  # noqa: S105  # of these tests alone
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
BODY: dict[str, Any] = {
    "name": "First board",
    "policies": ["nano", "nano-untrained"],
    "suites": ["builtin:free_fall", "odebench:01"],
    "seeds": 2,
    "max_turns": 1,
}


def opened(folder: Path, **settings: Any) -> TestClient:
    given = Settings(db="memory://", boards=str(folder), operator_token=TOKEN, **settings)
    return TestClient(create_app(given, openenv=False))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with opened(tmp_path) as found:
        inside(found)
        yield found


def inside(client: TestClient) -> Boards:
    """Let boards be played in the server's own process: no worker needs to start."""
    boards: Boards = client.app.state.boards  # type: ignore[attr-defined]  # a FastAPI
    boards._make_executor = lambda _workers: InProcess()
    return boards


def here(client: TestClient) -> list[dict[str, Any]]:
    """Return the boards of this server, without the one that ships."""
    listed: list[dict[str, Any]] = client.get("/api/board").json()["items"]
    shipped = {path.parent.name for path in shipped_boards().glob("*/board.json")}
    return [one for one in listed if one["id"] not in shipped]


def finished(client: TestClient, board_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Follow a board to its end; return the frames of its stream."""
    frames = []
    kind = ""
    with client.stream("GET", f"/api/board/{board_id}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                frames.append((kind, json.loads(line.removeprefix("data: "))))
    return frames


def written(folder: Path, *, by: Any, suite: str, n: int) -> str:
    """Write a finished board of `n` episodes and return its id."""
    plan = Plan(
        name=f"{by}-{suite}-{n}".replace(":", "-"),
        policies=("search", "sindy"),
        suites=(suite,),
        seeds=tuple(range(n)),
    )
    header: Header = replace(new_header(plan, by=by), state="finished", created_at=datetime.now(UTC))
    board = BoardFolder(folder / plan.name)
    board.create(header)
    board.append(_worth(blank(job), recovered=job.policy == "search") for job in plan.jobs())
    return plan.name


def _worth(one: Result, *, recovered: bool) -> Result:
    return replace(one, match=0.5, turns=3, cpu_s=2.0, recovered=recovered, generalisation=0.625)


def test_a_suite_tells_how_many_tasks_it_has(client: TestClient) -> None:
    suites = {one["name"]: one for one in client.get("/api/board/suites").json()}
    assert {name: one["problems"] for name, one in suites.items()} == {
        "odebench": 63,
        "builtin": 8,
        "validation": 240,
        "test": 200,
        "real": 6,
    }
    assert [name for name, one in suites.items() if one["seeds_are_indexes"]] == ["validation", "test"]
    for name in ("validation", "test"):
        last = {**BODY, "suites": [name], "seeds": 1, "first_seed": suites[name]["problems"] - 1}
        assert client.post("/api/board/estimate", json=last, headers=OPERATOR).json()["episodes"] == 2
        beyond = {**last, "first_seed": suites[name]["problems"]}
        assert client.post("/api/board/estimate", json=beyond, headers=OPERATOR).status_code == 422


def test_a_board_is_counted_started_followed_and_told(client: TestClient) -> None:
    estimate = client.post("/api/board/estimate", json=BODY).json()
    assert (estimate["episodes"], estimate["turns_at_most"]) == (6, 4)
    assert estimate["cannot_be_asked"] == {"nano": 1, "nano-untrained": 1}
    assert (estimate["cpu_s"], estimate["unknown"]) == (None, ["nano", "nano-untrained"])

    answer = client.post("/api/board", json=BODY)
    assert answer.status_code == 201
    board_id = answer.json()["id"]
    assert board_id.startswith("first-board-")
    frames = finished(client, board_id)
    assert (frames[-1][0], frames[-1][1]["state"], frames[-1][1]["done"]) == ("BoardStopped", "finished", 6)

    table = client.get(f"/api/board/{board_id}", headers=OPERATOR).json()
    told = {(row["policy"], row["suite"]): row for row in table["rows"]}
    assert (told["nano", "odebench"]["n"], told["nano", "odebench"]["not_asked"]) == (1, 1)
    assert set(told["nano", "builtin"]["metrics"]["solved"]) == {"mean", "low", "high"}
    assert table["ceiling"] is None or table["ceiling"]["n"] == 63
    assert table["than"] == "nano"
    assert {one["policy"] for one in table["differences"]} == {"nano-untrained"}
    (listed,) = here(client)
    assert (listed["id"], listed["name"], listed["by"]) == (board_id, "First board", "player")

    episodes = client.get(f"/api/board/{board_id}/episodes", params={"policy": "nano"}).json()
    assert episodes["total"] == 3
    first = episodes["items"][0]
    assert client.get(f"/api/episodes/{first['episode_id']}").json()["policy"] == "nano"
    known = client.post("/api/board/estimate", json=BODY).json()
    assert known["unknown"] == []
    assert known["cpu_s"] > 0.0


def test_the_episodes_of_a_cell_are_those_of_its_noise(client: TestClient) -> None:
    body = {**BODY, "suites": ["builtin:free_fall"], "policies": ["nano"], "noises": [0.0, 0.01], "seeds": 1}
    board_id = client.post("/api/board", json=body).json()["id"]
    finished(client, board_id)
    path = f"/api/board/{board_id}/episodes"
    for noise in (0.0, 0.01):
        found = client.get(path, params={"policy": "nano", "noise": noise}).json()
        assert [one["noise"] for one in found["items"]] == [noise]
    assert client.get(path).json()["total"] == 2
    assert client.get(path, params={"noise": 0.02}).json()["total"] == 0
    assert client.get(path, params={"noise": 2}).status_code == 422


def test_bad_boards_are_refused_before_anything_is_played(client: TestClient) -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"suites": ["odebnech"]}, "Unknown suite 'odebnech'"),
        ({"policies": ["serach"]}, "Unknown policy 'serach'"),
        ({"policies": ["nano", "nano"]}, "Name each policy once"),
        ({"policies": ["replay:x"]}, "does not repeat"),
        ({"suites": ["builtin"], "noises": [0.2]}, "0 to 0.05"),
        ({"seeds": 10_000, "noises": [0.01] * 16}, "at most 100000"),
    ]
    for change, says in changes:
        answer = client.post("/api/board", json={**BODY, **change})
        assert answer.status_code == 422, change
        assert says in answer.json()["detail"]
    assert here(client) == []
    for action in ("pause", "cancel", "run"):
        assert client.post(f"/api/board/none/{action}").status_code == 404
    assert client.get("/api/board/none").status_code == 404


def test_only_the_operator_starts_boards_on_evaluation_splits(client: TestClient) -> None:
    body = {**BODY, "suites": ["test"], "policies": ["nano"], "seeds": 1}
    assert client.post("/api/board", json=body).status_code == 403
    assert client.post("/api/board/estimate", json=body).status_code == 403
    answer = client.post("/api/board", json=body, headers=OPERATOR)
    assert answer.status_code == 201
    finished(client, answer.json()["id"])
    for action in ("pause", "cancel", "run"):
        assert client.post(f"/api/board/{answer.json()['id']}/{action}").status_code == 403


@pytest.mark.parametrize(
    ("by", "suite", "n", "hold", "told"),
    [
        ("player", "builtin:free_fall", 20, False, True),
        ("player", "builtin:free_fall", 19, False, False),
        ("player", "builtin:free_fall", 20, True, False),
        ("operator", "builtin:free_fall", 20, True, True),
        ("operator", "builtin:free_fall", 19, True, False),
        ("operator", "test", 20, False, True),
        ("operator", "test", 19, False, False),
        ("player", "test", 20, False, False),
    ],
)
def test_a_player_is_told_shares_of_the_truth_and_never_single_tasks(
    tmp_path: Path, by: str, suite: str, n: int, hold: bool, told: bool
) -> None:
    board_id = written(tmp_path, by=by, suite=suite, n=n)
    secret = {"recovered", "generalisation"}
    if suite == "test" or hold:
        secret.add("match")  # half of a strict match is how far the law carries over
    with opened(tmp_path, hold_truth=hold) as client:
        table = client.get(f"/api/board/{board_id}").json()
        for row in table["rows"]:
            assert ("recovered" in row["metrics"]) == told
            assert ("generalisation" in row["metrics"]) == told
            assert {"solved", "cpu_s", *({"match"} - secret)} <= set(row["metrics"])
            assert set(row["withheld"]) == (set() if told else secret)
            assert (row["why_withheld"] is None) == told
        assert any(one["metric"] == "recovered" for one in table["differences"]) == told
        episodes = client.get(f"/api/board/{board_id}/episodes").json()["items"]
        assert {one["recovered"] for one in episodes} == {None}
        assert {one["match"] for one in episodes} == ({None} if "match" in secret else {0.5})
        assert client.get(f"/api/board/{board_id}/export").status_code == 403

        mine = client.get(f"/api/board/{board_id}", headers=OPERATOR).json()
        assert all("recovered" in row["metrics"] for row in mine["rows"])
        single = client.get(f"/api/board/{board_id}/episodes", headers=OPERATOR).json()["items"]
        assert {one["recovered"] for one in single} == {True, False}
        file = tmp_path / "copy.json"
        file.write_bytes(client.get(f"/api/board/{board_id}/export", headers=OPERATOR).content)
        assert read_export(file).header.id == board_id


def test_two_looks_at_a_board_that_plays_on_do_not_tell_the_episode_between_them(tmp_path: Path) -> None:
    board_id = written(tmp_path, by="operator", suite="test", n=21)
    folder = BoardFolder(tmp_path / board_id)
    with opened(tmp_path) as client:
        for state in ("running", "paused", "cancelled", "interrupted"):
            folder.save(replace(folder.header(), state=state))
            table = client.get(f"/api/board/{board_id}").json()
            assert {tuple(row["withheld"]) for row in table["rows"]} == {
                ("recovered", "match", "generalisation")
            }
            assert {one["metric"] for one in table["differences"]} == {"solved"}
            told = client.get(f"/api/board/{board_id}", headers=OPERATOR).json()
            assert told["rows"][0]["withheld"] == []
        folder.save(replace(folder.header(), state="finished"))
        assert client.get(f"/api/board/{board_id}").json()["rows"][0]["withheld"] == []


@pytest.mark.parametrize("broken", [0, 1])
def test_a_difference_over_fewer_tasks_than_its_rows_does_not_tell_the_rest(
    tmp_path: Path, broken: int
) -> None:
    board_id = written(tmp_path, by="operator", suite="test", n=21)
    folder = BoardFolder(tmp_path / board_id)
    lost = [one for one in folder.read().results if one.policy == "search"][:broken]
    folder.append(replace(one, status="error") for one in lost)
    with opened(tmp_path) as client:
        address = f"/api/board/{board_id}"
        told = client.get(address).json()
        assert [row["n"] for row in told["rows"]] == [21 - broken, 21]
        assert {row["why_withheld"] for row in told["rows"]} == {None}
        metrics = {one["metric"] for one in told["differences"]}
        assert ("recovered" in metrics, "match" in metrics) == (not broken, not broken)
        assert "solved" in metrics
        every = client.get(address, headers=OPERATOR).json()
        assert "recovered" in {one["metric"] for one in every["differences"]}


def test_a_paused_board_can_be_cancelled_and_a_finished_one_cannot_be_run(tmp_path: Path) -> None:
    board_id = written(tmp_path, by="player", suite="builtin:free_fall", n=3)
    with opened(tmp_path) as client:
        assert client.post(f"/api/board/{board_id}/run").status_code == 409
        assert client.post(f"/api/board/{board_id}/pause").status_code == 409
        folder = BoardFolder(tmp_path / board_id)
        folder.save(replace(folder.header(), state="paused"))
        assert client.post(f"/api/board/{board_id}/cancel").json()["state"] == "cancelled"


def test_one_board_is_played_at_a_time_and_a_refused_one_leaves_nothing(tmp_path: Path) -> None:
    board_id = written(tmp_path, by="player", suite="builtin:free_fall", n=3)
    folder = BoardFolder(tmp_path / board_id)
    folder.save(replace(folder.header(), state="running"))
    with opened(tmp_path) as client:
        answer = client.post("/api/board", json=BODY)
        assert answer.status_code == 409
        assert board_id in answer.json()["detail"]
        assert len(here(client)) == 1


def test_a_public_server_bills_every_episode_of_a_board(tmp_path: Path) -> None:
    with opened(tmp_path, public=True, public_sessions_per_minute=5) as client:
        inside(client)
        assert (
            client.post("/api/board", json={**BODY, "suites": ["builtin:free_fall"], "seeds": 3}).status_code
            == 429
        )
        assert here(client) == []


def test_a_suite_of_systems_is_told_system_by_system_too(tmp_path: Path) -> None:
    board_id = written(tmp_path, by="player", suite="builtin", n=20)
    folder = BoardFolder(tmp_path / board_id)
    falls = [replace(one, solved=True) for one in folder.read().results if one.case == "free_fall"]
    folder.append([one for one in falls if one.policy == "search"])
    with opened(tmp_path, hold_truth=False) as client:
        table = client.get(f"/api/board/{board_id}").json()
        listed = client.get(
            f"/api/board/{board_id}/episodes", params={"policy": "search", "suite": "builtin:free_fall"}
        ).json()
    assert {row["suite"] for row in table["rows"]} == {"builtin"}
    rows = {(row["policy"], row["suite"]): row for row in table["systems"]}
    assert len(rows) == 2 * 8
    assert {row["n"] for row in rows.values()} == {20}
    solved = {key: row["metrics"]["solved"]["mean"] for key, row in rows.items()}
    assert [key for key, share in solved.items() if share] == [("search", "builtin:free_fall")]
    pooled = {row["policy"]: row["metrics"]["solved"]["mean"] for row in table["rows"]}
    assert pooled == {"search": 20 / 160, "sindy": 0.0}
    assert rows["sindy", "builtin:free_fall"]["metrics"]["recovered"]["mean"] == 0.0
    assert listed["total"] == 20
    assert {one["case"] for one in listed["items"]} == {"free_fall"}


@pytest.mark.parametrize(("n", "told"), [(20, True), (19, False)])
def test_no_system_is_told_where_the_sum_less_the_others_would_tell_a_small_one(
    tmp_path: Path, n: int, told: bool
) -> None:
    plan = Plan(
        name="uneven",
        policies=("search",),
        suites=("builtin:free_fall", "builtin:damped_spring"),
        seeds=tuple(range(20)),
    )
    board = BoardFolder(tmp_path / plan.name)
    board.create(replace(new_header(plan, by="player"), state="finished"))
    played = [blank(job) for job in plan.jobs()]
    few = [one for one in played if one.case == "damped_spring"][:n]
    board.append(_worth(one, recovered=True) for one in [*few, *(o for o in played if o.case == "free_fall")])
    with opened(tmp_path, hold_truth=False) as client:
        table = client.get("/api/board/uneven").json()
        whole = client.get("/api/board/uneven", headers=OPERATOR).json()
    assert "recovered" in table["rows"][0]["metrics"]
    assert sorted(row["n"] for row in table["systems"]) == [n, 20]
    assert {"recovered" in row["metrics"] for row in table["systems"]} == {told}
    assert {row["why_withheld"] is None for row in table["systems"]} == {told}
    assert {"recovered" in row["metrics"] for row in whole["systems"]} == {True}
