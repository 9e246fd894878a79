"""OpenEnv's sockets, each of which holds a session: so many of a server, so many of a client.

Counted in all processes of a server together where they have a switchboard, else in this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio

from physix.errors import StorageError
from physix.store.sql.switchboard import Full, Switchboard


class Seats:
    """Who holds a socket.

    Args:
        most: at a time.
        of_a_client: at a time; None: as many as there are.
    """

    def __init__(self, *, most: int, of_a_client: int | None) -> None:
        self._most, self._of_a_client = most, of_a_client
        self._held: Counter[str] = Counter()
        self._switchboard: Switchboard | None = None

    def share(self, switchboard: Switchboard | None) -> None:
        """Count at the switchboard from now on."""
        self._switchboard = switchboard

    @asynccontextmanager
    async def taken(self, client: str) -> AsyncIterator[str | None]:
        """Hold a seat for as long as the block runs; yields why there is none, None if there is one."""
        counted = self._switchboard is not None
        try:
            full = await self._sit(client)
        except StorageError:
            # Better each process for itself than not at all.
            full, counted = self._full(client), False
        if full is not None:
            yield self._told(full)
            return
        self._held[client] += 1
        try:
            yield None
        finally:
            self._held[client] -= 1
            self._held += Counter()  # forgets who holds none
            if counted and self._switchboard is not None:
                with suppress(StorageError), anyio.CancelScope(shield=True):
                    await self._switchboard.stand(client)

    async def _sit(self, client: str) -> Full | None:
        if self._switchboard is None:
            return self._full(client)
        return await self._switchboard.sit(client, most=self._most, of_a_client=self._of_a_client)

    def _full(self, client: str) -> Full | None:
        if self._held.total() >= self._most:
            return "server"
        return "client" if self._of_a_client is not None and self._held[client] >= self._of_a_client else None

    def _told(self, full: Full) -> str:
        if full == "server":
            return f"This server holds {self._most} OpenEnv sessions at a time, and all are taken."
        return f"This public server allows a client {self._of_a_client} sockets at a time."
