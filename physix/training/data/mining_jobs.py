"""Mining through an executor: the same rows in the same order as `mine`, read by many.

Each episode is looked at twice by whoever has the time, once for what may be kept and once to render what
is; between the two, rules that compare episodes are applied in one place, in the order of the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

from physix.engine import fold
from physix.errors import InfrastructureError
from physix.store import EpisodeFilter, EpisodeOrder, open_log
from physix.training.data.mining import (
    Candidate,
    MiningReport,
    MiningRules,
    RowTaker,
    SftRow,
    keep,
    look_at,
    render_row,
    renderer_of,
)
from physix.training.executor import Done, Executor, in_batches

_BATCH = 64
TakeRow = Callable[[SftRow], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What may be kept of an episode, and where in the log it ended; 0 while it runs."""

    episode_id: str
    ended_at: int
    refusal: str | None
    refused: Counter[str]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is kept of an episode; `number` is its place in the dataset."""

    number: int
    episode_id: str
    candidates: tuple[Candidate, ...]


def survey(episode_ids: tuple[str, ...], *, db: str, rules: MiningRules) -> list[Surveyed]:
    """Return what may be kept of some episodes: the first work of an `Executor`."""

    async def run() -> list[Surveyed]:
        found = []
        async with open_log(db, read_only=True) as log:
            for episode_id in episode_ids:
                events = await log.read(episode_id)
                episode = fold(events)
                if episode is None or episode.finished is None:
                    found.append(Surveyed(episode_id, 0, None, Counter(), ()))
                    continue
                refusal, candidates, refused = look_at(episode, rules)
                ended_at = events[episode.settled - 1].position  # labels may follow the end
                found.append(Surveyed(episode_id, ended_at, refusal, refused, tuple(candidates)))
        return found

    return anyio.run(run)


def render(jobs: tuple[Rendering, ...], *, db: str, rules: MiningRules) -> list[tuple[SftRow | None, ...]]:
    """Return the rows of some episodes, None for what cannot be expressed: the second work."""
    renderer = renderer_of(rules)

    async def run() -> list[tuple[SftRow | None, ...]]:
        found = []
        async with open_log(db, read_only=True) as log:
            for job in jobs:
                episode = fold(await log.read(job.episode_id))
                if episode is None:
                    raise InfrastructureError(f"Episode {job.episode_id} has left the log.")
                found.append(tuple(render_row(episode, one, renderer, rules) for one in job.candidates))
        return found

    return anyio.run(run)


async def mine_with(
    executor: Executor, db: str, rules: MiningRules, report: MiningReport, take_row: TakeRow
) -> None:
    """Hand the rows that `mine` yields to `take_row`, in its order; `report` is filled in as they pass.

    Raises:
        InfrastructureError: some episodes could not be read; nothing was left out in silence.
        StorageError: the log cannot be read.
    """
    report.renderer = renderer_of(rules).version
    surveyed: list[Surveyed] = []

    async def take_survey(done: Done[str, Surveyed]) -> None:
        surveyed.extend(_whole(done))

    ids, report.position = await _episodes(db)
    await executor.run(partial(survey, db=db, rules=rules), in_batches(ids, _BATCH), take_survey)
    jobs = _chosen(surveyed, rules, report)
    taker = RowTaker(report)
    waiting: dict[int, tuple[SftRow | None, ...]] = {}
    following = 0

    async def take_rows(done: Done[Rendering, tuple[SftRow | None, ...]]) -> None:
        nonlocal following
        for job, rows in zip(done.jobs, _whole(done), strict=True):
            waiting[job.number] = rows
        while following in waiting:
            for row in waiting.pop(following):
                if (taken := taker.take(row)) is not None:
                    await take_row(taken)
            following += 1

    await executor.run(partial(render, db=db, rules=rules), in_batches(jobs, _BATCH), take_rows)
    report.sha256 = taker.sha256


async def _episodes(db: str) -> tuple[list[str], int]:
    """Return the ids of all episodes, oldest first, and the last position of the log as it is now."""
    order = EpisodeOrder(by="started", descending=False)
    async with open_log(db, read_only=True) as log:
        ids: list[str] = []
        last, cursor = 0, None
        while True:
            page = await log.list_episodes(EpisodeFilter(), order=order, cursor=cursor, limit=200)
            ids += [row.episode_id for row in page.items]
            last = max([last, *(row.position for row in page.items)])
            cursor = page.next_cursor
            if cursor is None:
                break
        while batch := await log.read_all(after_position=last, limit=1_000):
            last = batch[-1].position
    return ids, last


def _chosen(surveyed: Sequence[Surveyed], rules: MiningRules, report: MiningReport) -> list[Rendering]:
    candidates: list[Candidate] = []
    ended = [one for one in surveyed if 0 < one.ended_at <= report.position]
    ended.sort(key=lambda one: one.ended_at)
    report.episodes = len(ended)
    for order, one in enumerate(ended, start=1):
        report.refused.update(one.refused)
        if one.refusal is not None:
            report.refused[one.refusal] += 1
        candidates += [replace(candidate, position=order) for candidate in one.candidates]
    kept = keep(candidates, rules, report)
    in_order = [one.episode_id for one in ended if one.episode_id in kept]
    return [
        Rendering(number, episode_id, tuple(kept[episode_id])) for number, episode_id in enumerate(in_order)
    ]


def _whole(done: Done[Any, Any]) -> tuple[Any, ...]:
    if done.error is not None:
        raise InfrastructureError(f"{len(done.jobs)} episodes could not be mined: {done.error}")
    return done.results
