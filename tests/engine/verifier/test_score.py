"""The numbers that the product is about, against plain NumPy and against cases done by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Noise, StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

Rows = Sequence[Sequence[float]]
T = (0.0, 1.0, 2.0, 3.0)
# Against x = t the residuals are 0, -1, 0, -1 and those about the mean -1, -1, 1, 1: R² = 1 - 2 / 4.
HALF = [[0.0], [0.0], [2.0], [2.0]]
STRICT = VerifierConfig(profile="strict")


def motion(rows: Rows, t: Sequence[float] = T) -> Trajectory:
    return Trajectory(t=tuple(t), states=tuple(tuple(row) for row in rows))


def problem(*shown: Trajectory, noise: float | None = None) -> Task:
    """A task of first-order variables x, y, z: their motions are known in closed form."""
    names = "xyz"[: len(shown[0].states[0])]
    return Task(
        task_id="x",
        system_id="csv",
        title="",
        tier=None,
        seed=None,
        variables=tuple(StateVariable(name=n, unit="m", symbol=n, description="") for n in names),
        time_unit="s",
        shown=shown,
        noise=0.0,
        hint="",
        noises=() if noise is None else (Noise(absolute=noise),) * len(names),
    )


def judge(
    task: Task,
    equation: str,
    *,
    hidden: Sequence[Trajectory] = (),
    true_law: str | None = None,
    best_match: float = 0.0,
    rules: VerifierConfig | None = None,
) -> Verification:
    truth = Truth(equation=true_law, params={}, hidden=tuple(hidden))
    hypothesis = Hypothesis(equation=equation)
    return verify(task, truth, hypothesis, best_match=best_match, config=rules or VerifierConfig())


def r2_by_numpy(observed: FloatArray, predicted: FloatArray) -> FloatArray:
    residual = np.sum((observed - predicted) ** 2, axis=0)
    spread = np.sum((observed - np.mean(observed, axis=0)) ** 2, axis=0)
    return np.asarray(1.0 - residual / spread)


def test_r2_of_a_case_done_by_hand_is_a_half() -> None:
    found = judge(problem(motion(HALF)), "dx/dt = 1")
    assert found.fits["x"].r2 == pytest.approx(0.5, abs=1e-9)
    assert found.reward.match == pytest.approx(0.5, abs=1e-9)
    assert found.match_dense == pytest.approx(math.sqrt(0.5), abs=1e-9)
    # Root mean square of the residuals, 1 / sqrt(2), over the standard deviation, 1.
    assert found.fits["x"].nrmse == pytest.approx(math.sqrt(0.5), abs=1e-9)


def test_r2_is_about_the_mean_wherever_the_data_lie() -> None:
    far = [[1e3 + x] for (x,) in HALF]
    assert judge(problem(motion(far)), "dx/dt = 1").fits["x"].r2 == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_r2_and_match_of_random_data_are_those_of_numpy(seed: int) -> None:
    dice = np.random.default_rng(seed)
    slopes = dice.normal(size=3)
    parts, predicted = [], []
    for length in (12, 30):  # of unequal length: pooled, not averaged
        t = np.cumsum(dice.uniform(0.1, 1.0, length))
        line = dice.normal(size=3) + (t - t[0])[:, None] * slopes
        observed = line + dice.normal(size=line.shape) * [0.1, 0.5, 3.0]
        observed[0] = line[0]  # a simulation starts from the first sample
        parts.append(motion(observed.tolist(), t.tolist()))
        predicted.append(line)
    law = "; ".join(f"d{n}/dt = {slope!r}" for n, slope in zip("xyz", slopes.tolist(), strict=True))
    found = judge(problem(*parts), law)
    observed = np.concatenate([np.array(part.states) for part in parts])
    wanted = r2_by_numpy(observed, np.concatenate(predicted))
    assert [found.fits[n].r2 for n in "xyz"] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert found.reward.match == pytest.approx(float(np.mean(np.clip(wanted, 0.0, 1.0))), abs=1e-6)
    off = np.sqrt(np.mean((observed - np.concatenate(predicted)) ** 2, axis=0)) / observed.std(axis=0)
    assert [found.fits[n].nrmse for n in "xyz"] == pytest.approx(off.tolist(), abs=1e-6)


def test_a_variable_that_is_worse_than_its_mean_counts_nothing_and_not_less() -> None:
    rows = [[x, y] for (x,), y in zip(HALF, (0.0, 1.0, 2.0, 1.0), strict=True)]
    found = judge(problem(motion(rows)), "dx/dt = 1; dy/dt = 1")
    assert found.fits["y"].r2 == pytest.approx(-1.0, abs=1e-9)  # 1 - 4 / 2
    assert found.reward.match == pytest.approx(0.25, abs=1e-9)


def test_generalisation_is_r2_on_what_is_hidden_against_the_spread_of_the_whole_record() -> None:
    straight = motion([[0.0], [1.0], [2.0], [3.0]])
    found = judge(problem(straight), "dx/dt = 1", hidden=[motion(HALF)])
    assert found.reward.match == pytest.approx(1.0, abs=1e-9)
    # About their own means the shown motion has 5 and the hidden one 4 of squares, over 8 samples; the mean
    # square of the hidden residuals is 2 / 4.
    assert found.generalisation == pytest.approx(1.0 - 0.5 / (9 / 8), abs=1e-9)


def test_generalisation_is_the_mean_over_hidden_motions() -> None:
    straight, elsewhere = (motion([[x + i] for i in range(4)]) for x in (0.0, 5.0))
    found = judge(problem(straight), "dx/dt = 1", hidden=[motion(HALF), elsewhere]).generalisation
    assert found == pytest.approx((1.0 - 0.5 / (14 / 12) + 1.0) / 2, abs=1e-9)
    assert judge(problem(straight), "dx/dt = 1").generalisation is None


def test_what_cannot_be_simulated_matches_nothing_anywhere() -> None:
    found = judge(problem(motion(HALF)), "dx/dt = 1/(t - t)", hidden=[motion(HALF)])
    assert (found.reward.match, found.generalisation, found.match_dense) == (0.0, 0.0, 0.0)
    assert found.fits["x"].r2 is None


def test_a_prediction_is_valid_until_it_is_off_by_a_tenth_of_the_spread() -> None:
    t = np.arange(6.0)
    spread = 10.0
    for share, valid in ((0.099, 5.0), (0.101, 3.0)):
        observed = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
        observed *= spread / observed.std()
        slope = (observed[1] - observed[0]).item()
        observed[3] += share * spread
        assert observed.std() == pytest.approx(spread, rel=0.02)
        share_of_spread = share * spread / observed.std()
        assert (share_of_spread > 0.1) == (share > 0.1)
        found = judge(problem(motion(observed[:, None].tolist(), t.tolist())), f"dx/dt = {slope!r}")
        assert found.fits["x"].valid_time == valid


@pytest.mark.parametrize(
    ("rules", "total"),
    [
        (VerifierConfig(), 0.625),
        (VerifierConfig(weight_match=1.0), 0.625 + 0.5 * 0.5),
        (VerifierConfig(weight_progress=1.0), 0.625 + 0.8 * 0.375),
        (VerifierConfig(weight_simplicity=1.0), 0.625 + 0.8 * 1.0),
        (VerifierConfig(weight_format=1.0), 0.625 + 0.9 * 1.0),
    ],
)
def test_each_component_counts_with_its_weight(rules: VerifierConfig, total: float) -> None:
    # match 0.5, progress (0.5 - 0.2) / (1 - 0.2), no operator, well formed: 0.25 + 0.075 + 0.2 + 0.1.
    found = judge(problem(motion(HALF)), "dx/dt = 1", best_match=0.2, rules=rules).reward
    assert found.match == pytest.approx(0.5, abs=1e-9)
    assert found.progress == pytest.approx(0.375, abs=1e-9)
    assert (found.simplicity, found.format) == (1.0, 1.0)
    assert found.total == pytest.approx(total, abs=1e-9)


def test_the_weights_are_those_that_the_documents_promise() -> None:
    rules = VerifierConfig()
    weights = (rules.weight_match, rules.weight_progress, rules.weight_simplicity, rules.weight_format)
    assert weights == (0.5, 0.2, 0.2, 0.1)
    assert rules.solved_threshold == 0.93


@pytest.mark.parametrize(
    ("best", "progress"), [(0.0, 0.5), (0.25, 1 / 3), (0.4, 1 / 6), (0.5, 0.0), (0.6, 0.0), (1.0, 0.0)]
)
def test_progress_is_the_share_of_what_was_left_to_gain(best: float, progress: float) -> None:
    found = judge(problem(motion(HALF)), "dx/dt = 1", best_match=best)
    assert found.reward.progress == pytest.approx(progress, abs=1e-8)


@pytest.mark.parametrize(
    ("right", "operators"),
    [
        ("1", 0),
        ("1 + 0*x", 2),
        ("sin(0) + 1", 2),
        ("-(-1)", 2),
        ("1" + " + 0" * 19, 19),
        ("1" + " + 0" * 25, 25),
    ],
)
def test_simplicity_falls_by_a_twentieth_an_operator_or_function(right: str, operators: int) -> None:
    found = judge(problem(motion(HALF)), f"dx/dt = {right}")
    if right != "-(-1)":  # whether a sign counts is the grammar's to say
        assert found.parse.operators == operators
    assert found.reward.simplicity == pytest.approx(max(0.0, 1.0 - found.parse.operators / 20))


def test_what_does_not_parse_earns_nothing_at_all() -> None:
    found = judge(problem(motion(HALF)), "dx/dt = ", best_match=0.3).reward
    assert (found.match, found.progress, found.simplicity, found.format, found.total) == (0.0,) * 5


def wiggling(r2: float) -> Task:
    """Data that x = t explains to this R²: a zigzag about it, its size solved for."""
    t = np.arange(101.0)
    zigzag = np.where(t % 2 == 1, 1.0, -1.0) * (t > 0)
    low, high = 0.0, 100.0
    for _ in range(200):
        size = (low + high) / 2
        low, high = (size, high) if r2_by_numpy(t + size * zigzag, t) > r2 else (low, size)
    return problem(motion((t + low * zigzag)[:, None].tolist(), t.tolist()))


@pytest.mark.parametrize(("r2", "solved"), [(0.9301, True), (0.9299, False)])
def test_classic_calls_solved_what_matches_above_the_threshold(r2: float, solved: bool) -> None:
    found = judge(wiggling(r2), "dx/dt = 1")
    assert found.reward.match == pytest.approx(r2, abs=1e-6)
    assert found.solved is solved


def test_the_threshold_itself_is_not_above_it() -> None:
    match = judge(problem(motion(HALF)), "dx/dt = 1").reward.match
    below = VerifierConfig(solved_threshold=math.nextafter(match, 0.0))
    assert not judge(problem(motion(HALF)), "dx/dt = 1", rules=VerifierConfig(solved_threshold=match)).solved
    assert judge(problem(motion(HALF)), "dx/dt = 1", rules=below).solved


@pytest.mark.parametrize(
    ("r2", "match"), [(0.5, 0.07524), (0.9, 0.24989), (0.99, 0.49892), (0.999, 0.73965), (0.9999, 0.92474)]
)
def test_strict_pays_for_every_digit_of_the_residual(r2: float, match: float) -> None:
    assert judge(wiggling(r2), "dx/dt = 1", rules=STRICT).reward.match == pytest.approx(match, abs=1e-5)


def test_strict_pays_half_for_what_is_hidden() -> None:
    shown = problem(motion([[0.0], [1.0], [2.0], [3.0]]))
    found = judge(shown, "dx/dt = 1", hidden=[motion(HALF)], rules=STRICT)
    assert found.generalisation is not None
    elsewhere = -math.log10(1.0 - found.generalisation + 1e-4) / 4
    assert found.reward.match == pytest.approx((1.0 + elsewhere) / 2, abs=1e-6)


@pytest.mark.parametrize(("over", "solved"), [(0.98, True), (1.02, False)])
def test_strict_calls_solved_what_chance_explains(over: float, solved: bool) -> None:
    """Chi² a sample may reach four standard deviations above 1; half a percent of the spread is noise too."""
    t = np.arange(200.0)
    sign = np.where(t % 2 == 1, 1.0, -1.0) * (t > 0)
    allowed = 1.0 + 4.0 * math.sqrt(2.0 / 200)
    sigma = 1.0
    effective = math.hypot(sigma, 5e-3 * t.std())
    observed = t + sign * effective * math.sqrt(over * allowed * 200 / 199)
    task = problem(motion(observed[:, None].tolist(), t.tolist()), noise=sigma)
    assert judge(task, "dx/dt = 1", rules=STRICT).solved is solved


@pytest.mark.parametrize(("off", "solved"), [(0.0, True), (0.2, False)])
def test_strict_asks_what_is_hidden_and_classic_does_not(off: float, solved: bool) -> None:
    t = np.arange(50.0)
    hidden = motion((3.0 + (1.0 + off) * t)[:, None].tolist(), t.tolist())
    task = problem(motion(t[:, None].tolist(), t.tolist()))
    law = "dx/dt = 1"
    assert judge(task, law, hidden=[hidden], true_law=law, rules=STRICT).solved is solved
    assert judge(task, law, hidden=[hidden], true_law=law, rules=VerifierConfig()).solved


def test_constants_that_were_fitted_are_those_that_are_judged() -> None:
    t = np.arange(20.0)
    task = problem(motion((1.0 + 2.5 * t)[:, None].tolist(), t.tolist()))
    law = Hypothesis(equation="dx/dt = a", params={"a": None})
    truth = Truth(
        equation="dx/dt = 2.5", params={}, hidden=(motion((7.0 + 2.5 * t)[:, None].tolist(), t.tolist()),)
    )
    found = verify(task, truth, law, best_match=0.0, config=VerifierConfig(constants="fitted"))
    assert found.simulation.fitted["a"] == pytest.approx(2.5)
    assert found.reward.match == pytest.approx(1.0)
    assert found.generalisation == pytest.approx(1.0)
    assert found.simulation.predictions[0].states[-1] == pytest.approx((1.0 + 2.5 * 19,))
    assert found.correctness is not None
    assert found.correctness.verdict in ("exact", "recovered")
