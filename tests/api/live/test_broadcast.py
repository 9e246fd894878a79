"""Live text, comparisons, forks, tables and demos, through the HTTP API of a served app."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from physix.api.app import create_app
from physix.api.live.broadcast import Live
from physix.settings import Settings
from tests.policies.chat.ollama_server import REPLY, Ollama, ollama_server, serving

DATA = Path(__file__).parents[3] / "examples" / "data"


@pytest.fixture
def daemon() -> Iterator[Ollama]:
    with ollama_server() as running:
        yield running


@pytest.fixture
def client(daemon: Ollama) -> Iterator[httpx.Client]:
    settings = Settings(db="memory://", ollama_host=daemon.url, retry_wait_s=0.0)
    with (
        serving(create_app(settings, openenv=False)) as url,
        httpx.Client(base_url=url, timeout=60) as running,
    ):
        yield running


def start(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/interactive/sessions", json={"system_id": "spring_mass", "seed": 5, **body})
    assert answer.status_code == 201, answer.text
    episode: dict[str, Any] = answer.json()
    return episode


def frames(client: httpx.Client, path: str) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Yield (event, id, data) of a stream until the server closes it."""
    with client.stream("GET", path) as stream:
        assert stream.status_code == 200
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield fields.get("event", "message"), fields.get("id"), json.loads(fields["data"])
                fields = {}


def test_what_a_model_writes_is_streamed_without_ids_between_the_events(
    client: httpx.Client, daemon: Ollama
) -> None:
    episode_id = start(client, policy="ollama:good", max_turns=1)["episode_id"]
    client.post(f"/interactive/sessions/{episode_id}/run")
    seen = list(frames(client, f"/api/episodes/{episode_id}/events"))
    recorded = [name for name, event_id, _ in seen if event_id]
    assert recorded[0] == "EpisodeStarted"
    assert recorded[-1] == "EpisodeFinished"


def test_the_text_of_a_turn_comes_before_its_events_and_never_after(client: httpx.Client) -> None:
    episode_id = start(client, policy="ollama:good", max_turns=4)["episode_id"]
    client.post(f"/interactive/sessions/{episode_id}/run")
    played = 0
    asked = []
    for name, event_id, data in frames(client, f"/api/episodes/{episode_id}/events"):
        if name == "RewardComputed":
            played += 1
        if name == "ModelText":
            assert event_id is None
            assert data["turn"] == played + 1
        if name == "ModelPrompt":
            asked.append(data["turn"])
    assert played > 0
    assert asked == sorted(asked)


def test_a_run_may_choose_the_temperature_and_every_turn_records_it(
    client: httpx.Client, daemon: Ollama
) -> None:
    episode_id = start(client, policy="ollama:good", max_turns=1)["episode_id"]
    refused = client.post(f"/interactive/sessions/{episode_id}/llm-step", json={"temperature": 2.5})
    assert refused.status_code == 422
    played = client.post(f"/interactive/sessions/{episode_id}/llm-step", json={"temperature": 0.25}).json()
    assert daemon.requests[-1]["options"]["temperature"] == 0.25
    assert played["turns"][0]["provenance"]["sampling"]["temperature"] == 0.25


async def test_text_that_nobody_was_told_of_in_time_is_not_told_after_the_turn() -> None:
    live = Live()
    live.begin("e", "model")
    live.ask("e", 1, None)
    live.write("e", "d2x/dt2 =")
    live.rest("e")
    live.begin("f", "model")
    follower = live.frames(["e", "f"])
    assert b'"episode_id":"e","driving":true' in await anext(follower)
    assert b'"episode_id":"f","driving":true' in await anext(follower)


def test_a_page_that_opens_late_gets_the_prompt_and_the_text_so_far(
    client: httpx.Client, daemon: Ollama
) -> None:
    episode_id = start(client, policy="ollama:slow")["episode_id"]
    assert client.post(f"/interactive/sessions/{episode_id}/run").json()["driven"]
    assert daemon.writing.wait(120)
    live: dict[str, dict[str, Any]] = {}
    for name, event_id, data in frames(client, f"/api/episodes/{episode_id}/events"):
        if event_id is None:
            live[name] = data
        if live.get("ModelText", {}).get("text"):
            break
    assert live["Driving"] == {"episode_id": episode_id, "driving": True, "policy": "ollama:slow"}
    assert live["ModelPrompt"]["messages"][0]["role"] == "system"
    assert live["ModelPrompt"]["prompt_version"] == "2"
    assert REPLY.startswith(live["ModelText"]["text"])


