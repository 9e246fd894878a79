"""The noise of measurements, against the noise that was put there."""

import numpy as np
import pytest

from physix.engine.floats import FloatArray
from physix.engine.systems.noise import estimate_noise, noise_of_run
from physix.engine.systems.task import Noise, Trajectory

T = np.linspace(0.0, 10.0, 200)
SWING = np.column_stack([np.cos(2 * T), 50 * np.exp(-0.3 * T)])


def measured(states: FloatArray, t: FloatArray = T, missing: tuple[tuple[int, int], ...] = ()) -> Trajectory:
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())), missing=missing)


def blur(states: FloatArray, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(states.shape)


@pytest.mark.parametrize("seed", range(5))
def test_constant_noise_is_found_for_each_variable(seed: int) -> None:
    sigma = np.array([0.02, 1.5])
    first, second = estimate_noise([measured(SWING + sigma * blur(SWING, seed))])
    assert first.relative == second.relative == 0.0
    assert first.absolute == pytest.approx(0.02, rel=0.25)
    assert second.absolute == pytest.approx(1.5, rel=0.25)


def test_over_many_records_constant_noise_is_right_on_average() -> None:
    found = [estimate_noise([measured(SWING + 0.05 * blur(SWING, seed))])[0].absolute for seed in range(40)]
    assert np.mean(found) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_noise_that_grows_with_the_signal_is_found_as_such(level: float) -> None:
    found = []
    for seed in range(20):
        (noise,) = estimate_noise([measured(SWING[:, 1:] * (1 + level * blur(SWING[:, 1:], seed)))])
        sizes = np.hypot(noise.absolute, noise.relative * SWING[:, 1])
        found.append(sizes / (level * SWING[:, 1]))
        assert noise.relative > 0.0
    # At every size of the signal, from 50 down to 2.5; a median over a constant gave 0.73 of it.
    for at in (0, 100, 199):
        assert np.median([one[at] for one in found]) == pytest.approx(1.0, abs=0.15)


def test_uneven_sampling_and_missing_samples_do_no_harm() -> None:
    t = np.sort(np.random.default_rng(3).uniform(0.0, 10.0, 300))
    states = np.cos(2 * t)[:, None] + 0.03 * blur(t[:, None])
    gone = tuple((row, 0) for row in range(10, 290, 11))
    for row, _ in gone:
        states[row] = 1e6
    (noise,) = estimate_noise([measured(states, t, gone)])
    assert noise.absolute == pytest.approx(0.03, rel=0.2)


def test_a_few_outliers_and_a_jump_do_not_pass_for_noise() -> None:
    states = SWING[:, :1] + 0.02 * blur(SWING[:, :1])
    states[[20, 90, 150]] += 5.0
    states[120:] += 1.0
    (noise,) = estimate_noise([measured(states)])
    assert noise.absolute < 0.05


def test_fast_motion_with_few_samples_a_period_is_not_all_noise() -> None:
    t = np.linspace(0.0, 20.0, 160)  # eight samples a period
    states = np.sin(2 * np.pi * t)[:, None]
    (noise,) = estimate_noise([measured(states + 0.05 * blur(states), t)])
    assert noise.absolute == pytest.approx(0.05, rel=0.35)


def test_clean_data_have_next_to_none_and_cut_digits_have_what_rounding_makes() -> None:
    assert estimate_noise([measured(SWING)])[0].absolute < 1e-5
    # Steps of 0.1 on a motion that takes many samples for one of them: differences are mostly zero.
    slow = np.round(0.01 * T, 1)[:, None]
    assert estimate_noise([measured(slow)])[0].absolute >= 0.1 / np.sqrt(12) * 0.99


def test_runs_are_pooled_and_too_short_ones_are_left_out() -> None:
    long, short = measured(SWING + 0.05 * blur(SWING)), measured(SWING[:4], T[:4])
    assert estimate_noise([long, short]) == estimate_noise([long])
    assert estimate_noise([short]) == (Noise(absolute=0.0), Noise(absolute=0.0))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_estimate_is_free_of_units(factor: float) -> None:
    states = SWING * (1 + 0.03 * blur(SWING)) + 0.01 * blur(SWING, 1)
    here = estimate_noise([measured(states)])
    there = estimate_noise([measured(factor * states, T * 1e-3)])
    for a, b in zip(here, there, strict=True):
        assert b.absolute == pytest.approx(factor * a.absolute, rel=1e-9)
        assert b.relative == pytest.approx(a.relative, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_has_a_noise_of_its_own_only_where_that_is_clearly_another(seed: int) -> None:
    quiet = measured(SWING + np.array([0.01, 0.5]) * blur(SWING, seed))
    alike = measured(0.5 * SWING + np.array([0.01, 0.5]) * blur(SWING, seed + 50))
    loud = measured(3.0 * SWING + np.array([0.03, 0.5]) * blur(SWING, seed + 100))
    pooled = estimate_noise([quiet])
    assert noise_of_run(alike, pooled) == pooled
    first, second = noise_of_run(loud, pooled)
    assert first.absolute == pytest.approx(0.03, rel=0.25)
    assert second == pooled[1]
