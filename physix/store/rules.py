"""The rules that every append and every list obeys, on any log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from physix.engine.events import (
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    RewardComputed,
    SimulationRun,
)
from physix.engine.systems.task import is_evaluation, is_measured
from physix.errors import BadInputError, ConflictError
from physix.limits import MAX_COMMAND_ID, MAX_EPISODE_ID
from physix.store.rows import OPEN_DOOR, TRIGRAM, EpisodeFilter, EpisodeRow


def check_ids(episode_id: str, command_id: str | None) -> None:
    """Refuse ids that a database could not hold.

    Raises:
        BadInputError: one is empty, too long, or holds NUL.
    """
    for what, value, most in (
        ("episode", episode_id, MAX_EPISODE_ID),
        ("command", command_id, MAX_COMMAND_ID),
    ):
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
    labels = bool(events) and all(isinstance(event, EpisodeLabelled) for event in events)
    if place is not None and labels:
        return
    if place is not None and place.status == "finished":
        raise ConflictError(f"Episode {episode_id} finished at version {version}; only labels may follow.")
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


def wanted_labels(wanted: EpisodeFilter) -> dict[str, str | None]:
    """Return the labels that an episode must have; None: with any value."""
    trained = {name: value for name in ("run", "step") if (value := getattr(wanted, name)) is not None}
    return {**wanted.labels, **trained}


def matches_filter(row: EpisodeRow, wanted: EpisodeFilter, said: Iterable[str] = ()) -> bool:
    """Tell whether a list with this filter shows the row of an episode, on which this was said."""
    if wanted.public and wanted.names_system and is_evaluation(row.system_id, row.seed):
        return False
    if wanted.ranked != "all" and not (
        row.door == OPEN_DOOR
        or is_measured(row.system_id)
        or (wanted.ranked == "sampled" and not is_evaluation(row.system_id, row.seed))
    ):
        return False
    held = wanted.holds_back(row.system_id, row.seed)
    if held and wanted.labels:
        return False
    for name, value in wanted_labels(wanted).items():
        if name not in row.labels or value not in (None, row.labels[name]):
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
    if any(text in name.lower() for name in (row.episode_id, row.title, row.policy)):
        return True
    return not held and len(text) >= TRIGRAM and any(text in one.lower() for one in said)
