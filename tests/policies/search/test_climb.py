"""What the search finds in data that tests make: forms by name, constants against those that made them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.random import PCG64, Generator
from scipy.integrate import solve_ivp

from physix.engine.floats import FloatArray
from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.targets import targets
from physix.engine.systems.task import InputVariable, StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.policies.search import climb as climbing
from physix.policies.search.climb import Search, climb
from physix.policies.search.library import Ranges, library
from physix.policies.search.refit import leaves_noise
from physix.policies.search.selection import badness


def variable(name: str, unit: str | None = None, rate_of: str | None = None) -> StateVariable:
    return StateVariable(name=name, unit=unit, symbol=name, description="", rate_of=rate_of)


def task(
    variables: list[StateVariable],
    runs: list[Trajectory],
    inputs: tuple[InputVariable, ...] = (),
) -> Task:
    return Task(
        task_id="t",
        system_id="csv",
        title="",
        tier=None,
        seed=None,
        variables=tuple(variables),
        time_unit=None,
        shown=tuple(runs),
        noise=0.0,
        hint="",
        inputs=inputs,
        measured=True,
        noises=estimate_noise(runs),
    )


def motion(
    field: Callable[[float, FloatArray], Sequence[float]],
    start: Sequence[float],
    t: FloatArray,
    noise: float = 0.0,
    seed: int = 1,
) -> Trajectory:
    run = solve_ivp(field, (t[0], t[-1]), start, t_eval=t, rtol=1e-10, atol=1e-12).y.T
    run = run + noise * run.std(axis=0) * Generator(PCG64(seed)).standard_normal(run.shape)
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, run.tolist())))


def found(problem: Task) -> tuple[str, dict[str, float]]:
    best = climb(problem, "extended").laws[0]
    return best.written.parsed.canonical, best.written.parsed.params


def test_bodies_that_attract_are_found_together() -> None:
    def kepler(_: float, s: np.ndarray) -> list[float]:
        pull = -30.0 / (s[0] ** 2 + s[1] ** 2) ** 1.5
        return [s[2], s[3], pull * s[0], pull * s[1]]

    names = [variable("x"), variable("y"), variable("vx", rate_of="x"), variable("vy", rate_of="y")]
    law, params = found(task(names, [motion(kepler, [1.1, 0, 0.3, 4.6], np.linspace(0, 2, 120))]))
    one, other = law.replace("M2", "M").split("; ")
    assert one == "d2x/dt2 = -M*x/sqrt(x**2 + y**2)**3"
    assert other == "d2y/dt2 = -M*y/sqrt(x**2 + y**2)**3"
    assert params["M"] == pytest.approx(30.0, rel=1e-3)


def test_saturation_is_no_polynomial() -> None:
    t = np.linspace(0, 30, 120)
    shown = motion(lambda _, s: [-0.9 * s[0] / (0.8 + s[0])], [9.0], t, noise=0.003)
    law, params = found(task([variable("S")], [shown]))
    assert law == "dS/dt = -m*S/(h + S)"
    assert params["m"] == pytest.approx(0.9, rel=0.03)
    assert params["h"] == pytest.approx(0.8, rel=0.1)


@pytest.mark.parametrize("second", [1.0, 1e6])
def test_the_same_motion_in_other_units_of_time_is_the_same_law(second: float) -> None:
    t = np.linspace(0, 8, 160)
    clean = motion(lambda _, s: [s[1], -4 * s[0] - 0.3 * s[1]], [1.0, 0.0], t)
    rows = tuple((x, v / second) for x, v in clean.states)
    shown = Trajectory(t=tuple((t * second).tolist()), states=rows)
    law, params = found(task([variable("x", "m"), variable("v", "m/s", "x")], [shown]))
    assert law == "d2x/dt2 = -k*x - b*v"
    assert params["k"] * second**2 == pytest.approx(4.0, rel=1e-4)
    assert params["b"] * second == pytest.approx(0.3, rel=1e-4)


def test_several_runs_share_one_law() -> None:
    def prey(_: float, s: np.ndarray) -> list[float]:
        return [1.1 * s[0] - 0.5 * s[0] * s[1], -0.8 * s[1] + 0.3 * s[0] * s[1]]

    runs = [motion(prey, start, np.linspace(0, 8, 80), 0.01) for start in ([2.0, 1.0], [4.0, 3.0])]
    law, params = found(task([variable("n"), variable("m")], runs))
    assert law == "dn/dt = k*n - p*n*m; dm/dt = -k2*m + p2*n*m"
    assert [params[name] for name in ("k", "p", "k2", "p2")] == pytest.approx([1.1, 0.5, 0.8, 0.3], rel=0.03)


def test_an_input_drives_the_motion() -> None:
    t = np.linspace(0, 12, 240)
    shown = motion(lambda time, s: [-0.7 * s[0] + 2.0 * np.sin(1.3 * time)], [0.5], t, noise=0.002)
    driven = Trajectory(t=shown.t, states=shown.states, inputs=tuple((float(u),) for u in np.sin(1.3 * t)))
    given = InputVariable(name="u", unit=None, symbol="u", description="")
    law, params = found(task([variable("x")], [driven], (given,)))
    assert law in ("dx/dt = -k*x + g*u", "dx/dt = g*u - k*x")
    assert params == pytest.approx({"k": 0.7, "g": 2.0}, rel=0.02)


def test_a_curve_that_no_law_of_its_variable_makes_is_not_explained() -> None:
    t = np.linspace(0, 10, 60)
    bump = 5.0 * np.exp(-((t - 5.0) ** 2) / 2.0) + 0.02 * Generator(PCG64(3)).standard_normal(len(t))
    shown = Trajectory(t=tuple(t.tolist()), states=tuple((float(x),) for x in bump))
    best = climb(task([variable("n")], [shown]), "extended").laws[0]
    # First order and autonomous, it cannot rise and fall again; a drive of its own time may.
    assert not leaves_noise(best) or "*t" in best.written.parsed.canonical


def test_a_chaotic_motion_with_noise_is_told_from_short_parts_of_it() -> None:
    def lorenz(_: float, s: np.ndarray) -> list[float]:
        return [10.0 * (s[1] - s[0]), 28.0 * s[0] - s[1] - s[0] * s[2], s[0] * s[1] - 8.0 / 3.0 * s[2]]

    shown = motion(lorenz, [2.3, 8.1, 12.4], np.linspace(0, 6, 300), 0.02)
    law, params = found(task([variable(name) for name in "xyz"], [shown]))
    assert law == "dx/dt = -k*x + k2*y; dy/dt = -k3*y + k4*x - p*x*z; dz/dt = -k5*z + p2*x*y"
    assert [params[k] for k in ("k", "k2", "k3", "k4", "p", "k5", "p2")] == pytest.approx(
        [10.0, 10.0, 1.0, 28.0, 1.0, 8.0 / 3.0, 1.0], rel=0.1
    )


def test_what_a_lens_bends_is_no_term() -> None:
    t = np.linspace(0, 1.2, 90)
    x = 0.1 + 0.2 * t + 0.565 * t**2
    bent = x + 0.002 * np.sin(40.0 * x) + 2e-4 * Generator(PCG64(8)).standard_normal(len(t))
    shown = Trajectory(
        t=tuple(t.tolist()), states=tuple((a, b) for a, b in zip(bent, np.gradient(bent, t), strict=True))
    )
    speed = StateVariable(name="v", unit="m/s", symbol="v", description="", rate_of="x", estimated=True)
    law, params = found(task([variable("x", "m"), speed], [shown]))
    assert law == "d2x/dt2 = a"
    assert params["a"] == pytest.approx(1.13, rel=0.03)


def test_a_charge_whose_first_samples_claim_too_little_noise_still_levels_off_exponentially() -> None:
    t = np.arange(0, 7.5, 0.1)
    clean = 10.0 * (1.0 - np.exp(-0.5 * t))
    seen = clean + 0.2 * Generator(PCG64(4)).standard_normal(len(t))
    sigma = np.maximum(0.05 * np.abs(seen), 0.01)  # a share of the reading, as instruments are said to have
    shown = Trajectory(
        t=tuple(t.tolist()), states=tuple((u,) for u in seen), sigma=tuple((s,) for s in sigma)
    )
    law, params = found(task([variable("U", "V")], [shown]))
    assert law == "dU/dt = a - k*U"
    assert params["k"] == pytest.approx(0.5, rel=0.1)


def test_a_term_that_the_verifier_misses_is_tried_in_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "TIERS", 1)  # no cubes, unless they are told
    t = np.linspace(0, 10, 160)
    shown = motion(lambda _, s: [s[1], s[0] - 0.8 * s[0] ** 3 - 0.1 * s[1]], [1.6, 0.0], t, 0.002)
    problem = task([variable("x", "m"), variable("v", "m/s", "x")], [shown])
    search = Search(problem, "extended")
    before = search.run().laws[0]
    blind = Truth(equation=None, params={}, hidden=())
    told = verify(
        problem,
        blind,
        Hypothesis(equation=before.written.parsed.canonical, params=before.written.parsed.params),
        best_match=0.0,
        config=VerifierConfig(functions="extended"),
    ).findings
    assert told is not None
    after = search.take(before, told.findings).laws[0]
    assert not leaves_noise(before)
    assert "x**3" in after.written.parsed.canonical
    assert after.reduced < 0.01 * before.reduced


def test_coefficients_of_a_billion_and_more_are_written_as_they_are() -> None:
    t = np.linspace(0, 8e-6, 160)
    rows = np.cos(2e6 * t) * np.exp(-1e5 * t)
    shown = Trajectory(
        t=tuple(t.tolist()), states=tuple((a, b) for a, b in zip(rows, np.gradient(rows, t), strict=True))
    )
    rate = StateVariable(name="v", unit="V/s", symbol="v", description="", rate_of="U", estimated=True)
    law, params = found(task([variable("U", "V"), rate], [shown]))
    assert law == "d2U/dt2 = -k*U - b*v"
    assert params["k"] == pytest.approx(4e12, rel=0.01)


def test_residuals_cost_what_a_likelihood_says() -> None:
    assert badness(200.0, 100, 0.0) == pytest.approx(100 * np.log(2.0))
    assert badness(0.0, 100, 1e-4) == pytest.approx(100 * np.log(1e-4))


def test_growth_that_slows_with_the_logarithm_is_told_from_a_sum_of_two_curves() -> None:
    run = motion(lambda _, s: [0.4 * s[0] * np.log(20.0 / s[0])], [0.8], np.linspace(0, 14, 60), noise=0.01)
    law, params = found(task([variable("size", "mm3")], [run]))
    assert law == "dsize/dt = -l*size*log(size/h)"
    assert params["l"] == pytest.approx(0.4, rel=0.03)
    assert params["h"] == pytest.approx(20.0, rel=0.03)


def test_dry_friction_is_found_though_the_motion_sticks() -> None:
    def sliding(_: float, s: np.ndarray) -> list[float]:
        return [s[1], -22.0 * s[0] - 1.1 * np.tanh(s[1] / 0.01)]

    run = motion(sliding, [0.4, 0.0], np.linspace(0, 6, 300), noise=0.004)
    law, params = found(task([variable("x", "m"), variable("vx", "m/s", "x")], [run]))
    assert law == "d2x/dt2 = -k*x - f*tanh(vx/h)"
    assert params["k"] == pytest.approx(22.0, rel=0.03)
    assert params["f"] == pytest.approx(1.1, rel=0.05)


def test_a_drive_in_its_own_time_is_found_beside_what_it_drives() -> None:
    def beam(t: float, s: np.ndarray) -> list[float]:
        return [s[1], 1.2 * s[0] - 0.8 * s[0] ** 3 - 0.25 * s[1] + 0.35 * np.cos(1.4 * t + 0.5)]

    run = motion(beam, [1.0, 0.0], np.linspace(0, 40, 600), noise=0.003)
    best = climb(task([variable("q"), variable("p", rate_of="q")], [run]), "extended").laws[0]
    assert best.reduced < 1.2
    assert best.key == (frozenset({"q", "q**3", "p", "cos({0}*t + {1})"}),)
    params = best.written.parsed.params
    assert params["h"] == pytest.approx(1.4, rel=1e-3)
    assert params["A"] == pytest.approx(0.35, rel=0.02)


def test_saturation_in_a_cycle_of_two_is_not_told_by_sums_of_other_curves() -> None:
    def cycle(_: float, s: np.ndarray) -> list[float]:
        eaten = 1.0 * s[0] * s[1] / (3.0 + s[0])
        return [s[0] * (1 - s[0] / 10.0) - 2.0 * eaten, eaten - 0.5 * s[1]]

    run = motion(cycle, [5.0, 1.5], np.linspace(0, 45, 225), noise=0.005)
    best = climb(task([variable("prey"), variable("predator")], [run]), "extended").laws[0]
    assert all("predator*prey/({0} + prey)" in terms for terms in best.key)
    assert not any("**2 + prey**2" in term for terms in best.key for term in terms)


def test_mirrored_equations_leave_evaluations_to_the_tier_that_holds_the_law() -> None:
    # Polynomials tried along both axes blow up, which costs evaluations: all went into the first tier.
    def gravity(_t: float, s: FloatArray) -> list[float]:
        cubed = np.hypot(s[0], s[1]) ** 3
        return [s[2], s[3], -39.48 * s[0] / cubed, -39.48 * s[1] / cubed]

    run = motion(gravity, [1.0, 0.0, 0.0, 5.2], np.linspace(0.0, 1.5, 151))
    states = tuple(tuple(float(f"{value:.8g}") for value in row) for row in run.states)
    variables = [
        variable("x", "AU"),
        variable("y", "AU"),
        variable("vx", "AU/yr", "x"),
        variable("vy", "AU/yr", "y"),
    ]
    equation, params = found(task(variables, [Trajectory(t=run.t, states=states)]))
    assert "sqrt(x**2 + y**2)**3" in equation
    assert list(params.values()) == [pytest.approx(39.48, rel=1e-3)] * len(params)


def test_a_drive_away_from_resonance_is_found_under_a_decaying_motion_of_its_own() -> None:
    def shaken(t: float, s: np.ndarray) -> list[float]:
        return [s[1], -2.6 * s[0] - 0.12 * s[1] + 0.8 * float(np.cos(0.9 * t + 1.0))]

    names = [variable("y"), variable("vy", rate_of="y")]
    law, params = found(task(names, [motion(shaken, [1.0, 0.0], np.linspace(0, 50, 400), 0.01)]))
    assert law == "d2y/dt2 = -k*y - b*vy + A*cos(h*t + s)"
    assert params == {
        "k": pytest.approx(2.6, rel=0.01),
        "b": pytest.approx(0.12, rel=0.05),
        "A": pytest.approx(0.8, rel=0.02),
        "h": pytest.approx(0.9, rel=0.01),
        "s": pytest.approx(1.0, abs=0.05),
    }


def test_an_input_may_push_an_arm_in_a_fixed_direction() -> None:
    names = [variable("theta", "deg"), variable("omega", "deg/s", rate_of="theta")]
    pushed = InputVariable(name="u", unit="m/s^2", symbol="u", description="")
    still = Trajectory(t=(0.0, 1.0), states=((0.0, 0.0), (1.0, 1.0)), inputs=((0.0,), (1.0,)))
    size = {"theta": 1.0, "omega": 1.0}
    ranges = Ranges(size=size, positive=frozenset(), one_way=frozenset(), fastest=1.0, slowest=0.1)
    problem = task(names, [still], (pushed,))
    terms = library(problem, targets(problem.variables)[0], ranges, tier=1, functions="basic")
    assert {"u*cos(pi/180*theta)", "u*sin(pi/180*theta)"} <= {term.text for term in terms}
