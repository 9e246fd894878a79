"""The adapters' examples, each in an environment of its own: `make test-adapters` installs them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.api.test_server import free_port, server

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = Path(os.environ.get("PHYSIX_ADAPTER_ENVIRONMENTS", ROOT / ".venv/adapters"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("verifiers", ["first is turned down: False", "second is turned down: True", "reward 0.33"]),
        ("inspect", ["turned down 1", "success score 0.33"]),
    ],
)
def test_a_scripted_policy_plays_through_the_adapter(tmp_path: Path, name: str, said: list[str]) -> None:
    python = ENVIRONMENTS / name / "bin/python"
    if not python.exists():
        pytest.skip(f"{name} needs an environment apart from openenv's: run make test-adapters")
    port = free_port()
    with server(tmp_path / "log.db", port):
        done = subprocess.run(
            [python, ROOT / f"adapters/examples/play_{name}.py"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "adapters"),
                "PHYSIX_URL": f"http://127.0.0.1:{port}",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [words for words in said if words not in done.stdout] == []
