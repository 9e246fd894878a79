"""The verdict on measured data: every row noisy, in any units, and true only if it carries over."""

import numpy as np
import pytest
from numpy.random import PCG64, Generator
from scipy.linalg import expm

from physix.engine.floats import FloatArray
from physix.engine.systems.record import hardly_moving, whole_record
from physix.engine.systems.task import Noise, Task, Truth
from physix.engine.verifier import ParsedHypothesis, integrate, parse, preview, verify
from physix.engine.verifier.fit import fit_free_params
from physix.engine.verifier.types import Hypothesis, Profile, Verification, VerifierConfig
from physix.engine.verifier.whole import refit_on_all
from tests.engine.verifier.measured import scaled, table, variables

OSCILLATOR = variables("x v", rates={"v": "x"})
T = np.linspace(0.0, 10.0, 100)


def judge(
    made: tuple[Task, Truth], equation: str, params: dict[str, float] | None = None, **config: object
) -> Verification:
    return verify(
        *made,
        Hypothesis(equation=equation, params=params or {}),
        best_match=0.0,
        config=VerifierConfig(**config),  # type: ignore[arg-type]  # the tests name its fields
    )


def noisy(states: FloatArray, sigma: float | list[float], seed: int = 0) -> FloatArray:
    return states + np.asarray(sigma) * np.random.default_rng(seed).standard_normal(states.shape)


def swing(t: FloatArray = T) -> FloatArray:
    return np.column_stack([np.cos(2 * t), -2 * np.sin(2 * t)])


def test_the_start_is_fitted_within_its_noise_and_recorded() -> None:
    states = noisy(swing(), [0.1, 0.2])
    states[0] = [1.25, -0.4]  # two and a half, and two, standard deviations off
    made = table(OSCILLATOR, T, states, noises=[Noise(absolute=0.1), Noise(absolute=0.2)])
    verified = judge(made, "d2x/dt2 = -4*x", profile="strict")
    ((x, v),) = verified.simulation.starts
    # 100 samples of each variable leave an uncertainty of about a tenth of the noise.
    assert x == pytest.approx(1.0, abs=0.05)
    assert v == pytest.approx(0.0, abs=0.1)
    assert verified.passed
    assert verified.simulation.fit_evaluations > 0
    assert judge(made, "d2x/dt2 = -4*x", profile="strict").simulation == verified.simulation


def test_a_start_moves_no_further_than_its_noise_allows() -> None:
    made = table(
        OSCILLATOR, T, swing() + np.array([0.5, 0.0]), noises=[Noise(absolute=0.01), Noise(absolute=0.01)]
    )
    ((x, v),) = judge(made, "d2x/dt2 = -4*x").simulation.starts
    assert abs(x - 1.5) <= 0.04 + 1e-12
    assert abs(v) <= 0.04 + 1e-12


def test_positions_alone_are_enough_and_a_guessed_rate_has_no_say() -> None:
    t = np.linspace(0.0, 2.0, 60)
    glider = np.column_stack([0.3 + 0.2 * t + 0.5 * 1.13 * t**2, 0.0 * t])  # a rate guessed as nothing
    made = table(
        variables("x vx", rates={"vx": "x"}, estimated="vx"),
        t,
        noisy(glider, [0.01, 0.0]),
        noises=[Noise(absolute=0.01), Noise(absolute=0.0)],
        hold_back=0.25,
    )
    verified = judge(made, "d2x/dt2 = 1.13", profile="strict")
    assert verified.solved
    assert verified.generalisation is not None
    assert verified.generalisation > 0.99
    assert judge(made, "d2x/dt2 = 1.13").reward.match > 0.99
    assert verified.simulation.starts[0][1] == pytest.approx(0.2, abs=0.02)
    assert (verified.fits["vx"].r2, verified.fits["vx"].nrmse) == (None, None)
    wrong = judge(made, "d2x/dt2 = 0.9", profile="strict")
    assert not wrong.solved


