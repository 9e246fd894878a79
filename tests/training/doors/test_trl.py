"""TRL's door, against the real server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from physix.errors import BadInputError, InfrastructureError
from physix.training.doors.trl import PhysiXEpisode
from tests.api.test_server import free_port, server

ROOT = Path(__file__).parents[3]


def test_an_episode_is_played_through_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PHYSIX_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("PHYSIX_OUTAGE_S", "0.01")
    code = re.search(
        r"<!-- example: trl -->\n```python\n(.*?)```", (ROOT / "docs/environment.md").read_text(), re.DOTALL
    )
    assert code is not None
    with server(tmp_path / "log.db", port):
        episode = PhysiXEpisode()
        question = episode.reset(prompt="ignored", system_id="free_fall", seed=7, max_turns=2)
        assert "t y vy" in question
        assert episode.get_reward() == 0.0
        assert "Refused" in episode.submit_hypothesis("x" * 5_000)
        assert "Proposals left: 1" in episode.submit_hypothesis("d2y/dt2 = 0")
        episode.submit_hypothesis("d2y/dt2 = -9.0")
        assert 0.0 < episode.get_reward() <= 1.0
        assert "over" in episode.submit_hypothesis("d2y/dt2 = 0")
        with pytest.raises(BadInputError, match="Unknown system"):
            episode.reset(system_id="perpetuum")
        example = code[1].replace(":8000", f":{port}")
        done = subprocess.run(
            [sys.executable, "-c", example], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    with pytest.raises(InfrastructureError, match="Cannot reach"):
        episode.reset(system_id="free_fall")


def test_the_door_imports_no_torch_and_no_openenv() -> None:
    code = "import sys, physix.training.doors.trl; print({'torch', 'trl', 'openenv'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
