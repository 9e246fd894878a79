"""Reading the projections: pages of episodes, turns, counts. The same on every database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from physix.store import schema
from physix.store.log import MAX_PAGE, CommandRow, EpisodeFilter, EpisodePage, EpisodeRow, TurnRow, storable
from physix.store.pages import parse_cursor


def last_position(connection: Connection) -> int:
    """Return the position of the newest event, 0 for an empty log."""
    found = connection.exec_driver_sql("SELECT max(position) FROM events").scalar()
    return int(found or 0)


def episode_row(connection: Connection, episode_id: str) -> EpisodeRow | None:
    """Return one episode's row, None if there is no such episode."""
    found = connection.execute(
        select(schema.episodes).where(schema.episodes.c.episode_id == episode_id)
    ).one_or_none()
    return None if found is None else _rows(connection, [found])[0]


def page(connection: Connection, wanted: EpisodeFilter, cursor: str | None, limit: int) -> EpisodePage:
    """Return a page of episodes, newest first.

    Raises:
        BadInputError: the cursor is not one of ours.
    """
    before = parse_cursor(cursor)
    size = max(1, min(limit, MAX_PAGE))
    conditions = conditions_of(wanted)
    total = connection.execute(
        select(func.count()).select_from(schema.episodes).where(*conditions)
    ).scalar_one()
    if before is not None:
        conditions.append(schema.episodes.c.position < before)
    query = (
        select(schema.episodes).where(*conditions).order_by(schema.episodes.c.position.desc()).limit(size + 1)
    )
    found = connection.execute(query).all()
    items = _rows(connection, found[:size])
    return EpisodePage(
        items=tuple(items),
        next_cursor=str(items[-1].position) if len(found) > size else None,
        total=total,
    )


def conditions_of(wanted: EpisodeFilter) -> list[ColumnElement[bool]]:
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
        column == (storable(value) if isinstance(value, str) else value)
        for column, value in exact.items()
        if value is not None
    ]
    if wanted.since is not None:
        conditions.append(table.started_at >= _time_text(wanted.since))
    if wanted.until is not None:
        conditions.append(table.started_at < _time_text(wanted.until))
    if wanted.text:
        named = [
            column.icontains(storable(wanted.text), autoescape=True)
            for column in (table.episode_id, table.title, table.policy)
        ]
        conditions.append(named[0] | named[1] | named[2])
    return conditions


def turns_of(connection: Connection, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
    """Return the turns of some episodes, by episode and turn."""
    table = schema.turns.c
    query = (
        select(schema.turns).where(table.episode_id.in_(episode_ids)).order_by(table.episode_id, table.turn)
    )
    return tuple(TurnRow(**row._mapping) for row in connection.execute(query))


def commands_of(connection: Connection, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
    """Return the commands of some episodes, by episode and version."""
    table = schema.commands.c
    query = (
        select(schema.commands)
        .where(table.episode_id.in_(episode_ids))
        .order_by(table.episode_id, table.first_version)
    )
    return tuple(CommandRow(**row._mapping) for row in connection.execute(query))


def _rows(connection: Connection, found: Iterable[Row[Any]]) -> list[EpisodeRow]:
    rows = list(found)
    matches: dict[str, list[float]] = {row.episode_id: [] for row in rows}
    table = schema.turns.c
    query = select(table.episode_id, table.match).where(table.episode_id.in_(list(matches)))
    for episode_id, match in connection.execute(query.order_by(table.episode_id, table.turn)):
        matches[episode_id].append(match)
    return [_row(row, tuple(matches[row.episode_id])) for row in rows]


def _row(found: Row[Any], matches: tuple[float, ...]) -> EpisodeRow:
    values = dict(found._mapping)
    for name in ("started_at", "updated_at"):
        values[name] = datetime.fromisoformat(values[name])
    return EpisodeRow(**values, matches=matches)


def _time_text(moment: datetime) -> str:
    # Stored as text of one width in UTC, so that text order is time order.
    return moment.isoformat(timespec="microseconds")


def statistics(connection: Connection) -> dict[str, dict[str, int]]:
    """Count events by type, and episodes by outcome, system and policy; largest first."""
    table = schema.episodes.c
    groups = {
        "events by type": schema.events.c.type,
        "episodes by outcome": func.coalesce(table.outcome, "running"),
        "episodes by system": table.system_id,
        "episodes by policy": table.policy,
    }
    counted = {}
    for heading, column in groups.items():
        query = select(column, func.count()).group_by(column).order_by(func.count().desc(), column)
        counted[heading] = {str(name): int(number) for name, number in connection.execute(query)}
    return counted
