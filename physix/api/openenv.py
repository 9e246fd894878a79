"""OpenEnv's environment over the engine: every OpenEnv episode is in the log like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

from anyio import from_thread
from fastapi import FastAPI
from openenv.core.env_server.http_server import HTTPEnvServer
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from physix.client import PhysiXAction, PhysiXObservation, PhysiXState
from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance, observe
from physix.errors import BadInputError
from physix.systems import sample_task
from physix.verifier.types import Hypothesis, VerifierConfig
from physix.version import __version__


class ResetOptions(BaseModel):
    """What `reset` takes."""

    model_config = ConfigDict(extra="forbid")

    system_id: str = Field(default="free_fall", max_length=64)
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    noise: Annotated[float, Field(ge=0.0, le=0.05, allow_inf_nan=False)] | None = None
    trajectories: int = Field(default=1, ge=1, le=4)
    max_turns: int = Field(default=8, ge=1, le=64)
    profile: Literal["classic", "strict"] = "classic"
    reward_mode: Literal["total", "gain"] = "total"


class PhysiXEnvironment(Environment[PhysiXAction, PhysiXObservation, PhysiXState]):
    """One session: at most one episode at a time."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, engine_of: Callable[[], EpisodeEngine]) -> None:
        super().__init__()
        # OpenEnv makes a throw-away instance before the app, and with it the engine, has started.
        self._engine_of = engine_of
        self._episode: Episode | None = None

    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> PhysiXObservation:
        """Start an episode.

        Raises:
            BadInputError: an option is unknown or out of range.
            ConflictError: the episode id is taken.
        """
        try:
            wanted = ResetOptions(seed=0 if seed is None else seed, **options)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            known = ", ".join(ResetOptions.model_fields)
            raise BadInputError(f"reset: {where}: {first['msg']}. Options: {known}, episode_id.") from error
        task, truth = sample_task(
            wanted.system_id, wanted.seed, noise=wanted.noise, trajectories=wanted.trajectories
        )
        config = EpisodeConfig(
            verifier=VerifierConfig(profile=wanted.profile),
            max_turns=wanted.max_turns,
            reward_mode=wanted.reward_mode,
        )
        self._episode = await self._engine_of().start(
            task, truth, config=config, policy="openenv", door="openenv", episode_id=episode_id
        )
        return _observation(self._episode)

    async def step_async(
        self, action: PhysiXAction, timeout_s: float | None = None, **_: Any
    ) -> PhysiXObservation:
        """Play one turn.

        Raises:
            BadInputError: there is no episode yet.
            EpisodeFinishedError: it has ended.
        """
        if self._episode is None:
            raise BadInputError("There is no episode yet: call reset first.")
        self._episode = await self._engine_of().submit(
            self._episode.episode_id,
            Hypothesis(equation=action.equation, params=dict(action.params), rationale=action.rationale),
            provenance=Provenance(policy="openenv"),
        )
        return _observation(self._episode)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> PhysiXObservation:
        """As `reset_async`, from a worker thread of the server."""

        async def call() -> PhysiXObservation:
            return await self.reset_async(seed, episode_id, **options)

        return from_thread.run(call)

    def step(self, action: PhysiXAction, timeout_s: float | None = None, **options: Any) -> PhysiXObservation:
        """As `step_async`, from a worker thread of the server."""

        async def call() -> PhysiXObservation:
            return await self.step_async(action, timeout_s, **options)

        return from_thread.run(call)

    @property
    def state(self) -> PhysiXState:
        """Where the episode stands; no I/O."""
        episode = self._episode
        if episode is None:
            return PhysiXState()
        return PhysiXState(
            episode_id=episode.episode_id,
            step_count=len(episode.turns),
            system_id=episode.task.system_id,
            max_turns=episode.config.max_turns,
            best_match=episode.best_match,
            outcome=episode.finished.reason if episode.finished else None,
        )

    def get_metadata(self) -> EnvironmentMetadata:
        """Name, purpose, version."""
        return EnvironmentMetadata(
            name="physix",
            description="Discover the equation of motion behind a trajectory.",
            version=__version__,
        )


def _observation(episode: Episode) -> PhysiXObservation:
    seen = observe(episode)
    last = seen.history[-1] if seen.history else None
    return PhysiXObservation(
        done=episode.finished is not None,
        reward=episode.turns[-1].rewarded.emitted if episode.turns else None,
        episode_id=episode.episode_id,
        system_id=seen.task.system_id,
        hint=seen.task.hint,
        variables=[asdict(variable) for variable in seen.task.variables],
        trajectories=[{"t": list(x.t), "states": [list(row) for row in x.states]} for x in seen.task.shown],
        turn=len(episode.turns),
        turns_remaining=seen.turns_remaining,
        history=[
            {
                "turn": past.turn,
                "equation": past.equation,
                "params": past.params,
                "reward": past.reward.total,
                "match": past.reward.match,
                "mismatch": past.mismatch,
            }
            for past in seen.history
        ],
        reward_breakdown=None if last is None else asdict(last.reward),
        r2=None if last is None else {name: fit.r2 for name, fit in last.fits.items()},
        mismatch="" if last is None else last.mismatch,
    )


def register(app: FastAPI, engine_of: Callable[[], EpisodeEngine], *, max_sessions: int) -> None:
    """Add OpenEnv's routes; `engine_of()` returns the running app's engine.

    Register last: its `/{name}/...` routes swallow what comes after.
    """
    server = HTTPEnvServer(
        lambda: PhysiXEnvironment(engine_of),
        PhysiXAction,
        PhysiXObservation,
        max_concurrent_envs=max_sessions,
        env_name="physix",
        state_cls=PhysiXState,
    )
    server.register_routes(app)
