import json
import re
import sys
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from bench.planted import SYSTEMS as SYSTEMS_NOT_OURS
from bench.planted import judged
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import InputVariable, Noise, StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import integrate, parse, verify
from physix.engine.verifier.mismatch import Observed, Series, shape_of
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Mismatch, VerifierConfig
from tests.engine.verifier.planted import PLANTED, SEEDS, Planted

# A claim, and the kinds of error about which it is no lie.
CLAIMS = {
    "wrong sign|sign of a term": {"sign error"},
    "damping is missing": {"damping missing", "wrong asymptote"},
    "too much damping": {"damping excess"},
    "coupling is missing": {"coupling missing"},
    "constant offset is missing": {"offset"},
    "asymptote": {"wrong asymptote", "damping missing", "damping excess", "slope"},
    "its period is": {"period ratio", "phase drift"},
}
PERFECT = "The prediction matches every variable within the noise."


def summary(planted: Planted, seed: int) -> str:
    task, truth = planted.task(seed)
    hypothesis = Hypothesis(equation=planted.equation, params=planted.params(truth))
    verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    assert verified.parse.rejection is None
    return verified.mismatch


def test_the_summary_names_the_planted_error_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [(planted, summary(planted, seed)) for planted in PLANTED for seed in SEEDS]
    missed = [f"{p}: {text}" for p, text in cases if not re.search(p.words, text)]
    false = [
        f"{p}: {text}"
        for p, text in cases
        for claim, kinds in CLAIMS.items()
        if re.search(claim, text) and p.kind not in kinds
    ]
    named = 1 - len(missed) / len(cases)
    with capsys.disabled():
        kinds = Counter(p.kind for p, _ in cases)
        sys.stdout.write(
            f"\nplanted errors named: {named:.1%} of {len(cases)}, false claims: {len(false)}"
            f"\n{dict(kinds)}\n"
        )
    assert len(cases) >= 60
    assert named >= 0.9, "\n".join(missed)
    assert len(false) <= 0.05 * len(cases), "\n".join(false)


@pytest.mark.parametrize("system_id", SYSTEMS)
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_the_true_law_is_told_of_no_error(system_id: str, noise: float) -> None:
    for seed in range(20):
        task, truth = sample_task(system_id, seed, noise=noise)
        hypothesis = Hypothesis(equation=truth.equation or "", params=truth.params)
        verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
        assert verified.mismatch == PERFECT


T = np.linspace(0.0, 10.0, 101)
SWING = np.sin(2.0 * T)
SHAPES = [
    ("amplitude", 1.3, SWING, 1.3 * SWING),
    ("centre", 0.8, SWING, SWING + 0.8),
    ("period", 0.8, SWING, np.sin(2.5 * T)),
    ("period", 1.25, SWING, np.sin(1.6 * T)),
    ("phase", None, SWING, np.sin(2.04 * T)),
    ("undamped", None, SWING * np.exp(-0.2 * T), SWING),
    ("overdamped", None, SWING, SWING * np.exp(-0.2 * T)),
    ("no swing", None, SWING, 0.1 * T),
    ("runaway", 2.3, SWING, np.exp(0.7 * T)),
    ("bend", None, T**2, 100.0 + 10.0 * T - T**2),
    ("runs on", None, 1.0 - np.exp(-0.6 * T), 0.25 * T),
    ("levels off", None, 0.4 * T, 1.0 - np.exp(-0.6 * T)),
    ("growth", 0.5, T, 1.5 * T),
]


@pytest.mark.parametrize(("kind", "value", "observed", "predicted"), SHAPES)
def test_two_curves_show_what_kind_of_error_it_is(
    kind: str, value: float | None, observed: np.ndarray, predicted: np.ndarray
) -> None:
    shape = shape_of(Series(Observed(T, observed), predicted))
    assert shape.kind == kind
    if value is not None:
        assert shape.value == pytest.approx(value, rel=0.03)


def told(equation: str, params: dict[str, float], system: str = "damped_spring", seed: int = 7) -> Mismatch:
    task, truth = sample_task(system, seed)
    hypothesis = Hypothesis(equation=equation, params=truth.params | params)
    found = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig()).findings
    assert found is not None
    return found


def test_a_finding_names_the_equation_the_term_and_the_factor_that_mends_it() -> None:
    (finding,) = told("d2x/dt2 = -(k/m)*x - 3*(b/m)*vx", {}).findings
    assert (finding.kind, finding.target, finding.term) == ("strength", "d2x/dt2", "-(3*(b/m)*vx)")
    assert finding.role == "damping"
    assert finding.factor == pytest.approx(1.0 / 3.0, abs=4.0 * finding.error)
    assert 0.0 < finding.error < 0.05
    assert finding.size > 16.0


