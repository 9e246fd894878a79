import sys
from collections.abc import Callable

import numpy as np
import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

FITTED = VerifierConfig(constants="fitted")
Params = dict[str, float]
# The right form with constants that the data can tell, and their true values.
FORMS: dict[str, tuple[str, Callable[[Params], Params]]] = {
    "free_fall": ("d2y/dt2 = -a", lambda p: {"a": p["g"]}),
    "free_fall_drag": ("d2y/dt2 = -a + b*vy**2", lambda p: {"a": p["g"], "b": p["k"]}),
    "simple_pendulum": ("d2theta/dt2 = -a*sin(theta)", lambda p: {"a": p["g"] / p["L"]}),
    "damped_pendulum": (
        "d2theta/dt2 = -a*sin(theta) - b*dtheta",
        lambda p: {"a": p["g"] / p["L"], "b": p["b"]},
    ),
    "spring_mass": ("d2x/dt2 = -a*x", lambda p: {"a": p["k"] / p["m"]}),
    "damped_spring": ("d2x/dt2 = -a*x - b*vx", lambda p: {"a": p["k"] / p["m"], "b": p["b"] / p["m"]}),
    "projectile_drag": (
        "d2x/dt2 = -b*vx*sqrt(vx**2+vy**2); d2y/dt2 = -a - b*vy*sqrt(vx**2+vy**2)",
        lambda p: {"a": p["g"], "b": p["k"]},
    ),
    "charged_b_field": ("d2x/dt2 = a*vy; d2y/dt2 = -a*vx", lambda p: {"a": p["q"] * p["B"] / p["m"]}),
}


def fit(system_id: str, seed: int, equation: str, names: list[str], noise: float = 0.02) -> Verification:
    task, truth = sample_task(system_id, seed, noise=noise)
    hypothesis = Hypothesis(equation=equation, params=dict.fromkeys(names))
    return verify(task, truth, hypothesis, best_match=0.0, config=FITTED)


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_open_constants_are_recovered_from_noisy_data(
    system_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    equation, truth_of = FORMS[system_id]
    errors = []
    for seed in range(10):
        wanted = truth_of(sample_task(system_id, seed, noise=0.02)[1].params)
        fitted = fit(system_id, seed, equation, list(wanted)).simulation.fitted
        errors.append(max(abs(fitted[name] / value - 1.0) for name, value in wanted.items()))
    with capsys.disabled():
        sys.stdout.write(f" {system_id}: constants off by {np.median(errors):.2%} (median)")
    assert np.median(errors) < 0.05


def test_only_open_constants_move() -> None:
    task, truth = sample_task("damped_spring", 1)
    hypothesis = Hypothesis(equation="d2x/dt2 = -a*x - b*vx", params={"a": 2.0, "b": None})
    verified = verify(task, truth, hypothesis, best_match=0.0, config=FITTED)
    assert set(verified.simulation.fitted) == {"b"}


def test_nothing_is_fitted_unless_the_rules_say_so() -> None:
    task, truth = sample_task("free_fall", 1)
    hypothesis = Hypothesis(equation="d2y/dt2 = -g", params={"g": None})
    verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    assert verified.parse.rejection is not None
    assert verified.parse.rejection.code == "undetermined_param"
    assert verified.simulation.fitted == {}


def test_an_unused_open_constant_keeps_its_start() -> None:
    verified = fit("free_fall", 1, "d2y/dt2 = -a", ["a", "unused"])
    assert verified.simulation.fitted["unused"] == 1.0
    assert verified.reward.match > 0.99


def test_a_fit_is_the_same_twice() -> None:
    runs = [fit("damped_pendulum", 3, FORMS["damped_pendulum"][0], ["a", "b"]) for _ in range(2)]
    assert runs[0] == runs[1]
