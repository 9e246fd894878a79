"""What a rollout is paid, by value: worked out by hand from what its turns earned."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from physix.engine import Episode, RecordedEvent
from physix.engine.episode import fold
from physix.engine.events import Event
from physix.engine.verifier.types import Correctness, Recovery
from physix.store.contract_events import finished, started, turn
from physix.training.rewards import (
    COMPONENTS,
    EpisodeReward,
    episode_reward,
    hacked,
    reward_functions,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def episode(
    *matches: float,
    dense: Sequence[float | None] = (),
    simple: Sequence[float] = (),
    formed: Sequence[float] = (),
    verdicts: Sequence[Recovery | None] = (),
) -> Episode:
    """An episode whose turns earned this."""
    events: list[Event] = [started()]
    for index, match in enumerate(matches):
        asked, ran, paid = turn(index + 1, match=match)
        verdict = verdicts[index] if verdicts else None
        reward = replace(
            paid.reward,
            simplicity=simple[index] if simple else 0.0,
            format=formed[index] if formed else 0.0,
        )
        paid = replace(
            paid,
            reward=reward,
            match_dense=dense[index] if dense else None,
            correctness=None if verdict is None else Correctness(field_error=None, verdict=verdict),
        )
        events += [asked, ran, paid]
    events.append(finished())
    recorded = [
        RecordedEvent(episode_id="e", version=n, position=n, recorded_at=NOON, event=event)
        for n, event in enumerate(events, start=1)
    ]
    folded = fold(recorded)
    assert folded is not None
    return folded


@pytest.mark.parametrize(
    ("matches", "paid"),
    [
        ((0.8,), 0.8),
        ((0.0, 0.8), 0.72),  # 0.9 * 0.8
        ((0.0, 0.0, 0.8), 0.648),  # 0.81 * 0.8
        ((0.5, 0.8), 0.77),  # 0.5 + 0.9 * 0.3
        ((0.5, 0.2, 0.8), 0.743),  # 0.5 + 0 + 0.81 * 0.3
        ((0.5, 0.2, 0.4), 0.5),  # nothing above the best
        ((0.5, 0.5, 0.5), 0.5),
    ],
)
def test_match_pays_what_a_turn_adds_to_the_best_the_later_the_less(
    matches: tuple[float, ...], paid: float
) -> None:
    assert episode_reward(episode(*matches)).match == pytest.approx(paid)


def test_the_dense_match_is_paid_likewise_and_a_turn_without_one_counts_nothing() -> None:
    found = episode_reward(episode(0.1, 0.2, 0.3, dense=(0.4, None, 0.9)))
    assert found.match_dense == pytest.approx(0.4 + 0.81 * 0.5)
    assert found.match == pytest.approx(0.1 + 0.9 * 0.1 + 0.81 * 0.1)


def test_without_progress_only_the_last_turn_is_paid() -> None:
    found = episode_reward(episode(0.9, 0.2, dense=(0.95, 0.3)), progress=False)
    assert (found.match, found.match_dense) == (0.2, 0.3)


@pytest.mark.parametrize(
    ("verdicts", "paid"),
    [
        (("exact", "different"), 1.0),
        (("recovered", None), 1.0),
        (("different", "exact"), 0.0),  # the exact one is not the best turn
        ((None, None), 0.0),
    ],
)
def test_correctness_is_that_of_the_best_turn(verdicts: tuple[Recovery | None, ...], paid: float) -> None:
    assert episode_reward(episode(0.9, 0.2, verdicts=verdicts)).correctness == paid


def test_simplicity_is_paid_as_far_as_the_best_turn_matches() -> None:
    assert episode_reward(episode(0.4, 0.5, simple=(1.0, 0.8))).simplicity == pytest.approx(0.4)
    assert episode_reward(episode(0.0, simple=(1.0,))).simplicity == 0.0


def test_format_is_the_mean_over_turns() -> None:
    assert episode_reward(episode(0.1, 0.2, 0.3, formed=(1.0, 0.0, 1.0))).format == pytest.approx(2 / 3)


def test_an_episode_without_a_turn_is_paid_nothing() -> None:
    nothing = EpisodeReward(match=0.0, match_dense=0.0, correctness=0.0, simplicity=0.0, format=0.0)
    assert episode_reward(episode()) == nothing


def test_each_component_reaches_the_trainer_with_its_own_weight() -> None:
    functions, weights = reward_functions()
    columns = {f"reward_{name}": [float(place), 10.0 + place] for place, name in enumerate(COMPONENTS)}
    named = dict(zip([one.__name__ for one in functions], weights, strict=True))
    assert named == {
        "match": 0.5,
        "match_dense": 0.2,
        "correctness": 0.2,
        "simplicity": 0.05,
        "format": 0.05,
    }
    assert math.fsum(weights) == pytest.approx(1.0)
    for place, one in enumerate(functions):
        assert one(["a", "b"], **columns) == [float(place), 10.0 + place]


@pytest.mark.parametrize(("ablation", "left_out"), [("no_simplicity", "simplicity"), ("no_format", "format")])
def test_an_ablation_takes_away_its_component_and_no_other(ablation: str, left_out: str) -> None:
    functions, weights = reward_functions(ablation)
    whole = dict(zip([f.__name__ for f in reward_functions()[0]], reward_functions()[1], strict=True))
    del whole[left_out]
    assert dict(zip([one.__name__ for one in functions], weights, strict=True)) == whole


def test_progress_and_hint_and_history_take_no_component_away() -> None:
    for ablation in (None, "no_progress", "no_hint", "no_history"):
        assert len(reward_functions(ablation)[0]) == 5


@pytest.mark.parametrize(
    ("match_falls", "other_rises", "named"),
    [(0.06, 0.06, "format"), (0.04, 0.06, None), (0.06, 0.04, None), (-0.06, 0.06, None)],
)
def test_hacking_is_a_fall_and_a_rise_of_more_than_a_twentieth(
    match_falls: float, other_rises: float, named: str | None
) -> None:
    early = {"match": 0.5, "format": 0.5}
    late = {"match": 0.5 - match_falls, "format": 0.5 + other_rises}
    assert hacked([early] * 4 + [late] * 4, window=4) == named
    assert hacked([early] * 3 + [late] * 4, window=4) is None
