"""What one record of one quantity can confirm: plain laws; not those that a hidden variable leaves behind."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.random import PCG64, Generator
from scipy.integrate import solve_ivp

from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

STRICT = VerifierConfig(profile="strict", functions="extended")
T = np.linspace(0, 20, 400)


def rows(states: np.ndarray, noise: float, seed: int = 1) -> np.ndarray:
    return states + noise * states.std(axis=0) * Generator(PCG64(seed)).standard_normal(states.shape)


def part(t: np.ndarray, states: np.ndarray) -> Trajectory:
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))


def position_only(
    field: object, start: Sequence[float], noise: float, *, rate_measured: bool = False
) -> tuple[Task, Truth]:
    """Return a motion of second order whose last quarter is held back."""
    clean = solve_ivp(field, (0, 20), start, t_eval=T, rtol=1e-10, atol=1e-12).y.T
    seen = rows(clean, noise)
    if not rate_measured:
        seen[:, 1] = np.gradient(seen[:, 0], T)
    x = StateVariable(name="x", unit=None, symbol="x", description="")
    v = StateVariable(
        name="v", unit=None, symbol="v", description="", rate_of="x", estimated=not rate_measured
    )
    return posed((x, v), seen)


def first_order(states: np.ndarray, noise: float) -> tuple[Task, Truth]:
    x = StateVariable(name="x", unit=None, symbol="x", description="")
    return posed((x,), rows(states[:, None], noise))


def posed(
    variables: tuple[StateVariable, ...], seen: np.ndarray, shown_rows: int = 300
) -> tuple[Task, Truth]:
    shown = part(T[:shown_rows], seen[:shown_rows])
    task = Task(
        task_id="t", system_id="csv", title="", tier=None, seed=None, variables=variables, time_unit=None,
        shown=(shown,), noise=0.0, hint="", measured=True, noises=estimate_noise((shown,)),
    )  # fmt: skip
    return task, Truth(equation=None, params={}, hidden=(part(T[shown_rows:], seen[shown_rows:]),))


def judged(given: tuple[Task, Truth], equation: str, **params: float) -> Verification:
    return verify(*given, Hypothesis(equation=equation, params=params), best_match=0.0, config=STRICT)


def van_der_pol(_: float, s: np.ndarray) -> list[float]:
    return [s[1], -s[0] + 1.5 * (1 - s[0] ** 2) * s[1]]


def spring(_: float, s: np.ndarray) -> list[float]:
    return [s[1], 1.0 - 4.0 * s[0] - 0.2 * s[1]]


COUPLED = "d2x/dt2 = -k*x + b*v - d*x**2*v"


def test_a_law_that_couples_a_quantity_with_its_unmeasured_rate_is_not_confirmed_by_one_record() -> None:
    told = judged(position_only(van_der_pol, (1.0, 0.0), 0.01), COUPLED, k=1.0, b=1.5, d=1.5)
    assert told.findings is not None
    assert (told.findings.within_noise, told.solved) == (True, False)
    assert told.doubt is not None
    assert "its unmeasured rate multiply each other" in told.doubt
    assert told.mismatch.endswith(told.doubt)


def test_the_same_law_is_confirmed_where_the_rate_was_measured() -> None:
    given = position_only(van_der_pol, (1.0, 0.0), 0.01, rate_measured=True)
    told = judged(given, COUPLED, k=1.0, b=1.5, d=1.5)
    assert (told.solved, told.doubt) == (True, None)


def test_the_same_law_is_confirmed_by_a_second_run() -> None:
    task, _ = position_only(van_der_pol, (1.0, 0.0), 0.01)
    other, _ = position_only(van_der_pol, (-2.0, 1.0), 0.01)
    told = judged((task, Truth(equation=None, params={}, hidden=other.shown)), COUPLED, k=1.0, b=1.5, d=1.5)
    assert told.doubt is None


def test_the_same_law_is_confirmed_where_next_to_nothing_is_left_over() -> None:
    told = judged(position_only(van_der_pol, (1.0, 0.0), 0.0), COUPLED, k=1.0, b=1.5, d=1.5)
    assert (told.solved, told.doubt) == (True, None)


@pytest.mark.parametrize(
    ("equation", "params", "confirmed"),
    [
        ("d2x/dt2 = a - k*x - b*v", {"a": 1.0, "k": 4.0, "b": 0.2}, True),
        ("d2x/dt2 = a - k*x - b*v + e*x**3", {"a": 1.0, "k": 4.0, "b": 0.2, "e": 1e-6}, False),
        ("d2x/dt2 = a - k*x - b*v + 1e-06*x**3", {"a": 1.0, "k": 4.0, "b": 0.2}, False),
        ("d2x/dt2 = a - k*x - 2*b*v", {"a": 1.0, "k": 4.0, "b": 0.1}, True),
    ],
    ids=["three", "four", "three and a literal", "a small whole number is part of the form"],
)
def test_an_oscillator_may_have_three_constants(
    equation: str, params: dict[str, float], confirmed: bool
) -> None:
    told = judged(position_only(spring, (1.0, 0.0), 0.02), equation, **params)
    assert (told.solved, told.doubt is None) == (confirmed, confirmed)


@pytest.mark.parametrize(("more", "confirmed"), [("", True), (" + p*x**2", False)])
def test_a_monotone_record_may_have_two(more: str, confirmed: bool) -> None:
    given = first_order(5.0 - 4.0 * np.exp(-0.4 * T), 0.02)
    params = {"a": 2.0, "k": 0.4} | ({"p": 1e-7} if more else {})
    told = judged(given, f"dx/dt = a - k*x{more}", **params)
    assert (told.solved, told.doubt is None) == (confirmed, confirmed)


def test_where_the_truth_is_known_nothing_is_doubted() -> None:
    task, truth = position_only(van_der_pol, (1.0, 0.0), 0.01)
    known = Truth(equation="d2x/dt2 = -x + 1.5*v - 1.5*x**2*v", params={}, hidden=truth.hidden)
    assert judged((task, known), COUPLED, k=1.0, b=1.5, d=1.5).doubt is None


def test_a_run_that_repeats_the_first_is_no_second_run() -> None:
    task, _ = position_only(van_der_pol, (1.0, 0.0), 0.01)
    again, _ = position_only(van_der_pol, (1.05, 0.0), 0.01)
    told = judged((task, Truth(equation=None, params={}, hidden=again.shown)), COUPLED, k=1.0, b=1.5, d=1.5)
    assert told.doubt is not None


def test_two_positions_without_rates_may_have_three_constants_each() -> None:
    def plane(_: float, s: np.ndarray) -> list[float]:
        return [s[2], s[3], -4.0 * s[0] - 0.1 * s[2], -9.0 * s[1] - 0.1 * s[3]]

    clean = solve_ivp(plane, (0, 20), (1.0, 0.5, 0.0, 0.0), t_eval=T, rtol=1e-10, atol=1e-12).y.T
    seen = rows(clean, 0.02)
    seen[:, 2:] = np.gradient(seen[:, :2], T, axis=0)
    names = tuple(
        StateVariable(
            name=name, unit=None, symbol=name, description="", rate_of=of or None, estimated=bool(of)
        )
        for name, of in (("x", ""), ("y", ""), ("vx", "x"), ("vy", "y"))
    )
    given = posed(names, seen)
    plain = "d2x/dt2 = -a*x - b*vx{}; d2y/dt2 = -c*y - d*vy{}"
    params = {"a": 4.0, "b": 0.1, "c": 9.0, "d": 0.1}
    six = judged(given, plain.format(" + e*y", " + f*x"), **params, e=1e-7, f=1e-7)
    seven = judged(given, plain.format(" + e*y + g*x*y", " + f*x"), **params, e=1e-7, f=1e-7, g=1e-7)
    assert (six.solved, six.doubt) == (True, None)
    assert seven.doubt is not None
    assert "one record of x and y alone cannot confirm a law of 7 constants" in seven.doubt
