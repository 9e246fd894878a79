"""`physix board`: run, stop, go on, show, export; what is wrong is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.cli.board import _command
from physix.errors import BadInputError, BoardNotFoundError
from physix.training.executor import InProcess

RUN = [
    "board",
    "run",
    "--policies",
    "nano",
    "--suite",
    "builtin:free_fall",
    "--seeds",
    "0:2",
    "--max-turns",
    "1",
]


def test_a_board_is_run_shown_listed_grown_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("physix.training.executor.LocalProcesses", lambda _jobs: InProcess())
    monkeypatch.setenv("PHYSIX_BOARDS", str(tmp_path))
    runner = CliRunner()
    db = ["--db", f"sqlite:///{tmp_path / 'log.db'}", "--name", "mine"]
    first = runner.invoke(app, [*RUN, *db, "--json"], catch_exceptions=False)
    (row,) = json.loads(first.stdout)["rows"]
    assert (row["policy"], row["n"]) == ("nano", 2)
    grown = [word if word != "nano" else "nano,nano-untrained" for word in RUN]
    second = runner.invoke(app, [*grown, *db, "--json"], catch_exceptions=False)
    assert [one["n"] for one in json.loads(second.stdout)["rows"]] == [2, 2]
    assert "mine" in runner.invoke(app, ["board", "list"], catch_exceptions=False).stdout
    shown = runner.invoke(app, ["board", "show", "mine", "--than", "nano"], catch_exceptions=False).stdout
    assert "Difference to nano" in shown
    file = tmp_path / "copy.json"
    file.write_text(runner.invoke(app, ["board", "export", "mine"], catch_exceptions=False).stdout)
    told = runner.invoke(app, ["board", "show", str(file), "--json"], catch_exceptions=False).stdout
    assert len(json.loads(told)["rows"]) == 2
    assert (
        "| `nano` | 2 |"
        in runner.invoke(app, ["board", "export", str(file), "--markdown"], catch_exceptions=False).stdout
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["board", "run", "--policies", "nano", "--suite", "odebnech"], "Unknown suite 'odebnech'"),
        (["board", "run", "--policies", "serach", "--suite", "real"], "Unknown policy 'serach'"),
        (["board", "run", "--name", "none"], "give --policies and --suites"),
        (["board", "run", "--policies", "nano", "--suite", "real", "--seeds", "5"], "FROM:TO"),
        (["board", "run", "--policies", "nano", "--suite", "odebench", "--noise", "much"], "0,0.01,0.05"),
        (["board", "show", "none"], "No board 'none' here"),
        (["board", "show", "none.json"], "Cannot read none.json"),
    ],
)
def test_bad_input_gets_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.setenv("PHYSIX_BOARDS", str(tmp_path))
    monkeypatch.setenv("PHYSIX_DB", "memory://")
    with pytest.raises((BadInputError, BoardNotFoundError), match=says) as told:
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert "\n" not in str(told.value)


def test_a_board_records_the_command_without_where_this_machine_keeps_its_log() -> None:
    typed = "board run --db postgresql://me:secret@lab/log --name mine --boards=/home/me/b".split()
    assert _command(typed) == "physix board run --name mine"


@pytest.mark.parametrize("policy", ["nano", "search"])
def test_a_board_whose_log_is_the_memory_plays_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("PHYSIX_BOARDS", str(tmp_path))
    words = ["board", "run", "--db", "memory://", "--policies", policy, "--suite", "builtin:free_fall"]
    ran = CliRunner().invoke(app, [*words, "--workers", "1", "--json"], catch_exceptions=False)
    assert ran.exit_code == 0
    (line,) = (tmp_path / "board" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert '"status":"played"' in line
