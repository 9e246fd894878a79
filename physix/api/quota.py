"""What a public server allows each client in a minute: a dependency of every route that costs.

A route is billed for what it starts: a session for an episode or a fork, one for each member of a
comparison; a turn for each hypothesis that is judged or can be by what the route sets going; a turn for other
work of about that size (a table that is read, a law that is simplified), a session for what reads many
episodes (an export, a dataset). OpenEnv's own routes and frames are billed by `physix.api.openenv.wire`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from physix.errors import QuotaError, StorageError
from physix.store.sql.switchboard import Kind, Switchboard

_WINDOW_S = 60.0
_MAX_CLIENTS = 10_000


class Quota:
    """Counts sessions and turns per client and minute; the oldest clients are forgotten first.

    Where several processes answer, they count together: `share` gives them the place.
    """

    def __init__(self, *, sessions: int, turns: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits: dict[Kind, int] = {"sessions": sessions, "turns": turns}
        self._clock = clock
        self._used: OrderedDict[tuple[str, Kind], tuple[float, int]] = OrderedDict()
        self._switchboard: Switchboard | None = None

    def share(self, switchboard: Switchboard | None) -> None:
        """Count at the switchboard from now on."""
        self._switchboard = switchboard

    async def charge(self, client: str, *, sessions: int = 0, turns: int = 0) -> str | None:
        """As `refuse`, counted in all processes together."""
        if self._switchboard is None:
            return self.refuse(client, sessions=sessions, turns=turns)
        wanted: dict[Kind, int] = {"sessions": sessions, "turns": turns}
        try:
            refused = await self._switchboard.spend(client, wanted, self._limits, window_s=_WINDOW_S)
        except StorageError:
            # Better each for itself than not at all.
            return self.refuse(client, sessions=sessions, turns=turns)
        return (
            None if refused is None else _too_many(self._limits[refused.kind], refused.kind, refused.wait_s)
        )

    def most(self, kind: Kind) -> int:
        """Return how many one client may have in a minute."""
        return self._limits[kind]

    def refuse(self, client: str, *, sessions: int = 0, turns: int = 0) -> str | None:
        """Count what is asked for; return why it is too many (nothing is counted then), None if it is not."""
        now = self._clock()
        wanted: dict[Kind, int] = {"sessions": sessions, "turns": turns}
        counted: dict[Kind, tuple[float, int]] = {}
        for kind, number in wanted.items():
            if number == 0:
                continue
            since, used = self._used.get((client, kind), (now, 0))
            if now - since >= _WINDOW_S:
                since, used = now, 0
            limit = self._limits[kind]
            if used + number > limit:
                return _too_many(limit, kind, _WINDOW_S - (now - since))
            counted[kind] = (since, used + number)
        for kind, entry in counted.items():
            self._used[client, kind] = entry
            self._used.move_to_end((client, kind))
        while len(self._used) > _MAX_CLIENTS:
            self._used.popitem(last=False)
        return None


def _too_many(limit: int, kind: Kind, wait_s: float) -> str:
    return f"This public server allows {limit} {kind} per client and minute; try again in {wait_s:.0f} s."


async def bill(connection: HTTPConnection, *, sessions: int = 0, turns: int = 0) -> None:
    """Count what a request asks for: all of it, or nothing where one is too many.

    Raises:
        QuotaError: its client has had that many in this minute.
    """
    quota: Quota | None = connection.app.state.quota
    if quota is None:
        return
    client = connection.client
    # What has more turns than a minute allows takes the whole of one: it could never be played.
    turns = min(turns, quota.most("turns"))
    reason = await quota.charge(client.host if client else "", sessions=sessions, turns=turns)
    if reason is not None:
        raise QuotaError(reason)


def costs(kind: Kind) -> Any:
    """Return the dependency of a route that costs one session or turn."""

    async def billed(request: Request) -> None:
        await bill(request, **{kind: 1})

    billed.__name__ = f"costs_{kind}"
    return Depends(billed)
