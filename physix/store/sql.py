"""The log on a SQL database: one writer thread with group commit, any number of readers.

An append is acknowledged only after its transaction is durable; appends that wait while a
transaction runs share the next one. The append lock is taken before any version is checked
and held until the commit, so positions grow in commit order for every reader, without holes.
What differs between SQLite and PostgreSQL is behind `Backend`.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import anyio
from anyio import to_thread
from sqlalchemy import Connection, Engine, Row, Table, select
from sqlalchemy.exc import DBAPIError

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.errors import ConflictError, PhysixError, StorageError
from physix.store import queries, schema
from physix.store.codec import Encoded, decode, encode
from physix.store.hub import Hub
from physix.store.log import (
    CommandRow,
    EpisodeFilter,
    EpisodePage,
    EpisodeRow,
    TurnRow,
    check_append,
    check_ids,
    project,
    project_turns,
)
from physix.store.migrate import migrate
from physix.store.rebuild import Progress, finish_pending, rebuild

_BATCH = 256  # appends in one transaction
_FEW = 24  # events that are not worth a bulk insert
_HEADS = 4_096  # episodes whose row the writer remembers
_RECONNECTS = 40  # how often a writer that lost its server tries again,
_RECONNECT_S = 0.25  # and how long it waits in between
_READ = 500  # events a follower reads at once while it catches up

T = TypeVar("T")


class Backend(Protocol):
    """What one kind of database does its own way. Engines are thread-safe; connections are not."""

    label: str  # names the database in messages; holds no password
    readers: Engine
    writer: Engine
    placeholder: str  # of the driver: "?" or "%s"

    def lock(self, connection: Connection) -> None:
        """Take the append lock for the rest of the transaction."""
        ...

    def lock_and_look(self, connection: Connection) -> int:
        """As `lock`; return the last position of the log, 0 if it is empty."""
        ...

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """Send the statements inside in one go where the driver can, without waiting for each."""
        ...

    def move_rows(self, connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run an update for every row."""
        ...

    def bulk_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, values in the order of the table's columns, the driver's fastest way."""
        ...

    def few_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """As `bulk_insert`, the way that suits a few rows and may be sent `together` with others."""
        ...

    def announce(self, connection: Connection) -> None:
        """Wake followers in other processes once the transaction commits."""
        ...

    def watch(self, wake: Callable[[int], None], stop: threading.Event) -> None:
        """Call `wake` with the last position whenever it may have moved, until `stop` is set."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Append:
    episode_id: str
    events: tuple[Event, ...]
    encoded: tuple[Encoded, ...]
    expected_version: int
    recorded_at: datetime | None  # None: now
    command_id: str | None
    command_digest: str
    answer: asyncio.Future[tuple[RecordedEvent, ...]]


_Answer = tuple[RecordedEvent, ...] | PhysixError