def test_a_variable_that_keeps_within_its_noise_costs_the_true_law_nothing() -> None:
    t = np.linspace(0.0, 1.0, 50)
    flight = np.column_stack([5 * t, 10 - 4.905 * t**2, 5 + 0 * t, -9.81 * t])
    made = table(
        variables("x y vx vy", rates={"vx": "x", "vy": "y"}),
        t,
        noisy(flight, 0.02),
        noises=[Noise(absolute=0.02)] * 4,
    )
    assert judge(made, "d2x/dt2 = 0; d2y/dt2 = -9.81").reward.match > 0.999
    # Out of its band it counts as nothing explained: one variable of four.
    drifting = judge(made, "d2x/dt2 = 0.5; d2y/dt2 = -9.81")
    assert drifting.fits["vx"].r2 == 0.0
    assert 0.70 < drifting.reward.match < 0.75


def test_missing_samples_have_no_weight() -> None:
    states = swing()
    holes = [(row, 0) for row in range(3, 90, 7)]
    for row, column in holes:
        states[row, column] = 50.0
    made = table(OSCILLATOR, T, states, missing=holes, hold_back=0.25)
    verified = judge(made, "d2x/dt2 = -4*x", profile="strict")
    assert verified.solved
    assert verified.reward.match == pytest.approx(1.0, abs=1e-6)
    assert verified.fits["x"].valid_time == pytest.approx(T[74])


def test_without_anything_held_back_a_law_that_passes_fits_and_is_not_called_solved() -> None:
    states = noisy(swing(), [0.02, 0.04])
    noises = [Noise(absolute=0.02), Noise(absolute=0.04)]
    for profile in ("classic", "strict"):
        whole = judge(table(OSCILLATOR, T, states, noises=noises), "d2x/dt2 = -4*x", profile=profile)
        assert (whole.solved, whole.passed) == (False, True)
        held = table(OSCILLATOR, T, states, noises=noises, hold_back=0.25)
        confirmed = judge(held, "d2x/dt2 = -4*x", profile=profile)
        assert (confirmed.solved, confirmed.passed) == (True, False)


def test_what_fits_the_shown_part_alone_is_not_solved() -> None:
    # A pendulum's first swing looks like a free fall; the held-back rows turn round.
    t = np.linspace(0.0, 3.0, 120)
    made = table(
        variables("x"), t, noisy(np.cos(t)[:, None], 0.01), noises=[Noise(absolute=0.01)], hold_back=0.5
    )
    for profile in ("classic", "strict"):
        verified = judge(made, "dx/dt = -0.95*t*exp(-t*t/8)", profile=profile)
        assert not verified.solved
        assert not verified.passed


def test_a_plateau_is_judged_against_the_whole_record() -> None:
    t = np.linspace(0.0, 12.0, 120)
    charging = 5 * (1 - np.exp(-t))[:, None]
    made = table(variables("U"), t, noisy(charging, 0.02), noises=[Noise(absolute=0.02)], hold_back=0.25)
    verified = judge(made, "dU/dt = 5 - U", profile="strict")
    assert verified.solved
    assert verified.generalisation is not None
    assert verified.generalisation > 0.999
    assert not judge(made, "dU/dt = 4.5 - 0.9*U + 0.01*t", profile="strict").solved
    assert hardly_moving(*made) == ("U",)
    assert hardly_moving(*swinging()) == ()


def swinging() -> tuple[Task, Truth]:
    noises = [Noise(absolute=0.02), Noise(absolute=0.04)]
    return table(OSCILLATOR, T, noisy(swing(), [0.02, 0.04]), noises=noises, hold_back=0.25)


@pytest.mark.parametrize("time", [1e-5, 1e-3, 3600.0])
@pytest.mark.parametrize("length", [1e-3, 1e6])
def test_the_same_data_in_other_units_get_the_same_verdict(time: float, length: float) -> None:
    made = swinging()
    other = scaled(made, time, [length, length / time])
    law = "d2x/dt2 = -k*x - c*v"
    here = judge(made, law, {"k": 3.8, "c": 0.1}, profile="strict")
    there = judge(other, law, {"k": 3.8 / time**2, "c": 0.1 / time}, profile="strict")
    assert there.reward.match == pytest.approx(here.reward.match, abs=1e-9)
    assert there.generalisation == pytest.approx(here.generalisation, abs=1e-9)
    for name in ("x", "v"):
        assert there.fits[name].r2 == pytest.approx(here.fits[name].r2, abs=1e-9)
        assert there.fits[name].nrmse == pytest.approx(here.fits[name].nrmse, abs=1e-9)
    assert there.solved == here.solved


