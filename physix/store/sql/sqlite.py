"""SQLite under the log: a file, WAL, synced commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import cache
from pathlib import Path
from sqlite3 import Connection as DriverConnection
from sqlite3 import OperationalError, connect
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.pool import QueuePool

_BUSY_S = 30.0  # how long to wait for another process's write lock
_POLL_S = 0.02  # how soon commits of other processes are seen


class SqliteBackend:
    """See `physix.store.sql.backend.Backend`."""

    placeholder = "?"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path
        self.readers = _engine(path, "BEGIN")
        self.writer = _engine(path, "BEGIN IMMEDIATE")

    def lock(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE holds the write lock."""

    def lock_and_look(self, connection: Connection) -> int:
        """Look: the lock is held already."""
        found = _driver(connection).execute("SELECT max(position) FROM events").fetchone()
        return int(found[0] or 0)

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
        with closing(connect(self._path, timeout=_BUSY_S, check_same_thread=False)) as raw:
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
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608  # our own names


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DriverConnection, _record: object) -> None:
        # The driver's own BEGIN is deferred: it would take the write lock too late.
        connection.isolation_level = None
        # Only a new file takes it. A simulation's row is 3 to 4 kB: small pages waste half of it.
        connection.execute("PRAGMA page_size=32768")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")
        # Every 8 MB: the default of 1,000 pages would stop the writer for 100 ms every 32 MB.
        connection.execute("PRAGMA wal_autocheckpoint=250")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
