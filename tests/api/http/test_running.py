"""What goes on, what was left, and the truth beside what was found."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from physix.api.app import create_app
from physix.settings import Settings
from tests.policies.chat.ollama_server import ollama_server, serving

SPRING = {"system_id": "spring_mass", "seed": 5}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with ollama_server() as daemon:
        settings = Settings(db="memory://", ollama_host=daemon.url, retry_wait_s=0.0)
        with (
            serving(create_app(settings, openenv=False)) as url,
            httpx.Client(base_url=url, timeout=60) as running,
        ):
            yield running


def post(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code < 300, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(
    ("asked", "constants"),
    [
        ({}, "declared"),
        ({"policy": "search"}, "declared"),
        ({"policy": "local:smollm2"}, "fitted"),
        ({"policy": "local:smollm2", "constants": "declared"}, "declared"),
    ],
)
def test_an_episode_goes_by_the_rule_for_constants_that_its_policy_is_made_for(
    client: httpx.Client, asked: dict[str, str], constants: str
) -> None:
    told = post(client, "/interactive/sessions", **SPRING, **asked)
    assert told["config"]["verifier"]["constants"] == constants


def test_what_a_policy_left_is_listed_and_what_a_person_plays_is_not(client: httpx.Client) -> None:
    post(client, "/interactive/sessions", **SPRING)
    left = post(client, "/interactive/sessions", **SPRING, policy="search", max_turns=3)
    told = client.get("/api/running").json()
    assert (told["driven"], told["driven_total"]) == ([], 0)
    (only,) = told["left"]
    assert (only["episode_id"], only["policy"], only["turns"], only["max_turns"], only["driven"]) == (
        left["episode_id"],
        "search",
        0,
        3,
        False,
    )


def test_an_abandoned_comparison_has_ended_in_every_member(client: httpx.Client) -> None:
    made = post(client, "/api/comparisons", **SPRING, policies=["nano-untrained", "nano"], max_turns=64)
    path = f"/api/comparisons/{made['comparison_id']}"
    post(client, f"{path}/pause")
    assert {one["comparison_id"] for one in client.get("/api/running").json()["left"]} <= {
        made["comparison_id"]
    }
    stopped = post(client, f"{path}/abandon")
    assert stopped["status"] == "finished"
    assert post(client, f"{path}/abandon")["members"] == stopped["members"]
    assert client.get("/api/running").json() == {"driven": [], "driven_total": 0, "left": []}


def test_the_truth_is_told_beside_a_turn_once_the_episode_has_ended(client: httpx.Client) -> None:
    episode = post(client, "/interactive/sessions", **SPRING)["episode_id"]
    post(client, f"/interactive/sessions/{episode}/step", equation="d2x/dt2 = -w*x", params={"w": 100.0})
    path = f"/api/episodes/{episode}/turns/1/truth"
    assert client.get(path).status_code == 409
    post(client, f"/interactive/sessions/{episode}/abandon")
    told = client.get(path).json()
    (row,) = told["constants"]
    k, m = told["params"]["k"], told["params"]["m"]
    assert row["true"] == pytest.approx(-k / m)
    assert (row["found"], row["percent"]) == (-100.0, pytest.approx(100 * (100 * m / k - 1)))
    assert told["correctness"]["verdict"] == "different"
    assert client.get(f"/api/episodes/{episode}/turns/2/truth").json() is None


def test_nobody_knows_the_law_of_measured_data(client: httpx.Client) -> None:
    rows = "\n".join(f"{i / 10},{0.9**i:.6f}" for i in range(60))
    made = post(client, "/interactive/sessions", csv=f"t,x\n{rows}\n", hint="It decays.")
    assert made["carried_to"] == "held-back rows"
    episode = made["episode_id"]
    post(client, f"/interactive/sessions/{episode}/step", equation="dx/dt = -k*x", params={"k": 9.0})
    post(client, f"/interactive/sessions/{episode}/abandon")
    assert client.get(f"/api/episodes/{episode}/turns/1/truth").json() is None
