"""The OpenEnv client, and the messages it shares with the server.

Importing this module imports OpenEnv, which takes seconds; `physix` does so on first use only.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field
from websockets.exceptions import ConnectionClosed, InvalidStatus

from physix.errors import InfrastructureError
from physix.limits import (
    MAX_COMMAND_ID,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
)
from physix.settings import Settings
from physix.training.doors.outage import pauses

_NO_USE = frozenset({400, 401, 403, 404})
Answer = TypeVar("Answer")
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class PhysiXAction(Action):
    """One hypothesis. An equation that does not parse is a turn with reward 0, not an error."""

    equation: str = Field(max_length=MAX_RECORDED_EQUATION, description="e.g. d2y/dt2 = -g + k*vy**2")
    params: dict[str, Finite | None] = Field(
        default_factory=dict, max_length=MAX_RECORDED_PARAMS, description="values of its names"
    )
    rationale: str = Field(default="", max_length=MAX_RECORDED_RATIONALE)
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_COMMAND_ID,
        description="repeating a key with the same hypothesis plays no second turn",
    )


class PhysiXObservation(Observation):
    """What the agent sees after a step."""

    episode_id: str
    turn: int = Field(description="turns played")
    repeated: bool = Field(
        default=False, description="this command was answered before: the same answer, with reward 0"
    )
    emitted: float | None = Field(default=None, description="what the last turn was paid when it was played")
    turns_remaining: int
    history: list[dict[str, Any]]
    reward_breakdown: dict[str, float] | None = None
    mismatch: str = Field(default="", description="what the residuals look like, in English")
    diagnostics: dict[str, Any] = Field(
        default_factory=dict, description="outcome, fit per variable, what the parser made of the text"
    )


class PhysiXResetObservation(PhysiXObservation):
    """What the agent sees at the start: the problem. Steps do not repeat it."""

    hint: str
    instructions: str = Field(
        description="what an agent is told first: grammar, when a law counts as found, how many proposals"
    )
    variables: list[dict[str, Any]] = Field(description="name, unit, meaning, whose rate it is")
    inputs: list[dict[str, Any]] = Field(
        default_factory=list, description="quantities that drive the motion; equations may use their names"
    )
    time_unit: str | None = None
    trajectories: list[dict[str, Any]] = Field(
        description="t: (T,), states: (T, D); inputs: (T, I) where there are any"
    )
    table: str = Field(description="the same motion in few rows, for a prompt")
    stats: dict[str, dict[str, float]] = Field(description="per variable: min, max, mean, std, first, last")
    constants: str = Field(default="declared", description="fitted: params may be null")
    token: str | None = Field(
        default=None, description="secret; resumes the episode and allows steps over HTTP"
    )


class PhysiXState(State):
    """Where the episode stands. An evaluation task does not name its system before the end."""

    system_id: str | None = None
    task_id: str | None = None
    max_turns: int = 0
    profile: str | None = None
    reward_mode: str | None = None
    solved_threshold: float | None = None
    best_match: float = 0.0
    best_total: float = 0.0
    outcome: str | None = None


class PhysiXEnv(EnvClient[PhysiXAction, PhysiXObservation, PhysiXState]):
    """Client of a running `physix serve`: async, or blocking through `.sync()`.

    An episode survives a dropped connection and a restarted server: the client reconnects, resumes
    by the episode's token and sends its step again under the same idempotency key. A server that is
    not there yet is waited for as well.

    Attributes:
        outage_s: how long one call keeps reconnecting before it gives up with an InfrastructureError;
            0 turns this off. See `physix.training.doors.outage`: the rule of every door.
    """

    outage_s: float | None = None  # None: PHYSIX_OUTAGE_S
    _episode: tuple[str, str] | None = None  # id and token
    _socket: Any = None  # the one whose session knows the episode

    async def _reset_async(self, **options: Any) -> StepResult[PhysiXObservation]:
        # Both are chosen here, so that a reset whose answer is lost can be resumed as well.
        if not options.get("resume"):
            options.setdefault("episode_id", secrets.token_hex(16))
            options.setdefault("token", secrets.token_urlsafe(24))
        self._episode = None
        resumed = {name: options.get(name) for name in ("episode_id", "token")} | {"resume": True}
        sent = False

        async def begin() -> StepResult[PhysiXObservation]:
            nonlocal sent
            await self._ensure_connected()
            again, sent = sent, True
            if again:
                with suppress(RuntimeError):  # the server's refusal: the first reset never arrived
                    return await super(PhysiXEnv, self)._reset_async(**resumed)
            return await super(PhysiXEnv, self)._reset_async(**options)

        result = await self._through_outages(begin)
        observation = result.observation
        token = observation.token if isinstance(observation, PhysiXResetObservation) else None
        if token is not None:
            self._episode = (observation.episode_id, token)
        self._socket = self._ws
        return result

    async def _step_async(self, action: PhysiXAction, **options: Any) -> StepResult[PhysiXObservation]:
        keyed = action
        if action.idempotency_key is None:
            keyed = action.model_copy(update={"idempotency_key": secrets.token_hex(16)})

        tries = 0

        async def play() -> StepResult[PhysiXObservation]:
            nonlocal tries
            tries += 1
            await self._same_session()
            return await super(PhysiXEnv, self)._step_async(keyed, **options)

        result = await self._through_outages(play)
        return _paid(result) if tries > 1 and result.observation.repeated else result

    async def _state_async(self) -> PhysiXState:
        async def ask() -> PhysiXState:
            await self._same_session()
            return await super(PhysiXEnv, self)._state_async()

        return await self._through_outages(ask)

    async def _connect_async(self) -> EnvClient[PhysiXAction, PhysiXObservation, PhysiXState]:
        connect = super()._connect_async
        # A container that this client started is its provider's to wait for: a failure stops it for good.
        return await (connect() if self._provider is not None else self._through_outages(connect))

    async def _through_outages(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        limit_s = Settings().outage_s if self.outage_s is None else self.outage_s
        waiting = pauses(limit_s)
        while True:
            try:
                return await call()
            except (ConnectionClosed, ConnectionError, TimeoutError) as error:
                told = f"{type(error).__name__}: {error}"
                if _refused(error):
                    raise InfrastructureError(f"The server refuses the connection ({told}).") from error
                wait = next(waiting, None)
                if wait is None:
                    raise InfrastructureError(
                        f"The server stayed away for {limit_s:g} s ({told}). Is `physix serve` running?"
                    ) from error
                await asyncio.sleep(wait)

    async def _same_session(self) -> None:
        """Connect; on a new socket resume: the base client replaces a closed one, which knows no episode."""
        await self._ensure_connected()
        if self._ws is not self._socket:
            await self._resume()

    async def _resume(self) -> None:
        if self._episode is None:
            return
        episode_id, token = self._episode
        await super()._reset_async(episode_id=episode_id, token=token, resume=True)
        self._socket = self._ws

    def _step_payload(self, action: PhysiXAction) -> dict[str, Any]:
        return action.model_dump(exclude={"metadata"})

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[PhysiXObservation]:
        observation = {**payload.get("observation", {})}
        observation["done"] = payload.get("done", False)
        observation["reward"] = payload.get("reward")
        kind = PhysiXResetObservation if "trajectories" in observation else PhysiXObservation
        parsed = kind.model_validate(observation)
        return StepResult(observation=parsed, reward=payload.get("reward"), done=parsed.done)

    def _parse_state(self, payload: dict[str, Any]) -> PhysiXState:
        return PhysiXState.model_validate(payload)


def _refused(error: Exception) -> bool:
    """Tell whether a server is there and will have none of us: waiting mends no wrong token."""
    answer = error.__cause__
    return isinstance(answer, InvalidStatus) and answer.response.status_code in _NO_USE


def _paid(result: StepResult[PhysiXObservation]) -> StepResult[PhysiXObservation]:
    """Return the first answer that arrived to a step whose earlier answer was lost: it is paid here, once."""
    seen = result.observation
    paid = seen.model_copy(update={"repeated": False, "reward": seen.emitted})
    return StepResult(observation=paid, reward=seen.emitted, done=result.done)


# OpenEnv's AutoEnv derives class names from the package's.
PhysixAction = PhysiXAction
PhysixEnv = PhysiXEnv
PhysixObservation = PhysiXObservation
