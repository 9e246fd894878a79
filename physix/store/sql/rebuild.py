"""Recomputing the list of episodes from the events while readers and writers go on.

Episodes are taken in chunks, in the order of their first events; each chunk is one transaction
under the append lock, so that a reader sees every episode either as it was or as rebuilt. The
checkpoint in the same transaction says where to go on after a crash. A turn's numbers are columns:
of the payloads only each episode's first is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text

from physix.store.log import storable
from physix.store.sql import schema
from physix.store.sql.queries import last_position

if TYPE_CHECKING:
    from physix.store.sql.backend import Backend

Progress = Callable[[int, int], None]
_CHUNK = 20_000  # positions
_NAME = "episodes"

_EXTENT = "SELECT count(*), max(position) FROM events WHERE stream > :low AND stream <= :high"
_ENDS = """
SELECT ends.stream, ends.version, first.episode_id, first.payload, first.recorded_at,
    latest.type, latest.outcome, latest.recorded_at
FROM (
    SELECT stream, max(version) AS version FROM events WHERE stream > :low AND stream <= :high GROUP BY stream
) ends
JOIN events first ON first.position = ends.stream
JOIN events latest ON latest.stream = ends.stream AND latest.version = ends.version
ORDER BY ends.stream
"""
_TURNS = "SELECT stream, turn, match, total, generalisation FROM events WHERE turn IS NOT NULL AND "
_TURNS_AS_WRITTEN = _TURNS + "position > :low AND position <= :reach ORDER BY position"
_TURNS_BY_EPISODE = _TURNS + "stream > :low AND stream <= :high ORDER BY stream, version"
_DENSE = 4  # reading on in the order of writing is this much faster than finding event by event


def rebuild(backend: Backend, progress: Progress) -> int:
    """Recompute the list from the beginning; return how many episodes there are."""
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


@dataclass(slots=True)
class _Played:
    """What the turns of an episode come to."""

    turns: int = 0
    best_match: float = 0.0
    best_total: float = 0.0
    generalisation: float | None = None


def _rebuild_chunk(backend: Backend, connection: Connection, low: int, high: int) -> None:
    bounds = {"low": low, "high": high}
    connection.execute(text("DELETE FROM episodes WHERE position > :low AND position <= :high"), bounds)
    count, reach = connection.execute(text(_EXTENT), bounds).one()
    if not count:
        return
    played: dict[int, _Played] = defaultdict(_Played)
    if reach - low <= _DENSE * count:
        result = connection.execute(text(_TURNS_AS_WRITTEN), {"low": low, "reach": reach})
    else:
        # Some of the episodes were played on long after they began.
        result = connection.execute(text(_TURNS_BY_EPISODE), bounds)
    # The driver's own tuples: SQLAlchemy's rows take longer than the fold.
    for stream, turn, match, total, generalisation in result.cursor.fetchall() if result.cursor else ():
        if low < stream <= high:
            own = played[stream]
            if match >= own.best_match or not own.turns:
                own.best_match, own.generalisation = match, generalisation
            if total > own.best_total:
                own.best_total = total
            own.turns = turn
    ends = connection.execute(text(_ENDS), bounds)
    backend.bulk_insert(connection, schema.episodes, [_row(played[found[0]], *found) for found in ends])


def _row(
    played: _Played,
    stream: int,
    version: int,
    episode_id: str,
    payload: str,
    started_at: int,
    last_type: str,
    last_outcome: str | None,
    updated_at: int,
) -> tuple[Any, ...]:
    """Return an episode's row, values in the table's order.

    `physix.store.log.project` says the same of whole events; a test holds them together.
    """
    started = orjson.loads(payload)
    task = started["task"]
    finished = last_type == "EpisodeFinished"
    return (
        episode_id,
        stream,
        version,
        task["system_id"],
        storable(task["title"]),
        task["tier"],
        task["seed"],
        storable(started["policy"]),
        started["door"],
        "finished" if finished else "running",
        last_outcome if finished else None,
        played.turns,
        started["config"]["max_turns"],
        played.best_match,
        played.best_total,
        played.generalisation,
        started_at,
        updated_at,
    )
