"""What can be checked of deploy/compose.yaml without Docker: its own tool reads it, its settings exist."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from physix.settings import Settings

ROOT = Path(__file__).parents[1]
FILE = ROOT / "deploy" / "compose.yaml"
SECRETS = {"POSTGRES_PASSWORD": "p", "PHYSIX_OPERATOR_TOKEN": "o", "PHYSIX_TOKEN": "t"}


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"][name]
    return found


def test_every_setting_of_the_server_is_one() -> None:
    given = service("server")["environment"]
    known = {f"PHYSIX_{name.upper()}" for name in Settings.model_fields}
    assert given.keys() <= known
    assert given["PHYSIX_DB"].startswith("postgresql://")


def test_what_the_image_sets_for_a_public_space_is_taken_back() -> None:
    image = (ROOT / "deploy" / "space" / "Dockerfile").read_text()
    ours = service("server")["environment"]
    for name in ("PHYSIX_PUBLIC", "PHYSIX_PROXIES", "PHYSIX_FRAME_ANCESTORS", "PHYSIX_DB"):
        assert f"{name}=" in image
        assert name in ours


def test_a_server_waits_for_the_database_and_says_when_it_is_ready() -> None:
    server = service("server")
    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "/readyz" in " ".join(server["healthcheck"]["test"])


def composed(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker-compose", "--file", str(FILE), "config", "--quiet"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
def test_composes_own_tool_takes_the_file_and_asks_for_each_secret() -> None:
    done = composed(SECRETS)
    assert done.returncode == 0, done.stderr
    for name in SECRETS:
        refused = composed({key: value for key, value in SECRETS.items() if key != name})
        assert refused.returncode != 0
        assert name in refused.stderr
