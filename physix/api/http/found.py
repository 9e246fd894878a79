"""Routes for whoever brought the data: fit a law of one's own, and take the report home."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from physix.api.access import Access, Caller
from physix.api.found.discover import examined, own_law
from physix.api.found.plain import plain
from physix.api.found.report import report_html
from physix.api.found.result import Found, Result
from physix.api.http.bodies import Body, Finite
from physix.api.http.services import Services, Wired
from physix.api.quota import bill
from physix.engine import Episode
from physix.engine.answer import Answer, answer
from physix.engine.discovery import Constant, Residuals
from physix.engine.examine import examine
from physix.engine.systems.measured import MeasuredTask
from physix.engine.verifier.types import Mismatch
from physix.errors import ConflictError, ForbiddenError
from physix.limits import MAX_PARAMS, MAX_RECORDED_EQUATION

router = APIRouter()
_TURNS = 3  # a fit to the shown rows, one to all of them, and the verdict: as much as so many turns


class FitBody(Body):
    """A law of one's own, in any notation."""

    law: str = Field(min_length=1, max_length=MAX_RECORDED_EQUATION)
    params: dict[str, Finite | None] = Field(
        default_factory=dict,
        max_length=MAX_PARAMS,
        description="constants that are known; the others are fitted",
    )


class FitView(BaseModel):
    """What the data say of a law."""

    episode_id: str
    outcome: Literal["solved", "fits", "not_solved"]
    equation: str | None = Field(description="in the grammar, as it was understood")
    latex: str | None
    complexity: int = Field(description="operators, as the front of laws counts them; 0 if it cannot be read")
    said: list[str] = Field(description="in words, the most important first; plain text")
    constants: list[Constant] = Field(
        description="from the shown rows, with standard errors and 95 % intervals"
    )
    from_all_rows: list[Constant] = Field(description="from shown and held-back rows together")
    undetermined: list[list[str]] = Field(description="groups of constants that the data cannot tell apart")
    chi2: float | None = Field(description="per sample; 1 is what the noise makes")
    samples: int
    match: float
    generalisation: float | None
    missing: str = Field(description="what the verifier finds wanting")
    findings: Mismatch | None
    residuals: list[Residuals]


@router.post("/api/episodes/{episode_id}/fit")
async def fit_law(wired: Wired, caller: Caller, request: Request, episode_id: str, body: FitBody) -> FitView:
    """Fit a law of your own to an episode's data and judge it on what was held back; nothing is recorded."""
    episode = await _whole(wired, caller, episode_id)
    await bill(request, turns=_TURNS)
    result = await to_thread.run_sync(_fitted, episode, body.law, dict(body.params), limiter=wired.reading)
    return _view(result)


@router.get("/api/episodes/{episode_id}/report", response_class=Response)
async def report(
    wired: Wired,
    caller: Caller,
    request: Request,
    episode_id: str,
    law: Annotated[
        str | None, Query(max_length=MAX_RECORDED_EQUATION, description="of your own; else the one found")
    ] = None,
) -> Response:
    """Download a report: one HTML file that prints to PDF."""
    episode = await _whole(wired, caller, episode_id)
    told: Callable[[], Result]
    if law is not None:
        told = partial(_fitted, episode, law, {})
    elif (came_to := answer(episode)) is not None:
        told = partial(_found, episode, came_to)
    else:
        raise ConflictError(f"Episode {episode_id} has no turn yet: there is no law to report on.")
    await bill(request, turns=_TURNS)
    content = await to_thread.run_sync(lambda: report_html(told()), limiter=wired.reading)
    return Response(
        content,
        media_type="text/html",
        headers={
            "Content-Disposition": f'attachment; filename="report-{episode_id[:12]}.html"',
            # Its plots are inline styles; it needs, and may load, nothing else.
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
    )


async def _whole(wired: Services, caller: Access, episode_id: str) -> Episode:
    """Return an episode whose held-back data this caller may be told of.

    Raises:
        ConflictError: it still runs, and what is held back would help its player.
        ForbiddenError: its truth is held back.
    """
    episode = await wired.engine.load(episode_id)
    caller.require_read(episode.started, episode_id)
    if episode.finished is None and not (episode.task.measured and not episode.owned):
        raise ConflictError(f"Episode {episode_id} still runs: a report tells what is held back from it.")
    if not caller.told(episode.started, ended=True).truth:
        raise ForbiddenError(
            episode_id,
            f"Episode {episode_id} is on a task whose truth is held back, and this would tell of it.",
        )
    return episode


def _fitted(episode: Episode, law: str, params: dict[str, float | None]) -> Result:
    made = _made(episode)
    hypothesis = own_law(made, law, params, episode.config.verifier.functions)
    return Result(
        task=made.task,
        truth=made.truth,
        notes=(),
        examined=examine(made.task, made.truth, hypothesis, episode.config.verifier),
        episode_id=episode.episode_id,
        events=(),
    )


def _found(episode: Episode, came_to: Answer) -> Found:
    made = _made(episode)
    return Found(
        task=made.task,
        truth=made.truth,
        notes=(),
        examined=examined(episode, came_to),
        episode_id=episode.episode_id,
        events=(),
        discovery=episode.discovery,
    )


def _made(episode: Episode) -> MeasuredTask:
    return MeasuredTask(task=episode.task, truth=episode.started.truth, problems=())


def _view(result: Result) -> FitView:
    told = plain(result)
    shown = {name: told[name] for name in FitView.model_fields if name in told}
    return FitView(**shown, complexity=result.examined.verification.parse.operators)
