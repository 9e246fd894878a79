"""SQLite under the log: a file, WAL, synced commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sqlite3 import Connection as DriverConnection
from sqlite3 import OperationalError, connect
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

_BUSY_S = 30.0  # how long to wait for another process's write lock
_POLL_S = 0.02  # how soon commits of other processes are seen


class SqliteBackend:
    """See `physix.store.sql.backend.Backend`."""

    placeholder = "?"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.label = str(path)
        self._path = _Path(path, read_only)
        self.readers = _engine(self._path, "BEGIN")
        self.writer = self.readers if read_only else _engine(self._path, "BEGIN IMMEDIATE")
        self._direct = _engine(self._path, None)

    def lock(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE holds the write lock."""

    def direct(self) -> Connection:
        """See `Backend`."""
        return self._direct.connect()

    def begin(self, connection: Connection) -> int:
        """Lock, then look."""
        driver = _driver(connection)
        driver.execute("BEGIN IMMEDIATE")
        return int(driver.execute("SELECT max(position) FROM events").fetchone()[0] or 0)

    def commit(self, connection: Connection) -> None:
        """See `Backend`."""
        _driver(connection).commit()

    def look(
        self, connection: Connection, statement: str, values: tuple[object, ...]
    ) -> tuple[Any, ...] | None:
        """See `Backend`."""
        found: tuple[Any, ...] | None = _driver(connection).execute(statement, values).fetchone()
        return found

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """Nothing to do: there is nobody to wait for."""
        return nullcontext()

    def move_rows(self, connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """One prepared statement for all rows."""
        if rows:
            _driver(connection).executemany(statement, rows)

    def bulk_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """One prepared statement for all rows."""
        if rows:
            _driver(connection).executemany(_insert_into(table), rows)

    few_insert = bulk_insert

    def announce(self, connection: Connection) -> None:
        """Nothing to do: other processes poll."""

    def watch(self, wake: Callable[[int], None], stop: threading.Event) -> None:
        """Poll the file's change counter: 5 µs each time, no read of the log unless it moved."""
        with closing(self._path.connect()) as raw:
            seen = None
            while not stop.wait(_POLL_S):
                try:
                    version = raw.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        wake(raw.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0])
                except OperationalError:
                    continue  # busy or full: readers report it, the watcher only looks again


def _driver(connection: Connection) -> DriverConnection:
    found = connection.connection.driver_connection
    if not isinstance(found, DriverConnection):
        raise TypeError(f"{type(found).__name__} is no connection of sqlite3")
    return found


@cache
def _insert_into(table: Table) -> str:
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608  # our own table and column names, no input


@dataclass(frozen=True, slots=True)
class _Path:
    path: Path
    read_only: bool

    def connect(self) -> DriverConnection:
        """Open the file; one that may only be read need not lie where anything can be written.

        A log in WAL mode wants two small files beside it, and a file system that is read-only cannot have
        them. Then, and only if no `-wal` file holds what the log lacks, it is read as one that never changes.
        """
        if not self.read_only:
            return connect(self.path, timeout=_BUSY_S, check_same_thread=False)
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        opened = connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False)
        try:
            opened.execute("SELECT count(*) FROM sqlite_master")
        except OperationalError:
            opened.close()
            wal = self.path.with_name(self.path.name + "-wal")
            if not self.path.exists() or (wal.exists() and wal.stat().st_size):
                raise
            return connect(f"{uri}&immutable=1", uri=True, check_same_thread=False)
        return opened


def _engine(path: _Path, begin: str | None) -> Engine:
    """Return an engine whose transactions start with `begin`; None: unpooled, and its user begins them."""
    if begin is None:
        engine = create_engine("sqlite://", creator=path.connect, poolclass=NullPool)
    else:
        engine = create_engine(
            "sqlite://", creator=path.connect, poolclass=QueuePool, pool_size=8, max_overflow=32
        )

    @event.listens_for(engine, "connect")
    def _configure(connection: DriverConnection, _record: object) -> None:
        # The driver's own BEGIN is deferred: it would take the write lock too late.
        connection.isolation_level = None
        connection.execute("PRAGMA cache_size=-65536")
        connection.create_function("folded", 1, str.lower, deterministic=True)
        if path.read_only:
            return
        # Only a new file takes it. Measured (`physix bench log`): for one caller a commit writes whole
        # pages, and an episode's row stands in six indexes; large pages would write six times as much.
        connection.execute("PRAGMA page_size=4096")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # Every 8 MB: a larger one stops the writer for longer than anyone should wait.
        connection.execute("PRAGMA wal_autocheckpoint=2000")

    if begin is not None:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return engine
