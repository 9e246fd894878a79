"""Several episodes on the same task: their names, and what each of them came to. Pure but for reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from physix.engine.events import EpisodeStarted, RecordedEvent
from physix.engine.outcome import Outcome, outcome_of
from physix.engine.ports import EventLog
from physix.errors import EpisodeNotFoundError
from physix.limits import MAX_MEMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One policy's episode in a comparison."""

    episode_id: str
    policy: str
    outcome: Outcome


def member_id(comparison_id: str, index: int) -> str:
    """Return the id of a member's episode: a comparison needs no table of its own."""
    return f"{comparison_id}-{index}"


async def load_members(log: EventLog, comparison_id: str) -> list[tuple[RecordedEvent, ...]]:
    """Return the events of every member, in the order they were named.

    An episode that only bears such a name is none: whoever names episodes could join any comparison.

    Raises:
        EpisodeNotFoundError: the log holds no such comparison.
    """
    members = []
    for index in range(MAX_MEMBERS):
        events = await log.read(member_id(comparison_id, index))
        first = events[0].event if events else None
        if not isinstance(first, EpisodeStarted) or first.comparison_id != comparison_id:
            break
        members.append(events)
    if not members:
        raise EpisodeNotFoundError(member_id(comparison_id, 0))
    return members


def summarise(events: Sequence[RecordedEvent]) -> Member:
    """Sum up one episode from its events.

    Raises:
        ValueError: they do not begin with EpisodeStarted.
    """
    started = start_of(events)
    return Member(episode_id=events[0].episode_id, policy=started.policy, outcome=outcome_of(events))


def start_of(events: Sequence[RecordedEvent]) -> EpisodeStarted:
    """Return how an episode began.

    Raises:
        ValueError: its events do not begin with EpisodeStarted.
    """
    if not events or not isinstance(events[0].event, EpisodeStarted):
        raise ValueError("An episode begins with EpisodeStarted.")
    return events[0].event
