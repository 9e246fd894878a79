import math
from pathlib import Path

import numpy as np
import pytest

from physix.engine.systems.measured import measured_task, read_table, task_from_csv
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import BadInputError, CsvError

GOOD = "t,x\n" + "".join(f"{i},{i * i}\n" for i in range(9))
DATA = Path(__file__).parents[4] / "examples" / "data"
SHIPPED = {path.stem: ["y", "vy"] for path in DATA.glob("*_?.csv")} | {
    "hare_lynx": ["hare", "lynx"],
    "lotka_volterra_runs": ["prey", "predators"],
    "pendulum_video": ["x", "y", "vx", "vy"],
}


def swing(rows: int, head: str = "t,y\ns,m\n") -> str:
    return head + "\n".join(f"{0.1 * i:.2f},{math.cos(0.3 * i):.6f}" for i in range(rows))


def test_a_table_becomes_a_task_with_its_samples_and_units() -> None:
    text = "t,y,vy\ns,m,m/s\n" + "".join(f"{i},{10 - i * i},{-2 * i}\n" for i in range(8))
    task, truth = task_from_csv(text, hint=" A ball. ", title="Drop")
    assert (task.system_id, task.title, task.hint, task.time_unit) == ("csv", "Drop", "A ball.", "s")
    assert [(v.name, v.unit, v.rate_of) for v in task.variables] == [("y", "m", None), ("vy", "m/s", "y")]
    assert task.shown[0].t == tuple(map(float, range(8)))
    assert task.shown[0].states[3] == (1.0, -6.0)
    assert (task.seed, task.tier, task.measured) == (None, None, True)
    assert (truth.equation, truth.params, truth.hidden) == (None, {}, ())


def test_the_same_table_is_the_same_task() -> None:
    assert task_from_csv(GOOD, hint="") == task_from_csv(GOOD, hint="")
    assert (
        task_from_csv(GOOD, hint="")[0].task_id != task_from_csv(GOOD.replace("x", "z"), hint="")[0].task_id
    )


@pytest.mark.parametrize(
    ("header", "symbols"),
    [
        ("t,theta,omega", [r"\theta", r"\dot{\theta}"]),
        ("t,y,vy", ["y", "v_{y}"]),
        ("t,x1,v1", ["x_{1}", "v_{1}"]),
        ("t,upsilon,Omega", [r"\upsilon", r"\Omega"]),
    ],
)
def test_columns_have_latex_symbols(header: str, symbols: list[str]) -> None:
    rows = "\n".join(f"{i / 10},{math.sin(i / 10)},{math.cos(i / 10)}" for i in range(30))
    assert [v.symbol for v in task_from_csv(f"{header}\n{rows}", hint="")[0].variables] == symbols


@pytest.mark.parametrize(("rows", "hidden"), [(39, 0), (40, 10), (100, 25)])
def test_the_last_quarter_is_held_back_from_forty_rows_on(rows: int, hidden: int) -> None:
    task, truth = task_from_csv(swing(rows), hint="")
    assert sum(len(one.t) for one in truth.hidden) == hidden
    assert len(task.shown[0].t) == rows - hidden
    if hidden:
        assert truth.hidden[0].t[0] > task.shown[0].t[-1]


@pytest.mark.parametrize(("share", "hidden"), [(0.0, 0), (0.5, 50), (0.1, 10)])
def test_a_share_that_is_said_is_kept(share: float, hidden: int) -> None:
    _, truth = task_from_csv(swing(100), hint="", hold_back=share)
    assert sum(len(one.t) for one in truth.hidden) == hidden


@pytest.mark.parametrize(("runs", "hidden"), [(2, 1), (4, 1), (6, 2), (8, 2)])
def test_of_several_runs_whole_ones_are_held_back(runs: int, hidden: int) -> None:
    text = "run,t,y\n" + "\n".join(
        f"{r},{0.1 * i:.1f},{math.cos(0.3 * i + r):.6f}" for r in range(runs) for i in range(25)
    )
    task, truth = task_from_csv(text, hint="")
    assert (len(task.shown), len(truth.hidden)) == (runs - hidden, hidden)
    assert {len(one.t) for one in (*task.shown, *truth.hidden)} == {25}
    # The last ones, in the order of the file.
    starts = [one.states[0][0] for one in (*task.shown, *truth.hidden)]
    assert starts == pytest.approx([math.cos(r) for r in range(runs)], abs=1e-6)


def test_a_second_table_is_held_back_as_a_whole() -> None:
    task, truth = task_from_csv(swing(60), hint="", held_back_csv=swing(30))
    assert len(task.shown[0].t) == 60
    assert [len(one.t) for one in truth.hidden] == [30]


