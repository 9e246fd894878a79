"""The JSON API. Each route translates, calls the engine or the log, and projects the answer."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Annotated, cast, get_args

from anyio import to_thread
from anyio.lowlevel import checkpoint
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from physix.api.access import Access, Caller, require_open
from physix.api.http import bodies, events, views
from physix.api.http.services import After, CommandId, LastEventId, Services, Wired
from physix.api.http.tables import config_of, task_of
from physix.api.live.streams import episode_stream, log_stream, resume_after
from physix.api.quota import bill, costs
from physix.engine import Episode, Provenance, observe
from physix.engine.discovery import Discovery
from physix.engine.labels import labels_in
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import Trajectory
from physix.engine.verifier import preview
from physix.engine.verifier.types import Hypothesis
from physix.errors import (
    ConflictError,
    DiscoveryNotFoundError,
    EpisodeNotFoundError,
    ForbiddenError,
    PromptNotFoundError,
)
from physix.limits import (
    BASIC_FUNCTIONS,
    DEFAULT_PAGE,
    MAX_CURSOR,
    MAX_EXPORTED,
    MAX_FOLLOWED,
    MAX_LABEL_NAME,
    MAX_LABEL_VALUE,
    MAX_LABELS,
    MAX_PAGE,
    MAX_POLICY_NAME,
    MAX_SEARCH_TEXT,
    MAX_SYSTEM_ID,
    MAX_TIER,
    MAX_TURNS,
    PERSON,
)
from physix.policies import DEFAULT_POLICY, discover_policies, open_policy
from physix.policies.chat.asked import asked
from physix.store import EpisodeFilter, EpisodeOrder, SortKey
from physix.store.transfer import export_lines

_PICTURED = 7  # the seed of the motions that stand for their systems
_PICTURE_ROWS = 50
_BY_WORTH: frozenset[SortKey] = frozenset({"match", "total"})
_SORT = f"^-?({'|'.join(get_args(SortKey))})$"


router = APIRouter()


@router.get("/api/systems")
async def systems() -> list[views.SystemView]:
    """List the systems that can be sampled."""
    return [
        views.SystemView(
            id=system.id,
            title=system.title,
            tier=system.tier,
            held_out=system.held_out,
            description=system.description,
            hard=system.hard,
            picture=_picture(system.id),
            variables=list(system.variables),
            functions=list(BASIC_FUNCTIONS),
        )
        for system in SYSTEMS.values()
    ]


@lru_cache(maxsize=64)
def _picture(system_id: str) -> Trajectory:
    """Return what one motion of a system looks like."""
    shown = sample_task(system_id, _PICTURED)[0].shown[0]
    rows = [
        (float(f"{t:.4g}"), tuple(float(f"{x:.4g}") for x in row))
        for t, row in zip(shown.t, shown.states, strict=True)
    ]
    kept = rows[:: max(1, len(rows) // _PICTURE_ROWS)]
    return Trajectory(t=tuple(t for t, _ in kept), states=tuple(row for _, row in kept))


@router.get("/api/policies")
async def policies(wired: Wired) -> list[views.PolicyView]:
    """List the policies with their reachability right now."""
    return [views.PolicyView(**asdict(info)) for info in await discover_policies(wired.settings)]


@router.get("/api/episodes")
async def episodes(
    wired: Wired,
    caller: Caller,
    system: Annotated[str | None, Query(max_length=MAX_SYSTEM_ID)] = None,
    policy: Annotated[str | None, Query(max_length=MAX_POLICY_NAME)] = None,
    outcome: Annotated[str | None, Query(max_length=32)] = None,
    status: Annotated[str | None, Query(max_length=16)] = None,
    tier: Annotated[int | None, Query(ge=1, le=MAX_TIER)] = None,
    q: Annotated[str | None, Query(max_length=MAX_SEARCH_TEXT)] = None,
    run: Annotated[str | None, Query(max_length=MAX_LABEL_VALUE)] = None,
    step: Annotated[str | None, Query(max_length=16)] = None,
    label: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_LABEL_NAME + 1 + MAX_LABEL_VALUE)]] | None,
        Query(max_length=MAX_LABELS, description="a label that it has, as `name` or `name=value`"),
    ] = None,
    sort: Annotated[str, Query(pattern=_SORT)] = "-started",
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> views.EpisodeList:
    """Browse episodes, newest first or by another column; a minus sign before its name turns the order.

    Sorted by match or total, episodes whose turns are held back from the caller are left out.
    """
    by = cast("SortKey", sort.removeprefix("-"))
    wanted = EpisodeFilter(
        system=system,
        policy=policy,
        outcome=outcome,
        status=status,
        tier=tier,
        text=q,
        run=run,
        step=step,
        labels=labels_in(label or []),
        public=not caller.operator,
        holds_sampled=caller.hold_truth,
        ranked=caller.ranked if by in _BY_WORTH else "all",
    )
    order = EpisodeOrder(by=by, descending=sort.startswith("-"))
    page = await wired.log.list_episodes(wanted, order=order, cursor=cursor, limit=limit)
    return views.EpisodeList(
        items=[views.EpisodeRowView.of(row, caller) for row in page.items],
        next_cursor=page.next_cursor,
        total=page.total,
    )


@router.get("/api/episodes/export", response_class=Response, dependencies=[costs("sessions")])
async def export_episodes(
    wired: Wired, caller: Caller, episode: Annotated[list[str], Query(max_length=MAX_EXPORTED)]
) -> Response:
    """Download finished episodes as they are logged, in the form that `physix log import` takes."""
    for episode_id in episode:
        found = await wired.engine.load(episode_id)
        if found.finished is None:
            raise ConflictError(
                f"Episode {episode_id} still runs, and an export holds its truth: finish or abandon it first."
            )
        if not caller.told(found.started, ended=True).truth:
            raise ForbiddenError(
                episode_id,
                f"Episode {episode_id} is on a task whose truth is held back, and an export holds it: "
                "only the operator of the server may export it.",
            )
    return StreamingResponse(
        export_lines(wired.log, episode),
        media_type="application/jsonl",
        headers={"Content-Disposition": 'attachment; filename="episodes.jsonl"'},
    )


@router.get("/api/episodes/{episode_id}")
async def episode(wired: Wired, caller: Caller, episode_id: str) -> views.EpisodeView:
    """Return one episode as it stands."""
    return await _view(wired, caller, await wired.engine.load(episode_id))


@router.patch("/api/episodes/{episode_id}/labels", dependencies=[costs("turns")])
async def label_episode(
    wired: Wired, caller: Caller, episode_id: str, body: bodies.LabelsBody, command_id: CommandId = None
) -> views.EpisodeView:
    """Tag an episode or write a note on it, running or ended; null takes a label away.

    One that a client holds the token of, for that client or the operator. Labels that an episode started
    with stay as they are.
    """
    caller.require_control((await wired.engine.load(episode_id)).started, episode_id)
    return await _view(
        wired, caller, await wired.engine.label(episode_id, body.labels, command_id=command_id)
    )


@router.get("/api/episodes/{episode_id}/turns/{turn}/prompt")
async def turn_prompt(
    wired: Wired, caller: Caller, episode_id: str, turn: Annotated[int, Path(ge=1, le=MAX_TURNS)]
) -> views.PromptView:
    """Return what the policy was asked for a turn, written anew from the log."""
    found = await wired.engine.load(episode_id)
    caller.require_read(found.started, episode_id)
    if turn > len(found.turns):
        raise PromptNotFoundError(episode_id, turn)
    before = replace(found, turns=found.turns[: turn - 1], finished=None)
    prompt = asked(
        observe(before),
        found.turns[turn - 1].submitted.provenance,
        budget_tokens=wired.settings.prompt_tokens,
    )
    if prompt is None:
        raise PromptNotFoundError(episode_id, turn)
    return views.PromptView(
        turn=turn,
        messages=[views.PromptMessage(**asdict(message)) for message in prompt.messages],
        prompt_version=prompt.version,
        exact=prompt.exact,
    )


@router.get("/api/episodes/{episode_id}/discovery")
async def discovery(wired: Wired, caller: Caller, episode_id: str) -> Discovery:
    """Return what a search found: front, chosen law, rivals, intervals and what to measure next."""
    found = await wired.engine.load(episode_id)
    caller.require_read(found.started, episode_id)
    if found.discovery is None:
        raise DiscoveryNotFoundError(episode_id)
    return found.discovery


@router.get("/api/episodes/{episode_id}/events.json")
async def episode_events(
    wired: Wired, caller: Caller, episode_id: str, after: After = None
) -> list[events.PublicEvent]:
    """Return the events of an episode after a version."""
    recorded = await wired.log.read(episode_id)
    if not recorded:
        raise EpisodeNotFoundError(episode_id)
    return events.public_events(recorded, caller, after or 0)


@router.get("/api/episodes/{episode_id}/events", response_class=Response)
async def episode_event_stream(
    wired: Wired,
    caller: Caller,
    request: Request,
    episode_id: str,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream the events of an episode; `Accept: application/json` gives a list instead."""
    await wired.engine.load(episode_id)
    start = resume_after(last_event_id, after)
    if "application/json" in request.headers.get("accept", ""):
        recorded = await wired.log.read(episode_id)
        shown = events.public_events(recorded, caller, start)
        return JSONResponse([one.model_dump(mode="json") for one in shown])
    return await episode_stream(wired.log, episode_id, start, access=caller, live=wired.live)