@dataclass(slots=True)
class _Batch:
    """What one transaction is going to write."""

    last: int = 0  # position
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    text: str = ""  # of `now`
    answers: list[_Answer] = field(default_factory=list)
    new: set[str] = field(default_factory=set)  # episodes that begin in it
    recorded: list[RecordedEvent] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    turns: list[TurnRow] = field(default_factory=list)
    heads: dict[str, EpisodeRow] = field(default_factory=dict)
    commands: dict[tuple[str, str], tuple[str, tuple[RecordedEvent, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.text = self.now.isoformat(timespec="microseconds")


class SqlLog:
    """Implements `Log`. Use `open_sql_log`, which starts and stops the threads."""

    def __init__(self, backend: Backend, loop: asyncio.AbstractEventLoop) -> None:
        self.backend = backend
        self._loop = loop
        self._hub = Hub()
        self._requests: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._heads: OrderedDict[str, EpisodeRow] = OrderedDict()
        self._last = -1  # position up to which `_heads` is known to be true
        self._writing_to = 0  # last position of the batch that commits or has just been committed
        mark = backend.placeholder
        moved = ", ".join(f"{name} = {mark}" for name in (*_MOVING, "updated_at"))
        self._move = f"UPDATE episodes SET {moved} WHERE episode_id = {mark}"  # noqa: S608  # our own names
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write_forever, name="physix-log-writer", daemon=True),
            threading.Thread(target=self._watch, name="physix-log-watcher", daemon=True),
        ]
        self._closed = False

    def start(self) -> None:
        """Create or upgrade the schema, finish a rebuild that was cut off, start the threads.

        Raises:
            StorageError: the database cannot be reached or written, or is of a newer version.
        """
        with self._translated():
            with self.backend.writer.begin() as connection:
                self.backend.lock(connection)
                migrate(connection)
                # A read-only file only shows when something is written.
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
            finish_pending(self.backend)
            with self.backend.readers.connect() as connection:
                self._hub.skip_to(queries.last_position(connection))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the appends already queued, then close every connection."""
        self._closed = True
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                self._requests.put(None)
                thread.join()
        self.backend.writer.dispose()
        self.backend.readers.dispose()

    async def append(
        self,
        episode_id: str,
        events: Sequence[Event],
        *,
        expected_version: int,
        command_id: str | None = None,
        command_digest: str = "",
        recorded_at: datetime | None = None,
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.append`. Once queued it commits, even if the caller is cancelled."""
        if self._closed:
            raise StorageError("The log is closed.")
        check_ids(episode_id, command_id)
        answer: asyncio.Future[tuple[RecordedEvent, ...]] = self._loop.create_future()
        encoded = tuple(map(encode, events))
        self._requests.put(
            _Append(
                episode_id=episode_id,
                events=tuple(events),
                encoded=encoded,
                expected_version=expected_version,
                recorded_at=recorded_at,
                command_id=command_id,
                command_digest=command_digest,
                answer=answer,
            )
        )
        return await answer

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        if "\0" in episode_id:
            return ()  # PostgreSQL takes no such text, not even to look for it
        table = schema.events.c
        query = (
            select(schema.events)
            .where(table.episode_id == episode_id, table.version > after_version)
            .order_by(table.version)
        )
        return await self.query(lambda connection: tuple(map(recorded_of, connection.execute(query))))

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
        return await self.query(lambda connection: tuple(map(recorded_of, connection.execute(query))))

    async def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """See `EventLog.subscribe`. Live events come from memory, shared by all followers."""
        wanted = None if episode_ids is None else frozenset(episode_ids)
        while True:
            bell, committed = self._hub.bell, self._hub.last
            batch: Sequence[RecordedEvent] | None = self._hub.after(after_position)
            if batch is None:
                batch = await self.read_all(
                    after_position=after_position, episode_ids=episode_ids, limit=_READ
                )
                # Beyond what it found, a read that ended has seen all that was committed before it.
                reached = batch[-1].position if batch else 0
                reached = max(reached, committed) if len(batch) < _READ else reached
            else:
                reached = batch[-1].position if batch else after_position
            for recorded in batch:
                if wanted is None or recorded.episode_id in wanted:
                    yield recorded
            if reached == after_position:
                await bell.wait()
            after_position = reached

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """See `EventLog.find_command`."""
        return await self.query(
            lambda connection: _command(connection, episode_id, command_id, command_digest)
        )

    async def list_episodes(
        self, wanted: EpisodeFilter, *, cursor: str | None = None, limit: int = 50
    ) -> EpisodePage:
        """See `Log.list_episodes`."""
        return await self.query(lambda connection: queries.page(connection, wanted, cursor, limit))

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """See `Log.list_turns`."""
        return await self.query(lambda connection: queries.turns_of(connection, episode_ids))

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """See `Log.list_commands`."""
        return await self.query(lambda connection: queries.commands_of(connection, episode_ids))

    async def rebuild(self, progress: Progress = lambda done, total: None) -> int:
        """Recompute the projections from the events; return how many episodes there are.

        Readers and writers go on meanwhile. A rebuild that is cut off is finished when the log
        is opened next.
        """

        def run() -> int:
            with self._translated():
                return rebuild(self.backend, progress)

        return await to_thread.run_sync(run)

    async def query(self, query: Callable[[Connection], T]) -> T:
        """Run a read in a worker thread; errors of the driver become StorageError."""

        def run() -> T:
            with self._translated(), self.backend.readers.connect() as connection:
                return query(connection)

        return await to_thread.run_sync(run)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not _is_from_driver(error):
                raise
            raise self._storage_error(error) from error

    def _watch(self) -> None:
        def wake(position: int) -> None:
            # What this process has just committed reaches followers without reading it back.
            if position > self._writing_to and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._hub.skip_to, position)

        self.backend.watch(wake, self._stop)

    def _write_forever(self) -> None:
        running = True
        while running:
            batch: list[_Append] = []
            request = self._requests.get()
            while request is not None:
                batch.append(request)
                if self._requests.empty() or len(batch) >= _BATCH:
                    break
                request = self._requests.get()
            running = request is not None
            if batch:
                self._commit(batch)

    def _commit(self, requests: list[_Append]) -> None:
        """Write a batch and answer its callers; whatever the driver raises, the writer lives on."""
        batch = _Batch()
        try:
            answers = self._transact(batch, requests)
        except Exception as error:
            self._last, self._writing_to = -1, 0
            if not _connection_was_lost(error):
                if len(requests) > 1:
                    # One append may have spoiled the transaction: the others get one of their own.
                    for request in requests:
                        self._commit([request])
                    return
                answers, batch = [self._storage_error(error)], _Batch()
            elif (committed := self._find_out(batch)) is False:
                # The server is back and has nothing of it.
                batch = _Batch()
                try:
                    answers = self._transact(batch, requests)
                except Exception as again:
                    self._last, self._writing_to = -1, 0
                    answers, batch = [self._storage_error(again)] * len(requests), _Batch()
            elif committed:
                answers = batch.answers
            else:
                answers, batch = [self._unclear(error)] * len(requests), _Batch()
        self._remember(batch)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, requests, answers, batch.recorded)

    def _transact(self, batch: _Batch, requests: list[_Append]) -> list[_Answer]:
        """Write a batch in one transaction; an append that is refused leaves the others alone."""
        with self.backend.writer.begin() as connection:
            batch.last = self.backend.lock_and_look(connection)
            if batch.last != self._last:
                self._heads.clear()  # another process has written
            batch.answers = [self._decide(connection, batch, request) for request in requests]
            if batch.recorded:
                self._write(connection, batch)
        return batch.answers

    def _find_out(self, batch: _Batch) -> bool | None:
        """Tell whether a batch whose connection broke was committed; None if nobody can be asked."""
        for _ in range(_RECONNECTS):
            try:
                with self.backend.writer.begin() as connection:
                    self.backend.lock(connection)
                    if not batch.recorded:
                        return False
                    first, last = batch.events[0], batch.events[-1]
                    found = connection.execute(
                        select(schema.events.c.position).where(
                            schema.events.c.position.in_([first[0], last[0]]),
                            schema.events.c.recorded_at == first[-1],
                            schema.events.c.payload.in_([first[5], last[5]]),
                        )
                    ).all()
                    return len(found) == len({first[0], last[0]})
            except Exception as error:
                if not _connection_was_lost(error):
                    return None
                self._stop.wait(_RECONNECT_S)
        return None

    def _storage_error(self, error: Exception) -> StorageError:
        if isinstance(error, StorageError):
            return error
        cause = error.orig if isinstance(error, DBAPIError) else error
        translated = StorageError(f"The log {self.backend.label} cannot be used: {cause}.")
        translated.__cause__ = error
        return translated

    def _unclear(self, error: Exception) -> StorageError:
        unclear = StorageError(
            f"The log {self.backend.label} was lost while it was written to, and does not come back. "
            "Whether the append was recorded is unknown: repeat it with the same command id."
        )
        unclear.__cause__ = error
        return unclear

    def _decide(self, connection: Connection, batch: _Batch, request: _Append) -> _Answer:
        try:
            if request.command_id is not None:
                earlier = _known_command(connection, batch, request)
                if earlier is not None:
                    return earlier
            row = batch.heads.get(request.episode_id) or self._heads.get(request.episode_id)
            if row is None:
                row = queries.episode_row(connection, request.episode_id)
            check_append(request.episode_id, row, request.events, request.expected_version)
        except ConflictError as error:
            return error
        if row is None:
            batch.new.add(request.episode_id)
        at, text = batch.now, batch.text
        if request.recorded_at is not None:
            at = request.recorded_at.astimezone(UTC)
            text = at.isoformat(timespec="microseconds")
        recorded = []
        for offset, (event, encoded) in enumerate(zip(request.events, request.encoded, strict=True), start=1):
            one = RecordedEvent(
                episode_id=request.episode_id,
                version=request.expected_version + offset,
                position=batch.last + offset,
                recorded_at=at,
                event=event,
            )
            row = project(row, one)
            recorded.append(one)
            batch.events.append(
                (
                    one.position,
                    one.episode_id,
                    one.version,
                    encoded.type,
                    SCHEMA_VERSION,
                    encoded.payload,
                    encoded.blob,
                    text,
                )
            )
        batch.last += len(recorded)
        batch.recorded += recorded
        batch.turns += project_turns(recorded)
        if row is not None:
            batch.heads[request.episode_id] = row
        answer = tuple(recorded)
        if request.command_id is not None:
            batch.commands[request.episode_id, request.command_id] = (request.command_digest, answer)
        return answer

    def _write(self, connection: Connection, batch: _Batch) -> None:
        insert = self.backend.bulk_insert
        moved = [
            (*_moving_values(row), row.updated_at.isoformat(timespec="microseconds"), row.episode_id)
            for name, row in batch.heads.items()
            if name not in batch.new
        ]
        commands = [
            (episode_id, command_id, digest, answer[0].version, answer[-1].version)
            for (episode_id, command_id), (digest, answer) in batch.commands.items()
        ]
        many = len(batch.events) > _FEW
        if many:
            insert(connection, schema.events, batch.events)
        with self.backend.together(connection):
            if not many:
                self.backend.few_insert(connection, schema.events, batch.events)
            self.backend.few_insert(connection, schema.turns, list(map(_turn_values, batch.turns)))
            new = [_new_episode(batch.heads[name]) for name in sorted(batch.new)]
            self.backend.few_insert(connection, schema.episodes, new)
            self.backend.move_rows(connection, self._move, moved)
            self.backend.few_insert(connection, schema.commands, commands)
            # From here to the answer a watcher may see these positions: they are our own.
            self._writing_to = batch.last
            self.backend.announce(connection)

    def _remember(self, batch: _Batch) -> None:
        if not batch.answers:
            return
        self._last = batch.last
        for episode_id, row in batch.heads.items():
            self._heads[episode_id] = row
            self._heads.move_to_end(episode_id)
        while len(self._heads) > _HEADS:
            self._heads.popitem(last=False)

    def _deliver(
        self, requests: list[_Append], answers: list[_Answer], recorded: list[RecordedEvent]
    ) -> None:
        """Answer every caller and wake the followers: once a batch, on the event loop."""
        for request, answer in zip(requests, answers, strict=True):
            if request.answer.done():
                continue
            if isinstance(answer, PhysixError):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)
        if recorded:
            self._hub.publish(recorded)


