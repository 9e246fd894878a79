"""OpenEnv's AutoEnv finds the environment by its name, where the thin distribution is installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = """
from openenv import AutoEnv
from physix import PhysixEnv
assert AutoEnv.get_env_class("physix") is PhysixEnv
print(AutoEnv.get_env_info("physix")["package"])
"""


def test_autoenv_finds_an_installed_distribution(tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "--target", target, ROOT / "adapters/openenv_physix"], check=True)
    places = os.pathsep.join([str(target), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": places, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "openenv-physix"
