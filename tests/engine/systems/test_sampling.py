import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pytest
from numpy.random import Generator
from scipy.integrate import ODEintWarning

from physix.engine.systems import DEFAULT_NOISE, SYSTEMS, System, sample_task
from physix.engine.systems.base import second_order
from physix.engine.systems.sampling import sample
from physix.errors import BadInputError, PhysixError, UnknownSystemError
from physix.limits import MAX_SEED


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_same_seed_is_the_same_task(system_id: str) -> None:
    assert sample_task(system_id, 7) == sample_task(system_id, 7)
    assert sample_task(system_id, 7) != sample_task(system_id, 8)


def test_a_seed_still_means_what_it_meant() -> None:
    task, truth = sample_task("damped_spring", 7)
    assert task.task_id == "damped_spring/7"
    assert truth.params == {"k": 291.5, "m": 1.508, "b": 3.291}
    assert task.shown[0].states[0] == pytest.approx((-0.22801481741543086, 1.3539731539906144), rel=1e-12)


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_noise_changes_nothing_but_the_noise(system_id: str) -> None:
    clean, clean_truth = sample_task(system_id, 3, noise=0.0)
    noisy, noisy_truth = sample_task(system_id, 3, noise=0.05)
    assert noisy_truth == clean_truth
    assert noisy.hint == clean.hint
    assert noisy.shown[0].t == clean.shown[0].t
    assert noisy.shown[0].states != clean.shown[0].states


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_more_trajectories_are_added_behind_the_first(system_id: str) -> None:
    one, one_truth = sample_task(system_id, 3)
    four, four_truth = sample_task(system_id, 3, trajectories=4)
    assert four_truth == one_truth
    assert four.shown[:1] == one.shown
    assert len({trajectory.states[0] for trajectory in four.shown}) == 4


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_hidden_trajectories_start_elsewhere(system_id: str) -> None:
    task, truth = sample_task(system_id, 3, trajectories=4)
    starts = {one.states[0] for one in (*task.shown, *truth.hidden)}
    assert len(truth.hidden) == 2
    assert len(starts) == 6


@pytest.mark.parametrize("level", [0.01, DEFAULT_NOISE, 0.05])
def test_noise_is_a_share_of_each_variables_spread(level: float) -> None:
    pairs = [
        (np.array(sample_task("spring_mass", seed, noise=0.0)[0].shown[0].states),
         np.array(sample_task("spring_mass", seed, noise=level)[0].shown[0].states))
        for seed in range(20)
    ]  # fmt: skip
    shares = [(noisy - clean).std(axis=0) / clean.std(axis=0) for clean, noisy in pairs]
    assert np.mean(shares, axis=0) == pytest.approx([level, level], rel=0.1)


def test_the_first_sample_carries_no_noise() -> None:
    clean = sample_task("free_fall", 3, noise=0.0, trajectories=2)[0]
    noisy = sample_task("free_fall", 3, noise=0.05, trajectories=2)[0]
    assert [one.states[0] for one in noisy.shown] == [one.states[0] for one in clean.shown]


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_tasks_hold_plain_numbers_that_survive_json(system_id: str) -> None:
    task, truth = sample_task(system_id, 11)
    numbers = [*truth.params.values(), *task.shown[0].t, *task.shown[0].states[1], task.noise]
    assert {type(number) for number in numbers} == {float}
    assert json.loads(json.dumps(asdict(task), allow_nan=False))["shown"][0]["t"] == list(task.shown[0].t)


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_times_start_at_zero_and_increase(system_id: str) -> None:
    task, truth = sample_task(system_id, 11)
    for trajectory in (*task.shown, *truth.hidden):
        assert len(trajectory.t) == len(trajectory.states) == 100
        assert trajectory.t[0] == 0.0
        assert all(np.diff(trajectory.t) > 0.0)


def test_parameters_have_four_significant_digits() -> None:
    for seed in range(20):
        for value in sample_task("damped_spring", seed)[1].params.values():
            assert value == float(f"{value:.4g}")


