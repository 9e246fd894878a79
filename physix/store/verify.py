"""Proving a log: fold every stream, play every turn again, compare what comes out with what is recorded.

Within the same environment (fingerprint and engine version) every number must be equal bit for
bit. Across environments numbers may differ by `TOLERANCE`, relative to the larger of the number
and 1; words that quote numbers, counts of evaluations, and values that were not recorded then
are not compared.

An episode recorded under older rules of the verdict is not played again, for one verifier is kept, not
one per edition: its events are read, numbered, folded and compared with what lists show of them.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from multiprocessing import get_context

import anyio
from anyio import to_thread

from physix.engine.episode import Episode, evolve, play
from physix.engine.events import (
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.fingerprint import environment_fingerprint
from physix.engine.verifier.types import RULES, Hypothesis
from physix.errors import PhysixError, StorageError
from physix.limits import MAX_PAGE
from physix.store.codec import encode
from physix.store.projection import project, project_turns
from physix.store.rows import EpisodeFilter, EpisodeRow, Log, TurnRow
from physix.version import __version__

TOLERANCE = 1e-6
_SHARE = 50  # episodes that a worker takes at once
_ENVIRONMENT_BOUND = frozenset({"mismatch", "findings", "message", "evaluations", "fit_evaluations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where the log and its recomputation disagree."""

    episode_id: str
    turn: int | None  # None: the stream or the projection as a whole
    field: str
    recorded: str
    recomputed: str
    position: int | None = None  # of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeReport:
    """What verifying one episode found."""

    episode_id: str
    turns: int
    same_environment: bool  # compared bit for bit
    differences: tuple[Difference, ...]
    rules: int = RULES  # it was recorded under

    @property
    def recomputed(self) -> bool:
        """Its turns were played again; False: only its structure and its bytes were checked."""
        return self.rules == RULES


async def verify_log(log: Log, episode_ids: Sequence[str] | None = None) -> AsyncIterator[EpisodeReport]:
    """Yield a report for every episode, newest first, or for some; one episode is in memory at a time."""
    if episode_ids is not None:
        for episode_id in episode_ids:
            yield await _verify(log, episode_id, None)
        return
    async for rows in listed(log):
        async for report in verify_rows(log, rows):
            yield report


async def verify_rows(log: Log, rows: Sequence[EpisodeRow]) -> AsyncIterator[EpisodeReport]:
    """Yield a report for every episode listed; each must agree with its row."""
    for first in range(0, len(rows), _SHARE):
        some = rows[first : first + _SHARE]
        turns = await _turns_of(log, some)
        for row in some:
            listed = turns.get(row.episode_id, []) if turns is not None else None
            yield await _verify(log, row.episode_id, row, listed)


async def _turns_of(log: Log, rows: Sequence[EpisodeRow]) -> dict[str, list[TurnRow]] | None:
    """Return the turns of some episodes in one look; None if one of them cannot be read."""
    found: dict[str, list[TurnRow]] = {}
    try:
        for turn in await log.list_turns([row.episode_id for row in rows]):
            found.setdefault(turn.episode_id, []).append(turn)
    except (PhysixError, ValueError, KeyError):
        return None
    return found


async def listed(log: Log) -> AsyncIterator[Sequence[EpisodeRow]]:
    """Yield all rows of a log's list, newest first, a page at a time."""
    cursor: str | None = None
    while True:
        page = await log.list_episodes(EpisodeFilter(), cursor=cursor, limit=MAX_PAGE)
        yield page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


async def verify_in_processes(
    url: str,
    pages: AsyncIterator[Sequence[EpisodeRow]],
    jobs: int,
    tell: Callable[[EpisodeReport], None],
) -> None:
    """Verify listed episodes in worker processes.

    Args:
        url: of the log, which every worker opens for reading.
        pages: what to verify.
        jobs: how many processes.
        tell: is called with every report as it comes, in no order.
    """
    ahead = anyio.Semaphore(2 * jobs)  # shares handed out: not all rows of a large log at once
    # Not forked: a fork of a process with threads may hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:

        async def share(rows: Sequence[EpisodeRow]) -> None:
            asked = pool.submit(_verify_share, url, rows)
            for report in await to_thread.run_sync(asked.result):
                tell(report)
            ahead.release()

        async with anyio.create_task_group() as tasks:
            async for rows in pages:
                for first in range(0, len(rows), _SHARE):
                    await ahead.acquire()
                    tasks.start_soon(share, rows[first : first + _SHARE])


