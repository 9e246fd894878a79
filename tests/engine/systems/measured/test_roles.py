import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from physix.engine.systems.measured import Choice, choose, measured_task, read_table, table_from_columns
from physix.engine.systems.task import Task
from physix.errors import CsvError

FloatArray = NDArray[np.float64]
T: FloatArray = np.linspace(0.0, 3.95, 80)


def text_of(**columns: FloatArray) -> str:
    return (
        ",".join(columns)
        + "\n"
        + "\n".join(",".join(f"{v:.8g}" for v in row) for row in zip(*columns.values(), strict=True))
    )


def kinds(text: str) -> dict[str, str]:
    table = read_table(text)
    return {c.name: c.role.kind + (f" of {c.role.of}" if c.role.of else "") for c in table.columns}


SWING, RATE = np.cos(2 * T), -2 * np.sin(2 * T)


@pytest.mark.parametrize(
    ("position", "rate"),
    [
        ("y", "vy"),
        ("y", "v"),
        ("y", "y_dot"),
        ("y", "dy"),
        ("theta", "omega"),
        ("theta2", "omega2"),
        ("x1", "v1"),
        ("position", "velocity"),
        ("height", "v"),
        ("phi", "phidot"),
        ("Angle", "Angular velocity"),
        ("x", "dx/dt"),
    ],
)
def test_a_velocity_is_recognised_where_name_and_numbers_agree(position: str, rate: str) -> None:
    table = read_table(text_of(**{"t": T, position: SWING, rate: RATE}))
    (found,) = [c for c in table.columns if c.role.kind == "rate"]
    assert found.label == rate
    assert table[found.role.of or ""].label == position
    assert table.proposal == ()


def test_units_make_a_velocity_where_the_name_does_not() -> None:
    found = kinds(text_of(**{"t (s)": T, "gauge (m)": SWING, "probe (m/s)": RATE}))
    assert found == {"t": "time", "gauge": "state", "probe": "rate of gauge"}


def test_a_v_that_is_a_voltage_is_a_state() -> None:
    w = np.array([0.3 * math.sin(0.7 * t) + 0.5 for t in T])
    assert kinds(text_of(t=T, v=np.cos(2.3 * T) ** 3, w=w)) == {"t": "time", "v": "state", "w": "state"}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Höhe", "Hohe"),
        ("θ₁", "theta1"),
        ("2nd reading", "c2nd_reading"),
        ("sin", "sin_1"),
        ("tanh", "tanh_1"),
        ("pi", "pi_1"),
        ("температура", "c2"),
        ("U(t)", "U"),
        ("x" * 60, "x" * 24),
        ("filtered altitude [AGL m]", "filtered_altitude_AGL_m"),
    ],
)
def test_any_header_becomes_a_legal_name_and_keeps_its_own_as_label(label: str, name: str) -> None:
    table = read_table(f'"t","{label}"\n' + "\n".join(f"{i},{1.0 / (i + 1)}" for i in range(12)))
    assert (table.columns[1].name, table.columns[1].label) == (name, label)
    variable = measured_task(table).task.variables[0]
    assert (variable.name, variable.label) == (name, None if label == name else label)


def test_equal_headers_become_different_names() -> None:
    table = read_table("t,x,x,X\n" + "\n".join(f"{i},{i * i},{i**3},{i**4}" for i in range(12)))
    assert [c.name for c in table.columns] == ["t", "x", "x_2", "X"]


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("Height (m)", "m"),
        ("v [m/s]", "m/s"),
        ("v (ms-1)", "m/s"),
        ("a / (m/s²)", "m/s^2"),
        ("T in °C", "degC"),
        ("Angle (°)", "deg"),
        ("ω [°/s]", "deg/s"),
        ("pos_mm", "mm"),
        ("U_mV", "mV"),
        ("x (filtered)", None),
        ("x_min", None),
        ("v_in", None),
        ("I_A", "A"),
    ],
)
def test_units_are_found_in_headers(label: str, unit: str | None) -> None:
    table = read_table(f"t,{label}\n" + "\n".join(f"{i},{1.0 / (i + 1)}" for i in range(12)))
    assert table.columns[1].unit == unit


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("time", None),
        ("Time (s)", "s"),
        ("ts", None),
        ("t_min", "min"),
        ("Zeit / ms", "ms"),
        ("millis", "ms"),
        ("Elapsed time", None),
        ("Timestamp", None),
        ("t, s", "s"),
        ("Second", "s"),
    ],
)
def test_the_time_is_found_under_many_names(label: str, unit: str | None) -> None:
    table = read_table(f'"x","{label}"\n' + "\n".join(f"{1.0 / (i + 1)},{i * 0.5}" for i in range(12)))
    assert [c.role.kind for c in table.columns] == ["state", "time"]
    assert table.columns[1].unit == unit


