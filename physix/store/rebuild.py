"""Recomputing the projections from the events, in SQL, while readers and writers go on.

Episodes are taken in chunks, in the order of their first events; each chunk is one transaction
under the append lock, so that a reader sees every episode either as it was or as rebuilt. The
checkpoint in the same transaction says where to go on after a crash. The statements read only
fields that every schema version of an event has had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from physix.store.queries import last_position

if TYPE_CHECKING:
    from physix.store.sql import Backend

Progress = Callable[[int, int], None]
_CHUNK = 20_000  # positions
_NAME = "episodes"

# {number:...}, {text:...} etc. are JSON fields; SQLite's own parser of decimals may be off in the last
# bit, so its numbers go through Python.
_TURNS = """
INSERT INTO turns (episode_id, turn, position, outcome, equation, match, total, generalisation, solved)
SELECT paid.episode_id, {paid_turn}, paid.position, {outcome}, {equation}, {match}, {total}, {general},
  {solved}
FROM events first
JOIN events paid ON paid.episode_id = first.episode_id AND paid.type = 'RewardComputed'
JOIN events ran ON ran.episode_id = paid.episode_id AND ran.version = paid.version - 1
JOIN events asked ON asked.episode_id = paid.episode_id AND asked.version = paid.version - 2
WHERE first.position > :low AND first.position <= :high AND first.version = 1
"""
_EPISODES = """
INSERT INTO episodes (episode_id, position, version, system_id, title, tier, seed, policy, door, status,
  outcome, turns, max_turns, best_match, best_total, generalisation, started_at, updated_at)
SELECT first.episode_id, first.position, latest.version, {system_id}, {title}, {tier}, {seed}, {policy},
  {door},
  CASE WHEN latest.type = 'EpisodeFinished' THEN 'finished' ELSE 'running' END,
  CASE WHEN latest.type = 'EpisodeFinished' THEN {reason} END,
  (SELECT count(*) FROM turns t WHERE t.episode_id = first.episode_id),
  {max_turns},
  (SELECT coalesce(max(t.match), 0.0) FROM turns t WHERE t.episode_id = first.episode_id),
  (SELECT coalesce(max(t.total), 0.0) FROM turns t WHERE t.episode_id = first.episode_id),
  (SELECT t.generalisation FROM turns t WHERE t.episode_id = first.episode_id
    ORDER BY t.match DESC, t.turn DESC LIMIT 1),
  first.recorded_at, latest.recorded_at
FROM events first
JOIN events latest ON latest.episode_id = first.episode_id AND latest.version =
  (SELECT max(e.version) FROM events e WHERE e.episode_id = first.episode_id)
WHERE first.position > :low AND first.position <= :high AND first.version = 1
"""
_FIELDS = {
    "paid_turn": ("paid", "turn", "integer"),
    "outcome": ("ran", "simulation.outcome", "text"),
    "equation": ("asked", "equation", "text"),
    "match": ("paid", "reward.match", "number"),
    "total": ("paid", "reward.total", "number"),
    "general": ("paid", "generalisation", "number"),
    "solved": ("paid", "solved", "boolean"),
    "system_id": ("first", "task.system_id", "text"),
    "title": ("first", "task.title", "text"),
    "tier": ("first", "task.tier", "integer"),
    "seed": ("first", "task.seed", "integer"),
    "policy": ("first", "policy", "text"),
    "door": ("first", "door", "text"),
    "max_turns": ("first", "config.max_turns", "integer"),
    "reason": ("latest", "reason", "text"),
}
_POSTGRES_TYPES = {"integer": "bigint", "text": "text", "number": "float8", "boolean": "boolean"}


def rebuild(backend: Backend, progress: Progress) -> int:
    """Recompute both projections from the beginning; return how many episodes there are."""
    with backend.writer.begin() as connection:
        backend.lock(connection)
        connection.execute(text("DELETE FROM checkpoints WHERE projection = :name"), {"name": _NAME})
        connection.execute(text("INSERT INTO checkpoints VALUES (:name, 0)"), {"name": _NAME})
    return _go_on(backend, progress)


def finish_pending(backend: Backend) -> None:
    """Complete a rebuild that a crash or a migration left open; nothing if there is none."""
    with backend.readers.connect() as connection:
        pending = _checkpoint(connection) is not None
    if pending:
        _go_on(backend, lambda done, total: None)


def _go_on(backend: Backend, progress: Progress) -> int:
    while True:
        with backend.writer.begin() as connection:
            backend.lock(connection)
            low, total = _checkpoint(connection), last_position(connection)
            if low is None or low >= total:
                connection.execute(text("DELETE FROM checkpoints WHERE projection = :name"), {"name": _NAME})
                return int(connection.execute(text("SELECT count(*) FROM episodes")).scalar_one())
            high = min(low + _CHUNK, total)
            _rebuild_chunk(connection, low, high)
            connection.execute(
                text("UPDATE checkpoints SET position = :high WHERE projection = :name"),
                {"name": _NAME, "high": high},
            )
        progress(high, total)


def _checkpoint(connection: Connection) -> int | None:
    found = connection.execute(
        text("SELECT position FROM checkpoints WHERE projection = :name"), {"name": _NAME}
    ).scalar()
    return None if found is None else int(found)


def _rebuild_chunk(connection: Connection, low: int, high: int) -> None:
    bounds = {"low": low, "high": high}
    chosen = "SELECT episode_id FROM events WHERE position > :low AND position <= :high AND version = 1"
    for table in ("turns", "episodes"):
        statement = f"DELETE FROM {table} WHERE episode_id IN ({chosen})"  # noqa: S608  # our own names
        connection.execute(text(statement), bounds)
    on_postgres = connection.dialect.name == "postgresql"
    fields = {name: (_postgres if on_postgres else _sqlite)(*where) for name, where in _FIELDS.items()}
    for statement in (_TURNS, _EPISODES):
        # text() would take a cast's :: for parameters; \\: escapes it.
        connection.execute(text(statement.format(**fields)), bounds)


def _sqlite(row: str, path: str, kind: str) -> str:
    if kind == "number":
        return f"exact({row}.payload -> '$.{path}')"
    return f"json_extract({row}.payload, '$.{path}')"


def _postgres(row: str, path: str, kind: str) -> str:
    steps = path.replace(".", ",")
    return f"CAST(CAST({row}.payload AS json) #>> '{{{steps}}}' AS {_POSTGRES_TYPES[kind]})"
