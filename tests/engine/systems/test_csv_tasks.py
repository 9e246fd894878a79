import math
from collections.abc import Callable

import numpy as np
import pytest

from physix.engine.systems import Task, task_from_csv
from physix.engine.systems.csv_tasks import estimate_noise
from physix.engine.systems.task import Trajectory
from physix.errors import BadInputError, CsvError
from physix.limits import MAX_ROWS, MAX_TABLE_BYTES, MIN_ROWS


def table(header: str, rows: int = 12, units: str | None = None) -> str:
    """A valid CSV in which every state is a smooth function of t."""
    columns = header.count(",")
    lines = [header] if units is None else [header, units]
    for i in range(rows):
        states = [repr(math.sin(0.1 * i + j)) for j in range(columns)]
        lines.append(",".join([repr(0.1 * i), *states]))
    return "\n".join(lines) + "\n"


def read(text: str) -> Task:
    return task_from_csv(text, hint="A ball.")[0]


def rates(header: str) -> dict[str, str | None]:
    return {v.name: v.rate_of for v in read(table(header)).variables}


def test_a_table_becomes_a_task_with_its_samples_and_units() -> None:
    text = "t,y,vy\ns,m,m/s\n" + "".join(f"{i},{10 - i * i},{-2 * i}\n" for i in range(8))
    task, truth = task_from_csv(text, hint=" A ball. ", title="Drop")
    assert (task.system_id, task.title, task.hint, task.time_unit) == ("csv", "Drop", "A ball.", "s")
    assert [(v.name, v.unit, v.rate_of) for v in task.variables] == [("y", "m", None), ("vy", "m/s", "y")]
    assert task.shown[0].t == tuple(map(float, range(8)))
    assert task.shown[0].states[3] == (1.0, -6.0)
    assert (task.seed, task.tier) == (None, None)
    assert (truth.equation, truth.params, truth.hidden) == (None, {}, ())


def test_the_same_text_is_the_same_task() -> None:
    assert read(table("t,x")) == read(table("t,x"))
    assert read(table("t,x")).task_id != read(table("t,y")).task_id


def test_the_time_column_may_stand_anywhere() -> None:
    text = "y,t,x\n" + "".join(f"{i}.5,{i},{i}.25\n" for i in range(9))
    task = read(text)
    assert [v.name for v in task.variables] == ["y", "x"]
    assert task.shown[0].states[2] == (2.5, 2.25)


def test_spaces_blank_lines_quotes_and_a_byte_order_mark_do_no_harm() -> None:
    rows = "".join(f' {i} , "{i}.5"\r\n\r\n' for i in range(9))
    assert read("\ufefft , x\r\n" + rows).shown[0].states[1] == (1.5,)


def test_without_a_units_row_units_are_undeclared() -> None:
    task = read(table("t,y,vy"))
    assert task.time_unit is None
    assert {v.unit for v in task.variables} == {None}


@pytest.mark.parametrize("unit", ["1", "-"])
def test_a_pure_number_has_unit_one(unit: str) -> None:
    assert read(table("t,x", units=f"s,{unit}")).variables[0].unit == "1"


def test_a_first_row_of_ones_is_no_units_row() -> None:
    text = "t,x\n" + "".join(f"{i},{i}\n" for i in range(1, 9))
    assert len(read(text).shown[0].t) == 8


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("t,y,vy", {"vy": "y"}),
        ("t,vy,y", {"vy": "y"}),
        ("t,y,v", {"v": "y"}),
        ("t,y,y_dot", {"y_dot": "y"}),
        ("t,y,dy", {"dy": "y"}),
        ("t,theta,omega", {"omega": "theta"}),
        ("t,theta,dtheta", {"dtheta": "theta"}),
        ("t,theta1,theta2,omega1,omega2", {"omega1": "theta1", "omega2": "theta2"}),
        ("t,x1,x2,v1,v2", {"v1": "x1", "v2": "x2"}),
        ("t,x,y,vx,vy", {"vx": "x", "vy": "y"}),
        ("t,x,y,v", {}),
        ("t,prey,predators", {}),
        ("t,dvx,vx,x", {"vx": "x"}),
        ("t,v,dv", {"dv": "v"}),
    ],
)
def test_velocities_are_recognised_by_name(header: str, expected: dict[str, str]) -> None:
    assert {name: of for name, of in rates(header).items() if of is not None} == expected


@pytest.mark.parametrize(
    ("header", "symbols"),
    [
        ("t,theta,omega", [r"\theta", r"\dot{\theta}"]),
        ("t,y,vy", ["y", "v_{y}"]),
        ("t,x1,v1", ["x_{1}", "v_{1}"]),
        ("t,room_temp,u", [r"\mathrm{room\_temp}", "u"]),
    ],
)
def test_columns_have_latex_symbols(header: str, symbols: list[str]) -> None:
    assert [v.symbol for v in read(table(header)).variables] == symbols


