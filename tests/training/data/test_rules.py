"""Each mining rule on episodes written by hand: what it keeps, what it refuses, on both sides of its edge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from physix.engine.events import Event
from physix.engine.systems.splits import EVALUATION_SEEDS
from physix.engine.verifier.types import Correctness, Recovery
from physix.store import open_log
from physix.store.contract_events import finished, started, turn
from physix.training.data.mining import MiningReport, MiningRules, SftRow, mine


@dataclass(frozen=True, slots=True)
class Played:
    """Generalisation of each turn, and what else tells the episode apart."""

    generalisations: Sequence[float]
    name: str = "e"
    verdict: Recovery | None = None  # of every turn
    seed: int | None = 1
    system: str = "free_fall"
    split: str | None = None
    policy: str = "p"
    ended: bool = True

    def events(self) -> tuple[Event, ...]:
        first = started()
        task = replace(
            first.task, seed=self.seed, system_id=self.system, task_id=f"{self.system}/{self.seed}"
        )
        labels = {} if self.split is None else {"split": self.split}
        return (replace(first, task=task, policy=self.policy, labels=labels),)

    def turns(self) -> list[tuple[Event, ...]]:
        found: list[tuple[Event, ...]] = []
        for number, generalisation in enumerate(self.generalisations, start=1):
            law = f"d2y/dt2 = -9.{number} + 0*{len(self.name)}.{ord(self.name[-1])}"
            asked, ran, paid = turn(number, equation=law)
            correctness = self.verdict and Correctness(field_error=None, verdict=self.verdict)
            paid = replace(paid, generalisation=generalisation, correctness=correctness)
            found.append((asked, ran, paid))
        return [*found, (finished(),)] if self.ended else found


async def mined(rules: MiningRules, *episodes: Played) -> tuple[list[SftRow], MiningReport]:
    report = MiningReport(rules=rules)
    async with open_log("memory://") as log:
        for one in episodes:
            version = len(await log.append(one.name, one.events(), expected_version=0))
            for events in one.turns():
                version += len(await log.append(one.name, events, expected_version=version))
        return [row async for row in mine(log, rules, report)], report


def turns_of(rows: Sequence[SftRow]) -> list[int]:
    return [row.turn for row in rows]


ALL = MiningRules(best_of=0)


@pytest.mark.parametrize(("generalisation", "kept"), [(0.9, 0), (0.9000001, 1), (0.8999, 0), (1.0, 1)])
async def test_a_turn_must_generalise_better_than_asked(generalisation: float, kept: int) -> None:
    rows, report = await mined(ALL, Played([generalisation]))
    assert len(rows) == kept
    assert report.refused["does not generalise"] == 1 - kept


@pytest.mark.parametrize(("verdict", "kept"), [("exact", 1), ("recovered", 1), ("different", 0), (None, 0)])
async def test_a_law_that_was_recovered_counts_whatever_its_motions(
    verdict: Recovery | None, kept: int
) -> None:
    rows, _ = await mined(ALL, Played([0.2], verdict=verdict))
    assert len(rows) == kept


async def test_improving_keeps_what_is_better_than_all_before_it() -> None:
    rows, report = await mined(ALL, Played([0.95, 0.95, 0.2, 0.94, 0.97, 0.96]))
    assert turns_of(rows) == [1, 5]
    assert (report.refused["no improvement"], report.refused["does not generalise"]) == (3, 1)


async def test_a_turn_that_was_refused_still_raises_what_the_next_must_beat() -> None:
    rows, _ = await mined(replace(ALL, min_generalisation=0.5), Played([0.4, 0.9, 0.8]))
    assert turns_of(rows) == [2]
    rows, _ = await mined(replace(ALL, min_generalisation=0.9), Played([0.95, 0.99], verdict=None))
    assert turns_of(rows) == [1, 2]


async def test_best_keeps_one_turn_an_episode() -> None:
    rows, report = await mined(replace(ALL, keep="best"), Played([0.91, 0.95, 0.99, 0.98]))
    assert turns_of(rows) == [3]
    assert rows[0].generalisation == 0.99
    assert report.refused["improved upon later"] == 2


async def test_hindsight_pairs_the_best_law_with_every_earlier_question() -> None:
    rows, _ = await mined(replace(ALL, keep="best", hindsight=True), Played([0.1, 0.2, 0.99]))
    assert [(row.turn, row.kind) for row in rows] == [(1, "hindsight"), (2, "hindsight"), (3, "played")]
    assert len({str(row.completion) for row in rows}) == 1
    for row in rows:  # a question holds what was known before it: no later turn, and not the answer
        asked = str(row.prompt)
        assert [f"-9.{number} " in asked for number in (1, 2, 3)] == [row.turn > 1, row.turn > 2, False]


async def test_best_of_keeps_the_best_of_a_task_and_of_equals_the_first() -> None:
    episodes = [
        Played([value], name=name) for name, value in zip("abcd", (0.92, 0.97, 0.95, 0.97), strict=True)
    ]
    other = Played([0.91], name="x", seed=2)
    rows, report = await mined(replace(ALL, best_of=2), *episodes, other)
    assert [row.episode_id for row in rows] == ["b", "d", "x"]
    assert report.refused["better ones for the task"] == 2
    rows, _ = await mined(replace(ALL, best_of=1), *episodes)
    assert [row.episode_id for row in rows] == ["b"]


async def test_balance_keeps_the_first_of_a_system_and_turn() -> None:
    episodes = [Played([0.95, 0.99], name=name, seed=ord(name)) for name in "abc"]
    rows, report = await mined(replace(ALL, balance=2), *episodes)
    assert [(row.episode_id, row.turn) for row in rows] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert report.refused["balance"] == 2
    assert report.by_system_and_turn == {"free_fall/1": 2, "free_fall/2": 2}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"system": "projectile_drag"}, "held-out system"),
        ({"system": "charged_b_field"}, "held-out system"),
        ({"seed": EVALUATION_SEEDS.start}, "evaluation split"),
        ({"seed": EVALUATION_SEEDS.stop - 1}, "evaluation split"),
        ({"seed": None}, "evaluation split"),
        ({"split": "test"}, "evaluation split"),
        ({"split": "validation"}, "evaluation split"),
        ({"split": "evaluation"}, "evaluation split"),
        ({"split": "train"}, None),
        ({"seed": EVALUATION_SEEDS.start - 1}, None),
        ({"seed": EVALUATION_SEEDS.stop}, None),
        ({"generalisations": []}, "no turn"),
    ],
)
async def test_nothing_is_learned_from_what_is_measured_on(
    change: dict[str, object], reason: str | None
) -> None:
    rows, report = await mined(ALL, replace(Played([0.99]), **change))  # type: ignore[arg-type]  # as named
    assert len(rows) == (reason is None)
    assert report.episodes == 1
    if reason is not None:
        assert report.refused[reason] == 1


async def test_only_what_was_asked_for_is_mined_and_nothing_that_still_runs() -> None:
    episodes = [
        Played([0.99], name="a", policy="one"),
        Played([0.99], name="b", policy="two"),
        Played([0.99], name="c", policy="one", system="spring_mass"),
        Played([0.99], name="d", policy="one", ended=False),
    ]
    rows, report = await mined(replace(ALL, policies=("one",), systems=("free_fall",)), *episodes)
    assert [row.episode_id for row in rows] == ["a"]
    assert (report.refused["other policy"], report.refused["other system"], report.episodes) == (1, 1, 3)
