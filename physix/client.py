"""The OpenEnv client, and the messages it shares with the server.

Importing this module imports OpenEnv, which takes seconds; `physix` does so on first use only.
"""

from __future__ import annotations

from typing import Annotated, Any

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class PhysiXAction(Action):
    """One hypothesis. An equation that does not parse is a turn with reward 0, not an error."""

    equation: str = Field(max_length=4_096, description="e.g. d2y/dt2 = -g + k*vy**2")
    params: dict[str, Finite | None] = Field(
        default_factory=dict, max_length=64, description="values of its names"
    )
    rationale: str = Field(default="", max_length=4_096)


class PhysiXObservation(Observation):
    """What the agent sees after reset and after every step."""

    episode_id: str
    system_id: str
    hint: str
    variables: list[dict[str, Any]]
    trajectories: list[dict[str, Any]] = Field(description="t: (T,), states: (T, D)")
    turn: int = Field(description="turns played")
    turns_remaining: int
    history: list[dict[str, Any]]
    reward_breakdown: dict[str, float] | None = None
    r2: dict[str, float | None] | None = None
    mismatch: str = ""


class PhysiXState(State):
    """Where the episode stands."""

    system_id: str | None = None
    max_turns: int = 0
    best_match: float = 0.0
    outcome: str | None = None


class PhysiXEnv(EnvClient[PhysiXAction, PhysiXObservation, PhysiXState]):
    """Client of a running `physix serve`: async, or blocking through `.sync()`."""

    def _step_payload(self, action: PhysiXAction) -> dict[str, Any]:
        return action.model_dump(exclude={"metadata"})

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[PhysiXObservation]:
        observation = {**payload.get("observation", {})}
        observation["done"] = payload.get("done", False)
        observation["reward"] = payload.get("reward")
        parsed = PhysiXObservation.model_validate(observation)
        return StepResult(observation=parsed, reward=payload.get("reward"), done=parsed.done)

    def _parse_state(self, payload: dict[str, Any]) -> PhysiXState:
        return PhysiXState.model_validate(payload)


# OpenEnv's AutoEnv derives class names from the package's.
PhysixAction = PhysiXAction
PhysixEnv = PhysiXEnv
PhysixObservation = PhysiXObservation
