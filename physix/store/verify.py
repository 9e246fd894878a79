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
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio
import orjson
from anyio import to_thread

from physix.engine.episode import Episode, evolve, play
from physix.engine.events import (
    SCHEMA_VERSION,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.fingerprint import environment_fingerprint
from physix.engine.verifier.prepared import Same
from physix.engine.verifier.types import RULES, Hypothesis, Simulation
from physix.engine.verifier.unit_text import parse_unit
from physix.errors import PhysixError, StorageError
from physix.limits import MAX_PAGE
from physix.store.codec import Encoded, decode, encode
from physix.store.projection import project, project_turns
from physix.store.rows import EpisodeFilter, EpisodeRow, Log, TurnRow
from physix.store.stored import Stored
from physix.version import __version__

if TYPE_CHECKING:
    from physix.store.sql.backend import Backend

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


@runtime_checkable
class Unread(Protocol):
    """A log that gives its events out as the bytes they are."""

    async def read_stored(self, episode_ids: Sequence[str]) -> Mapping[str, Sequence[Stored]]:
        """Return the events of some episodes by version; an episode without events is left out."""
        ...


async def verify_rows(log: Log, rows: Sequence[EpisodeRow]) -> AsyncIterator[EpisodeReport]:
    """Yield a report for every episode listed; each must agree with its row."""
    if not isinstance(log, Unread):
        for row in rows:
            yield await _verify(log, row.episode_id, row)
        return
    for first in range(0, len(rows), _SHARE):
        share = rows[first : first + _SHARE]
        stored = await log.read_stored([row.episode_id for row in share])
        for report in await to_thread.run_sync(_verify_share, share, stored):
            yield report


def _verify_share(rows: Sequence[EpisodeRow], stored: Mapping[str, Sequence[Stored]]) -> list[EpisodeReport]:
    return [_verify_listed(row, stored.get(row.episode_id, ())) for row in rows]


def _verify_listed(row: EpisodeRow, stored: Sequence[Stored]) -> EpisodeReport:
    # An episode that is played meanwhile has moved on since it was listed.
    before = [one for one in stored if one.version <= row.version]
    try:
        return verify_stored(row.episode_id, before, row)
    except (PhysixError, ValueError, KeyError) as error:
        return _damaged(row.episode_id, error)


def _damaged(episode_id: str, error: Exception) -> EpisodeReport:
    damaged = _whole(episode_id, "events", str(error), "readable events")
    return EpisodeReport(episode_id=episode_id, turns=0, same_environment=True, differences=(damaged,))


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
            asked = pool.submit(_verify_elsewhere, url, rows)
            for report in await to_thread.run_sync(asked.result):
                tell(report)
            ahead.release()

        async with anyio.create_task_group() as tasks:
            async for rows in pages:
                for first in range(0, len(rows), _SHARE):
                    await ahead.acquire()
                    tasks.start_soon(share, rows[first : first + _SHARE])


def _verify_elsewhere(url: str, rows: Sequence[EpisodeRow]) -> list[EpisodeReport]:
    from physix.store.sql.backend import is_from_driver, storage_error
    from physix.store.sql.queries import stored_of

    backend = _opened(url)
    try:
        with backend.readers.connect() as connection:
            stored = stored_of(connection, [row.episode_id for row in rows])
    except Exception as error:
        if not is_from_driver(error):
            raise
        raise storage_error(backend, error) from error
    return _verify_share(rows, stored)


@lru_cache(maxsize=1)
def _opened(url: str) -> Backend:
    """Return the log of a worker: opened once, for thousands of shares."""
    from physix.store import open_backend

    return open_backend(url, read_only=True)


async def _verify(log: Log, episode_id: str, row: EpisodeRow | None) -> EpisodeReport:
    try:
        recorded = await log.read(episode_id)
        listed = await log.list_turns([episode_id])
    except (PhysixError, ValueError, KeyError) as error:
        return _damaged(episode_id, error)
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
    """As `verify_stored`, of events that were read already."""
    return verify_stored(episode_id, [Stored.of(one) for one in recorded], row, listed)


def verify_stored(
    episode_id: str,
    stored: Sequence[Stored],
    row: EpisodeRow | None = None,
    listed: Sequence[TurnRow] | None = None,
) -> EpisodeReport:
    """Return what folding and replaying one stream finds.

    `row` and `listed` are what lists show of the episode and its turns, if they are to agree.

    Raises:
        StorageError: an event cannot be read.
    """
    differences = list(_numbering(episode_id, stored))
    started = _start_of(stored)
    if differences or started is None:
        if not differences:
            differences = [_whole(episode_id, "events", "no EpisodeStarted", "a first event")]
        return EpisodeReport(
            episode_id=episode_id, turns=0, same_environment=True, differences=tuple(differences)
        )
    same = started.fingerprint == environment_fingerprint() and started.engine_version == __version__
    turns = 0
    episode: Episode | None = None
    index = 0
    while index < len(stored):
        chunk = stored[index : index + 1]
        if stored[index].type == HypothesisSubmitted.__name__ and episode is not None:
            turns += 1
            if started.rules == RULES:
                try:
                    expected = _replayed(episode, stored[index].event)
                except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                    # Such data no episode was ever begun with: someone took them away.
                    reason = f"{type(error).__name__}: {error}"
                    differences.append(_whole(episode_id, "task", reason, "a task that can be played"))
                    break
                chunk = stored[index : index + len(expected)]
                for wanted, found in zip_longest(expected, chunk):
                    differences += _compare(episode_id, turns, found, wanted, exact=same)
            else:
                chunk = stored[index : index + 3]
                differences += _unlike_a_turn(episode_id, turns, [one.event for one in chunk])
                if differences:
                    break
        for one in chunk:
            episode = evolve(episode, one.recorded)
        index += len(chunk)
    recorded = [one.recorded for one in stored]
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


def _start_of(stored: Sequence[Stored]) -> EpisodeStarted | None:
    """Return the first event if it is a start, with the very task of an earlier episode if it is the same.

    The verifier answers the same law on the same task object from its cache; and a task is read once.
    """
    if not stored or stored[0].type != EpisodeStarted.__name__:
        return None
    first = stored[0]
    spelled = None if first.encoded is None else _spelled(first.encoded)
    known = [] if spelled is None else _tasks_of(*spelled)
    if first.encoded is not None and known:
        bare = decode(first.encoded.type, SCHEMA_VERSION, first.encoded.payload, None)
        assert isinstance(bare, EpisodeStarted)  # noqa: S101  # its type says so
        started = replace(bare, task=known[0].task, truth=known[0].truth)
    else:
        event = first.event
        assert isinstance(event, EpisodeStarted)  # noqa: S101  # its type says so
        started = _kept(event)
        known.append(started)
    first.means(started)
    return started


@lru_cache(maxsize=256)
def _tasks_of(task: bytes, truth: bytes, arrays: bytes | None) -> list[EpisodeStarted]:
    """Return the first start with a task and truth that are written like this, or a list to put it into."""
    return []


def _spelled(start: Encoded) -> tuple[bytes, bytes, bytes | None] | None:
    """Return task, truth and arrays of a start as they are written; None if they cannot be told."""
    try:
        content = orjson.loads(start.payload)
        return orjson.dumps(content["task"]), orjson.dumps(content["truth"]), start.blob
    except (ValueError, KeyError, TypeError):
        return None  # whoever reads it says what is wrong


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


def _numbering(episode_id: str, recorded: Sequence[Stored]) -> Iterator[Difference]:
    versions = [one.version for one in recorded]
    if versions != list(range(1, len(versions) + 1)):
        yield _whole(episode_id, "version", str(versions)[:200], f"1..{len(versions)}")
    positions = [one.position for one in recorded]
    if positions != sorted(set(positions)):
        yield _whole(episode_id, "position", str(positions)[:200], "increasing positions")


def _whole(episode_id: str, field: str, recorded: str, recomputed: str) -> Difference:
    return Difference(episode_id=episode_id, turn=None, field=field, recorded=recorded, recomputed=recomputed)


def _replayed(episode: Episode, submitted: Event) -> tuple[Event, ...]:
    if not isinstance(submitted, HypothesisSubmitted):
        raise TypeError(f"{submitted.type} is no hypothesis")
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
    episode_id: str, turn: int, stored: Stored | None, wanted: Event | None, *, exact: bool
) -> Iterator[Difference]:
    if exact and stored is not None and wanted is not None and _same_bytes(stored, wanted):
        stored.means(wanted)
        return
    found = stored.event if stored is not None else None
    name = (found or wanted).__class__.__name__
    for one in _differing(episode_id, turn, name, found, wanted, exact=exact):
        yield replace(one, position=stored.position if stored is not None else None)


