"""`physix.fit`, every form that data may come in, and numbers as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import physix
from physix.api.found.plots import ticks
from physix.api.found.source import Options, task_of
from physix.api.found.tables import uncertain
from physix.errors import BadInputError, CsvError
from physix.limits import PERSON

T = np.arange(80) / 40
RNG = np.random.default_rng(3)
Y = 20.0 - 4.905 * T**2 + 0.004 * RNG.standard_normal(len(T))
UNITS = {"t": "s", "y": "m"}


def test_a_law_of_ones_own_gets_its_constant_with_error_and_unit_and_a_verdict() -> None:
    found = physix.fit({"t": T, "y": Y}, "y'' = -g", units=UNITS)
    (g,) = found.best.constants
    assert g.error is not None
    assert g.low is not None
    assert g.high is not None
    assert abs(g.value - 9.81) < 4.0 * g.error < 0.2
    assert g.high - g.value == pytest.approx(2.0 * g.error, rel=0.05)  # Student's, about sixty samples
    assert g.unit == "m/s**2"
    assert found.solved
    assert found.generalisation == pytest.approx(1.0, abs=1e-3)
    assert 0.5 < (found.best.chi2 or 0.0) < 1.6
    (by_all,) = found.examined.from_all
    assert by_all.error is not None
    assert by_all.error < g.error
    assert [one.event.type for one in found.events][:2] == ["EpisodeStarted", "HypothesisSubmitted"]
    assert found.as_dict()["outcome"] == "solved"


def test_a_wrong_law_is_told_which_term_it_lacks() -> None:
    omega, drag = 3.0, 0.4
    t = np.arange(160) / 20
    x = np.exp(-drag / 2 * t) * np.cos(np.sqrt(omega**2 - drag**2 / 4) * t)
    x = x + 0.003 * RNG.standard_normal(len(t))
    found = physix.fit({"t": t, "x": x}, "x'' = -k*x", units={"t": "s", "x": "m"})
    assert not found.solved
    assert "vx" in found.missing
    assert "missing" in found.missing
    assert "does not explain" in found.sentence
    right = physix.fit({"t": t, "x": x}, "x'' = -k*x - c*x'", units={"t": "s", "x": "m"})
    assert right.solved
    assert right.best.params == pytest.approx({"k": 9.0, "c": 0.4}, rel=0.02)


def test_constants_that_are_known_are_kept_and_such_as_cannot_be_told_apart_are_named() -> None:
    found = physix.fit({"t": T, "y": Y}, "y'' = -g*m/M", params={"m": 2.0, "M": 2.0}, units=UNITS)
    assert found.best.params["m"] == 2.0
    assert found.best.params["g"] == pytest.approx(9.81, rel=0.01)
    both = physix.fit({"t": T, "y": Y}, "y'' = -g*m", units=UNITS)
    assert both.examined.undetermined == (("g", "m"),)
    assert "cannot tell g and m apart" in repr(both)


@pytest.mark.parametrize(
    ("law", "params", "says"),
    [
        ("y'' = -g*", {}, "cannot be read: expected_operand: the end"),
        ("y'' = -g", {"h": 1.0}, "no constant 'h'; it has g"),
        ("z'' = -g", {}, "The data have y, vy"),
        ("y'' = -g*sinn(y)", {}, "cannot be read"),
    ],
)
def test_a_law_that_cannot_be_read_says_where_and_what_there_is(
    law: str, params: dict[str, float], says: str
) -> None:
    with pytest.raises(BadInputError, match=says) as told:
        physix.fit({"t": T, "y": Y}, law, params=params, units=UNITS)
    assert "\n" not in str(told.value)


class Framed:
    """What pandas and polars frames have in common."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]


FORMS: dict[str, Any] = {
    "mapping": {"t": T, "y": Y},
    "frame": Framed({"t": T, "y": Y}),
    "times and states": (T, Y),
    "array": np.stack([T, Y], axis=1),
    "text": "t,y\n" + "\n".join(f"{a!r},{b!r}" for a, b in zip(T.tolist(), Y.tolist(), strict=True)),
}


@pytest.mark.parametrize("form", FORMS)
def test_data_come_in_any_form(form: str) -> None:
    names = ["y"] if form in ("times and states", "array") else []
    task = task_of(FORMS[form], Options(names=names, second_order=["y"], hold_back=0.0)).task
    assert [v.name for v in task.variables] == ["y", "vy"]
    assert np.allclose(np.array(task.shown[0].states)[:, 0], Y, atol=1e-12)


def test_a_file_and_a_list_of_runs(tmp_path: Path) -> None:
    path = tmp_path / "drop.csv"
    path.write_text(FORMS["text"])
    assert task_of(path, Options()).task.title == "drop"
    assert task_of(str(path), Options()).task.title == "drop"
    several = task_of([FORMS["mapping"], (T, Y + 1.0), path], Options(names=["y"], hold_back=0.0)).task
    assert len(several.shown) == 3
    assert several.shown[1].states[5][0] == pytest.approx(Y[5] + 1.0)


