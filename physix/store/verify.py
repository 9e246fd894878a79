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
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import zip_longest

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
from physix.errors import PhysixError
from physix.limits import MAX_PAGE
from physix.store.projection import project, project_turns
from physix.store.rows import EpisodeFilter, EpisodeRow, Log, TurnRow
from physix.version import __version__

TOLERANCE = 1e-6
_ENVIRONMENT_BOUND = frozenset({"mismatch", "message", "evaluations", "fit_evaluations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where the log and its recomputation disagree."""

    episode_id: str
    turn: int | None  # None: the stream or the projection as a whole
    field: str
    recorded: str
    recomputed: str


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
    cursor: str | None = None
    while True:
        page = await log.list_episodes(EpisodeFilter(), cursor=cursor, limit=MAX_PAGE)
        for row in page.items:
            yield await _verify(log, row.episode_id, row)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


async def _verify(log: Log, episode_id: str, row: EpisodeRow | None) -> EpisodeReport:
    try:
        recorded = await log.read(episode_id)
        listed = await log.list_turns([episode_id])
    except PhysixError as error:
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
                expected = _replayed(episode, event)
                chunk = list(recorded[index : index + len(expected)])
                for wanted, found in zip_longest(expected, (one.event for one in chunk)):
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
    return play(episode, hypothesis, provenance=submitted.provenance, raw_completion=submitted.raw_completion)


def _compare(
    episode_id: str, turn: int, found: Event | None, wanted: Event | None, *, exact: bool
) -> Iterator[Difference]:
    name = (found or wanted).__class__.__name__
    yield from _differing(episode_id, turn, name, found, wanted, exact=exact)


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