def _verify_share(url: str, rows: Sequence[EpisodeRow]) -> list[EpisodeReport]:
    async def run() -> list[EpisodeReport]:
        from physix.store import open_log

        async with open_log(url, read_only=True) as log:
            return [report async for report in verify_rows(log, rows)]

    return anyio.run(run)


async def _verify(
    log: Log, episode_id: str, row: EpisodeRow | None, listed: Sequence[TurnRow] | None = None
) -> EpisodeReport:
    try:
        recorded = await log.read(episode_id)
        listed = await log.list_turns([episode_id]) if listed is None else listed
    except (PhysixError, ValueError, KeyError) as error:
        damaged = Difference(
            episode_id=episode_id,
            turn=None,
            field="events",
            recorded=str(error),
            recomputed="readable events",
        )
        return EpisodeReport(episode_id=episode_id, turns=0, same_environment=True, differences=(damaged,))
    if row is not None:
        # An episode that is played meanwhile has moved on since it was listed.
        recorded = tuple(one for one in recorded if one.version <= row.version)
    last = recorded[-1].position if recorded else 0
    turns = tuple(turn for turn in listed if turn.position <= last)
    return await to_thread.run_sync(verify_stream, episode_id, recorded, row, turns)


def verify_stream(
    episode_id: str,
    recorded: Sequence[RecordedEvent],
    row: EpisodeRow | None = None,
    listed: Sequence[TurnRow] | None = None,
) -> EpisodeReport:
    """Return what folding and replaying one stream finds.

    `row` and `listed` are what lists show of the episode and its turns, if they are to agree.
    """
    differences = list(_numbering(episode_id, recorded))
    started = recorded[0].event if recorded else None
    if differences or not isinstance(started, EpisodeStarted):
        if not differences:
            differences = [_whole(episode_id, "events", "no EpisodeStarted", "a first event")]
        return EpisodeReport(
            episode_id=episode_id, turns=0, same_environment=True, differences=tuple(differences)
        )
    started = _kept(started)
    recorded = (replace(recorded[0], event=started), *recorded[1:])
    same = started.fingerprint == environment_fingerprint() and started.engine_version == __version__
    turns = 0
    episode: Episode | None = None
    index = 0
    while index < len(recorded):
        event = recorded[index].event
        chunk = [recorded[index]]
        if isinstance(event, HypothesisSubmitted) and episode is not None:
            turns += 1
            if started.rules == RULES:
                try:
                    expected = _replayed(episode, event)
                except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                    # Such data no episode was ever begun with: someone took them away.
                    reason = f"{type(error).__name__}: {error}"
                    differences.append(_whole(episode_id, "task", reason, "a task that can be played"))
                    break
                chunk = list(recorded[index : index + len(expected)])
                for wanted, found in zip_longest(expected, chunk):
                    differences += _compare(episode_id, event.turn, found, wanted, exact=same)
            else:
                chunk = list(recorded[index : index + 3])
                differences += _unlike_a_turn(episode_id, turns, [one.event for one in chunk])
                if differences:
                    break
        for one in chunk:
            episode = evolve(episode, one)
        index += len(chunk)
    if row is not None:
        whole = dict(project(recorded))
        differences += _differing(episode_id, None, "projection", dict(row), whole, exact=True)
    if listed is not None:
        for number, (told, turn) in enumerate(zip_longest(listed, project_turns(recorded)), start=1):
            differences += _differing(episode_id, number, "turn", told, turn, exact=True)
    return EpisodeReport(
        episode_id=episode_id,
        turns=turns,
        same_environment=same,
        differences=tuple(differences),
        rules=started.rules,
    )


@lru_cache(maxsize=256)
def _first_of(task_id: str, system_id: str, seed: int | None) -> list[EpisodeStarted]:
    return []


