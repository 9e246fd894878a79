"""PostgreSQL under the log: several server processes may append to one database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Table, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from physix.errors import BadInputError

_CHANNEL = "physix_log"
# Serialises appends and migrations. Without it a reader that tails positions skips events: the
# order in which sequences hand out numbers is not the order in which transactions commit.
_LOCK = 0x70687973_69780001
_TAKE = b"SELECT pg_advisory_xact_lock(%d)" % _LOCK
_SLOW_POLL_S = 1.0


class PostgresBackend:
    """See `physix.store.sql.backend.Backend`."""

    placeholder = "%s"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        parsed = _parse(url)
        self.label = parsed.render_as_string(hide_password=True)
        self._conninfo = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        driver = parsed.set(drivername="postgresql+psycopg")
        told = {"options": "-c default_transaction_read_only=on"} if read_only else {}
        self.readers = create_engine(
            driver, pool_size=8, max_overflow=32, pool_pre_ping=True, connect_args=told
        )
        # No ping: it would cost every batch a round trip. The writer finds out and tries again.
        self.writer = create_engine(driver)
        # Left alone, the driver sends a BEGIN of its own before the first statement: a round trip.
        self._direct = create_engine(driver, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def lock(self, connection: Connection) -> None:
        """Take the advisory lock that ends with the transaction."""
        _driver(connection).execute(_TAKE)

    def direct(self) -> Connection:
        """See `Backend`."""
        return self._direct.connect()

    def begin(self, connection: Connection) -> int:
        """One round trip; the last statement sees all that was committed before the lock was had."""
        cursor = _driver(connection).execute(b"BEGIN; " + _TAKE + b"; SELECT max(position) FROM events")
        while cursor.nextset():
            pass
        found = cursor.fetchone()
        return int(found[0] or 0) if found else 0

    def commit(self, connection: Connection) -> None:
        """See `Backend`."""
        _driver(connection).execute(b"COMMIT")

    def look(
        self, connection: Connection, statement: str, values: tuple[object, ...]
    ) -> tuple[Any, ...] | None:
        """See `Backend`."""
        return _driver(connection).execute(statement.encode(), values).fetchone()

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """Pipeline mode: one round trip for all statements."""
        return _driver(connection).pipeline()

    def move_rows(self, connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """One prepared statement for all rows."""
        if rows:
            _driver(connection).cursor().executemany(statement.encode(), rows)

    def few_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """INSERT, which may be pipelined; a COPY may not."""
        if rows:
            _driver(connection).cursor().executemany(_insert_into(table), rows)

    def bulk_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """COPY, which takes many rows in one message where INSERT takes one message a row."""
        if not rows:
            return
        names = ", ".join(column.name for column in table.columns)
        with _driver(connection).cursor().copy(f"COPY {table.name} ({names}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def announce(self, connection: Connection) -> None:
        """One NOTIFY a batch, delivered when it commits."""
        _driver(connection).execute(f"NOTIFY {_CHANNEL}".encode())

    def watch(self, wake: Callable[[int], None], stop: threading.Event) -> None:
        """LISTEN, and look once a second in any case; reconnect for as long as it takes."""
        while not stop.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5) as raw:
                    raw.execute(f"LISTEN {_CHANNEL}")
                    while not stop.is_set():
                        found = raw.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
                        if found is not None:
                            wake(found[0])
                        for _ in raw.notifies(timeout=_SLOW_POLL_S, stop_after=1):
                            pass
            except psycopg.Error:
                # The server restarts or is out of reach; appends and reads report it.
                stop.wait(_SLOW_POLL_S)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        raise TypeError(f"{type(found).__name__} is no connection of psycopg")
    return found


@cache
def _insert_into(table: Table) -> bytes:
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join(["%s"] * len(table.columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})".encode()  # noqa: S608  # our own table and column names, no input


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise BadInputError(
            f"Database URL {url[:80]!r} cannot be read; write postgresql://user:password@host/database."
        ) from error
