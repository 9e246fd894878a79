"""`physix log ...` from the terminal, on a log that `physix run` wrote."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.systems import sample_task
from physix.errors import BadInputError
from physix.store import open_log


def physix(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.output
    return done.stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.db"
    for system in ("free_fall", "spring_mass"):
        physix("run", "--system", system, "--seed", "3", "--db", f"sqlite:///{path}", "--json")
    return path


def test_a_log_is_listed_counted_and_rebuilt(played: Path) -> None:
    db = f"sqlite:///{played}"
    (row,) = physix("log", "list", "--system", "free_fall", "--db", db, "--json").splitlines()
    assert json.loads(row)["outcome"] == "solved"
    assert json.loads(physix("log", "stats", "--db", db, "--json"))["episodes by outcome"] == {"solved": 2}
    assert physix("log", "rebuild", "--db", db) == "2 episodes rebuilt\n"


def test_an_episode_is_labelled_and_found_by_label_and_by_what_was_said(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    name = json.loads(physix("run", "--system", "free_fall", "--seed", "3", "--db", db, "--json"))[
        "episode_id"
    ]
    assert physix("log", "label", name, "good", "paper=fig 2", "--note", "Ω", "--db", db) == (
        "good\nnote = Ω\npaper = fig 2\n"
    )
    told = physix("log", "label", name, "--remove", "good", "--db", db, "--json")
    assert json.loads(told) == {"episode_id": name, "labels": {"note": "Ω", "paper": "fig 2"}}
    for options in (("--label", "paper=fig 2"), ("--label", "note"), ("--search", "d2y/dt2 = ")):
        (row,) = physix("log", "list", *options, "--db", db, "--json").splitlines()
        assert json.loads(row)["labels"] == {"note": "Ω", "paper": "fig 2"}
    assert physix("log", "list", "--label", "good", "--db", db, "--json") == ""
    for wrong in (("log", "label", name), ("log", "label", name, "a", "--remove", "a")):
        done = CliRunner().invoke(app, [*wrong, "--db", db])
        assert isinstance(done.exception, BadInputError)
    assert json.loads(physix("log", "verify", "--db", db, "--json").splitlines()[-1])["differences"] == 0


def test_a_moved_and_an_archived_log_show_what_the_first_one_shows(played: Path, tmp_path: Path) -> None:
    db, copy = f"sqlite:///{played}", f"sqlite:///{tmp_path}/copy.db"
    rows = physix("log", "list", "--db", db, "--json")
    episode_id = json.loads(rows.splitlines()[0])["episode_id"]
    physix("log", "export", str(tmp_path / "log.jsonl"), "--db", db)
    physix("log", "import", str(tmp_path / "log.jsonl"), "--db", copy)
    physix("log", "archive", str(tmp_path / "old"), "--db", db)
    shown = physix("log", "show", episode_id, "--db", db, "--json")
    for url in (copy, f"archive:///{tmp_path}/old"):
        assert physix("log", "list", "--db", url, "--json") == rows
        assert physix("log", "show", episode_id, "--db", url, "--json") == shown


def test_verify_says_true_of_an_honest_log_and_exits_1_for_a_forged_one(played: Path, tmp_path: Path) -> None:
    told = physix("log", "verify", "--db", f"sqlite:///{played}", "--json")
    assert json.loads(told)["differences"] == 0
    forged = tmp_path / "forged.db"
    with closing(sqlite3.connect(played)) as source, closing(sqlite3.connect(forged)) as target, target:
        source.backup(target)
        target.execute("DROP TRIGGER events_refuse_update")
        target.execute(
            """UPDATE events SET payload = replace(payload, '"format":1.0', '"format":0.5') """
            "WHERE type = 'RewardComputed'"
        )
    done = CliRunner().invoke(app, ["log", "verify", "--db", f"sqlite:///{forged}"])
    assert done.exit_code == 1
    assert "RewardComputed.reward.format: recorded 0.5, now 1.0" in done.stdout
    # Named one by one, episodes are played again and no seal is asked: the numbers alone must tell.
    rows = [
        json.loads(row) for row in physix("log", "list", "--db", f"sqlite:///{played}", "--json").splitlines()
    ]
    for row in rows:
        done = CliRunner().invoke(
            app, ["log", "verify", row["episode_id"], "--db", f"sqlite:///{forged}", "--json"]
        )
        assert done.exit_code == 1
        *lines, counts = map(json.loads, done.stdout.splitlines())
        assert counts["differences"] == len(lines) > 0


def test_verify_prints_a_head_that_a_later_run_finds_and_workers_say_the_same(played: Path) -> None:
    db = f"sqlite:///{played}"
    told = json.loads(physix("log", "verify", "--db", db, "--json", "--jobs", "1"))
    assert json.loads(physix("log", "verify", "--db", db, "--json", "--jobs", "2")) == told
    since = physix(
        "log", "verify", "--db", db, "--json", "--head", told["head"], "--since", str(told["position"])
    )
    assert json.loads(since)["episodes"] == 0
    done = CliRunner().invoke(app, ["log", "verify", "--db", db, "--head", "0" * 64])
    assert done.exit_code == 1
    assert "not in the chain" in done.stdout
    wrong = CliRunner().invoke(app, ["log", "verify", "--db", db, "--head", "abc"])
    assert "64 hexadecimal digits" in str(wrong.exception)


def test_what_a_killed_run_left_behind_is_ended_by_one_command(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"

    async def leave() -> dict[str, str]:
        async with open_log(db) as log:
            engine = EpisodeEngine(log)
            left: dict[str, str] = {}
            for run in ("killed", "killed", "alive"):
                task, truth = sample_task("free_fall", len(left))
                config, labels = EpisodeConfig(), {"run": run}
                started = await engine.start(
                    task, truth, config=config, policy="test", door="training", labels=labels
                )
                left[started.episode_id] = run
            return left

    left = anyio.run(leave)
    killed = {episode_id for episode_id, run in left.items() if run == "killed"}
    asked = json.loads(physix("log", "end", "--run", "killed", "--dry-run", "--db", db, "--json"))
    assert (set(asked["found"]), asked["ended"]) == (killed, [])
    assert "2 episodes ended" in physix("log", "end", "--run", "killed", "--db", db)
    assert "0 episodes ended" in physix("log", "end", "--run", "killed", "--db", db)
    rows = [json.loads(row) for row in physix("log", "list", "--db", db, "--json").splitlines()]
    assert {row["episode_id"] for row in rows if row["outcome"] == "abandoned"} == killed
    assert "0 episodes" in physix("log", "end", "--idle", "3600", "--db", db)
    (alive,) = left.keys() - killed
    assert "1 episodes ended" in physix("log", "end", alive, "--db", db)


def test_nothing_is_ended_by_accident(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    for arguments in ([], ["some-id", "--run", "r"], ["--run", ""]):
        done = CliRunner().invoke(app, ["log", "end", *arguments, "--db", db])
        assert isinstance(done.exception, BadInputError)
