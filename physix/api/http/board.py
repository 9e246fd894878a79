"""Routes for boards: many episodes of many policies, counted before they start, told as shares."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict
from functools import lru_cache
from statistics import median
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from physix.api.access import Access, Caller
from physix.api.http.board_views import (
    BoardEpisodeList,
    BoardList,
    BoardSummary,
    BoardView,
    CeilingView,
    DifferenceView,
    EstimateView,
    NewBoard,
    PlanView,
    SuiteView,
    difference_told,
    episode_view,
    interval_view,
    row_view,
    system_views,
    why_withheld,
)
from physix.api.http.routes import require_policy
from physix.api.http.services import Services, Wired
from physix.api.live.boards import Boards, board_stream
from physix.api.quota import bill
from physix.engine.systems.splits import count
from physix.errors import BadInputError, ForbiddenError
from physix.limits import DEFAULT_PAGE, MAX_BOARD_EPISODES, MAX_PAGE, MAX_POLICY_NAME
from physix.training.board.files import Board, BoardFolder, Header, export, list_boards
from physix.training.board.plan import Plan
from physix.training.board.run import cannot_ask, new_header, require_policies
from physix.training.board.suites import SPLITS, SUITES, problems
from physix.training.board.table import Difference, Row, by_system, differences, rows

router = APIRouter()
BoardId = Annotated[str, Path(max_length=96)]


def boards_of(request: Request) -> Boards:
    """Return the running app's boards."""
    found: Boards = request.app.state.boards
    return found


Playing = Annotated[Boards, Depends(boards_of)]


@router.get("/api/board/suites")
async def board_suites() -> list[SuiteView]:
    """List the suites that a board can be asked for."""
    return [
        SuiteView(
            name=name,
            about=about,
            problems=count(name) if name in SPLITS else len(problems(name, (0,), (0.0,))),
            seeds_are_indexes=name in SPLITS,
            takes_seeds=name != "real",
            takes_noise=name in ("odebench", "builtin"),
            operator_only=name in SPLITS,
        )
        for name, about in SUITES.items()
    ]


@router.get("/api/board")
def boards(playing: Playing) -> BoardList:
    """List the boards, newest first: those of this server and the one that ships with the package."""
    return BoardList(
        items=[_summary(playing, header, folder) for header, folder in list_boards(playing.roots)]
    )


@router.post("/api/board/estimate")
async def estimate_board(wired: Wired, playing: Playing, caller: Caller, body: NewBoard) -> EstimateView:
    """Count what a board would play, and what it would take; nothing is started."""
    plan = await _checked(wired, caller, body, "estimate")
    lost = await to_thread.run_sync(cannot_ask, plan, wired.settings, limiter=wired.reading)
    known = await to_thread.run_sync(_cpu_of_policies, playing, limiter=wired.reading)
    unknown = [name for name in plan.policies if name not in known]
    each = plan.episodes // len(plan.policies)
    workers = max(1, min(body.concurrency, playing.workers))
    cpu_s = sum(known[n] * (each - lost.get(n, 0)) for n in plan.policies if n in known)
    return EstimateView(
        episodes=plan.episodes,
        turns_at_most=(plan.episodes - sum(lost.values())) * plan.max_turns,
        cannot_be_asked=lost,
        cpu_s=None if unknown else cpu_s,
        concurrency=workers,
        seconds=None if unknown else cpu_s / workers,
        unknown=unknown,
    )


@router.post("/api/board", status_code=201)
async def start_board(
    wired: Wired, playing: Playing, caller: Caller, request: Request, body: NewBoard
) -> BoardView:
    """Start a board: every policy on every problem, in the background."""
    stem = re.sub(r"[^a-z0-9]+", "-", body.name.lower()).strip("-")[:40] or "board"
    plan = await _checked(wired, caller, body, f"{stem}-{secrets.token_hex(4)}")
    playing.require_free()
    await bill(request, sessions=plan.episodes, turns=plan.episodes * plan.max_turns)
    header = new_header(
        plan,
        title=body.name,
        by="operator" if caller.operator else "player",
        command="POST /api/board",
        workers=body.concurrency,
    )
    playing.create(header)
    playing.start(header.id)
    return await _view(wired, playing, caller, header.id)


