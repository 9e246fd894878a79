"""Recomputing the projections from the events while readers and writers go on.

Episodes are taken in chunks, in the order of their first events; each chunk is one transaction
under the append lock, so that a reader sees every episode either as it was or as rebuilt. The
checkpoint in the same transaction says where to go on after a crash. Only the few fields that
the projections hold are read (every schema version has had them), and no trajectory. In Python,
as both databases take longer to find the same fields with their JSON functions, and SQLite's
reading of decimals may be off in the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text

from physix.store import schema
from physix.store.log import storable
from physix.store.queries import last_position

if TYPE_CHECKING:
    from physix.store.backend import Backend

Progress = Callable[[int, int], None]
_CHUNK = 20_000  # positions
_NAME = "episodes"

_EVENTS = """
SELECT e.episode_id, e.position, e.version, e.type, e.payload, e.recorded_at
FROM events first JOIN events e ON e.episode_id = first.episode_id
WHERE first.position > :low AND first.position <= :high AND first.version = 1
ORDER BY e.episode_id, e.version
"""
_read_string = json.JSONDecoder().raw_decode


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
            _rebuild_chunk(backend, connection, low, high)
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


def _rebuild_chunk(backend: Backend, connection: Connection, low: int, high: int) -> None:
    bounds = {"low": low, "high": high}
    chosen = "SELECT episode_id FROM events WHERE position > :low AND position <= :high AND version = 1"
    for table in ("turns", "episodes"):
        statement = f"DELETE FROM {table} WHERE episode_id IN ({chosen})"  # noqa: S608  # our own names
        connection.execute(text(statement), bounds)
    turns: list[tuple[Any, ...]] = []
    episodes: list[tuple[Any, ...]] = []
    rows = connection.execute(text(_EVENTS), bounds)
    for _, events in groupby(map(tuple, rows), key=itemgetter(0)):
        episodes.append(_fold(list(events), turns))
    backend.bulk_insert(connection, schema.turns, turns)
    backend.bulk_insert(connection, schema.episodes, episodes)


def _fold(events: list[tuple[Any, ...]], turns: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Add an episode's turns to `turns` and return its own row, values in the tables' order.

    `project` and `project_turns` say the same of whole events; a test holds them together.
    """
    episode_id, position, _, _, payload, started_at = events[0]
    started = orjson.loads(payload)
    task = started["task"]
    equation = outcome = ""
    reason = None
    played = 0
    best_match = best_total = 0.0
    generalisation = None
    for _, at, _, kind, text_, _ in events[1:]:
        if kind == "HypothesisSubmitted":
            equation = _equation(text_)
        elif kind == "SimulationRun":
            outcome = orjson.loads(text_)["simulation"]["outcome"]
        elif kind == "RewardComputed":
            paid = orjson.loads(text_)
            reward, number = paid["reward"], paid["turn"]
            match, total = reward["match"], reward["total"]
            hidden = paid["generalisation"]
            turns.append((episode_id, number, at, outcome, equation, match, total, hidden, paid["solved"]))
            if not played or match >= best_match:
                best_match, generalisation = max(best_match, match), hidden
            best_total = max(best_total, total)
            played = number
        elif kind == "EpisodeFinished":
            reason = orjson.loads(text_)["reason"]
    _, _, version, _, _, updated_at = events[-1]
    return (
        episode_id,
        position,
        version,
        task["system_id"],
        storable(task["title"]),
        task["tier"],
        task["seed"],
        storable(started["policy"]),
        started["door"],
        "running" if reason is None else "finished",
        reason,
        played,
        started["config"]["max_turns"],
        best_match,
        best_total,
        generalisation,
        started_at,
        updated_at,
    )


def _equation(payload: str) -> str:
    """Read one string out of a payload without parsing the rest, five times as long."""
    start = payload.find('"equation":')
    if start < 0:
        return storable(orjson.loads(payload)["equation"])
    value, _ = _read_string(payload, start + len('"equation":'))
    return storable(value)