def _is_from_driver(error: Exception) -> bool:
    # Bulk statements run past SQLAlchemy.
    return isinstance(error, DBAPIError | sqlite3.Error) or type(error).__module__.startswith("psycopg")


def _connection_was_lost(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        raised: object = error.orig
    else:
        raised = error
    return type(raised).__module__.startswith("psycopg") and type(raised).__name__ in _LOST


_LOST = frozenset(
    {"OperationalError", "AdminShutdown", "CrashShutdown", "CannotConnectNow", "InterfaceError"}
)

_MOVING = ("version", "status", "outcome", "turns", "best_match", "best_total", "generalisation")


_turn_values = attrgetter(*(column.name for column in schema.turns.columns))
_episode_values = attrgetter(*(column.name for column in schema.episodes.columns))
_moving_values = attrgetter(*_MOVING)


def _new_episode(row: EpisodeRow) -> tuple[Any, ...]:
    return tuple(
        value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
        for value in _episode_values(row)
    )


def recorded_of(row: Row[Any]) -> RecordedEvent:
    """Return the event that a row of `events` holds."""
    return RecordedEvent(
        episode_id=row.episode_id,
        version=row.version,
        position=row.position,
        recorded_at=datetime.fromisoformat(row.recorded_at),
        event=decode(row.type, row.schema_version, row.payload, row.blob),
    )


def _known_command(
    connection: Connection, batch: _Batch, request: _Append
) -> tuple[RecordedEvent, ...] | None:
    command_id = request.command_id or ""
    known = batch.commands.get((request.episode_id, command_id))
    if known is None:
        return _command(connection, request.episode_id, command_id, request.command_digest)
    if known[0] != request.command_digest:
        raise _reused(command_id)
    return known[1]


def _command(
    connection: Connection, episode_id: str, command_id: str, digest: str
) -> tuple[RecordedEvent, ...] | None:
    table = schema.commands.c
    known = connection.execute(
        select(table.digest, table.first_version, table.last_version).where(
            table.episode_id == episode_id, table.command_id == command_id
        )
    ).one_or_none()
    if known is None:
        return None
    if known.digest != digest:
        raise _reused(command_id)
    events = schema.events.c
    query = (
        select(schema.events)
        .where(
            events.episode_id == episode_id,
            events.version.between(known.first_version, known.last_version),
        )
        .order_by(events.version)
    )
    return tuple(map(recorded_of, connection.execute(query)))


def _reused(command_id: str) -> ConflictError:
    return ConflictError(f"Command id {command_id!r} was used for another request.")


@asynccontextmanager
async def open_sql_log(backend: Backend) -> AsyncIterator[SqlLog]:
    """Open the log, creating or upgrading it; close it cleanly at the end.

    Raises:
        StorageError: the database cannot be used; the message says why.
    """
    log = SqlLog(backend, asyncio.get_running_loop())
    await to_thread.run_sync(log.start)
    try:
        yield log
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(log.stop)