@pytest.mark.parametrize(
    ("other", "said"),
    [(swing(30, "t,z\ns,m\n"), "no column 'y'"), (swing(30, "t,y\ns,cm\n"), "other units"), ("", "empty")],
)
def test_a_second_table_that_does_not_match_is_refused(other: str, said: str) -> None:
    with pytest.raises(CsvError, match=said):
        task_from_csv(swing(60), hint="", held_back_csv=other)


@pytest.mark.parametrize("share", [-0.1, 0.51, math.nan])
def test_a_senseless_share_or_noise_is_refused(share: float) -> None:
    with pytest.raises(BadInputError, match="from 0 to"):
        task_from_csv(GOOD, hint="", hold_back=share)
    with pytest.raises(BadInputError, match="from 0 to 1"):
        task_from_csv(GOOD, hint="", noise=2 + share)


@pytest.mark.parametrize("words", ["x" * 1_001, "\udfff"])
def test_a_hint_that_is_too_long_or_no_text_is_refused(words: str) -> None:
    with pytest.raises(BadInputError, match="Hint"):
        task_from_csv(GOOD, hint=words)


def test_a_stated_noise_level_is_kept() -> None:
    task = task_from_csv(GOOD, hint="", noise=0.1)[0]
    assert (task.noise, task.noises) == (0.1, ())


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_the_noise_of_each_variable_is_estimated(level: float) -> None:
    rng = np.random.default_rng(5)
    t = np.linspace(0, 20, 400)
    rows = np.stack([t, np.sin(t) + level * rng.standard_normal(400), 3 * np.cos(t)], axis=1)
    task = task_from_csv("t,a,b\n" + "\n".join(",".join(f"{v:.9f}" for v in row) for row in rows), hint="")[0]
    assert task.noises[0].absolute == pytest.approx(level, rel=0.25)
    assert task.noises[1].absolute < 1e-3
    assert task.noise == pytest.approx(level / 0.7 / math.sqrt(2), rel=0.35)


def test_an_estimated_velocity_is_marked_and_near_the_true_one_under_noise() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(400) * 0.02
    y = np.cos(2 * t) + 0.02 * rng.standard_normal(400)
    text = "t,y\ns,m\n" + "\n".join(f"{a:.2f},{b:.6f}" for a, b in zip(t, y, strict=True))
    task = task_from_csv(text, hint="", hold_back=0.0)[0]
    assert [(v.name, v.unit, v.rate_of, v.estimated) for v in task.variables] == [
        ("y", "m", None, False),
        ("vy", "m/s", "y", True),
    ]
    inner = slice(30, -30)
    off = np.array(task.shown[0].states)[inner, 1] + 2 * np.sin(2 * t[inner])
    assert np.sqrt(np.mean(off**2)) < 0.15


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.stem)
def test_the_shipped_files_need_no_roles(path: Path) -> None:
    table = read_table(path.read_bytes())
    assert [str(problem) for problem in table.problems if problem.severity != "note"] == []
    task = measured_task(table).task
    assert [variable.name for variable in task.variables] == SHIPPED[path.stem]


def test_held_back_rows_that_hardly_move_are_said() -> None:
    def said(seconds: float) -> list[str]:
        times = [seconds * i / 79 for i in range(80)]
        rows = "\n".join(
            f"{t:.4f},{10 * (1 - math.exp(-2 * t)) + 0.01 * (-1) ** i}" for i, t in enumerate(times)
        )
        found = measured_task(read_table(f"t,U\ns,V\n{rows}\n"))
        return [str(problem) for problem in found.problems if "hardly moves" in str(problem)]

    assert "held back of U hardly moves" in said(8.0)[0]
    assert said(1.0) == []


@pytest.mark.parametrize(
    ("damping", "factor", "solved"), [(0.4, 1.0, True), (0.4, 0.985, False), (0.0, 1.0, False)]
)
def test_a_held_back_run_of_louder_noise_is_judged_by_its_own(
    damping: float, factor: float, solved: bool
) -> None:
    t = np.linspace(0.0, 6.0, 120)
    rng = np.random.default_rng(7)
    turn = math.sqrt(9.0 - 0.2**2)
    rows = ["t (s),run,x (cm)"]
    for run, size in enumerate((1.0, 0.6, 4.0), start=1):
        x = size * np.exp(-0.2 * t) * (np.cos(turn * t) + 0.2 / turn * np.sin(turn * t))
        noisy = x + 0.01 * x.std() * rng.standard_normal(len(t))
        rows += [f"{a:.6g},{run},{b:.6g}" for a, b in zip(t, noisy, strict=True)]
    task, truth = task_from_csv("\n".join(rows), hint="")
    law = Hypothesis(equation="d2x/dt2 = -k*x - b*vx", params={"k": 9.0 * factor, "b": damping})
    told = verify(task, truth, law, best_match=0.0, config=VerifierConfig(profile="strict"))
    assert told.solved is solved
