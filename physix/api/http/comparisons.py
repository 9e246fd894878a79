"""Routes for comparisons and forks."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from physix.api.access import Access, Caller, is_open, require_open
from physix.api.http import bodies, views
from physix.api.http.routes import digest_of, named_by, require_policy, turns_left
from physix.api.http.services import After, CommandId, LastEventId, Services, Wired
from physix.api.http.tables import config_of, task_of
from physix.api.live.streams import comparison_stream, resume_after
from physix.api.quota import bill, costs
from physix.engine import RecordedEvent
from physix.engine.comparison import load_members, member_id, start_of, summarise
from physix.engine.fork import fork
from physix.errors import BadInputError, ForbiddenError
from physix.limits import MAX_EPISODE_ID, PERSON

ComparisonId = Annotated[str, Path(max_length=MAX_EPISODE_ID)]

router = APIRouter()


@router.post("/api/comparisons", status_code=201)
async def start_comparison(
    wired: Wired,
    caller: Caller,
    request: Request,
    body: bodies.NewComparison,
    command_id: CommandId = None,
) -> views.ComparisonView:
    """Start the same task under several policies at once; a repeated key starts no second comparison."""
    if len(set(body.policies)) != len(body.policies):
        raise BadInputError("A policy is named twice; name each once.")
    await bill(request, sessions=len(body.policies), turns=len(body.policies) * body.max_turns)
    for name in body.policies:
        await require_policy(wired, caller, name)
    task, truth = await task_of(wired, body)
    comparison_id = uuid.uuid4().hex if command_id is None else named_by(caller, command_id)
    repeated = command_id is not None and await wired.log.read(member_id(comparison_id, 0)) != ()
    for index, name in enumerate(body.policies):
        await wired.engine.start(
            task,
            truth,
            config=config_of(body, body.policies),
            policy=name,
            door="interactive",
            episode_id=member_id(comparison_id, index),
            comparison_id=comparison_id,
            command_id=command_id,
            command_digest=digest_of(body),
        )
    for index, name in enumerate(() if repeated else body.policies):
        await wired.drivers.start(member_id(comparison_id, index), name)
    return await _view(wired, caller, comparison_id)


@router.get("/api/comparisons/{comparison_id}")
async def comparison(wired: Wired, caller: Caller, comparison_id: ComparisonId) -> views.ComparisonView:
    """Return a comparison as it stands."""
    return await _view(wired, caller, comparison_id)


@router.post("/api/comparisons/{comparison_id}/pause")
async def pause_comparison(wired: Wired, caller: Caller, comparison_id: ComparisonId) -> views.ComparisonView:
    """Stop all policies that play; they can go on later."""
    for events in await load_members(wired.log, comparison_id):
        await wired.drivers.stop(events[0].episode_id)
    return await _view(wired, caller, comparison_id)


@router.post("/api/comparisons/{comparison_id}/abandon")
async def abandon_comparison(
    wired: Wired, caller: Caller, comparison_id: ComparisonId
) -> views.ComparisonView:
    """End all members that have not finished as abandoned."""
    for events in await load_members(wired.log, comparison_id):
        member = summarise(events)
        if member.outcome.reason is None:
            caller.require_control(start_of(events), member.episode_id)
            await wired.drivers.stop(member.episode_id)
            if (await wired.engine.load(member.episode_id)).finished is None:
                await wired.engine.abandon(member.episode_id)
    return await _view(wired, caller, comparison_id)


@router.post("/api/comparisons/{comparison_id}/run", status_code=202)
async def run_comparison(
    wired: Wired, caller: Caller, request: Request, comparison_id: ComparisonId
) -> views.ComparisonView:
    """Let all policies that have not finished play on."""
    driven = await wired.drivers.driven()
    for events in await load_members(wired.log, comparison_id):
        member = summarise(events)
        if member.outcome.reason is None and member.episode_id not in driven:
            require_open(start_of(events), member.episode_id)
            await bill(request, turns=turns_left(await wired.engine.load(member.episode_id)))
            await wired.drivers.start(member.episode_id, member.policy)
    return await _view(wired, caller, comparison_id)


@router.get("/api/comparisons/{comparison_id}/events", response_class=Response)
async def comparison_events(
    wired: Wired,
    caller: Caller,
    comparison_id: ComparisonId,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream all members by position, live text between, and the summary at the end."""
    members = await _members(wired, caller, comparison_id)

    async def summary() -> bytes:
        return (await _view(wired, caller, comparison_id)).model_dump_json().encode()

    return await comparison_stream(
        wired.log,
        [events[0].episode_id for events in members],
        resume_after(last_event_id, after),
        access=caller,
        live=wired.live,
        summary=summary,
    )


@router.post("/interactive/sessions/{episode_id}/fork", status_code=201, dependencies=[costs("sessions")])
async def fork_session(
    wired: Wired, caller: Caller, episode_id: str, body: bodies.ForkBody, command_id: CommandId = None
) -> views.EpisodeView:
    """Begin a new episode with the first turns of this one; a repeated key begins no second one."""
    original = await wired.engine.load(episode_id)
    if original.owned:
        # A fork could be ended at once, and an ended episode shows its truth.
        raise ForbiddenError(episode_id)
    if not is_open(original.started) and caller.holds_back(original.task.system_id, original.task.seed):
        # A fork is open: everyone would read the turns that are held back.
        raise ForbiddenError(episode_id)
    policy = body.policy or original.started.policy
    if policy != PERSON and body.policy is not None:
        await require_policy(wired, caller, policy)
    forked = await fork(
        wired.engine,
        episode_id,
        turn=body.turn,
        policy=policy,
        door="interactive",
        max_turns=body.max_turns,
        fork_id=None if command_id is None else named_by(caller, command_id),
        command_id=command_id,
        command_digest=digest_of(body, of=episode_id),
    )
    driven = forked.episode_id in await wired.drivers.driven()
    return views.EpisodeView.of(forked, caller, driven=driven)


async def _members(wired: Services, caller: Access, comparison_id: str) -> list[tuple[RecordedEvent, ...]]:
    """Return the members' events.

    Raises:
        EpisodeNotFoundError: there is no such comparison.
        ForbiddenError: the turns of one are held back from this caller.
    """
    members = await load_members(wired.log, comparison_id)
    for events in members:
        caller.require_read(start_of(events), events[0].episode_id)
    return members


async def _view(wired: Services, caller: Access, comparison_id: str) -> views.ComparisonView:
    members = await _members(wired, caller, comparison_id)
    return view_of(comparison_id, members, caller, frozenset(await wired.drivers.driven()))


def view_of(
    comparison_id: str,
    members: list[tuple[RecordedEvent, ...]],
    access: Access,
    driven: frozenset[str] = frozenset(),
) -> views.ComparisonView:
    """Project a comparison from its members' events, as far as they may be told."""
    first = start_of(members[0])
    summaries = [summarise(events) for events in members]
    told = [
        access.told(start_of(events), ended=member.outcome.reason is not None)
        for events, member in zip(members, summaries, strict=True)
    ]
    task = access.told(first, ended=False).task(first.task)
    return views.ComparisonView(
        comparison_id=comparison_id,
        status="finished" if all(member.outcome.reason for member in summaries) else "running",
        system_id=task.system_id,
        seed=task.seed,
        title=task.title,
        members=[
            views.MemberView.of_member(member, may, driven=member.episode_id in driven)
            for member, may in zip(summaries, told, strict=True)
        ],
    )
