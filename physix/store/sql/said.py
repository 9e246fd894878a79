"""Finding episodes by a text: in their names, in what policies said on them, in what people put on them.

What was said is indexed by its trigrams (FTS5, pg_trgm) behind the log's back: an append pays nothing for it.
A server indexes while it runs, a rebuild all there is; a search first indexes some of what is new and reads
the rest of it row by row. So it always finds all there is, also where nothing may be written or an
installation has no such index.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    column,
    or_,
    select,
    text,
    true,
    union,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from physix.engine.systems.task import MEASURED
from physix.limits import MAX_SEED
from physix.store.projection import LABELLED, NUL, storable
from physix.store.rows import TRIGRAM, EpisodeFilter
from physix.store.sql import schema
from physix.store.sql.backend import Backend

_Columns = ReadOnlyColumnCollection[str, Any]
_CHUNK = 250  # replies that are indexed under one append lock: some 50 ms
_CHUNKS = 16  # of them in one search
_COMMON = 2_000  # replies with a text: then it is soon met with in the list, whatever its order
_ESCAPED = str.maketrans({"/": "//", "%": "/%", "_": "/_"})
_TYPES = "('HypothesisSubmitted', 'PolicyFailed')"
_WAITING = f"SELECT 1 FROM events WHERE position > :upto AND type IN {_TYPES} LIMIT 1"  # noqa: S608  # our own names and conditions, no input
_PATHS = (("equation",), ("parse", "canonical"), ("rationale",), ("raw_completion",))


def said_on(dialect: str, event: str) -> str:
    """Return as SQL what was said in an event: `physix.store.projection.said`, a line each."""
    # Neither database has NUL in a text; a backslash before `u0000` is no escape if it is escaped itself.
    payload = f"replace(replace({event}.payload, '\\\\', '\\u005c'), '\\u0000', '{storable(NUL)}')"
    if dialect == "sqlite":
        parts = [f"json_extract({payload}, '$.{'.'.join(path)}')" for path in _PATHS]
        line = "char(10)"
    else:
        parts = [f"({payload})::json #>> '{{{','.join(path)}}}'" for path in _PATHS]
        line = "chr(10)"
    return f" || {line} || ".join(f"coalesce({part}, '')" for part in parts)


def catch_up(backend: Backend, *, chunks: int | None = None, most: int | None = None) -> bool:
    """Index some of what was said and is not indexed; other writers go on in between.

    Args:
        backend: of the log, open for writing.
        chunks: how many transactions, each under the append lock; None: as a search does.
        most: replies in each, which take 0.2 ms each; None: as a search does.

    Returns:
        Whether some may be left.
    """
    for _ in range(chunks or _CHUNKS):
        with backend.readers.connect() as connection:
            name, upto = connection.dialect.name, indexed_to(connection)
            if upto is None or connection.execute(text(_WAITING), {"upto": upto}).first() is None:
                return False
        with backend.writer.begin() as connection:
            backend.lock(connection)
            connection.execute(text(_index(name)), {"upto": indexed_to(connection), "most": most or _CHUNK})
    return True


def indexed_to(connection: Connection) -> int | None:
    """Return the position up to which what was said is indexed; None if there is no index."""
    if connection.dialect.name == "sqlite":
        there = "SELECT 1 FROM sqlite_master WHERE name = 'search_said'"
        last = "SELECT max(id) FROM search_said_docsize"
    else:
        there = "SELECT 1 WHERE to_regclass('search_said') IS NOT NULL"
        last = "SELECT max(position) FROM search_said"
    if connection.exec_driver_sql(there).first() is None:
        return None
    return int(connection.exec_driver_sql(last).scalar() or 0)


def _index(dialect: str) -> str:
    key = "rowid" if dialect == "sqlite" else "position"
    return (
        f"INSERT INTO search_said ({key}, text) SELECT e.position, {said_on(dialect, 'e')} FROM events e "  # noqa: S608  # our own names and conditions, no input
        f"WHERE e.position > :upto AND e.type IN {_TYPES} ORDER BY e.position LIMIT :most"
    )


class Window(NamedTuple):
    """Which of the episodes that hold a text in their names are looked at, where it may be very many."""

    most: int
    newest: bool | None = None  # the newest of them, the oldest; None: any
    after: int | None = None  # beyond this position, in that direction


def holds(connection: Connection, wanted: EpisodeFilter, window: Window | None = None) -> ColumnElement[bool]:
    """Return that an episode is found by the filter's text; by its names only within a window."""
    part = storable(wanted.text or "")
    named = _named(connection, part, window)
    position = schema.episodes.c.position
    if len(part) < TRIGRAM:
        return position.in_(named)
    labelled = _labelled(part)
    upto = indexed_to(connection)
    if upto is None or _is_common(connection, part):
        met = text(f"EXISTS ({_spoken(connection, part, 'e.stream = episodes.position')})")
        said = met.bindparams(**_bound(connection, part))
        return position.in_(named) | (open_to(wanted) & (position.in_(labelled) | said))
    found = union(labelled, _indexed(connection, part), _unindexed(connection, part, upto)).subquery()
    own = schema.episodes.alias("own")
    told = select(own.c.position).where(own.c.position.in_(select(found.c[0])), open_to(wanted, own.c))
    return position.in_(union(named, told))