@router.get("/api/board/{board_id}")
async def board(
    wired: Wired,
    playing: Playing,
    caller: Caller,
    board_id: BoardId,
    than: Annotated[str | None, Query(max_length=MAX_POLICY_NAME)] = None,
) -> BoardView:
    """Return a board's table; `than` names the policy that the others are compared with."""
    return await _view(wired, playing, caller, board_id, than)


@router.get("/api/board/{board_id}/episodes")
async def board_episodes(
    playing: Playing,
    caller: Caller,
    board_id: BoardId,
    policy: Annotated[str | None, Query(max_length=MAX_POLICY_NAME)] = None,
    suite: Annotated[str | None, Query(max_length=64)] = None,
    noise: Annotated[float | None, Query(ge=0.0, le=1.0, description="as a share; absent: any")] = None,
    offset: Annotated[int, Query(ge=0, le=MAX_BOARD_EPISODES)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> BoardEpisodeList:
    """List episodes of a board, of one policy, suite or system (`builtin:SYSTEM`) and noise if asked for."""
    found = await to_thread.run_sync(playing.folder(board_id).read)
    own = [
        one
        for one in found.results
        if (policy is None or one.policy == policy)
        and (suite in (None, one.suite, f"{one.suite}:{one.case}"))
        and (noise is None or one.noise == noise)
    ]
    return BoardEpisodeList(
        items=[episode_view(one, caller) for one in own[offset : offset + limit]], total=len(own)
    )


@router.get("/api/board/{board_id}/events", response_class=Response)
async def board_events(playing: Playing, board_id: BoardId) -> Response:
    """Stream how far a board is whenever that changes; it ends when the board stands still."""
    folder = playing.folder(board_id)

    async def look() -> tuple[bytes, bool]:
        summary = await to_thread.run_sync(lambda: _summary(playing, folder.header(), folder))
        return summary.model_dump_json().encode(), summary.state == "running"

    return board_stream(folder, look)


@router.post("/api/board/{board_id}/pause")
async def pause_board(wired: Wired, playing: Playing, caller: Caller, board_id: BoardId) -> BoardView:
    """Stop playing; what was played is kept, and the board can go on."""
    _require_control(playing, caller, board_id)
    await playing.stop(board_id, "pause")
    return await _view(wired, playing, caller, board_id)


@router.post("/api/board/{board_id}/cancel")
async def cancel_board(wired: Wired, playing: Playing, caller: Caller, board_id: BoardId) -> BoardView:
    """Stop playing for good; what was played is kept."""
    _require_control(playing, caller, board_id)
    await playing.stop(board_id, "cancel")
    return await _view(wired, playing, caller, board_id)


@router.post("/api/board/{board_id}/run", status_code=202)
async def resume_board(
    wired: Wired, playing: Playing, caller: Caller, request: Request, board_id: BoardId
) -> BoardView:
    """Play on what a board lacks."""
    header = _require_control(playing, caller, board_id)
    found = await to_thread.run_sync(playing.folder(board_id).read)
    left = max(1, header.plan.episodes - len(found.counted))
    await bill(request, sessions=left, turns=left * header.plan.max_turns)
    playing.start(board_id)
    return await _view(wired, playing, caller, board_id)


@router.get("/api/board/{board_id}/export", response_class=Response)
async def export_board(playing: Playing, caller: Caller, board_id: BoardId) -> Response:
    """Download a board with every episode, for the operator: `physix board show FILE` reads it."""
    folder = playing.folder(board_id)
    if not caller.operator and folder.header().id not in _shipped(playing):
        raise ForbiddenError(
            board_id,
            "A board's export tells what every single episode is worth: only the operator may have it.",
        )
    content = export(await to_thread.run_sync(folder.read))
    return Response(
        content,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{board_id}.json"'},
    )


async def _checked(wired: Services, caller: Access, body: NewBoard, board_id: str) -> Plan:
    """Return the plan, if this caller may have it played.

    Raises:
        BadInputError, UnknownPolicyError: it cannot be played.
        ForbiddenError: it asks about tasks that are held back from the caller.
    """
    if body.seeds * len(body.noises) * len(body.policies) * body.repetitions > MAX_BOARD_EPISODES:
        raise BadInputError(f"A board has at most {MAX_BOARD_EPISODES} episodes.")
    plan = body.plan(board_id)
    held = [suite for suite in plan.suites if suite.partition(":")[0] in SPLITS]
    if held and not caller.operator:
        raise ForbiddenError(
            board_id, f"Suite {held[0]} is held back: only the operator of the server starts boards on it."
        )
    for name in plan.policies:
        if name.startswith("replay:"):
            raise BadInputError("A board does not repeat recorded episodes; compare them instead.")
        await require_policy(wired, caller, name)
    require_policies(plan.policies)
    return plan


def _require_control(playing: Boards, caller: Access, board_id: str) -> Header:
    header = playing.folder(board_id).header()
    if board_id in _shipped(playing) or (header.by == "operator" and not caller.operator):
        raise ForbiddenError(board_id, f"Board {board_id} is the operator's: only the operator may do that.")
    return header


def _shipped(playing: Boards) -> set[str]:
    return {path.parent.name for path in playing.roots[-1].glob("*/board.json")}


def _cpu_of_policies(playing: Boards) -> dict[str, float]:
    """Return the median CPU seconds of an episode of every policy that some board here has played."""
    seconds: dict[str, list[float]] = {}
    for _, folder in list_boards(playing.roots)[:8]:
        for one in _read(folder).results:
            if one.cpu_s is not None:
                seconds.setdefault(one.policy, []).append(one.cpu_s)
    return {name: median(found) for name, found in seconds.items()}


def _read(folder: BoardFolder) -> Board:
    return _read_version(folder, folder.version())


@lru_cache(maxsize=8)
def _read_version(folder: BoardFolder, _version: tuple[int, int]) -> Board:
    return folder.read()


@lru_cache(maxsize=8)
def _table(
    folder: BoardFolder, version: tuple[int, int], than: str | None
) -> tuple[tuple[Row, ...], tuple[Row, ...], tuple[Difference, ...]]:
    """Return the table of a board; intervals take a while, so that each is computed once."""
    found = _read_version(folder, version)
    others = tuple(differences(found, than=than)) if than is not None else ()
    return tuple(rows(found)), tuple(by_system(found)), others


def _summary(playing: Boards, header: Header, folder: BoardFolder) -> BoardSummary:
    plan, progress = header.plan, playing.progress(header.id)
    played, errors = folder.counts()
    done = progress.done if progress and progress.done else played - errors
    return BoardSummary(
        id=header.id,
        name=header.title,
        state="running" if progress else header.state,
        by=header.by,
        created_at=header.created_at,
        updated_at=header.updated_at,
        plan=PlanView(
            policies=list(plan.policies),
            suites=list(plan.suites),
            first_seed=min(plan.seeds),
            seeds=len(plan.seeds),
            noises=list(plan.noises),
            drop=plan.drop,
            profile=plan.profile,
            max_turns=plan.max_turns,
            repetitions=plan.repetitions,
        ),
        done=done,
        total=plan.episodes,
        errors=errors,
        eta_s=progress.eta_s if progress else None,
        played_s=progress.played_s if progress else header.played_s,
        concurrency=header.workers,
        command=header.command,
        note=header.note,
        versions=header.versions,
    )


async def _view(
    wired: Services, playing: Boards, caller: Access, board_id: str, than: str | None = None
) -> BoardView:
    folder = playing.folder(board_id)
    header = folder.header()
    if than is not None and than not in header.plan.policies:
        raise BadInputError(f"Board {board_id} has no policy {than!r}: {', '.join(header.plan.policies)}.")
    base = than or (header.plan.policies[0] if len(header.plan.policies) > 1 else None)
    table, systems, others = await to_thread.run_sync(
        _table, folder, folder.version(), base, limiter=wired.reading
    )
    summary = await to_thread.run_sync(_summary, playing, header, folder)
    shown = [row_view(row, caller, why_withheld(row, header, caller)) for row in table]
    told = {(row.policy, row.suite, row.noise): row for row in shown}
    return BoardView(
        **dict(summary),
        rows=shown,
        systems=system_views(systems, header, caller),
        than=base,
        differences=[
            DifferenceView(**{**asdict(one), "interval": interval_view(one.interval)})
            for one in others
            if difference_told(
                one, caller, [told[name, one.suite, one.noise] for name in (one.policy, one.than)]
            )
        ],
        ceiling=CeilingView(**dict(zip(("reconstructed", "generalised", "n"), header.ceiling, strict=True)))
        if header.ceiling
        else None,
    )
