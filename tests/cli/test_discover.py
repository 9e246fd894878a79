"""`physix discover` and `physix fit` on a file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.errors import BadInputError


@pytest.fixture
def drop(tmp_path: Path) -> str:
    rows = "\n".join(
        f"{i / 30:.4f},{20 - 4.905 * (i / 30) ** 2 + 0.004 * math.sin(7919 * i):.5f}" for i in range(60)
    )
    path = tmp_path / "drop.csv"
    path.write_text(f"t,y\ns,m\n{rows}\n")
    return str(path)


def test_a_file_becomes_a_law_with_a_report_and_json(drop: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    words = ["discover", drop, "--hint", "A stone falls.", "--report", str(report), "--json"]
    told = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert told["outcome"] == "solved"
    (constant,) = told["constants"]
    assert abs(constant["value"]) == pytest.approx(9.81, rel=0.01)
    assert told["discovery"]["chosen"]["equation"] == told["equation"]
    assert "A stone falls." in report.read_text()


def test_a_law_of_ones_own_is_fitted_and_told_in_a_table(drop: str) -> None:
    words = ["fit", drop, "--law", "y'' = -g - c*y'", "--param", "c=0"]
    shown = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert shown.startswith("d2y/dt2 = -g - c*vy")
    assert "m/s**2" in shown
    assert "±" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--law", "y'' = -g*"], "cannot be read"),
        (["--law", "y'' = -g", "--param", "g=much"], "is no number"),
        (["--law", "y'' = -g", "--param", "g"], "is not understood"),
        (["--law", "y'' = -g", "--input", "u"], "no column 'u'"),
    ],
)
def test_bad_input_gets_one_clear_line(drop: str, words: list[str], says: str) -> None:
    with pytest.raises(BadInputError, match=says) as told:
        CliRunner().invoke(app, ["fit", drop, *words], catch_exceptions=False)
    assert "\n" not in str(told.value)