def test_a_missing_term_can_be_pasted_into_the_law() -> None:
    equation = "d2x/dt2 = -(k/m)*x"
    (finding,) = told(equation, {}).findings
    assert (finding.kind, finding.role) == ("missing", "damping")
    assert told(f"{equation} + ({finding.factor})*({finding.term})", {}).within_noise


def test_a_part_of_a_product_of_sums_is_named_alone() -> None:
    # The rest position should be 0: only the part k/m * 0.5 of the spring's term is wrong.
    (finding,) = told("d2x/dt2 = -(k/m)*(x - 0.5) - (b/m)*vx", {}).findings
    assert (finding.kind, finding.factor) == ("superfluous", 0.0)
    assert finding.term == "k/m*0.5"


def test_a_failed_simulation_is_still_told_what_the_equations_lack() -> None:
    found = told("d2y/dt2 = -g - k*vy**2", {"k": 2.0}, system="free_fall_drag", seed=101)
    assert found.worst is None
    assert found.findings[0].kind == "sign"


def test_where_the_equations_hold_no_cause_is_named() -> None:
    task, truth = sample_task("damped_pendulum", 3)
    # A start that is off by five times the noise: every row is right but the first.
    first = task.shown[0]
    spread = np.std(np.array(first.states), axis=0).tolist()
    moved = tuple(value + 0.1 * one for value, one in zip(first.states[0], spread, strict=True))
    off = replace(task, shown=(replace(first, states=(moved, *first.states[1:])),))
    hypothesis = Hypothesis(equation=truth.equation or "", params=truth.params)
    verified = verify(off, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    assert verified.findings is not None
    assert not verified.findings.within_noise
    assert (verified.findings.findings, verified.findings.shape) == ((), None)
    assert not re.search("|".join(CLAIMS), verified.mismatch)


def test_a_wrong_law_whose_constants_were_fitted_is_told_the_term_that_it_lacks() -> None:
    lacks = {"sin(theta)", "theta**3"}
    named = 0
    for seed in range(500, 508):
        task, truth = sample_task("damped_pendulum", seed)
        hypothesis = Hypothesis(equation="d2theta/dt2 = -a*theta - b*dtheta", params={"a": None, "b": None})
        config = VerifierConfig(profile="strict", constants="fitted")
        found = verify(task, truth, hypothesis, best_match=0.0, config=config).findings
        assert found is not None
        named += any(f.kind == "missing" and f.term in lacks for f in found.findings)
    assert named >= 6


def test_a_missing_drive_is_told_with_its_frequency() -> None:
    t = np.linspace(0.0, 20.0, 160)
    # x'' = -4 x - 0.3 x' + 1.5 cos(1.1 t), by RK4 with fine steps: no solver of ours.
    fine = np.linspace(0.0, 20.0, 159 * 20 + 1)
    h, state = fine[1], np.array([1.0, 0.0])
    rows = [state]

    def rhs(y: np.ndarray, s: float) -> np.ndarray:
        return np.array([y[1], -4.0 * y[0] - 0.3 * y[1] + 1.5 * np.cos(1.1 * s)])

    for s in fine[:-1]:
        a = rhs(state, s)
        b = rhs(state + h / 2 * a, s + h / 2)
        c = rhs(state + h / 2 * b, s + h / 2)
        d = rhs(state + h * c, s + h)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
        rows.append(state)
    states = np.array(rows)[::20] + 0.01 * np.random.default_rng(3).standard_normal((160, 2))
    base, truth = sample_task("damped_spring", 7)
    shown = Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))
    task = replace(base, shown=(shown,), measured=True)
    hypothesis = Hypothesis(equation="d2x/dt2 = -4*x - 0.3*vx")
    found = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig()).findings
    assert found is not None
    (finding,) = found.findings
    matched = re.fullmatch(r"cos\(([0-9.]+)\*t [+-] [0-9.e-]+\)", finding.term)
    assert matched
    assert float(matched[1]) == pytest.approx(1.1, rel=0.01)
    assert finding.factor == pytest.approx(1.5, rel=0.05)


