import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from physix.errors import BadInputError
from physix.training import instruct
from physix.training.nano.plan import NanoPlan
from physix.training.rewards import EpisodeReward

ROOT = Path(__file__).resolve().parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
JOB = [sys.executable, "-W", "ignore", str(ROOT / "physix-train" / "job_train.py")]


@pytest.fixture(scope="module")
def job() -> Any:
    """The script as a module: it is no part of the package."""
    spec = importlib.util.spec_from_file_location("job_train", ROOT / "physix-train" / "job_train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def header(script: str) -> dict[str, Any]:
    """Return a script's inline metadata, read as PEP 723 says."""
    lines = script.split("# /// script\n")[1].split("# ///\n")[0].splitlines()
    return tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines))


def curve(first: dict[str, float], last: dict[str, float]) -> list[dict[str, float]]:
    return [first] * 4 + [last] * 4


GOOD = (
    {"reward": 0.05, "match_dense": 0.05, "format": 0.7},
    {"reward": 0.15, "match_dense": 0.2, "format": 1.0},
)


def test_the_script_takes_the_package_from_the_checkout_that_it_lies_in() -> None:
    told = header((ROOT / "physix-train" / "job_train.py").read_text())
    source = ROOT / "physix-train" / told["tool"]["uv"]["sources"]["physix-live"]["path"]
    assert told["dependencies"] == ["physix-live[train]"]
    assert tomllib.loads((source / "pyproject.toml").read_text())["project"]["name"] == "physix-live"


def test_what_a_stage_or_the_system_refuses_is_one_line(
    job: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_job: object) -> None:
        raise BadInputError("no such model")

    monkeypatch.setattr(job, "run", refuse)
    monkeypatch.setattr(sys, "argv", ["job_train.py", "--smoke"])
    with pytest.raises(SystemExit, match=r"^job_train: no such model$"):
        job.main()
    copy = str(tmp_path / "none" / "job.py")
    source = "git+https://example.org/me/physix@v1"
    monkeypatch.setattr(sys, "argv", ["job_train.py", "--script", copy, "--source", source])
    with pytest.raises(SystemExit, match=r"^job_train: .*No such file"):
        job.main()


def test_a_copy_of_the_script_takes_the_package_from_where_it_is_told(tmp_path: Path) -> None:
    wheel = tmp_path / "physix_live-1-py3-none-any.whl"
    wheel.write_bytes(b"")
    for source, named in (
        ("git+https://example.org/me/physix@v1", "git+https://example.org/me/physix@v1"),
        (str(wheel), wheel.as_uri()),
    ):
        copy = tmp_path / "job.py"
        subprocess.run([*JOB, "--script", str(copy), "--source", source], check=True, env=HERE)
        told = header(copy.read_text())
        assert told["dependencies"] == [f"physix-live[train] @ {named}"]
        assert "tool" not in told
        assert copy.read_text().endswith("main()\n")


@pytest.mark.parametrize("source", ["physix-live", "absent.whl", 'git+https://x"]', "pyproject.toml"])
def test_a_source_that_cannot_be_installed_is_refused(job: Any, source: str) -> None:
    with pytest.raises(ValueError, match=r"wheel|quotes"):
        job.with_source("", source)


def test_rewards_that_rise_are_a_working_path(job: Any) -> None:
    assert job.what_is_wrong(curve(*GOOD)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 0.79),  # learns nothing: what it cannot read it goes on proposing
        ("match_dense", 0.09),  # the physics is not paid for
        ("reward", 0.09),  # what is paid does not reach the trainer
    ],
)
def test_each_half_of_a_broken_reward_path_is_seen(job: Any, name: str, value: float) -> None:
    first, last = GOOD
    assert f"`{name}`" in job.what_is_wrong(curve(first, {**last, name: value}))
    assert job.what_is_wrong(curve(first, {**last, name: value + 0.02})) is None


def test_a_run_without_rewards_is_no_working_path(job: Any) -> None:
    assert "steps" in job.what_is_wrong([{"loss": 0.0}] * 12)


@pytest.mark.timeout(1_800)
@pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend
def test_a_smoke_run_fails_when_episodes_are_paid_nothing(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = EpisodeReward(match=0.0, match_dense=0.0, correctness=0.0, simplicity=0.0, format=0.0)
    monkeypatch.setattr(instruct, "episode_reward", lambda _episode, progress: nothing)
    with pytest.raises(job.RewardPathError, match="reward path is broken"):
        job.rewarded_toy(tmp_path, steps=3)


def test_a_dry_run_prints_the_plan_and_touches_nothing(tmp_path: Path) -> None:
    command = [
        *JOB,
        "--dry-run",
        "--profile",
        "qwen2.5-3b",
        "--hub-repo-id",
        "me/it",
        "--out",
        str(tmp_path / "x"),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=HERE)
    plan = json.loads(done.stdout)
    assert plan["job"]["profile"] == "qwen2.5-3b"
    assert [stage.split()[0] for stage in plan["stages"]] == [
        "play",
        "mine",
        "SFT",
        "GRPO",
        "evaluate",
        "push",
    ]
    assert not (tmp_path / "x").exists()


def test_the_plan_of_a_nano_names_the_files_that_it_writes(job: Any) -> None:
    planned, _ = job.parse(["--smoke", "--dry-run", "--out", "x"])
    plan = NanoPlan()
    files = [f"teacher-{n}.db" for n in range(plan.shards)] + [f"dataset-{n}" for n in range(plan.shards)]
    assert planned.profile == "nano"
    assert all(name in " ".join(planned.stages()) for name in files)


@pytest.mark.timeout(1_800)  # minutes of CPU, and the machine may be busy
def test_a_smoke_run_goes_through_every_stage(tmp_path: Path) -> None:
    done = subprocess.run(
        [*JOB, "--smoke", "--out", str(tmp_path / "job")],
        check=True,
        capture_output=True,
        text=True,
        env=HERE,
    )
    found = json.loads(done.stdout[done.stdout.rindex("{") :])
    assert "hf:" in Path(found["measured"]).read_text()
    assert Path(found["weights"]).stat().st_size > 10_000
    report = Path(found["report"]).read_text()
    assert "solved@8" in report
    assert "nano-untrained" in report
    assert "![grpo.png](grpo.png)" in report
    assert (tmp_path / "job" / "report" / "grpo.png").stat().st_size > 5_000
    assert "eval/solved@8" in (tmp_path / "job" / "nano-sft" / "metrics.jsonl").read_text()
