"""What an agent over OpenEnv is paid, by value, and which systems it may meet unasked."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.openenv.client import PhysiXAction, PhysiXObservation
from physix.api.openenv.environment import PhysiXRubric, ResetOptions, _system_id
from physix.engine.systems import SYSTEMS
from physix.settings import Settings
from tests.api.openenv.spoken import reset

HELD_OUT = {"projectile_drag", "charged_b_field"}  # written out: what the splits' documents promise


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db="memory://"))) as running:
        yield running


def play(client: TestClient, first: dict[str, Any], *equations: str) -> Iterator[dict[str, Any]]:
    for equation in equations:
        body = {
            "action": {"equation": equation, "params": {}},
            "episode_id": first["episode_id"],
            "token": first["token"],
        }
        answer: dict[str, Any] = client.post("/step", json=body).json()
        yield answer


def test_a_turn_pays_its_weighted_parts(client: TestClient) -> None:
    first = reset(client, system_id="spring_mass", seed=3)
    best = 0.0
    for answer in play(
        client, first, "d2x/dt2 = -1.0*x", "d2x/dt2 = 0.5 - 30.0*x", "d2x/dt2 = ", "d2x/dt2 = x*t"
    ):
        parts = answer["observation"]["reward_breakdown"]
        progress = max(0.0, (parts["match"] - best) / (1.0 - best))
        assert parts["progress"] == pytest.approx(progress)
        best = max(best, parts["match"])
        weighted = 0.5 * parts["match"] + 0.2 * progress + 0.2 * parts["simplicity"] + 0.1 * parts["format"]
        assert answer["reward"] == parts["total"] == pytest.approx(weighted)


def test_under_gain_a_turn_pays_what_its_total_adds_to_the_best(client: TestClient) -> None:
    first = reset(client, system_id="spring_mass", seed=3, reward_mode="gain")
    best = 0.0
    for answer in play(client, first, "d2x/dt2 = -1.0*x", "d2x/dt2 = ", "d2x/dt2 = 0", "d2x/dt2 = -40.0*x"):
        total = answer["observation"]["reward_breakdown"]["total"]
        assert answer["reward"] == pytest.approx(max(0.0, total - best))
        best = max(best, total)


def test_the_rubric_adds_up_to_the_turns_total() -> None:
    parts = {"match": 0.5, "progress": 0.25, "simplicity": 0.75, "format": 1.0, "total": 0.0}
    seen = PhysiXObservation.model_construct(reward_breakdown=parts)
    action = PhysiXAction(equation="dx/dt = 0")
    rubric = PhysiXRubric()
    assert rubric(action, seen) == pytest.approx(0.25 + 0.05 + 0.15 + 0.1)
    for name, value in itertools.islice(parts.items(), 4):
        assert getattr(rubric, name)(action, seen) == value
    before_turn_1 = PhysiXObservation.model_construct(reward_breakdown=None)
    assert rubric(action, before_turn_1) == 0.0


def test_a_bare_reset_never_draws_a_held_out_system() -> None:
    seeds = [*range(500), *(2**53 - 1 - i for i in range(50)), *(math.isqrt(3 * 10**n) for n in range(30))]
    drawn = {_system_id(ResetOptions(), seed) for seed in seeds}
    assert drawn == set(SYSTEMS) - HELD_OUT


@pytest.mark.parametrize("tier", [1, 2, 3])
def test_a_tier_draws_all_of_its_systems_and_no_other(tier: int) -> None:
    drawn = {_system_id(ResetOptions(tier=tier), seed) for seed in range(100)}
    assert drawn == {name for name, system in SYSTEMS.items() if system.tier == tier}
    assert (drawn & HELD_OUT == drawn) is (tier == 3)


def test_what_a_client_gets_unasked_is_open_to_training(client: TestClient) -> None:
    options: list[dict[str, Any]] = [{"seed": seed} for seed in range(8)]
    options += [{}] * 4 + [{"split": "train", "seed": seed} for seed in range(4)]
    for one in options:
        first = reset(client, **one)
        found = client.get(f"/api/episodes/{first['episode_id']}").json()
        assert found["system_id"] not in HELD_OUT
