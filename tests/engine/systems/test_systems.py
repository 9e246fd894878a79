"""Every system: its law fits its own data, and its trajectories show what they should."""

import cmath
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
    assert share(system_id, lambda one, _: 3 <= turning_points(one) <= 12) == 1.0
    assert all(turning_points(task.shown[0]) >= 4 for task, _ in clean_tasks(system_id))


@pytest.mark.parametrize("system_id", ["simple_pendulum", "damped_pendulum"])
def test_pendulums_swing_beyond_small_angles_and_never_over_the_top(system_id: str) -> None:
    shown = [task.shown[0] for task, _ in clean_tasks(system_id)]
    assert sum(amplitude(one) > 1.0 for one in shown) > 0.6 * len(shown)
    assert share(system_id, lambda one, _: 0.5 <= amplitude(one) <= 2.41) == 1.0
    assert max(map(amplitude, shown)) < 2.3


@pytest.mark.parametrize("system_id", ["damped_pendulum", "damped_spring"])
def test_damping_is_neither_invisible_nor_instant(system_id: str) -> None:
    assert share(system_id, lambda one, _: 0.1 < remaining_swing(one) < 0.7) == 1.0


@pytest.mark.parametrize("system_id", ["free_fall", "free_fall_drag", "projectile_drag"])
def test_nothing_falls_through_the_ground(system_id: str) -> None:
    height = 1 if system_id == "projectile_drag" else 0
    assert share(system_id, lambda one, _: min(column(one, height)) > 0.0) == 1.0


def test_fall_with_drag_is_always_downwards_and_nears_terminal_speed() -> None:
    assert share("free_fall_drag", lambda one, params: min(speeds(one, params)) >= 0.0) == 1.0
    assert share("free_fall_drag", lambda one, params: 0.8 < speeds(one, params)[-1] < 1.2) == 1.0
    shown = [speeds(task.shown[0], truth.params) for task, truth in clean_tasks("free_fall_drag")]
    assert all(one[0] < 0.5 and 0.8 < one[-1] < 1.0 for one in shown)


def speeds(one: Trajectory, params: dict[str, float]) -> list[float]:
    """Downward speed of a fall, in terminal speeds."""
    terminal = math.sqrt(params["g"] / params["k"])
    return [-vy / terminal for vy in column(one, 1)]


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


# What the hidden trajectories must tell apart that the shown one confounds.


def test_a_hidden_fall_with_drag_begins_fast_and_downwards_and_high_up() -> None:
    for task, truth in clean_tasks("free_fall_drag"):
        thrown, dropped = truth.hidden
        assert 1.149 <= speeds(thrown, truth.params)[0] <= 1.501
        assert speeds(dropped, truth.params)[0] <= 0.3
        # Where the hidden bodies are when they are as fast as the shown one was: elsewhere.
        assert min(thrown.states[0][0], dropped.states[0][0]) > 1.1 * task.shown[0].states[0][0]


@pytest.mark.parametrize("system_id", ["spring_mass", "damped_spring"])
def test_hidden_oscillations_have_other_amplitudes_and_phases(system_id: str) -> None:
    for task, truth in clean_tasks(system_id):
        natural = math.sqrt(truth.params["k"] / truth.params["m"])
        shown = complex(task.shown[0].states[0][0], task.shown[0].states[0][1] / natural)
        turned = [complex(one.states[0][0], one.states[0][1] / natural) / shown for one in truth.hidden]
        assert 0.3 <= abs(turned[0]) <= 0.6
        assert 1.6 <= abs(turned[1]) / max(1.0, 1.0 / abs(shown)) <= 2.5
        angles = sorted(math.degrees(cmath.phase(one)) for one in turned)
        assert -121 <= angles[0] <= -60 <= 60 <= angles[1] <= 121


@pytest.mark.parametrize("system_id", ["simple_pendulum", "damped_pendulum"])
def test_hidden_pendulums_swing_narrow_and_wide_and_begin_in_mid_swing(system_id: str) -> None:
    for _task, truth in clean_tasks(system_id):
        narrow, wide = truth.hidden
        assert amplitude(narrow) < 1.0
        assert amplitude(wide) > 1.25
        for one in truth.hidden:
            assert abs(column(one, 0)[0]) < 0.7 * amplitude(one)
            assert abs(column(one, 1)[0]) > 0.7 * max(map(abs, column(one, 1)))


def test_a_hidden_projectile_is_thrown_downwards_to_the_other_side_or_at_another_angle() -> None:
    for task, truth in clean_tasks("projectile_drag"):
        terminal = math.sqrt(truth.params["g"] / truth.params["k"])
        angles, fast = [], []
        for one in (task.shown[0], *truth.hidden):
            vx, vy = one.states[0][2:]
            angles.append(math.atan2(vy, abs(vx)))
            fast.append(math.hypot(vx, vy) / terminal)
        assert truth.hidden[0].states[0][2] * task.shown[0].states[0][2] < 0.0
        assert angles[1] <= -0.4
        assert 0.0 <= angles[2] <= 1.21
        assert abs(angles[2] - angles[0]) >= 0.39
        assert abs(fast[1] - fast[0]) >= 0.2
        assert all(0.49 <= one <= 1.51 for one in fast)


def test_a_hidden_charge_has_another_speed_and_direction() -> None:
    for task, truth in clean_tasks("charged_b_field"):
        shown = complex(*task.shown[0].states[0][2:])
        turned = [complex(*one.states[0][2:]) / shown for one in truth.hidden]
        assert abs(turned[0]) <= 0.6 < 1.6 <= abs(turned[1])
        assert all(abs(math.degrees(cmath.phase(one))) >= 59.0 for one in turned)


def test_a_hidden_free_fall_is_thrown_downwards_from_high_up_or_upwards() -> None:
    for task, truth in clean_tasks("free_fall"):
        down, up = truth.hidden
        gained = truth.params["g"] * down.t[-1]
        assert -1.2 <= down.states[0][1] / gained <= -0.5
        assert 0.7 <= up.states[0][1] / gained <= 1.2
        assert down.states[0][0] > 1.2 * task.shown[0].states[0][0]