GOOD = "t,x\n" + "".join(f"{i},{i * i}\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The CSV is empty"),
        ("\n\n", "The CSV is empty"),
        (table("time,x"), "no column t for the time; the columns are: time, x"),
        ("t\n" + "1\n" * 9, "0 state columns"),
        (GOOD.replace(",", ";"), "separate columns by commas"),
        (table("t,x,x"), "'x' appears 2 times"),
        (table("t,t,x"), "'t' appears 2 times"),
        (table("t,"), "has no name"),
        (table("t,höhe"), "'höhe' is not allowed"),
        (table("t,2x"), "'2x' is not allowed"),
        (table("t,x [m]"), "units go into a second line"),
        (table("t," + "x" * 33), "at most 32 characters"),
        (table("t,sin"), "'sin' is not allowed: it means something else"),
        (table("t,pi"), "'pi' is not allowed"),
        (table("t,a,b,c,d,f,g,h,i,j"), "9 state columns"),
        (table("t,y,vy,dy"), "vy and dy both look like the velocity of y"),
        (GOOD.replace("3,9", "3,nine"), "Line 5, column x: 'nine' is not a number"),
        (GOOD.replace("0,0", "nought,0.5"), "Line 2, column t: 'nought' is not a number"),
        (GOOD.replace("3,9", "3,1_0"), "'1_0' is not a number"),
        (GOOD.replace("3,9", "3,٣"), "is not a number"),
        (GOOD.replace("3,9", "3,"), "Line 5, column x: the value is missing"),
        (GOOD.replace("3,9", "3"), "Line 5 has 1 cells; the header has 2"),
        (GOOD.replace("3,9", "3,9,9"), "Line 5 has 3 cells"),
        (GOOD.replace("3,9", "3,NaN"), "Line 5, column x: NaN is not a finite number"),
        (GOOD.replace("0,0", "nan,0"), "Line 2, column t: nan is not a finite number"),
        (GOOD.replace("3,9", "3,-inf"), "-inf is not a finite number"),
        (GOOD.replace("3,9", "3,1e999"), "beyond ±1e\\+12"),
        (GOOD.replace("3,9", "3,2e12"), "beyond ±1e\\+12"),
        (GOOD.replace("3,9", "2,9"), "Line 5: time 2.0 appears twice"),
        (GOOD.replace("3,9", "1.5,9"), "Line 5: time 1.5 comes after 2.0"),
        (table("t,x", MIN_ROWS - 1), "7 rows of numbers; 8 to 10000 are allowed"),
        (table("t,x", MAX_ROWS + 1), "10001 rows of numbers"),
        (table("t,x", units="s"), "Line 2 \\(units\\) has 1 cells"),
        (table("t,x", units="s," + "m" * 33), "too long for a unit"),
        ("t,x\n0,\0\n", "characters that are no text"),
        ("t,x\n0,\ud800\n", "characters that are no text"),
        ("t,x\n0," + "1" * 140_000 + "\n", "Line 2 is no CSV"),
        ("t,x\n" + " " * MAX_TABLE_BYTES, f"at most {MAX_TABLE_BYTES} are allowed"),
    ],
)
def test_a_table_that_is_no_trajectory_is_refused_in_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(CsvError, match=message) as refused:
        read(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("rows", [MIN_ROWS, MAX_ROWS])
def test_the_shortest_and_the_longest_table_are_accepted(rows: int) -> None:
    assert len(read(table("t,x", rows)).shown[0].t) == rows


@pytest.mark.parametrize("words", ["x" * 1_001, "\udfff"])
def test_a_hint_that_is_too_long_or_no_text_is_refused(words: str) -> None:
    with pytest.raises(BadInputError, match="Hint"):
        task_from_csv(GOOD, hint=words)


def test_a_stated_noise_level_is_kept_and_a_senseless_one_refused() -> None:
    assert task_from_csv(GOOD, hint="", noise=0.1)[0].noise == 0.1
    with pytest.raises(BadInputError, match="from 0 to 1"):
        task_from_csv(GOOD, hint="", noise=math.nan)


def swing(level: float, times: Callable[[np.random.Generator], np.ndarray]) -> Trajectory:
    rng = np.random.default_rng(5)
    t = times(rng)
    states = np.stack([np.sin(t), np.cos(t)], axis=1)
    states += level * states.std(axis=0) * rng.standard_normal(states.shape)
    return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))


@pytest.mark.parametrize("level", [0.01, 0.02, 0.05, 0.1])
@pytest.mark.parametrize(
    "times",
    [
        lambda _: np.linspace(0.0, 20.0, 200),
        lambda rng: np.cumsum(rng.uniform(0.05, 0.15, 200)),
    ],
    ids=["even", "uneven"],
)
def test_the_noise_of_a_table_is_estimated_within_a_quarter(
    level: float, times: Callable[[np.random.Generator], np.ndarray]
) -> None:
    assert estimate_noise(swing(level, times)) == pytest.approx(level, rel=0.25)


def test_clean_data_is_estimated_as_almost_noise_free() -> None:
    assert estimate_noise(swing(0.0, lambda _: np.linspace(0.0, 20.0, 100))) < 0.002


def test_a_few_outliers_do_not_move_the_estimate() -> None:
    clean = swing(0.02, lambda _: np.linspace(0.0, 20.0, 200))
    states = list(clean.states)
    for row in (20, 90, 150):
        states[row] = (50.0, -50.0)
    spoiled = estimate_noise(Trajectory(t=clean.t, states=tuple(states)))
    spread = np.array(states).std() / np.array(clean.states).std()
    assert spoiled * spread == pytest.approx(0.02, rel=0.3)


def test_a_column_that_never_moves_has_no_noise() -> None:
    assert read("t,x\n" + "".join(f"{i},1\n" for i in range(9))).noise == 0.0
