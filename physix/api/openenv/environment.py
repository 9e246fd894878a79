"""OpenEnv's environment over the engine: every OpenEnv episode is in the log like any other."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

from anyio import from_thread, to_thread
from fastapi import APIRouter, FastAPI, Request
from openenv.core.env_server.http_server import HTTPEnvServer
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata
from openenv.core.rubrics import Rubric
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from physix.api.access import Access
from physix.api.openenv.client import PhysiXAction, PhysiXObservation, PhysiXResetObservation, PhysiXState
from physix.api.openenv.observation import first_observation, step_observation
from physix.api.openenv.wire import WireFaultError, strict_json
from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import SPLITS, count, salt_fingerprint, split_task, task_row
from physix.engine.systems.task import Task, Truth, is_evaluation
from physix.engine.verifier.functions import default_functions
from physix.engine.verifier.types import Constants, FunctionSet, Hypothesis, Profile, VerifierConfig
from physix.errors import BadInputError, ConflictError, ForbiddenError
from physix.limits import (
    DEFAULT_TURNS,
    EPISODE_ID,
    MAX_LABEL_VALUE,
    MAX_NOISE,
    MAX_SEED,
    MAX_SYSTEM_ID,
    MAX_TIER,
    MAX_TOKEN,
    MAX_TRAJECTORIES,
    MAX_TURNS,
    MIN_TOKEN,
    PUBLIC_SALT,
)
from physix.version import __version__

_ID = rf"^{EPISODE_ID}$"


class ResetOptions(BaseModel):
    """What `reset` takes."""

    model_config = ConfigDict(extra="forbid")

    seed: Annotated[int, Field(strict=True, ge=0, le=MAX_SEED)] | None = None
    episode_id: Annotated[str, Field(pattern=_ID)] | None = None
    token: Annotated[str, Field(min_length=MIN_TOKEN, max_length=MAX_TOKEN)] | None = None
    resume: Annotated[bool, Field(strict=True)] = False
    system_id: Annotated[str, Field(max_length=MAX_SYSTEM_ID)] | None = None
    tier: Annotated[int, Field(strict=True, ge=1, le=MAX_TIER)] | None = None
    split: Literal["train", "validation", "test"] | None = None
    index: Annotated[int, Field(strict=True, ge=0, le=MAX_SEED)] | None = None
    task_from: Annotated[str, Field(pattern=_ID)] | None = None
    noise: Annotated[float, Field(ge=0.0, le=MAX_NOISE, allow_inf_nan=False)] | None = None
    trajectories: Annotated[int, Field(strict=True, ge=1, le=MAX_TRAJECTORIES)] | None = None
    max_turns: Annotated[int, Field(strict=True, ge=1, le=MAX_TURNS)] = DEFAULT_TURNS
    # None: strict and gain for a task of an evaluation split, else the seed's contract, classic and total
    profile: Profile | None = None
    reward_mode: Literal["total", "gain"] | None = None
    constants: Constants = "declared"
    functions: FunctionSet | None = None  # None: extended for measured data, else basic
    hint: Annotated[bool, Field(strict=True)] = True
    run: Annotated[str, Field(min_length=1, max_length=MAX_LABEL_VALUE)] | None = None


class Component(Rubric):
    """One component of the reward, as the log has it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def forward(self, action: Any, observation: Any) -> float:
        """Return the component, 0 before the first turn."""
        breakdown: dict[str, float] = observation.reward_breakdown or {}
        return breakdown.get(self._name, 0.0)


class PhysiXRubric(Rubric):
    """The weighted total of its children; the log's number, computed in the verifier's order."""

    def __init__(self) -> None:
        super().__init__()
        self.match = Component("match")
        self.progress = Component("progress")
        self.simplicity = Component("simplicity")
        self.format = Component("format")

    def forward(self, action: Any, observation: Any) -> float:
        """Return the turn's total, whatever the reward mode."""
        rules = VerifierConfig()
        return (
            rules.weight_match * self.match(action, observation)
            + rules.weight_progress * self.progress(action, observation)
            + rules.weight_simplicity * self.simplicity(action, observation)
            + rules.weight_format * self.format(action, observation)
        )


