import numpy as np
import pytest

from physix.engine.systems import sample_task
from physix.engine.verifier.along import (
    _innovations,
    _product,
    _twice_whitened,
    response_of,
    running_integral,
)
from physix.engine.verifier.choice import Problem, choose

RNG = np.random.default_rng(11)


def test_the_running_integral_is_exact_for_parabolas_on_any_grid() -> None:
    t = np.sort(RNG.uniform(0.0, 4.0, 30))
    values = np.column_stack([3.0 - 2.0 * t + 0.7 * t**2, t**2])
    antiderivative = np.column_stack([3.0 * t - t**2 + 0.7 * t**3 / 3.0, t**3 / 3.0])
    assert running_integral(np.diff(t), values) == pytest.approx(
        antiderivative - antiderivative[0], abs=1e-12
    )


def test_the_running_integral_converges_with_the_fourth_power_of_the_step() -> None:
    def error(samples: int) -> float:
        t = np.linspace(0.0, 6.0, samples)
        return float(np.abs(running_integral(np.diff(t), np.sin(t)[:, None])[:, 0] - (1.0 - np.cos(t))).max())

    assert error(61) < 1e-4
    assert error(61) / error(121) == pytest.approx(16.0, rel=0.3)


def test_one_and_two_samples_have_an_integral_too() -> None:
    assert running_integral(np.zeros(0), np.ones((1, 1))).tolist() == [[0.0]]
    assert running_integral(np.array([2.0]), np.array([[1.0], [3.0]])).tolist() == [[0.0], [4.0]]


@pytest.mark.parametrize("twice", [False, True])
def test_whitening_leaves_the_inverse_covariance_with_the_start_projected_out(twice: bool) -> None:
    n = 40
    t = np.sort(RNG.uniform(0.0, 5.0, n))
    variance, walked = RNG.uniform(0.5, 2.0, n), np.concatenate([[0.0], RNG.uniform(0.0, 0.4, n - 1)])
    # Oracle: generalised least squares written out, C^-1 - C^-1 S (S' C^-1 S)^-1 S' C^-1.
    reach = np.maximum(t[:, None] - t[None, :], 0.0) if twice else np.tril(np.ones((n, n)))
    covariance = np.diag(variance) + (reach * walked) @ reach.T
    starts = np.column_stack([np.ones(n), t]) if twice else np.ones((n, 1))
    inverse = np.linalg.inv(covariance)
    half = inverse @ starts
    wanted = inverse - half @ np.linalg.inv(starts.T @ half) @ half.T
    whiten = _twice_whitened(t, variance, walked) if twice else _innovations(variance, walked)
    assert whiten.T @ whiten == pytest.approx(wanted, abs=1e-9)


def test_a_product_in_pieces_is_the_product() -> None:
    left, right = RNG.standard_normal((150, 150)), RNG.standard_normal((150, 60))
    assert _product(left, right) == pytest.approx(left @ right, abs=1e-11)


def test_what_is_left_of_a_true_law_is_as_much_as_the_noise() -> None:
    shares = []
    for seed in range(30):
        task, truth = sample_task("damped_spring", seed)
        k, b, m = (truth.params[name] for name in ("k", "b", "m"))
        response = response_of(task, "x")
        states = np.array(task.shown[0].states)
        rows = response.weighted((-(k / m) * states[:, 0] - (b / m) * states[:, 1])[:, None])
        left = response.measured - rows[:, 0]
        shares.append(float(left @ left) / response.degrees)
    # The noise inside f is known by its size only, and never taken for less than it is.
    assert 0.5 < float(np.mean(shares)) < 1.1


def problem(columns: np.ndarray, defect: np.ndarray, own: int) -> Problem:
    """A law of `own` columns that misses `defect`; the others may be added."""
    response = defect + columns[:, :own].sum(axis=1)
    gram = columns.T @ columns
    return Problem(
        gram=gram,
        sizes=np.diag(gram).copy(),
        onto=columns.T @ defect,
        doubts=np.array([0.0] * own + [6.0] * (columns.shape[1] - own)),
        response=columns.T @ response,
        energy=float(response @ response),
        own=own,
        whole=own,
        before=float(defect @ defect),
        degrees=len(defect),
        blur=0.0,
    )


COLUMNS = np.random.default_rng(5).standard_normal((200, 8))
NOISE = np.random.default_rng(6).standard_normal(200)


def test_one_wrong_strength_is_told_with_its_change() -> None:
    chosen = choose(problem(COLUMNS, 0.8 * COLUMNS[:, 1] + NOISE, own=3)).choice
    assert chosen is not None
    assert chosen.columns == (1,)
    assert chosen.changes[0] == pytest.approx(0.8, abs=0.25)
    exact = np.linalg.lstsq(COLUMNS[:, [1]], 0.8 * COLUMNS[:, 1] + NOISE, rcond=None)[0]
    assert chosen.changes[0] == pytest.approx(float(exact[0]), rel=1e-9)


def test_two_missing_terms_are_found_together_with_their_least_squares() -> None:
    defect = 2.0 * COLUMNS[:, 4] - 1.5 * COLUMNS[:, 6] + NOISE
    chosen = choose(problem(COLUMNS, defect, own=2)).choice
    assert chosen is not None
    assert sorted(chosen.columns) == [4, 6]
    exact = np.linalg.lstsq(COLUMNS[:, list(chosen.columns)], defect, rcond=None)[0]
    assert chosen.changes == pytest.approx(exact.tolist(), rel=1e-9)


def test_a_law_of_other_terms_is_dropped_for_one_that_explains_all() -> None:
    # The left side is column 5 alone; the law says columns 0 and 1.
    defect = 3.0 * COLUMNS[:, 5] + 0.3 * NOISE - COLUMNS[:, 0] - COLUMNS[:, 1]
    chosen = choose(problem(COLUMNS, defect, own=2)).choice
    assert chosen is not None
    changed = dict(zip(chosen.columns, chosen.changes, strict=True))
    assert changed[5] == pytest.approx(3.0, rel=0.05)
    gone = set(chosen.dropped) | {
        c for c, change in changed.items() if change == pytest.approx(-1.0, abs=0.1)
    }
    assert gone == {0, 1}


def test_a_change_is_blamed_from_sixteen_on() -> None:
    # A defect along column 0 of exactly the size asked for, and the rest orthogonal to every column.
    rest = NOISE - COLUMNS @ np.linalg.lstsq(COLUMNS, NOISE, rcond=None)[0]
    rest *= np.sqrt(200.0 / float(rest @ rest))
    unit = COLUMNS[:, 0] / np.linalg.norm(COLUMNS[:, 0])

    def blamed(gain: float) -> bool:
        only = problem(COLUMNS[:, :1], np.sqrt(gain) * unit + rest, own=1)
        return choose(only).choice is not None

    assert not blamed(15.9)
    assert blamed(16.1)
