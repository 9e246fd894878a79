"""The log on a SQL database: one writer thread with group commit, any number of readers.

What differs between SQLite and PostgreSQL is behind `Backend`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import TypeVar

import anyio
from anyio import to_thread
from sqlalchemy import Connection

from physix.engine.events import Event, RecordedEvent
from physix.errors import PhysixError, StorageError
from physix.store.codec import encode
from physix.store.moments import microseconds
from physix.store.rows import (
    NEWEST_FIRST,
    CommandRow,
    EpisodeFilter,
    EpisodeOrder,
    EpisodePage,
    EpisodeRow,
    TurnRow,
)
from physix.store.rules import check_ids
from physix.store.sql import queries, said, schema
from physix.store.sql.audit import Audit, audit, position_at
from physix.store.sql.backend import Backend, is_from_driver, storage_error
from physix.store.sql.hub import Hub
from physix.store.sql.migrate import check_readable, migrate
from physix.store.sql.rebuild import Progress, finish_pending, rebuild
from physix.store.sql.writer import Answer, Append, Writer, command, recorded_of
from physix.store.stored import Stored

_READ = 500  # events a follower reads at once while it catches up
_INDEXED_AT_ONCE = 50  # replies
_INDEX_EVERY_S = 2.0

T = TypeVar("T")


class SqlLog:
    """Implements `Log`. Use `open_sql_log`, which starts and stops the threads."""

    def __init__(self, backend: Backend, loop: asyncio.AbstractEventLoop, *, read_only: bool = False) -> None:
        self.backend = backend
        self._read_only = read_only
        self._loop = loop
        self._hub = Hub()
        self._counted = queries.Counted()
        self._writer = Writer(backend, self._written)
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="physix-log-watcher", daemon=True)
        self._waiting: list[Append] = []
        self._closed = False

    def start(self) -> None:
        """Create or upgrade the schema, finish a rebuild that was cut off, start the threads.

        Raises:
            StorageError: the database cannot be reached or written, or is of a newer version.
        """
        with self._translated():
            if not self._read_only:
                self._make_ready()
            with self.backend.readers.connect() as connection:
                if self._read_only:
                    check_readable(connection)
                self._hub.skip_to(queries.last_position(connection))
        if not self._read_only:
            self._writer.start()
        self._watcher.start()

    def _make_ready(self) -> None:
        with self.backend.writer.begin() as connection:
            self.backend.lock(connection)
            migrate(connection)
            # A read-only file only shows when something is written.
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
        finish_pending(self.backend)

    def close(self) -> None:
        """Take no more appends; what was taken is still written. Called on the event loop."""
        self._closed = True
        self._hand_over()

    def stop(self) -> None:
        """Finish the appends already queued, then close every connection."""
        self._stop.set()
        self._writer.stop()
        if self._watcher.is_alive():
            self._watcher.join()
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
        if self._closed or self._read_only:
            why = "is closed" if self._closed else f"{self.backend.label} was opened for reading only"
            raise StorageError(f"The log {why}.")
        check_ids(episode_id, command_id)
        answer: asyncio.Future[tuple[RecordedEvent, ...]] = self._loop.create_future()
        encoded = tuple(map(encode, events))
        if not self._waiting:
            # Callers that one batch has answered come back in one round of the loop: they go together.
            self._loop.call_soon(self._hand_over)
        self._waiting.append(
            Append(
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

    def _hand_over(self) -> None:
        requests, self._waiting = self._waiting, []
        if requests:
            self._writer.put(requests)

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        if "\0" in episode_id:
            return ()  # PostgreSQL takes no such text, not even to look for it
        version = schema.events.c.version
        query = (
            queries.recorded().where(queries.name == episode_id, version > after_version).order_by(version)
        )
        return await self.query(lambda connection: tuple(map(recorded_of, connection.execute(query))))

    async def read_stored(self, episode_ids: Sequence[str]) -> dict[str, list[Stored]]:
        """See `physix.store.verify.Unread`."""
        return await self.query(lambda connection: queries.stored_of(connection, episode_ids))

    async def read_all(
        self,
        *,
        after_position: int = 0,
        episode_ids: Sequence[str] | None = None,
        limit: int = 1000,
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read_all`."""
        position = schema.events.c.position
        query = queries.recorded().where(position > after_position)
        if episode_ids is not None:
            query = query.where(queries.name.in_(episode_ids))
        query = query.order_by(position).limit(limit)
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
            lambda connection: command(connection, episode_id, command_id, command_digest)
        )

    async def list_episodes(
        self,
        wanted: EpisodeFilter,
        *,
        order: EpisodeOrder = NEWEST_FIRST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EpisodePage:
        """See `Log.list_episodes`."""
        if wanted.text and not self._read_only:
            await self._off_loop(lambda: said.catch_up(self.backend))
        return await self.query(
            lambda connection: queries.page(connection, wanted, order, cursor, limit, self._counted)
        )

    async def list_some(self, episode_ids: Sequence[str]) -> list[EpisodeRow]:
        """Return the rows of some episodes, by position."""
        return await self.query(lambda connection: queries.rows_of(connection, episode_ids))

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """See `Log.list_turns`."""
        return await self.query(lambda connection: queries.turns_of(connection, episode_ids))

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """See `Log.list_commands`."""
        return await self.query(lambda connection: queries.commands_of(connection, episode_ids))

    async def rebuild(self, progress: Progress = lambda done, total: None) -> int:
        """Recompute the projections from the events; return how many episodes there are.

        What was said and is not yet indexed is indexed too.

        Readers and writers go on meanwhile. A rebuild that is cut off is finished when the log
        is opened next.
        """

        def run() -> int:
            with self._translated():
                try:
                    total = rebuild(self.backend, progress)
                    while said.catch_up(self.backend):
                        pass
                    return total
                finally:
                    self._counted.forget()

        return await to_thread.run_sync(run)

    async def keep_indexed(self) -> None:
        """Index what was said as it comes, so that no search has to; until cancelled.

        Under the append lock for 10 ms at once, and for a fifth of the time at most.
        """
        while not self._read_only:
            began = time.monotonic()
            try:
                more = await self._off_loop(
                    lambda: said.catch_up(self.backend, chunks=1, most=_INDEXED_AT_ONCE)
                )
            except StorageError:
                more = False  # the database is away: appends and reads report it
            await anyio.sleep(4 * (time.monotonic() - began) if more else _INDEX_EVERY_S)

    async def audit(
        self,
        *,
        since: int | datetime = 0,
        head: str | None = None,
        progress: Callable[[int], None] = lambda position: None,
    ) -> Audit:
        """Walk the whole log, or what came after a position or moment; see `physix.store.sql.audit`."""

        def run() -> Audit:
            with self._translated():
                position = since
                if isinstance(position, datetime):
                    with self.backend.readers.connect() as connection:
                        position = position_at(connection, microseconds(position))
                return audit(self.backend, since=position, head=head, progress=progress)

        return await to_thread.run_sync(run)

    async def lag(self) -> int:
        """Return how many committed events the followers in this process were not told of yet."""
        last = await self.query(queries.last_position)
        return max(0, last - self._hub.last)

    async def query(self, query: Callable[[Connection], T]) -> T:
        """Run a read in a worker thread; errors of the driver become StorageError."""

        def run() -> T:
            with self.backend.readers.connect() as connection:
                return query(connection)

        return await self._off_loop(run)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        def run() -> T:
            with self._translated():
                return work()

        return await to_thread.run_sync(run)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_from_driver(error):
                raise
            raise storage_error(self.backend, error) from error

    def _watch(self) -> None:
        def wake(position: int) -> None:
            # What this process has just committed reaches followers without reading it back.
            if not self._writer.wrote(position) and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._hub.skip_to, position)

        self.backend.watch(wake, self._stop)

    def _written(self, requests: list[Append], answers: list[Answer], recorded: list[RecordedEvent]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, requests, answers, recorded)

    def _deliver(self, requests: list[Append], answers: list[Answer], recorded: list[RecordedEvent]) -> None:
        """Wake the followers and answer every caller: once a batch, on the event loop.

        Followers first: what a caller does next (a page of JSON, another turn) would keep them waiting.
        """
        if recorded:
            self._hub.publish(recorded)
        for request, answer in zip(requests, answers, strict=True):
            if request.answer.done():
                continue
            if isinstance(answer, PhysixError):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)


@asynccontextmanager
async def open_sql_log(backend: Backend, *, read_only: bool = False) -> AsyncIterator[SqlLog]:
    """Open the log, creating or upgrading it unless it is only to be read; close it cleanly at the end.

    Raises:
        StorageError: the database cannot be used; the message says why.
    """
    log = SqlLog(backend, asyncio.get_running_loop(), read_only=read_only)
    try:
        await to_thread.run_sync(log.start)
        yield log
    finally:
        log.close()
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(log.stop)