def test_a_temperature_called_capital_t_is_no_time() -> None:
    assert kinds(text_of(T=90 - T, t=T)) == {"T": "state", "t": "time"}


ASIDE = {
    "frame": np.arange(80.0) + 36,
    "": np.arange(80.0),
    "rownames": np.arange(1.0, 81.0),
    "clock (ms)": 1000 * T + 17,
    "ax": -4 * SWING,
    "constant": np.full(80, 3.0),
}


@pytest.mark.parametrize("label", ASIDE)
def test_what_is_no_state_is_set_aside(label: str) -> None:
    columns = {label: ASIDE[label], "t": T, "x": SWING, "vx": RATE}
    table = read_table(text_of(**columns))
    assert [c.role.kind for c in table.columns] == ["ignore", "time", "state", "rate"]
    assert table.columns[0].why


def test_the_length_of_a_vector_is_no_state() -> None:
    x, y, z = SWING, RATE, 0.3 * SWING**2
    total = np.sqrt(x**2 + y**2 + z**2)
    labels = [f"Acceleration {axis} (m/s^2)" for axis in "xyz"]
    columns = {
        "Time (s)": T,
        **dict(zip(labels, (x, y, z), strict=True)),
        "Absolute acceleration (m/s^2)": total,
    }
    assert list(kinds(text_of(**columns)).values()) == ["time", "state", "state", "state", "ignore"]


@pytest.mark.parametrize("label", ["errU", "err_U", "U_err", "sigma_U", "U error", "U_std", "±"])
def test_an_uncertainty_is_taken_as_sigma(label: str) -> None:
    errors = np.full(80, -0.02)
    table = read_table(text_of(**{"t": T, "U": np.exp(-T), label: errors}))
    made = measured_task(table)
    assert table.columns[2].role.kind == "sigma"
    assert made.task.shown[0].sigma[0] == (0.02,)
    assert made.task.noises[0].absolute == pytest.approx(0.02)
    assert any("negative" in problem.message for problem in made.problems)


def test_a_torque_is_an_input_and_u_is_one_where_something_moves() -> None:
    drive = np.sign(np.sin(3 * T))
    assert kinds(text_of(t=T, theta=SWING, omega=RATE, torque=drive))["torque"] == "input"
    assert kinds(text_of(t=T, x=SWING, vx=RATE, u=drive))["u"] == "input"
    assert kinds(text_of(t=T, u=np.exp(-T)))["u"] == "state"
    assert kinds(text_of(t=T, u=drive, v_out=SWING)) == {"t": "time", "u": "input", "v_out": "state"}
    table = read_table(text_of(t=T, theta=SWING, omega=RATE, torque=drive))
    task = measured_task(table).task
    assert [v.name for v in task.inputs] == ["torque"]
    assert len(task.shown[0].inputs) == len(task.shown[0].t)
    assert task.shown[0].inputs[5] == (drive[5],)


Curve = Callable[[FloatArray], FloatArray]
DECAY: Curve = lambda t: 5 * np.exp(-t)  # noqa: E731  # a table of curves reads best as one
FALL: Curve = lambda t: 20 - 4.9 * t**2  # noqa: E731
GLIDE: Curve = lambda t: 0.02 + 0.1 * t + 0.57 * t**2  # noqa: E731
GROWTH: Curve = lambda t: 10 / (1 + 50 * np.exp(-2.5 * t))  # noqa: E731
RING: Curve = lambda t: 0.4 + np.exp(-0.2 * t) * np.cos(4 * t)  # noqa: E731