def _same_bytes(stored: Stored, wanted: Event) -> bool:
    """Tell whether both are written alike, to the bit; forty times as fast as walking them."""
    try:
        expected = _encoded(wanted)
        return stored.encoded == expected or encode(stored.event) == expected
    except StorageError:
        return False  # a number that is not finite: the walk names it


def _encoded(event: Event) -> Encoded:
    if isinstance(event, SimulationRun):
        return _encoded_run(Same(event.simulation), event.turn)
    return encode(event)


@lru_cache(maxsize=512)
def _encoded_run(same: Same, turn: int) -> Encoded:
    """Write a motion out once, however often its law comes back: it is nearly all of a turn's bytes."""
    (simulation,) = same.values
    assert isinstance(simulation, Simulation)  # noqa: S101  # for the type checker
    return encode(SimulationRun(turn=turn, simulation=simulation))


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
    elif (left != right or type(left) is not type(right)) and not _same_unit(path, left, right):
        yield path, left, right


def _same_unit(path: str, left: object, right: object) -> bool:
    """Tell whether both are a constant's unit and mean the same: an edition may write units shorter."""
    if not (path.rpartition(".")[0].endswith(".param_units") and isinstance(left, str)):
        return False
    return isinstance(right, str) and parse_unit(left) == parse_unit(right)


def _same_bits(left: float, right: float) -> bool:
    return left.hex() == right.hex()


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _told(value: object) -> str:
    return repr(value)[:200]
