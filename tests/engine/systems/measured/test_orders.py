"""The order that numbers decide, where neither a name nor a unit does."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from physix.engine.systems.measured import Choice, choose, read_table

FloatArray = NDArray[np.float64]
Field = Callable[[float, FloatArray], list[float]]


def motion(field: Field, start: list[float], t: FloatArray) -> FloatArray:
    found = solve_ivp(field, (t[0], t[-1]), start, t_eval=t, rtol=1e-8, atol=1e-10)
    return np.asarray(found.y.T, dtype=float)


def file_of(names: str, columns: FloatArray, noise: float, given: int = 1) -> str:
    """Return a table; what follows the `given` first columns is noisy by a share of its spread."""
    rng = np.random.default_rng(4)
    noisy = columns.copy()
    noisy[:, given:] += noise * columns[:, given:].std(axis=0) * rng.standard_normal(columns[:, given:].shape)
    rows = [",".join(f"{value:.6g}" for value in row) for row in noisy]
    return "\n".join([names, *rows])


def orders(text: str) -> list[int | None]:
    return [one.role.order for one in read_table(text).columns if one.role.kind == "state"]


FALL = np.linspace(0.0, 3.0, 160)
LONG = np.linspace(0.0, 20.0, 300)
PULSE = np.sign(np.sin(1.1 * LONG)) + 0.5 * (LONG > 9.0)


def pulse(t: float) -> float:
    return float(np.interp(t, LONG, PULSE))


COORDINATES = [
    # A throw in the wind: the velocities decay towards it.
    (lambda _t, s: [s[2], s[3], -0.4 * (s[2] + 3), -9.81 - 0.4 * s[3]], [0, 2, 9, 14], FALL, [2, 2]),
    # The same with drag that grows with the square of the speed.
    (
        lambda _t, s: [s[2], s[3], -0.06 * s[2] * np.hypot(*s[2:]), -9.81 - 0.06 * s[3] * np.hypot(*s[2:])],
        [0, 2, 9, 14],
        FALL,
        [2, 2],
    ),
    (lambda _t, s: [s[2], s[3], -3 * s[0] + s[1], -3 * s[1] + s[0]], [0.4, 0, 0, 0], LONG, [2, 2]),
    # Rates that follow from the coordinates stay of first order: a spiral, a relaxation oscillator.
    (lambda _t, s: [-0.2 * s[0] + s[1], -s[0] - 0.1 * s[1]], [1, 0], LONG, [1, 1]),
    (
        lambda _t, s: [s[0] - s[0] ** 3 / 3 - s[1] + 0.4, 0.1 * (s[0] + 0.7 - 0.8 * s[1])],
        [-1, 1],
        LONG,
        [1, 1],
    ),
    (lambda _t, s: [s[0] * (1 - 0.6 * s[1]), s[1] * (0.4 * s[0] - 0.8)], [3, 1], LONG, [1, 1]),
]


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize(("field", "start", "t", "right"), COORDINATES)
def test_bare_coordinates_are_of_the_order_that_a_law_of_few_terms_closes_at(
    field: Field, start: list[float], t: FloatArray, right: list[int], noise: float
) -> None:
    states = motion(field, start, t)[:, : len(right)]
    assert orders(file_of("t,x,y", np.column_stack([t, states]), noise)) == right


DRIVEN = [
    # A resonant circuit, an oven with one store of heat, and one with a second that nobody measured.
    (lambda t, s: [s[1], 9 * (pulse(t) - s[0]) - 0.8 * s[1]], [0, 0], 2),
    (lambda t, s: [-0.9 * (s[0] - pulse(t))], [0], 1),
    (lambda t, s: [0.8 * (s[1] - s[0]), 0.5 * (s[0] - s[1]) - 0.3 * s[1] + pulse(t)], [0, 0], 2),
]


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize(("field", "start", "right"), DRIVEN)
def test_a_driven_quantity_is_of_second_order_where_no_rate_follows_from_it_and_its_drive(
    field: Field, start: list[float], right: int, noise: float
) -> None:
    output = motion(field, start, LONG)[:, 0]
    text = file_of("t (s),u_in (V),v_out (V)", np.column_stack([LONG, PULSE, output]), noise, given=2)
    assert orders(text) == [right]


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_amounts_of_which_some_were_not_measured_stay_of_first_order(noise: float) -> None:
    # The first and the last of four tanks: what fills the last was not measured.
    rates = np.array([[-0.5, 0, 0, 0], [0.5, -0.4, 0, 0], [0, 0.4, -0.3, 0], [0, 0, 0.3, -0.2]])
    levels = motion(lambda _t, s: (rates @ s).tolist(), [4, 0, 0, 0], LONG)[:, [0, 3]]
    assert orders(file_of("t,A (mM),D (mM)", np.column_stack([LONG, levels]), noise)) == [1, 1]


def test_what_a_person_says_of_the_order_stands() -> None:
    text = file_of("t,x,y", np.column_stack([FALL, 3 * FALL, 2 + 5 * FALL - 4.9 * FALL**2]), 0.0)
    table = read_table(text)
    assert orders(text) == [2, 2]
    told = choose(table, Choice(first_order=("x", "y")))
    assert [told[name].order for name in ("x", "y")] == [1, 1]


def test_what_is_switched_or_surrounds_a_motion_drives_it() -> None:
    level = 12.0 * (np.sin(0.9 * LONG) > 0.0)
    outside = 10.0 + 8.0 * np.sin(0.26 * LONG)
    heat = motion(lambda t, s: [0.4 * (np.interp(t, LONG, outside + level) - s[0])], [15.0], LONG)[:, 0]
    table = read_table(
        file_of(
            "t (h),heater (V),ambient (degC),wall (degC)",
            np.column_stack([LONG, level, outside, heat]),
            0.01,
            3,
        )
    )
    assert [one.role.kind for one in table.columns] == ["time", "input", "input", "state"]


@pytest.mark.parametrize("step", [1, 2, 5])
def test_a_count_that_grows_in_steps_is_a_state(step: int) -> None:
    count = np.floor(np.linspace(0.0, 4.9, 200)) * step
    drift = np.exp(-0.1 * LONG[:200])
    table = read_table(file_of("t,cases,level", np.column_stack([LONG[:200], count, drift]), 0.0))
    assert [one.role.kind for one in table.columns][1:] == ["state", "state"]