def test_a_standard_deviation_may_be_a_number_or_a_column() -> None:
    number = task_of({"t": T, "y": Y}, Options(sigma={"y": 0.02}, hold_back=0.0)).task
    assert {row[0] for row in number.shown[0].sigma} == {0.02}
    told = {"t": T, "y": Y, "e": np.linspace(0.01, 0.03, len(T))}
    column = task_of(told, Options(sigma={"e": "y"}, hold_back=0.0)).task
    assert column.shown[0].sigma[-1][0] == pytest.approx(0.03)
    every = task_of(
        (T, np.stack([Y, Y], axis=1)), Options(sigma=0.03, hold_back=0.0, first_order=["x1", "x2"])
    )
    assert set(every.task.shown[0].sigma) == {(0.03, 0.03)}
    samples = task_of({"t": T, "y": Y}, Options(sigma={"y": np.linspace(0.01, 0.03, len(T))}, hold_back=0.0))
    assert [row[0] for row in samples.task.shown[0].sigma] == [row[0] for row in column.shown[0].sigma]
    held = task_of({"t": T, "y": Y}, Options(sigma={"y": 0.02}, held_back={"t": T, "y": Y})).truth
    assert held.hidden[0].sigma[0][0] == 0.02


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        ((T, Y[:5]), {}, "do not belong together"),
        (np.zeros((5, 1)), {}, "is no table"),
        ((T, Y), {"names": ["a", "b"]}, "2 names were given for 1 columns"),
        ([], {}, "0 runs were given"),
        ([{"t": T, "y": Y}, {"t": T, "z": Y}], {}, "different columns"),
        ({"t": T, "y": Y}, {"sigma": {"y": -1.0}}, "must be a positive number"),
        ({"t": T, "y": Y}, {"sigma": {"z": 0.1}}, "no column 'z'"),
        ({"t": T, "y": Y}, {"inputs": ["u"]}, "no column 'u'"),
        ({"t": T, "y": Y}, {"inputs": {"u": T[:5]}}, "the data have 80 rows"),
        ({"t": T, "y": Y}, {"inputs": {"y": T}}, "another name"),
        ({"t": T, "y": Y}, {"hold_back": 0.9}, "0 to 0.5"),
        (Path("none.csv"), {}, "Cannot read none.csv"),
    ],
)
def test_data_that_are_no_motion_are_refused_in_words(data: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises((CsvError, BadInputError), match=says):
        task_of(data, Options(**options))


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (9.81277, 0.0061, "9.8128 ± 0.0061"),
        (-0.12026, 0.00036, "-0.12026 ± 0.00036"),
        (1234.5, 12.0, "1234 ± 12"),
        (3.02e-5, 4.1e-7, "(3.020 ± 0.041)e-5"),
        (2.5e7, 1.0e5, "(2.500 ± 0.010)e+7"),
        (0.0, 0.25, "0.00 ± 0.25"),
        (2.0, None, "2"),
    ],
)
def test_a_constant_is_written_as_far_as_its_error_says(
    value: float, error: float | None, written: str
) -> None:
    assert uncertain(value, error) == written


def test_axes_have_round_marks() -> None:
    assert ticks(0.0, 10.0) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert ticks(-0.31, 0.29, most=5) == [-0.2, 0.0, 0.2]
    assert ticks(1.0, 1.0) == []


def test_inputs_may_come_beside_the_data() -> None:
    u = np.sin(2.0 * T)
    v = np.cumsum(u) * (T[1] - T[0])
    found = physix.fit((T, v), "v' = b*u", names=["v"], inputs={"u": u}, first_order=["v"])
    assert found.best.params["b"] == pytest.approx(1.0, abs=0.05)
    told = found.best.predict(T, [0.0], inputs={"u": u})
    assert np.abs(told[:, 0] - v).max() < 0.05
    with pytest.raises(BadInputError, match="Input u must have one value for each of the 80 times"):
        found.best.predict(T, [0.0], inputs={"u": u[:3]})


def test_what_a_person_fits_is_recorded_as_theirs() -> None:
    found = physix.fit({"t": T, "y": Y}, "y'' = -g", units=UNITS)
    started = found.events[0].event
    assert started.type == "EpisodeStarted"
    assert started.policy == PERSON


def test_constants_that_are_given_are_drawn_from_the_start_that_suits_them_best() -> None:
    t, k = np.linspace(0.0, 4.0, 60), 0.8
    y = 3.0 * np.exp(-0.7 * t) + 0.01 * np.sin(37.0 * np.arange(60.0))
    y[0] += 0.3  # an outlier, near which a verdict lets the motion begin
    found = physix.fit({"t": t, "y": y}, "dy/dt = -k*y", params={"k": k}, first_order=["y"], hold_back=0.0)
    (curve,) = found.examined.curves
    decay = np.exp(-k * t)
    best = float(y @ decay / (decay @ decay))  # least squares of the start alone
    assert curve.predicted[0, 0] == pytest.approx(best, rel=1e-4)
