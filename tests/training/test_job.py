import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
JOB = [sys.executable, "-W", "ignore", str(ROOT / "physix-train" / "job_train.py")]


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


def test_a_smoke_run_goes_through_every_stage(tmp_path: Path) -> None:
    done = subprocess.run(
        [*JOB, "--smoke", "--out", str(tmp_path / "job")],
        check=True,
        capture_output=True,
        text=True,
        env=HERE,
    )
    found = json.loads(done.stdout[done.stdout.rindex("{") :])
    assert Path(found["weights"]).stat().st_size > 10_000
    report = Path(found["report"]).read_text()
    assert "solved@8" in report
    assert "nano-untrained" in report
    assert "![grpo.png](grpo.png)" in report
    assert (tmp_path / "job" / "report" / "grpo.png").stat().st_size > 5_000
    assert "eval/solved@8" in (tmp_path / "job" / "nano-sft" / "metrics.jsonl").read_text()
