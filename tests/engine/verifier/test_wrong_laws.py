"""Wrong laws, their constants fitted to the shown data: `strict` accepts none, and pays the truth more.

A light subset of `python -m bench.verdict --exploits`; all of it runs as a soak test.
"""

from statistics import fmean

import numpy as np
import pytest

from bench.rivals import FAMILIES, fit, holds
from bench.verdict import (
    COUNTED,
    PROFILES,
    earned_by,
    measured,
    odebench_motions,
    reach,
    rivals,
    system_motion,
)
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import VerifierConfig

BY_NAME = {family.name: family for family in FAMILIES}
SEEDS = range(7_000, 7_004)
SAMPLE = (
    ("free_fall_drag", "constant"),
    ("free_fall_drag", "polynomial in t, degree 1"),
    ("free_fall_drag", "polynomial in t, degree 3"),
    ("free_fall_drag", "friction and a constant"),
    ("free_fall_drag", "every linear term and clock"),
    ("simple_pendulum", "spring"),
    ("simple_pendulum", "hanging damped spring"),
    ("damped_pendulum", "damped spring"),
    ("spring_mass", "polynomial in t, degree 5"),
    ("spring_mass", "sine of t"),
    ("damped_spring", "spring"),
    ("damped_spring", "fading sine of t"),
    ("projectile_drag", "polynomial in t, degree 2"),
    ("projectile_drag", "friction and a constant"),
    ("charged_b_field", "hanging spring"),
)


@pytest.mark.parametrize(("system_id", "name"), SAMPLE)
def test_strict_refuses_a_refitted_wrong_law_and_pays_it_less_than_the_truth(
    system_id: str, name: str
) -> None:
    index = FAMILIES.index(BY_NAME[name])
    (strict,) = [row for row in earned_by((system_id, index, 4, 0.02)) if row.profile == "strict"]
    assert not strict.holds_truth
    assert strict.solved_seeds == ()
    assert strict.total < strict.truth_total - 0.1


@pytest.mark.soak
def test_strict_refuses_every_wrong_law_that_counts_and_pays_no_family_more_than_the_truth() -> None:
    rows = [row for row in rivals(("all",), 20, 0.02, 2) if row.profile == "strict" and not row.holds_truth]
    assert len({row.family for row in rows}) >= 25
    assert [
        (row.system_id, row.family, row.solved) for row in rows if row.kind in COUNTED and row.solved
    ] == []
    assert [(row.system_id, row.family, row.total) for row in rows if row.total > row.truth_total] == []


@pytest.mark.soak
def test_the_true_law_is_accepted_on_measurements_at_every_noise() -> None:
    rows = [row for row in reach((512, 150), 10, 2) if row.eligible]
    for profile in PROFILES:
        judged = [row.solved for row in rows if row.profile == profile]
        assert len(judged) >= 2_900
        assert sum(judged) >= 0.98 * len(judged)


@pytest.mark.parametrize("noise_from", ["known", "estimated"])
def test_the_true_law_is_accepted_on_a_few_noisy_measurements(noise_from: str) -> None:
    for motion in (system_motion("damped_pendulum", 7_000), odebench_motions(150)[26]):
        task, truth = measured(motion, 0.05, 0.0, 7, noise_from)
        verdict = verify(task, truth, motion.law, best_match=0.0, config=VerifierConfig(profile="strict"))
        assert verdict.solved, motion.name


def test_a_fit_of_the_true_form_finds_the_true_constants() -> None:
    drawn = [sample_task("damped_spring", seed, noise=0.0) for seed in SEEDS]
    laws = fit(BY_NAME["damped spring"], "damped_spring", [task for task, _ in drawn])
    for law, (_, truth) in zip(laws, drawn, strict=True):
        assert law.params["c0"] == pytest.approx(-truth.params["k"] / truth.params["m"], rel=1e-3)
        assert law.params["c1"] == pytest.approx(-truth.params["b"] / truth.params["m"], rel=1e-2)


def test_a_fit_of_a_polynomial_in_time_is_the_least_squares_solution() -> None:
    tasks = [sample_task("free_fall_drag", seed)[0] for seed in SEEDS]
    for task, law in zip(
        tasks, fit(BY_NAME["polynomial in t, degree 1"], "free_fall_drag", tasks), strict=True
    ):
        t, states = np.array(task.shown[0].t), np.array(task.shown[0].states)
        spread = states.std(axis=0)
        # y = y0 + v0 t + a t²/2 + b t³/6 and its derivative, with the start given.
        basis = np.vstack(
            [np.array([t**2 / 2, t**3 / 6]).T / spread[0], np.array([t, t**2 / 2]).T / spread[1]]
        )
        left = np.hstack([(states[:, 0] - states[0, 0] - states[0, 1] * t) / spread[0],
                          (states[:, 1] - states[0, 1]) / spread[1]])  # fmt: skip
        a, b = np.linalg.lstsq(basis, left, rcond=None)[0]
        assert [law.params["c0"], law.params["c1"]] == pytest.approx([a, b], rel=1e-4)


def test_a_family_that_holds_the_truth_is_known_as_such() -> None:
    def held(system_id: str, name: str) -> bool:
        return holds(BY_NAME[name], *sample_task(system_id, 7_000))

    assert held("damped_spring", "hanging damped spring")
    assert not held("damped_spring", "spring")
    assert held("charged_b_field", "every linear term")
    assert held("damped_pendulum", "damped pendulum")
    assert not held("damped_pendulum", "damped spring and cubic")
    # Falling bodies only: there v|v| is -v squared, and a very slow sine of t is a constant.
    assert held("free_fall_drag", "drag and a constant")
    assert held("free_fall", "sine of t")


def test_the_memorising_families_do_fit_what_is_shown() -> None:
    """A rival that does not even fit would prove nothing."""
    for system_id, name, least in (
        ("spring_mass", "sine of t", 0.99),
        ("free_fall_drag", "fading to a constant", 0.99),
    ):
        rows = earned_by((system_id, FAMILIES.index(BY_NAME[name]), 4, 0.02))
        assert fmean(row.r2 for row in rows) > least
