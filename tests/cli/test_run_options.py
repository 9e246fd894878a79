"""Options of `physix run` reach the episode, one by one."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.engine import Episode
from physix.engine.episode import fold
from physix.store import open_log


def played(db: str, *options: str) -> Episode:
    """Run a policy that plays one law, and return its episode from the log."""
    done = CliRunner().invoke(app, ["run", "--db", db, "--json", *options])
    assert done.exception is None, done.output
    told = json.loads(done.stdout)

    async def read() -> Episode | None:
        async with open_log(db) as log:
            return fold(await log.read(told["episode_id"]))

    episode = anyio.run(read)
    assert episode is not None
    return episode


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"equation": "d2y/dt2 = 0"}] * 8))
    return f"scripted:{path}"


@pytest.mark.parametrize(
    ("options", "path", "value"),
    [
        (("--seed", "7"), "task.seed", 7),
        ((), "task.seed", 0),
        (("--noise", "0.01"), "task.noise", 0.01),
        ((), "task.noise", 0.02),
        (("--max-turns", "3"), "config.max_turns", 3),
        ((), "config.max_turns", 8),
        (("--strict",), "config.verifier.profile", "strict"),
        ((), "config.verifier.profile", "classic"),
        (("--constants", "fitted"), "config.verifier.constants", "fitted"),
        ((), "config.verifier.constants", "declared"),
        ((), "started.door", "cli"),
    ],
)
def test_an_option_of_run_reaches_the_episode(
    tmp_path: Path, script: str, options: tuple[str, ...], path: str, value: object
) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    episode = played(db, "--system", "free_fall", "--policy", script, *options)
    found: Any = episode
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert episode.started.policy == script
    assert len(episode.turns) == episode.config.max_turns
