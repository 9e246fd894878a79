import json
import subprocess
import sys
from pathlib import Path

import pytest

PHYSIX = [sys.executable, "-m", "physix.cli"]


def physix(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PHYSIX, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_version_imports_nothing_heavy() -> None:
    probe = (
        "import sys; sys.argv = ['physix', '--version']\n"
        "from physix.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'sqlalchemy', 'fastapi', 'openenv') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_run_prints_one_json_object_and_the_log_shows_the_same(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    played = physix("run", "--system", "spring_mass", "--seed", "7", "--db", db, "--json", cwd=tmp_path)
    assert played.returncode == 0, played.stderr
    episode = json.loads(played.stdout)
    assert (episode["system_id"], episode["seed"], episode["policy"]) == ("spring_mass", 7, "search")
    assert episode["outcome"] == "solved"
    assert episode["turns"][-1]["reward"]["match"] == episode["best_r_match"]
    shown = physix("log", "show", episode["episode_id"], "--db", db, "--json", cwd=tmp_path)
    assert json.loads(shown.stdout) == episode


def test_the_terminal_table_holds_the_last_equation(tmp_path: Path) -> None:
    played = physix("run", "--system", "free_fall", "--db", "memory://", cwd=tmp_path)
    assert played.returncode == 0, played.stderr
    assert "d2y/dt2" in played.stdout
    assert "solved after" in played.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--system", "perpetuum"], "Unknown system 'perpetuum'"),
        (["run", "--system", "free_fall", "--policy", "oracle"], "Unknown policy 'oracle'"),
        (["run", "--system", "free_fall", "--seed", "-1"], "Seed '-1'"),
        (["run", "--system", "free_fall", "--seed", "x"], "--seed"),
        (["run", "--system", "free_fall", "--noise", "0.5"], "Noise '0.5'"),
        (["run", "--system", "free_fall", "--max-turns", "0"], "max_turns"),
        (["run"], "--system ID or --csv FILE"),
        (["run", "--csv", "missing.csv"], "missing.csv"),
        (["run", "--system", "free_fall", "--db", "mysql://x"], "mysql"),
        (["log", "show", "nowhere", "--db", "memory://"], "No episode 'nowhere'"),
        (["log", "show", "nowhere"], "There is no log physix.db to read"),
        (["log", "list"], "There is no log physix.db to read"),
        (["log", "verify"], "There is no log physix.db to read"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = physix(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_csv_of_your_own_runs_to_a_law(tmp_path: Path) -> None:
    rows = "\n".join(f"{i * 0.1:.3f},{10 - 4.9 * (i * 0.1) ** 2},{-9.8 * i * 0.1}" for i in range(60))
    (tmp_path / "drop.csv").write_text(f"t,y,vy\ns,m,m/s\n{rows}\n")
    done = physix(
        "run", "--csv", "drop.csv", "--hint", "A stone falls.", "--db", "memory://", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "solved"


def test_a_file_is_described_before_it_is_played_and_options_change_its_roles(tmp_path: Path) -> None:
    rows = "\n".join(f"{i};{i * 0.1:.1f};{i * i * 0.1:.2f};{i % 3}".replace(".", ",") for i in range(30))
    (tmp_path / "drop.csv").write_text(f"frame;Zeit [s];Höhe [m];u\n{rows}\n")
    told = ["--input", "u", "--first-order", "Höhe [m]", "--unit", "Hohe=cm"]
    done = physix("read", "drop.csv", "--json", *told, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    columns = {
        c["name"]: (c["label"], c["role"]["kind"], c["role"]["order"])
        for c in json.loads(done.stdout)["columns"]
    }
    assert columns == {
        "frame": ("frame", "ignore", None),
        "Zeit": ("Zeit [s]", "time", None),
        "Hohe": ("Höhe [m]", "state", 1),
        "u": ("u", "input", None),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ignore", "nothing"], "There is no column 'nothing'; the columns are: t, x"),
        (["--rate", "v"], "--rate 'v' is not understood"),
        (["--input", "x"], "no column is a state"),
    ],
)
def test_roles_that_make_no_sense_are_refused_in_one_line(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    rows = "\n".join(f"{i * 0.1:.3f},{2.0**-i}" for i in range(30))
    (tmp_path / "decay.csv").write_text(f"t,x\n{rows}\n")
    done = physix("run", "--csv", "decay.csv", "--db", "memory://", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_systems_lists_the_eight(tmp_path: Path) -> None:
    done = physix("systems", "--json", cwd=tmp_path)
    assert len(json.loads(done.stdout)) == 8