def test_pausing_lets_go_of_the_server_and_another_policy_goes_on(
    client: httpx.Client, daemon: Ollama
) -> None:
    episode_id = start(client, policy="ollama:slow")["episode_id"]
    path = f"/interactive/sessions/{episode_id}"
    client.post(f"{path}/run")
    assert daemon.writing.wait(120)
    assert client.post(f"{path}/llm-step").status_code == 409
    paused = client.post(f"{path}/pause").json()
    assert (paused["driven"], paused["status"], paused["turns"]) == (False, "running", [])
    assert daemon.hung_up.wait(120)
    stepped = client.post(f"{path}/llm-step", json={"policy": "search"}).json()
    assert stepped["turns"][0]["provenance"]["policy"] == "search"


def test_an_episode_that_its_model_failed_is_forked_and_finished_by_another(client: httpx.Client) -> None:
    episode_id = start(client, policy="ollama:dies")["episode_id"]
    failed = client.post(f"/interactive/sessions/{episode_id}/llm-step").json()
    assert failed["outcome"] == "policy_failed"
    forked = client.post(
        f"/interactive/sessions/{episode_id}/fork", json={"turn": 0, "policy": "search"}
    ).json()
    assert forked["forked_from"] == {"episode_id": episode_id, "turn": 0}
    client.post(f"/interactive/sessions/{forked['episode_id']}/run")
    seen = list(frames(client, f"/api/episodes/{forked['episode_id']}/events"))
    assert seen[-1][2]["payload"]["reason"] == "solved"


def test_a_fork_shares_the_turns_before_it(client: httpx.Client) -> None:
    episode_id = start(client)["episode_id"]
    for k in (1.0, 2.0, 3.0):
        original = client.post(
            f"/interactive/sessions/{episode_id}/step", json={"equation": f"d2x/dt2 = {k}"}
        ).json()
    forked = client.post(f"/interactive/sessions/{episode_id}/fork", json={"turn": 2}).json()
    played = client.post(
        f"/interactive/sessions/{forked['episode_id']}/step", json={"equation": "d2x/dt2 = 9.0"}
    ).json()
    strip = [{k: v for k, v in turn.items() if k != "recorded_at"} for turn in forked["turns"]]
    assert strip == [{k: v for k, v in t.items() if k != "recorded_at"} for t in original["turns"][:2]]
    assert [turn["turn"] for turn in played["turns"]] == [1, 2, 3]


@pytest.mark.parametrize(("turn", "budget"), [(1, None), (0, 0), (-1, None), (99, None)])
def test_a_fork_that_makes_no_sense_is_refused(client: httpx.Client, turn: int, budget: int | None) -> None:
    episode_id = start(client)["episode_id"]
    body = {"turn": turn} if budget is None else {"turn": turn, "max_turns": budget}
    assert client.post(f"/interactive/sessions/{episode_id}/fork", json=body).status_code == 422


