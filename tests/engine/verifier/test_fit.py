import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import InputVariable, Noise, StateVariable, Task, Trajectory
from physix.engine.verifier import fit_free_params, fit_trajectories, parse, verify
from physix.engine.verifier.fit import Fit
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

FITTED = VerifierConfig(constants="fitted")
Params = dict[str, float]
# The right form with constants that the data can tell, and their true values.
FORMS: dict[str, tuple[str, Callable[[Params], Params]]] = {
    "free_fall": ("d2y/dt2 = -a", lambda p: {"a": p["g"]}),
    "free_fall_drag": ("d2y/dt2 = -a + b*vy**2", lambda p: {"a": p["g"], "b": p["k"]}),
    "simple_pendulum": ("d2theta/dt2 = -a*sin(theta)", lambda p: {"a": p["g"] / p["L"]}),
    "damped_pendulum": (
        "d2theta/dt2 = -a*sin(theta) - b*dtheta",
        lambda p: {"a": p["g"] / p["L"], "b": p["b"]},
    ),
    "spring_mass": ("d2x/dt2 = -a*x", lambda p: {"a": p["k"] / p["m"]}),
    "damped_spring": ("d2x/dt2 = -a*x - b*vx", lambda p: {"a": p["k"] / p["m"], "b": p["b"] / p["m"]}),
    "projectile_drag": (
        "d2x/dt2 = -b*vx*sqrt(vx**2+vy**2); d2y/dt2 = -a - b*vy*sqrt(vx**2+vy**2)",
        lambda p: {"a": p["g"], "b": p["k"]},
    ),
    "charged_b_field": ("d2x/dt2 = a*vy; d2y/dt2 = -a*vx", lambda p: {"a": p["q"] * p["B"] / p["m"]}),
}


def fit(system_id: str, seed: int, equation: str, names: list[str], noise: float = 0.02) -> Verification:
    task, truth = sample_task(system_id, seed, noise=noise)
    hypothesis = Hypothesis(equation=equation, params=dict.fromkeys(names))
    return verify(task, truth, hypothesis, best_match=0.0, config=FITTED)


def variable(name: str, rate_of: str | None = None, *, estimated: bool = False) -> StateVariable:
    return StateVariable(
        name=name, unit=None, symbol=name, description=name, rate_of=rate_of, estimated=estimated
    )


X = variable("x")
OSCILLATOR = (X, variable("vx", "x"))


def measured(
    variables: tuple[StateVariable, ...],
    t: FloatArray,
    motions: Sequence[FloatArray],
    noise: float,
    *,
    inputs: FloatArray | None = None,
    missing: float = 0.0,
    seed: int = 1,
) -> Task:
    """A task as somebody would have measured it: every row noisy, by a share of each spread."""
    random = Generator(PCG64(seed))
    sigma = noise * np.concatenate(motions).std(axis=0)
    shown = []
    for clean in motions:
        states = clean + sigma * random.standard_normal(clean.shape)
        gone = tuple((int(i), int(j)) for i, j in np.argwhere(random.random(clean.shape) < missing))
        for row, column in gone:
            states[row, column] = 1e3 * sigma[column]  # whatever stands there must not matter
        shown.append(
            Trajectory(
                t=tuple(t.tolist()),
                states=tuple(map(tuple, states.tolist())),
                missing=gone,
                inputs=() if inputs is None else tuple((u,) for u in inputs.tolist()),
            )
        )
    given = () if inputs is None else (InputVariable(name="u", unit=None, symbol="u", description="u"),)
    return Task(
        task_id="measured",
        system_id="csv",
        title="Measured",
        tier=None,
        seed=None,
        variables=variables,
        time_unit=None,
        shown=tuple(shown),
        noise=noise,
        hint="",
        inputs=given,
        measured=True,
        noises=tuple(Noise(absolute=float(size)) for size in sigma),
    )


