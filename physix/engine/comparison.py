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

    Raises:
        EpisodeNotFoundError: the log holds no such comparison.
    """
    members = []
    for index in range(MAX_MEMBERS):
        events = await log.read(member_id(comparison_id, index))
        if not events:
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
    if not events or not isinstance(events[0].event, EpisodeStarted):
        raise ValueError("An episode begins with EpisodeStarted.")
    first = events[0]
    return Member(episode_id=first.episode_id, policy=events[0].event.policy, outcome=outcome_of(events))
