"""Several episodes on the same task: their names, and what each of them came to. Pure but for reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from physix.engine.episode import Episode, fold
from physix.engine.events import FinishReason, HypothesisSubmitted, PolicyFailed, RecordedEvent
from physix.engine.ports import EventLog
from physix.errors import EpisodeNotFoundError

MAX_MEMBERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One policy's episode in a comparison, summed up."""

    episode_id: str
    policy: str
    outcome: FinishReason | None  # None while it runs
    turns: int
    turns_to_solve: int | None
    best_match: float
    best_total: float
    total_reward: float  # sum of the emitted rewards
    generalisation: float | None  # of the turn with the best match, the later one of equals
    parse_failures: int  # replies without a hypothesis, and equations that did not parse
    policy_failures: int


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
        ValueError: there are no events.
    """
    episode = fold(events)
    if episode is None:
        raise ValueError("An episode has at least one event.")
    outcome = episode.finished.reason if episode.finished else None
    failures = [one.event for one in events if isinstance(one.event, PolicyFailed)]
    unparsed = sum(
        isinstance(one.event, HypothesisSubmitted) and one.event.parse.rejection is not None for one in events
    )
    return Member(
        episode_id=episode.episode_id,
        policy=episode.started.policy,
        outcome=outcome,
        turns=len(episode.turns),
        turns_to_solve=len(episode.turns) if outcome == "solved" else None,
        best_match=episode.best_match,
        best_total=episode.best_total,
        total_reward=sum(turn.rewarded.emitted for turn in episode.turns),
        generalisation=_generalisation(episode),
        parse_failures=unparsed + sum(failed.raw_completion is not None for failed in failures),
        policy_failures=len(failures),
    )


def _generalisation(episode: Episode) -> float | None:
    best = None
    for turn in episode.turns:
        if best is None or turn.rewarded.reward.match >= best.rewarded.reward.match:
            best = turn
    return best.rewarded.generalisation if best else None
