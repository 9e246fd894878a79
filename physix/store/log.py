"""What every log offers beyond the engine's port, and the rules every append obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from physix.engine.events import (
    EpisodeFinished,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.ports import EventLog
from physix.errors import BadInputError, ConflictError

MAX_PAGE = 200
MAX_ID = 64  # characters of an episode's id
MAX_COMMAND_ID = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """One episode as a list shows it: a projection of its events."""

    episode_id: str
    position: int  # of its first event: the order of the list
    version: int
    system_id: str
    title: str
    tier: int | None
    seed: int | None
    policy: str
    door: str
    status: str  # "running" or "finished"
    outcome: str | None
    turns: int
    max_turns: int
    best_match: float
    best_total: float
    matches: tuple[float, ...]  # r_match per turn
    generalisation: float | None  # of the turn with the best match
    started_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFilter:
    """Which episodes to list; None means any.

    `text` is looked for in id, title and policy; `since` and `until` bound the start, in UTC.
    `run` and `step` are the labels that training gives its rollouts; no index helps to find them.
    """

    system: str | None = None
    policy: str | None = None
    outcome: str | None = None
    status: str | None = None
    tier: int | None = None
    text: str | None = None
    since: datetime | None = None  # inclusive
    until: datetime | None = None  # exclusive
    run: str | None = None
    step: str | None = None
    public: bool = False  # leave out what must not be found by its system yet: see `is_secret`


SortKey = Literal["started", "system", "policy", "outcome", "turns", "match", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOrder:
    """By what to sort the list; among equals the newest episode comes first.

    `system` is the title as shown, text goes by code point, and `length` is the time from the
    first to the last event. An episode that still runs has the empty outcome.
    """

    by: SortKey = "started"
    descending: bool = True


NEWEST_FIRST = EpisodeOrder()


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One turn as a table shows it: a projection of its three events."""

    episode_id: str
    turn: int
    position: int  # of its RewardComputed
    outcome: str  # of the simulation
    equation: str
    match: float
    total: float
    generalisation: float | None
    solved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """An idempotency key: which request it belongs to, and which events were its answer."""

    episode_id: str
    command_id: str
    digest: str
    first_version: int
    last_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePage:
    """Some episodes, in the order asked for, and where the next page starts."""

    items: tuple[EpisodeRow, ...]
    next_cursor: str | None
    total: int