@pytest.mark.parametrize(
    ("label", "curve", "order"),
    [
        ("y (m)", FALL, 2),
        ("x (cm)", GLIDE, 2),
        ("theta (rad)", RING, 2),
        ("height", FALL, 2),
        ("x", GLIDE, 2),
        ("U (V)", RING, 2),
        ("U (V)", DECAY, 1),
        ("temp (degC)", DECAY, 1),
        ("N", GROWTH, 1),
        ("x", DECAY, 1),
        ("x", GROWTH, 1),
        ("S (mM)", DECAY, 1),
        ("level (cm)", DECAY, 1),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_the_order_goes_by_unit_name_and_numbers(label: str, curve: Curve, order: int, noise: float) -> None:
    values = curve(T) + noise * np.random.default_rng(3).standard_normal(80)
    table = read_table(text_of(**{"t (s)": T, label: values}))
    assert table.columns[1].role.order == order
    task = measured_task(table).task
    assert [v.estimated for v in task.variables] == [False, True][:order]


def lorenz() -> FloatArray:
    state, rows = np.array([-8.0, 7.0, 27.0]), []
    for _ in range(400):
        rows.append(state)
        for _ in range(20):
            x, y, z = state
            state = state + 1e-3 * np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
    return np.array(rows)


def test_coordinates_whose_rates_follow_from_them_are_first_order_and_a_throw_is_second() -> None:
    rows = lorenz()
    chaos = table_from_columns(
        {"t": np.arange(400) * 0.02, "x": rows[:, 0], "y": rows[:, 1], "z": rows[:, 2]}
    )
    assert [c.role.order for c in chaos.columns[1:]] == [1, 1, 1]
    throw = table_from_columns({"t": T, "x": 3 * T, "y": 2 + 5 * T - 4.9 * T**2})
    assert [c.role.order for c in throw.columns[1:]] == [2, 2]


TABLE = read_table(text_of(frame=np.arange(80.0), t=T, height=SWING, v=RATE, e=np.full(80, 0.1), u=T % 1))


def test_an_acceleration_beside_angles_alone_is_that_of_what_carries_them() -> None:
    shaken = {"t (s)": T, "theta (rad)": SWING, "acceleration (m/s^2)": np.sin(1.3 * T)}
    assert kinds(text_of(**shaken))["acceleration"] == "input"
    dropped = {"t (s)": T, "y (m)": SWING, "acceleration (m/s^2)": np.sin(1.3 * T)}
    assert kinds(text_of(**dropped))["acceleration"] == "ignore"


def roles(**said: object) -> dict[str, str]:
    chosen = choose(TABLE, Choice(**said))  # type: ignore[arg-type]  # the cases are typed by their meaning
    return {
        name: role.kind + (f" of {role.of}" if role.of else "") + str(role.order or "")
        for name, role in chosen.items()
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"inputs": ["u"]}, {"u": "input", "height": "state", "v": "rate of height"}),
        ({"ignore": ["v"]}, {"v": "ignore", "height": "state2"}),
        ({"first_order": ["v"]}, {"v": "state1", "height": "state1"}),
        ({"first_order": ["height", "v"]}, {"v": "state1", "height": "state1"}),
        ({"second_order": ["height"]}, {"height": "state2", "v": "ignore"}),
        ({"rate": {"u": "height"}}, {"u": "rate of height", "v": "ignore"}),
        ({"sigma": {"e": "height"}}, {"e": "sigma of height"}),
        ({"time": "frame"}, {"frame": "time", "t": "ignore"}),
        ({"run": "u"}, {"u": "run"}),
        ({"states": ["frame"]}, {"frame": "state1"}),
    ],
)
def test_what_is_said_overrules_the_proposal_with_its_consequences(
    said: dict[str, object], expected: dict[str, str]
) -> None:
    found = roles(**said)
    assert {name: found[name.replace("e", "e_1") if name == "e" else name] for name in expected} == expected


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(CsvError, match=r"'b'.*the columns are.*'a'"):
        choose(TABLE, Choice(ignore=["a"], inputs=["b"]))
    with pytest.raises(CsvError, match="at once"):
        choose(TABLE, Choice(ignore=["v"], inputs=["v"]))


