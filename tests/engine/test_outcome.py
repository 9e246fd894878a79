from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from physix.engine.episode import fold
from physix.engine.events import Event, PolicyFailed, RecordedEvent
from physix.engine.outcome import Outcome, is_better, outcome_of
from physix.engine.verifier.types import Rejection
from physix.store.contract_events import finished, started, turn

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(events: Sequence[Event]) -> list[RecordedEvent]:
    return [
        RecordedEvent(episode_id="e1", version=n, position=n, recorded_at=NOON, event=event)
        for n, event in enumerate(events, start=1)
    ]


def played(
    number: int, match: float, generalisation: float, *, total: float = 0.5, emitted: float = 0.5
) -> tuple[Event, ...]:
    asked, ran, paid = turn(number, match=match)
    reward = replace(paid.reward, total=total)
    return asked, ran, replace(paid, reward=reward, generalisation=generalisation, emitted=emitted)


def came_to(*events: Event) -> Outcome:
    recorded = record([started(), *events])
    outcome = outcome_of(recorded)
    episode = fold(recorded)
    assert episode is not None
    assert episode.outcome == outcome
    return outcome


def failed(reply: str | None) -> PolicyFailed:
    return PolicyFailed(turn=1, policy="p", reason="why", attempt=1, attempts_allowed=3, raw_completion=reply)


def test_an_episode_without_turns_came_to_nothing_yet() -> None:
    assert came_to() == Outcome()
    assert came_to().best_turn is None


def test_the_best_turn_is_the_one_with_the_highest_match() -> None:
    outcome = came_to(*played(1, 0.4, 0.1), *played(2, 0.7, 0.2), *played(3, 0.6, 0.3))
    assert (outcome.turns, outcome.best_turn, outcome.best_match) == (3, 2, 0.7)
    assert outcome.generalisation == 0.2


def test_of_equal_turns_the_later_one_is_the_best() -> None:
    outcome = came_to(*played(1, 0.7, 0.9), *played(2, 0.7, 0.2))
    assert (outcome.best_turn, outcome.generalisation) == (2, 0.2)


@pytest.mark.parametrize(
    ("match", "best", "better"),
    [(0.0, None, True), (0.5, 0.5, True), (0.4999, 0.5, False), (0.5001, 0.5, True), (0.0, 0.0, True)],
)
def test_a_turn_is_better_from_equality_on(match: float, best: float | None, better: bool) -> None:
    assert is_better(match, best) is better


def test_a_first_turn_that_matched_nothing_is_still_the_best_so_far() -> None:
    assert came_to(*played(1, 0.0, 0.3)).best_turn == 1


def test_the_total_is_the_sum_of_what_was_emitted() -> None:
    outcome = came_to(
        *played(1, 0.4, 0.1, total=0.6, emitted=0.6), *played(2, 0.5, 0.1, total=0.7, emitted=0.1)
    )
    assert outcome.total_reward == pytest.approx(0.7)
    assert outcome.best_total == 0.7


def test_parse_failures_are_equations_and_replies_that_held_none() -> None:
    asked, ran, paid = turn(1)
    rejection = Rejection(code="syntax", message="", column=1, found="")
    unread = replace(asked, parse=replace(asked.parse, rejection=rejection))
    outcome = came_to(failed("I think"), failed(None), unread, ran, paid)
    assert (outcome.parse_failures, outcome.policy_failures, outcome.policy_failure) == (2, 2, "why")


def test_only_a_solved_episode_has_turns_to_solve() -> None:
    two = (*played(1, 0.4, 0.1), *played(2, 0.99, 0.9))
    assert came_to(*two).turns_to_solve is None
    assert came_to(*two, finished("solved")).turns_to_solve == 2
    assert came_to(*two, finished("budget_exhausted")).turns_to_solve is None
