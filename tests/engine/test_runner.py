import threading
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import pytest

from physix.engine import (
    Episode,
    EpisodeConfig,
    EpisodeEngine,
    Observation,
    PolicyFailed,
    Proposal,
    Provenance,
    judging,
)
from physix.engine.ports import TokenSink
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import ConflictError, EpisodeFinishedError, EpisodeNotFoundError, PolicyError, StorageError
from physix.store import open_log

TASK, TRUTH = sample_task("spring_mass", 5)
ME = Provenance(policy="test")
WRONG = Hypothesis(equation="d2x/dt2 = 1.0")
RIGHT = Hypothesis(equation=TRUTH.equation or "", params=TRUTH.params)


class Plays:
    """A policy that answers from a list; an exception in it is raised."""

    name = "plays"

    def __init__(self, *answers: Hypothesis | Exception) -> None:
        self._answers = list(answers)

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Proposal(hypothesis=answer, provenance=Provenance(policy=self.name))


async def begin(engine: EpisodeEngine) -> str:
    episode = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
    return episode.episode_id


async def test_a_policy_is_driven_to_the_end() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode = await engine.run(await begin(engine), Plays(WRONG, RIGHT))
    assert episode.finished is not None
    assert (episode.finished.reason, len(episode.turns)) == ("solved", 2)


async def test_whatever_a_policy_raises_is_recorded_as_its_failure() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        crashes = (ZeroDivisionError("x / 0"), MemoryError(), KeyError("k"))
        episode = await engine.run(await begin(engine), Plays(WRONG, *crashes))
    assert (episode.outcome.reason, len(episode.turns)) == ("policy_failed", 1)
    assert episode.outcome.policy_failure == "plays failed: KeyError: 'k'"


async def test_a_fault_of_the_log_is_none_of_the_policys() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode_id = await begin(engine)
        with pytest.raises(StorageError):
            await engine.run(episode_id, Plays(StorageError("the disk is full")))
        assert (await engine.load(episode_id)).outcome.policy_failures == 0


async def test_another_engine_on_the_same_log_sees_the_same_episode() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        played = await engine.run(await begin(engine), Plays(WRONG, RIGHT))
        assert await EpisodeEngine(log).load(played.episode_id) == played


async def test_a_stale_version_conflicts_and_appends_nothing() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode_id = await begin(engine)
        await engine.submit(episode_id, WRONG, provenance=ME)
        with pytest.raises(ConflictError, match="version 4"):
            await engine.submit(episode_id, WRONG, provenance=ME, expected_version=1)
        assert (await engine.load(episode_id)).version == 4


async def test_a_repeated_command_returns_the_first_answer() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode_id = await begin(engine)
        first = await engine.submit(episode_id, WRONG, provenance=ME, command_id="k1")
        await engine.submit(episode_id, WRONG, provenance=ME)
        again = await engine.submit(episode_id, WRONG, provenance=ME, command_id="k1")
        assert again == first


async def test_a_command_id_with_another_body_conflicts() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode_id = await begin(engine)
        await engine.submit(episode_id, WRONG, provenance=ME, command_id="k1")
        with pytest.raises(ConflictError):
            await engine.submit(episode_id, RIGHT, provenance=ME, command_id="k1")


async def test_a_failing_policy_is_retried_and_recorded() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode_id = await begin(engine)
        episode = await engine.play_turn(episode_id, Plays(PolicyError("timed out"), WRONG))
        events = [recorded.event for recorded in await log.read(episode_id)]
    assert len(episode.turns) == 1
    assert [e.reason for e in events if isinstance(e, PolicyFailed)] == ["timed out"]


async def test_a_policy_that_never_answers_ends_the_episode() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        policy = Plays(*(PolicyError("refused") for _ in range(3)))
        episode = await engine.run(await begin(engine), policy)
    assert episode.finished is not None
    assert episode.finished.reason == "policy_failed"


async def test_an_unknown_episode_is_named() -> None:
    async with open_log("memory://") as log:
        with pytest.raises(EpisodeNotFoundError, match="nowhere"):
            await EpisodeEngine(log).load("nowhere")


async def test_a_turn_after_the_end_is_refused() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode = await engine.run(await begin(engine), Plays(RIGHT))
        with pytest.raises(EpisodeFinishedError):
            await engine.play_turn(episode.episode_id, Plays(WRONG))


async def test_an_episode_is_ended_though_a_turn_that_was_on_its_way_came_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_log("memory://") as log:
        engine, other = EpisodeEngine(log), EpisodeEngine(log)
        episode_id = await begin(engine)
        load = engine.load

        async def overtaken(episode_id: str) -> Episode:
            episode = await load(episode_id)
            if not episode.turns:
                await other.submit(episode_id, WRONG, provenance=ME)
            return episode

        monkeypatch.setattr(engine, "load", overtaken)
        ended = await engine.abandon(episode_id)
    assert ended.finished is not None
    assert (ended.finished.reason, len(ended.turns)) == ("abandoned", 1)


async def test_turns_that_ask_for_constants_do_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = threading.Event()

    def slow(*arguments: Any, config: VerifierConfig, **named: Any) -> Any:
        if config.constants == "fitted":
            found.wait()
        return verify(*arguments, config=config, **named)

    monkeypatch.setattr(judging, "verify", slow)
    async with open_log("memory://") as log, anyio.create_task_group() as tasks:
        engine = EpisodeEngine(log)
        fitted = EpisodeConfig(verifier=VerifierConfig(constants="fitted"))
        searching = await engine.start(TASK, TRUTH, config=fitted, policy="test", door="test")
        for _ in range(3):
            tasks.start_soon(try_submit, engine, searching.episode_id)
        await anyio.wait_all_tasks_blocked()
        played = await engine.submit(await begin(engine), WRONG, provenance=ME)
        assert len(played.turns) == 1
        assert not (await engine.load(searching.episode_id)).turns
        found.set()


async def try_submit(engine: EpisodeEngine, episode_id: str) -> None:
    """Submit; of several at one version one is first."""
    with suppress(ConflictError):
        await engine.submit(episode_id, WRONG, provenance=ME)


async def test_an_episode_whose_id_says_what_it_is_begins_once_and_goes_on() -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        take_up = partial(
            engine.take_up,
            TASK,
            TRUTH,
            config=EpisodeConfig(),
            policy="test",
            door="training",
            episode_id="run-1",
        )
        assert (await take_up(labels={"run": "r"})).version == 1
        played = await engine.submit("run-1", WRONG, provenance=ME)
        assert await take_up(labels={"run": "r"}) == played


@pytest.mark.parametrize(
    "otherwise",
    [
        {"door": "openenv"},
        {"token_sha256": "0" * 64},
        {"labels": {"run": "another"}},
        {"policy": "another"},
        {"config": EpisodeConfig(max_turns=64)},
        {"task": sample_task("spring_mass", 6)[0]},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_what_somebody_else_began_under_such_an_id_does_not_count(otherwise: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "config": EpisodeConfig(),
        "policy": "test",
        "door": "training",
        "episode_id": "run-1",
        "labels": {"run": "r"},
    }
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        given: dict[str, Any] = {"task": TASK, "truth": TRUTH} | asked | otherwise
        await engine.start(**given)
        with pytest.raises(ConflictError, match="another one"):
            await engine.take_up(TASK, TRUTH, **asked)