def test_all_problems_come_in_one_answer() -> None:
    columns = {f"a{i}": np.sin(i * T) for i in range(1, 11)}
    table = read_table(text_of(**columns))
    with pytest.raises(CsvError, match=r"2 problems: \(1\).*the time.*\(2\).*at most 8"):
        measured_task(table)


def task_of(text: str, **said: object) -> Task:
    table = read_table(text)
    return measured_task(table, choose(table, Choice(**said))).task  # type: ignore[arg-type]  # as above


def test_degrees_are_converted_and_that_is_said() -> None:
    text = text_of(**{"t (s)": T, "theta (deg)": np.degrees(SWING), "omega (deg/s)": np.degrees(RATE)})
    made = measured_task(read_table(text))
    assert [v.unit for v in made.task.variables] == ["rad", "rad/s"]
    assert made.task.shown[0].states[7] == pytest.approx((SWING[7], RATE[7]), rel=1e-6)
    assert sum("converted from deg" in problem.message for problem in made.problems) == 2


def test_a_rate_in_other_units_is_converted_and_that_is_said() -> None:
    text = text_of(**{"t (ms)": 1000 * T, "y (m)": SWING, "vy (m/s)": RATE})
    made = measured_task(read_table(text))
    (said,) = [str(p) for p in made.problems if p.severity == "warning"]
    assert "not dy/dt" in said
    assert "1000 times" in said
    assert made.task.variables[1].unit == "m/ms"
    assert made.task.shown[0].states[7][1] == pytest.approx(RATE[7] / 1000)


@pytest.mark.parametrize(
    ("factor", "said"),
    [(-1.0, "-dy/dt"), (1000.0, "0.001"), (0.001, "1000"), (1 / 3.6, "3.6"), (math.pi / 180, "57.3")],
)
def test_a_rate_that_the_numbers_contradict_is_refused_before_anything_runs(factor: float, said: str) -> None:
    text = text_of(t=T, y=SWING, vy=factor * RATE)
    table = read_table(text)
    (problem,) = table.proposal
    assert problem.severity == "error"
    assert said in str(problem)
    assert "--ignore vy" in problem.remedy
    with pytest.raises(CsvError):
        measured_task(table)
    assert [v.estimated for v in task_of(text, ignore=["vy"]).variables] == [False, True]


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.2])
def test_a_noisy_rate_is_still_one(noise: float) -> None:
    rng = np.random.default_rng(1)
    text = text_of(
        t=T, y=SWING + noise * rng.standard_normal(80), vy=RATE + 2 * noise * rng.standard_normal(80)
    )
    assert read_table(text).proposal == ()


def test_a_rate_whose_unit_cannot_be_one_is_refused() -> None:
    text = text_of(**{"t (s)": T, "x (m)": SWING, "vx (m)": RATE})
    with pytest.raises(CsvError, match="m/s"):
        task_of(text, rate={"vx": "x"})


def test_a_unit_that_is_said_replaces_that_of_the_file() -> None:
    assert task_of(text_of(t=T, x=FALL(T)), units={"x": "cm", "t": "s"}).variables[0].unit == "cm"


def test_angles_that_look_like_degrees_are_asked_about() -> None:
    (problem,) = read_table(text_of(t=T, theta=80 * SWING)).proposal
    assert problem.severity == "warning"
    assert "--unit theta=deg" in problem.remedy


@pytest.mark.parametrize("seed", range(8))
def test_a_growth_whose_noise_grows_along_does_not_turn_back_on_its_plateau(seed: int) -> None:
    t = np.arange(0.0, 48.0, 0.5)
    size = 930.0 / (1.0 + (930.0 / 8.0 - 1.0) * np.exp(-0.27 * t))
    noisy = size * (1.0 + 0.03 * np.random.default_rng(seed).normal(size=len(t)))
    (population,) = (c for c in read_table(text_of(time=t, N=noisy)).columns if c.name == "N")
    assert population.role.order == 1