class PhysiXEnvironment(Environment[PhysiXAction, PhysiXObservation, PhysiXState]):
    """One session: at most one episode at a time.

    Args:
        engine_of: returns the running engine. A function, because OpenEnv makes a throw-away
            instance before the app, and with it the engine, has started.
        salt: draws the tasks of the evaluation splits.
        hold_truth: whether the seed of a sampled task is kept from its player as well.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(
        self, engine_of: Callable[[], EpisodeEngine], *, salt: str = PUBLIC_SALT, hold_truth: bool = False
    ) -> None:
        super().__init__(rubric=PhysiXRubric())
        self._engine_of = engine_of
        self._salt = salt
        self._access = Access(hold_truth=hold_truth)  # of whoever plays here
        self._episode: Episode | None = None

    # Positional-only, here and below: a request may well name an option "self".
    async def reset_async(
        self, /, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> PhysiXResetObservation:
        """Start an episode, or resume one.

        Raises:
            BadInputError: an option is unknown or out of range, or two contradict each other.
            ForbiddenError: the episode to resume needs its token.
        """
        wanted = _options({**options, "seed": seed, "episode_id": episode_id})
        if wanted.resume:
            return await self._resume(wanted)
        task, truth = await self._task(wanted)
        evaluation = is_evaluation(task.system_id, task.seed)
        config = EpisodeConfig(
            verifier=VerifierConfig(
                profile=wanted.profile or ("strict" if evaluation else "classic"),
                constants=wanted.constants,
                functions=wanted.functions or default_functions(measured=task.measured),
            ),
            max_turns=wanted.max_turns,
            reward_mode=wanted.reward_mode or ("gain" if evaluation else "total"),
        )
        token = wanted.token or secrets.token_urlsafe(24)
        given = {"split": wanted.split, "run": wanted.run}
        labels = {name: value for name, value in given.items() if value is not None}

        async def start(episode_id: str | None) -> Episode:
            return await self._engine_of().start(
                task,
                truth,
                config=config,
                policy="openenv",
                door="openenv",
                episode_id=episode_id,
                token_sha256=_sha256(token),
                labels=labels,
            )

        try:
            self._episode = await start(wanted.episode_id)
        except ConflictError:
            # A trainer that names its episodes must not stop where a run is repeated. A reset sent again,
            # as its answer was lost, is no new episode: it bears the token that only its sender knows.
            known = await self._engine_of().load(wanted.episode_id or "")
            same = (known.started.token_sha256, known.version, known.task, known.config)
            repeated = same == (_sha256(token), 1, task, config)
            self._episode = known if repeated else await start(None)
        self._reset_rubric()
        return first_observation(self._episode, token)

    async def _resume(self, wanted: ResetOptions) -> PhysiXResetObservation:
        given = wanted.model_fields_set - {"resume", "episode_id", "token", "seed"}
        if wanted.episode_id is None or wanted.token is None or given or wanted.seed is not None:
            raise BadInputError("reset: resume takes episode_id and token, and nothing else.")
        self._episode = await self._owned(wanted.episode_id, wanted.token)
        return first_observation(self._episode, wanted.token)

    async def _owned(self, episode_id: str, token: str | None) -> Episode:
        episode = await self._engine_of().load(episode_id)
        expected = episode.started.token_sha256
        if expected is None or token is None or not hmac.compare_digest(_sha256(token), expected):
            raise ForbiddenError(episode_id)
        return episode

    async def _task(self, wanted: ResetOptions) -> tuple[Task, Truth]:
        fixed = (wanted.system_id, wanted.tier, wanted.noise, wanted.trajectories)
        if wanted.task_from is not None:
            if any(x is not None for x in (*fixed, wanted.split, wanted.index, wanted.seed)):
                raise BadInputError("reset: task_from is a whole task; leave out what would draw another.")
            source = await self._engine_of().load(wanted.task_from)
            if source.owned:
                # A copy could be ended at once, and an ended episode shows its truth.
                raise ForbiddenError(wanted.task_from)
            return _hinted(wanted.hint, source.started.task, source.started.truth)
        if wanted.split is not None:
            if any(x is not None for x in fixed):
                raise BadInputError(
                    "reset: a split's tasks are fixed; leave out system_id, tier, noise and trajectories."
                )
            if wanted.index is not None and wanted.seed is not None:
                raise BadInputError("reset: give index or seed with a split, not both.")
            total = count(wanted.split)
            index = wanted.index if wanted.index is not None else _seed(wanted) % total
            # Three simulations: milliseconds that other sessions need not wait.
            return await to_thread.run_sync(partial(_of_split, wanted.split, index, self._salt, wanted.hint))
        if wanted.index is not None:
            raise BadInputError("reset: index needs a split.")
        seed = _seed(wanted)
        system_id, trajectories = _system_id(wanted, seed), wanted.trajectories or 1
        return await to_thread.run_sync(
            partial(_sampled, system_id, seed, wanted.noise, trajectories, wanted.hint)
        )

    async def step_async(
        self, action: PhysiXAction, /, timeout_s: float | None = None, **options: Any
    ) -> PhysiXObservation:
        """Play one turn; over HTTP, where no session is held, of the episode that the options name.

        Raises:
            BadInputError: there is no episode yet, or an option is unknown.
            ForbiddenError: the episode needs its token.
            EpisodeFinishedError: it has ended.
            ConflictError: another session that resumed it played on, or the key was used differently.
        """
        unknown = sorted(options.keys() - {"episode_id", "token", "request_id"})
        if unknown:
            raise BadInputError(f"step: unknown option {unknown[0][:40]!r}; episode_id and token are known.")
        if options.get("episode_id") is not None:
            self._episode = await self._owned(_text(options, "episode_id") or "", _text(options, "token"))
        if self._episode is None:
            raise BadInputError(
                "There is no episode yet: call reset first. "
                "Over HTTP, give episode_id and token with the step."
            )
        key = action.idempotency_key or _text(options, "request_id")
        answered = await self._engine_of().answer(
            self._episode.episode_id,
            Hypothesis(equation=action.equation, params=dict(action.params), rationale=action.rationale),
            provenance=Provenance(policy="openenv"),
            expected_version=self._episode.version,
            command_id=key,
        )
        if answered.episode.version > self._episode.version:
            self._episode = answered.episode
        observation = step_observation(answered.episode, repeated=answered.repeated)
        self._apply_rubric(action, observation)
        return observation

    def reset(
        self, /, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> PhysiXResetObservation:
        """As `reset_async`, from a worker thread of the server."""

        async def call() -> PhysiXResetObservation:
            return await self.reset_async(seed, episode_id, **options)

        return from_thread.run(call)

    def step(
        self, action: PhysiXAction, /, timeout_s: float | None = None, **options: Any
    ) -> PhysiXObservation:
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
        told = self._access.told(episode.started, ended=episode.finished is not None)
        return PhysiXState(
            episode_id=episode.episode_id,
            step_count=len(episode.turns),
            # Naming the system of an evaluation task tells half its law, also when this episode has ended.
            system_id=episode.task.system_id if told.system else None,
            task_id=told.task(episode.task).task_id,
            max_turns=episode.config.max_turns,
            profile=episode.config.verifier.profile,
            reward_mode=episode.config.reward_mode,
            solved_threshold=episode.config.verifier.solved_threshold,
            best_match=episode.best_match,
            best_total=episode.best_total,
            outcome=episode.outcome.reason,
        )

    def get_metadata(self) -> EnvironmentMetadata:
        """Name, purpose, version."""
        return EnvironmentMetadata(
            name="physix",
            description="Discover the equation of motion behind a trajectory. "
            f"Evaluation salt {salt_fingerprint(self._salt)}.",
            version=__version__,
        )

    def list_splits(self) -> list[dict[str, str]]:
        """See OpenEnv's TaskProvider."""
        return [{"name": name, "type": name} for name in SPLITS]

    def num_tasks(self, split: str) -> int:
        """Return how many tasks a split has; BadInputError if there is none of this name."""
        return count(split)

    def get_task(self, split: str, index: int) -> dict[str, str | int]:
        """Return one task row: nothing from which an evaluation task could be drawn."""
        return task_row(split, index)

    def list_tasks(self, split: str) -> list[dict[str, str | int]]:
        """Return every row of a split."""
        return [task_row(split, index) for index in range(count(split))]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, str | int]]:
        """Return the rows of a Python slice of the split."""
        return [task_row(split, index) for index in range(count(split))[start:stop]]


