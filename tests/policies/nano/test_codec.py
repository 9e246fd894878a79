from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from physix.engine import EpisodeConfig
from physix.engine.episode import evolve, observe, play, start
from physix.engine.events import Event, Provenance, RecordedEvent
from physix.engine.ports import Observation
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.policies.nano.codec import feedback, frames, hypothesis_of, number, read_law, render, write_law

ONE_BODY = [name for name, system in SYSTEMS.items() if not system.held_out]


def observed(task: Task, truth: Truth, *equations: tuple[str, dict[str, float]]) -> Observation:
    events = [start(task, truth, config=EpisodeConfig(), policy="test", door="test")]
    episode = evolve(None, recorded(events[0], 1))
    for equation, params in equations:
        hypothesis = Hypothesis(equation=equation, params=params)
        for event in play(episode, hypothesis, provenance=Provenance(policy="test")):
            episode = evolve(episode, recorded(event, episode.version + 1))
    return observe(episode)


def recorded(event: Event, version: int) -> RecordedEvent:
    return RecordedEvent(
        episode_id="e",
        version=version,
        position=version,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        event=event,
    )


@pytest.mark.parametrize("system_id", ONE_BODY)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_true_law_survives_the_codec_with_three_digits(system_id: str, seed: int) -> None:
    task, truth = sample_task(system_id, seed)
    (frame,) = frames(task)
    text = write_law(task, frame, truth.equation or "", truth.params)
    assert text is not None
    verdict = verify(
        task, truth, hypothesis_of([text], [frame], task), best_match=0.0, config=VerifierConfig()
    )
    assert verdict.reward.match > 0.99
    assert verdict.reward.format == 1.0


def test_what_no_sum_of_the_codecs_terms_can_say_is_none() -> None:
    task, _ = sample_task("spring_mass", 1)
    (frame,) = frames(task)
    assert write_law(task, frame, "d2x/dt2 = -a*exp(x)", {"a": 1.0}) is None
    assert write_law(task, frame, "d2x/dt2 = -", {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d2q/dt2 =",
        "d2q/dt2 = q",
        "d2q/dt2 = -12e0*q",
        "d2q/dt2 = -100e0*z",
        "x" * 5000,
        "d2q/dt2 = -100e0*q; 1",
    ],
)
def test_text_that_is_no_law_goes_to_the_verifier_as_it_is(text: str) -> None:
    task, truth = sample_task("spring_mass", 1)
    (frame,) = frames(task)
    assert read_law(text, frame) is None
    verdict = verify(
        task, truth, hypothesis_of([text], [frame], task), best_match=0.0, config=VerifierConfig()
    )
    assert verdict.reward.total == 0.0
    assert verdict.parse.rejection is not None


def test_a_prompt_grows_by_the_law_and_its_feedback() -> None:
    task, truth = sample_task("damped_spring", 5)
    (frame,) = frames(task)
    wrong = ("d2x/dt2 = -a*x", {"a": truth.params["k"] / truth.params["m"]})
    before, after = observed(task, truth), observed(task, truth, wrong)
    law = write_law(task, frame, *wrong)
    assert render(after, frame) == f"{render(before, frame)}{law} >{feedback(after, frame)}"


def test_the_term_to_blame_is_told_in_the_units_of_the_motion() -> None:
    task, truth = sample_task("damped_spring", 5)
    (frame,) = frames(task)
    after = observed(task, truth, ("d2x/dt2 = -a*x", {"a": truth.params["k"] / truth.params["m"]}))
    told = feedback(after, frame)
    assert " add -" in told
    missing = float(told.split(" add ")[1].split("*")[0])
    wanted = -truth.params["b"] / truth.params["m"] * frame.unit_time
    assert missing == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("system_id", ONE_BODY)
def test_no_sentence_of_the_verifier_is_lost_on_the_codec(system_id: str) -> None:
    for seed in range(6):
        task, truth = sample_task(system_id, seed)
        (frame,) = frames(task)
        left = truth.equation.split("=")[0] if truth.equation else ""
        for equation in (f"{left}= -a*{frame.variable}", f"{left}= -a - b*{frame.rate}", f"{left}= a"):
            after = observed(task, truth, (equation, {"a": 1.0, "b": 0.5}))
            assert "elsewhere" not in feedback(after, frame)


def test_a_prompt_holds_nothing_that_the_observation_does_not() -> None:
    task, truth = sample_task("simple_pendulum", 9)
    (frame,) = frames(task)
    seen = observed(task, truth)
    assert render(seen, frame) == render(observed(task, replace(truth, params={}, hidden=())), frame)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0234, "234e-4"), (1.0, "100e-2"), (999.9, "100e1"), (0.0, "100e-9"), (1e30, "999e9")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_motion_without_a_rate_cannot_be_read() -> None:
    task, _ = sample_task("free_fall", 1)
    assert frames(replace(task, variables=tuple(replace(v, rate_of=None) for v in task.variables))) == ()


def test_half_a_period_is_measured_well_under_noise() -> None:
    task, truth = sample_task("spring_mass", 3, noise=0.05)
    (frame,) = frames(task)
    assert frame.half_period == pytest.approx(
        np.pi / np.sqrt(truth.params["k"] / truth.params["m"]), rel=0.01
    )
