"""Reading the projections: pages of episodes, turns, counts. The same on every database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    func,
    select,
    tuple_,
    type_coerce,
)

from physix.engine.systems.task import MEASURED
from physix.limits import MAX_COUNTED, MAX_PAGE
from physix.store.codec import Encoded
from physix.store.moments import moment
from physix.store.pages import Key, cursor_after, parse_cursor, total_of
from physix.store.projection import storable
from physix.store.rows import (
    OPEN_DOOR,
    CommandRow,
    EpisodeFilter,
    EpisodeOrder,
    EpisodePage,
    EpisodeRow,
    SortKey,
    TurnRow,
)
from physix.store.rules import wanted_labels
from physix.store.sql import said, schema
from physix.store.stored import Stored

_first = schema.events.alias("first")
name = _first.c.episode_id  # of the episode that an event of `recorded` belongs to


def recorded() -> Select[Any]:
    """Return a query for whole events with the `name` of their episode."""
    own = schema.events.c
    arrays = schema.trajectories
    wanted = (own.position, own.version, own.type, own.schema_version, own.recorded_at, own.payload)
    return (
        select(name.label("name"), *wanted, arrays.c.blob)
        .join_from(schema.events, _first, _first.c.position == own.stream)
        .outerjoin(arrays, arrays.c.position == own.position)
    )


def stored_of(connection: Connection, episode_ids: Sequence[str]) -> dict[str, list[Stored]]:
    """Return the events of some episodes by version, unread; an episode without events is left out."""
    query = recorded().where(name.in_(episode_ids)).order_by(schema.events.c.stream, schema.events.c.version)
    found: dict[str, list[Stored]] = {}
    for episode_id, position, version, kind, written_as, at, payload, blob in connection.execute(query):
        found.setdefault(episode_id, []).append(
            Stored(
                episode_id,
                version,
                position,
                moment(at),
                Encoded(kind, payload, blob and bytes(blob)),
                written_as,
            )
        )
    return found


def last_position(connection: Connection) -> int:
    """Return the position of the newest event, 0 for an empty log."""
    found = connection.exec_driver_sql("SELECT max(position) FROM events").scalar()
    return int(found or 0)


class Counted:
    """How many episodes the log has. None ever goes: what was counted once is not counted again."""

    def __init__(self) -> None:
        self._known = (0, 0)  # a position, and how many began up to it

    def total(self, connection: Connection) -> int:
        """Return how many there are now."""
        upto, known = self._known
        position = schema.episodes.c.position
        later = select(func.count(), func.max(position)).where(position > upto)
        more, last = connection.execute(later).one()
        if more:
            self._known = (last, known + more)
        return int(known + more)

    def forget(self) -> None:
        """Count all of them again: the list is made anew, as it may have been damaged."""
        self._known = (0, 0)


def page(
    connection: Connection,
    wanted: EpisodeFilter,
    order: EpisodeOrder,
    cursor: str | None,
    limit: int,
    counted: Counted,
) -> EpisodePage:
    """Return a page of episodes; `counted` is what is known of the log at `connection`.

    Raises:
        BadInputError: the cursor is not one of ours, or is one of another order.
    """
    after = parse_cursor(cursor, order)
    size = max(1, min(limit, MAX_PAGE))
    conditions = conditions_of(connection, wanted)
    total = total_of(cursor)
    # A part of a name may be held by most of a log: no more of them are looked at than are shown or counted.
    only_text = wanted.text is not None and len(conditions) == 1
    if total is None and not conditions:
        total = counted.total(connection)
    elif total is None and only_text:
        total = _shown(connection, [said.holds(connection, wanted, said.Window(MAX_COUNTED))])
    elif total is None:
        total = _shown(connection, conditions)
    if only_text and order.by == "started":
        place = None if after is None else after[1]
        conditions = [said.holds(connection, wanted, said.Window(size + 1, order.descending, place))]
    ordered = _Ordered(connection, conditions, _SORT_KEYS[order.by])
    if order.descending or order.by == "started":
        found = ordered.straight(after, descending=order.descending, limit=size + 1)
    else:
        found = ordered.newest_first_among_equals(after, limit=size + 1)
    items = _rows(connection, found[:size])
    return EpisodePage(
        items=tuple(items),
        next_cursor=cursor_after(items[-1], order, total) if len(found) > size else None,
        total=total,
    )


def _shown(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> int:
    """Return how many episodes a filter shows, no more than MAX_COUNTED."""
    some = select(schema.episodes.c.position).where(*conditions).limit(MAX_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


_NEAR = 5_000  # episodes among which a page is looked for: a filter that leaves one in a hundred fills it


class _Ordered:
    """The list in an order, read along the index on (key, position), wherever a page starts."""

    def __init__(
        self, connection: Connection, conditions: Sequence[ColumnElement[bool]], key: ColumnElement[Any]
    ) -> None:
        self._connection = connection
        self._query = select(schema.episodes, key.label("key")).where(*conditions)
        self._key = key
        self._position = schema.episodes.c.position
        # SQLite knows no statistics: it would sort all that a filter leaves, be it a fifth of the log.
        self._looks_near = bool(conditions) and connection.dialect.name == "sqlite"

    def straight(self, after: tuple[Key, int] | None, *, descending: bool, limit: int) -> list[Row[Any]]:
        """Return rows by key and position, both in the same direction."""
        place = tuple_(self._key, self._position)
        narrowed = [] if after is None else [place < after if descending else place > after]
        ends = (self._key.desc(), self._position.desc()) if descending else (self._key, self._position)
        return self._read(narrowed, ends, limit)

    def _read(
        self, narrowed: Sequence[ColumnElement[bool]], ends: Sequence[ColumnElement[Any]], limit: int
    ) -> list[Row[Any]]:
        """Return the first rows in an order; first looked for among the first of all episodes in it."""
        query = self._query.where(*narrowed).order_by(*ends).limit(limit)
        if self._looks_near and self._key is not self._position:
            near = select(self._position).where(*narrowed).order_by(*ends).limit(_NEAR)
            found = list(self._connection.execute(query.where(self._position.in_(near))))
            if len(found) == limit:
                return found
        return list(self._connection.execute(query))

    def newest_first_among_equals(self, after: tuple[Key, int] | None, *, limit: int) -> list[Row[Any]]:
        """Return rows by ascending key, among equals by descending position.

        No index runs both ways. But reading on by key and position finds which keys the page shows:
        all of them whole but the last, whose newest rows one more look at the index finds.
        """
        rows: list[Row[Any]] = []
        narrowed: list[ColumnElement[bool]] = []
        if after is not None:
            rows = self._newest_with(after[0], limit, self._position < after[1])
            narrowed = [self._key > after[0]]
        if len(rows) < limit:
            ordered = self._read(narrowed, (self._key, self._position), limit - len(rows))
            groups = [list(group) for _, group in groupby(ordered, _key_of)]
            for whole in groups[:-1]:
                rows += reversed(whole)
            if groups:
                rows += self._newest_with(groups[-1][0].key, limit - len(rows))
        return rows

    def _newest_with(self, key: Key, limit: int, *narrowed: ColumnElement[bool]) -> list[Row[Any]]:
        query = self._query.where(self._key == key, *narrowed).order_by(self._position.desc()).limit(limit)
        return list(self._connection.execute(query))


_key_of = attrgetter("key")


def _told(outcome: ColumnElement[Any]) -> ColumnElement[str]:
    """Return an outcome as it is held: "" while the episode runs."""
    return type_coerce(outcome, String)


_COLUMNS = schema.episodes.c
_SORT_KEYS: dict[SortKey, ColumnElement[Any]] = {
    "started": _COLUMNS.position,
    "system": _COLUMNS.title,
    "policy": _COLUMNS.policy,
    "outcome": _told(_COLUMNS.outcome),
    "turns": _COLUMNS.turns,
    "match": _COLUMNS.best_match,
    "total": _COLUMNS.best_total,
    "length": _COLUMNS.length,
}


def _labelled(label: str, value: str | None) -> ColumnElement[bool]:
    """Return that an episode has a label, of any value if None."""
    table = schema.labels.c
    found = select(table.position).where(table.name == storable(label))
    if value is not None:
        found = found.where(table.value == storable(value))
    return schema.episodes.c.position.in_(found)


def rows_of(connection: Connection, episode_ids: Sequence[str]) -> list[EpisodeRow]:
    """Return the rows of some episodes, by position."""
    table = schema.episodes.c
    query = select(schema.episodes).where(table.episode_id.in_(episode_ids)).order_by(table.position)
    return _rows(connection, connection.execute(query))


def conditions_of(connection: Connection, wanted: EpisodeFilter) -> list[ColumnElement[bool]]:
    """Return the filter as conditions on the episodes table."""
    table = schema.episodes.c
    exact = {
        table.system_id: wanted.system,
        table.policy: wanted.policy,
        table.outcome: wanted.outcome,
        table.status: wanted.status,
        table.tier: wanted.tier,
    }
    conditions: list[ColumnElement[bool]] = [
        field == (storable(value) if isinstance(value, str) else value)
        for field, value in exact.items()
        if value is not None
    ]
    if wanted.public and wanted.names_system:
        conditions.append(table.seed.is_not(None) | (table.system_id == MEASURED))
    if wanted.ranked != "all":
        shown = (table.door == OPEN_DOOR) | (table.system_id == MEASURED)
        conditions.append(shown if wanted.ranked == "open" else shown | table.seed.is_not(None))
    if wanted.since is not None:
        conditions.append(table.started_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.started_at < wanted.until)
    if wanted.text:
        conditions.append(said.holds(connection, wanted))
    if wanted.labels:
        conditions.append(said.open_to(wanted))
    return conditions + [_labelled(label, value) for label, value in wanted_labels(wanted).items()]


def turns_of(connection: Connection, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
    """Return the turns of some episodes, by episode and turn."""
    paid = schema.events.c
    asked = schema.events.alias("asked")
    query = (
        select(name.label("episode_id"), paid.turn, paid.position, paid.outcome, asked.c.payload)
        .add_columns(paid.match, paid.total, paid.generalisation, paid.solved)
        .join_from(schema.events, _first, _first.c.position == paid.stream)
        # A turn is three events in a row: hypothesis, simulation, reward.
        .join(asked, (asked.c.stream == paid.stream) & (asked.c.version == paid.version - 2))
        .where(name.in_(episode_ids), paid.turn.is_not(None))
        .order_by(name, paid.turn)
    )
    rows = []
    for found in connection.execute(query):
        values = dict(found._mapping)
        equation = storable(orjson.loads(values.pop("payload"))["equation"])
        rows.append(TurnRow(**values, equation=equation))
    return tuple(rows)


def commands_of(connection: Connection, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
    """Return the commands of some episodes, by episode and version."""
    table = schema.commands.c
    query = (
        select(schema.commands)
        .where(table.episode_id.in_(episode_ids))
        .order_by(table.episode_id, table.first_version)
    )
    return tuple(CommandRow.model_construct(**row._mapping) for row in connection.execute(query))


def _rows(connection: Connection, found: Iterable[Row[Any]]) -> list[EpisodeRow]:
    rows = list(found)
    matches: dict[int, list[float]] = {row.position: [] for row in rows}
    labels: dict[int, dict[str, str]] = {row.position: {} for row in rows}
    events = schema.events.c
    query = select(events.stream, events.match).where(
        events.stream.in_(list(matches)), events.turn.is_not(None)
    )
    for stream, match in connection.execute(query.order_by(events.stream, events.turn)):
        matches[stream].append(match)
    table = schema.labels.c
    named = select(table.position, table.name, table.value).where(table.position.in_(list(labels)))
    for position, label, value in connection.execute(named.order_by(table.position)):
        labels[position][label] = value
    return [
        EpisodeRow.model_construct(
            **row._mapping, matches=tuple(matches[row.position]), labels=labels[row.position]
        )
        for row in rows
    ]


def statistics(connection: Connection) -> dict[str, dict[str, int]]:
    """Count events by type, and episodes by outcome, system and policy; largest first."""
    table = schema.episodes.c
    groups = {
        "events by type": schema.events.c.type,
        "episodes by outcome": func.coalesce(func.nullif(_told(table.outcome), ""), "running"),
        "episodes by system": table.system_id,
        "episodes by policy": table.policy,
    }
    counted = {}
    for heading, group in groups.items():
        query = select(group, func.count()).group_by(group).order_by(func.count().desc(), group)
        counted[heading] = {str(name): int(number) for name, number in connection.execute(query)}
    return counted
