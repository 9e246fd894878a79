"""`examples/grpo_trl.py`, from top to bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_server import free_port, server

ROOT = Path(__file__).parents[2]


def trained(tmp_path: Path, *options: str) -> tuple[list[float], list[dict[str, Any]]]:
    """Return the mean reward of every step, and the episodes that the server has of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with server(tmp_path / "log.db", port):
        done = subprocess.run(
            [sys.executable, ROOT / "examples/grpo_trl.py", *options],
            env={**os.environ, "PHYSIX_URL": url, "PHYSIX_RUN": "toy", "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=1_200,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3_000:]
        rows = httpx.get(f"{url}/api/episodes", params={"run": "toy", "limit": 200}, timeout=60).json()
    found = re.search(r"^mean reward of every step: (.*)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout[-2_000:]
    return [float(reward) for reward in found[1].split()], rows["items"]


def test_a_toy_model_is_trained_on_real_episodes(tmp_path: Path) -> None:
    rewards, episodes = trained(tmp_path, "--steps", "2", "--group", "4", "--out", "model")
    assert len(rewards) == 2
    assert len(episodes) == 8
    assert {row["outcome"] for row in episodes} <= {"solved", "budget_exhausted"}
    assert (tmp_path / "model/model.safetensors").is_file()
    # What TRL trains on is what the log has: the best total of each episode.
    assert sum(rewards) / 2 == pytest.approx(sum(row["best_total"] for row in episodes) / 8, abs=0.005)


@pytest.mark.soak
def test_the_toy_learns_which_law_is_right(tmp_path: Path) -> None:
    rewards, _ = trained(tmp_path)
    assert sum(rewards[:3]) / 3 < 0.85
    assert sum(rewards[-3:]) / 3 > 0.95