def law(task: Task, equation: str, *names: str) -> ParsedHypothesis:
    parsed = parse(equation, dict.fromkeys(names), task.variables, inputs=task.inputs, fit_nulls=True)
    assert isinstance(parsed, ParsedHypothesis)
    return parsed


def fitted(task: Task, equation: str, *names: str) -> Fit:
    return fit_free_params(law(task, equation, *names), task)


def oscillation(t: FloatArray, a: float, b: float, rest: float = 0.0, amplitude: float = 1.0) -> FloatArray:
    """The closed form of x'' = -a (x - rest) - b x', released at rest + amplitude."""
    w = np.sqrt(a - b**2 / 4)
    decay = amplitude * np.exp(-b * t / 2)
    x = rest + decay * (np.cos(w * t) + b / (2 * w) * np.sin(w * t))
    return np.stack([x, -decay * (w + b**2 / (4 * w)) * np.sin(w * t)], axis=1)


def pulls(found: Fit, true: Params) -> FloatArray:
    return np.array([(found.values[name] - value) / found.errors[name] for name, value in true.items()])


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_open_constants_are_recovered_from_noisy_data(
    system_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    equation, truth_of = FORMS[system_id]
    errors = []
    for seed in range(10):
        wanted = truth_of(sample_task(system_id, seed, noise=0.02)[1].params)
        values = fit(system_id, seed, equation, list(wanted)).simulation.fitted
        errors.append(max(abs(values[name] / value - 1.0) for name, value in wanted.items()))
    with capsys.disabled():
        sys.stdout.write(f" {system_id}: constants off by {np.median(errors):.2%} (median)")
    assert np.median(errors) < 0.02


def test_only_open_constants_move() -> None:
    task, truth = sample_task("damped_spring", 1)
    hypothesis = Hypothesis(equation="d2x/dt2 = -a*x - b*vx", params={"a": 2.0, "b": None})
    verified = verify(task, truth, hypothesis, best_match=0.0, config=FITTED)
    assert set(verified.simulation.fitted) == {"b"}


def test_nothing_is_fitted_unless_the_rules_say_so() -> None:
    task, truth = sample_task("free_fall", 1)
    hypothesis = Hypothesis(equation="d2y/dt2 = -g", params={"g": None})
    verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    assert verified.parse.rejection is not None
    assert verified.parse.rejection.code == "undetermined_param"
    assert verified.simulation.fitted == {}


def test_an_unused_open_constant_is_said_to_be_undetermined() -> None:
    verified = fit("free_fall", 1, "d2y/dt2 = -a", ["a", "unused"])
    assert verified.simulation.undetermined == (("unused",),)
    assert set(verified.simulation.errors) == {"a"}
    assert verified.reward.match > 0.99


def test_a_fit_is_the_same_twice() -> None:
    runs = [fit("damped_pendulum", 3, FORMS["damped_pendulum"][0], ["a", "b"]) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("time", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("length", [1e-12, 1e12])
def test_units_of_time_and_state_do_not_matter(time: float, length: float) -> None:
    t = np.linspace(0.0, 5.0, 150)
    plain = oscillation(t, 40.0, 0.3, rest=3.0)
    unit = np.array([length, length / time])
    equation, names = "d2x/dt2 = -a*(x - r) - b*vx", ("a", "r", "b")
    here = fitted(measured(OSCILLATOR, t, [plain], 0.02), equation, *names)
    there = fitted(measured(OSCILLATOR, t * time, [plain * unit], 0.02), equation, *names)
    scale = {"a": time**-2, "r": length, "b": 1 / time}
    for name in names:
        # As close as a search ends: a small share of the standard error.
        close = 0.03 * here.errors[name] * scale[name]
        assert there.values[name] == pytest.approx(here.values[name] * scale[name], abs=close, rel=0.0)
        assert there.errors[name] == pytest.approx(here.errors[name] * scale[name], rel=5e-3)
    assert np.abs(pulls(here, {"a": 40.0, "r": 3.0, "b": 0.3})).max() < 4.0


def test_sixty_periods_are_no_obstacle() -> None:
    t = np.linspace(0.0, 60.0, 900)
    true = {"a": 39.5, "b": 0.02}
    found = fitted(
        measured(OSCILLATOR, t, [oscillation(t, *true.values())], 0.03), "d2x/dt2 = -a*x - b*vx", "a", "b"
    )
    assert found.outcome == "converged"
    assert np.abs(pulls(found, true)).max() < 4.0


def test_the_offset_of_a_sensor_leads_no_long_fit_astray() -> None:
    """Twice integrated over seventy periods it outgrows the motion, and the first guess with it."""
    t = np.linspace(0.0, 115.0, 1700)
    motion = oscillation(t, 14.75, 0.03) + np.array([0.03, 0.0])
    task = measured((X, variable("vx", "x", estimated=True)), t, [motion], 0.005)
    found = fitted(task, "d2x/dt2 = -a*x - b*vx", "a", "b")
    assert found.outcome == "converged"
    assert found.values["a"] == pytest.approx(14.75, rel=1e-3)
    assert found.values["b"] == pytest.approx(0.03, rel=0.05)


def test_an_estimated_rate_is_no_observation() -> None:
    t = np.linspace(0.0, 5.0, 200)
    motion = oscillation(t, 40.0, 0.3)
    task = measured((X, variable("vx", "x", estimated=True)), t, [motion], 0.02)
    wrong = tuple(
        replace(one, states=tuple((x, 0.5 * v) for x, v in one.states)) for one in task.shown
    )  # a rate that is off by half does not matter
    for shown in (task.shown, wrong):
        found = fitted(replace(task, shown=shown), "d2x/dt2 = -a*x - b*vx", "a", "b")
        assert np.abs(pulls(found, {"a": 40.0, "b": 0.3})).max() < 4.0


def test_missing_samples_have_no_weight() -> None:
    t = np.linspace(0.0, 5.0, 200)
    motion = oscillation(t, 40.0, 0.3)
    task = measured(OSCILLATOR, t, [motion], 0.02, missing=0.1)
    found = fitted(task, "d2x/dt2 = -a*x - b*vx", "a", "b")
    assert found.samples == 400 - sum(len(one.missing) for one in task.shown)
    assert np.abs(pulls(found, {"a": 40.0, "b": 0.3})).max() < 4.0


def test_runs_share_constants_and_have_their_own_starts() -> None:
    t = np.linspace(0.0, 3.0, 60)
    motions = [oscillation(t, 40.0, 0.3, amplitude=size) for size in (1.0, -0.4, 2.0)]
    task = measured(OSCILLATOR, t, motions, 0.02)
    found = fitted(task, "d2x/dt2 = -a*x - b*vx", "a", "b")
    assert np.array(found.starts)[:, 0] == pytest.approx([1.0, -0.4, 2.0], abs=0.05)
    alone = fit_trajectories(law(task, "d2x/dt2 = -a*x - b*vx", "a", "b"), task, task.shown[:1])
    # Three runs tell more than the first, which is neither the largest nor the smallest.
    assert found.errors["a"] < alone.errors["a"]
    assert found.samples == 3 * alone.samples


def test_an_input_drives_the_fitted_motion() -> None:
    t = np.linspace(0.0, 10.0, 300)
    # x' = -k x + g u, u = t: x = (g/k) (t - (1 - exp(-k t))/k) + x0 exp(-k t)
    k, g = 0.8, 1.5
    x = g / k * (t - (1 - np.exp(-k * t)) / k) + 2.0 * np.exp(-k * t)
    task = measured((X,), t, [x[:, None]], 0.01, inputs=t)
    found = fitted(task, "dx/dt = -k*x + g*u", "k", "g")
    assert np.abs(pulls(found, {"k": k, "g": g})).max() < 4.0


def test_constants_that_make_up_for_each_other_are_named() -> None:
    t = np.linspace(0.0, 5.0, 100)
    task = measured(OSCILLATOR, t, [oscillation(t, 40.0, 0.3)], 0.02)
    found = fitted(task, "d2x/dt2 = -k/m*x - b*vx", "k", "m", "b")
    assert found.undetermined == (("k", "m"),)
    assert set(found.errors) == {"b"}
    assert found.values["k"] / found.values["m"] == pytest.approx(40.0, rel=0.01)


def test_a_standard_error_is_that_of_the_closed_form() -> None:
    # dx/dt = a with a free start is a straight line: se(a) = sigma / sqrt(sum (t - mean t)^2).
    t = np.linspace(0.0, 4.0, 50)
    task = measured((X,), t, [(1.0 + 2.0 * t)[:, None]], 0.05)
    found = fitted(task, "dx/dt = a", "a")
    sigma = task.noises[0].absolute
    assert found.errors["a"] == pytest.approx(sigma / np.sqrt(np.sum((t - t.mean()) ** 2)), rel=1e-3)


@pytest.mark.parametrize(("told", "factor"), [(1.02, 1.0), (10.0, 0.1), (0.1, 10.0)])
def test_noise_that_was_misjudged_shows_in_the_errors(told: float, factor: float) -> None:
    t = np.linspace(0.0, 4.0, 200)
    task = measured((X,), t, [(1.0 + 2.0 * t)[:, None]], 0.05)
    honest = fitted(task, "dx/dt = a", "a").errors["a"]
    claimed = replace(task, noises=(Noise(absolute=task.noises[0].absolute * told),))
    # Errors follow what was told while chi² allows it, and the residuals beyond.
    assert fitted(claimed, "dx/dt = a", "a").errors["a"] == pytest.approx(honest * told * factor, rel=0.15)


def test_pulls_are_standard_normal() -> None:
    collected: list[float] = []
    for system_id in ("damped_spring", "free_fall_drag", "damped_pendulum", "projectile_drag"):
        equation, truth_of = FORMS[system_id]
        for seed in range(15):
            task, truth = sample_task(system_id, seed, noise=0.02)
            true = truth_of(truth.params)
            collected += pulls(fitted(task, equation, *true), true).tolist()
    values = np.array(collected)
    assert 0.8 < values.std() < 1.25
    assert 0.88 <= np.mean(np.abs(values) < 1.96) <= 0.99


def test_no_constants_that_can_be_simulated_is_an_outcome_without_a_diagnosis() -> None:
    verified = fit("free_fall", 1, "d2y/dt2 = -a*log(-abs(vy) - 1)", ["a"])
    assert verified.simulation.fit == "failed"
    assert verified.simulation.outcome == "fit_failed"
    assert verified.mismatch.startswith("No constants were found")
    assert verified.reward.match == 0.0


def test_a_law_with_nothing_open_has_no_fit() -> None:
    task, truth = sample_task("free_fall", 1)
    verified = verify(task, truth, Hypothesis(equation="d2y/dt2 = -9.8"), best_match=0.0, config=FITTED)
    assert verified.simulation.fit is None


@pytest.mark.parametrize("factor", ["1e12**13", "1e12**24", "exp(700)"])
def test_a_constant_is_found_even_where_its_effect_cannot_be_squared(factor: str) -> None:
    """The slope d motion / d a is beyond 1e154: its square is no float any more."""
    task, truth = sample_task("free_fall", 1)
    plain, huge = (
        verify(
            task,
            truth,
            Hypothesis(equation=f"d2y/dt2 = -a*{by}", params={"a": None}),
            best_match=0.0,
            config=VerifierConfig(constants="fitted"),
        ).simulation
        for by in ("1", factor)
    )
    size = (
        math.exp(700) if factor == "exp(700)" else float(factor.split("**")[0]) ** int(factor.split("**")[1])
    )
    assert huge.fit == "converged"
    assert huge.fitted["a"] * size == pytest.approx(plain.fitted["a"], rel=1e-6)
    assert huge.errors["a"] * size == pytest.approx(plain.errors["a"], rel=1e-3)
