"""What a public server allows each client in a minute: a dependency of every route that costs.

A route is billed for what it starts: a session for an episode or a fork, one for each member of a
comparison; a turn for each hypothesis that is judged or can be by what the route sets going; a turn for other
work of about that size (a table that is read, a law that is simplified). OpenEnv's own routes and
frames are billed by `physix.api.openenv.wire`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from physix.errors import QuotaError

Kind = Literal["sessions", "turns"]

_WINDOW_S = 60.0
_MAX_CLIENTS = 10_000


class Quota:
    """Counts sessions and turns per client and minute; the oldest clients are forgotten first."""

    def __init__(self, *, sessions: int, turns: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits: dict[Kind, int] = {"sessions": sessions, "turns": turns}
        self._clock = clock
        self._used: OrderedDict[tuple[str, Kind], tuple[float, int]] = OrderedDict()

    def most(self, kind: Kind) -> int:
        """Return how many one client may have in a minute."""
        return self._limits[kind]

    def refuse(self, client: str, kind: Kind, number: int = 1) -> str | None:
        """Count what is asked for; return why it is too many, None if it is not."""
        now = self._clock()
        since, used = self._used.get((client, kind), (now, 0))
        if now - since >= _WINDOW_S:
            since, used = now, 0
        limit = self._limits[kind]
        if used + number > limit:
            return (
                f"This public server allows {limit} {kind} per client and minute; "
                f"try again in {_WINDOW_S - (now - since):.0f} s."
            )
        self._used[client, kind] = (since, used + number)
        self._used.move_to_end((client, kind))
        while len(self._used) > _MAX_CLIENTS:
            self._used.popitem(last=False)
        return None


def bill(connection: HTTPConnection, kind: Kind, number: int = 1) -> None:
    """Count what a request asks for.

    Raises:
        QuotaError: its client has had that many in this minute.
    """
    quota: Quota | None = connection.app.state.quota
    if quota is None:
        return
    client = connection.client
    if kind == "turns":
        # An episode of more turns than a minute allows takes the whole of one: it could never be played.
        number = min(number, quota.most(kind))
    reason = quota.refuse(client.host if client else "", kind, number)
    if reason is not None:
        raise QuotaError(reason)


def costs(kind: Kind) -> Any:
    """Return the dependency of a route that costs one session or turn."""

    async def billed(request: Request) -> None:
        bill(request, kind)

    billed.__name__ = f"costs_{kind}"
    return Depends(billed)