def test_a_comparison_plays_all_policies_and_ends_its_stream_with_the_summary(client: httpx.Client) -> None:
    body = {"system_id": "spring_mass", "seed": 5, "policies": ["search", "ollama:rambles", "ollama:good"]}
    begun = client.post("/api/comparisons", json=body)
    assert begun.status_code == 201, begun.text
    comparison_id = begun.json()["comparison_id"]
    seen = list(frames(client, f"/api/comparisons/{comparison_id}/events"))
    ids = [int(event_id) for _, event_id, _ in seen if event_id]
    name, _, summary = seen[-1]
    assert name == "ComparisonFinished"
    assert ids == sorted(set(ids))
    assert summary == client.get(f"/api/comparisons/{comparison_id}").json()
    by_policy = {member["policy"]: member for member in summary["members"]}
    assert by_policy["search"]["turns_to_solve"]
    assert by_policy["ollama:rambles"]["outcome"] == "policy_failed"
    assert by_policy["ollama:rambles"]["parse_failures"] == 3
    last = {data["episode_id"]: data["standing"] for kind, _, data in seen if kind == "EpisodeFinished"}
    for member in summary["members"]:
        assert last[member["episode_id"]] == {k: member[k] for k in last[member["episode_id"]]}
    middle = ids[len(ids) // 2]
    rejoined = frames(client, f"/api/comparisons/{comparison_id}/events?after={middle}")
    rest = [one for one in seen if one[1] and int(one[1]) > middle]
    assert [*rejoined] == [*rest, seen[-1]]
    whole = frames(client, f"/api/events?after={middle}")
    assert [next(whole) for _ in rest] == rest
    resumed = client.get(f"/api/comparisons/{comparison_id}/events", headers={"Last-Event-ID": str(ids[-1])})
    assert resumed.status_code == 204


def test_a_comparison_is_paused_and_run_on(client: httpx.Client, daemon: Ollama) -> None:
    body = {"system_id": "spring_mass", "policies": ["ollama:slow"]}
    comparison_id = client.post("/api/comparisons", json=body).json()["comparison_id"]
    assert daemon.writing.wait(120)
    paused = client.post(f"/api/comparisons/{comparison_id}/pause").json()
    running = client.post(f"/api/comparisons/{comparison_id}/run").json()
    assert [view["members"][0]["driven"] for view in (paused, running)] == [False, True]


@pytest.mark.parametrize("policies", [[], ["search", "search"], ["nobody"], ["search"] * 9])
def test_a_comparison_of_wrong_policies_starts_nothing(client: httpx.Client, policies: list[str]) -> None:
    answer = client.post("/api/comparisons", json={"system_id": "spring_mass", "policies": policies})
    assert answer.status_code == 422
    assert client.get("/api/episodes").json()["total"] == 0


def test_an_unknown_comparison_is_not_found(client: httpx.Client) -> None:
    assert client.get("/api/comparisons/nowhere").status_code == 404


def test_a_table_is_checked_before_it_is_played(client: httpx.Client) -> None:
    table = (DATA / "golf_ball_1.csv").read_text()
    view = client.post("/api/csv/check", json={"csv": table, "hold_back": 0.25}).json()
    assert [(v["name"], v["rate_of"], v["estimated"]) for v in view["variables"]] == [
        ("y", None, False),
        ("vy", "y", True),
    ]
    assert (view["rows"], view["held_back_rows"]) == (32, 11)
    assert [len(run["t"]) for run in view["shown"]] == [32]


def test_a_check_gives_columns_roles_and_all_problems_and_takes_roles_back(client: httpx.Client) -> None:
    rows = "\n".join(f"{i},{i / 10},{i * i / 100},{-i / 5},{i % 4}" for i in range(50))
    body: dict[str, object] = {"csv": f"frame,t,y,vy,u\n{rows}"}
    view = client.post("/api/csv/check", json=body).json()
    kinds = {column["name"]: column["role"]["kind"] for column in view["columns"]}
    assert kinds == {"frame": "ignore", "t": "time", "y": "state", "vy": "rate", "u": "input"}
    assert [(p["severity"], p["column"]) for p in view["problems"]] == [("error", "vy")]
    assert "sign" in view["problems"][0]["message"]
    assert view["shown"] == []
    body["roles"] = {"vy": {"kind": "ignore"}, "y": {"kind": "state", "order": 2, "unit": "m"}}
    view = client.post("/api/csv/check", json=body).json()
    assert view["problems"] == []
    assert [(v["name"], v["unit"], v["estimated"]) for v in view["variables"]] == [
        ("y", "m", False),
        ("vy", None, True),
    ]
    assert [v["name"] for v in view["inputs"]] == ["u"]
    started = client.post("/interactive/sessions", json=body)
    assert started.status_code == 201, started.text


def test_a_file_in_any_encoding_is_sent_as_its_bytes(client: httpx.Client) -> None:
    text = "t [s];T [°C]\n" + "\n".join(f"{i},0;{90 - i},5" for i in range(30))
    for encoding in ("utf-16", "cp1252", "utf-8-sig"):
        sent = base64.b64encode(text.encode(encoding)).decode()
        view = client.post("/api/csv/check", json={"csv_base64": sent}).json()
        assert [(c["label"], c["unit"]) for c in view["columns"]] == [("t [s]", "s"), ("T [°C]", "degC")]
        assert view["shown"][0]["states"][1] == [89.5]


def test_a_law_of_measured_data_may_use_the_extended_functions_however_the_file_was_sent(
    client: httpx.Client,
) -> None:
    text = "t (s),x (m)\n" + "\n".join(f"{0.1 * i:.1f},{0.9**i:.6f}" for i in range(30))
    law = {"equation": "d2x/dt2 = -k*sign(vx)", "params": {"k": 0.1}}
    for table in ({"csv": text}, {"csv_base64": base64.b64encode(text.encode()).decode()}):
        started = client.post("/interactive/sessions", json=table).json()
        step = client.post(f"/interactive/sessions/{started['episode_id']}/step", json=law)
        assert step.status_code in (200, 201), step.text
        assert "unknown" not in step.text


@pytest.mark.parametrize("roles", [{"z": {"kind": "ignore"}}, {"x": {"kind": "hero"}}, {"x": {"colour": 1}}])
def test_roles_of_columns_that_are_not_there_are_refused(client: httpx.Client, roles: object) -> None:
    rows = "\n".join(f"{i},{i * i}" for i in range(20))
    answer = client.post("/api/csv/check", json={"csv": f"t,x\n{rows}", "roles": roles})
    assert answer.status_code == 422


def test_held_back_rows_give_a_table_its_generalisation(client: httpx.Client) -> None:
    body = {"csv": (DATA / "golf_ball_1.csv").read_text()}
    other = (DATA / "golf_ball_2.csv").read_text()
    answer = client.post("/interactive/sessions", json={**body, "held_back_csv": other})
    episode_id = answer.json()["episode_id"]
    played = client.post(
        f"/interactive/sessions/{episode_id}/step", json={"equation": "d2y/dt2 = -9.0"}
    ).json()
    assert played["turns"][0]["generalisation"] > 0.9


def test_a_table_of_a_megabyte_is_taken_where_tables_are(client: httpx.Client) -> None:
    rows = "\n".join(f"{i / 100},{'1.' + '0' * 80}{i % 7}" for i in range(9_000))
    assert client.post("/api/csv/check", json={"csv": f"t,x\n{rows}"}).status_code == 200
    assert client.post("/api/csv/check", json={"csv": "x" * 9_000_000}).status_code == 413


def test_shipped_demos_are_listed_and_replayed(client: httpx.Client) -> None:
    listed = client.get("/api/demos").json()
    assert len(listed) >= 3
    for one in listed:
        assert one["bytes"] < 300_000
        assert one["honest_note"]
        replay = client.get(f"/api/demos/{one['id']}").json()
        assert replay["comparison"]["status"] == "finished"
        assert {event["type"] for event in replay["events"]} >= {"EpisodeStarted", "EpisodeFinished"}
        assert "truth" not in replay["events"][0]["payload"]


def test_a_restart_resumes_unfinished_runs_where_that_is_wanted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with ollama_server() as daemon:
        there = Settings(db=url, ollama_host=daemon.url, retry_wait_s=0.0)
        with (
            serving(create_app(there, openenv=False)) as base,
            httpx.Client(base_url=base, timeout=60) as client,
        ):
            episode_id = start(client, policy="ollama:slow")["episode_id"]
            client.post(f"/interactive/sessions/{episode_id}/run")
            assert daemon.writing.wait(120)
        with (
            serving(create_app(there, openenv=False)) as base,
            httpx.Client(base_url=base, timeout=60) as client,
        ):
            marked = client.get(f"/api/episodes/{episode_id}").json()
            assert (marked["status"], marked["driven"]) == ("running", False)
        again = there.model_copy(update={"resume_runs": True})
        with (
            serving(create_app(again, openenv=False)) as base,
            httpx.Client(base_url=base, timeout=60) as client,
        ):
            assert client.get(f"/api/episodes/{episode_id}").json()["driven"]


def test_streams_of_many_runs_at_once_are_their_logs(client: httpx.Client) -> None:
    ids = [start(client, policy="ollama:good", seed=seed, max_turns=3)["episode_id"] for seed in range(32)]
    with ThreadPoolExecutor(32) as readers:
        streams = [
            readers.submit(lambda url: list(frames(client, url)), f"/api/episodes/{i}/events") for i in ids
        ]
        for episode_id in ids:
            client.post(f"/interactive/sessions/{episode_id}/run")
        seen = [[data for _, event_id, data in stream.result(240) if event_id] for stream in streams]
    assert seen == [client.get(f"/api/episodes/{i}/events.json").json() for i in ids]
