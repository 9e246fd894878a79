"""`physix compare` and `physix demo`, as commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.errors import BadInputError
from physix.store.demo import MAX_BYTES, read_demo, shipped_demos


def physix(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "physix.cli", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_a_bulk_comparison_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = (
        "compare",
        "--policies",
        "search,sindy",
        "--system",
        "free_fall",
        "--db",
        "sqlite:///log.db",
        "--json",
    )
    first = physix(*options, "--seeds", "0:2", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    more = json.loads(physix(*options, "--seeds", "0:3", cwd=tmp_path).stdout)
    again = json.loads(physix(*options, "--seeds", "0:3", cwd=tmp_path).stdout)
    count = (
        "import sqlite3; "
        "print(sqlite3.connect('log.db').execute('select count(*) from episodes').fetchone()[0])"
    )
    played = subprocess.run(
        [sys.executable, "-c", count], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert int(played.stdout) == 6
    assert more == again
    assert [(row["policy"], row["episodes"]) for row in more] == [("search", 3), ("sindy", 3)]


@pytest.mark.parametrize(
    "options",
    [("--seeds", "9:1"), ("--policies", "nobody"), ("--policies", "search,search"), ("--system", "nowhere")],
)
def test_a_comparison_that_makes_no_sense_is_one_line(tmp_path: Path, options: tuple[str, str]) -> None:
    given = {"--policies": "search", "--system": "free_fall", "--seeds": "0:1", options[0]: options[1]}
    flat = [part for pair in given.items() for part in pair]
    done = physix("compare", *flat, "--db", "memory://", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_every_shipped_demo_plays_again_as_it_was_recorded(tmp_path: Path) -> None:
    done = physix("demo", "verify", cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\nRun tools/record-demos after a change of the verifier."
    assert len(shipped_demos()) >= 3
    assert all(path.stat().st_size <= MAX_BYTES for path in shipped_demos())


def test_a_demo_that_was_changed_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(shipped_demos()[0].read_bytes().replace(b"solved", b"sOlved", 1))
    with pytest.raises(BadInputError, match="checksum"):
        read_demo(changed)


def test_a_demo_is_recorded_from_real_play_and_verifies(tmp_path: Path) -> None:
    done = physix(
        "demo", "record", "own.jsonl", "--policies", "search", "--system", "free_fall", "--title", "Falling",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert physix("demo", "verify", "own.jsonl", cwd=tmp_path).returncode == 0


def test_a_comparison_whose_policy_fails_says_why_once_and_exits_with_3(tmp_path: Path) -> None:
    settings = {"PHYSIX_OPENAI_BASE_URL": "http://127.0.0.1:9", "PHYSIX_RETRY_WAIT_S": "0"}
    arguments = ["--policies", "search,openai:nobody", "--system", "free_fall", "--seeds", "0:2"]
    options = ["compare", *arguments, "--db", f"sqlite:///{tmp_path}/log.db", "--json"]
    for _ in range(2):  # the second time the log has it all
        done = CliRunner().invoke(app, options, env=settings)
        assert done.exit_code == 3
        lines = [line for line in done.stderr.splitlines() if line.startswith("physix: ")]
        assert len(lines) == 2
        assert lines[0].startswith("physix: policy openai:nobody failed: ")
        assert lines[1] == "physix: 2 of 4 episodes ended as their policy failed."
        assert [row["policy_failures"] for row in json.loads(done.stdout)] == [0, 6]
