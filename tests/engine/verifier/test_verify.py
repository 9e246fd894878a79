import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

TASK, TRUTH = sample_task("damped_pendulum", 11)
LAW = Hypothesis(equation=TRUTH.equation or "", params=TRUTH.params)
STRICT = VerifierConfig(profile="strict")


def judge(equation: str, params: dict[str, float] | None = None, **options: object) -> Verification:
    config = options.get("config", VerifierConfig())
    assert isinstance(config, VerifierConfig)
    best = options.get("best_match", 0.0)
    assert isinstance(best, float)
    return verify(
        TASK, TRUTH, Hypothesis(equation=equation, params=params or {}), best_match=best, config=config
    )


def test_the_truth_is_solved_under_both_profiles() -> None:
    for config in (VerifierConfig(), STRICT):
        verified = verify(TASK, TRUTH, LAW, best_match=0.0, config=config)
        assert verified.solved
        assert verified.generalisation == pytest.approx(1.0, abs=1e-4)


def test_the_total_is_the_weighted_sum_of_its_parts() -> None:
    reward = judge("d2theta/dt2 = -4*theta", best_match=0.1).reward
    parts = 0.5 * reward.match + 0.2 * reward.progress + 0.2 * reward.simplicity + 0.1 * reward.format
    assert reward.total == parts


def test_progress_is_measured_from_the_best_so_far() -> None:
    reward = verify(TASK, TRUTH, LAW, best_match=0.5, config=VerifierConfig()).reward
    assert reward.progress == pytest.approx((reward.match - 0.5) / 0.5)
    assert judge("d2theta/dt2 = 1.0", best_match=1.0).reward.progress == 0.0


def test_inconsistent_units_cost_the_format_reward_and_are_named() -> None:
    verified = judge("d2theta/dt2 = theta + dtheta")
    assert verified.reward.format == 0.0
    assert verified.parse.units_message == ("Units are inconsistent: theta (1) is added to dtheta (1/s).")


def test_the_units_of_params_are_derived() -> None:
    verified = judge("d2theta/dt2 = -w*sin(theta) - b*dtheta", {"w": 1.0, "b": 0.1})
    assert verified.parse.param_units == {"w": "1/s**2", "b": "1/s"}


FAILURES = [
    ("log(theta - 100)", "domain_error"),
    ("sqrt(-1 - theta**2)", "domain_error"),
    ("1/(theta - theta)", "division_by_zero"),
    ("exp(1000*exp(1000))", "overflow"),
    ("9**9**9**9", "overflow"),
    ("sin(1e9*t)*1e11", "budget_exhausted"),
    ("1000*theta", "diverged"),
    ("1e11*theta", "diverged"),
    ("theta**2 + 100", "diverged"),
    ("(1000**pi)*1e9*sin(t**dtheta)", "solver_failed"),
]


@pytest.mark.parametrize(("expression", "outcome"), FAILURES)
def test_a_failed_simulation_is_a_named_outcome_without_match(expression: str, outcome: str) -> None:
    verified = judge(f"d2theta/dt2 = {expression}")
    assert verified.simulation.outcome == outcome
    assert verified.reward.match == 0.0
    assert not verified.solved
    assert verified.simulation.evaluations <= 10_000


HOSTILE = [
    *(f"d2theta/dt2 = {text}" for text, _ in FAILURES),
    "d2theta/dt2 = tan(t*1e6)",
    "d2theta/dt2 = 1/(theta - 0.5)",
    "d2theta/dt2 = theta**theta",
    "d2theta/dt2 = 1e12*theta**4 - 1e12*dtheta**3",
    "d2theta/dt2 = (0 - 1e12)*dtheta",
    "d2theta/dt2 = abs(log(abs(theta)))**0.5",
]


@pytest.mark.parametrize("equation", HOSTILE)
def test_whatever_happens_every_number_is_finite_and_can_be_stored(equation: str) -> None:
    json.dumps(asdict(judge(equation)), allow_nan=False)


def test_the_same_hypothesis_gets_the_same_bits_from_eight_threads() -> None:
    laws = [Hypothesis(equation=LAW.equation, params={**LAW.params, "b": 0.1 + i / 100}) for i in range(8)]

    def run(law: Hypothesis) -> Verification:
        return verify(TASK, TRUTH, law, best_match=0.0, config=VerifierConfig())

    alone = [run(law) for law in laws]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, laws * 25))
    assert together == alone * 25


def test_a_linear_law_does_not_pass_for_a_pendulum_under_strict() -> None:
    for stiffness in range(1, 200):
        verified = judge("d2theta/dt2 = -k*theta - b*dtheta", {"k": stiffness / 5, "b": 0.3}, config=STRICT)
        assert not verified.solved


def test_a_motion_that_blows_up_is_shown_up_to_the_failure() -> None:
    simulation = judge("d2theta/dt2 = 1000*theta").simulation
    rows = simulation.predictions[0].states
    assert 0 < len(rows) < len(TASK.shown[0].t)
    assert all(math.isfinite(value) and abs(value) <= 1e12 for row in rows for value in row)


@pytest.mark.parametrize(
    ("equation", "params", "words"),
    [
        (
            "d2theta/dt2 = -(g/L)*sin(theta)",
            {"g": TRUTH.params["g"], "L": TRUTH.params["L"]},
            "damping is missing",
        ),
        (LAW.equation, {**TRUTH.params, "b": 3 * TRUTH.params["b"]}, "too much damping"),
        (LAW.equation, {**TRUTH.params, "g": 2 * TRUTH.params["g"]}, "too fast"),
        (LAW.equation, {**TRUTH.params, "g": TRUTH.params["g"] / 2}, "too slowly"),
        (LAW.equation, TRUTH.params, "matches every variable within the noise"),
    ],
)
def test_the_mismatch_names_the_error(equation: str, params: dict[str, float], words: str) -> None:
    assert words in judge(equation, params).mismatch


def test_every_systems_truth_has_consistent_units() -> None:
    for system_id in SYSTEMS:
        task, truth = sample_task(system_id, 1)
        law = Hypothesis(equation=truth.equation or "", params=truth.params)
        assert verify(task, truth, law, best_match=0.0, config=VerifierConfig()).parse.units == "ok"