def test_inputs_are_part_of_the_law() -> None:
    t = np.linspace(0.0, 10.0, 120)
    u = np.sin(1.3 * t) + np.where(t > 5.0, 1.0, 0.0)
    # v' = -0.5 v + 2 u, exact between samples for an input that is linear there.
    v = np.zeros(120)
    h = t[1]
    for i in range(119):
        slope = (u[i + 1] - u[i]) / h
        # Particular solution a + b s, s from the sample on.
        b = 2.0 * slope / 0.5
        a = (2.0 * u[i] - b) / 0.5
        v[i + 1] = a + b * h + (v[i] - a) * np.exp(-0.5 * h)
    noisy = v + 0.01 * np.random.default_rng(5).standard_normal(120)
    task = Task(
        task_id="cart",
        system_id="csv",
        title="cart",
        tier=None,
        seed=None,
        variables=(StateVariable(name="v", unit=None, symbol="v", description="v"),),
        time_unit=None,
        shown=(
            Trajectory(
                t=tuple(t.tolist()),
                states=tuple((x,) for x in noisy.tolist()),
                inputs=tuple((x,) for x in u.tolist()),
            ),
        ),
        noise=0.01,
        hint="",
        inputs=(InputVariable(name="u", unit=None, symbol="u", description="u"),),
        measured=True,
        noises=(Noise(absolute=0.01),),
    )
    truth = Truth(equation=None, params={}, hidden=())

    def found(equation: str) -> Mismatch:
        value = verify(
            task, truth, Hypothesis(equation=equation), best_match=0.0, config=VerifierConfig()
        ).findings
        assert value is not None
        return value

    assert found("dv/dt = -0.5*v + 2*u").within_noise
    (missing,) = found("dv/dt = -0.5*v").findings
    assert (missing.kind, missing.term) == ("missing", "u")
    assert missing.factor == pytest.approx(2.0, rel=0.03)
    (strength,) = found("dv/dt = -0.5*v + 3*u").findings
    assert (strength.term, strength.kind) == ("3*u", "strength")
    assert strength.factor == pytest.approx(2.0 / 3.0, rel=0.03)


def test_an_estimated_rate_is_no_observation() -> None:
    base, truth = sample_task("damped_spring", 11)
    variables = tuple(replace(v, estimated=v.rate_of is not None) for v in base.variables)
    # Rates that are off by a third: had they been believed, the spring would seem too weak.
    states = tuple((x, 1.33 * v) for x, v in base.shown[0].states)
    task = replace(base, variables=variables, measured=True, shown=(replace(base.shown[0], states=states),))
    half = Hypothesis(equation="d2x/dt2 = -(k/m)*0.5*x - (b/m)*vx", params=truth.params)
    found = verify(task, truth, half, best_match=0.0, config=VerifierConfig()).findings
    assert found is not None
    assert found.worst is None or found.worst.variable == "x"
    assert found.findings[0].term == "-(k/m*0.5*x)"
    assert found.findings[0].factor == pytest.approx(2.0, rel=0.05)


def test_the_same_law_gets_the_same_words_and_findings() -> None:
    equation = "d2x/dt2 = -1.4*(k/m)*x + 0.2*x**3"
    first, again = told(equation, {}), told(equation, {})
    assert first == again


def test_errors_planted_in_laws_that_are_not_ours_are_named() -> None:
    # A light part of bench/planted.py, which prints the whole table.
    verdicts = [
        verdict
        for system in SYSTEMS_NOT_OURS
        if system.name in ("lotka_volterra", "van_der_pol", "kepler", "sir", "coupled_springs")
        for _, verdict, _ in judged(system, 1, 0.05)
    ]
    assert len(verdicts) >= 60
    assert verdicts.count("right") >= 0.95 * len(verdicts)
    assert verdicts.count("false") <= 0.03 * len(verdicts)


def test_a_summary_stays_short_and_in_ascii() -> None:
    for planted in PLANTED:
        text = summary(planted, SEEDS[0])
        assert text.isascii()
        assert len(text) <= 400
        assert len(re.findall(r"\.(?= |$)", text)) <= 4


def test_a_finding_about_an_absurd_term_holds_finite_numbers() -> None:
    """What a term of 1e-150 would take off chi² overflows; a log holds no infinity."""
    task, truth = sample_task("free_fall", 7)
    law = Hypothesis(equation="d2y/dt2 = y*sqrt(1e-300)", params={})
    verified = verify(task, truth, law, best_match=0.0, config=VerifierConfig())
    assert verified.findings is not None
    json.dumps(asdict(verified), allow_nan=False)


