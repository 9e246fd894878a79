from dataclasses import replace
from datetime import UTC, datetime

import pytest

from physix.engine import Episode, EpisodeConfig, Provenance, evolve, fold, observe
from physix.engine.episode import abandon, fail_policy, play, start
from physix.engine.events import (
    EpisodeFinished,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, EpisodeFinishedError
from physix.limits import POLICY_ATTEMPTS

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ME = Provenance(policy="test")
WRONG = Hypothesis(equation="d2y/dt2 = 3.0")
TASK, TRUTH = sample_task("free_fall", 3)
RIGHT = Hypothesis(equation=TRUTH.equation or "", params=TRUTH.params)


def record(episode: Episode | None, events: tuple[Event, ...]) -> Episode:
    """Fold events as a log would number them."""
    for event in events:
        version = episode.version + 1 if episode else 1
        recorded = RecordedEvent(
            episode_id="e1", version=version, position=version, recorded_at=NOON, event=event
        )
        episode = evolve(episode, recorded)
    assert episode is not None
    return episode


def new_episode(config: EpisodeConfig | None = None) -> Episode:
    started = start(TASK, TRUTH, config=config or EpisodeConfig(), policy="test", door="test")
    return record(None, (started,))


def after(episode: Episode, hypothesis: Hypothesis) -> Episode:
    return record(episode, play(episode, hypothesis, provenance=ME))


def test_a_turn_is_three_events_in_order() -> None:
    events = play(new_episode(), WRONG, provenance=ME)
    assert [type(event) for event in events] == [HypothesisSubmitted, SimulationRun, RewardComputed]


def test_the_truth_ends_the_episode_as_solved() -> None:
    episode = after(new_episode(), RIGHT)
    assert episode.finished == EpisodeFinished(
        reason="solved", turns=1, best_match=episode.best_match, best_total=episode.best_total
    )


def test_the_last_budgeted_turn_ends_the_episode() -> None:
    episode = after(after(new_episode(EpisodeConfig(max_turns=2)), WRONG), WRONG)
    assert episode.finished is not None
    assert episode.finished.reason == "budget_exhausted"


def test_a_finished_episode_accepts_no_turn() -> None:
    episode = after(new_episode(), RIGHT)
    with pytest.raises(EpisodeFinishedError, match="ended"):
        play(episode, WRONG, provenance=ME)


def test_an_unparsable_equation_is_a_scored_turn() -> None:
    episode = after(new_episode(), Hypothesis(equation="__import__('os').system('true')"))
    assert episode.turns[0].rewarded.reward.total == 0.0


def test_repeating_a_hypothesis_earns_no_progress() -> None:
    episode = new_episode(EpisodeConfig())
    poor = Hypothesis(equation="d2y/dt2 = -1.0")
    episode = after(after(episode, poor), poor)
    assert episode.turns[1].rewarded.reward.progress == 0.0


def test_progress_is_measured_from_the_best_turn_so_far() -> None:
    episode = new_episode()
    best = 0.0
    for share in (0.2, 0.85, -0.5, 0.75, 0.9):
        episode = after(episode, Hypothesis(equation="d2y/dt2 = -g", params={"g": share * TRUTH.params["g"]}))
        reward = episode.turns[-1].rewarded.reward
        assert reward.progress == pytest.approx(max(0.0, (reward.match - best) / (1.0 - best)))
        best = max(best, reward.match)
    last = episode.turns[-1].rewarded.reward
    assert 0.0 < last.progress < last.match < 0.93


def test_under_gain_the_emitted_rewards_sum_to_the_best_total() -> None:
    episode = new_episode(EpisodeConfig(reward_mode="gain"))
    for equation in ("d2y/dt2 = 3.0", "d2y/dt2 = -2.0", "d2y/dt2 = 3.0"):
        episode = after(episode, Hypothesis(equation=equation))
    assert sum(turn.rewarded.emitted for turn in episode.turns) == pytest.approx(episode.best_total)


def test_an_observation_holds_no_truth_and_no_generalisation() -> None:
    seen = repr(observe(after(new_episode(), WRONG)))
    assert "generalisation" not in seen
    assert "hidden" not in seen
    assert repr(TRUTH.params["g"]) not in seen


def test_an_observation_counts_the_turns_left() -> None:
    seen = observe(after(new_episode(), WRONG))
    assert (seen.turn, seen.turns_remaining, len(seen.history)) == (2, 7, 1)


def test_a_failing_policy_ends_the_episode_after_its_attempts() -> None:
    episode = new_episode()
    for _ in range(POLICY_ATTEMPTS):
        episode = record(episode, fail_policy(episode, policy="p", reason="timed out"))
    assert episode.finished is not None
    assert episode.finished.reason == "policy_failed"


def test_a_completed_turn_forgives_failed_attempts() -> None:
    episode = record(new_episode(), fail_policy(new_episode(), policy="p", reason="timed out"))
    assert after(episode, WRONG).failed_attempts == 0


def test_an_abandoned_episode_says_so() -> None:
    episode = record(new_episode(), abandon(new_episode()))
    assert episode.finished is not None
    assert episode.finished.reason == "abandoned"


def test_folding_in_two_steps_equals_folding_at_once() -> None:
    episode = new_episode()
    recorded = [
        RecordedEvent(episode_id="e1", version=2 + i, position=2 + i, recorded_at=NOON, event=event)
        for i, event in enumerate(play(episode, WRONG, provenance=ME))
    ]
    assert fold(recorded[1:], fold(recorded[:1], episode)) == fold(recorded, episode)


def test_an_open_turn_is_not_shown_as_a_turn() -> None:
    submitted = play(new_episode(), WRONG, provenance=ME)[:1]
    assert record(new_episode(), submitted).turns == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1", 10**400])
def test_a_param_that_is_no_finite_number_is_refused(value: object) -> None:
    hypothesis = Hypothesis(equation="d2y/dt2 = -g", params={"g": value})  # type: ignore[dict-item]  # what a stranger may send
    with pytest.raises(BadInputError, match="finite real number"):
        play(new_episode(), hypothesis, provenance=ME)


def test_a_lone_surrogate_is_refused_before_it_reaches_the_log() -> None:
    with pytest.raises(BadInputError, match="surrogate"):
        play(new_episode(), Hypothesis(equation="d2y/dt2 = \ud800"), provenance=ME)


@pytest.mark.parametrize("max_turns", [0, -1, 65])
def test_a_turn_budget_out_of_range_is_refused(max_turns: int) -> None:
    with pytest.raises(BadInputError, match="max_turns"):
        new_episode(replace(EpisodeConfig(), max_turns=max_turns))


def test_a_policys_reason_is_bounded_and_encodable() -> None:
    (failed,) = fail_policy(new_episode(), policy="p", reason="\ud800" * 10_000)
    assert isinstance(failed, PolicyFailed)
    assert len(failed.reason.encode()) <= 4_096