def _kept(started: EpisodeStarted) -> EpisodeStarted:
    """Return the start with the very task of an earlier episode if it is the same.

    The verifier answers the same law on the same task object from its cache.
    """
    task = started.task
    known = _first_of(task.task_id, task.system_id, task.seed)
    for one in known:
        if one.task == task and one.truth == started.truth:
            return replace(started, task=one.task, truth=one.truth)
    del known[4:]  # of one name there are few; keep the latest
    known.insert(0, started)
    return started


def _unlike_a_turn(episode_id: str, turn: int, chunk: Sequence[Event]) -> Iterator[Difference]:
    """Tell if these are not the three events of this turn; the episode cannot be folded then."""
    wanted = [(kind.__name__, turn) for kind in (HypothesisSubmitted, SimulationRun, RewardComputed)]
    found = [(type(event).__name__, getattr(event, "turn", None)) for event in chunk]
    if found != wanted:
        yield _whole(episode_id, "events", str(found)[:200], str(wanted))


def _numbering(episode_id: str, recorded: Sequence[RecordedEvent]) -> Iterator[Difference]:
    versions = [one.version for one in recorded]
    if versions != list(range(1, len(versions) + 1)):
        yield _whole(episode_id, "version", str(versions)[:200], f"1..{len(versions)}")
    positions = [one.position for one in recorded]
    if positions != sorted(set(positions)):
        yield _whole(episode_id, "position", str(positions)[:200], "increasing positions")


def _whole(episode_id: str, field: str, recorded: str, recomputed: str) -> Difference:
    return Difference(episode_id=episode_id, turn=None, field=field, recorded=recorded, recomputed=recomputed)


def _replayed(episode: Episode, submitted: HypothesisSubmitted) -> tuple[Event, ...]:
    hypothesis = Hypothesis(
        equation=submitted.equation, params=submitted.params, rationale=submitted.rationale
    )
    return play(
        episode,
        hypothesis,
        provenance=submitted.provenance,
        raw_completion=submitted.raw_completion,
        discovery=submitted.discovery,
    )


def _compare(
    episode_id: str, turn: int, recorded: RecordedEvent | None, wanted: Event | None, *, exact: bool
) -> Iterator[Difference]:
    found = recorded.event if recorded is not None else None
    if exact and found is not None and wanted is not None and _same_bytes(found, wanted):
        return
    name = (found or wanted).__class__.__name__
    for one in _differing(episode_id, turn, name, found, wanted, exact=exact):
        yield replace(one, position=recorded.position if recorded is not None else None)


def _same_bytes(found: Event, wanted: Event) -> bool:
    """Tell whether both are written alike, to the bit; forty times as fast as walking them."""
    try:
        return encode(found) == encode(wanted)
    except StorageError:
        return False  # a number that is not finite: the walk names it


def _differing(
    episode_id: str, turn: int | None, path: str, recorded: object, recomputed: object, *, exact: bool
) -> Iterator[Difference]:
    for where, left, right in _walk(path, recorded, recomputed, exact=exact):
        yield Difference(
            episode_id=episode_id, turn=turn, field=where, recorded=_told(left), recomputed=_told(right)
        )


def _walk(path: str, left: object, right: object, *, exact: bool) -> Iterator[tuple[str, object, object]]:
    """Yield every leaf where two values differ, with its path."""
    if not exact and (left is None or path.rpartition(".")[2] in _ENVIRONMENT_BOUND):
        return
    if isinstance(left, float) and isinstance(right, float):
        if not (_same_bits(left, right) if exact else _close(left, right)):
            yield path, left, right
    elif is_dataclass(left) and not isinstance(left, type) and type(left) is type(right):
        for one in fields(left):
            inner = f"{path}.{one.name}"
            yield from _walk(inner, getattr(left, one.name), getattr(right, one.name), exact=exact)
    elif isinstance(left, Mapping) and isinstance(right, Mapping) and list(left) == list(right):
        for key, value in left.items():
            yield from _walk(f"{path}.{key}", value, right[key], exact=exact)
    elif isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other, exact=exact)
    elif left != right or type(left) is not type(right):
        yield path, left, right


def _same_bits(left: float, right: float) -> bool:
    return left.hex() == right.hex()


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _told(value: object) -> str:
    return repr(value)[:200]