@router.get("/api/events", response_class=Response)
async def log_event_stream(
    wired: Wired,
    caller: Caller,
    episode: Annotated[list[str] | None, Query(max_length=MAX_FOLLOWED)] = None,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream the whole log by position, optionally narrowed to some episodes."""
    return log_stream(wired.log, resume_after(last_event_id, after), episode, access=caller, live=wired.live)


@router.post("/interactive/sessions", status_code=201, dependencies=[costs("sessions")])
async def start_session(
    wired: Wired, caller: Caller, body: bodies.NewSession, command_id: CommandId = None
) -> views.EpisodeView:
    """Start an episode from a system and seed, or from a CSV; a repeated key starts no second one."""
    task, truth = await task_of(wired, body)
    if body.policy != PERSON:
        await require_policy(wired, caller, body.policy)
    config = config_of(body, [body.policy])
    started = await wired.engine.start(
        task,
        truth,
        config=config,
        policy=body.policy,
        door="interactive",
        episode_id=None if command_id is None else named_by(caller, command_id),
        command_id=command_id,
        command_digest=digest_of(body),
    )
    return await _view(wired, caller, started)


@router.post("/interactive/sessions/{episode_id}/step", dependencies=[costs("turns")])
async def step(
    wired: Wired, caller: Caller, episode_id: str, body: bodies.HypothesisBody, command_id: CommandId = None
) -> views.EpisodeView:
    """Play one turn with a person's hypothesis."""
    await _require_open(wired, episode_id)
    played = await wired.engine.submit(
        episode_id,
        Hypothesis(equation=body.equation, params=dict(body.params), rationale=body.rationale),
        provenance=Provenance(policy=PERSON),
        command_id=command_id,
    )
    await checkpoint()  # the followers first: writing the whole episode out takes longer than its newest turn
    return await _view(wired, caller, played)


@router.post("/interactive/sessions/{episode_id}/preview", dependencies=[costs("turns")])
async def preview_hypothesis(wired: Wired, episode_id: str, body: bodies.HypothesisBody) -> views.PreviewView:
    """Parse and simulate a hypothesis without spending a turn: verdict, typesetting and motion, no reward."""
    await _require_open(wired, episode_id)
    started = (await wired.engine.load(episode_id)).started
    hypothesis = Hypothesis(equation=body.equation, params=dict(body.params))
    parsed, simulation = await to_thread.run_sync(preview, started.task, hypothesis, started.config.verifier)
    return views.PreviewView(parse=parsed, simulation=simulation)


@router.post("/interactive/sessions/{episode_id}/llm-step", dependencies=[costs("turns")])
async def policy_step(
    wired: Wired, caller: Caller, episode_id: str, body: bodies.PolicyBody | None = None
) -> views.EpisodeView:
    """Let a policy play one turn."""
    await _require_open(wired, episode_id)
    name = await _policy_name(wired, caller, episode_id, body)
    return await _view(wired, caller, await wired.drivers.play_turn(episode_id, name, _temperature(body)))


@router.post("/interactive/sessions/{episode_id}/run", status_code=202)
async def run(
    wired: Wired,
    caller: Caller,
    request: Request,
    episode_id: str,
    body: bodies.PolicyBody | None = None,
) -> views.EpisodeView:
    """Let a policy play to the end in the background."""
    await _require_open(wired, episode_id)
    name = await _policy_name(wired, caller, episode_id, body)
    await bill(request, turns=turns_left(await wired.engine.load(episode_id)))
    await wired.drivers.start(episode_id, name, _temperature(body))
    return await _view(wired, caller, await wired.engine.load(episode_id))


@router.post("/interactive/sessions/{episode_id}/pause")
async def pause(wired: Wired, caller: Caller, episode_id: str) -> views.EpisodeView:
    """Stop the policy that plays; the episode can go on later."""
    await wired.drivers.stop(episode_id)
    return await _view(wired, caller, await wired.engine.load(episode_id))


@router.post("/interactive/sessions/{episode_id}/abandon")
async def abandon(wired: Wired, caller: Caller, episode_id: str) -> views.EpisodeView:
    """End the episode as abandoned; one that a client holds the token of, for that client or the operator."""
    caller.require_control((await wired.engine.load(episode_id)).started, episode_id)
    await wired.drivers.stop(episode_id)
    return await _view(wired, caller, await wired.engine.abandon(episode_id))


def named_by(caller: Access, command_id: str) -> str:
    """Return the id of what a command starts: the same key of the same caller names the same thing."""
    return hashlib.sha256(f"{caller.token_sha256}\0{command_id}".encode()).hexdigest()[:32]


def digest_of(body: BaseModel, *, of: str = "") -> str:
    """Identify a command, its body and what it is about: a key that comes back with another is a mistake."""
    return hashlib.sha256(f"{of}{body.model_dump_json()}".encode()).hexdigest()


def turns_left(episode: Episode) -> int:
    """Return how many turns a policy may play on; one that has ended still costs the asking."""
    return max(1, episode.config.max_turns - len(episode.turns))


async def _require_open(wired: Services, episode_id: str) -> None:
    """Refuse to touch an episode that is not played in the open."""
    require_open((await wired.engine.load(episode_id)).started, episode_id)


async def require_policy(wired: Services, caller: Access, name: str) -> None:
    """Refuse a policy that cannot play for this caller: what a replay repeats, its episode tells everyone.

    Raises:
        UnknownPolicyError, BadInputError, EpisodeNotFoundError: as `open_policy`.
        ForbiddenError: it would repeat an episode that is held back from the caller.
    """
    if name.startswith("replay:"):
        repeated = await wired.engine.load(name.removeprefix("replay:"))
        caller.require_read(repeated.started, repeated.episode_id)
    await open_policy(name, wired.log, wired.settings)


async def _policy_name(
    wired: Services, caller: Access, episode_id: str, body: bodies.PolicyBody | None
) -> str:
    episode = await wired.engine.load(episode_id)
    if body is not None and body.policy is not None:
        await require_policy(wired, caller, body.policy)
        return body.policy
    return DEFAULT_POLICY if episode.started.policy == PERSON else episode.started.policy


def _temperature(body: bodies.PolicyBody | None) -> float | None:
    return body.temperature if body is not None else None


async def _view(wired: Services, caller: Access, episode: Episode) -> views.EpisodeView:
    driven = episode.episode_id in await wired.drivers.driven()
    return views.EpisodeView.of(episode, caller, driven=driven)
