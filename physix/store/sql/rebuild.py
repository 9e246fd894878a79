"""Recomputing the list of episodes from the events while readers and writers go on.

Episodes are taken in chunks, in the order of their first events; each chunk is one transaction
under the append lock, so that a reader sees every episode either as it was or as rebuilt. The
checkpoint in the same transaction says where to go on after a crash. What is folded are columns: of
the payloads only each episode's first is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text

from physix.engine.labels import relabelled
from physix.store.projection import HALF_TURN, LABELLED, Shown, Tally, opening_of_payload
from physix.store.sql import schema
from physix.store.sql.queries import last_position

if TYPE_CHECKING:
    from physix.store.sql.backend import Backend

Progress = Callable[[int, int], None]
_CHUNK = 20_000  # positions
_NAME = "episodes"

_EXTENT = "SELECT count(*), max(position) FROM events WHERE stream > :low AND stream <= :high"
_FIRST = """
SELECT position, episode_id, payload FROM events
WHERE episode_id IS NOT NULL AND position > :low AND position <= :high ORDER BY position
"""
_TOLD = f"""
SELECT stream, type, version, recorded_at, {", ".join(Shown._fields)} FROM events
WHERE type NOT IN ({", ".join(f"'{name}'" for name in sorted(HALF_TURN))}) AND
"""  # noqa: S608  # our own table and column names, no input
_TOLD_AS_WRITTEN = _TOLD + "position > :low AND position <= :reach ORDER BY position"
_TOLD_BY_EPISODE = _TOLD + "stream > :low AND stream <= :high ORDER BY stream, version"
_GIVEN = f"""
SELECT stream, payload FROM events
WHERE type = '{LABELLED}' AND stream > :low AND stream <= :high ORDER BY stream, version
"""  # noqa: S608  # our own table and column names, no input
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


def _rebuild_chunk(backend: Backend, connection: Connection, low: int, high: int) -> None:
    bounds = {"low": low, "high": high}
    for table in ("episodes", "labels"):
        own = text(f"DELETE FROM {table} WHERE position > :low AND position <= :high")  # noqa: S608  # our own table and column names, no input
        connection.execute(own, bounds)
    count, reach = connection.execute(text(_EXTENT), bounds).one()
    if not count:
        return
    if reach - low <= _DENSE * count:
        told = connection.execute(text(_TOLD_AS_WRITTEN), {"low": low, "reach": reach})
    else:
        # Some of the episodes were played on long after they began.
        told = connection.execute(text(_TOLD_BY_EPISODE), bounds)
    tallies: dict[int, Tally] = defaultdict(Tally)
    # The driver's own tuples: SQLAlchemy's rows take longer than the fold.
    for stream, kind, version, at, *seen in told.cursor.fetchall() if told.cursor else ():
        if low < stream <= high:
            tallies[stream].advance(kind, version, at, Shown(*seen))
    given = labels_given(connection, low, high)
    rows: list[tuple[Any, ...]] = []
    labels: list[tuple[Any, ...]] = []
    for stream, name, told_text in connection.execute(text(_FIRST), bounds):
        payload = orjson.loads(told_text)
        place = {"episode_id": name, "position": stream}
        row = {**place, **opening_of_payload(payload), **tallies[stream].columns()}
        rows.append(schema.episode_values(row))
        labels += schema.labels_of(stream, labels_now(payload, given.get(stream, ())))
    backend.bulk_insert(connection, schema.episodes, rows)
    backend.bulk_insert(connection, schema.labels, labels)


def labels_given(connection: Connection, low: int, high: int) -> dict[int, list[str]]:
    """Return the payloads of what was put on the episodes that began between two positions, by stream."""
    given: dict[int, list[str]] = defaultdict(list)
    for stream, payload in connection.execute(text(_GIVEN), {"low": low, "high": high}):
        given[stream].append(payload)
    return given


def labels_now(started: Mapping[str, Any], given: Iterable[str]) -> dict[str, str]:
    """Return the labels of an episode from the payload of its first event and those of what was put on it."""
    labels: Mapping[str, str] = started.get("labels", {})
    for payload in given:
        labels = relabelled(labels, orjson.loads(payload)["labels"])
    return dict(labels)
