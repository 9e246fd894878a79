"""No arithmetic of an agent's is the server's own: whatever overflows is an outcome, through every door."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.engine.systems import sample_task
from physix.settings import Settings

RIGHT_SIDES = [
    "y**100",
    "y**1e12",
    "-y**999",
    "(1e12*y)**64",
    "1e12**vy",
    "2**(2**(2**(2**9)))",
    "9**9**9**9",
    "exp(exp(exp(y)))",
    "exp(1e12)*y - exp(1e12)*y",
    "(0 - y)**0.5 + (y - 1e12)**1e12",
    "log(y - y)",
    "1/(y - y)",
    "0**(0 - y)",
    "1e12*1e12*1e12*1e12*y",
    "tan(pi/2)**9",
    "sqrt(1e12**1e12)",
    "vy**vy**vy**vy",
    "1e12**13*y",
    "exp(700)",
]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://")), raise_server_exceptions=False) as running:
        yield running


def answered(answer: Any) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} in an answer"))


@pytest.mark.parametrize("right", RIGHT_SIDES)
@pytest.mark.parametrize("constants", ["declared", "fitted"])
def test_a_law_that_overflows_is_a_turn_with_an_outcome(
    client: TestClient, right: str, constants: str
) -> None:
    body = {"system_id": "free_fall", "seed": 1, "constants": constants}
    episode_id = answered(client.post("/interactive/sessions", json=body))["episode_id"]
    path = f"/interactive/sessions/{episode_id}"
    law: dict[str, Any] = {"equation": f"d2y/dt2 = {right}"}
    if constants == "fitted":
        law = {"equation": f"d2y/dt2 = a*({right})", "params": {"a": None}}
    else:
        shown = answered(client.post(f"{path}/preview", json=law))
        assert shown["parse"]["rejection"] is None
    played = answered(client.post(f"{path}/step", json=law))
    (turn,) = played["turns"]
    assert turn["parse"]["rejection"] is None
    assert math.isfinite(turn["reward"]["total"])
    for where in ("", "/events.json", "/turns/1/prompt"):
        assert client.get(f"/api/episodes/{episode_id}{where}").status_code in (200, 404)


@pytest.mark.parametrize("right", RIGHT_SIDES)
def test_an_agent_over_openenv_reads_the_same_outcome(client: TestClient, right: str) -> None:
    first = answered(client.post("/reset", json={"system_id": "free_fall", "seed": 1}))["observation"]
    step = {
        "action": {"equation": f"d2y/dt2 = {right}", "params": {}},
        "episode_id": first["episode_id"],
        "token": first["token"],
    }
    seen = answered(client.post("/step", json=step))["observation"]
    assert seen["diagnostics"]["outcome"] != "not_parsed"
    assert seen["mismatch"]


@pytest.mark.parametrize("value", [1e12, -1e12, 1e-300, 5e-324, 0.0, -0.0])
def test_params_at_the_ends_of_their_range_are_a_turn(client: TestClient, value: float) -> None:
    _, truth = sample_task("free_fall_drag", 1)
    params = dict.fromkeys(truth.params, value)
    body = {"system_id": "free_fall_drag", "seed": 1}
    episode_id = answered(client.post("/interactive/sessions", json=body))["episode_id"]
    law = {"equation": truth.equation, "params": params}
    played = answered(client.post(f"/interactive/sessions/{episode_id}/step", json=law))
    assert len(played["turns"]) == 1