def open_to(wanted: EpisodeFilter, table: _Columns = schema.episodes.c) -> ColumnElement[bool]:
    """Return that the truth of an episode's task is not held back from whoever asks."""
    measured: ColumnElement[bool] = table.system_id == MEASURED
    sampled: ColumnElement[bool] = table.seed.is_not(None)
    if not wanted.public:
        return true()
    return measured if wanted.holds_sampled else measured | sampled


def _named(connection: Connection, part: str, window: Window | None) -> Select[Any]:
    """Return the positions of the episodes whose id, title or policy holds a text, in any case."""
    if len(part) >= TRIGRAM and _has_names(connection):
        return _named_in_fts(part, window)
    # PostgreSQL finds it by pg_trgm's index, if it has that.
    table = schema.episodes.alias("named").c
    columns = (table.episode_id, table.title, table.policy)
    query = select(table.position).where(or_(*(one.ilike(_pattern(part), escape="/") for one in columns)))
    if window is None:
        return query
    if window.after is not None:
        beyond = table.position < window.after if window.newest else table.position > window.after
        query = query.where(beyond)
    if window.newest is not None:
        query = query.order_by(table.position.desc() if window.newest else table.position)
    # One more query around it: a union takes no part with an order of its own.
    return select(query.limit(window.most).subquery().c.position)


def _named_in_fts(part: str, window: Window | None) -> Select[Any]:
    low, high, end = -1, MAX_SEED, ""
    if window is not None:
        if window.after is not None:
            low, high = (low, window.after) if window.newest else (window.after, high)
        order = {None: "", True: "ORDER BY rowid DESC", False: "ORDER BY rowid"}[window.newest]
        end = f"{order} LIMIT {window.most:d}"
    query = text(
        "SELECT rowid AS position FROM search WHERE search MATCH :part AND rowid > :low AND rowid < :high "  # noqa: S608  # a number
        + end
    )
    return _first_of(query.bindparams(part=_quoted(part), low=low, high=high))


def _has_names(connection: Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    return bool(connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'search'").first())


def _labelled(part: str) -> Select[Any]:
    """Return the positions of the episodes that people labelled, now with a text in a label."""
    label, events = schema.labels.c, schema.events.c
    given = select(events.stream).where(events.type == LABELLED)
    held = label.name.ilike(_pattern(part), escape="/") | label.value.ilike(_pattern(part), escape="/")
    return select(label.position).where(label.position.in_(given), held)


def _is_common(connection: Connection, part: str) -> bool:
    if connection.dialect.name == "sqlite":
        found = "SELECT rowid FROM search_said WHERE search_said MATCH :part LIMIT :most"
        bound = _trigrams(part)
    else:
        found = "SELECT position FROM search_said WHERE text ILIKE :part ESCAPE '/' LIMIT :most"
        bound = _pattern(part)
    query = text(f"SELECT count(*) FROM ({found}) AS few")  # noqa: S608  # our own names and conditions, no input
    return int(connection.execute(query, {"part": bound, "most": _COMMON}).scalar_one()) == _COMMON


def _indexed(connection: Connection, part: str) -> Select[Any]:
    if connection.dialect.name == "sqlite":
        # The index knows which trigrams a text has, not their order.
        some = "e.position IN (SELECT rowid FROM search_said WHERE search_said MATCH :trigrams)"
        query = text(_spoken(connection, part, some, "e.stream AS position"))
        return _first_of(query.bindparams(**_bound(connection, part), trigrams=_trigrams(part)))
    query = text(
        "SELECT e.stream AS position FROM events e JOIN search_said s ON s.position = e.position "
        "WHERE s.text ILIKE :said ESCAPE '/'"
    )
    return _first_of(query.bindparams(said=_pattern(part)))


def _unindexed(connection: Connection, part: str, upto: int) -> Select[Any]:
    query = text(_spoken(connection, part, "e.position > :upto", "e.stream AS position"))
    return _first_of(query.bindparams(**_bound(connection, part), upto=upto))


def _spoken(connection: Connection, part: str, where: str, wanted: str = "1") -> str:
    """Return as SQL which events that `where` narrows hold a text in what was said."""
    told = said_on(connection.dialect.name, "e")
    if connection.dialect.name == "sqlite":
        # LIKE knows the case of ASCII only.
        holds_it = f"{told if part.isascii() else f'folded({told})'} LIKE :said ESCAPE '/'"
    else:
        holds_it = f"{told} ILIKE :said ESCAPE '/'"
    return f"SELECT {wanted} FROM events e WHERE {where} AND e.type IN {_TYPES} AND {holds_it}"  # noqa: S608  # our own names and conditions, no input


def _first_of(query: TextClause) -> Select[Any]:
    return select(query.columns(column("position")).subquery().c.position)


def _bound(connection: Connection, part: str) -> dict[str, str]:
    is_folded = connection.dialect.name == "sqlite" and not part.isascii()
    return {"said": _pattern(part.lower() if is_folded else part)}


def _pattern(part: str) -> str:
    return f"%{part.translate(_ESCAPED)}%"


def _quoted(part: str) -> str:
    doubled = part.replace('"', '""')
    return f'"{doubled}"'


def _trigrams(part: str) -> str:
    every = (part[i : i + TRIGRAM] for i in range(len(part) - TRIGRAM + 1))
    return " AND ".join(_quoted(one) for one in dict.fromkeys(every))
