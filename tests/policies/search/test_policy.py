from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest
from numpy.random import PCG64, Generator
from scipy.integrate import solve_ivp

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, observe
from physix.engine.answer import answer
from physix.engine.systems import SYSTEMS, sample_task, task_from_csv
from physix.engine.systems.measured import measured_task, read_table
from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.engine.verifier.types import Mismatch, VerifierConfig
from physix.errors import BadInputError, PolicyError, UnknownPolicyError
from physix.policies import list_policies, make_policy
from physix.store import open_log

STRICT = VerifierConfig(profile="strict", functions="extended")


def play(task: Task, truth: Truth, verifier: VerifierConfig | None = None, policy: str = "search") -> Episode:
    async def run() -> Episode:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            config = EpisodeConfig(verifier=verifier or VerifierConfig())
            started = await engine.start(task, truth, config=config, policy=policy, door="test")
            return await engine.run(started.episode_id, make_policy(policy))

    return anyio.run(run)


@pytest.mark.parametrize("system_id", list(SYSTEMS))
def test_every_system_is_solved_by_a_law_that_generalises(system_id: str) -> None:
    episode = play(*sample_task(system_id, 3))
    assert episode.finished is not None
    assert episode.finished.reason == "solved"
    assert (episode.turns[-1].rewarded.generalisation or 0.0) > 0.9


def test_the_same_task_gets_the_same_turns() -> None:
    first, second = (play(*sample_task("damped_pendulum", 5)) for _ in range(2))
    assert [t.submitted.equation for t in first.turns] == [t.submitted.equation for t in second.turns]
    assert [t.submitted.params for t in first.turns] == [t.submitted.params for t in second.turns]


def test_no_law_is_proposed_twice_before_it_is_said_that_none_is_left() -> None:
    rules = EpisodeConfig(max_turns=6, verifier=VerifierConfig(solved_threshold=1.0))  # nothing passes

    async def run() -> Episode:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            task, truth = sample_task("damped_spring", 2, noise=0.05)
            started = await engine.start(task, truth, config=rules, policy="search", door="test")
            return await engine.run(started.episode_id, make_policy("search"))

    turns = [turn.submitted for turn in anyio.run(run).turns]
    new = [one for one in turns if not one.rationale.startswith("Nothing better")]
    assert len({(one.equation, str(sorted(one.params.items()))) for one in new}) == len(new) >= 2
    assert turns[: len(new)] == new


def test_a_fresh_instance_continues_where_another_stopped() -> None:
    async def run() -> tuple[str, str]:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(
                *sample_task("damped_spring", 2), config=EpisodeConfig(), policy="search", door="test"
            )
            one = make_policy("search")
            played = await engine.play_turn(started.episode_id, one)
            answers = [
                await policy.propose(observe(played), lambda _: None)
                for policy in (one, make_policy("search"))
            ]
            return answers[0].hypothesis.equation, answers[1].hypothesis.equation

    kept, fresh = anyio.run(run)
    assert kept == fresh


@pytest.mark.parametrize(
    "rows",
    [
        [(i, 1.0) for i in range(20)],
        [(i, 1e-9 * i) for i in range(20)],
        [(i, 1e9 * (-1) ** i) for i in range(20)],
        [(i**2, float(i)) for i in range(20)],
    ],
)
def test_odd_data_gets_a_proposal_not_a_crash(rows: list[tuple[float, float]]) -> None:
    text = "t,x\n" + "\n".join(f"{t},{x!r}" for t, x in rows)
    episode = play(*task_from_csv(text, hint="Odd."))
    assert episode.turns


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownPolicyError, match="search"):
        make_policy("oracle")
    with pytest.raises(UnknownPolicyError):
        make_policy("scripted:/etc/passwd")


def test_one_policy_is_the_default_and_reachable() -> None:
    (default,) = [info for info in list_policies() if info.is_default]
    assert default.reachable


def test_a_script_is_played_and_then_over(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('[{"equation": "d2y/dt2 = -9.0"}]')
    policy = make_policy(f"scripted:{path}", allow_files=True)

    async def run() -> None:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(
                *sample_task("free_fall", 2), config=EpisodeConfig(), policy="s", door="test"
            )
            played = await engine.play_turn(started.episode_id, policy)
            with pytest.raises(PolicyError, match="none is left"):
                await policy.propose(observe(played), lambda _: None)

    anyio.run(run)


def test_a_script_with_a_wrong_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('[{"formula": "x"}]')
    with pytest.raises(BadInputError, match="wrong at"):
        make_policy(f"scripted:{path}", allow_files=True)


def saturating() -> tuple[Task, Truth]:
    """Return one noisy record of an amount that is fed and used up: a law of three constants."""
    t = np.linspace(0, 6, 120)
    run = solve_ivp(lambda _, u: 0.8 - 1.6 * u / (0.2 + u), (0, 6), [0.9], t_eval=t, rtol=1e-9)
    seen = run.y[0] + 0.001 * Generator(PCG64(4)).standard_normal(len(t))
    text = "t,u\n" + "\n".join(f"{a:.4f},{b:.6f}" for a, b in zip(t, seen, strict=True))
    made = measured_task(read_table(text.encode()))
    return made.task, made.truth


def test_a_law_that_one_record_cannot_confirm_is_told_but_not_claimed() -> None:
    episode = play(*saturating(), STRICT)
    told = episode.discovery
    assert told is not None
    assert told.chosen is not None
    assert told.doubt is not None
    assert (told.explains, len(told.chosen.constants) > 2) == (True, True)
    assert told.sentence.endswith(told.doubt)
    assert episode.outcome.reason == "budget_exhausted"
    assert told.chosen.equation not in {turn.submitted.equation for turn in episode.turns}
    assert all(told.doubt in turn.submitted.rationale for turn in episode.turns)
    came_to = answer(episode)
    assert came_to is not None
    assert came_to.law.equation == told.chosen.equation


def test_no_lots_are_drawn_on_what_is_held_back() -> None:
    """A law explains what is shown and not what is held back: its rivals are no better for that."""
    task, truth = saturating()
    elsewhere = Trajectory(
        t=truth.hidden[0].t, states=tuple((5.0 + 0.1 * i,) for i in range(len(truth.hidden[0].t)))
    )
    t, seen = np.array(task.shown[0].t), 0.4 + 0.5 * np.exp(-1.3 * np.array(task.shown[0].t))
    noisy = seen + 0.002 * Generator(PCG64(5)).standard_normal(len(t))
    shown = Trajectory(t=task.shown[0].t, states=tuple((float(one),) for one in noisy))
    decay = replace(task, shown=(shown,), noises=estimate_noise((shown,)))
    episode = play(decay, replace(truth, hidden=(elsewhere,)), STRICT)
    fits = [
        (turn.rewarded.findings or Mismatch(within_noise=False, holds=False)).within_noise
        for turn in episode.turns
    ]
    assert episode.outcome.reason == "budget_exhausted"
    assert any(fits)
    assert len({turn.submitted.equation for turn in episode.turns[fits.index(True) :]}) == 1
