import warnings

import numpy as np
import pytest

from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import ParsedHypothesis, integrate, parse, verify
from physix.engine.verifier.types import Hypothesis, Simulation, Verification, VerifierConfig

Y = StateVariable(name="y", unit="m", symbol="y", description="")
VY = StateVariable(name="vy", unit="m/s", symbol="v_y", description="", rate_of="y")
TIMES = np.linspace(0.0, 10.0, 101)


def law(expression: str) -> ParsedHypothesis:
    result = parse(f"d2y/dt2 = {expression}", {}, (Y, VY))
    assert isinstance(result, ParsedHypothesis), result
    return result


def judge(
    equation: str, *, states: tuple[tuple[float, ...], ...], variables: tuple[StateVariable, ...]
) -> Verification:
    shown = Trajectory(t=tuple(float(i) for i in range(len(states))), states=states)
    task = Task(
        task_id="x", system_id="csv", title="", tier=None, seed=None, variables=variables, time_unit="s",
        shown=(shown,), noise=0.0, hint="",
    )  # fmt: skip
    truth = Truth(equation=None, params={}, hidden=())
    return verify(task, truth, Hypothesis(equation=equation), best_match=0.0, config=VerifierConfig())


def test_the_integrated_motion_agrees_with_the_closed_form() -> None:
    states = integrate(law("-4*y"), TIMES, [1.0, 0.0]).states
    np.testing.assert_allclose(states[:, 0], np.cos(2 * TIMES), atol=1e-6)
    np.testing.assert_allclose(states[:, 1], -2 * np.sin(2 * TIMES), atol=2e-6)


@pytest.mark.parametrize("expression", ["1e12*vy", "tan(vy)*vy", "-3/vy", "1000**y"])
def test_a_solver_that_gives_up_neither_warns_nor_raises(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert integrate(law(expression), TIMES, [1.0, 0.5]).outcome != "ok"


@pytest.mark.parametrize(
    "expression",
    [
        "tan(vy)*vy",
        "tan(2) - vy*(0 - 3**t)",
        "1/(t - 5)",
        "sqrt(5 - t)",
        "y**2",
        "-1000*y/abs(y)",
    ],
)
def test_every_row_before_a_failure_is_what_a_shorter_run_gives(expression: str) -> None:
    failed = integrate(law(expression), TIMES, [1.0, 0.5])
    rows = len(failed.states)
    assert failed.outcome != "ok"
    assert 1 < rows < len(TIMES)
    assert failed.t_failed is not None
    assert TIMES[rows - 1] <= failed.t_failed
    shorter = integrate(law(expression), TIMES[:rows], [1.0, 0.5])
    assert shorter.outcome == "ok"
    # Not bit for bit: no step of the shorter run goes beyond its own last time.
    np.testing.assert_allclose(failed.states, shorter.states, rtol=1e-5)


@pytest.mark.parametrize("expression", ["y**2", "y**3", "exp(y)", "vy**3", "1e12*vy", "exp(1000*t)"])
def test_a_blow_up_is_called_one_however_the_run_ended(expression: str) -> None:
    assert integrate(law(expression), TIMES, [1.0, 0.5]).outcome == "diverged"


@pytest.mark.parametrize("allowed", [1, 50, 500])
def test_no_more_evaluations_run_than_allowed(allowed: int) -> None:
    result = integrate(law("-1e6*y"), TIMES, [1.0, 0.0], max_evaluations=allowed)
    assert (result.outcome, result.evaluations) == ("budget_exhausted", allowed)


@pytest.mark.parametrize("runs", [2, 4])
def test_all_trajectories_together_run_no_more_evaluations_than_allowed(runs: int) -> None:
    t = tuple(np.linspace(0.0, 10.0, 50).tolist())
    law = Hypothesis(equation="d2y/dt2 = -2500*y")

    def simulated(count: int, allowed: int) -> Simulation:
        task = Task(
            task_id="x", system_id="x", title="", tier=None, seed=1, variables=(Y, VY), time_unit="s",
            shown=(Trajectory(t=t, states=((1.0, 0.0),) * 50),) * count, noise=0.0, hint="",
        )  # fmt: skip
        config = VerifierConfig(max_evaluations=allowed)
        truth = Truth(equation=None, params={}, hidden=())
        return verify(task, truth, law, best_match=0.0, config=config).simulation

    one = simulated(1, 1_000_000)
    assert one.outcome == "ok"
    enough = simulated(runs, runs * one.evaluations)
    assert (enough.outcome, enough.evaluations) == ("ok", runs * one.evaluations)
    short = simulated(runs, runs * one.evaluations - 1)
    assert (short.outcome, short.evaluations) == ("budget_exhausted", runs * one.evaluations - 1)


def test_a_chain_as_long_as_the_limits_allow_is_still_integrated() -> None:
    assert integrate(law("+".join(["y"] * 127)), TIMES[:3], [1e-9, 0.0]).outcome == "ok"


def test_a_variable_that_stands_still_is_matched_only_by_standing_still() -> None:
    x = StateVariable(name="x", unit="m", symbol="x", description="")
    still = ((2.0,),) * 8
    assert judge("dx/dt = 0", states=still, variables=(x,)).fits["x"].r2 == 1.0
    moving = judge("dx/dt = 0.5", states=still, variables=(x,))
    assert moving.reward.match == 0.0
    assert "matches" not in moving.mismatch


def test_nothing_needs_no_unit() -> None:
    x = StateVariable(name="x", unit="m", symbol="x", description="")
    verified = judge("dx/dt = 0", states=tuple((2.0 + i,) for i in range(8)), variables=(x,))
    assert verified.parse.units == "ok"


@pytest.mark.parametrize(
    ("expression", "latex"),
    [
        ("-y - -vy", r"\ddot{y} = -y - \left(-v_y\right)"),
        ("y*-vy", r"\ddot{y} = y\,\left(-v_y\right)"),
        ("2*3**y", r"\ddot{y} = 2 \cdot 3^{y}"),
        ("(1e-5)**2*y", r"\ddot{y} = \left(1 \times 10^{-5}\right)^{2}\,y"),
        ("-(vy/y)*abs(vy)", r"\ddot{y} = -\frac{v_y}{y}\,\left|v_y\right|"),
    ],
)
def test_typeset_signs_and_powers_cannot_be_misread(expression: str, latex: str) -> None:
    verified = judge(f"d2y/dt2 = {expression}", states=((1.0, 0.0),) * 8, variables=(Y, VY))
    assert verified.parse.latex == latex
