"""The event log: `open_log` and what it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from physix.errors import BadInputError
from physix.store.log import EpisodeFilter, EpisodePage, EpisodeRow, Log

__all__ = ["EpisodeFilter", "EpisodePage", "EpisodeRow", "Log", "open_log"]


@asynccontextmanager
async def open_log(url: str) -> AsyncIterator[Log]:
    """Open the log behind a URL for as long as the context lasts.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `memory://`.

    Raises:
        BadInputError: the URL names no log.
        StorageError: the log cannot be opened; the message says why.
    """
    if url == "memory://":
        from physix.store.memory import MemoryLog

        yield MemoryLog()
        return
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise BadInputError(
            f"Database URL {url[:80]!r} is not supported; use sqlite:///file.db, sqlite:////absolute/file.db "
            "or memory://."
        )
    from physix.store.sqlite import open_sqlite

    async with open_sqlite(Path(path)) as log:
        yield log
