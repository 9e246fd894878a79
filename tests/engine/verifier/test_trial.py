import math

import numpy as np
import pytest

from physix.engine.systems import sample_task
from physix.engine.verifier.trial import Motion, elsewhere, tried
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig
from physix.engine.verifier.verify import verify

CONFIG = VerifierConfig()


def test_a_trial_says_the_match_that_the_verdict_will_say_and_the_simplicity() -> None:
    task, truth = sample_task("damped_pendulum", 7)
    law = Hypothesis(equation="d2theta/dt2 = -k*sin(theta)", params={"k": 4.0})
    trial = tried(task, law, CONFIG)
    verdict = verify(task, truth, law, best_match=0.0, config=CONFIG)
    assert trial.r2 == verdict.reward.match
    assert trial.simplicity == verdict.reward.simplicity
    assert trial.fits == verdict.fits


def test_a_constant_without_a_value_is_fitted_whatever_the_rules_of_the_episode() -> None:
    task, truth = sample_task("damped_spring", 7)
    open_law = Hypothesis(equation="d2x/dt2 = -a*x - b*vx", params={"a": None, "b": None})
    assert CONFIG.constants == "declared"
    trial = tried(task, open_law, CONFIG)
    true = truth.params["k"] / truth.params["m"], truth.params["b"] / truth.params["m"]
    found = trial.simulation.fitted["a"], trial.simulation.fitted["b"]
    assert found == pytest.approx(true, rel=0.05)
    assert trial.simulation.errors["a"] > 0.0


def test_a_trial_of_a_text_that_does_not_parse_names_the_column() -> None:
    task, _ = sample_task("damped_pendulum", 7)
    trial = tried(task, Hypothesis(equation="d2theta/dt2 = -q*theta", params={}), CONFIG)
    assert trial.r2 is None
    assert trial.parse.rejection is not None
    assert trial.parse.rejection.column == 16


def test_from_elsewhere_the_true_law_is_that_of_an_oscillator_and_another_law_is_off() -> None:
    task, truth = sample_task("spring_mass", 7)
    omega = math.sqrt(truth.params["k"] / truth.params["m"])
    right = Hypothesis(equation="d2x/dt2 = -a*x", params={"a": omega**2})
    moved = elsewhere(task, truth, right, (0.3, 0.0), CONFIG)
    assert isinstance(moved, Motion)
    assert moved.truth is not None
    expected = 0.3 * np.cos(omega * (np.array(moved.t) - moved.t[0]))
    assert np.array(moved.truth)[:, 0] == pytest.approx(expected, abs=1e-4)
    assert moved.r2["x"] == pytest.approx(1.0, abs=1e-6)
    wrong = elsewhere(task, truth, Hypothesis(equation="d2x/dt2 = -a", params={"a": 1.0}), (0.3, 0.0), CONFIG)
    assert isinstance(wrong, Motion)
    assert wrong.r2["x"] < 0.0


def test_from_elsewhere_no_truth_is_shown_that_may_not_be_told_and_no_text_that_is_no_law() -> None:
    task, truth = sample_task("spring_mass", 7)
    law = Hypothesis(equation="d2x/dt2 = -a*x", params={"a": 4.0})
    held = elsewhere(task, None, law, (0.3, 0.0), CONFIG)
    assert isinstance(held, Motion)
    assert (held.truth, held.r2) == (None, {})
    assert isinstance(
        elsewhere(task, truth, Hypothesis(equation="d2x/dt2 = -b*x"), (0.3, 0.0), CONFIG), Rejection
    )