class Log(EventLog, Protocol):
    """An event log with its browsing projection."""

    async def list_episodes(
        self,
        wanted: EpisodeFilter,
        *,
        order: EpisodeOrder = NEWEST_FIRST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EpisodePage:
        """Return a page of episodes.

        Raises:
            BadInputError: the cursor is not one of ours, or is one of another order.
        """
        ...

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """Return the turns of some episodes, by episode and turn."""
        ...

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """Return the commands that appended to some episodes, by episode and version."""
        ...


def project_turns(recorded: Sequence[RecordedEvent]) -> list[TurnRow]:
    """Return the rows of the whole turns among one append's events."""
    rows = []
    for asked, ran, paid in zip(recorded, recorded[1:], recorded[2:], strict=False):
        if not isinstance(paid.event, RewardComputed):
            continue
        if not isinstance(asked.event, HypothesisSubmitted) or not isinstance(ran.event, SimulationRun):
            continue
        rows.append(
            TurnRow(
                episode_id=paid.episode_id,
                turn=paid.event.turn,
                position=paid.position,
                outcome=ran.event.simulation.outcome,
                equation=storable(asked.event.equation),
                match=paid.event.reward.match,
                total=paid.event.reward.total,
                generalisation=paid.event.generalisation,
                solved=paid.event.solved,
            )
        )
    return rows


_NOTHING_SHOWN = (None,) * 6


def shown(event: Event, outcome: str | None) -> tuple[Any, ...]:
    """Return what lists show of an event: turn, outcome, match, total, generalisation, solved.

    `outcome` is that of the turn's simulation.
    """
    match event:
        case RewardComputed(reward=reward):
            return event.turn, outcome, reward.match, reward.total, event.generalisation, event.solved
        case EpisodeFinished():
            return None, event.reason, None, None, None, None
        case _:
            return _NOTHING_SHOWN


def storable(text: str) -> str:
    """Return text as a projection may hold it."""
    # PostgreSQL has no text with NUL in it; the event itself keeps what came.
    return text.replace("\0", "\ufffd")


def project(row: EpisodeRow | None, recorded: RecordedEvent) -> EpisodeRow:
    """Fold one event into the list row of its episode."""
    event = recorded.event
    if isinstance(event, EpisodeStarted):
        return EpisodeRow(
            episode_id=recorded.episode_id,
            position=recorded.position,
            version=recorded.version,
            system_id=event.task.system_id,
            title=storable(event.task.title),
            tier=event.task.tier,
            seed=event.task.seed,
            policy=storable(event.policy),
            door=event.door,
            status="running",
            outcome=None,
            turns=0,
            max_turns=event.config.max_turns,
            best_match=0.0,
            best_total=0.0,
            matches=(),
            generalisation=None,
            started_at=recorded.recorded_at,
            updated_at=recorded.recorded_at,
        )
    if row is None:
        raise ConflictError(f"Episode {recorded.episode_id} must begin with EpisodeStarted.")
    match event:
        case HypothesisSubmitted() | SimulationRun():
            return row  # half a turn is nothing to show: its RewardComputed commits with it
        case RewardComputed():
            better = not row.matches or event.reward.match >= row.best_match
            return replace(
                row,
                version=recorded.version,
                updated_at=recorded.recorded_at,
                turns=event.turn,
                best_match=max(row.best_match, event.reward.match),
                best_total=max(row.best_total, event.reward.total),
                matches=(*row.matches, event.reward.match),
                generalisation=event.generalisation if better else row.generalisation,
            )
        case EpisodeFinished():
            return replace(
                row,
                version=recorded.version,
                updated_at=recorded.recorded_at,
                status="finished",
                outcome=event.reason,
            )
        case _:
            return replace(row, version=recorded.version, updated_at=recorded.recorded_at)


def check_ids(episode_id: str, command_id: str | None) -> None:
    """Refuse ids that a database could not hold.

    Raises:
        BadInputError: one is empty, too long, or holds NUL.
    """
    for what, value, most in (("episode", episode_id, MAX_ID), ("command", command_id, MAX_COMMAND_ID)):
        if value is not None and (not 0 < len(value) <= most or "\0" in value):
            raise BadInputError(
                f"The {what} id {value[:80]!r} will not do; it has 1 to {most} characters and no NUL."
            )


class Place(Protocol):
    """How far an episode has come: what an append is checked against."""

    @property
    def version(self) -> int:
        """Of its last event."""
        ...

    @property
    def status(self) -> str:
        """Is "running" or "finished"."""
        ...

    @property
    def turns(self) -> int:
        """How many there have been."""
        ...


def check_append(
    episode_id: str, place: Place | None, events: Sequence[Event], expected_version: int
) -> None:
    """Refuse what would break a stream: wrong version, after the end, half a turn, a wrong number.

    Raises:
        ConflictError: nothing may be appended.
    """
    version = place.version if place else 0
    if version != expected_version:
        raise ConflictError(
            f"Episode {episode_id} is at version {version}, not {expected_version}; another writer was first."
        )
    if place is not None and place.status == "finished":
        raise ConflictError(f"Episode {episode_id} finished at version {version}; nothing follows.")
    if not _is_whole(events, first=place is None, next_turn=(place.turns if place else 0) + 1):
        shape = ", ".join(type(event).__name__ for event in events) or "nothing"
        raise ConflictError(f"Episode {episode_id} at version {version} cannot take on {shape}.")


def _is_whole(events: Sequence[Event], *, first: bool, next_turn: int, copied: int = 0) -> bool:
    """Tell whether the events are a start, a whole turn, a failure or an end, in that order.

    A fork starts with all turns that it copies: half a fork would pass for an episode. `copied` is how
    many of them may follow one another.
    """
    match [*events]:
        case [EpisodeStarted(forked_from=fork), *rest] if first:
            copied = fork.turn if fork is not None else 1
            return not rest or _is_whole(rest, first=False, next_turn=next_turn, copied=copied)
        case _ if first:
            return False
        case [HypothesisSubmitted() as asked, SimulationRun() as ran, RewardComputed() as paid, *rest]:
            if {asked.turn, ran.turn, paid.turn} != {next_turn}:
                return False
            if next_turn < copied:
                return _is_whole(rest, first=False, next_turn=next_turn + 1, copied=copied)
        case [PolicyFailed(), *rest]:
            pass
        case [EpisodeFinished()]:
            return True
        case _:
            return False
    return not rest or (len(rest) == 1 and isinstance(rest[0], EpisodeFinished))


def is_secret(system_id: str, seed: int | None, *, running: bool) -> bool:
    """Tell whether naming an episode's system would tell its agent half the law: an evaluation task.

    Only evaluation tasks have a system and no seed.
    """
    return running and seed is None and system_id != "csv"


def wanted_labels(wanted: EpisodeFilter) -> dict[str, str]:
    """Return the labels that an episode must have started with."""
    return {name: value for name in ("run", "step") if (value := getattr(wanted, name)) is not None}


def matches_filter(row: EpisodeRow, wanted: EpisodeFilter) -> bool:
    """Tell whether a list with this filter shows the row, labels aside: rows have none."""
    secret = is_secret(row.system_id, row.seed, running=row.status == "running")
    if wanted.public and wanted.system is not None and secret:
        return False
    exact = (
        (wanted.system, row.system_id),
        (wanted.policy, row.policy),
        (wanted.outcome, row.outcome),
        (wanted.status, row.status),
        (wanted.tier, row.tier),
    )
    if any(value is not None and value != actual for value, actual in exact):
        return False
    if wanted.since is not None and row.started_at < wanted.since:
        return False
    if wanted.until is not None and row.started_at >= wanted.until:
        return False
    text = (wanted.text or "").lower()
    return any(text in field.lower() for field in (row.episode_id, row.title, row.policy))
