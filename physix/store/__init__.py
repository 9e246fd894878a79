"""The event log: `open_log` and what it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from physix.errors import BadInputError, StorageError
from physix.store.rows import (
    CommandRow,
    EpisodeFilter,
    EpisodeOrder,
    EpisodePage,
    EpisodeRow,
    Log,
    SortKey,
    TurnRow,
)

if TYPE_CHECKING:
    from physix.store.sql.backend import Backend

__all__ = [
    "CommandRow",
    "EpisodeFilter",
    "EpisodeOrder",
    "EpisodePage",
    "EpisodeRow",
    "Log",
    "SortKey",
    "TurnRow",
    "lag_of",
    "open_backend",
    "open_log",
]


@asynccontextmanager
async def open_log(url: str, *, read_only: bool = False) -> AsyncIterator[Log]:
    """Open the log behind a URL for as long as the context lasts.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`,
            `postgresql://user:password@host/database`, `archive:///folder` (read-only), or `memory://`.
        read_only: write nothing, not even a missing file or an upgrade of the schema; a read-only file
            system or a replica will do.

    Raises:
        BadInputError: the URL names no log.
        StorageError: the log cannot be opened; the message says why.
    """
    if url == "memory://":
        from physix.store.memory import MemoryLog

        yield MemoryLog()
        return
    if url.startswith("archive:///"):
        from physix.store.archive import open_archive

        yield open_archive(Path(url.removeprefix("archive:///")))
        return
    from physix.store.sql.log import open_sql_log

    async with open_sql_log(open_backend(url, read_only=read_only), read_only=read_only) as log:
        yield log


def open_backend(url: str, *, read_only: bool = False) -> Backend:
    """Return the database behind a URL; connects only when used.

    Raises:
        BadInputError: the URL names no database.
        StorageError: the driver of the database is not installed.
    """
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite" and path:
        from physix.store.sql.sqlite import SqliteBackend

        file = Path(path)
        if read_only and not file.exists():
            raise BadInputError(f"There is no log {file} to read; name one with --db or PHYSIX_DB.")
        return SqliteBackend(file, read_only=read_only)
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from physix.store.sql.postgres import PostgresBackend
        except ImportError as error:
            raise StorageError("PostgreSQL needs its driver: pip install 'physix-live[postgres]'.") from error
        return PostgresBackend(url.replace("postgres://", "postgresql://", 1), read_only=read_only)
    raise BadInputError(
        f"Database URL {url[:80]!r} is not supported; use sqlite:///file.db, sqlite:////absolute/file.db, "
        "postgresql://user:password@host/database or memory://."
    )


async def lag_of(log: Log) -> int:
    """Return how many committed events the followers of a log were not told of yet; 0 where it is in memory.

    Raises:
        StorageError: the log cannot be read.
    """
    from physix.store.sql.log import SqlLog

    return await log.lag() if isinstance(log, SqlLog) else 0