def test_small_numbers_are_not_still_and_large_ones_have_not_blown_up() -> None:
    for length in (1e-13, 1e11):
        made = scaled(swinging(), 1.0, [length, length])
        verified = judge(made, "d2x/dt2 = -4*x", profile="strict")
        assert verified.solved


def test_a_law_that_ends_where_the_data_end_is_in_its_domain() -> None:
    t = np.linspace(0.0, 9.9, 100)
    made = table(variables("h"), t, ((1 - 0.1 * t) ** 2)[:, None])
    verified = judge(made, "dh/dt = -c*sqrt(h)", {"c": 0.2})
    assert verified.simulation.outcome == "ok"
    assert verified.reward.match > 0.999999


@pytest.mark.parametrize("decades", [6, 10])
def test_growth_over_decades_keeps_its_start(decades: int) -> None:
    t = np.linspace(0.0, decades * np.log(10), 100)
    verified = judge(table(variables("n"), t, np.exp(t)[:, None]), "dn/dt = n", profile="strict")
    assert verified.reward.match > 0.99
    assert verified.passed


def test_a_thousand_periods_of_a_true_oscillator_are_judged() -> None:
    t = np.linspace(0.0, 2000 * np.pi, 5_000)
    made = table(OSCILLATOR, t, np.column_stack([np.cos(t), -np.sin(t)]))
    verified = judge(made, "d2x/dt2 = -x")
    assert verified.simulation.outcome == "ok"
    assert verified.reward.match > 0.99


def test_noise_that_grows_with_the_signal_is_weighed_sample_by_sample() -> None:
    t = np.linspace(0.0, 4.0, 80)
    clean = np.exp(t)[:, None]
    states = clean * (1 + 0.05 * np.random.default_rng(1).standard_normal(clean.shape))
    made = table(variables("n"), t, states, noises=[Noise(absolute=0.0, relative=0.05)], hold_back=0.25)
    assert judge(made, "dn/dt = n", profile="strict").solved
    # Off by several standard deviations at the early samples, and far below the last ones' noise.
    assert not judge(made, "dn/dt = n - 0.4", profile="strict").solved


def test_an_input_drives_the_motion_between_its_samples() -> None:
    # x'' = -4x - 0.5v + 3u with a square wave: the exact answer of each half period is known in closed form.
    t = np.linspace(0.0, 12.0, 241)
    u = (t % 4.0 < 2.0).astype(float)
    states = np.zeros((len(t), 2))
    # Between samples u is linear: solve the linear system exactly over each interval.
    system = np.array([[0.0, 1.0], [-4.0, -0.5]])
    push = np.array([0.0, 3.0])
    for i, step in enumerate(np.diff(t)):
        augmented = np.zeros((4, 4))
        augmented[:2, :2], augmented[:2, 2], augmented[2, 3] = system, push, 1.0
        slope = (u[i + 1] - u[i]) / step
        states[i + 1] = (expm(augmented * step) @ [*states[i], u[i], slope])[:2]
    made = table(OSCILLATOR, t, states, inputs=u[:, None], hold_back=0.25)
    verified = judge(made, "d2x/dt2 = -4*x - 0.5*v + 3*u", profile="strict")
    assert verified.solved
    np.testing.assert_allclose(
        [row[0] for row in verified.simulation.predictions[0].states], states[:181, 0], atol=1e-4
    )
    assert not judge(made, "d2x/dt2 = -4*x - 0.5*v + 2.7*u", profile="strict").solved


@pytest.mark.parametrize("gap", [1e-9, 1e-4, 1e-2])
def test_samples_that_nearly_coincide_are_judged_like_any_other(gap: float) -> None:
    random = Generator(PCG64(11))
    t = np.cumsum(np.where(np.arange(120) % 3 == 1, gap, 0.1))
    x = np.column_stack([np.cos(2.0 * t), -2.0 * np.sin(2.0 * t)]) + 0.01 * random.standard_normal((120, 2))
    made = table(OSCILLATOR, t, x, noises=[Noise(absolute=0.01, relative=0.0)] * 2)
    right, wrong = judge(made, "d2x/dt2 = -4*x"), judge(made, "d2x/dt2 = -2*x")
    assert right.reward.match > 0.99 > wrong.reward.match


