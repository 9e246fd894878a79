"""Every system: its law fits its own data, and its trajectories show what they should."""

import math
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from physix.engine.systems import SYSTEMS, System, Task, Trajectory, Truth, sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

SEEDS = range(200)


def verify_truth(system_id: str, seed: int, noise: float | None) -> Verification:
    task, truth = sample_task(system_id, seed, noise=noise)
    hypothesis = Hypothesis(equation=truth.equation or "", params=truth.params)
    return verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_truth_fits_its_own_noise_free_data(system_id: str) -> None:
    assert min(verify_truth(system_id, seed, 0.0).reward.match for seed in SEEDS) >= 0.99


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_truth_fits_noisy_data_and_hidden_trajectories(system_id: str) -> None:
    verified = [verify_truth(system_id, seed, None) for seed in SEEDS]
    assert min(one.reward.match for one in verified) >= 0.97
    assert min(one.generalisation or 0.0 for one in verified) >= 0.99
    assert all(one.solved for one in verified)


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_truth_solves_at_the_highest_noise(system_id: str) -> None:
    assert all(verify_truth(system_id, seed, 0.05).solved for seed in range(20))


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_truth_has_consistent_units_and_full_format(system_id: str) -> None:
    verified = verify_truth(system_id, 0, None)
    assert verified.parse.units == "ok"
    assert verified.reward.format == 1.0


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_every_second_order_variable_moves_at_its_own_velocity(system: System) -> None:
    params, duration_s = system.sample_experiment(Generator(PCG64(1)))
    state = system.sample_initial(Generator(PCG64(2)), params, duration_s)
    names = [variable.name for variable in system.variables]
    derivatives = system.rhs(state, 0.0, params)
    rates = {variable.rate_of: variable.name for variable in system.variables if variable.rate_of}
    assert {name: derivatives[names.index(name)] for name in rates if name} == {
        position: state[names.index(rate)] for position, rate in rates.items()
    }


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_no_hint_gives_the_law_away(system: System) -> None:
    params, _ = system.sample_experiment(Generator(PCG64(1)))
    telling = {*params, *(variable.name for variable in system.variables)} | {
        "sin", "sine", "cos", "cosine", "sqrt", "square", "squared", "quadratic", "linear", "equation",
        "proportional", "law", "force", "hooke", "lorentz", "newton", "damping", "coefficient",
    }  # fmt: skip
    for hint in system.hints:
        words = set(re.findall(r"[A-Za-z0-9_]+", hint))
        # "g" and "B" are parameters; "A weight" is not, as no parameter is called A.
        assert not words & telling, hint
        assert not {word.lower() for word in words} & {word for word in telling if len(word) > 1}, hint
        assert not re.search(r"[0-9=*/^]", hint), hint


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_a_hint_is_worded_in_several_ways(system: System) -> None:
    assert len(set(system.hints)) >= 4
    assert {sample_task(system.id, seed)[0].hint for seed in range(60)} == set(system.hints)


def test_only_the_third_tier_is_held_out_of_training() -> None:
    assert {s.id for s in SYSTEMS.values() if s.held_out} == {"projectile_drag", "charged_b_field"}
    assert {s.tier for s in SYSTEMS.values() if s.held_out} == {3}


def test_systems_are_listed_under_their_own_ids() -> None:
    assert list(SYSTEMS) == [system.id for system in SYSTEMS.values()]
    assert len(SYSTEMS) == 8


# What a trajectory must show, measured over shown and hidden ones alike.


@cache
def clean_tasks(system_id: str) -> list[tuple[Task, Truth]]:
    return [sample_task(system_id, seed, noise=0.0) for seed in range(60)]


def share(system_id: str, holds: Callable[[Trajectory, dict[str, float]], bool]) -> float:
    verdicts = [
        holds(one, truth.params)
        for task, truth in clean_tasks(system_id)
        for one in trajectories(task, truth)
    ]
    return sum(verdicts) / len(verdicts)


def trajectories(task: Task, truth: Truth) -> list[Trajectory]:
    return [*task.shown, *truth.hidden]