PLANE = tuple(
    StateVariable(name=name, unit=None, symbol=name, description=name, rate_of=place)
    for name, place in (("x", None), ("z", None), ("vx", "x"), ("vz", "z"))
)


def in_a_plane(
    law: str, params: dict[str, float], start: list[float], t_end: float, noise: float
) -> tuple[Task, Truth]:
    t = np.linspace(0.0, t_end, 100)
    parsed = parse(law, params, PLANE)
    assert isinstance(parsed, ParsedHypothesis)
    states = np.array(integrate(parsed, t, start).states)
    blur = np.random.default_rng(3).standard_normal(states.shape)
    blur[0] = 0.0
    states += noise * states.std(axis=0) * blur
    shown = Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))
    task = Task(
        task_id="plane", system_id="plane", title="Plane", tier=None, seed=None, variables=PLANE,
        time_unit=None, shown=(shown,), noise=noise, hint="",
    )  # fmt: skip
    return task, Truth(equation=law, params=params, hidden=())


OPEN = VerifierConfig(profile="strict", constants="fitted")


def test_an_open_constant_that_makes_up_for_another_equation_is_not_blamed() -> None:
    # Without the spring in x, only a rubbish c makes z follow: the fit's doing, not the law's fault.
    task, truth = in_a_plane(
        "d2x/dt2 = -k*x - b*vz; d2z/dt2 = c*vx",
        {"k": 2.0, "b": 0.7, "c": 1.3},
        [1.0, 0.5, 0.3, -0.2],
        6.0,
        0.02,
    )
    hypothesis = Hypothesis(equation="d2x/dt2 = 0; d2z/dt2 = c*vx", params={"c": None})
    verified = verify(task, truth, hypothesis, best_match=0.0, config=OPEN)
    assert verified.findings is not None
    assert {(one.kind, one.target) for one in verified.findings.findings} == {("missing", "d2x/dt2")}
    assert "x" in [one.term for one in verified.findings.findings]


def test_what_a_law_lacks_is_said_where_no_constants_fit_it() -> None:
    task, truth = in_a_plane(
        "d2x/dt2 = -k*x - c*vx*abs(vx); d2z/dt2 = -m*z - c*vz*abs(vz)",
        {"k": 0.26, "m": 0.3, "c": 0.3},
        [1.0, -0.8, 0.2, 0.1],
        150.0,
        0.03,
    )
    springs = Hypothesis(equation="d2x/dt2 = -k*x; d2z/dt2 = -m*z", params={"k": None, "m": None})
    verified = verify(task, truth, springs, best_match=0.0, config=OPEN)
    assert verified.simulation.fit != "converged"
    assert verified.findings is not None
    found = {(one.kind, one.target, one.term) for one in verified.findings.findings}
    assert found == {("missing", "d2x/dt2", "vx*abs(vx)"), ("missing", "d2z/dt2", "vz*abs(vz)")}
    assert verified.mismatch.startswith("The constants were still improving")


@pytest.mark.parametrize("seed", [777_011, 777_015, 777_019, 777_020, 777_021, 777_022])
def test_of_laws_that_explain_as_much_the_one_that_treats_both_axes_alike_is_named(seed: int) -> None:
    # Along one short throw y*vx, vx or y**2 in d2y/dt2 does as well as weight with drag.
    task, truth = sample_task("projectile_drag", seed)
    nothing = Hypothesis(equation="d2x/dt2 = 0; d2y/dt2 = 0")
    verified = verify(task, truth, nothing, best_match=0.0, config=OPEN)
    assert verified.findings is not None
    lacking = {(one.target, one.term) for one in verified.findings.findings}
    speed = "sqrt(vx**2 + vy**2)"
    assert ("d2x/dt2", f"vx*{speed}") in lacking
    assert {term for target, term in lacking if target == "d2y/dt2"} <= {"1", f"vy*{speed}"}


def test_axes_that_differ_are_not_made_alike() -> None:
    task, truth = in_a_plane(
        "d2x/dt2 = -b*vx; d2z/dt2 = -k*z", {"b": 0.6, "k": 3.0}, [0.0, 1.0, 2.0, 0.5], 6.0, 0.02
    )
    nothing = Hypothesis(equation="d2x/dt2 = 0; d2z/dt2 = 0")
    verified = verify(task, truth, nothing, best_match=0.0, config=OPEN)
    assert verified.findings is not None
    assert {(one.target, one.term) for one in verified.findings.findings} == {
        ("d2x/dt2", "vx"),
        ("d2z/dt2", "z"),
    }