def test_a_task_id_names_every_option_that_is_not_the_default() -> None:
    assert sample_task("free_fall", 3)[0].task_id == "free_fall/3"
    assert sample_task("free_fall", 3, noise=DEFAULT_NOISE)[0].task_id == "free_fall/3"
    task = sample_task("free_fall", 3, noise=0.05, trajectories=2)[0]
    assert task.task_id == "free_fall/3,noise=0.05,trajectories=2"


def test_a_whole_number_is_a_noise_level_too() -> None:
    assert sample_task("free_fall", 3, noise=0)[0].noise == 0.0


def test_the_largest_seed_works() -> None:
    assert sample_task("free_fall", MAX_SEED)[0].seed == MAX_SEED


def test_an_unknown_system_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownSystemError, match=r"'warp_drive'.*free_fall, .*charged_b_field"):
        sample_task("warp_drive", 1)


@pytest.mark.parametrize("seed", [-1, True, 1.0, "7", None, MAX_SEED + 1])
def test_a_seed_that_is_no_allowed_integer_is_refused(seed: object) -> None:
    with pytest.raises(BadInputError, match=f"an integer from 0 to {MAX_SEED}"):
        sample_task("free_fall", seed)  # type: ignore[arg-type]  # what a stranger may send


@pytest.mark.parametrize("noise", [-0.01, 0.051, float("nan"), float("inf"), True, "0.02"])
def test_noise_out_of_range_is_refused(noise: object) -> None:
    with pytest.raises(BadInputError, match=r"a number from 0 to 0\.05"):
        sample_task("free_fall", 1, noise=noise)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("trajectories", [0, 5, True, 1.0, "2"])
def test_a_number_of_trajectories_out_of_range_is_refused(trajectories: object) -> None:
    with pytest.raises(BadInputError, match="an integer from 1 to 4"):
        sample_task("free_fall", 1, trajectories=trajectories)  # type: ignore[arg-type]  # as above


class Runaway(System):
    """Infinite before the trajectory ends."""

    id = "runaway"
    title = "Runaway"
    tier = 3
    description = "Blows up."
    variables = second_order("x", "m", "x", "position", rate="vx", rate_symbol="v_x")
    equation = "d2x/dt2 = a*x**4"
    hints = ("It runs away.",)

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        return {"a": 1.0}, 100.0

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        return 1.0, 1.0

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        return [state[1], state[0] ** 4]


class Miscounted(Runaway):
    """Draws a state of the wrong size."""

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        return (1.0,)


class Drifting(Runaway):
    """Draws starts in a box and leaves hidden ones to the default."""

    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        return {"a": 0.0}, 1.0

    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        return rng.uniform(0.0, 1.0), rng.uniform(0.0, 1e6)

    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        return [state[1], 0.0]


class OneHidden(Drifting):
    """Draws too few hidden starts."""

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        return (shown,)


def test_by_default_hidden_starts_lie_far_from_the_shown_one_in_units_of_each_variables_range() -> None:
    for seed in range(50):
        task, truth = sample(Drifting(), seed)
        places = np.array([one.states[0] for one in (*task.shown, *truth.hidden)]) / [1.0, 1e6]
        assert np.all((places >= 0.0) & (places <= 1.0))
        distances = [np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        # Of three points drawn blindly in a square a pair is closer than 0.3 half of the time.
        assert min(distances) > 0.3


def test_a_system_that_draws_too_few_hidden_starts_is_reported() -> None:
    with pytest.raises(PhysixError, match="drew 1 hidden starts; 2 are needed"):
        sample(OneHidden(), 1)


def test_a_system_that_blows_up_is_reported_with_its_start() -> None:
    with (
        pytest.warns(ODEintWarning),
        pytest.raises(PhysixError, match=r"'runaway' could not be simulated from \(1.0, 1.0\)"),
    ):
        sample(Runaway(), 1)


def test_a_system_that_draws_a_state_of_the_wrong_size_is_reported() -> None:
    with pytest.raises(PhysixError, match="2 variables but drew an initial state of 1 numbers"):
        sample(Miscounted(), 1)
