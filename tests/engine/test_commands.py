"""Repeating a command: what is the same command, and what merely bears its id."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from physix.engine import EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.errors import ConflictError
from physix.store import Log, open_log

TASK, TRUTH = sample_task("spring_mass", 5)
ME = Provenance(policy="test")
LAW = Hypothesis(equation="d2x/dt2 = -k*x", params={"k": 2.0, "m": 1.0}, rationale="A spring.")
OTHERS = {
    "equation": replace(LAW, equation="d2x/dt2 = -k*x "),
    "a param's value": replace(LAW, params={"k": 2.0, "m": 1.0000000000000002}),
    "a param's sign": replace(LAW, params={"k": 2.0, "m": -1.0}),
    "a param's name": replace(LAW, params={"k": 2.0, "b": 1.0}),
    "one more param": replace(LAW, params={"k": 2.0, "m": 1.0, "b": 0.0}),
    "one less param": replace(LAW, params={"k": 2.0}),
    "a param left open": replace(LAW, params={"k": 2.0, "m": None}),
    "rationale": replace(LAW, rationale="A spring"),
}
Open = Callable[[], AbstractAsyncContextManager[Log]]


@pytest.fixture(params=["memory", "sqlite"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/log.db"
    return lambda: open_log(url)


@asynccontextmanager
async def begun(open_one: Open) -> AsyncIterator[tuple[EpisodeEngine, str]]:
    async with open_one() as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        yield engine, started.episode_id


@pytest.mark.parametrize("field", OTHERS)
async def test_a_command_id_stands_for_every_field_of_its_hypothesis(open_one: Open, field: str) -> None:
    async with begun(open_one) as (engine, name):
        await engine.submit(name, LAW, provenance=ME, command_id="c")
        with pytest.raises(ConflictError, match="another request"):
            await engine.submit(name, OTHERS[field], provenance=ME, command_id="c")
        assert len((await engine.load(name)).turns) == 1


@pytest.mark.parametrize("field", OTHERS)
async def test_of_two_hypotheses_sent_together_under_one_id_one_is_refused(
    open_one: Open, field: str
) -> None:
    """The writer takes both in one batch: neither is in the log when the other is looked up."""
    refused: list[ConflictError] = []
    async with begun(open_one) as (engine, name):

        async def send(hypothesis: Hypothesis) -> None:
            try:
                await engine.submit(name, hypothesis, provenance=ME, command_id="c")
            except ConflictError as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, LAW)
            tasks.start_soon(send, OTHERS[field])
        assert len(refused) == 1
        assert "another request" in str(refused[0])
        assert len((await engine.load(name)).turns) == 1


async def test_a_command_sent_many_times_together_is_one_turn_and_one_answer(open_one: Open) -> None:
    async with begun(open_one) as (engine, name):
        answers = []

        async def send() -> None:
            answers.append(await engine.submit(name, LAW, provenance=ME, command_id="c"))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(send)
        assert [len(one.turns) for one in answers] == [1] * 8
        assert all(one == answers[0] for one in answers)
        assert len(await engine.log.read(name)) == 4


@pytest.mark.parametrize("expected", [None, 1])
async def test_an_answer_says_whether_it_was_given_before(open_one: Open, expected: int | None) -> None:
    """What was given before is paid no second time."""
    async with begun(open_one) as (engine, name):

        async def send(one: EpisodeEngine) -> bool:
            answered = await one.answer(name, LAW, provenance=ME, command_id="c", expected_version=expected)
            assert len(answered.episode.turns) == 1
            repeated.append(answered.repeated)
            return answered.repeated

        repeated: list[bool] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(send, engine)
        assert sorted(repeated) == [False, True, True, True]
        assert await send(engine)
        assert await send(EpisodeEngine(engine.log))
        plain = await engine.answer(name, LAW, provenance=ME)
        assert (plain.repeated, len(plain.episode.turns)) == (False, 2)


async def test_a_whole_number_is_the_same_param_as_its_float(open_one: Open) -> None:
    async with begun(open_one) as (engine, name):
        first = await engine.submit(name, LAW, provenance=ME, command_id="c")
        again = replace(LAW, params={"m": 1, "k": 2})
        assert await engine.submit(name, again, provenance=ME, command_id="c") == first


async def test_a_command_is_known_to_another_server_and_after_the_end(open_one: Open) -> None:
    async with begun(open_one) as (engine, name):
        first = await engine.submit(name, LAW, provenance=ME, command_id="c")
        await engine.abandon(name)
        for one in (engine, EpisodeEngine(engine.log)):
            assert await one.submit(name, LAW, provenance=ME, command_id="c") == first
            with pytest.raises(ConflictError):
                await one.submit(name, OTHERS["equation"], provenance=ME, command_id="c")


async def test_the_same_id_in_another_episode_is_another_command(open_one: Open) -> None:
    async with begun(open_one) as (engine, name):
        other = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        for episode_id in (name, other.episode_id):
            played = await engine.submit(episode_id, LAW, provenance=ME, command_id="c")
            assert (played.episode_id, len(played.turns)) == (episode_id, 1)


@pytest.mark.parametrize("expected", [0, 1, 3, 5, 7, 400])
@pytest.mark.parametrize("cached", [True, False])
async def test_any_version_but_the_current_one_is_a_conflict(
    open_one: Open, expected: int, cached: bool
) -> None:
    async with begun(open_one) as (engine, name):
        await engine.submit(name, LAW, provenance=ME)
        one = engine if cached else EpisodeEngine(engine.log)
        with pytest.raises(ConflictError, match="version 4"):
            await one.submit(name, LAW, provenance=ME, expected_version=expected)
        assert (await engine.load(name)).version == 4
        played = await one.submit(name, LAW, provenance=ME, expected_version=4)
        assert (played.version, len(played.turns)) == (7, 2)


async def test_a_repeated_command_names_the_version_it_was_first_sent_with(open_one: Open) -> None:
    async with begun(open_one) as (engine, name):
        first = await engine.submit(name, LAW, provenance=ME, command_id="c", expected_version=1)
        again = await engine.submit(name, LAW, provenance=ME, command_id="c", expected_version=1)
        assert again == first
        # Where its answer is not needed any more: another turn was played meanwhile.
        await engine.submit(name, LAW, provenance=ME, command_id="d", expected_version=4)
        assert await engine.submit(name, LAW, provenance=ME, command_id="c", expected_version=1) == first