def test_a_short_pulse_of_an_input_is_not_stepped_over() -> None:
    t = np.linspace(0.0, 100.0, 1001)
    u = np.zeros((1001, 1))
    u[500] = 10.0
    states = np.cumsum(np.concatenate([[[0.0]], (u[1:] + u[:-1]) / 2 * 0.1]), axis=0)
    made = table(variables("x"), t, states, inputs=u, hold_back=0.25)
    assert judge(made, "dx/dt = u").reward.match > 0.99999


def test_a_first_sample_that_noise_carries_out_of_the_domain_is_brought_back() -> None:
    # Torricelli's tank runs nearly dry; a first reading below zero has no square root.
    t = np.linspace(0.0, 5.0, 60)
    filling = ((0.05 + 0.2 * t) ** 2)[:, None]
    states = noisy(filling, 0.02)
    states[0] = -0.01
    made = table(variables("h"), t, states, noises=[Noise(absolute=0.02)], hold_back=0.25)
    assert judge(made, "dh/dt = 0.4*sqrt(h)", profile="strict").solved


def test_the_start_of_a_chaotic_motion_is_found_by_ever_longer_parts() -> None:
    t = np.linspace(0.0, 8.0, 300)
    law = "dx/dt = 10*(y - x); dy/dt = 28*x - y - x*z; dz/dt = x*y - 8/3*z"
    parsed = parse(law, {}, variables("x y z"))
    assert isinstance(parsed, ParsedHypothesis)
    clean = integrate(parsed, t, [1.0, 3.0, 20.0], max_evaluations=100_000).states
    sigma = 0.05 * clean.std(axis=0)
    made = table(
        variables("x y z"),
        t,
        noisy(clean, sigma.tolist()),
        noises=[Noise(absolute=s) for s in sigma.tolist()],
    )
    assert judge(made, law, profile="strict").passed
    wrong = law.replace("28*x", "27*x")
    assert not judge(made, wrong, profile="strict").passed


def test_the_chosen_laws_constants_are_refitted_on_all_rows() -> None:
    made = swinging()
    (record,) = whole_record(*made)
    assert record.t == (*made[0].shown[0].t, *made[1].hidden[0].t)
    law = Hypothesis(equation="d2x/dt2 = -k*x", params={"k": 3.9})
    fit = refit_on_all(*made, law, VerifierConfig())
    part = fit_free_params(as_parsed("d2x/dt2 = -k*x", {"k": None}), made[0])
    assert fit is not None
    assert fit.values["k"] == pytest.approx(4.0, abs=3 * fit.errors["k"])
    # A third more rows, and a longer lever arm: the error falls.
    assert fit.errors["k"] < 0.8 * part.errors["k"]
    assert refit_on_all(*made, Hypothesis(equation="d2x/dt2 = -4*x"), VerifierConfig()) is None
    assert refit_on_all(*made, Hypothesis(equation="?", params={"k": 1.0}), VerifierConfig()) is None


def as_parsed(equation: str, params: dict[str, float | None]) -> ParsedHypothesis:
    parsed = parse(equation, params, OSCILLATOR, fit_nulls=True)
    assert isinstance(parsed, ParsedHypothesis)
    return parsed


def test_a_fit_that_finds_nothing_is_a_named_outcome_without_values_or_blame() -> None:
    law = Hypothesis(equation="d2x/dt2 = log(-1 - k*k)", params={"k": None})
    verified = verify(*swinging(), law, best_match=0.0, config=VerifierConfig(constants="fitted"))
    assert (verified.simulation.outcome, verified.simulation.fit) == ("fit_failed", "failed")
    assert verified.simulation.fitted == {}
    assert verified.mismatch == verified.simulation.message
    assert verified.reward.match == 0.0
    assert not verified.passed


GLIDER = variables("x vx", rates={"vx": "x"}, estimated="vx")


