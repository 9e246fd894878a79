import numpy as np
import pytest

from physix.engine.systems.measured import read_table, task_from_table
from physix.engine.verifier.followed import Followed, followed
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig

CONFIG = VerifierConfig(functions="extended")
RANDOM = np.random.default_rng(3)
T = np.arange(80) / 30
NOISE = 0.004 * RANDOM.standard_normal(80)
STONE = "t (s),y (m)\n" + "\n".join(
    f"{t:.5f},{20 - 4.905 * t * t + off:.6f}" for t, off in zip(T, NOISE, strict=True)
)
FALL = Hypothesis(equation="d2y/dt2 = -g", params={"g": 9.81})


def beside(law: Hypothesis, *, told: bool = True) -> Followed:
    task, truth = task_from_table(read_table(STONE))
    found = followed(task, truth if told else None, law, CONFIG)
    assert isinstance(found, Followed)
    return found


def test_the_pulls_of_a_right_law_are_white_and_of_the_size_of_the_noise() -> None:
    found = beside(FALL)
    (left,) = found.residuals
    assert (left.variable, left.samples) == ("y", 60)
    assert left.chi2 == pytest.approx(1.0, abs=0.4)
    assert max(map(abs, left.autocorrelation)) < 4 / np.sqrt(60)
    pulls = np.array([row[0] for row in found.shown[0].pulls], dtype=float)
    expected = np.array(found.shown[0].observed)[:, 0] - np.array(found.shown[0].predicted)[:, 0]
    assert np.corrcoef(pulls, expected)[0, 1] == pytest.approx(1.0)
    # The first autocorrelation by its definition.
    assert left.autocorrelation[0] == pytest.approx(float(pulls[1:] @ pulls[:-1] / (pulls @ pulls)))
    assert np.median(left.quantiles) == pytest.approx(float(np.median(pulls)), abs=1e-9)


def test_an_estimated_velocity_has_no_pulls() -> None:
    assert {row[1] for row in beside(FALL).shown[0].pulls} == {None}


def test_held_back_rows_are_followed_only_where_they_may_be_told() -> None:
    told = beside(FALL)
    assert [len(track.t) for track in told.held_back] == [20]
    assert told.held_back_r2 == pytest.approx(1.0, abs=1e-4)
    held = beside(FALL, told=False)
    assert (held.held_back, held.held_back_r2) == ((), None)


def test_a_wrong_law_leaves_residuals_that_resemble_their_neighbours() -> None:
    (left,) = beside(Hypothesis(equation="d2y/dt2 = -g", params={"g": 8.0})).residuals
    assert left.chi2 > 100
    assert left.autocorrelation[0] > 0.8


def test_a_text_that_is_no_law_is_a_rejection() -> None:
    task, _ = task_from_table(read_table(STONE))
    assert isinstance(followed(task, None, Hypothesis(equation="d2y/dt2 = -q"), CONFIG), Rejection)


def test_an_outlier_in_the_first_row_does_not_draw_a_law_beside_its_data() -> None:
    # The tenfold noise of one row: a law that starts within its error would miss every other.
    rows = [f"{t:.5f},{20 - 4.905 * t * t + off:.6f}" for t, off in zip(T, NOISE, strict=True)]
    rows[0] = f"0.00000,{20 + 0.08:.6f}"
    task, truth = task_from_table(read_table("\n".join(["t (s),y (m)", *rows])))
    found = followed(task, truth, FALL, CONFIG)
    assert isinstance(found, Followed)
    (left,) = found.residuals
    # That one row leaves (0.08 / 0.004)² / 60, the others what their noise makes.
    assert left.worst_t == 0.0
    assert left.worst == pytest.approx(20, rel=0.25)
    assert left.chi2 == pytest.approx(400 / 60 + 1, rel=0.4)
    assert found.fits["y"].r2 == pytest.approx(1.0, abs=1e-3)
