"""The recipes in CONTRIBUTING.md work when pasted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.events import PolicyFailed
from physix.engine.systems import sample_task
from physix.store import open_log
from physix.store.codec import decode
from physix.store.sql.schema import metadata

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def pasted(name: str) -> dict[str, Any]:
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "pasted"}
    exec(found[1], names)  # noqa: S102  # our own documentation
    return names


async def test_the_policy_plays_an_episode_to_its_end() -> None:
    policy = pasted("policy")["ConstantAcceleration"]()
    task, truth = sample_task("free_fall", 7)
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        episode = await engine.start(task, truth, config=EpisodeConfig(), policy=policy.name, door="test")
        while episode.finished is None:
            episode = await engine.play_turn(episode.episode_id, policy)
    # g is drawn between 1.6 and 25 m/s²; a constant that grows by 2 meets it or runs out of turns.
    assert episode.finished.reason in ("solved", "budget_exhausted")
    assert [turn.submitted.params["a"] for turn in episode.turns][:2] == [2.0, 4.0]


def test_the_upcaster_reads_an_older_event() -> None:
    upcasters = pasted("upcaster")["UPCASTERS"]
    older = '{"turn": 1, "policy": "search", "reason": "gone"}'
    event = decode("PolicyFailed", 1, older, None, upcasters)
    assert event == PolicyFailed(turn=1, policy="search", reason="gone", attempt=1, attempts_allowed=1)


def test_the_migration_applies_and_undoes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = pasted("migration")
    engine = create_engine(f"sqlite:///{tmp_path / 'log.db'}")
    with engine.begin() as connection:
        metadata.create_all(connection)
        with Operations.context(MigrationContext.configure(connection)):
            migration["upgrade"]()
            assert "ix_episodes_by_system" in {i["name"] for i in inspect(connection).get_indexes("episodes")}
            migration["downgrade"]()
        after = {i["name"] for i in inspect(connection).get_indexes("episodes")}
    assert "ix_episodes_by_system" not in after
    engine.dispose()
