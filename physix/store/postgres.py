"""PostgreSQL under the log: several server processes may append to one database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Table, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from physix.errors import BadInputError

_CHANNEL = "physix_log"
# Serialises appends and migrations. Without it a reader that tails positions skips events: the
# order in which sequences hand out numbers is not the order in which transactions commit.
_LOCK = 0x70687973_69780001
_SLOW_POLL_S = 1.0


class PostgresBackend:
    """See `physix.store.sql.Backend`."""

    placeholder = "%s"

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.label = parsed.render_as_string(hide_password=True)
        self._conninfo = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        options = {"pool_size": 8, "max_overflow": 32, "pool_pre_ping": True}
        driver = parsed.set(drivername="postgresql+psycopg")
        self.readers = create_engine(driver, **options)
        self.writer = create_engine(driver, **options)

    def lock(self, connection: Connection) -> None:
        """Take the advisory lock that ends with the transaction."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    def bulk_insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """COPY, which takes many rows in one message where INSERT takes one message a row."""
        if not rows:
            return
        names = ", ".join(column.name for column in table.columns)
        cursor: psycopg.Cursor[Any] = connection.connection.cursor()  # type: ignore[assignment]
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def announce(self, connection: Connection) -> None:
        """One NOTIFY a batch, delivered when it commits."""
        connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")

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


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise BadInputError(
            f"Database URL {url[:80]!r} cannot be read; write postgresql://user:password@host/database."
        ) from error
