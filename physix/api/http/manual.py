"""Routes for a person at the bench: try a hypothesis, fit its constants, see a law from another start."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field

from physix.api.access import Caller
from physix.api.http.bodies import Body, Finite, HypothesisBody
from physix.api.http.services import Wired
from physix.api.quota import costs
from physix.engine.verifier.followed import Followed, followed
from physix.engine.verifier.functions import allowed
from physix.engine.verifier.trial import Motion, Trial, elsewhere, tried
from physix.engine.verifier.types import Hypothesis, Rejection
from physix.errors import BadInputError, ConflictError, ForbiddenError
from physix.limits import MAX_PARAMS, MAX_RECORDED_EQUATION, PERSON
from physix.policies.chat.own_law import constants_in, slips, understood

router = APIRouter()


class TrialBody(Body):
    """A hypothesis that is being written, in any notation that a model's reply may have."""

    equation: str = Field(max_length=MAX_RECORDED_EQUATION)
    params: dict[str, Finite | None] = Field(
        default_factory=dict,
        max_length=4 * MAX_PARAMS,
        description="values known so far; null asks for a fit, a constant without a value counts as 1",
    )


class TrialView(BaseModel):
    """What a hypothesis would do on the shown data."""

    equation: str = Field(description="in the grammar, as it was understood: this is what to submit")
    params: dict[str, float | None] = Field(description="every constant of the equation")
    meant: dict[str, str] = Field(description="names that look like a slip, and what may have been meant")
    functions: list[str] = Field(description="what may be called in this episode")
    trial: Trial


class StartBody(HypothesisBody):
    """A law, and where it is to start."""

    start: Annotated[list[Finite], Field(min_length=1, max_length=8)]


@router.post("/interactive/sessions/{episode_id}/try", dependencies=[costs("turns")])
async def try_hypothesis(wired: Wired, episode_id: str, body: TrialBody) -> TrialView:
    """Try a hypothesis on the shown data: no turn spent, no reward. Only in a session that a person plays."""
    episode = await wired.engine.load(episode_id)
    started = episode.started
    if started.token_sha256 is not None or started.policy != PERSON or started.door != "interactive":
        raise ForbiddenError(
            episode_id,
            f"Episode {episode_id[:80]} is not a person's to try; /preview tells no score.",
        )
    task, config = started.task, started.config.verifier
    equation = understood(body.equation, task, body.params)
    names = constants_in(equation, task)
    params = {name: body.params.get(name, 1.0) for name in names}
    made = Hypothesis(equation=equation, params=params)
    trial = await to_thread.run_sync(tried, task, made, config, limiter=wired.reading)
    return TrialView(
        equation=equation,
        params=params | trial.simulation.fitted,
        meant=slips(equation, task, config.functions),
        functions=list(allowed(config.functions)),
        trial=trial,
    )


@router.post("/api/episodes/{episode_id}/elsewhere", dependencies=[costs("turns")])
async def from_elsewhere(wired: Wired, caller: Caller, episode_id: str, body: StartBody) -> Motion:
    """Show a law, and the true one beside it, from a start of your own; once the episode has ended."""
    episode = await wired.engine.load(episode_id)
    started = episode.started
    caller.require_read(started, episode_id)
    if episode.finished is None:
        raise ConflictError(f"Episode {episode_id} still runs: other starts are shown once it has ended.")
    count = len(started.task.variables)
    if len(body.start) != count:
        raise BadInputError(f"start has {len(body.start)} values; the task has {count} state variables.")
    told = caller.told(started, ended=True)
    law = Hypothesis(equation=body.equation, params=dict(body.params))
    moved = await to_thread.run_sync(
        elsewhere,
        started.task,
        started.truth if told.truth else None,
        law,
        body.start,
        started.config.verifier,
        limiter=wired.reading,
    )
    if isinstance(moved, Rejection):
        raise BadInputError(moved.message)
    return moved


@router.post("/api/episodes/{episode_id}/follow", dependencies=[costs("turns")])
async def follow_law(wired: Wired, caller: Caller, episode_id: str, body: HypothesisBody) -> Followed:
    """Set a law against every row: motions, residuals, and what was held back once the episode has ended.

    While it runs only data of one's own are looked at: a policy that plays a sampled system is not helped.
    """
    episode = await wired.engine.load(episode_id)
    started, ended = episode.started, episode.finished is not None
    caller.require_read(started, episode_id)
    if not ended and not (started.task.measured and started.token_sha256 is None):
        raise ConflictError(f"Episode {episode_id} still runs: laws are set against its data after it.")
    told = caller.told(started, ended=ended)
    law = Hypothesis(equation=body.equation, params=dict(body.params))
    found = await to_thread.run_sync(
        followed,
        started.task,
        started.truth if told.truth else None,
        law,
        started.config.verifier,
        limiter=wired.reading,
    )
    if isinstance(found, Rejection):
        raise BadInputError(found.message)
    return found
