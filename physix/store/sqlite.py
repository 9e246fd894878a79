"""The log on SQLite: one writer thread with group commit, any number of readers.

An append is acknowledged only after its transaction has been synced to disk
(`synchronous=FULL`); appends that wait while a transaction runs share the next one.
Several processes may use one file: `BEGIN IMMEDIATE` takes the write lock before the
version is checked.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from sqlalchemy import Connection, Engine, Row, Select, create_engine, event, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.errors import ConflictError, PhysixError, StorageError
from physix.store import schema
from physix.store.codec import decode, encode
from physix.store.log import MAX_PAGE, EpisodeFilter, EpisodePage, EpisodeRow, check_append, project
from physix.store.migrate import migrate
from physix.store.pages import parse_cursor

_BATCH = 256  # appends in one transaction
_POLL_S = 0.02  # how soon commits of other processes are seen
_BUSY_S = 30.0  # how long to wait for another process's write lock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Append:
    episode_id: str
    events: tuple[Event, ...]
    payloads: tuple[str, ...]
    expected_version: int
    command_id: str | None
    command_digest: str
    answer: Future[tuple[RecordedEvent, ...]]


class SqliteLog:
    """Implements `Log` on one file. Use `open_sqlite`, which starts and stops the writer."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._readers = _engine(path, "BEGIN")
        self._writer = _engine(path, "BEGIN IMMEDIATE")
        self._requests: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_forever, name="physix-log-writer", daemon=True)
        self._bell = anyio.Event()
        self._closed = False

    def start(self) -> None:
        """Create or upgrade the schema, then start the writer.

        Raises:
            StorageError: the file is no database, not writable, or of a newer version.
        """
        with _translated(self._path):
            with self._writer.begin() as connection:
                migrate(connection)
            with self._writer.connect() as connection:
                # A read-only file only shows when something is written.
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
                connection.commit()
        self._thread.start()

    def stop(self) -> None:
        """Finish the appends already queued, then close every connection."""
        self._closed = True
        if self._thread.is_alive():
            self._requests.put(None)
            self._thread.join()
        self._writer.dispose()
        self._readers.dispose()

    async def append(
        self,
        episode_id: str,
        events: Sequence[Event],
        *,
        expected_version: int,
        command_id: str | None = None,
        command_digest: str = "",
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.append`."""
        if self._closed:
            raise StorageError("The log is closed.")
        request = _Append(
            episode_id=episode_id,
            events=tuple(events),
            payloads=tuple(encode(one) for one in events),
            expected_version=expected_version,
            command_id=command_id,
            command_digest=command_digest,
            answer=Future(),
        )
        self._requests.put(request)
        return await asyncio.wrap_future(request.answer)

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        table = schema.events.c
        query = (
            select(schema.events)
            .where(table.episode_id == episode_id, table.version > after_version)
            .order_by(table.version)
        )
        return await self._query(lambda connection: _recorded(connection, query))

    async def read_all(
        self,
        *,
        after_position: int = 0,
        episode_ids: Sequence[str] | None = None,
        limit: int = 1000,
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read_all`."""
        table = schema.events.c
        query = select(schema.events).where(table.position > after_position)
        if episode_ids is not None:
            query = query.where(table.episode_id.in_(episode_ids))
        query = query.order_by(table.position).limit(limit)
        return await self._query(lambda connection: _recorded(connection, query))

    async def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """See `EventLog.subscribe`. Wakes on commits of this process, polls for those of others."""
        while True:
            bell = self._bell
            batch = await self.read_all(after_position=after_position, episode_ids=episode_ids, limit=100)
            for recorded in batch:
                yield recorded
                after_position = recorded.position
            if not batch:
                with anyio.move_on_after(_POLL_S):
                    await bell.wait()

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """See `EventLog.find_command`."""
        return await self._query(
            lambda connection: _command(connection, episode_id, command_id, command_digest)
        )

    async def list_episodes(
        self, wanted: EpisodeFilter, *, cursor: str | None = None, limit: int = 50
    ) -> EpisodePage:
        """See `Log.list_episodes`."""
        before = parse_cursor(cursor)
        size = max(1, min(limit, MAX_PAGE))
        return await self._query(lambda connection: _page(connection, wanted, before, size))

    async def rebuild(self) -> int:
        """Recompute the episodes projection from the events; return how many episodes there are."""
        return await to_thread.run_sync(self._rebuild)

    async def _query(self, query: Callable[[Connection], T]) -> T:
        def run() -> T:
            with _translated(self._path), self._readers.connect() as connection:
                return query(connection)

        return await to_thread.run_sync(run)

    def _rebuild(self) -> int:
        with _translated(self._path), self._writer.begin() as connection:
            connection.execute(schema.episodes.delete())
            rows: dict[str, EpisodeRow] = {}
            for found in connection.execute(select(schema.events).order_by(schema.events.c.position)):
                recorded = _decode_row(found)
                rows[recorded.episode_id] = project(rows.get(recorded.episode_id), recorded)
            for row in rows.values():
                _save_row(connection, row)
            return len(rows)

    def _write_forever(self) -> None:
        running = True
        while running:
            batch: list[_Append] = []
            first = self._requests.get()
            while first is not None:
                if first.answer.set_running_or_notify_cancel():
                    batch.append(first)
                if self._requests.empty() or len(batch) >= _BATCH:
                    break
                first = self._requests.get()
            running = first is not None
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Append]) -> None:
        """Write a batch in one transaction; an append that is refused leaves the others alone."""
        answers: list[tuple[_Append, tuple[RecordedEvent, ...] | PhysixError]] = []
        try:
            with _translated(self._path), self._writer.begin() as connection:
                for request in batch:
                    answers.append((request, _append(connection, request)))
        except PhysixError as error:
            answers = [(request, error) for request in batch]
        for request, answer in answers:
            if isinstance(answer, PhysixError):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._bell.set()
        self._bell = anyio.Event()


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteLog]:
    """Open the log in a file, creating or upgrading it; close it cleanly at the end.

    Raises:
        StorageError: the file cannot be used; the message says why.
    """
    log = SqliteLog(path, asyncio.get_running_loop())
    await to_thread.run_sync(log.start)
    try:
        yield log
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(log.stop)


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, with the file's name."""
    try:
        yield
    except (DatabaseError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        raise StorageError(f"The log {path} cannot be used: {cause}.") from error


def _append(connection: Connection, request: _Append) -> tuple[RecordedEvent, ...] | PhysixError:
    try:
        if request.command_id is not None:
            earlier = _command(connection, request.episode_id, request.command_id, request.command_digest)
            if earlier is not None:
                return earlier
        row = _load_row(connection, request.episode_id)
        check_append(request.episode_id, row, request.events, request.expected_version)
    except ConflictError as error:
        return error
    recorded = _insert(connection, request)
    for one in recorded:
        row = project(row, one)
    if row is not None:
        _save_row(connection, row)
    if request.command_id is not None:
        connection.execute(
            insert(schema.commands).values(
                episode_id=request.episode_id,
                command_id=request.command_id,
                digest=request.command_digest,
                first_version=recorded[0].version,
                last_version=recorded[-1].version,
            )
        )
    return recorded


def _insert(connection: Connection, request: _Append) -> tuple[RecordedEvent, ...]:
    now = datetime.now(UTC)
    last = connection.execute(select(func.max(schema.events.c.position))).scalar() or 0
    recorded = tuple(
        RecordedEvent(
            episode_id=request.episode_id,
            version=request.expected_version + offset,
            position=last + offset,
            recorded_at=now,
            event=one,
        )
        for offset, one in enumerate(request.events, start=1)
    )
    connection.execute(
        insert(schema.events),
        [
            {
                "position": one.position,
                "episode_id": one.episode_id,
                "version": one.version,
                "type": one.event.type,
                "schema_version": SCHEMA_VERSION,
                "payload": payload,
                "recorded_at": now.isoformat(),
            }
            for one, payload in zip(recorded, request.payloads, strict=True)
        ],
    )
    return recorded


def _command(
    connection: Connection, episode_id: str, command_id: str, digest: str
) -> tuple[RecordedEvent, ...] | None:
    table = schema.commands.c
    known = connection.execute(
        select(schema.commands).where(table.episode_id == episode_id, table.command_id == command_id)
    ).one_or_none()
    if known is None:
        return None
    if known.digest != digest:
        raise ConflictError(f"Command id {command_id!r} was used for another request.")
    events = schema.events.c
    return _recorded(
        connection,
        select(schema.events)
        .where(
            events.episode_id == episode_id, events.version.between(known.first_version, known.last_version)
        )
        .order_by(events.version),
    )


def _recorded(connection: Connection, query: Select[Any]) -> tuple[RecordedEvent, ...]:
    return tuple(_decode_row(row) for row in connection.execute(query))


def _decode_row(row: Row[Any]) -> RecordedEvent:
    return RecordedEvent(
        episode_id=row.episode_id,
        version=row.version,
        position=row.position,
        recorded_at=datetime.fromisoformat(row.recorded_at),
        event=decode(row.type, row.schema_version, row.payload),
    )


def _load_row(connection: Connection, episode_id: str) -> EpisodeRow | None:
    found = connection.execute(
        select(schema.episodes).where(schema.episodes.c.episode_id == episode_id)
    ).one_or_none()
    return None if found is None else _episode_row(found)


def _episode_row(found: Row[Any]) -> EpisodeRow:
    values = dict(found._mapping)
    values["matches"] = tuple(values["matches"])
    for name in ("started_at", "updated_at"):
        values[name] = datetime.fromisoformat(values[name])
    return EpisodeRow(**values)


def _save_row(connection: Connection, row: EpisodeRow) -> None:
    values = asdict(row)
    values["matches"] = list(row.matches)
    for name in ("started_at", "updated_at"):
        values[name] = values[name].isoformat()
    statement = upsert(schema.episodes).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["episode_id"],
            set_={name: value for name, value in values.items() if name != "episode_id"},
        )
    )


def _page(connection: Connection, wanted: EpisodeFilter, before: int | None, size: int) -> EpisodePage:
    table = schema.episodes.c
    exact = {
        table.system_id: wanted.system,
        table.policy: wanted.policy,
        table.outcome: wanted.outcome,
        table.status: wanted.status,
        table.tier: wanted.tier,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    if wanted.text:
        fields = (table.episode_id, table.title, table.policy)
        conditions.append(
            fields[0].icontains(wanted.text, autoescape=True)
            | fields[1].icontains(wanted.text, autoescape=True)
            | fields[2].icontains(wanted.text, autoescape=True)
        )
    total = connection.execute(select(func.count()).select_from(schema.episodes).where(*conditions)).scalar()
    if before is not None:
        conditions.append(table.position < before)
    query = select(schema.episodes).where(*conditions).order_by(table.position.desc()).limit(size + 1)
    rows = [_episode_row(found) for found in connection.execute(query)]
    items = tuple(rows[:size])
    more = len(rows) > size
    return EpisodePage(items=items, next_cursor=str(items[-1].position) if more else None, total=total or 0)
