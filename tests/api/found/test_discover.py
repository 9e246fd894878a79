"""`physix.discover`: the two examples, run as they are, and what can be done with what they return."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest
import sympy
from scipy.integrate import odeint

import physix
from physix.errors import BadInputError
from physix.store import EpisodeFilter, open_log

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def pendulum() -> physix.Found:
    found: physix.Found = runpy.run_path(str(EXAMPLES / "pendulum_video.py"))["main"]()
    return found


@pytest.fixture(scope="module")
def tanks() -> physix.Found:
    found: physix.Found = runpy.run_path(str(EXAMPLES / "lotka_volterra.py"))["main"]()
    return found


def test_a_video_of_a_pendulum_tells_the_length_of_its_string_and_its_drag(pendulum: physix.Found) -> None:
    assert pendulum.solved
    assert pendulum.best.equation == "d2theta/dt2 = -b*vtheta - w*sin(theta)"
    known = {one.name: one for one in pendulum.best.constants}
    assert known["w"].error is not None
    assert known["b"].error is not None
    assert abs(known["w"].value - 9.81 / 0.842) < 4.0 * known["w"].error < 0.1
    assert abs(known["b"].value - 0.093) < 4.0 * known["b"].error < 0.01
    assert known["w"].unit == "1/s**2"


def test_several_runs_give_one_law_that_holds_on_the_run_left_out(tanks: physix.Found) -> None:
    assert tanks.solved
    assert (len(tanks.task.shown), len(tanks.truth.hidden)) == (3, 1)
    values = sorted(tanks.best.params.values())
    assert values == pytest.approx([0.031, 0.082, 0.74, 1.1], rel=0.02)
    assert len(tanks.best.sympy()) == 2


def test_a_law_predicts_and_simulates_as_its_equation_says(pendulum: physix.Found) -> None:
    law = pendulum.best
    b, w = law.params["b"], law.params["w"]
    t = np.linspace(0.0, 2.0, 21)
    theirs = odeint(lambda s, _t: [s[1], -b * s[1] - w * np.sin(s[0])], [0.5, 0.1], t, rtol=1e-10, atol=1e-12)
    assert np.allclose(law.predict(t, [0.5, 0.1]), theirs, atol=1e-7)
    assert np.allclose(law.predict(t, {"theta": 0.5, "vtheta": 0.1}), theirs, atol=1e-7)
    motion = law.simulate({"theta": 0.5, "vtheta": 0.1}, until=2.0, points=21)
    assert list(motion) == ["t", "theta", "vtheta"]
    assert np.allclose(motion["theta"], theirs[:, 0], atol=1e-7)
    fitted = law.predict(pendulum.task.shown[0].t)
    observed = np.array(pendulum.task.shown[0].states)[:, 0]
    assert np.std(fitted[:, 0] - observed) < 0.005


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ({"theta": 0.5}, "start lacks vtheta"),
        ({"theta": 0.5, "vtheta": 0.0, "x": 1.0}, "start has x"),
        ([0.5], "2 numbers: theta, vtheta"),
        ([0.5, float("nan")], "2 numbers"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(pendulum: physix.Found, start: object, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        pendulum.best.predict([0.0, 1.0], start)  # type: ignore[arg-type]


@pytest.mark.parametrize("t", [[0.0], [1.0, 0.0], [[0.0, 1.0]], [0.0, float("nan")]])
def test_times_must_increase(pendulum: physix.Found, t: list[float]) -> None:
    with pytest.raises(BadInputError, match="increasing"):
        pendulum.best.predict(t)
    with pytest.raises(BadInputError, match="until"):
        pendulum.best.simulate(until=-1.0)


def test_sympy_and_latex_say_the_law(pendulum: physix.Found) -> None:
    t = sympy.Symbol("t", real=True)
    theta = sympy.Function("theta", real=True)(t)
    b, w = sympy.symbols("b w", real=True)
    expected = sympy.Eq(theta.diff(t, 2), -b * theta.diff(t) - w * sympy.sin(theta))
    assert pendulum.best.sympy() == expected
    assert not pendulum.best.sympy(values=True).free_symbols - {t}
    assert pendulum.best.latex() == r"\ddot{\theta} = -b\,v_{\theta} - w\,\sin\left(\theta\right)"


def test_the_tables_hold_law_constants_front_and_next_measurement(pendulum: physix.Found) -> None:
    text = repr(pendulum)
    assert text.startswith("d2theta/dt2 = -b*vtheta - w*sin(theta)\n")
    assert re.search(r"\nw +11\.65\d+ ± 0\.0\d+ ", text)
    for word in ("Constants", "Front", "→", "from all rows", "R² on the held-back data"):
        assert word in text
    shown = pendulum._repr_html_()
    assert "<svg" in shown
    assert shown.count("<table>") >= 2
    assert "<script" not in shown


def test_the_report_is_one_file_that_needs_nothing_else(pendulum: physix.Found, tmp_path: Path) -> None:
    text = pendulum.report(tmp_path / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    sections = ("What was found", "Constants", "Data and law", "Held back", "What is left over", "Other laws")
    for section in (*sections, "How sure the terms are", "How the data were read"):
        assert f"<h2>{section}</h2>" in text
    assert "Autocorrelation of theta" in text
    assert "Quantiles of theta" in text
    assert "held back</text>" in text
    assert not re.search(r"<script|<link|\bsrc=|href=|@import|url\(", text)
    assert "nan" not in re.sub(r"<[^>]*>", "", text).lower().split()
    with pytest.raises(BadInputError, match="Cannot write"):
        pendulum.report(tmp_path / "none" / "report.html")


def test_every_discovery_is_an_episode_that_a_log_can_take(pendulum: physix.Found, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    assert pendulum.save(url) == pendulum.save(url) == pendulum.episode_id

    async def listed() -> list[str]:
        async with open_log(url, read_only=True) as log:
            return [row.episode_id for row in (await log.list_episodes(EpisodeFilter())).items]

    assert anyio.run(listed) == [pendulum.episode_id]


def test_it_works_where_a_loop_runs_already(tmp_path: Path) -> None:
    async def cell() -> physix.Result:
        t = np.arange(60) / 30
        return physix.fit({"t": t, "y": 20.0 - 4.905 * t**2}, "y'' = -g", units={"t": "s", "y": "m"})

    assert anyio.run(cell).best.params["g"] == pytest.approx(9.81, rel=1e-6)


def test_the_door_opens_without_a_server_a_model_or_torch() -> None:
    heavy = "[name for name in ('torch', 'fastapi', 'uvicorn', 'openenv', 'sympy') if name in sys.modules]"
    asked = f"import sys, physix; light = 'numpy' not in sys.modules; physix.discover; print(light, {heavy})"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True []"
