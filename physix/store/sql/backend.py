"""What a kind of database does its own way: the seam between the log and its two backends."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError

from physix.errors import StorageError


class Backend(Protocol):
    """What one kind of database does its own way. Engines are thread-safe; connections are not."""

    label: str  # names the database in messages; holds no password
    readers: Engine
    writer: Engine
    placeholder: str  # of the driver: "?" or "%s"

    def lock(self, connection: Connection) -> None:
        """Take the append lock for the rest of the transaction."""
        ...

    def direct(self) -> Connection:
        """Return a connection for `begin` and `commit`; closing it takes back what was not committed."""
        ...

    def begin(self, connection: Connection) -> int:
        """Begin a transaction that holds the append lock; return the log's last position, 0 if it is empty.

        Past SQLAlchemy, whose own begin and commit cost one caller a tenth of a turn.
        """
        ...

    def commit(self, connection: Connection) -> None:
        """End what `begin` began. May be sent `together` with what it commits."""
        ...

    def look(
        self, connection: Connection, statement: str, values: tuple[object, ...]
    ) -> tuple[Any, ...] | None:
        """Return the first row that a statement of this driver finds, as the driver gives it."""
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


def storage_error(backend: Backend, error: Exception) -> StorageError:
    """Return a driver's error as ours, with the database's name."""
    if isinstance(error, StorageError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    translated = StorageError(f"The log {backend.label} cannot be used: {cause}.")
    translated.__cause__ = error
    return translated


def is_from_driver(error: Exception) -> bool:
    """Tell whether a database's driver raised this. Bulk statements run past SQLAlchemy."""
    return isinstance(error, DBAPIError | sqlite3.Error) or type(error).__module__.startswith("psycopg")


def connection_was_lost(error: Exception) -> bool:
    """Tell whether the server went away, so that nobody knows what became of the transaction."""
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
