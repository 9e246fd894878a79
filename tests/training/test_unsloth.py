"""SFT under Unsloth itself, on its CPU backend, in an environment of its own. What CUDA adds is not run."""

import json
import os
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import anyio
import pytest

from physix.training.data.files import write_lessons, write_sft
from physix.training.data.lessons import LessonPlan
from physix.training.data.mining import MiningRules

pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1_500)]
PACKAGES = ("unsloth==2026.10.9", "unsloth_zoo==2026.10.9")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees these packages and, besides, Unsloth, which asks for an older TRL."""
    folder = tmp_path_factory.mktemp("unsloth") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (own / "ours.pth").write_text(sysconfig.get_path("purelib"))
    found = subprocess.run(
        [folder / "bin" / "pip", "install", "-q", "--no-deps", *PACKAGES], capture_output=True, check=False
    )
    if found.returncode != 0:
        warnings.warn(f"UNSLOTH WAS NOT TESTED: {found.stderr.decode()[-300:]}", stacklevel=1)
        pytest.skip("UNSLOTH WAS NOT TESTED: it cannot be had")
    return folder / "bin" / "python"


def taught(python: Path, rows: Path, out: Path) -> list[float]:
    """Return the losses of three steps."""
    command = [str(python), "-m", "physix.training.sft", "--backend", "unsloth", "--dataset", str(rows)]
    command += ["--num-steps", "3", "--batch", "2", "--output-dir", str(out)]
    command += ["--profile", "smollm2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert "longer than the specified maximum" not in ran.stderr
    manifest = json.loads((out / "run.json").read_text())
    assert (manifest["status"], manifest["backend"]) == ("finished", "unsloth")
    assert (out / "model" / "adapter_model.safetensors").is_file()
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_lessons_are_learnt_under_unsloth(python: Path, tmp_path: Path) -> None:
    from physix.policies.local.models import SMOLLM2

    if not SMOLLM2.present:
        pytest.skip("SmolLM2 is not here: physix models pull smollm2")
    anyio.run(write_lessons, "memory://", LessonPlan(synthetic=6, systems=6), "t", tmp_path / "rows")
    losses = taught(python, tmp_path / "rows", tmp_path / "run")
    assert len(losses) == 3
    assert all(0.0 < loss < 4.0 for loss in losses)


def test_rows_of_tool_calls_pass_unsloths_own_preparation_of_data(
    python: Path, teacher_db: str, tmp_path: Path
) -> None:
    from physix.policies.local.models import SMOLLM2

    if not SMOLLM2.present:
        pytest.skip("SmolLM2 is not here: physix models pull smollm2")
    anyio.run(write_sft, teacher_db, MiningRules(balance=3, render="tool"), tmp_path / "rows")
    assert len(taught(python, tmp_path / "rows", tmp_path / "run")) == 3
