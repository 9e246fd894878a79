"""What an episode came to: the one fold that lists, comparisons, reports and the page read. Pure.

The rules that everyone must agree on:
- The best turn is the one with the highest r_match; of equals, the later one, as its agent had seen more.
  `is_better` says so, also to whoever folds columns instead of events.
- `generalisation` is that of the best turn.
- The total reward is the sum of what was emitted, under the episode's own reward mode.
- A parse failure is an equation that did not parse, or a reply that held no hypothesis.
- An episode is solved if it ended as `solved`; the turns it took are those played until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from physix.engine.events import (
    EpisodeFinished,
    Event,
    FinishReason,
    HypothesisSubmitted,
    PolicyFailed,
    RecordedEvent,
    RewardComputed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an episode has come to so far."""

    reason: FinishReason | None = None  # None while it runs
    turns: int = 0
    best_turn: int | None = None  # None before turn 1
    best_match: float = 0.0
    best_total: float = 0.0
    total_reward: float = 0.0
    generalisation: float | None = None
    parse_failures: int = 0
    policy_failures: int = 0
    policy_failure: str | None = None  # why the policy failed last

    @property
    def solved(self) -> bool:
        """It passed on what was shown, and on what was held back where its rules ask for that."""
        return self.reason == "solved"

    @property
    def passed(self) -> bool:
        """A law passed: solved or, where nothing was held back that could confirm it, it fits."""
        return self.reason in ("solved", "fits")

    @property
    def turns_to_solve(self) -> int | None:
        """The turn that solved it; None if none did."""
        return self.turns if self.solved else None


BEFORE_TURN_1 = Outcome()


def is_better(match: float, best: float | None) -> bool:
    """Tell whether a turn with this r_match becomes the best one; `best` is None before turn 1."""
    return best is None or match >= best


def take(outcome: Outcome, event: Event) -> Outcome:
    """Fold one event in."""
    match event:
        case HypothesisSubmitted(parse=parse) if parse.rejection is not None:
            return replace(outcome, parse_failures=outcome.parse_failures + 1)
        case RewardComputed():
            return _with_turn(outcome, event)
        case PolicyFailed(reason=reason, raw_completion=reply):
            return replace(
                outcome,
                policy_failures=outcome.policy_failures + 1,
                policy_failure=reason,
                parse_failures=outcome.parse_failures + (reply is not None),
            )
        case EpisodeFinished():
            return replace(outcome, reason=event.reason)
        case _:
            return outcome


def _with_turn(outcome: Outcome, paid: RewardComputed) -> Outcome:
    better = is_better(paid.reward.match, outcome.best_match if outcome.turns else None)
    return replace(
        outcome,
        turns=paid.turn,
        best_total=max(outcome.best_total, paid.reward.total),
        total_reward=outcome.total_reward + paid.emitted,
        best_turn=paid.turn if better else outcome.best_turn,
        best_match=paid.reward.match if better else outcome.best_match,
        generalisation=paid.generalisation if better else outcome.generalisation,
    )


def outcome_of(events: Iterable[RecordedEvent]) -> Outcome:
    """Return what one episode's events come to."""
    outcome = BEFORE_TURN_1
    for recorded in events:
        outcome = take(outcome, recorded.event)
    return outcome
