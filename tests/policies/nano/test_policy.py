"""The models that come with the package: no torch is needed here."""

from importlib import resources

import anyio
import pytest

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.systems import sample_task, task_from_csv
from physix.errors import PolicyError, UnknownPolicyError
from physix.policies import list_policies, make_policy
from physix.policies.nano.policy import early_nano, make_nano_policy, shipped_nano
from physix.store import open_log

FRESH = 2_900_000_000  # no run and no report draws from here


def play(name: str, system_id: str, seed: int) -> Episode:
    async def go() -> Episode:
        task, truth = sample_task(system_id, seed)
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(task, truth, config=EpisodeConfig(), policy=name, door="test")
            return await engine.run(started.episode_id, make_policy(name))

    return anyio.run(go)


def solved(episode: Episode) -> bool:
    return episode.finished is not None and episode.finished.reason == "solved"


def test_the_weights_are_small() -> None:
    file = resources.files("physix.policies.nano") / "weights" / "nano.npz"
    assert len(file.read_bytes()) < 5_000_000


def test_all_are_listed_and_reachable() -> None:
    listed = {info.name: info.reachable for info in list_policies()}
    assert listed["nano"]
    assert listed["nano-early"]
    assert listed["nano-untrained"]


def test_the_early_model_is_smaller_and_writes_what_can_be_read_and_is_often_wrong() -> None:
    file = resources.files("physix.policies.nano") / "weights" / "nano-early.npz"
    assert len(file.read_bytes()) < 700_000
    played = [play("nano-early", "damped_pendulum", FRESH + n) for n in range(4)]
    turns = [turn for episode in played for turn in episode.turns]
    assert sum(turn.submitted.parse.rejection is None for turn in turns) / len(turns) > 0.9
    assert sum(map(solved, played)) <= 2
    assert turns[0].submitted.provenance.model == early_nano().name


def test_a_model_that_writes_long_laws_forgets_its_oldest_turn_and_plays_on() -> None:
    episode = play("nano-early", "damped_pendulum", 7)
    assert [turn.submitted.provenance.prompt_tokens for turn in episode.turns][3:] != []
    assert max(turn.submitted.provenance.prompt_tokens or 0 for turn in episode.turns) <= 256 - 40
    assert episode.finished is not None
    assert episode.finished.reason == "budget_exhausted"


@pytest.mark.parametrize("system_id", ["free_fall", "spring_mass", "damped_spring"])
def test_the_trained_model_solves_most_fresh_tasks_and_the_untrained_none(system_id: str) -> None:
    trained = [solved(play("nano", system_id, FRESH + n)) for n in range(6)]
    untrained = [solved(play("nano-untrained", system_id, FRESH + n)) for n in range(2)]
    assert sum(trained) >= 4
    assert not any(untrained)


def test_the_same_task_gets_the_same_answer() -> None:
    one, other = (play("nano", "damped_pendulum", FRESH) for _ in range(2))
    assert [t.submitted.equation for t in one.turns] == [t.submitted.equation for t in other.turns]
    assert [t.submitted.params for t in one.turns] == [t.submitted.params for t in other.turns]


def test_a_turn_says_which_weights_wrote_it() -> None:
    provenance = play("nano", "free_fall", FRESH).turns[0].submitted.provenance
    assert provenance.model == shipped_nano().name
    assert provenance.prompt_version == "nano-1"
    assert (provenance.completion_tokens or 0) > 0


def test_a_motion_of_first_order_is_declined_with_a_reason() -> None:
    csv = "t,x\n" + "\n".join(f"{n / 10},{2.0**-n}" for n in range(20))
    task, truth = task_from_csv(csv, hint="something decays")

    async def go() -> None:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(task, truth, config=EpisodeConfig(), policy="nano", door="test")
            episode = await engine.run(started.episode_id, make_policy("nano"))
            assert episode.finished is not None
            assert episode.finished.reason == "policy_failed"

    anyio.run(go)


def test_a_name_that_is_neither_is_refused() -> None:
    with pytest.raises(UnknownPolicyError):
        make_nano_policy("nano-huge")
    assert issubclass(PolicyError, Exception)