# A trainer begins a group of episodes on one task. Drawn once it is one object, and what the verifier
# computes of it, the verdict on a law that comes back included, is computed once.
@lru_cache(maxsize=64)
def _sampled(
    system_id: str, seed: int, noise: float | None, trajectories: int, hint: bool
) -> tuple[Task, Truth]:
    return _hinted(hint, *sample_task(system_id, seed, noise=noise, trajectories=trajectories))


@lru_cache(maxsize=64)
def _of_split(split: str, index: int, salt: str, hint: bool) -> tuple[Task, Truth]:
    return _hinted(hint, *split_task(split, index, salt=salt))


def _hinted(hint: bool, task: Task, truth: Truth) -> tuple[Task, Truth]:
    return (task if hint or not task.hint else replace(task, hint="")), truth


def _options(given: dict[str, Any]) -> ResetOptions:
    try:
        return ResetOptions(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ascii(".".join(str(part)[:40] for part in first["loc"]))[1:-1]
        known = ", ".join(ResetOptions.model_fields)
        raise BadInputError(f"reset: {where}: {first['msg']}. Options: {known}.") from error


def _seed(wanted: ResetOptions) -> int:
    # Without a seed every reset is another task; the seed drawn is in the log with the task.
    return secrets.randbelow(MAX_SEED + 1) if wanted.seed is None else wanted.seed


def _system_id(wanted: ResetOptions, seed: int) -> str:
    if wanted.system_id is None:
        fitting = [
            system.id
            for system in SYSTEMS.values()
            if (system.tier == wanted.tier if wanted.tier is not None else not system.held_out)
        ]
        if not fitting:
            raise BadInputError(f"reset: no system has tier {wanted.tier}.")
        return fitting[seed % len(fitting)]
    system = SYSTEMS.get(wanted.system_id)
    if system is not None and wanted.tier not in (None, system.tier):
        raise BadInputError(f"reset: {system.id} has tier {system.tier}, not {wanted.tier}.")
    return wanted.system_id


def _text(options: dict[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise BadInputError(f"step: {name} must be text of 1 to 128 characters.")
    return value


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


mcp_router = APIRouter()


@mcp_router.post("/mcp", tags=["MCP"])
async def mcp(request: Request) -> dict[str, Any]:
    """Answer JSON-RPC: there are no tools, and no sessions to open without a socket of one's own."""
    try:
        call = strict_json(await request.body())
    except WireFaultError as error:
        return _rpc(None, {"error": {"code": -32700, "message": f"The body is {error}."}})
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or not isinstance(call.get("method"), str):
        return _rpc(None, {"error": {"code": -32600, "message": "Not a JSON-RPC 2.0 request."}})
    request_id = call.get("id")
    if not isinstance(request_id, str | int):
        request_id = None
    if call["method"] == "tools/list":
        return _rpc(request_id, {"result": {"tools": []}})
    message = (
        f"There is no method {ascii(call['method'])[1:-1][:80]!r}: play through /ws, or /reset and /step."
    )
    return _rpc(request_id, {"error": {"code": -32601, "message": message}})


def _rpc(request_id: str | int | None, outcome: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, **outcome}


def register(
    app: FastAPI,
    engine_of: Callable[[], EpisodeEngine],
    *,
    max_sessions: int,
    salt: str = PUBLIC_SALT,
    hold_truth: bool = False,
) -> None:
    """Add OpenEnv's routes; `engine_of()` returns the running app's engine.

    Register last: its `/{name}/...` routes swallow what comes after.
    """
    app.include_router(mcp_router)  # first, so that OpenEnv's own /mcp is never reached
    server = HTTPEnvServer(
        lambda: PhysiXEnvironment(engine_of, salt=salt, hold_truth=hold_truth),
        PhysiXAction,
        PhysiXObservation,
        max_concurrent_envs=max_sessions,
        env_name="physix",
        state_cls=PhysiXState,
        reset_observation_cls=PhysiXResetObservation,
    )
    server.register_routes(app)
