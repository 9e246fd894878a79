from dataclasses import replace

import pytest

from physix.engine import EpisodeConfig, EpisodeEngine, RecordedEvent
from physix.engine.events import EpisodeStarted, HypothesisSubmitted, Provenance, RewardComputed
from physix.engine.fork import fork
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.store import EpisodeFilter, Log, open_log
from physix.store.projection import project
from physix.store.verify import verify_log, verify_stream

LAWS = ("d2x/dt2 = -3*x", "d2x/dt2 = -3*x +", "d2x/dt2 = -2.5*x - 0.1*vx")


async def played(log: Log, name: str = "e") -> tuple[RecordedEvent, ...]:
    engine = EpisodeEngine(log)
    task, truth = sample_task("damped_spring", 3)
    await engine.start(
        task, truth, config=EpisodeConfig(reward_mode="gain"), policy="p", door="test", episode_id=name
    )
    for law in LAWS:
        await engine.submit(name, Hypothesis(equation=law), provenance=Provenance(policy="p"))
    return await log.read(name)


async def test_an_honest_log_has_no_differences() -> None:
    async with open_log("memory://") as log:
        for name in ("a", "b"):
            await played(log, name)
        reports = [report async for report in verify_log(log)]
    assert [(one.episode_id, one.turns, one.same_environment) for one in reports] == [
        ("b", 3, True),
        ("a", 3, True),
    ]
    assert all(one.differences == () for one in reports)


async def test_a_reward_off_in_the_last_bit_is_named_by_turn_and_field() -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
    paid = stream[3].event
    assert isinstance(paid, RewardComputed)
    forged = replace(paid, reward=replace(paid.reward, simplicity=paid.reward.simplicity * (1 + 2**-52)))
    stream[3] = replace(stream[3], event=forged)
    (found,) = verify_stream("e", stream).differences
    assert (found.turn, found.field) == (1, "RewardComputed.reward.simplicity")


@pytest.mark.parametrize(("error", "differences"), [(1e-9, 0), (1e-3, 1)])
async def test_another_environment_is_held_to_the_tolerance(error: float, differences: int) -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
    first, paid = stream[0].event, stream[3].event
    assert isinstance(first, EpisodeStarted)
    assert isinstance(paid, RewardComputed)
    stream[0] = replace(stream[0], event=replace(first, fingerprint={"cpu": "another"}))
    stream[3] = replace(stream[3], event=replace(paid, emitted=paid.emitted + error))
    report = verify_stream("e", stream)
    assert not report.same_environment
    assert len(report.differences) == differences


async def test_a_hole_in_a_stream_and_a_wrong_projection_are_found() -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
        (row,) = (await log.list_episodes(EpisodeFilter())).items
    (hole,) = verify_stream("e", stream[:2] + stream[3:]).differences
    assert hole.field == "version"
    (wrong,) = verify_stream("e", stream, row.model_copy(update={"best_match": 0.25})).differences
    assert wrong.field == "projection.best_match"


async def test_a_task_that_nobody_can_play_any_more_is_named_instead_of_failing() -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
    first = stream[0].event
    assert isinstance(first, EpisodeStarted)
    stream[0] = replace(stream[0], event=replace(first, task=replace(first.task, shown=())))
    (found,) = verify_stream("e", stream).differences
    assert (found.field, found.recomputed) == ("task", "a task that can be played")


async def test_a_turn_listed_with_another_number_than_its_event_holds_is_found() -> None:
    async with open_log("memory://") as log:
        stream = await played(log)
        first, second, third = await log.list_turns(["e"])
    assert verify_stream("e", stream, None, (first, second, third)).differences == ()
    (wrong,) = verify_stream("e", stream, None, (first, replace(second, total=0.5), third)).differences
    assert (wrong.turn, wrong.field) == (2, "turn.total")
    (missing,) = verify_stream("e", stream, None, (first, second)).differences
    assert (missing.turn, missing.recorded) == (3, "None")


async def test_an_episode_of_older_rules_is_checked_but_not_recomputed() -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
        (row,) = (await log.list_episodes(EpisodeFilter())).items
    first, paid = stream[0].event, stream[3].event
    assert isinstance(first, EpisodeStarted)
    assert isinstance(paid, RewardComputed)
    stream[0] = replace(stream[0], event=replace(first, rules=1))
    # What the rules of that time paid is not ours to doubt, but lists must still agree with it.
    stream[3] = replace(stream[3], event=replace(paid, emitted=0.25))
    row = row.model_copy(update={"total_reward": project(stream).total_reward})
    report = verify_stream("e", stream, row)
    assert (report.rules, report.recomputed, report.turns, report.differences) == (1, False, 3, ())
    (wrong,) = verify_stream("e", stream, row.model_copy(update={"best_match": 0.25})).differences
    assert wrong.field == "projection.best_match"


async def test_a_turn_of_older_rules_that_lacks_an_event_is_found() -> None:
    async with open_log("memory://") as log:
        stream = list(await played(log))
    first = stream[0].event
    assert isinstance(first, EpisodeStarted)
    stream[0] = replace(stream[0], event=replace(first, rules=1))
    shorter = [replace(one, version=i) for i, one in enumerate(stream[:2] + stream[3:], start=1)]
    assert verify_stream("e", shorter).differences[0].field == "events"


async def test_a_fork_that_keeps_turns_of_older_rules_is_of_these_rules() -> None:
    async with open_log("memory://") as log:
        stream = await played(log)
        first = stream[0].event
        assert isinstance(first, EpisodeStarted)
        await log.append("old", (replace(first, rules=1),), expected_version=0)
        for turn in range(3):
            played_turn = [one.event for one in stream[1 + 3 * turn : 4 + 3 * turn]]
            await log.append("old", played_turn, expected_version=1 + 3 * turn)
        engine = EpisodeEngine(log)
        kept = await fork(engine, "old", turn=2, policy="p", door="test")
        fresh = await fork(engine, "old", turn=0, policy="p", door="test")
    assert kept.started.rules == 1
    assert fresh.started.rules > 1


@pytest.mark.parametrize(("unit", "differences"), [("s**-2", 0), ("1/s", 1)])
async def test_a_unit_may_be_written_in_another_way_but_not_be_another(unit: str, differences: int) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        task, truth = sample_task("damped_spring", 3)
        await engine.start(task, truth, config=EpisodeConfig(), policy="p", door="test", episode_id="e")
        law = Hypothesis(equation="d2x/dt2 = -k*x", params={"k": 3.0})
        await engine.submit("e", law, provenance=Provenance(policy="p"))
        stream = list(await log.read("e"))
    said = stream[1].event
    assert isinstance(said, HypothesisSubmitted)
    assert said.parse.param_units == {"k": "1/s**2"}
    stream[1] = replace(stream[1], event=replace(said, parse=replace(said.parse, param_units={"k": unit})))
    assert len(verify_stream("e", stream).differences) == differences
