"""A fork shares what came before it and nothing after."""

from dataclasses import replace

import pytest

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.fork import fork
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import BadInputError, EpisodeNotFoundError
from physix.store import open_log

TASK, TRUTH = sample_task("spring_mass", 5)
ME = Provenance(policy="test")
RULES = EpisodeConfig(
    max_turns=4, reward_mode="gain", verifier=VerifierConfig(profile="strict", solved_threshold=0.9)
)


async def original(engine: EpisodeEngine, *equations: str) -> Episode:
    episode = await engine.start(
        TASK, TRUTH, config=RULES, policy="first", door="test", labels={"run": "r", "split": "test"}
    )
    for equation in equations:
        episode = await engine.submit(
            episode.episode_id, Hypothesis(equation=equation, rationale=equation), provenance=ME
        )
    return episode


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
async def test_a_fork_has_the_task_the_rules_and_the_turns_before_it(turn: int) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        first = await original(engine, "d2x/dt2 = 1.0", "d2x/dt2 = -2.0*x", "d2x/dt2 = ")
        forked = await fork(engine, first.episode_id, turn=turn, policy="second", door="interactive")
        assert forked.episode_id != first.episode_id
        assert forked.started.forked_from is not None
        assert (forked.started.forked_from.episode_id, forked.started.forked_from.turn) == (
            first.episode_id,
            turn,
        )
        assert (forked.task, forked.started.truth, forked.config) == (TASK, TRUTH, RULES)
        assert (forked.started.policy, forked.started.door) == ("second", "interactive")
        # What may be learned from it goes by its labels.
        assert forked.started.labels == first.started.labels
        kept = [(one.submitted, one.simulated, one.rewarded) for one in first.turns[:turn]]
        assert [(one.submitted, one.simulated, one.rewarded) for one in forked.turns] == kept
        assert forked.best_match == max([0.0, *(one.rewarded.reward.match for one in first.turns[:turn])])
        played = await engine.submit(forked.episode_id, Hypothesis(equation="d2x/dt2 = -x"), provenance=ME)
        assert played.turns[-1].number == turn + 1
        assert await engine.load(first.episode_id) == first


@pytest.mark.parametrize(
    ("turn", "max_turns", "said"),
    [
        (-1, None, "was not played"),
        (3, None, "was not played"),
        (2, 2, "leaves no turn"),
        (2, 1, "leaves no turn"),
        (0, 0, "leaves no turn"),
    ],
)
async def test_a_fork_that_makes_no_sense_is_refused_and_starts_nothing(
    turn: int, max_turns: int | None, said: str
) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        first = await original(engine, "d2x/dt2 = 1.0", "d2x/dt2 = 2.0")
        before = await log.read_all()
        with pytest.raises(BadInputError, match=said):
            await fork(engine, first.episode_id, turn=turn, policy="p", door="test", max_turns=max_turns)
        with pytest.raises(EpisodeNotFoundError):
            await fork(engine, "nowhere", turn=0, policy="p", door="test")
        assert await log.read_all() == before


async def test_another_budget_counts_from_the_first_turn_and_the_last_one_ends_it() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        first = await original(engine, "d2x/dt2 = 1.0", "d2x/dt2 = 2.0")
        forked = await fork(engine, first.episode_id, turn=2, policy="p", door="test", max_turns=3)
        assert forked.config == replace(RULES, max_turns=3)
        ended = await engine.submit(forked.episode_id, Hypothesis(equation="d2x/dt2 = 3.0"), provenance=ME)
        assert ended.finished is not None
        assert (ended.finished.reason, ended.finished.turns) == ("budget_exhausted", 3)


async def test_the_turn_that_solved_an_episode_is_no_place_to_go_on_from() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        first = await original(engine, "d2x/dt2 = 1.0")
        law = Hypothesis(equation=TRUTH.equation or "", params=TRUTH.params)
        solved = await engine.submit(first.episode_id, law, provenance=ME)
        assert solved.outcome.solved
        with pytest.raises(BadInputError, match="ended the episode"):
            await fork(engine, first.episode_id, turn=2, policy="p", door="test")
        assert len((await fork(engine, first.episode_id, turn=1, policy="p", door="test")).turns) == 1