def glider() -> tuple[Task, Truth]:
    """Constant acceleration along a track, positions only, the last quarter held back."""
    t = np.linspace(0.0, 1.2, 160)
    x = noisy((0.15 * t + 0.565 * t**2)[:, None], 0.002)
    states = np.column_stack([x, np.gradient(x[:, 0], t)])
    return table(GLIDER, t, states, noises=[Noise(absolute=0.002), Noise(absolute=0.0)], hold_back=0.25)


@pytest.mark.parametrize("profile", ["classic", "strict"])
@pytest.mark.parametrize("law", ["-k*x", "k*vx", "k*x"])
def test_held_back_rows_must_be_where_the_law_leads(law: str, profile: Profile) -> None:
    config = VerifierConfig(profile=profile, constants="fitted")
    wrong = Hypothesis(equation=f"d2x/dt2 = {law}", params={"k": None})
    verified = verify(*glider(), wrong, best_match=0.0, config=config)
    # With a start of its own it follows a quarter of the record nearly as well as the truth does.
    assert verified.generalisation is not None
    assert verified.generalisation > 0.98
    assert not verified.solved
    true = Hypothesis(equation="d2x/dt2 = a", params={"a": None})
    assert verify(*glider(), true, best_match=0.0, config=config).solved


@pytest.mark.parametrize("level", [0.0, 0.02])
def test_a_chaotic_motion_is_not_held_to_a_forecast_that_nobody_could_make(level: float) -> None:
    t = np.linspace(0.0, 16.0, 640)
    law = "dx/dt = 10*(y - x); dy/dt = 28*x - y - x*z; dz/dt = x*y - 8/3*z"
    parsed = parse(law, {}, variables("x y z"))
    assert isinstance(parsed, ParsedHypothesis)
    clean = integrate(parsed, t, [1.0, 3.0, 20.0], max_evaluations=100_000).states
    sigma = (level * clean.std(axis=0)).tolist()
    noises = [Noise(absolute=s) for s in sigma]
    # Eight time units shown, eight held back: an error of a thousandth of the noise grows beyond it.
    made = table(variables("x y z"), t, noisy(clean, sigma), noises=noises, hold_back=0.5)
    assert judge(made, law).generalisation == pytest.approx(1.0, abs=0.01)
    assert judge(made, law).solved


def test_a_preview_looks_at_first_states_only() -> None:
    made = swinging()
    _, shown = preview(made[0], Hypothesis(equation="d2x/dt2 = -4*x"), VerifierConfig())
    assert shown.starts == ()
    assert shown.fit_evaluations == 0
    assert shown.predictions[0].states[0] == made[0].shown[0].states[0]


def filmed_fall(seed: int, *, wobble: float = 0.0) -> tuple[Task, Truth]:
    """Three seconds of a fall at 15 frames a second; `wobble`: of the camera, slower than the frames."""
    t = np.arange(45) / 15.0
    random = Generator(PCG64(seed))
    y = 45.0 - 4.905 * t**2 + wobble * np.sin(6.0 * t + seed) + 0.03 * random.standard_normal(len(t))
    states = np.column_stack([y, np.gradient(y, t)])
    noises = [Noise(absolute=0.03), Noise(absolute=0.0)]
    return table(
        variables("y vy", rates={"vy": "y"}, estimated="vy"), t, states, noises=noises, hold_back=0.25
    )


@pytest.mark.parametrize("wobble", [0.0, 0.05])
def test_a_forecast_allows_for_what_constants_are_uncertain_by(wobble: float) -> None:
    """At the end of the shown rows g is known to half a percent: a dozen frames later that is 0.2 m."""
    solved = declared = wrong = 0
    for seed in range(20):
        task, truth = filmed_fall(seed, wobble=wobble)

        def judge(law: str, value: float | None, task: Task = task, truth: Truth = truth) -> Verification:
            hypothesis = Hypothesis(equation=f"d2y/dt2 = {law}", params={"k": value})
            rules = VerifierConfig(constants="fitted")
            return verify(task, truth, hypothesis, best_match=0.0, config=rules)

        right = judge("-k", None)
        solved += right.solved
        declared += judge("-k", right.simulation.fitted["k"]).solved
        wrong += judge("-k*y", None).solved + judge("k*vy", None).solved
    assert solved >= 19
    assert declared >= 19
    assert wrong == 0
