"""What the terminal shows of an episode, whatever was recorded."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from physix.cli.app import app
from physix.cli.episode import _table, summary
from physix.cli.tables import add, number, table
from physix.engine import Episode, EpisodeConfig, Provenance
from physix.engine.episode import play, start
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from tests.engine.test_episode import record

TASK, TRUTH = sample_task("free_fall", 1)


def played(
    equation: str, params: dict[str, float | None], *, fitted: bool = False, **task: object
) -> Episode:
    config = EpisodeConfig(verifier=VerifierConfig(constants="fitted" if fitted else "declared"))
    problem = replace(TASK, **task)  # type: ignore[arg-type]  # fields by name
    episode = record(None, (start(problem, TRUTH, config=config, policy="p [b]", door="test"),))
    hypothesis = Hypothesis(equation=equation, params=params)
    return record(episode, play(episode, hypothesis, provenance=Provenance(policy="p")))


def shown(episode: Episode) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(_table(episode))
    return out.getvalue()


def test_a_param_that_was_left_open_is_shown_as_open_or_as_fitted() -> None:
    assert "g left open" in shown(played("d2y/dt2 = -g", {"g": None}))
    assert "(fitted)" in shown(played("d2y/dt2 = -g", {"g": None}, fitted=True))
    assert "g = 9.8" in shown(played("d2y/dt2 = -g", {"g": 9.8}))


@pytest.mark.parametrize(
    "equation", ["d2y/dt2 = 1/0", "d2y/dt2 = log(-1)", "nonsense", "d2y/dt2 = exp(1e9*t)"]
)
@pytest.mark.parametrize("value", [None, 1.0, -0.0, 1e308, 5e-324])
def test_a_turn_that_came_to_nothing_is_shown(equation: str, value: float | None) -> None:
    episode = played(equation, {"k": value}, seed=None, tier=None, time_unit=None)
    assert "seed" not in shown(episode)
    assert summary(episode)["seed"] is None


def test_what_is_shown_is_no_markup() -> None:
    assert "p [b]" in shown(played("d2y/dt2 = -g", {"g": 1.0}))
    out = io.StringIO()
    rows = table("a", "b", numbers=("b",))
    add(rows, "pip install 'physix-live[openai]'", None)
    add(rows, "x", 0.12345)
    Console(file=out, width=200).print(rows)
    assert "physix-live[openai]" in out.getvalue()
    assert "0.123" in out.getvalue()
    assert "–" in out.getvalue()
    assert number(None) == "–"
    assert number(2.0, 1) == "2.0"


def test_a_run_whose_policy_fails_says_why_and_exits_with_3(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    settings = {"PHYSIX_OPENAI_BASE_URL": "http://127.0.0.1:9", "PHYSIX_RETRY_WAIT_S": "0"}
    arguments = ["run", "--system", "free_fall", "--policy", "openai:nobody", "--db", db]
    done = CliRunner().invoke(app, arguments, env=settings)
    assert done.exit_code == 3
    assert "policy openai:nobody failed: " in done.stderr
    assert "attempt 3 of 3 failed: " in done.stdout
    told = CliRunner().invoke(app, [*arguments, "--json"], env=settings)
    assert told.exit_code == 3
    recorded = json.loads(told.stdout)
    assert [one["attempt"] for one in recorded["failures"]] == [1, 2, 3]
    again = CliRunner().invoke(app, ["log", "show", recorded["episode_id"], "--db", db, "--json"])
    assert json.loads(again.stdout) == recorded
    assert again.exit_code == 0
    shown = CliRunner().invoke(app, ["log", "show", recorded["episode_id"], "--db", db]).stdout
    assert "attempt 1 of 3 failed: " in shown


def test_a_law_of_measured_data_ends_with_its_constants_from_all_rows(tmp_path: Path) -> None:
    rows = "\n".join(f"{i / 30:.4f},{20 - 4.905 * (i / 30) ** 2 + 0.004 * (-1) ** i}" for i in range(60))
    file = tmp_path / "drop.csv"
    file.write_text(f"t,y\ns,m\n{rows}\n")
    done = CliRunner().invoke(
        app, ["run", "--csv", str(file), "--hint", "A stone falls.", "--db", "memory://"]
    )
    assert done.exit_code == 0, done.output
    found = re.search(r"From all rows, with standard errors: a = (\S+) ± (\S+)\.", done.output)
    assert found is not None, done.output
    assert abs(float(found[1]) - 9.81) < 4 * float(found[2])