def column(trajectory: Trajectory, index: int) -> list[float]:
    return [row[index] for row in trajectory.states]


def turning_points(trajectory: Trajectory) -> int:
    velocity = np.sign(column(trajectory, 1))
    return int((velocity[1:] != velocity[:-1]).sum())


def amplitude(trajectory: Trajectory) -> float:
    return max(map(abs, column(trajectory, 0)))


def remaining_swing(trajectory: Trajectory) -> float:
    """Largest excursion in the last quarter, as a share of that in the first."""
    size = np.abs(column(trajectory, 0))
    quarter = len(size) // 4
    return float(size[-quarter:].max() / size[:quarter].max())


OSCILLATORS = ["simple_pendulum", "damped_pendulum", "spring_mass", "damped_spring"]


@pytest.mark.parametrize("system_id", OSCILLATORS)
def test_oscillators_turn_back_at_least_four_times(system_id: str) -> None:
    assert share(system_id, lambda one, _: 4 <= turning_points(one) <= 12) == 1.0


@pytest.mark.parametrize("system_id", ["simple_pendulum", "damped_pendulum"])
def test_pendulums_swing_beyond_small_angles_and_never_over_the_top(system_id: str) -> None:
    assert share(system_id, lambda one, _: amplitude(one) > 1.0) > 0.6
    assert share(system_id, lambda one, _: 0.5 <= amplitude(one) < 2.3) == 1.0


@pytest.mark.parametrize("system_id", ["damped_pendulum", "damped_spring"])
def test_damping_is_neither_invisible_nor_instant(system_id: str) -> None:
    assert share(system_id, lambda one, _: 0.1 < remaining_swing(one) < 0.7) == 1.0


@pytest.mark.parametrize("system_id", ["free_fall", "free_fall_drag", "projectile_drag"])
def test_nothing_falls_through_the_ground(system_id: str) -> None:
    height = 1 if system_id == "projectile_drag" else 0
    assert share(system_id, lambda one, _: min(column(one, height)) > 0.0) == 1.0


def test_fall_with_drag_is_always_downwards_and_nears_terminal_speed() -> None:
    def speeds(one: Trajectory, params: dict[str, float]) -> list[float]:
        terminal = math.sqrt(params["g"] / params["k"])
        return [-vy / terminal for vy in column(one, 1)]

    assert share("free_fall_drag", lambda one, params: min(speeds(one, params)) >= 0.0) == 1.0
    assert share("free_fall_drag", lambda one, params: 0.8 < speeds(one, params)[-1] < 1.0) == 1.0
    assert share("free_fall_drag", lambda one, params: speeds(one, params)[0] < 0.5) == 1.0


def test_drag_takes_at_least_a_third_of_a_projectiles_forward_speed() -> None:
    def kept(one: Trajectory) -> float:
        vx = column(one, 2)
        return vx[-1] / vx[0]

    assert share("projectile_drag", lambda one, _: 0.05 < kept(one) < 0.67) == 1.0


def test_a_charge_goes_round_at_least_once_and_keeps_its_speed() -> None:
    def turns(one: Trajectory, params: dict[str, float]) -> float:
        return abs(params["q"] * params["B"] / params["m"]) * one.t[-1] / (2.0 * math.pi)

    def speed_kept(one: Trajectory) -> bool:
        speeds = [math.hypot(row[2], row[3]) for row in one.states]
        return max(speeds) - min(speeds) < 1e-6 * speeds[0]

    assert share("charged_b_field", lambda one, params: 1.2 < turns(one, params) < 3.1) == 1.0
    assert share("charged_b_field", lambda one, _: speed_kept(one)) == 1.0
    signs = {math.copysign(1.0, sample_task("charged_b_field", s)[1].params["q"]) for s in range(20)}
    assert signs == {-1.0, 1.0}


def test_gravity_varies_between_seeds() -> None:
    drawn = [sample_task("free_fall", seed)[1].params["g"] for seed in range(60)]
    assert max(drawn) > 2.0 * min(drawn)
